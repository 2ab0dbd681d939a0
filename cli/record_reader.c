/* record_reader.c - see record_reader.h. */
#include "cli/record_reader.h"

#include <librdkafka/rdkafka.h>

#include "lib/base/clock.h"
#include "lib/kafka/kafka_config.h"

enum { POLL_MS = 200, QUERY_MS = 10000 };

struct reader {
	rd_kafka_t *rk;
	const struct record_range *range;
	int64_t next;
	int64_t end;
};

static int fail(rd_kafka_resp_err_t code, const struct record_range *range, struct error *err)
{
	bool is_unknown = code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
			  code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;

	return error_set(err, is_unknown ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "topic '%s' partition %d: %s", range->topic,
			 range->partition, rd_kafka_err2str(code));
}

/* Where to begin and where the partition ends now. */
static int choose_offsets(struct reader *reader, struct error *err)
{
	const struct record_range *range = reader->range;
	int64_t low;
	rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(reader->rk, range->topic, range->partition, &low,
								    &reader->end, QUERY_MS);

	if (code)
		return fail(code, range, err);
	reader->next = range->offset == RECORD_READER_LAST ? reader->end - range->count : range->offset;
	if (reader->next < low)
		reader->next = low;
	return 0;
}

static int assign(struct reader *reader, struct error *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t code;

	rd_kafka_topic_partition_list_add(list, reader->range->topic, reader->range->partition)->offset = reader->next;
	code = rd_kafka_assign(reader->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code ? fail(code, reader->range, err) : 0;
}

static int hand_over(struct reader *reader, const rd_kafka_message_t *message,
		     int (*take)(void *ctx, const struct kafka_record *record, struct error *err), void *ctx,
		     struct error *err)
{
	struct kafka_record record = {.topic = reader->range->topic,
				      .partition = message->partition,
				      .offset = message->offset,
				      .key = {message->key, message->key_len},
				      .value = {message->payload, message->len},
				      .has_value = message->payload != NULL};

	if (message->err)
		return fail(message->err, reader->range, err);
	reader->next = message->offset + 1;
	return take(ctx, &record, err);
}

static int read_all(struct reader *reader, int (*take)(void *ctx, const struct kafka_record *record, struct error *err),
		    void *ctx, struct error *err)
{
	int64_t deadline_us = clock_monotonic_us() + reader->range->timeout_ms * 1000;
	int result = 0;

	for (int64_t done = 0; result == 0 && done < reader->range->count && reader->next < reader->end;) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(reader->rk, POLL_MS);

		if (message) {
			result = hand_over(reader, message, take, ctx, err);
			rd_kafka_message_destroy(message);
			done++;
		} else if (clock_monotonic_us() > deadline_us) {
			result = error_set(err, ERR_TIMEOUT, "topic '%s' partition %d: no record came within %lld ms",
					   reader->range->topic, reader->range->partition,
					   (long long)reader->range->timeout_ms);
		}
	}
	return result;
}

int record_reader_run(const struct kafka_options *options, const struct record_range *range,
		      int (*take)(void *ctx, const struct kafka_record *record, struct error *err), void *ctx,
		      struct error *err)
{
	static const struct text_pair settings[] = {{"group.id", "sagactl"},
						    {"enable.auto.commit", "false"},
						    {"auto.offset.reset", "error"},
						    {"allow.auto.create.topics", "false"}};
	struct reader reader = {.range = range};
	rd_kafka_conf_t *conf;
	int result;

	if (kafka_config_new(options, settings, ARRAY_LEN(settings), &conf, err) < 0 ||
	    kafka_client_new(RD_KAFKA_CONSUMER, conf, &reader.rk, err) < 0)
		return -1;
	result = choose_offsets(&reader, err);
	if (result == 0 && reader.next < reader.end)
		result = assign(&reader, err);
	if (result == 0)
		result = read_all(&reader, take, ctx, err);
	(void)rd_kafka_consumer_close(reader.rk); /* it is in no group */
	rd_kafka_destroy(reader.rk);
	return result;
}
