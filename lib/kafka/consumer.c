/*
 * consumer.c - a member of a consumer group that reads in batches, see kafka.h.
 *
 * Why:     records are taken one by one from librdkafka's queue, not by its batch call: in 2.0 that call may drop or
 *          repeat records when a rebalance falls into it (a known issue of that version). The queue is in memory, so
 *          one by one costs little.
 * Threads: librdkafka runs the rebalance callback inside of poll, so on the owner's thread. `mu` guards what other
 *          threads ask for: the assignment.
 */
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "lib/base/clock.h"
#include "lib/base/crash_point.h"
#include "lib/base/log.h"
#include "lib/kafka/kafka_config.h"

enum { SEEK_MS = 3000, CLOSE_MS = 4000, CLOSE_LOOK_MS = 100 };

static const struct text_pair consumer_settings[] = {
	{"session.timeout.ms", "6000"},
	{"heartbeat.interval.ms", "500"},
	{"max.poll.interval.ms", "300000"},
	{"partition.assignment.strategy", "range,roundrobin"},
	{"enable.auto.offset.store", "false"},
	{"enable.auto.commit", "true"},
	{"auto.commit.interval.ms", "1000"},
	{"auto.offset.reset", "earliest"},
	{"allow.auto.create.topics", "false"},
	{"topic.metadata.refresh.interval.ms", "5000"},
	{"fetch.min.bytes", "1"},
	{"fetch.wait.max.ms",
	 "500"}, /* a record ends it at once; without any, each question costs both sides about 2 ms */
	{"fetch.error.backoff.ms", "200"},
	{"queued.max.messages.kbytes", "32768"},
	{"isolation.level", "read_committed"},
	{"enable.partition.eof", "false"},
	{"socket.nagle.disable", "true"},
	{"socket.keepalive.enable", "true"},
	{"reconnect.backoff.max.ms", "2000"},
	{"log.connection.close", "false"},
};

struct kafka_consumer {
	struct kafka_options options;
	char *group;
	char *member; /* NULL: dynamic */
	char **topics;
	size_t topic_count;
	rd_kafka_t *rk;
	size_t batches; /* given out and not freed */
	/* The brokers were away since the member joined, or its session ran out. Afterwards librdkafka may commit under the name
	 * that it had before, is taken for the ghost of its own successor, and fenced for good: that is no other process. */
	atomic_bool was_cut_off;
	bool must_reopen; /* this client reads no more, or not from where it should; the committed offsets are right */

	pthread_mutex_t mu;
	rd_kafka_topic_partition_list_t *assigned; /* guarded by mu */
};

struct kafka_batch {
	struct kafka_consumer *consumer;
	size_t count;
	rd_kafka_message_t **messages;
	struct kafka_record *records;  /* NULL until one is asked for */
	rd_kafka_headers_t *looked_at; /* of the last look */
};

/* ---- assignment ---- */

static void keep_assignment(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *partitions)
{
	(void)pthread_mutex_lock(&consumer->mu);
	rd_kafka_topic_partition_list_destroy(consumer->assigned);
	consumer->assigned = partitions ? rd_kafka_topic_partition_list_copy(partitions)
					: rd_kafka_topic_partition_list_new(0);
	(void)pthread_mutex_unlock(&consumer->mu);
}

/* The partitions are somebody else's already, so their stored offsets are nobody's. librdkafka 2.0 would commit them all the
 * same, without the member id that it has lost, and the group would fence it for that. */
static void forget_stored(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *partitions)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_copy(partitions);

	for (int i = 0; i < list->cnt; i++)
		list->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
	(void)rd_kafka_offsets_store(rk, list); /* fails for partitions that are gone, with what was stored */
	rd_kafka_topic_partition_list_destroy(list);
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *partitions,
			 void *opaque)
{
	struct kafka_consumer *consumer = opaque;
	bool is_assign = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
	rd_kafka_resp_err_t failed;

	if (!is_assign && rd_kafka_assignment_lost(rk)) {
		atomic_store(&consumer->was_cut_off, true);
		forget_stored(rk, partitions);
	}
	failed = rd_kafka_assign(rk, is_assign ? partitions : NULL);
	if (failed)
		log_warn("kafka_assign_failed", "group=%s reason=%s", consumer->group,
			 LOG_TEXT(rd_kafka_err2str(failed)));
	keep_assignment(consumer, is_assign && !failed ? partitions : NULL);
	if (is_assign)
		CRASH_POINT(PARTITIONS_ASSIGNED);
	log_info("kafka_rebalanced", "group=%s partitions=%d", consumer->group, is_assign ? partitions->cnt : 0);
}

