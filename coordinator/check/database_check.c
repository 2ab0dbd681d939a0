/* database_check.c - see database_check.h. */
#include "coordinator/check/database_check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/check/replay.h"
#include "coordinator/definition/source.h"
#include "lib/base/memory.h"

enum { PAGE_SAGAS = 500 };

/* What the core needs of a definition; the schemas that it is bound to do not matter here. */
struct known_definition {
	int32_t id;
	const struct definition *definition; /* NULL: cannot be read */
};

struct run {
	const struct database_check *check;
	struct database_check_sums *sums;
	struct arena definitions_arena;
	struct known_definition *definitions;
	size_t definition_count;
	struct arena arena; /* a page's */
	int64_t now_us;
	struct uuid after;
};

/* ---- definitions ---- */
static int load_definitions(struct run *run, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	if (pg_exec(run->check->pg, "SELECT id, name, version, source FROM definition ORDER BY id", NULL, 0, &result,
		    err) < 0)
		return error_prefix(err, "cannot read the definitions (is this a coordinator's database?)");
	run->definitions = arena_zalloc(&run->definitions_arena, (pg_rows(result) + 1) * sizeof(*run->definitions));
	for (size_t i = 0; i < pg_rows(result); i++) {
		struct problems problems;
		struct source *source;

		problems_init(&problems);
		source = source_parse("definition", pg_get_bytes(result, i, 3), &run->definitions_arena, &problems);
		run->definitions[i].id = (int32_t)pg_get_int(result, i, 0);
		if (source && problems.count == 0)
			run->definitions[i].definition =
				source_definition(source, (int32_t)pg_get_int(result, i, 2), &run->definitions_arena);
		problems_release(&problems);
	}
	run->definition_count = pg_rows(result);
	return 0;
}

static const struct definition *find_definition(const struct run *run, int64_t id)
{
	for (size_t i = 0; i < run->definition_count; i++)
		if (run->definitions[i].id == id)
			return run->definitions[i].definition;
	return NULL;
}

/* ---- a saga ---- */
static void report(struct run *run, struct uuid saga_id, const char *why)
{
	run->sums->violations++;
	run->check->violation(run->check->ctx, saga_id, why);
}

/* Columns: saga id, definition id, state, data, updated, due. */
static void check_idle(struct run *run, const struct pg_result *sagas, size_t at)
{
	const int64_t idle_max_us = run->check->idle_max_ms * 1000;
	const int64_t due_us = pg_is_null(sagas, at, 5) ? 0 : pg_get_int(sagas, at, 5);
	const enum saga_state state = (enum saga_state)pg_get_int(sagas, at, 2);
	int64_t idle_us = run->now_us - pg_get_int(sagas, at, 4);

	if (idle_max_us == 0 || !saga_state_is_open(state) || due_us == 0)
		return; /* ended, stuck, or paused */
	if (run->now_us - due_us < idle_us)
		idle_us = run->now_us - due_us; /* it waits for its time */
	if (idle_us > idle_max_us)
		report(run, pg_get_uuid(sagas, at, 0),
		       arena_format(&run->arena, "I11: it is %s, and nothing has happened to it for %" PRId64 " s",
				    saga_state_name(state), idle_us / 1000000));
}

static void read_entry(const struct pg_result *log, size_t at, struct arena *arena, struct replay_entry *entry)
{
	*entry = (struct replay_entry){
		.sequence = pg_get_int(log, at, 1),
		.step_id = pg_get_text(log, at, 4, arena),
		.event =
			{
				.time_us = pg_get_int(log, at, 2),
				.type = (enum saga_event_type)pg_get_int(log, at, 3),
				.phase = (enum step_phase)pg_get_int(log, at, 5),
				.attempt = (int32_t)pg_get_int(log, at, 6),
				.milestone = pg_get_text(log, at, 7, arena),
				.reason = pg_get_text(log, at, 8, arena),
				.detail = pg_get_text(log, at, 9, arena),
				.has_no_effect = pg_get_bool(log, at, 10),
			},
		.state = (enum saga_state)pg_get_int(log, at, 11),
	};
	if (!pg_is_null(log, at, 12))
		entry->event.reply = arena_bytes(arena, pg_get_bytes(log, at, 12));
}

static bool is_entry_legible(const struct replay_entry *entry)
{
	return entry->event.type >= 0 && entry->event.type < SAGA_EVENT_COUNT && entry->event.phase >= 0 &&
	       entry->event.phase < STEP_PHASE_COUNT && entry->state >= 0 && entry->state < SAGA_STATE_COUNT;
}

