/* topic_state.c - see topic_state.h. */
#include "lib/kafka/topic_state.h"

#include <stdlib.h>

#include "lib/kafka/kafka_config.h"

enum { REQUEST_MS = 15000, PING_MS = 2000 };

static struct topic_state *find(struct topic_state *states, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(states[i].name, name) == 0)
			return &states[i];
	return NULL;
}

/* ---- partitions ---- */

static void read_partitions(const rd_kafka_metadata_topic_t *topic, struct topic_state *state)
{
	state->exists = topic->partition_cnt > 0;
	state->partitions = topic->partition_cnt;
	for (int i = 0; i < topic->partition_cnt; i++)
		if (i == 0 || topic->partitions[i].replica_cnt < state->replication_factor)
			state->replication_factor = topic->partitions[i].replica_cnt;
}

/* All topics, since asking for one that is not there may make it. */
static int read_metadata(rd_kafka_t *rk, struct topic_state *states, size_t count, struct error *err)
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 1, NULL, &metadata, REQUEST_MS);

	if (code)
		return kafka_error_set(err, code, "cannot list the topics", NULL);
	for (int i = 0; i < metadata->topic_cnt; i++) {
		struct topic_state *state = find(states, count, metadata->topics[i].topic);

		if (state)
			read_partitions(&metadata->topics[i], state);
	}
	rd_kafka_metadata_destroy(metadata);
	return 0;
}

/* ---- settings ---- */

static void read_entry(const rd_kafka_ConfigEntry_t *entry, struct topic_state *state, struct arena *arena)
{
	const char *name = rd_kafka_ConfigEntry_name(entry);
	const char *value = rd_kafka_ConfigEntry_value(entry);

	if (!value)
		return;
	if (strcmp(name, "cleanup.policy") == 0)
		state->cleanup = arena_strdup(arena, value);
	else if (strcmp(name, "retention.ms") == 0)
		state->retention_ms = strtoll(value, NULL, 10); /* the broker's own number */
	else if (strcmp(name, "retention.bytes") == 0)
		state->retention_bytes = strtoll(value, NULL, 10);
}

static int read_settings(rd_kafka_event_t *event, struct topic_state *states, size_t count, struct arena *arena,
			 struct error *err)
{
	const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(event);
	const rd_kafka_ConfigResource_t **resources;
	size_t resource_count = 0;

	if (rd_kafka_event_error(event) || !result)
		return kafka_error_set(err, rd_kafka_event_error(event), "cannot read the topics' settings",
				       rd_kafka_event_error_string(event));
	resources = rd_kafka_DescribeConfigs_result_resources(result, &resource_count);
	for (size_t i = 0; i < resource_count; i++) {
		struct topic_state *state = find(states, count, rd_kafka_ConfigResource_name(resources[i]));
		rd_kafka_resp_err_t code = rd_kafka_ConfigResource_error(resources[i]);
		size_t entry_count = 0;
		const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resources[i], &entry_count);

		if (code) {
			(void)kafka_error_set(err, code, rd_kafka_ConfigResource_name(resources[i]),
					      rd_kafka_ConfigResource_error_string(resources[i]));
			return error_prefix(err, "cannot read the settings of topic");
		}
		for (size_t j = 0; j < entry_count && state; j++)
			read_entry(entries[j], state, arena);
	}
	return 0;
}

static int describe(rd_kafka_t *rk, struct topic_state *states, size_t count, struct arena *arena, struct error *err)
{
	rd_kafka_ConfigResource_t **asked = arena_alloc(arena, (count + 1) * sizeof(*asked));
	_cleanup_(rd_kafka_queue_destroyp)
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	_cleanup_(rd_kafka_AdminOptions_destroyp)
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
	_cleanup_(rd_kafka_event_destroyp)
	rd_kafka_event_t *event = NULL;
	size_t asked_count = 0;
	char why[128];

	for (size_t i = 0; i < count; i++)
		if (states[i].exists)
			asked[asked_count++] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, states[i].name);
	if (asked_count == 0)
		return 0;
	(void)rd_kafka_AdminOptions_set_request_timeout(options, REQUEST_MS, why, sizeof(why)); /* within its range */
	rd_kafka_DescribeConfigs(rk, asked, asked_count, options, queue);
	rd_kafka_ConfigResource_destroy_array(asked, asked_count);
	event = rd_kafka_queue_poll(queue, REQUEST_MS + 5000);
	if (!event)
		return error_set(err, ERR_TIMEOUT, "cannot read the topics' settings: no answer after %d ms (kafka)",
				 REQUEST_MS + 5000);
	return read_settings(event, states, count, arena, err);
}

int topic_states_read(const struct kafka_options *options, const char *const *names, size_t count, struct arena *arena,
		      struct topic_state **ret_states, struct error *err)
{
	struct topic_state *states = arena_zalloc(arena, (count + 1) * sizeof(*states));
	_cleanup_(rd_kafka_destroyp)
	rd_kafka_t *rk = NULL;
	rd_kafka_conf_t *conf = NULL;

	for (size_t i = 0; i < count; i++)
		states[i] = (struct topic_state){
			.name = names[i], .retention_ms = -1, .retention_bytes = -1, .cleanup = "delete"};
	if (kafka_config_new(options, NULL, 0, &conf, err) < 0 ||
	    kafka_client_new(RD_KAFKA_PRODUCER, conf, &rk, err) < 0 || read_metadata(rk, states, count, err) < 0 ||
	    describe(rk, states, count, arena, err) < 0)
		return -1;
	*ret_states = states;
	return 0;
}

void topic_state_explain(const struct kafka_options *options, struct kafka_producer *producer, const char *topic,
			 struct arena *arena, struct error *err)
{
	struct topic_state *state = NULL;
	struct error unknown;
	int brokers;

	if ((err->code == ERR_TIMEOUT || err->code == ERR_NOT_FOUND) &&
	    kafka_producer_ping(producer, PING_MS, &brokers, &unknown) == 0 &&
	    topic_states_read(options, &topic, 1, arena, &state, &unknown) == 0 && !state->exists)
		(void)error_set(err, ERR_UNAVAILABLE, "topic '%s' does not exist, create it", topic);
}
