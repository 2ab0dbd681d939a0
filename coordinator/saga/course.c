/* course.c - see course.h. */
#include "coordinator/saga/course.h"

#include <assert.h>

#include "coordinator/saga/log_room.h"
#include "coordinator/saga/pursuit.h"

static const char REASON_TURNED_BACK[] = "turned_back";

static bool is_going_back(const struct saga *saga)
{
	return saga->failure_milestone != NULL;
}

/* ---- forward ---- */
static bool is_done(enum step_state state)
{
	return state == STEP_STATE_SUCCEEDED || state == STEP_STATE_SKIPPED;
}

static bool can_begin(struct turn *turn, int32_t index)
{
	if (step_at(turn, index)->state != STEP_STATE_PENDING)
		return false;
	for (size_t i = 0; i < definition_after_count(turn->definition, index); i++)
		if (!is_done(step_at(turn, definition_after(turn->definition, index, i))->state))
			return false;
	return true;
}

/* A step comes after steps before it only, so one pass finds what each beginning makes possible. */
static void begin_what_can(struct turn *turn)
{
	for (int32_t i = 0; i < (int32_t)turn->saga->step_count; i++) {
		if (!can_begin(turn, i))
			continue;
		if (step_at(turn, i)->is_signalled)
			step_move(turn, i, STEP_STATE_SUCCEEDED);
		else
			begin_forward(turn, i);
	}
}

void note_decided(struct turn *turn, int32_t index)
{
	const int32_t pivot = definition_pivot(turn->definition);

	if (pivot >= 0 && index >= pivot)
		turn->saga->is_decided = true;
}

/* ---- back ---- */
static bool is_to_be_undone(enum step_state state)
{
	return state == STEP_STATE_SUCCEEDED || state == STEP_STATE_UNKNOWN;
}

/* Nothing is left to do for it on the way back. */
static bool is_settled(enum step_state state)
{
	return state == STEP_STATE_PENDING || state == STEP_STATE_REJECTED || state == STEP_STATE_SKIPPED ||
	       state == STEP_STATE_COMPENSATED || state == STEP_STATE_NOT_NEEDED;
}

/* I3: only what succeeded or may have, and only when all that came after it is settled. */
static void undo_what_can(struct turn *turn)
{
	bool is_blocked[DEFINITION_STEPS_MAX] = {false};

	for (int32_t i = (int32_t)turn->saga->step_count - 1; i >= 0; i--) {
		if (!is_blocked[i] && is_to_be_undone(step_at(turn, i)->state)) {
			assert(!can_only_go_forward(turn, i)); /* I3 */
			if (definition_at(turn, i)->has_compensation)
				begin_compensation(turn, i);
			else
				step_move(turn, i, STEP_STATE_NOT_NEEDED);
		}
		if (is_settled(step_at(turn, i)->state) && !is_blocked[i])
			continue; /* blocked, it stands between what waits and what that waits for */
		for (size_t k = 0; k < definition_after_count(turn->definition, i); k++)
			is_blocked[definition_after(turn->definition, i, k)] = true;
	}
}

bool has_begun_what_cannot_be_undone(struct turn *turn, int32_t *ret_step)
{
	for (int32_t i = 0; i < (int32_t)turn->saga->step_count; i++) {
		const enum step_state state = step_at(turn, i)->state;

		if (!can_only_go_forward(turn, i) || state == STEP_STATE_PENDING || state == STEP_STATE_REJECTED)
			continue;
		*ret_step = i;
		return true;
	}
	return false;
}

static bool was_never_sent(const struct step *step)
{
	return step->state == STEP_STATE_HELD && step->attempts[STEP_PHASE_FORWARD] == 0;
}

void turn_back(struct turn *turn, const char *milestone, const char *reason, const char *detail)
{
	enum step_phase phase;

	set_milestone(turn, milestone);
	turn->saga->failure_milestone = turn->saga->milestone;
	turn->saga->deadline_us = 0;
	for (int32_t i = 0; i < (int32_t)turn->saga->step_count; i++) {
		struct step *step = step_at(turn, i);

		if (!step_state_is_pursued(step->state, &phase))
			continue;
		assert(!can_only_go_forward(turn, i)); /* I3 */
		if (phase == STEP_PHASE_INQUIRY)
			continue; /* the answer says whether there is anything to undo */
		if (step->state == STEP_STATE_WAITING || was_never_sent(step)) {
			step_move(turn, i, STEP_STATE_NOT_NEEDED);
		} else {
			step_move(turn, i, STEP_STATE_UNKNOWN);
			set_reason(turn, step, reason, detail);
		}
		end_pursuit(step);
	}
}

void turn_back_because_of(struct turn *turn, int32_t index, const char *milestone)
{
	turn_back(turn, milestone, REASON_TURNED_BACK,
		  arena_format(turn->arena, "because of step '%s'", definition_at(turn, index)->id));
}

