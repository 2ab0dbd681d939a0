/* saga_explanation.c - see saga_explanation.h. */
#include "cli/saga_explanation.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/safe_text.h"
#include "cli/saga_words.h"
#include "cli/table.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/rpc/json_struct.h"

struct making {
	const Saga__V1__Saga *saga;
	const struct saga_replay *replay; /* NULL: without */
	struct arena *arena;
	struct saga_explanation *out;
};

static void PRINTF_LIKE(4, 5)
	add(struct making *making, struct explained_part *part, int64_t time_us_, const char *format, ...)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};
	va_list args;

	assert(part->count < EXPLANATION_LINES_MAX);
	va_start(args, format);
	buffer_append_va(&text, format, args);
	va_end(args);
	part->items[part->count++] =
		(struct explained_line){.text = arena_strdup(making->arena, buffer_text(&text)), .time_us = time_us_};
}

/* "payment_declined: the card was refused", either part, or nothing; behind ": ". */
static const char *reason_of(struct making *making, const char *reason, const char *detail)
{
	if (!reason[0] && !detail[0])
		return "";
	return arena_format(making->arena, ": %s%s%s", reason, reason[0] && detail[0] ? ": " : "", detail);
}

/* ---- why, and what is next, of one step ---- */

/* Where the saga's step is in the replay, and how its command is pursued; NULL without one. */
static const struct step *derived_step(const struct making *making, size_t index)
{
	return making->replay ? &making->replay->saga->steps[index] : NULL;
}

static const struct step_definition *definition_of(const struct making *making, size_t index)
{
	return making->replay ? &making->replay->definition.steps[index] : NULL;
}

/* "attempt 2 of 10" */
static const char *attempt_of(struct making *making, size_t index, enum step_phase phase)
{
	const Saga__V1__Step *step = making->saga->steps[index];
	const struct step *derived = derived_step(making, index);
	const int32_t attempt = phase == STEP_PHASE_FORWARD        ? step->attempts
				: phase == STEP_PHASE_COMPENSATION ? step->compensation_attempts
								   : step->inquiry_attempts;

	if (!derived)
		return arena_format(making->arena, "attempt %" PRId32, attempt);
	return arena_format(making->arena, "attempt %" PRId32 " of %" PRId32, attempt - derived->forgiven[phase],
			    definition_of(making, index)->policy[phase].attempts_max);
}

static const char *without_signal(const struct making *making, size_t index)
{
	const struct step_definition *definition = definition_of(making, index);
	const bool is_event = making->replay->source->steps[index].event != NULL;

	return arena_format(making->arena, "without the %s by then, %s", is_event ? "event" : "signal",
			    definition->is_optional                       ? "the saga goes on without it"
			    : definition->kind == STEP_KIND_COMPENSATABLE ? "the saga turns back"
									  : "it is stuck");
}

static const char *at_the_end(const struct making *making, size_t index, enum step_phase phase)
{
	const struct step_definition *definition = definition_of(making, index);
	const struct step *step = derived_step(making, index);

	if (definition->action == STEP_ACTION_DELAY)
		return "its time is over, and the saga goes on";
	if (definition->action == STEP_ACTION_SIGNAL)
		return without_signal(making, index);
	if (phase == STEP_PHASE_COMPENSATION)
		return "not confirmed by then, its compensation is stuck";
	if (phase == STEP_PHASE_INQUIRY)
		return "no answer by then leaves its outcome unknown, and it is undone with the rest";
	if (definition->has_inquiry)
		return "no final reply by then counts as unknown, and its participant is asked";
	if (definition->kind == STEP_KIND_COMPENSATABLE)
		return "no final reply by then counts as unknown, and the saga turns back";
	return step->attempts[phase] - step->forgiven[phase] < definition->policy[phase].attempts_max
		       ? "no final reply by then begins a new attempt"
		       : "no final reply by then, and it is stuck";
}

static const char *command_word(enum step_phase phase)
{
	return phase == STEP_PHASE_FORWARD ? "command" : step_phase_name(phase);
}

