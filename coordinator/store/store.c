/* store.c - see store.h: life, connections, wiring. */
#include "coordinator/store/store.h"

#include <stdlib.h>

#include "coordinator/store/migrations.h"
#include "coordinator/store/store_state.h"

static const char SERVER_OPTIONS[] = "-c statement_timeout=10s -c lock_timeout=5s"
				     " -c idle_in_transaction_session_timeout=10s " PG_FIXED_PLANS;

/* Above statement_timeout: a server that lives answers first, if only with its own time-out. */
enum { ANSWER_MS = 12000 };

struct store *store_new(const char *conninfo)
{
	struct store *store = xcalloc(1, sizeof(*store));
	_cleanup_(freep)
	char *complete = pg_conninfo_complete(conninfo, SERVER_OPTIONS);

	store->conninfo = xstrdup(conninfo);
	store->pg = pg_new(complete, "saga-coordinator");
	store->definitions_pg = pg_new(complete, "saga-coordinator definitions");
	(void)pg_set_answer_ms(store->pg, ANSWER_MS);
	(void)pg_set_answer_ms(store->definitions_pg, ANSWER_MS);
	store->lanes[0].pg = store->pg; /* most turns have one commit */
	for (int i = 1; i < STORE_LANES; i++) {
		store->lanes[i].pg = pg_new(complete, "saga-coordinator");
		(void)pg_set_answer_ms(store->lanes[i].pg, ANSWER_MS);
	}
	commit_init(store);
	return store;
}

void store_free(struct store *store)
{
	if (!store)
		return;
	for (int i = 0; i < STORE_LANES; i++)
		pg_free(store->lanes[i].pg);
	pg_free(store->definitions_pg);
	commit_release(store);
	free(store->conninfo);
	free(store);
}

/* On a connection with the user's settings alone: a migration may take longer than a turn's statement may. */
int store_migrate(struct store *store, int64_t wait_ms, struct error *err)
{
	_cleanup_(pg_freep)
	struct pg *pg = pg_new(store->conninfo, "saga-coordinator migrations");

	return pg_migrate(pg, STORE_MIGRATIONS, STORE_MIGRATION_COUNT, wait_ms, err);
}

struct store_port store_saga_port(struct store *store)
{
	return (struct store_port){
		.ctx = store,
		.commit_begin = commit_begin,
		.commit_end = commit_end,
		.now = reader_now,
		.load = reader_load,
		.find = reader_find,
		.due = reader_due,
		.left_behind = reader_left_behind,
		.glance = reader_glance,
		.load_log = reader_load_log,
		.count_open = reader_count_open,
		.pauses = pause_table_list,
		.find_waiting = reader_find_waiting,
	};
}

struct read_port store_read_port(struct store *store)
{
	return (struct read_port){
		.ctx = store,
		.list = list_sagas,
		.log = list_log,
		.bounds = feed_bounds,
		.feed = feed_read,
		.feed_xids = feed_xids,
		.heads = feed_heads,
		.feed_log = feed_log,
		.snapshot = feed_snapshot,
		.trim = feed_trim,
		.sagas = store_saga_port(store),
	};
}

struct pause_port store_pause_port(struct store *store)
{
	return (struct pause_port){
		.ctx = store, .begin = pause_table_begin, .end = pause_table_end, .list = pause_table_list};
}

struct notice_port store_notice_port(struct store *store)
{
	return (struct notice_port){
		.ctx = store,
		.claim = notice_table_claim,
		.settle = notice_table_settle,
		.count = notice_table_count,
		.forget = notice_table_forget,
	};
}

struct retention_port store_retention_port(struct store *store)
{
	return (struct retention_port){
		.ctx = store, .claim = retention_claim, .find = retention_find, .remove = retention_remove};
}

struct definition_port store_definition_port(struct store *store)
{
	return (struct definition_port){.ctx = store, .put = definition_table_put, .load = definition_table_load};
}
