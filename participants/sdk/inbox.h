/*
 * inbox.h - the barrier of a participant: one row for each (saga, step, phase) that was ever handled here.
 *
 * Why:        a command may come twice, on two instances at once, or after its compensation. Whoever inserts the row does
 *             the work; everybody else gets the reply that is stored in it.
 * Guarantees: rows are inserted in the order of their keys, so two instances never wait for each other in a circle. A
 *             compensation writes its forward row, too: where that was new it is a tombstone, and the forward command,
 *             should it still come, has no effect.
 * Not here:   effects and replies as messages (turn.h).
 * Threads:    the connection's.
 * Ownership:  what is read lives in the arena that the caller gives.
 */
#ifndef PARTICIPANTS_SDK_INBOX_H
#define PARTICIPANTS_SDK_INBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/base/uuid.h"
#include "lib/pg/pg.h"
#include "schema-registry/model/schema.h"

enum inbox_outcome {
	INBOX_OUTCOME_OPEN, /* only inside the transaction that inserted the row; stored: there shall be no row */
	INBOX_OUTCOME_SUCCEEDED,
	INBOX_OUTCOME_REJECTED,
	INBOX_OUTCOME_TOMBSTONE, /* a forward command that was compensated before it came */
	INBOX_OUTCOME_COUNT
};

/* A reply but for what is of each record: ids, times, attempt. */
struct inbox_reply {
	enum inbox_outcome outcome;
	const char *topic;
	const char *type; /* ce_type */
	enum schema_format format;
	struct bytes value; /* in wire format */
	const char *reason; /* NULL: none */
	const char *detail; /* NULL: none */
	bool has_no_effect;
};

enum inbox_verdict {
	INBOX_NEW,       /* do the work */
	INBOX_DONE,      /* `reply` is what was answered */
	INBOX_CANCELLED, /* a late forward command: reject it, without storing anything */
	INBOX_NO_EFFECT, /* a new compensation with nothing to undo: answer it, without doing anything */
};

struct inbox_entry {
	struct uuid saga_id;
	const char *step;
	bool is_compensation;

	enum inbox_verdict verdict; /* set by inbox_claim() */
	struct pg_tid place;        /* likewise: of a row that is new, for inbox_store() */
	struct inbox_reply reply;   /* read by inbox_claim() or to be written by inbox_store() */
};

extern const struct pg_migration inbox_migrations[];
extern const size_t inbox_migration_count;

/* Inside a transaction; keys must be distinct, and of a forward command and its compensation only one may be there. */
NODISCARD int inbox_claim(struct pg *pg, struct inbox_entry *const *entries, size_t count, struct arena *arena,
			  struct error *err);
/* Writes the replies of entries that were NEW or NO_EFFECT, in the same transaction; where there is none (OPEN), the row goes. */
NODISCARD int inbox_store(struct pg *pg, struct inbox_entry *const *entries, size_t count, struct error *err);

/* ---- the rules alone, for tests ---- */
struct inbox_row {
	struct uuid saga_id;
	const char *step;
	bool is_compensation;
	enum inbox_outcome outcome; /* to be written; after the re-read what is there */
	bool is_inserted;
	struct pg_tid place;      /* of an inserted row */
	struct inbox_reply reply; /* of a row that was there before */
};

/* The rows that claiming these entries inserts, sorted and distinct. */
struct inbox_row *inbox_plan_rows(struct inbox_entry *const *entries, size_t count, struct arena *arena,
				  size_t *ret_count);
struct inbox_row *inbox_find_row(struct inbox_row *rows, size_t count, struct uuid saga_id, const char *step,
				 bool is_compensation); /* NULL: none */
/* Sets verdict and reply from what became of the rows. */
void inbox_judge(struct inbox_entry *entry, struct inbox_row *rows, size_t count);

#endif
