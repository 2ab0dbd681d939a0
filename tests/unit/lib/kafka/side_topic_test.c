/* side_topic_test.c - what a record says in a retry topic and among the dead letters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/kafka/side_topic.h"

static void assert_header(const struct kafka_record *record, const char *name, const char *value)
{
	const struct bytes *found = kafka_record_header(record, name);

	if (!value) {
		assert_null(found);
		return;
	}
	if (!found || !bytes_equal_text(*found, value))
		fail_msg("header %s is '%.*s', not '%s'", name, found ? (int)found->len : 0,
			 found ? (const char *)found->data : "", value);
}

static struct kafka_record some_record(void)
{
	return (struct kafka_record){
		.topic = "a.command",
		.partition = 3,
		.offset = 17,
		.key = bytes_of_text("order-1"),
		.value = bytes_of_text("value"),
		.has_value = true,
		.headers = {{"saga-id", bytes_of_text("s")},
			    {"retry-tries", bytes_of_text("4")},
			    {"dlq-reason", bytes_of_text("failed")}},
		.header_count = 3,
	};
}

static void a_dead_letter_keeps_the_record_and_says_why_where_and_how_often(void **state)
{
	const struct side_note note = {"payment-service", DEAD_REASON_EXHAUSTED, "no luck", 10};
	const struct kafka_record record = some_record();
	struct kafka_record dead;
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	dead = side_topic_record(SIDE_TOPIC_DEAD, &record, &note, &arena);
	assert_string_equal(dead.topic, "a.command.dlq");
	assert_true(bytes_equal_text(dead.key, "order-1"));
	assert_true(bytes_equal_text(dead.value, "value"));
	assert_header(&dead, "saga-id", "s");
	assert_header(&dead, "dlq-reason", "exhausted");
	assert_header(&dead, "dlq-detail", "no luck");
	assert_header(&dead, "dlq-topic", "a.command");
	assert_header(&dead, "dlq-partition", "3");
	assert_header(&dead, "dlq-offset", "17");
	assert_header(&dead, "dlq-tries", "10");
	assert_header(&dead, "dlq-service", "payment-service");
	assert_header(&dead, "retry-tries", NULL);
	assert_header(&dead, "dlq-value-bytes", NULL);
	arena_release(&arena);
}

static void a_retry_counts_the_tries_and_its_original_is_the_record_again(void **state)
{
	const struct side_note note = {"payment-service", DEAD_REASON_EXHAUSTED, "later", 5};
	const struct kafka_record record = some_record();
	struct kafka_record retried;
	struct kafka_record back;
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	retried = side_topic_record(SIDE_TOPIC_RETRY_30S, &record, &note, &arena);
	assert_string_equal(retried.topic, "a.command.retry.30s");
	assert_int_equal(side_topic_tries(&retried), 5);
	assert_header(&retried, "dlq-reason", NULL);
	back = side_topic_original(&retried, "a.command", true);
	assert_int_equal(side_topic_tries(&back), 5);
	back = side_topic_original(&retried, "a.command", false);
	assert_int_equal(side_topic_tries(&back), 0);
	assert_int_equal(back.header_count, 1);
	assert_true(bytes_equal_text(back.value, "value"));
	arena_release(&arena);
}

static void what_is_too_large_leaves_its_value_where_it_was(void **state)
{
	const struct side_note note = {"payment-service", DEAD_REASON_UNDECODABLE, "large", 1};
	struct kafka_record record = some_record();
	struct kafka_record dead;
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	assert_false(side_topic_is_too_large(&record));
	record.value = (struct bytes){arena_zalloc(&arena, 1000000), 1000000};
	assert_true(side_topic_is_too_large(&record));
	dead = side_topic_record(SIDE_TOPIC_DEAD, &record, &note, &arena);
	assert_false(dead.has_value);
	assert_int_equal(dead.value.len, 0);
	assert_true(bytes_equal_text(dead.key, "order-1"));
	assert_header(&dead, "dlq-value-bytes", "1000000");
	assert_header(&dead, "dlq-offset", "17");
	arena_release(&arena);
}

static void a_full_set_of_headers_has_room_for_what_is_added(void **state)
{
	const struct side_note note = {"payment-service", DEAD_REASON_BAD_HEADERS, "many", 1};
	struct kafka_record record = some_record();
	struct kafka_record later;
	struct kafka_record again;
	struct kafka_record dead;
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	while (record.header_count < KAFKA_HEADERS_READ_MAX)
		record.headers[record.header_count++] = (struct kafka_header){"note", bytes_of_text("x")};
	later = side_topic_record(SIDE_TOPIC_RETRY_1S, &record, &note, &arena);
	again = side_topic_original(&later, "payment.charge.command", true);
	assert_int_equal(side_topic_tries(&again), 1);
	record.value = (struct bytes){arena_zalloc(&arena, 1000000), 1000000};
	dead = side_topic_record(SIDE_TOPIC_DEAD, &record, &note, &arena);
	assert_header(&dead, "dlq-value-bytes", "1000000");
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dead_letter_keeps_the_record_and_says_why_where_and_how_often),
		cmocka_unit_test(a_retry_counts_the_tries_and_its_original_is_the_record_again),
		cmocka_unit_test(what_is_too_large_leaves_its_value_where_it_was),
		cmocka_unit_test(a_full_set_of_headers_has_room_for_what_is_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
