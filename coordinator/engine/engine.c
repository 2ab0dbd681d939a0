/*
 * engine.c - the engine's life: intake from other threads, its own thread, draining, health. What it does is in turn.c.
 *
 * Threads: `saga-engine` runs the turns; `saga-catalog` looks once a second for definitions that other instances
 *          registered, apart from the turns, since compiling one asks the registry.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/engine/engine_state.h"
#include "lib/base/clock.h"
#include "lib/base/condition.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"

enum { CATALOG_REFRESH_MS = 1000 };

/* ---- time and the store's health ---- */

int64_t engine_now_us(const struct engine *engine)
{
	return engine->ports.clock.monotonic_us(engine->ports.clock.ctx);
}

int64_t engine_database_us(const struct engine *engine)
{
	return engine_now_us(engine) + engine->database_ahead_us;
}

void engine_set_database_us(struct engine *engine, int64_t database_us)
{
	engine->database_ahead_us = database_us - engine_now_us(engine);
}

static void set_health(struct engine *engine, bool is_up, const char *text)
{
	(void)pthread_mutex_lock(&engine->health_mu);
	engine->is_healthy = is_up;
	(void)snprintf(engine->store_error, sizeof(engine->store_error), "%s", text);
	(void)pthread_mutex_unlock(&engine->health_mu);
}

void engine_lost_store(struct engine *engine, const struct error *err)
{
	if (engine->is_store_up || engine->probe_us == 0) {
		log_warn("store_lost", "err=%s, refusing starts and keeping replies until it is back",
			 LOG_TEXT(err->msg));
		engine->probe_wait_us = PROBE_FIRST_US;
	} else if (engine->probe_wait_us < PROBE_MAX_US) {
		engine->probe_wait_us *= 2;
	}
	engine->is_store_up = false;
	engine->probe_us = engine_now_us(engine) + engine->probe_wait_us;
	set_health(engine, false, err->msg);
}

void engine_found_store(struct engine *engine)
{
	if (engine->probe_us != 0)
		log_info("store_found", "the database answers again");
	engine->is_store_up = true;
	set_health(engine, true, "");
}

/* How long the turn in hand has been running. */
static int64_t turn_us(const struct engine *engine)
{
	int64_t begun_us = atomic_load(&engine->turn_begun_us);

	return begun_us == 0 ? 0 : engine_now_us(engine) - begun_us;
}

bool engine_is_alive(const struct engine *engine)
{
	return turn_us(engine) < HUNG_TURN_US;
}

/* A server that is stopped keeps the turn waiting; whoever comes meanwhile should hear so now, not at their deadline. */
static bool is_store_silent(const struct engine *engine, struct error *err)
{
	int64_t waited_us = turn_us(engine);

	if (waited_us < SLOW_TURN_US)
		return false;
	(void)error_set(err, ERR_UNAVAILABLE, "the database has not answered for %lld s",
			(long long)(waited_us / 1000000));
	return true;
}

size_t engine_pauses(struct engine *engine, struct arena *arena, const char ***ret_texts)
{
	return pauses_describe(&engine->pauses, arena, ret_texts);
}

void engine_health(struct engine *engine, struct engine_health *ret_health)
{
	const struct bus_port *bus = &engine->ports.bus;
	struct error silence;

	*ret_health = (struct engine_health){0};
	(void)pthread_mutex_lock(&engine->health_mu);
	ret_health->is_store_up = engine->is_healthy;
	memcpy(ret_health->store_error, engine->store_error, sizeof(ret_health->store_error));
	(void)pthread_mutex_unlock(&engine->health_mu);
	if (is_store_silent(engine, &silence)) {
		ret_health->is_store_up = false;
		(void)snprintf(ret_health->store_error, sizeof(ret_health->store_error), "%s", silence.msg);
	}
	ret_health->is_bus_up = bus->health(bus->ctx, ret_health->bus_error, sizeof(ret_health->bus_error));
}

