/* bytes_test.c - JSON that is written by hand is JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/bytes.h"

static void members_have_commas_between_them_and_texts_are_escaped(void **state)
{
	struct buffer out = {0};

	(void)state;
	buffer_append_text(&out, "{");
	buffer_append_json_member(&out, "a", "say \"{\"");
	buffer_append_json_member(&out, "b", "");
	buffer_append_text(&out, ",\"c\":{");
	buffer_append_json_member(&out, "d", "tab\t, \x01, \xff, back\\slash");
	buffer_append_text(&out, "}");
	buffer_append_json_member(&out, "e", "\xc3\xa9");
	buffer_append_text(&out, "}");
	assert_string_equal(
		buffer_text(&out),
		"{\"a\":\"say \\\"{\\\"\",\"b\":\"\",\"c\":{\"d\":\"tab\\t, \\u0001, \xef\xbf\xbd, back\\\\slash\"},"
		"\"e\":\"\xc3\xa9\"}");
	buffer_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_have_commas_between_them_and_texts_are_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
