/* assertion_check.c - see assertion_check.h. */
#include "coordinator/check/assertion_check.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/memory.h"

enum { ROWS_SHOWN_MAX = 100, ROW_BYTES_MAX = 500 };

/* NULL: no such database was named. */
static struct pg *find_database(const struct assertion_check *check, const char *name)
{
	if (strcmp(name, "coordinator") == 0)
		return check->coordinator;
	for (size_t i = 0; i < check->participants->count; i++)
		for (size_t k = 0; k < check->participants->inboxes[i].name_count; k++)
			if (strcmp(check->participants->inboxes[i].names[k], name) == 0)
				return check->participants->inboxes[i].pg;
	return NULL;
}

static size_t count_queries(const struct assertion *assertion)
{
	return assertion->kind == ASSERTION_EQUAL ? ASSERTION_SIDES : 1;
}

void assertion_check_init(struct assertion_check *check, const struct check_listener *listener,
			  const struct assertion_list *list, struct participant_check *participants,
			  struct pg *coordinator)
{
	*check = (struct assertion_check){
		.listener = listener, .list = *list, .participants = participants, .coordinator = coordinator};
	arena_init(&check->arena, 0);
	check->is_off = xcalloc(list->count + 1, sizeof(*check->is_off));
	for (size_t i = 0; i < list->count; i++)
		for (size_t k = 0; k < count_queries(&list->items[i]) && !check->is_off[i]; k++) {
			const char *database = list->items[i].queries[k].database;

			if (find_database(check, database))
				continue;
			check->is_off[i] = true;
			check_undecided(listener, "assertion '%s': no --participant %s=… says where '%s' is",
					list->items[i].name, database, database);
		}
}

void assertion_check_release(struct assertion_check *check)
{
	free(check->is_off);
	arena_release(&check->arena);
}

static void report(const struct assertion_check *check, const struct assertion *assertion, const struct uuid *saga_id,
		   const char *text)
{
	const struct violation violation = {.saga_id = saga_id, .text = text, .advice = assertion->advice};

	check->listener->violation(check->listener->ctx, &violation);
}

static void turn_off(struct assertion_check *check, size_t at, const char *database, const struct error *err)
{
	check->is_off[at] = true;
	check_undecided(check->listener, "assertion '%s': %s: %s", check->list.items[at].name, database, err->msg);
}

static int ask(const struct assertion_check *check, const struct assertion_query *query, const struct pg_param *params,
	       size_t count, struct pg_result **ret_rows, struct error *err)
{
	struct pg *pg = find_database(check, query->database);
	int result = -1;

	if (pg_begin(pg, err) < 0)
		return -1;
	if (pg_exec(pg, "SET TRANSACTION READ ONLY", NULL, 0, NULL, err) == 0)
		result = pg_exec(pg, query->sql, params, count, ret_rows, err);
	pg_rollback(pg);
	return result;
}

/* ---- none ---- */

static void check_rows(struct assertion_check *check, size_t at)
{
	const struct assertion *assertion = &check->list.items[at];
	_cleanup_(pg_result_freep)
	struct pg_result *rows = NULL;
	struct error err;

	if (ask(check, &assertion->queries[0], NULL, 0, &rows, &err) < 0) {
		turn_off(check, at, assertion->queries[0].database, &err);
		return;
	}
	for (size_t i = 0; i < pg_rows(rows) && i < ROWS_SHOWN_MAX; i++) {
		const struct bytes row = pg_get_bytes(rows, i, 0);
		const size_t len =
			utf8_whole_len((const char *)row.data, row.len < ROW_BYTES_MAX ? row.len : ROW_BYTES_MAX);

		report(check, assertion, NULL,
		       arena_format(&check->arena, "I%d: %s: %.*s%s", assertion->invariant, assertion->name, (int)len,
				    (const char *)row.data, len < row.len ? "…" : ""));
	}
	if (pg_rows(rows) > ROWS_SHOWN_MAX)
		report(check, assertion, NULL,
		       arena_format(&check->arena, "I%d: %s: more than %d rows", assertion->invariant, assertion->name,
				    ROWS_SHOWN_MAX));
	arena_clear(&check->arena);
}

void assertion_check_rows(struct assertion_check *check)
{
	for (size_t i = 0; i < check->list.count; i++)
		if (check->list.items[i].kind == ASSERTION_NONE && !check->is_off[i])
			check_rows(check, i);
}

/* ---- equal ---- */