bool engine_is_ready(struct engine *engine, const struct plan *plan)
{
	for (size_t i = 0; i < plan->reply_topic_count; i++)
		if (!engine->ports.bus.is_assigned(engine->ports.bus.ctx, plan->reply_topics[i]))
			return false;
	return true;
}

/* ---- intake ---- */

static void refuse(enum queue_answer answer, struct error *err)
{
	assert(answer != QUEUE_TAKEN);
	if (answer == QUEUE_FULL)
		(void)error_set(err, ERR_LIMIT, "the coordinator's queue is full, try again later");
	else
		(void)error_set(err, ERR_UNAVAILABLE, "this coordinator is stopping");
}

static void refuse_starts(struct engine *engine, enum queue_answer answer, size_t count, struct error *err)
{
	if (answer == QUEUE_FULL) {
		metric_add(engine->metrics.starts_shed, count);
		(void)error_set(err, ERR_LIMIT,
				"this coordinator is asked for more sagas than it gets through, try again later");
	} else {
		refuse(answer, err);
	}
}

bool engine_has_room(struct engine *engine, const struct plan *plan, struct error *err)
{
	const enum queue_answer answer = queue_look(&engine->queue, plan->definition.name);

	if (answer != QUEUE_FULL) /* an engine that drains says so itself */
		return true;
	refuse_starts(engine, answer, 1, err);
	return false;
}

void engine_start_saga(struct engine *engine, const struct start_request *request, start_done_fn *done, void *ctx)
{
	engine_start_sagas(engine, request, 1, done, &ctx);
}

void engine_start_sagas(struct engine *engine, const struct start_request *requests, size_t count, start_done_fn *done,
			void *const *ctxs)
{
	int64_t now_us = engine_now_us(engine);
	struct start_item *items = NULL;
	struct start_item **end = &items;
	enum queue_answer answer;
	struct error err;

	if (count == 0)
		return;
	for (size_t i = 0; i < count; i++) {
		assert(requests[i].plan);
		*end = start_item_new(&requests[i], done, ctxs[i]);
		(*end)->queued_us = now_us;
		end = &(*end)->next;
	}
	if (!is_store_silent(engine, &err)) {
		answer = queue_push_starts(&engine->queue, items, count);
		if (answer == QUEUE_TAKEN)
			return;
		refuse_starts(engine, answer, count, &err);
	}
	for (struct start_item *next; items; items = next) {
		next = items->next;
		done(items->ctx, NULL, false, &err);
		free(items);
	}
}

void engine_request(struct engine *engine, struct uuid saga_id, const struct saga_request *request,
		    request_done_fn *done, void *ctx)
{
	struct request_link *item = request_item_new(saga_id, request, done, ctx);
	enum queue_answer answer;
	struct error err;

	if (!is_store_silent(engine, &err)) {
		answer = queue_push_request(&engine->queue, item);
		if (answer == QUEUE_TAKEN)
			return;
		refuse(answer, &err);
	}
	request_item_free(item);
	done(ctx, &(struct request_answer){.err = &err});
}

void engine_get_saga(struct engine *engine, struct uuid saga_id, int64_t wait_ms, get_done_fn *done, void *ctx)
{
	struct get_item *item = xcalloc(1, sizeof(*item));
	enum queue_answer answer;
	struct error err;

	*item = (struct get_item){.saga_id = saga_id, .done = done, .ctx = ctx};
	if (wait_ms > 0)
		item->deadline_us = engine_now_us(engine) + wait_ms * 1000;
	if (!is_store_silent(engine, &err)) {
		answer = queue_push_get(&engine->queue, item);
		if (answer == QUEUE_TAKEN)
			return;
		refuse(answer, &err);
	}
	free(item);
	done(ctx, NULL, &err);
}

void engine_deliver(struct engine *engine, struct bus_batch *batch)
{
	struct delivery_item *item = xcalloc(1, sizeof(*item));

	assert(batch->done);
	item->batch = batch;
	if (queue_push_delivery(&engine->queue, item) == QUEUE_TAKEN)
		return;
	free(item);
	batch->done(batch, false);
}

