/* effect_rules_test.c - for each thing that a coordinator can hold of a step: the inbox rows that fit, and those that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "coordinator/check/effect_rules.h"
#include "tests/unit/coordinator/saga/saga_fixture.h"

#define ROW(its_outcome)                                                                                               \
	(struct effect)                                                                                                \
	{                                                                                                              \
		.is_there = true, .outcome = EFFECT_##its_outcome                                                      \
	}
#define NO_EFFECT                                                                                                      \
	(struct effect)                                                                                                \
	{                                                                                                              \
		.is_there = true, .outcome = EFFECT_SUCCEEDED, .has_no_effect = true                                   \
	}
#define NO_ROW                                                                                                         \
	(struct effect)                                                                                                \
	{                                                                                                              \
		0                                                                                                      \
	}

static const char *judge(struct world *world, int32_t step, struct effect forward, struct effect compensation)
{
	const struct step_effects effects = {forward, compensation, true};
	struct step_effects asked = effects;

	asked.forward.is_asked = asked.compensation.is_asked = true;
	return effect_missing(&world->definition, world->saga, step, &asked, &world->arena);
}

static void assert_good(struct world *world, int32_t step, struct effect forward, struct effect compensation)
{
	const char *why = judge(world, step, forward, compensation);

	if (why)
		fail_msg("%s", why);
}

static void assert_bad(struct world *world, int32_t step, struct effect forward, struct effect compensation,
		       const char *words)
{
	const char *why = judge(world, step, forward, compensation);

	assert_non_null(why);
	if (!strstr(why, words))
		fail_msg("'%s' does not say '%s'", why, words);
}

static void a_step_in_flight_may_have_happened_or_not(void **state)
{
	struct world world = world_of("ccp");

	(void)state;
	assert_good(&world, 0, NO_ROW, NO_ROW);
	assert_good(&world, 0, ROW(SUCCEEDED), NO_ROW);
	assert_good(&world, 0, ROW(REJECTED), NO_ROW);
	assert_bad(&world, 0, ROW(OPEN), NO_ROW, "I6: its inbox row has no reply");
	world_release(&world);
}

static void a_step_that_is_done_has_its_effect(void **state)
{
	struct world world = world_of("ccp");

	(void)state;
	world_succeed(&world, 0);
	assert_good(&world, 0, ROW(SUCCEEDED), NO_ROW);
	assert_bad(&world, 0, NO_ROW, NO_ROW, "I4: the coordinator holds it done, and its inbox knows nothing of it");
	assert_bad(&world, 0, ROW(REJECTED), NO_ROW, "I6: the coordinator holds it done, its inbox says rejected");
	world_release(&world);
}

static void a_step_that_was_refused_has_none(void **state)
{
	struct world world = world_of("ccp");

	(void)state;
	world_succeed(&world, 0);
	world_reject(&world, 1);
	assert_good(&world, 1, ROW(REJECTED), NO_ROW);
	assert_bad(&world, 1, NO_ROW, NO_ROW, "I4");
	assert_bad(&world, 1, ROW(SUCCEEDED), NO_ROW, "I6: the coordinator holds it refused, its inbox says succeeded");
	world_release(&world);
}

static void what_was_undone_was_done_before(void **state)
{
	struct world world = world_of("ccp");

	(void)state;
	world_succeed(&world, 0);
	world_reject(&world, 1);
	world_undo(&world, 0);
	assert_good(&world, 0, ROW(SUCCEEDED), ROW(SUCCEEDED));
	assert_bad(&world, 0, ROW(SUCCEEDED), NO_ROW, "I3: the coordinator holds it undone");
	assert_bad(&world, 0, NO_ROW, ROW(SUCCEEDED), "I3: something was undone that its inbox has no command for");
	assert_bad(&world, 0, ROW(TOMBSTONE), ROW(SUCCEEDED), "I3: something was undone that was never done");
	assert_bad(&world, 0, ROW(SUCCEEDED), NO_EFFECT, "I6");
	assert_bad(&world, 0, ROW(SUCCEEDED), ROW(REJECTED), "I3: its compensation is stored as something else");
	assert_bad(&world, 0, ROW(TOMBSTONE), NO_ROW, "I3: its inbox has a tombstone");
	world_release(&world);
}

/* The first step's outcome stays unknown, and its participant finds nothing to undo. */
static struct world nothing_to_undo(void)
{
	struct world world = world_of("ccp");
	struct saga_event event = {
		.type = SAGA_EVENT_SUCCEEDED, .step = 0, .phase = COMPENSATION, .attempt = 1, .has_no_effect = true};

