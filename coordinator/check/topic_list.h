/*
 * topic_list.h - the topics that are checked: of commands, of replies, and what stands beside them.
 *
 * Ownership: names and everything else live in the list's arena.
 */
#ifndef COORDINATOR_CHECK_TOPIC_LIST_H
#define COORDINATOR_CHECK_TOPIC_LIST_H

#include "coordinator/check/participant_check.h"
#include "lib/kafka/topic_reader.h"

enum checked_kind { CHECKED_COMMANDS, CHECKED_REPLIES, CHECKED_DEAD, CHECKED_RETRIES };

struct checked_topic {
	const char *name;
	enum checked_kind kind;
	int participant; /* whose commands they are; -1: nobody's that was named */
	int64_t *passed; /* of each partition: the offset that its group has stored; -1: none */
	int32_t partitions;
};

struct topic_list {
	struct arena arena;
	struct checked_topic *items; /* by name */
	size_t count;
	const char **names;
	struct topic_extent *extents; /* as the last scan found them */
};

/* From the definitions in the book. */
struct topic_list *topic_list_new(const struct definition_book *book, const struct participant_check *participants);
void topic_list_free(struct topic_list *list);

struct checked_topic *topic_list_find(const struct topic_list *list,
				      const char *name); /* NULL: it is not one of them */
/* Up to where participants (groups NAME and NAME-…) have read commands, and the coordinators replies. */
NODISCARD int topic_list_note_offsets(struct topic_list *list, const struct kafka_options *kafka,
				      const struct participant_check *participants, const char *coordinator_group,
				      struct error *err);
bool checked_topic_is_passed(const struct checked_topic *topic, int32_t partition, int64_t offset);

#endif
