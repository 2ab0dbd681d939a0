/*
 * machine_test.c - the table is whole, and every state that a small saga can reach takes every event.
 *
 * How:        from the start of several small definitions, all events of all steps, phases and attempts are applied to
 *             every state found so far, until no new one is found. saga_apply() itself asserts that each move is legal and
 *             that the invariant holds after it; what is left to check here is what must not change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "coordinator/saga/machine.h"
#include "lib/base/memory.h"
#include "tests/unit/coordinator/saga/saga_fixture.h"

enum { FOUND_MAX = 60000, BUCKETS = 1 << 17 };

struct explorer {
	struct world *world;
	const struct saga **found;
	size_t count;
	uint64_t *seen; /* hashes of what was found; open addressing */
	bool taken_by_saga[SAGA_STATE_COUNT][SAGA_EVENT_COUNT];
	bool refused[SAGA_STATE_COUNT][SAGA_EVENT_COUNT];
	bool taken[STEP_STATE_COUNT][STEP_PHASE_COUNT][SAGA_EVENT_COUNT];
	bool reached[SAGA_STATE_COUNT];
};

/* What decides what happens next, without times and texts. */
static uint64_t hash_saga(const struct saga *saga)
{
	uint64_t hash = UINT64_C(1469598103934665603);

#define MIX(number) (hash = (hash ^ (uint64_t)(number)) * UINT64_C(1099511628211), hash ^= hash >> 29)
	MIX(saga->state);
	MIX(saga->is_decided * 4 + saga->is_resolved * 2 + (saga->paused_us != 0));
	MIX(saga->failure_milestone != NULL);
	MIX(saga->deadline_us != 0);
	for (size_t i = 0; i < saga->step_count; i++) {
		const struct step *step = &saga->steps[i];

		MIX(step->state);
		MIX(step->attempts[0] * 256 + step->attempts[1] * 16 + step->attempts[2]);
		MIX(step->due_us != 0);
		MIX(step->forgiven[0] * 16 + step->forgiven[1]);
		MIX(step->has_no_effect * 8 + step->is_refused * 4 + step->is_signalled * 2 + step->came_late);
		MIX(step->reason != NULL);
	}
	return hash | 1;
}

static void find(struct explorer *explorer, const struct saga *saga)
{
	const uint64_t hash = hash_saga(saga);
	size_t at = hash % BUCKETS;

	while (explorer->seen[at] && explorer->seen[at] != hash)
		at = (at + 1) % BUCKETS;
	if (explorer->seen[at])
		return;
	explorer->seen[at] = hash;
	explorer->reached[saga->state] = true;
	assert_true(explorer->count < FOUND_MAX);
	explorer->found[explorer->count++] = saga;
}

/* Late enough for the clock's events; replies come at any time. */
static int64_t time_for(const struct saga *saga, enum saga_event_type type)
{
	const int64_t due_us = saga_due_us(saga);

	if (type == SAGA_EVENT_STARTED && saga->state == SAGA_STATE_SCHEDULED)
		return saga->start_us;
	if (type == SAGA_EVENT_TIMED_OUT || type == SAGA_EVENT_ELAPSED || type == SAGA_EVENT_OVERDUE)
		return saga->updated_us + 3600 * INT64_C(1000000);
	return type == SAGA_EVENT_RETRY && due_us ? due_us : saga->updated_us + 1;
}

static void apply_one(struct explorer *explorer, const struct saga *saga, struct saga_event event)
{
	const struct world *world = explorer->world;
	struct saga *next = NULL;
	struct saga_effects effects;
	const char *why = NULL;
	const enum saga_verdict verdict =
		saga_apply(&world->definition, saga, &event, &explorer->world->arena, &next, &effects, &why);

	if (verdict != SAGA_VERDICT_APPLIED) {
		if (verdict == SAGA_VERDICT_REFUSED) {
			assert_true(machine_is_of_saga(event.type)); /* nobody asked for a step's event */
			explorer->refused[saga->state][event.type] = true;
		}
		assert_non_null(why);
		assert_true(strlen(why) > 0);
		assert_int_equal(effects.count, 0);
		assert_null(next);
		return;
	}
	assert_false(saga_state_is_terminal(saga->state)); /* what has ended is never opened again */
	assert_int_equal(next->version, saga->version + 1);
	assert_true(next->updated_us == event.time_us);
	assert_in_range(effects.count, 0, next->step_count + 1);
	assert_int_equal(saga_state_is_terminal(next->state),
			 effects.count == 1 && effects.items[0].type == SAGA_EFFECT_FINISHED);
	if (machine_is_of_saga(event.type))
		explorer->taken_by_saga[saga->state][event.type] = true;
	else
		explorer->taken[saga->steps[event.step].state][event.phase][event.type] = true;
	find(explorer, next);
}