static void add_next_of(struct making *making, size_t index, enum step_phase phase)
{
	const Saga__V1__Step *shown = making->saga->steps[index];
	const struct step *step = derived_step(making, index);
	const bool is_backoff = shown->state == SAGA__V1__STEP_STATE__STEP_STATE_RETRY_WAIT ||
				shown->state == SAGA__V1__STEP_STATE__STEP_STATE_COMPENSATION_RETRY_WAIT ||
				shown->state == SAGA__V1__STEP_STATE__STEP_STATE_INQUIRY_RETRY_WAIT;

	if (!step || making->saga->pause_time)
		return;
	if (step_state_is_held(step->state)) {
		add(making, &making->out->next, 0,
		    "%s: its command is sent as soon as its participant has replied to enough others; its time begins "
		    "then",
		    shown->step_id);
		return;
	}
	if (step->due_us && step->due_us < step->deadline_us)
		add(making, &making->out->next, step->due_us, "%s: %s", shown->step_id,
		    is_backoff ? "its next attempt"
			       : arena_format(making->arena, "without a reply, its %s is sent again",
					      command_word(phase)));
	if (step->deadline_us)
		add(making, &making->out->next, step->deadline_us, "%s: %s", shown->step_id,
		    at_the_end(making, index, phase));
}

static void add_waiting_for_reply(struct making *making, size_t index, enum step_phase phase)
{
	const Saga__V1__Step *step = making->saga->steps[index];

	add(making, &making->out->why, time_us(step->update_time), "step '%s' waits for a reply to its %s, %s%s",
	    step->step_id, command_word(phase), attempt_of(making, index, phase),
	    step->resends > 0 ? arena_format(making->arena, ", re-sent %" PRId32 " time%s", step->resends,
					     step->resends == 1 ? "" : "s")
			      : "");
}

static void add_inquiry(struct making *making, size_t index)
{
	const Saga__V1__Step *step = making->saga->steps[index];

	add(making, &making->out->why, time_us(step->update_time),
	    "the outcome of step '%s' is unknown, and its participant is asked what became of it, %s", step->step_id,
	    attempt_of(making, index, STEP_PHASE_INQUIRY));
}

static void add_wait_state(struct making *making, size_t index)
{
	const Saga__V1__Step *step = making->saga->steps[index];
	const bool is_delay = making->replay && definition_of(making, index)->action == STEP_ACTION_DELAY;
	const struct source_step *source = making->replay ? &making->replay->source->steps[index] : NULL;
	const char *signal = source ? source->signal : NULL;

	if (is_delay)
		add(making, &making->out->why, time_us(step->update_time), "step '%s' waits for its time",
		    step->step_id);
	else if (signal)
		add(making, &making->out->why, time_us(step->update_time), "step '%s' waits for the signal '%s'%s",
		    step->step_id, signal,
		    source->value ? arena_format(making->arena, ", which brings a value (subject '%s')", source->value)
				  : "");
	else if (source && source->event)
		add(making, &making->out->why, time_us(step->update_time),
		    "step '%s' waits for an event on '%s' with the saga's key '%s'", step->step_id, source->event,
		    making->saga->key);
	else
		add(making, &making->out->why, time_us(step->update_time), "step '%s' waits for a signal, or its time",
		    step->step_id);
}

static void add_wait_for_room(struct making *making, size_t index)
{
	const Saga__V1__Step *step = making->saga->steps[index];
	const char *detail = "its participant has no room";

	for (size_t i = making->saga->n_events; i > 0; i--) {
		const Saga__V1__SagaEvent *event = making->saga->events[i - 1];

		if (strcmp(event->event, "held") == 0 && strcmp(event->step_id, step->step_id) == 0) {
			detail = event->detail;
			break;
		}
	}
	add(making, &making->out->why, time_us(step->update_time), "step '%s' waits for room: %s", step->step_id,
	    detail);
}

static void add_stuck_step(struct making *making, const Saga__V1__Step *step, const char *what)
{
	add(making, &making->out->why, time_us(step->update_time), "step '%s' %s%s", step->step_id, what,
	    reason_of(making, step->reason, step->detail));
}

