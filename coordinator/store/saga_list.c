/*
 * saga_list.c - ListSagas and GetSagaLog.
 *
 * Cost:    a list walks one index in the order of ids: that of the key, of all ids, the ids of the sagas with a label that few
 *          have, or the table of open sagas; what the index does not decide is checked row by row, SCAN_MAX rows a call. Who has
 *          a label is asked only where few of the next sagas have it. So
 *          a rare state among millions of sagas costs several calls of bounded length, and no index that every step would
 *          have to touch. The table of open sagas decides by state, pause and definition itself, and is narrow, so of
 *          it a call walks OPEN_SCAN_MAX rows, and checks SCAN_MAX sagas that are left.
 */
#include <assert.h>

#include "coordinator/store/store_state.h"

enum {
	SCAN_MAX = 5000,
	OPEN_SCAN_MAX = 10000,
	LABELED_MAX = 1000, /* sagas that have a label that few have */
	PROBED_MAX = 1000,  /* the next rows: if more than so many of them have the label, … */
	PROBED_FEW = 4,     /* … it is not looked for who has it */
};

/* ---- parts ---- */

struct bytes filter_labels(const struct saga_filter *filter, struct arena *arena)
{
	_cleanup_(buffer_release)
	struct buffer json = {0};

	for (size_t i = 0; i < filter->label_count; i++) {
		buffer_append_byte(&json, i > 0 ? ',' : '{');
		buffer_append_json_string(&json, filter->labels[i].name, strlen(filter->labels[i].name));
		buffer_append_byte(&json, ':');
		buffer_append_json_string(&json, filter->labels[i].value, strlen(filter->labels[i].value));
	}
	if (filter->label_count > 0)
		buffer_append_byte(&json, '}');
	return arena_bytes(arena, buffer_bytes(&json));
}

void filter_states(const struct saga_filter *filter, struct pg_array *ret_states)
{
	pg_array_init(ret_states, PG_ARRAY_INT2);
	for (int state = 0; state < SAGA_STATE_COUNT; state++)
		if (!filter->states || (filter->states & 1u << state))
			pg_array_add_int(ret_states, state);
}

int head_read(const struct pg_result *result, size_t row, struct arena *arena, struct saga_head *ret_head,
	      struct error *err)
{
	struct saga_head head = {0};
	struct uuid id = pg_get_uuid(result, row, 0);
	char id_text[UUID_TEXT_LEN + 1];

	if (saga_decode_head(pg_get_bytes(result, row, 2), arena, &head.saga, err) < 0) {
		uuid_format(id, id_text);
		return error_prefix(err, "saga '%s'", id_text);
	}
	head.definition_version = (int32_t)pg_get_int(result, row, 1);
	head.definition = pg_get_text(result, row, 3, arena);
	head.key = pg_get_text(result, row, 4, arena);
	head.idempotency_key = pg_get_text(result, row, 5, arena);
	if (!pg_is_null(result, row, 6))
		row_labels(pg_get_bytes(result, row, 6), arena, &head.labels, &head.label_count);
	*ret_head = head;
	return 0;
}

static struct pg_param time_param(int64_t unix_us)
{
	return unix_us ? pg_timestamptz(unix_us) : pg_null();
}

static struct pg_param text_param(const char *text)
{
	return text ? pg_text(text) : pg_null();
}

/* ---- the list ---- */

/* $1 after, $2 rows to look at, $3 rows wanted, $4 states, $5 definition, $6 its version, $7 key, $8 labels, $9 $10
 * created, $11 $12 updated, $13 paused ones alone, $14 those with the labels, or open rows to look at. The inner limit ends the
 * walk, the outer one the page. */
#define LIST_SQL(walked, ordered)                                                                                      \
	"SELECT" HEAD_COLUMNS "FROM " walked " s JOIN definition d ON d.id = s.definition_id"                          \
	" WHERE s.state = ANY($4::smallint[])"                                                                         \
	" AND ($5::text IS NULL OR s.definition_name = $5) AND ($6::int = 0 OR d.version = $6)"                        \
	" AND ($7::text IS NULL OR s.key = $7) AND ($8::jsonb IS NULL OR s.labels @> $8)"                              \
	" AND ($9::timestamptz IS NULL OR s.created_at >= $9) AND ($10::timestamptz IS NULL OR s.created_at < $10)"    \
	" AND ($11::timestamptz IS NULL OR s.updated_at >= $11) AND ($12::timestamptz IS NULL OR s.updated_at < $12)"  \
	" AND (NOT $13::boolean OR s.is_paused)"                                                                       \
	" ORDER BY " ordered " LIMIT $3"

