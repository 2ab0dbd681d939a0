/* open_letters_test.c - what counts as an open dead letter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/kafka/open_letters.h"

static void read_letter(struct open_letters *letters, int32_t partition, int64_t offset)
{
	const struct kafka_record record = {.topic = "a.dlq",
					    .partition = partition,
					    .offset = offset,
					    .headers = {{"dlq-topic", bytes_of_text("a")}},
					    .header_count = 1};

	open_letters_read(letters, &record);
}

static void read_mark(struct open_letters *letters, int64_t offset, const char *settled)
{
	const struct kafka_record record = {
		.topic = "a.dlq",
		.offset = offset,
		.headers = {{"dlq-settled", bytes_of_text(settled)}, {"dlq-action", bytes_of_text("dropped")}},
		.header_count = 2};

	open_letters_read(letters, &record);
}

static void settled_letters_and_other_records_do_not_count(void **state)
{
	struct open_letters letters = {0};
	const struct kafka_record stranger = {.topic = "a.dlq", .offset = 5};

	(void)state;
	for (int64_t offset = 0; offset < 5; offset++)
		read_letter(&letters, 0, offset);
	open_letters_read(&letters, &stranger);
	assert_int_equal(letters.count, 5);
	read_mark(&letters, 6, "0/1");
	read_mark(&letters, 7, "0/4");
	assert_int_equal(letters.count, 3);
	read_mark(&letters, 8, "0/4"); /* again */
	read_mark(&letters, 9, "0/5"); /* what is no letter */
	read_mark(&letters, 10, "nonsense");
	assert_int_equal(letters.count, 3);
	open_letters_release(&letters);
	assert_int_equal(letters.count, 0);
}

static void a_mark_that_is_read_before_its_letter_counts_as_well(void **state)
{
	struct open_letters letters = {0};

	(void)state;
	read_mark(&letters, 0, "1/2");
	for (int64_t offset = 0; offset < 4; offset++)
		read_letter(&letters, 1, offset);
	assert_int_equal(letters.count, 3);
	open_letters_release(&letters);
}

static void what_retention_deleted_is_forgotten(void **state)
{
	struct open_letters letters = {0};

	(void)state;
	for (int64_t offset = 0; offset < 10; offset++)
		read_letter(&letters, (int32_t)(offset % 2), offset);
	open_letters_trim(&letters, open_letters_find(&letters, "a.dlq", 0), 5); /* 0, 2 and 4 */
	assert_int_equal(letters.count, 7);
	open_letters_trim(&letters, open_letters_find(&letters, "a.dlq", 1), 100);
	assert_int_equal(letters.count, 2);
	read_mark(&letters, 12, "0/2"); /* of one that is gone */
	assert_int_equal(letters.count, 2);
	assert_null(open_letters_find(&letters, "b.dlq", 0));
	open_letters_release(&letters);
}

static void a_topic_that_was_made_anew_begins_at_none(void **state)
{
	struct open_letters letters = {0};

	(void)state;
	for (int64_t offset = 0; offset < 3; offset++)
		read_letter(&letters, 0, offset);
	read_letter(&letters, 0, 0);
	assert_int_equal(letters.count, 1);
	open_letters_release(&letters);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settled_letters_and_other_records_do_not_count),
		cmocka_unit_test(a_mark_that_is_read_before_its_letter_counts_as_well),
		cmocka_unit_test(what_retention_deleted_is_forgotten),
		cmocka_unit_test(a_topic_that_was_made_anew_begins_at_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
