/* saga_reader.c - the reading half of the store port. Every statement is one round trip for any number of sagas. */
#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/store/store_state.h"

int reader_now(void *ctx, int64_t *ret_now_us, struct error *err)
{
	struct store *store = ctx;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	/* At the start, and when the store is looked for: a connection that cannot be had is missed now, not in a large turn. */
	for (int i = 1; i < STORE_LANES; i++)
		if (pg_connect(store->lanes[i].pg, err) < 0)
			return -1;
	if (pg_exec(store->pg, "SELECT clock_timestamp()", NULL, 0, &result, err) < 0)
		return -1;
	*ret_now_us = pg_get_int(result, 0, 0);
	return 0;
}

/* ---- rows ---- */

#define ROW_COLUMNS                                                                                                    \
	" s.saga_id, s.definition_id, s.version, s.state, s.data, s.definition_name, s.key, s.idempotency_key, "       \
	"s.input,"                                                                                                     \
	" s.labels, o.look_at, o.definition_id, o.state, o.is_paused, o.is_patient "
#define ROW_OPEN " LEFT JOIN saga_open o ON o.saga_id = s.saga_id"

void row_labels(struct bytes text, struct arena *arena, const struct engine_label **ret_labels, size_t *ret_count)
{
	json_t *json = json_loadb((const char *)text.data, text.len, 0, NULL);
	struct engine_label *labels = arena_alloc(arena, (json_object_size(json) + 1) * sizeof(*labels));
	size_t count = 0;
	const char *name;
	json_t *value;

	json_object_foreach(json, name, value)
	{
		const char *content = json_string_value(value);

		labels[count].name = arena_strdup(arena, name);
		labels[count++].value = arena_strdup(arena, content ? content : "");
	}
	json_decref(json);
	*ret_labels = labels;
	*ret_count = count;
}

static void read_row(const struct pg_result *result, size_t at, struct arena *arena, struct store_row *row)
{
	*row = (struct store_row){
		.saga_id = pg_get_uuid(result, at, 0),
		.definition_id = (int32_t)pg_get_int(result, at, 1),
		.version = pg_get_int(result, at, 2),
		.state = (enum saga_state)pg_get_int(result, at, 3),
		.data = arena_bytes(arena, pg_get_bytes(result, at, 4)),
		.definition_name = pg_get_text(result, at, 5, arena),
		.key = pg_get_text(result, at, 6, arena),
		.idempotency_key = pg_get_text(result, at, 7, arena),
		.input = arena_bytes(arena, pg_get_bytes(result, at, 8)),
	};
	if ((unsigned)row->state >= SAGA_STATE_COUNT)
		row->state = SAGA_STATE_STUCK; /* a later program's: for us it waits for somebody else */
	if (!pg_is_null(result, at, 9))
		row_labels(pg_get_bytes(result, at, 9), arena, &row->labels, &row->label_count);
	if (!pg_is_null(result, at, 10))
		row->open_row = (struct open_row){
			.look_us = pg_get_int(result, at, 10),
			.definition_id = (int32_t)pg_get_int(result, at, 11),
			.state = (enum saga_state)pg_get_int(result, at, 12),
			.is_paused = pg_get_bool(result, at, 13),
			.is_patient = pg_get_bool(result, at, 14),
		};
}

static int read_rows(struct store *store, const char *sql, const struct pg_param *params, size_t param_count,
		     struct arena *arena, struct store_row **ret_rows, size_t *ret_count, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct store_row *rows;

	if (pg_exec(store->pg, sql, params, param_count, &result, err) < 0)
		return -1;
	rows = arena_alloc(arena, (pg_rows(result) + 1) * sizeof(*rows));
	for (size_t i = 0; i < pg_rows(result); i++)
		read_row(result, i, arena, &rows[i]);
	*ret_rows = rows;
	*ret_count = pg_rows(result);
	return 0;
}

static void fill_ids(struct pg_array *array, const struct uuid *ids, size_t count)
{
	pg_array_init(array, PG_ARRAY_UUID);
	for (size_t i = 0; i < count; i++)
		pg_array_add_uuid(array, &ids[i]);
}

int reader_load(void *ctx, const struct uuid *ids, size_t count, struct arena *arena, struct store_row **ret_rows,
		size_t *ret_count, struct error *err)
{
	_cleanup_(pg_array_release)
	struct pg_array array;
	struct pg_param param;

	fill_ids(&array, ids, count);
	param = pg_array_param(&array);
	return read_rows(ctx,
			 "SELECT" ROW_COLUMNS
			 "FROM unnest($1::uuid[]) AS w(saga_id) JOIN saga s ON s.saga_id = w.saga_id" ROW_OPEN,
			 &param, 1, arena, ret_rows, ret_count, err);
}

