/*
 * group_offsets.h - up to where consumer groups have read topics, as the broker keeps it.
 *
 * Why: for tools that want to know what a group has passed; nobody's offsets move.
 */
#ifndef LIB_KAFKA_GROUP_OFFSETS_H
#define LIB_KAFKA_GROUP_OFFSETS_H

#include "lib/base/arena.h"
#include "lib/kafka/kafka.h"

struct group_offset {
	const char *group;
	const char *topic;
	int32_t partition;
	int64_t offset; /* of the next record that it will read */
};

/* All that all groups have stored. Arrays and texts are the arena's. */
NODISCARD int group_offsets_read(const struct kafka_options *options, struct arena *arena,
				 struct group_offset **ret_offsets, size_t *ret_count, struct error *err);

#endif
