/*
 * clock.h - the two clocks: real time for people and ids, monotonic time for durations.
 *
 * Units: microseconds everywhere; int64_t lasts until the year 294,000.
 */
#ifndef LIB_BASE_CLOCK_H
#define LIB_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_real_us(void);      /* since 1970-01-01 UTC */
int64_t clock_monotonic_us(void); /* since some point in the past; never steps */

enum { CLOCK_TEXT_LEN = 27 };
/* RFC 3339 in UTC with microseconds: 2026-01-02T03:04:05.678901Z, NUL-terminated. What is not of the years 1 to 9999 is shown
 * as the first or the last moment of them. */
void clock_format(int64_t real_us, char ret_text[CLOCK_TEXT_LEN + 1]);

#endif