/* "; it brought {…}" */
static const char *brought(struct making *making, const Saga__V1__Step *step)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};

	if (!step->value)
		return "";
	buffer_append_text(&text, "; it brought ");
	json_struct_append(&text, step->value);
	return arena_strdup(making->arena, buffer_text(&text));
}

/* A signal that is there before its step has begun. */
static void add_early_signal(struct making *making, size_t index)
{
	const struct step *step = derived_step(making, index);
	const struct source_step *source = making->replay ? &making->replay->source->steps[index] : NULL;

	if (step && step->is_signalled && !making->replay->saga->failure_milestone)
		add(making, &making->out->next, 0, "%s: does not wait: its %s '%s' has come%s",
		    making->saga->steps[index]->step_id, source->event ? "event on" : "signal",
		    source->event ? source->event : source->signal, brought(making, making->saga->steps[index]));
}

static void explain_step(struct making *making, size_t index)
{
	const Saga__V1__Step *step = making->saga->steps[index];
	const char *reason = reason_of(making, step->reason, step->detail);
	enum step_phase phase = STEP_PHASE_FORWARD;

	switch (step->state) {
	case SAGA__V1__STEP_STATE__STEP_STATE_PENDING:
		add_early_signal(making, index);
		return;
	case SAGA__V1__STEP_STATE__STEP_STATE_DISPATCHED:
		add_waiting_for_reply(making, index, phase);
		break;
	case SAGA__V1__STEP_STATE__STEP_STATE_ACCEPTED:
		add(making, &making->out->why, time_us(step->update_time),
		    "step '%s' was accepted: its participant works on it, and nothing is sent again", step->step_id);
		break;
	case SAGA__V1__STEP_STATE__STEP_STATE_RETRY_WAIT:
		add(making, &making->out->why, time_us(step->update_time),
		    "step '%s' failed for now, %s, and waits before the next%s", step->step_id,
		    attempt_of(making, index, phase), reason);
		break;
	case SAGA__V1__STEP_STATE__STEP_STATE_WAITING:
		add_wait_state(making, index);
		break;
	case SAGA__V1__STEP_STATE__STEP_STATE_COMPENSATING:
		phase = STEP_PHASE_COMPENSATION;
		add_waiting_for_reply(making, index, phase);
		break;
	case SAGA__V1__STEP_STATE__STEP_STATE_COMPENSATION_RETRY_WAIT:
		phase = STEP_PHASE_COMPENSATION;
		add(making, &making->out->why, time_us(step->update_time),
		    "step '%s' could not be undone for now, %s, and waits before the next%s", step->step_id,
		    attempt_of(making, index, phase), reason);
		break;
	case SAGA__V1__STEP_STATE__STEP_STATE_INQUIRING:
		phase = STEP_PHASE_INQUIRY;
		add_inquiry(making, index);
		break;
	case SAGA__V1__STEP_STATE__STEP_STATE_INQUIRY_RETRY_WAIT:
		phase = STEP_PHASE_INQUIRY;
		add(making, &making->out->why, time_us(step->update_time),
		    "the outcome of step '%s' is unknown, and its participant cannot say for now: %s, and a wait "
		    "before "
		    "the next%s",
		    step->step_id, attempt_of(making, index, phase), reason);
		break;
	case SAGA__V1__STEP_STATE__STEP_STATE_HELD:
		add_wait_for_room(making, index);
		break;
	case SAGA__V1__STEP_STATE__STEP_STATE_COMPENSATION_HELD:
		phase = STEP_PHASE_COMPENSATION;
		add_wait_for_room(making, index);
		break;
	case SAGA__V1__STEP_STATE__STEP_STATE_STUCK:
		add_stuck_step(making, step, "is stuck on the way forward");
		return;
	case SAGA__V1__STEP_STATE__STEP_STATE_COMPENSATION_STUCK:
		add_stuck_step(making, step, "could not be undone");
		return;
	case SAGA__V1__STEP_STATE__STEP_STATE_VIOLATED:
		add(making, &making->out->why, time_us(step->update_time),
		    "step '%s' succeeded after it was settled as not done: its participant broke the contract, and its "
		    "effect stands",
		    step->step_id);
		return;
	default:
		return;
	}
	add_next_of(making, index, phase);
}

