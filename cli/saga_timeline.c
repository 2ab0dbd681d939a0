/* saga_timeline.c - see saga_timeline.h. */
#include "cli/saga_timeline.h"

#include <assert.h>
#include <inttypes.h>

#include "cli/safe_text.h"
#include "cli/saga_words.h"
#include "cli/table.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/rpc/json_struct.h"

/* ---- the head ---- */

void saga_header_append(struct buffer *out, const Saga__V1__Saga *saga, bool has_colours)
{
	const char *state = saga_state_word(saga->state);

	buffer_append_text(out, "saga ");
	table_append_text(out, saga->saga_id, TABLE_BOLD, has_colours);
	buffer_append_text(out, "  ");
	table_append_text(out, saga->definition, TABLE_PLAIN, has_colours);
	buffer_append_format(out, " v%" PRId32 "  ", saga->definition_version);
	table_append_text(out, state, saga_state_colour(saga->state), has_colours);
	if (saga->step[0] && strcmp(saga->step, state) != 0) {
		buffer_append_text(out, "  ");
		table_append_text(out, saga->step, TABLE_PLAIN, has_colours);
	}
	buffer_append_text(out, "\n");
}

static void append_times(struct buffer *out, const struct saga_view *view)
{
	const Saga__V1__Saga *saga = view->saga;
	char start[CLOCK_TEXT_LEN + 1];

	clock_format(time_us(saga->create_time), start);
	buffer_append_format(out, "  started %s", start);
	if (saga->state == SAGA__V1__SAGA_STATE__SAGA_STATE_SCHEDULED && saga->start_time) {
		clock_format(time_us(saga->start_time), start);
		buffer_append_format(out, ", due %s", start);
	} else if (saga->end_time) {
		buffer_append_text(out, ", took ");
		duration_append(out, time_us(saga->end_time) - time_us(saga->create_time));
	} else if (view->now_us > 0) {
		buffer_append_text(out, ", runs for ");
		duration_append(out, view->now_us - time_us(saga->create_time));
	}
}

/* "  paused since 2026-…, by ann: the bank asks" */
static void append_pause(struct buffer *out, const struct saga_view *view, bool has_colours)
{
	const Saga__V1__SagaEvent *pause = NULL;
	char since[CLOCK_TEXT_LEN + 1];

	if (!view->saga->pause_time)
		return;
	for (size_t i = 0; i < view->event_count; i++)
		if (strcmp(view->events[i]->event, "paused") == 0)
			pause = view->events[i];
	clock_format(time_us(view->saga->pause_time), since);
	buffer_append_text(out, "  ");
	table_append_text(out, "paused", TABLE_YELLOW, has_colours);
	buffer_append_format(out, " since %s", since);
	if (pause) {
		buffer_append_text(out, ", by ");
		table_append_text(out, pause->actor, TABLE_PLAIN, has_colours);
		buffer_append_text(out, ": ");
		table_append_text(out, pause->detail, TABLE_PLAIN, has_colours);
	}
	buffer_append_text(out, "\n");
}

static void append_head(struct buffer *out, const struct saga_view *view, bool has_colours)
{
	const Saga__V1__Saga *saga = view->saga;

	saga_header_append(out, saga, has_colours);
	append_times(out, view);
	buffer_append_text(out, ", key ");
	table_append_text(out, saga->key, TABLE_PLAIN, has_colours);
	buffer_append_text(out, "\n");
	if (saga->n_labels > 0)
		buffer_append_text(out, "  labels");
	for (size_t i = 0; i < saga->n_labels; i++) {
		buffer_append_text(out, " ");
		table_append_text(out, saga->labels[i]->key, TABLE_PLAIN, has_colours);
		buffer_append_text(out, "=");
		table_append_text(out, saga->labels[i]->value, TABLE_PLAIN, has_colours);
	}
	buffer_append_text(out, saga->n_labels > 0 ? "\n" : "");
	append_pause(out, view, has_colours);
	if (saga->stuck_reason[0]) {
		buffer_append_text(out, "  stuck: ");
		table_append_text(out, saga->stuck_reason, TABLE_RED, has_colours);
		buffer_append_text(out, "\n");
	}
}

/* ---- steps ---- */

