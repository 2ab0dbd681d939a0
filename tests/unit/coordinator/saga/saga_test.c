/* saga_test.c - the rules of a saga, one test each; the rules' reasons are in saga_states.def. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/coordinator/saga/saga_fixture.h"

#define SECOND INT64_C(1000000)

/* ---- forward ---- */
static void sends_the_first_command_at_the_start(void **state)
{
	struct world world = world_of("ccpr");

	(void)state;
	assert_saga(&world, "RUNNING");
	assert_step(&world, 0, "DISPATCHED");
	assert_true(world_sends(&world, 0, FORWARD, 1));
	assert_int_equal(world.effects.items[0].deadline_us, world.now_us + 10 * SECOND);
	assert_int_equal(world.saga->version, 1);
	assert_string_equal(world.saga->milestone, "STARTED");
	world_release(&world);
}

static void goes_through_its_steps_and_completes(void **state)
{
	struct world world = world_of("ccpr");

	(void)state;
	world_succeed(&world, 0);
	assert_true(world_sends(&world, 1, FORWARD, 1));
	world_succeed(&world, 1);
	assert_true(world_sends(&world, 2, FORWARD, 1));
	assert_saga(&world, "RUNNING"); /* the pivot is on its way, and may still be refused */
	world_succeed(&world, 2);
	assert_saga(&world, "COMPLETING");
	assert_string_equal(world.saga->milestone, "c_DONE");
	world_succeed(&world, 3);
	assert_saga(&world, "COMPLETED");
	assert_string_equal(world.saga->milestone, "COMPLETED");
	assert_int_equal(world.effects.count, 1);
	assert_true(world_has_effect(&world, SAGA_EFFECT_FINISHED));
	assert_int_equal(world.saga->version, 5);
	assert_int_equal(world.saga->ended_us, world.now_us);
	assert_int_equal(saga_due_us(world.saga), 0);
	world_release(&world);
}

static void stays_running_until_the_end_without_a_pivot(void **state)
{
	struct world world = world_of("ccr");

	(void)state;
	world_succeed(&world, 0);
	world_succeed(&world, 1);
	assert_saga(&world, "RUNNING");
	world_succeed(&world, 2);
	assert_saga(&world, "COMPLETED");
	world_release(&world);
}

static void completes_at_once_when_the_pivot_is_last(void **state)
{
	struct world world = world_of("p");

	(void)state;
	world_succeed(&world, 0);
	assert_saga(&world, "COMPLETED");
	world_release(&world);
}

static void keeps_the_reply_of_a_success(void **state)
{
	struct world world = world_of("cp");
	struct saga_event event = {.type = SAGA_EVENT_SUCCEEDED,
				   .time_us = world.now_us,
				   .attempt = 1,
				   .reply = bytes_of_text("payment 7")};

	(void)state;
	assert_applied(world_apply(&world, &event));
	assert_true(bytes_equal_text(world.saga->steps[0].reply, "payment 7"));
	assert_true(world.saga->steps[0].reply.data != event.reply.data);
	world_release(&world);
}

/* ---- going back ---- */
static void compensates_in_reverse_order_after_a_refusal(void **state)
{
	struct world world = world_of("cccp");

	(void)state;
	world_succeed(&world, 0);
	world_succeed(&world, 1);
	world_reject(&world, 2);
	assert_saga(&world, "COMPENSATING");
	assert_step(&world, 2, "REJECTED");
	assert_string_equal(world.saga->steps[2].reason, "no_luck");
	assert_true(world_sends(&world, 1, COMPENSATION, 1));
	assert_int_equal(world.effects.items[0].deadline_us, world.now_us + 60 * SECOND);
	world_undo(&world, 1);
	assert_string_equal(world.saga->milestone, "b_UNDONE");
	assert_true(world_sends(&world, 0, COMPENSATION, 1));
	world_undo(&world, 0);
	assert_saga(&world, "COMPENSATED");
	assert_step(&world, 0, "COMPENSATED");
	assert_step(&world, 1, "COMPENSATED");
	assert_step(&world, 2, "REJECTED");
	assert_step(&world, 3, "PENDING");
	assert_true(world_has_effect(&world, SAGA_EFFECT_FINISHED));
	world_release(&world);
}

