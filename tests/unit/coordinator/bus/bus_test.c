/* bus_test.c - what the bus reads, holds back, stores and hands over; Kafka, engine and catalog are fakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <assert.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordinator/bus/bus.h"
#include "fake_kafka.h"
#include "lib/base/clock.h"
#include "lib/base/condition.h"
#include "lib/base/log.h"
#include "lib/metrics/metrics.h"

enum { DEADLINE_S = 30, BATCHES_MAX = 64 };

/* ---- catalog and engine, in place of the real ones ---- */

static atomic_int topic_count = 1;
static atomic_int event_topic_count;
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;                 /* made by main() */
static struct bus_batch *batches[BATCHES_MAX]; /* guarded by mu, as the next four */
static char values[BATCHES_MAX][32];           /* of the first record of each */
static size_t batch_count;
static size_t in_hand; /* records without `done` */
static size_t in_hand_most;

uint64_t catalog_generation(struct catalog *catalog)
{
	(void)catalog;
	return (uint64_t)atomic_load(&topic_count);
}

size_t catalog_reply_topics(struct catalog *catalog, struct arena *arena, const char ***ret_topics)
{
	static const char *topics[] = {"replies", "more-replies"};

	(void)catalog;
	(void)arena;
	*ret_topics = topics;
	return (size_t)atomic_load(&topic_count);
}

size_t catalog_event_topics(struct catalog *catalog, struct arena *arena, const char ***ret_topics)
{
	static const char *topics[] = {"replies"};

	(void)catalog;
	(void)arena;
	*ret_topics = topics;
	return (size_t)atomic_load(&event_topic_count);
}

size_t catalog_command_topics(struct catalog *catalog, struct arena *arena, const char ***ret_topics)
{
	static const char *topics[] = {"commands"};

	(void)catalog;
	(void)arena;
	*ret_topics = topics;
	return 1;
}

void engine_deliver(struct engine *engine, struct bus_batch *batch)
{
	(void)engine;
	(void)pthread_mutex_lock(&mu);
	assert(batch_count < BATCHES_MAX);
	values[batch_count][0] = 0;
	if (batch->count > 0)
		(void)snprintf(values[batch_count], sizeof(values[0]), "%.*s", (int)batch->records[0].value.len,
			       (const char *)batch->records[0].value.data);
	batches[batch_count++] = batch;
	in_hand += batch->count;
	if (in_hand > in_hand_most)
		in_hand_most = in_hand;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&mu);
}

static void await_batches(size_t count)
{
	int64_t deadline_us = clock_monotonic_us() + DEADLINE_S * INT64_C(1000000);
	bool is_there;

	(void)pthread_mutex_lock(&mu);
	while (batch_count < count && condition_wait_until(&changed, &mu, deadline_us))
		;
	is_there = batch_count >= count;
	(void)pthread_mutex_unlock(&mu);
	assert_true(is_there);
}

/* The value of a batch's first record, once the batch is there. */
static const char *value_of(size_t index)
{
	await_batches(index + 1);
	return values[index]; /* not written again */
}

static void finish(size_t index, bool is_committed)
{
	struct bus_batch *batch;

	(void)pthread_mutex_lock(&mu);
	batch = batches[index];
	in_hand -= batch->count;
	(void)pthread_mutex_unlock(&mu);
	batch->done(batch, is_committed);
}

static void await(bool (*is_so)(void *ctx), void *ctx)
{
	int64_t deadline_us = clock_monotonic_us() + DEADLINE_S * INT64_C(1000000);

	while (!is_so(ctx) && clock_monotonic_us() < deadline_us)
		(void)sched_yield();
	assert_true(is_so(ctx));
}

static bool is_committed_up_to(void *offset)
{
	return fake_kafka_committed() == *(const size_t *)offset;
}

/* ---- a bus ---- */

static struct metrics *metrics;

static int set_up(void **state)
{
	(void)state;
	fake_kafka_reset();
	atomic_store(&topic_count, 1);
	batch_count = in_hand = in_hand_most = 0;
	return 0;
}

static struct bus *run_bus(size_t batch_max, size_t in_flight_max)
{
	const struct bus_options options = {.kafka = {.brokers = "nowhere:1"},
					    .instance = "one",
					    .metrics = metrics = metrics_new(),
					    .batch_max = batch_max,
					    .in_flight_max = in_flight_max};
	struct bus *bus = NULL;
	struct error err;

	assert_int_equal(bus_new(&options, &bus, &err), 0);
	assert_int_equal(bus_run(bus, NULL, &err), 0);
	return bus;
}

static void end_bus(struct bus *bus)
{
	bus_free(bus);
	metrics_free(metrics);
}

