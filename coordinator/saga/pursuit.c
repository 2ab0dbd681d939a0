/* pursuit.c - see pursuit.h. */
#include "coordinator/saga/pursuit.h"

#include <assert.h>
#include <ctype.h>

#include "coordinator/saga/log_room.h"
#include "coordinator/saga/retry.h"

/* ---- what is at hand ---- */
struct step *step_at(struct turn *turn, int32_t index)
{
	assert(index >= 0 && (size_t)index < turn->saga->step_count);
	return &turn->saga->steps[index];
}

struct step *event_step(struct turn *turn)
{
	return step_at(turn, turn->event->step);
}

const struct step_definition *definition_at(struct turn *turn, int32_t index)
{
	assert(index >= 0 && (size_t)index < turn->definition->step_count);
	return &turn->definition->steps[index];
}

const struct command_policy *policy_of(struct turn *turn, int32_t index, enum step_phase phase)
{
	return &definition_at(turn, index)->policy[phase];
}

bool can_only_go_forward(struct turn *turn, int32_t index)
{
	return definition_at(turn, index)->kind != STEP_KIND_COMPENSATABLE;
}

/* ---- words ---- */
void set_milestone(struct turn *turn, const char *milestone)
{
	if (milestone)
		turn->saga->milestone = arena_strdup(turn->arena, milestone);
}

const char *step_milestone(struct turn *turn, int32_t index, const char *what)
{
	char *text = arena_format(turn->arena, "%s_%s", definition_at(turn, index)->id, what);

	for (char *at = text; *at; at++)
		*at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
	return text;
}

const char *timed_out_milestone(struct turn *turn, int32_t index, enum step_phase phase)
{
	const char *milestone = definition_at(turn, index)->timed_out_milestone[phase];

	return milestone ? milestone : step_milestone(turn, index, "TIMED_OUT");
}

void set_reason(struct turn *turn, struct step *step, const char *reason, const char *detail)
{
	step->reason = reason ? arena_strdup(turn->arena, reason) : NULL;
	step->detail = detail ? arena_strdup(turn->arena, detail) : NULL;
}

/* ---- effects ---- */
/* An event sends one command a step at most, and says once of each step that it is stuck, and of the saga that it ended. */
static size_t effects_max(const struct turn *turn)
{
	return turn->saga->step_count + 1;
}

void add_effect(struct turn *turn, struct saga_effect effect)
{
	struct saga_effects *effects = turn->effects;

	if (effects->count == 0)
		effects->items = arena_alloc(turn->arena, effects_max(turn) * sizeof(*effects->items));
	assert(effects->count < effects_max(turn));
	effects->items[effects->count++] = effect;
}

/* ---- waiting ---- */
static int32_t attempts_that_count(const struct step *step, enum step_phase phase)
{
	return step->attempts[phase] - step->forgiven[phase];
}

bool has_attempts_left(struct turn *turn, int32_t index, enum step_phase phase)
{
	return attempts_that_count(step_at(turn, index), phase) < policy_of(turn, index, phase)->attempts_max &&
	       log_has_room_for_try(turn->saga->version);
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
		return retry_wait_us(policy->retry_backoff_ms, policy->retry_backoff_max_ms,
				     attempts_that_count(step, phase) - 1, &seed);
	return retry_wait_us(policy->resend_ms, policy->resend_max_ms, step->resends, &seed);
}

void wait_for_retry(struct turn *turn, enum step_phase phase, enum step_state waiting)
{
	struct step *step = event_step(turn);

	step_move(turn, turn->event->step, waiting);
	set_reason(turn, step, turn->event->reason, turn->event->detail);
	step->due_us = turn->event->time_us + wait_us(turn, turn->event->step, phase, true);
}

void end_pursuit(struct step *step)
{
	step->due_us = 0;
	step->deadline_us = 0;
}

/* ---- sending ---- */
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

void begin_attempt(struct turn *turn, int32_t index, enum step_phase phase)
{
	struct step *step = step_at(turn, index);

	assert(attempts_that_count(step, phase) < policy_of(turn, index, phase)->attempts_max);
	step->attempts[phase]++;
	step->resends = 0;
	send_command(turn, index, phase);
}

void resend(struct turn *turn, enum step_phase phase)
{
	struct step *step = event_step(turn);

	step->resends++;
	step->resends_total++;
	send_command(turn, turn->event->step, phase);
}

/* ---- waiting for room ---- */
/* When another instance looks whether it has room, should the one that held it be gone. */
#define HELD_LOOK_US (INT64_C(10) * 1000000)

void wait_for_room(struct turn *turn, enum step_phase phase, enum step_state held)
{
	struct step *step = event_step(turn);

	assert(step->attempts[phase] > 0 && step->resends == 0);
	step_move(turn, turn->event->step, held);
	step->attempts[phase]--;
	step->due_us = turn->event->time_us + HELD_LOOK_US;
}

void send_with_room(struct turn *turn, enum step_phase phase, enum step_state sent)
{
	struct step *step = event_step(turn);

	step->deadline_us += turn->event->time_us - step->updated_us;
	step_move(turn, turn->event->step, sent);
	begin_attempt(turn, turn->event->step, phase);
}

static void set_deadline(struct turn *turn, int32_t index, enum step_phase phase)
{
	struct step *step = step_at(turn, index);

	if (!step->started_us)
		step->started_us = turn->event->time_us;
	step->deadline_us = turn->event->time_us + policy_of(turn, index, phase)->timeout_ms * 1000;
}

void begin_forward(struct turn *turn, int32_t index)
{
	if (can_only_go_forward(turn, index))
		turn->saga->deadline_us = 0; /* too late to turn back */
	if (definition_at(turn, index)->action == STEP_ACTION_COMMAND) {
		step_move(turn, index, STEP_STATE_DISPATCHED);
		set_deadline(turn, index, STEP_PHASE_FORWARD);
		begin_attempt(turn, index, STEP_PHASE_FORWARD);
	} else {
		step_move(turn, index, STEP_STATE_WAITING);
		set_deadline(turn, index, STEP_PHASE_FORWARD);
	}
}

void begin_compensation(struct turn *turn, int32_t index)
{
	step_move(turn, index, STEP_STATE_COMPENSATING);
	set_deadline(turn, index, STEP_PHASE_COMPENSATION);
	begin_attempt(turn, index, STEP_PHASE_COMPENSATION);
}

void begin_inquiry(struct turn *turn, int32_t index)
{
	step_move(turn, index, STEP_STATE_INQUIRING);
	set_deadline(turn, index, STEP_PHASE_INQUIRY);
	begin_attempt(turn, index, STEP_PHASE_INQUIRY);
}
