/*
 * hash_set.h - a great number of 64-bit hashes, in bounded memory.
 *
 * Why:        "was this command ever on its topic" needs all of them at hand, and there may be many millions. Eight bytes each, and
 *             free ones between them; that two are the same by chance is less likely than that the disk lies.
 * Limits:     what is beyond the number given is not kept: hash_set_add() says so, and hash_set_narrow() makes room by giving up
 *             the upper half of the range, to be gone through once more.
 */
#ifndef COORDINATOR_CHECK_HASH_SET_H
#define COORDINATOR_CHECK_HASH_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/uuid.h"

struct hash_set {
	uint64_t *slots; /* 0: free */
	size_t capacity; /* a power of two, or 0 */
	size_t capacity_max;
	size_t count;
	uint64_t least; /* hashes from here … */
	uint64_t most;  /* … to here are kept */
};

void hash_set_init(struct hash_set *set, size_t count_max);
void hash_set_release(struct hash_set *set);

/* False: there is no room, and it was not added. What is outside of the range is passed over. */
bool hash_set_add(struct hash_set *set, uint64_t hash);
bool hash_set_has(const struct hash_set *set, uint64_t hash);
bool hash_set_is_in_range(const struct hash_set *set, uint64_t hash);
/* Gives up the upper half of the range. */
void hash_set_narrow(struct hash_set *set);
/* Empties it and goes on to the range above; false: there is none. */
bool hash_set_next_range(struct hash_set *set);

/* Of (saga, step, phase), and of a record's place: spread over all 64 bits. */
uint64_t hash_of_command(struct uuid saga_id, const char *step_id, int phase);
uint64_t hash_of_place(const char *topic, int32_t partition, int64_t offset);

#endif