static uint64_t counted(const char *name)
{
	struct buffer text = {0};
	char line[80];
	const char *found;
	unsigned long long value = 0;

	metrics_print(metrics, &text);
	(void)snprintf(line, sizeof(line), "\n%s ", name);
	found = strstr(buffer_text(&text), line);
	assert_non_null(found);
	assert_int_equal(sscanf(found + strlen(line), "%llu", &value), 1);
	buffer_release(&text);
	return value;
}

/* ---- commands ---- */

static void commands_reach_their_topic_with_key_value_and_headers(void **state)
{
	struct bus *bus = run_bus(0, 0);
	struct bus_port port = bus_engine_port(bus);
	const struct bus_header headers[] = {{"saga-id", bytes_of_text("s-1")}, {"ce_id", bytes_of_text("e-1")}};
	const struct bus_record record = {.topic = "commands",
					  .key = bytes_of_text("k"),
					  .value = bytes_of_text("v"),
					  .headers = headers,
					  .header_count = 2};
	const struct kafka_record *produced;

	(void)state;
	port.send(port.ctx, &record, 1);
	produced = fake_kafka_produced();
	assert_non_null(produced);
	assert_string_equal(produced->topic, "commands");
	assert_true(bytes_equal_text(produced->key, "k") && bytes_equal_text(produced->value, "v"));
	assert_true(produced->has_value);
	assert_int_equal(produced->header_count, 2);
	assert_string_equal(produced->headers[0].name, "saga-id");
	assert_true(bytes_equal_text(produced->headers[0].value, "s-1"));
	assert_string_equal(produced->headers[1].name, "ce_id");
	assert_true(bytes_equal_text(produced->headers[1].value, "e-1"));
	assert_int_equal(counted("saga_commands_sent_total"), 1);
	end_bus(bus);
}

static void a_command_for_a_topic_that_is_missing_holds_up_no_other(void **state)
{
	struct bus *bus = run_bus(0, 0);
	struct bus_port port = bus_engine_port(bus);
	const struct bus_record records[] = {{.topic = "no-such-topic"}, {.topic = "commands"}};

	(void)state;
	fake_kafka_fail_produce("no-such-topic", ERR_NOT_FOUND);
	port.send(port.ctx, records, 2);
	assert_string_equal(fake_kafka_produced()->topic, "commands");
	assert_int_equal(counted("saga_commands_sent_total"), 1);
	assert_int_equal(counted("saga_commands_not_sent_total"), 1);
	end_bus(bus);
}

static void a_full_queue_is_waited_for_once_and_the_rest_is_counted(void **state)
{
	struct bus *bus = run_bus(0, 0);
	struct bus_port port = bus_engine_port(bus);
	const struct bus_record records[] = {{.topic = "commands"}, {.topic = "commands"}, {.topic = "other"}};

	(void)state;
	fake_kafka_fail_produce("commands", ERR_UNAVAILABLE);
	port.send(port.ctx, records, 3);
	assert_int_equal(fake_kafka_produce_calls(), 1);
	assert_int_equal(counted("saga_commands_not_sent_total"), 3);
	end_bus(bus);
}

static bool has_prepared(void *topic)
{
	return fake_kafka_is_prepared(topic);
}

static void topics_of_commands_are_learnt_before_the_first_one(void **state)
{
	struct bus *bus = run_bus(0, 0);

	(void)state;
	await(has_prepared, "commands");
	end_bus(bus);
}

/* ---- replies ---- */

static void append_letters(size_t count)
{
	static const char *const letters[] = {"a", "b", "c", "d"};

	for (size_t i = 0; i < count; i++)
		fake_kafka_append("replies", letters[i]);
}

static void offsets_follow_what_is_committed_in_order(void **state)
{
	struct bus *bus = run_bus(1, 0);

	(void)state;
	append_letters(4);
	assert_string_equal(value_of(3), "d");
	assert_string_equal(batches[0]->records[0].topic, "replies");
	assert_int_equal(batches[0]->records[0].header_count, 1); /* the other one is nothing to the engine */
	assert_string_equal(batches[0]->records[0].headers[0].name, "saga-step");
	assert_true(bytes_equal_text(batches[0]->records[0].headers[0].value, "charge"));
	assert_int_equal(batches[3]->records[0].offset, 3);
	finish(3, true); /* the others are not: nothing may be stored */
	finish(0, true);
	await(is_committed_up_to, &(size_t){1});
	finish(2, true);
	end_bus(bus);
	assert_int_equal(fake_kafka_committed(), 1);

	bus = run_bus(1, 0);
	assert_string_equal(value_of(4), "b");
	assert_string_equal(value_of(5), "c");
	assert_string_equal(value_of(6), "d");
	finish(6, true);
	finish(5, true);
	finish(4, true);
	end_bus(bus); /* stores what is settled */
	assert_int_equal(fake_kafka_committed(), 4);
}

