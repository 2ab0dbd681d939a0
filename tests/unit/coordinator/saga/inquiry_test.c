/* inquiry_test.c - before anything is undone for an unknown outcome, the participant is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/saga/log_room.h"
#include "tests/unit/coordinator/saga/saga_fixture.h"

enum { SECOND = 1000000 };

/* The second step got no reply in its time. */
static struct world timed_out(const char *kinds)
{
	struct world world = world_of(kinds);

	world_succeed(&world, 0);
	world_tick_past_resends(&world);
	return world;
}

static void asks_when_a_step_times_out_and_does_not_turn_back_yet(void **state)
{
	struct world world = timed_out("cqcp");

	(void)state;
	assert_step(&world, 1, "INQUIRING");
	assert_saga(&world, "RUNNING");
	assert_true(world_sends(&world, 1, INQUIRY, 1));
	assert_int_equal(world.effects.items[0].deadline_us, world.now_us + 10 * SECOND);
	assert_string_equal(world.saga->milestone, "B_TIMED_OUT");
	assert_string_equal(world.saga->steps[1].reason, "timed_out");
	assert_true(world_tick(&world));
	assert_true(world_sends(&world, 1, INQUIRY, 1)); /* again, without an answer */
	world_release(&world);
}

static void goes_on_when_the_step_has_succeeded_and_keeps_its_reply(void **state)
{
	struct world world = timed_out("cqcp");
	struct saga_event answer = {.type = SAGA_EVENT_SUCCEEDED,
				    .time_us = world.now_us,
				    .step = 1,
				    .phase = INQUIRY,
				    .attempt = 1,
				    .milestone = "B_DONE",
				    .reply = bytes_of_text("the reply")};

	(void)state;
	assert_applied(world_apply(&world, &answer));
	assert_step(&world, 1, "SUCCEEDED");
	assert_saga(&world, "RUNNING");
	assert_true(world_sends(&world, 2, FORWARD, 1));
	assert_true(bytes_equal_text(world.saga->steps[1].reply, "the reply"));
	assert_ignored(world_reply(&world, SAGA_EVENT_SUCCEEDED, 1, FORWARD)); /* the late reply itself */
	assert_ignored(world_reply(&world, SAGA_EVENT_REJECTED, 1, INQUIRY));
	world_release(&world);
}

static void undoes_only_the_others_when_the_step_was_never_done(void **state)
{
	struct world world = timed_out("cqcp");

	(void)state;
	assert_applied(world_reply(&world, SAGA_EVENT_REJECTED, 1, INQUIRY));
	assert_step(&world, 1, "REJECTED");
	assert_saga(&world, "COMPENSATING");
	assert_true(world_sends(&world, 0, COMPENSATION, 1));
	assert_string_equal(world.saga->failure_milestone, "b_FAILED");
	world_undo(&world, 0);
	assert_saga(&world, "COMPENSATED");
	world_release(&world);
}

static void compensates_when_the_participant_does_not_know_either(void **state)
{
	struct world world = timed_out("cqcp");

	(void)state;
	assert_applied(world_reply(&world, SAGA_EVENT_UNKNOWN, 1, INQUIRY));
	assert_saga(&world, "COMPENSATING");
	assert_true(world_sends(&world, 1, COMPENSATION, 1));
	assert_string_equal(world.saga->failure_milestone, "B_UNKNOWN");
	world_undo(&world, 1);
	assert_true(world_sends(&world, 0, COMPENSATION, 1));
	world_release(&world);
}

static void compensates_when_no_answer_comes_in_time(void **state)
{
	struct world world = timed_out("cqcp");

	(void)state;
	world_tick_past_resends(&world);
	assert_saga(&world, "COMPENSATING");
	assert_true(world_sends(&world, 1, COMPENSATION, 1));
	assert_string_equal(world.saga->steps[1].reason, "timed_out");
	assert_string_equal(world.saga->steps[1].detail, "inquiry: no answer in time");
	world_release(&world);
}

