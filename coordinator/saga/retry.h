/*
 * retry.h - how long to wait before a command is sent again: doubling intervals, bounded, jittered.
 *
 * Why:        jitter keeps the sagas that waited for one participant from coming back all at once; it is a hash of who
 *             waits and how often it has, so that a replay of the log computes the same time.
 */
#ifndef COORDINATOR_SAGA_RETRY_H
#define COORDINATOR_SAGA_RETRY_H

#include "coordinator/saga/definition.h"
#include "lib/base/uuid.h"

/* What the jitter is derived from. */
struct retry_seed {
	struct uuid saga_id;
	int32_t step;
	enum step_phase phase;
	int32_t attempt;
	int32_t resends;
};

/* base_ms × 2^doublings, at most max_ms, then ± 20 %. In microseconds; at least 1. */
int64_t retry_wait_us(int64_t base_ms, int64_t max_ms, int32_t doublings, const struct retry_seed *seed);

#endif
