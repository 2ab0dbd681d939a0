/*
 * pg_migrate.c - see pg_migrate() in pg.h.
 *
 * The lock is taken inside each migration's transaction: it ends with it whatever happens to the process, and a
 * connection that is replaced half-way can never go on without it, as it could with a lock of the session.
 */
#include <assert.h>
#include <poll.h>

#include "lib/base/clock.h"
#include "lib/base/crash_point.h"
#include "lib/pg/pg.h"

/* Any number that nobody else uses for advisory locks in these databases: "amends" in ASCII. */
static const int64_t LOCK_KEY = 0x616d656e6473;
enum { RETRY_INTERVAL_MS = 200 };

static int lock_and_record_table(struct pg *pg, struct error *err)
{
	struct pg_param key = pg_int8(LOCK_KEY);

	if (pg_exec(pg, "SELECT pg_advisory_xact_lock($1)", &key, 1, NULL, err) < 0)
		return -1;
	return pg_exec_script(pg,
			      "CREATE TABLE IF NOT EXISTS schema_migration ("
			      " name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())",
			      err);
}

/* Inside the transaction. */
static int apply_if_missing(struct pg *pg, const struct pg_migration *migration, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *inserted = NULL;
	struct pg_param name = pg_text(migration->name);

	if (lock_and_record_table(pg, err) < 0)
		return -1;
	if (pg_exec(pg, "INSERT INTO schema_migration (name) VALUES ($1) ON CONFLICT DO NOTHING", &name, 1, &inserted,
		    err) < 0)
		return -1;
	return pg_affected(inserted) == 0 ? 0 : pg_exec_script(pg, migration->sql, err);
}

static int migrate_once(struct pg *pg, const struct pg_migration *migrations, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (pg_begin(pg, err) < 0)
			return -1;
		if (apply_if_missing(pg, &migrations[i], err) < 0) {
			pg_rollback(pg);
			return error_prefix(err, "migration %s", migrations[i].name);
		}
		CRASH_POINT(MIGRATION_BEFORE_COMMIT);
		if (pg_commit(pg, NULL, err) < 0) /* unknown outcomes are looked at by the next try */
			return error_prefix(err, "migration %s", migrations[i].name);
		CRASH_POINT(MIGRATION_AFTER_COMMIT);
	}
	return 0;
}

int pg_migrate(struct pg *pg, const struct pg_migration *migrations, size_t count, int64_t wait_ms, struct error *err)
{
	int64_t deadline_us = clock_monotonic_us() + wait_ms * 1000;
	int64_t answer_ms = pg_set_answer_ms(pg, 0); /* a migration takes as long as it takes, or waits for another's */
	int rc;

	assert(wait_ms >= 0);
	while ((rc = migrate_once(pg, migrations, count, err)) < 0) {
		if (!err->is_retriable || clock_monotonic_us() >= deadline_us)
			break;
		(void)poll(NULL, 0, RETRY_INTERVAL_MS);
	}
	(void)pg_set_answer_ms(pg, answer_ms);
	return rc;
}
