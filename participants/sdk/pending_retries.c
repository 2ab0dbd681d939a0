/* pending_retries.c - see pending_retries.h. */
#include "participants/sdk/pending_retries.h"

/* FNV-1a, 64 bits. */
static uint64_t hash_of(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return hash;
}

void pending_retries_add(struct pending_retries *pending, const char *command_id, int64_t until_us)
{
	uint64_t hash = hash_of(command_id);

	pending->slots[hash % PENDING_RETRIES_SLOTS].hash = hash;
	pending->slots[hash % PENDING_RETRIES_SLOTS].until_us = until_us;
}

bool pending_retries_has(const struct pending_retries *pending, const char *command_id, int64_t now_us)
{
	uint64_t hash = hash_of(command_id);

	return pending->slots[hash % PENDING_RETRIES_SLOTS].hash == hash &&
	       pending->slots[hash % PENDING_RETRIES_SLOTS].until_us > now_us;
}
