/*
 * feed.c - the feed of commits: engine/read_port.h says what it promises.
 *
 * Horizon: transactions of other databases of the same server, or of people, say nothing about ours, and may last; so
 *          it is the lowest number among the running transactions of this database that we can see, if we can see them
 *          all. Otherwise it is the snapshot's xmin, which any writing transaction of the server holds back. The list of
 *          what runs is read after the statement's snapshot was taken: what ended in between is visible to the next
 *          statement, so the feed is read by one of its own.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "coordinator/store/store_state.h"

enum { TRIM_ROWS = 10000 };

/* ---- bounds ---- */

/* backend_xid has the lower 32 bits; `behind` is how far it is behind xmax. What began after the snapshot is beyond it. */
static const char BOUNDS_SQL[] =
	"WITH now AS (SELECT pg_snapshot_xmin(snapshot)::text::bigint AS xmin,"
	"  pg_snapshot_xmax(snapshot)::text::bigint AS xmax FROM pg_current_snapshot() AS snapshot"
	"), others AS ("
	" SELECT backend_xid, (xmax - backend_xid::text::bigint) & 4294967295 AS behind,"
	"  state IS NULL AND pid <> pg_backend_pid() AS is_hidden"
	" FROM now, pg_stat_activity WHERE datname = current_database()"
	") SELECT (SELECT max(xid) FROM saga_feed_floor),"
	" CASE WHEN (SELECT bool_or(is_hidden) FROM others) THEN xmin"
	"  ELSE least(xmax, (SELECT min(xmax - behind) FROM others"
	"   WHERE backend_xid IS NOT NULL AND behind < 2147483648)) END,"
	" xmax FROM now";

int feed_bounds(void *ctx, struct feed_bounds *ret_bounds, struct error *err)
{
	struct store *store = ctx;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	if (pg_exec(store->pg, BOUNDS_SQL, NULL, 0, &result, err) < 0)
		return -1;
	*ret_bounds = (struct feed_bounds){
		.floor = pg_get_int(result, 0, 0),
		.horizon = pg_get_int(result, 0, 1),
		.ceiling = pg_get_int(result, 0, 2),
	};
	return 0;
}

/* ---- entries ---- */

/* The states that count: all, or those that are outcomes. */
static void wanted_states(bool outcomes_only, struct pg_array *ret_states)
{
	pg_array_init(ret_states, PG_ARRAY_INT2);
	for (int state = 0; state < SAGA_STATE_COUNT; state++)
		if (!outcomes_only || !saga_state_is_open((enum saga_state)state))
			pg_array_add_int(ret_states, state);
}

/* A commit is read whole, however little of it is wanted, so what is not wanted is left out here: most watchers want the
 * outcomes, a quarter of the entries, and a commit of thousands would otherwise be read once for each thousand. */
int feed_read(void *ctx, const struct feed_query *query, struct arena *arena, struct feed_entry **ret_entries,
	      size_t *ret_count, struct error *err)
{
	struct store *store = ctx;
	_cleanup_(pg_array_release)
	struct pg_array states;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct pg_param params[] = {pg_int8(query->after.xid), pg_int8(query->after.index), pg_int8(query->horizon),
				    pg_int8((int64_t)query->limit), pg_null()};
	struct feed_entry *entries;

	wanted_states(query->outcomes_only, &states);
	params[4] = pg_array_param(&states);
	if (pg_exec(store->pg,
		    "SELECT f.xid, u.place, u.saga_id, u.first, u.last, u.state FROM saga_feed f"
		    " CROSS JOIN LATERAL unnest(f.saga_ids, f.firsts, f.lasts, f.states)"
		    " WITH ORDINALITY AS u(saga_id, first, last, state, place)"
		    " WHERE f.xid >= $1 AND f.xid < $3 AND (f.xid > $1 OR u.place > $2)"
		    " AND u.state = ANY ($5::smallint[])"
		    " ORDER BY f.xid, u.place LIMIT $4",
		    params, ARRAY_LEN(params), &result, err) < 0)
		return -1;
	entries = arena_alloc(arena, (pg_rows(result) + 1) * sizeof(*entries));
	for (size_t i = 0; i < pg_rows(result); i++)
		entries[i] = (struct feed_entry){
			.position = {pg_get_int(result, i, 0), pg_get_int(result, i, 1)},
			.saga_id = pg_get_uuid(result, i, 2),
			.first = pg_get_int(result, i, 3),
			.last = pg_get_int(result, i, 4),
			.state = (enum saga_state)pg_get_int(result, i, 5),
		};
	*ret_entries = entries;
	*ret_count = pg_rows(result);
	return 0;
}

