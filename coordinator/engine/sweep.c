/*
 * sweep.c - what nobody asked for but the clock: re-sends, retries, time-outs, what an earlier run left behind.
 *
 * Why:     commands are sent from memory after the commit, so each loss (a crash in between, a broker that forgot, a
 *          participant that skipped) is mended here and nowhere else. Sagas that are due are found by the bound of
 *          their due times that the table of open ones has (open_row.h): an index on the due time itself would be
 *          changed by every step. So a sweep costs what is nearly due, however much waits.
 * Length:  a statement looks at PAGE_SIZE of them, so that a million that are due hold nobody up; the walk over all
 *          of them takes its share of the time, and is as much longer. A short walk beside it finds what becomes due
 *          meanwhile.
 * Overlap: other instances sweep the same sagas; the version decides who does it.
 */
#include <assert.h>
#include <stdlib.h>

#include "coordinator/engine/engine_state.h"
#include "lib/base/crash_point.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"

enum {
	LOOK_MAX = 20000,         /* open sagas that a statement looks at whose own rows it need not read */
	NEXT_PAGE_US = 50 * 1000, /* between two full pages: replies and starts come first */
	SWEEP_SHARE = 10,        /* where very much is due, or open, a walk takes long: at most this part of the time */
	RECOUNT_US = 200 * 1000, /* between two countings of the open sagas while their limit is reached */
	LIMITED_WAIT_US = 250 * 1000, /* between two passes over what the rate limit held back */
	LATE_US = 10 * 1000 * 1000,   /* others' commits become visible later than their sagas' times say */
	WHOLE_US = 60 * 1000 * 1000,  /* between two walks from the very first on; these take … */
	WHOLE_SHARE = 100,            /* … at most this part of the time */
	FAR_PAGE_US = 200 * 1000,     /* between two pages of what an earlier boot left and is not due soon */
	NEAR_US = 300 * 1000 * 1000,  /* commands in flight are due sooner, unless their steps are patient */
};
static_assert(NEAR_US > 2 * OPEN_ROW_PATIENT_US, "what is neither near nor patient has nothing in flight");

static void add_due(struct engine *engine, const struct store_page *page, enum work_kind kind)
{
	for (size_t i = 0; i < page->count; i++) {
		struct work *work;
		const struct cached_saga *cached;

		if (kind == WORK_DUE && engine->room.waiting > 0 &&
		    room_has(&engine->room, page->items[i].saga_id, page->items[i].version, page->now_us))
			continue; /* it waits for room, and for nothing else */
		work = arena_zalloc(&engine->arena, sizeof(*work));
		cached = cache_find(&engine->cache, page->items[i].saga_id);

		if (cached && cached->version < page->items[i].version)
			cache_drop(&engine->cache, page->items[i].saga_id);
		work->kind = kind;
		work->saga_id = page->items[i].saga_id;
		work_list_add(&engine->due, work);
	}
	engine_set_database_us(engine, page->now_us);
}

