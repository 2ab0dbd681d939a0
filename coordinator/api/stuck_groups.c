/* stuck_groups.c - see stuck_groups.h. */
#include "coordinator/api/stuck_groups.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/api/saga_message.h"

static const char VIOLATED[] = "violated";
static const char UNREADABLE[] = "unreadable";

/* What makes two stuck steps alike. */
struct likeness {
	const char *definition;
	int32_t version;
	const char *step_id;
	Saga__V1__StepPhase phase;
	Saga__V1__StepState state;
	const char *reason;
};

static bool is_alike(const Saga__V1__StuckGroup *group, const struct likeness *of)
{
	return group->definition_version == of->version && group->phase == of->phase && group->state == of->state &&
	       strcmp(group->step_id, of->step_id) == 0 && strcmp(group->reason, of->reason) == 0 &&
	       strcmp(group->definition, of->definition) == 0;
}

/* Room for one more, doubling; the arena keeps what was there before. */
static void *grown(struct arena *arena, void *items, size_t count, size_t max, size_t size)
{
	char *room = arena_alloc(arena, max * size);

	if (count > 0)
		memcpy(room, items, count * size);
	return room;
}

static Saga__V1__StuckGroup *add_group(struct stuck_groups *groups, const struct likeness *of)
{
	Saga__V1__StuckGroup *group = arena_alloc(groups->arena, sizeof(*group));

	if (groups->count == groups->max) {
		groups->max = groups->max ? 2 * groups->max : 16;
		groups->items = grown(groups->arena, groups->items, groups->count, groups->max, sizeof(*groups->items));
	}
	saga__v1__stuck_group__init(group);
	group->definition = arena_strdup(groups->arena, of->definition);
	group->definition_version = of->version;
	group->step_id = arena_strdup(groups->arena, of->step_id);
	group->phase = of->phase;
	group->state = of->state;
	group->reason = arena_strdup(groups->arena, of->reason);
	group->samples = arena_alloc(groups->arena, STUCK_SAMPLES_MAX * sizeof(*group->samples));
	groups->items[groups->count++] = group;
	return group;
}

static Saga__V1__StuckGroup *group_of(struct stuck_groups *groups, const struct likeness *of)
{
	for (size_t i = 0; i < groups->count; i++)
		if (is_alike(groups->items[i], of))
			return groups->items[i];
	return add_group(groups, of);
}

static void add_sample(struct stuck_groups *groups, Saga__V1__StuckGroup *group, const char *text)
{
	if (!*text || group->n_samples == STUCK_SAMPLES_MAX)
		return;
	for (size_t i = 0; i < group->n_samples; i++)
		if (strcmp(group->samples[i], text) == 0)
			return;
	group->samples[group->n_samples++] = arena_strdup(groups->arena, text);
}

/* Powers of two are where the room of the ids ends. */
static void add_id(struct stuck_groups *groups, Saga__V1__StuckGroup *group, char *id)
{
	const size_t count = group->n_saga_ids;

	if ((count & (count - 1)) == 0)
		group->saga_ids = grown(groups->arena, group->saga_ids, count, count ? 2 * count : 1, sizeof(id));
	group->saga_ids[group->n_saga_ids++] = id;
}

static void count_in(struct stuck_groups *groups, const struct likeness *of, struct uuid id, int64_t since_us,
		     const char *sample)
{
	Saga__V1__StuckGroup *group = group_of(groups, of);
	Google__Protobuf__Timestamp *since = timestamp_make(since_us, groups->arena);
	char id_text[UUID_TEXT_LEN + 1];
	char *kept;

	uuid_format(id, id_text);
	kept = arena_strdup(groups->arena, id_text);
	group->count++;
	if (!group->oldest_time ||
	    (since && (since->seconds < group->oldest_time->seconds ||
		       (since->seconds == group->oldest_time->seconds && since->nanos < group->oldest_time->nanos)))) {
		group->oldest_time = since;
		group->oldest_saga_id = kept;
	}
	add_sample(groups, group, sample);
	if (groups->has_saga_ids)
		add_id(groups, group, kept);
}

static bool is_wanted(const struct stuck_groups *groups, const struct likeness *of)
{
	return (!groups->step_id || strcmp(groups->step_id, of->step_id) == 0) &&
	       (!groups->reason || strcmp(groups->reason, of->reason) == 0) &&
	       (groups->phase == SAGA__V1__STEP_PHASE__STEP_PHASE_UNSPECIFIED || groups->phase == of->phase);
}

/* "attempts_exhausted: all 10 attempts failed: the card terminal is away": why it is stuck, and the participant's words. */
static const char *sample_of(struct arena *arena, const struct step *step)
{
	const char *why = step->stuck_why ? step->stuck_why : "";
	const size_t len = step->detail ? strlen(step->detail) : 0;

	if (len == 0 || (strlen(why) >= len && strcmp(why + strlen(why) - len, step->detail) == 0))
		return message_text_make(why, arena);
	return message_text_make(arena_format(arena, "%s: %s", why, step->detail), arena);
}

void stuck_groups_add(struct stuck_groups *groups, const struct plan *plan, const struct saga *saga)
{
	const struct definition *definition = &plan->definition;

	for (size_t i = 0; i < saga->step_count; i++) {
		const struct step *step = &saga->steps[i];
		const bool is_back = step->state == STEP_STATE_COMPENSATION_STUCK;
		const char *reason = step->state == STEP_STATE_VIOLATED ? VIOLATED : step->reason;
		const struct likeness of = {
			.definition = definition->name,
			.version = definition->version,
			.step_id = definition->steps[i].id,
			.phase = is_back ? SAGA__V1__STEP_PHASE__STEP_PHASE_COMPENSATION
					 : SAGA__V1__STEP_PHASE__STEP_PHASE_FORWARD,
			.state = (Saga__V1__StepState)(step->state + 1),
			.reason = message_text_make(reason, groups->arena),
		};

		if (step_state_is_stuck(step->state) && is_wanted(groups, &of))
			count_in(groups, &of, saga->id, step->updated_us, sample_of(groups->arena, step));
	}
}

void stuck_groups_add_unreadable(struct stuck_groups *groups, const char *definition, struct uuid id, const char *why)
{
	const struct likeness of = {.definition = definition, .step_id = "", .reason = UNREADABLE};

	if (is_wanted(groups, &of))
		count_in(groups, &of, id, 0, message_text_make(why, groups->arena));
}

static int64_t oldest_us(const Saga__V1__StuckGroup *group)
{
	return group->oldest_time ? group->oldest_time->seconds * 1000000 + group->oldest_time->nanos / 1000 : 0;
}

static int compare_groups(const void *a, const void *b)
{
	const Saga__V1__StuckGroup *one = *(Saga__V1__StuckGroup *const *)a;
	const Saga__V1__StuckGroup *other = *(Saga__V1__StuckGroup *const *)b;

	if (one->count != other->count)
		return one->count < other->count ? 1 : -1;
	return (oldest_us(one) > oldest_us(other)) - (oldest_us(one) < oldest_us(other));
}

void stuck_groups_sort(struct stuck_groups *groups)
{
	if (groups->count > 0)
		qsort(groups->items, groups->count, sizeof(*groups->items), compare_groups);
}