static void ends_with_the_milestone_that_began_the_compensation(void **state)
{
	struct world world = world_of("ccp");

	(void)state;
	world_succeed(&world, 0);
	world_reject(&world, 1);
	world_undo(&world, 0);
	assert_string_equal(world.saga->milestone, "b_FAILED");
	assert_string_equal(world.saga->failure_milestone, "b_FAILED");
	world_release(&world);
}

static void is_compensated_at_once_when_nothing_ran(void **state)
{
	struct world world = world_of("ccp");

	(void)state;
	world_reject(&world, 0);
	assert_saga(&world, "COMPENSATED");
	assert_int_equal(world.saga->version, 2);
	world_release(&world);
}

static void passes_over_steps_without_a_compensation(void **state)
{
	struct world world = world_of("cnnp");

	(void)state;
	world_succeed(&world, 0);
	world_succeed(&world, 1);
	world_succeed(&world, 2);
	world_reject(&world, 3);
	assert_step(&world, 1, "NOT_NEEDED");
	assert_step(&world, 2, "NOT_NEEDED");
	assert_true(world_sends(&world, 0, COMPENSATION, 1));
	world_release(&world);
}

static void compensates_when_the_pivot_is_refused(void **state)
{
	struct world world = world_of("cpr");

	(void)state;
	world_succeed(&world, 0);
	world_reject(&world, 1);
	assert_saga(&world, "COMPENSATING");
	assert_true(world_sends(&world, 0, COMPENSATION, 1));
	world_release(&world);
}

static void compensates_a_step_whose_outcome_is_unknown(void **state)
{
	struct world world = world_of("ccp");

	(void)state;
	world_succeed(&world, 0);
	world_tick_past_resends(&world);
	assert_saga(&world, "COMPENSATING");
	assert_step(&world, 1, "COMPENSATING");
	assert_string_equal(world.saga->steps[1].reason, "timed_out");
	assert_string_equal(world.saga->failure_milestone, "B_TIMED_OUT");
	assert_true(world_sends(&world, 1, COMPENSATION, 1));
	world_undo(&world, 1);
	assert_true(world_sends(&world, 0, COMPENSATION, 1));
	world_release(&world);
}

static void notes_a_compensation_that_found_no_effect(void **state)
{
	struct world world = world_of("cp");
	struct saga_event event = {
		.type = SAGA_EVENT_SUCCEEDED, .phase = COMPENSATION, .attempt = 1, .has_no_effect = true};

	(void)state;
	world_tick_past_resends(&world);
	event.time_us = world.now_us;
	assert_applied(world_apply(&world, &event));
	assert_step(&world, 0, "NOT_NEEDED");
	assert_true(world.saga->steps[0].has_no_effect);
	assert_saga(&world, "COMPENSATED");
	world_release(&world);
}

/* ---- attempts ---- */
static void waits_and_tries_again_after_a_retriable_reply(void **state)
{
	struct world world = world_of("cp");
	int64_t wait_us;

	(void)state;
	assert_applied(world_reply(&world, SAGA_EVENT_RETRIABLE, 0, FORWARD));
	assert_step(&world, 0, "RETRY_WAIT");
	assert_int_equal(world.effects.count, 0);
	wait_us = saga_due_us(world.saga) - world.now_us;
	assert_in_range(wait_us, 80000, 120000);
	assert_true(world_tick(&world));
	assert_step(&world, 0, "DISPATCHED");
	assert_true(world_sends(&world, 0, FORWARD, 2));
	assert_applied(world_reply(&world, SAGA_EVENT_RETRIABLE, 0, FORWARD));
	wait_us = saga_due_us(world.saga) - world.now_us;
	assert_in_range(wait_us, 160000, 240000);
	world_release(&world);
}

