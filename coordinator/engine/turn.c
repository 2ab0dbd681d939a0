/*
 * turn.c - one turn: takes what waits, folds it by saga, commits, then answers, sends, and lets offsets go.
 *
 * Why:     a turn may need several rounds: who acted on an old view of a saga changes nothing, reads again, and applies
 *          again. What is left when the store goes away stays in memory and is applied anew when it is back; due work
 *          is found again by the sweep.
 * Order:   commit, then answers, then commands, then offsets. Nothing leaves before the commit of what caused it.
 * Slices:  a large turn commits in parts (slice.c), so that the engine applies and answers while the store commits.
 */
#include <assert.h>
#include <stdlib.h>

#include "coordinator/engine/engine_state.h"
#include "lib/base/crash_point.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"

enum {
	SEND_MAX = 256, /* commands that are handed to the bus at a time */
	DEFINITION_WARN_US = 10 * 1000 * 1000,
};

/* ---- rows into the cache ---- */

struct cached_saga *turn_put_row(struct engine *engine, const struct store_row *row)
{
	const struct plan *plan = catalog_by_id(engine->catalog, row->definition_id);
	int64_t now_us = engine_now_us(engine);

	if (plan)
		return cache_put(&engine->cache, plan, row, now_us);
	if (now_us >= engine->definition_warned_us) {
		engine->definition_warned_us = now_us + DEFINITION_WARN_US;
		log_warn("definition_away", "definition=%s id=%d, leaving its sagas to a later sweep",
			 row->definition_name, row->definition_id);
	}
	return NULL;
}

int turn_load(struct engine *engine, const struct uuid *ids, size_t count, struct error *err)
{
	struct store_row *rows = NULL;
	size_t row_count = 0;

	if (count == 0)
		return 0;
	if (engine->ports.store.load(engine->ports.store.ctx, ids, count, &engine->arena, &rows, &row_count, err) < 0)
		return -1;
	for (size_t i = 0; i < row_count; i++)
		(void)turn_put_row(engine,
				   &rows[i]); /* without a definition it is as if it were not there, and logged */
	return 0;
}

struct saga *turn_decode(struct cached_saga *cached, struct arena *arena)
{
	char id[UUID_TEXT_LEN + 1];
	struct saga *saga = NULL;
	struct error err;

	if (cached->is_checked)
		return saga_decode_checked(&cached->plan->definition, buffer_bytes(&cached->data), arena);
	cached->is_checked = saga_decode(&cached->plan->definition, buffer_bytes(&cached->data), arena, &saga, &err) ==
			     0;
	if (cached->is_checked)
		return saga;
	uuid_format(cached->node.id, id);
	log_error("saga_corrupt", "saga=%s err=%s", id, LOG_TEXT(err.msg));
	return NULL;
}

struct saga_view turn_view(const struct cached_saga *cached, const struct saga *saga)
{
	return (struct saga_view){
		.plan = cached->plan,
		.saga = saga,
		.key = cached->key,
		.idempotency_key = cached->idempotency_key,
		.input = cached->input,
		.labels = cached->labels,
		.label_count = cached->label_count,
	};
}

/* ---- groups ---- */

static void add_to_group(struct engine *engine, struct work *work)
{
	struct id_node *node = id_table_find(&engine->groups, work->saga_id);
	struct group *group;

	if (!node) {
		group = arena_zalloc(&engine->arena, sizeof(*group));
		group->node.id = work->saga_id;
		work_list_init(&group->works);
		id_table_insert(&engine->groups, &group->node);
		group->next = engine->turn.groups;
		engine->turn.groups = group;
	} else {
		group = ID_TABLE_ENTRY(node, struct group, node);
	}
	work_list_add(&group->works, work);
}

static void make_groups(struct engine *engine)
{
	struct work_list lists[] = {engine->works, engine->due};

	work_list_init(&engine->works);
	work_list_init(&engine->due);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		for (struct work *work = lists[i].first, *next; work; work = next) {
			next = work->next;
			add_to_group(engine, work);
		}
	}
}

static void try_again(struct engine *engine, struct group *group)
{
	group->next = engine->turn.again;
	engine->turn.again = group;
}

/* Nobody needs this group's saga to be left alone any more: a start may have its id. */
static void end_group(struct engine *engine, struct group *group, const struct work *rest)
{
	for (struct work *work = group->works.first, *next; work != rest; work = next) {
		next = work->next;
		event_settle(engine, work);
	}
	if (!rest)
		id_table_remove(&engine->groups, &group->node);
}