/* Runs inside of poll, as the rebalance callback does. */
static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
	struct kafka_consumer *consumer = opaque;

	(void)rk;
	(void)reason; /* logged by librdkafka */
	if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__TRANSPORT)
		atomic_store(&consumer->was_cut_off, true);
}

bool kafka_consumer_is_assigned(const struct kafka_consumer *consumer, const char *topic)
{
	pthread_mutex_t *mu = (pthread_mutex_t *)&consumer->mu; /* asking changes nothing that can be seen */
	bool is_found = false;

	(void)pthread_mutex_lock(mu);
	for (int i = 0; i < consumer->assigned->cnt && !is_found; i++)
		is_found = strcmp(consumer->assigned->elems[i].topic, topic) == 0;
	(void)pthread_mutex_unlock(mu);
	return is_found;
}

size_t kafka_consumer_assigned_count(const struct kafka_consumer *consumer)
{
	pthread_mutex_t *mu = (pthread_mutex_t *)&consumer->mu;
	size_t count;

	(void)pthread_mutex_lock(mu);
	count = (size_t)consumer->assigned->cnt;
	(void)pthread_mutex_unlock(mu);
	return count;
}

int64_t kafka_consumer_lag(const struct kafka_consumer *consumer)
{
	rd_kafka_topic_partition_list_t *positions;
	int64_t lag = 0;

	if (!consumer->rk || consumer->assigned->cnt == 0) /* only this thread changes it, in poll */
		return 0;
	positions = rd_kafka_topic_partition_list_copy(consumer->assigned);
	if (rd_kafka_position(consumer->rk, positions) == RD_KAFKA_RESP_ERR_NO_ERROR) {
		for (int i = 0; i < positions->cnt; i++) {
			const rd_kafka_topic_partition_t *at = &positions->elems[i];
			int64_t low = 0;
			int64_t high = 0;

			/* A partition of which nothing was read since the assignment has no position. */
			if (at->offset >= 0 &&
			    !rd_kafka_get_watermark_offsets(consumer->rk, at->topic, at->partition, &low, &high) &&
			    high > at->offset)
				lag += high - at->offset;
		}
	}
	rd_kafka_topic_partition_list_destroy(positions);
	return lag;
}

/* ---- life ---- */

static int subscribe(struct kafka_consumer *consumer, struct error *err)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t code;

	if (consumer->topic_count == 0) {
		code = rd_kafka_unsubscribe(consumer->rk);
		return code ? kafka_error_set(err, code, "cannot unsubscribe", NULL) : 0;
	}
	list = rd_kafka_topic_partition_list_new((int)consumer->topic_count);
	for (size_t i = 0; i < consumer->topic_count; i++)
		(void)rd_kafka_topic_partition_list_add(list, consumer->topics[i], RD_KAFKA_PARTITION_UA);
	code = rd_kafka_subscribe(consumer->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code ? kafka_error_set(err, code, "cannot subscribe", NULL) : 0;
}

static int open_client(struct kafka_consumer *consumer, struct error *err)
{
	struct text_pair settings[ARRAY_LEN(consumer_settings) + 2];
	size_t count = ARRAY_LEN(consumer_settings);
	rd_kafka_conf_t *conf = NULL;

	memcpy(settings, consumer_settings, sizeof(consumer_settings));
	settings[count++] = (struct text_pair){"group.id", consumer->group};
	if (consumer->member)
		settings[count++] = (struct text_pair){"group.instance.id", consumer->member};
	if (kafka_config_new(&consumer->options, settings, count, &conf, err) < 0)
		return -1;
	rd_kafka_conf_set_opaque(conf, consumer);
	rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
	rd_kafka_conf_set_error_cb(conf, on_error);
	if (kafka_client_new(RD_KAFKA_CONSUMER, conf, &consumer->rk, err) < 0)
		return -1;
	(void)rd_kafka_poll_set_consumer(consumer->rk); /* fails only for other kinds of clients */
	return subscribe(consumer, err);
}

