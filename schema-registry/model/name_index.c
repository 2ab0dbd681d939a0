/* name_index.c - see name_index.h. Open addressing, at most half full. */
#include "schema-registry/model/name_index.h"

static size_t hash_of(const void *data, size_t len)
{
	const uint8_t *at = data;
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * 0x100000001b3u;
	return (size_t)(hash ^ hash >> 32);
}

/* The slot that holds the name, or the empty one where it belongs. */
static struct name_slot *slot_of(struct name_slot *slots, size_t slot_count, const void *name, size_t len)
{
	size_t at = hash_of(name, len) & (slot_count - 1);

	while (slots[at].name && (slots[at].len != len || memcmp(slots[at].name, name, len) != 0))
		at = (at + 1) & (slot_count - 1);
	return &slots[at];
}

static void grow(struct name_index *index, struct arena *arena)
{
	size_t slot_count = index->slot_count ? index->slot_count * 2 : 16;
	struct name_slot *slots = arena_zalloc(arena, slot_count * sizeof(*slots));

	for (size_t i = 0; i < index->slot_count; i++) {
		const struct name_slot *old = &index->slots[i];

		if (old->name)
			*slot_of(slots, slot_count, old->name, old->len) = *old;
	}
	index->slots = slots;
	index->slot_count = slot_count;
}

bool name_index_add(struct name_index *index, struct arena *arena, const char *name, size_t position)
{
	return name_index_add_bytes(index, arena, bytes_of_text(name), position);
}

bool name_index_add_bytes(struct name_index *index, struct arena *arena, struct bytes name, size_t position)
{
	struct name_slot *slot;

	if (index->count * 2 >= index->slot_count)
		grow(index, arena);
	slot = slot_of(index->slots, index->slot_count, name.data, name.len);
	if (slot->name)
		return false;
	*slot = (struct name_slot){
		.name = (const char *)name.data, .len = (uint32_t)name.len, .position = (uint32_t)position};
	index->count++;
	return true;
}

int64_t name_index_find(const struct name_index *index, struct bytes name)
{
	const struct name_slot *slot;

	if (index->count == 0 || !name.data)
		return -1;
	slot = slot_of(index->slots, index->slot_count, name.data, name.len);
	return slot->name ? (int64_t)slot->position : -1;
}
