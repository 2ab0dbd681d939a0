/* hash_set.c - see hash_set.h. */
#include "coordinator/check/hash_set.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/memory.h"

enum { FIRST_CAPACITY = 64 };

void hash_set_init(struct hash_set *set, size_t count_max)
{
	*set = (struct hash_set){.capacity_max = FIRST_CAPACITY, .most = UINT64_MAX};
	while (set->capacity_max / 4 * 3 < count_max)
		set->capacity_max *= 2;
}

void hash_set_release(struct hash_set *set)
{
	free(set->slots);
	set->slots = NULL;
	set->capacity = set->count = 0;
}

/* 0 marks what is free, so it shares a slot with 1. */
static uint64_t kept_form(uint64_t hash)
{
	return hash ? hash : 1;
}

/* Where it is, or where it would be. */
static uint64_t *find_slot(const struct hash_set *set, uint64_t hash)
{
	size_t at = (size_t)(hash * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (set->capacity - 1);

	while (set->slots[at] != 0 && set->slots[at] != hash)
		at = (at + 1) & (set->capacity - 1);
	return &set->slots[at];
}

/* Puts what is in the range into slots of that number. */
static void rehash(struct hash_set *set, size_t capacity)
{
	uint64_t *old = set->slots;
	const size_t old_capacity = set->capacity;

	set->slots = xcalloc(capacity, sizeof(*set->slots));
	set->capacity = capacity;
	set->count = 0;
	for (size_t i = 0; i < old_capacity; i++) {
		if (old[i] == 0 || !hash_set_is_in_range(set, old[i]))
			continue;
		*find_slot(set, old[i]) = old[i];
		set->count++;
	}
	free(old);
}

bool hash_set_is_in_range(const struct hash_set *set, uint64_t hash)
{
	return kept_form(hash) >= set->least && kept_form(hash) <= set->most;
}

bool hash_set_add(struct hash_set *set, uint64_t hash)
{
	uint64_t *slot;

	if (!hash_set_is_in_range(set, hash))
		return true;
	if (set->capacity == 0)
		rehash(set, FIRST_CAPACITY);
	if (set->count >= set->capacity / 4 * 3 && set->capacity < set->capacity_max)
		rehash(set, set->capacity * 2);
	slot = find_slot(set, kept_form(hash));
	if (*slot != 0)
		return true;
	if (set->count >= set->capacity / 4 * 3)
		return false;
	*slot = kept_form(hash);
	set->count++;
	return true;
}

bool hash_set_has(const struct hash_set *set, uint64_t hash)
{
	return set->capacity > 0 && *find_slot(set, kept_form(hash)) != 0;
}

void hash_set_narrow(struct hash_set *set)
{
	assert(set->most > set->least);
	set->most = set->least + (set->most - set->least) / 2;
	rehash(set, set->capacity);
}

bool hash_set_next_range(struct hash_set *set)
{
	if (set->most == UINT64_MAX)
		return false;
	set->least = set->most + 1;
	set->most = UINT64_MAX;
	if (set->capacity > 0)
		memset(set->slots, 0, set->capacity * sizeof(*set->slots));
	set->count = 0;
	return true;
}

/* ---- hashes ---- */

static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(1099511628211); /* FNV-1a */
	return hash;
}

/* The ranges are cut by the upper bits, which FNV spreads badly. */
static uint64_t spread(uint64_t hash)
{
	hash ^= hash >> 33;
	hash *= UINT64_C(0xFF51AFD7ED558CCD);
	hash ^= hash >> 33;
	hash *= UINT64_C(0xC4CEB9FE1A85EC53);
	return hash ^ hash >> 33;
}

uint64_t hash_of_command(struct uuid saga_id, const char *step_id, int phase)
{
	uint64_t hash = mix(UINT64_C(14695981039346656037), saga_id.data, sizeof(saga_id.data));

	hash = mix(hash, step_id, strlen(step_id) + 1);
	return spread(mix(hash, &phase, sizeof(phase)));
}

uint64_t hash_of_place(const char *topic, int32_t partition, int64_t offset)
{
	uint64_t hash = mix(UINT64_C(14695981039346656037), topic, strlen(topic) + 1);

	hash = mix(hash, &partition, sizeof(partition));
	return spread(mix(hash, &offset, sizeof(offset)));
}
