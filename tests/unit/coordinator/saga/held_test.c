/* held_test.c - commands that wait until their participant has room: what happens to attempts, times and the way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/coordinator/saga/saga_fixture.h"

#define SECOND INT64_C(1000000)

static enum saga_verdict apply(struct world *world, enum saga_event_type type, int32_t step, enum step_phase phase)
{
	const struct saga_event event = saga_room_event(type, world->saga, step, phase, world->now_us);

	return world_apply(world, &event);
}

static enum saga_verdict hold(struct world *world, int32_t step, enum step_phase phase)
{
	return apply(world, SAGA_EVENT_HELD, step, phase);
}

static enum saga_verdict let_go(struct world *world, int32_t step, enum step_phase phase)
{
	return apply(world, SAGA_EVENT_RELEASED, step, phase);
}

static void sends_what_waited_as_the_same_attempt_with_all_its_time(void **state)
{
	struct world world = world_of("cc");

	(void)state;
	assert_applied(hold(&world, 0, FORWARD));
	assert_step(&world, 0, "HELD");
	assert_int_equal(world.saga->steps[0].attempts[FORWARD], 0);
	world.now_us += 100 * SECOND;
	assert_applied(let_go(&world, 0, FORWARD));
	assert_step(&world, 0, "DISPATCHED");
	assert_true(world_sends(&world, 0, FORWARD, 1));
	assert_int_equal(world.saga->steps[0].deadline_us, world.now_us + 10 * SECOND);
	world_succeed(&world, 0);
	assert_step(&world, 1, "DISPATCHED");
	world_release(&world);
}

static void is_due_only_so_that_somebody_looks_for_room(void **state)
{
	struct world world = world_of("c");
	struct saga_event event;
	int32_t step = 0;

	(void)state;
	assert_applied(hold(&world, 0, FORWARD));
	assert_int_equal(saga_due_us(world.saga), world.now_us + 10 * SECOND);
	assert_true(saga_due_event(&world.definition, world.saga, world.now_us + 60 * SECOND, &step, &event));
	assert_int_equal(event.type, SAGA_EVENT_RELEASED);
	assert_int_equal(event.step, 0);
	world_release(&world);
}

static void keeps_the_time_that_an_attempt_before_has_left(void **state)
{
	struct world world = world_of("c");
	int64_t left_us;

	(void)state;
	assert_applied(world_reply(&world, SAGA_EVENT_RETRIABLE, 0, FORWARD));
	assert_true(world_tick(&world));
	assert_true(world_sends(&world, 0, FORWARD, 2));
	left_us = world.saga->steps[0].deadline_us - world.now_us;
	assert_applied(hold(&world, 0, FORWARD));
	world.now_us += 30 * SECOND;
	assert_applied(let_go(&world, 0, FORWARD));
	assert_true(world_sends(&world, 0, FORWARD, 2));
	assert_int_equal(world.saga->steps[0].deadline_us - world.now_us, left_us);
	world_release(&world);
}

static void has_nothing_to_undo_of_what_was_never_sent(void **state)
{
	struct world world = world_of("cc");

	(void)state;
	world_succeed(&world, 0);
	assert_applied(hold(&world, 1, FORWARD));
	assert_applied(world_cancel(&world));
	assert_step(&world, 1, "NOT_NEEDED");
	assert_step(&world, 0, "COMPENSATING");
	assert_false(world_sends(&world, 1, COMPENSATION, 1));
	world_release(&world);
}

static void undoes_what_an_earlier_attempt_may_have_done(void **state)
{
	struct world world = world_of("c");

	(void)state;
	assert_applied(world_reply(&world, SAGA_EVENT_RETRIABLE, 0, FORWARD));
	assert_true(world_tick(&world));
	assert_applied(hold(&world, 0, FORWARD));
	assert_applied(world_cancel(&world));
	assert_step(&world, 0, "COMPENSATING");
	world_release(&world);
}

static void takes_a_late_success_of_an_earlier_attempt_only(void **state)
{
	struct world world = world_of("cc");

	(void)state;
	assert_applied(hold(&world, 0, FORWARD));
	assert_ignored(world_reply(&world, SAGA_EVENT_SUCCEEDED, 0, FORWARD));
	assert_applied(let_go(&world, 0, FORWARD));
	assert_applied(world_reply(&world, SAGA_EVENT_RETRIABLE, 0, FORWARD));
	assert_true(world_tick(&world));
	assert_applied(hold(&world, 0, FORWARD));
	assert_ignored(world_reply(&world, SAGA_EVENT_REJECTED, 0, FORWARD));
	assert_applied(world_reply(&world, SAGA_EVENT_SUCCEEDED, 0, FORWARD));
	assert_step(&world, 0, "SUCCEEDED");
	world_release(&world);
}

static void holds_compensations_too(void **state)
{
	struct world world = world_of("cc");

	(void)state;
	world_succeed(&world, 0);
	world_reject(&world, 1);
	assert_step(&world, 0, "COMPENSATING");
	assert_applied(hold(&world, 0, COMPENSATION));
	assert_step(&world, 0, "COMPENSATION_HELD");
	world.now_us += 48 * 3600 * SECOND;
	assert_applied(let_go(&world, 0, COMPENSATION));
	assert_true(world_sends(&world, 0, COMPENSATION, 1));
	world_undo(&world, 0);
	assert_saga(&world, "COMPENSATED");
	world_release(&world);
}

static void holds_nothing_that_was_sent(void **state)
{
	struct world world = world_of("c");

	(void)state;
	assert_true(world_tick(&world)); /* re-sent */
	assert_int_equal(world.saga->steps[0].resends, 1);
	assert_ignored(hold(&world, 0, FORWARD));
	world_release(&world);
}

static void stays_where_it_is_while_the_saga_is_paused(void **state)
{
	struct world world = world_of("c");
	struct saga_event event;

	(void)state;
	assert_applied(hold(&world, 0, FORWARD));
	event = saga_request_event(SAGA_EVENT_PAUSED, -1, world.now_us, "later");
	assert_applied(world_apply(&world, &event));
	assert_int_equal(saga_due_us(world.saga), 0);
	assert_ignored(let_go(&world, 0, FORWARD));
	world.now_us += 20 * SECOND;
	event = saga_request_event(SAGA_EVENT_RESUMED, -1, world.now_us, "now");
	assert_applied(world_apply(&world, &event));
	assert_int_equal(saga_due_us(world.saga), world.now_us);
	assert_applied(let_go(&world, 0, FORWARD));
	assert_int_equal(world.saga->steps[0].deadline_us, world.now_us + 10 * SECOND);
	world_release(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_what_waited_as_the_same_attempt_with_all_its_time),
		cmocka_unit_test(is_due_only_so_that_somebody_looks_for_room),
		cmocka_unit_test(keeps_the_time_that_an_attempt_before_has_left),
		cmocka_unit_test(has_nothing_to_undo_of_what_was_never_sent),
		cmocka_unit_test(undoes_what_an_earlier_attempt_may_have_done),
		cmocka_unit_test(takes_a_late_success_of_an_earlier_attempt_only),
		cmocka_unit_test(holds_compensations_too),
		cmocka_unit_test(holds_nothing_that_was_sent),
		cmocka_unit_test(stays_where_it_is_while_the_saga_is_paused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
