/*
 * error.h - how a failure of the environment is reported: a code, whether a retry may help, and one line for people.
 *
 * Why:        reporting an error must never fail, so the value is plain memory and is formatted in place.
 * Guarantees: after a function returned -1, its `*err` is complete and NUL-terminated (long texts are cut, between characters).
 * Not here:   bugs (assert) and business refusals (a reply value).
 * Threads:    values belong to their caller; no shared state.
 */
#ifndef LIB_BASE_ERROR_H
#define LIB_BASE_ERROR_H

#include <stdbool.h>

#define NODISCARD __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

enum err_code {
	ERR_NONE = 0,
	ERR_INVALID,         /* the input is wrong; the same input fails again */
	ERR_NOT_FOUND,       /* what was named does not exist */
	ERR_CONFLICT,        /* something else already holds the name, key or version */
	ERR_PRECONDITION,    /* legal in itself, not in the present state */
	ERR_UNAVAILABLE,     /* a dependency is away; a retry may help */
	ERR_TIMEOUT,         /* the deadline passed; the outcome may be unknown */
	ERR_INCOMPATIBLE,    /* a schema or version does not fit another one */
	ERR_LIMIT,           /* a named limit was reached */
	ERR_CORRUPT,         /* bytes that cannot be what they claim to be */
	ERR_INTERNAL,        /* none of the above; look at the log */
	ERR_UNAUTHENTICATED, /* who asks is not known, and must be */
	ERR_DENIED,          /* who asks is known, and may not */
	ERR_QUOTA,           /* a limit that somebody set is reached; a later retry may help */
	ERR_CODE_COUNT
};

struct error {
	enum err_code code;
	bool is_retriable;
	char msg[480];
};

/* The only thing that creates an error. ERR_UNAVAILABLE and ERR_TIMEOUT are retriable. It is -1, in sight of the compiler,
 * which then knows that what is set on success alone is not read after a failure. */
#define error_set(err, code, ...)                                                                                      \
	({                                                                                                             \
		error_write(err, code, __VA_ARGS__);                                                                   \
		-1;                                                                                                    \
	})
void error_write(struct error *err, enum err_code code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "prefix: " before the message of an error that is already set. It is -1. */
#define error_prefix(err, ...)                                                                                         \
	({                                                                                                             \
		error_write_prefix(err, __VA_ARGS__);                                                                  \
		-1;                                                                                                    \
	})
void error_write_prefix(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* The name of a code in lower case, as logs and JSON show it. */
const char *err_code_name(enum err_code code);

#endif