/* Commits what is stored and leaves the group. librdkafka's own close waits for a broker that is away, longer than a drain may
 * last; this one gives up, which costs records that are read twice. True: the group is left. */
static bool leave_group(struct kafka_consumer *consumer)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(consumer->rk);
	rd_kafka_error_t *error = rd_kafka_consumer_close_queue(consumer->rk, queue);
	int64_t deadline_us = clock_monotonic_us() + CLOSE_MS * 1000;

	while (!error && !rd_kafka_consumer_closed(consumer->rk) && clock_monotonic_us() < deadline_us) {
		rd_kafka_message_t *message = rd_kafka_consume_queue(queue, CLOSE_LOOK_MS);

		if (message) /* read too late */
			rd_kafka_message_destroy(message);
	}
	if (error) /* of a client that is dead already */
		rd_kafka_error_destroy(error);
	rd_kafka_queue_destroy(queue);
	return rd_kafka_consumer_closed(consumer->rk);
}

/* Calls nothing of ours back. */
static void *destroy_client(void *rk)
{
	rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	return NULL;
}

/* The destructor, too, waits until librdkafka has given up the commits that it cannot send, a minute or so: nobody else does. */
static void abandon_client(rd_kafka_t *rk)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, destroy_client, rk) != 0) {
		(void)destroy_client(rk);
		return;
	}
	(void)pthread_setname_np(thread, "kafka-destroy"); /* a name for people only */
	(void)pthread_detach(thread);                      /* cannot fail for a thread that was just made */
}

static void close_client(struct kafka_consumer *consumer)
{
	if (!consumer->rk)
		return;
	if (leave_group(consumer))
		(void)destroy_client(consumer->rk);
	else
		abandon_client(consumer->rk);
	consumer->rk = NULL;
	keep_assignment(consumer, NULL);
}

static void replace_topics(struct kafka_consumer *consumer, const char *const *topics, size_t count)
{
	for (size_t i = 0; i < consumer->topic_count; i++)
		free(consumer->topics[i]);
	free(consumer->topics);
	consumer->topics = xcalloc(count + 1, sizeof(*consumer->topics));
	consumer->topic_count = count;
	for (size_t i = 0; i < count; i++)
		consumer->topics[i] = xstrdup(topics[i]);
}

int kafka_consumer_new(const struct kafka_options *options, const struct kafka_consumer_options *wanted,
		       struct kafka_consumer **ret_consumer, struct error *err)
{
	_cleanup_(kafka_consumer_freep)
	struct kafka_consumer *consumer = xcalloc(1, sizeof(*consumer));

	assert(wanted->group);
	(void)pthread_mutex_init(&consumer->mu, NULL); /* default attributes cannot fail on Linux */
	consumer->assigned = rd_kafka_topic_partition_list_new(0);
	consumer->options = kafka_options_copy(options);
	consumer->group = xstrdup(wanted->group);
	consumer->member = wanted->member ? xstrdup(wanted->member) : NULL;
	replace_topics(consumer, wanted->topics, wanted->topic_count);
	if (open_client(consumer, err) < 0)
		return -1;
	*ret_consumer = take_ptr(consumer);
	return 0;
}

void kafka_consumer_free(struct kafka_consumer *consumer)
{
	if (!consumer)
		return;
	close_client(consumer);
	replace_topics(consumer, NULL, 0);
	free(consumer->topics);
	rd_kafka_topic_partition_list_destroy(consumer->assigned);
	kafka_options_release(&consumer->options);
	(void)pthread_mutex_destroy(&consumer->mu);
	free(consumer->group);
	free(consumer->member);
	free(consumer);
}

int kafka_consumer_subscribe(struct kafka_consumer *consumer, const char *const *topics, size_t count,
			     struct error *err)
{
	replace_topics(consumer, topics, count);
	return consumer->rk ? subscribe(consumer, err) : 0; /* else at the reopening */
}

/* ---- batches ---- */

