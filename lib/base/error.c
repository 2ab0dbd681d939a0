/* error.c - see error.h. */
#include "lib/base/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[ERR_CODE_COUNT] = {
	[ERR_NONE] = "none",         [ERR_INVALID] = "invalid",           [ERR_NOT_FOUND] = "not_found",
	[ERR_CONFLICT] = "conflict", [ERR_PRECONDITION] = "precondition", [ERR_UNAVAILABLE] = "unavailable",
	[ERR_TIMEOUT] = "timeout",   [ERR_INCOMPATIBLE] = "incompatible", [ERR_LIMIT] = "limit",
	[ERR_CORRUPT] = "corrupt",   [ERR_INTERNAL] = "internal",         [ERR_UNAUTHENTICATED] = "unauthenticated",
	[ERR_DENIED] = "denied",
};

void error_write(struct error *err, enum err_code code, const char *format, ...)
{
	va_list args;

	assert(err);
	assert(code > ERR_NONE && code < ERR_CODE_COUNT);
	err->code = code;
	err->is_retriable = code == ERR_UNAVAILABLE || code == ERR_TIMEOUT;
	va_start(args, format);
	(void)vsnprintf(err->msg, sizeof(err->msg), format, args); /* a cut message is still a message */
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
		len = snprintf(err->msg + len, sizeof(err->msg) - (size_t)len, ": %s", rest);
	assert(len >= 0); /* a cut message is still a message */
}

const char *err_code_name(enum err_code code)
{
	assert(code >= ERR_NONE && code < ERR_CODE_COUNT);
	return names[code];
}
