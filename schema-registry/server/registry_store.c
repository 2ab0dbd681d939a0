/* registry_store.c - see registry_store.h. */
#include "schema-registry/server/registry_store.h"

#include <assert.h>

#include "lib/base/memory.h"
#include "schema-registry/server/registry_migrations.h"

int store_migrate(struct pg *pg, int64_t wait_ms, struct error *err)
{
	size_t count;
	const struct pg_migration *migrations = registry_migrations(&count);

	return pg_migrate(pg, migrations, count, wait_ms, err);
}

int store_ping(struct pg *pg, struct error *err)
{
	return pg_exec(pg, "SELECT 1", NULL, 0, NULL, err);
}

/* ---- reading results ---- */

static int32_t get_int(const struct pg_result *result, size_t row, int column)
{
	return (int32_t)pg_get_int(result, row, column); /* only asked of int4 columns */
}

static void get_identity(const struct pg_result *result, size_t row, int column, uint8_t *ret_identity)
{
	struct bytes identity = pg_get_bytes(result, row, column);

	assert(identity.len == SCHEMA_IDENTITY_LEN); /* the table checks it */
	memcpy(ret_identity, identity.data, identity.len);
}

static struct bytes identity_bytes(const struct stored_schema *schema)
{
	return (struct bytes){schema->identity, SCHEMA_IDENTITY_LEN};
}

/* ---- changes ---- */

/*
 * Not by one: after a failover to a copy that had not got the last changes, as many others would give the same count, and
 * caches would take what was lost for what is there.
 */
#define COUNT_CHANGE "changes = changes + 1 + (random() * 1e6)::bigint"

int32_t store_shard(struct subject subject)
{
	if (!*subject.name)
		return STORE_SHARD_ABOVE;
	return 1 + (int32_t)(subject_hash(subject) % (STORE_SHARDS - 1));
}

int store_lock_subject(struct pg *pg, struct subject subject, struct error *err)
{
	const struct pg_param params[] = {pg_int4(store_shard(subject))};

	if (pg_exec(pg, "UPDATE change_count SET " COUNT_CHANGE " WHERE shard = $1", params, ARRAY_LEN(params), NULL,
		    err) < 0)
		return -1;
	if (*subject.name)
		return 0;
	/* In any order: who has another row than the first waits for no further one. */
	return pg_exec(pg, "UPDATE change_count SET " COUNT_CHANGE " WHERE shard <> $1", params, ARRAY_LEN(params),
		       NULL, err);
}

int store_add_context(struct pg *pg, const char *context, struct error *err)
{
	const struct pg_param params[] = {pg_text(context)};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	if (strcmp(context, CONTEXT_DEFAULT) == 0)
		return 0; /* the migrations made it, and it stays */
	if (pg_exec(pg, "SELECT add_context($1) WHERE NOT EXISTS (SELECT FROM context WHERE name = $1)", params,
		    ARRAY_LEN(params), NULL, err) < 0 ||
	    pg_exec(pg, "SELECT name FROM context WHERE name = $1 FOR KEY SHARE", params, ARRAY_LEN(params), &result,
		    err) < 0)
		return -1;
	if (pg_rows(result) == 0) /* removed in between */
		return error_set(err, ERR_CONFLICT, "the context %s was just deleted", context);
	return 0;
}

/*
 * Everything of a registration in one statement, which alone is a transaction. It does nothing unless the count of changes
 * is still what it was, and holds its row from then on; so what was checked before holds. What context_sequence() says is
 * written out: a function would be planned anew at each call. Rows are held against removal by FOR SHARE and FOR KEY SHARE.
 */