int feed_xids(void *ctx, int64_t from, int64_t horizon, size_t limit, struct arena *arena, int64_t **ret_xids,
	      size_t *ret_count, struct error *err)
{
	struct store *store = ctx;
	const struct pg_param params[] = {pg_int8(from), pg_int8(horizon), pg_int8((int64_t)limit)};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	if (pg_exec(store->pg, "SELECT xid FROM saga_feed WHERE xid >= $1 AND xid < $2 ORDER BY xid LIMIT $3", params,
		    ARRAY_LEN(params), &result, err) < 0)
		return -1;
	*ret_count = pg_rows(result);
	*ret_xids = arena_alloc(arena, (*ret_count + 1) * sizeof(**ret_xids));
	for (size_t i = 0; i < *ret_count; i++)
		(*ret_xids)[i] = pg_get_int(result, i, 0);
	return 0;
}

static int read_heads(const struct pg_result *result, struct arena *arena, struct saga_head **ret_heads,
		      size_t *ret_count, struct error *err)
{
	struct saga_head *heads = arena_alloc(arena, (pg_rows(result) + 1) * sizeof(*heads));

	for (size_t i = 0; i < pg_rows(result); i++)
		if (head_read(result, i, arena, &heads[i], err) < 0)
			return -1;
	*ret_heads = heads;
	*ret_count = pg_rows(result);
	return 0;
}

int feed_heads(void *ctx, const struct uuid *ids, size_t count, struct arena *arena, struct saga_head **ret_heads,
	       size_t *ret_count, struct error *err)
{
	struct store *store = ctx;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	_cleanup_(pg_array_release)
	struct pg_array array;
	struct pg_param param;

	pg_array_init(&array, PG_ARRAY_UUID);
	for (size_t i = 0; i < count; i++)
		pg_array_add_uuid(&array, &ids[i]);
	param = pg_array_param(&array);
	if (pg_exec(store->pg,
		    "SELECT" HEAD_COLUMNS "FROM unnest($1::uuid[]) AS w(saga_id) JOIN saga s ON s.saga_id = w.saga_id"
		    " JOIN definition d ON d.id = s.definition_id ORDER BY s.saga_id",
		    &param, 1, &result, err) < 0)
		return -1;
	return read_heads(result, arena, ret_heads, ret_count, err);
}

int feed_log(void *ctx, const struct feed_entry *entries, size_t count, struct arena *arena,
	     struct store_log_row **ret_rows, size_t *ret_count, struct error *err)
{
	struct store *store = ctx;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct pg_array arrays[3];
	struct pg_param params[3];
	int rc;

	pg_array_init(&arrays[0], PG_ARRAY_UUID);
	pg_array_init(&arrays[1], PG_ARRAY_INT8);
	pg_array_init(&arrays[2], PG_ARRAY_INT8);
	for (size_t i = 0; i < count; i++) {
		pg_array_add_uuid(&arrays[0], &entries[i].saga_id);
		pg_array_add_int(&arrays[1], entries[i].first);
		pg_array_add_int(&arrays[2], entries[i].last);
	}
	for (size_t i = 0; i < ARRAY_LEN(params); i++)
		params[i] = pg_array_param(&arrays[i]);
	rc = pg_exec(store->pg,
		     "SELECT" LOG_COLUMNS "FROM unnest($1::uuid[], $2::bigint[], $3::bigint[])"
		     " WITH ORDINALITY AS w(saga_id, first, last, place)"
		     " JOIN saga_log l ON l.saga_id = w.saga_id AND l.sequence BETWEEN w.first AND w.last"
		     " ORDER BY w.place, l.sequence",
		     params, ARRAY_LEN(params), &result, err);
	for (size_t i = 0; i < ARRAY_LEN(arrays); i++)
		pg_array_release(&arrays[i]);
	if (rc < 0)
		return -1;
	row_log(result, arena, ret_rows, ret_count);
	return 0;
}

