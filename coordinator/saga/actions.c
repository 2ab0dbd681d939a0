/*
 * actions.c - what replies and the clock do to a step: on_<event>_<state of the step>, one for each transition of
 * saga_states.def. What is asked of the saga as a whole is in requests.c.
 */
#include <assert.h>
#include <inttypes.h>

#include "coordinator/saga/course.h"
#include "coordinator/saga/log_room.h"
#include "coordinator/saga/pursuit.h"

static const char REASON_TIMED_OUT[] = "timed_out";
static const char REASON_ATTEMPTS_EXHAUSTED[] = "attempts_exhausted";
static const char REASON_COMPENSATION_REJECTED[] = "compensation_rejected";
static const char REASON_UNKNOWN[] = "unknown";

/* ---- words ---- */
/* "refused: reason: detail", as far as the event has them. */
static const char *with_reason(struct turn *turn, const char *what)
{
	const char *reason = turn->event->reason ? turn->event->reason : "";
	const char *detail = turn->event->detail ? turn->event->detail : "";

	return arena_format(turn->arena, "%s%s%s%s%s", what, *reason ? ": " : "", reason, *detail ? ": " : "", detail);
}

static const char *exhausted_text(struct turn *turn, int32_t attempts)
{
	return with_reason(
		turn,
		arena_format(turn->arena, "attempts exhausted (%" PRId32 "%s)", attempts,
			     log_has_room_for_try(turn->saga->version) ? "" : "; the saga's log has no room for more"));
}

/* ---- success ---- */
static void take_success(struct turn *turn)
{
	struct step *step = event_step(turn);

	step_move(turn, turn->event->step, STEP_STATE_SUCCEEDED);
	end_pursuit(step);
	step->stuck_why = NULL;
	step->reply = arena_bytes(turn->arena, turn->event->reply);
	set_milestone(turn, turn->event->milestone);
}

