/* store.c - see store.h: life, connections, wiring. */
#include "coordinator/store/store.h"

#include <libpq-fe.h>
#include <stdlib.h>

#include "coordinator/store/migrations.h"
#include "coordinator/store/store_state.h"

/*
 * Settings of our connections. A dead database is noticed within seconds. The plans of the few statements are fixed: all
 * of them look rows up by index for a list of unknown length, and a plan that was made for a small or empty table (a
 * scan, a hash of the whole table) must not live on when it has grown. What the user's conninfo says comes later, so it
 * counts.
 */
static const struct {
	const char *name;
	const char *value;
} defaults[] = {
	{"connect_timeout", "3"},  {"keepalives_idle", "5"},     {"keepalives_interval", "2"},
	{"keepalives_count", "2"}, {"tcp_user_timeout", "8000"},
};
static const char SERVER_OPTIONS[] =
	"-c statement_timeout=10s -c lock_timeout=5s -c idle_in_transaction_session_timeout=10s -c jit=off"
	" -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off";

/* Above statement_timeout: a server that lives answers first, if only with its own time-out. */
enum { ANSWER_MS = 12000 };

static void append_option(struct buffer *out, const char *name, const char *prefix, const char *value)
{
	buffer_append_format(out, "%s%s='", out->len > 0 ? " " : "", name);
	buffer_append_text(out, prefix);
	for (const char *at = value; *at; at++) {
		if (*at == '\'' || *at == '\\')
			buffer_append_byte(out, '\\');
		buffer_append_byte(out, (uint8_t)*at);
	}
	buffer_append_byte(out, '\'');
}

/* The user's conninfo (either form) with our settings; as it is where it cannot be read: connecting says why. */
static char *complete_conninfo(const char *conninfo)
{
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
	struct buffer out = {0};
	char *text;

	if (!options)
		return xstrdup(conninfo);
	for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
		append_option(&out, defaults[i].name, "", defaults[i].value);
	buffer_append_format(&out, " options='%s'", SERVER_OPTIONS);
	for (const PQconninfoOption *option = options; option->keyword; option++) {
		if (!option->val || !option->val[0])
			continue;
		if (strcmp(option->keyword, "options") == 0) {
			struct buffer both = {0};

			buffer_append_format(&both, "%s ", SERVER_OPTIONS);
			append_option(&out, option->keyword, buffer_text(&both), option->val);
			buffer_release(&both);
		} else {
			append_option(&out, option->keyword, "", option->val);
		}
	}
	PQconninfoFree(options);
	text = xstrdup(buffer_text(&out));
	buffer_release(&out);
	return text;
}

struct store *store_new(const char *conninfo)
{
	struct store *store = xcalloc(1, sizeof(*store));
	_cleanup_(freep)
	char *complete = complete_conninfo(conninfo);

	store->conninfo = xstrdup(conninfo);
	store->pg = pg_new(complete, "saga-coordinator");
	store->definitions_pg = pg_new(complete, "saga-coordinator definitions");
	(void)pg_set_answer_ms(store->pg, ANSWER_MS);
	(void)pg_set_answer_ms(store->definitions_pg, ANSWER_MS);
	commit_init(store);
	return store;
}

void store_free(struct store *store)
{
	if (!store)
		return;
	pg_free(store->pg);
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
		.commit = commit_run,
		.now = reader_now,
		.load = reader_load,
		.find = reader_find,
		.due = reader_due,
		.left_behind = reader_left_behind,
		.glance = reader_glance,
		.load_log = reader_load_log,
		.count_open = reader_count_open,
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
		.heads = feed_heads,
		.feed_log = feed_log,
		.snapshot = feed_snapshot,
		.trim = feed_trim,
		.sagas = store_saga_port(store),
	};
}

struct definition_port store_definition_port(struct store *store)
{
	return (struct definition_port){.ctx = store, .put = definition_table_put, .load = definition_table_load};
}