/* "payment_declined: the card was refused", either part, or nothing. */
static void add_reason(struct table *table, const char *prefix, const char *reason, const char *detail)
{
	table_add(table, TABLE_PLAIN, "%s%s%s%s", prefix, reason, reason[0] && detail[0] ? ": " : "", detail);
}

static void add_attempts(struct table *table, const Saga__V1__Step *step)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};

	if (step->attempts > 0)
		buffer_append_format(&text, "%" PRId32 " attempt%s", step->attempts, step->attempts == 1 ? "" : "s");
	if (step->inquiry_attempts > 0)
		buffer_append_format(&text, ", asked %" PRId32 " time%s", step->inquiry_attempts,
				     step->inquiry_attempts == 1 ? "" : "s");
	if (step->compensation_attempts > 0)
		buffer_append_format(&text, ", %" PRId32 " undo", step->compensation_attempts);
	if (step->resends > 0)
		buffer_append_format(&text, ", %" PRId32 " re-sent", step->resends);
	table_add(table, TABLE_PLAIN, "%s", buffer_text(&text));
}

static void add_symbol(struct table *table, const struct saga_view *view, const Saga__V1__Step *step, bool has_symbols)
{
	static const char *const wheel[] = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
	static const char *const ascii_wheel[] = {"|", "/", "-", "\\"};
	bool turns = step_state_is_busy(step->state) && view->now_us > 0;
	const char *symbol = step_state_symbol(step->state, has_symbols);

	if (turns && has_symbols)
		symbol = wheel[(size_t)view->frame % ARRAY_LEN(wheel)];
	else if (turns)
		symbol = ascii_wheel[(size_t)view->frame % ARRAY_LEN(ascii_wheel)];
	table_add(table, step_state_colour(step->state), "%s", symbol);
}

/* From its first command to its present state, or until now while it is busy. */
static void add_step_time(struct table *table, const struct saga_view *view, const Saga__V1__Step *step)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};
	bool is_busy = step_state_is_busy(step->state);

	if (step->start_time && is_busy && view->now_us > 0)
		duration_append(&text, view->now_us - time_us(step->start_time));
	else if (step->start_time && step->update_time && !is_busy)
		duration_append(&text, time_us(step->update_time) - time_us(step->start_time));
	table_add(table, TABLE_DIM, "%s", buffer_text(&text));
}

static void append_steps(struct buffer *out, const struct saga_view *view, const struct terminal *terminal)
{
	const Saga__V1__Saga *saga = view->saga;
	struct table table;

	if (saga->n_steps == 0)
		return;
	buffer_append_text(out, "steps\n");
	table_init(&table, terminal->is_live ? 6 : 5, terminal->has_colours);
	table.width_max = view->now_us > 0 ? terminal->columns : 0; /* what stays says all of it */
	table.flexible = 1u << (table.columns - 1) | 1u << (table.columns - 2);
	for (size_t i = 0; i < saga->n_steps; i++) {
		const Saga__V1__Step *step = saga->steps[i];

		if (terminal->is_live)
			add_symbol(&table, view, step, terminal->has_symbols);
		table_add(&table, TABLE_PLAIN, "%s", step->step_id);
		table_add(&table, step_state_colour(step->state), "%s", step_state_word(step->state));
		add_step_time(&table, view, step);
		add_attempts(&table, step);
		add_reason(&table, "", step->reason, step->detail);
	}
	table_print(&table, out);
	table_release(&table);
}

/* ---- events ---- */

static enum table_colour milestone_colour(const Saga__V1__SagaEvent *event)
{
	bool is_failure = event->reason[0] || strstr(event->milestone, "FAILED") ||
			  strstr(event->milestone, "TIMED_OUT") || strstr(event->milestone, "UNKNOWN");
	enum table_colour colour = saga_state_colour(event->state);

	return is_failure ? TABLE_RED : colour == TABLE_BOLD ? TABLE_GREEN : colour;
}

/* "by ann: changed my mind {…}": who asked comes first, since a long reason, and what a signal brought, may be cut. */
static void add_note(struct table *table, const Saga__V1__SagaEvent *event)
{
	_cleanup_(buffer_release)
	struct buffer note = {0};

	if (event->actor[0])
		buffer_append_format(&note, "by %s%s", event->actor, event->reason[0] || event->detail[0] ? ": " : "");
	buffer_append_format(&note, "%s%s%s", event->reason, event->reason[0] && event->detail[0] ? ": " : "",
			     event->detail);
	if (event->value) {
		buffer_append_text(&note, note.len > 0 ? " " : "");
		json_struct_append(&note, event->value);
	}
	table_add(table, TABLE_PLAIN, "%s", buffer_text(&note));
}