/* An operator's word may stand against the books: who resolves a saga, or skips a step, answers for the rest. */
static bool has_ended_by_itself(const struct page_saga *saga)
{
	if (!saga->saga || !saga_state_is_terminal(saga->saga->state) || saga->saga->is_resolved)
		return false;
	for (size_t i = 0; i < saga->saga->step_count; i++)
		if (saga->saga->steps[i].state == STEP_STATE_SKIPPED &&
		    saga->known->definition->steps[i].action == STEP_ACTION_COMMAND)
			return false;
	return true;
}

static const struct uuid *saga_of_key(const struct saga_page *page, const char *key)
{
	for (size_t i = 0; i < page->count; i++)
		if (strcmp(page->sagas[i].key, key) == 0)
			return &page->sagas[i].id;
	return NULL;
}

static void report_key(struct assertion_check *check, const struct assertion *assertion, const struct saga_page *page,
		       const char *key, const char *const sums[ASSERTION_SIDES])
{
	const struct assertion_query *queries = assertion->queries;

	report(check, assertion, saga_of_key(page, key),
	       arena_format(&check->arena, "I%d: %s: '%s' is %s by %s and %s by %s", assertion->invariant,
			    assertion->name, key, sums[0], queries[0].database, sums[1], queries[1].database));
}

/* Both are sorted by their keys; a key that one does not have is 0 there. */
static void compare_sides(struct assertion_check *check, const struct assertion *assertion,
			  const struct saga_page *page, struct pg_result *const sides[ASSERTION_SIDES])
{
	size_t at[ASSERTION_SIDES] = {0};

	while (at[0] < pg_rows(sides[0]) || at[1] < pg_rows(sides[1])) {
		const char *keys[ASSERTION_SIDES] = {NULL, NULL};
		const char *sums[ASSERTION_SIDES] = {"0", "0"};
		int order;

		for (int i = 0; i < ASSERTION_SIDES; i++)
			if (at[i] < pg_rows(sides[i]))
				keys[i] = pg_is_null(sides[i], at[i], 0)
						  ? ""
						  : pg_get_text(sides[i], at[i], 0, &check->arena);
		order = !keys[0] ? 1 : !keys[1] ? -1 : strcmp(keys[0], keys[1]);
		for (int i = 0; i < ASSERTION_SIDES; i++)
			if (i == 0 ? order <= 0 : order >= 0)
				sums[i] = pg_get_text(sides[i], at[i]++, 1, &check->arena);
		if (strcmp(sums[0], sums[1]) != 0)
			report_key(check, assertion, page, keys[order > 0], sums);
	}
}

static void check_equal(struct assertion_check *check, size_t at, const struct saga_page *page)
{
	const struct assertion *assertion = &check->list.items[at];
	struct pg_result *sides[ASSERTION_SIDES] = {NULL, NULL};
	_cleanup_(pg_array_release)
	struct pg_array ids;
	_cleanup_(pg_array_release)
	struct pg_array keys;
	struct pg_param params[2];
	struct error err;

	pg_array_init(&ids, PG_ARRAY_UUID);
	pg_array_init(&keys, PG_ARRAY_TEXT);
	for (size_t i = 0; i < page->count; i++) {
		const struct page_saga *saga = &page->sagas[i];

		if (!has_ended_by_itself(saga) ||
		    (assertion->saga && strcmp(assertion->saga, saga->known->definition->name) != 0))
			continue;
		pg_array_add_uuid(&ids, &saga->id);
		pg_array_add_bytes(&keys, bytes_of_text(saga->key));
	}
	params[0] = pg_array_param(&ids);
	params[1] = pg_array_param(&keys);
	for (size_t i = 0; i < ASSERTION_SIDES && ids.count > 0 && !check->is_off[at]; i++)
		if (ask(check, &assertion->queries[i], params, ARRAY_LEN(params), &sides[i], &err) < 0)
			turn_off(check, at, assertion->queries[i].database, &err);
	if (sides[0] && sides[1])
		compare_sides(check, assertion, page, sides);
	for (size_t i = 0; i < ASSERTION_SIDES; i++)
		pg_result_free(sides[i]);
	arena_clear(&check->arena);
}

void assertion_check_page(struct assertion_check *check, const struct saga_page *page)
{
	for (size_t i = 0; i < check->list.count; i++)
		if (check->list.items[i].kind == ASSERTION_EQUAL && !check->is_off[i])
			check_equal(check, i, page);
}
