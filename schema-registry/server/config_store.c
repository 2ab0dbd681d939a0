/* config_store.c - what is set for subjects beside level and mode, in Postgres. See registry_store.h. */
#include "lib/base/memory.h"
#include "schema-registry/server/registry_store.h"

int store_set_config(struct pg *pg, struct subject subject, const char *text, struct error *err)
{
	const struct pg_param params[] = {pg_text(subject.context), pg_text(subject.name), pg_text(text)};

	/* Nothing is raised for a subject that has no config, which is what most deletions meet. */
	return pg_exec(pg,
		       text ? "WITH changed AS (INSERT INTO setting (context, subject, config) VALUES ($1, $2, $3)"
			      " ON CONFLICT (context, subject) DO UPDATE SET config = excluded.config RETURNING 1)"
			      " UPDATE config_revision SET number = number + 1 WHERE EXISTS (SELECT FROM changed)"
			    : "WITH changed AS (UPDATE setting SET config = $3"
			      " WHERE context = $1 AND subject = $2 AND config IS NOT NULL RETURNING 1)"
			      " UPDATE config_revision SET number = number + 1 WHERE EXISTS (SELECT FROM changed)",
		       params, ARRAY_LEN(params), NULL, err);
}

int store_config_revision(struct pg *pg, int64_t *ret_revision, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	if (pg_exec(pg, "SELECT number FROM config_revision", NULL, 0, &result, err) < 0)
		return -1;
	*ret_revision = pg_get_int(result, 0, 0);
	return 0;
}

int store_list_configs(struct pg *pg, struct arena *arena, int64_t *ret_revision, struct stored_config **ret_configs,
		       size_t *ret_count, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct stored_config *configs;
	size_t count = 0;

	/* One statement, so that the number and the rows are of one moment. */
	if (pg_exec(pg,
		    "SELECT r.number, s.context, s.subject, s.config FROM config_revision r"
		    " LEFT JOIN setting s ON s.config IS NOT NULL",
		    NULL, 0, &result, err) < 0)
		return -1;
	configs = arena_alloc(arena, (pg_rows(result) + 1) * sizeof(*configs));
	for (size_t row = 0; row < pg_rows(result); row++) {
		if (pg_is_null(result, row, 1))
			continue;
		configs[count].subject.context = pg_get_text(result, row, 1, arena);
		configs[count].subject.name = pg_get_text(result, row, 2, arena);
		configs[count++].text = pg_get_text(result, row, 3, arena);
	}
	*ret_revision = pg_get_int(result, 0, 0);
	*ret_configs = configs;
	*ret_count = count;
	return 0;
}
