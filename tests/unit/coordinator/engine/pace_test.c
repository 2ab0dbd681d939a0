/* pace_test.c - sagas that run come first, and the line of starts is as long as what is taken in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/engine/pace.h"

static void note(struct pace *pace, size_t replies, size_t starts, bool were_left, int64_t ms)
{
	pace_note(pace, &(struct pace_turn){replies, starts, were_left, ms * 1000});
}

static void starts_get_what_replies_leave(void **unused)
{
	const struct pace pace = {.events_per_s = 8000}; /* hence 4000 events a turn */

	(void)unused;
	assert_int_equal(pace_starts(&pace, 0), 4000);
	assert_int_equal(pace_starts(&pace, 3700), 300);
	assert_int_equal(pace_starts(&pace, 3990), PACE_STARTS_MIN);
	assert_int_equal(pace_starts(&pace, SIZE_MAX), PACE_STARTS_MIN);
}

static void a_turn_has_room_for_what_is_done_in_its_time(void **unused)
{
	struct pace pace = {0};

	(void)unused;
	assert_int_equal(pace_starts(&pace, 0), PACE_EVENTS_FIRST);
	note(&pace, 1, 1, false, 100); /* too small to tell */
	assert_int_equal(pace_starts(&pace, 0), PACE_EVENTS_FIRST);
	note(&pace, 1500, 500, false, 1000);
	assert_int_equal(pace_starts(&pace, 0), 1000);
	for (int i = 0; i < 40; i++)
		note(&pace, 1500, 500, false, 10);
	assert_int_equal(pace_starts(&pace, 0), PACE_STARTS_MAX);
	assert_int_equal(pace_starts(&pace, PACE_EVENTS_MAX - 7), PACE_STARTS_MIN);
	for (int i = 0; i < 40; i++)
		note(&pace, 200, 0, false, 60 * 1000);
	assert_int_equal(pace_starts(&pace, 0), PACE_EVENTS_MIN);
}

static void nothing_is_refused_before_a_turn_has_left_starts(void **unused)
{
	struct pace pace = {0};

	(void)unused;
	assert_true(pace_waiting_max(&pace) == SIZE_MAX);
	note(&pace, 0, 10, false, 1);
	note(&pace, 5, 0, true, 1);
	assert_true(pace_waiting_max(&pace) == SIZE_MAX);
}

static void so_many_wait_as_are_taken_in_the_time(void **unused)
{
	struct pace pace = {0};

	(void)unused;
	note(&pace, 0, 5000, true, 500);
	assert_int_equal(pace_waiting_max(&pace), 10000);
	for (int i = 0; i < 40; i++)
		note(&pace, 0, 6000, true, 1000);
	assert_in_range(pace_waiting_max(&pace), 5990, 6010);
}

static void a_slow_minute_does_not_stay(void **unused)
{
	struct pace pace = {0};

	(void)unused;
	note(&pace, 0, 50, true, 10 * 1000);
	assert_int_equal(pace_waiting_max(&pace), PACE_WAITING_MIN);
	note(&pace, 0, 1000, false, 100);
	assert_int_equal(pace_waiting_max(&pace), 10000);
	note(&pace, 0, 1, false, 5); /* all there was: says nothing of what is possible */
	assert_int_equal(pace_waiting_max(&pace), 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_get_what_replies_leave),
		cmocka_unit_test(a_turn_has_room_for_what_is_done_in_its_time),
		cmocka_unit_test(nothing_is_refused_before_a_turn_has_left_starts),
		cmocka_unit_test(so_many_wait_as_are_taken_in_the_time),
		cmocka_unit_test(a_slow_minute_does_not_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
