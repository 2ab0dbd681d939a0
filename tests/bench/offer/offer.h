/*
 * offer.h - an open loop: starts sagas at a rate, whatever becomes of them, and measures each answer and each outcome.
 *
 * Why:     a client that waits for answers asks less of a server that is slow; overload is what comes when nobody does.
 * Series:  ROUND_MAIN: from the time at which the start was due to the saga's outcome, so that a client that comes late hides
 *          nothing; OFFER_ACCEPTED: from the call to its answer; OFFER_SHED: likewise, to RESOURCE_EXHAUSTED. Any other answer
 *          is a failure.
 * Limits:  CALLS_MAX calls without an answer; what is due beyond them is counted, and not sent.
 * Threads: one sends, one follows the outcomes, answers come on the client library's.
 */
#ifndef TESTS_BENCH_OFFER_H
#define TESTS_BENCH_OFFER_H

#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "tests/bench/round.h"

enum { OFFER_ACCEPTED = ROUND_MAIN + 1, OFFER_SHED };

struct offer_settings {
	const char *target;
	const char *definition;
	int64_t rate;  /* sagas a second */
	int64_t batch; /* starts of one call; 1: StartSaga, more: BatchStartSagas */
	int64_t seconds_max;
};

struct offer;

struct offer *offer_new(const struct offer_settings *settings, struct round *round); /* borrows the round */
NODISCARD int offer_start(struct offer *offer, struct error *err);                   /* once outcomes are being told */
size_t offer_unsent(void *offer); /* that were due and not sent, since there were CALLS_MAX */
void offer_free(struct offer *offer);
DEFINE_CLEANUP(struct offer *, offer_free)

#endif
