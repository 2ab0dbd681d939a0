/*
 * id_store.c - how ids go on after imports. See registry_store.h.
 *
 * The next id is drawn from the context's sequence without a look at the table, for that is fast and waits for nobody. It may
 * be taken: imports bring any number, and setval() may undo what was drawn a moment before. The unique key finds that, and
 * the registration comes again with draw_free_id() (registry_migrations.c), which looks.
 */
#include "lib/base/memory.h"
#include "schema-registry/server/registry_store.h"

int store_lock_ids(struct pg *pg, const char *context, struct error *err)
{
	const struct pg_param params[] = {pg_text(context)};

	return pg_exec(pg, "SELECT lock_ids($1)", params, ARRAY_LEN(params), NULL, err);
}

int store_raise_ids(struct pg *pg, const char *context, int32_t id, struct error *err)
{
	const struct pg_param params[] = {pg_text(context), pg_int4(id)};

	if (id > ID_FOLLOWED_MAX)
		return 0;
	return pg_exec(pg,
		       "SELECT setval(context_sequence($1), $2::int) WHERE $2::int >"
		       " coalesce(pg_sequence_last_value(context_sequence($1)), 0)",
		       params, ARRAY_LEN(params), NULL, err);
}
