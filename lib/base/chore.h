/*
 * chore.h - a thread for work that has time: what a program tidies up beside what it is there for.
 *
 * Why:        such work must never hold up the other: it is done in small pieces, and rests in proportion to what each piece
 *             took, so that it gets a share of the time that its owner chooses, however slow the machine or the database is.
 * Guarantees: chore_free() wakes a resting chore; a round that asks chore_rest() between its pieces ends within one piece.
 * Threads:    `round` runs on the chore's thread; chore_is_stopping() and chore_rest() are for it.
 * Ownership:  borrows `ctx` and the name until chore_free().
 */
#ifndef LIB_BASE_CHORE_H
#define LIB_BASE_CHORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

struct chore;

struct chore_options {
	const char *name; /* of the thread; at most 15 bytes */
	/* One round; answers after how many ms the next one shall begin. */
	int64_t (*round)(void *ctx, struct chore *chore);
	void *ctx;
};

NODISCARD int chore_start(const struct chore_options *options, struct chore **ret_chore, struct error *err);
void chore_free(struct chore *chore); /* waits for the piece in hand */

/* Waits; true: the chore shall end, at once. */
bool chore_rest(struct chore *chore, int64_t ms);
/* The same flag, for calls that wait themselves. */
const atomic_bool *chore_is_stopping(const struct chore *chore);

#endif
