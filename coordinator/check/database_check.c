/* database_check.c - see database_check.h. */
#include "coordinator/check/database_check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/check/log_rules.h"
#include "coordinator/check/replay.h"
#include "lib/base/memory.h"

enum { PAGE_SAGAS = 500 };

struct run {
	const struct database_check *check;
	struct database_check_sums *sums;
	struct arena arena; /* a page's */
	struct uuid after;
};

static void report(const struct run *run, const struct page_saga *saga, const char *why)
{
	check_report(run->check->listener, &saga->id, NULL, why);
}

/* ---- a saga's row ---- */

static void check_idle(struct run *run, const struct saga_page *page, const struct page_saga *saga)
{
	const int64_t idle_max_us = run->check->idle_max_ms * 1000;
	int64_t idle_us = page->now_us - saga->updated_us;

	if (idle_max_us == 0 || !saga_state_is_open((enum saga_state)saga->state) || saga->due_us == 0)
		return; /* ended, stuck, or paused */
	if (page->now_us - saga->due_us < idle_us)
		idle_us = page->now_us - saga->due_us; /* it waits for its time */
	if (idle_us > idle_max_us)
		report(run, saga,
		       arena_format(&run->arena, "I11: it is %s, and nothing has happened to it for %" PRId64 " s",
				    saga_state_name((enum saga_state)saga->state), idle_us / 1000000));
}

/* What saga_open must say of it, by what the saga itself is; of before the table was made its rows may be patient without need. */
static void check_open_row(struct run *run, const struct page_saga *saga)
{
	const struct open_row *row = &saga->open_row;
	const char *state = saga_state_name((enum saga_state)saga->state);
	struct open_row wanted;

	if (page_saga_is_terminal(saga) == saga->has_open_row)
		report(run, saga,
		       arena_format(&run->arena, "I1: it is %s, and saga_open %s", state,
				    saga->has_open_row ? "still has it"
						       : "does not have it: nobody lists it or goes on with it"));
	if (!saga->has_open_row || !saga->saga || page_saga_is_terminal(saga))
		return;
	wanted = open_row_of(saga->saga, saga->definition_id, row->look_us);
	if (wanted.look_us != row->look_us)
		report(run, saga, "I12: saga_open has it looked at at another time than when it is due");
	if (wanted.is_patient && !row->is_patient)
		report(run, saga,
		       "I7: saga_open does not say that its command is sent again late: a crash may lose it until "
		       "then");
	if (wanted.state != row->state || wanted.is_paused != row->is_paused ||
	    wanted.definition_id != row->definition_id)
		report(run, saga,
		       arena_format(&run->arena,
				    "I1: saga_open says %s%s of definition %" PRId32 ", and it is %s%s of %" PRId32,
				    saga_state_name(row->state), row->is_paused ? ", paused," : "", row->definition_id,
				    state, wanted.is_paused ? ", paused," : "", wanted.definition_id));
}

/* The columns that lists and the sweep go by. */
static void check_columns(struct run *run, const struct page_saga *saga)
{
	const bool is_terminal = page_saga_is_terminal(saga);
	const char *state = saga_state_name((enum saga_state)saga->state);

	if (!is_terminal && saga->has_ended)
		report(run, saga,
		       arena_format(
			       &run->arena,
			       "I1: it is %s, but its row says that it has ended: nobody lists it or goes on with it",
			       state));
	if (is_terminal && !saga->has_ended)
		report(run, saga,
		       arena_format(&run->arena, "I1: it is %s, but its row says that it has not ended", state));
	if (run->check->must_be_over && saga_state_is_open((enum saga_state)saga->state))
		report(run, saga,
		       arena_format(&run->arena, "I1: it has neither ended nor is it stuck: it is %s", state));
	if (saga->saga && saga->due_us != saga_due_us(saga->saga))
		report(run, saga, "I12: its row is due at another time than the saga in it");
	check_open_row(run, saga);
}

/* ---- a saga's log ---- */

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

/* The log's rows [first, end) are this saga's. False: a later program wrote some of them. */
static bool read_entries(struct run *run, const struct pg_result *log, size_t first, size_t end,
			 struct replay_entry *entries)
{
	for (size_t i = first; i < end; i++) {
		read_entry(log, i, &run->arena, &entries[i - first]);
		if (!is_entry_legible(&entries[i - first]))
			return false;
	}
	return true;
}

static const char *check_log(struct run *run, const struct page_saga *saga, const struct replay_entry *entries,
			     size_t count)
{
	const char *why;

	if (saga->state < 0 || saga->state >= SAGA_STATE_COUNT)
		return "I5: it is in a state that this program does not know: is it older?";
	if (!saga->known)
		return "I5: its definition is not there, or cannot be read";
	if (saga_is_of_earlier_form(saga->data)) {
		run->sums->old++;
		return NULL;
	}
	why = log_rules_check(saga->known->definition, entries, count, &run->arena);
	if (!why)
		(void)replay_check(saga->known->definition, saga->data, (enum saga_state)saga->state, entries, count,
				   &run->arena, &why); /* what it found is in `why` */
	return why;
}

static void check_saga(struct run *run, const struct saga_page *page, const struct page_saga *saga,
		       const struct pg_result *log, size_t first, size_t end)
{
	struct replay_entry *entries = arena_alloc(&run->arena, (end - first + 1) * sizeof(*entries));
	const char *why = "I5: the log has an entry that this program does not know: is it older?";

	run->sums->sagas++;
	run->sums->entries += (int64_t)(end - first);
	if (read_entries(run, log, first, end, entries))
		why = check_log(run, saga, entries, end - first);
	if (why)
		report(run, saga, why);
	if (saga->state < 0 || saga->state >= SAGA_STATE_COUNT)
		return;
	run->sums->states[saga->state]++;
	check_idle(run, page, saga);
	check_columns(run, saga);
}

