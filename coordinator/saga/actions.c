/*
 * actions.c - what each transition of saga_states.def does: on_<event>_<state of the step>.
 *
 * Order:      small parts first (sending, going on, going back, standing still), then the actions by event.
 */
#include "coordinator/saga/machine.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>

#include "coordinator/saga/log_room.h"
#include "coordinator/saga/retry.h"

static const char REASON_TIMED_OUT[] = "timed_out";
static const char REASON_ATTEMPTS_EXHAUSTED[] = "attempts_exhausted";
static const char REASON_CANCELLED[] = "cancelled";
static const char REASON_COMPENSATION_REJECTED[] = "compensation_rejected";

/* ---- parts ---- */
static struct step *step_at(struct turn *turn, int32_t index)
{
	assert(index >= 0 && (size_t)index < turn->saga->step_count);
	return &turn->saga->steps[index];
}

static struct step *event_step(struct turn *turn)
{
	return step_at(turn, turn->event->step);
}

static const struct step_definition *definition_at(struct turn *turn, int32_t index)
{
	assert(index >= 0 && (size_t)index < turn->definition->step_count);
	return &turn->definition->steps[index];
}

static const struct command_policy *policy_of(struct turn *turn, int32_t index, enum step_phase phase)
{
	return &definition_at(turn, index)->policy[phase];
}

static bool can_only_go_forward(struct turn *turn, int32_t index)
{
	return definition_at(turn, index)->kind != STEP_KIND_COMPENSATABLE;
}

static const char *copy_text(struct turn *turn, const char *text)
{
	return text ? arena_strdup(turn->arena, text) : NULL;
}

static void set_milestone(struct turn *turn, const char *milestone)
{
	if (milestone)
		turn->saga->milestone = arena_strdup(turn->arena, milestone);
}

/* CHARGE_PAYMENT_ATTEMPTS_EXHAUSTED: for what no message of a participant has a name for. */
static const char *step_milestone(struct turn *turn, int32_t index, const char *what)
{
	char *text = arena_format(turn->arena, "%s_%s", definition_at(turn, index)->id, what);

	for (char *at = text; *at; at++)
		*at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
	return text;
}

static const char *timed_out_milestone(struct turn *turn, int32_t index, enum step_phase phase)
{
	const char *milestone = definition_at(turn, index)->timed_out_milestone[phase];

	return milestone ? milestone : step_milestone(turn, index, "TIMED_OUT");
}

static void set_reason(struct turn *turn, struct step *step, const char *reason, const char *detail)
{
	step->reason = copy_text(turn, reason);
	step->detail = copy_text(turn, detail);
}

static void add_effect(struct turn *turn, struct saga_effect effect)
{
	assert(turn->effects->count < SAGA_EFFECTS_MAX);
	turn->effects->items[turn->effects->count++] = effect;
}

/* Nothing is due any more: the step has an outcome, or waits for a person. */
static void end_pursuit(struct step *step)
{
	step->due_us = 0;
	step->deadline_us = 0;
}

static int64_t wait_us(struct turn *turn, int32_t index, enum step_phase phase, bool is_backoff)
{
	const struct command_policy *policy = policy_of(turn, index, phase);
	const struct step *step = step_at(turn, index);
	const struct retry_seed seed = {.saga_id = turn->saga->id,
					.step = index,
					.phase = phase,
					.attempt = step->attempts[phase],
					.resends = is_backoff ? -1 : step->resends};

	if (is_backoff)
		return retry_wait_us(policy->retry_backoff_ms, policy->retry_backoff_max_ms, step->attempts[phase] - 1,
				     &seed);
	return retry_wait_us(policy->resend_ms, policy->resend_max_ms, step->resends, &seed);
}

static bool has_attempts_left(struct turn *turn, int32_t index, enum step_phase phase)
{
	return step_at(turn, index)->attempts[phase] < policy_of(turn, index, phase)->attempts_max &&
	       log_has_room_for_try(turn->saga->version);
}