static void compensates_a_step_whose_attempts_are_exhausted(void **state)
{
	struct world world = world_of("ccp");

	(void)state;
	world_succeed(&world, 0);
	for (int attempt = 1; attempt <= 3; attempt++) {
		assert_applied(world_reply(&world, SAGA_EVENT_RETRIABLE, 1, FORWARD));
		if (attempt < 3)
			assert_true(world_tick(&world));
	}
	/* A copy of the command may still be on its way: its compensation leaves a tombstone for it. */
	assert_step(&world, 1, "COMPENSATING");
	assert_string_equal(world.saga->steps[1].reason, "attempts_exhausted");
	assert_string_equal(world.saga->steps[1].detail, "attempts exhausted (3): no_luck: not today");
	assert_string_equal(world.saga->failure_milestone, "b_FAILED");
	assert_true(world_sends(&world, 1, COMPENSATION, 1));
	world_release(&world);
}

static void counts_a_failure_only_for_the_attempt_in_flight(void **state)
{
	struct world world = world_of("cp");
	struct saga_event stale = {.type = SAGA_EVENT_REJECTED, .attempt = 1};

	(void)state;
	assert_applied(world_reply(&world, SAGA_EVENT_RETRIABLE, 0, FORWARD));
	assert_true(world_tick(&world));
	stale.time_us = world.now_us;
	assert_ignored(world_apply(&world, &stale));
	assert_string_equal(world.why, "about another attempt than the one in flight");
	stale.type = SAGA_EVENT_RETRIABLE;
	assert_ignored(world_apply(&world, &stale));
	stale.type = SAGA_EVENT_TIMED_OUT;
	stale.time_us = world.now_us + 100 * SECOND;
	assert_ignored(world_apply(&world, &stale));
	assert_int_equal(world.effects.count, 0);
	world_release(&world);
}

static void counts_a_success_of_any_attempt(void **state)
{
	struct world world = world_of("cp");
	struct saga_event late = {.type = SAGA_EVENT_SUCCEEDED, .attempt = 1};

	(void)state;
	assert_applied(world_reply(&world, SAGA_EVENT_RETRIABLE, 0, FORWARD));
	late.time_us = world.now_us;
	assert_applied(world_apply(&world, &late)); /* while it waits for the next attempt */
	assert_step(&world, 0, "SUCCEEDED");
	assert_true(world_sends(&world, 1, FORWARD, 1));
	world_release(&world);
}

static void ignores_duplicates(void **state)
{
	struct world world = world_of("ccp");
	const struct saga *before;

	(void)state;
	world_succeed(&world, 0);
	before = world.saga;
	assert_ignored(world_reply(&world, SAGA_EVENT_SUCCEEDED, 0, FORWARD));
	assert_string_equal(world.why, "duplicate: the step has succeeded before");
	assert_ignored(world_reply(&world, SAGA_EVENT_REJECTED, 0, FORWARD));
	assert_ignored(world_reply(&world, SAGA_EVENT_SUCCEEDED, 2, FORWARD));
	assert_ptr_equal(world.saga, before);
	assert_int_equal(world.effects.count, 0);
	world_release(&world);
}

static void ignores_a_step_that_does_not_exist(void **state)
{
	struct world world = world_of("cp");
	struct saga_event event = {.type = SAGA_EVENT_SUCCEEDED, .step = 2, .attempt = 1};

	(void)state;
	assert_ignored(world_apply(&world, &event));
	event.step = -1;
	assert_ignored(world_apply(&world, &event));
	event.type = SAGA_EVENT_STARTED;
	assert_ignored(world_apply(&world, &event));
	world_release(&world);
}

/* ---- sending again ---- */
static void sends_again_at_doubled_jittered_intervals(void **state)
{
	static const int64_t interval_ms[] = {1000, 2000, 4000};
	struct world world = world_of("cp");

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const int64_t wait_us = saga_due_us(world.saga) - world.now_us;

		assert_in_range(wait_us, interval_ms[i] * 800, interval_ms[i] * 1200 + 1);
		if (i == 2)
			break;
		assert_true(world_tick(&world));
		assert_true(world_sends(&world, 0, FORWARD, 1));
	}
	assert_int_equal(world.saga->steps[0].resends, 2);
	assert_int_equal(world.saga->steps[0].attempts[FORWARD], 1);
	world_release(&world);
}

