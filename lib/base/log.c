/* log.c - see log.h. */
#include "lib/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"

static const char *const level_names[LOG_LEVEL_COUNT] = {"error", "warn", "info", "debug"};
static const char *service_name = "unnamed";
static enum log_level level_max = LOG_LEVEL_INFO;

void log_init(const char *service, enum log_level level)
{
	service_name = service;
	level_max = level;
}

bool log_level_parse(const char *text, enum log_level *ret_level)
{
	for (int i = 0; i < LOG_LEVEL_COUNT; i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*ret_level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

const char *log_text(const char *text)
{
	enum { SLOTS = 4, SLOT_BYTES = 420 };
	static _Thread_local char slots[SLOTS][SLOT_BYTES];
	static _Thread_local unsigned next;
	char *slot = slots[next++ % SLOTS];
	char *at = slot;

	*at++ = '"';
	for (; text && *text && at < slot + 400; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte == '"' || byte == '\\') {
			*at++ = '\\';
			*at++ = (char)byte;
		} else if (byte < 0x20 || byte == 0x7f) {
			*at++ = ' ';
		} else {
			*at++ = (char)byte;
		}
	}
	*at++ = '"';
	*at = 0;
	return slot;
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
	char line[2048];
	char now[CLOCK_TEXT_LEN + 1];
	va_list args;
	int len;
	int more;

	if (level > level_max)
		return;
	clock_format(clock_real_us(), now);
	len = snprintf(line, sizeof(line), "level=%s ts=%s service=%s event=%s ", level_names[level], now, service_name,
		       event);
	if (len < 0 || (size_t)len >= sizeof(line))
		return;
	va_start(args, format);
	more = vsnprintf(line + len, sizeof(line) - (size_t)len, format, args);
	va_end(args);
	if (more < 0)
		return;
	len = (size_t)(len + more) < sizeof(line) - 1 ? len + more : (int)sizeof(line) - 2;
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)len) < 0) {
		/* nowhere is left to say it */
	}
}
