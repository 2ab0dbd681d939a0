/* record_test.c - headers as docs/wire-contract.md has them, in both directions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/engine/record.h"
#include "lib/base/memory.h"

static const char *header(const struct bus_record *record, const char *name, struct arena *arena)
{
	for (size_t i = 0; i < record->header_count; i++)
		if (strcmp(record->headers[i].name, name) == 0)
			return arena_strndup(arena, (const char *)record->headers[i].value.data,
					     record->headers[i].value.len);
	return NULL;
}

static void a_command_carries_every_header_of_the_contract(void **unused)
{
	const struct plan_schema schema = {
		.schema_id = 7, .message_type = "ChargePayment", .content_type = "application/protobuf"};
	struct record_command command = {.schema = &schema,
					 .registry = "http://127.0.0.1:8081",
					 .topic = "payment.charge.command",
					 .step_id = "charge-payment",
					 .phase = STEP_PHASE_COMPENSATION,
					 .attempt = 3,
					 .deadline_us = 1767322984000000,
					 .key = bytes_of_text("o-1"),
					 .written_us = 1767322983000001,
					 .causation_id = bytes_of_text("cause")};
	const char *expected[][2] = {
		{"saga-id", "01890a5d-ac96-774b-bcce-b302099a8057"},
		{"saga-step", "charge-payment"},
		{"saga-phase", "compensation"},
		{"saga-command-id", "01890a5d-ac96-774b-bcce-b302099a8057/charge-payment/compensation"},
		{"saga-attempt", "3"},
		{"saga-deadline", "2026-01-02T03:03:04.000000Z"},
		{"ce_specversion", "1.0"},
		{"ce_id", "01890a5d-ac96-774b-bcce-b302099a8058"},
		{"ce_source", "saga-coordinator"},
		{"ce_type", "ChargePayment"},
		{"ce_subject", "o-1"},
		{"ce_time", "2026-01-02T03:03:03.000001Z"},
		{"ce_dataschema", "http://127.0.0.1:8081/schemas/ids/7"},
		{"content-type", "application/protobuf"},
		{"correlationid", "01890a5d-ac96-774b-bcce-b302099a8057"},
		{"causationid", "cause"},
	};
	struct bus_record record;
	struct arena arena;

	(void)unused;
	arena_init(&arena, 0);
	assert_true(uuid_parse(expected[0][1], UUID_TEXT_LEN, &command.saga_id));
	assert_true(uuid_parse(expected[7][1], UUID_TEXT_LEN, &command.record_id));
	record_write_command(&command, &arena, &record);
	assert_string_equal(record.topic, "payment.charge.command");
	assert_true(bytes_equal_text(record.key, "o-1"));
	assert_int_equal(record.header_count, ARRAY_LEN(expected));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_string_equal(header(&record, expected[i][0], &arena), expected[i][1]);
	command.causation_id = (struct bytes){0};
	command.step_begun_us = (int64_t)uuid_v7_unix_ms(command.saga_id) * 1000 + INT64_C(3600) * 1000000;
	record_write_command(&command, &arena, &record);
	assert_null(header(&record, "causationid", &arena));
	assert_null(header(&record, "saga-step-time", &arena));
	command.step_begun_us = INT64_C(1767322984000001);
	record_write_command(&command, &arena, &record);
	assert_string_equal(header(&record, "saga-step-time", &arena), "2026-01-02T03:03:04.000001Z");
	arena_release(&arena);
}

/* A command is sent after the start that it comes from was answered and freed. */
static void a_command_that_waits_borrows_nothing_of_its_saga(void **unused)
{
	const struct plan_schema schema = {.message_type = "ChargePayment", .content_type = "application/protobuf"};
	char saga[][16] = {"order-1", "00-trace-01", "vendor=1", "cause"};
	struct record_command command = {.schema = &schema,
					 .registry = "http://127.0.0.1:8081",
					 .topic = "payment.charge.command",
					 .step_id = "charge-payment",
					 .key = bytes_of_text(saga[0]),
					 .traceparent = saga[1],
					 .tracestate = saga[2],
					 .causation_id = bytes_of_text(saga[3])};
	struct bus_record record;
	struct arena arena;

	(void)unused;
	arena_init(&arena, 0);
	record_keep_command(&command, &arena);
	memset(saga, 'x', sizeof(saga));
	record_write_command(&command, &arena, &record);
	assert_true(bytes_equal_text(record.key, "order-1"));
	assert_string_equal(header(&record, "ce_subject", &arena), "order-1");
	assert_string_equal(header(&record, "traceparent", &arena), "00-trace-01");
	assert_string_equal(header(&record, "tracestate", &arena), "vendor=1");
	assert_string_equal(header(&record, "causationid", &arena), "cause");
	arena_release(&arena);
}

struct reply_case {
	struct arena arena;
	struct bus_header headers[12];
	struct bus_record record;
	struct record_reply reply;
	struct error err;
};

static void begin(struct reply_case *c)
{
	static const struct bus_header needed[] = {
		{"saga-id", {(const uint8_t *)"01890a5d-ac96-774b-bcce-b302099a8057", 36}},
		{"saga-step", {(const uint8_t *)"charge", 6}},
		{"saga-phase", {(const uint8_t *)"forward", 7}},
		{"saga-attempt", {(const uint8_t *)"12", 2}},
	};

	*c = (struct reply_case){0};
	arena_init(&c->arena, 0);
	memcpy(c->headers, needed, sizeof(needed));
	c->record.headers = c->headers;
	c->record.header_count = ARRAY_LEN(needed);
}

