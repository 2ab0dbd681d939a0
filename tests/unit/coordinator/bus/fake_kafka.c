/* fake_kafka.c - see fake_kafka.h. */
#include "fake_kafka.h"

#include <assert.h>
#include <pthread.h>

#include "lib/base/clock.h"
#include "lib/base/condition.h"

enum { LOG_MAX = 64, TOPICS_MAX = 4 };

struct kafka_producer {
	kafka_delivered_fn *delivered;
	void *ctx;
};

struct kafka_consumer {
	size_t position;
	const char *topics[TOPICS_MAX];
	size_t topic_count;
	size_t batches; /* not freed yet */
};

struct kafka_batch {
	struct kafka_consumer *consumer;
	struct kafka_record *records;
	size_t count;
	struct arena looked_at; /* the headers of the last look */
};

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t appended; /* made by fake_kafka_reset(), while nobody reads */
static struct {                 /* guarded by mu */
	struct kafka_record log[LOG_MAX];
	size_t log_count;
	size_t committed;
	bool is_down;
	enum err_code poll_failure;
	const char *failing_topic;
	enum err_code produce_failure;
	size_t produce_calls;
	const struct kafka_record *produced;
	struct arena arena; /* of what was produced */
	const char *prepared[TOPICS_MAX];
	size_t prepared_count;
} fake;

static void lock(void)
{
	(void)pthread_mutex_lock(&mu);
}

static void unlock(void)
{
	(void)pthread_mutex_unlock(&mu);
}

/* ---- the test's side ---- */

void fake_kafka_reset(void)
{
	lock();
	arena_release(&fake.arena);
	memset(&fake, 0, sizeof(fake));
	arena_init(&fake.arena, 0);
	condition_init(&appended);
	unlock();
}

static void append(const char *topic, const char *value, const char *header)
{
	struct kafka_record record = {.topic = topic, .value = bytes_of_text(value), .has_value = true};

	record.headers[record.header_count++] = (struct kafka_header){"note", bytes_of_text("handle with care")};
	record.headers[record.header_count++] = (struct kafka_header){header, bytes_of_text("charge")};
	lock();
	assert(fake.log_count < LOG_MAX);
	record.offset = (int64_t)fake.log_count;
	fake.log[fake.log_count++] = record;
	(void)pthread_cond_broadcast(&appended);
	unlock();
}

void fake_kafka_append(const char *topic, const char *value)
{
	append(topic, value, "saga-step");
}

void fake_kafka_append_fact(const char *topic, const char *value)
{
	append(topic, value, "ce_id");
}

size_t fake_kafka_committed(void)
{
	size_t committed;

	lock();
	committed = fake.committed;
	unlock();
	return committed;
}

void fake_kafka_set_down(bool is_down)
{
	lock();
	fake.is_down = is_down;
	unlock();
}

void fake_kafka_fail_poll(enum err_code code)
{
	lock();
	fake.poll_failure = code;
	unlock();
}

void fake_kafka_fail_produce(const char *topic, enum err_code code)
{
	lock();
	fake.failing_topic = topic;
	fake.produce_failure = code;
	unlock();
}

size_t fake_kafka_produce_calls(void)
{
	size_t calls;

	lock();
	calls = fake.produce_calls;
	unlock();
	return calls;
}

const struct kafka_record *fake_kafka_produced(void)
{
	const struct kafka_record *produced;

	lock();
	produced = fake.produced;
	unlock();
	return produced;
}

bool fake_kafka_is_prepared(const char *topic)
{
	bool is_found = false;

	lock();
	for (size_t i = 0; i < fake.prepared_count; i++)
		is_found |= strcmp(fake.prepared[i], topic) == 0;
	unlock();
	return is_found;
}

/* ---- producer ---- */

int kafka_producer_new(const struct kafka_options *options, kafka_delivered_fn *delivered, void *ctx,
		       struct kafka_producer **ret_producer, struct error *err)
{
	struct kafka_producer *producer = xcalloc(1, sizeof(*producer));

	(void)options;
	(void)err;
	*producer = (struct kafka_producer){.delivered = delivered, .ctx = ctx};
	*ret_producer = producer;
	return 0;
}

void kafka_producer_free(struct kafka_producer *producer)
{
	free(producer);
}

/* As librdkafka does it: whoever produces may let go of everything at once. */
static const struct kafka_record *copy_record(const struct kafka_record *record, struct arena *arena)
{
	struct kafka_record *copy = arena_copy(arena, record, sizeof(*record));

	copy->topic = arena_strdup(arena, record->topic);
	copy->key = arena_bytes(arena, record->key);
	copy->value = arena_bytes(arena, record->value);
	for (size_t i = 0; i < record->header_count; i++) {
		copy->headers[i].name = arena_strdup(arena, record->headers[i].name);
		copy->headers[i].value = arena_bytes(arena, record->headers[i].value);
	}
	return copy;
}

int kafka_produce(struct kafka_producer *producer, const struct kafka_record *record, void *token, struct error *err)
{
	enum err_code code = 0;

	lock();
	fake.produce_calls++;
	if (fake.failing_topic && strcmp(fake.failing_topic, record->topic) == 0)
		code = fake.produce_failure;
	else
		fake.produced = copy_record(record, &fake.arena);
	unlock();
	if (code)
		return error_set(err, code, "%s: not today", record->topic);
	producer->delivered(producer->ctx, token, NULL);
	return 0;
}