/* ---- of the saga as a whole ---- */

static const Saga__V1__SagaEvent *last_event(const Saga__V1__Saga *saga, const char *word)
{
	for (size_t i = saga->n_events; i > 0; i--)
		if (strncmp(saga->events[i - 1]->event, word, strlen(word)) == 0)
			return saga->events[i - 1];
	return NULL;
}

static const char *by_of(struct making *making, const Saga__V1__SagaEvent *event)
{
	if (!event)
		return "";
	return arena_format(making->arena, " by %s%s%s", event->actor[0] ? event->actor : "somebody",
			    event->detail[0] ? ": " : "", event->detail);
}

/* What made a compensated saga turn back: the first failure, or who cancelled it. */
static const char *turned_back_by(struct making *making)
{
	const Saga__V1__Saga *saga = making->saga;
	const Saga__V1__SagaEvent *cancel = last_event(saga, "cancelled");

	if (cancel)
		return arena_format(making->arena, ", cancelled%s", by_of(making, cancel));
	for (size_t i = 0; i < saga->n_events; i++) {
		const Saga__V1__SagaEvent *event = saga->events[i];

		if (event->phase == SAGA__V1__STEP_PHASE__STEP_PHASE_FORWARD &&
		    strcmp(event->milestone, saga->step) == 0)
			return arena_format(making->arena, ", because step '%s' %s%s", event->step_id,
					    strcmp(event->event, "timed_out") == 0 ? "timed out" : "failed",
					    reason_of(making, event->reason, event->detail));
	}
	return "";
}

static void explain_end(struct making *making)
{
	const Saga__V1__SagaEvent *resolved = last_event(making->saga, "resolved_");
	const int64_t end_us = time_us(making->saga->end_time);

	if (resolved)
		add(making, &making->out->why, end_us, "it has ended, resolved%s", by_of(making, resolved));
	else if (making->saga->state == SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED)
		add(making, &making->out->why, end_us, "it has ended, and what it did is undone%s",
		    turned_back_by(making));
	else
		add(making, &making->out->why, end_us, "it has ended, and everything is done");
	add(making, &making->out->next, 0, "nothing: it is over");
}

static int compare_times(const void *a, const void *b)
{
	const struct explained_line *one = a;
	const struct explained_line *other = b;

	return (one->time_us > other->time_us) - (one->time_us < other->time_us);
}

static bool can_be_set_free(const Saga__V1__Saga *saga)
{
	for (size_t i = 0; i < saga->n_steps; i++)
		if (saga->steps[i]->state == SAGA__V1__STEP_STATE__STEP_STATE_STUCK ||
		    saga->steps[i]->state == SAGA__V1__STEP_STATE__STEP_STATE_COMPENSATION_STUCK)
			return true;
	return false;
}

static void explain_waiting(struct making *making, const char *unknown_why)
{
	const Saga__V1__Saga *saga = making->saga;
	const bool is_stuck = saga->state == SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK;
	struct explained_part *next = &making->out->next;

	if (saga->pause_time)
		add(making, &making->out->why, time_us(saga->pause_time), "it is paused%s",
		    by_of(making, last_event(saga, "paused")));
	if (saga->state == SAGA__V1__SAGA_STATE__SAGA_STATE_SCHEDULED) {
		add(making, &making->out->why, time_us(saga->create_time), "it is to start later");
		if (!saga->pause_time)
			add(making, next, time_us(saga->start_time), "it starts");
	}
	for (size_t i = 0; i < saga->n_steps; i++)
		explain_step(making, i);
	if (making->replay && making->replay->saga->deadline_us && !saga->pause_time)
		add(making, next, making->replay->saga->deadline_us,
		    "the time of the whole saga is over, and it turns back");
	qsort(next->items, next->count, sizeof(*next->items), compare_times);
	if (saga->pause_time)
		add(making, next, 0, "nothing is sent and no time runs out until it is resumed; replies count");
	else if (!making->replay && saga->state != SAGA__V1__SAGA_STATE__SAGA_STATE_SCHEDULED && !is_stuck)
		add(making, next, 0, "cannot be told: %s", unknown_why);
	if (is_stuck)
		add(making, next, 0, "nothing by itself for what is stuck%s",
		    can_be_set_free(saga) ? ", but a late success of its command sets it free" : "");
}

