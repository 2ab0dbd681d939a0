/* course_test.c - steps in parallel, steps that wait, pauses and deadlines, and what an operator decides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "tests/unit/coordinator/saga/saga_fixture.h"

#define SECOND INT64_C(1000000)

static enum saga_verdict request(struct world *world, enum saga_event_type type, int32_t step)
{
	const struct saga_event event = saga_request_event(type, step, world->now_us, "because");

	return world_apply(world, &event);
}

static enum saga_verdict signal_step(struct world *world, int32_t step)
{
	const struct saga_event event = {.type = SAGA_EVENT_SIGNALLED,
					 .time_us = world->now_us,
					 .step = step,
					 .milestone = "SIGNALLED",
					 .reply = bytes_of_text(world->steps[step].has_value ? "yes" : "")};

	return world_apply(world, &event);
}

static bool sends(const struct world *world, int32_t step, enum step_phase phase)
{
	for (size_t i = 0; i < world->effects.count; i++)
		if (world->effects.items[i].type == SAGA_EFFECT_SEND_COMMAND && world->effects.items[i].step == step &&
		    world->effects.items[i].phase == phase)
			return true;
	return false;
}

/* ---- parallel ---- */
static void begins_steps_in_parallel_at_once_and_waits_for_all(void **state)
{
	struct world world = world_of("c(cc)p");

	(void)state;
	world_succeed(&world, 0);
	assert_int_equal(world.effects.count, 2);
	assert_true(sends(&world, 1, FORWARD) && sends(&world, 2, FORWARD));
	world_succeed(&world, 2);
	assert_int_equal(world.effects.count, 0);
	assert_step(&world, 3, "PENDING");
	world_succeed(&world, 1);
	assert_true(world_sends(&world, 3, FORWARD, 1));
	world_succeed(&world, 3);
	assert_saga(&world, "COMPLETED");
	world_release(&world);
}

static void undoes_steps_in_parallel_together_and_then_what_was_before(void **state)
{
	struct world world = world_of("c(cc)p");

	(void)state;
	world_succeed(&world, 0);
	world_succeed(&world, 1);
	world_succeed(&world, 2);
	world_reject(&world, 3);
	assert_int_equal(world.effects.count, 2);
	assert_true(sends(&world, 1, COMPENSATION) && sends(&world, 2, COMPENSATION));
	world_undo(&world, 1);
	assert_int_equal(world.effects.count, 0);
	world_undo(&world, 2);
	assert_true(world_sends(&world, 0, COMPENSATION, 1));
	world_undo(&world, 0);
	assert_saga(&world, "COMPENSATED");
	world_release(&world);
}

static void undoes_in_order_over_a_step_that_was_skipped(void **state)
{
	struct world world = world_of("cocp");

	(void)state;
	world_succeed(&world, 0);
	assert_true(world_tick(&world)); /* the signal does not come */
	assert_step(&world, 1, "SKIPPED");
	world_succeed(&world, 2);
	world_reject(&world, 3);
	assert_true(world_sends(&world, 2, COMPENSATION, 1));
	world_undo(&world, 2);
	assert_true(world_sends(&world, 0, COMPENSATION, 1));
	world_undo(&world, 0);
	assert_saga(&world, "COMPENSATED");
	world_release(&world);
}

static void undoes_what_is_in_flight_beside_a_refused_step(void **state)
{
	struct world world = world_of("c(cc)p");

	(void)state;
	world_succeed(&world, 0);
	world_reject(&world, 1);
	assert_saga(&world, "COMPENSATING");
	assert_true(world_sends(&world, 2, COMPENSATION, 1)); /* it may have happened */
	assert_string_equal(world.saga->steps[2].reason, "turned_back");
	assert_string_equal(world.saga->steps[2].detail, "because of step 'b'");
	world_undo(&world, 2);
	world_undo(&world, 0);
	assert_saga(&world, "COMPENSATED");
	world_release(&world);
}

