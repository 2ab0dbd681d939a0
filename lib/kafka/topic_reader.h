/*
 * topic_reader.h - topics read once, to where they end at that moment, without a consumer group.
 *
 * Why:     for tools that look at a topic: nothing is stored, nobody's offsets move.
 * Threads: the caller's; calls block for the brokers.
 */
#ifndef LIB_KAFKA_TOPIC_READER_H
#define LIB_KAFKA_TOPIC_READER_H

#include "lib/base/arena.h"
#include "lib/kafka/kafka.h"

struct topic_reader;

NODISCARD int topic_reader_new(const struct kafka_options *options, struct topic_reader **ret_reader,
			       struct error *err);
void topic_reader_free(struct topic_reader *reader);
DEFINE_CLEANUP(struct topic_reader *, topic_reader_free)

/* The names of all topics, sorted; in the arena. */
NODISCARD int topic_reader_list(struct topic_reader *reader, struct arena *arena, const char ***ret_topics,
				size_t *ret_count, struct error *err);

/* The record is borrowed for the call. */
typedef void topic_reader_seen_fn(void *ctx, const struct kafka_record *record);

/* All of them at once from their beginning, each partition in its order. ERR_TIMEOUT: nothing came for ten seconds. */
NODISCARD int topic_reader_read(struct topic_reader *reader, const char *const *topics, size_t count,
				topic_reader_seen_fn *seen, void *ctx, struct error *err);

/* What a topic has lost by its retention, where it matters to the reader. */
struct topic_extent {
	bool exists;
	int64_t whole_since_ms; /* all records that are younger are there, by their own times; 0: all that ever were */
};

struct topic_scan {
	const char *const *topics;
	size_t count;
	int64_t since_ms; /* records from then on; 0: all */
	struct topic_extent
		*extents; /* of each topic; filled in before the first record, and complete after the last */
};

/* The record is borrowed for the call; -1 ends the reading. */
typedef int topic_reader_take_fn(void *ctx, const struct kafka_record *record, struct error *err);

/* All of them at once, each partition in its order, up to where it ends when this begins. ERR_TIMEOUT as above. */
NODISCARD int topic_reader_scan(struct topic_reader *reader, const struct topic_scan *scan, topic_reader_take_fn *take,
				void *ctx, struct error *err);

enum { TOPIC_READER_LAST = -1 }; /* offset: the last `count` records */

struct topic_range {
	const char *topic;
	int32_t partition;
	int64_t offset;
	int64_t count;
	int64_t timeout_ms; /* for all of it */
};

/* Some records of one partition, in order, until `count` are there or it ends. Topic or partition unknown ->
 * ERR_NOT_FOUND. */
NODISCARD int topic_reader_read_range(struct topic_reader *reader, const struct topic_range *range,
				      topic_reader_take_fn *take, void *ctx, struct error *err);

#endif