static void what_the_engine_gave_up_holds_back_all_that_follows(void **state)
{
	struct bus *bus = run_bus(1, 0);

	(void)state;
	append_letters(3);
	await_batches(3);
	finish(0, true);
	finish(1, false);
	finish(2, true);
	end_bus(bus);
	assert_int_equal(fake_kafka_committed(), 1);
}

static void reading_pauses_while_the_engine_has_its_hands_full(void **state)
{
	struct bus *bus = run_bus(1, 3);
	char texts[20][8];

	(void)state;
	for (int i = 0; i < 20; i++) {
		(void)snprintf(texts[i], sizeof(texts[i]), "%d", i);
		fake_kafka_append("replies", texts[i]);
	}
	for (size_t i = 0; i < 20; i++) {
		await_batches(i < 17 ? i + 3 : 20); /* as many as it may hold */
		finish(i, true);
	}
	for (size_t i = 0; i < 20; i++)
		assert_string_equal(values[i], texts[i]);
	assert_int_equal(in_hand_most, 3);
	await(is_committed_up_to, &(size_t){20});
	end_bus(bus);
}

static void records_are_read_in_batches(void **state)
{
	struct bus *bus;

	(void)state;
	append_letters(3);
	bus = run_bus(2, 0);
	await_batches(2);
	assert_int_equal(batches[0]->count, 2);
	assert_int_equal(batches[1]->count, 1);
	assert_string_equal(values[1], "c");
	finish(0, true);
	await(is_committed_up_to, &(size_t){2});
	assert_int_equal(counted("saga_replies_received_total"), 3);
	end_bus(bus); /* with a batch in hand */
	assert_int_equal(fake_kafka_committed(), 2);
}

static void a_stopped_intake_still_settles_what_was_read(void **state)
{
	struct bus *bus = run_bus(1, 0);

	(void)state;
	fake_kafka_append("replies", "a");
	await_batches(1);
	bus_stop_intake(bus);
	finish(0, true);
	await(is_committed_up_to, &(size_t){1});
	end_bus(bus);
}

static void new_definitions_are_listened_to(void **state)
{
	struct bus *bus;
	struct bus_port port;
	size_t last = 0;

	(void)state;
	atomic_store(&topic_count, 0);
	bus = run_bus(1, 0);
	port = bus_engine_port(bus);
	assert_false(port.is_assigned(port.ctx, "replies")); /* no topic: no consumer */
	fake_kafka_append("replies", "a");
	atomic_store(&topic_count, 1);
	assert_string_equal(value_of(0), "a");
	assert_true(port.is_assigned(port.ctx, "replies"));
	assert_false(port.is_assigned(port.ctx, "more-replies"));
	atomic_store(&topic_count, 2);
	fake_kafka_append("more-replies", "b");
	while (strcmp(value_of(last), "b") != 0) /* the group is joined anew: "a" may come once more */
		last++;
	assert_true(port.is_assigned(port.ctx, "more-replies"));
	for (size_t i = 0; i <= last; i++)
		finish(i, true);
	end_bus(bus);
	assert_int_equal(fake_kafka_committed(), 2);
}

static void a_failed_poll_is_tried_again(void **state)
{
	struct bus *bus;

	(void)state;
	fake_kafka_append("replies", "a");
	fake_kafka_fail_poll(ERR_UNAVAILABLE);
	bus = run_bus(0, 0);
	assert_string_equal(value_of(0), "a");
	end_bus(bus);
}

static void a_member_that_was_fenced_ends_its_process(void **state)
{
	int status = 0;
	pid_t child;

	(void)state;
	fake_kafka_fail_poll(ERR_CONFLICT);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)alarm(DEADLINE_S);
		(void)run_bus(0, 0);
		for (;;)
			(void)pause();
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_FAILURE);
}

/* ---- health ---- */

static bool has_asked(void *bus)
{
	struct bus_port port = bus_engine_port(bus);
	char text[160];

	(void)port.health(port.ctx, text, sizeof(text)); /* the text says enough here */
	return strcmp(text, "not asked yet") != 0;
}

