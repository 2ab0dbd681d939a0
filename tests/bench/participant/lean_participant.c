/*
 * lean_participant.c - answers every command of the benchmark at once, straight on librdkafka, and keeps nothing.
 *
 * Why:    mode `engine` is about the coordinator, and all share the machine: what a participant costs beyond reading a command's
 *         headers and writing a reply is left out. Replies follow docs/wire-contract.md as far as it says "must", with
 *         values by our codec. What a real participant costs is mode `inbox`'s to show (sdk_participant.c).
 * Group:  none. All partitions are assigned from their beginning, and no offsets are committed: it lives as long as its
 *         broker, and there is one.
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "lib/base/shutdown.h"
#include "lib/base/uuid.h"
#include "lib/options/options.h"
#include "participants/sdk/reply_schema.h"

enum { BATCH_MAX = 2000, WAIT_MS = 100, METADATA_MS = 10000, WHY_MAX = 256 };

static const char *const COMMANDS[] = {"bench.first.command", "bench.second.command", "bench.third.command",
				       "bench.undo.command"};
static const char *const REPLIES[] = {"bench.first.done", "bench.second.done", "bench.third.done", "bench.undone"};
static const char REFUSAL[] = "bench.third.refused";
enum { THIRD = 2, TOPICS = ARRAY_LEN(COMMANDS) };

/* Of every command; what a reply has to repeat. */
static const char *const REPEATED[] = {"saga-id",         "saga-step",    "saga-phase",
				       "saga-command-id", "saga-attempt", "correlationid"};

struct settings {
	const char *kafka_brokers;
	const char *registry_url;
	bool is_refusing;
};

struct route {
	rd_kafka_topic_t *command;
	rd_kafka_topic_t *reply;
	struct reply_schema schema;
	const char *outcome;
};

struct lean {
	rd_kafka_t *producer;
	rd_kafka_t *consumer;
	rd_kafka_queue_t *queue;
	struct route routes[TOPICS];
	struct arena arena;
};

static int new_client(rd_kafka_type_t type, const char *const (*properties)[2], size_t count, rd_kafka_t **ret_client,
		      struct error *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[WHY_MAX] = "";

	for (size_t i = 0; i < count; i++)
		if (rd_kafka_conf_set(conf, properties[i][0], properties[i][1], why, sizeof(why)) != RD_KAFKA_CONF_OK) {
			rd_kafka_conf_destroy(conf);
			return error_set(err, ERR_INVALID, "%s", why);
		}
	*ret_client = rd_kafka_new(type, conf, why, sizeof(why));
	if (*ret_client)
		return 0;
	rd_kafka_conf_destroy(conf); /* only a success takes it */
	return error_set(err, ERR_UNAVAILABLE, "%s", why);
}

static int open_clients(struct lean *lean, const char *brokers, struct error *err)
{
	const char *const producer[][2] = {
		{"bootstrap.servers", brokers},
		{"acks", "all"},
		{"enable.idempotence", "true"},
		{"partitioner", "murmur2_random"},
		{"linger.ms", "0"},
		{"socket.nagle.disable", "true"},
		{"queue.buffering.max.messages", "1000000"},
		{"delivery.report.only.error", "true"},
	};
	const char *const consumer[][2] = {
		{"bootstrap.servers", brokers},
		{"group.id", "bench-participant"}, /* needed for assigning, otherwise unused */
		{"enable.auto.commit", "false"},
		{"enable.auto.offset.store", "false"},
		{"auto.offset.reset", "earliest"},
		{"fetch.wait.max.ms", "500"},
		{"socket.nagle.disable", "true"},
		{"check.crcs", "false"},
	};

	if (new_client(RD_KAFKA_PRODUCER, producer, ARRAY_LEN(producer), &lean->producer, err) < 0 ||
	    new_client(RD_KAFKA_CONSUMER, consumer, ARRAY_LEN(consumer), &lean->consumer, err) < 0)
		return -1;
	(void)rd_kafka_poll_set_consumer(lean->consumer);
	lean->queue = rd_kafka_queue_get_consumer(lean->consumer);
	return 0;
}

