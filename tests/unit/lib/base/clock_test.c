/* clock_test.c - times as text: they are what the C library says, for every kind of year, and always fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/base/clock.h"

#define DAY_S INT64_C(86400)

static void assert_as_libc(int64_t seconds, int us)
{
	const time_t time = (time_t)seconds;
	char expected[64];
	char shown[CLOCK_TEXT_LEN + 1];
	struct tm utc;

	assert_non_null(gmtime_r(&time, &utc));
	(void)snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", utc.tm_year + 1900,
		       utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, us);
	clock_format(seconds * 1000000 + us, shown);
	assert_string_equal(shown, expected);
}

static void times_are_shown_as_the_c_library_shows_them(void **state)
{
	(void)state;
	for (int64_t day = -800 * 365; day < 8000 * 365; day += 13) {
		assert_as_libc(day * DAY_S, 0);
		assert_as_libc(day * DAY_S + 45296, 78);
		assert_as_libc(day * DAY_S + DAY_S - 1, 999999);
	}
}

static void what_no_year_of_four_digits_has_is_the_first_or_the_last_moment(void **state)
{
	char shown[CLOCK_TEXT_LEN + 1];

	(void)state;
	clock_format(INT64_MIN, shown);
	assert_string_equal(shown, "0001-01-01T00:00:00.000000Z");
	clock_format(INT64_MAX, shown);
	assert_string_equal(shown, "9999-12-31T23:59:59.999999Z");
	clock_format(0, shown);
	assert_string_equal(shown, "1970-01-01T00:00:00.000000Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_shown_as_the_c_library_shows_them),
		cmocka_unit_test(what_no_year_of_four_digits_has_is_the_first_or_the_last_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
