/* chance.c - see chance.h. */
#include "participants/sdk/chance.h"

bool chance_fails(const struct chance *chance, const char *name)
{
	uint64_t hash = 1469598103934665603u ^ (uint64_t)chance->seed; /* FNV-1a, then mixed for even low digits */

	for (const char *at = name; *at; at++)
		hash = (hash ^ (uint8_t)*at) * 1099511628211u;
	hash ^= hash >> 33;
	hash *= 0xff51afd7ed558ccdu;
	hash ^= hash >> 33;
	return hash % 100 < (uint64_t)chance->fail_percent;
}