static void sends_at_once_after_a_restart(void **state)
{
	struct world world = world_of("cp");
	struct saga_event event;
	int32_t step = 0;

	(void)state;
	assert_false(saga_due_event(&world.definition, world.saga, world.now_us, &step, &event));
	assert_true(saga_resend_event(world.saga, world.now_us, &step, &event));
	assert_int_equal(step, 1);
	assert_applied(world_apply(&world, &event));
	assert_true(world_sends(&world, 0, FORWARD, 1));
	step = 0;
	assert_false(
		saga_resend_event(world.saga, world.now_us + 60 * SECOND, &step, &event)); /* its deadline is over */
	step = 0;
	assert_applied(world_reply(&world, SAGA_EVENT_ACCEPTED, 0, FORWARD));
	assert_false(saga_resend_event(world.saga, world.now_us, &step, &event));
	world_release(&world);
}

static void stops_sending_what_was_accepted_until_the_deadline(void **state)
{
	struct world world = world_of("cp");
	const int64_t deadline_us = world.now_us + 10 * SECOND;

	(void)state;
	assert_applied(world_reply(&world, SAGA_EVENT_ACCEPTED, 0, FORWARD));
	assert_step(&world, 0, "ACCEPTED");
	assert_int_equal(saga_due_us(world.saga), deadline_us);
	assert_ignored(world_reply(&world, SAGA_EVENT_ACCEPTED, 0, FORWARD));
	world_succeed(&world, 0);
	assert_true(world_sends(&world, 1, FORWARD, 1));
	world_release(&world);
}

static void stops_sending_an_accepted_compensation(void **state)
{
	struct world world = world_of("cp");

	(void)state;
	world_succeed(&world, 0);
	world_reject(&world, 1);
	assert_applied(world_reply(&world, SAGA_EVENT_ACCEPTED, 0, COMPENSATION));
	assert_int_equal(saga_due_us(world.saga), world.now_us + 60 * SECOND);
	assert_ignored(world_reply(&world, SAGA_EVENT_ACCEPTED, 0, COMPENSATION));
	world_undo(&world, 0);
	assert_saga(&world, "COMPENSATED");
	world_release(&world);
}

static void does_not_time_out_before_the_deadline(void **state)
{
	struct world world = world_of("cp");
	struct saga_event event = {
		.type = SAGA_EVENT_TIMED_OUT, .time_us = world.now_us + 10 * SECOND - 1, .attempt = 1};

	(void)state;
	assert_ignored(world_apply(&world, &event));
	event.time_us++;
	assert_applied(world_apply(&world, &event));
	world_release(&world);
}

/* ---- the pivot and after ---- */
static void never_goes_back_once_the_pivot_is_unknown(void **state)
{
	struct world world = world_of("cpr");

	(void)state;
	world_succeed(&world, 0);
	world_tick_past_resends(&world);
	assert_saga(&world, "COMPLETING");
	assert_step(&world, 1, "DISPATCHED");
	assert_true(world_sends(&world, 1, FORWARD, 2));
	world_tick_past_resends(&world);
	assert_true(world_sends(&world, 1, FORWARD, 3));
	world_tick_past_resends(&world);
	assert_saga(&world, "STUCK");
	assert_step(&world, 1, "STUCK");
	assert_true(world_has_effect(&world, SAGA_EFFECT_STUCK));
	assert_string_equal(world.saga->stuck_reason, "step 'b' forward: attempts exhausted (3): no reply in time");
	assert_int_equal(saga_due_us(world.saga), 0);
	world_release(&world);
}

static void is_stuck_when_an_unknown_pivot_is_refused(void **state)
{
	struct world world = world_of("cp");

	(void)state;
	world_succeed(&world, 0);
	world_tick_past_resends(&world);
	assert_saga(&world, "COMPLETING");
	world_reject(&world, 1);
	assert_saga(&world, "STUCK");
	assert_string_equal(world.saga->stuck_reason, "step 'b' forward: rejected: no_luck: not today");
	world_release(&world);
}

