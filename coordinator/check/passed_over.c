/* passed_over.c - see passed_over.h. */
#include "coordinator/check/passed_over.h"

#include <inttypes.h>
#include <stdlib.h>

#include "lib/base/memory.h"

struct suspect {
	struct uuid saga_id;
	const char *step_id;
	enum step_phase phase;
	const char *topic;
	int32_t partition;
	int64_t offset;
	int64_t timestamp_ms;
	bool is_legible;
};

void passed_over_init(struct passed_over *passed, size_t traces_max)
{
	*passed = (struct passed_over){0};
	arena_init(&passed->arena, 0);
	hash_set_init(&passed->commands, traces_max);
	hash_set_init(&passed->places, traces_max);
}

void passed_over_release(struct passed_over *passed)
{
	hash_set_release(&passed->commands);
	hash_set_release(&passed->places);
	free(passed->suspects);
	arena_release(&passed->arena);
}

void passed_over_suspect(struct passed_over *passed, const struct topic_record *record, bool is_legible,
			 int64_t timestamp_ms)
{
	if (passed->count == SUSPECTS_MAX) {
		passed->is_full = true;
		return;
	}
	if (passed->count % 1024 == 0)
		passed->suspects = xrealloc_array(passed->suspects, passed->count + 1024, sizeof(*passed->suspects));
	passed->suspects[passed->count++] = (struct suspect){
		.saga_id = record->saga_id,
		.step_id = arena_strdup(&passed->arena, is_legible ? record->step_id : ""),
		.phase = record->phase,
		.topic = arena_strdup(&passed->arena, record->topic),
		.partition = record->partition,
		.offset = record->offset,
		.timestamp_ms = timestamp_ms,
		.is_legible = is_legible,
	};
}

void passed_over_trace_command(struct passed_over *passed, const struct topic_record *record)
{
	passed->is_full |=
		!hash_set_add(&passed->commands, hash_of_command(record->saga_id, record->step_id, (int)record->phase));
}

void passed_over_trace_place(struct passed_over *passed, const char *topic, int32_t partition, int64_t offset)
{
	passed->is_full |= !hash_set_add(&passed->places, hash_of_place(topic, partition, offset));
}

static bool has_trace(const struct passed_over *passed, const struct suspect *suspect)
{
	if (hash_set_has(&passed->places, hash_of_place(suspect->topic, suspect->partition, suspect->offset)))
		return true;
	return suspect->is_legible &&
	       hash_set_has(&passed->commands,
			    hash_of_command(suspect->saga_id, suspect->step_id, (int)suspect->phase));
}

static void report(const struct suspect *suspect, struct arena *arena, const struct check_listener *listener)
{
	const char *text = arena_format(arena,
					"I13: the record on %s, partition %" PRId32 ", offset %" PRId64
					" was passed over: it is in no inbox, and no dead letter",
					suspect->topic, suspect->partition, suspect->offset);

	if (suspect->is_legible)
		check_report(listener, &suspect->saga_id, suspect->step_id, text);
	else
		check_report(listener, NULL, NULL, text);
}

void passed_over_report(struct passed_over *passed, int64_t (*dead_since_ms)(void *ctx, const char *topic), void *ctx,
			const struct check_listener *listener)
{
	if (passed->is_full) {
		check_undecided(listener, "I13: there are more side records or suspects than --at-once allows");
		return;
	}
	for (size_t i = 0; i < passed->count; i++) {
		const struct suspect *suspect = &passed->suspects[i];

		if (!has_trace(passed, suspect) && suspect->timestamp_ms > dead_since_ms(ctx, suspect->topic))
			report(suspect, &passed->arena, listener);
	}
}