static struct kafka_batch *batch_new(struct kafka_consumer *consumer, rd_kafka_message_t **messages, size_t count)
{
	struct kafka_batch *batch = xcalloc(1, sizeof(*batch));

	batch->consumer = consumer;
	consumer->batches++;
	batch->messages = xrealloc_array(messages, count + 1, sizeof(*messages)); /* there was room for many more */
	batch->count = count;
	return batch;
}

/* librdkafka's client is dead for good after a fatal error, so the next poll makes a new one. */
static int note_fatal(struct kafka_consumer *consumer, rd_kafka_resp_err_t code, const char *why, struct error *err)
{
	bool is_own = atomic_exchange(&consumer->was_cut_off, false);

	consumer->must_reopen = true;
	if (code != RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID || !is_own)
		return kafka_error_set(err, code, "the consumer group will not have this member any more", why);
	log_warn("kafka_fenced_by_itself", "group=%s member=%s, joining anew after the outage", consumer->group,
		 consumer->member ? consumer->member : "");
	return 0;
}

/* librdkafka asks once where to begin. Where the answer is an error (of a broker that is not the coordinator any more), it keeps the
 * partitions and never reads them. The text is all that tells this error from those that pass. */
static bool is_never_begun(const rd_kafka_message_t *message)
{
	return strstr(rd_kafka_message_errstr(message), "Failed to fetch committed offset") != NULL;
}

/* What librdkafka reports in place of a record: nearly all of it passes by itself. */
static int note_error(struct kafka_consumer *consumer, const rd_kafka_message_t *message, struct error *err)
{
	char why[256] = "";
	rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(consumer->rk, why, sizeof(why));

	if (fatal)
		return note_fatal(consumer, fatal, why, err);
	if (message->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
		log_warn("kafka_topic_missing", "group=%s detail=%s", consumer->group,
			 LOG_TEXT(rd_kafka_message_errstr(message)));
	else
		log_debug("kafka_consumer_error", "group=%s code=%s detail=%s", consumer->group,
			  rd_kafka_err2name(message->err), LOG_TEXT(rd_kafka_message_errstr(message)));
	if (is_never_begun(message)) {
		log_warn("kafka_offsets_unknown", "group=%s detail=%s, joining anew", consumer->group,
			 LOG_TEXT(rd_kafka_message_errstr(message)));
		consumer->must_reopen = true;
	}
	return 0;
}

/* Takes records until `max`, an empty queue, or an error that ends the consumer. */
static int gather(struct kafka_consumer *consumer, rd_kafka_message_t **messages, size_t max, int64_t wait_ms,
		  size_t *ret_count, struct error *err)
{
	int64_t deadline = clock_monotonic_us() + wait_ms * 1000;
	size_t count = 0;

	while (count < max && !consumer->must_reopen) {
		int64_t left_ms = count > 0 ? 0 : (deadline - clock_monotonic_us()) / 1000;
		rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer->rk, left_ms > 0 ? (int)left_ms : 0);

		if (!message && (count > 0 || left_ms <= 0))
			break;
		if (message && !message->err) {
			messages[count++] = message;
		} else if (message) {
			int rc = note_error(consumer, message, err);

			rd_kafka_message_destroy(message);
			if (rc < 0) {
				*ret_count = count;
				return -1;
			}
		}
	}
	*ret_count = count;
	return 0;
}

static int reopen(struct kafka_consumer *consumer, struct error *err)
{
	close_client(consumer);
	if (open_client(consumer, err) < 0)
		return -1;
	consumer->must_reopen = false;
	return 0;
}

int kafka_consumer_poll(struct kafka_consumer *consumer, size_t max, int64_t wait_ms, struct kafka_batch **ret_batch,
			struct error *err)
{
	_cleanup_(freep)
	rd_kafka_message_t **messages = xrealloc_array(NULL, max, sizeof(*messages));
	size_t count = 0;

	assert(max > 0);
	if (consumer->must_reopen && consumer->batches > 0) { /* their records belong to the client that is to go */
		(void)poll(NULL, 0, (int)wait_ms);
		*ret_batch = batch_new(consumer, take_ptr(messages), 0);
		return 0;
	}
	if (consumer->must_reopen && reopen(consumer, err) < 0)
		return -1;
	if (gather(consumer, messages, max, wait_ms, &count, err) < 0) {
		for (size_t i = 0; i < count; i++)
			rd_kafka_message_destroy(messages[i]);
		return -1;
	}
	*ret_batch = batch_new(consumer, messages, count);
	messages = NULL;
	return 0;
}

