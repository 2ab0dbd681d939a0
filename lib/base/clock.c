/* clock.c - see clock.h. */
#include "lib/base/clock.h"

#include <stdbool.h>
#include <time.h>

/* What four digits of a year can show: from the year 1 to the end of 9999. */
#define EARLIEST_DAYS INT64_C(-719162)
#define EARLIEST_US (EARLIEST_DAYS * 86400 * 1000000)
#define LATEST_US (INT64_C(2932897) * 86400 * 1000000 - 1)

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

/* Digits with leading zeros; what does not fit is cut off at the left. */
static char *put_digits(char *at, int64_t number, int digits)
{
	for (int i = digits; i-- > 0; number /= 10)
		at[i] = (char)('0' + number % 10);
	return at + digits;
}

struct date {
	int64_t year;
	int64_t month;
	int64_t day;
};

/* Counted in years that begin with March, so that the day that not all of them have is the last one. */
static struct date date_of(int64_t days_since_1970)
{
	const int64_t days = days_since_1970 + 719468; /* since the 1st of March of the year 0 */
	const int64_t era = days / 146097;             /* of 400 years */
	const int64_t day_of_era = days % 146097;
	const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	const int64_t month = (5 * day_of_year + 2) / 153;
	const bool is_next_year = month >= 10;

	return (struct date){era * 400 + year_of_era + is_next_year, is_next_year ? month - 9 : month + 3,
			     day_of_year - (153 * month + 2) / 5 + 1};
}

/* By hand: gmtime_r() takes a lock of the whole process, and each command has two of these. */
void clock_format(int64_t real_us, char ret_text[CLOCK_TEXT_LEN + 1])
{
	const int64_t shown_us = real_us < EARLIEST_US ? EARLIEST_US : real_us > LATEST_US ? LATEST_US : real_us;
	const int64_t since_us = shown_us - EARLIEST_US;
	const int64_t seconds = since_us / 1000000 % 86400;
	const struct date date = date_of(since_us / 1000000 / 86400 + EARLIEST_DAYS);
	char *at = ret_text;

	at = put_digits(at, date.year, 4);
	*at++ = '-';
	at = put_digits(at, date.month, 2);
	*at++ = '-';
	at = put_digits(at, date.day, 2);
	*at++ = 'T';
	at = put_digits(at, seconds / 3600, 2);
	*at++ = ':';
	at = put_digits(at, seconds / 60 % 60, 2);
	*at++ = ':';
	at = put_digits(at, seconds % 60, 2);
	*at++ = '.';
	at = put_digits(at, since_us % 1000000, 6);
	*at++ = 'Z';
	*at = 0;
}
