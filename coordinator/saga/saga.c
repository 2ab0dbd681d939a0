/* saga.c - see saga.h. Takes an event in: is it heard, what is decided, on which copy, and does the result hold. */
#include "coordinator/saga/saga.h"

#include <assert.h>

#include "coordinator/saga/log_room.h"
#include "coordinator/saga/machine.h"
#include "lib/base/clock.h"

/* Texts and replies never change, so the copy shares them. */
static struct saga *copy_saga(const struct saga *saga, struct arena *arena)
{
	struct saga *copy = arena_copy(arena, saga, sizeof(*saga));

	copy->steps = arena_copy(arena, saga->steps, saga->step_count * sizeof(*saga->steps));
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
	*ret_effects = (struct saga_effects){0};
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

struct saga *saga_begin_again(const struct definition *definition, struct uuid id, const struct saga_event *first,
			      int64_t start_us, struct arena *arena)
{
	struct saga_effects effects;
	struct saga_event event;

	if (first->type == SAGA_EVENT_STARTED)
		return saga_start(definition, id, first->time_us, arena, &event, &effects);
	if (first->type == SAGA_EVENT_SCHEDULED && start_us > first->time_us)
		return saga_schedule(definition, id, first->time_us, start_us, arena, &event);
	return NULL;
}

struct saga_event saga_request_event(enum saga_event_type type, int32_t step, int64_t time_us, const char *text)
{
	/* Those that turn the saga, or end it, are what people read as the last thing that happened to it. */
	const char *milestone = type == SAGA_EVENT_CANCELLED              ? "CANCELLED"
				: type == SAGA_EVENT_RESOLVED_COMPLETED   ? "RESOLVED_COMPLETED"
				: type == SAGA_EVENT_RESOLVED_COMPENSATED ? "RESOLVED_COMPENSATED"
				: type == SAGA_EVENT_RESOLVED_FAILED      ? "RESOLVED_FAILED"
									  : NULL;