#define WALKED(which, beyond, order)                                                                                   \
	"(SELECT *, saga_id AS place FROM saga WHERE " which " AND saga_id " beyond " $1 ORDER BY saga_id " order      \
	" LIMIT $2)"

/* The row at which the walk ended. */
#define END_SQL(which, beyond, order)                                                                                  \
	"SELECT saga_id FROM saga WHERE " which " AND saga_id " beyond " $1 ORDER BY saga_id " order                   \
	" OFFSET $2 - 1 LIMIT 1"

#define WALK(which)                                                                                                    \
	{                                                                                                              \
		{LIST_SQL(WALKED(which, "<", "DESC"), "s.place DESC"), END_SQL(which, "<", "DESC")},                   \
		{                                                                                                      \
			LIST_SQL(WALKED(which, ">", "ASC"), "s.place ASC"), END_SQL(which, ">", "ASC")                 \
		}                                                                                                      \
	}

/* The next rows of open sagas, so many; and those of them that may be listed. */
#define OPEN_ROWS(beyond, order, max)                                                                                  \
	"(SELECT * FROM saga_open WHERE saga_id " beyond " $1 ORDER BY saga_id " order " LIMIT " max ") o"
#define OPEN_WANTED(is_paused)                                                                                         \
	" WHERE o.state = ANY($4::smallint[]) AND (NOT " is_paused "::boolean OR o.is_paused) AND (o.definition_id IN" \
	" (SELECT id FROM definition WHERE ($5::text IS NULL OR name = $5) AND ($6::int = 0 OR version = $6))) IS "    \
	"TRUE"

/* LATERAL … OFFSET 0: a look-up for each of them, whatever the planner knows of either table. */
#define OPEN_WALKED(beyond, order)                                                                                     \
	"(SELECT s.*, w.saga_id AS place FROM"                                                                         \
	" (SELECT o.saga_id FROM " OPEN_ROWS(beyond, order, "$14")                                                     \
		OPEN_WANTED("$13") "  ORDER BY o.saga_id " order " LIMIT $2) w,"                                       \
				   " LATERAL (SELECT * FROM saga WHERE saga_id = w.saga_id OFFSET 0) s)"

/* By parameters of its own: $1 $2 $4 $5 $6 are the list's, $3 open rows to look at, $7 paused ones alone. */
#define OPEN_END_SQL(beyond, order)                                                                                    \
	"SELECT coalesce((SELECT o.saga_id FROM " OPEN_ROWS(beyond, order, "$3")                                       \
		OPEN_WANTED("$7") "  ORDER BY o.saga_id " order " OFFSET $2 - 1 LIMIT 1),"                             \
				  " (SELECT saga_id FROM saga_open WHERE saga_id " beyond                              \
				  " $1 ORDER BY saga_id " order " OFFSET $3 - 1 LIMIT 1))"

/* By the index on keys, whatever the planner knows of this one: it would rather look for a frequent key in all sagas, of which the next
 * may have another. Row comparisons begin in the middle of a key's sagas. */
#define KEY_ROWS(columns, key, beyond, within, order)                                                                  \
	"SELECT " columns " FROM saga WHERE (key, saga_id) " beyond " (" key "::text, $1) AND key " within " " key     \
	" ORDER BY key " order ", saga_id " order
#define KEY_WALK(beyond, within, order)                                                                                \
	{                                                                                                              \
		LIST_SQL("(" KEY_ROWS("*, saga_id AS place", "$7", beyond, within, order) " LIMIT $2)",                \
			 "s.key " order ", s.place " order),                                                           \
			KEY_ROWS("saga_id", "$3", beyond, within, order) " OFFSET $2 - 1 LIMIT 1"                      \
	}

enum walk { WALK_ALL, WALK_OPEN, WALK_KEY, WALK_LABELS, WALK_COUNT };

static const struct {
	const char *list;
	const char *end; /* not of WALK_LABELS, which looks at all */
} walks[WALK_COUNT][2] = {
	[WALK_ALL] = WALK("true"),
	[WALK_OPEN] = {{LIST_SQL(OPEN_WALKED("<", "DESC"), "s.place DESC"), OPEN_END_SQL("<", "DESC")},
		       {LIST_SQL(OPEN_WALKED(">", "ASC"), "s.place ASC"), OPEN_END_SQL(">", "ASC")}},
	[WALK_KEY] = {KEY_WALK("<", ">=", "DESC"), KEY_WALK(">", "<=", "ASC")},
	[WALK_LABELS] = WALK("saga_id = ANY($14::uuid[])"),
};