static void add(struct reply_case *c, const char *name, const char *value)
{
	c->headers[c->record.header_count++] = (struct bus_header){name, bytes_of_text(value)};
}

static int read_case(struct reply_case *c)
{
	return record_read_reply(&c->record, &c->arena, &c->reply, &c->err);
}

static void a_reply_is_read_and_the_last_of_repeated_headers_counts(void **unused)
{
	struct reply_case c;

	(void)unused;
	begin(&c);
	add(&c, "saga-outcome", "rejected");
	add(&c, "saga-outcome", "succeeded");
	add(&c, "saga-reason", "insufficient_stock");
	add(&c, "saga-effect", "none");
	add(&c, "ce_id", "e-1");
	assert_int_equal(read_case(&c), 0);
	assert_int_equal(c.reply.attempt, 12);
	assert_int_equal(c.reply.phase, STEP_PHASE_FORWARD);
	assert_true(bytes_equal_text(c.reply.step_id, "charge"));
	assert_true(bytes_equal_text(c.reply.outcome, "succeeded"));
	assert_string_equal(c.reply.reason, "insufficient_stock");
	assert_null(c.reply.detail);
	assert_true(c.reply.has_no_effect);
	assert_true(bytes_equal_text(c.reply.ce_id, "e-1"));
	arena_release(&c.arena);
}

static void an_answer_to_an_inquiry_is_told_from_replies_to_commands(void **unused)
{
	struct reply_case c;

	(void)unused;
	begin(&c);
	add(&c, "saga-outcome", "unknown");
	c.headers[2].value = bytes_of_text("inquiry");
	assert_int_equal(read_case(&c), 0);
	assert_int_equal(c.reply.phase, STEP_PHASE_INQUIRY);
	arena_release(&c.arena);
}

static void missing_and_illegal_headers_are_named(void **unused)
{
	static const struct {
		size_t index;
		const char *value;
		const char *name;
	} cases[] = {
		{0, "", "saga-id"},
		{0, "no-uuid", "saga-id"},
		{1, "", "saga-step"},
		{2, "sideways", "saga-phase"},
		{3, "", "saga-attempt"},
		{3, "0", "saga-attempt"},
		{3, "-1", "saga-attempt"},
		{3, "1x", "saga-attempt"},
		{3, "9999999999", "saga-attempt"},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct reply_case c;

		begin(&c);
		c.headers[cases[i].index].value = bytes_of_text(cases[i].value);
		assert_int_equal(read_case(&c), -1);
		assert_int_equal(c.err.code, ERR_CORRUPT);
		assert_non_null(strstr(c.err.msg, cases[i].name));
		arena_release(&c.arena);
	}
}

static void a_peers_texts_are_made_fit_to_be_stored(void **unused)
{
	struct reply_case c;
	char longest[3000];

	(void)unused;
	begin(&c);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	memcpy(longest + RECORD_DETAIL_BYTES_MAX - 1, "\xc3\xa4", 2); /* a character across the limit */
	add(&c, "saga-reason", "a\nb\xff");
	add(&c, "saga-detail", longest);
	assert_int_equal(read_case(&c), 0);
	assert_string_equal(c.reply.reason, "a?b?");
	assert_int_equal(strlen(c.reply.detail), RECORD_DETAIL_BYTES_MAX - 1);
	c.headers[c.record.header_count - 2].value = (struct bytes){(const uint8_t *)"a\0b", 3}; /* NUL inside */
	assert_int_equal(read_case(&c), 0);
	assert_string_equal(c.reply.reason, "a?b");
	arena_release(&c.arena);
}

static void an_event_is_known_by_its_id_or_its_place(void **unused)
{
	const struct bus_header headers[] = {{"ce_id", bytes_of_text("e-\n7")},
					     {"saga-id", bytes_of_text("01890a5d-ac96-774b-bcce-b302099a8057")}};
	struct bus_record record = {
		.topic = "paid", .partition = 2, .offset = 41, .key = bytes_of_text("o-1"), .headers = headers};
	struct record_told told;
	struct arena arena;
	struct error err;

	(void)unused;
	arena_init(&arena, 0);
	assert_true(record_is_told(&record));
	assert_int_equal(record_read_told(&record, &arena, &told, &err), 0);
	assert_string_equal(told.text, "paid/2/41");
	assert_string_equal(told.key, "o-1");
	assert_false(told.has_saga_id);
	record.header_count = 2;
	assert_int_equal(record_read_told(&record, &arena, &told, &err), 0);
	assert_string_equal(told.text, "paid/e-?7");
	assert_true(told.has_saga_id);
	record.header_count = 1;
	record.key = (struct bytes){(const uint8_t *)"o\0x", 3};
	assert_int_equal(record_read_told(&record, &arena, &told, &err), -1);
	assert_string_equal(err.msg, "the key is no saga's: it must be a text of 1 to 255 bytes");
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_known_by_its_id_or_its_place),
		cmocka_unit_test(a_command_carries_every_header_of_the_contract),
		cmocka_unit_test(a_command_that_waits_borrows_nothing_of_its_saga),
		cmocka_unit_test(a_reply_is_read_and_the_last_of_repeated_headers_counts),
		cmocka_unit_test(an_answer_to_an_inquiry_is_told_from_replies_to_commands),
		cmocka_unit_test(missing_and_illegal_headers_are_named),
		cmocka_unit_test(a_peers_texts_are_made_fit_to_be_stored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