/* ---- the snapshot ---- */

/* "xmin:xmax:running,running,…" */
static void read_snapshot_text(const char *text, struct arena *arena, struct feed_snapshot *snapshot)
{
	char *at;

	snapshot->running = arena_alloc(arena, (strlen(text) + 1) * sizeof(*snapshot->running));
	snapshot->xmin = strtoll(text, &at, 10); /* the server's own form, which has always both */
	assert(*at == ':');
	snapshot->xmax = strtoll(at + 1, &at, 10);
	while (*at && at[1])
		snapshot->running[snapshot->running_count++] = strtoll(at + 1, &at, 10);
}

static unsigned open_states(unsigned states)
{
	unsigned result = 0;

	for (int state = 0; state < SAGA_STATE_COUNT; state++)
		if (!saga_state_is_terminal((enum saga_state)state) && (!states || (states & 1u << state)))
			result |= 1u << state;
	return result;
}

static int read_snapshot(struct store *store, const struct list_request *request, struct arena *arena,
			 struct feed_snapshot *snapshot, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct list_page page = {0};

	if (pg_exec(store->pg, "SELECT pg_current_snapshot()::text", NULL, 0, &result, err) < 0 ||
	    (request->filter.states && list_read(store, request, arena, &page, err) < 0))
		return -1;
	read_snapshot_text(pg_get_text(result, 0, 0, arena), arena, snapshot);
	snapshot->items = page.items;
	snapshot->count = page.count;
	snapshot->has_more = page.has_more;
	snapshot->last = page.last;
	return 0;
}

int feed_snapshot(void *ctx, const struct saga_filter *filter, const struct uuid *after, size_t limit,
		  struct arena *arena, struct feed_snapshot *ret_snapshot, struct error *err)
{
	struct list_request request = {.filter = *filter, .is_oldest_first = true, .limit = limit};
	struct feed_snapshot snapshot = {0};
	struct store *store = ctx;
	int result = -1;

	request.filter.states =
		open_states(filter->states); /* 0: what is asked for are states of sagas that have ended */
	request.has_after = after != NULL;
	if (after)
		request.after = *after;
	if (snapshot_begin(store, err) < 0)
		return -1;
	result = read_snapshot(store, &request, arena, &snapshot, err);
	pg_rollback(store->pg);
	if (result == 0)
		*ret_snapshot = snapshot;
	return result;
}

int feed_trim(void *ctx, int64_t keep_ms, bool *ret_has_more, struct error *err)
{
	struct store *store = ctx;
	const struct pg_param params[] = {pg_int8(keep_ms), pg_int8(TRIM_ROWS)};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	if (pg_exec(store->pg,
		    "WITH gone AS (DELETE FROM saga_feed WHERE ctid = ANY (ARRAY(SELECT ctid FROM"
		    "  (SELECT ctid, at FROM saga_feed ORDER BY xid LIMIT $2) oldest"
		    "  WHERE at < now() - $1::bigint * interval '1 ms')) RETURNING xid), raised AS ("
		    " UPDATE saga_feed_floor SET xid = greatest(xid, (SELECT max(xid) FROM gone))"
		    " WHERE EXISTS (SELECT FROM gone))"
		    " SELECT count(*) = $2 FROM gone",
		    params, ARRAY_LEN(params), &result, err) < 0)
		return -1;
	*ret_has_more = pg_get_bool(result, 0, 0);
	return 0;
}
