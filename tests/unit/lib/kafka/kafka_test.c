/* kafka_test.c - lib/kafka against librdkafka's own mock cluster, which runs inside this process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/kafka/kafka.h"

enum {
	DEADLINE_MS = 20000,
	PRODUCE_API = 0,
	OFFSET_COMMIT_API = 8,
	OFFSET_FETCH_API = 9,
	HEARTBEAT_API = 12,
	INIT_PRODUCER_ID_API = 22,
};

struct fixture {
	rd_kafka_t *rk;
	rd_kafka_mock_cluster_t *cluster;
	struct kafka_options options;
	atomic_int confirmed;
	atomic_int failed;
	atomic_int last_code;
};

/* The mock waits for the session of a member that has left, so sessions are short here. */
static const struct text_pair properties[] = {
	{"session.timeout.ms", "4000"},
	{"heartbeat.interval.ms", "300"},
	{"topic.metadata.refresh.interval.ms", "300"},
	{"fetch.wait.max.ms", "100"}, /* the mock cluster answers only then where a fetch began without records */
};

static int set_up(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));
	char why[200];

	fixture->rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof(why));
	assert_non_null(fixture->rk);
	fixture->cluster = rd_kafka_mock_cluster_new(fixture->rk, 1);
	assert_int_equal(rd_kafka_mock_topic_create(fixture->cluster, "orders", 3, 1), 0);
	fixture->options.brokers = rd_kafka_mock_cluster_bootstraps(fixture->cluster);
	fixture->options.properties = properties;
	fixture->options.property_count = ARRAY_LEN(properties);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	rd_kafka_mock_cluster_destroy(fixture->cluster);
	rd_kafka_destroy(fixture->rk);
	free(fixture);
	return 0;
}

static void count_delivery(void *ctx, void *token, const struct error *err)
{
	struct fixture *fixture = ctx;

	assert_non_null(token);
	if (err)
		atomic_store(&fixture->last_code, (int)err->code);
	atomic_fetch_add(err ? &fixture->failed : &fixture->confirmed, 1);
}

static struct kafka_record make_record(const char *key, const char *value)
{
	struct kafka_record record = {.topic = "orders", .has_value = true};

	record.key = bytes_of_text(key);
	record.value = bytes_of_text(value);
	record.headers[0] = (struct kafka_header){"saga-step", bytes_of_text("charge")};
	record.headers[1] = (struct kafka_header){"empty", {0}};
	record.header_count = 2;
	return record;
}

static void produce_numbers(struct fixture *fixture, struct kafka_producer *producer, int first, int count)
{
	struct error err;
	char key[24];

	for (int i = first; i < first + count; i++) {
		(void)snprintf(key, sizeof(key), "order-%d", i);
		struct kafka_record record = make_record(key, "paid");

		assert_int_equal(kafka_produce(producer, &record, fixture, &err), 0);
	}
	assert_int_equal(kafka_flush(producer, DEADLINE_MS, &err), 0);
}

static void produce(struct fixture *fixture, int first, int count)
{
	struct kafka_producer *producer = NULL;
	struct error err;

	assert_int_equal(kafka_producer_new(&fixture->options, count_delivery, fixture, &producer, &err), 0);
	produce_numbers(fixture, producer, first, count);
	kafka_producer_free(producer);
}

static struct kafka_consumer *open_member(struct fixture *fixture, const char *member)
{
	const char *topics[] = {"orders"};
	struct kafka_consumer_options options = {
		.group = "payment", .member = member, .topics = topics, .topic_count = 1};
	struct kafka_consumer *consumer = NULL;
	struct error err;

	assert_int_equal(kafka_consumer_new(&fixture->options, &options, &consumer, &err), 0);
	return consumer;
}

static struct kafka_consumer *open_consumer(struct fixture *fixture)
{
	return open_member(fixture, NULL);
}

