/*
 * lane.h - a share of the floor's sagas: the two threads that move them, see floor.h.
 *
 * Rule:    a record is sent only after the commit of what it follows from, as in the coordinator and the participants.
 *          While a commit runs, everything that arrives waits, and is the next batch.
 * Latency: from when a saga waits to be started, to the commit of its end.
 */
#ifndef TESTS_BENCH_FLOOR_LANE_H
#define TESTS_BENCH_FLOOR_LANE_H

#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "tests/bench/floor/floor.h"

struct lane;

/* Borrows all of it. Starts its threads; a failure of theirs is logged and counts as a failed saga. */
NODISCARD int lane_new(const struct floor_settings *settings, int number, size_t slots, struct channel_clients *clients,
		       struct round *round, struct lane **ret_lane, struct error *err);
void lane_free(struct lane *lane); /* stops within a moment, sagas in flight or not */
DEFINE_CLEANUP(struct lane *, lane_free)

#endif
