/* saga.c - see saga.h. Takes an event in: is it heard, what is decided, on which copy, and does the result hold. */
#include "coordinator/saga/saga.h"

#include <assert.h>

#include "coordinator/saga/log_room.h"
#include "coordinator/saga/machine.h"
#include "lib/base/clock.h"

static const char *copy_text(struct arena *arena, const char *text)
{
	return text ? arena_strdup(arena, text) : NULL;
}

static struct saga *copy_saga(const struct saga *saga, struct arena *arena)
{
	struct saga *copy = arena_copy(arena, saga, sizeof(*saga));

	copy->milestone = copy_text(arena, saga->milestone);
	copy->failure_milestone = copy_text(arena, saga->failure_milestone);
	copy->stuck_reason = copy_text(arena, saga->stuck_reason);
	copy->steps = arena_copy(arena, saga->steps, saga->step_count * sizeof(*saga->steps));
	for (size_t i = 0; i < saga->step_count; i++) {
		struct step *step = &copy->steps[i];

		step->reason = copy_text(arena, step->reason);
		step->detail = copy_text(arena, step->detail);
		step->reply = arena_bytes(arena, step->reply);
	}
	return copy;
}

static struct saga_event started_event(int64_t time_us)
{
	return (struct saga_event){.type = SAGA_EVENT_STARTED, .time_us = time_us, .step = -1, .milestone = "STARTED"};
}

/* Before its first event is applied: nothing has happened. */
static struct saga *new_saga(const struct definition *definition, struct uuid id, int64_t time_us, struct arena *arena)
{
	struct saga *saga = arena_zalloc(arena, sizeof(*saga));

	assert(definition->step_count > 0);
	assert(definition->step_count <= DEFINITION_STEPS_MAX);
	*saga = (struct saga){
		.id = id,
		.version = 1,
		.state = SAGA_STATE_SCHEDULED,
		.created_us = time_us,
		.updated_us = time_us,
		.current_step = -1,
		.step_count = definition->step_count,
		.steps = arena_zalloc(arena, definition->step_count * sizeof(*saga->steps)),
	};
	return saga;
}

struct saga *saga_start(const struct definition *definition, struct uuid id, int64_t time_us, struct arena *arena,
			struct saga_event *ret_event, struct saga_effects *ret_effects)
{
	struct saga *saga = new_saga(definition, id, time_us, arena);
	struct turn turn = {definition, ret_event, saga, arena, ret_effects, NULL};
	enum saga_verdict verdict;

	*ret_event = started_event(time_us);
	ret_effects->count = 0;
	verdict = on_started(&turn);
	assert(verdict == SAGA_VERDICT_APPLIED);
	saga_invariant(definition, saga);
	return saga;
}

struct saga *saga_schedule(const struct definition *definition, struct uuid id, int64_t time_us, int64_t start_us,
			   struct arena *arena, struct saga_event *ret_event)
{
	struct saga *saga = new_saga(definition, id, time_us, arena);
	char *start_text = arena_alloc(arena, CLOCK_TEXT_LEN + 1);

	assert(start_us > time_us);
	clock_format(start_us, start_text);
	*ret_event = (struct saga_event){.type = SAGA_EVENT_SCHEDULED,
					 .time_us = time_us,
					 .step = -1,
					 .milestone = "SCHEDULED",
					 .detail = start_text};
	saga->start_us = start_us;
	saga->milestone = arena_strdup(arena, ret_event->milestone);
	saga_invariant(definition, saga);
	return saga;
}

struct saga_event saga_cancel_event(int64_t time_us, const char *text)
{
	return (struct saga_event){
		.type = SAGA_EVENT_CANCELLED, .time_us = time_us, .step = -1, .milestone = "CANCELLED", .detail = text};
}

/* ---- is it heard? Each answers NULL, or why not. ---- */
static const char *check_gate(const struct saga *saga, const struct saga_event *event)
{
	const char *why;

	switch (machine_gate(saga->state, &why)) {
	case SAGA_GATE_ALL:
		return NULL;
	case SAGA_GATE_SUCCESS_OF_CURRENT:
		return event->type == SAGA_EVENT_SUCCEEDED && event->step == saga->current_step ? NULL : why;
	case SAGA_GATE_NOTHING:
		break;
	}
	return why;
}

/* I12: what the clock brings counts from its time on, and only for the pursuit that set the time. */
static const char *check_due(const struct step *step, const struct saga_event *event)
{
	if (event->type == SAGA_EVENT_TIMED_OUT && event->time_us < step->deadline_us)
		return "the deadline is not over";
	if (event->type == SAGA_EVENT_RETRY && event->time_us < step->due_us)
		return "the backoff is not over";
	return NULL;
}

static const char *check_step_event(const struct saga *saga, const struct saga_event *event, action_fn **ret_action)
{
	const struct step *step;
	const struct decision *decision;
	const char *why;

	if (event->step < 0 || (size_t)event->step >= saga->step_count)
		return "the saga has no such step";
	why = check_gate(saga, event);
	if (why)
		return why;
	step = &saga->steps[event->step];
	decision = machine_decide(step->state, event->phase, event->type);
	*ret_action = decision->action;
	if (!decision->action)
		return decision->why;
	if (machine_needs_attempt_in_flight(event->type) && event->attempt != step->attempts[event->phase])
		return "about another attempt than the one in flight";
	return check_due(step, event);
}