static void is_stuck_when_the_pivots_attempts_are_exhausted(void **state)
{
	struct world world = world_of("cp");

	(void)state;
	world_succeed(&world, 0);
	for (int attempt = 1; attempt <= 3; attempt++) {
		assert_applied(world_reply(&world, SAGA_EVENT_RETRIABLE, 1, FORWARD));
		if (attempt < 3)
			assert_true(world_tick(&world));
	}
	assert_saga(&world, "STUCK");
	assert_string_equal(world.saga->stuck_reason, "step 'b' forward: attempts exhausted (3): no_luck: not today");
	assert_step(&world, 0, "SUCCEEDED");
	world_release(&world);
}

static void is_stuck_when_a_retriable_step_is_refused(void **state)
{
	struct world world = world_of("pr");

	(void)state;
	world_succeed(&world, 0);
	world_reject(&world, 1);
	assert_saga(&world, "STUCK");
	assert_step(&world, 1, "STUCK");
	world_release(&world);
}

static void is_stuck_when_a_retriable_step_is_refused_without_a_pivot(void **state)
{
	struct world world = world_of("cr");

	(void)state;
	world_succeed(&world, 0);
	world_reject(&world, 1);
	assert_saga(&world, "STUCK");
	assert_step(&world, 0, "SUCCEEDED");
	world_release(&world);
}

static void goes_on_when_the_stuck_step_succeeded_after_all(void **state)
{
	struct world world = world_of("cpr");

	(void)state;
	world_succeed(&world, 0);
	for (int i = 0; i < 3; i++)
		world_tick_past_resends(&world);
	assert_saga(&world, "STUCK");
	assert_ignored(world_reply(&world, SAGA_EVENT_REJECTED, 1, FORWARD));
	assert_ignored(world_reply(&world, SAGA_EVENT_SUCCEEDED, 2, FORWARD));
	world_succeed(&world, 1);
	assert_saga(&world, "COMPLETING");
	assert_null(world.saga->stuck_reason);
	assert_true(world_sends(&world, 2, FORWARD, 1));
	world_release(&world);
}

/* ---- compensations that fail ---- */
static void is_stuck_when_a_compensation_is_refused(void **state)
{
	struct world world = world_of("cp");

	(void)state;
	world_succeed(&world, 0);
	world_reject(&world, 1);
	assert_applied(world_reply(&world, SAGA_EVENT_REJECTED, 0, COMPENSATION));
	assert_saga(&world, "STUCK");
	assert_step(&world, 0, "COMPENSATION_STUCK");
	assert_string_equal(world.saga->steps[0].reason, "compensation_rejected");
	assert_string_equal(world.saga->stuck_reason,
			    "step 'a' compensation: compensation_rejected: no_luck: not today");
	world_undo(&world, 0);
	assert_saga(&world, "COMPENSATED");
	world_release(&world);
}

static void is_stuck_when_a_compensation_exhausts_its_attempts(void **state)
{
	struct world world = world_of("cp");

	(void)state;
	world_succeed(&world, 0);
	world_reject(&world, 1);
	for (int attempt = 1; attempt <= 3; attempt++) {
		assert_applied(world_reply(&world, SAGA_EVENT_RETRIABLE, 0, COMPENSATION));
		if (attempt == 3)
			break;
		assert_step(&world, 0, "COMPENSATION_RETRY_WAIT");
		assert_true(world_tick(&world));
		assert_true(world_sends(&world, 0, COMPENSATION, attempt + 1));
	}
	assert_saga(&world, "STUCK");
	assert_string_equal(world.saga->stuck_reason,
			    "step 'a' compensation: attempts exhausted (3): no_luck: not today");
	world_release(&world);
}

static void is_stuck_when_a_compensation_is_not_confirmed_in_time(void **state)
{
	struct world world = world_of("cp");

	(void)state;
	world_succeed(&world, 0);
	world_reject(&world, 1);
	world_tick_past_resends(&world);
	assert_saga(&world, "STUCK");
	assert_string_equal(world.saga->stuck_reason, "step 'a' compensation: not confirmed before its deadline");
	assert_string_equal(world.saga->failure_milestone, "b_FAILED");
	world_release(&world);
}