static void follows_any_partial_order(void **state)
{
	static const int32_t after_a[] = {0};
	static const int32_t after_b_and_c[] = {1, 2};
	struct world world;

	(void)state;
	world_init(&world, "ccccp"); /* a; then b, then d after b and c, with c beside b */
	world.steps[1].after = after_a;
	world.steps[2].after = after_a;
	world.steps[2].after_count = 1;
	world.steps[3].after = after_b_and_c;
	world.steps[3].after_count = 2;
	world_start(&world);
	world_succeed(&world, 0);
	world_succeed(&world, 1);
	assert_step(&world, 3, "PENDING");
	world_succeed(&world, 2);
	assert_true(world_sends(&world, 3, FORWARD, 1));
	world_release(&world);
}

static void is_stuck_at_once_while_the_steps_beside_it_go_on(void **state)
{
	struct world world = world_of("p(rr)r");

	(void)state;
	world_succeed(&world, 0);
	world_reject(&world, 1);
	assert_saga(&world, "STUCK");
	assert_true(saga_due_us(world.saga) > 0); /* the other is still pursued */
	assert_true(world_tick(&world));
	assert_true(world_sends(&world, 2, FORWARD, 1));
	world_succeed(&world, 2);
	assert_saga(&world, "STUCK");
	assert_int_equal(saga_due_us(world.saga), 0);
	world_succeed(&world, 1);
	assert_saga(&world, "COMPLETING");
	assert_true(world_sends(&world, 3, FORWARD, 1));
	world_release(&world);
}

static void says_how_many_steps_are_stuck(void **state)
{
	struct world world = world_of("p(rr)");

	(void)state;
	world_succeed(&world, 0);
	world_reject(&world, 2);
	assert_string_equal(world.saga->stuck_reason, "step 'c' forward: rejected: no_luck: not today");
	world_reject(&world, 1);
	assert_string_equal(world.saga->stuck_reason,
			    "step 'b' forward: rejected: no_luck: not today (1 more step is stuck)");
	world_release(&world);
}

static void sends_all_that_is_in_flight_after_a_restart(void **state)
{
	struct world world = world_of("(cc)p");
	struct saga_event event;
	int32_t step = 0;

	(void)state;
	assert_true(saga_resend_event(world.saga, world.now_us, &step, &event));
	assert_int_equal(event.step, 0);
	assert_true(saga_resend_event(world.saga, world.now_us, &step, &event));
	assert_int_equal(event.step, 1);
	assert_false(saga_resend_event(world.saga, world.now_us, &step, &event));
	world_release(&world);
}

static void refuses_an_order_that_leaves_something_behind_the_pivot(void **state)
{
	struct world world;
	struct error err;

	(void)state;
	world_init(&world, "ccp");
	world.steps[1].after_count = 0;
	assert_int_equal(definition_check(&world.definition, &err), -1);
	assert_string_equal(err.msg, "pivot step 'c' must come after compensatable step 'a'");
	world_release(&world);
	world_init(&world, "ccp");
	world.steps[1].after = (const int32_t[]){1};
	assert_int_equal(definition_check(&world.definition, &err), -1);
	assert_string_equal(err.msg, "step 'b' must come after steps before it, in their order");
	world_release(&world);
}

/* ---- waiting ---- */
static void waits_for_a_signal(void **state)
{
	struct world world = world_of("cvcp");

	(void)state;
	world_succeed(&world, 0);
	assert_step(&world, 1, "WAITING");
	assert_int_equal(world.effects.count, 0);
	assert_int_equal(saga_due_us(world.saga), world.now_us + 10 * SECOND);
	assert_applied(signal_step(&world, 1));
	assert_true(bytes_equal_text(world.saga->steps[1].reply, "yes"));
	assert_true(world_sends(&world, 2, FORWARD, 1));
	assert_ignored(signal_step(&world, 1));
	world_release(&world);
}

