/*
 * invariant.c - what is true of a saga between any two events; saga.h declares it.
 *
 * Why:        asserted after each event it finds a wrong action at once; asked of stored bytes it finds a row that was
 *             not written by this core, before anything acts on it.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/saga/machine.h"

#define MUST(condition, text)                                                                                          \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			return text;                                                                                   \
	} while (0)

static bool is_in(enum step_state state, enum step_state a, enum step_state b, enum step_state c)
{
	return state == a || state == b || state == c;
}

static bool is_done_forward(const struct step *step)
{
	return step->state == STEP_STATE_SUCCEEDED || step->state == STEP_STATE_SKIPPED;
}

/* Nothing is left to do for it once the saga goes back. */
static bool is_settled(const struct step *step)
{
	return is_in(step->state, STEP_STATE_PENDING, STEP_STATE_REJECTED, STEP_STATE_SKIPPED) ||
	       step->state == STEP_STATE_COMPENSATED || step->state == STEP_STATE_NOT_NEEDED;
}

static const char *check_step(const struct definition *definition, const struct saga *saga, size_t index)
{
	const struct step *step = &saga->steps[index];
	const struct step_definition *its = &definition->steps[index];
	const bool is_current = saga->current_step == (int32_t)index;
	const bool is_pursued = is_current && saga_state_is_open(saga->state);
	enum step_phase phase;

	MUST((unsigned)step->state < STEP_STATE_COUNT, "I5: a step's state is one of the table");
	for (int i = 0; i < STEP_PHASE_COUNT; i++)
		MUST(step->attempts[i] >= 0 && step->attempts[i] <= its->policy[i].attempts_max,
		     "I1: attempts are bounded");
	MUST(step->resends >= 0 && step->resends <= step->resends_total && step->resends_total <= INT32_MAX / 2,
	     "re-sends add up");
	MUST(is_pursued == (step->deadline_us != 0), "I1: exactly the pursued step has a deadline");
	MUST(is_pursued || step->due_us == 0, "I12: only the pursued step is ever due");
	MUST(step->due_us >= 0 && step->deadline_us >= 0, "I12: times are of this era");
	if (is_pursued)
		MUST(step_state_is_pursued(step->state, &phase), "I1: the current step of an open saga is pursued");
	if (step_state_is_pursued(step->state, &phase)) {
		MUST(is_current || saga->state == SAGA_STATE_STUCK, "a sequential saga pursues one step");
		MUST(step->attempts[phase] > 0, "I7: what is pursued was sent");
		MUST(phase == STEP_PHASE_FORWARD || its->has_compensation, "I3: what is undone can be");
		MUST(phase == STEP_PHASE_FORWARD || its->kind == STEP_KIND_COMPENSATABLE, "I3: what is undone can be");
	}
	MUST(step->state != STEP_STATE_PENDING || (!step->started_us && !step->attempts[STEP_PHASE_FORWARD]),
	     "I7: a pending step was never sent");
	return NULL;
}

static const char *check_forward(const struct definition *definition, const struct saga *saga)
{
	const int32_t pivot = definition_pivot(definition);
	const int32_t current = saga->current_step;

	MUST(!saga->failure_milestone, "nothing failed on the way forward");
	for (int32_t i = 0; i < (int32_t)saga->step_count; i++) {
		const struct step *step = &saga->steps[i];

		if (i < current)
			MUST(is_done_forward(step), "steps before the current one are done");
		else if (i > current)
			MUST(step->state == STEP_STATE_PENDING, "steps after the current one have not begun");
		else
			MUST(is_in(step->state, STEP_STATE_DISPATCHED, STEP_STATE_ACCEPTED, STEP_STATE_RETRY_WAIT),
			     "the current step goes forward");
	}
	if (saga->state == SAGA_STATE_RUNNING)
		MUST(pivot < 0 || current <= pivot, "RUNNING ends with the pivot");
	else
		MUST(pivot >= 0 && current >= pivot, "COMPLETING begins with the pivot");
	return NULL;
}