static int load_groups(struct engine *engine, struct error *err)
{
	struct uuid *ids;
	size_t count = 0;
	size_t max = 0;

	for (const struct group *group = engine->turn.groups; group; group = group->next)
		max++;
	ids = arena_alloc(&engine->arena, (max + 1) * sizeof(*ids));
	for (struct group *group = engine->turn.groups; group; group = group->next) {
		if (cache_has(&engine->cache, group->node.id))
			continue;
		group->is_fresh = true;
		ids[count++] = group->node.id;
	}
	return turn_load(engine, ids, count, err);
}

/* ---- this round's changes ---- */

static void drop_unknown(struct engine *engine, struct group *group)
{
	for (const struct work *work = group->works.first; work; work = work->next)
		if (work->kind == WORK_REPLY)
			metric_add(engine->metrics.ignored[IGNORED_UNKNOWN_SAGA], 1);
		else if (work->kind == WORK_TOLD)
			told_note_ignored(engine, work, "its saga is gone");
	room_forget(&engine->room, group->node.id);
	end_group(engine, group, NULL);
}

static void apply_group(struct engine *engine, struct group *group)
{
	struct turn_item *item;

	group->cached = cache_find(&engine->cache, group->node.id);
	if (!group->cached) {
		drop_unknown(engine, group);
		return;
	}
	switch (event_apply_group(engine, group)) {
	case EVENT_CHANGED:
		item = slice_add(engine->turn.filling);
		item->group = group;
		item->change = *group->change;
		group->change = NULL;
		break;
	case EVENT_UNCHANGED:
		if (group->saga)
			hold_see(engine, group->cached->plan, group->saga);
		if (!saga_state_is_open(group->cached->state))
			get_saga_settled(engine, group->node.id);
		end_group(engine, group, NULL);
		break;
	case EVENT_STALE:
		cache_drop(&engine->cache, group->node.id);
		try_again(engine, group);
		break;
	}
}

/* ---- outcomes ---- */

void turn_send(struct engine *engine, const struct outgoing *outgoing)
{
	struct turn *turn = &engine->turn;

	for (; outgoing; outgoing = outgoing->next) {
		if (turn->send_count == turn->send_max) {
			turn->send_max = turn->send_max ? turn->send_max * 2 : 64;
			turn->sends = xrealloc_array(turn->sends, turn->send_max, sizeof(*turn->sends));
		}
		turn->sends[turn->send_count++] = outgoing;
	}
}

/* In pieces, so that there are never the headers of many records at a time. */
static void send_committed(struct engine *engine)
{
	struct turn *turn = &engine->turn;
	struct bus_record records[SEND_MAX];
	size_t count = 0;

	for (size_t i = 0; i < turn->send_count; i++) {
		if (count == 0)
			arena_clear(&engine->builds);
		record_write_command(&turn->sends[i]->command, &engine->builds, &records[count]);
		records[count++].value = turn->sends[i]->value;
		if (count < SEND_MAX && i + 1 < turn->send_count)
			continue;
		engine->ports.bus.send(engine->ports.bus.ctx, records, count);
		count = 0;
	}
	turn->send_count = 0;
}

static void settle_done(struct engine *engine, const struct turn_item *item)
{
	struct group *group = item->group;

	cache_update(&engine->cache, group->cached, &item->change, engine_now_us(engine));
	metric_add(engine->metrics.resends, group->resends);
	report_committed(engine, group);
	turn_send(engine, group->outgoing);
	hold_see_row(engine, group->cached);
	event_note_stuck(engine, group, &item->change);
	if (!saga_state_is_open(group->saga->state)) {
		trace_saga(engine, group->cached, group->saga);
		event_note_end(engine, group->cached->plan, group->saga);
		get_saga_settled(engine, group->node.id);
	}
	end_group(engine, group, group->rest);
	if (!group->rest)
		return;
	group->works.first = group->rest;
	try_again(engine, group);
}

