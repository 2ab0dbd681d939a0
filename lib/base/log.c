/* log.c - see log.h. */
#include "lib/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/bytes.h"
#include "lib/base/clock.h"

static const char *const level_names[LOG_LEVEL_COUNT] = {"error", "warn", "info", "debug"};
static const char *service_name = "unnamed";
static _Atomic enum log_level level_max = LOG_LEVEL_INFO;
static enum log_format line_format = LOG_FORMAT_LOGFMT;

void log_init(const char *service, enum log_level level)
{
	service_name = service;
	level_max = level;
}

void log_set_level(enum log_level level)
{
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

void log_set_format(enum log_format format)
{
	line_format = format;
}

bool log_format_parse(const char *text, enum log_format *ret_format)
{
	static const char *const names[LOG_FORMAT_COUNT] = {"logfmt", "json"};

	for (int i = 0; i < LOG_FORMAT_COUNT; i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_format = (enum log_format)i;
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

/* ---- the line as JSON ---- */

/* What is left of the line, and what was no pair. */
struct pairs {
	const char *at;
	struct buffer note;
};

static size_t name_len(const char *at)
{
	size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return at[len] == '=' ? len : 0;
}

static bool is_number(const char *text, size_t len)
{
	size_t digits = len > 0 && text[0] == '-' ? 1 : 0;

	if (len == digits || len - digits > 15 || (text[digits] == '0' && len - digits > 1))
		return false; /* no such number in JSON, or not exact in every reader */
	for (size_t i = digits; i < len; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return true;
}

static void print_value(struct buffer *out, struct pairs *pairs)
{
	struct buffer value = {0};
	bool is_quoted = *pairs->at == '"';
	size_t len;

	if (is_quoted) {
		for (pairs->at++; *pairs->at && *pairs->at != '"'; pairs->at++) {
			if (*pairs->at == '\\' && pairs->at[1])
				pairs->at++;
			buffer_append_byte(&value, (uint8_t)*pairs->at);
		}
		pairs->at += *pairs->at == '"';
	} else {
		len = strcspn(pairs->at, " ");
		buffer_append(&value, pairs->at, len > 0 && pairs->at[len - 1] == ',' ? len - 1 : len);
		pairs->at += len; /* "limit=5, raise it": the comma belongs to the note */
	}
	if (!is_quoted && is_number(buffer_text(&value), value.len))
		buffer_append(out, value.data, value.len);
	else
		buffer_append_json_string(out, buffer_text(&value), value.len);
	buffer_release(&value);
}

static void keep_word(struct pairs *pairs)
{
	size_t len = strcspn(pairs->at, " ");

	if (len > 0 && !(len == 1 && *pairs->at == ','))
		buffer_append_format(&pairs->note, "%s%.*s", pairs->note.len ? " " : "", (int)len, pairs->at);
	pairs->at += len;
}

static void print_json(struct buffer *out, const char *line)
{
	struct pairs pairs = {.at = line};
	const char *comma = "{";

	while (*pairs.at) {
		size_t len;

		pairs.at += strspn(pairs.at, " ");
		len = name_len(pairs.at);
		if (len == 0) {
			keep_word(&pairs);
			continue;
		}
		buffer_append_format(out, "%s\"%.*s\":", comma, (int)len, pairs.at);
		comma = ",";
		pairs.at += len + 1;
		print_value(out, &pairs);
	}
	if (pairs.note.len > 0) {
		buffer_append_format(out, "%s\"note\":", comma);
		buffer_append_json_string(out, buffer_text(&pairs.note), pairs.note.len);
	}
	buffer_append_text(out, "}\n");
	buffer_release(&pairs.note);
}

static void write_line(const char *line, size_t len)
{
	struct buffer json = {0};

	if (line_format == LOG_FORMAT_JSON) {
		print_json(&json, line);
		line = buffer_text(&json);
		len = json.len;
	}
	if (write(STDERR_FILENO, line, len) < 0) {
		/* nowhere is left to say it */
	}
	buffer_release(&json);
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
	line[len] = 0;
	if (line_format == LOG_FORMAT_LOGFMT)
		line[len++] = '\n';
	write_line(line, (size_t)len);
}