/* Polls until `wanted` records came or the deadline passed; marks their keys in `seen`. Returns how many came. */
static int read_numbers(struct kafka_consumer *consumer, int wanted, bool is_stored, int *seen)
{
	int64_t deadline = clock_monotonic_us() + (int64_t)DEADLINE_MS * 1000;
	int count = 0;

	while (count < wanted && clock_monotonic_us() < deadline) {
		_cleanup_(kafka_batch_freep)
		struct kafka_batch *batch = NULL;
		struct error err;

		assert_int_equal(kafka_consumer_poll(consumer, (size_t)(wanted - count), 100, &batch, &err), 0);
		for (size_t i = 0; i < kafka_batch_count(batch); i++) {
			const struct kafka_record *record = kafka_batch_record(batch, i);
			int number = -1;

			assert_int_equal(sscanf((const char *)record->key.data, "order-%d", &number), 1);
			seen[number]++;
			count++;
		}
		if (is_stored)
			kafka_batch_store_offsets(consumer, batch);
	}
	return count;
}

static void takes_the_last_header_of_a_name(void **state)
{
	struct kafka_record record = {.header_count = 2};

	(void)state;
	record.headers[0] = (struct kafka_header){"a", bytes_of_text("first")};
	record.headers[1] = (struct kafka_header){"a", bytes_of_text("last")};
	assert_true(bytes_equal_text(*kafka_record_header(&record, "a"), "last"));
	assert_null(kafka_record_header(&record, "b"));
}