static const char REGISTER[] =
	"WITH moved AS ("
	"  UPDATE change_count SET " COUNT_CHANGE " WHERE shard = $1 AND changes = $2 RETURNING shard),"
	" wanted AS ("
	"  SELECT * FROM unnest($11::text[], $12::text[], $13::text[], $14::int[])"
	"   WITH ORDINALITY AS w (name, context, subject, version, position)),"
	" held AS ("
	"  SELECT w.position FROM wanted w JOIN subject_version v ON v.context = w.context AND v.subject = w.subject"
	"   AND v.version = w.version AND NOT v.is_deleted FOR SHARE OF v),"
	" ready AS (SELECT shard FROM moved WHERE NOT EXISTS ("
	"  SELECT FROM wanted WHERE position NOT IN (SELECT position FROM held))),"
	" found AS ("
	"  SELECT id FROM schema WHERE context = $3 AND identity = $7 AND EXISTS (SELECT FROM ready) FOR KEY SHARE),"
	" made AS ("
	"  INSERT INTO schema (context, id, identity, format, body, metadata, rule_set)"
	"  SELECT $3, CASE WHEN $6::int IS NOT NULL THEN $6::int WHEN $16 THEN draw_free_id($3) ELSE nextval("
	"   (SELECT ('schema_id_' || number)::regclass FROM context WHERE name = $3))::int END, $7, $8, $9, $10, $15"
	"  FROM ready WHERE NOT EXISTS (SELECT FROM found) ON CONFLICT DO NOTHING RETURNING id),"
	" linked AS ("
	"  INSERT INTO schema_reference (context, schema_id, position, name, target_context, target_subject, "
	"target_version)"
	"  SELECT $3, made.id, w.position - 1, w.name, w.context, w.subject, w.version FROM made, wanted w),"
	" chosen AS (SELECT id FROM found UNION ALL SELECT id FROM made),"
	" placed AS ("
	"  INSERT INTO subject_version (context, subject, version, schema_id)"
	"  SELECT $3, $4, $5, id FROM chosen WHERE $6::int IS NULL OR id = $6::int)"
	" SELECT EXISTS (SELECT FROM moved), EXISTS (SELECT FROM ready), (SELECT id FROM chosen),"
	"  (SELECT min(position)::int - 1 FROM wanted WHERE position NOT IN (SELECT position FROM held)),"
	"  $6::int IS NOT NULL AND EXISTS (SELECT FROM schema WHERE context = $3 AND id = $6::int)";

struct reference_columns {
	struct pg_array names;
	struct pg_array contexts;
	struct pg_array subjects;
	struct pg_array versions;
};

static void fill_columns(struct reference_columns *columns, const struct stored_schema *schema)
{
	pg_array_init(&columns->names, PG_ARRAY_TEXT);
	pg_array_init(&columns->contexts, PG_ARRAY_TEXT);
	pg_array_init(&columns->subjects, PG_ARRAY_TEXT);
	pg_array_init(&columns->versions, PG_ARRAY_INT4);
	for (size_t i = 0; i < schema->reference_count; i++) {
		const struct stored_reference *reference = &schema->references[i];

		pg_array_add_bytes(&columns->names, bytes_of_text(reference->name));
		pg_array_add_bytes(&columns->contexts, bytes_of_text(reference->subject.context));
		pg_array_add_bytes(&columns->subjects, bytes_of_text(reference->subject.name));
		pg_array_add_int(&columns->versions, reference->version);
	}
}

static void release_columns(struct reference_columns *columns)
{
	pg_array_release(&columns->names);
	pg_array_release(&columns->contexts);
	pg_array_release(&columns->subjects);
	pg_array_release(&columns->versions);
}

static enum registration_outcome read_outcome(const struct pg_result *result, int32_t *ret_id)
{
	bool is_moved = pg_get_bool(result, 0, 0);
	bool is_ready = pg_get_bool(result, 0, 1);

	*ret_id = 0;
	if (is_moved && !is_ready) {
		*ret_id = get_int(result, 0, 3);
		return REGISTRATION_UNREFERENCED;
	}
	if (!pg_is_null(result, 0, 2)) {
		*ret_id = get_int(result, 0, 2);
		return REGISTRATION_DONE;
	}
	/* With the count in hand, but without an id: an equal schema was registered meanwhile, or the id is taken. */
	return is_moved && pg_get_bool(result, 0, 4) ? REGISTRATION_ID_TAKEN : REGISTRATION_OVERTAKEN;
}

int store_register(struct pg *pg, const struct registration *registration, enum registration_outcome *ret_outcome,
		   int32_t *ret_id, struct error *err)
{
	const struct stored_schema *schema = registration->schema;
	struct reference_columns columns;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	int status;

	fill_columns(&columns, schema);
	status = pg_exec(pg, REGISTER,
			 (const struct pg_param[]){
				 pg_int4(store_shard(registration->subject)),
				 pg_int8(registration->changes),
				 pg_text(registration->subject.context),
				 pg_text(registration->subject.name),
				 pg_int4(registration->version),
				 schema->id ? pg_int4(schema->id) : pg_null(),
				 pg_bytea(identity_bytes(schema)),
				 pg_text(schema_format_name(schema->format)),
				 pg_text(schema->text),
				 pg_text(schema->metadata),
				 pg_array_param(&columns.names),
				 pg_array_param(&columns.contexts),
				 pg_array_param(&columns.subjects),
				 pg_array_param(&columns.versions),
				 pg_text(schema->rule_set),
				 pg_bool(registration->is_id_searched),
			 },
			 16, &result, err);
	release_columns(&columns);
	if (status == 0)
		*ret_outcome = read_outcome(result, ret_id);
	return status;
}