static const char *check_saga_event(const struct saga *saga, const struct saga_event *event, action_fn **ret_action,
				    bool *ret_is_refusal)
{
	const struct decision *decision = machine_decide_saga(saga->state, event->type);

	*ret_action = decision->action;
	*ret_is_refusal = decision->is_refusal;
	if (decision->action && event->type == SAGA_EVENT_STARTED && event->time_us < saga->start_us) /* I12 */
		return "the start time has not come";
	if (decision->action && event->type != SAGA_EVENT_STARTED && !log_has_room_for_request(saga->version)) {
		*ret_is_refusal = true;
		return "the saga's log is full: nothing can be asked of it any more";
	}
	return decision->why;
}

enum saga_verdict saga_apply(const struct definition *definition, const struct saga *saga,
			     const struct saga_event *event, struct arena *arena, struct saga **ret_saga,
			     struct saga_effects *ret_effects, const char **ret_why)
{
	struct turn turn = {definition, event, NULL, arena, ret_effects, NULL};
	action_fn *action = NULL;
	bool is_refusal = false;
	enum saga_verdict verdict;

	assert(saga->step_count == definition->step_count);
	assert((int)event->type >= 0 && event->type < SAGA_EVENT_COUNT);
	assert((int)event->phase >= 0 && event->phase < STEP_PHASE_COUNT);
	ret_effects->count = 0;
	*ret_why = machine_is_of_saga(event->type) ? check_saga_event(saga, event, &action, &is_refusal)
						   : check_step_event(saga, event, &action);
	if (*ret_why)
		return is_refusal ? SAGA_VERDICT_REFUSED : SAGA_VERDICT_IGNORED;
	turn.saga = copy_saga(saga, arena);
	verdict = action(&turn);
	if (verdict != SAGA_VERDICT_APPLIED) {
		assert(turn.why);
		assert(ret_effects->count == 0);
		*ret_why = turn.why;
		return verdict;
	}
	turn.saga->version++; /* I9 */
	turn.saga->updated_us = event->time_us;
	saga_invariant(definition, turn.saga);
	*ret_saga = turn.saga;
	return SAGA_VERDICT_APPLIED;
}

/* ---- the clock ---- */
/* The step that is pursued, if any; a stuck saga pursues nothing. */
static const struct step *pursued_step(const struct saga *saga, enum step_phase *ret_phase)
{
	const struct step *step;

	if (!saga_state_is_open(saga->state) || saga->current_step < 0)
		return NULL;
	assert((size_t)saga->current_step < saga->step_count);
	step = &saga->steps[saga->current_step];
	return step_state_is_pursued(step->state, ret_phase) ? step : NULL;
}

int64_t saga_due_us(const struct saga *saga)
{
	enum step_phase phase;
	const struct step *step = pursued_step(saga, &phase);

	if (saga->state == SAGA_STATE_SCHEDULED)
		return saga->start_us;
	if (!step)
		return 0;
	return step->due_us && step->due_us < step->deadline_us ? step->due_us : step->deadline_us;
}

static struct saga_event clock_event(const struct saga *saga, enum saga_event_type type, enum step_phase phase,
				     int64_t now_us)
{
	return (struct saga_event){.type = type,
				   .time_us = now_us,
				   .step = saga->current_step,
				   .phase = phase,
				   .attempt = saga->steps[saga->current_step].attempts[phase]};
}

bool saga_due_event(const struct saga *saga, int64_t now_us, struct saga_event *ret_event)
{
	enum step_phase phase;
	const struct step *step = pursued_step(saga, &phase);
	bool is_waiting;

	if (saga->state == SAGA_STATE_SCHEDULED && now_us >= saga->start_us) {
		*ret_event = started_event(now_us);
		return true;
	}
	if (!step)
		return false;
	is_waiting = step->state == STEP_STATE_RETRY_WAIT || step->state == STEP_STATE_COMPENSATION_RETRY_WAIT;
	if (now_us >= step->deadline_us)
		*ret_event = clock_event(saga, SAGA_EVENT_TIMED_OUT, phase, now_us);
	else if (step->due_us && now_us >= step->due_us)
		*ret_event = clock_event(saga, is_waiting ? SAGA_EVENT_RETRY : SAGA_EVENT_RESEND, phase, now_us);
	else
		return false;
	return true;
}

bool saga_resend_event(const struct saga *saga, int64_t now_us, struct saga_event *ret_event)
{
	enum step_phase phase;
	const struct step *step = pursued_step(saga, &phase);

	if (!step || !step->due_us || now_us >= step->deadline_us || !log_has_room_for_try(saga->version))
		return false;
	if (step->state != STEP_STATE_DISPATCHED && step->state != STEP_STATE_COMPENSATING)
		return false;
	*ret_event = clock_event(saga, SAGA_EVENT_RESEND, phase, now_us);
	return true;
}