static void keeps_a_signal_that_comes_before_its_step(void **state)
{
	struct world world = world_of("cscp");

	(void)state;
	assert_applied(signal_step(&world, 1));
	assert_step(&world, 1, "PENDING");
	assert_ignored(signal_step(&world, 1));
	assert_string_equal(world.why, "duplicate: the signal has come before");
	world_succeed(&world, 0);
	assert_step(&world, 1, "SUCCEEDED");
	assert_true(world_sends(&world, 2, FORWARD, 1));
	world_release(&world);
}

static void keeps_what_a_signal_brings_and_nothing_that_it_should_not(void **state)
{
	struct world world = world_of("cvscp");
	struct saga_event event = {.type = SAGA_EVENT_SIGNALLED, .time_us = world.now_us, .step = 1};
	struct saga *decoded;
	struct buffer row = {0};
	struct error err;

	(void)state;
	assert_ignored(world_apply(&world, &event));
	assert_string_equal(world.why, "the signal has to bring a value");
	event.step = 2;
	event.reply = bytes_of_text("no");
	assert_ignored(world_apply(&world, &event));
	assert_string_equal(world.why, "the signal brings no value");
	assert_applied(signal_step(&world, 1)); /* before its step has begun */
	saga_encode(world.saga, &row);
	assert_int_equal(saga_decode(&world.definition, buffer_bytes(&row), &world.arena, &decoded, &err), 0);
	assert_true(bytes_equal_text(decoded->steps[1].reply, "yes"));
	decoded->steps[1].reply.len = 0;
	buffer_clear(&row);
	saga_encode(decoded, &row);
	assert_int_equal(saga_decode(&world.definition, buffer_bytes(&row), &world.arena, &decoded, &err), -1);
	assert_non_null(strstr(err.msg, "I8: exactly a signal that brings a value has left one"));
	world_succeed(&world, 0);
	assert_step(&world, 1, "SUCCEEDED");
	assert_true(bytes_equal_text(world.saga->steps[1].reply, "yes"));
	buffer_release(&row);
	world_release(&world);
}

static void goes_back_when_no_signal_comes_in_time(void **state)
{
	struct world world = world_of("cscp");

	(void)state;
	world_succeed(&world, 0);
	assert_true(world_tick(&world));
	assert_step(&world, 1, "REJECTED");
	assert_string_equal(world.saga->steps[1].reason, "timed_out");
	assert_saga(&world, "COMPENSATING");
	assert_true(world_sends(&world, 0, COMPENSATION, 1));
	assert_ignored(signal_step(&world, 1));
	world_release(&world);
}

static void goes_on_without_an_optional_signal_and_after_a_delay(void **state)
{
	struct world world = world_of("odp");
	struct saga_event event;
	int32_t step = 0;

	(void)state;
	assert_true(world_tick(&world));
	assert_step(&world, 0, "SKIPPED");
	assert_step(&world, 1, "WAITING");
	assert_ignored(signal_step(&world, 1));
	assert_string_equal(world.why, "the step waits for no signal");
	assert_true(saga_due_event(&world.definition, world.saga, saga_due_us(world.saga), &step, &event));
	assert_string_equal(saga_event_name(event.type), "elapsed"); /* as planned: nothing is late */
	event.time_us--;
	assert_ignored(world_apply(&world, &event));
	assert_true(world_tick(&world));
	assert_step(&world, 1, "SUCCEEDED");
	assert_true(world_sends(&world, 2, FORWARD, 1));
	world_release(&world);
}

static void is_stuck_without_a_signal_past_the_pivot_until_it_comes(void **state)
{
	struct world world = world_of("pw");

	(void)state;
	world_succeed(&world, 0);
	assert_true(world_tick(&world));
	assert_saga(&world, "STUCK");
	assert_applied(signal_step(&world, 1));
	assert_saga(&world, "COMPLETED");
	world_release(&world);
}