size_t kafka_batch_count(const struct kafka_batch *batch)
{
	return batch->count;
}

const struct kafka_record *kafka_batch_record(const struct kafka_batch *batch, size_t index)
{
	struct kafka_batch *asked = (struct kafka_batch *)batch; /* asking changes nothing that can be seen */

	assert(index < batch->count);
	if (!asked->records) {
		asked->records = xrealloc_array(NULL, batch->count, sizeof(*asked->records));
		for (size_t i = 0; i < batch->count; i++)
			kafka_record_read(batch->messages[i], &asked->records[i]);
	}
	return &batch->records[index];
}

static void forget_looked_at(struct kafka_batch *batch)
{
	if (batch->looked_at)
		rd_kafka_headers_destroy(batch->looked_at);
	batch->looked_at = NULL;
}

/* Headers are some fifteen small blocks, which librdkafka makes when they are asked for and keeps with the message; taken off
 * it they are made anew at the next look. */
void kafka_batch_look(struct kafka_batch *batch, size_t index, struct kafka_record *ret_record)
{
	assert(index < batch->count);
	assert(!batch->records); /* which borrow the headers */
	forget_looked_at(batch);
	kafka_record_read(batch->messages[index], ret_record);
	(void)rd_kafka_message_detach_headers(batch->messages[index], &batch->looked_at); /* fails where it has none */
}

void kafka_batch_free(struct kafka_batch *batch)
{
	if (!batch)
		return;
	forget_looked_at(batch);
	for (size_t i = 0; i < batch->count; i++)
		rd_kafka_message_destroy(batch->messages[i]);
	batch->consumer->batches--;
	free(batch->messages);
	free(batch->records);
	free(batch);
}

/* One entry a partition: the lowest offset of the batch, or one past the highest. */
static rd_kafka_topic_partition_list_t *batch_offsets(const struct kafka_batch *batch, bool is_start)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
	rd_kafka_topic_partition_t *last = NULL;

	for (size_t i = 0; i < batch->count; i++) {
		const rd_kafka_message_t *message = batch->messages[i];
		const char *topic = rd_kafka_topic_name(message->rkt);
		int64_t offset = is_start ? message->offset : message->offset + 1;

		if (!last || last->partition != message->partition || strcmp(last->topic, topic) != 0) {
			last = rd_kafka_topic_partition_list_find(list, topic, message->partition);
			if (!last) {
				last = rd_kafka_topic_partition_list_add(list, topic, message->partition);
				last->offset = offset;
			}
		}
		if (is_start ? offset < last->offset : offset > last->offset)
			last->offset = offset;
	}
	return list;
}

void kafka_batch_store_offsets(struct kafka_consumer *consumer, struct kafka_batch *batch)
{
	rd_kafka_topic_partition_list_t *list;

	if (batch->count == 0 || !consumer->rk)
		return;
	list = batch_offsets(batch, false);
	/* Refused for partitions that went to another member meanwhile; that one reads those records again. */
	(void)rd_kafka_offsets_store(consumer->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
}

void kafka_batch_rewind(struct kafka_consumer *consumer, struct kafka_batch *batch)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_error_t *error;

	if (batch->count == 0 || !consumer->rk)
		return;
	list = batch_offsets(batch, true);
	error = rd_kafka_seek_partitions(consumer->rk, list, SEEK_MS);
	for (int i = 0; i < list->cnt && !error; i++)
		if (list->elems[i].err && rd_kafka_topic_partition_list_find(consumer->assigned, list->elems[i].topic,
									     list->elems[i].partition))
			consumer->must_reopen = true;
	if (error) {
		consumer->must_reopen = true;
		rd_kafka_error_destroy(error);
	}
	if (consumer->must_reopen)
		log_warn("kafka_rewind_failed", "group=%s topic=%s, reading again from the committed offsets",
			 consumer->group, list->elems[0].topic);
	rd_kafka_topic_partition_list_destroy(list);
}
