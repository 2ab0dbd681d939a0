/*
 * get.c - GetSaga: answers at once, or when the saga is no longer open, or when the wait is over.
 *
 * Why:     a client that waits costs a node in a table, no thread and no query: this instance's own turns wake it, and one
 *          statement every 200 ms asks for what other instances may have changed.
 * What is read: an ended saga never changes, so its cached entry is the truth; an open one is read from the table,
 *          unless the caller waits for its end anyway.
 */
#include <assert.h>
#include <stdlib.h>

#include "coordinator/engine/engine_state.h"
#include "lib/base/memory.h"

static void answer(struct get_item *get, const struct saga_view *view, const struct error *err)
{
	get->done(get->ctx, view, err);
	free(get);
}

static void answer_all(struct get_item *gets, const struct error *err)
{
	for (struct get_item *next; gets; gets = next) {
		next = gets->next;
		answer(gets, NULL, err);
	}
}

/* ---- waiters ---- */

static void add_waiter(struct engine *engine, struct get_item *get)
{
	struct waiter *waiter = xcalloc(1, sizeof(*waiter));

	waiter->node.id = get->saga_id;
	waiter->get = get;
	waiter->older = engine->newest_waiter;
	*(waiter->older ? &waiter->older->newer : &engine->oldest_waiter) = waiter;
	engine->newest_waiter = waiter;
	id_table_insert(&engine->waiters, &waiter->node);
	if (get->deadline_us < engine->waiter_deadline_us)
		engine->waiter_deadline_us = get->deadline_us;
}

/* What it wanted is asked again, by the next get_run(). */
static void wake(struct engine *engine, struct waiter *waiter)
{
	*(waiter->older ? &waiter->older->newer : &engine->oldest_waiter) = waiter->newer;
	*(waiter->newer ? &waiter->newer->older : &engine->newest_waiter) = waiter->older;
	if (engine->waiter_poll_next == waiter)
		engine->waiter_poll_next = waiter->newer;
	id_table_remove(&engine->waiters, &waiter->node);
	waiter->get->next = engine->gets;
	engine->gets = waiter->get;
	free(waiter);
}

void get_saga_settled(struct engine *engine, struct uuid saga_id)
{
	for (struct id_node *node; (node = id_table_find(&engine->waiters, saga_id));)
		wake(engine, ID_TABLE_ENTRY(node, struct waiter, node));
}

void get_expire(struct engine *engine)
{
	int64_t now_us = engine_now_us(engine);

	if (now_us < engine->waiter_deadline_us)
		return;
	engine->waiter_deadline_us = INT64_MAX;
	for (struct waiter *waiter = engine->oldest_waiter, *newer; waiter; waiter = newer) {
		newer = waiter->newer;
		if (waiter->get->deadline_us <= now_us)
			wake(engine, waiter);
		else if (waiter->get->deadline_us < engine->waiter_deadline_us)
			engine->waiter_deadline_us = waiter->get->deadline_us;
	}
}

/* Ids worth asking for: not those that this instance has just seen itself. */
static size_t collect_waited(struct engine *engine, struct uuid *ids)
{
	int64_t now_us = engine_now_us(engine);
	size_t count = 0;

	if (!engine->waiter_poll_next)
		engine->waiter_poll_next = engine->oldest_waiter;
	for (; engine->waiter_poll_next && count < WAITER_POLL_IDS_MAX;
	     engine->waiter_poll_next = engine->waiter_poll_next->newer) {
		struct uuid id = engine->waiter_poll_next->node.id;
		const struct cached_saga *cached = cache_find(&engine->cache, id);

		if (!cached || now_us - cached->seen_us >= WAITER_POLL_US)
			ids[count++] = id;
	}
	return count;
}

void get_poll(struct engine *engine)
{
	int64_t now_us = engine_now_us(engine);
	struct store_page page = {0};
	struct uuid *ids;
	size_t count;
	struct error err;

	if (!engine->oldest_waiter || now_us < engine->waiter_poll_us)
		return;
	engine->waiter_poll_us = now_us + WAITER_POLL_US;
	ids = arena_alloc(&engine->arena, WAITER_POLL_IDS_MAX * sizeof(*ids));
	count = collect_waited(engine, ids);
	if (count == 0)
		return;
	if (engine->ports.store.glance(engine->ports.store.ctx, ids, count, &engine->arena, &page, &err) < 0) {
		engine_lost_store(engine, &err);
		return;
	}
	for (size_t i = 0; i < page.count; i++) {
		const struct store_glance *glance = &page.items[i];
		const struct cached_saga *cached = cache_find(&engine->cache, glance->saga_id);

		if (cached && cached->version < glance->version)
			cache_drop(&engine->cache, glance->saga_id);
		if (!saga_state_is_open(glance->state))
			get_saga_settled(engine, glance->saga_id);
	}
}

/* ---- answers ---- */

/* True: what the cache has may be shown, or need not be since the caller waits for the end. */
static bool is_cache_enough(const struct cached_saga *cached, const struct get_item *get, int64_t now_us)
{
	if (!cached)
		return false;
	return saga_state_is_terminal(cached->state) ||
	       (saga_state_is_open(cached->state) && get->deadline_us > now_us);
}