/* Decides that the command in flight is on its way (again) from now. */
static void send_command(struct turn *turn, int32_t index, enum step_phase phase)
{
	struct step *step = step_at(turn, index);

	assert(step->deadline_us > 0); /* I1: no pursuit without an end */
	assert(step->attempts[phase] > 0);
	step->due_us = log_resend_us(turn->saga->version, turn->event->time_us,
				     turn->event->time_us + wait_us(turn, index, phase, false), step->deadline_us);
	add_effect(turn, (struct saga_effect){.type = SAGA_EFFECT_SEND_COMMAND,
					      .step = index,
					      .phase = phase,
					      .attempt = step->attempts[phase],
					      .deadline_us = step->deadline_us});
}

static void begin_attempt(struct turn *turn, int32_t index, enum step_phase phase)
{
	struct step *step = step_at(turn, index);

	assert(step->attempts[phase] < policy_of(turn, index, phase)->attempts_max);
	step->attempts[phase]++;
	step->resends = 0;
	send_command(turn, index, phase);
}

static void begin_pursuit(struct turn *turn, int32_t index, enum step_phase phase)
{
	struct step *step = step_at(turn, index);

	turn->saga->current_step = index;
	if (!step->started_us)
		step->started_us = turn->event->time_us;
	step->deadline_us = turn->event->time_us + policy_of(turn, index, phase)->timeout_ms * 1000;
	begin_attempt(turn, index, phase);
}

static void resend(struct turn *turn, enum step_phase phase)
{
	struct step *step = event_step(turn);

	step->resends++;
	step->resends_total++;
	send_command(turn, turn->event->step, phase);
}

static void finish(struct turn *turn, enum saga_state state, const char *milestone)
{
	saga_move(turn, state);
	assert(saga_state_is_terminal(state));
	turn->saga->current_step = -1;
	turn->saga->ended_us = turn->event->time_us;
	set_milestone(turn, milestone);
	add_effect(turn, (struct saga_effect){.type = SAGA_EFFECT_FINISHED, .step = -1});
}

/* I1: what cannot go on is listed with its reason, never silent. `why`: "rejected: no_stock: sold out". */
static void get_stuck(struct turn *turn, int32_t index, enum step_phase phase, const char *why)
{
	struct saga *saga = turn->saga;

	if (saga->current_step >= 0)
		end_pursuit(step_at(turn, saga->current_step));
	saga->current_step = index;
	saga->stuck_reason = arena_format(turn->arena, "step '%s' %s: %s", definition_at(turn, index)->id,
					  step_phase_name(phase), why);
	saga_move(turn, SAGA_STATE_STUCK);
	add_effect(turn, (struct saga_effect){.type = SAGA_EFFECT_STUCK, .step = index, .phase = phase});
}

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

/* ---- going on ---- */
static void dispatch(struct turn *turn, int32_t index)
{
	step_move(turn, index, STEP_STATE_DISPATCHED);
	begin_pursuit(turn, index, STEP_PHASE_FORWARD);
}

static void go_on_after(struct turn *turn, int32_t index)
{
	if ((size_t)index + 1 < turn->saga->step_count)
		dispatch(turn, index + 1);
	else
		finish(turn, SAGA_STATE_COMPLETED, "COMPLETED");
}

/* From the pivot on, when its success is known or possible, the saga is COMPLETING; without a pivot it stays RUNNING. */
static void point_forward(struct turn *turn, int32_t index)
{
	const int32_t pivot = definition_pivot(turn->definition);
	const bool is_decided = pivot >= 0 && index >= pivot;
	const enum saga_state state = is_decided ? SAGA_STATE_COMPLETING : SAGA_STATE_RUNNING;

	if (turn->saga->state != state)
		saga_move(turn, state);
	turn->saga->stuck_reason = NULL;
}

static void succeed(struct turn *turn)
{
	struct step *step = event_step(turn);

	step_move(turn, turn->event->step, STEP_STATE_SUCCEEDED);
	end_pursuit(step);
	step->reply = arena_bytes(turn->arena, turn->event->reply);
	set_milestone(turn, turn->event->milestone);
}

static enum saga_verdict succeed_and_go_on(struct turn *turn)
{
	succeed(turn);
	point_forward(turn, turn->event->step);
	go_on_after(turn, turn->event->step);
	return SAGA_VERDICT_APPLIED;
}

