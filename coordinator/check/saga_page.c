/* saga_page.c - see saga_page.h. */
#include "coordinator/check/saga_page.h"

#include <stdlib.h>

#include "lib/base/memory.h"

#define COLUMNS                                                                                                        \
	"s.saga_id, s.definition_id, s.state, s.data, s.key, s.updated_at, s.due_at, s.ended_at IS NOT NULL, now(),"   \
	" o.look_at, o.definition_id, o.state, o.is_paused, o.is_patient"                                              \
	" FROM saga s LEFT JOIN saga_open o ON o.saga_id = s.saga_id"

static struct page_saga read_row(const struct definition_book *book, const struct pg_result *rows, size_t at,
				 struct arena *arena)
{
	struct page_saga row = {
		.id = pg_get_uuid(rows, at, 0),
		.known = definition_book_find(book, pg_get_int(rows, at, 1)),
		.state = pg_get_int(rows, at, 2),
		.data = arena_bytes(arena, pg_get_bytes(rows, at, 3)),
		.key = pg_get_text(rows, at, 4, arena),
		.updated_us = pg_get_int(rows, at, 5),
		.due_us = pg_is_null(rows, at, 6) ? 0 : pg_get_int(rows, at, 6),
		.has_ended = pg_get_bool(rows, at, 7),
	};
	struct saga *saga;
	struct error err;

	row.has_open_row = !pg_is_null(rows, at, 9);
	if (row.has_open_row)
		row.open_row = (struct open_row){
			.look_us = pg_get_int(rows, at, 9),
			.definition_id = (int32_t)pg_get_int(rows, at, 10),
			.state = (enum saga_state)pg_get_int(rows, at, 11),
			.is_paused = pg_get_bool(rows, at, 12),
			.is_patient = pg_get_bool(rows, at, 13),
		};
	row.definition_id = (int32_t)pg_get_int(rows, at, 1);
	if (row.known && saga_decode(row.known->definition, row.data, arena, &saga, &err) == 0)
		row.saga = saga;
	return row;
}

static void read_rows(const struct definition_book *book, const struct pg_result *rows, struct arena *arena,
		      struct saga_page *page)
{
	*page = (struct saga_page){.sagas = arena_alloc(arena, (pg_rows(rows) + 1) * sizeof(*page->sagas)),
				   .count = pg_rows(rows)};
	for (size_t i = 0; i < page->count; i++)
		page->sagas[i] = read_row(book, rows, i, arena);
	if (page->count > 0)
		page->now_us = pg_get_int(rows, 0, 8);
}

int saga_page_load(struct pg *pg, const struct definition_book *book, struct uuid after, int64_t max,
		   struct arena *arena, struct saga_page *ret_page, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *rows = NULL;
	const struct pg_param params[] = {pg_uuid(&after), pg_int8(max)};

	if (pg_exec(pg, "SELECT " COLUMNS " WHERE s.saga_id > $1 ORDER BY s.saga_id LIMIT $2", params,
		    ARRAY_LEN(params), &rows, err) < 0)
		return error_prefix(err, "cannot read the sagas");
	read_rows(book, rows, arena, ret_page);
	return 0;
}

int saga_page_find(struct pg *pg, const struct definition_book *book, const struct uuid *ids, size_t count,
		   struct arena *arena, struct saga_page *ret_page, struct error *err)
{
	_cleanup_(pg_array_release)
	struct pg_array wanted;
	_cleanup_(pg_result_freep)
	struct pg_result *rows = NULL;
	struct pg_param param;

	pg_array_init(&wanted, PG_ARRAY_UUID);
	for (size_t i = 0; i < count; i++)
		pg_array_add_uuid(&wanted, &ids[i]);
	param = pg_array_param(&wanted);
	if (pg_exec(pg, "SELECT " COLUMNS " WHERE s.saga_id = ANY($1::uuid[]) ORDER BY s.saga_id", &param, 1, &rows,
		    err) < 0)
		return error_prefix(err, "cannot read the sagas");
	read_rows(book, rows, arena, ret_page);
	return 0;
}

static int compare_id(const void *id, const void *saga)
{
	return uuid_compare(*(const struct uuid *)id, ((const struct page_saga *)saga)->id);
}

const struct page_saga *saga_page_get(const struct saga_page *page, struct uuid id)
{
	return page->count ? bsearch(&id, page->sagas, page->count, sizeof(*page->sagas), compare_id) : NULL;
}

bool page_saga_is_terminal(const struct page_saga *saga)
{
	return saga->state >= 0 && saga->state < SAGA_STATE_COUNT &&
	       saga_state_is_terminal((enum saga_state)saga->state);
}
