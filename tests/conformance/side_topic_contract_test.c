/* side_topic_contract_test.c - docs/wire-contract.md, section 8: what our code adds to a record is what it says there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/memory.h"
#include "lib/kafka/side_topic.h"

static void read_contract(struct buffer *ret_text)
{
	FILE *file = fopen(SOURCE_ROOT "/docs/wire-contract.md", "rb");
	char chunk[4096];
	size_t len;

	assert_non_null(file);
	while ((len = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buffer_append(ret_text, chunk, len);
	(void)fclose(file);
}

static void assert_written(const char *row)
{
	_cleanup_(buffer_release)
	struct buffer contract = {0};

	read_contract(&contract);
	if (!strstr(buffer_text(&contract), row))
		fail_msg("docs/wire-contract.md does not have: %s", row);
}

static void check_row(enum side_topic side, int tries)
{
	const struct kafka_record record = {
		.topic = "payment.charge.command", .partition = 2, .offset = 41, .has_value = true};
	const struct side_note note = {"payment-service", DEAD_REASON_EXHAUSTED, "cannot connect", tries};
	_cleanup_(buffer_release)
	struct buffer row = {0};
	struct kafka_record made;
	struct arena arena;

	arena_init(&arena, 0);
	made = side_topic_record(side, &record, &note, &arena);
	buffer_append_format(&row, "| `%s` |", made.topic);
	for (size_t i = 0; i < made.header_count; i++) {
		const struct kafka_header *header = &made.headers[i];
		bool is_time = strcmp(header->name, "dlq-time") == 0;

		buffer_append_format(&row, " `%s: %.*s`", header->name,
				     is_time ? (int)strlen("…") : (int)header->value.len,
				     is_time ? "…" : (const char *)header->value.data);
	}
	buffer_append_text(&row, " |\n");
	assert_written(buffer_text(&row));
	arena_release(&arena);
}

static void adds_what_the_contract_says(void **state)
{
	(void)state;
	check_row(SIDE_TOPIC_RETRY_1S, 4);
	check_row(SIDE_TOPIC_RETRY_30S, 7);
	check_row(SIDE_TOPIC_DEAD, 10);
}

static void every_reason_is_in_the_contract(void **state)
{
	(void)state;
	for (int reason = 0; reason < DEAD_REASON_COUNT; reason++) {
		char row[64];

		(void)snprintf(row, sizeof(row), "\n| `%s` | ", dead_reason_name((enum dead_reason)reason));
		assert_written(row);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_what_the_contract_says),
		cmocka_unit_test(every_reason_is_in_the_contract),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
