/*
 * log.h - structured log lines: one line, one fact, in logfmt or JSON on standard error.
 *
 *     log_info("saga_started", "saga=%s definition=%s", id, name);
 *     -> level=info ts=2026-01-02T03:04:05.678901Z service=saga-coordinator event=saga_started saga=… definition=…
 *
 * Why:        event names are stable API for people who search logs; payloads and secrets never appear.
 * Format:     the format string is the tail of the line in logfmt; a value from outside goes through LOG_TEXT(value),
 *             which quotes and bounds it (at most four in one line). In JSON each pair is a field, a number where it
 *             is one, and words that belong to no pair ("…, trying every second") are the field "note".
 * Threads:    any thread; a line is written whole by one write(2).
 */
#ifndef LIB_BASE_LOG_H
#define LIB_BASE_LOG_H

#include "lib/base/error.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, LOG_LEVEL_COUNT };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON, LOG_FORMAT_COUNT };

void log_init(const char *service, enum log_level level); /* once, before threads; `service` is kept */
void log_set_level(enum log_level level);                 /* any thread, at any time */
bool log_level_parse(const char *text, enum log_level *ret_level);
void log_set_format(enum log_format format); /* logfmt at first; before threads */
bool log_format_parse(const char *text, enum log_format *ret_format);
void log_line(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);

/* The text in logfmt quotes, control characters escaped, cut at 400 bytes; lives until four more uses on this thread. */
const char *log_text(const char *text);
#define LOG_TEXT(text) log_text(text)

#define log_error(event, ...) log_line(LOG_LEVEL_ERROR, event, __VA_ARGS__) /* a person must act */
#define log_warn(event, ...) log_line(LOG_LEVEL_WARN, event, __VA_ARGS__)   /* degraded; says what is done instead */
#define log_info(event, ...) log_line(LOG_LEVEL_INFO, event, __VA_ARGS__)   /* lifecycle */
#define log_debug(event, ...) log_line(LOG_LEVEL_DEBUG, event, __VA_ARGS__) /* per message */

#endif
