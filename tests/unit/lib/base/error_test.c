/* error_test.c - messages that are longer than their room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/bytes.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"

static void assert_is_cut_text(const struct error *err, size_t lost_max)
{
	size_t len = strlen(err->msg);

	assert_true(utf8_is_valid(err->msg, len));
	assert_true(len + 1 + lost_max >= sizeof(err->msg));
}

/* A text of one repeated character, shifted so that the cut falls on each of its bytes. */
static void a_message_that_is_too_long_is_cut_between_characters(void **state)
{
	static const char *const characters[] = {"x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};

	(void)state;
	for (size_t c = 0; c < ARRAY_LEN(characters); c++) {
		size_t size = strlen(characters[c]);

		for (size_t shift = 0; shift < size; shift++) {
			struct buffer text = {0};
			struct error err = {0};

			while (text.len < 2 * sizeof(err.msg))
				buffer_append_text(&text, characters[c]);
			(void)error_set(&err, ERR_INVALID, "%.*s%s", (int)shift, "abc", buffer_text(&text));
			assert_is_cut_text(&err, size - 1);
			(void)error_set(&err, ERR_INVALID, "%s", buffer_text(&text));
			(void)error_prefix(&err, "p%.*s", (int)shift, "abc");
			assert_is_cut_text(&err, size - 1);
			buffer_release(&text);
		}
	}
}

static void a_message_that_fits_stays_whole(void **state)
{
	struct error err = {0};

	(void)state;
	(void)error_set(&err, ERR_INVALID, "%s", "\xE2\x82\xAC");
	(void)error_prefix(&err, "price in %s", "\xE2\x82\xAC");
	assert_string_equal(err.msg, "price in \xE2\x82\xAC: \xE2\x82\xAC");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_that_is_too_long_is_cut_between_characters),
		cmocka_unit_test(a_message_that_fits_stays_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