int store_hide_versions(struct pg *pg, struct subject subject, int32_t version, struct error *err)
{
	const struct pg_param params[] = {pg_text(subject.context), pg_text(subject.name), pg_int4(version)};

	return pg_exec(pg,
		       "UPDATE subject_version SET is_deleted = true"
		       " WHERE context = $1 AND subject = $2 AND ($3::int = 0 OR version = $3::int) AND NOT is_deleted",
		       params, ARRAY_LEN(params), NULL, err);
}

int store_remove_versions(struct pg *pg, struct subject subject, int32_t version, struct error *err)
{
	const struct pg_param params[] = {pg_text(subject.context), pg_text(subject.name), pg_int4(version)};
	struct pg_array ids;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	int status = 0;

	/* The lock first: a registration that is about to hold one of the schemas ends before we look for holders. */
	if (pg_exec(pg,
		    "SELECT id FROM schema WHERE context = $1 AND id IN (SELECT schema_id FROM subject_version"
		    " WHERE context = $1 AND subject = $2 AND ($3::int = 0 OR version = $3::int)) ORDER BY id FOR "
		    "UPDATE",
		    params, ARRAY_LEN(params), &result, err) < 0)
		return -1;
	if (pg_exec(pg,
		    "DELETE FROM subject_version"
		    " WHERE context = $1 AND subject = $2 AND ($3::int = 0 OR version = $3::int)",
		    params, ARRAY_LEN(params), NULL, err) < 0)
		return -1;
	pg_array_init(&ids, PG_ARRAY_INT4);
	for (size_t row = 0; row < pg_rows(result); row++)
		pg_array_add_int(&ids, pg_get_int(result, row, 0));
	status = pg_exec(pg,
			 "DELETE FROM schema s WHERE context = $1 AND id = ANY($2::int[]) AND NOT EXISTS"
			 " (SELECT FROM subject_version v WHERE v.context = s.context AND v.schema_id = s.id)",
			 (const struct pg_param[]){pg_text(subject.context), pg_array_param(&ids)}, 2, NULL, err);
	pg_array_release(&ids);
	return status;
}

int store_set(struct pg *pg, struct subject subject, enum setting setting, const char *value, struct error *err)
{
	static const char *const statements[SETTING_COUNT] = {
		[SETTING_LEVEL] = "INSERT INTO setting (context, subject, level) VALUES ($1, $2, $3)"
				  " ON CONFLICT (context, subject) DO UPDATE SET level = excluded.level",
		[SETTING_MODE] = "INSERT INTO setting (context, subject, mode) VALUES ($1, $2, $3)"
				 " ON CONFLICT (context, subject) DO UPDATE SET mode = excluded.mode",
		[SETTING_CONFIG] = "INSERT INTO setting (context, subject, config) VALUES ($1, $2, $3)"
				   " ON CONFLICT (context, subject) DO UPDATE SET config = excluded.config",
	};
	const struct pg_param params[] = {pg_text(subject.context), pg_text(subject.name), pg_text(value)};

	return pg_exec(pg, statements[setting], params, ARRAY_LEN(params), NULL, err);
}

int store_forget_settings(struct pg *pg, struct subject subject, struct error *err)
{
	const struct pg_param params[] = {pg_text(subject.context), pg_text(subject.name)};

	return pg_exec(pg, "DELETE FROM setting WHERE context = $1 AND subject = $2", params, ARRAY_LEN(params), NULL,
		       err);
}

/* ---- queries ---- */

static int load_references(struct pg *pg, const char *context, struct stored_schema *schema, struct arena *arena,
			   struct error *err)
{
	const struct pg_param params[] = {pg_text(context), pg_int4(schema->id)};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	if (pg_exec(pg,
		    "SELECT name, target_context, target_subject, target_version FROM schema_reference"
		    " WHERE context = $1 AND schema_id = $2 ORDER BY position",
		    params, ARRAY_LEN(params), &result, err) < 0)
		return -1;
	schema->reference_count = pg_rows(result);
	schema->references = arena_zalloc(arena, (schema->reference_count + 1) * sizeof(*schema->references));
	for (size_t row = 0; row < schema->reference_count; row++) {
		struct stored_reference *reference = &schema->references[row];

		reference->name = pg_get_text(result, row, 0, arena);
		reference->subject.context = pg_get_text(result, row, 1, arena);
		reference->subject.name = pg_get_text(result, row, 2, arena);
		reference->version = get_int(result, row, 3);
	}
	return 0;
}