int reader_find(void *ctx, const struct store_key *keys, size_t count, struct arena *arena, struct store_row **ret_rows,
		size_t *ret_count, struct error *err)
{
	_cleanup_(pg_array_release)
	struct pg_array names;
	_cleanup_(pg_array_release)
	struct pg_array idempotency_keys;
	struct pg_param params[2];

	pg_array_init(&names, PG_ARRAY_TEXT);
	pg_array_init(&idempotency_keys, PG_ARRAY_TEXT);
	for (size_t i = 0; i < count; i++) {
		pg_array_add_bytes(&names, bytes_of_text(keys[i].definition_name));
		pg_array_add_bytes(&idempotency_keys, bytes_of_text(keys[i].idempotency_key));
	}
	params[0] = pg_array_param(&names);
	params[1] = pg_array_param(&idempotency_keys);
	return read_rows(ctx,
			 "SELECT" ROW_COLUMNS "FROM unnest($1::text[], $2::text[]) AS w(name, key) JOIN saga s"
			 " ON s.definition_name = w.name AND s.idempotency_key = w.key" ROW_OPEN,
			 params, 2, arena, ret_rows, ret_count, err);
}

/* What is asked for, sorted, so that equal ones are neighbours: `firsts[i]` to `firsts[i + 1]` are one. */
struct asked {
	const struct store_waiting **items;
	size_t *firsts;
	size_t distinct;
};

static int compare_waiting(const void *a, const void *b)
{
	const struct store_waiting *const *left = a;
	const struct store_waiting *const *right = b;
	const int order = strcmp((*left)->key, (*right)->key);

	return order != 0 ? order : strcmp((*left)->definition_name, (*right)->definition_name);
}

static void sort_asked(const struct store_waiting *waiting, size_t count, struct arena *arena, struct asked *ret_asked)
{
	struct asked asked = {.items = arena_alloc(arena, (count + 1) * sizeof(*asked.items)),
			      .firsts = arena_alloc(arena, (count + 1) * sizeof(*asked.firsts))};

	for (size_t i = 0; i < count; i++)
		asked.items[i] = &waiting[i];
	qsort(asked.items, count, sizeof(*asked.items), compare_waiting);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || compare_waiting(&asked.items[i - 1], &asked.items[i]) != 0)
			asked.firsts[asked.distinct++] = i;
	asked.firsts[asked.distinct] = count;
	*ret_asked = asked;
}

/* Each row for all that asked for it. */
static void share_out_matches(const struct asked *asked, const struct store_waiting *waiting,
			      const struct pg_result *result, struct arena *arena, struct store_match **ret_matches,
			      size_t *ret_count)
{
	struct store_match *matches;
	size_t max = 1;
	size_t count = 0;

	for (size_t i = 0; i < pg_rows(result); i++) {
		const size_t *first = &asked->firsts[pg_get_int(result, i, 0) - 1];

		max += first[1] - first[0];
	}
	matches = arena_alloc(arena, max * sizeof(*matches));
	for (size_t i = 0; i < pg_rows(result); i++) {
		const size_t *first = &asked->firsts[pg_get_int(result, i, 0) - 1];

		for (size_t k = first[0]; k < first[1]; k++)
			matches[count++] = (struct store_match){.index = (size_t)(asked->items[k] - waiting),
								.saga_id = pg_get_uuid(result, i, 1),
								.definition_id = (int32_t)pg_get_int(result, i, 2)};
	}
	*ret_matches = matches;
	*ret_count = count;
}

/* Equal ones are looked up once, since the index on keys has all sagas that have ended, too. */
int reader_find_waiting(void *ctx, const struct store_waiting *waiting, size_t count, struct arena *arena,
			struct store_match **ret_matches, size_t *ret_count, struct error *err)
{
	struct store *store = ctx;
	_cleanup_(pg_array_release)
	struct pg_array names;
	_cleanup_(pg_array_release)
	struct pg_array keys;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct pg_param params[2];
	struct asked asked;

	sort_asked(waiting, count, arena, &asked);
	pg_array_init(&names, PG_ARRAY_TEXT);
	pg_array_init(&keys, PG_ARRAY_TEXT);
	for (size_t i = 0; i < asked.distinct; i++) {
		const struct store_waiting *one = asked.items[asked.firsts[i]];

		pg_array_add_bytes(&names, bytes_of_text(one->definition_name));
		pg_array_add_bytes(&keys, bytes_of_text(one->key));
	}
	params[0] = pg_array_param(&names);
	params[1] = pg_array_param(&keys);
	if (pg_exec(store->pg,
		    "SELECT w.place, s.saga_id, s.definition_id"
		    " FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(name, key, place)"
		    " JOIN saga s ON s.key = w.key AND s.definition_name = w.name AND s.ended_at IS NULL",
		    params, ARRAY_LEN(params), &result, err) < 0)
		return -1;
	share_out_matches(&asked, waiting, result, arena, ret_matches, ret_count);
	return 0;
}

