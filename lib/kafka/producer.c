/*
 * producer.c - confirmed production, see kafka.h.
 *
 * Why:     an idempotent producer that lost count with the broker is dead for good ("fatal"); a service must not be. So the
 *          librdkafka client is an instance behind ours: on a fatal error the poll thread puts a new one in its place, and
 *          what the old one held is reported as failed.
 * Threads: `mu` guards the fields under it that are not atomic. An instance is used between instance_ref() and instance_unref() without
 *          the lock, so no call of librdkafka runs under it. Delivery reports come on the poll thread alone.
 */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "lib/base/clock.h"
#include "lib/base/condition.h"
#include "lib/base/log.h"
#include "lib/kafka/kafka_config.h"

enum {
	POLL_MS = 1000, /* reports, errors and the end wake the thread */
	PURGE_POLL_MS = 100,
	QUEUE_FULL_WAIT_MS = 1000,
	PROGRESS_WAIT_MS = 20,
	CLOSE_FLUSH_MS = 5000,
	PURGE_MS = 2000,
};

/* How we produce. A lone saga waits for every record, so nothing lingers: librdkafka's threads sleep in whole milliseconds, and
 * the shortest linger there is costs up to one for each record. Under load batches gather by themselves while five requests are
 * under way. */
static const struct text_pair producer_settings[] = {
	{"acks", "all"},
	{"enable.idempotence", "true"},
	{"partitioner", "murmur2_random"},
	{"linger.ms", "0"},
	{"compression.codec", "none"},
	{"message.timeout.ms", "30000"},
	{"topic.metadata.refresh.interval.ms", "5000"},
	{"queue.buffering.max.messages", "500000"},
	{"queue.buffering.max.kbytes", "524288"},
	{"socket.nagle.disable", "true"},
	{"socket.keepalive.enable", "true"},
	{"reconnect.backoff.max.ms", "2000"},
	{"log.connection.close", "false"},
};

struct instance {
	struct kafka_producer *owner;
	rd_kafka_t *rk;
	atomic_bool is_fatal;
	int refs; /* guarded by owner->mu */
};

struct kafka_producer {
	struct kafka_options options;
	kafka_delivered_fn *delivered;
	void *ctx;
	pthread_t poll_thread;
	atomic_bool is_stopping;
	atomic_int controller;

	pthread_mutex_t mu;
	pthread_cond_t progress;  /* a report came, or a new instance */
	struct instance *current; /* guarded by mu; the poll thread alone changes it */
	atomic_size_t in_flight;
	atomic_uint waiters; /* on `progress`: without any, a report need not wake anybody */
};

/* One record less is in flight. Who waits has said so before it looks at the number, and holds `mu` from there until it sleeps. */
static void note_progress(struct kafka_producer *producer)
{
	const size_t before = atomic_fetch_sub(&producer->in_flight, 1);

	assert(before > 0);
	(void)before;
	if (atomic_load(&producer->waiters) == 0)
		return;
	(void)pthread_mutex_lock(&producer->mu);
	(void)pthread_cond_broadcast(&producer->progress);
	(void)pthread_mutex_unlock(&producer->mu);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	struct instance *instance = opaque;
	struct kafka_producer *producer = instance->owner;
	struct error err;

	(void)rk; /* the instance has it */
	if (message->_private && producer->delivered) {
		if (message->err) /* not rd_kafka_message_errstr(): for a produced record that is its value */
			(void)kafka_error_set(&err, message->err, rd_kafka_topic_name(message->rkt), NULL);
		producer->delivered(producer->ctx, message->_private, message->err ? &err : NULL);
	}
	note_progress(producer);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
	struct instance *instance = opaque;

	(void)rk;
	if (code == RD_KAFKA_RESP_ERR__FATAL)
		atomic_store(&instance->is_fatal, true);
	else
		log_debug("kafka_error", "code=%s reason=%s", rd_kafka_err2name(code), LOG_TEXT(reason));
}

static int instance_new(struct kafka_producer *producer, struct instance **ret_instance, struct error *err)
{
	_cleanup_(freep)
	struct instance *instance = xcalloc(1, sizeof(*instance));
	rd_kafka_conf_t *conf = NULL;

	if (kafka_config_new(&producer->options, producer_settings, ARRAY_LEN(producer_settings), &conf, err) < 0)
		return -1;
	instance->owner = producer;
	instance->refs = 1;
	rd_kafka_conf_set_opaque(conf, instance);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_error_cb(conf, on_error);
	if (kafka_client_new(RD_KAFKA_PRODUCER, conf, &instance->rk, err) < 0)
		return -1;
	*ret_instance = take_ptr(instance);
	return 0;
}

static struct instance *instance_ref(struct kafka_producer *producer)
{
	struct instance *instance;

	(void)pthread_mutex_lock(&producer->mu);
	instance = producer->current;
	instance->refs++;
	(void)pthread_mutex_unlock(&producer->mu);
	return instance;
}

