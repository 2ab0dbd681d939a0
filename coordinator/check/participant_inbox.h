/*
 * participant_inbox.h - a participant's database, as far as the checker reads it: the table or view `saga_inbox`.
 *
 * Why:        participants with our SDK have that table; others show what they have in a view of the same columns
 *             (docs/wire-contract.md, section 10).
 * Ownership:  names and conninfo are borrowed; rows live in the arena that is given.
 */
#ifndef COORDINATOR_CHECK_PARTICIPANT_INBOX_H
#define COORDINATOR_CHECK_PARTICIPANT_INBOX_H

#include "lib/pg/pg.h"

enum { INBOX_NAMES_MAX = 16, INBOX_PAGE_ROWS = 4000 };

struct participant_inbox {
	/* It takes the commands of topics that are one of these names, or begin with one and a dot. */
	const char *names[INBOX_NAMES_MAX];
	size_t name_count;
	const char *conninfo;
	struct pg *pg;
	bool is_away;     /* what could not be read has been said */
	bool has_replies; /* the rows hold what was answered */
	bool has_times;   /* and since when they are there */
	bool has_cut;     /* it says up to when rows may have left, below */
	int64_t cut_us;   /* as it was after the last look for rows */
};

/* A command's rows; more than one only where no unique key forbids it. */
struct inbox_entry {
	struct uuid saga_id;
	const char *step_id;
	int64_t phase;
	int64_t outcome;
	int64_t count;
	bool has_no_effect;
	int64_t created_us; /* of the newest; 0: nobody knows */
};

struct inbox_cursor {
	struct uuid saga_id;
	const char *step_id;
	int64_t phase;
};

bool participant_inbox_takes(const struct participant_inbox *inbox, const char *topic);
/* Connects and looks which columns there are. */
NODISCARD int participant_inbox_open(struct participant_inbox *inbox, struct error *err);
void participant_inbox_close(struct participant_inbox *inbox);

/* Entries behind the cursor, up to those of the saga `last`, in their order, at most INBOX_PAGE_ROWS. */
NODISCARD int participant_inbox_read(struct participant_inbox *inbox, const struct inbox_cursor *cursor,
				     struct uuid last, struct arena *arena, struct inbox_entry **ret_entries,
				     size_t *ret_count, struct error *err);

/* Rows of this saga's commands may have left: that there is none tells nothing. */
bool participant_inbox_is_cut(const struct participant_inbox *inbox, struct uuid saga_id);

/* A command's row, with the reply where the inbox shows it. */
struct inbox_reply {
	int64_t outcome;
	const char *topic; /* NULL: none; so the reason */
	struct bytes value;
	const char *reason;
};

struct inbox_key {
	struct uuid saga_id;
	const char *step_id;
	int phase;
};

/* For each key its row, or NULL. */
NODISCARD int participant_inbox_find(struct participant_inbox *inbox, const struct inbox_key *keys, size_t count,
				     struct arena *arena, const struct inbox_reply ***ret_replies, struct error *err);

#endif
