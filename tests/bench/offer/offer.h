/*
 * offer.h - an open loop: starts sagas at a rate, whatever becomes of them, and measures each answer and each outcome.
 *
 * Why:     a client that waits for answers asks less of a server that is slow; overload is what comes when nobody does.
 * Series:  from the time at which the start was due, so that a client that comes late hides nothing: ROUND_MAIN to the saga's
 *          outcome, OFFER_ACCEPTED to the call's answer, OFFER_SHED to RESOURCE_EXHAUSTED. Any other answer is a failure.
 * Limits:  CALLS_MAX calls without an answer; what is due beyond them is counted, and not sent.
 * Speed:   StartSaga goes over a wire of our own (wire.h), as the gRPC library's client would take the CPU that is measured.
 * Threads: one sends, and takes the answers of StartSaga; one follows the outcomes; those of batches come on the library's.
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
	int64_t rate;        /* sagas a second */
	int64_t batch;       /* starts of one call; 1: StartSaga, more: BatchStartSagas */
	int64_t connections; /* of StartSaga */
	int64_t seconds_max;
};

struct offer;

/* Borrows the round. */
NODISCARD int offer_new(const struct offer_settings *settings, struct round *round, struct offer **ret_offer,
			struct error *err);
NODISCARD int offer_start(struct offer *offer, struct error *err); /* once outcomes are being told */
size_t offer_unsent(void *offer); /* that were due and not sent, since there were CALLS_MAX */
void offer_free(struct offer *offer);
DEFINE_CLEANUP(struct offer *, offer_free)

#endif