static void instance_unref(struct instance *instance)
{
	struct kafka_producer *producer = instance->owner;
	int left;

	(void)pthread_mutex_lock(&producer->mu);
	left = --instance->refs;
	(void)pthread_mutex_unlock(&producer->mu);
	if (left > 0)
		return;
	rd_kafka_destroy(instance->rk);
	free(instance);
}

/* Gives up what the instance still holds, so that each of its records is reported. */
static void instance_purge(struct instance *instance)
{
	int64_t deadline = clock_monotonic_us() + PURGE_MS * 1000;

	(void)rd_kafka_purge(instance->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT); /* cannot fail here */
	while (rd_kafka_outq_len(instance->rk) > 0 && clock_monotonic_us() < deadline)
		(void)rd_kafka_poll(instance->rk, PURGE_POLL_MS); /* the number of served reports */
}

static void replace_instance(struct kafka_producer *producer)
{
	struct instance *old = producer->current;
	struct instance *fresh = NULL;
	struct error err;
	char why[256] = "";
	rd_kafka_resp_err_t code = rd_kafka_fatal_error(old->rk, why, sizeof(why));

	log_warn("kafka_producer_replaced", "code=%s reason=%s", rd_kafka_err2name(code), LOG_TEXT(why));
	if (instance_new(producer, &fresh, &err) < 0) {
		/* The same configuration worked before, so this is a passing shortage; the next poll tries again. */
		log_error("kafka_producer_failed", "err=%s", LOG_TEXT(err.msg));
		return;
	}
	(void)pthread_mutex_lock(&producer->mu);
	producer->current = fresh;
	(void)pthread_cond_broadcast(&producer->progress);
	(void)pthread_mutex_unlock(&producer->mu);
	instance_purge(old);
	instance_unref(old);
}

static void *poll_loop(void *arg)
{
	struct kafka_producer *producer = arg;

	while (!atomic_load(&producer->is_stopping)) {
		(void)rd_kafka_poll(producer->current->rk, POLL_MS); /* the number of served reports */
		if (atomic_load(&producer->current->is_fatal))
			replace_instance(producer);
	}
	return NULL;
}

/* A poll that is under way returns, or else the next one. */
static void stop_polling(struct kafka_producer *producer)
{
	struct instance *instance = instance_ref(producer);
	rd_kafka_queue_t *queue = rd_kafka_queue_get_main(instance->rk);

	atomic_store(&producer->is_stopping, true);
	rd_kafka_queue_yield(queue);
	rd_kafka_queue_destroy(queue);
	instance_unref(instance);
	(void)pthread_join(producer->poll_thread, NULL); /* joined once, by the owner */
}

static void init_sync(struct kafka_producer *producer)
{
	(void)pthread_mutex_init(&producer->mu, NULL); /* default attributes cannot fail on Linux */
	condition_init(&producer->progress);
}

static void release_producer(struct kafka_producer *producer)
{
	kafka_options_release(&producer->options);
	(void)pthread_cond_destroy(&producer->progress);
	(void)pthread_mutex_destroy(&producer->mu);
	free(producer);
}

int kafka_producer_new(const struct kafka_options *options, kafka_delivered_fn *delivered, void *ctx,
		       struct kafka_producer **ret_producer, struct error *err)
{
	struct kafka_producer *producer = xcalloc(1, sizeof(*producer));

	producer->options = kafka_options_copy(options);
	producer->delivered = delivered;
	producer->ctx = ctx;
	atomic_store(&producer->controller, -1);
	init_sync(producer);
	if (instance_new(producer, &producer->current, err) < 0) {
		release_producer(producer);
		return -1;
	}
	if (pthread_create(&producer->poll_thread, NULL, poll_loop, producer) != 0) {
		instance_unref(producer->current);
		release_producer(producer);
		return error_set(err, ERR_LIMIT, "cannot start the kafka producer's thread: too many threads");
	}
	(void)pthread_setname_np(producer->poll_thread, "kafka-produce"); /* a name for people only */
	*ret_producer = producer;
	return 0;
}

void kafka_producer_free(struct kafka_producer *producer)
{
	struct error err;

	if (!producer)
		return;
	if (kafka_flush(producer, CLOSE_FLUSH_MS, &err) < 0)
		log_warn("kafka_records_given_up", "err=%s", LOG_TEXT(err.msg));
	stop_polling(producer);
	instance_purge(producer->current);
	instance_unref(producer->current);
	release_producer(producer);
}

/* Until there is progress, or for a moment: progress between the caller's failed try and this wait wakes nobody. False when
 * it is too late for another try. */
