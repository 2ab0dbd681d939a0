/*
 * database_check.h - all sagas of a coordinator's database, each with its log, through replay.h; and those that should have
 * ended long ago.
 *
 * Guarantees: changes nothing; reads a page of sagas and their logs in one snapshot, so that running sagas do no harm.
 * Needs:      the database alone. Definitions are read from it, too; no registry, no Kafka.
 * Threads:    one. Blocks for as long as it takes; `progress` is called after each page.
 */
#ifndef COORDINATOR_CHECK_DATABASE_CHECK_H
#define COORDINATOR_CHECK_DATABASE_CHECK_H

#include "coordinator/saga/saga.h"
#include "lib/pg/pg.h"

struct database_check_sums {
	int64_t total; /* at the beginning: for a progress bar */
	int64_t sagas;
	int64_t entries;
	int64_t states[SAGA_STATE_COUNT];
	int64_t violations;
	int64_t old; /* of a form that cannot be replayed */
};

struct database_check {
	struct pg *pg;
	int64_t idle_max_ms; /* I11: an open saga that has not changed for so long; 0: not looked at */
	/* Borrowed for the call. `why` begins with the invariant, "I5: …". */
	void (*violation)(void *ctx, struct uuid saga_id, const char *why);
	bool (*progress)(void *ctx, const struct database_check_sums *sums); /* false: stop here */
	void *ctx;
};

NODISCARD int database_check_run(const struct database_check *check, struct database_check_sums *ret_sums,
				 struct error *err);

#endif