/* ---- going back ---- */
/* I3: only what succeeded or may have; the last first. */
static void compensate_next(struct turn *turn)
{
	for (int32_t i = (int32_t)turn->saga->step_count - 1; i >= 0; i--) {
		const enum step_state state = step_at(turn, i)->state;

		if (state != STEP_STATE_SUCCEEDED && state != STEP_STATE_UNKNOWN)
			continue;
		assert(!can_only_go_forward(turn, i)); /* I3 */
		if (definition_at(turn, i)->has_compensation) {
			step_move(turn, i, STEP_STATE_COMPENSATING);
			begin_pursuit(turn, i, STEP_PHASE_COMPENSATION);
			return;
		}
		step_move(turn, i, STEP_STATE_NOT_NEEDED);
	}
	finish(turn, SAGA_STATE_COMPENSATED, turn->saga->failure_milestone);
}

static void begin_compensation(struct turn *turn, const char *milestone)
{
	set_milestone(turn, milestone);
	turn->saga->failure_milestone = turn->saga->milestone;
	saga_move(turn, SAGA_STATE_COMPENSATING);
	compensate_next(turn);
}

/* A forward step that is REJECTED now: back where that is still possible, else a person decides. */
static void go_back_or_stand(struct turn *turn, const char *milestone, const char *why)
{
	const int32_t index = turn->event->step;
	const bool is_retriable = definition_at(turn, index)->kind == STEP_KIND_RETRIABLE;

	if (turn->saga->state == SAGA_STATE_RUNNING && !is_retriable)
		begin_compensation(turn, milestone);
	else {
		set_milestone(turn, milestone);
		get_stuck(turn, index, STEP_PHASE_FORWARD, why);
	}
}

/* ---- actions: the saga as a whole ---- */
static enum saga_verdict refuse(struct turn *turn, const char *why)
{
	turn->why = why;
	return SAGA_VERDICT_REFUSED;
}

enum saga_verdict on_cancelled_scheduled(struct turn *turn)
{
	set_milestone(turn, turn->event->milestone);
	turn->saga->failure_milestone = turn->saga->milestone;
	finish(turn, SAGA_STATE_COMPENSATED, NULL);
	return SAGA_VERDICT_APPLIED;
}

/* Nobody can know whether the command in flight has its effect: the step is unknown, which compensation takes care of. */
enum saga_verdict on_cancelled_running(struct turn *turn)
{
	const int32_t index = turn->saga->current_step;
	struct step *step = step_at(turn, index);

	if (can_only_go_forward(turn, index))
		return refuse(turn, arena_format(turn->arena, "%s step '%s' has begun: the saga can only go forward",
						 step_kind_name(definition_at(turn, index)->kind),
						 definition_at(turn, index)->id));
	set_reason(turn, step, REASON_CANCELLED, turn->event->detail);
	step_move(turn, index, STEP_STATE_UNKNOWN);
	end_pursuit(step);
	begin_compensation(turn, turn->event->milestone);
	return SAGA_VERDICT_APPLIED;
}

/* Stuck on the way back it has turned back already; stuck on the way forward a person decides. */
enum saga_verdict on_cancelled_stuck(struct turn *turn)
{
	if (!turn->saga->failure_milestone)
		return refuse(turn, "the saga is stuck where it can only go forward: a person has to decide");
	turn->why = "the saga has turned back already, and is stuck there";
	return SAGA_VERDICT_IGNORED;
}

/* ---- actions: forward ---- */
enum saga_verdict on_started(struct turn *turn)
{
	saga_move(turn, SAGA_STATE_RUNNING);
	set_milestone(turn, turn->event->milestone);
	dispatch(turn, 0);
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_succeeded_dispatched(struct turn *turn)
{
	return succeed_and_go_on(turn);
}

enum saga_verdict on_succeeded_accepted(struct turn *turn)
{
	return succeed_and_go_on(turn);
}

enum saga_verdict on_succeeded_retry_wait(struct turn *turn)
{
	return succeed_and_go_on(turn);
}

/* It was refused, and yet it has an effect: a participant that breaks the contract. A step that is not compensatable was then the end of the way
 * forward (STUCK, which it opens again) or the reason to go back, which it forbids. */
enum saga_verdict on_succeeded_rejected(struct turn *turn)
{
	if (turn->saga->state == SAGA_STATE_STUCK)
		return succeed_and_go_on(turn);
	assert(turn->saga->state == SAGA_STATE_COMPENSATING);
	succeed(turn);
	if (can_only_go_forward(turn, turn->event->step))
		get_stuck(turn, turn->event->step, STEP_PHASE_FORWARD,
			  "succeeded after it was refused, while the steps before it are being compensated");
	return SAGA_VERDICT_APPLIED;
}

/* Late: the stuck step that could only go forward, or (with steps in parallel) one that is not compensated yet. */
enum saga_verdict on_succeeded_unknown(struct turn *turn)
{
	if (turn->saga->state == SAGA_STATE_STUCK)
		return succeed_and_go_on(turn);
	succeed(turn);
	return SAGA_VERDICT_APPLIED;
}

/* The tombstone that the compensation left should have stopped it. */
enum saga_verdict on_succeeded_not_needed(struct turn *turn)
{
	const int32_t index = turn->event->step;

