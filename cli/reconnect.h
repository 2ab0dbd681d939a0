/*
 * reconnect.h - when a lost stream is tried again, and for how long.
 *
 * A coordinator that restarts is back within seconds; after a minute somebody should hear of it, unless he said himself how long
 * he waits. Zeroed: connected.
 */
#ifndef CLI_RECONNECT_H
#define CLI_RECONNECT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

struct reconnect {
	bool is_lost;
	int64_t lost_us;
	int64_t retry_us;
	int64_t delay_ms;
	int64_t until_us; /* monotonic: it is tried until then; 0: for a minute */
};

/* Whether the failure may pass by itself, and has not lasted too long. */
bool reconnect_may_help(const struct reconnect *reconnect, const struct error *err);
bool reconnect_lose(struct reconnect *reconnect);                  /* true: it was connected until now */
bool reconnect_wait(struct reconnect *reconnect, int64_t wait_ms); /* true: now is the time to try */
void reconnect_succeed(struct reconnect *reconnect);

#endif