/* The log's rows [first, end) are this saga's. */
static void check_saga(struct run *run, const struct pg_result *sagas, size_t at, const struct pg_result *log,
		       size_t first, size_t end)
{
	const struct uuid id = pg_get_uuid(sagas, at, 0);
	const struct definition *definition = find_definition(run, pg_get_int(sagas, at, 1));
	struct replay_entry *entries = arena_alloc(&run->arena, (end - first + 1) * sizeof(*entries));
	const int64_t state = pg_get_int(sagas, at, 2);
	const char *why = NULL;

	for (size_t i = first; i < end; i++) {
		read_entry(log, i, &run->arena, &entries[i - first]);
		if (!is_entry_legible(&entries[i - first])) {
			report(run, id, "I5: the log has an entry that this program does not know: is it older?");
			return;
		}
	}
	run->sums->entries += (int64_t)(end - first);
	if (state < 0 || state >= SAGA_STATE_COUNT) {
		report(run, id, "I5: it is in a state that this program does not know: is it older?");
		return;
	}
	if (!definition) {
		report(run, id, "I5: its definition is not there, or cannot be read");
		return;
	}
	switch (replay_check(definition, pg_get_bytes(sagas, at, 3), (enum saga_state)state, entries, end - first,
			     &run->arena, &why)) {
	case REPLAY_BAD:
		report(run, id, why);
		break;
	case REPLAY_OLD:
		run->sums->old++;
		break;
	case REPLAY_GOOD:
		break;
	}
}

/* ---- pages ---- */
static int load_log(struct run *run, const struct pg_result *sagas, struct pg_result **ret_log, struct error *err)
{
	_cleanup_(pg_array_release)
	struct pg_array ids;
	struct pg_param param;

	pg_array_init(&ids, PG_ARRAY_UUID);
	for (size_t i = 0; i < pg_rows(sagas); i++) {
		const struct uuid id = pg_get_uuid(sagas, i, 0);

		pg_array_add_uuid(&ids, &id);
	}
	param = pg_array_param(&ids);
	return pg_exec(run->check->pg,
		       "SELECT l.saga_id, l.sequence, l.at, l.event, l.step, l.phase, l.attempt, l.milestone, l.reason,"
		       " l.detail, l.has_no_effect, l.state, l.reply FROM unnest($1::uuid[]) AS w(saga_id)"
		       " JOIN saga_log l ON l.saga_id = w.saga_id ORDER BY l.saga_id, l.sequence",
		       &param, 1, ret_log, err);
}

static void check_page(struct run *run, const struct pg_result *sagas, const struct pg_result *log)
{
	size_t first = 0;

	for (size_t i = 0; i < pg_rows(sagas); i++) {
		const struct uuid id = pg_get_uuid(sagas, i, 0);
		const int64_t state = pg_get_int(sagas, i, 2);
		size_t end = first;

		while (end < pg_rows(log) && uuid_compare(pg_get_uuid(log, end, 0), id) == 0)
			end++;
		if (state >= 0 && state < SAGA_STATE_COUNT) {
			run->sums->states[state]++;
			check_idle(run, sagas, i);
		}
		check_saga(run, sagas, i, log, first, end);
		run->sums->sagas++;
		first = end;
	}
}

/* One snapshot, so that a saga and its log belong together. */
static int run_page(struct run *run, size_t *ret_count, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *sagas = NULL;
	_cleanup_(pg_result_freep)
	struct pg_result *log = NULL;
	const struct pg_param params[] = {pg_uuid(&run->after), pg_int8(PAGE_SAGAS)};

	arena_clear(&run->arena);
	if (pg_begin(run->check->pg, err) < 0)
		return -1;
	if (pg_exec(run->check->pg, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, 0, NULL, err) <
		    0 ||
	    pg_exec(run->check->pg,
		    "SELECT saga_id, definition_id, state, data, updated_at, due_at, now() FROM saga WHERE saga_id > $1"
		    " ORDER BY saga_id LIMIT $2",
		    params, ARRAY_LEN(params), &sagas, err) < 0 ||
	    load_log(run, sagas, &log, err) < 0) {
		pg_rollback(run->check->pg);
		return -1;
	}
	pg_rollback(run->check->pg);
	*ret_count = pg_rows(sagas);
	if (*ret_count == 0)
		return 0;
	run->now_us = pg_get_int(sagas, 0, 6);
	run->after = pg_get_uuid(sagas, *ret_count - 1, 0);
	check_page(run, sagas, log);
	return 0;
}

static int count_sagas(struct run *run, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	if (pg_exec(run->check->pg, "SELECT count(*) FROM saga", NULL, 0, &result, err) < 0)
		return -1;
	run->sums->total = pg_get_int(result, 0, 0);
	return 0;
}

static int run_all(struct run *run, struct error *err)
{
	size_t count = 0;

	if (load_definitions(run, err) < 0 || count_sagas(run, err) < 0)
		return -1;
	do {
		if (run_page(run, &count, err) < 0)
			return -1;
	} while (count > 0 && run->check->progress(run->check->ctx, run->sums));
	return 0;
}

int database_check_run(const struct database_check *check, struct database_check_sums *ret_sums, struct error *err)
{
	struct run run = {.check = check, .sums = ret_sums};
	int result;

	*ret_sums = (struct database_check_sums){0};
	arena_init(&run.definitions_arena, 0);
	arena_init(&run.arena, 0);
	result = run_all(&run, err);
	arena_release(&run.arena);
	arena_release(&run.definitions_arena);
	return result;
}
