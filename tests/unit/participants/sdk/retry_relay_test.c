/* retry_relay_test.c - what waits in a retry topic goes back in time, in order, whatever the clock of who wrote it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "lib/base/clock.h"
#include "lib/base/condition.h"
#include "lib/kafka/flight.h"
#include "participants/sdk/retry_relay.h"

enum { RECORDS_MAX = 10, HOUR_MS = 3600 * 1000, ENOUGH_MS = 5000, DRAIN_MS = 15000 };

/* ---- a fake Kafka: one batch, then nothing ---- */
struct kafka_batch {
	size_t count;
	struct kafka_record records[RECORDS_MAX];
};

static struct {
	pthread_mutex_t mu;
	pthread_cond_t changed;   /* made by main() */
	struct kafka_batch *next; /* guarded by mu, as all that follow */
	struct kafka_batch nothing;
	char sent[RECORDS_MAX + 1]; /* the first byte of each value */
	size_t sent_count;
	bool is_stored;
	bool is_mute; /* what is sent is not confirmed */
	struct flight *unconfirmed;
} fake = {.mu = PTHREAD_MUTEX_INITIALIZER};

int kafka_consumer_new(const struct kafka_options *options, const struct kafka_consumer_options *wanted,
		       struct kafka_consumer **ret_consumer, struct error *err)
{
	(void)options;
	(void)err;
	assert_string_equal(wanted->topics[0], "command.retry.1s");
	*ret_consumer = NULL;
	return 0;
}

void kafka_consumer_free(struct kafka_consumer *consumer)
{
	(void)consumer;
}

int kafka_consumer_poll(struct kafka_consumer *consumer, size_t max, int64_t wait_ms, struct kafka_batch **ret_batch,
			struct error *err)
{
	(void)consumer;
	(void)max;
	(void)wait_ms;
	(void)err;
	(void)pthread_mutex_lock(&fake.mu);
	*ret_batch = fake.next ? fake.next : &fake.nothing;
	fake.next = NULL;
	(void)pthread_mutex_unlock(&fake.mu);
	return 0;
}

size_t kafka_batch_count(const struct kafka_batch *batch)
{
	return batch->count;
}

const struct kafka_record *kafka_batch_record(const struct kafka_batch *batch, size_t index)
{
	return &batch->records[index];
}

void kafka_batch_free(struct kafka_batch *batch)
{
	(void)batch;
}

void kafka_batch_store_offsets(struct kafka_consumer *consumer, struct kafka_batch *batch)
{
	(void)consumer;
	(void)batch;
	(void)pthread_mutex_lock(&fake.mu);
	fake.is_stored = true;
	(void)pthread_cond_broadcast(&fake.changed);
	(void)pthread_mutex_unlock(&fake.mu);
}

void kafka_batch_rewind(struct kafka_consumer *consumer, struct kafka_batch *batch)
{
	(void)consumer;
	(void)batch;
}

int kafka_produce(struct kafka_producer *producer, const struct kafka_record *record, void *token, struct error *err)
{
	bool is_mute;

	(void)producer;
	(void)err;
	if (record->has_value)
		assert_string_equal(record->topic, "command");
	else
		assert_string_equal(record->topic, "command.dlq");
	(void)pthread_mutex_lock(&fake.mu);
	fake.sent[fake.sent_count++] = record->has_value ? (char)record->value.data[0] : '-';
	is_mute = fake.is_mute;
	if (is_mute)
		fake.unconfirmed = token;
	(void)pthread_cond_broadcast(&fake.changed);
	(void)pthread_mutex_unlock(&fake.mu);
	if (!is_mute)
		flight_confirm(token, NULL);
	return 0;
}

/* ---- tests ---- */
static void add_record(struct kafka_batch *batch, const char *value, int64_t timestamp_ms)
{
	batch->records[batch->count++] = (struct kafka_record){.topic = "command.retry.1s",
							       .timestamp_ms = timestamp_ms,
							       .value = bytes_of_text(value),
							       .has_value = true};
}

static struct retry_relay *start_relay(struct kafka_batch *batch)
{
	static const struct command_handler handler = {.command_topic = "command"};
	static const struct kafka_options kafka = {0};
	const struct retry_relay_options options = {.side = SIDE_TOPIC_RETRY_1S,
						    .service = "service",
						    .kafka = &kafka,
						    .handlers = &handler,
						    .handler_count = 1};
	struct retry_relay *relay = NULL;
	struct error err;

