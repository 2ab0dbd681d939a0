/* saga_replay.c - see saga_replay.h. */
#include "cli/saga_replay.h"

#include <inttypes.h>
#include <string.h>

#include "cli/saga_words.h"
#include "lib/base/problems.h"

/* ---- the definition ---- */

/* What plan.h does when it binds a definition, as far as the core asks for it. */
static void mark_needed_replies(const struct source *source, struct step_definition *steps)
{
	for (size_t i = 0; i < source->step_count; i++) {
		const struct source_command *command = &source->steps[i].commands[STEP_PHASE_FORWARD];

		for (size_t k = 0; k < command->field_count; k++)
			if (command->fields[k].step >= 0)
				steps[command->fields[k].step].is_reply_needed = true;
	}
}

static bool read_definition(const Saga__V1__Saga *saga, const char *text, struct arena *arena,
			    struct saga_replay *replay, struct error *err)
{
	struct step_definition *steps;
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
	steps = arena_alloc(arena, (replay->source->step_count + 1) * sizeof(*steps));
	for (size_t i = 0; i < replay->source->step_count; i++)
		steps[i] = replay->source->steps[i].definition;
	mark_needed_replies(replay->source, steps);
	replay->definition = (struct definition){.name = saga->definition,
						 .version = saga->definition_version,
						 .steps = steps,
						 .step_count = replay->source->step_count,
						 .timeout_ms = replay->source->timeout_ms};
	return definition_check(&replay->definition, err) == 0;
}

/* ---- events ---- */

static int32_t find_step(const struct definition *definition, const char *id)
{
	for (size_t i = 0; i < definition->step_count; i++)
		if (strcmp(definition->steps[i].id, id) == 0)
			return (int32_t)i;
	return -1;
}

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

static bool read_event(const Saga__V1__Saga *saga, const struct definition *definition,
		       const Saga__V1__SagaEvent *message, struct saga_event *ret_event)
{
	struct saga_event event = {.time_us = time_us(message->time),
				   .step = message->step_id[0] ? find_step(definition, message->step_id) : -1,
				   .phase = message->phase == SAGA__V1__STEP_PHASE__STEP_PHASE_COMPENSATION
						    ? STEP_PHASE_COMPENSATION
						    : STEP_PHASE_FORWARD,
				   .attempt = message->attempt,
				   .milestone = text_or_null(message->milestone),
				   .reason = text_or_null(message->reason),
				   .detail = text_or_null(message->detail)};

	if (!find_type(message->event, &event.type) || (message->step_id[0] && event.step < 0))
		return false;
	event.has_no_effect = had_no_effect(saga, &event);
	*ret_event = event;
	return true;
}

/* ---- going through ---- */

static bool begin(const Saga__V1__Saga *saga, const struct saga_event *first, struct arena *arena,
		  struct saga_replay *replay)
{
	struct saga_effects effects;
	struct saga_event event;
	struct uuid id;

	if (!uuid_parse(saga->saga_id, strlen(saga->saga_id), &id))
		return false;
	if (first->type == SAGA_EVENT_STARTED)
		replay->saga = saga_start(&replay->definition, id, first->time_us, arena, &event, &effects);
	else if (first->type == SAGA_EVENT_SCHEDULED && time_us(saga->start_time) > first->time_us)
		replay->saga = saga_schedule(&replay->definition, id, first->time_us, time_us(saga->start_time), arena,
					     &event);
	else
		return false;
	return true;
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
