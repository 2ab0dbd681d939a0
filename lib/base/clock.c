/* clock.c - see clock.h. */
#include "lib/base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	(void)clock_gettime(id, &now); /* cannot fail for these two clocks */
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_real_us(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic_us(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

void clock_format(int64_t real_us, char ret_text[CLOCK_TEXT_LEN + 1])
{
	int64_t us = real_us % 1000000;
	time_t seconds = (time_t)(real_us / 1000000);
	struct tm utc;
	char date[24];

	if (us < 0) {
		us += 1000000;
		seconds--;
	}
	(void)gmtime_r(&seconds, &utc);
	(void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
	(void)snprintf(ret_text, CLOCK_TEXT_LEN + 1, "%.19s.%06dZ", date, (int)us);
}