static void has_nothing_to_undo_of_a_step_that_waited(void **state)
{
	struct world world = world_of("csp");

	(void)state;
	world_succeed(&world, 0);
	assert_applied(world_cancel(&world));
	assert_step(&world, 1, "NOT_NEEDED");
	assert_true(world_sends(&world, 0, COMPENSATION, 1));
	world_release(&world);
}

/* ---- the saga's deadline ---- */
static void turns_back_when_the_saga_is_overdue(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, "ccp");
	world.definition.timeout_ms = 500; /* before the first re-send */
	world_start(&world);
	assert_int_equal(saga_due_us(world.saga), world.now_us + SECOND / 2);
	world_succeed(&world, 0);
	assert_true(world_tick(&world));
	assert_saga(&world, "COMPENSATING");
	assert_string_equal(world.saga->milestone, "OVERDUE");
	assert_string_equal(world.saga->steps[1].reason, "overdue");
	assert_int_equal(world.saga->deadline_us, 0);
	world_release(&world);
}

static void forgets_its_deadline_where_it_can_only_go_forward(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, "cp");
	world.definition.timeout_ms = 500;
	world_start(&world);
	world_succeed(&world, 0);
	assert_int_equal(world.saga->deadline_us, 0);
	assert_ignored(request(&world, SAGA_EVENT_OVERDUE, -1));
	world_release(&world);
}

/* ---- pauses ---- */
static void sends_nothing_while_it_is_paused(void **state)
{
	struct world world = world_of("ccp");
	const int64_t deadline_us = world.saga->steps[0].deadline_us;

	(void)state;
	assert_applied(request(&world, SAGA_EVENT_PAUSED, -1));
	assert_saga(&world, "RUNNING");
	assert_int_equal(saga_due_us(world.saga), 0);
	assert_ignored(request(&world, SAGA_EVENT_PAUSED, -1));
	world.now_us += 3600 * SECOND;
	assert_ignored(world_reply(&world, SAGA_EVENT_TIMED_OUT, 0, FORWARD));
	assert_string_equal(world.why, "the saga is paused");
	assert_applied(request(&world, SAGA_EVENT_RESUMED, -1));
	assert_int_equal(world.saga->steps[0].deadline_us, deadline_us + 3600 * SECOND);
	assert_int_equal(saga_due_us(world.saga), world.now_us); /* sent again at once */
	assert_ignored(request(&world, SAGA_EVENT_RESUMED, -1));
	world_release(&world);
}

static void takes_replies_while_paused_and_goes_on_when_resumed(void **state)
{
	struct world world = world_of("ccp");

	(void)state;
	assert_applied(request(&world, SAGA_EVENT_PAUSED, -1));
	world_succeed(&world, 0);
	assert_int_equal(world.effects.count, 0);
	assert_step(&world, 1, "PENDING");
	assert_applied(request(&world, SAGA_EVENT_RESUMED, -1));
	assert_true(world_sends(&world, 1, FORWARD, 1));
	assert_applied(request(&world, SAGA_EVENT_PAUSED, -1));
	world_reject(&world, 1);
	assert_saga(&world, "COMPENSATING");
	assert_int_equal(world.effects.count, 0);
	assert_applied(request(&world, SAGA_EVENT_RESUMED, -1));
	assert_true(world_sends(&world, 0, COMPENSATION, 1));
	world_release(&world);
}

/* ---- what an operator decides ---- */
static struct world world_with_a_stuck_compensation(void)
{
	struct world world = world_of("ccp");

	world_succeed(&world, 0);
	world_succeed(&world, 1);
	world_reject(&world, 2);
	assert_applied(world_reply(&world, SAGA_EVENT_REJECTED, 1, COMPENSATION));
	assert_saga(&world, "STUCK");
	return world;
}

