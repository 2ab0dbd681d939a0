/* round_test.c - quantiles of sorted values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/bench/round.h"

static void nothing_has_a_quantile_of_zero(void **state)
{
	(void)state;
	assert_int_equal(round_quantile(NULL, 0, 0.5), 0);
}

static void one_value_is_every_quantile(void **state)
{
	const int64_t values[] = {7};

	(void)state;
	assert_int_equal(round_quantile(values, 1, 0), 7);
	assert_int_equal(round_quantile(values, 1, 0.5), 7);
	assert_int_equal(round_quantile(values, 1, 1), 7);
}

static void quantiles_lie_at_their_share_of_the_values(void **state)
{
	int64_t values[1000];

	(void)state;
	for (int i = 0; i < 1000; i++)
		values[i] = i + 1;
	assert_int_equal(round_quantile(values, 1000, 0.5), 501);
	assert_int_equal(round_quantile(values, 1000, 0.99), 991);
	assert_int_equal(round_quantile(values, 1000, 0.999), 1000);
	assert_int_equal(round_quantile(values, 1000, 1), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_has_a_quantile_of_zero),
		cmocka_unit_test(one_value_is_every_quantile),
		cmocka_unit_test(quantiles_lie_at_their_share_of_the_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
