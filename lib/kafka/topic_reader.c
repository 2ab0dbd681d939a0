/* topic_reader.c - see topic_reader.h. */
#include "lib/kafka/topic_reader.h"

#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/kafka/kafka_config.h"

enum { METADATA_MS = 10000, POLL_MS = 500, SILENCE_US = 10 * 1000 * 1000 };

/* The group is only a name that librdkafka wants; nobody joins it. */
static const struct text_pair reader_settings[] = {
	{"group.id", "amends-topic-reader"},   {"enable.auto.commit", "false"},   {"enable.auto.offset.store", "false"},
	{"enable.partition.eof", "true"},      {"fetch.wait.max.ms", "50"},       {"auto.offset.reset", "earliest"},
	{"allow.auto.create.topics", "false"}, {"log.connection.close", "false"},
};

struct topic_reader {
	rd_kafka_t *rk;
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
	rd_kafka_resp_err_t code = rd_kafka_metadata(reader->rk, 1, NULL, &metadata, METADATA_MS);
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
	rd_kafka_resp_err_t code = rd_kafka_metadata(reader->rk, 1, NULL, &metadata, METADATA_MS);
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