/* The view was old or may be: read again. Due work is not worth it; who changed the saga has done it. */
static void settle_conflict(struct engine *engine, struct group *group)
{
	struct work_list kept;

	cache_drop(&engine->cache, group->node.id);
	work_list_init(&kept);
	for (struct work *work = group->works.first, *next; work; work = next) {
		next = work->next;
		if (event_is_kept(work))
			work_list_add(&kept, work);
	}
	group->works = kept;
	if (!kept.first)
		group->works.end = &group->works.first;
	if (kept.first)
		try_again(engine, group);
	else
		id_table_remove(&engine->groups, &group->node);
}

/* Applied alone, the change is that of the last event before the rest; those before it changed nothing. */
static struct work *refused_work(const struct group *group)
{
	struct work *work = group->works.first;

	while (work->next != group->rest)
		work = work->next;
	return work;
}

static void settle_refused(struct engine *engine, struct group *group, const struct error *err)
{
	char id[UUID_TEXT_LEN + 1];
	struct work *refused;

	if (!group->must_be_alone && group->works.first->next) {
		cache_drop(&engine->cache, group->node.id);
		group->must_be_alone = true;
		try_again(engine, group);
		return;
	}
	metric_add(engine->metrics.refused, 1);
	room_put_off(&engine->room, group->node.id);
	uuid_format(group->node.id, id);
	log_error("change_refused", "saga=%s err=%s, dropping the event", id, LOG_TEXT(err->msg));
	refused = refused_work(group);
	if (refused->kind == WORK_REQUEST)
		request_fail(refused, err);
	end_group(engine, group, group->rest); /* with the row still there, which answers are made of */
	cache_drop(&engine->cache, group->node.id);
	if (!group->rest)
		return;
	group->works.first = group->rest;
	try_again(engine, group);
}

static void settle_items(struct engine *engine, const struct slice *slice)
{
	struct turn *turn = &engine->turn;

	for (size_t i = 0; i < slice->count; i++) {
		struct turn_item *item = &slice->items[i];

		if (item->result == ITEM_CONFLICT)
			metric_add(engine->metrics.conflicts, 1);
		if (item->start)
			start_settle(engine, item);
		else if (item->result == ITEM_DONE)
			settle_done(engine, item);
		else if (item->result == ITEM_REFUSED)
			settle_refused(engine, item->group, item->refusal);
		else
			settle_conflict(engine, item->group);
	}
	if (turn->send_count > 0) {
		CRASH_POINT(TURN_ANSWERED);
		send_committed(engine);
	}
}

/* ---- rounds ---- */

/* The next changes of the round, its starts last. False: there are no more, or the store has gone. */
static bool fill_slice(struct engine *engine, struct slice *slice, size_t wanted)
{
	struct turn *turn = &engine->turn;
	const size_t max = wanted < turn->commit_limit ? wanted : turn->commit_limit;

	turn->filling = slice;
	slice->count = 0;
	if (!engine->is_store_up)
		return false;
	while (turn->groups && slice->count < max) {
		struct group *group = turn->groups;

		turn->groups = group->next;
		apply_group(engine, group);
	}
	if (!turn->groups)
		start_prepare(engine, max);
	return slice->count > 0;
}

static void settle_slice(struct engine *engine, struct slice *slice)
{
	slice_end(engine, slice);
	outcomes_tell(engine, slice);
	settle_items(engine, slice);
	slice->count = 0;
}

static size_t round_length(const struct engine *engine)
{
	size_t count = engine->start_count;

	for (const struct group *group = engine->turn.groups; group; group = group->next)
		count++;
	return count;
}

/* While one slice commits, the one before it is settled and the next one applied. */
static void run_slices(struct engine *engine)
{
	struct slice *slices = engine->turn.slices;
	const size_t wanted = slice_length(engine, round_length(engine));
	int at = 0;

	start_begin_round(engine);
	for (; fill_slice(engine, &slices[at], wanted); at = !at) {
		slice_begin(engine, &slices[at]);
		settle_slice(engine, &slices[!at]);
	}
	settle_slice(engine, &slices[!at]);
	start_put_back(engine);
}

static void run_round(struct engine *engine)
{
	struct turn *turn = &engine->turn;
	struct error err;

	if (load_groups(engine, &err) < 0 || start_resolve_conflicts(engine, &err) < 0) {
		engine_lost_store(engine, &err);
		return;
	}
	run_slices(engine);
	while (turn->again) {
		struct group *group = turn->again;

		turn->again = group->next;
		group->next = turn->groups;
		turn->groups = group;
	}
}