/* ---- what nobody knows ---- */
/* Once, and never when the log is for replies alone: an inquiry is a convenience, its step can be undone without. */
static bool can_be_asked_about(struct turn *turn, int32_t index)
{
	return definition_at(turn, index)->has_inquiry && !step_at(turn, index)->attempts[STEP_PHASE_INQUIRY] &&
	       log_has_room_for_try(turn->saga->version);
}

/* Forward an unknown outcome can only wait for its inquiry. */
static void turn_back_without_inquiry(struct turn *turn)
{
	for (int32_t i = 0; i < (int32_t)turn->saga->step_count; i++) {
		if (step_at(turn, i)->state != STEP_STATE_UNKNOWN || can_be_asked_about(turn, i))
			continue;
		turn_back_because_of(turn, i, step_milestone(turn, i, "UNKNOWN"));
		return;
	}
}

static void ask_about_what_is_unknown(struct turn *turn)
{
	if (!is_going_back(turn->saga))
		turn_back_without_inquiry(turn);
	for (int32_t i = 0; i < (int32_t)turn->saga->step_count; i++)
		if (step_at(turn, i)->state == STEP_STATE_UNKNOWN && can_be_asked_about(turn, i))
			begin_inquiry(turn, i);
}

/* ---- standing still ---- */
void stand_still(struct turn *turn, int32_t index, enum step_state state, const char *why)
{
	struct step *step = step_at(turn, index);
	enum step_phase phase;
	bool stands;

	step_move(turn, index, state);
	stands = step_state_stands(state, &phase);
	assert(stands);
	end_pursuit(step);
	step->stuck_why = arena_strdup(turn->arena, why);
	add_effect(turn, (struct saga_effect){.type = SAGA_EFFECT_STUCK, .step = index, .phase = phase});
}

/* "step 'charge-payment' compensation: rejected: no_such_charge (2 more steps are stuck)"; NULL: none is. */
static const char *stuck_reason(struct turn *turn)
{
	const char *text = NULL;
	int32_t more = -1;

	for (int32_t i = 0; i < (int32_t)turn->saga->step_count; i++) {
		const struct step *step = step_at(turn, i);
		enum step_phase phase;

		if (!step_state_stands(step->state, &phase))
			continue;
		if (more++ < 0)
			text = arena_format(turn->arena, "step '%s' %s: %s", definition_at(turn, i)->id,
					    step_phase_name(phase), step->stuck_why);
	}
	if (more <= 0)
		return text;
	return arena_format(turn->arena, "%s (%d more step%s stuck)", text, more, more == 1 ? " is" : "s are");
}

/* ---- the saga ---- */
static void finish(struct turn *turn, enum saga_state state)
{
	struct saga *saga = turn->saga;

	saga_move(turn, state);
	assert(saga_state_is_terminal(state));
	saga->ended_us = turn->event->time_us;
	saga->deadline_us = 0;
	saga->paused_us = 0;
	saga->stuck_reason = NULL;
	add_effect(turn, (struct saga_effect){.type = SAGA_EFFECT_FINISHED, .step = -1});
}

void resolve(struct turn *turn, enum saga_state state)
{
	for (int32_t i = 0; i < (int32_t)turn->saga->step_count; i++)
		end_pursuit(step_at(turn, i));
	turn->saga->is_resolved = true;
	finish(turn, state);
}

static bool is_all_over(struct turn *turn)
{
	for (int32_t i = 0; i < (int32_t)turn->saga->step_count; i++) {
		const enum step_state state = step_at(turn, i)->state;

		if (is_going_back(turn->saga) ? !is_settled(state) : !is_done(state))
			return false;
	}
	return true;
}

static enum saga_state heading(struct turn *turn)
{
	if (turn->saga->stuck_reason)
		return SAGA_STATE_STUCK;
	if (is_going_back(turn->saga))
		return SAGA_STATE_COMPENSATING;
	return turn->saga->is_decided ? SAGA_STATE_COMPLETING : SAGA_STATE_RUNNING;
}

void proceed(struct turn *turn)
{
	struct saga *saga = turn->saga;
	enum saga_state state;

	if (!saga->paused_us) {
		ask_about_what_is_unknown(turn);
		if (is_going_back(saga))
			undo_what_can(turn);
		else
			begin_what_can(turn);
	}
	if (is_all_over(turn)) {
		set_milestone(turn, is_going_back(saga) ? saga->failure_milestone : "COMPLETED");
		finish(turn, is_going_back(saga) ? SAGA_STATE_COMPENSATED : SAGA_STATE_COMPLETED);
		return;
	}
	saga->stuck_reason = stuck_reason(turn);
	state = heading(turn);
	if (saga->state != state)
		saga_move(turn, state);
}