static bool was_retried(const struct saga *saga)
{
	for (size_t i = 0; i < saga->step_count; i++)
		if (saga->steps[i].forgiven[0] || saga->steps[i].forgiven[1])
			return true;
	return false;
}

static void apply_all(struct explorer *explorer, const struct saga *saga)
{
	for (int type = 0; type < SAGA_EVENT_COUNT; type++) {
		if (machine_is_of_saga((enum saga_event_type)type)) {
			if (type == SAGA_EVENT_RETRY_REQUESTED && was_retried(saga))
				continue; /* there is no end of asking for another try */
			for (int32_t step = -1; step < (int32_t)saga->step_count; step++)
				apply_one(explorer, saga,
					  (struct saga_event){.type = (enum saga_event_type)type,
							      .time_us = time_for(saga, (enum saga_event_type)type),
							      .step = step,
							      .milestone = "OF_SAGA",
							      .detail = "why"});
			continue;
		}
		for (int32_t step = 0; step < (int32_t)saga->step_count; step++) {
			for (int phase = 0; phase < STEP_PHASE_COUNT; phase++) {
				for (int32_t attempt = 0; attempt <= 3; attempt++) {
					struct saga_event event = {
						.type = (enum saga_event_type)type,
						.time_us = time_for(saga, (enum saga_event_type)type),
						.step = step,
						.phase = (enum step_phase)phase,
						.attempt = attempt,
						.reason = "why"};

					apply_one(explorer, saga, event);
					event.has_no_effect = true;
					apply_one(explorer, saga, event);
				}
			}
		}
	}
}

static void explore(struct explorer *explorer, const char *kinds)
{
	struct world world;

	world_init(&world, kinds);
	for (size_t i = 0; i < world.definition.step_count; i++) /* few attempts keep the world small */
		for (int phase = 0; phase < STEP_PHASE_COUNT; phase++)
			world.steps[i].policy[phase].attempts_max =
				world.definition.step_count > 3 || kinds[0] == '(' ? 1 : 2;
	world.definition.timeout_ms = 100;
	world_start(&world);
	explorer->world = &world;
	explorer->count = 0;
	memset(explorer->seen, 0, BUCKETS * sizeof(*explorer->seen));
	find(explorer, world.saga);
	world_schedule(&world, world.now_us + 1);
	find(explorer, world.saga);
	for (size_t i = 0; i < explorer->count; i++)
		apply_all(explorer, explorer->found[i]);
	world_release(&world);
}

static void takes_every_event_in_every_state_it_can_reach(void **state)
{
	static const char *const worlds[] = {"ccpr", "cnp", "ccr", "nc", "p",    "pr",  "(cc)p",
					     "sr",   "dop", "pw",  "qp", "(qn)", "(cq)"};
	struct explorer explorer = {.found = xcalloc(FOUND_MAX, sizeof(*explorer.found)),
				    .seen = xcalloc(BUCKETS, sizeof(*explorer.seen))};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(worlds); i++)
		explore(&explorer, worlds[i]);