bool engine_is_idle(struct engine *engine)
{
	return queue_length(&engine->queue) == 0 && !engine->works.first &&
	       told_next_turn_us(engine) > engine_now_us(engine) && !engine->starts && !engine->gets;
}

/* ---- life ---- */

struct engine *engine_new(const struct engine_options *options)
{
	struct engine *engine = xcalloc(1, sizeof(*engine));

	engine->ports = *options->ports;
	engine->catalog = options->catalog;
	engine->spans = options->spans;
	engine->instance = xstrdup(options->instance);
	engine->registry = xstrdup(options->registry ? options->registry : "");
	engine->boot = engine->ports.clock.real_us(engine->ports.clock.ctx);
	engine->sweep_us = (options->sweep_ms ? options->sweep_ms : 1000) * 1000;
	engine->cache.open_max = options->cache_max ? options->cache_max : 100000;
	engine->cache.ended_max = ENDED_CACHE_MAX;
	engine->turn.commit_limit = COMMIT_LIMIT_MAX;
	engine->slice_changes = options->slice_changes;
	engine->starts_end = &engine->starts;
	engine->waiter_deadline_us = INT64_MAX;
	work_list_init(&engine->works);
	told_forget(engine);
	work_list_init(&engine->due);
	arena_init(&engine->arena, 0);
	arena_init(&engine->builds, 0);
	arena_init(&engine->fold, 0);
	queue_init(&engine->queue, options->queue_max ? options->queue_max : 100000);
	pauses_init(&engine->pauses);
	resend_limit_init(&engine->resend_limit, options->resends_per_s ? options->resends_per_s : 2000);
	engine->on_commit = options->on_commit;
	engine->on_commit_ctx = options->on_commit_ctx;
	room_init(&engine->room, &options->in_flight);
	open_limit_init(&engine->open_limit, &options->open);
	engine_metrics_register(&engine->metrics, options->metrics);
	(void)pthread_mutex_init(&engine->health_mu, NULL); /* cannot fail on Linux */
	condition_init(&engine->drain_begins);
	condition_init(&engine->turns_end);
	set_health(engine, false, "not asked yet");
	return engine;
}

static void *run_turns(void *arg)
{
	struct engine *engine = arg;

	while (!atomic_load(&engine->must_stop)) {
		int64_t next_us;

		atomic_store(&engine->turn_begun_us, engine_now_us(engine));
		next_us = engine_turn(engine);
		atomic_store(&engine->turn_begun_us, 0);
		if (atomic_load(&engine->is_draining) && engine_is_idle(engine))
			break;
		if (next_us > engine_now_us(engine))
			queue_wait(&engine->queue, next_us);
	}
	(void)pthread_mutex_lock(&engine->health_mu);
	engine->are_turns_over = true;
	(void)pthread_cond_broadcast(&engine->turns_end);
	(void)pthread_mutex_unlock(&engine->health_mu);
	return NULL;
}

/* False: the engine drains. */
static bool wait_for_refresh(struct engine *engine)
{
	int64_t until_us = clock_monotonic_us() + CATALOG_REFRESH_MS * 1000;
	bool is_over = false;

	(void)pthread_mutex_lock(&engine->health_mu);
	while (!atomic_load(&engine->is_draining) && !is_over)
		is_over = !condition_wait_until(&engine->drain_begins, &engine->health_mu, until_us);
	(void)pthread_mutex_unlock(&engine->health_mu);
	return !atomic_load(&engine->is_draining);
}

static void *refresh_catalog(void *arg)
{
	struct engine *engine = arg;
	bool was_refused = false;
	struct error err;

	do {
		bool is_refused = catalog_refresh(engine->catalog, &err) < 0;

		if (is_refused && !was_refused)
			log_warn("catalog_not_refreshed", "err=%s, trying every second", LOG_TEXT(err.msg));
		was_refused = is_refused;
	} while (wait_for_refresh(engine));
	return NULL;
}