/* ---- pages ---- */

/* Columns: now, saga id (NULL: no row), version, state; of a look also its look_at, with which the look ended (NULL: there is
 * no more), and with which it began (NULL: there is none). */
static int read_page(struct store *store, const char *sql, const struct pg_param *params, size_t param_count,
		     const struct store_look *look, struct arena *arena, struct store_page *ret_page, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct store_page page = {0};

	if (pg_exec(store->pg, sql, params, param_count, &result, err) < 0)
		return -1;
	page.items = arena_alloc(arena, (pg_rows(result) + 1) * sizeof(*page.items));
	for (size_t i = 0; i < pg_rows(result); i++) {
		page.now_us = pg_get_int(result, i, 0);
		if (pg_is_null(result, i, 1))
			continue;
		page.items[page.count++] = (struct store_glance){
			.saga_id = pg_get_uuid(result, i, 1),
			.version = pg_get_int(result, i, 2),
			.state = (enum saga_state)pg_get_int(result, i, 3),
		};
	}
	if (look && !pg_is_null(result, 0, 6))
		page.first_us = pg_get_int(result, 0, 6);
	if (look && page.count == look->found_max) {
		page.has_more = true;
		page.next_us = pg_get_int(result, page.count - 1, 4);
	} else if (look && !pg_is_null(result, 0, 5)) {
		page.has_more = true;
		page.next_us = pg_get_int(result, 0, 5);
	}
	if (page.has_more &&
	    page.next_us <= look->from_us) /* all were at one moment: better leave some out than stay */
		page.next_us = look->from_us + 1;
	*ret_page = page;
	return 0;
}

/*
 * $1 from, $2 rows to look at, $3 rows wanted. First the rows that are looked at are limited, then those that need not be read are
 * sorted out, then the sagas' own rows decide. Each is a subquery that is kept whole, so that there is one plan: a look-up for
 * each, in the order of look_at. The outer join makes one row of an empty page, which still has the time.
 */
#define LOOK_SQL(is_looked_at, is_read, is_wanted)                                                                     \
	"WITH looked AS MATERIALIZED (SELECT saga_id, look_at, is_patient FROM saga_open"                              \
	" WHERE look_at >= $1 AND " is_looked_at " ORDER BY look_at LIMIT $2)"                                         \
	" SELECT now(), found.saga_id, found.version, found.state, found.look_at,"                                     \
	"  (SELECT look_at FROM looked OFFSET $2 - 1), (SELECT look_at FROM looked LIMIT 1)"                           \
	" FROM (VALUES (1)) AS one LEFT JOIN (SELECT s.*, looked.look_at FROM looked,"                                 \
	"  LATERAL (SELECT saga_id, version, state, due_at, sent_by, sent_boot FROM saga"                              \
	"   WHERE saga_id = looked.saga_id OFFSET 0) AS s"                                                             \
	"  WHERE " is_read " AND " is_wanted " LIMIT $3) AS found ON true"

int reader_due(void *ctx, const struct store_look *look, struct arena *arena, struct store_page *ret_page,
	       struct error *err)
{
	const struct pg_param params[] = {pg_timestamptz(look->from_us), pg_int8((int64_t)look->looked_max),
					  pg_int8((int64_t)look->found_max)};

	return read_page(ctx, LOOK_SQL("look_at <= now()", "true", "s.due_at <= now()"), params, ARRAY_LEN(params),
			 look, arena, ret_page, err);
}

/* Patient ones alone have an index of their own. */
#define LEFT_SQL(which)                                                                                                \
	LOOK_SQL(which "look_at < $7", "(looked.look_at < $6 OR looked.is_patient)",                                   \
		 "s.sent_by = $4 AND s.sent_boot <> $5")

int reader_left_behind(void *ctx, const struct store_look *look, const struct store_left *left, struct arena *arena,
		       struct store_page *ret_page, struct error *err)
{
	const struct pg_param params[] = {pg_timestamptz(look->from_us),
					  pg_int8((int64_t)look->looked_max),
					  pg_int8((int64_t)look->found_max),
					  pg_text(left->instance),
					  pg_int8(left->boot),
					  pg_timestamptz(left->near_us),
					  pg_timestamptz(left->before_us)};

	return read_page(ctx, left->near_us == 0 ? LEFT_SQL("is_patient AND ") : LEFT_SQL(""), params,
			 ARRAY_LEN(params), look, arena, ret_page, err);
}