int store_load_schema(struct pg *pg, const char *context, int32_t id, struct arena *arena,
		      struct stored_schema **ret_schema, struct error *err)
{
	const struct pg_param params[] = {pg_text(context), pg_int4(id)};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct stored_schema *schema;
	const char *format;

	if (pg_exec(pg,
		    "SELECT identity, format, body, metadata, rule_set, EXISTS (SELECT FROM schema_reference r"
		    " WHERE r.context = s.context AND r.schema_id = s.id)"
		    " FROM schema s WHERE context = $1 AND id = $2",
		    params, ARRAY_LEN(params), &result, err) < 0)
		return -1;
	if (pg_rows(result) == 0) {
		*ret_schema = NULL;
		return 0;
	}
	schema = arena_zalloc(arena, sizeof(*schema));
	schema->id = id;
	get_identity(result, 0, 0, schema->identity);
	format = pg_get_text(result, 0, 1, arena);
	if (!schema_format_parse(format, &schema->format))
		return error_set(err, ERR_CORRUPT, "schema %d has the unknown format '%s'", id, format);
	schema->text = pg_get_text(result, 0, 2, arena);
	schema->metadata = pg_get_text(result, 0, 3, arena);
	schema->rule_set = pg_get_text(result, 0, 4, arena);
	if (pg_get_bool(result, 0, 5) && load_references(pg, context, schema, arena, err) < 0)
		return -1;
	*ret_schema = schema;
	return 0;
}

int store_read_changes(struct pg *pg, const int32_t *shards, int64_t *ret_changes, size_t count, struct error *err)
{
	struct pg_array wanted;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	int status;

	pg_array_init(&wanted, PG_ARRAY_INT4);
	for (size_t i = 0; i < count; i++)
		pg_array_add_int(&wanted, shards[i]);
	status = pg_exec(pg,
			 "SELECT c.changes FROM unnest($1::int[]) WITH ORDINALITY AS w (shard, position)"
			 " JOIN change_count c ON c.shard = w.shard ORDER BY w.position",
			 (const struct pg_param[]){pg_array_param(&wanted)}, 1, &result, err);
	pg_array_release(&wanted);
	if (status < 0)
		return -1;
	if (pg_rows(result) != count)
		return error_set(err, ERR_CORRUPT, "the table change_count lacks rows");
	for (size_t i = 0; i < count; i++)
		ret_changes[i] = pg_get_int(result, i, 0);
	return 0;
}

/* Four columns from the one that is given. */
static void get_version(const struct pg_result *result, size_t row, int column, struct stored_version *ret_version)
{
	ret_version->version = get_int(result, row, column);
	ret_version->schema_id = get_int(result, row, column + 1);
	get_identity(result, row, column + 2, ret_version->identity);
	ret_version->is_deleted = pg_get_bool(result, row, column + 3);
}

/* One row may be several of these: the subject asked for may be the context or everything. */
static void get_settings(const struct pg_result *result, size_t row, int column, struct subject subject,
			 struct stored_settings *settings, struct arena *arena)
{
	struct subject holder = {pg_get_text(result, row, column, arena), pg_get_text(result, row, column + 1, arena)};
	const char *level = pg_get_text(result, row, column + 2, arena);
	const char *mode = pg_get_text(result, row, column + 3, arena);
	const char *config = pg_get_text(result, row, column + 4, arena);

	if (subject_equal(holder, subject)) {
		settings->level = level;
		settings->mode = mode;
		settings->config = config;
	}
	if (subject_equal(holder, (struct subject){subject.context, ""})) {
		settings->context_level = level;
		settings->context_mode = mode;
		settings->context_config = config;
	}
	if (subject_equal(holder, (struct subject){CONTEXT_DEFAULT, ""})) {
		settings->global_level = level;
		settings->global_mode = mode;
		settings->global_config = config;
	}
}

