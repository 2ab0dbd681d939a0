/*
 * definition_table.c - definitions as they were registered, for the catalog.
 *
 * Why:     versions and ids are given under a lock, without gaps and in the order of commits: whoever asks for "all
 *          after this id" misses none, and two instances that register the same text get the same version.
 */
#include <jansson.h>

#include "coordinator/store/store_state.h"
#include "lib/base/crash_point.h"

static void append_pins(const struct stored_definition *definition, struct buffer *out)
{
	buffer_append_byte(out, '[');
	for (size_t i = 0; i < definition->pin_count; i++) {
		const struct plan_pin *pin = &definition->pins[i];

		buffer_append_text(out, i > 0 ? ", {\"subject\": " : "{\"subject\": ");
		buffer_append_json_string(out, pin->subject, strlen(pin->subject));
		buffer_append_format(out, ", \"version\": %d, \"schema_id\": %d}", pin->version, pin->schema_id);
	}
	buffer_append_byte(out, ']');
}

struct stored_key {
	int32_t id;
	int32_t version;
	int64_t created_us;
	bool is_new;
};

static int insert(struct pg *pg, const struct stored_definition *definition, struct stored_key *ret_key,
		  struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	_cleanup_(buffer_release)
	struct buffer pins = {0};
	struct pg_param params[4];

	append_pins(definition, &pins);
	params[0] = pg_text(definition->name);
	params[1] = pg_text(definition->source);
	params[2] = pg_jsonb(buffer_bytes(&pins));
	params[3] = definition->creator ? pg_text(definition->creator) : pg_null();
	if (pg_exec(pg,
		    "INSERT INTO definition (id, name, version, source, pins, creator) SELECT"
		    " (SELECT coalesce(max(id), 0) + 1 FROM definition), $1,"
		    " (SELECT coalesce(max(version), 0) + 1 FROM definition WHERE name = $1), $2, $3, $4"
		    " RETURNING id, version, created_at",
		    params, ARRAY_LEN(params), &result, err) < 0)
		return -1;
	*ret_key = (struct stored_key){
		.id = (int32_t)pg_get_int(result, 0, 0),
		.version = (int32_t)pg_get_int(result, 0, 1),
		.created_us = pg_get_int(result, 0, 2),
		.is_new = true,
	};
	return 0;
}

static int put_locked(struct pg *pg, const struct stored_definition *definition, struct stored_key *ret_key,
		      struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	const struct pg_param name = pg_text(definition->name);

	if (pg_exec(pg, "LOCK TABLE definition IN SHARE ROW EXCLUSIVE MODE", NULL, 0, NULL, err) < 0)
		return -1;
	if (pg_exec(pg,
		    "SELECT id, version, created_at, source FROM definition WHERE name = $1"
		    " ORDER BY version DESC LIMIT 1",
		    &name, 1, &result, err) < 0)
		return -1;
	if (pg_rows(result) == 0 || !bytes_equal_text(pg_get_bytes(result, 0, 3), definition->source))
		return insert(pg, definition, ret_key, err);
	*ret_key = (struct stored_key){
		.id = (int32_t)pg_get_int(result, 0, 0),
		.version = (int32_t)pg_get_int(result, 0, 1),
		.created_us = pg_get_int(result, 0, 2),
	};
	return 0;
}

int definition_table_put(void *ctx, const struct stored_definition *definition, int32_t *ret_id, int32_t *ret_version,
			 int64_t *ret_created_us, bool *ret_created, struct error *err)
{
	struct store *store = ctx;
	struct pg *pg = store->definitions_pg;
	struct stored_key key;

	if (pg_begin(pg, err) < 0)
		return -1;
	if (put_locked(pg, definition, &key, err) < 0) {
		pg_rollback(pg);
		return -1;
	}
	/* An unknown outcome needs nothing: the same call again finds its own row, since the source is the same. */
	CRASH_POINT(DEFINITION_BEFORE_COMMIT);
	if (pg_commit(pg, NULL, err) < 0)
		return -1;
	CRASH_POINT(DEFINITION_AFTER_COMMIT);
	*ret_id = key.id;
	*ret_version = key.version;
	*ret_created_us = key.created_us;
	*ret_created = key.is_new;
	return 0;
}

static int read_pins(struct bytes text, struct arena *arena, struct stored_definition *definition, struct error *err)
{
	json_t *json = json_loadb((const char *)text.data, text.len, 0, NULL);
	struct plan_pin *pins;
	size_t index;
	json_t *item;

	if (!json_is_array(json)) {
		json_decref(json);
		return error_set(err, ERR_CORRUPT, "definition %d (%s): column 'pins' is no list", definition->id,
				 definition->name);
	}
	pins = arena_zalloc(arena, (json_array_size(json) + 1) * sizeof(*pins));
	json_array_foreach(json, index, item)
	{
		const char *subject = json_string_value(json_object_get(item, "subject"));

		pins[index].subject = arena_strdup(arena, subject ? subject : "");
		pins[index].version = (int32_t)json_integer_value(json_object_get(item, "version"));
		pins[index].schema_id = (int32_t)json_integer_value(json_object_get(item, "schema_id"));
	}
	definition->pins = pins;
	definition->pin_count = json_array_size(json);
	json_decref(json);
	return 0;
}

int definition_table_load(void *ctx, int32_t after_id, struct arena *arena, struct stored_definition **ret_definitions,
			  size_t *ret_count, struct error *err)
{
	struct store *store = ctx;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	const struct pg_param after = pg_int4(after_id);
	struct stored_definition *definitions;

	if (pg_exec(store->definitions_pg,
		    "SELECT id, name, version, source, pins, created_at, creator FROM definition WHERE id > $1 ORDER "
		    "BY id",
		    &after, 1, &result, err) < 0)
		return -1;
	definitions = arena_zalloc(arena, (pg_rows(result) + 1) * sizeof(*definitions));
	for (size_t i = 0; i < pg_rows(result); i++) {
		definitions[i].id = (int32_t)pg_get_int(result, i, 0);
		definitions[i].name = pg_get_text(result, i, 1, arena);
		definitions[i].version = (int32_t)pg_get_int(result, i, 2);
		definitions[i].source = pg_get_text(result, i, 3, arena);
		definitions[i].created_us = pg_get_int(result, i, 5);
		definitions[i].creator = pg_get_text(result, i, 6, arena);
		if (read_pins(pg_get_bytes(result, i, 4), arena, &definitions[i], err) < 0)
			return -1;
	}
	*ret_definitions = definitions;
	*ret_count = pg_rows(result);
	return 0;
}
