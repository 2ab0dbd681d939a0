/* group_offsets.c - see group_offsets.h. */
#include "lib/kafka/group_offsets.h"

#include <stdlib.h>
#include <string.h>

#include "lib/kafka/kafka_config.h"

enum { REQUEST_MS = 15000 };

struct reading {
	rd_kafka_t *rk;
	struct arena *arena;
	struct group_offset *items; /* on the heap until all are known */
	size_t count;
};

static void take_partitions(struct reading *reading, const char *group, const rd_kafka_topic_partition_list_t *list)
{
	reading->items =
		xrealloc_array(reading->items, reading->count + (size_t)list->cnt + 1, sizeof(*reading->items));
	for (int i = 0; i < list->cnt; i++)
		if (list->elems[i].offset >= 0)
			reading->items[reading->count++] = (struct group_offset){
				.group = group,
				.topic = arena_strdup(reading->arena, list->elems[i].topic),
				.partition = list->elems[i].partition,
				.offset = list->elems[i].offset,
			};
}

static int take_answer(struct reading *reading, const char *group, rd_kafka_event_t *event, struct error *err)
{
	const rd_kafka_ListConsumerGroupOffsets_result_t *result;
	const rd_kafka_group_result_t **groups;
	size_t count = 0;

	if (!event)
		return error_set(err, ERR_TIMEOUT, "no answer after %d ms (kafka)", REQUEST_MS + 5000);
	result = rd_kafka_event_ListConsumerGroupOffsets_result(event);
	if (rd_kafka_event_error(event) || !result)
		return kafka_error_set(err, rd_kafka_event_error(event), group, rd_kafka_event_error_string(event));
	groups = rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count);
	for (size_t i = 0; i < count; i++) {
		const rd_kafka_error_t *error = rd_kafka_group_result_error(groups[i]);

		if (error)
			return kafka_error_set(err, rd_kafka_error_code(error), group, rd_kafka_error_string(error));
		take_partitions(reading, group, rd_kafka_group_result_partitions(groups[i]));
	}
	return 0;
}

static int read_group(struct reading *reading, const char *group, struct error *err)
{
	rd_kafka_ListConsumerGroupOffsets_t *asked = rd_kafka_ListConsumerGroupOffsets_new(group, NULL);
	_cleanup_(rd_kafka_queue_destroyp)
	rd_kafka_queue_t *queue = rd_kafka_queue_new(reading->rk);
	_cleanup_(rd_kafka_AdminOptions_destroyp)
	rd_kafka_AdminOptions_t *options =
		rd_kafka_AdminOptions_new(reading->rk, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
	_cleanup_(rd_kafka_event_destroyp)
	rd_kafka_event_t *event = NULL;
	char why[128];

	(void)rd_kafka_AdminOptions_set_request_timeout(options, REQUEST_MS, why, sizeof(why)); /* within its range */
	rd_kafka_ListConsumerGroupOffsets(reading->rk, &asked, 1, options, queue);
	rd_kafka_ListConsumerGroupOffsets_destroy(asked);
	event = rd_kafka_queue_poll(queue, REQUEST_MS + 5000);
	if (take_answer(reading, group, event, err) < 0)
		return error_prefix(err, "cannot read the offsets of group");
	return 0;
}

static int read_groups(struct reading *reading, struct error *err)
{
	const struct rd_kafka_group_list *groups = NULL;
	rd_kafka_resp_err_t code = rd_kafka_list_groups(reading->rk, NULL, &groups, REQUEST_MS);
	int result = 0;

	if (code && !groups)
		return kafka_error_set(err, code, "cannot list the consumer groups", NULL);
	for (int i = 0; i < groups->group_cnt && result == 0; i++)
		result = read_group(reading, arena_strdup(reading->arena, groups->groups[i].group), err);
	rd_kafka_group_list_destroy(groups);
	return result;
}

int group_offsets_read(const struct kafka_options *options, struct arena *arena, struct group_offset **ret_offsets,
		       size_t *ret_count, struct error *err)
{
	_cleanup_(rd_kafka_destroyp)
	rd_kafka_t *rk = NULL;
	struct reading reading = {.arena = arena};
	rd_kafka_conf_t *conf = NULL;
	int result;

	if (kafka_config_new(options, NULL, 0, &conf, err) < 0 ||
	    kafka_client_new(RD_KAFKA_PRODUCER, conf, &rk, err) < 0)
		return -1;
	reading.rk = rk;
	result = read_groups(&reading, err);
	if (result == 0) {
		*ret_offsets = arena_alloc(arena, (reading.count + 1) * sizeof(**ret_offsets));
		if (reading.count > 0)
			memcpy(*ret_offsets, reading.items, reading.count * sizeof(**ret_offsets));
		*ret_count = reading.count;
	}
	free(reading.items);
	return result;
}