/* One statement, so that all of it is of one moment. */
static const char LOAD_SUBJECT[] =
	"SELECT 0 AS kind, shard AS number, NULL::int, NULL::bytea, NULL::bool, changes, NULL::text, NULL::text,"
	"  NULL::text, NULL::text, NULL::text FROM change_count WHERE shard = $3"
	" UNION ALL SELECT 1, NULL, NULL, NULL, NULL, NULL, context, subject, level, mode, config FROM setting"
	"  WHERE context = $1 AND subject = ANY (ARRAY[$2, '']) OR context = '.' AND subject = ''"
	" UNION ALL SELECT 2, v.version, v.schema_id, s.identity, v.is_deleted, NULL, NULL, NULL, NULL, NULL, NULL"
	"  FROM subject_version v JOIN schema s ON s.context = v.context AND s.id = v.schema_id"
	"  WHERE v.context = $1 AND v.subject = $2"
	" ORDER BY kind, number";

static void read_subject(const struct pg_result *result, struct subject subject, struct arena *arena,
			 struct stored_subject *ret_subject)
{
	enum { KIND_CHANGES, KIND_SETTINGS, KIND_VERSION };
	struct stored_subject stored = {0};

	stored.versions = arena_alloc(arena, (pg_rows(result) + 1) * sizeof(*stored.versions));
	for (size_t row = 0; row < pg_rows(result); row++) {
		switch (pg_get_int(result, row, 0)) {
		case KIND_CHANGES:
			stored.changes = pg_get_int(result, row, 5);
			break;
		case KIND_SETTINGS:
			get_settings(result, row, 6, subject, &stored.settings, arena);
			break;
		case KIND_VERSION:
		default:
			get_version(result, row, 1, &stored.versions[stored.version_count++]);
			break;
		}
	}
	*ret_subject = stored;
}

int store_load_subject(struct pg *pg, struct subject subject, struct arena *arena, struct stored_subject *ret_subject,
		       struct error *err)
{
	const struct pg_param params[] = {pg_text(subject.context), pg_text(subject.name),
					  pg_int4(store_shard(subject))};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	if (pg_exec(pg, LOAD_SUBJECT, params, ARRAY_LEN(params), &result, err) < 0)
		return -1;
	read_subject(result, subject, arena, ret_subject);
	return 0;
}

int store_list_subjects(struct pg *pg, const struct subject_filter *filter, struct arena *arena,
			struct subject **ret_subjects, size_t *ret_count, struct error *err)
{
	const struct pg_param params[] = {pg_text(filter->context),
					  pg_text(filter->prefix),
					  pg_bool(filter->with_deleted || filter->only_deleted),
					  pg_bool(filter->only_deleted),
					  pg_int8(filter->offset),
					  filter->limit < 0 ? pg_null() : pg_int8(filter->limit)};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct subject *subjects;

	if (pg_exec(pg,
		    "SELECT context, subject FROM subject_version"
		    " WHERE ($1::text IS NULL OR context = $1) AND starts_with(subject, $2)"
		    " GROUP BY context, subject HAVING ($3::bool OR NOT bool_and(is_deleted))"
		    " AND (NOT $4::bool OR bool_and(is_deleted))"
		    " ORDER BY context COLLATE \"C\", subject COLLATE \"C\" OFFSET $5::bigint LIMIT $6::bigint",
		    params, ARRAY_LEN(params), &result, err) < 0)
		return -1;
	subjects = arena_alloc(arena, (pg_rows(result) + 1) * sizeof(*subjects));
	for (size_t row = 0; row < pg_rows(result); row++)
		subjects[row] =
			(struct subject){pg_get_text(result, row, 0, arena), pg_get_text(result, row, 1, arena)};
	*ret_subjects = subjects;
	*ret_count = pg_rows(result);
	return 0;
}

int store_search_versions(struct pg *pg, const struct subject_filter *filter, struct arena *arena,
			  struct stored_place **ret_places, size_t *ret_count, struct error *err)
{
	const struct pg_param params[] = {
		pg_text(filter->context),      pg_text(filter->prefix),
		pg_bool(filter->with_deleted), pg_bool(filter->latest_only),
		pg_int8(filter->offset),       filter->limit < 0 ? pg_null() : pg_int8(filter->limit),
		pg_text(filter->rule_type)};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct stored_place *places;