	if (!event_step(turn)->has_no_effect) {
		turn->why = "the step has no compensation";
		return SAGA_VERDICT_IGNORED;
	}
	if (turn->saga->state == SAGA_STATE_STUCK) {
		turn->why = "duplicate: the saga is stuck because of it";
		return SAGA_VERDICT_IGNORED;
	}
	step_move(turn, index, STEP_STATE_NOT_NEEDED);
	get_stuck(turn, index, STEP_PHASE_FORWARD,
		  "succeeded after its compensation had found no effect: the participant has no barrier "
		  "(a late command must meet the tombstone of its compensation)");
	return SAGA_VERDICT_APPLIED;
}

static enum saga_verdict reject(struct turn *turn)
{
	struct step *step = event_step(turn);

	step_move(turn, turn->event->step, STEP_STATE_REJECTED);
	end_pursuit(step);
	set_reason(turn, step, turn->event->reason, turn->event->detail);
	go_back_or_stand(turn,
			 turn->event->milestone ? turn->event->milestone
						: step_milestone(turn, turn->event->step, "REJECTED"),
			 with_reason(turn, "rejected"));
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_rejected_dispatched(struct turn *turn)
{
	return reject(turn);
}

enum saga_verdict on_rejected_accepted(struct turn *turn)
{
	return reject(turn);
}

enum saga_verdict on_rejected_unknown(struct turn *turn)
{
	step_move(turn, turn->event->step, STEP_STATE_REJECTED);
	set_reason(turn, event_step(turn), turn->event->reason, turn->event->detail);
	return SAGA_VERDICT_APPLIED;
}

/*
 * Every attempt was rolled back, by contract; but a copy of the command (re-sent, or delivered again to a participant that
 * died before it stored its offset) may be on its way and succeed later, since a retriable outcome is not stored. So the
 * outcome is unknown: before the pivot it is compensated, which leaves a tombstone for the copy; else a person decides.
 */
static void exhaust(struct turn *turn, int32_t attempts)
{
	const int32_t index = turn->event->step;
	struct step *step = event_step(turn);
	const char *why = exhausted_text(turn, attempts);

	step_move(turn, index, STEP_STATE_UNKNOWN);
	end_pursuit(step);
	set_reason(turn, step, REASON_ATTEMPTS_EXHAUSTED, why);
	if (can_only_go_forward(turn, index))
		get_stuck(turn, index, STEP_PHASE_FORWARD, why);
	else
		begin_compensation(turn, turn->event->milestone ? turn->event->milestone
								: step_milestone(turn, index, "ATTEMPTS_EXHAUSTED"));
}

static void wait_for_retry(struct turn *turn, enum step_phase phase, enum step_state waiting)
{
	struct step *step = event_step(turn);

	step_move(turn, turn->event->step, waiting);
	set_reason(turn, step, turn->event->reason, turn->event->detail);
	step->due_us = turn->event->time_us + wait_us(turn, turn->event->step, phase, true);
}

static enum saga_verdict retry_later(struct turn *turn)
{
	const int32_t attempts = event_step(turn)->attempts[STEP_PHASE_FORWARD];

	if (!has_attempts_left(turn, turn->event->step, STEP_PHASE_FORWARD))
		exhaust(turn, attempts);
	else
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

/* Before the pivot: the outcome is unknown, which compensation takes care of. Else: another pursuit, as long as there
 * are attempts. The pivot's outcome being unknown already forbids to go back. */
static enum saga_verdict time_out(struct turn *turn)
{
	const int32_t index = turn->event->step;
	struct step *step = event_step(turn);
	const int32_t attempts = step->attempts[STEP_PHASE_FORWARD];

