/*
 * sweep.c - what nobody asked for but the clock: re-sends, retries, time-outs, what an earlier run left behind.
 *
 * Why:     commands are sent from memory after the commit, so each loss (a crash in between, a broker that forgot, a
 *          participant that skipped) is mended here and nowhere else. Sagas that are due are found by walking the
 *          partial index of open ones: an index on the due time would be changed by every step.
 * Overlap: other instances sweep the same sagas; the version decides who does it.
 */
#include <stdlib.h>

#include "coordinator/engine/engine_state.h"
#include "lib/base/crash_point.h"
#include "lib/base/log.h"

enum {
	NEXT_PAGE_US = 50 * 1000,     /* between two pages: replies and starts come first */
	SWEEP_SHARE = 10,             /* with very many open sagas the walk takes long: at most this part of the time */
	RECOUNT_US = 200 * 1000,      /* between two countings of the open sagas while their limit is reached */
	LIMITED_WAIT_US = 250 * 1000, /* between two passes over what the rate limit held back */
};

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

/* Where the next page begins; a page that is not full was the last. */
static bool advance(struct engine *engine, const struct store_page *page)
{
	if (page->count < PAGE_SIZE) {
		engine->sweep_after = (struct uuid){0};
		return false;
	}
	engine->sweep_after = page->items[page->count - 1].saga_id;
	return true;
}

static int64_t longer(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int sweep_due(struct engine *engine, struct error *err)
{
	int64_t now_us = engine_now_us(engine);
	int64_t took_us;
	struct store_page page = {0};

	if (engine->ports.store.due(engine->ports.store.ctx, engine->sweep_after, PAGE_SIZE, &engine->arena, &page,
				    err) < 0)
		return -1;
	if (page.count > 0)
		CRASH_POINT(SWEEP_FOUND_DUE);
	add_due(engine, &page, WORK_DUE);
	took_us = engine_now_us(engine) - now_us;
	if (advance(engine, &page))
		engine->sweep_at_us = now_us + NEXT_PAGE_US;
	else
		engine->sweep_at_us = now_us + longer(engine->sweep_us, SWEEP_SHARE * took_us);
	return 0;
}

/* Passes over what earlier boots left in flight, until one in which the rate limit held nothing back. */
static int sweep_boot(struct engine *engine, struct error *err)
{
	int64_t now_us = engine_now_us(engine);
	struct store_page page = {0};

	if (engine->is_boot_pass_over && !engine->was_boot_limited) {
		engine->is_boot_swept = true;
		log_info("take_over_ended", "instance=%s", LOG_TEXT(engine->instance));
		return sweep_due(engine, err);
	}
	if (engine->is_boot_pass_over) {
		engine->is_boot_pass_over = false;
		engine->was_boot_limited = false;
		engine->sweep_at_us = now_us + LIMITED_WAIT_US;
		return 0;
	}
	if (engine->ports.store.left_behind(engine->ports.store.ctx, engine->instance, engine->boot,
					    engine->sweep_after, PAGE_SIZE, &engine->arena, &page, err) < 0)
		return -1;
	if (page.count > 0)
		CRASH_POINT(TAKE_OVER_FOUND);
	add_due(engine, &page, WORK_RESEND);
	engine->is_boot_pass_over = !advance(engine, &page);
	engine->sweep_at_us = now_us;
	return 0;
}

static int count_open(struct engine *engine, struct error *err)
{
	const int64_t begun_us = engine_now_us(engine);
	struct store_count *counts = NULL;
	size_t count = 0;

	engine->count_at_us = begun_us + COUNT_US;
	if (engine->ports.store.count_open(engine->ports.store.ctx, &engine->arena, &counts, &count, err) < 0)
		return -1;
	engine->recount_at_us = begun_us + longer(RECOUNT_US, SWEEP_SHARE * (engine_now_us(engine) - begun_us));
	open_limit_reset(&engine->open_limit);
	for (size_t i = 0; i < count; i++)
		open_limit_add(&engine->open_limit, counts[i].definition_name, counts[i].sagas);
	engine_metrics_count(&engine->metrics, counts, count);
	return 0;
}

void sweep_recount(struct engine *engine)
{
	if (engine->count_at_us > engine->recount_at_us)
		engine->count_at_us = engine->recount_at_us;
}

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

void sweep_run(struct engine *engine)
{
	struct error err;

	work_list_init(&engine->due);
	if (engine_now_us(engine) >= engine->sweep_at_us &&
	    (read_pauses(engine, &err) < 0 ||
	     (engine->is_boot_swept ? sweep_due(engine, &err) : sweep_boot(engine, &err)) < 0))
		engine_lost_store(engine, &err);
	if (engine->is_store_up && engine_now_us(engine) >= engine->count_at_us && count_open(engine, &err) < 0)
		engine_lost_store(engine, &err);
}
