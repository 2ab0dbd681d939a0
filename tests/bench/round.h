/*
 * round.h - one measurement: what ended while it lasted, how long each took, and the lines of JSON that tell it.
 *
 * Why:     the benchmark's client and the floor are measured alike: the same clock, the same quantiles, the same words.
 * Output:  {"event":"begin"}, {"event":"end",…} at the very moments, so that whoever runs this can sample the other
 *          processes then; {"event":"result",…} with the quantiles after that, since sorting takes its time.
 * Series:  beside the latencies that are always there (ROUND_MAIN), up to ROUND_SERIES_MAX - 1 others with a name each, whose
 *          quantiles and numbers are told under it.
 * Threads: round_add() and its kind from any; what comes outside of a measurement is not counted.
 */
#ifndef TESTS_BENCH_ROUND_H
#define TESTS_BENCH_ROUND_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/memory.h"

struct round;

enum { ROUND_MAIN, ROUND_SERIES_MAX = 4 };

struct round *round_new(void);
void round_free(struct round *round);
DEFINE_CLEANUP(struct round *, round_free)

void round_add(struct round *round, const int64_t *latencies_us, size_t count); /* to ROUND_MAIN */
void round_name_series(struct round *round, size_t series, const char *name);   /* before the measurement; borrowed */
void round_add_to(struct round *round, size_t series, const int64_t *latencies_us, size_t count);
void round_add_failure(struct round *round, const char *why);
/* Waits for `warmup_s`, then measures for `seconds`; what happens meanwhile is other threads' work. `overdue` (may be NULL)
 * is asked at the end for what should have ended long before. */
void round_measure(struct round *round, int64_t warmup_s, int64_t seconds, size_t (*overdue)(void *ctx), void *ctx);

/* The value below which `quantile` (0 to 1) of the sorted values lie; 0 where there are none. */
int64_t round_quantile(const int64_t *sorted, size_t count, double quantile);

#endif
