/*
 * inbox_cut.h - rows of the inbox leave, some time after they were written.
 *
 * Why:        the inbox has a row for each command that was ever done; only late commands need it, and those are refused.
 * Guarantees: a row goes only when every command that it could answer is refused as too old (inbox_is_too_old()), for CUT_MARGIN_MS
 *             already, so that clocks may be that far apart. Rows of sagas whose ids tell no time stay.
 * Cost:       pieces of 2,000 rows on a connection of its own, with rests of four times as long. Of several instances one does it.
 * Threads:    its own.
 * Ownership:  borrows its options' contents until inbox_cut_free().
 */
#ifndef PARTICIPANTS_SDK_INBOX_CUT_H
#define PARTICIPANTS_SDK_INBOX_CUT_H

#include "lib/metrics/metrics.h"
#include "lib/pg/pg.h"

enum { INBOX_CUT_MARGIN_MS = 3600 * 1000 };

extern const struct pg_migration inbox_cut_migrations[];
extern const size_t inbox_cut_migration_count;

/* `begun_us`: when the command's step began; 0: nobody knows. keep_ms 0: for ever. */
bool inbox_is_too_old(int64_t begun_us, int64_t keep_ms, int64_t now_us);

struct inbox_cut;

struct inbox_cut_options {
	const char *service;
	const char *postgres;
	int64_t keep_ms; /* more than 0 */
	struct metric *removed;
};

NODISCARD int inbox_cut_start(const struct inbox_cut_options *options, struct inbox_cut **ret_cut, struct error *err);
void inbox_cut_free(struct inbox_cut *cut); /* NULL: nothing */

#endif