static void tries_a_stuck_step_again_with_all_its_attempts(void **state)
{
	struct world world = world_with_a_stuck_compensation();

	(void)state;
	world.now_us += 3600 * SECOND;
	assert_applied(request(&world, SAGA_EVENT_RETRY_REQUESTED, -1));
	assert_saga(&world, "COMPENSATING");
	assert_true(world_sends(&world, 1, COMPENSATION, 2));
	for (int i = 0; i < 2; i++) {
		assert_applied(world_reply(&world, SAGA_EVENT_RETRIABLE, 1, COMPENSATION));
		assert_true(world_tick(&world));
	}
	assert_applied(world_reply(&world, SAGA_EVENT_RETRIABLE, 1, COMPENSATION));
	assert_saga(&world, "STUCK");
	assert_applied(request(&world, SAGA_EVENT_RETRY_REQUESTED, -1));
	world_undo(&world, 1);
	world_undo(&world, 0);
	assert_saga(&world, "COMPENSATED");
	world_release(&world);
}

static void goes_on_without_a_stuck_step_that_is_skipped(void **state)
{
	struct world world = world_with_a_stuck_compensation();

	(void)state;
	assert_refused(request(&world, SAGA_EVENT_SKIP_REQUESTED, 0));
	assert_string_equal(world.why, "step 'a' is not stuck, it is SUCCEEDED");
	assert_refused(request(&world, SAGA_EVENT_SKIP_REQUESTED, -1));
	assert_refused(request(&world, SAGA_EVENT_SKIP_REQUESTED, (int32_t)world.saga->step_count));
	assert_applied(request(&world, SAGA_EVENT_SKIP_REQUESTED, 1));
	assert_step(&world, 1, "SKIPPED");
	assert_saga(&world, "COMPENSATING");
	assert_true(world_sends(&world, 0, COMPENSATION, 1));
	world_release(&world);
}

static void skips_a_stuck_step_on_the_way_forward(void **state)
{
	struct world world = world_of("prr");

	(void)state;
	world_succeed(&world, 0);
	world_reject(&world, 1);
	world.steps[1].is_reply_needed = true;
	assert_refused(request(&world, SAGA_EVENT_SKIP_REQUESTED, 1));
	assert_string_equal(world.why, "later commands take fields from the reply of step 'b'");
	world.steps[1].is_reply_needed = false;
	assert_applied(request(&world, SAGA_EVENT_SKIP_REQUESTED, 1));
	assert_saga(&world, "COMPLETING");
	assert_true(world_sends(&world, 2, FORWARD, 1));
	world_release(&world);
}

static void ends_as_an_operator_resolves_it(void **state)
{
	static const struct {
		enum saga_event_type type;
		const char *state;
	} ways[] = {{SAGA_EVENT_RESOLVED_COMPLETED, "COMPLETED"},
		    {SAGA_EVENT_RESOLVED_COMPENSATED, "COMPENSATED"},
		    {SAGA_EVENT_RESOLVED_FAILED, "FAILED"}};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct world world = world_with_a_stuck_compensation();

		assert_applied(request(&world, ways[i].type, -1));
		assert_saga(&world, ways[i].state);
		assert_true(world_has_effect(&world, SAGA_EFFECT_FINISHED));
		assert_null(world.saga->stuck_reason);
		assert_int_equal(saga_due_us(world.saga), 0);
		assert_ignored(request(&world, ways[i].type, -1)); /* harmless to repeat */
		assert_refused(request(&world, ways[(i + 1) % 3].type, -1));
		assert_ignored(world_reply(&world, SAGA_EVENT_SUCCEEDED, 1, COMPENSATION));
		world_release(&world);
	}
}

static void decides_nothing_about_a_saga_that_is_not_stuck(void **state)
{
	struct world world = world_of("cp");

	(void)state;
	for (int type = SAGA_EVENT_RETRY_REQUESTED; type <= SAGA_EVENT_RESOLVED_FAILED; type++) {
		assert_refused(request(&world, (enum saga_event_type)type, 0));
		assert_string_equal(world.why, "the saga is not stuck");
	}
	world_release(&world);
}

