/* topic_reader.c - see topic_reader.h. */
#include "lib/kafka/topic_reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/kafka/kafka_config.h"
#include "lib/kafka/topic_reader_state.h"

enum { QUERY_MS = 10000, POLL_MS = 500, SILENCE_US = 10 * 1000 * 1000 };

/* The group is only a name that librdkafka wants; nobody joins it. */
static const struct text_pair reader_settings[] = {
	{"group.id", "amends-topic-reader"},   {"enable.auto.commit", "false"},   {"enable.auto.offset.store", "false"},
	{"enable.partition.eof", "true"},      {"fetch.wait.max.ms", "50"},       {"auto.offset.reset", "earliest"},
	{"allow.auto.create.topics", "false"}, {"log.connection.close", "false"},
};

int topic_reader_new(const struct kafka_options *options, struct topic_reader **ret_reader, struct error *err)
{
	_cleanup_(topic_reader_freep)
	struct topic_reader *reader = xcalloc(1, sizeof(*reader));
	rd_kafka_conf_t *conf = NULL;

	if (kafka_config_new(options, reader_settings, ARRAY_LEN(reader_settings), &conf, err) < 0 ||
	    kafka_client_new(RD_KAFKA_CONSUMER, conf, &reader->rk, err) < 0)
		return -1;
	(void)rd_kafka_poll_set_consumer(reader->rk); /* fails only for other kinds of clients */
	*ret_reader = take_ptr(reader);
	return 0;
}

void topic_reader_free(struct topic_reader *reader)
{
	if (!reader)
		return;
	if (reader->rk) {
		(void)rd_kafka_consumer_close(reader->rk); /* there is nothing to commit */
		rd_kafka_destroy(reader->rk);
	}
	free(reader);
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

int topic_reader_list(struct topic_reader *reader, struct arena *arena, const char ***ret_topics, size_t *ret_count,
		      struct error *err)
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t code = rd_kafka_metadata(reader->rk, 1, NULL, &metadata, QUERY_MS);
	const char **topics;
	size_t count;

	if (code)
		return kafka_error_set(err, code, "cannot list the topics", NULL);
	count = (size_t)metadata->topic_cnt;
	topics = arena_alloc(arena, (count + 1) * sizeof(*topics));
	for (size_t i = 0; i < count; i++)
		topics[i] = arena_strdup(arena, metadata->topics[i].topic);
	rd_kafka_metadata_destroy(metadata);
	qsort(topics, count, sizeof(*topics), compare_names);
	*ret_topics = topics;
	*ret_count = count;
	return 0;
}

static bool is_wanted(const char *const *topics, size_t count, const char *topic)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(topics[i], topic) == 0)
			return true;
	return false;
}

/* All partitions of the topics, from their beginning. Topics that went away meanwhile have none. */
static int assign(struct topic_reader *reader, const char *const *topics, size_t count, int *ret_partitions,
		  struct error *err)
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t code = rd_kafka_metadata(reader->rk, 1, NULL, &metadata, QUERY_MS);
	rd_kafka_topic_partition_list_t *list;

	if (code)
		return kafka_error_set(err, code, "cannot list the topics", NULL);
	list = rd_kafka_topic_partition_list_new((int)count);
	for (int i = 0; i < metadata->topic_cnt; i++) {
		const rd_kafka_metadata_topic_t *topic = &metadata->topics[i];

		for (int j = 0; j < topic->partition_cnt && is_wanted(topics, count, topic->topic); j++)
			rd_kafka_topic_partition_list_add(list, topic->topic, topic->partitions[j].id)->offset =
				RD_KAFKA_OFFSET_BEGINNING;
	}
	rd_kafka_metadata_destroy(metadata);
	*ret_partitions = list->cnt;
	code = rd_kafka_assign(reader->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code ? kafka_error_set(err, code, "cannot read", NULL) : 0;
}