/* I3: reverse order, and only before the pivot. */
static const char *check_backward(const struct definition *definition, const struct saga *saga)
{
	const int32_t current = saga->current_step; /* -1: all is undone */

	MUST(saga->failure_milestone, "a compensation has a cause");
	for (int32_t i = 0; i < (int32_t)saga->step_count; i++) {
		const struct step *step = &saga->steps[i];

		if (definition->steps[i].kind != STEP_KIND_COMPENSATABLE)
			MUST(step->state == STEP_STATE_PENDING || step->state == STEP_STATE_REJECTED,
			     "I3: nothing is undone once the pivot succeeded or may have");
		if (i > current)
			MUST(is_settled(step) || (current >= 0 && step->state == STEP_STATE_SUCCEEDED && step->reason),
			     "I3: later steps are undone first");
		else if (i == current)
			MUST(step->state == STEP_STATE_COMPENSATING ||
				     step->state == STEP_STATE_COMPENSATION_RETRY_WAIT,
			     "the current step goes back");
		else
			MUST(is_done_forward(step) || is_settled(step), "I3: earlier steps are undone later");
	}
	return NULL;
}

static const char *check_scheduled(const struct saga *saga)
{
	MUST(saga->start_us > saga->created_us, "I12: what is scheduled starts later");
	MUST(saga->current_step == -1 && !saga->failure_milestone, "nothing has happened before the start");
	for (size_t i = 0; i < saga->step_count; i++)
		MUST(saga->steps[i].state == STEP_STATE_PENDING, "I7: nothing is sent before the start");
	return NULL;
}

static const char *check_state(const struct definition *definition, const struct saga *saga)
{
	switch (saga->state) {
	case SAGA_STATE_RUNNING:
	case SAGA_STATE_COMPLETING:
		return check_forward(definition, saga);
	case SAGA_STATE_COMPENSATING:
	case SAGA_STATE_COMPENSATED:
		return check_backward(definition, saga);
	case SAGA_STATE_COMPLETED:
		for (size_t i = 0; i < saga->step_count; i++)
			MUST(is_done_forward(&saga->steps[i]), "COMPLETED means that every step is done");
		return NULL;
	case SAGA_STATE_SCHEDULED:
		return check_scheduled(saga);
	case SAGA_STATE_STUCK:
	case SAGA_STATE_FAILED:
	case SAGA_STATE_COUNT:
		break;
	}
	return NULL;
}

const char *saga_violation(const struct definition *definition, const struct saga *saga)
{
	const char *violation;

	MUST((unsigned)saga->state < SAGA_STATE_COUNT, "I5: the saga's state is one of the table");
	MUST(saga->version > 0, "I9: versions count from 1");
	MUST(saga->step_count == definition->step_count, "I5: the saga has its definition's steps");
	MUST(saga->current_step >= -1 && saga->current_step < (int32_t)saga->step_count, "the current step is a step");
	MUST(saga_state_is_terminal(saga->state) == (saga->ended_us != 0), "I1: exactly what is terminal has ended");
	MUST(!saga_state_is_terminal(saga->state) || saga->current_step == -1, "what has ended pursues nothing");
	MUST((saga->state == SAGA_STATE_STUCK) == (saga->stuck_reason != NULL), "I1: exactly what is stuck says why");
	MUST(saga_state_is_terminal(saga->state) || saga->state == SAGA_STATE_SCHEDULED || saga->current_step >= 0,
	     "I1: what has not ended is at a step");
	MUST(saga->milestone, "something has happened");
	MUST(saga->start_us >= 0, "I12: times are of this era");
	for (size_t i = 0; i < saga->step_count; i++) {
		violation = check_step(definition, saga, i);
		if (violation)
			return violation;
	}
	return check_state(definition, saga);
}

void saga_invariant(const struct definition *definition, const struct saga *saga)
{
	const char *violation = saga_violation(definition, saga);

	if (violation)
		__assert_fail(violation, __FILE__, __LINE__, __func__); /* the invariant's own words */
}
