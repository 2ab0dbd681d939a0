/*
 * problems.h - all that is wrong with an input, not just the first of it.
 *
 * Why:        who sends a bad request or file should mend everything in one go; each edge turns the list into its own
 *             form (google.rpc.BadRequest, `file:line:col: error: …`, JSON).
 * Ownership:  texts are copied into the list's own arena; problems_release() ends them.
 * Limits:     PROBLEMS_MAX are kept; `count` goes on counting, so the reader can say how many more there are.
 */
#ifndef LIB_BASE_PROBLEMS_H
#define LIB_BASE_PROBLEMS_H

#include <stdarg.h>
#include <stddef.h>

#include "lib/base/arena.h"

enum { PROBLEMS_MAX = 100 };

struct problem {
	const char *place; /* a field path (`input.items[2].quantity`) or `file:line:col`; "" where there is none */
	const char *text;  /* lower case, no full stop: what is wrong, then what to do */
};

struct problems {
	struct arena arena;
	struct problem items[PROBLEMS_MAX];
	size_t count; /* may exceed PROBLEMS_MAX */
};

void problems_init(struct problems *problems);
void problems_release(struct problems *problems);
void problems_add(struct problems *problems, const char *place, const char *format, ...) PRINTF_LIKE(3, 4);
void problems_add_va(struct problems *problems, const char *place, const char *format, va_list args);
size_t problems_kept(const struct problems *problems);

/* One error that holds as many of the problems as fit, `place: text; place: text; and 3 more`. Returns -1. */
int problems_to_error(const struct problems *problems, enum err_code code, struct error *err);

#endif
