/* source_wait.c - see source_wait.h. */
#include "coordinator/definition/source_wait.h"

#include "lib/base/memory.h"

static bool has_signal(const struct source *source, const char *signal, const struct source_step *but)
{
	for (size_t i = 0; i < source->step_count; i++)
		if (&source->steps[i] != but && source->steps[i].signal && strcmp(source->steps[i].signal, signal) == 0)
			return true;
	return false;
}

static void read_value(struct source_reader *reader, const struct yaml_node *value, struct source_step *step)
{
	step->value = reader_subject(reader, value, "value");
	step->value_mark = value->mark;
	step->definition.has_value = true;
}

static bool has_event(const struct source *source, const char *event, const struct source_step *but)
{
	for (size_t i = 0; i < source->step_count; i++)
		if (&source->steps[i] != but && source->steps[i].event && strcmp(source->steps[i].event, event) == 0)
			return true;
	return false;
}

/* What a wait for a signal and one for an event have in common. */
static void read_end(struct source_reader *reader, const struct yaml_node *map, const char *of_what,
		     const char *example, struct source_step *step)
{
	const struct yaml_node *timeout = reader_get(map, "timeout");
	const struct yaml_node *optional = reader_get(map, "optional");

	step->definition.action = STEP_ACTION_SIGNAL;
	if (timeout)
		reader_duration(reader, timeout, "timeout", &step->definition.policy[STEP_PHASE_FORWARD].timeout_ms);
	else
		PROBLEM(reader, map->mark, "%s needs a timeout, such as %s", of_what, example);
	if (optional)
		step->definition.is_optional = reader_bool(reader, optional, "optional");
}

/* An event is a signal that comes from Kafka: it always brings its value. */
static void read_event(struct source_reader *reader, const struct yaml_node *map, const struct source *source,
		       struct source_step *step)
{
	static const char *const keys[] = {"event", "timeout", "optional"};
	const struct yaml_node *event = reader_get(map, "event");

	reader_check_keys(reader, map, keys, ARRAY_LEN(keys), "a wait for an event");
	step->event = reader_topic(reader, event);
	step->value_mark = event->mark;
	step->definition.has_value = true;
	if (step->event && has_event(source, step->event, step))
		PROBLEM(reader, event->mark,
			"two steps wait for events on '%s': one that is read again would count for the other",
			step->event);
	read_end(reader, map, "a wait for an event", "{event: invoice.paid, timeout: 24h}", step);
}

static void read_signal(struct source_reader *reader, const struct yaml_node *map, const struct source *source,
			struct source_step *step)
{
	static const char *const keys[] = {"signal", "value", "timeout", "optional"};
	const struct yaml_node *signal = reader_get(map, "signal");
	const struct yaml_node *value = reader_get(map, "value");

	reader_check_keys(reader, map, keys, ARRAY_LEN(keys), "a wait for a signal");
	step->signal = reader_id(reader, signal, "signal");
	if (step->signal && has_signal(source, step->signal, step))
		PROBLEM(reader, signal->mark, "two steps wait for signal '%s': give one another name", step->signal);
	if (value)
		read_value(reader, value, step);
	read_end(reader, map, "a wait for a signal", "{signal: approved, timeout: 24h}", step);
}

static void read_delay(struct source_reader *reader, const struct yaml_node *map, struct source_step *step)
{
	static const char *const keys[] = {"delay"};

	reader_check_keys(reader, map, keys, ARRAY_LEN(keys), "a delay");
	step->definition.action = STEP_ACTION_DELAY;
	reader_duration(reader, reader_get(map, "delay"), "delay",
			&step->definition.policy[STEP_PHASE_FORWARD].timeout_ms);
}

void source_read_wait(struct source_reader *reader, const struct yaml_node *wait, const struct source *source,
		      struct source_step *step)
{
	bool is_signal, is_event, is_delay;

	if (!reader_is_kind(reader, wait, YAML_MAP, "wait"))
		return;
	is_signal = reader_get(wait, "signal") != NULL;
	is_event = reader_get(wait, "event") != NULL;
	is_delay = reader_get(wait, "delay") != NULL;
	if (is_signal + is_event + is_delay != 1)
		PROBLEM(reader, wait->mark,
			"a wait is one of {signal: approved, timeout: 24h}, {event: invoice.paid, timeout: 24h} and "
			"{delay: 10m}");
	else if (is_delay)
		read_delay(reader, wait, step);
	else if (is_event)
		read_event(reader, wait, source, step);
	else
		read_signal(reader, wait, source, step);
}