/* What the rounds left over waits for the next turn. */
static void put_back(struct engine *engine)
{
	for (struct group *group = engine->turn.groups; group; group = group->next) {
		for (struct work *work = group->works.first, *next; work; work = next) {
			next = work->next;
			if (event_is_kept(work))
				work_list_add(&engine->works, work);
		}
		cache_drop(&engine->cache, group->node.id);
	}
	engine->turn.groups = NULL;
	id_table_clear(&engine->groups);
}

static void run_rounds(struct engine *engine)
{
	engine->turn.failures = 0;
	make_groups(engine);
	for (int round = 0; round < TURN_ROUNDS_MAX && engine->is_store_up; round++) {
		if (!engine->turn.groups && !engine->starts)
			break;
		run_round(engine);
	}
	put_back(engine);
}

/* ---- the turn ---- */

void turn_take_calls(struct engine *engine, const struct queue_load *load)
{
	*engine->starts_end = load->starts;
	while (*engine->starts_end)
		engine->starts_end = &(*engine->starts_end)->next;
	engine->start_count += load->start_count;
	for (struct get_item *get = load->gets, *next; get; get = next) {
		next = get->next;
		get->next = engine->gets;
		engine->gets = get;
	}
	for (struct request_link *link = load->requests, *next; link; link = next) {
		next = link->next;
		request_take(engine, link);
	}
}

static void take_queue(struct engine *engine)
{
	const size_t starts_max = pace_starts(&engine->pace, queue_records(&engine->queue));
	struct queue_load load;

	metric_set(engine->metrics.queue_length, (int64_t)queue_length(&engine->queue));
	queue_take(&engine->queue, engine->start_count < starts_max ? starts_max - engine->start_count : 0, &load);
	engine->pace_turn = (struct pace_turn){.replies = load.record_count,
					       .starts = load.start_count,
					       .were_left = queue_starts(&engine->queue) > 0};
	turn_take_calls(engine, &load);
	if (load.deliveries)
		CRASH_POINT(REPLIES_TAKEN);
	for (struct delivery_item *item = load.deliveries, *next; item; item = next) {
		next = item->next;
		event_take_delivery(engine, item);
	}
}

static void note_pace(struct engine *engine, int64_t begun_us)
{
	if (!engine->is_store_up)
		return;
	engine->pace_turn.us = engine_now_us(engine) - begun_us;
	pace_note(&engine->pace, &engine->pace_turn);
	queue_limit_starts(&engine->queue, pace_waiting_max(&engine->pace));
}

/* While the store is away: asks it now and then. */
static bool probe_store(struct engine *engine)
{
	int64_t database_us = 0;
	struct error err;

	if (engine->is_store_up)
		return true;
	if (engine_now_us(engine) < engine->probe_us)
		return false;
	if (engine->ports.store.now(engine->ports.store.ctx, &database_us, &err) < 0) {
		engine_lost_store(engine, &err);
		return false;
	}
	engine_set_database_us(engine, database_us);
	engine_found_store(engine);
	return true;
}

static int64_t earliest(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t next_turn_us(struct engine *engine)
{
	int64_t wanted_us = engine->waiter_deadline_us;

	if (!engine->is_store_up)
		return earliest(wanted_us, engine->probe_us);
	if (engine->works.first || engine->starts || engine->gets || queue_length(&engine->queue) > 0)
		return engine_now_us(engine);
	wanted_us = earliest(wanted_us, sweep_next_turn_us(engine));
	wanted_us = earliest(wanted_us, earliest(hold_next_turn_us(engine), told_next_turn_us(engine)));
	return engine->oldest_waiter ? earliest(wanted_us, engine->waiter_poll_us) : wanted_us;
}

int64_t engine_turn(struct engine *engine)
{
	const int64_t begun_us = engine_now_us(engine);

	arena_clear(&engine->arena);
	take_queue(engine);
	if (probe_store(engine)) {
		sweep_run(engine);
		hold_begin_turn(engine);
		told_run(engine);
		run_rounds(engine);
		hold_end_turn(engine);
	}
	if (engine->is_store_up)
		get_poll(engine);
	if (engine->is_store_up) {
		get_expire(engine);
		get_run(engine);
	}
	if (!engine->is_store_up) {
		start_give_up(engine, false);
		request_give_up(engine, false);
		get_give_up(engine, false);
	}
	cache_trim(&engine->cache);
	note_pace(engine, begun_us);
	return next_turn_us(engine);
}