/* $1 after, $2 rows to look at, $3 labels. */
#define PROBE_SQL(beyond, order)                                                                                       \
	"SELECT count(*) FROM (SELECT labels FROM saga WHERE saga_id " beyond " $1 ORDER BY saga_id " order            \
	" LIMIT $2) s WHERE s.labels @> $3"

static bool has_open_states_only(const struct saga_filter *filter)
{
	for (int state = 0; state < SAGA_STATE_COUNT; state++)
		if ((filter->states & 1u << state) && saga_state_is_terminal((enum saga_state)state))
			return false;
	return filter->states != 0 || filter->is_paused; /* which none that has ended is */
}

/*
 * The ids of sagas with these labels; more than LABELED_MAX are no better than all ids, since they are in no order.
 * Asked for apart from the page, and whole: by what the planner knows of labels (a hundredth of all sagas has any one) it
 * would rather look for a page's worth in all sagas.
 */
static int find_labeled(struct store *store, struct bytes labels, struct pg_array *ids, bool *ret_are_few,
			struct error *err)
{
	const struct pg_param params[] = {pg_jsonb(labels), pg_int8(LABELED_MAX + 1)};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	if (pg_exec(store->pg,
		    "WITH labeled AS MATERIALIZED"
		    " (SELECT saga_id FROM saga WHERE labels IS NOT NULL AND labels @> $1)"
		    " SELECT saga_id FROM labeled LIMIT $2",
		    params, ARRAY_LEN(params), &result, err) < 0)
		return -1;
	*ret_are_few = pg_rows(result) <= LABELED_MAX;
	for (size_t i = 0; i < pg_rows(result) && *ret_are_few; i++) {
		const struct uuid id = pg_get_uuid(result, i, 0);

		pg_array_add_uuid(ids, &id);
	}
	return 0;
}

/* A list in the making. */
struct listing {
	const struct list_request *request;
	enum walk walk;
	struct uuid after;
	struct bytes labels;
	struct pg_array states;
	struct pg_array labeled; /* ids, for WALK_LABELS alone */
};

/* Whether many of the next sagas have the labels. Then a page is soon full, and reading all ids of a label that half a million have, to
 * see that they are too many, takes a hundred times as long. */
static int probe_labels(struct store *store, const struct listing *listing, bool *ret_are_many, struct error *err)
{
	const struct pg_param params[] = {pg_uuid(&listing->after), pg_int8(PROBED_MAX), pg_jsonb(listing->labels)};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	if (pg_exec(store->pg, listing->request->is_oldest_first ? PROBE_SQL(">", "ASC") : PROBE_SQL("<", "DESC"),
		    params, ARRAY_LEN(params), &result, err) < 0)
		return -1;
	*ret_are_many = pg_get_int(result, 0, 0) > PROBED_FEW;
	return 0;
}

static int choose_walk(struct store *store, struct listing *listing, struct error *err)
{
	const struct saga_filter *filter = &listing->request->filter;
	bool are_many = false;
	bool are_few = false;

	listing->walk = has_open_states_only(filter) ? WALK_OPEN : WALK_ALL;
	if (filter->key)
		listing->walk = WALK_KEY;
	if (filter->key || listing->labels.len == 0)
		return 0;
	if (probe_labels(store, listing, &are_many, err) < 0 ||
	    (!are_many && find_labeled(store, listing->labels, &listing->labeled, &are_few, err) < 0))
		return -1;
	if (are_few)
		listing->walk = WALK_LABELS;
	return 0;
}

static int read_list(struct store *store, struct listing *listing, struct pg_result **ret_result, struct error *err)
{
	const struct list_request *request = listing->request;
	const struct saga_filter *filter = &request->filter;
	const enum walk walk = listing->walk;
	const struct pg_param params[] = {
		pg_uuid(&listing->after),
		pg_int8(walk == WALK_LABELS ? INT32_MAX : SCAN_MAX),
		pg_int8((int64_t)request->limit + 1),
		pg_array_param(&listing->states),
		text_param(filter->definition),
		pg_int4(filter->definition_version),
		text_param(filter->key),
		listing->labels.len > 0 ? pg_jsonb(listing->labels) : pg_null(),
		time_param(request->created.from_us),
		time_param(request->created.before_us),
		time_param(request->updated.from_us),
		time_param(request->updated.before_us),
		pg_bool(filter->is_paused),
		walk == WALK_OPEN ? pg_int8(OPEN_SCAN_MAX) : pg_array_param(&listing->labeled),
	};
	const size_t param_count = ARRAY_LEN(params) - (walk != WALK_LABELS && walk != WALK_OPEN);

	return pg_exec(store->pg, walks[walk][request->is_oldest_first].list, params, param_count, ret_result, err);
}