	assert(machine_is_of_saga(type));
	return (struct saga_event){
		.type = type, .time_us = time_us, .step = step, .milestone = milestone, .detail = text};
}

/* ---- is it heard? Each answers NULL, or why not. ---- */
static const char *check_signal(const struct step_definition *its, const struct saga_event *event)
{
	if (its->action != STEP_ACTION_SIGNAL)
		return "the step waits for no signal";
	if (its->has_value == (event->reply.len > 0))
		return NULL;
	return its->has_value ? "the signal has to bring a value" : "the signal brings no value";
}

static const char *check_action(const struct step_definition *its, const struct saga_event *event)
{
	const enum step_action action = its->action;
	const enum saga_event_type type = event->type;

	if (type == SAGA_EVENT_SIGNALLED)
		return check_signal(its, event);
	if (type == SAGA_EVENT_ELAPSED)
		return action == STEP_ACTION_DELAY ? NULL : "the step waits for no time";
	if (type == SAGA_EVENT_TIMED_OUT)
		return action == STEP_ACTION_DELAY ? "the step's time elapses, as planned" : NULL;
	return action == STEP_ACTION_COMMAND ? NULL : "the step has no participant";
}

static bool is_of_clock(enum saga_event_type type)
{
	return type == SAGA_EVENT_RESEND || type == SAGA_EVENT_RETRY || type == SAGA_EVENT_TIMED_OUT ||
	       type == SAGA_EVENT_ELAPSED || type == SAGA_EVENT_STARTED || type == SAGA_EVENT_OVERDUE ||
	       type == SAGA_EVENT_RELEASED;
}

/* What may be asked again and again. A resolution ends the saga, and it is resumed once after each pause. */
static bool is_request(enum saga_event_type type)
{
	return machine_is_of_saga(type) && !is_of_clock(type) && type != SAGA_EVENT_RESUMED &&
	       type != SAGA_EVENT_RESOLVED_COMPLETED && type != SAGA_EVENT_RESOLVED_COMPENSATED &&
	       type != SAGA_EVENT_RESOLVED_FAILED;
}

/* I12: what the clock brings counts from its time on, and only for the pursuit that set the time. */
static const char *check_due(const struct saga *saga, const struct step *step, const struct saga_event *event)
{
	if (saga->paused_us && is_of_clock(event->type))
		return "the saga is paused";
	if (event->type == SAGA_EVENT_TIMED_OUT && event->time_us < step->deadline_us)
		return "the deadline is not over";
	if (event->type == SAGA_EVENT_ELAPSED && event->time_us < step->deadline_us)
		return "the delay is not over";
	if (event->type == SAGA_EVENT_RETRY && event->time_us < step->due_us)
		return "the backoff is not over";
	return NULL;
}

static const char *check_step_event(const struct definition *definition, const struct saga *saga,
				    const struct saga_event *event, action_fn **ret_action)
{
	const struct step *step;
	const struct decision *decision;
	const char *why;

	if (event->step < 0 || (size_t)event->step >= saga->step_count)
		return event->type == SAGA_EVENT_SIGNALLED ? "no step of its definition waits for this signal"
							   : "the saga has no such step";
	why = machine_gate(saga->state);
	if (!why)
		why = check_action(&definition->steps[event->step], event);
	if (why)
		return why;
	step = &saga->steps[event->step];
	decision = machine_decide(step->state, event->phase, event->type);
	*ret_action = decision->action;
	if (!decision->action)
		return decision->why;
	if (machine_needs_attempt_in_flight(event->type) && event->attempt != step->attempts[event->phase])
		return "about another attempt than the one in flight";
	return check_due(saga, step, event);
}

static const char *check_saga_event(const struct saga *saga, const struct saga_event *event, action_fn **ret_action,
				    bool *ret_is_refusal)
{
	const struct decision *decision = machine_decide_saga(saga->state, event->type);

	*ret_action = decision->action;
	*ret_is_refusal = decision->is_refusal;
	if (!decision->action)
		return decision->why;
	if (!is_of_clock(event->type)) {
		*ret_is_refusal = is_request(event->type) && !log_has_room_for_request(saga->version);
		return *ret_is_refusal ? "the saga's log is full: all that can be asked is to resume or to resolve it"
				       : NULL;
	}
	if (saga->paused_us)
		return "the saga is paused";
	if (event->type == SAGA_EVENT_STARTED && event->time_us < saga->start_us) /* I12 */
		return "the start time has not come";
	if (event->type == SAGA_EVENT_OVERDUE && (!saga->deadline_us || event->time_us < saga->deadline_us))
		return "the saga's deadline is not over, or it is too late to turn back";
	return NULL;
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
	*ret_effects = (struct saga_effects){0};
	*ret_why = machine_is_of_saga(event->type) ? check_saga_event(saga, event, &action, &is_refusal)
						   : check_step_event(definition, saga, event, &action);
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
static int64_t step_due_us(const struct step *step)
{
	if (step_state_is_held(step->state))
		return step->due_us;
	return step->due_us && step->due_us < step->deadline_us ? step->due_us : step->deadline_us;
}

/* The pursued step that is due first, the earlier one of two; -1: none is pursued. */
static int32_t first_due(const struct saga *saga)
{
	int32_t first = -1;

	for (int32_t i = 0; i < (int32_t)saga->step_count; i++) {
		const struct step *step = &saga->steps[i];

		if (step->deadline_us && (first < 0 || step_due_us(step) < step_due_us(&saga->steps[first])))
			first = i;
	}
	return first;
}

int64_t saga_due_us(const struct saga *saga)
{
	int32_t step;
	int64_t due_us;

	if (saga->paused_us || saga_state_is_terminal(saga->state))
		return 0;
	if (saga->state == SAGA_STATE_SCHEDULED)
		return saga->start_us;
	step = first_due(saga);
	due_us = step < 0 ? 0 : step_due_us(&saga->steps[step]);
	return saga->deadline_us && saga->deadline_us < due_us ? saga->deadline_us : due_us;
}

static struct saga_event clock_event(const struct saga *saga, enum saga_event_type type, int32_t index, int64_t now_us)
{
	struct saga_event event = {.type = type, .time_us = now_us, .step = index};
	bool is_pursued = step_state_is_pursued(saga->steps[index].state, &event.phase);

	assert(is_pursued);
	event.attempt = saga->steps[index].attempts[event.phase];
	return event;
}

static struct saga_event step_due_event(const struct definition *definition, const struct saga *saga, int32_t index,
					int64_t now_us)
{
	const struct step *step = &saga->steps[index];
	const bool is_backoff = step->state == STEP_STATE_RETRY_WAIT ||
				step->state == STEP_STATE_COMPENSATION_RETRY_WAIT ||
				step->state == STEP_STATE_INQUIRY_RETRY_WAIT;

	if (step_state_is_held(step->state))
		return clock_event(saga, SAGA_EVENT_RELEASED, index, now_us);
	if (now_us >= step->deadline_us)
		return clock_event(saga,
				   definition->steps[index].action == STEP_ACTION_DELAY ? SAGA_EVENT_ELAPSED
											: SAGA_EVENT_TIMED_OUT,
				   index, now_us);
	return clock_event(saga, is_backoff ? SAGA_EVENT_RETRY : SAGA_EVENT_RESEND, index, now_us);
}

bool saga_due_event(const struct definition *definition, const struct saga *saga, int64_t now_us, int32_t *step,
		    struct saga_event *ret_event)
{
	const int64_t due_us = saga_due_us(saga);

	if (!due_us || now_us < due_us)
		return false;
	if (saga->state == SAGA_STATE_SCHEDULED) {
		*ret_event = started_event(now_us);
		return true;
	}
	if (saga->deadline_us && now_us >= saga->deadline_us) {
		*ret_event = (struct saga_event){
			.type = SAGA_EVENT_OVERDUE, .time_us = now_us, .step = -1, .milestone = "OVERDUE"};
		return true;
	}
	for (; *step < (int32_t)saga->step_count; ++*step) {
		if (!saga->steps[*step].deadline_us || now_us < step_due_us(&saga->steps[*step]))
			continue;
		*ret_event = step_due_event(definition, saga, (*step)++, now_us);
		return true;
	}
	return false;
}

bool saga_resend_event(const struct saga *saga, int64_t now_us, int32_t *step, struct saga_event *ret_event)
{
	if (saga->paused_us || saga_state_is_terminal(saga->state) || !log_has_room_for_try(saga->version))
		return false;
	for (; *step < (int32_t)saga->step_count; ++*step) {
		const struct step *its = &saga->steps[*step];
		enum step_phase phase;

		if (!step_is_in_flight(its, &phase) || now_us >= its->deadline_us)
			continue;
		*ret_event = clock_event(saga, SAGA_EVENT_RESEND, (*step)++, now_us);
		return true;
	}
	return false;
}

/* ---- room ---- */
bool step_is_in_flight(const struct step *step, enum step_phase *ret_phase)
{
	if (!step->due_us)
		return false;
	return (step->state == STEP_STATE_DISPATCHED || step->state == STEP_STATE_COMPENSATING ||
		step->state == STEP_STATE_INQUIRING) &&
	       step_state_is_pursued(step->state, ret_phase);
}

bool step_held_phase(const struct step *step, enum step_phase *ret_phase)
{
	return step_state_is_held(step->state) && step_state_is_pursued(step->state, ret_phase);
}

struct saga_event saga_room_event(enum saga_event_type type, const struct saga *saga, int32_t step,
				  enum step_phase phase, int64_t time_us)
{
	assert(type == SAGA_EVENT_HELD || type == SAGA_EVENT_RELEASED);
	assert(step >= 0 && (size_t)step < saga->step_count);
	return (struct saga_event){.type = type,
				   .time_us = time_us,
				   .step = step,
				   .phase = phase,
				   .attempt = saga->steps[step].attempts[phase]};
}
