/* topic_scan.c - topic_reader_scan(): topics from a moment on, each partition up to where it ended at the beginning. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/kafka/kafka_config.h"
#include "lib/kafka/topic_reader_state.h"

enum { QUERY_MS = 10000, POLL_MS = 500, SILENCE_US = 10 * 1000 * 1000 };

struct part {
	size_t topic;
	int32_t partition;
	int64_t low;
	int64_t end;   /* the offset behind the last record */
	int64_t start; /* end: there is nothing to read */
	bool is_begun;
	bool is_done;
};

struct scanning {
	rd_kafka_t *rk;
	const struct topic_scan *scan;
	struct part *parts; /* by topic, then by partition */
	size_t count;
	size_t undone;
};

/* ---- what there is ---- */

static void add_parts(struct scanning *scanning, size_t topic, const rd_kafka_metadata_topic_t *metadata)
{
	scanning->scan->extents[topic].exists = metadata->partition_cnt > 0;
	scanning->parts = xrealloc_array(scanning->parts, scanning->count + (size_t)metadata->partition_cnt + 1,
					 sizeof(*scanning->parts));
	for (int i = 0; i < metadata->partition_cnt; i++)
		scanning->parts[scanning->count++] =
			(struct part){.topic = topic, .partition = metadata->partitions[i].id};
}

/* All topics are asked about, since asking for one that is not there may make it. */
static int list_parts(struct scanning *scanning, struct error *err)
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t code = rd_kafka_metadata(scanning->rk, 1, NULL, &metadata, QUERY_MS);

	if (code)
		return kafka_error_set(err, code, "cannot list the topics", NULL);
	for (size_t topic = 0; topic < scanning->scan->count; topic++) {
		scanning->scan->extents[topic] = (struct topic_extent){0};
		for (int i = 0; i < metadata->topic_cnt; i++)
			if (strcmp(metadata->topics[i].topic, scanning->scan->topics[topic]) == 0)
				add_parts(scanning, topic, &metadata->topics[i]);
	}
	rd_kafka_metadata_destroy(metadata);
	return 0;
}

static const char *topic_of(const struct scanning *scanning, const struct part *part)
{
	return scanning->scan->topics[part->topic];
}

static int find_ends(struct scanning *scanning, struct error *err)
{
	for (size_t i = 0; i < scanning->count; i++) {
		struct part *part = &scanning->parts[i];
		rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
			scanning->rk, topic_of(scanning, part), part->partition, &part->low, &part->end, QUERY_MS);

		if (code)
			return kafka_error_set(err, code, topic_of(scanning, part), NULL);
		part->start = part->low;
	}
	return 0;
}

/* The first record of each partition that is not older. */
static int find_starts(struct scanning *scanning, struct error *err)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t code;

	if (scanning->scan->since_ms == 0 || scanning->count == 0)
		return 0;
	list = rd_kafka_topic_partition_list_new((int)scanning->count);
	for (size_t i = 0; i < scanning->count; i++)
		rd_kafka_topic_partition_list_add(list, topic_of(scanning, &scanning->parts[i]),
						  scanning->parts[i].partition)
			->offset = scanning->scan->since_ms;
	code = rd_kafka_offsets_for_times(scanning->rk, list, QUERY_MS);
	for (size_t i = 0; i < scanning->count && !code; i++) {
		struct part *part = &scanning->parts[i];

		code = list->elems[i].err;
		part->start = list->elems[i].offset < 0 ? part->end : list->elems[i].offset;
	}
	rd_kafka_topic_partition_list_destroy(list);
	return code ? kafka_error_set(err, code, "cannot find where to begin", NULL) : 0;
}

/* ---- reading ---- */

/* Where everything that is read is the oldest that there is, older records may be gone. */
static bool is_cut(const struct part *part)
{
	return part->low > 0 && part->start <= part->low;
}

static void note_whole_since(const struct scanning *scanning, const struct part *part, int64_t ms)
{
	struct topic_extent *extent = &scanning->scan->extents[part->topic];

	if (is_cut(part) && ms > extent->whole_since_ms)
		extent->whole_since_ms = ms;
}

static int assign(struct scanning *scanning, struct error *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)scanning->count + 1);
	rd_kafka_resp_err_t code;

	for (size_t i = 0; i < scanning->count; i++) {
		struct part *part = &scanning->parts[i];

		part->is_done = part->start >= part->end;
		if (part->is_done) {
			note_whole_since(scanning, part, clock_real_us() / 1000);
			continue;
		}
		scanning->undone++;
		rd_kafka_topic_partition_list_add(list, topic_of(scanning, part), part->partition)->offset =
			part->start;
	}
	code = scanning->undone ? rd_kafka_assign(scanning->rk, list) : RD_KAFKA_RESP_ERR_NO_ERROR;
	rd_kafka_topic_partition_list_destroy(list);
	return code ? kafka_error_set(err, code, "cannot read", NULL) : 0;
}

static struct part *find_part(const struct scanning *scanning, const rd_kafka_message_t *message)
{
	const char *topic = message->rkt ? rd_kafka_topic_name(message->rkt) : "";

	for (size_t i = 0; i < scanning->count; i++)
		if (scanning->parts[i].partition == message->partition &&
		    strcmp(topic_of(scanning, &scanning->parts[i]), topic) == 0)
			return &scanning->parts[i];
	return NULL;
}

static void finish(struct scanning *scanning, struct part *part)
{
	if (!part->is_done)
		scanning->undone--;
	part->is_done = true;
}

static int take_message(struct scanning *scanning, const rd_kafka_message_t *message, topic_reader_take_fn *take,
			void *ctx, struct error *err)
{
	struct part *part = find_part(scanning, message);
	struct kafka_record record = {0};

	if (!part || part->is_done)
		return 0;
	if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		finish(scanning, part);
		return 0;
	}
	if (message->err)
		return kafka_error_set(err, message->err, topic_of(scanning, part), NULL);
	kafka_record_read(message, &record);
	if (!part->is_begun)
		note_whole_since(scanning, part, record.timestamp_ms);
	part->is_begun = true;
	if (message->offset + 1 >= part->end)
		finish(scanning, part);
	return message->offset < part->end ? take(ctx, &record, err) : 0;
}

static int read_all(struct scanning *scanning, topic_reader_take_fn *take, void *ctx, struct error *err)
{
	int64_t heard_us = clock_monotonic_us();
	int result = 0;

	while (scanning->undone > 0 && result == 0) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(scanning->rk, POLL_MS);

		if (message) {
			result = take_message(scanning, message, take, ctx, err);
			rd_kafka_message_destroy(message);
			heard_us = clock_monotonic_us();
		} else if (clock_monotonic_us() - heard_us > SILENCE_US) {
			result = error_set(err, ERR_TIMEOUT, "no answer for 10 s, %zu partitions are left (kafka)",
					   scanning->undone);
		}
	}
	(void)rd_kafka_assign(scanning->rk, NULL); /* what is read next takes its place anyway */
	return result;
}

int topic_reader_scan(struct topic_reader *reader, const struct topic_scan *scan, topic_reader_take_fn *take, void *ctx,
		      struct error *err)
{
	struct scanning scanning = {.rk = reader->rk, .scan = scan};
	int result = -1;

	if (list_parts(&scanning, err) == 0 && find_ends(&scanning, err) == 0 && find_starts(&scanning, err) == 0 &&
	    assign(&scanning, err) == 0)
		result = read_all(&scanning, take, ctx, err);
	free(scanning.parts);
	return result;
}
