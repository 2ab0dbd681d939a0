/* open_letters.c - see open_letters.h. */
#include "lib/kafka/open_letters.h"

#include <stdlib.h>

#include "lib/kafka/side_topic.h"

enum { PARTITIONS_MAX = 1000 }; /* of a dead-letter topic; it is made with one */

void open_letters_release(struct open_letters *letters)
{
	for (size_t i = 0; i < letters->partition_count; i++) {
		free(letters->partitions[i].topic);
		free(letters->partitions[i].open);
		free(letters->partitions[i].early);
	}
	free(letters->partitions);
	*letters = (struct open_letters){0};
}

struct letter_partition *open_letters_find(const struct open_letters *letters, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < letters->partition_count; i++)
		if (letters->partitions[i].partition == partition && strcmp(letters->partitions[i].topic, topic) == 0)
			return &letters->partitions[i];
	return NULL;
}

static struct letter_partition *find_or_add(struct open_letters *letters, const char *topic, int32_t partition)
{
	struct letter_partition *found = open_letters_find(letters, topic, partition);

	if (found)
		return found;
	letters->partitions =
		xrealloc_array(letters->partitions, letters->partition_count + 1, sizeof(*letters->partitions));
	found = &letters->partitions[letters->partition_count++];
	*found = (struct letter_partition){.topic = xstrdup(topic), .partition = partition};
	return found;
}

/* ---- lists of offsets ---- */

/* Memory grows by doubling: whenever the count is a power of two, it is full. */
static void append(int64_t **offsets, size_t *count, int64_t offset)
{
	if ((*count & (*count - 1)) == 0)
		*offsets = xrealloc_array(*offsets, *count ? *count * 2 : 1, sizeof(**offsets));
	(*offsets)[(*count)++] = offset;
}

static void remove_at(int64_t *offsets, size_t *count, size_t at, size_t removed)
{
	memmove(offsets + at, offsets + at + removed, (*count - at - removed) * sizeof(*offsets));
	*count -= removed;
}

/* The first that is not below `offset`; `count`: all are. */
static size_t lower_bound(const int64_t *offsets, size_t count, int64_t offset)
{
	size_t low = 0;

	while (low < count) {
		size_t middle = low + (count - low) / 2;

		if (offsets[middle] < offset)
			low = middle + 1;
		else
			count = middle;
	}
	return low;
}

/* ---- what a record says ---- */

static void add_letter(struct open_letters *letters, struct letter_partition *partition, int64_t offset)
{
	for (size_t i = 0; i < partition->early_count; i++) {
		if (partition->early[i] == offset) {
			remove_at(partition->early, &partition->early_count, i, 1);
			return;
		}
	}
	if (letters->count == OPEN_LETTERS_MAX)
		return;
	append(&partition->open, &partition->open_count, offset);
	letters->count++;
}

static void settle(struct open_letters *letters, struct letter_partition *partition, int64_t offset)
{
	size_t at = lower_bound(partition->open, partition->open_count, offset);

	if (at < partition->open_count && partition->open[at] == offset) {
		remove_at(partition->open, &partition->open_count, at, 1);
		letters->count--;
	} else if (offset >= partition->next && partition->early_count < OPEN_LETTERS_MAX) {
		append(&partition->early, &partition->early_count, offset);
	}
}

void open_letters_read(struct open_letters *letters, const struct kafka_record *record)
{
	struct letter_partition *partition = find_or_add(letters, record->topic, record->partition);
	int32_t settled_partition;
	int64_t settled_offset;

	if (record->offset < partition->next) {
		letters->count -= partition->open_count;
		partition->open_count = partition->early_count = 0;
	}
	partition->next = record->offset + 1;
	if (side_topic_settled(record, &settled_partition, &settled_offset)) {
		if (settled_partition >= PARTITIONS_MAX)
			return; /* no topic of ours has it: whoever wrote this must not fill the memory */
		settle(letters, find_or_add(letters, record->topic, settled_partition), settled_offset);
	} else if (kafka_record_header(record, "dlq-topic")) {
		add_letter(letters, partition, record->offset);
	}
}

void open_letters_trim(struct open_letters *letters, struct letter_partition *partition, int64_t low)
{
	size_t gone = lower_bound(partition->open, partition->open_count, low);

	remove_at(partition->open, &partition->open_count, 0, gone);
	letters->count -= gone;
}
