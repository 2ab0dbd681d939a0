/* reconnect.c - see reconnect.h. */
#include "cli/reconnect.h"

#include <poll.h>
#include <stddef.h>

#include "lib/base/clock.h"

enum { DELAY_MIN_MS = 200, DELAY_MAX_MS = 2000, PATIENCE_MS = 60000 };

bool reconnect_may_help(const struct reconnect *reconnect, const struct error *err)
{
	const bool is_away = err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT;
	const int64_t until_us = reconnect->until_us ? reconnect->until_us
						     : reconnect->lost_us + PATIENCE_MS * INT64_C(1000);

	return is_away && (!reconnect->is_lost || clock_monotonic_us() < until_us);
}

bool reconnect_lose(struct reconnect *reconnect)
{
	bool is_new = !reconnect->is_lost;
	int64_t next_ms = reconnect->delay_ms * 2 < DELAY_MAX_MS ? reconnect->delay_ms * 2 : DELAY_MAX_MS;

	if (is_new)
		reconnect->lost_us = clock_monotonic_us();
	reconnect->is_lost = true;
	reconnect->delay_ms = is_new ? DELAY_MIN_MS : next_ms;
	reconnect->retry_us = clock_monotonic_us() + reconnect->delay_ms * 1000;
	return is_new;
}

bool reconnect_wait(struct reconnect *reconnect, int64_t wait_ms)
{
	int64_t left_ms = (reconnect->retry_us - clock_monotonic_us() + 999) / 1000;

	if (left_ms > 0)
		(void)poll(NULL, 0, (int)(left_ms < wait_ms ? left_ms : wait_ms));
	return clock_monotonic_us() >= reconnect->retry_us;
}

void reconnect_succeed(struct reconnect *reconnect)
{
	*reconnect = (struct reconnect){.until_us = reconnect->until_us};
}
