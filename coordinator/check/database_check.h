/*
 * database_check.h - all sagas of a coordinator's database, page by page: each with its row and its log (replay.h, log_rules.h),
 * with what its participants hold of it, and with what else must be true of it.
 *
 * Guarantees: changes nothing; reads a page of sagas and their logs in one snapshot, so that running sagas do no harm.
 * Memory:     a page at a time.
 * Threads:    one. Blocks for as long as it takes; the listener's `progress` is called after each page.
 */
#ifndef COORDINATOR_CHECK_DATABASE_CHECK_H
#define COORDINATOR_CHECK_DATABASE_CHECK_H

#include "coordinator/check/assertion_check.h"

struct database_check_sums {
	int64_t total; /* at the beginning: for a progress bar */
	int64_t sagas;
	int64_t entries;
	int64_t states[SAGA_STATE_COUNT];
	int64_t old; /* of a form that cannot be replayed */
	bool is_complete;
};

struct database_check {
	struct pg *pg;
	struct definition_book *book;
	struct uuid after;   /* sagas whose ids are greater */
	int64_t idle_max_ms; /* I11: an open saga that has not changed for so long; 0: not looked at */
	bool must_be_over;   /* I1: every saga must have ended, or be stuck */
	struct participant_check *participants;
	struct assertion_check *assertions;
	const struct check_listener *listener;
};

/* -1: the coordinator's database could not be read to the end. */
NODISCARD int database_check_run(const struct database_check *check, struct database_check_sums *ret_sums,
				 struct error *err);

#endif
