/*
 * load.h - the benchmark's client: keeps N sagas in flight over gRPC and measures each from its start to its outcome.
 *
 * Closed loop: a slot starts a saga and begins anew when it learns the outcome. Outcomes of all come by one WatchSagas
 *              stream; starts go out one call each, or many in one call (BatchStartSagas). The latency is from before the
 *              start to the outcome's arrival, so slow starts count.
 * Threads:     load_start() begins; then slots advance on the outcomes' thread and on the client library's.
 */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "tests/bench/round.h"

struct load_settings {
	const char *target;     /* several with commas between: starts go round, outcomes are the first one's */
	const char *definition; /* "bench" or "checkout" */
	bool is_batched;
	bool is_compensating; /* sagas have to end COMPENSATED */
	int64_t in_flight;
};

struct load;

struct load *load_new(const struct load_settings *settings, struct round *round); /* borrows the round */
/* Waits until outcomes are being told, then starts as many sagas as there may be in flight. */
NODISCARD int load_start(struct load *load, struct error *err);
void load_drain(struct load *load, int64_t patience_s); /* starts no more and waits for those in flight */
/* Begins the slots anew whose saga has not ended for half a minute; answers how many there were. */
size_t load_overdue(void *load);
void load_free(struct load *load);
DEFINE_CLEANUP(struct load *, load_free)

#endif
