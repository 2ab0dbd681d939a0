/* pending_retries_test.c - what is known to wait in a retry topic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "participants/sdk/pending_retries.h"

static void knows_a_command_until_its_time_is_over(void **state)
{
	static struct pending_retries pending;

	(void)state;
	assert_false(pending_retries_has(&pending, "a/ship/forward", 0));
	pending_retries_add(&pending, "a/ship/forward", 1000);
	assert_true(pending_retries_has(&pending, "a/ship/forward", 999));
	assert_false(pending_retries_has(&pending, "a/ship/compensation", 999));
	assert_false(pending_retries_has(&pending, "a/ship/forward", 1000));
}

static void may_forget_but_never_takes_one_for_another(void **state)
{
	static struct pending_retries pending;
	int known = 0;

	(void)state;
	for (int i = 0; i < 2 * PENDING_RETRIES_SLOTS; i++) {
		char id[32];

		(void)snprintf(id, sizeof(id), "%d/ship/forward", i);
		assert_false(pending_retries_has(&pending, id, 0));
		pending_retries_add(&pending, id, 1);
		known += pending_retries_has(&pending, id, 0);
	}
	assert_int_equal(known, 2 * PENDING_RETRIES_SLOTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_a_command_until_its_time_is_over),
		cmocka_unit_test(may_forget_but_never_takes_one_for_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