int reader_glance(void *ctx, const struct uuid *ids, size_t count, struct arena *arena, struct store_page *ret_page,
		  struct error *err)
{
	_cleanup_(pg_array_release)
	struct pg_array array;
	struct pg_param param;

	fill_ids(&array, ids, count);
	param = pg_array_param(&array);
	return read_page(ctx,
			 "SELECT now(), s.saga_id, s.version, s.state FROM unnest($1::uuid[]) AS w(saga_id)"
			 " JOIN saga s ON s.saga_id = w.saga_id",
			 &param, 1, NULL, arena, ret_page, err);
}

/* ---- the log ---- */

static void read_log_row(const struct pg_result *result, size_t at, struct arena *arena, struct store_log_row *row)
{
	const char *step_id = pg_get_text(result, at, 4, arena);

	*row = (struct store_log_row){
		.saga_id = pg_get_uuid(result, at, 0),
		.step_id = step_id ? step_id : "",
		.entry =
			{
				.sequence = pg_get_int(result, at, 1),
				.event =
					{
						.time_us = pg_get_int(result, at, 2),
						.type = (enum saga_event_type)pg_get_int(result, at, 3),
						.step = -1,
						.phase = (enum step_phase)pg_get_int(result, at, 5),
						.attempt = (int32_t)pg_get_int(result, at, 6),
						.milestone = pg_get_text(result, at, 7, arena),
						.reason = pg_get_text(result, at, 8, arena),
						.detail = pg_get_text(result, at, 9, arena),
						.has_no_effect = pg_get_bool(result, at, 10),
						.actor = pg_get_text(result, at, 12, arena),
					},
				.state = (enum saga_state)pg_get_int(result, at, 11),
			},
	};
	row->entry.milestone = row->entry.event.milestone;
}

void row_log(const struct pg_result *result, struct arena *arena, struct store_log_row **ret_rows, size_t *ret_count)
{
	struct store_log_row *rows = arena_alloc(arena, (pg_rows(result) + 1) * sizeof(*rows));

	for (size_t i = 0; i < pg_rows(result); i++)
		read_log_row(result, i, arena, &rows[i]);
	*ret_rows = rows;
	*ret_count = pg_rows(result);
}

int reader_load_log(void *ctx, const struct uuid *ids, size_t count, struct arena *arena,
		    struct store_log_row **ret_rows, size_t *ret_count, struct error *err)
{
	struct store *store = ctx;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	_cleanup_(pg_array_release)
	struct pg_array array;
	struct pg_param param;

	fill_ids(&array, ids, count);
	param = pg_array_param(&array);
	if (pg_exec(store->pg,
		    "SELECT" LOG_COLUMNS "FROM unnest($1::uuid[]) AS w(saga_id)"
		    " JOIN saga_log l ON l.saga_id = w.saga_id ORDER BY l.saga_id, l.sequence",
		    &param, 1, &result, err) < 0)
		return -1;
	row_log(result, arena, ret_rows, ret_count);
	return 0;
}

int reader_count_open(void *ctx, struct uuid after, size_t looked_max, struct arena *arena,
		      struct store_counts *ret_counts, struct error *err)
{
	struct store *store = ctx;
	const struct pg_param params[] = {pg_uuid(&after), pg_int8((int64_t)looked_max)};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct store_counts counts = {0};

	if (pg_exec(store->pg,
		    "WITH looked AS MATERIALIZED (SELECT saga_id, definition_id, state, is_paused FROM saga_open"
		    " WHERE saga_id > $1 ORDER BY saga_id LIMIT $2)"
		    " SELECT d.name, c.state, c.sagas, c.paused, (SELECT saga_id FROM looked OFFSET $2 - 1)"
		    " FROM (SELECT definition_id, state, count(*) AS sagas, count(*) FILTER (WHERE is_paused) AS paused"
		    "  FROM looked GROUP BY definition_id, state) AS c JOIN definition d ON d.id = c.definition_id",
		    params, ARRAY_LEN(params), &result, err) < 0)
		return -1;
	counts.items = arena_zalloc(arena, (pg_rows(result) + 1) * sizeof(*counts.items));
	for (; counts.count < pg_rows(result); counts.count++)
		counts.items[counts.count] = (struct store_count){
			.definition_name = pg_get_text(result, counts.count, 0, arena),
			.state = (enum saga_state)pg_get_int(result, counts.count, 1),
			.sagas = pg_get_int(result, counts.count, 2),
			.paused = pg_get_int(result, counts.count, 3),
		};
	counts.has_more = counts.count > 0 && !pg_is_null(result, 0, 4);
	if (counts.has_more)
		counts.last = pg_get_uuid(result, 0, 4);
	*ret_counts = counts;
	return 0;
}