/* ---- what can be typed ---- */

/* The core itself is asked, so that nothing is offered that would be refused. */
static bool is_possible(const struct making *making, enum saga_event_type type, int32_t step)
{
	struct saga_event event = saga_request_event(type, step, making->replay->saga->updated_us, "?");
	struct saga_effects effects;
	struct saga *after;
	const char *why;

	return saga_apply(&making->replay->definition, making->replay->saga, &event, making->arena, &after, &effects,
			  &why) == SAGA_VERDICT_APPLIED;
}

static bool is_offered(const struct making *making, enum saga_event_type type, int32_t step)
{
	const bool is_stuck = making->saga->state == SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK;

	if (saga_state_is_final(making->saga->state))
		return false;
	if (making->replay)
		return is_possible(making, type, step);
	if (type == SAGA_EVENT_RESUMED || type == SAGA_EVENT_PAUSED)
		return !making->saga->pause_time == (type == SAGA_EVENT_PAUSED);
	return type == SAGA_EVENT_CANCELLED ? !is_stuck : is_stuck;
}

static void add_command(struct making *making, const char *command, const char *text)
{
	add(making, &making->out->commands, 0, "%s", text);
	making->out->commands.items[making->out->commands.count - 1].command = command;
}

static void add_skips(struct making *making)
{
	for (size_t i = 0; i < making->saga->n_steps; i++) {
		const Saga__V1__Step *step = making->saga->steps[i];
		const bool is_stuck = step->state == SAGA__V1__STEP_STATE__STEP_STATE_STUCK ||
				      step->state == SAGA__V1__STEP_STATE__STEP_STATE_COMPENSATION_STUCK ||
				      step->state == SAGA__V1__STEP_STATE__STEP_STATE_VIOLATED;

		if (is_stuck && is_offered(making, SAGA_EVENT_SKIP_REQUESTED, (int32_t)i))
			add_command(making,
				    arena_format(making->arena, "sagactl skip %s %s --reason '…'",
						 making->saga->saga_id, step->step_id),
				    "somebody did by hand what it should have: go on without it");
	}
}

static void add_signals(struct making *making)
{
	for (size_t i = 0; making->replay && i < making->saga->n_steps; i++) {
		const char *signal = making->replay->source->steps[i].signal;
		const bool has_value = making->replay->source->steps[i].value != NULL;

		if (signal && making->saga->steps[i]->state == SAGA__V1__STEP_STATE__STEP_STATE_WAITING)
			add_command(making,
				    arena_format(making->arena, "sagactl signal %s %s%s", making->saga->saga_id, signal,
						 has_value ? " --value '{…}'" : ""),
				    "bring it the signal");
	}
}

static void add_commands(struct making *making)
{
	static const struct {
		enum saga_event_type type;
		const char *words;
		const char *text;
	} offers[] = {
		{SAGA_EVENT_RETRY_REQUESTED, "retry", "the cause is mended: try it again"},
		{SAGA_EVENT_RESOLVED_FAILED, "resolve --as completed|compensated|failed",
		 "somebody has seen to all of it: end it"},
		{SAGA_EVENT_RESUMED, "resume", "let it go on"},
		{SAGA_EVENT_CANCELLED, "cancel", "turn it back: what it did is undone"},
		{SAGA_EVENT_PAUSED, "pause", "hold it where it is"},
	};

	add_signals(making);
	for (size_t i = 0; i < ARRAY_LEN(offers); i++) {
		const size_t verb = strcspn(offers[i].words, " ");

		if (is_offered(making, offers[i].type, -1))
			add_command(making,
				    arena_format(making->arena, "sagactl %.*s %s%s --reason '…'", (int)verb,
						 offers[i].words, making->saga->saga_id, offers[i].words + verb),
				    offers[i].text);
		if (i == 0)
			add_skips(making);
	}
}

