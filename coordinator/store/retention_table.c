/*
 * retention_table.c - finished sagas leave: coordinator/retention/ decides when.
 *
 * Cost:    they are found by walking the primary key from its oldest end: ids are made in the order of time. An index on the end
 *          would cost every saga an entry at its busiest moment; the walk costs nothing until then, and meets little else
 *          than what is to leave: in front of it are only sagas that are still open, or took long.
 */
#include "coordinator/store/store_state.h"

enum { LOOK_ROWS = 2000, LOCK_KEY = 0x616d6f73 };

int retention_claim(void *ctx, bool *ret_is_ours, struct error *err)
{
	struct store *store = ctx;

	return pg_try_lock(store->pg, LOCK_KEY, ret_is_ours, err);
}

int retention_find(void *ctx, struct uuid after, int64_t keep_ms, struct arena *arena, struct leaving_page *ret_page,
		   struct error *err)
{
	struct store *store = ctx;
	const struct pg_param params[] = {pg_uuid(&after), pg_int8(keep_ms), pg_int8(LOOK_ROWS)};
	struct leaving_page page = {0};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	size_t rows;

	if (pg_exec(store->pg,
		    "SELECT saga_id, version, coalesce(ended_at < latest, false),"
		    " coalesce(extract(epoch FROM latest - ended_at) * 1000, 0)::bigint, created_at < latest"
		    " FROM saga, (SELECT now() - $2::bigint * interval '1 ms' AS latest) AS t"
		    " WHERE saga_id > $1 ORDER BY saga_id LIMIT $3",
		    params, ARRAY_LEN(params), &result, err) < 0)
		return -1;
	rows = pg_rows(result);
	page.items = arena_alloc(arena, (rows + 1) * sizeof(*page.items));
	for (size_t i = 0; i < rows; i++)
		if (pg_get_bool(result, i, 2))
			page.items[page.count++] = (struct leaving_saga){
				pg_get_uuid(result, i, 0), pg_get_int(result, i, 1), pg_get_int(result, i, 3)};
	page.has_more = rows == LOOK_ROWS && pg_get_bool(result, rows - 1, 4);
	if (rows > 0)
		page.last = pg_get_uuid(result, rows - 1, 0);
	*ret_page = page;
	return 0;
}

/* What has ended changes no more; that it is still so is asked all the same, since nothing brings a row back. The greatest id
 * that has left stays, so that others can tell a saga that has left from one that never was. */
int retention_remove(void *ctx, const struct leaving_saga *sagas, size_t count, int64_t *ret_removed, struct error *err)
{
	struct store *store = ctx;
	_cleanup_(pg_array_release)
	struct pg_array ids;
	_cleanup_(pg_array_release)
	struct pg_array versions;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct pg_param params[2];

	pg_array_init(&ids, PG_ARRAY_UUID);
	pg_array_init(&versions, PG_ARRAY_INT8);
	for (size_t i = 0; i < count; i++) {
		pg_array_add_uuid(&ids, &sagas[i].id);
		pg_array_add_int(&versions, sagas[i].version);
	}
	params[0] = pg_array_param(&ids);
	params[1] = pg_array_param(&versions);
	if (pg_exec(store->pg,
		    "WITH gone AS (DELETE FROM saga s USING unnest($1::uuid[], $2::bigint[]) AS w(saga_id, version)"
		    "  WHERE s.saga_id = w.saga_id AND s.version = w.version AND s.ended_at IS NOT NULL RETURNING "
		    "s.saga_id"
		    "), logs AS (DELETE FROM saga_log l USING gone WHERE l.saga_id = gone.saga_id"
		    "), noted AS (UPDATE saga_departed SET last_id = greatest(last_id,"
		    "  (SELECT saga_id FROM gone ORDER BY saga_id DESC LIMIT 1)) WHERE EXISTS (SELECT FROM gone)"
		    ") SELECT count(*) FROM gone",
		    params, ARRAY_LEN(params), &result, err) < 0)
		return -1;
	*ret_removed = pg_get_int(result, 0, 0);
	return 0;
}
