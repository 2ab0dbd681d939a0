/* time_text_test.c - moments as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "cli/time_text.h"
#include "lib/base/memory.h"

static const int64_t NOW_US = INT64_C(1700000000000000); /* 2023-11-14T22:13:20Z */

static void assert_means(const char *text, enum time_direction direction, int64_t expected_us)
{
	struct error err;
	int64_t us = 0;

	if (time_text_parse(text, direction, NOW_US, &us, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(us, expected_us);
}

static void a_duration_counts_from_now(void **state)
{
	(void)state;
	assert_means("15m", TIME_AGO, NOW_US - INT64_C(900000000));
	assert_means("7d", TIME_AGO, NOW_US - INT64_C(604800000000));
	assert_means("500ms", TIME_AHEAD, NOW_US + 500000);
	assert_means("0s", TIME_AHEAD, NOW_US);
}

static void a_moment_may_have_a_zone_and_parts_of_a_second(void **state)
{
	(void)state;
	assert_means("2023-11-14T22:13:20Z", TIME_AGO, NOW_US);
	assert_means("2023-11-14T22:13:20.25", TIME_AGO, NOW_US + 250000);
	assert_means("2023-11-15T00:13:20+02:00", TIME_AGO, NOW_US);
	assert_means("2023-11-14T16:43:20-0530", TIME_AGO, NOW_US);
	assert_means("2023-11-14 22:13", TIME_AGO, NOW_US - 20000000);
	assert_means("2023-11-14", TIME_AHEAD, INT64_C(1699920000000000));
}

static void what_is_no_time_is_refused_with_an_example(void **state)
{
	static const char *const texts[] = {"",
					    "yesterday",
					    "15",
					    "15 m",
					    "-5m",
					    "2023-02-30",
					    "2023-11-14T25:00Z",
					    "2023-13-1",
					    "2023-11-14T22:13:20X",
					    "2023-11-14T22:13+99:00",
					    "99999999999999999d"};
	struct error err;
	int64_t us;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (time_text_parse(texts[i], TIME_AGO, NOW_US, &us, &err) == 0)
			fail_msg("'%s' was taken for a time", texts[i]);
		assert_int_equal(err.code, ERR_INVALID);
		assert_non_null(strstr(err.msg, "24h"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_duration_counts_from_now),
		cmocka_unit_test(a_moment_may_have_a_zone_and_parts_of_a_second),
		cmocka_unit_test(what_is_no_time_is_refused_with_an_example),
	};

	return cmocka_run_group_tests_name("time_text", tests, NULL, NULL);
}
