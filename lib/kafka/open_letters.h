/*
 * open_letters.h - which dead letters are neither replayed nor dropped, told from the records of their topics.
 *
 * Why:     that a letter was settled is said by a later record (docs/wire-contract.md, section 8), so the size of a topic says
 *          nothing about how many wait for a person.
 * Not here: reading the topics (dead_letter_gauge.h).
 * Limits:  at most OPEN_LETTERS_MAX are told apart, by 8 bytes each; what is beyond is not counted.
 */
#ifndef LIB_KAFKA_OPEN_LETTERS_H
#define LIB_KAFKA_OPEN_LETTERS_H

#include "lib/kafka/kafka.h"

enum { OPEN_LETTERS_MAX = 1000000 };

/* Of one partition of a topic of dead letters. */
struct letter_partition {
	char *topic;
	int32_t partition;
	int64_t next;   /* offset behind what was read */
	int64_t *open;  /* offsets, ascending */
	int64_t *early; /* settled by a record of another partition before they were read themselves */
	size_t open_count;
	size_t early_count;
};

struct open_letters {
	struct letter_partition *partitions;
	size_t partition_count;
	size_t count; /* open ones, of all partitions */
};

void open_letters_release(struct open_letters *letters); /* all zero: empty */

struct letter_partition *open_letters_find(const struct open_letters *letters, const char *topic,
					   int32_t partition); /* NULL: never seen */
/* Records of one partition in their order. An offset that goes back: the partition was made anew. */
void open_letters_read(struct open_letters *letters, const struct kafka_record *record);
/* What is below `low` is not in the topic any more. */
void open_letters_trim(struct open_letters *letters, struct letter_partition *partition, int64_t low);

#endif