	if (pg_exec(pg,
		    "SELECT v.context, v.subject, v.version, v.schema_id, s.identity, v.is_deleted"
		    " FROM subject_version v JOIN schema s ON s.context = v.context AND s.id = v.schema_id"
		    " WHERE ($1::text IS NULL OR v.context = $1) AND starts_with(v.subject, $2)"
		    " AND ($3::bool OR NOT v.is_deleted) AND (NOT $4::bool OR NOT EXISTS"
		    " (SELECT FROM subject_version n WHERE n.context = v.context AND n.subject = v.subject"
		    " AND n.version > v.version AND ($3::bool OR NOT n.is_deleted)))"
		    /* the lists of rules are the members of the set */
		    " AND ($7::text IS NULL OR EXISTS (SELECT FROM"
		    " jsonb_path_query(s.rule_set::jsonb, '$.*[*].type') AS found WHERE found #>> '{}' = $7))"
		    " ORDER BY v.context COLLATE \"C\", v.subject COLLATE \"C\", v.version"
		    " OFFSET $5::bigint LIMIT $6::bigint",
		    params, ARRAY_LEN(params), &result, err) < 0)
		return -1;
	places = arena_alloc(arena, (pg_rows(result) + 1) * sizeof(*places));
	for (size_t row = 0; row < pg_rows(result); row++) {
		places[row].subject =
			(struct subject){pg_get_text(result, row, 0, arena), pg_get_text(result, row, 1, arena)};
		get_version(result, row, 2, &places[row].version);
	}
	*ret_places = places;
	*ret_count = pg_rows(result);
	return 0;
}

int store_list_contexts(struct pg *pg, struct arena *arena, const char ***ret_contexts, size_t *ret_count,
			struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	const char **contexts;

	if (pg_exec(pg, "SELECT name FROM context ORDER BY name COLLATE \"C\"", NULL, 0, &result, err) < 0)
		return -1;
	contexts = arena_alloc(arena, (pg_rows(result) + 1) * sizeof(*contexts));
	for (size_t row = 0; row < pg_rows(result); row++)
		contexts[row] = pg_get_text(result, row, 0, arena);
	*ret_contexts = contexts;
	*ret_count = pg_rows(result);
	return 0;
}

int store_list_holders(struct pg *pg, const char *context, int32_t schema_id, bool with_deleted, struct arena *arena,
		       struct stored_holder **ret_holders, size_t *ret_count, struct error *err)
{
	const struct pg_param params[] = {pg_text(context), pg_int4(schema_id), pg_bool(with_deleted)};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct stored_holder *holders;

	if (pg_exec(pg,
		    "SELECT subject, version FROM subject_version"
		    " WHERE context = $1 AND schema_id = $2 AND ($3 OR NOT is_deleted)"
		    " ORDER BY subject COLLATE \"C\", version",
		    params, ARRAY_LEN(params), &result, err) < 0)
		return -1;
	holders = arena_alloc(arena, (pg_rows(result) + 1) * sizeof(*holders));
	for (size_t row = 0; row < pg_rows(result); row++) {
		holders[row].subject = (struct subject){context, pg_get_text(result, row, 0, arena)};
		holders[row].version = get_int(result, row, 1);
	}
	*ret_holders = holders;
	*ret_count = pg_rows(result);
	return 0;
}

int store_list_referrers(struct pg *pg, struct subject subject, int32_t version, bool with_deleted, struct arena *arena,
			 int32_t **ret_ids, size_t *ret_count, struct error *err)
{
	const struct pg_param params[] = {pg_text(subject.context), pg_text(subject.name), pg_int4(version),
					  pg_bool(with_deleted)};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	int32_t *ids;

	if (pg_exec(pg,
		    "SELECT DISTINCT r.schema_id FROM schema_reference r JOIN subject_version v"
		    " ON v.context = r.context AND v.schema_id = r.schema_id AND ($4::bool OR NOT v.is_deleted)"
		    " WHERE r.target_context = $1 AND r.target_subject = $2"
		    " AND ($3::int = 0 OR r.target_version = $3::int) ORDER BY r.schema_id",
		    params, ARRAY_LEN(params), &result, err) < 0)
		return -1;
	ids = arena_alloc(arena, (pg_rows(result) + 1) * sizeof(*ids));
	for (size_t row = 0; row < pg_rows(result); row++)
		ids[row] = get_int(result, row, 0);
	*ret_ids = ids;
	*ret_count = pg_rows(result);
	return 0;
}

int store_max_id(struct pg *pg, const char *context, int32_t *ret_id, struct error *err)
{
	const struct pg_param params[] = {pg_text(context)};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	if (pg_exec(pg, "SELECT coalesce(max(id), 0) FROM schema WHERE context = $1", params, ARRAY_LEN(params),
		    &result, err) < 0)
		return -1;
	*ret_id = get_int(result, 0, 0);
	return 0;
}
