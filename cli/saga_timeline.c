/* saga_timeline.c - see saga_timeline.h. */
#include "cli/saga_timeline.h"

#include <inttypes.h>

#include "cli/table.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

/* The name of an enum's value without the enum's own prefix: SAGA_STATE_RUNNING -> RUNNING. */
static const char *short_name(const ProtobufCEnumDescriptor *type, int value, const char *prefix)
{
	const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);

	if (!known)
		return "?";
	return strncmp(known->name, prefix, strlen(prefix)) == 0 ? known->name + strlen(prefix) : known->name;
}

static const char *saga_state_name(Saga__V1__SagaState state)
{
	return short_name(&saga__v1__saga_state__descriptor, (int)state, "SAGA_STATE_");
}

static enum table_colour saga_colour(Saga__V1__SagaState state)
{
	switch (state) {
	case SAGA__V1__SAGA_STATE__SAGA_STATE_COMPLETED:
		return TABLE_GREEN;
	case SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK:
	case SAGA__V1__SAGA_STATE__SAGA_STATE_FAILED:
		return TABLE_RED;
	case SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATING:
	case SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED:
		return TABLE_YELLOW;
	default:
		return TABLE_BOLD;
	}
}

static enum table_colour step_colour(Saga__V1__StepState state)
{
	switch (state) {
	case SAGA__V1__STEP_STATE__STEP_STATE_SUCCEEDED:
		return TABLE_GREEN;
	case SAGA__V1__STEP_STATE__STEP_STATE_REJECTED:
	case SAGA__V1__STEP_STATE__STEP_STATE_UNKNOWN:
		return TABLE_RED;
	case SAGA__V1__STEP_STATE__STEP_STATE_COMPENSATING:
	case SAGA__V1__STEP_STATE__STEP_STATE_COMPENSATION_RETRY_WAIT:
	case SAGA__V1__STEP_STATE__STEP_STATE_COMPENSATED:
		return TABLE_YELLOW;
	case SAGA__V1__STEP_STATE__STEP_STATE_PENDING:
	case SAGA__V1__STEP_STATE__STEP_STATE_SKIPPED:
	case SAGA__V1__STEP_STATE__STEP_STATE_NOT_NEEDED:
		return TABLE_DIM;
	default:
		return TABLE_PLAIN;
	}
}

static int64_t micros(const Google__Protobuf__Timestamp *time)
{
	return time ? time->seconds * 1000000 + time->nanos / 1000 : 0;
}

static double millis_between(const Google__Protobuf__Timestamp *from, const Google__Protobuf__Timestamp *to)
{
	return (double)(micros(to) - micros(from)) / 1000.0;
}

/* ---- the head ---- */

void saga_header_append(struct buffer *out, const Saga__V1__Saga *saga, bool has_colours)
{
	buffer_append_text(out, "saga ");
	table_append_text(out, saga->saga_id, TABLE_BOLD, has_colours);
	buffer_append_text(out, "  ");
	table_append_text(out, saga->definition, TABLE_PLAIN, has_colours);
	buffer_append_format(out, " v%" PRId32 "  ", saga->definition_version);
	table_append_text(out, saga_state_name(saga->state), saga_colour(saga->state), has_colours);
	if (saga->step[0] && strcmp(saga->step, saga_state_name(saga->state)) != 0) {
		buffer_append_text(out, "  ");
		table_append_text(out, saga->step, TABLE_PLAIN, has_colours);
	}
	buffer_append_text(out, "\n");
}

static void append_head(struct buffer *out, const Saga__V1__Saga *saga, bool has_colours)
{
	char start[CLOCK_TEXT_LEN + 1];

	saga_header_append(out, saga, has_colours);
	clock_format(micros(saga->create_time), start);
	buffer_append_format(out, "  started %s", start);
	if (saga->end_time)
		buffer_append_format(out, ", took %.1f ms", millis_between(saga->create_time, saga->end_time));
	buffer_append_text(out, ", key ");
	table_append_text(out, saga->key, TABLE_PLAIN, has_colours);
	buffer_append_text(out, "\n");
	if (saga->stuck_reason[0]) {
		buffer_append_text(out, "  stuck: ");
		table_append_text(out, saga->stuck_reason, TABLE_RED, has_colours);
		buffer_append_text(out, "\n");
	}
}