	assert_applied(world_cancel(&world));
	event.time_us = world.now_us;
	assert_applied(world_apply(&world, &event));
	assert_step(&world, 0, "NOT_NEEDED");
	return world;
}

static void a_compensation_that_came_first_left_a_tombstone(void **state)
{
	struct world world = nothing_to_undo();

	(void)state;
	assert_good(&world, 0, ROW(TOMBSTONE), NO_EFFECT);
	assert_good(&world, 0, ROW(REJECTED), NO_EFFECT);
	assert_bad(&world, 0, NO_ROW, NO_EFFECT, "I3: it was compensated before its command came, without a tombstone");
	assert_bad(&world, 0, ROW(SUCCEEDED), ROW(SUCCEEDED), "I6: the coordinator was told that there was nothing");
	assert_bad(&world, 0, ROW(SUCCEEDED), NO_ROW, "I3: the coordinator holds its compensation answered");
	world_release(&world);
}

static void an_inquiry_may_leave_a_tombstone(void **state)
{
	struct world world = world_of("ccp");
	struct step *step;

	(void)state;
	world_reject(&world, 0);
	step = &world.saga->steps[0];
	assert_bad(&world, 0, ROW(TOMBSTONE), NO_ROW, "I3: its inbox has a tombstone");
	step->attempts[STEP_PHASE_INQUIRY] = 1;
	assert_good(&world, 0, ROW(TOMBSTONE), NO_ROW);
	assert_good(&world, 0, ROW(REJECTED), NO_ROW);
	assert_bad(&world, 0, NO_ROW, NO_ROW, "I4: the coordinator holds it refused");
	assert_null(effect_undecided(world.saga, 0, FORWARD, EFFECT_TOMBSTONE));
	world_release(&world);
}

static void a_saga_that_went_back_leaves_no_effect(void **state)
{
	struct world world = world_of("ccp");

	(void)state;
	world_succeed(&world, 0);
	world_reject(&world, 1);
	world_undo(&world, 0);
	world.saga->steps[0].state = STEP_STATE_UNKNOWN; /* as no core would leave it */
	assert_bad(&world, 0, ROW(SUCCEEDED), NO_ROW, "I4: the saga is compensated, and the step's effect stands");
	world_release(&world);
}

static void an_inbox_that_was_not_looked_at_tells_nothing(void **state)
{
	struct world world = world_of("ccp");
	const struct step_effects unknown = {0};

	(void)state;
	world_succeed(&world, 0);
	assert_null(effect_missing(&world.definition, world.saga, 0, &unknown, &world.arena));
	world_release(&world);
}

static void a_command_that_was_never_decided_is_found(void **state)
{
	struct world world = world_of("ccp");

	(void)state;
	assert_null(effect_undecided(world.saga, 0, FORWARD, EFFECT_SUCCEEDED));
	assert_string_equal(effect_undecided(world.saga, 1, FORWARD, EFFECT_SUCCEEDED),
			    "I7: its inbox has a command that the saga never decided");
	assert_string_equal(effect_undecided(world.saga, 0, COMPENSATION, EFFECT_SUCCEEDED),
			    "I3: its inbox has a compensation that the saga never asked for");
	assert_non_null(effect_undecided(world.saga, 1, FORWARD, EFFECT_TOMBSTONE));
	world_release(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_step_in_flight_may_have_happened_or_not),
		cmocka_unit_test(a_step_that_is_done_has_its_effect),
		cmocka_unit_test(a_step_that_was_refused_has_none),
		cmocka_unit_test(what_was_undone_was_done_before),
		cmocka_unit_test(a_compensation_that_came_first_left_a_tombstone),
		cmocka_unit_test(an_inquiry_may_leave_a_tombstone),
		cmocka_unit_test(a_saga_that_went_back_leaves_no_effect),
		cmocka_unit_test(an_inbox_that_was_not_looked_at_tells_nothing),
		cmocka_unit_test(a_command_that_was_never_decided_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