static void health_says_whether_brokers_answer(void **state)
{
	struct bus *bus = run_bus(0, 0);
	struct bus_port port = bus_engine_port(bus);
	char text[160];

	(void)state;
	await(has_asked, bus);
	assert_true(port.health(port.ctx, text, sizeof(text)));
	assert_string_equal(text, "");
	assert_int_equal(bus_brokers(bus), 3);
	end_bus(bus);

	fake_kafka_set_down(true);
	bus = run_bus(0, 0);
	port = bus_engine_port(bus);
	await(has_asked, bus);
	assert_false(port.health(port.ctx, text, sizeof(text)));
	assert_string_equal(text, "no broker answers");
	assert_int_equal(bus_brokers(bus), 0);
	end_bus(bus);
}

/* ---- events of others ---- */

static void a_fact_is_for_the_engine_where_a_definition_waits_for_events(void **state)
{
	struct bus *bus = run_bus(0, 0);
	size_t first = 1;

	(void)state;
	fake_kafka_append_fact("replies", "a");
	await_batches(1);
	assert_int_equal(batches[0]->count, 0);
	assert_int_equal(counted("saga_facts_ignored_total"), 1);
	finish(0, true);
	await(is_committed_up_to, &first); /* else the new subscription begins with it */
	atomic_store(&event_topic_count, 1);
	atomic_store(&topic_count, 2); /* another generation of the catalog */
	fake_kafka_append_fact("replies", "b");
	await_batches(2);
	assert_int_equal(batches[1]->count, 1);
	assert_string_equal(values[1], "b");
	assert_int_equal(counted("saga_facts_ignored_total"), 1);
	finish(1, true);
	atomic_store(&event_topic_count, 0);
	atomic_store(&topic_count, 1);
	end_bus(bus);
}

/* ---- dead letters ---- */

static bool is_in_trouble(void *bus)
{
	struct bus_port port = bus_engine_port(bus);
	char text[160];

	return !port.health(port.ctx, text, sizeof(text)) && strstr(text, "dead letters cannot be written");
}

static void offsets_wait_until_dead_letters_are_safe(void **state)
{
	struct bus *bus = run_bus(1, 0);
	size_t none = 0;
	size_t both = 2;

	(void)state;
	fake_kafka_fail_produce("replies.dlq", ERR_NOT_FOUND);
	fake_kafka_append("replies", "bad");
	fake_kafka_append("replies", "good");
	await_batches(2);
	batches[0]->reject(batches[0], &batches[0]->records[0], BUS_REJECT_HEADERS, "no saga-id");
	batches[0]->reject(batches[0], &batches[0]->records[0], BUS_REJECT_HEADERS, "no saga-id"); /* applied again */
	finish(0, true);
	finish(1, true);
	await(is_in_trouble, bus);
	assert_true(is_committed_up_to(&none));
	fake_kafka_fail_produce(NULL, 0);
	await(is_committed_up_to, &both);
	assert_string_equal(fake_kafka_produced()->topic, "replies.dlq");
	assert_true(bytes_equal_text(*kafka_record_header(fake_kafka_produced(), "dlq-reason"), "bad_headers"));
	assert_true(bytes_equal_text(*kafka_record_header(fake_kafka_produced(), "saga-step"), "charge"));
	assert_true(bytes_equal_text(*kafka_record_header(fake_kafka_produced(), "note"), "handle with care"));
	assert_int_equal(counted("saga_replies_dead_total"), 1);
	end_bus(bus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(commands_reach_their_topic_with_key_value_and_headers, set_up),
		cmocka_unit_test_setup(a_command_for_a_topic_that_is_missing_holds_up_no_other, set_up),
		cmocka_unit_test_setup(a_full_queue_is_waited_for_once_and_the_rest_is_counted, set_up),
		cmocka_unit_test_setup(topics_of_commands_are_learnt_before_the_first_one, set_up),
		cmocka_unit_test_setup(offsets_follow_what_is_committed_in_order, set_up),
		cmocka_unit_test_setup(what_the_engine_gave_up_holds_back_all_that_follows, set_up),
		cmocka_unit_test_setup(reading_pauses_while_the_engine_has_its_hands_full, set_up),
		cmocka_unit_test_setup(records_are_read_in_batches, set_up),
		cmocka_unit_test_setup(a_stopped_intake_still_settles_what_was_read, set_up),
		cmocka_unit_test_setup(a_fact_is_for_the_engine_where_a_definition_waits_for_events, set_up),
		cmocka_unit_test_setup(offsets_wait_until_dead_letters_are_safe, set_up),
		cmocka_unit_test_setup(new_definitions_are_listened_to, set_up),
		cmocka_unit_test_setup(a_failed_poll_is_tried_again, set_up),
		cmocka_unit_test_setup(a_member_that_was_fenced_ends_its_process, set_up),
		cmocka_unit_test_setup(health_says_whether_brokers_answer, set_up),
	};

	log_init("bus_test", LOG_LEVEL_ERROR);
	condition_init(&changed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
