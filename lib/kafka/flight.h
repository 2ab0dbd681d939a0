/*
 * flight.h - the records of one batch on their way to the broker: when are they all confirmed, and did all arrive?
 *
 * Why:        what led to them (the offsets of commands, rows of an outbox) may go only after they are safe.
 * Ownership:  shared by who made it and every record under way; whoever is last frees it.
 * Threads:    flight_confirm() on the producer's thread, the rest on its maker's.
 */
#ifndef LIB_KAFKA_FLIGHT_H
#define LIB_KAFKA_FLIGHT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/memory.h"

struct flight;

/* must_arrive: nothing may be lost, so whatever does not arrive is a failure (retry topics, dead letters). */
struct flight *flight_new(bool must_arrive);
void flight_release(struct flight *flight); /* its maker's share */
DEFINE_CLEANUP(struct flight *, flight_release)

void flight_add(struct flight *flight); /* before the record is handed over */
void flight_confirm(struct flight *flight, const struct error *err_or_null);

/* True when no record is under way any more. */
bool flight_wait(struct flight *flight, int64_t timeout_ms);
/* Waits for all of them: longer than the producer tries to deliver, but only a moment once `is_stopping` is true. ERR_TIMEOUT, or
 * what flight_result() says. */
NODISCARD int flight_land(struct flight *flight, const atomic_bool *is_stopping, struct error *err);
/* A record that may arrive when it is sent again: -1 with the first failure of that kind. What can never arrive, such as a
 * record that is too large, is logged and left to the coordinator's time-out. */
NODISCARD int flight_result(struct flight *flight, struct error *err);

#endif