static int open_route(struct lean *lean, struct registry_client *registry, size_t index, bool is_refusing,
		      struct error *err)
{
	struct route *route = &lean->routes[index];
	const char *reply = is_refusing && index == THIRD ? REFUSAL : REPLIES[index];

	route->command = rd_kafka_topic_new(lean->consumer, COMMANDS[index], NULL);
	route->reply = rd_kafka_topic_new(lean->producer, reply, NULL);
	route->outcome = reply == REFUSAL ? "rejected" : "succeeded";
	return reply_schema_load(registry, reply, &route->schema, err);
}

static int assign_all(struct lean *lean, struct error *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

	for (size_t i = 0; i < TOPICS && !code; i++) {
		const struct rd_kafka_metadata *metadata = NULL;

		code = rd_kafka_metadata(lean->consumer, 0, lean->routes[i].command, &metadata, METADATA_MS);
		if (code)
			break;
		for (int p = 0; p < metadata->topics[0].partition_cnt; p++)
			rd_kafka_topic_partition_list_add(list, COMMANDS[i], p)->offset = RD_KAFKA_OFFSET_BEGINNING;
		rd_kafka_metadata_destroy(metadata);
	}
	if (!code)
		code = rd_kafka_assign(lean->consumer, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code ? error_set(err, ERR_UNAVAILABLE, "cannot assign the commands: %s", rd_kafka_err2str(code)) : 0;
}

static void repeat_headers(const rd_kafka_headers_t *command, rd_kafka_headers_t *reply)
{
	const char *name;
	const void *value;
	size_t len;

	for (size_t at = 0; !rd_kafka_header_get_all(command, at, &name, &value, &len); at++)
		for (size_t i = 0; i < ARRAY_LEN(REPEATED); i++)
			if (strcmp(name, REPEATED[i]) == 0) {
				(void)rd_kafka_header_add(reply, name, -1, value, (ssize_t)len); /* cannot fail */
				break;
			}
}

static int encode(struct lean *lean, const struct route *route, const rd_kafka_message_t *message,
		  struct bytes *ret_value, struct error *err)
{
	struct value value = value_record();

	value_set(&lean->arena, &value, "order_id", value_text((struct bytes){message->key, message->key_len}));
	value_set(&lean->arena, &value, "status", value_text_of("DONE"));
	return reply_schema_encode(&route->schema, &value, &lean->arena, ret_value, err);
}

static int answer(struct lean *lean, const struct route *route, const rd_kafka_message_t *message, struct error *err)
{
	rd_kafka_headers_t *command = NULL;
	rd_kafka_headers_t *headers;
	char id[UUID_TEXT_LEN + 1];
	struct bytes value;
	rd_kafka_error_t *failed;

	if (rd_kafka_message_headers(message, &command))
		return error_set(err, ERR_CORRUPT, "a command without headers");
	if (encode(lean, route, message, &value, err) < 0)
		return -1;
	headers = rd_kafka_headers_new(ARRAY_LEN(REPEATED) + 2);
	repeat_headers(command, headers);
	uuid_format(uuid_v7_new(), id);
	(void)rd_kafka_header_add(headers, "saga-outcome", -1, route->outcome, -1); /* neither can fail */
	(void)rd_kafka_header_add(headers, "ce_id", -1, id, UUID_TEXT_LEN);
	failed = rd_kafka_produceva(
		lean->producer,
		(rd_kafka_vu_t[]){
			{.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = route->reply},
			{.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK},
			{.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {message->key, message->key_len}},
			{.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)value.data, value.len}},
			{.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
		},
		5);
	if (!failed)
		return 0;
	(void)error_set(err, ERR_UNAVAILABLE, "cannot produce: %s", rd_kafka_error_string(failed));
	rd_kafka_error_destroy(failed);
	return -1;
}

