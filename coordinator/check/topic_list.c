/* topic_list.c - see topic_list.h. */
#include "coordinator/check/topic_list.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/memory.h"
#include "lib/kafka/group_offsets.h"
#include "lib/kafka/side_topic.h"

/* ---- which topics ---- */

static void add(struct topic_list *list, const char *name, enum checked_kind kind, int participant)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].name, name) == 0)
			return;
	list->items = xrealloc_array(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = (struct checked_topic){
		.name = arena_strdup(&list->arena, name), .kind = kind, .participant = participant};
}

static void add_side(struct topic_list *list, enum side_topic side, const char *topic)
{
	add(list, side_topic_name(side, topic, &list->arena), side == SIDE_TOPIC_DEAD ? CHECKED_DEAD : CHECKED_RETRIES,
	    -1);
}

static void add_command(struct topic_list *list, const struct source_command *command,
			const struct participant_check *participants)
{
	if (!command->topic)
		return;
	add(list, command->topic, CHECKED_COMMANDS, participant_check_find(participants, command->topic));
	for (int side = 0; side < SIDE_TOPIC_COUNT; side++)
		add_side(list, (enum side_topic)side, command->topic);
	for (size_t i = 0; i < command->reply_count; i++) {
		add(list, command->replies[i].topic, CHECKED_REPLIES, -1);
		add_side(list, SIDE_TOPIC_DEAD, command->replies[i].topic);
	}
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(((const struct checked_topic *)left)->name, ((const struct checked_topic *)right)->name);
}

struct topic_list *topic_list_new(const struct definition_book *book, const struct participant_check *participants)
{
	struct topic_list *list = xcalloc(1, sizeof(*list));

	arena_init(&list->arena, 0);
	for (size_t i = 0; i < book->count; i++)
		for (size_t step = 0; book->items[i].definition && step < book->items[i].source->step_count; step++)
			for (int phase = 0; phase < STEP_PHASE_COUNT; phase++)
				add_command(list, &book->items[i].source->steps[step].commands[phase], participants);
	if (list->count > 0)
		qsort(list->items, list->count, sizeof(*list->items), compare_names);
	list->names = arena_alloc(&list->arena, (list->count + 1) * sizeof(*list->names));
	list->extents = arena_zalloc(&list->arena, (list->count + 1) * sizeof(*list->extents));
	for (size_t i = 0; i < list->count; i++)
		list->names[i] = list->items[i].name;
	return list;
}

void topic_list_free(struct topic_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].passed);
	free(list->items);
	arena_release(&list->arena);
	free(list);
}

struct checked_topic *topic_list_find(const struct topic_list *list, const char *name)
{
	const struct checked_topic key = {.name = name};

	return list->count ? bsearch(&key, list->items, list->count, sizeof(key), compare_names) : NULL;
}

/* ---- how far they are read ---- */

static bool is_name_or_begins_with(const char *group, const char *name)
{
	const size_t len = strlen(name);

	return strncmp(group, name, len) == 0 && (group[len] == 0 || group[len] == '-');
}

static bool is_reader(const struct checked_topic *topic, const char *group,
		      const struct participant_check *participants, const char *coordinator_group)
{
	const struct participant_inbox *inbox;

	if (topic->kind == CHECKED_REPLIES)
		return strcmp(group, coordinator_group) == 0;
	if (topic->kind != CHECKED_COMMANDS || topic->participant < 0)
		return false;
	inbox = &participants->inboxes[topic->participant];
	for (size_t i = 0; i < inbox->name_count; i++)
		if (is_name_or_begins_with(group, inbox->names[i]))
			return true;
	return false;
}

/* Of several groups the one that is the least far. */
static void note_passed(struct checked_topic *topic, int32_t partition, int64_t offset)
{
	if (partition >= topic->partitions) {
		topic->passed = xrealloc_array(topic->passed, (size_t)partition + 1, sizeof(*topic->passed));
		for (int32_t i = topic->partitions; i <= partition; i++)
			topic->passed[i] = -1;
		topic->partitions = partition + 1;
	}
	if (topic->passed[partition] < 0 || offset < topic->passed[partition])
		topic->passed[partition] = offset;
}

int topic_list_note_offsets(struct topic_list *list, const struct kafka_options *kafka,
			    const struct participant_check *participants, const char *coordinator_group,
			    struct error *err)
{
	struct group_offset *offsets;
	struct arena arena;
	size_t count = 0;
	int result;

	arena_init(&arena, 0);
	result = group_offsets_read(kafka, &arena, &offsets, &count, err);
	for (size_t i = 0; i < count && result == 0; i++) {
		struct checked_topic *topic = topic_list_find(list, offsets[i].topic);

		if (topic && is_reader(topic, offsets[i].group, participants, coordinator_group))
			note_passed(topic, offsets[i].partition, offsets[i].offset);
	}
	arena_release(&arena);
	return result;
}

bool checked_topic_is_passed(const struct checked_topic *topic, int32_t partition, int64_t offset)
{
	return partition >= 0 && partition < topic->partitions && offset < topic->passed[partition];
}