/* ---- late replies ---- */
static void ignores_a_late_success_while_the_step_is_being_compensated(void **state)
{
	struct world world = world_of("ccp");

	(void)state;
	world_succeed(&world, 0);
	world_tick_past_resends(&world);
	assert_step(&world, 1, "COMPENSATING");
	assert_ignored(world_reply(&world, SAGA_EVENT_SUCCEEDED, 1, FORWARD));
	world_undo(&world, 1);
	assert_ignored(world_reply(&world, SAGA_EVENT_SUCCEEDED, 1, FORWARD));
	world_undo(&world, 0);
	assert_ignored(world_reply(&world, SAGA_EVENT_SUCCEEDED, 1, FORWARD));
	assert_string_equal(world.why, "the saga has ended");
	world_release(&world);
}

static void is_stuck_when_a_participant_has_no_barrier(void **state)
{
	struct world world = world_of("ccp");
	struct saga_event none = {
		.type = SAGA_EVENT_SUCCEEDED, .step = 1, .phase = COMPENSATION, .attempt = 1, .has_no_effect = true};

	(void)state;
	world_succeed(&world, 0);
	world_tick_past_resends(&world);
	none.time_us = world.now_us;
	assert_applied(world_apply(&world, &none));
	assert_true(world_sends(&world, 0, COMPENSATION, 1));
	world_succeed(&world, 1);
	assert_saga(&world, "STUCK");
	assert_non_null(strstr(world.saga->stuck_reason, "the participant has no barrier"));
	assert_ignored(world_reply(&world, SAGA_EVENT_SUCCEEDED, 1, FORWARD));
	world_undo(&world, 0); /* what is in hand goes on */
	assert_saga(&world, "STUCK");
	assert_int_equal(saga_due_us(world.saga), 0);
	world_release(&world);
}

static void compensates_a_step_that_succeeded_after_it_was_refused(void **state)
{
	struct world world = world_of("ccp");

	(void)state;
	world_succeed(&world, 0);
	world_reject(&world, 1);
	world_succeed(&world, 1);
	assert_step(&world, 1, "COMPENSATING");
	assert_true(
		world_sends(&world, 1, COMPENSATION, 1)); /* at once: it can no longer come before that of the first */
	world_undo(&world, 0);
	world_undo(&world, 1);
	assert_saga(&world, "COMPENSATED");
	world_release(&world);
}

static void is_stuck_when_a_refused_pivot_succeeds(void **state)
{
	struct world world = world_of("cp");

	(void)state;
	world_succeed(&world, 0);
	world_reject(&world, 1);
	world_succeed(&world, 1);
	assert_saga(&world, "STUCK");
	assert_step(&world, 1, "VIOLATED");
	world_undo(&world, 0);
	assert_saga(&world, "STUCK");
	assert_int_equal(saga_due_us(world.saga), 0);
	world_release(&world);
}

/* ---- cancelling ---- */

static void undoes_what_ran_in_reverse_order_when_cancelled(void **state)
{
	struct world world = world_of("ccpr");

	(void)state;
	world_succeed(&world, 0);
	assert_applied(world_cancel(&world));
	assert_saga(&world, "COMPENSATING");
	assert_true(world_sends(&world, 1, COMPENSATION, 1)); /* its command is out: nobody knows what became of it */
	assert_string_equal(world.saga->steps[1].reason, "cancelled");
	world_undo(&world, 1);
	assert_true(world_sends(&world, 0, COMPENSATION, 1));
	world_undo(&world, 0);
	assert_saga(&world, "COMPENSATED");
	assert_string_equal(world.saga->milestone, "CANCELLED");
	assert_step(&world, 2, "PENDING");
	world_release(&world);
}