int topic_reader_read(struct topic_reader *reader, const char *const *topics, size_t count, topic_reader_seen_fn *seen,
		      void *ctx, struct error *err)
{
	int64_t heard_us = clock_monotonic_us();
	int unfinished = 0;

	if (assign(reader, topics, count, &unfinished, err) < 0)
		return -1;
	while (unfinished > 0) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(reader->rk, POLL_MS);

		if (!message) {
			if (clock_monotonic_us() - heard_us > SILENCE_US)
				return error_set(err, ERR_TIMEOUT, "no answer for 10 s, %d partitions are left (kafka)",
						 unfinished);
			continue;
		}
		if (!message->err) {
			struct kafka_record record = {0};

			kafka_record_read(message, &record);
			seen(ctx, &record);
		}
		unfinished -= message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
		if (!message->err || message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
			heard_us = clock_monotonic_us();
		rd_kafka_message_destroy(message);
	}
	(void)rd_kafka_assign(reader->rk, NULL); /* what is read next takes its place anyway */
	return 0;
}

/* ---- a range of one partition ---- */

static int range_error(rd_kafka_resp_err_t code, const struct topic_range *range, struct error *err)
{
	char what[300];

	(void)snprintf(what, sizeof(what), "topic '%s' partition %d", range->topic, range->partition);
	return kafka_error_set(err, code, what, NULL);
}

/* Where to begin and where the partition ends now. */
static int choose_offsets(struct topic_reader *reader, const struct topic_range *range, int64_t *ret_next,
			  int64_t *ret_end, struct error *err)
{
	int64_t low;
	int64_t end;
	int64_t next;
	rd_kafka_resp_err_t code =
		rd_kafka_query_watermark_offsets(reader->rk, range->topic, range->partition, &low, &end, QUERY_MS);

	if (code)
		return range_error(code, range, err);
	next = range->offset == TOPIC_READER_LAST ? end - range->count : range->offset;
	*ret_next = next < low ? low : next;
	*ret_end = end;
	return 0;
}

static int assign_one(struct topic_reader *reader, const struct topic_range *range, int64_t offset, struct error *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t code;

	rd_kafka_topic_partition_list_add(list, range->topic, range->partition)->offset = offset;
	code = rd_kafka_assign(reader->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code ? range_error(code, range, err) : 0;
}

/* 1: go on. 0: that was the end, before `end` where the last offsets hold no records. */
static int take_message(const rd_kafka_message_t *message, const struct topic_range *range, int64_t end,
			topic_reader_take_fn *take, void *ctx, struct error *err)
{
	struct kafka_record record = {0};

	if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
		return 0;
	if (message->err)
		return range_error(message->err, range, err);
	kafka_record_read(message, &record);
	if (take(ctx, &record, err) < 0)
		return -1;
	return message->offset + 1 < end;
}

int topic_reader_read_range(struct topic_reader *reader, const struct topic_range *range, topic_reader_take_fn *take,
			    void *ctx, struct error *err)
{
	int64_t deadline_us = clock_monotonic_us() + range->timeout_ms * 1000;
	int64_t next = 0;
	int64_t end = 0;
	int result;

	if (choose_offsets(reader, range, &next, &end, err) < 0)
		return -1;
	if (next >= end)
		return 0;
	if (assign_one(reader, range, next, err) < 0)
		return -1;
	result = 1;
	for (int64_t taken = 0; result > 0 && taken < range->count;) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(reader->rk, POLL_MS);

		if (message) {
			result = take_message(message, range, end, take, ctx, err);
			rd_kafka_message_destroy(message);
			taken++;
		} else if (clock_monotonic_us() > deadline_us) {
			result = error_set(err, ERR_TIMEOUT, "topic '%s' partition %d: no record came within %lld ms",
					   range->topic, range->partition, (long long)range->timeout_ms);
		}
	}
	(void)rd_kafka_assign(reader->rk, NULL); /* what is read next takes its place anyway */
	return result < 0 ? -1 : 0;
}
