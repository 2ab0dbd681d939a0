/*
 * requests.c - what is asked of the saga as a whole: to start, to turn back, to pause; and what an operator decides about a
 * stuck one. One action for each SAGA_TRANSITION of saga_states.def.
 */
#include <assert.h>

#include "coordinator/saga/course.h"
#include "coordinator/saga/pursuit.h"

static const char REASON_CANCELLED[] = "cancelled";
static const char REASON_OVERDUE[] = "overdue";

static enum saga_verdict refuse(struct turn *turn, const char *why)
{
	turn->why = why;
	return SAGA_VERDICT_REFUSED;
}

static enum saga_verdict ignore(struct turn *turn, const char *why)
{
	turn->why = why;
	return SAGA_VERDICT_IGNORED;
}

/* ---- start, cancel, deadline ---- */
enum saga_verdict on_started(struct turn *turn)
{
	struct saga *saga = turn->saga;

	saga_move(turn, SAGA_STATE_RUNNING);
	set_milestone(turn, turn->event->milestone);
	if (turn->definition->timeout_ms)
		saga->deadline_us = turn->event->time_us + turn->definition->timeout_ms * 1000;
	proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_cancelled_scheduled(struct turn *turn)
{
	turn_back(turn, turn->event->milestone, REASON_CANCELLED, turn->event->detail);
	proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

/* Nobody can know whether a command in flight has its effect: its step is unknown, which compensation takes care of. */
enum saga_verdict on_cancelled_running(struct turn *turn)
{
	int32_t index;

	if (has_begun_what_cannot_be_undone(turn, &index))
		return refuse(turn, arena_format(turn->arena, "%s step '%s' has begun: the saga can only go forward",
						 step_kind_name(definition_at(turn, index)->kind),
						 definition_at(turn, index)->id));
	turn_back(turn, turn->event->milestone, REASON_CANCELLED, turn->event->detail);
	proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

/* Stuck on the way back it has turned back already; stuck on the way forward a person decides: to turn back, too, where the
 * pivot was refused after its outcome had been unknown for a while, for then there is nothing that could not be undone. */
enum saga_verdict on_cancelled_stuck(struct turn *turn)
{
	const int32_t pivot = definition_pivot(turn->definition);
	struct step *step;

	if (turn->saga->failure_milestone)
		return ignore(turn, "the saga has turned back already, and is stuck there");
	step = pivot >= 0 ? step_at(turn, pivot) : NULL;
	if (!step || step->state != STEP_STATE_STUCK || !step->is_refused)
		return refuse(turn, "the saga is stuck where it can only go forward: a person has to decide");
	step_move(turn, pivot, STEP_STATE_REJECTED);
	step->stuck_why = NULL;
	step->is_refused = false;
	turn->saga->is_decided = false;
	turn_back(turn, turn->event->milestone, REASON_CANCELLED, turn->event->detail);
	proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_overdue_running(struct turn *turn)
{
	turn_back(turn, turn->event->milestone, REASON_OVERDUE, NULL);
	proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

/* ---- pause ---- */
enum saga_verdict on_paused(struct turn *turn)
{
	if (turn->saga->paused_us)
		return ignore(turn, "the saga is paused already");
	turn->saga->paused_us = turn->event->time_us;
	return SAGA_VERDICT_APPLIED;
}

/* No time ran out meanwhile; what was on its way is sent again at once, since replies may have been waited for in vain. */
enum saga_verdict on_resumed(struct turn *turn)
{
	struct saga *saga = turn->saga;
	const int64_t pause_us = turn->event->time_us - saga->paused_us;

	if (!saga->paused_us)
		return ignore(turn, "the saga is not paused");
	saga->paused_us = 0;
	if (saga->deadline_us)
		saga->deadline_us += pause_us;
	for (int32_t i = 0; i < (int32_t)saga->step_count; i++) {
		struct step *step = step_at(turn, i);

		if (step->deadline_us && !step_state_is_held(step->state)) /* of what is held no time runs anyhow */
			step->deadline_us += pause_us;
		if (step->due_us)
			step->due_us = turn->event->time_us;
	}
	if (saga->state != SAGA_STATE_SCHEDULED)
		proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

/* ---- what an operator decides ---- */
/* Sending the command again may help: the participant stored no final reply, or has been mended. */
static bool try_again(struct turn *turn, int32_t index)
{
	struct step *step = step_at(turn, index);
	enum step_phase phase;

	if (!step_state_stands(step->state, &phase) || step->state == STEP_STATE_VIOLATED)
		return false;
	step->stuck_why = NULL;
	step->is_refused = false;
	step->forgiven[phase] = step->attempts[phase];
	if (phase == STEP_PHASE_FORWARD)
		begin_forward(turn, index);
	else
		begin_compensation(turn, index);
	return true;
}

enum saga_verdict on_retry_requested(struct turn *turn)
{
	bool is_any = false;

	if (turn->saga->paused_us)
		return refuse(turn, "the saga is paused: resume it first");
	for (int32_t i = 0; i < (int32_t)turn->saga->step_count; i++)
		is_any |= try_again(turn, i);
	if (!is_any)
		return refuse(turn,
			      "no other try can help: a step succeeded after it had been settled as not done; undo its "
			      "effect by hand, then skip the step or resolve the saga");
	proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_skip_requested(struct turn *turn)
{
	const int32_t index = turn->event->step;
	struct step *step;

	if (index < 0 || (size_t)index >= turn->saga->step_count)
		return refuse(turn, "the saga has no such step");
	step = step_at(turn, index);
	if (!step_state_is_stuck(step->state))
		return refuse(turn, arena_format(turn->arena, "step '%s' is not stuck, it is %s",
						 definition_at(turn, index)->id, step_state_name(step->state)));
	if (definition_at(turn, index)->is_reply_needed && step->state == STEP_STATE_STUCK)
		return refuse(turn, arena_format(turn->arena, "later commands take fields from the reply of step '%s'",
						 definition_at(turn, index)->id));
	step_move(turn, index, STEP_STATE_SKIPPED);
	step->stuck_why = NULL;
	step->is_refused = false;
	note_decided(turn, turn->saga->failure_milestone ? -1 : index);
	proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

static enum saga_verdict resolved(struct turn *turn, enum saga_state state)
{
	set_milestone(turn, turn->event->milestone);
	resolve(turn, state);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_resolved_completed(struct turn *turn)
{
	return resolved(turn, SAGA_STATE_COMPLETED);
}

enum saga_verdict on_resolved_compensated(struct turn *turn)
{
	return resolved(turn, SAGA_STATE_COMPENSATED);
}

enum saga_verdict on_resolved_failed(struct turn *turn)
{
	return resolved(turn, SAGA_STATE_FAILED);
}