static const struct route *find_route(const struct lean *lean, const rd_kafka_topic_t *topic)
{
	const char *name = rd_kafka_topic_name(topic);

	for (size_t i = 0; i < TOPICS; i++)
		if (strcmp(rd_kafka_topic_name(lean->routes[i].command), name) == 0)
			return &lean->routes[i];
	return NULL;
}

/* The batch call would wait until the batch is full, so it gets no time; the first one is waited for by itself. */
static ssize_t take_batch(struct lean *lean, rd_kafka_message_t **messages)
{
	messages[0] = rd_kafka_consume_queue(lean->queue, WAIT_MS);
	return messages[0] ? 1 + rd_kafka_consume_batch_queue(lean->queue, 0, messages + 1, BATCH_MAX - 1) : 0;
}

static int run(struct lean *lean, struct error *err)
{
	rd_kafka_message_t **messages = xmalloc(BATCH_MAX * sizeof(*messages));
	int rc = 0;

	while (!rc && !shutdown_requested()) {
		ssize_t count = take_batch(lean, messages);

		arena_clear(&lean->arena);
		for (ssize_t i = 0; i < count; i++) {
			const rd_kafka_message_t *message = messages[i];

			if (!message->err && !rc)
				rc = answer(lean, find_route(lean, message->rkt), message, err);
			else if (message->err)
				log_warn("consumer_error", "err=%s", rd_kafka_err2name(message->err));
			rd_kafka_message_destroy(messages[i]);
		}
		(void)rd_kafka_poll(lean->producer, 0); /* the number of served events */
	}
	free(messages);
	return rc;
}

static void close_clients(struct lean *lean)
{
	for (size_t i = 0; i < TOPICS; i++) {
		if (lean->routes[i].command)
			rd_kafka_topic_destroy(lean->routes[i].command);
		if (lean->routes[i].reply)
			rd_kafka_topic_destroy(lean->routes[i].reply);
	}
	if (lean->queue)
		rd_kafka_queue_destroy(lean->queue);
	if (lean->consumer)
		rd_kafka_destroy(lean->consumer);
	if (lean->producer)
		rd_kafka_destroy(lean->producer);
	arena_release(&lean->arena);
}

static int serve(const struct settings *settings)
{
	struct registry_client *registry =
		registry_client_new(&(struct registry_client_options){.url = settings->registry_url});
	struct lean lean = {0};
	struct error err;
	int rc = open_clients(&lean, settings->kafka_brokers, &err);

	for (size_t i = 0; i < TOPICS && rc == 0; i++)
		rc = open_route(&lean, registry, i, settings->is_refusing, &err);
	if (rc == 0)
		rc = assign_all(&lean, &err);
	if (rc == 0)
		rc = run(&lean, &err);
	if (rc)
		log_error("participant_ended", "err=%s", LOG_TEXT(err.msg));
	close_clients(&lean);
	registry_client_free(registry);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct settings settings = {0};
	const struct option options[] = {
		{.flag = "kafka-brokers",
		 .default_text = "127.0.0.1:9092",
		 .value_name = "HOST:PORT",
		 .help = "brokers",
		 .place = &settings.kafka_brokers},
		{.flag = "registry-url",
		 .default_text = "http://127.0.0.1:8081",
		 .value_name = "URL",
		 .help = "schema registry",
		 .place = &settings.registry_url},
		{.flag = "refuse",
		 .type = OPTION_BOOL,
		 .help = "refuse the last step, so that the others are compensated",
		 .place = &settings.is_refusing},
	};
	const struct program program = {.name = "bench-lean-participant",
					.summary = "Answers the benchmark's commands, and nothing else.",
					.options = options,
					.option_count = ARRAY_LEN(options)};

	int status = options_exit_status(options_parse(&program, argc, argv, NULL));

	if (status >= 0)
		return status;
	log_init("bench-lean-participant", LOG_LEVEL_INFO);
	shutdown_init();
	return serve(&settings);
}