static int64_t longer(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* ---- what is due ---- */

static int look_for_due(struct engine *engine, int64_t from_us, struct store_page *ret_page, int64_t *ret_took_us,
			struct error *err)
{
	const int64_t begun_us = engine_now_us(engine);
	const struct store_look look = {.from_us = from_us, .looked_max = PAGE_SIZE, .found_max = PAGE_SIZE};
	struct store_page page = {0};

	if (engine->ports.store.due(engine->ports.store.ctx, &look, &engine->arena, &page, err) < 0)
		return -1;
	if (page.count > 0)
		CRASH_POINT(SWEEP_FOUND_DUE);
	add_due(engine, &page, WORK_DUE);
	*ret_page = page;
	*ret_took_us = engine_now_us(engine) - begun_us;
	return 0;
}

static void begin_long_walk(struct due_walk *walk, const struct store_page *page)
{
	walk->took_us = 0;
	walk->begun_us = page->now_us;
	walk->lowest_us = page->first_us ? page->first_us : page->now_us;
	if (!walk->seen_us)
		walk->seen_us = page->now_us;
}

static void end_long_walk(struct due_walk *walk, int64_t now_us)
{
	walk->floor_us = longer(walk->lowest_us - LATE_US, 0);
	walk->seen_us = longer(walk->seen_us, walk->begun_us);
	if (walk->is_whole)
		walk->whole_at_us = now_us + longer(WHOLE_US, WHOLE_SHARE * walk->took_us);
}

/* From the lowest that the walk before has seen: below it there is nothing but what has ended, and while somebody's long transaction
 * keeps that in the index, finding nothing there takes longer and longer. */
static int walk_long(struct engine *engine, struct error *err)
{
	struct due_walk *walk = &engine->due_walk;
	const int64_t now_us = engine_now_us(engine);
	const bool is_first = !walk->is_under_way;
	struct store_page page;
	int64_t took_us;

	if (is_first) {
		walk->is_whole = now_us >= walk->whole_at_us;
		walk->from_us = walk->is_whole ? 0 : walk->floor_us;
	}
	if (look_for_due(engine, walk->from_us, &page, &took_us, err) < 0)
		return -1;
	if (is_first)
		begin_long_walk(walk, &page);
	walk->took_us += took_us;
	walk->is_under_way = page.has_more;
	walk->from_us = page.next_us;
	walk->at_us = now_us + longer(page.has_more ? NEXT_PAGE_US : engine->sweep_us, SWEEP_SHARE * took_us);
	if (page.has_more)
		return 0;
	if (is_first)
		walk->short_at_us = now_us + engine->sweep_us; /* it has found what the short one would */
	end_long_walk(walk, now_us);
	return 0;
}

static int walk_short(struct engine *engine, struct error *err)
{
	struct due_walk *walk = &engine->due_walk;
	const int64_t now_us = engine_now_us(engine);
	const bool is_first = !walk->short_from_us;
	struct store_page page;
	int64_t took_us;

	if (is_first)
		walk->short_from_us = longer(walk->seen_us - OPEN_ROW_SLACK_US - LATE_US, 1);
	if (look_for_due(engine, walk->short_from_us, &page, &took_us, err) < 0)
		return -1;
	if (is_first)
		walk->short_begun_us = page.now_us;
	walk->short_from_us = page.next_us;
	walk->short_at_us = now_us + longer(page.has_more ? NEXT_PAGE_US : engine->sweep_us, SWEEP_SHARE * took_us);
	if (!page.has_more)
		walk->seen_us = longer(walk->seen_us, walk->short_begun_us);
	return 0;
}

/* Very many may be due that nothing can be done for, of a participant that is paused or slow, so that the walk over all of them
 * takes minutes. What becomes due meanwhile does not wait for it. */
static int sweep_due(struct engine *engine, struct error *err)
{
	struct due_walk *walk = &engine->due_walk;
	const int64_t now_us = engine_now_us(engine);
	const bool is_short = now_us >= walk->short_at_us && (walk->is_under_way || now_us < walk->at_us);

	if ((is_short ? walk_short(engine, err) : walk_long(engine, err)) < 0)
		return -1;
	engine->sweep_at_us = walk->at_us < walk->short_at_us ? walk->at_us : walk->short_at_us;
	return 0;
}

/* ---- what earlier boots left ---- */

static void begin_boot_pass(struct engine *engine)
{
	engine->boot_from_us = 0;
	engine->was_boot_limited = false;
}

static int left_page(struct engine *engine, int64_t near_us, int64_t before_us, bool *ret_is_over, struct error *err)
{
	const struct store_look look = {
		.from_us = engine->boot_from_us, .looked_max = LOOK_MAX, .found_max = PAGE_SIZE};
	const struct store_left left = {
		.instance = engine->instance, .boot = engine->boot, .near_us = near_us, .before_us = before_us};
	struct store_page page = {0};

	if (engine->ports.store.left_behind(engine->ports.store.ctx, &look, &left, &engine->arena, &page, err) < 0)
		return -1;
	if (page.count > 0)
		CRASH_POINT(TAKE_OVER_FOUND);
	add_due(engine, &page, WORK_RESEND);
	*ret_is_over = !page.has_more;
	if (page.has_more)
		engine->boot_from_us = page.next_us;
	return 0;
}

static int find_near(struct engine *engine, struct error *err)
{
	int64_t now_us = 0;

	if (engine->boot_near_us)
		return 0;
	if (engine->ports.store.now(engine->ports.store.ctx, &now_us, err) < 0)
		return -1;
	engine->boot_near_us = now_us + NEAR_US;
	begin_boot_pass(engine);
	return 0;
}

/* Passes over what earlier boots left in flight, until one in which the rate limit held nothing back. Where participants have
 * limits, all of it has to be known before anything new is let in, so all of it is looked for. */
static int sweep_boot_near(struct engine *engine, struct error *err)
{
	const int64_t now_us = engine_now_us(engine);
	bool is_over = false;

	if (engine->is_boot_pass_over && !engine->was_boot_limited) {
		engine->boot_stage = BOOT_FAR;
		begin_boot_pass(engine);
		log_info("take_over_ended", "instance=%s, what is in flight was sent again",
			 LOG_TEXT(engine->instance));
		return sweep_due(engine, err);
	}
	if (engine->is_boot_pass_over) {
		engine->is_boot_pass_over = false;
		begin_boot_pass(engine);
		engine->sweep_at_us = now_us + LIMITED_WAIT_US;
		return 0;
	}
	if (find_near(engine, err) < 0 ||
	    left_page(engine, engine->boot_near_us, engine->room.is_limited ? INT64_MAX : engine->boot_near_us,
		      &is_over, err) < 0)
		return -1;
	engine->is_boot_pass_over = is_over;
	engine->sweep_at_us = now_us;
	return 0;
}

/* A command in flight whose step is patient; what the rate limit holds back now is sent when it is due. */
static int sweep_boot_far(struct engine *engine, struct error *err)
{
	bool is_over = engine->room.is_limited;

	engine->boot_at_us = engine_now_us(engine) + FAR_PAGE_US;
	if (!is_over && left_page(engine, 0, INT64_MAX, &is_over, err) < 0)
		return -1;
	if (is_over)
		engine->boot_stage = BOOT_SWEPT;
	return 0;
}

/* ---- the open ones by number ---- */

static void add_count(struct open_count *open, const struct store_count *found)
{
	struct store_count *item = open->items;

	while (item < open->items + open->count &&
	       (item->state != found->state || strcmp(item->definition_name, found->definition_name) != 0))
		item++;
	if (item == open->items + open->count) {
		open->items = xrealloc_array(open->items, open->count + 1, sizeof(*open->items));
		item = &open->items[open->count++];
		*item = (struct store_count){.definition_name = xstrdup(found->definition_name), .state = found->state};
	}
	item->sagas += found->sagas;
	item->paused += found->paused;
}

static void clear_count(struct open_count *open)
{
	for (size_t i = 0; i < open->count; i++)
		free((char *)open->items[i].definition_name);
	open->count = 0;
	open->after = (struct uuid){0};
}

void sweep_release(struct engine *engine)
{
	clear_count(&engine->open_count);
	free(engine->open_count.items);
}

static void use_count(struct engine *engine)
{
	struct open_count *open = &engine->open_count;

	open_limit_reset(&engine->open_limit);
	for (size_t i = 0; i < open->count; i++)
		open_limit_add(&engine->open_limit, open->items[i].definition_name, open->items[i].sagas);
	engine_metrics_count(&engine->metrics, open->items, open->count);
	clear_count(open);
	open->is_any_done = true;
}

/* The newest come last, so that what begins and ends meanwhile is counted as it is at the end. The first counting is not
 * interrupted where there are limits: before it is done none is known to be reached. */
static int count_open(struct engine *engine, struct error *err)
{
	struct open_count *open = &engine->open_count;
	const int64_t begun_us = engine_now_us(engine);
	struct store_counts counts = {0};
	int64_t pause_us;

	do {
		if (engine->ports.store.count_open(engine->ports.store.ctx, open->after, LOOK_MAX, &engine->arena,
						   &counts, err) < 0)
			return -1;
		for (size_t i = 0; i < counts.count; i++)
			add_count(open, &counts.items[i]);
		open->after = counts.last;
	} while (counts.has_more && engine->open_limit.is_limited && !open->is_any_done);
	pause_us = SWEEP_SHARE * (engine_now_us(engine) - begun_us);
	engine->count_at_us = begun_us + (counts.has_more ? pause_us : COUNT_US);
	engine->recount_at_us = begun_us + (counts.has_more ? pause_us : longer(RECOUNT_US, pause_us));
	if (!counts.has_more)
		use_count(engine);
	return 0;
}

void sweep_recount(struct engine *engine)
{
	if (engine->count_at_us > engine->recount_at_us)
		engine->count_at_us = engine->recount_at_us;
}

/* ---- the sweep ---- */

/* What operators have paused, before anything is sent: so at every sweep, and before the first turn. */
static int read_pauses(struct engine *engine, struct error *err)
{
	struct pause *pauses = NULL;
	size_t count = 0;

	if (engine->ports.store.pauses(engine->ports.store.ctx, &engine->arena, &pauses, &count, err) < 0)
		return -1;
	pauses_set(&engine->pauses, pauses, count);
	for (int kind = 0; kind < PAUSE_KIND_COUNT; kind++)
		metric_set(engine->metrics.paused[kind], (int64_t)pauses_count(&engine->pauses, (enum pause_kind)kind));
	return 0;
}

static int sweep(struct engine *engine, struct error *err)
{
	if (read_pauses(engine, err) < 0)
		return -1;
	return engine->boot_stage == BOOT_NEAR ? sweep_boot_near(engine, err) : sweep_due(engine, err);
}

void sweep_run(struct engine *engine)
{
	struct error err;

	work_list_init(&engine->due);
	if ((engine_now_us(engine) >= engine->sweep_at_us && sweep(engine, &err) < 0) ||
	    (engine->boot_stage == BOOT_FAR && engine_now_us(engine) >= engine->boot_at_us &&
	     sweep_boot_far(engine, &err) < 0) ||
	    (engine_now_us(engine) >= engine->count_at_us && count_open(engine, &err) < 0))
		engine_lost_store(engine, &err);
}

int64_t sweep_next_turn_us(const struct engine *engine)
{
	int64_t wanted_us = engine->sweep_at_us < engine->count_at_us ? engine->sweep_at_us : engine->count_at_us;

	return engine->boot_stage == BOOT_FAR && engine->boot_at_us < wanted_us ? engine->boot_at_us : wanted_us;
}
