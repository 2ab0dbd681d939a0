/* incoming_test.c - headers of commands and replies, and relations within a batch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "participants/sdk/incoming.h"

#define SAGA "01890a5d-ac96-774b-bcce-b302099a8057"

static void set(struct kafka_record *record, const char *name, const char *value)
{
	for (size_t i = 0; i < record->header_count; i++)
		if (strcmp(record->headers[i].name, name) == 0) {
			record->headers[i].value = bytes_of_text(value);
			return;
		}
	record->headers[record->header_count++] = (struct kafka_header){name, bytes_of_text(value)};
}

static struct kafka_record command_record(void)
{
	struct kafka_record record = {.topic = "payment.charge.command", .has_value = true};

	record.key = bytes_of_text("order-1");
	set(&record, "saga-id", SAGA);
	set(&record, "saga-step", "charge-payment");
	set(&record, "saga-phase", "forward");
	set(&record, "saga-command-id", SAGA "/charge-payment/forward");
	set(&record, "saga-attempt", "2");
	set(&record, "ce_id", "the-cause");
	set(&record, "correlationid", SAGA);
	set(&record, "userid", "u-1");
	set(&record, "traceparent", "00-11-22-01");
	return record;
}

static void assert_header(const struct kafka_record *record, const char *name, const char *value)
{
	const struct bytes *found = kafka_record_header(record, name);

	if (!found || !bytes_equal_text(*found, value))
		fail_msg("header %s is '%.*s', not '%s'", name, found ? (int)found->len : 0,
			 found ? (const char *)found->data : "", value);
}

static void reads_the_headers_of_a_command(void **state)
{
	struct kafka_record record = command_record();
	struct incoming item;
	struct arena arena;
	struct error err;

	(void)state;
	arena_init(&arena, 0);
	assert_int_equal(incoming_read_headers(&record, &arena, &item, &err), 0);
	assert_string_equal(item.command.step, "charge-payment");
	assert_string_equal(item.command.key, "order-1");
	assert_false(item.command.is_compensation);
	assert_int_equal(item.command.attempt, 2);
	assert_string_equal(item.command_id, SAGA "/charge-payment/forward");
	assert_true(uuid_equal(item.entry.saga_id, item.command.saga_id));
	arena_release(&arena);
}

static void names_the_header_that_is_missing_or_wrong(void **state)
{
	static const struct {
		const char *name;
		const char *value;
	} cases[] = {
		{"saga-id", "no-uuid"}, {"saga-id", ""},       {"saga-step", ""},     {"saga-step", "\xff"},
		{"saga-phase", "back"}, {"saga-attempt", "0"}, {"saga-attempt", "x"}, {"saga-attempt", "99999999999"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kafka_record record = command_record();
		struct incoming item;
		struct arena arena;
		struct error err;

		arena_init(&arena, 0);
		set(&record, cases[i].name, cases[i].value);
		assert_int_equal(incoming_read_headers(&record, &arena, &item, &err), -1);
		assert_false(err.is_retriable);
		assert_non_null(strstr(err.msg, cases[i].name));
		arena_release(&arena);
	}
}

static void refuses_headers_that_contradict_each_other(void **state)
{
	struct kafka_record record = command_record();
	struct incoming item;
	struct arena arena;
	struct error err;

	(void)state;
	arena_init(&arena, 0);
	record.headers[record.header_count++] = (struct kafka_header){"saga-attempt", bytes_of_text("2")};
	record.headers[record.header_count++] = (struct kafka_header){"note", bytes_of_text("a")};
	record.headers[record.header_count++] = (struct kafka_header){"note", bytes_of_text("b")};
	assert_int_equal(incoming_read_headers(&record, &arena, &item, &err), 0); /* the same twice, and a stranger's */
	record.headers[record.header_count++] = (struct kafka_header){"saga-attempt", bytes_of_text("3")};
	assert_int_equal(incoming_read_headers(&record, &arena, &item, &err), -1);
	assert_non_null(strstr(err.msg, "saga-attempt"));
	arena_release(&arena);
}

static void refuses_more_headers_than_it_reads(void **state)
{
	struct kafka_record record = command_record();
	char large[KAFKA_HEADER_BYTES_MAX + 1];
	struct incoming item;
	struct arena arena;
	struct error err;

	(void)state;
	arena_init(&arena, 0);
	record.has_more_headers = true;
	assert_int_equal(incoming_read_headers(&record, &arena, &item, &err), -1);
	record.has_more_headers = false;
	memset(large, 'x', sizeof(large));
	record.headers[record.header_count++] = (struct kafka_header){"note", {(uint8_t *)large, sizeof(large)}};
	assert_int_equal(incoming_read_headers(&record, &arena, &item, &err), -1);
	arena_release(&arena);
}

