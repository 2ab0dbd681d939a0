/* time_text.c - see time_text.h. */
#include "cli/time_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/memory.h"

/* A whole number of units; false: it is none. */
static bool parse_duration(const char *text, int64_t *ret_us)
{
	static const struct {
		const char *unit;
		int64_t us;
	} units[] = {{"ms", 1000},
		     {"s", 1000000},
		     {"m", INT64_C(60000000)},
		     {"h", INT64_C(3600000000)},
		     {"d", INT64_C(86400000000)}};
	long long count;
	char *end;

	errno = 0;
	count = strtoll(text, &end, 10);
	for (size_t i = 0; i < ARRAY_LEN(units) && end != text && errno == 0 && count >= 0; i++) {
		if (strcmp(end, units[i].unit) == 0)
			return !__builtin_mul_overflow(count, units[i].us, ret_us);
	}
	return false;
}

/* "Z", "+02:00", "-0530" or nothing, to the end of the text; in minutes. */
static bool parse_zone(const char *text, int *ret_minutes)
{
	int hours;
	int minutes;
	int len = 0;

	*ret_minutes = 0;
	if (!*text || strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
		return true;
	if ((text[0] != '+' && text[0] != '-') || (sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &len) != 2 &&
						   sscanf(text + 1, "%2d%2d%n", &hours, &minutes, &len) != 2))
		return false;
	*ret_minutes = (hours * 60 + minutes) * (text[0] == '-' ? -1 : 1);
	return !text[1 + len] && hours < 24 && minutes >= 0 && minutes < 60;
}

/* ".5" -> 500000; answers how many characters it took. */
static size_t parse_fraction(const char *text, int64_t *ret_us)
{
	int64_t unit = 100000;
	size_t len = 1;

	*ret_us = 0;
	if (text[0] != '.')
		return 0;
	for (; text[len] >= '0' && text[len] <= '9'; len++, unit /= 10)
		*ret_us += (text[len] - '0') * unit;
	return len;
}

/* Fields that the calendar does not have (31 February) come out of timegm() as others. */
static bool is_in_calendar(const struct tm *given)
{
	struct tm normal = *given;

	(void)timegm(&normal);
	return normal.tm_mday == given->tm_mday && normal.tm_mon == given->tm_mon && normal.tm_hour == given->tm_hour &&
	       normal.tm_min == given->tm_min && normal.tm_sec == given->tm_sec;
}

static bool parse_moment(const char *text, int64_t *ret_us)
{
	static const char *const formats[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
					      "%Y-%m-%d %H:%M", "%Y-%m-%d"};

	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		struct tm moment = {0};
		const char *rest = strptime(text, formats[i], &moment);
		int64_t fraction_us;
		int zone_minutes;

		if (!rest)
			continue;
		rest += parse_fraction(rest, &fraction_us);
		if (!parse_zone(rest, &zone_minutes) || !is_in_calendar(&moment))
			continue;
		*ret_us = ((int64_t)timegm(&moment) - zone_minutes * 60) * 1000000 + fraction_us;
		return true;
	}
	return false;
}

int time_text_parse(const char *text, enum time_direction direction, int64_t now_us, int64_t *ret_us, struct error *err)
{
	int64_t us;

	if (parse_duration(text, &us)) {
		*ret_us = direction == TIME_AGO ? now_us - us : now_us + us;
		return 0;
	}
	if (parse_moment(text, ret_us))
		return 0;
	return error_set(err, ERR_INVALID, "'%s' is no time: give 2026-01-31T10:00:00Z, or 15m, 24h, 7d %s", text,
			 direction == TIME_AGO ? "ago" : "ahead");
}
