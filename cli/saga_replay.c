/* saga_replay.c - see saga_replay.h. */
#include "cli/saga_replay.h"

#include <inttypes.h>
#include <string.h>

#include "cli/saga_words.h"
#include "lib/base/problems.h"

/* ---- the definition ---- */

static bool read_definition(const Saga__V1__Saga *saga, const char *text, struct arena *arena,
			    struct saga_replay *replay, struct error *err)
{
	struct problems problems;
	size_t count;

	problems_init(&problems);
	replay->source = source_parse(saga->definition, bytes_of_text(text), arena, &problems);
	count = problems.count;
	problems_release(&problems);
	if (!replay->source || count > 0) {
		(void)error_set(err, ERR_INCOMPATIBLE, "this sagactl does not understand the definition");
		return false;
	}
	replay->definition = *source_definition(replay->source, saga->definition_version, arena);
	return definition_check(&replay->definition, err) == 0;
}

/* ---- events ---- */

static bool find_type(const char *word, enum saga_event_type *ret_type)
{
	for (int type = 0; type < SAGA_EVENT_COUNT; type++) {
		if (strcmp(saga_event_name((enum saga_event_type)type), word) == 0) {
			*ret_type = (enum saga_event_type)type;
			return true;
		}
	}
	return false;
}

static const char *text_or_null(const char *text)
{
	return text[0] ? text : NULL;
}

/* That a compensation had nothing to undo is not in the log as the API shows it, but in what became of the step. */
static bool had_no_effect(const Saga__V1__Saga *saga, const struct saga_event *event)
{
	Saga__V1__StepState state;

	if (event->type != SAGA_EVENT_SUCCEEDED || event->phase != STEP_PHASE_COMPENSATION || event->step < 0 ||
	    (size_t)event->step >= saga->n_steps)
		return false;
	state = saga->steps[event->step]->state;
	return state == SAGA__V1__STEP_STATE__STEP_STATE_NOT_NEEDED ||
	       state ==
		       SAGA__V1__STEP_STATE__STEP_STATE_VIOLATED; /* what succeeds after it was undone is no violation */
}

static enum step_phase phase_of(Saga__V1__StepPhase phase)
{
	switch (phase) {
	case SAGA__V1__STEP_PHASE__STEP_PHASE_COMPENSATION:
		return STEP_PHASE_COMPENSATION;
	case SAGA__V1__STEP_PHASE__STEP_PHASE_INQUIRY:
		return STEP_PHASE_INQUIRY;
	default:
		return STEP_PHASE_FORWARD;
	}
}

static bool read_event(const Saga__V1__Saga *saga, const struct definition *definition,
		       const Saga__V1__SagaEvent *message, struct saga_event *ret_event)
{
	struct saga_event event = {.time_us = time_us(message->time),
				   .step = message->step_id[0] ? definition_find_step(definition, message->step_id)
							       : -1,
				   .phase = phase_of(message->phase),
				   .attempt = message->attempt,
				   .milestone = text_or_null(message->milestone),
				   .reason = text_or_null(message->reason),
				   .detail = text_or_null(message->detail)};

	if (!find_type(message->event, &event.type) || (message->step_id[0] && event.step < 0))
		return false;
	event.has_no_effect = had_no_effect(saga, &event);
	if (event.type == SAGA_EVENT_SIGNALLED && event.step >= 0 && definition->steps[event.step].has_value)
		event.reply = bytes_of_text("?"); /* what it brought is of no account for where it leads */
	*ret_event = event;
	return true;
}

/* ---- going through ---- */

static bool begin(const Saga__V1__Saga *saga, const struct saga_event *first, struct arena *arena,
		  struct saga_replay *replay)
{
	struct uuid id;

	if (!uuid_parse(saga->saga_id, strlen(saga->saga_id), &id))
		return false;
	replay->saga = saga_begin_again(&replay->definition, id, first, time_us(saga->start_time), arena);
	return replay->saga != NULL;
}

static bool go_on(const struct saga_event *event, struct arena *arena, struct saga_replay *replay)
{
	struct saga_effects effects;
	const char *why;

	return saga_apply(&replay->definition, replay->saga, event, arena, &replay->saga, &effects, &why) ==
	       SAGA_VERDICT_APPLIED;
}

/* Does what was derived look like what the coordinator shows? */
static bool is_same(const Saga__V1__Saga *saga, const struct saga *derived)
{
	if (derived->version != saga->version || (int)derived->state + 1 != (int)saga->state ||
	    derived->step_count != saga->n_steps)
		return false;
	for (size_t i = 0; i < saga->n_steps; i++)
		if ((int)derived->steps[i].state + 1 != (int)saga->steps[i]->state)
			return false;
	return true;
}

bool saga_replay(const Saga__V1__Saga *saga, const char *source, struct arena *arena, struct saga_replay *ret_replay,
		 struct error *err)
{
	struct saga_replay replay = {0};
	struct saga_event event;
	size_t i = 0;

	if (!read_definition(saga, source, arena, &replay, err))
		return false;
	for (; i < saga->n_events; i++) {
		if (!read_event(saga, &replay.definition, saga->events[i], &event) ||
		    !(i == 0 ? begin(saga, &event, arena, &replay) : go_on(&event, arena, &replay)))
			break;
	}
	if (i < saga->n_events || i == 0) {
		(void)error_set(err, ERR_INCOMPATIBLE, "entry %zu of its log is not understood by this sagactl", i + 1);
		return false;
	}
	if (!is_same(saga, replay.saga)) {
		(void)error_set(err, ERR_INCOMPATIBLE, "its log leads elsewhere by this sagactl's rules");
		return false;
	}
	*ret_replay = replay;
	return true;
}