static void asks_again_after_a_backoff_until_the_attempts_are_used_up(void **state)
{
	struct world world = timed_out("cqcp");

	(void)state;
	for (int32_t attempt = 1; attempt < 3; attempt++) {
		assert_applied(world_reply(&world, SAGA_EVENT_RETRIABLE, 1, INQUIRY));
		assert_step(&world, 1, "INQUIRY_RETRY_WAIT");
		assert_true(world_tick(&world));
		assert_true(world_sends(&world, 1, INQUIRY, attempt + 1));
	}
	assert_applied(world_reply(&world, SAGA_EVENT_RETRIABLE, 1, INQUIRY));
	assert_true(world_sends(&world, 1, COMPENSATION, 1));
	assert_string_equal(world.saga->steps[1].reason, "attempts_exhausted");
	world_release(&world);
}

static void asks_also_when_the_attempts_of_the_command_are_used_up(void **state)
{
	struct world world = world_of("qp");

	(void)state;
	for (int attempt = 0; attempt < 3; attempt++) {
		if (attempt > 0)
			assert_true(world_tick(&world));
		assert_applied(world_reply(&world, SAGA_EVENT_RETRIABLE, 0, FORWARD));
	}
	assert_true(world_sends(&world, 0, INQUIRY, 1));
	world_release(&world);
}

static void waits_without_asking_again_while_the_participant_has_the_command_in_hand(void **state)
{
	struct world world = timed_out("cqcp");

	(void)state;
	assert_applied(world_reply(&world, SAGA_EVENT_ACCEPTED, 1, INQUIRY));
	assert_ignored(world_reply(&world, SAGA_EVENT_ACCEPTED, 1, INQUIRY));
	assert_int_equal(saga_due_us(world.saga), world.now_us + 10 * SECOND);
	assert_applied(world_reply(&world, SAGA_EVENT_SUCCEEDED, 1, FORWARD)); /* the command's own reply */
	assert_true(world_sends(&world, 2, FORWARD, 1));
	world_release(&world);
}

static void takes_a_late_reply_to_the_command_as_the_answer(void **state)
{
	struct world world = timed_out("cqcp");

	(void)state;
	assert_applied(world_reply(&world, SAGA_EVENT_REJECTED, 1, FORWARD));
	assert_step(&world, 1, "REJECTED");
	assert_true(world_sends(&world, 0, COMPENSATION, 1));
	world_release(&world);
}

static void asks_about_what_was_in_flight_when_the_saga_turns_back(void **state)
{
	struct world world = world_of("c(qc)p");

	(void)state;
	world_succeed(&world, 0);
	world_reject(&world, 2);
	assert_saga(&world, "COMPENSATING");
	assert_true(world_sends(&world, 1, INQUIRY, 1));
	assert_applied(world_reply(&world, SAGA_EVENT_SUCCEEDED, 1, INQUIRY));
	assert_true(world_sends(&world, 1, COMPENSATION, 1));
	assert_string_equal(world.saga->failure_milestone, "c_FAILED");
	world_release(&world);
	world = world_of("c(qc)p");
	world_succeed(&world, 0);
	world_reject(&world, 2);
	assert_applied(world_reply(&world, SAGA_EVENT_REJECTED, 1, INQUIRY));
	assert_true(world_sends(&world, 0, COMPENSATION, 1)); /* nothing of the step is undone */
	assert_string_equal(world.saga->failure_milestone, "c_FAILED");
	world_release(&world);
}

static void goes_on_asking_when_the_saga_is_cancelled_meanwhile(void **state)
{
	struct world world = timed_out("cqcp");

	(void)state;
	assert_applied(world_cancel(&world));
	assert_saga(&world, "COMPENSATING");
	assert_step(&world, 1, "INQUIRING");
	assert_int_equal(world.effects.count, 0);
	assert_applied(world_reply(&world, SAGA_EVENT_UNKNOWN, 1, INQUIRY));
	assert_true(world_sends(&world, 1, COMPENSATION, 1));
	assert_string_equal(world.saga->failure_milestone, "CANCELLED");
	world_release(&world);
}

