/* log_rules.c - see log_rules.h. */
#include "coordinator/check/log_rules.h"

#include <inttypes.h>

struct log {
	const struct definition *definition;
	const struct replay_entry *entries;
	size_t count;
	struct arena *arena;
	int32_t *steps; /* of each entry; -1: of the saga, or unknown */
};

static bool is_success(const struct log *log, size_t at, enum step_phase phase)
{
	const struct replay_entry *entry = &log->entries[at];

	return log->steps[at] >= 0 && entry->event.type == SAGA_EVENT_SUCCEEDED && entry->event.phase == phase;
}

static const char *check_times(const struct log *log)
{
	for (size_t i = 1; i < log->count; i++)
		if (log->entries[i].event.time_us < log->entries[i - 1].event.time_us)
			return arena_format(log->arena, "I12: entry %zu is %" PRId64 " ms older than the one before it",
					    i + 1,
					    (log->entries[i - 1].event.time_us - log->entries[i].event.time_us) / 1000);
	return NULL;
}

static const char *check_end(const struct log *log)
{
	for (size_t i = 1; i < log->count; i++)
		if (saga_state_is_terminal(log->entries[i - 1].state))
			return arena_format(log->arena,
					    "I1: it ended %s with entry %zu, and yet entry %zu (%s) follows",
					    saga_state_name(log->entries[i - 1].state), i, i + 1,
					    saga_event_name(log->entries[i].event.type));
	return NULL;
}

static bool is_going_back(enum saga_state state)
{
	return state == SAGA_STATE_COMPENSATING || state == SAGA_STATE_COMPENSATED || state == SAGA_STATE_STUCK;
}

static const char *check_compensation(const struct log *log, size_t at)
{
	const struct replay_entry *entry = &log->entries[at];
	const struct step_definition *step = &log->definition->steps[log->steps[at]];

	if (!step->has_compensation)
		return arena_format(log->arena, "I3: entry %zu undoes step '%s', which has no compensation", at + 1,
				    step->id);
	if (!is_going_back(entry->state))
		return arena_format(log->arena, "I3: entry %zu undoes step '%s' of a saga that is %s", at + 1, step->id,
				    saga_state_name(entry->state));
	return NULL;
}

/* The steps that come after this one, directly or by way of others. */
static void find_later(const struct definition *definition, int32_t step, bool is_later[DEFINITION_STEPS_MAX])
{
	for (size_t i = 0; i < definition->step_count; i++)
		is_later[i] = false;
	for (int32_t i = step + 1; i < (int32_t)definition->step_count; i++)
		for (size_t k = 0; k < definition_after_count(definition, i); k++) {
			const int32_t before = definition_after(definition, i, k);

			is_later[i] |= before == step || is_later[before];
		}
}

/* It was done while the saga went forward: what succeeds late is undone when it comes. */
static bool was_done_in_time(const struct log *log, int32_t step, size_t before)
{
	for (size_t i = 0; i < before; i++)
		if (log->steps[i] == step &&
		    (is_success(log, i, STEP_PHASE_FORWARD) || is_success(log, i, STEP_PHASE_INQUIRY)) &&
		    log->entries[i].state == SAGA_STATE_RUNNING)
			return true;
	return false;
}

static const char *check_order(const struct log *log, size_t at)
{
	bool is_later[DEFINITION_STEPS_MAX];

	find_later(log->definition, log->steps[at], is_later);
	for (size_t i = at + 1; i < log->count; i++)
		if (is_success(log, i, STEP_PHASE_COMPENSATION) && is_later[log->steps[i]] &&
		    was_done_in_time(log, log->steps[i], at))
			return arena_format(
				log->arena,
				"I3: entry %zu undoes step '%s' before entry %zu undoes '%s', which came after it",
				at + 1, log->definition->steps[log->steps[at]].id, i + 1,
				log->definition->steps[log->steps[i]].id);
	return NULL;
}

static const char *check_undoing(const struct log *log)
{
	const char *why = NULL;

	for (size_t i = 0; i < log->count && !why; i++) {
		if (log->steps[i] < 0 || log->entries[i].event.phase != STEP_PHASE_COMPENSATION)
			continue;
		why = check_compensation(log, i);
		if (!why && is_success(log, i, STEP_PHASE_COMPENSATION))
			why = check_order(log, i);
	}
	return why;
}

const char *log_rules_check(const struct definition *definition, const struct replay_entry *entries, size_t count,
			    struct arena *arena)
{
	struct log log = {definition, entries, count, arena, arena_alloc(arena, (count + 1) * sizeof(int32_t))};
	const char *why;

	for (size_t i = 0; i < count; i++)
		log.steps[i] = entries[i].step_id ? definition_find_step(definition, entries[i].step_id) : -1;
	why = check_times(&log);
	if (!why)
		why = check_end(&log);
	return why ? why : check_undoing(&log);
}