int engine_run(struct engine *engine, struct error *err)
{
	assert(!engine->is_running);
	if (pthread_create(&engine->thread, NULL, run_turns, engine) != 0)
		return error_set(err, ERR_LIMIT, "cannot start the engine's thread: too many threads");
	if (pthread_create(&engine->catalog_thread, NULL, refresh_catalog, engine) != 0) {
		atomic_store(&engine->must_stop, true);
		queue_nudge(&engine->queue);
		(void)pthread_join(engine->thread, NULL); /* joined once, as below */
		return error_set(err, ERR_LIMIT, "cannot start the catalog's thread: too many threads");
	}
	(void)pthread_setname_np(engine->thread, "saga-engine"); /* names are for people only */
	(void)pthread_setname_np(engine->catalog_thread, "saga-catalog");
	engine->is_running = true;
	return 0;
}

/* Joins, or after the time-out makes the thread stop after the turn in hand. */
static void join_turns(struct engine *engine, int64_t timeout_ms)
{
	const int64_t until_us = clock_monotonic_us() + timeout_ms * 1000;
	bool is_late = false;

	(void)pthread_mutex_lock(&engine->health_mu);
	while (!engine->are_turns_over && !is_late)
		is_late = !condition_wait_until(&engine->turns_end, &engine->health_mu, until_us);
	(void)pthread_mutex_unlock(&engine->health_mu);
	if (is_late) {
		atomic_store(&engine->must_stop, true);
		queue_nudge(&engine->queue);
	}
	(void)pthread_join(engine->thread, NULL); /* joined once */
}

/* After the thread has ended: everybody who still waits gets an answer. */
static void answer_everybody(struct engine *engine)
{
	struct queue_load load;

	queue_end(&engine->queue, &load);
	turn_take_calls(engine, &load);
	for (struct delivery_item *item = load.deliveries, *next; item; item = next) {
		next = item->next;
		item->batch->done(item->batch, false);
		free(item);
	}
	start_give_up(engine, true);
	request_give_up(engine, true);
	get_give_up(engine, true);
	event_abandon_all(engine);
}

void engine_drain(struct engine *engine, int64_t timeout_ms)
{
	(void)pthread_mutex_lock(&engine->health_mu);
	atomic_store(&engine->is_draining, true);
	(void)pthread_cond_broadcast(&engine->drain_begins);
	(void)pthread_mutex_unlock(&engine->health_mu);
	queue_close(&engine->queue);
	if (engine->is_running) {
		join_turns(engine, timeout_ms);
		(void)pthread_join(engine->catalog_thread, NULL); /* joined once */
		engine->is_running = false;
	}
	answer_everybody(engine);
}

void engine_free(struct engine *engine)
{
	if (!engine)
		return;
	if (!atomic_load(&engine->is_draining))
		engine_drain(engine, 0);
	cache_release(&engine->cache);
	id_table_release(&engine->groups);
	id_table_release(&engine->start_ids);
	id_table_release(&engine->start_keys);
	id_table_release(&engine->waiters);
	resend_limit_release(&engine->resend_limit);
	room_release(&engine->room);
	sweep_release(engine);
	open_limit_release(&engine->open_limit);
	pauses_release(&engine->pauses);
	engine_metrics_release(&engine->metrics);
	for (size_t i = 0; i < ARRAY_LEN(engine->turn.slices); i++)
		free(engine->turn.slices[i].items);
	free(engine->turn.sends);
	buffer_release(&engine->scratch);
	arena_release(&engine->arena);
	arena_release(&engine->builds);
	arena_release(&engine->fold);
	queue_release(&engine->queue);
	(void)pthread_cond_destroy(&engine->drain_begins);
	(void)pthread_cond_destroy(&engine->turns_end);
	(void)pthread_mutex_destroy(&engine->health_mu);
	free(engine->instance);
	free(engine->registry);
	free(engine);
}