/* ---- pages ---- */

static int load_log(const struct run *run, const struct saga_page *page, struct pg_result **ret_log, struct error *err)
{
	_cleanup_(pg_array_release)
	struct pg_array ids;
	struct pg_param param;

	pg_array_init(&ids, PG_ARRAY_UUID);
	for (size_t i = 0; i < page->count; i++)
		pg_array_add_uuid(&ids, &page->sagas[i].id);
	param = pg_array_param(&ids);
	return pg_exec(run->check->pg,
		       "SELECT l.saga_id, l.sequence, l.at, l.event, l.step, l.phase, l.attempt, l.milestone, l.reason,"
		       " l.detail, l.has_no_effect, l.state, l.reply FROM unnest($1::uuid[]) AS w(saga_id)"
		       " JOIN saga_log l ON l.saga_id = w.saga_id ORDER BY l.saga_id, l.sequence",
		       &param, 1, ret_log, err);
}

static void check_page(struct run *run, const struct saga_page *page, const struct pg_result *log)
{
	size_t first = 0;

	for (size_t i = 0; i < page->count; i++) {
		size_t end = first;

		while (end < pg_rows(log) && uuid_equal(pg_get_uuid(log, end, 0), page->sagas[i].id))
			end++;
		check_saga(run, page, &page->sagas[i], log, first, end);
		first = end;
	}
}

/* The last page is open at its end: what others have behind all sagas belongs to it. */
static struct uuid last_of(const struct saga_page *page)
{
	struct uuid last;

	memset(&last, 0xff, sizeof(last));
	return page->count < PAGE_SAGAS ? last : page->sagas[page->count - 1].id;
}

/* Rows of saga_open without a saga. */
static int check_open_strays(struct run *run, struct uuid last, struct error *err)
{
	const struct pg_param params[] = {pg_uuid(&run->after), pg_uuid(&last)};
	_cleanup_(pg_result_freep)
	struct pg_result *rows = NULL;

	if (pg_exec(run->check->pg,
		    "SELECT o.saga_id FROM saga_open o WHERE o.saga_id > $1 AND o.saga_id <= $2"
		    " AND NOT EXISTS (SELECT FROM saga s WHERE s.saga_id = o.saga_id) ORDER BY o.saga_id",
		    params, ARRAY_LEN(params), &rows, err) < 0)
		return error_prefix(err, "cannot read saga_open");
	for (size_t i = 0; i < pg_rows(rows); i++) {
		const struct uuid id = pg_get_uuid(rows, i, 0);

		check_report(run->check->listener, &id, NULL, "I1: saga_open has it, and no such saga is there");
	}
	return 0;
}

/* One snapshot, so that a saga, its definition and its log belong together. */
static int load_page(struct run *run, struct saga_page *page, struct pg_result **ret_log, struct error *err)
{
	struct pg *pg = run->check->pg;
	int result = -1;

	arena_clear(&run->arena);
	if (pg_begin(pg, err) < 0)
		return -1;
	if (pg_exec(pg, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, 0, NULL, err) == 0 &&
	    definition_book_load(run->check->book, pg, err) == 0 &&
	    saga_page_load(pg, run->check->book, run->after, PAGE_SAGAS, &run->arena, page, err) == 0 &&
	    check_open_strays(run, last_of(page), err) == 0)
		result = load_log(run, page, ret_log, err);
	pg_rollback(pg);
	return result;
}

static int run_page(struct run *run, bool *ret_is_last, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *log = NULL;
	struct saga_page page;
	struct uuid last;

	if (load_page(run, &page, &log, err) < 0)
		return -1;
	*ret_is_last = page.count < PAGE_SAGAS;
	last = last_of(&page);
	check_page(run, &page, log);
	if (participant_check_page(run->check->participants, run->check->pg, run->check->book, &page, run->after, last,
				   &run->arena, err) < 0)
		return -1;
	assertion_check_page(run->check->assertions, &page);
	run->after = last;
	return 0;
}

static int count_sagas(struct run *run, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	const struct pg_param after = pg_uuid(&run->after);

	if (pg_exec(run->check->pg, "SELECT count(*) FROM saga WHERE saga_id > $1", &after, 1, &result, err) < 0)
		return -1;
	run->sums->total = pg_get_int(result, 0, 0);
	return 0;
}

static int run_all(struct run *run, struct error *err)
{
	const struct check_listener *listener = run->check->listener;
	bool is_last = false;

	if (count_sagas(run, err) < 0)
		return -1;
	while (!is_last) {
		if (run_page(run, &is_last, err) < 0)
			return -1;
		if (!listener->progress(listener->ctx, "sagas", run->sums->sagas, run->sums->total))
			return 0;
	}
	run->sums->is_complete = true;
	return 0;
}

int database_check_run(const struct database_check *check, struct database_check_sums *ret_sums, struct error *err)
{
	struct run run = {.check = check, .sums = ret_sums, .after = check->after};
	int result;

	*ret_sums = (struct database_check_sums){0};
	arena_init(&run.arena, 0);
	result = run_all(&run, err);
	arena_release(&run.arena);
	return result;
}
