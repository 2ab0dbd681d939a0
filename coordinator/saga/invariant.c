/*
 * invariant.c - what is true of a saga between any two events; saga.h declares it.
 *
 * Why:        asserted after each event it finds a wrong action at once; asked of stored bytes it finds a row that was
 *             not written by this core, before anything acts on it. So it says for itself what is done and what is
 *             settled, and does not ask the course that it checks.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/saga/log_room.h"
#include "coordinator/saga/machine.h"

#define MUST(condition, text)                                                                                          \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			return text;                                                                                   \
	} while (0)

static bool is_done(const struct step *step)
{
	return step->state == STEP_STATE_SUCCEEDED || step->state == STEP_STATE_SKIPPED;
}

/* Nothing is left to do for it once the saga goes back. */
static bool is_settled(const struct step *step)
{
	return step->state == STEP_STATE_PENDING || step->state == STEP_STATE_REJECTED ||
	       step->state == STEP_STATE_SKIPPED || step->state == STEP_STATE_COMPENSATED ||
	       step->state == STEP_STATE_NOT_NEEDED;
}

static bool is_compensating(const struct step *step)
{
	return step->state == STEP_STATE_COMPENSATING || step->state == STEP_STATE_COMPENSATION_RETRY_WAIT ||
	       step->state == STEP_STATE_COMPENSATION_STUCK || step->state == STEP_STATE_COMPENSATION_HELD;
}

static bool is_inquiring(const struct step *step)
{
	return step->state == STEP_STATE_INQUIRING || step->state == STEP_STATE_INQUIRY_RETRY_WAIT;
}

/* Its outcome is unknown, and what its definition has for that was not tried. */
static bool is_to_be_asked_about(const struct step_definition *its, const struct step *step)
{
	return step->state == STEP_STATE_UNKNOWN && its->has_inquiry && !step->attempts[STEP_PHASE_INQUIRY];
}

static bool is_of_this_era(int64_t time_us)
{
	return time_us >= 0 && time_us <= ERA_END_US;
}

/* A resolved saga has ended whatever its steps were at. */
static const char *check_pursuit(const struct step_definition *its, const struct saga *saga, const struct step *step)
{
	enum step_phase phase;
	const bool is_pursued = step_state_is_pursued(step->state, &phase);

	MUST(is_of_this_era(step->due_us) && is_of_this_era(step->deadline_us), "I12: times are of this era");
	MUST((is_pursued && !saga->is_resolved) == (step->deadline_us != 0),
	     "I1: exactly what is pursued has a deadline");
	MUST(step->deadline_us || step->due_us == 0, "I12: only what is pursued is ever due");
	MUST((!is_pursued && !step_state_is_stuck(step->state)) || saga->is_resolved ||
		     !saga_state_is_terminal(saga->state),
	     "I1: what has ended pursues nothing");
	if (!is_pursued)
		return NULL;
	MUST((step->state == STEP_STATE_WAITING) == (its->action != STEP_ACTION_COMMAND),
	     "exactly steps without a participant wait");
	MUST(step->state == STEP_STATE_WAITING || step_state_is_held(step->state) || step->attempts[phase] > 0,
	     "I7: what is pursued was sent");
	if (step->state == STEP_STATE_RETRY_WAIT || step->state == STEP_STATE_COMPENSATION_RETRY_WAIT ||
	    step->state == STEP_STATE_INQUIRY_RETRY_WAIT || step_state_is_held(step->state))
		MUST(step->attempts[phase] - step->forgiven[phase] < its->policy[phase].attempts_max &&
			     (step->due_us || saga->is_resolved),
		     "I1: who waits for another try has one");
	MUST(phase != STEP_PHASE_COMPENSATION || (its->has_compensation && its->kind == STEP_KIND_COMPENSATABLE),
	     "I3: what is undone can be");
	MUST(phase != STEP_PHASE_INQUIRY || its->has_inquiry, "I7: only what can be asked about is");
	return NULL;
}