static void names_a_property_that_does_not_exist(void **state)
{
	struct fixture *fixture = *state;
	struct text_pair property = {"linger.year", "1"};
	struct kafka_options options = {fixture->options.brokers, NULL, &property, 1};
	struct kafka_producer *producer = NULL;
	struct error err;

	assert_int_equal(kafka_producer_new(&options, count_delivery, fixture, &producer, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_non_null(strstr(err.msg, "linger.year"));
}

static void names_every_property_that_is_wrong_before_a_client_is_made(void **state)
{
	static const struct text_pair pairs[] = {
		{"linger.year", "1"}, {"security.protocol", "SASL_SSL"}, {"acks", "many"}};
	struct kafka_options options = {"x", NULL, pairs, ARRAY_LEN(pairs)};
	struct problems problems;

	(void)state;
	problems_init(&problems);
	kafka_options_check(&options, "kafka.", &problems);
	assert_int_equal(problems.count, 2);
	assert_string_equal(problems.items[0].place, "kafka.linger.year");
	assert_string_equal(problems.items[1].place, "kafka.acks");
	problems_release(&problems);
}

/* The first batch that has a record. */
static struct kafka_batch *read_batch(struct kafka_consumer *consumer)
{
	int64_t deadline = clock_monotonic_us() + (int64_t)DEADLINE_MS * 1000;

	while (clock_monotonic_us() < deadline) {
		struct kafka_batch *batch = NULL;
		struct error err;

		assert_int_equal(kafka_consumer_poll(consumer, 10, 100, &batch, &err), 0);
		if (kafka_batch_count(batch) > 0)
			return batch;
		kafka_batch_free(batch);
	}
	fail_msg("no record came");
	return NULL;
}

static void assert_is_order_7(const struct kafka_record *record)
{
	assert_string_equal(record->topic, "orders");
	assert_true(bytes_equal_text(record->key, "order-7"));
	assert_true(bytes_equal_text(record->value, "paid"));
	assert_true(record->has_value);
	assert_int_equal(record->header_count, 2);
	assert_true(bytes_equal_text(*kafka_record_header(record, "saga-step"), "charge"));
	assert_int_equal(kafka_record_header(record, "empty")->len, 0);
}

static void looks_at_a_record_as_often_as_wanted(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(kafka_consumer_freep)
	struct kafka_consumer *consumer = NULL;
	_cleanup_(kafka_batch_freep)
	struct kafka_batch *batch = NULL;

	produce(fixture, 7, 1);
	consumer = open_consumer(fixture);
	batch = read_batch(consumer);
	for (int i = 0; i < 3; i++) {
		struct kafka_record record;

		kafka_batch_look(batch, 0, &record);
		assert_is_order_7(&record);
	}
	assert_is_order_7(kafka_batch_record(batch, 0));
}

static void reads_what_was_produced_with_key_value_and_headers(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(kafka_consumer_freep)
	struct kafka_consumer *consumer = NULL;
	struct kafka_batch *batch;

	produce(fixture, 7, 1);
	consumer = open_consumer(fixture);
	batch = read_batch(consumer);
	assert_is_order_7(kafka_batch_record(batch, 0));
	assert_true(kafka_consumer_is_assigned(consumer, "orders"));
	assert_false(kafka_consumer_is_assigned(consumer, "refunds"));
	assert_int_equal(kafka_consumer_assigned_count(consumer), 3);
	kafka_batch_free(batch);
}

static void confirms_every_record_that_had_a_token(void **state)
{
	struct fixture *fixture = *state;

	produce(fixture, 0, 500);
	assert_int_equal(atomic_load(&fixture->confirmed), 500);
	assert_int_equal(atomic_load(&fixture->failed), 0);
}

static void reports_a_record_that_the_broker_refuses(void **state)
{
	struct fixture *fixture = *state;

	rd_kafka_mock_push_request_errors(fixture->cluster, PRODUCE_API, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
	produce(fixture, 0, 1);
	assert_int_equal(atomic_load(&fixture->failed), 1);
	assert_int_equal(atomic_load(&fixture->last_code), ERR_LIMIT);
}

static void produces_again_after_a_fatal_error(void **state)
{
	struct fixture *fixture = *state;
	int64_t deadline = clock_monotonic_us() + (int64_t)DEADLINE_MS * 1000;
	struct kafka_producer *producer = NULL;
	struct error err;

	rd_kafka_mock_push_request_errors(fixture->cluster, INIT_PRODUCER_ID_API, 1,
					  RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
	assert_int_equal(kafka_producer_new(&fixture->options, count_delivery, fixture, &producer, &err), 0);
	while (atomic_load(&fixture->confirmed) == 0 && clock_monotonic_us() < deadline) {
		struct kafka_record record = make_record("order-1", "paid");

		assert_int_equal(kafka_produce(producer, &record, fixture, &err), 0);
		assert_int_equal(kafka_flush(producer, DEADLINE_MS, &err), 0);
	}
	kafka_producer_free(producer);
	assert_true(atomic_load(&fixture->confirmed) > 0);
}

static void reads_a_rewound_batch_again_and_nothing_else_twice(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(kafka_consumer_freep)
	struct kafka_consumer *consumer = NULL;
	int64_t deadline = clock_monotonic_us() + (int64_t)DEADLINE_MS * 1000;
	int seen[100] = {0};
	int rewound[100] = {0};
	int count = 0;

	produce(fixture, 0, 100);
	consumer = open_consumer(fixture);
	assert_int_equal(read_numbers(consumer, 40, true, seen), 40);
	while (count == 0 && clock_monotonic_us() < deadline) {
		_cleanup_(kafka_batch_freep)
		struct kafka_batch *batch = NULL;
		struct error err;

		assert_int_equal(kafka_consumer_poll(consumer, 30, 100, &batch, &err), 0);
		count = (int)kafka_batch_count(batch);
		kafka_batch_rewind(consumer, batch);
	}
	assert_true(count > 0);
	assert_int_equal(read_numbers(consumer, 60, true, rewound), 60);
	for (int i = 0; i < 100; i++)
		assert_int_equal(seen[i] + rewound[i], 1);
}

static void goes_on_after_the_stored_offsets(void **state)
{
	struct fixture *fixture = *state;
	struct kafka_consumer *consumer;
	int seen[60] = {0};
	int left[60] = {0};

	produce(fixture, 0, 60);
	consumer = open_consumer(fixture);
	assert_int_equal(read_numbers(consumer, 25, true, seen), 25);
	assert_int_equal(read_numbers(consumer, 10, false, left), 10); /* read, not done: comes again */
	kafka_consumer_free(consumer);
	memset(left, 0, sizeof(left));
	consumer = open_consumer(fixture);
	assert_int_equal(read_numbers(consumer, 35, true, left), 35);
	kafka_consumer_free(consumer);
	for (int i = 0; i < 60; i++)
		assert_int_equal(seen[i] + left[i], 1);
}

/* Polls an empty topic until that fails or the deadline passed. */
static int poll_until_failure(struct kafka_consumer *consumer, struct error *err)
{
	int64_t deadline = clock_monotonic_us() + (int64_t)DEADLINE_MS * 1000;

	while (clock_monotonic_us() < deadline) {
		struct kafka_batch *batch = NULL;

		if (kafka_consumer_poll(consumer, 10, 100, &batch, err) < 0)
			return -1;
		kafka_batch_free(batch);
	}
	return 0;
}

static void a_member_that_was_fenced_says_so_and_joins_anew_when_it_polls_again(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(kafka_consumer_freep)
	struct kafka_consumer *consumer = open_member(fixture, "payment-1");
	int seen[20] = {0};
	struct error err;

	produce(fixture, 0, 10);
	assert_int_equal(read_numbers(consumer, 10, true, seen), 10);
	rd_kafka_mock_push_request_errors(fixture->cluster, HEARTBEAT_API, 1, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID);
	assert_int_equal(poll_until_failure(consumer, &err), -1);
	assert_int_equal(err.code, ERR_CONFLICT);
	memset(seen, 0, sizeof(seen));
	produce(fixture, 10, 10);
	assert_int_equal(read_numbers(consumer, 10, true, seen), 10);
}

/* A broker that stands still, as one does that is paused: the connection stays, the session does not. */
static void a_member_whose_session_ran_out_is_not_fenced_by_itself(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(kafka_consumer_freep)
	struct kafka_consumer *consumer = open_member(fixture, "payment-1");
	int seen[20] = {0};

	produce(fixture, 0, 10);
	assert_int_equal(read_numbers(consumer, 10, true, seen), 10);
	rd_kafka_mock_push_request_errors(fixture->cluster, HEARTBEAT_API, 1, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
	rd_kafka_mock_push_request_errors(fixture->cluster, OFFSET_COMMIT_API, 1, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID);
	produce(fixture, 10, 10);
	assert_true(read_numbers(consumer, 10, true, seen) >= 10);
}

static void reads_although_the_first_question_for_its_offsets_failed(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(kafka_consumer_freep)
	struct kafka_consumer *consumer = NULL;
	int seen[10] = {0};

	produce(fixture, 0, 10);
	rd_kafka_mock_push_request_errors(fixture->cluster, OFFSET_FETCH_API, 1, RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
	consumer = open_member(fixture, "payment-1");
	assert_int_equal(read_numbers(consumer, 10, true, seen), 10);
}

static void finds_a_topic_that_is_created_later(void **state)
{
	struct fixture *fixture = *state;
	const char *topics[] = {"orders", "late"};
	struct kafka_consumer_options options = {.group = "payment", .topics = topics, .topic_count = 2};
	_cleanup_(kafka_consumer_freep)
	struct kafka_consumer *consumer = NULL;
	int64_t deadline = clock_monotonic_us() + (int64_t)DEADLINE_MS * 1000;
	struct error err;

	assert_int_equal(kafka_consumer_new(&fixture->options, &options, &consumer, &err), 0);
	rd_kafka_mock_topic_set_error(fixture->cluster, "late", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	for (int round = 0; clock_monotonic_us() < deadline && !kafka_consumer_is_assigned(consumer, "late"); round++) {
		struct kafka_batch *batch = NULL;

		assert_int_equal(kafka_consumer_poll(consumer, 10, 100, &batch, &err), 0);
		kafka_batch_free(batch);
		if (kafka_consumer_is_assigned(consumer, "orders"))
			rd_kafka_mock_topic_set_error(fixture->cluster, "late", RD_KAFKA_RESP_ERR_NO_ERROR);
	}
	assert_true(kafka_consumer_is_assigned(consumer, "late"));
}

static void counts_the_brokers_that_answer(void **state)
{
	struct fixture *fixture = *state;
	struct kafka_producer *producer = NULL;
	struct error err;
	int brokers = 0;

	assert_int_equal(kafka_producer_new(&fixture->options, count_delivery, fixture, &producer, &err), 0);
	assert_int_equal(kafka_producer_ping(producer, DEADLINE_MS, &brokers, &err), 0);
	assert_int_equal(brokers, 1);
	rd_kafka_mock_broker_set_down(fixture->cluster, 1);
	assert_int_equal(kafka_producer_ping(producer, 300, &brokers, &err), -1);
	assert_true(err.is_retriable);
	kafka_producer_free(producer);
}

static void prepares_without_waiting_while_no_broker_answers(void **state)
{
	struct fixture *fixture = *state;
	const char *topics[] = {"orders", "no topic: has blanks", ""};
	struct kafka_producer *producer = NULL;
	struct error err;
	int64_t begin_us;

	rd_kafka_mock_broker_set_down(fixture->cluster, 1);
	assert_int_equal(kafka_producer_new(&fixture->options, count_delivery, fixture, &producer, &err), 0);
	begin_us = clock_monotonic_us();
	kafka_producer_prepare(producer, topics, ARRAY_LEN(topics));
	assert_true(clock_monotonic_us() - begin_us < 500000);
	rd_kafka_mock_broker_set_up(fixture->cluster, 1);
	produce_numbers(fixture, producer, 0, 3);
	assert_int_equal(atomic_load(&fixture->confirmed), 3);
	kafka_producer_free(producer);
}

static const char *plugins_path_with(const char *name, const char *value)
{
	const struct text_pair property = {name, value};

	assert_int_equal(unsetenv("SASL_PATH"), 0);
	kafka_options_spare_plugins(
		&(struct kafka_options){.brokers = "b:1", .properties = &property, .property_count = 1});
	return getenv("SASL_PATH");
}

static void plugins_of_sasl_are_spared_only_where_nothing_authenticates_by_it(void **state)
{
	(void)state;
	assert_string_equal(plugins_path_with("security.protocol", "ssl"), "/dev/null");
	assert_null(plugins_path_with("security.protocol", "SASL_SSL"));
	assert_null(plugins_path_with("sasl.mechanism", "GSSAPI"));
	assert_int_equal(setenv("SASL_PATH", "/usr/lib/sasl2", 1), 0);
	kafka_options_spare_plugins(&(struct kafka_options){.brokers = "b:1"});
	assert_string_equal(getenv("SASL_PATH"), "/usr/lib/sasl2");
	assert_int_equal(unsetenv("SASL_PATH"), 0);
}

#define KAFKA_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_last_header_of_a_name),
		cmocka_unit_test(names_every_property_that_is_wrong_before_a_client_is_made),
		cmocka_unit_test(plugins_of_sasl_are_spared_only_where_nothing_authenticates_by_it),
		KAFKA_TEST(names_a_property_that_does_not_exist),
		KAFKA_TEST(reads_what_was_produced_with_key_value_and_headers),
		KAFKA_TEST(looks_at_a_record_as_often_as_wanted),
		KAFKA_TEST(confirms_every_record_that_had_a_token),
		KAFKA_TEST(reports_a_record_that_the_broker_refuses),
		KAFKA_TEST(produces_again_after_a_fatal_error),
		KAFKA_TEST(reads_a_rewound_batch_again_and_nothing_else_twice),
		KAFKA_TEST(goes_on_after_the_stored_offsets),
		KAFKA_TEST(a_member_that_was_fenced_says_so_and_joins_anew_when_it_polls_again),
		KAFKA_TEST(a_member_whose_session_ran_out_is_not_fenced_by_itself),
		KAFKA_TEST(reads_although_the_first_question_for_its_offsets_failed),
		KAFKA_TEST(finds_a_topic_that_is_created_later),
		KAFKA_TEST(counts_the_brokers_that_answer),
		KAFKA_TEST(prepares_without_waiting_while_no_broker_answers),
	};

	log_init("kafka_test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