static enum saga_verdict succeed(struct turn *turn)
{
	take_success(turn);
	note_decided(turn, turn->event->step);
	proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_succeeded_dispatched(struct turn *turn)
{
	return succeed(turn);
}

enum saga_verdict on_succeeded_accepted(struct turn *turn)
{
	return succeed(turn);
}

enum saga_verdict on_succeeded_retry_wait(struct turn *turn)
{
	return succeed(turn);
}

enum saga_verdict on_succeeded_stuck(struct turn *turn)
{
	return succeed(turn);
}

/* The participant breaks the contract; its effect stands, and nothing of ours can take it back. */
static enum saga_verdict violated(struct turn *turn, const char *why)
{
	set_milestone(turn, turn->event->milestone);
	stand_still(turn, turn->event->step, STEP_STATE_VIOLATED, why);
	proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_succeeded_rejected(struct turn *turn)
{
	if (can_only_go_forward(turn, turn->event->step))
		return violated(turn,
				"succeeded after it was refused, while the steps before it are being compensated");
	take_success(turn);
	event_step(turn)->came_late = true;
	proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

/* Late: what came after it is not compensated yet, then it is. */
enum saga_verdict on_succeeded_unknown(struct turn *turn)
{
	take_success(turn);
	proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

/* The tombstone that the compensation left should have stopped it. */
enum saga_verdict on_succeeded_not_needed(struct turn *turn)
{
	if (!event_step(turn)->has_no_effect) {
		turn->why = "the step has no compensation";
		return SAGA_VERDICT_IGNORED;
	}
	return violated(turn, "succeeded after its compensation had found no effect: the participant has no barrier "
			      "(a late command must meet the tombstone of its compensation)");
}

/* ---- refusal ---- */
/* A forward step that the participant, or the time, refused: back where that is still possible, else a person decides. */
static enum saga_verdict refused(struct turn *turn, const char *milestone, const char *why)
{
	const int32_t index = turn->event->step;
	struct step *step = event_step(turn);

	end_pursuit(step);
	if (!turn->saga->is_decided && definition_at(turn, index)->kind != STEP_KIND_RETRIABLE) {
		step_move(turn, index, STEP_STATE_REJECTED);
		turn_back_because_of(turn, index, milestone);
	} else {
		set_milestone(turn, milestone);
		step->is_refused = true;
		stand_still(turn, index, STEP_STATE_STUCK, why);
	}
	proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

static enum saga_verdict reject(struct turn *turn)
{
	const char *milestone = turn->event->milestone;

	set_reason(turn, event_step(turn), turn->event->reason, turn->event->detail);
	return refused(turn, milestone ? milestone : step_milestone(turn, turn->event->step, "REJECTED"),
		       with_reason(turn, "rejected"));
}

enum saga_verdict on_rejected_dispatched(struct turn *turn)
{
	return reject(turn);
}

enum saga_verdict on_rejected_accepted(struct turn *turn)
{
	return reject(turn);
}

/* What was unknown is known not to have happened: there is nothing to undo, then. */
static enum saga_verdict not_done(struct turn *turn)
{
	if (!turn->saga->failure_milestone) /* it was asked about, or is to be when the saga is resumed */
		return reject(turn);
	end_pursuit(event_step(turn));
	step_move(turn, turn->event->step, STEP_STATE_REJECTED);
	set_reason(turn, event_step(turn), turn->event->reason, turn->event->detail);
	proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_rejected_unknown(struct turn *turn)
{
	return not_done(turn);
}

/* ---- no outcome ---- */
/* Nobody knows whether it happened: before the pivot it is asked about, where the definition has an inquiry, or compensated,
 * which leaves a tombstone for what is still on its way; else a person decides. */
static enum saga_verdict give_up(struct turn *turn, const char *reason, const char *milestone, const char *why)
{
	const int32_t index = turn->event->step;

	set_reason(turn, event_step(turn), reason, why);
	if (can_only_go_forward(turn, index)) {
		note_decided(turn, index);
		set_milestone(turn, milestone);
		stand_still(turn, index, STEP_STATE_STUCK, why);
	} else {
		step_move(turn, index, STEP_STATE_UNKNOWN);
		end_pursuit(event_step(turn));
		if (definition_at(turn, index)->has_inquiry)
			set_milestone(turn, milestone);
		else
			turn_back_because_of(turn, index, milestone);
	}
	proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

/* Every attempt was rolled back, by contract; but a copy of the command (re-sent, or delivered again to a participant that
 * died before it stored its offset) may be on its way and succeed later, since a retriable outcome is not stored. */
static enum saga_verdict retry_later(struct turn *turn)
{
	const int32_t index = turn->event->step;
	const char *milestone = turn->event->milestone;

	if (!has_attempts_left(turn, index, STEP_PHASE_FORWARD))
		return give_up(turn, REASON_ATTEMPTS_EXHAUSTED,
			       milestone ? milestone : step_milestone(turn, index, "ATTEMPTS_EXHAUSTED"),
			       exhausted_text(turn, event_step(turn)->attempts[STEP_PHASE_FORWARD]));
	wait_for_retry(turn, STEP_PHASE_FORWARD, STEP_STATE_RETRY_WAIT);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_retriable_dispatched(struct turn *turn)
{
	return retry_later(turn);
}

enum saga_verdict on_retriable_accepted(struct turn *turn)
{
	return retry_later(turn);
}

enum saga_verdict on_accepted_dispatched(struct turn *turn)
{
	step_move(turn, turn->event->step, STEP_STATE_ACCEPTED);
	event_step(turn)->due_us = 0; /* the deadline remains */
	set_milestone(turn, turn->event->milestone);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_resend_dispatched(struct turn *turn)
{
	resend(turn, STEP_PHASE_FORWARD);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_retry_retry_wait(struct turn *turn)
{
	step_move(turn, turn->event->step, STEP_STATE_DISPATCHED);
	begin_attempt(turn, turn->event->step, STEP_PHASE_FORWARD);
	return SAGA_VERDICT_APPLIED;
}

/* Before the pivot the outcome is unknown. From the pivot on: another pursuit, as long as there are attempts; that the
 * pivot's outcome is unknown already forbids to go back. */
static enum saga_verdict time_out(struct turn *turn)
{
	const int32_t index = turn->event->step;
	const char *milestone = timed_out_milestone(turn, index, STEP_PHASE_FORWARD);
	const int32_t attempts = event_step(turn)->attempts[STEP_PHASE_FORWARD];

	if (!can_only_go_forward(turn, index))
		return give_up(turn, REASON_TIMED_OUT, milestone, NULL);
	if (!has_attempts_left(turn, index, STEP_PHASE_FORWARD))
		return give_up(turn, REASON_TIMED_OUT, milestone,
			       arena_format(turn->arena, "%s: no reply in time", exhausted_text(turn, attempts)));
	note_decided(turn, index);
	set_reason(turn, event_step(turn), REASON_TIMED_OUT, NULL);
	set_milestone(turn, milestone);
	begin_forward(turn, index);
	proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_timed_out_dispatched(struct turn *turn)
{
	return time_out(turn);
}

enum saga_verdict on_timed_out_accepted(struct turn *turn)
{
	return time_out(turn);
}

enum saga_verdict on_timed_out_retry_wait(struct turn *turn)
{
	return time_out(turn);
}

/* ---- held by the participant, backward and asked about ---- */
/* There is no state of its own for it: COMPENSATING, or INQUIRING, with nothing due before the deadline. */
static enum saga_verdict hold(struct turn *turn, const char *why_not)
{
	struct step *step = event_step(turn);

	if (!step->due_us) {
		turn->why = why_not;
		return SAGA_VERDICT_IGNORED;
	}
	step_move(turn, turn->event->step, step->state);
	step->due_us = 0;
	return SAGA_VERDICT_APPLIED;
}

static enum saga_verdict resend_unless_held(struct turn *turn, enum step_phase phase, const char *why_not)
{
	if (!event_step(turn)->due_us) {
		turn->why = why_not;
		return SAGA_VERDICT_IGNORED;
	}
	resend(turn, phase);
	return SAGA_VERDICT_APPLIED;
}

/* ---- waiting for room ---- */
static enum saga_verdict hold_back(struct turn *turn, enum step_phase phase, enum step_state held)
{
	if (event_step(turn)->resends > 0) {
		turn->why = "the attempt has been sent";
		return SAGA_VERDICT_IGNORED;
	}
	if (!log_has_room_for_try(turn->saga->version)) {
		turn->why = "the saga's log has no room for waiting";
		return SAGA_VERDICT_IGNORED;
	}
	wait_for_room(turn, phase, held);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_held_dispatched(struct turn *turn)
{
	return hold_back(turn, STEP_PHASE_FORWARD, STEP_STATE_HELD);
}

enum saga_verdict on_held_compensating(struct turn *turn)
{
	return hold_back(turn, STEP_PHASE_COMPENSATION, STEP_STATE_COMPENSATION_HELD);
}

enum saga_verdict on_released_held(struct turn *turn)
{
	send_with_room(turn, STEP_PHASE_FORWARD, STEP_STATE_DISPATCHED);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_released_compensation_held(struct turn *turn)
{
	send_with_room(turn, STEP_PHASE_COMPENSATION, STEP_STATE_COMPENSATING);
	return SAGA_VERDICT_APPLIED;
}

static bool was_sent(struct turn *turn, enum step_phase phase)
{
	if (event_step(turn)->attempts[phase] > 0)
		return true;
	turn->why = "the command was never sent: it waits for room";
	return false;
}

enum saga_verdict on_succeeded_held(struct turn *turn)
{
	return was_sent(turn, STEP_PHASE_FORWARD) ? succeed(turn) : SAGA_VERDICT_IGNORED;
}

/* ---- waiting without a participant ---- */
enum saga_verdict on_timed_out_waiting(struct turn *turn)
{
	const int32_t index = turn->event->step;
	const struct step_definition *definition = definition_at(turn, index);
	struct step *step = event_step(turn);

	if (!definition->is_optional) {
		set_reason(turn, step, REASON_TIMED_OUT, NULL);
		return refused(turn, timed_out_milestone(turn, index, STEP_PHASE_FORWARD), "no signal came in time");
	}
	step_move(turn, index, STEP_STATE_SKIPPED);
	end_pursuit(step);
	proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_elapsed_waiting(struct turn *turn)
{
	step_move(turn, turn->event->step, STEP_STATE_SUCCEEDED);
	end_pursuit(event_step(turn));
	proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

/* It comes before the step has begun: kept until then. */
enum saga_verdict on_signalled_pending(struct turn *turn)
{
	struct step *step = event_step(turn);

	if (step->is_signalled) {
		turn->why = "duplicate: the signal has come before";
		return SAGA_VERDICT_IGNORED;
	}
	if (turn->saga->failure_milestone) {
		turn->why = "the saga has turned back";
		return SAGA_VERDICT_IGNORED;
	}
	step->is_signalled = true;
	step->reply = arena_bytes(turn->arena, turn->event->reply);
	step_move(turn, turn->event->step, STEP_STATE_PENDING);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_signalled_waiting(struct turn *turn)
{
	event_step(turn)->is_signalled = true;
	return succeed(turn);
}

enum saga_verdict on_signalled_stuck(struct turn *turn)
{
	event_step(turn)->is_signalled = true;
	return succeed(turn);
}

/* ---- inquiry: the participant was asked what became of its command ---- */
enum saga_verdict on_succeeded_inquiring(struct turn *turn)
{
	return succeed(turn);
}

enum saga_verdict on_succeeded_inquiry_retry_wait(struct turn *turn)
{
	return succeed(turn);
}

enum saga_verdict on_rejected_inquiring(struct turn *turn)
{
	return not_done(turn);
}

enum saga_verdict on_rejected_inquiry_retry_wait(struct turn *turn)
{
	return not_done(turn);
}

/* The participant does not know either: as if nobody had asked. */
static enum saga_verdict stays_unknown(struct turn *turn, const char *reason, const char *detail)
{
	const int32_t index = turn->event->step;
	struct step *step = event_step(turn);

	step_move(turn, index, STEP_STATE_UNKNOWN);
	end_pursuit(step);
	set_reason(turn, step, reason, detail);
	if (!turn->saga->failure_milestone)
		turn_back_because_of(turn, index, step_milestone(turn, index, "UNKNOWN"));
	proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_unknown_inquiring(struct turn *turn)
{
	const char *reason = turn->event->reason;

	return stays_unknown(turn, reason ? reason : REASON_UNKNOWN, turn->event->detail);
}

enum saga_verdict on_retriable_inquiring(struct turn *turn)
{
	const int32_t attempts = event_step(turn)->attempts[STEP_PHASE_INQUIRY];

	if (!has_attempts_left(turn, turn->event->step, STEP_PHASE_INQUIRY))
		return stays_unknown(turn, REASON_ATTEMPTS_EXHAUSTED,
				     arena_format(turn->arena, "inquiry: %s", exhausted_text(turn, attempts)));
	wait_for_retry(turn, STEP_PHASE_INQUIRY, STEP_STATE_INQUIRY_RETRY_WAIT);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_accepted_inquiring(struct turn *turn)
{
	return hold(turn, "duplicate: the inquiry was accepted before");
}

enum saga_verdict on_resend_inquiring(struct turn *turn)
{
	return resend_unless_held(turn, STEP_PHASE_INQUIRY, "the participant has the command in hand");
}

enum saga_verdict on_retry_inquiry_retry_wait(struct turn *turn)
{
	step_move(turn, turn->event->step, STEP_STATE_INQUIRING);
	begin_attempt(turn, turn->event->step, STEP_PHASE_INQUIRY);
	return SAGA_VERDICT_APPLIED;
}

static enum saga_verdict inquiry_timed_out(struct turn *turn)
{
	return stays_unknown(turn, REASON_TIMED_OUT, "inquiry: no answer in time");
}

enum saga_verdict on_timed_out_inquiring(struct turn *turn)
{
	return inquiry_timed_out(turn);
}

enum saga_verdict on_timed_out_inquiry_retry_wait(struct turn *turn)
{
	return inquiry_timed_out(turn);
}

/* ---- compensation ---- */
static enum saga_verdict compensated(struct turn *turn)
{
	struct step *step = event_step(turn);

	step->has_no_effect = turn->event->has_no_effect;
	step_move(turn, turn->event->step, step->has_no_effect ? STEP_STATE_NOT_NEEDED : STEP_STATE_COMPENSATED);
	end_pursuit(step);
	step->stuck_why = NULL;
	set_milestone(turn, turn->event->milestone);
	proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_succeeded_compensating(struct turn *turn)
{
	return compensated(turn);
}

enum saga_verdict on_succeeded_compensation_retry_wait(struct turn *turn)
{
	return compensated(turn);
}

enum saga_verdict on_succeeded_compensation_stuck(struct turn *turn)
{
	return compensated(turn);
}

enum saga_verdict on_succeeded_compensation_held(struct turn *turn)
{
	return was_sent(turn, STEP_PHASE_COMPENSATION) ? compensated(turn) : SAGA_VERDICT_IGNORED;
}

static enum saga_verdict compensation_stuck(struct turn *turn, const char *reason, const char *why)
{
	set_reason(turn, event_step(turn), reason, turn->event->detail);
	stand_still(turn, turn->event->step, STEP_STATE_COMPENSATION_STUCK, why);
	proceed(turn);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_rejected_compensating(struct turn *turn)
{
	return compensation_stuck(turn, REASON_COMPENSATION_REJECTED, with_reason(turn, REASON_COMPENSATION_REJECTED));
}

enum saga_verdict on_retriable_compensating(struct turn *turn)
{
	const int32_t attempts = event_step(turn)->attempts[STEP_PHASE_COMPENSATION];

	if (!has_attempts_left(turn, turn->event->step, STEP_PHASE_COMPENSATION))
		return compensation_stuck(turn, REASON_ATTEMPTS_EXHAUSTED, exhausted_text(turn, attempts));
	wait_for_retry(turn, STEP_PHASE_COMPENSATION, STEP_STATE_COMPENSATION_RETRY_WAIT);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_accepted_compensating(struct turn *turn)
{
	return hold(turn, "duplicate: the compensation was accepted before");
}

enum saga_verdict on_resend_compensating(struct turn *turn)
{
	return resend_unless_held(turn, STEP_PHASE_COMPENSATION, "the participant holds the compensation");
}

enum saga_verdict on_retry_compensation_retry_wait(struct turn *turn)
{
	step_move(turn, turn->event->step, STEP_STATE_COMPENSATING);
	begin_attempt(turn, turn->event->step, STEP_PHASE_COMPENSATION);
	return SAGA_VERDICT_APPLIED;
}

static enum saga_verdict compensation_timed_out(struct turn *turn)
{
	set_milestone(turn, timed_out_milestone(turn, turn->event->step, STEP_PHASE_COMPENSATION));
	return compensation_stuck(turn, REASON_TIMED_OUT, "not confirmed before its deadline");
}

enum saga_verdict on_timed_out_compensating(struct turn *turn)
{
	return compensation_timed_out(turn);
}

enum saga_verdict on_timed_out_compensation_retry_wait(struct turn *turn)
{
	return compensation_timed_out(turn);
}