static void remembers_the_tries_of_a_retry_topic(void **state)
{
	static const struct {
		const char *text;
		int tries;
	} cases[] = {{"4", 4}, {"", 0}, {"-1", 0}, {"9999999999", 0}, {"x", 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kafka_record record = command_record();
		struct incoming item;
		struct arena arena;
		struct error err;

		arena_init(&arena, 0);
		set(&record, "retry-tries", cases[i].text);
		assert_int_equal(incoming_read_headers(&record, &arena, &item, &err), 0);
		assert_int_equal(item.tries, cases[i].tries);
		arena_release(&arena);
	}
}

static void refuses_a_record_without_key(void **state)
{
	struct kafka_record record = command_record();
	struct incoming item;
	struct arena arena;
	struct error err;

	(void)state;
	arena_init(&arena, 0);
	record.key = (struct bytes){0};
	assert_int_equal(incoming_read_headers(&record, &arena, &item, &err), -1);
	record.key = (struct bytes){(const uint8_t *)"a\0b", 3};
	assert_int_equal(incoming_read_headers(&record, &arena, &item, &err), -1);
	arena_release(&arena);
}

static void answers_with_the_headers_of_the_contract(void **state)
{
	static const uint8_t value[] = {0, 0, 0, 1, 2, 0};
	struct kafka_record record = command_record();
	struct kafka_record reply;
	struct incoming item;
	struct arena arena;
	struct error err;

	(void)state;
	arena_init(&arena, 0);
	assert_int_equal(incoming_read_headers(&record, &arena, &item, &err), 0);
	item.outcome = "rejected";
	item.entry.reply = (struct inbox_reply){
		.outcome = INBOX_OUTCOME_REJECTED,
		.topic = "payment.failed",
		.type = "PaymentFailed",
		.format = SCHEMA_FORMAT_PROTOBUF,
		.value = {value, sizeof(value)},
		.reason = "declined",
	};
	reply = incoming_reply(&item, "payment-service", "http://registry", &arena);
	assert_string_equal(reply.topic, "payment.failed");
	assert_true(bytes_equal_text(reply.key, "order-1"));
	assert_header(&reply, "saga-id", SAGA);
	assert_header(&reply, "saga-step", "charge-payment");
	assert_header(&reply, "saga-phase", "forward");
	assert_header(&reply, "saga-command-id", SAGA "/charge-payment/forward");
	assert_header(&reply, "saga-attempt", "2");
	assert_header(&reply, "saga-outcome", "rejected");
	assert_header(&reply, "saga-reason", "declined");
	assert_null(kafka_record_header(&reply, "saga-detail"));
	assert_null(kafka_record_header(&reply, "saga-effect"));
	assert_header(&reply, "ce_specversion", "1.0");
	assert_header(&reply, "ce_source", "payment-service");
	assert_header(&reply, "ce_type", "PaymentFailed");
	assert_header(&reply, "ce_subject", "order-1");
	assert_header(&reply, "ce_dataschema", "http://registry/schemas/ids/258");
	assert_header(&reply, "content-type", "application/protobuf");
	assert_header(&reply, "causationid", "the-cause");
	assert_header(&reply, "correlationid", SAGA);
	assert_header(&reply, "userid", "u-1");
	assert_header(&reply, "traceparent", "00-11-22-01");
	assert_null(kafka_record_header(&reply, "tracestate"));
	assert_int_equal(kafka_record_header(&reply, "ce_id")->len, UUID_TEXT_LEN);
	assert_int_equal(kafka_record_header(&reply, "ce_time")->len, CLOCK_TEXT_LEN);
	arena_release(&arena);
}

static void says_when_a_compensation_had_no_effect(void **state)
{
	static const uint8_t value[] = {0, 0, 0, 0, 9, 2};
	struct kafka_record record = command_record();
	struct kafka_record reply;
	struct incoming item;
	struct arena arena;
	struct error err;

	(void)state;
	arena_init(&arena, 0);
	set(&record, "saga-phase", "compensation");
	assert_int_equal(incoming_read_headers(&record, &arena, &item, &err), 0);
	assert_true(item.command.is_compensation);
	item.outcome = "succeeded";
	item.entry.reply = (struct inbox_reply){
		.outcome = INBOX_OUTCOME_SUCCEEDED,
		.topic = "inventory.released",
		.type = "InventoryReleased",
		.format = SCHEMA_FORMAT_AVRO,
		.value = {value, sizeof(value)},
		.has_no_effect = true,
	};
	reply = incoming_reply(&item, "inventory-service", NULL, &arena);
	assert_header(&reply, "saga-effect", "none");
	assert_header(&reply, "content-type", "application/avro");
	arena_release(&arena);
}

static void cuts_texts_that_would_make_the_reply_illegible(void **state)
{
	struct kafka_record record = command_record();
	char longest[2001];
	struct kafka_record reply;
	struct incoming item;
	struct arena arena;
	struct error err;

	(void)state;
	arena_init(&arena, 0);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	memcpy(longest + 999, "\xc3\xa4", 2); /* a character across the limit */
	assert_int_equal(incoming_read_headers(&record, &arena, &item, &err), 0);
	item.outcome = "rejected";
	item.entry.reply =
		(struct inbox_reply){.outcome = INBOX_OUTCOME_REJECTED, .reason = longest, .detail = longest};
	reply = incoming_reply(&item, "inventory-service", NULL, &arena);
	assert_int_equal(kafka_record_header(&reply, "saga-reason")->len, 255);
	assert_int_equal(kafka_record_header(&reply, "saga-detail")->len, 999);
	arena_release(&arena);
}

static struct incoming related(uint8_t saga, const char *step, bool is_compensation)
{
	struct incoming item = {.entry = {.step = step, .is_compensation = is_compensation}};

	item.entry.saga_id.data[0] = saga;
	return item;
}

static void finds_duplicates_and_counterparts_in_a_batch(void **state)
{
	struct incoming items[] = {
		related(1, "charge", false), related(2, "charge", true),  related(1, "charge", false),
		related(1, "charge", true),  related(2, "charge", false), related(1, "reserve", true),
		related(1, "charge", true),
	};

	(void)state;
	incoming_relate(items, sizeof(items) / sizeof(items[0]));
	assert_null(items[0].same);
	assert_int_equal(items[0].round, 0);
	assert_ptr_equal(items[2].same, &items[0]);
	assert_null(items[3].same);
	assert_int_equal(items[3].round, 1); /* after the forward command that came before it */
	assert_ptr_equal(items[6].same, &items[3]);
	assert_int_equal(items[1].round, 0);
	assert_int_equal(items[4].round, 1); /* the compensation came first: a tombstone, then this */
	assert_int_equal(items[5].round, 0);
	assert_null(items[5].same);
}

static void an_inquiry_is_about_the_row_of_its_forward_command_and_goes_after_it(void **state)
{
	struct kafka_record record = command_record();
	struct incoming items[2];
	struct arena arena;
	struct error err;

	(void)state;
	arena_init(&arena, 0);
	set(&record, "saga-phase", "inquiry");
	assert_int_equal(incoming_read_headers(&record, &arena, &items[0], &err), 0);
	assert_true(items[0].is_inquiry);
	assert_false(items[0].entry.is_compensation);
	assert_string_equal(items[0].command_id, SAGA "/charge-payment/inquiry");
	set(&record, "saga-phase", "forward");
	assert_int_equal(incoming_read_headers(&record, &arena, &items[1], &err), 0);
	incoming_relate(items, 2);
	assert_int_equal(items[0].round, 1);
	assert_int_equal(items[1].round, 0);
	assert_null(items[0].same);
	assert_null(items[1].same);
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_headers_of_a_command),
		cmocka_unit_test(names_the_header_that_is_missing_or_wrong),
		cmocka_unit_test(refuses_headers_that_contradict_each_other),
		cmocka_unit_test(refuses_more_headers_than_it_reads),
		cmocka_unit_test(remembers_the_tries_of_a_retry_topic),
		cmocka_unit_test(refuses_a_record_without_key),
		cmocka_unit_test(answers_with_the_headers_of_the_contract),
		cmocka_unit_test(says_when_a_compensation_had_no_effect),
		cmocka_unit_test(cuts_texts_that_would_make_the_reply_illegible),
		cmocka_unit_test(finds_duplicates_and_counterparts_in_a_batch),
		cmocka_unit_test(an_inquiry_is_about_the_row_of_its_forward_command_and_goes_after_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
