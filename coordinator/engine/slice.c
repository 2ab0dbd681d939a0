/*
 * slice.c - a part of a round's changes on its way through a commit.
 *
 * Why:     while the store commits, the engine would only wait, and while the engine applies and answers, the store would. A
 *          large round is therefore cut, and two slices are under way: while one commits, the one before it is settled and the
 *          next one applied. A saga is in one slice of a round, so slices know nothing of each other. A small round is one
 *          slice: a commit of its own for a few changes costs more than the wait.
 */
#include <stdlib.h>

#include "coordinator/engine/engine_state.h"
#include "lib/base/crash_point.h"
#include "lib/base/memory.h"

enum {
	FAILURES_MAX = 3,         /* rolled-back commits in one turn, before the store counts as away */
	ROUND_SLICES = 2,         /* a large round is cut into so many, … */
	SLICE_CHANGES_MIN = 1000, /* … but none has fewer changes: small batches are dear for broker and store, … */
	SLICE_CHANGES_MAX = 3000, /* … nor more: what the store answers must find room before anybody reads it */
};

size_t slice_length(const struct engine *engine, size_t changes)
{
	const size_t least = engine->slice_changes ? engine->slice_changes : SLICE_CHANGES_MIN;
	size_t slices = (changes + SLICE_CHANGES_MAX - 1) / SLICE_CHANGES_MAX;

	if (slices < ROUND_SLICES)
		slices = changes >= ROUND_SLICES * least ? ROUND_SLICES : 1;
	return changes > slices ? (changes + slices - 1) / slices : 1; /* alike, so that none is left over */
}

struct turn_item *slice_add(struct slice *slice)
{
	if (slice->count == slice->max) {
		slice->max = slice->max ? slice->max * 2 : 64;
		slice->items = xrealloc_array(slice->items, slice->max, sizeof(*slice->items));
	}
	slice->items[slice->count] = (struct turn_item){.result = ITEM_LOST};
	return &slice->items[slice->count++];
}

static int compare_items(const void *a, const void *b)
{
	const struct turn_item *left = a;
	const struct turn_item *right = b;

	return uuid_compare(left->change.saga_id, right->change.saga_id);
}

static int lane_of(const struct engine *engine, const struct slice *slice)
{
	return (int)(slice - engine->turn.slices);
}

static void begin_commit(struct engine *engine, struct slice *slice, size_t first, size_t count)
{
	slice->commit = (struct store_commit){
		.instance = engine->instance, .boot = engine->boot, .changes = slice->changes + first, .count = count};
	slice->begun_us = engine_now_us(engine);
	CRASH_POINT(TURN_BEFORE_COMMIT);
	engine->ports.store.commit_begin(engine->ports.store.ctx, lane_of(engine, slice), &slice->commit);
}

static enum store_result end_commit(struct engine *engine, const struct slice *slice, struct error *err)
{
	enum store_result result = engine->ports.store.commit_end(engine->ports.store.ctx, lane_of(engine, slice), err);

	if (result == STORE_COMMITTED)
		CRASH_POINT(TURN_AFTER_COMMIT);
	metric_observe(engine->metrics.commit_seconds, (double)(engine_now_us(engine) - slice->begun_us) / 1e6);
	metric_observe(engine->metrics.turn_events, (double)slice->commit.count);
	return result;
}

static void take_committed(struct engine *engine, struct slice *slice, size_t first, size_t count)
{
	size_t *limit = &engine->turn.commit_limit;

	for (size_t i = first; i < first + count; i++) {
		slice->items[i].change = slice->changes[i];
		slice->items[i].result = slice->changes[i].outcome == STORE_OUTCOME_DONE ? ITEM_DONE : ITEM_CONFLICT;
	}
	if (count == *limit && *limit < COMMIT_LIMIT_MAX)
		*limit *= 2;
}

static void take_answer(struct engine *engine, struct slice *slice, size_t first, size_t count);

static void commit_range(struct engine *engine, struct slice *slice, size_t first, size_t count)
{
	if (count == 0 || !engine->is_store_up)
		return;
	begin_commit(engine, slice, first, count);
	take_answer(engine, slice, first, count);
}

static void commit_halves(struct engine *engine, struct slice *slice, size_t first, size_t count)
{
	commit_range(engine, slice, first, count / 2);
	commit_range(engine, slice, first + count / 2, count - count / 2);
}

/* A refused batch is halved until the refused change is alone; the others go through. One that took longer than the store
 * allows (a backlog after an outage, a slow disk) is halved as well: whole, it would take as long the next time. */
static void take_answer(struct engine *engine, struct slice *slice, size_t first, size_t count)
{
	struct turn *turn = &engine->turn;
	struct error err = {0};

	switch (end_commit(engine, slice, &err)) {
	case STORE_COMMITTED:
		take_committed(engine, slice, first, count);
		break;
	case STORE_REFUSED:
		if (count > 1) {
			commit_halves(engine, slice, first, count);
			break;
		}
		slice->items[first].result = ITEM_REFUSED;
		slice->items[first].refusal = arena_copy(&engine->arena, &err, sizeof(err));
		break;
	case STORE_FAILED:
		if (err.code == ERR_TIMEOUT && count > 1)
			turn->commit_limit = count / 2;
		if (++turn->failures >= FAILURES_MAX)
			engine_lost_store(engine, &err);
		else if (err.code == ERR_TIMEOUT && count > 1)
			commit_halves(engine, slice, first, count);
		break;
	case STORE_UNKNOWN:
		engine_lost_store(engine, &err);
		break;
	}
}

void slice_begin(struct engine *engine, struct slice *slice)
{
	slice->changes = arena_alloc(&engine->arena, (slice->count + 1) * sizeof(*slice->changes));
	qsort(slice->items, slice->count, sizeof(*slice->items), compare_items);
	for (size_t i = 0; i < slice->count; i++) {
		struct turn_item *item = &slice->items[i];

		if (item->start)
			item->change.start = &item->start_row; /* only now do items stay where they are */
		slice->changes[i] = item->change;
	}
	begin_commit(engine, slice, 0, slice->count);
}

void slice_end(struct engine *engine, struct slice *slice)
{
	if (slice->count > 0)
		take_answer(engine, slice, 0, slice->count);
}