static void add_event(struct table *table, const struct saga_view *view, const Saga__V1__SagaEvent *event)
{
	const Google__Protobuf__Timestamp *start = view->saga->create_time ? view->saga->create_time
									   : view->events[0]->time;
	_cleanup_(buffer_release)
	struct buffer time = {0};

	duration_append(&time, time_us(event->time) - time_us(start));
	table_add(table, TABLE_DIM, "+%s", buffer_text(&time));
	table_add(table, TABLE_PLAIN, "%s%s", event->step_id, step_phase_suffix(event->phase));
	if (event->attempt > 1)
		table_add(table, TABLE_PLAIN, "%s, attempt %" PRId32, event->event, event->attempt);
	else
		table_add(table, TABLE_PLAIN, "%s", event->event);
	table_add(table, milestone_colour(event), "%s", event->milestone);
	add_note(table, event);
}

enum { EVENT_COLUMNS = 5 };

static void append_events(struct buffer *out, const struct saga_view *view, size_t first,
			  const struct terminal *terminal)
{
	struct table table;

	if (view->event_count == 0)
		return;
	buffer_append_text(out, "timeline\n");
	if (first > 0)
		buffer_append_format(out, "  … %zu earlier\n", first);
	table_init(&table, EVENT_COLUMNS, terminal->has_colours);
	table.width_max = view->now_us > 0 ? terminal->columns : 0;
	table.flexible = 1u << (EVENT_COLUMNS - 1);
	for (size_t i = first; i < view->event_count; i++)
		add_event(&table, view, view->events[i]);
	table_print(&table, out);
	table_release(&table);
}

static int count_lines(const struct buffer *text)
{
	int count = 0;

	for (size_t i = 0; i < text->len; i++)
		count += text->data[i] == '\n';
	return count;
}

void saga_timeline_append(struct buffer *out, const struct saga_view *view, const struct terminal *terminal,
			  int line_max)
{
	_cleanup_(buffer_release)
	struct buffer top = {0};
	size_t first = 0;
	int room;

	append_head(&top, view, terminal->has_colours);
	append_steps(&top, view, terminal);
	room = line_max - count_lines(&top) - 2; /* for "timeline" and "… earlier" */
	if (line_max > 0 && (size_t)(room > 0 ? room : 0) < view->event_count)
		first = view->event_count - (size_t)(room > 0 ? room : 0);
	buffer_append(out, top.data, top.len);
	append_events(out, view, first, terminal);
}

/* The longest that can stand in the second column: a step with its compensation. */
static size_t step_width(const Saga__V1__Saga *saga)
{
	size_t width = 0;

	for (size_t i = 0; i < saga->n_steps; i++) {
		size_t step = safe_text_width(saga->steps[i]->step_id);

		width = step > width ? step : width;
	}
	return width + strlen(" (compensation)");
}

/* A table of one row, between two rows that are as wide as a column may get and are not shown. */
void saga_event_lines_append(struct buffer *out, const struct saga_view *view, size_t first,
			     const struct terminal *terminal)
{
	static const char TIME[] = "+59 min 59 s";
	static const char EVENT[] = "succeeded, attempt 10";
	int width = (int)step_width(view->saga);

	for (size_t i = first; i < view->event_count; i++) {
		_cleanup_(buffer_release)
		struct buffer rows = {0};
		struct table table;

		table_init(&table, EVENT_COLUMNS, terminal->has_colours);
		table_add(&table, TABLE_PLAIN, "%s", TIME);
		table_add(&table, TABLE_PLAIN, "%*s", width, "");
		table_add(&table, TABLE_PLAIN, "%s", EVENT);
		table_add(&table, TABLE_PLAIN, "%s", "");
		table_add(&table, TABLE_PLAIN, "%s", "");
		add_event(&table, view, view->events[i]);
		table_print(&table, &rows);
		buffer_append_text(out, strchr(buffer_text(&rows), '\n') + 1);
		table_release(&table);
	}
}
