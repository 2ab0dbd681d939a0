/* chance_test.c - failures by chance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "participants/sdk/chance.h"

static int count_failures(struct chance chance, int count)
{
	int failures = 0;
	char name[32];

	for (int i = 0; i < count; i++) {
		(void)snprintf(name, sizeof(name), "order-%d", i);
		failures += chance_fails(&chance, name);
	}
	return failures;
}

static void fails_about_as_often_as_asked(void **state)
{
	(void)state;
	assert_int_equal(count_failures((struct chance){0, 1}, 1000), 0);
	assert_int_equal(count_failures((struct chance){100, 1}, 1000), 1000);
	assert_in_range(count_failures((struct chance){25, 1}, 10000), 2350, 2650);
	assert_in_range(count_failures((struct chance){35, 99}, 10000), 3350, 3650);
}

static void meets_the_same_luck_again_with_the_same_seed_only(void **state)
{
	struct chance one = {50, 1};
	struct chance two = {50, 2};
	int different = 0;
	char name[32];

	(void)state;
	for (int i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "order-%d", i);
		assert_int_equal(chance_fails(&one, name), chance_fails(&one, name));
		different += chance_fails(&one, name) != chance_fails(&two, name);
	}
	assert_in_range(different, 25, 75);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fails_about_as_often_as_asked),
		cmocka_unit_test(meets_the_same_luck_again_with_the_same_seed_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