	set_reason(turn, step, REASON_TIMED_OUT, NULL);
	if (!can_only_go_forward(turn, index)) {
		step_move(turn, index, STEP_STATE_UNKNOWN);
		end_pursuit(step);
		begin_compensation(turn, timed_out_milestone(turn, index, STEP_PHASE_FORWARD));
		return SAGA_VERDICT_APPLIED;
	}
	point_forward(turn, index);
	set_milestone(turn, timed_out_milestone(turn, index, STEP_PHASE_FORWARD));
	if (has_attempts_left(turn, index, STEP_PHASE_FORWARD)) {
		step_move(turn, index, STEP_STATE_DISPATCHED);
		begin_pursuit(turn, index, STEP_PHASE_FORWARD);
		return SAGA_VERDICT_APPLIED;
	}
	step_move(turn, index, STEP_STATE_UNKNOWN);
	end_pursuit(step);
	get_stuck(turn, index, STEP_PHASE_FORWARD,
		  arena_format(turn->arena, "%s: no reply in time", exhausted_text(turn, attempts)));
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

/* ---- actions: compensation ---- */
static enum saga_verdict compensated(struct turn *turn)
{
	struct step *step = event_step(turn);

	step->has_no_effect = turn->event->has_no_effect;
	step_move(turn, turn->event->step, step->has_no_effect ? STEP_STATE_NOT_NEEDED : STEP_STATE_COMPENSATED);
	end_pursuit(step);
	set_milestone(turn, turn->event->milestone);
	if (turn->saga->state == SAGA_STATE_STUCK) {
		saga_move(turn, SAGA_STATE_COMPENSATING);
		turn->saga->stuck_reason = NULL;
	}
	compensate_next(turn);
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

/* The step stays COMPENSATING: that is still to be done, by a person's decision. */
static void compensation_stuck(struct turn *turn, const char *reason, const char *why)
{
	struct step *step = event_step(turn);

	step_move(turn, turn->event->step, STEP_STATE_COMPENSATING);
	set_reason(turn, step, reason, turn->event->detail);
	get_stuck(turn, turn->event->step, STEP_PHASE_COMPENSATION, why);
}

enum saga_verdict on_rejected_compensating(struct turn *turn)
{
	compensation_stuck(turn, REASON_COMPENSATION_REJECTED, with_reason(turn, REASON_COMPENSATION_REJECTED));
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_retriable_compensating(struct turn *turn)
{
	const int32_t attempts = event_step(turn)->attempts[STEP_PHASE_COMPENSATION];

	if (!has_attempts_left(turn, turn->event->step, STEP_PHASE_COMPENSATION))
		compensation_stuck(turn, REASON_ATTEMPTS_EXHAUSTED, exhausted_text(turn, attempts));
	else
		wait_for_retry(turn, STEP_PHASE_COMPENSATION, STEP_STATE_COMPENSATION_RETRY_WAIT);
	return SAGA_VERDICT_APPLIED;
}

/* There is no state of its own for it: COMPENSATING with nothing due before the deadline. */
enum saga_verdict on_accepted_compensating(struct turn *turn)
{
	struct step *step = event_step(turn);

	if (!step->due_us) {
		turn->why = "duplicate: the compensation was accepted before";
		return SAGA_VERDICT_IGNORED;
	}
	step_move(turn, turn->event->step, STEP_STATE_COMPENSATING);
	step->due_us = 0;
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_resend_compensating(struct turn *turn)
{
	if (!event_step(turn)->due_us) {
		turn->why = "the participant holds the compensation";
		return SAGA_VERDICT_IGNORED;
	}
	resend(turn, STEP_PHASE_COMPENSATION);
	return SAGA_VERDICT_APPLIED;
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
	compensation_stuck(turn, REASON_TIMED_OUT, "not confirmed before its deadline");
	return SAGA_VERDICT_APPLIED;
}

enum saga_verdict on_timed_out_compensating(struct turn *turn)
{
	return compensation_timed_out(turn);
}

enum saga_verdict on_timed_out_compensation_retry_wait(struct turn *turn)
{
	return compensation_timed_out(turn);
}
