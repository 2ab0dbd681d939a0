/* retry.c - see retry.h. */
#include "coordinator/saga/retry.h"

#include <assert.h>

enum { JITTER_PARTS = 4096, JITTER_PERCENT = 20 };

/* FNV-1a over the seed's bytes, then the finalizer of splitmix64: one changed bit changes about half of the result. */
static uint64_t hash_seed(const struct retry_seed *seed)
{
	const uint32_t numbers[] = {(uint32_t)seed->step, (uint32_t)seed->phase, (uint32_t)seed->attempt,
				    (uint32_t)seed->resends};
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < sizeof(seed->saga_id.data); i++)
		hash = (hash ^ seed->saga_id.data[i]) * UINT64_C(0x100000001b3);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		hash = (hash ^ numbers[i]) * UINT64_C(0x100000001b3);
	hash = (hash ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb);
	return hash ^ (hash >> 31);
}

int64_t retry_wait_us(int64_t base_ms, int64_t max_ms, int32_t doublings, const struct retry_seed *seed)
{
	int64_t wait_ms = base_ms;
	int64_t spread_us;
	int64_t part;

	assert(base_ms > 0);
	assert(max_ms >= base_ms);
	assert(max_ms <= COMMAND_DURATION_MS_MAX);
	for (int32_t i = 0; i < doublings && wait_ms < max_ms; i++)
		wait_ms *= 2;
	if (wait_ms > max_ms)
		wait_ms = max_ms;
	spread_us = wait_ms * 1000 / 100 * JITTER_PERCENT;
	part = (int64_t)(hash_seed(seed) % JITTER_PARTS);
	/* From -spread to +spread in JITTER_PARTS equal parts. */
	return wait_ms * 1000 - spread_us + spread_us / JITTER_PARTS * 2 * part + 1;
}
