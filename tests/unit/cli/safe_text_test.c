/* safe_text_test.c - what reaches a terminal of texts from elsewhere, and how wide it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <locale.h>

#include "cli/safe_text.h"
#include "lib/base/memory.h"

#define assert_safe(literal, expected) assert_made_safe(literal, sizeof(literal) - 1, expected)

static void assert_made_safe(const char *text, size_t len, const char *expected)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};

	safe_text_append(&out, text, len);
	assert_string_equal(buffer_text(&out), expected);
}

static void nothing_that_commands_a_terminal_survives(void **state)
{
	(void)state;
	assert_safe("no \033[31mfunds\a\n", "no  [31mfunds  ");
	assert_safe("a\0b\x7f", "a b ");
	assert_safe("\302\23331m", " 31m");                    /* CSI as one character */
	assert_safe("\342\200\256evil\342\201\246", " evil "); /* text that runs backwards */
	assert_safe("\342\200\250", " ");                      /* a line separator */
}

static void what_is_no_utf8_is_marked_and_the_rest_stays(void **state)
{
	(void)state;
	assert_safe("\377\376", "��");
	assert_safe("größer 😀", "größer 😀");
	assert_safe("\303", "�");           /* cut in the middle */
	assert_safe("\355\240\200", "���"); /* a surrogate */
}

static void widths_are_columns_not_bytes(void **state)
{
	(void)state;
	assert_int_equal(safe_text_width(""), 0);
	assert_int_equal(safe_text_width("größer"), 6);
	assert_int_equal(safe_text_width("e\314\201"), 1); /* e and a combining accent */
	assert_int_equal(safe_text_width("注文"), 4);      /* two wide characters */
}

static void assert_cut(const char *text, size_t width, const char *expected)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};

	safe_text_append_cut(&out, text, width);
	assert_string_equal(buffer_text(&out), expected);
}

static void a_cut_text_ends_in_an_ellipsis_and_fits(void **state)
{
	(void)state;
	assert_cut("declined", 8, "declined");
	assert_cut("declined", 7, "declin…");
	assert_cut("declined", 1, "…");
	assert_cut("declined", 0, "");
	assert_cut("注文注", 4, "注…"); /* half a wide character is none */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_that_commands_a_terminal_survives),
		cmocka_unit_test(what_is_no_utf8_is_marked_and_the_rest_stays),
		cmocka_unit_test(widths_are_columns_not_bytes),
		cmocka_unit_test(a_cut_text_ends_in_an_ellipsis_and_fits),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1; /* every glibc has it since 2.35 */
	return cmocka_run_group_tests_name("safe_text", tests, NULL, NULL);
}
