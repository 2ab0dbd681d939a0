/*
 * name_index.h - from a name to its position in a table: fields, symbols, named types.
 *
 * Ownership: names are borrowed and must live as long as the index; its memory is the arena's.
 * Threads:   immutable once filled.
 */
#ifndef SCHEMA_REGISTRY_MODEL_NAME_INDEX_H
#define SCHEMA_REGISTRY_MODEL_NAME_INDEX_H

#include <stdbool.h>

#include "lib/base/arena.h"

struct name_slot {
	const char *name; /* NULL: empty */
	uint32_t len;
	uint32_t position;
};

struct name_index {
	struct name_slot *slots;
	size_t slot_count; /* a power of two, or 0 */
	size_t count;
};

/* False when the name is there already; it keeps its first position. */
bool name_index_add(struct name_index *index, struct arena *arena, const char *name, size_t position);

/* The same for a key of any bytes. */
bool name_index_add_bytes(struct name_index *index, struct arena *arena, struct bytes name, size_t position);

/* The position, or -1. */
int64_t name_index_find(const struct name_index *index, struct bytes name);

#endif