	fake.next = batch;
	fake.sent_count = 0;
	fake.is_stored = false;
	fake.unconfirmed = NULL;
	assert_int_equal(retry_relay_start(&options, &relay, &err), 0);
	return relay;
}

static bool is_stored(void)
{
	return fake.is_stored;
}

static bool is_under_way(void)
{
	return fake.unconfirmed;
}

static void wait_for(bool (*is_so)(void))
{
	int64_t deadline_us = clock_monotonic_us() + 4 * ENOUGH_MS * 1000;

	(void)pthread_mutex_lock(&fake.mu);
	while (!is_so() && condition_wait_until(&fake.changed, &fake.mu, deadline_us))
		;
	assert_true(is_so());
	(void)pthread_mutex_unlock(&fake.mu);
}

/* Runs a relay until the batch's offsets are stored; how long that took. */
static int64_t relay_ms(struct kafka_batch *batch)
{
	int64_t begun_us = clock_monotonic_us();
	struct retry_relay *relay = start_relay(batch);

	wait_for(is_stored);
	begun_us = clock_monotonic_us() - begun_us;
	retry_relay_free(relay);
	assert_true(fake.is_stored);
	fake.sent[fake.sent_count] = 0;
	return begun_us / 1000;
}

static void what_is_due_goes_back_at_once_the_oldest_first(void **state)
{
	struct kafka_batch batch = {0};
	int64_t now_ms = clock_real_us() / 1000;

	(void)state;
	add_record(&batch, "c", now_ms - 2000);
	add_record(&batch, "a", now_ms - 4000);
	add_record(&batch, "b", now_ms - 3000);
	(void)relay_ms(&batch);
	assert_string_equal(fake.sent, "abc");
}

static void what_is_too_large_for_the_command_topic_is_a_dead_letter(void **state)
{
	struct kafka_batch batch = {0};
	int64_t now_ms = clock_real_us() / 1000;
	char *large = test_malloc(1000001);

	(void)state;
	memset(large, 'x', 1000000);
	large[1000000] = 0;
	add_record(&batch, "a", now_ms - 4000);
	add_record(&batch, large, now_ms - 3000);
	add_record(&batch, "b", now_ms - 2000);
	(void)relay_ms(&batch);
	assert_string_equal(fake.sent, "a-b");
	test_free(large);
}

static void what_is_not_due_waits(void **state)
{
	struct kafka_batch batch = {0};

	(void)state;
	add_record(&batch, "a", clock_real_us() / 1000);
	assert_true(relay_ms(&batch) >= 900);
}

static void a_clock_that_is_ahead_holds_up_a_batch_no_longer_than_its_topic_says(void **state)
{
	struct kafka_batch batch = {0};

	(void)state;
	for (int i = 0; i < RECORDS_MAX; i++)
		add_record(&batch, "x", clock_real_us() / 1000 + HOUR_MS);
	assert_true(relay_ms(&batch) < ENOUGH_MS);
	assert_int_equal(fake.sent_count, RECORDS_MAX);
}

static void it_ends_soon_though_no_broker_confirms(void **state)
{
	struct kafka_batch batch = {0};
	struct retry_relay *relay;
	int64_t begun_us;

	(void)state;
	add_record(&batch, "a", clock_real_us() / 1000 - 2000);
	fake.is_mute = true;
	relay = start_relay(&batch);
	wait_for(is_under_way);
	begun_us = clock_monotonic_us();
	retry_relay_free(relay);
	assert_true(clock_monotonic_us() - begun_us < (int64_t)DRAIN_MS * 1000);
	assert_false(fake.is_stored);
	flight_confirm(fake.unconfirmed, NULL);
	fake.is_mute = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_due_goes_back_at_once_the_oldest_first),
		cmocka_unit_test(what_is_too_large_for_the_command_topic_is_a_dead_letter),
		cmocka_unit_test(what_is_not_due_waits),
		cmocka_unit_test(a_clock_that_is_ahead_holds_up_a_batch_no_longer_than_its_topic_says),
		cmocka_unit_test(it_ends_soon_though_no_broker_confirms),
	};

	condition_init(&fake.changed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
