/* inbox_test.c - the rules of the inbox, without a database: which rows are claimed, and what they mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "participants/sdk/inbox.h"

static struct uuid saga(uint8_t number)
{
	struct uuid id = {0};

	id.data[15] = number;
	return id;
}

/* Claims one entry against a row of the same key that stands as given; `open` means that the insert won. */
static enum inbox_verdict judge(bool is_compensation, enum inbox_outcome forward, enum inbox_outcome own)
{
	struct inbox_entry entry = {.saga_id = saga(1), .step = "charge", .is_compensation = is_compensation};
	struct inbox_entry *entries[] = {&entry};
	struct inbox_row *rows;
	struct inbox_row *row;
	struct arena arena;
	size_t count = 0;

	arena_init(&arena, 0);
	rows = inbox_plan_rows(entries, 1, &arena, &count);
	row = inbox_find_row(rows, count, saga(1), "charge", false);
	row->is_inserted = forward == INBOX_OUTCOME_OPEN;
	if (!row->is_inserted)
		row->outcome = forward;
	row->reply.reason = "stored";
	if (is_compensation) {
		row = inbox_find_row(rows, count, saga(1), "charge", true);
		row->is_inserted = own == INBOX_OUTCOME_OPEN;
		if (!row->is_inserted)
			row->outcome = own;
		row->reply.reason = "stored";
	}
	inbox_judge(&entry, rows, count);
	if (entry.verdict == INBOX_DONE)
		assert_string_equal(entry.reply.reason, "stored");
	arena_release(&arena);
	return entry.verdict;
}

static void claims_rows_in_the_order_of_their_keys_with_tombstones(void **state)
{
	struct inbox_entry a = {.saga_id = saga(2), .step = "charge", .is_compensation = true};
	struct inbox_entry b = {.saga_id = saga(1), .step = "reserve"};
	struct inbox_entry c = {.saga_id = saga(1), .step = "charge"};
	struct inbox_entry *entries[] = {&a, &b, &c};
	struct arena arena;
	size_t count = 0;
	struct inbox_row *rows;

	(void)state;
	arena_init(&arena, 0);
	rows = inbox_plan_rows(entries, 3, &arena, &count);
	assert_int_equal(count, 4);
	assert_string_equal(rows[0].step, "charge");
	assert_true(uuid_equal(rows[0].saga_id, saga(1)));
	assert_string_equal(rows[1].step, "reserve");
	assert_true(uuid_equal(rows[2].saga_id, saga(2)));
	assert_false(rows[2].is_compensation);
	assert_int_equal(rows[2].outcome, INBOX_OUTCOME_TOMBSTONE);
	assert_true(rows[3].is_compensation);
	assert_int_equal(rows[3].outcome, INBOX_OUTCOME_OPEN);
	assert_null(inbox_find_row(rows, count, saga(3), "charge", false));
	arena_release(&arena);
}

static void works_on_a_forward_command_that_is_new(void **state)
{
	(void)state;
	assert_int_equal(judge(false, INBOX_OUTCOME_OPEN, INBOX_OUTCOME_OPEN), INBOX_NEW);
}

static void answers_a_duplicate_with_the_stored_reply(void **state)
{
	(void)state;
	assert_int_equal(judge(false, INBOX_OUTCOME_SUCCEEDED, INBOX_OUTCOME_OPEN), INBOX_DONE);
	assert_int_equal(judge(false, INBOX_OUTCOME_REJECTED, INBOX_OUTCOME_OPEN), INBOX_DONE);
	assert_int_equal(judge(true, INBOX_OUTCOME_SUCCEEDED, INBOX_OUTCOME_SUCCEEDED), INBOX_DONE);
	assert_int_equal(judge(true, INBOX_OUTCOME_TOMBSTONE, INBOX_OUTCOME_SUCCEEDED), INBOX_DONE);
}

static void cancels_a_forward_command_that_meets_a_tombstone(void **state)
{
	(void)state;
	assert_int_equal(judge(false, INBOX_OUTCOME_TOMBSTONE, INBOX_OUTCOME_OPEN), INBOX_CANCELLED);
}

static void undoes_only_what_succeeded(void **state)
{
	(void)state;
	assert_int_equal(judge(true, INBOX_OUTCOME_SUCCEEDED, INBOX_OUTCOME_OPEN), INBOX_NEW);
	assert_int_equal(judge(true, INBOX_OUTCOME_REJECTED, INBOX_OUTCOME_OPEN), INBOX_NO_EFFECT);
	assert_int_equal(judge(true, INBOX_OUTCOME_TOMBSTONE, INBOX_OUTCOME_OPEN), INBOX_NO_EFFECT);
	assert_int_equal(judge(true, INBOX_OUTCOME_OPEN, INBOX_OUTCOME_OPEN), INBOX_NO_EFFECT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claims_rows_in_the_order_of_their_keys_with_tombstones),
		cmocka_unit_test(works_on_a_forward_command_that_is_new),
		cmocka_unit_test(answers_a_duplicate_with_the_stored_reply),
		cmocka_unit_test(cancels_a_forward_command_that_meets_a_tombstone),
		cmocka_unit_test(undoes_only_what_succeeded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