static void offers_no_other_try_where_none_can_help(void **state)
{
	struct world world = world_of("cp");

	(void)state;
	world_succeed(&world, 0);
	world_reject(&world, 1);
	world_undo(&world, 0);
	assert_saga(&world, "COMPENSATED");
	world_release(&world);
	world = world_of("cp");
	world_succeed(&world, 0);
	world_reject(&world, 1);
	world_succeed(&world, 1); /* the refused pivot */
	world_undo(&world, 0);
	assert_refused(request(&world, SAGA_EVENT_RETRY_REQUESTED, -1));
	assert_applied(request(&world, SAGA_EVENT_SKIP_REQUESTED, 1));
	assert_saga(&world, "COMPENSATED");
	world_release(&world);
}

/* Its outcome was unknown for a while, so the saga could not go back by itself; now it is known to have had no effect. */
static void turns_back_from_a_refused_pivot_when_a_person_says_so(void **state)
{
	struct world world = world_of("cp");

	(void)state;
	world_succeed(&world, 0);
	world_tick_past_resends(&world);
	assert_saga(&world, "COMPLETING");
	assert_refused(world_cancel(&world));
	world_reject(&world, 1);
	assert_saga(&world, "STUCK");
	assert_applied(world_cancel(&world));
	assert_saga(&world, "COMPENSATING");
	assert_true(world_sends(&world, 0, COMPENSATION, 1));
	world_undo(&world, 0);
	assert_saga(&world, "COMPENSATED");
	world_release(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_steps_in_parallel_at_once_and_waits_for_all),
		cmocka_unit_test(undoes_steps_in_parallel_together_and_then_what_was_before),
		cmocka_unit_test(undoes_in_order_over_a_step_that_was_skipped),
		cmocka_unit_test(undoes_what_is_in_flight_beside_a_refused_step),
		cmocka_unit_test(follows_any_partial_order),
		cmocka_unit_test(is_stuck_at_once_while_the_steps_beside_it_go_on),
		cmocka_unit_test(says_how_many_steps_are_stuck),
		cmocka_unit_test(sends_all_that_is_in_flight_after_a_restart),
		cmocka_unit_test(refuses_an_order_that_leaves_something_behind_the_pivot),
		cmocka_unit_test(waits_for_a_signal),
		cmocka_unit_test(keeps_a_signal_that_comes_before_its_step),
		cmocka_unit_test(keeps_what_a_signal_brings_and_nothing_that_it_should_not),
		cmocka_unit_test(goes_back_when_no_signal_comes_in_time),
		cmocka_unit_test(goes_on_without_an_optional_signal_and_after_a_delay),
		cmocka_unit_test(is_stuck_without_a_signal_past_the_pivot_until_it_comes),
		cmocka_unit_test(has_nothing_to_undo_of_a_step_that_waited),
		cmocka_unit_test(turns_back_when_the_saga_is_overdue),
		cmocka_unit_test(forgets_its_deadline_where_it_can_only_go_forward),
		cmocka_unit_test(sends_nothing_while_it_is_paused),
		cmocka_unit_test(takes_replies_while_paused_and_goes_on_when_resumed),
		cmocka_unit_test(tries_a_stuck_step_again_with_all_its_attempts),
		cmocka_unit_test(goes_on_without_a_stuck_step_that_is_skipped),
		cmocka_unit_test(skips_a_stuck_step_on_the_way_forward),
		cmocka_unit_test(ends_as_an_operator_resolves_it),
		cmocka_unit_test(decides_nothing_about_a_saga_that_is_not_stuck),
		cmocka_unit_test(offers_no_other_try_where_none_can_help),
		cmocka_unit_test(turns_back_from_a_refused_pivot_when_a_person_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