static void lets_steps_beside_the_one_that_is_asked_about_go_on(void **state)
{
	struct world world = world_of("(qc)p");

	(void)state;
	world_succeed(&world, 1);
	world_tick_past_resends(&world);
	assert_step(&world, 0, "INQUIRING");
	assert_step(&world, 2, "PENDING");
	assert_applied(world_reply(&world, SAGA_EVENT_SUCCEEDED, 0, INQUIRY));
	assert_true(world_sends(&world, 2, FORWARD, 1));
	world_release(&world);
}

static void asks_nothing_while_it_is_paused(void **state)
{
	struct world world = world_of("qp");
	struct saga_event event;

	(void)state;
	for (int attempt = 0; attempt < 2; attempt++) {
		assert_applied(world_reply(&world, SAGA_EVENT_RETRIABLE, 0, FORWARD));
		assert_true(world_tick(&world));
	}
	event = saga_request_event(SAGA_EVENT_PAUSED, -1, world.now_us, "lunch");
	assert_applied(world_apply(&world, &event));
	assert_applied(world_reply(&world, SAGA_EVENT_RETRIABLE, 0, FORWARD));
	assert_step(&world, 0, "UNKNOWN");
	assert_saga(&world, "RUNNING");
	assert_int_equal(world.effects.count, 0);
	event = saga_request_event(SAGA_EVENT_RESUMED, -1, world.now_us, "back");
	assert_applied(world_apply(&world, &event));
	assert_true(world_sends(&world, 0, INQUIRY, 1));
	world_release(&world);
}

static void sends_an_inquiry_again_after_a_restart(void **state)
{
	struct world world = timed_out("cqcp");
	struct saga_event event;
	int32_t step = 0;

	(void)state;
	assert_true(saga_resend_event(world.saga, world.now_us, &step, &event));
	assert_int_equal(event.phase, INQUIRY);
	assert_applied(world_apply(&world, &event));
	assert_true(world_sends(&world, 1, INQUIRY, 1));
	world_release(&world);
}

static void asks_nobody_when_the_log_is_for_replies_alone(void **state)
{
	struct world world = world_of("cqcp");

	(void)state;
	world_succeed(&world, 0);
	world.saga->version = LOG_TRIES;
	world_tick_past_resends(&world);
	assert_saga(&world, "COMPENSATING");
	assert_true(world_sends(&world, 1, COMPENSATION, 1));
	world_release(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_when_a_step_times_out_and_does_not_turn_back_yet),
		cmocka_unit_test(goes_on_when_the_step_has_succeeded_and_keeps_its_reply),
		cmocka_unit_test(undoes_only_the_others_when_the_step_was_never_done),
		cmocka_unit_test(compensates_when_the_participant_does_not_know_either),
		cmocka_unit_test(compensates_when_no_answer_comes_in_time),
		cmocka_unit_test(asks_again_after_a_backoff_until_the_attempts_are_used_up),
		cmocka_unit_test(asks_also_when_the_attempts_of_the_command_are_used_up),
		cmocka_unit_test(waits_without_asking_again_while_the_participant_has_the_command_in_hand),
		cmocka_unit_test(takes_a_late_reply_to_the_command_as_the_answer),
		cmocka_unit_test(asks_about_what_was_in_flight_when_the_saga_turns_back),
		cmocka_unit_test(goes_on_asking_when_the_saga_is_cancelled_meanwhile),
		cmocka_unit_test(lets_steps_beside_the_one_that_is_asked_about_go_on),
		cmocka_unit_test(asks_nothing_while_it_is_paused),
		cmocka_unit_test(sends_an_inquiry_again_after_a_restart),
		cmocka_unit_test(asks_nobody_when_the_log_is_for_replies_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