/* The page is not full: was everything looked at, and if not, up to where? */
static int find_end(struct store *store, struct listing *listing, struct list_page *page, struct error *err)
{
	const struct saga_filter *filter = &listing->request->filter;
	const struct pg_param params[] = {
		pg_uuid(&listing->after),       pg_int8(SCAN_MAX),
		pg_int8(OPEN_SCAN_MAX),         pg_array_param(&listing->states),
		text_param(filter->definition), pg_int4(filter->definition_version),
		pg_bool(filter->is_paused),
	};
	const struct pg_param key_params[] = {params[0], params[1], text_param(filter->key)};
	const char *sql = walks[listing->walk][listing->request->is_oldest_first].end;
	const bool is_of_key = listing->walk == WALK_KEY;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	if (pg_exec(store->pg, sql, is_of_key ? key_params : params,
		    is_of_key                    ? ARRAY_LEN(key_params)
		    : listing->walk == WALK_OPEN ? ARRAY_LEN(params)
						 : 2,
		    &result, err) < 0)
		return -1;
	page->has_more = pg_rows(result) > 0 && !pg_is_null(result, 0, 0);
	if (page->has_more)
		page->last = pg_get_uuid(result, 0, 0);
	return 0;
}

static int read_page(struct store *store, struct listing *listing, struct arena *arena, struct list_page *ret_page,
		     struct error *err)
{
	const size_t limit = listing->request->limit;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct list_page page = {0};

	if (read_list(store, listing, &result, err) < 0)
		return -1;
	page.items = arena_alloc(arena, (pg_rows(result) + 1) * sizeof(*page.items));
	page.has_more = pg_rows(result) > limit;
	for (; page.count < pg_rows(result) && page.count < limit; page.count++)
		if (head_read(result, page.count, arena, &page.items[page.count], err) < 0)
			return -1;
	if (page.has_more)
		page.last = page.items[page.count - 1].saga.id;
	else if (listing->walk != WALK_LABELS && find_end(store, listing, &page, err) < 0)
		return -1;
	*ret_page = page;
	return 0;
}

int snapshot_begin(struct store *store, struct error *err)
{
	if (pg_begin(store->pg, err) < 0)
		return -1;
	if (pg_exec(store->pg, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, 0, NULL, err) == 0)
		return 0;
	pg_rollback(store->pg);
	return -1;
}

int list_read(struct store *store, const struct list_request *request, struct arena *arena, struct list_page *ret_page,
	      struct error *err)
{
	struct listing listing = {
		.request = request, .after = request->after, .labels = filter_labels(&request->filter, arena)};
	int result;

	if (!request->has_after)
		memset(listing.after.data, request->is_oldest_first ? 0 : 0xff, sizeof(listing.after.data));
	filter_states(&request->filter, &listing.states);
	pg_array_init(&listing.labeled, PG_ARRAY_UUID);
	result = choose_walk(store, &listing, err);
	if (result == 0)
		result = read_page(store, &listing, arena, ret_page, err);
	pg_array_release(&listing.states);
	pg_array_release(&listing.labeled);
	return result;
}

/* In one snapshot: where sagas end between two statements, the end of the walk would be behind some that nobody looked at. */
int list_sagas(void *ctx, const struct list_request *request, struct arena *arena, struct list_page *ret_page,
	       struct error *err)
{
	struct store *store = ctx;
	int result;

	if (snapshot_begin(store, err) < 0)
		return -1;
	result = list_read(store, request, arena, ret_page, err);
	pg_rollback(store->pg);
	return result;
}

int list_log(void *ctx, struct uuid saga_id, int64_t after, size_t limit, struct arena *arena,
	     struct store_log_row **ret_rows, size_t *ret_count, struct error *err)
{
	struct store *store = ctx;
	const struct pg_param params[] = {pg_uuid(&saga_id), pg_int8(after), pg_int8((int64_t)limit)};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	if (pg_exec(store->pg,
		    "SELECT" LOG_COLUMNS "FROM saga_log l WHERE l.saga_id = $1 AND l.sequence > $2"
		    " ORDER BY l.sequence LIMIT $3",
		    params, ARRAY_LEN(params), &result, err) < 0)
		return -1;
	row_log(result, arena, ret_rows, ret_count);
	return 0;
}
