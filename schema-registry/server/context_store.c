/* context_store.c - contexts as a whole and their end, and schemas found in all of them. See registry_store.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/memory.h"
#include "schema-registry/server/registry_store.h"

int store_lock_context(struct pg *pg, const char *context, bool *ret_is_there, bool *ret_is_empty, struct error *err)
{
	const struct pg_param params[] = {pg_text(context)};
	_cleanup_(pg_result_freep)
	struct pg_result *locked = NULL;
	_cleanup_(pg_result_freep)
	struct pg_result *held = NULL;

	/* Two statements: the second sees what was committed while the first one waited. */
	if (pg_exec(pg, "SELECT number FROM context WHERE name = $1 FOR UPDATE", params, ARRAY_LEN(params), &locked,
		    err) < 0 ||
	    pg_exec(pg, "SELECT EXISTS (SELECT FROM schema WHERE context = $1)", params, ARRAY_LEN(params), &held,
		    err) < 0)
		return -1;
	*ret_is_there = pg_rows(locked) > 0;
	*ret_is_empty = !pg_get_bool(held, 0, 0);
	return 0;
}

int store_remove_context(struct pg *pg, const char *context, struct error *err)
{
	const struct pg_param params[] = {pg_text(context)};
	_cleanup_(pg_result_freep)
	struct pg_result *removed = NULL;
	char drop[60];

	if (pg_exec(pg, "DELETE FROM setting WHERE context = $1", params, ARRAY_LEN(params), NULL, err) < 0 ||
	    pg_exec(pg, "DELETE FROM context WHERE name = $1 RETURNING number", params, ARRAY_LEN(params), &removed,
		    err) < 0)
		return -1;
	if (pg_rows(removed) == 0)
		return 0;
	(void)snprintf(drop, sizeof(drop), "DROP SEQUENCE schema_id_%" PRId64, pg_get_int(removed, 0, 0));
	return pg_exec_script(pg, drop, err);
}

int store_unset_modes(struct pg *pg, const char *context, struct error *err)
{
	const struct pg_param params[] = {pg_text(context)};

	return pg_exec(pg, "UPDATE setting SET mode = NULL WHERE context = $1 AND subject <> '' AND mode IS NOT NULL",
		       params, ARRAY_LEN(params), NULL, err);
}

int store_find_guid(struct pg *pg, struct uuid guid, struct arena *arena, struct stored_id **ret_places,
		    size_t *ret_count, struct error *err)
{
	uint8_t lowest[SCHEMA_IDENTITY_LEN] = {0};
	uint8_t highest[SCHEMA_IDENTITY_LEN];
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct stored_id *places;

	memset(highest, 0xff, sizeof(highest));
	memcpy(lowest, guid.data, sizeof(guid.data));
	memcpy(highest, guid.data, sizeof(guid.data));
	/* By way of the contexts, which are few, so that the unique key (context, identity) serves. */
	if (pg_exec(pg,
		    "SELECT c.name, s.id FROM context c JOIN schema s ON s.context = c.name"
		    " AND s.identity BETWEEN $1 AND $2 ORDER BY c.name COLLATE \"C\", s.id",
		    (const struct pg_param[]){pg_bytea((struct bytes){lowest, sizeof(lowest)}),
					      pg_bytea((struct bytes){highest, sizeof(highest)})},
		    2, &result, err) < 0)
		return -1;
	places = arena_alloc(arena, (pg_rows(result) + 1) * sizeof(*places));
	for (size_t row = 0; row < pg_rows(result); row++)
		places[row] =
			(struct stored_id){pg_get_text(result, row, 0, arena), (int32_t)pg_get_int(result, row, 1)};
	*ret_places = places;
	*ret_count = pg_rows(result);
	return 0;
}
