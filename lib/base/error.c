/* error.c - see error.h. */
#include "lib/base/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/bytes.h"

static const char *const names[ERR_CODE_COUNT] = {
	[ERR_NONE] = "none",
	[ERR_INVALID] = "invalid",
	[ERR_NOT_FOUND] = "not_found",
	[ERR_CONFLICT] = "conflict",
	[ERR_PRECONDITION] = "precondition",
	[ERR_UNAVAILABLE] = "unavailable",
	[ERR_TIMEOUT] = "timeout",
	[ERR_INCOMPATIBLE] = "incompatible",
	[ERR_LIMIT] = "limit",
	[ERR_CORRUPT] = "corrupt",
	[ERR_INTERNAL] = "internal",
	[ERR_UNAUTHENTICATED] = "unauthenticated",
	[ERR_DENIED] = "denied",
	[ERR_QUOTA] = "quota",
};

/* A message that was cut is still a message, and still UTF-8: it goes into headers, rows and replies, where half a character
 * would have all of it refused. */
static void cut_between_characters(struct error *err, int whole_len)
{
	size_t len = sizeof(err->msg) - 1;

	assert(whole_len >= 0);
	if ((size_t)whole_len > len)
		err->msg[utf8_whole_len(err->msg, len)] = 0;
}

void error_write(struct error *err, enum err_code code, const char *format, ...)
{
	va_list args;

	assert(err);
	assert(code > ERR_NONE && code < ERR_CODE_COUNT);
	err->code = code;
	err->is_retriable = code == ERR_UNAVAILABLE || code == ERR_TIMEOUT;
	va_start(args, format);
	cut_between_characters(err, vsnprintf(err->msg, sizeof(err->msg), format, args));
	va_end(args);
}

void error_write_prefix(struct error *err, const char *format, ...)
{
	char rest[sizeof(err->msg)];
	va_list args;
	int len;

	assert(err && err->code != ERR_NONE);
	memcpy(rest, err->msg, sizeof(rest));
	va_start(args, format);
	len = vsnprintf(err->msg, sizeof(err->msg), format, args);
	va_end(args);
	if (len >= 0 && (size_t)len < sizeof(err->msg))
		len += snprintf(err->msg + len, sizeof(err->msg) - (size_t)len, ": %s", rest);
	cut_between_characters(err, len);
}

const char *err_code_name(enum err_code code)
{
	assert(code >= ERR_NONE && code < ERR_CODE_COUNT);
	return names[code];
}
