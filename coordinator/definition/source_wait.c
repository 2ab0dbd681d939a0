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

static void read_signal(struct source_reader *reader, const struct yaml_node *map, const struct source *source,
			struct source_step *step)
{
	static const char *const keys[] = {"signal", "value", "timeout", "optional"};
	const struct yaml_node *signal = reader_get(map, "signal");
	const struct yaml_node *value = reader_get(map, "value");
	const struct yaml_node *timeout = reader_get(map, "timeout");
	const struct yaml_node *optional = reader_get(map, "optional");

	reader_check_keys(reader, map, keys, ARRAY_LEN(keys), "a wait for a signal");
	step->definition.action = STEP_ACTION_SIGNAL;
	step->signal = reader_id(reader, signal, "signal");
	if (step->signal && has_signal(source, step->signal, step))
		PROBLEM(reader, signal->mark, "two steps wait for signal '%s': give one another name", step->signal);
	if (value)
		read_value(reader, value, step);
	if (timeout)
		reader_duration(reader, timeout, "timeout", &step->definition.policy[STEP_PHASE_FORWARD].timeout_ms);
	else
		PROBLEM(reader, map->mark,
			"a wait for a signal needs a timeout, such as {signal: approved, timeout: 24h}");
	if (optional)
		step->definition.is_optional = reader_bool(reader, optional, "optional");
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
	bool is_delay;

	if (!reader_is_kind(reader, wait, YAML_MAP, "wait"))
		return;
	is_delay = reader_get(wait, "delay") != NULL;
	if (is_delay == (reader_get(wait, "signal") != NULL))
		PROBLEM(reader, wait->mark, "a wait is either {signal: approved, timeout: 24h} or {delay: 10m}");
	else if (is_delay)
		read_delay(reader, wait, step);
	else
		read_signal(reader, wait, source, step);
}