static bool wait_progress(struct kafka_producer *producer, int64_t deadline_us)
{
	if (clock_monotonic_us() >= deadline_us)
		return false;
	(void)pthread_mutex_lock(&producer->mu);
	(void)atomic_fetch_add(&producer->waiters, 1);
	(void)condition_wait_until(&producer->progress, &producer->mu,
				   clock_monotonic_us() + PROGRESS_WAIT_MS * 1000); /* the next try shows which */
	(void)atomic_fetch_sub(&producer->waiters, 1);
	(void)pthread_mutex_unlock(&producer->mu);
	return true;
}

static rd_kafka_headers_t *make_headers(const struct kafka_record *record)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(record->header_count);

	for (size_t i = 0; i < record->header_count; i++)
		(void)rd_kafka_header_add(headers, record->headers[i].name, -1, record->headers[i].value.data,
					  (ssize_t)record->headers[i].value.len); /* fails only for read-only headers */
	return headers;
}

/* One try; librdkafka takes the headers on success only. */
static rd_kafka_resp_err_t enqueue(rd_kafka_t *rk, const struct kafka_record *record, rd_kafka_headers_t *headers,
				   void *token)
{
	rd_kafka_vu_t parts[] = {
		{.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = record->topic},
		{.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
		{.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)record->key.data, record->key.len}},
		{.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)record->value.data, record->value.len}},
		{.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
		{.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = token},
	};
	rd_kafka_error_t *error = rd_kafka_produceva(rk, parts, ARRAY_LEN(parts));
	rd_kafka_resp_err_t code = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;

	if (error)
		rd_kafka_error_destroy(error);
	return code;
}

int kafka_produce(struct kafka_producer *producer, const struct kafka_record *record, void *token, struct error *err)
{
	int64_t deadline_us = clock_monotonic_us() + QUEUE_FULL_WAIT_MS * 1000;
	rd_kafka_headers_t *headers = make_headers(record);
	rd_kafka_resp_err_t code;

	assert(record->topic && record->header_count <= KAFKA_HEADERS_MAX);
	do {
		struct instance *instance = instance_ref(producer);

		(void)atomic_fetch_add(&producer->in_flight, 1); /* before the report can come */
		code = enqueue(instance->rk, record, headers, token);
		if (code)
			note_progress(producer);
		if (code && rd_kafka_fatal_error(instance->rk, NULL, 0))
			code = RD_KAFKA_RESP_ERR__FATAL;
		instance_unref(instance);
	} while ((code == RD_KAFKA_RESP_ERR__QUEUE_FULL || code == RD_KAFKA_RESP_ERR__FATAL) &&
		 wait_progress(producer, deadline_us));
	if (!code)
		return 0;
	rd_kafka_headers_destroy(headers);
	return kafka_error_set(err, code, record->topic, NULL);
}

int kafka_flush(struct kafka_producer *producer, int64_t timeout_ms, struct error *err)
{
	int64_t deadline_us = clock_monotonic_us() + timeout_ms * 1000;
	size_t left;
	bool is_over = false;

	(void)pthread_mutex_lock(&producer->mu);
	(void)atomic_fetch_add(&producer->waiters, 1);
	while ((left = atomic_load(&producer->in_flight)) > 0 && !is_over)
		is_over = !condition_wait_until(&producer->progress, &producer->mu, deadline_us);
	(void)atomic_fetch_sub(&producer->waiters, 1);
	(void)pthread_mutex_unlock(&producer->mu);
	if (left == 0)
		return 0;
	return error_set(err, ERR_TIMEOUT, "cannot flush: %zu records unconfirmed after %lld ms (kafka)", left,
			 (long long)timeout_ms);
}

void kafka_producer_prepare(struct kafka_producer *producer, const char *const *topics, size_t count)
{
	struct instance *instance = instance_ref(producer);

	for (size_t i = 0; i < count; i++) {
		/* A topic that is new to librdkafka is asked for at once, and kept after our handle is gone. It refuses
		 * names that no topic can have; kafka_produce() says so. An instance made after a fatal error learns its
		 * topics from the records. */
		rd_kafka_topic_t *topic = rd_kafka_topic_new(instance->rk, topics[i], NULL);

		if (topic)
			rd_kafka_topic_destroy(topic);
	}
	instance_unref(instance);
}

int kafka_producer_ping(struct kafka_producer *producer, int64_t timeout_ms, int *ret_brokers, struct error *err)
{
	struct instance *instance = instance_ref(producer);
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t code = rd_kafka_metadata(instance->rk, 0, NULL, &metadata, (int)timeout_ms);

	if (!code) {
		*ret_brokers = metadata->broker_cnt;
		rd_kafka_metadata_destroy(metadata);
		atomic_store(&producer->controller, rd_kafka_controllerid(instance->rk, 0));
	}
	instance_unref(instance);
	return code ? kafka_error_set(err, code, "no broker answers", NULL) : 0;
}

int kafka_producer_controller(const struct kafka_producer *producer)
{
	return atomic_load(&producer->controller);
}