static const char *check_step(const struct definition *definition, const struct saga *saga, size_t index)
{
	const struct step *step = &saga->steps[index];
	const struct step_definition *its = &definition->steps[index];

	MUST((unsigned)step->state < STEP_STATE_COUNT, "I5: a step's state is one of the table");
	for (int i = 0; i < STEP_PHASE_COUNT; i++) {
		MUST(step->forgiven[i] >= 0 && step->forgiven[i] <= step->attempts[i],
		     "attempts are forgiven once made");
		MUST(step->attempts[i] - step->forgiven[i] <= its->policy[i].attempts_max &&
			     step->attempts[i] <= LOG_ENTRIES_MAX,
		     "I1: attempts are bounded");
	}
	MUST(step->resends >= 0 && step->resends <= step->resends_total && step->resends_total <= INT32_MAX / 2,
	     "re-sends add up");
	MUST(step->state != STEP_STATE_PENDING || (!step->started_us && !step->attempts[STEP_PHASE_FORWARD]),
	     "I7: a pending step was never sent");
	MUST(!is_to_be_asked_about(its, step) || saga->paused_us || saga->is_resolved ||
		     !log_has_room_for_try(saga->version),
	     "I11: what can be asked about is");
	MUST(its->action != STEP_ACTION_SIGNAL || (step->is_signalled && its->has_value) == (step->reply.len > 0),
	     "I8: exactly a signal that brings a value has left one");
	MUST(step_state_is_stuck(step->state) == (step->stuck_why != NULL), "I1: exactly what is stuck says why");
	return check_pursuit(its, saga, step);
}

static bool is_after_what_is_done(const struct definition *definition, const struct saga *saga, int32_t index)
{
	for (size_t i = 0; i < definition_after_count(definition, index); i++)
		if (!is_done(&saga->steps[definition_after(definition, index, i)]))
			return false;
	return true;
}

static const char *check_forward(const struct definition *definition, const struct saga *saga)
{
	const int32_t pivot = definition_pivot(definition);

	for (int32_t i = 0; i < (int32_t)saga->step_count; i++) {
		const struct step *step = &saga->steps[i];
		enum step_phase phase;
		bool is_forward = is_done(step);

		if (step_state_is_pursued(step->state, &phase) || step_state_stands(step->state, &phase))
			is_forward = phase != STEP_PHASE_COMPENSATION && step->state != STEP_STATE_VIOLATED;
		if (is_to_be_asked_about(&definition->steps[i], step))
			is_forward = saga->paused_us != 0;
		if (step->state == STEP_STATE_PENDING) {
			MUST(saga->paused_us || !is_after_what_is_done(definition, saga, i),
			     "I11: what can begin has begun");
			continue;
		}
		MUST(is_forward, "on the way forward no step goes back");
		MUST(is_after_what_is_done(definition, saga, i), "I3: a step begins when what it comes after is done");
	}
	MUST(!saga->is_decided || (pivot >= 0 && saga->steps[pivot].state != STEP_STATE_PENDING),
	     "only the pivot decides, and only when it has begun");
	MUST(pivot < 0 || !is_done(&saga->steps[pivot]) || saga->is_decided, "a pivot that is done has decided");
	return NULL;
}

/* Which steps come before one that is not settled, directly or by way of settled ones. */
struct order {
	bool is_blocked[DEFINITION_STEPS_MAX];
	bool must_wait
		[DEFINITION_STEPS_MAX]; /* the same without those that came late: they are undone when they come */
};

static void find_order(const struct definition *definition, const struct saga *saga, struct order *order)
{
	*order = (struct order){0};
	for (int32_t i = (int32_t)saga->step_count - 1; i >= 0; i--) {
		const struct step *step = &saga->steps[i];
		const bool is_late = step->came_late || step->state == STEP_STATE_VIOLATED;
		const bool is_open = !is_settled(step);

		for (size_t k = 0; k < definition_after_count(definition, i); k++) {
			const int32_t before = definition_after(definition, i, k);

			order->is_blocked[before] |= is_open || order->is_blocked[i];
			order->must_wait[before] |= (is_open && !is_late) || order->must_wait[i];
		}
	}
}

/* I3: in the reverse order, and only before the pivot. */
static const char *check_undone(const struct step_definition *its, const struct saga *saga, const struct step *step,
				const struct order *order)
{
	const size_t index = (size_t)(step - saga->steps);

	MUST(!is_compensating(step) || !order->must_wait[index], "I3: what came after a step is undone before it");
	if (its->kind != STEP_KIND_COMPENSATABLE)
		MUST(step->state == STEP_STATE_PENDING || step->state == STEP_STATE_REJECTED ||
			     step->state == STEP_STATE_VIOLATED || step->state == STEP_STATE_SKIPPED,
		     "I3: what cannot be undone has not happened");
	if (step->state == STEP_STATE_SUCCEEDED || step->state == STEP_STATE_UNKNOWN)
		MUST(saga->paused_us || order->is_blocked[index] || step->came_late,
		     "I11: what can be undone is being undone");
	else
		MUST(is_settled(step) || is_compensating(step) || is_inquiring(step) ||
			     step->state == STEP_STATE_VIOLATED,
		     "on the way back no step goes forward");
	return NULL;
}