/* ---- steps ---- */

/* "payment_declined: the card was refused", either part, or nothing. */
static void add_reason(struct table *table, enum table_colour colour, const char *reason, const char *detail)
{
	table_add(table, colour, "%s%s%s", reason, reason[0] && detail[0] ? ": " : "", detail);
}

static void add_attempts(struct table *table, const Saga__V1__Step *step)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};

	if (step->attempts > 0)
		buffer_append_format(&text, "%" PRId32 " attempt%s", step->attempts, step->attempts == 1 ? "" : "s");
	if (step->compensation_attempts > 0)
		buffer_append_format(&text, ", %" PRId32 " of the compensation", step->compensation_attempts);
	if (step->resends > 0)
		buffer_append_format(&text, ", %" PRId32 " re-sent", step->resends);
	table_add(table, TABLE_PLAIN, "%s", buffer_text(&text));
}

static void append_steps(struct buffer *out, const Saga__V1__Saga *saga, bool has_colours)
{
	struct table table;

	table_init(&table, 4, has_colours);
	for (size_t i = 0; i < saga->n_steps; i++) {
		const Saga__V1__Step *step = saga->steps[i];

		table_add(&table, TABLE_PLAIN, "%s", step->step_id);
		table_add(&table, step_colour(step->state), "%s",
			  short_name(&saga__v1__step_state__descriptor, (int)step->state, "STEP_STATE_"));
		add_attempts(&table, step);
		add_reason(&table, TABLE_PLAIN, step->reason, step->detail);
	}
	table_print(&table, out);
	table_release(&table);
}

/* ---- events ---- */

static enum table_colour milestone_colour(const Saga__V1__SagaEvent *event)
{
	bool is_failure = event->reason[0] || strstr(event->milestone, "FAILED") ||
			  strstr(event->milestone, "TIMED_OUT");

	return is_failure                                ? TABLE_RED
	       : saga_colour(event->state) == TABLE_BOLD ? TABLE_GREEN
							 : saga_colour(event->state);
}

static void add_event(struct table *table, const Saga__V1__Saga *saga, const Saga__V1__SagaEvent *event)
{
	const Google__Protobuf__Timestamp *start = saga->create_time ? saga->create_time : saga->events[0]->time;
	bool is_compensation = event->phase == SAGA__V1__STEP_PHASE__STEP_PHASE_COMPENSATION;

	table_add(table, TABLE_DIM, "%+.1f ms", millis_between(start, event->time));
	table_add(table, TABLE_PLAIN, "%s%s", event->step_id, is_compensation ? " (compensation)" : "");
	if (event->attempt > 1)
		table_add(table, TABLE_PLAIN, "%s, attempt %" PRId32, event->event, event->attempt);
	else
		table_add(table, TABLE_PLAIN, "%s", event->event);
	table_add(table, milestone_colour(event), "%s", event->milestone);
	add_reason(table, TABLE_PLAIN, event->reason, event->detail);
}

static void append_events(struct buffer *out, const Saga__V1__Saga *saga, bool has_colours)
{
	struct table table;

	table_init(&table, 5, has_colours);
	for (size_t i = 0; i < saga->n_events; i++)
		add_event(&table, saga, saga->events[i]);
	table_print(&table, out);
	table_release(&table);
}

void saga_timeline_append(struct buffer *out, const Saga__V1__Saga *saga, bool has_colours)
{
	append_head(out, saga, has_colours);
	if (saga->n_steps > 0) {
		buffer_append_text(out, "steps\n");
		append_steps(out, saga, has_colours);
	}
	if (saga->n_events > 0) {
		buffer_append_text(out, "timeline\n");
		append_events(out, saga, has_colours);
	}
}
