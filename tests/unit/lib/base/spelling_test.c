/* spelling_test.c - what is near, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "lib/base/memory.h"
#include "lib/base/spelling.h"

static void the_distance_counts_slips(void **state)
{
	(void)state;
	assert_int_equal(spelling_distance("watch", "watch"), 0);
	assert_int_equal(spelling_distance("", "get"), 3);
	assert_int_equal(spelling_distance("get", ""), 3);
	assert_int_equal(spelling_distance("cancl", "cancel"), 1);
	assert_int_equal(spelling_distance("kitten", "sitting"), 3);
	assert_int_equal(spelling_distance("timeuot", "timeout"), 1); /* two neighbours swapped are one slip */
	assert_int_equal(spelling_distance("gte", "get"), 1);
}

static void the_nearest_name_is_found_and_a_strange_one_is_near_to_nothing(void **state)
{
	static const char *const names[] = {"get", "list", "watch", "wait", "amount_minor"};
	char long_name[SPELLING_BYTES_MAX + 2] = {0};

	(void)state;
	memset(long_name, 'a', SPELLING_BYTES_MAX + 1);
	assert_string_equal(spelling_nearest("gte", names, ARRAY_LEN(names)), "get");
	assert_string_equal(spelling_nearest("wathc", names, ARRAY_LEN(names)), "watch");
	assert_string_equal(spelling_nearest("amount", names, ARRAY_LEN(names)), "amount_minor");
	assert_null(spelling_nearest("frobnicate", names, ARRAY_LEN(names)));
	assert_null(spelling_nearest("x", names, ARRAY_LEN(names)));
	assert_null(spelling_nearest(long_name, names, ARRAY_LEN(names)));
	assert_null(spelling_nearest("get", names, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_distance_counts_slips),
		cmocka_unit_test(the_nearest_name_is_found_and_a_strange_one_is_near_to_nothing),
	};

	return cmocka_run_group_tests_name("spelling", tests, NULL, NULL);
}