void kafka_producer_prepare(struct kafka_producer *producer, const char *const *topics, size_t count)
{
	(void)producer;
	assert(count <= TOPICS_MAX);
	lock();
	memcpy(fake.prepared, topics, count * sizeof(*topics));
	fake.prepared_count = count;
	unlock();
}

int kafka_producer_ping(struct kafka_producer *producer, int64_t timeout_ms, int *ret_brokers, struct error *err)
{
	bool is_down;

	(void)producer;
	(void)timeout_ms;
	lock();
	is_down = fake.is_down;
	unlock();
	if (is_down)
		return error_set(err, ERR_UNAVAILABLE, "no broker answers");
	*ret_brokers = 3;
	return 0;
}

int kafka_producer_controller(const struct kafka_producer *producer)
{
	(void)producer;
	return 1;
}

/* ---- consumer ---- */

int kafka_consumer_subscribe(struct kafka_consumer *consumer, const char *const *topics, size_t count,
			     struct error *err)
{
	(void)err;
	assert(count <= TOPICS_MAX);
	lock();
	memcpy(consumer->topics, topics, count * sizeof(*topics));
	consumer->topic_count = count;
	consumer->position = fake.committed;
	unlock();
	return 0;
}

int kafka_consumer_new(const struct kafka_options *options, const struct kafka_consumer_options *wanted,
		       struct kafka_consumer **ret_consumer, struct error *err)
{
	struct kafka_consumer *consumer = xcalloc(1, sizeof(*consumer));

	(void)options;
	assert(wanted->group && wanted->member);
	*ret_consumer = consumer;
	return kafka_consumer_subscribe(consumer, wanted->topics, wanted->topic_count, err);
}

void kafka_consumer_free(struct kafka_consumer *consumer)
{
	if (!consumer)
		return;
	assert(consumer->batches == 0);
	free(consumer);
}

static bool has_topic(const struct kafka_consumer *consumer, const char *topic)
{
	for (size_t i = 0; i < consumer->topic_count; i++)
		if (strcmp(consumer->topics[i], topic) == 0)
			return true;
	return false;
}

bool kafka_consumer_is_assigned(const struct kafka_consumer *consumer, const char *topic)
{
	bool is_found;

	lock();
	is_found = has_topic(consumer, topic);
	unlock();
	return is_found;
}

int64_t kafka_consumer_lag(const struct kafka_consumer *consumer)
{
	(void)consumer; /* whoever reads here is never behind */
	return 0;
}

/* Under the lock: until there is something to read, at most so long. */
static void await_record(const struct kafka_consumer *consumer, int64_t wait_ms)
{
	int64_t deadline_us = clock_monotonic_us() + wait_ms * 1000;

	while (consumer->position == fake.log_count && condition_wait_until(&appended, &mu, deadline_us))
		;
}

int kafka_consumer_poll(struct kafka_consumer *consumer, size_t max, int64_t wait_ms, struct kafka_batch **ret_batch,
			struct error *err)
{
	struct kafka_batch *batch;
	enum err_code failure;

	lock();
	failure = fake.poll_failure;
	fake.poll_failure = 0;
	if (failure) {
		unlock();
		return error_set(err, failure, "cannot poll");
	}
	await_record(consumer, wait_ms);
	batch = xcalloc(1, sizeof(*batch));
	batch->consumer = consumer;
	batch->records = xcalloc(LOG_MAX, sizeof(*batch->records));
	for (; consumer->position < fake.log_count && batch->count < max; consumer->position++)
		if (has_topic(consumer, fake.log[consumer->position].topic))
			batch->records[batch->count++] = fake.log[consumer->position];
	consumer->batches++;
	unlock();
	*ret_batch = batch;
	return 0;
}

size_t kafka_batch_count(const struct kafka_batch *batch)
{
	return batch->count;
}

/* The headers of the look before are of no use any more. */
void kafka_batch_look(struct kafka_batch *batch, size_t index, struct kafka_record *ret_record)
{
	assert(index < batch->count);
	arena_clear(&batch->looked_at);
	*ret_record = batch->records[index];
	for (size_t i = 0; i < ret_record->header_count; i++) {
		struct kafka_header *header = &ret_record->headers[i];

		header->name = arena_strdup(&batch->looked_at, header->name);
		header->value = arena_bytes(&batch->looked_at, header->value);
	}
}

void kafka_batch_store_offsets(struct kafka_consumer *consumer, struct kafka_batch *batch)
{
	assert(batch->consumer == consumer && batch->count > 0);
	lock();
	assert((size_t)batch->records[0].offset <= fake.committed); /* else records would be passed over */
	fake.committed = (size_t)batch->records[batch->count - 1].offset + 1;
	unlock();
}

void kafka_batch_free(struct kafka_batch *batch)
{
	if (!batch)
		return;
	batch->consumer->batches--;
	arena_release(&batch->looked_at);
	free(batch->records);
	free(batch);
}
