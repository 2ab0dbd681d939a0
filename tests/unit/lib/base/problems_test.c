/* problems_test.c - lists of problems, and texts of them that are longer than their room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/bytes.h"
#include "lib/base/memory.h"
#include "lib/base/problems.h"

static void repeat(struct buffer *text, const char *character, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buffer_append_text(text, character);
}

static void an_error_holds_three_and_counts_the_others(void **state)
{
	struct problems problems;
	struct error err;

	(void)state;
	problems_init(&problems);
	for (int i = 1; i <= 5; i++)
		problems_add(&problems, i == 1 ? "" : "place", "text %d", i);
	assert_int_equal(problems_to_error(&problems, ERR_INVALID, &err), -1);
	assert_string_equal(err.msg, "text 1; place: text 2; place: text 3; and 2 more");
	problems_release(&problems);
}

static void an_error_shows_the_beginning_of_one_that_is_too_long(void **state)
{
	_cleanup_(buffer_release)
	struct buffer name = {0};
	struct problems problems;
	struct error err;

	(void)state;
	repeat(&name, "é", 5000);
	problems_init(&problems);
	problems_add(&problems, "1:7", "unknown type '%s'", buffer_text(&name));
	(void)problems_to_error(&problems, ERR_INVALID, &err); /* -1 by nature */
	assert_memory_equal(err.msg, "1:7: unknown type 'éé", strlen("1:7: unknown type 'éé"));
	assert_true(utf8_is_valid(err.msg, strlen(err.msg)));
	problems_add(&problems, "", "other");
	(void)problems_to_error(&problems, ERR_INVALID, &err); /* -1 by nature */
	assert_non_null(strstr(err.msg, "; and 1 more"));
	problems_release(&problems);
}

/* Shifted so that the cuts fall on each byte of a character. */
static void a_long_text_keeps_its_beginning_and_its_end(void **state)
{
	(void)state;
	for (int shift = 0; shift < 4; shift++) {
		struct buffer name = {0};
		struct problems problems;
		const char *text;

		problems_init(&problems);
		repeat(&name, "\xF0\x9F\x98\x80", 2500);
		problems_add(&problems, "x", "%.*s%s is not defined%.*s", shift, "abc", buffer_text(&name), shift,
			     "xyz");
		text = problems.items[0].text;
		assert_true(strlen(text) < 1100);
		assert_true(utf8_is_valid(text, strlen(text)));
		assert_memory_equal(text, "abc", (size_t)shift);
		assert_non_null(strstr(text, "…"));
		assert_non_null(strstr(text, " is not defined"));
		problems_release(&problems);
		buffer_release(&name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_holds_three_and_counts_the_others),
		cmocka_unit_test(an_error_shows_the_beginning_of_one_that_is_too_long),
		cmocka_unit_test(a_long_text_keeps_its_beginning_and_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
