/* open_row_test.c - when the row of an open saga follows its saga, and when it stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/saga/open_row.h"

#define T0 INT64_C(1767322984000000)
#define SECOND INT64_C(1000000)

/* A saga of one step, whose command is in flight and due at `due_us`; 0: the step waits for a person. */
static struct open_row row_of(int64_t due_us, int64_t stored_us)
{
	struct step step = {.state = due_us ? STEP_STATE_DISPATCHED : STEP_STATE_STUCK,
			    .due_us = due_us,
			    .deadline_us = due_us ? due_us + 1000 * SECOND : 0};
	const struct saga saga = {.id = {{[13] = 1, 2, 3}},
				  .state = due_us ? SAGA_STATE_RUNNING : SAGA_STATE_STUCK,
				  .updated_us = T0,
				  .steps = &step,
				  .step_count = 1};

	return open_row_of(&saga, 7, stored_us);
}

static void a_first_bound_is_a_little_before_the_time(void **unused)
{
	const struct open_row row = row_of(T0 + 3 * SECOND, 0);

	(void)unused;
	assert_in_range(row.look_us, T0 + SECOND, T0 + 3 * SECOND);
	assert_int_equal(row.definition_id, 7);
	assert_int_equal(row.state, SAGA_STATE_RUNNING);
	assert_false(row.is_paused || row.is_patient);
}

/* Whatever the jitter of their re-sends, which is a fifth to either side. */
static void steps_that_take_no_time_have_one_bound(void **unused)
{
	(void)unused;
	for (int64_t first_us = 800 * SECOND / 1000; first_us <= 20 * SECOND; first_us += SECOND / 7)
		for (int64_t next_us = first_us * 2 / 3 + 1; next_us <= first_us * 3 / 2; next_us += SECOND / 7) {
			const int64_t look_us = row_of(T0 + first_us, 0).look_us;

			assert_int_equal(row_of(T0 + next_us, look_us).look_us, look_us);
		}
}

static void a_bound_stays_while_it_is_near(void **unused)
{
	(void)unused;
	for (int64_t ahead_us = 0; ahead_us < OPEN_ROW_SLACK_US; ahead_us += SECOND)
		assert_int_equal(row_of(T0 + ahead_us, T0).look_us, T0);
	assert_int_equal(row_of(T0 + OPEN_ROW_SLACK_US - 1, T0).look_us, T0);
}

static void a_bound_follows_a_time_that_is_far_off_or_earlier(void **unused)
{
	(void)unused;
	for (int64_t stored_us = T0 - 100 * SECOND; stored_us <= T0 + 100 * SECOND; stored_us += SECOND / 2) {
		const int64_t look_us = row_of(T0, stored_us).look_us;

		assert_true(look_us <= T0 && T0 - look_us < OPEN_ROW_SLACK_US);
	}
	assert_true(row_of(T0 + OPEN_ROW_SLACK_US, T0).look_us > T0);
	assert_true(row_of(T0 - 1, T0).look_us < T0);
	assert_true(row_of(T0, INT64_MAX).look_us <= T0);
}

static void what_is_never_due_is_never_looked_at(void **unused)
{
	(void)unused;
	assert_int_equal(row_of(0, 0).look_us, INT64_MAX);
	assert_int_equal(row_of(0, T0).look_us, INT64_MAX);
	assert_int_equal(row_of(0, T0).state, SAGA_STATE_STUCK);
}

static void who_are_due_at_one_moment_are_looked_at_one_after_another(void **unused)
{
	struct saga saga = {.state = SAGA_STATE_SCHEDULED, .start_us = T0, .updated_us = T0};
	int64_t looks[3];

	(void)unused;
	for (uint8_t i = 0; i < 3; i++) {
		saga.id.data[14] = i;
		looks[i] = open_row_of(&saga, 1, 0).look_us;
	}
	assert_true(looks[0] != looks[1] && looks[1] != looks[2]);
}

static void a_command_that_is_sent_again_late_makes_it_patient(void **unused)
{
	(void)unused;
	assert_true(row_of(T0 + OPEN_ROW_PATIENT_US, T0).is_patient);
	assert_false(row_of(T0 + OPEN_ROW_PATIENT_US - 1, T0).is_patient);
	assert_false(row_of(0, T0).is_patient);
}

static void of_an_ended_saga_there_is_none(void **unused)
{
	const struct saga saga = {.state = SAGA_STATE_COMPLETED, .updated_us = T0, .ended_us = T0};
	const struct open_row none = {0};
	const struct open_row row = open_row_of(&saga, 1, T0);
	const struct open_row other = row_of(T0, T0);

	(void)unused;
	assert_true(open_row_equals(&row, &none));
	assert_false(open_row_equals(&row, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_first_bound_is_a_little_before_the_time),
		cmocka_unit_test(steps_that_take_no_time_have_one_bound),
		cmocka_unit_test(a_bound_stays_while_it_is_near),
		cmocka_unit_test(a_bound_follows_a_time_that_is_far_off_or_earlier),
		cmocka_unit_test(what_is_never_due_is_never_looked_at),
		cmocka_unit_test(who_are_due_at_one_moment_are_looked_at_one_after_another),
		cmocka_unit_test(a_command_that_is_sent_again_late_makes_it_patient),
		cmocka_unit_test(of_an_ended_saga_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