static int load_sagas(struct engine *engine, const struct get_item *gets, size_t get_count, struct error *err)
{
	struct uuid *ids = arena_alloc(&engine->arena, (get_count + 1) * sizeof(*ids));
	int64_t now_us = engine_now_us(engine);
	size_t count = 0;

	for (const struct get_item *get = gets; get; get = get->next)
		if (!is_cache_enough(cache_find(&engine->cache, get->saga_id), get, now_us))
			ids[count++] = get->saga_id;
	return count > 0 ? turn_load(engine, ids, count, err) : 0;
}

/* Logs of those that the cache has in part only. */
static int load_logs(struct engine *engine, const struct get_item *gets, size_t get_count, struct error *err)
{
	struct uuid *ids = arena_alloc(&engine->arena, (get_count + 1) * sizeof(*ids));
	struct store_log_row *rows = NULL;
	size_t row_count = 0;
	size_t count = 0;

	for (const struct get_item *get = gets; get; get = get->next) {
		struct cached_saga *cached = cache_find(&engine->cache, get->saga_id);

		if (!cached || cached->log_count == cached->version)
			continue;
		buffer_clear(&cached->log);
		cached->log_count = 0;
		ids[count++] = get->saga_id;
	}
	if (count == 0)
		return 0;
	if (engine->ports.store.load_log(engine->ports.store.ctx, ids, count, &engine->arena, &rows, &row_count, err) <
	    0)
		return -1;
	for (size_t i = 0; i < row_count; i++) {
		struct cached_saga *cached = cache_find(&engine->cache, rows[i].saga_id);

		/* Entries beyond the row that was read are another instance's, made since; an id asked for twice gives
		 * its rows once, since they are taken in sequence. */
		if (!cached || rows[i].entry.sequence != cached->log_count + 1 ||
		    rows[i].entry.sequence > cached->version)
			continue;
		rows[i].entry.event.step = rows[i].step_id[0] ? plan_find_step(cached->plan, rows[i].step_id) : -1;
		cache_append_log(cached, &rows[i].entry);
	}
	return 0;
}

static void answer_not_found(struct get_item *get)
{
	char id[UUID_TEXT_LEN + 1];
	struct error err;

	uuid_format(get->saga_id, id);
	(void)error_set(&err, ERR_NOT_FOUND, "saga '%s' does not exist", id);
	answer(get, NULL, &err);
}

static void answer_cached(struct engine *engine, struct get_item *get, struct cached_saga *cached)
{
	const struct saga *saga = turn_decode(cached, &engine->arena);
	struct saga_view view = turn_view(cached, saga);
	struct error err;

	if (!saga) {
		(void)error_set(&err, ERR_CORRUPT, "the saga's row cannot be read; the coordinator's log says why");
		answer(get, NULL, &err);
		return;
	}
	view.log_count = cache_read_log(cached, &engine->arena, &view.log);
	answer(get, &view, NULL);
}

/* Takes those out that go on waiting, and those that do not exist. */
static struct get_item *keep_answerable(struct engine *engine, struct get_item *gets, size_t *ret_count)
{
	int64_t now_us = engine_now_us(engine);
	struct get_item *kept = NULL;
	size_t count = 0;

	for (struct get_item *get = gets, *next; get; get = next) {
		const struct cached_saga *cached = cache_find(&engine->cache, get->saga_id);

		next = get->next;
		if (!cached) {
			answer_not_found(get);
		} else if (saga_state_is_open(cached->state) && get->deadline_us > now_us) {
			add_waiter(engine, get);
		} else {
			get->next = kept;
			kept = get;
			count++;
		}
	}
	*ret_count = count;
	return kept;
}

void get_run(struct engine *engine)
{
	struct get_item *gets = engine->gets;
	size_t count = 0;
	struct error err;

	engine->gets = NULL;
	if (!gets)
		return;
	for (const struct get_item *get = gets; get; get = get->next)
		count++;
	if (load_sagas(engine, gets, count, &err) < 0) {
		engine_lost_store(engine, &err);
		answer_all(gets, &err);
		return;
	}
	gets = keep_answerable(engine, gets, &count);
	if (load_logs(engine, gets, count, &err) < 0) {
		engine_lost_store(engine, &err);
		answer_all(gets, &err);
		return;
	}
	for (struct get_item *get = gets, *next; get; get = next) {
		next = get->next;
		answer_cached(engine, get, cache_find(&engine->cache, get->saga_id));
	}
}

void get_give_up(struct engine *engine, bool is_ending)
{
	struct error err;

	get_expire(engine);
	while (is_ending && engine->oldest_waiter)
		wake(engine, engine->oldest_waiter);
	if (!engine->gets)
		return;
	(void)error_set(&err, ERR_UNAVAILABLE, "%s",
			is_ending ? "this coordinator is stopping" : "the coordinator's database is away");
	answer_all(engine->gets, &err);
	engine->gets = NULL;
}
