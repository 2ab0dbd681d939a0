/*
 * violation.h - what a check found: which invariant does not hold, of which saga and step, and what to do about it.
 *
 * Why:  database, participants and topics are checked by different files, and told in one form.
 * Ownership: texts are borrowed for the call that reports them.
 */
#ifndef COORDINATOR_CHECK_VIOLATION_H
#define COORDINATOR_CHECK_VIOLATION_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/uuid.h"

enum { INVARIANT_COUNT = 15 }; /* I1 to I14; 0 is none */

struct invariant {
	const char *meaning;
	const char *advice; /* what a person can do when it does not hold */
};
extern const struct invariant invariants[INVARIANT_COUNT];

struct violation {
	const struct uuid *saga_id; /* NULL: of no single saga */
	const char *step_id;        /* NULL: of no single step */
	const char *text;           /* begins with the invariant: "I5: …" */
	const char *advice;         /* NULL: the invariant's own */
};

int violation_invariant(const struct violation *violation); /* 5 for "I5: …" */
const char *violation_advice(const struct violation *violation);

/* Who is told. */
struct check_listener {
	void (*violation)(void *ctx, const struct violation *violation);
	void (*undecided)(void *ctx, const char *what); /* what could not be looked at, and why */
	/* What is being done, and how far it is; `total` 0: not known. False: stop here. */
	bool (*progress)(void *ctx, const char *what, int64_t done, int64_t total);
	void *ctx;
};

void check_report(const struct check_listener *listener, const struct uuid *saga_id, const char *step_id,
		  const char *text);
void check_undecided(const struct check_listener *listener, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