static void cancels_a_step_that_was_accepted_or_waits_for_its_retry(void **state)
{
	struct world world = world_of("cp");

	(void)state;
	assert_applied(world_reply(&world, SAGA_EVENT_ACCEPTED, 0, FORWARD));
	assert_applied(world_cancel(&world));
	assert_true(world_sends(&world, 0, COMPENSATION, 1));
	world_release(&world);
	world = world_of("cp");
	assert_applied(world_reply(&world, SAGA_EVENT_RETRIABLE, 0, FORWARD));
	assert_applied(world_cancel(&world));
	assert_true(world_sends(&world, 0, COMPENSATION, 1));
	world_release(&world);
}

static void ends_at_once_when_cancelled_with_nothing_to_undo(void **state)
{
	struct world world = world_of("np");

	(void)state;
	assert_applied(world_cancel(&world));
	assert_saga(&world, "COMPENSATED");
	assert_step(&world, 0, "NOT_NEEDED");
	assert_true(world_has_effect(&world, SAGA_EFFECT_FINISHED));
	world_release(&world);
}

static void refuses_to_be_cancelled_once_the_pivot_has_begun(void **state)
{
	struct world world = world_of("cpr");

	(void)state;
	world_succeed(&world, 0);
	assert_refused(world_cancel(&world));
	assert_string_equal(world.why, "pivot step 'b' has begun: the saga can only go forward");
	assert_saga(&world, "RUNNING");
	world_succeed(&world, 1);
	assert_refused(world_cancel(&world));
	world_succeed(&world, 2);
	assert_refused(world_cancel(&world));
	assert_string_equal(world.why, "the saga has completed");
	world_release(&world);
}

static void refuses_to_be_cancelled_at_a_retriable_step_without_a_pivot(void **state)
{
	struct world world = world_of("cr");

	(void)state;
	world_succeed(&world, 0);
	assert_refused(world_cancel(&world));
	assert_string_equal(world.why, "retriable step 'b' has begun: the saga can only go forward");
	world_reject(&world, 1);
	assert_saga(&world, "STUCK");
	assert_refused(world_cancel(&world));
	world_release(&world);
}

static void ignores_a_second_cancel(void **state)
{
	struct world world = world_of("cp");

	(void)state;
	assert_applied(world_cancel(&world));
	assert_ignored(world_cancel(&world));
	assert_applied(world_reply(&world, SAGA_EVENT_REJECTED, 0, COMPENSATION));
	assert_saga(&world, "STUCK");
	assert_ignored(world_cancel(&world));
	world_undo(&world, 0);
	assert_saga(&world, "COMPENSATED");
	assert_ignored(world_cancel(&world));
	world_release(&world);
}

/* ---- later starts ---- */
static void starts_when_its_time_has_come(void **state)
{
	struct world world;
	struct saga_event early = {.type = SAGA_EVENT_STARTED, .step = -1, .milestone = "STARTED"};
	int32_t step = 0;

	(void)state;
	world_init(&world, "cp");
	world_schedule(&world, world.now_us + 5 * SECOND);
	assert_saga(&world, "SCHEDULED");
	assert_string_equal(world.saga->milestone, "SCHEDULED");
	assert_int_equal(saga_due_us(world.saga), world.now_us + 5 * SECOND);
	early.time_us = world.now_us + 5 * SECOND - 1;
	assert_false(saga_due_event(&world.definition, world.saga, early.time_us, &step, &early));
	assert_ignored(world_apply(&world, &early));
	assert_true(world_tick(&world));
	assert_saga(&world, "RUNNING");
	assert_true(world_sends(&world, 0, FORWARD, 1));
	assert_int_equal(world.saga->version, 2);
	assert_int_equal(world.saga->steps[0].started_us, world.saga->start_us);
	world_release(&world);
}

static void sends_nothing_when_cancelled_before_its_start(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, "cp");
	world_schedule(&world, world.now_us + 5 * SECOND);
	assert_applied(world_cancel(&world));
	assert_saga(&world, "COMPENSATED");
	assert_string_equal(world.saga->milestone, "CANCELLED");
	assert_int_equal(world.effects.count, 1);
	assert_true(world_has_effect(&world, SAGA_EFFECT_FINISHED));
	assert_false(world_tick(&world));
	world_release(&world);
}