static const char *check_backward(const struct definition *definition, const struct saga *saga)
{
	struct order order;

	find_order(definition, saga, &order);
	MUST(!saga->is_decided, "I3: nothing is undone once the pivot succeeded or may have");
	for (size_t i = 0; i < saga->step_count; i++) {
		const char *violation = check_undone(&definition->steps[i], saga, &saga->steps[i], &order);

		if (violation)
			return violation;
	}
	return NULL;
}

static const char *check_scheduled(const struct saga *saga)
{
	MUST(saga->start_us > saga->created_us, "I12: what is scheduled starts later");
	MUST(!saga->failure_milestone && !saga->is_decided && !saga->deadline_us,
	     "nothing has happened before the start");
	for (size_t i = 0; i < saga->step_count; i++)
		MUST(saga->steps[i].state == STEP_STATE_PENDING, "I7: nothing is sent before the start");
	return NULL;
}

static const char *check_course(const struct definition *definition, const struct saga *saga)
{
	if (saga->is_resolved)
		return NULL;
	if (saga->state == SAGA_STATE_SCHEDULED)
		return check_scheduled(saga);
	return saga->failure_milestone ? check_backward(definition, saga) : check_forward(definition, saga);
}

static bool is_any_stuck(const struct saga *saga)
{
	for (size_t i = 0; i < saga->step_count; i++)
		if (step_state_is_stuck(saga->steps[i].state))
			return true;
	return false;
}

/* The saga's state is what its steps' states say. */
static const char *check_state(const struct saga *saga)
{
	const bool is_back = saga->failure_milestone != NULL;

	switch (saga->state) {
	case SAGA_STATE_RUNNING:
		MUST(!is_back && !saga->is_decided, "RUNNING: before the pivot has decided");
		break;
	case SAGA_STATE_COMPLETING:
		MUST(!is_back && saga->is_decided, "COMPLETING: since the pivot has decided");
		break;
	case SAGA_STATE_COMPENSATING:
		MUST(is_back, "a compensation has a cause");
		break;
	case SAGA_STATE_COMPLETED:
		for (size_t i = 0; i < saga->step_count && !saga->is_resolved; i++)
			MUST(is_done(&saga->steps[i]), "COMPLETED means that every step is done");
		break;
	case SAGA_STATE_COMPENSATED:
		for (size_t i = 0; i < saga->step_count && !saga->is_resolved; i++)
			MUST(is_settled(&saga->steps[i]), "COMPENSATED means that nothing is left to undo");
		break;
	case SAGA_STATE_FAILED:
		MUST(saga->is_resolved, "only an operator gives a saga up");
		break;
	case SAGA_STATE_SCHEDULED:
	case SAGA_STATE_STUCK:
	case SAGA_STATE_COUNT:
		break;
	}
	MUST(saga_state_is_terminal(saga->state) || (saga->state == SAGA_STATE_STUCK) == is_any_stuck(saga),
	     "I1: a saga is stuck exactly when a step is");
	return NULL;
}

const char *saga_violation(const struct definition *definition, const struct saga *saga)
{
	const char *violation;

	MUST((unsigned)saga->state < SAGA_STATE_COUNT, "I5: the saga's state is one of the table");
	MUST(saga->version > 0, "I9: versions count from 1");
	MUST(saga->step_count == definition->step_count, "I5: the saga has its definition's steps");
	MUST(saga_state_is_terminal(saga->state) == (saga->ended_us != 0), "I1: exactly what is terminal has ended");
	MUST(!saga_state_is_terminal(saga->state) || (!saga->paused_us && !saga->deadline_us),
	     "what has ended waits for nothing");
	MUST(!saga->is_resolved || saga_state_is_terminal(saga->state), "what is resolved has ended");
	MUST((saga->state == SAGA_STATE_STUCK) == (saga->stuck_reason != NULL), "I1: exactly what is stuck says why");
	MUST(is_of_this_era(saga->deadline_us) && is_of_this_era(saga->start_us) && is_of_this_era(saga->created_us) &&
		     is_of_this_era(saga->updated_us),
	     "I12: times are of this era");
	MUST(saga->paused_us >= 0 && saga->paused_us <= saga->updated_us, "I12: a pause has begun in the past");
	MUST(saga->milestone, "something has happened");
	for (size_t i = 0; i < saga->step_count; i++) {
		violation = check_step(definition, saga, i);
		if (violation)
			return violation;
	}
	violation = check_state(saga);
	return violation ? violation : check_course(definition, saga);
}

void saga_invariant(const struct definition *definition, const struct saga *saga)
{
	const char *violation = saga_violation(definition, saga);

	if (violation)
		__assert_fail(violation, __FILE__, __LINE__, __func__); /* the invariant's own words */
}