void saga_explanation_make(const Saga__V1__Saga *saga, const struct saga_replay *replay, const char *unknown_why,
			   struct arena *arena, struct saga_explanation *ret_explanation)
{
	struct saga_explanation explanation = {0};
	struct making making = {saga, replay, arena, &explanation};
	struct explained_part *parts[] = {&explanation.why, &explanation.next, &explanation.commands};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		parts[i]->items = arena_alloc(arena, EXPLANATION_LINES_MAX * sizeof(*parts[i]->items));
	if (saga_state_is_final(saga->state))
		explain_end(&making);
	else
		explain_waiting(&making, unknown_why);
	add_commands(&making);
	*ret_explanation = explanation;
}

/* ---- for people ---- */

/* What is next and yet past is due: the coordinator gets to it within moments. */
static void append_time(struct buffer *out, int64_t at_us, int64_t now_us, bool is_next)
{
	char time[CLOCK_TEXT_LEN + 1];

	clock_format(at_us, time);
	buffer_append_format(out, "    %s, ", time);
	if (is_next && at_us <= now_us) {
		buffer_append_text(out, "now");
	} else if (is_next) {
		buffer_append_text(out, "in ");
		duration_append(out, at_us - now_us);
	} else {
		duration_append(out, now_us - at_us);
		buffer_append_text(out, " ago");
	}
	buffer_append_text(out, "\n");
}

static void append_part(struct buffer *out, const char *title, const struct explained_part *part, int64_t now_us,
			bool is_next)
{
	buffer_append_text(out, part->count > 0 ? title : "");
	for (size_t i = 0; i < part->count; i++) {
		buffer_append_text(out, "  ");
		safe_text_append(out, part->items[i].text, strlen(part->items[i].text));
		buffer_append_text(out, "\n");
		if (part->items[i].time_us)
			append_time(out, part->items[i].time_us, now_us, is_next);
	}
}

void saga_explanation_append(struct buffer *out, const struct saga_explanation *explanation, int64_t now_us,
			     bool has_colours)
{
	append_part(out, "why, and since when\n", &explanation->why, now_us, false);
	append_part(out, "next\n", &explanation->next, now_us, true);
	buffer_append_text(out, explanation->commands.count > 0 ? "what can be done\n" : "");
	for (size_t i = 0; i < explanation->commands.count; i++) {
		const struct explained_line *line = &explanation->commands.items[i];

		buffer_append_format(out, "  %s:\n    ", line->text);
		table_append_text(out, line->command, TABLE_BOLD, has_colours);
		buffer_append_text(out, "\n");
	}
}

/* ---- for programs ---- */

static void append_json_part(struct buffer *out, const char *name, const struct explained_part *part)
{
	buffer_append_format(out, ",\"%s\":[", name);
	for (size_t i = 0; i < part->count; i++) {
		const struct explained_line *line = &part->items[i];
		char time[CLOCK_TEXT_LEN + 1];

		clock_format(line->time_us, time);
		buffer_append_text(out, i > 0 ? ",{" : "{");
		buffer_append_json_member(out, "text", line->text);
		if (line->time_us)
			buffer_append_json_member(out, "time", time);
		if (line->command)
			buffer_append_json_member(out, "command", line->command);
		buffer_append_text(out, "}");
	}
	buffer_append_text(out, "]");
}

void saga_explanation_append_json(struct buffer *out, const Saga__V1__Saga *saga,
				  const struct saga_explanation *explanation)
{
	buffer_append_text(out, "{");
	buffer_append_json_member(out, "sagaId", saga->saga_id);
	buffer_append_json_member(out, "state", saga_state_word(saga->state));
	append_json_part(out, "why", &explanation->why);
	append_json_part(out, "next", &explanation->next);
	append_json_part(out, "commands", &explanation->commands);
	buffer_append_text(out, "}");
}
