/* topic_plan.c - see topic_plan.h. */
#include "cli/topic_plan.h"

#include <inttypes.h>
#include <stdlib.h>

#include "lib/base/memory.h"
#include "lib/kafka/side_topic.h"

static const char COMMAND_SUFFIX[] = ".command";

void topic_plan_init(struct topic_plan *plan, const struct topic_sizes *sizes)
{
	*plan = (struct topic_plan){.sizes = *sizes};
	arena_init(&plan->arena, 0);
}

void topic_plan_release(struct topic_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		free(plan->items[i].needed_by);
	free(plan->items);
	arena_release(&plan->arena);
	*plan = (struct topic_plan){0};
}

static struct topic_want *find_or_add(struct topic_plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->count; i++)
		if (strcmp(plan->items[i].topic.name, name) == 0)
			return &plan->items[i];
	plan->items = xrealloc_array(plan->items, plan->count + 1, sizeof(*plan->items));
	plan->items[plan->count] = (struct topic_want){
		.topic = {.name = arena_strdup(&plan->arena, name),
			  .partitions = (int)plan->sizes.partitions,
			  .replication_factor = (int)plan->sizes.replication,
			  .retention_ms = plan->sizes.retention_ms},
	};
	return &plan->items[plan->count++];
}

static void add_need(struct topic_plan *plan, struct topic_want *want, const char *needed_by)
{
	for (size_t i = 0; i < want->needed_count; i++)
		if (strcmp(want->needed_by[i], needed_by) == 0)
			return;
	want->needed_by = xrealloc_array(want->needed_by, want->needed_count + 1, sizeof(*want->needed_by));
	want->needed_by[want->needed_count++] = arena_strdup(&plan->arena, needed_by);
}

static void add_one(struct topic_plan *plan, const char *name, bool is_dead, const char *needed_by)
{
	struct topic_want *want = find_or_add(plan, name);

	if (needed_by)
		add_need(plan, want, needed_by);
	if (is_dead) {
		want->topic.partitions = 1; /* few, and one partition keeps their order */
		want->topic.retention_ms = plan->sizes.dead_retention_ms;
	}
}

static bool is_command_topic(const char *name)
{
	size_t len = strlen(name);
	size_t suffix_len = strlen(COMMAND_SUFFIX);

	return len > suffix_len && strcmp(name + len - suffix_len, COMMAND_SUFFIX) == 0;
}

void topic_plan_add(struct topic_plan *plan, const char *topic, const char *needed_by)
{
	add_one(plan, topic, false, needed_by);
	for (int side = 0; side < SIDE_TOPIC_COUNT; side++)
		if (side == SIDE_TOPIC_DEAD || is_command_topic(topic))
			add_one(plan, side_topic_name((enum side_topic)side, topic, &plan->arena),
				side == SIDE_TOPIC_DEAD, needed_by);
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(((const struct topic_want *)left)->topic.name, ((const struct topic_want *)right)->topic.name);
}

void topic_plan_sort(struct topic_plan *plan)
{
	if (plan->count > 0)
		qsort(plan->items, plan->count, sizeof(*plan->items), compare_names);
}

/* ---- what is wrong ---- */

void retention_append(struct buffer *out, int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *unit;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};

	if (ms < 0) {
		buffer_append_text(out, "for ever");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (ms % units[i].ms == 0 && (ms > 0 || units[i].ms == 1)) {
			buffer_append_format(out, "%" PRId64 "%s", ms / units[i].ms, units[i].unit);
			return;
		}
	}
}

static const char *describe_retention(int64_t is_ms, int64_t wanted_ms, struct arena *arena)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};

	buffer_append_text(&text, "keeps records for ");
	retention_append(&text, is_ms);
	buffer_append_text(&text, ", not ");
	retention_append(&text, wanted_ms);
	return arena_strndup(arena, buffer_text(&text), text.len);
}

size_t topic_want_check(const struct topic_want *want, const struct topic_state *state, struct arena *arena,
			const char *ret_problems[TOPIC_PROBLEMS_MAX])
{
	const struct kafka_topic *topic = &want->topic;
	size_t count = 0;

	if (!state->exists) {
		ret_problems[0] = "does not exist";
		return 1;
	}
	if (state->partitions < topic->partitions)
		ret_problems[count++] = arena_format(arena, "has %d partition%s, not %d", state->partitions,
						     state->partitions == 1 ? "" : "s", topic->partitions);
	if (state->replication_factor < topic->replication_factor)
		ret_problems[count++] = arena_format(arena, "has %d replica%s, not %d", state->replication_factor,
						     state->replication_factor == 1 ? "" : "s",
						     topic->replication_factor);
	if (state->retention_ms >= 0 && state->retention_ms < topic->retention_ms)
		ret_problems[count++] = describe_retention(state->retention_ms, topic->retention_ms, arena);
	if (state->retention_bytes >= 0)
		ret_problems[count++] = arena_format(arena, "deletes what is beyond %" PRId64 " bytes of a partition",
						     state->retention_bytes);
	if (strstr(state->cleanup, "compact"))
		ret_problems[count++] = "is compacted: of each key only the last record stays";
	return count;
}