static void leaves_the_saga_it_was_given_as_it_was(void **state)
{
	struct world world = world_of("cp");
	struct buffer before = {0};
	struct buffer after = {0};
	const struct saga *saga = world.saga;

	(void)state;
	saga_encode(saga, &before);
	world_succeed(&world, 0);
	world_reject(&world, 1);
	saga_encode(saga, &after);
	assert_true(bytes_equal(buffer_bytes(&before), buffer_bytes(&after)));
	buffer_release(&before);
	buffer_release(&after);
	world_release(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_the_first_command_at_the_start),
		cmocka_unit_test(goes_through_its_steps_and_completes),
		cmocka_unit_test(stays_running_until_the_end_without_a_pivot),
		cmocka_unit_test(completes_at_once_when_the_pivot_is_last),
		cmocka_unit_test(keeps_the_reply_of_a_success),
		cmocka_unit_test(compensates_in_reverse_order_after_a_refusal),
		cmocka_unit_test(ends_with_the_milestone_that_began_the_compensation),
		cmocka_unit_test(is_compensated_at_once_when_nothing_ran),
		cmocka_unit_test(passes_over_steps_without_a_compensation),
		cmocka_unit_test(compensates_when_the_pivot_is_refused),
		cmocka_unit_test(compensates_a_step_whose_outcome_is_unknown),
		cmocka_unit_test(notes_a_compensation_that_found_no_effect),
		cmocka_unit_test(waits_and_tries_again_after_a_retriable_reply),
		cmocka_unit_test(compensates_a_step_whose_attempts_are_exhausted),
		cmocka_unit_test(counts_a_failure_only_for_the_attempt_in_flight),
		cmocka_unit_test(counts_a_success_of_any_attempt),
		cmocka_unit_test(ignores_duplicates),
		cmocka_unit_test(ignores_a_step_that_does_not_exist),
		cmocka_unit_test(sends_again_at_doubled_jittered_intervals),
		cmocka_unit_test(sends_at_once_after_a_restart),
		cmocka_unit_test(stops_sending_what_was_accepted_until_the_deadline),
		cmocka_unit_test(stops_sending_an_accepted_compensation),
		cmocka_unit_test(does_not_time_out_before_the_deadline),
		cmocka_unit_test(never_goes_back_once_the_pivot_is_unknown),
		cmocka_unit_test(is_stuck_when_an_unknown_pivot_is_refused),
		cmocka_unit_test(is_stuck_when_the_pivots_attempts_are_exhausted),
		cmocka_unit_test(is_stuck_when_a_retriable_step_is_refused),
		cmocka_unit_test(is_stuck_when_a_retriable_step_is_refused_without_a_pivot),
		cmocka_unit_test(goes_on_when_the_stuck_step_succeeded_after_all),
		cmocka_unit_test(is_stuck_when_a_compensation_is_refused),
		cmocka_unit_test(is_stuck_when_a_compensation_exhausts_its_attempts),
		cmocka_unit_test(is_stuck_when_a_compensation_is_not_confirmed_in_time),
		cmocka_unit_test(ignores_a_late_success_while_the_step_is_being_compensated),
		cmocka_unit_test(is_stuck_when_a_participant_has_no_barrier),
		cmocka_unit_test(compensates_a_step_that_succeeded_after_it_was_refused),
		cmocka_unit_test(is_stuck_when_a_refused_pivot_succeeds),
		cmocka_unit_test(undoes_what_ran_in_reverse_order_when_cancelled),
		cmocka_unit_test(cancels_a_step_that_was_accepted_or_waits_for_its_retry),
		cmocka_unit_test(ends_at_once_when_cancelled_with_nothing_to_undo),
		cmocka_unit_test(refuses_to_be_cancelled_once_the_pivot_has_begun),
		cmocka_unit_test(refuses_to_be_cancelled_at_a_retriable_step_without_a_pivot),
		cmocka_unit_test(ignores_a_second_cancel),
		cmocka_unit_test(starts_when_its_time_has_come),
		cmocka_unit_test(sends_nothing_when_cancelled_before_its_start),
		cmocka_unit_test(leaves_the_saga_it_was_given_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
