/*
 * log_room.h - how much room a saga's log has left, and who may still use it.
 *
 * Why:        every change is an entry of the log, and a participant that never answers, or answers `retriable` for years,
 *             makes changes without end. So trying is what has to become rarer, then to stop; the saga itself goes on to
 *             its end, and what cannot go on is stuck, as if its attempts were used up.
 * Guarantees: no saga has more than LOG_ENTRIES_MAX entries, whatever its participants, its definition and its operators do.
 * How:        from LOG_UNHURRIED on re-sends are spread over what is left of the step's time, so that a long wait is
 *             still a wait with a command under way; from LOG_TRIES on nothing is sent again, and no attempt follows another; from
 *             LOG_REQUESTS on nobody may ask for anything. Without re-sends and retries a step has at most
 *             LOG_ENTRIES_OF_STEP entries, which fit behind each of those limits. Duplicate and late replies are no
 *             entries at all: they are counted.
 */
#ifndef COORDINATOR_SAGA_LOG_ROOM_H
#define COORDINATOR_SAGA_LOG_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/saga/definition.h"

enum {
	LOG_ENTRIES_MAX = 10000,
	LOG_UNHURRIED = 2500,
	LOG_TRIES = 4700,
	LOG_REQUESTS = 7500,
	/* Forward: a retry that was due, accepted, an outcome, a late outcome or two. Backward: a retry, accepted, a
	 * failure that leaves it stuck, a success after all. */
	LOG_ENTRIES_OF_STEP = 9,
	LOG_RELEASES_OF_STEP = 1, /* of a command that was held back while there was room; none is held later */
};

_Static_assert(LOG_TRIES + DEFINITION_STEPS_MAX * (LOG_ENTRIES_OF_STEP + LOG_RELEASES_OF_STEP) < LOG_REQUESTS,
	       "a saga ends without a request");
_Static_assert(LOG_REQUESTS + DEFINITION_STEPS_MAX * LOG_ENTRIES_OF_STEP < LOG_ENTRIES_MAX,
	       "the last request is obeyed");

/* `version`: the saga's, which counts its log's entries. */
bool log_has_room_for_try(int64_t version);
bool log_has_room_for_request(int64_t version);
/* When a command sent at `now_us` is to be sent again: at `due_us` or later; the deadline: never. */
int64_t log_resend_us(int64_t version, int64_t now_us, int64_t due_us, int64_t deadline_us);

#endif