#define TRANSITION(from, phase, event, to, action)                                                                     \
	if (!explorer.taken[STEP_STATE_##from][STEP_PHASE_##phase][SAGA_EVENT_##event])                                \
		fail_msg("no saga took " #action);
#define TO(state) 1 +
#define SAGA_TRANSITION(from, event, to, action)                                                                       \
	if ((to 0) && !explorer.taken_by_saga[SAGA_STATE_##from][SAGA_EVENT_##event])                                  \
		fail_msg("no saga took " #action);                                                                     \
	if (!(to 0) && !explorer.refused[SAGA_STATE_##from][SAGA_EVENT_##event])                                       \
		fail_msg("no saga refused " #action);
#define SAGA_REFUSE(from, event, why)                                                                                  \
	if (SAGA_STATE_##from != SAGA_STATE_FAILED && !explorer.refused[SAGA_STATE_##from][SAGA_EVENT_##event])        \
		fail_msg("no saga that is " #from " refused " #event);
#include "coordinator/saga/saga_states.def"
	for (int i = SAGA_STATE_SCHEDULED; i < SAGA_STATE_FAILED; i++)
		assert_true(explorer.reached[i]);
	free(explorer.found);
	free(explorer.seen);
}

static void decides_every_event_for_every_state_of_a_step(void **state)
{
	(void)state;
	for (int step = 0; step < STEP_STATE_COUNT; step++) {
		for (int phase = 0; phase < STEP_PHASE_COUNT; phase++) {
			for (int event = 0; event < SAGA_EVENT_COUNT; event++) {
				const struct decision *decision;

				if (machine_is_of_saga((enum saga_event_type)event))
					continue;
				decision = machine_decide((enum step_state)step, (enum step_phase)phase,
							  (enum saga_event_type)event);
				assert_true((decision->action != NULL) != (decision->why != NULL));
				assert_true(decision->action || strlen(decision->why) > 0);
			}
		}
	}
}

static void decides_every_event_of_the_saga_for_every_state(void **state)
{
	(void)state;
	for (int its = 0; its < SAGA_STATE_COUNT; its++) {
		for (int event = 0; event < SAGA_EVENT_COUNT; event++) {
			const struct decision *decision;

			if (!machine_is_of_saga((enum saga_event_type)event))
				continue;
			decision = machine_decide_saga((enum saga_state)its, (enum saga_event_type)event);
			assert_true((decision->action != NULL) != (decision->why != NULL));
			assert_false(decision->action && saga_state_is_terminal((enum saga_state)its));
			assert_false(decision->action && decision->is_refusal);
		}
	}
}

static void hears_nothing_in_states_that_have_ended(void **state)
{
	(void)state;
	for (int i = 0; i < SAGA_STATE_COUNT; i++) {
		const enum saga_state its = (enum saga_state)i;

		assert_int_equal(saga_state_is_terminal(its), machine_gate(its) != NULL);
		if (saga_state_is_terminal(its)) {
			assert_true(strlen(machine_gate(its)) > 0);
			for (int to = 0; to < SAGA_STATE_COUNT; to++)
				assert_false(saga_move_is_legal(its, (enum saga_state)to));
		}
		assert_false(saga_state_is_terminal(its) && saga_state_is_open(its));
	}
	assert_false(saga_state_is_open(SAGA_STATE_STUCK));
	assert_false(saga_state_is_terminal(SAGA_STATE_STUCK));
}

static void names_states_and_events_as_the_interfaces_do(void **state)
{
	(void)state;
	assert_string_equal(saga_state_name(SAGA_STATE_COMPENSATING), "COMPENSATING");
	assert_string_equal(step_state_name(STEP_STATE_COMPENSATION_RETRY_WAIT), "COMPENSATION_RETRY_WAIT");
	assert_string_equal(saga_event_name(SAGA_EVENT_TIMED_OUT), "timed_out");
	assert_string_equal(saga_event_name(SAGA_EVENT_RESEND), "resent");
	assert_string_equal(saga_state_name(SAGA_STATE_COUNT), "UNKNOWN"); /* a later program stored it */
	assert_string_equal(saga_event_name(SAGA_EVENT_COUNT), "unknown");
}

static void goes_back_only_before_the_pivot_decided(void **state)
{
	(void)state;
	assert_true(saga_move_is_legal(SAGA_STATE_RUNNING, SAGA_STATE_COMPENSATING));
	assert_false(saga_move_is_legal(SAGA_STATE_COMPLETING, SAGA_STATE_COMPENSATING));
	assert_false(saga_move_is_legal(SAGA_STATE_COMPENSATING, SAGA_STATE_COMPLETED));
	assert_false(step_move_is_legal(STEP_STATE_REJECTED, STEP_STATE_COMPENSATING));
	assert_false(step_move_is_legal(STEP_STATE_COMPENSATED, STEP_STATE_COMPENSATING));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_every_event_in_every_state_it_can_reach),
		cmocka_unit_test(decides_every_event_for_every_state_of_a_step),
		cmocka_unit_test(decides_every_event_of_the_saga_for_every_state),
		cmocka_unit_test(hears_nothing_in_states_that_have_ended),
		cmocka_unit_test(names_states_and_events_as_the_interfaces_do),
		cmocka_unit_test(goes_back_only_before_the_pivot_decided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
