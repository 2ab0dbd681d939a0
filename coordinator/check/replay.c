/* replay.c - see replay.h. */
#include "coordinator/check/replay.h"

#include <inttypes.h>

struct replay {
	const struct definition *definition;
	const struct saga *stored;
	const struct replay_entry *entries;
	size_t count;
	struct arena *arena;
	const char *why;
};

#define FAIL(replay, ...) ((replay)->why = arena_format((replay)->arena, __VA_ARGS__), false)

static bool check_sequence(struct replay *replay)
{
	for (size_t i = 0; i < replay->count; i++)
		if (replay->entries[i].sequence != (int64_t)i + 1)
			return FAIL(replay, "I9: the log has entry %" PRId64 " where %zu should be",
				    replay->entries[i].sequence, i + 1);
	if (replay->stored->version != (int64_t)replay->count)
		return FAIL(replay, "I9: the row has version %" PRId64 ", the log %zu entries", replay->stored->version,
			    replay->count);
	return true;
}

/* When the clock may bring this at the earliest; 0: it is nothing that the clock brings, or nothing is waited for. A re-send may
 * come early: whoever starts sends again what was in flight. */
static int64_t due_us(const struct saga *saga, const struct saga_event *event)
{
	const struct step *step = event->step >= 0 ? &saga->steps[event->step] : NULL;

	if ((event->type == SAGA_EVENT_TIMED_OUT || event->type == SAGA_EVENT_ELAPSED) && step)
		return step->deadline_us;
	if (event->type == SAGA_EVENT_RETRY && step)
		return step->due_us;
	if (event->type == SAGA_EVENT_OVERDUE)
		return saga->deadline_us;
	return event->type == SAGA_EVENT_STARTED && saga->state == SAGA_STATE_SCHEDULED ? saga->start_us : 0;
}

static bool apply(struct replay *replay, const struct replay_entry *entry, struct saga **saga)
{
	struct saga_event event = entry->event;
	struct saga_effects effects;
	const char *why = NULL;

	event.step = entry->step_id ? definition_find_step(replay->definition, entry->step_id) : -1;
	if (entry->step_id && event.step < 0)
		return FAIL(replay, "I5: entry %" PRId64 " is about step '%s', which the definition does not have",
			    entry->sequence, entry->step_id);
	if (event.time_us < due_us(*saga, &event))
		return FAIL(replay, "I12: entry %" PRId64 " (%s) came %" PRId64 " ms before its time", entry->sequence,
			    saga_event_name(event.type), (due_us(*saga, &event) - event.time_us + 999) / 1000);
	if (saga_apply(replay->definition, *saga, &event, replay->arena, saga, &effects, &why) != SAGA_VERDICT_APPLIED)
		return FAIL(replay, "I5: entry %" PRId64 " (%s) cannot have happened to a saga that is %s: %s",
			    entry->sequence, saga_event_name(event.type), saga_state_name((*saga)->state), why);
	return true;
}

static bool run(struct replay *replay)
{
	const struct saga_event *first = &replay->entries[0].event;
	struct buffer stored = {0};
	struct buffer replayed = {0};
	struct saga *saga;
	bool is_same;

	if (!check_sequence(replay))
		return false;
	saga = saga_begin_again(replay->definition, replay->stored->id, first, replay->stored->start_us, replay->arena);
	if (!saga)
		return FAIL(replay, "I5: a log begins with a start, not with '%s'", saga_event_name(first->type));
	for (size_t i = 0; i < replay->count; i++) {
		if (i > 0 && !apply(replay, &replay->entries[i], &saga))
			return false;
		if (saga->state != replay->entries[i].state)
			return FAIL(replay, "I5: after entry %zu the saga was %s, by the log %s", i + 1,
				    saga_state_name(saga->state), saga_state_name(replay->entries[i].state));
	}
	saga_encode(replay->stored, &stored);
	saga_encode(saga, &replayed);
	is_same = bytes_equal(buffer_bytes(&stored), buffer_bytes(&replayed));
	buffer_release(&stored);
	buffer_release(&replayed);
	return is_same || FAIL(replay, "I5: the row is not what the log leads to (%s at '%s', by the log %s at '%s')",
			       saga_state_name(replay->stored->state), replay->stored->milestone,
			       saga_state_name(saga->state), saga->milestone);
}

enum replay_result replay_check(const struct definition *definition, struct bytes data, enum saga_state state,
				const struct replay_entry *entries, size_t count, struct arena *arena,
				const char **ret_why)
{
	struct replay replay = {.definition = definition, .entries = entries, .count = count, .arena = arena};
	struct saga *stored;
	struct error err;

	if (saga_is_of_earlier_form(data))
		return REPLAY_OLD;
	if (saga_decode(definition, data, arena, &stored, &err) < 0) {
		*ret_why = arena_format(arena, "I5: %s", err.msg);
		return REPLAY_BAD;
	}
	replay.stored = stored;
	if (stored->state != state) {
		*ret_why = arena_format(arena, "I5: the row says %s in one place and %s in another",
					saga_state_name(state), saga_state_name(stored->state));
		return REPLAY_BAD;
	}
	if (count == 0) {
		*ret_why = "I9: the saga has no log";
		return REPLAY_BAD;
	}
	if (run(&replay))
		return REPLAY_GOOD;
	*ret_why = replay.why;
	return REPLAY_BAD;
}
