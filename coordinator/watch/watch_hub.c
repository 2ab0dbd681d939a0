/* watch_hub.c - see watch_hub.h: watchers come and go, and the thread. */
#include <assert.h>
#include <stdlib.h>

#include "coordinator/watch/watch_state.h"
#include "lib/base/clock.h"
#include "lib/base/condition.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"

enum {
	POLL_MS = 50,
	UNSETTLED_MS = 2, /* after a commit that was not in sight yet; doubles up to POLL_MS */
	REST_FACTOR = 4,  /* a round's time, and so many times that much rest */
	AWAY_MS = 500,
	TRIM_MS = 60 * 1000,
	TRIM_MORE_MS = 1000, /* where more has to go than goes at a time */
};

struct watch_hub *watch_hub_new(const struct read_port *port, struct catalog *catalog, int64_t keep_ms)
{
	struct watch_hub *hub = xcalloc(1, sizeof(*hub));

	hub->port = *port;
	hub->catalog = catalog;
	hub->keep_ms = keep_ms;
	arena_init(&hub->arena, 0);
	recent_init(&hub->recent);
	(void)pthread_mutex_init(&hub->mu, NULL); /* cannot fail on Linux */
	condition_init(&hub->changed);
	return hub;
}

/* ---- watchers ---- */

static void release_watcher(struct watcher *watcher)
{
	watcher->sink->on_released(watcher->ctx);
	arena_release(&watcher->arena);
	free(watcher);
}

void watcher_end(struct watcher *watcher, enum watch_end end, const struct error *err)
{
	assert(!watcher->is_over);
	watcher->is_over = true;
	watcher->sink->on_end(watcher->ctx, end, err);
}

static int add(struct watch_hub *hub, struct watcher *watcher, struct error *err)
{
	size_t *count = watcher->is_of_one ? &hub->count_of_one : &hub->count_of_many;
	size_t max = watcher->is_of_one ? WATCH_SAGA_MAX : WATCH_SAGAS_MAX;
	int rc = 0;

	(void)pthread_mutex_lock(&hub->mu);
	if (hub->is_stopping)
		rc = error_set(err, ERR_UNAVAILABLE, "this coordinator is stopping");
	else if (*count >= max)
		rc = error_set(err, ERR_LIMIT, "%zu streams of this kind are open already, try again later", *count);
	if (rc == 0) {
		++*count;
		watcher->next = hub->added;
		hub->added = watcher;
		hub->wants_all = true; /* until the thread has looked */
		hub->is_nudged = true;
		(void)pthread_cond_signal(&hub->changed);
	}
	(void)pthread_mutex_unlock(&hub->mu);
	if (rc < 0) {
		arena_release(&watcher->arena);
		free(watcher);
	}
	return rc;
}

static struct watcher *watcher_new(const struct watch_sink *sink, void *ctx)
{
	struct watcher *watcher = xcalloc(1, sizeof(*watcher));

	watcher->sink = sink;
	watcher->ctx = ctx;
	arena_init(&watcher->arena, 0);
	return watcher;
}

int watch_hub_add_sagas(struct watch_hub *hub, const struct watch_sagas *watch, const struct watch_sink *sink,
			void *ctx, struct error *err)
{
	struct watcher *watcher = watcher_new(sink, ctx);
	const struct saga_filter *filter = &watch->filter;
	struct engine_label *labels = arena_alloc(&watcher->arena, (filter->label_count + 1) * sizeof(*labels));

	watcher->watch = *watch;
	if (filter->definition)
		watcher->watch.filter.definition = arena_strdup(&watcher->arena, filter->definition);
	if (filter->key)
		watcher->watch.filter.key = arena_strdup(&watcher->arena, filter->key);
	for (size_t i = 0; i < filter->label_count; i++)
		labels[i] = (struct engine_label){arena_strdup(&watcher->arena, filter->labels[i].name),
						  arena_strdup(&watcher->arena, filter->labels[i].value)};
	watcher->watch.filter.labels = labels;
	return add(hub, watcher, err);
}

int watch_hub_add_saga(struct watch_hub *hub, struct uuid saga_id, int64_t after_sequence,
		       const struct watch_sink *sink, void *ctx, struct error *err)
{
	struct watcher *watcher = watcher_new(sink, ctx);

	watcher->is_of_one = true;
	watcher->saga_id = saga_id;
	watcher->sequence = after_sequence;
	return add(hub, watcher, err);
}

void watch_hub_nudge(struct watch_hub *hub)
{
	(void)pthread_mutex_lock(&hub->mu);
	hub->is_nudged = true;
	(void)pthread_cond_signal(&hub->changed);
	(void)pthread_mutex_unlock(&hub->mu);
}

void watch_hub_note_commit(struct watch_hub *hub, const struct feed_commit *commit)
{
	const bool has_outcome = commit->count > 0 || !commit->is_complete;
	struct recent_commit *copy = NULL;
	bool wants_outcomes;

	(void)pthread_mutex_lock(&hub->mu);
	wants_outcomes = hub->wants_outcomes;
	(void)pthread_mutex_unlock(&hub->mu);
	if (wants_outcomes && commit->is_complete)
		copy = recent_copy(commit);
	(void)pthread_mutex_lock(&hub->mu);
	if (copy)
		recent_note(&hub->recent, copy); /* with the wake-up: the round finds it */
	if (!hub->has_commit && (hub->wants_all || (has_outcome && hub->wants_outcomes))) {
		hub->has_commit = true;
		(void)pthread_cond_signal(&hub->changed);
	}
	(void)pthread_mutex_unlock(&hub->mu);
}

/* Takes in who came, lets go of who is gone or has ended. */
static void take_watchers(struct watch_hub *hub)
{
	struct watcher **at;
	struct watcher *added;
	size_t left[2] = {0};
	bool wants_outcomes = false;
	bool wants_all = false;

	(void)pthread_mutex_lock(&hub->mu);
	added = hub->added;
	hub->added = NULL;
	(void)pthread_mutex_unlock(&hub->mu);
	for (struct watcher *next; added; added = next) {
		next = added->next;
		added->next = hub->watchers;
		hub->watchers = added;
	}
	for (at = &hub->watchers; *at;) {
		struct watcher *watcher = *at;

		watcher->is_served = false;
		if (!watcher->is_over && watcher->sink->room(watcher->ctx) != WATCH_GONE) {
			*(watcher->watch.outcomes_only ? &wants_outcomes : &wants_all) = true;
			at = &watcher->next;
			continue;
		}
		*at = watcher->next;
		left[watcher->is_of_one]++;
		release_watcher(watcher);
	}
	(void)pthread_mutex_lock(&hub->mu);
	hub->count_of_many -= left[false];
	hub->count_of_one -= left[true];
	hub->wants_outcomes = wants_outcomes;
	hub->wants_all = wants_all || hub->added;
	(void)pthread_mutex_unlock(&hub->mu);
}

/* ---- rounds ---- */

/* Who has not begun hears so; the others wait until the store is back, and miss nothing. */
static void note_away(struct watch_hub *hub, const struct error *err)
{
	if (!hub->was_away)
		log_warn("watch_away", "err=%s, streams wait until the database is back", LOG_TEXT(err->msg));
	hub->was_away = true;
	for (struct watcher *watcher = hub->watchers; watcher; watcher = watcher->next)
		if (!watcher->is_begun && !watcher->is_over)
			watcher_end(watcher, WATCH_END_ERROR, err);
}

int64_t watch_hub_trim(struct watch_hub *hub)
{
	bool has_more = false;
	struct error err;

	if (hub->keep_ms == 0)
		return INT64_MAX;
	if (clock_monotonic_us() < hub->trim_us)
		return hub->trim_us;
	if (hub->port.trim(hub->port.ctx, hub->keep_ms, &has_more, &err) < 0)
		log_warn("feed_not_trimmed", "err=%s, trying again in a minute", LOG_TEXT(err.msg));
	hub->trim_us = clock_monotonic_us() + (has_more ? TRIM_MORE_MS : TRIM_MS) * 1000;
	return hub->trim_us;
}

void watch_hub_round(struct watch_hub *hub)
{
	struct error err;

	take_watchers(hub);
	recent_take(hub);
	if (!hub->watchers) {
		recent_forget(&hub->recent, INT64_MAX);
		return;
	}
	arena_clear(&hub->arena);
	if (watch_round_many(hub, &err) < 0 || watch_round_one(hub, &err) < 0) {
		note_away(hub, &err);
		return;
	}
	if (hub->was_away)
		log_info("watch_back", "streams go on");
	hub->was_away = false;
}

struct schedule {
	int64_t rested_us; /* no round for a commit before this … */
	int64_t until_us;  /* … and one at this time, whatever happens */
	int64_t retry_ms;
};

/* A commit of ours may be hidden for a moment by transactions of others, so after one the next look comes soon. */
static void plan_next(struct watch_hub *hub, struct schedule *schedule, int64_t begun_us, int64_t trim_us,
		      bool had_commit)
{
	int64_t now_us = clock_monotonic_us();
	int64_t wait_ms = !hub->watchers ? TRIM_MS : hub->was_away ? AWAY_MS : POLL_MS;

	schedule->rested_us = now_us + REST_FACTOR * (now_us - begun_us);
	schedule->retry_ms = had_commit ? UNSETTLED_MS : schedule->retry_ms * 2;
	if (schedule->retry_ms > POLL_MS)
		schedule->retry_ms = POLL_MS;
	if (hub->is_unsettled && schedule->retry_ms < wait_ms)
		wait_ms = schedule->retry_ms;
	schedule->until_us = now_us + wait_ms * 1000;
	if (schedule->until_us > trim_us)
		schedule->until_us = trim_us;
	if (hub->is_unsettled && schedule->until_us < schedule->rested_us)
		schedule->until_us = schedule->rested_us;
}

/* False: the hub stops. */
static bool wait_for_next(struct watch_hub *hub, const struct schedule *schedule, bool *ret_had_commit)
{
	bool is_stopping;

	(void)pthread_mutex_lock(&hub->mu);
	while (!hub->is_nudged && !hub->is_stopping) {
		bool is_early = hub->has_commit && schedule->rested_us < schedule->until_us;

		if (!condition_wait_until(&hub->changed, &hub->mu, is_early ? schedule->rested_us : schedule->until_us))
			break;
	}
	*ret_had_commit = hub->has_commit;
	hub->has_commit = false;
	hub->is_nudged = false;
	is_stopping = hub->is_stopping;
	(void)pthread_mutex_unlock(&hub->mu);
	return !is_stopping;
}

static void *run(void *arg)
{
	struct watch_hub *hub = arg;
	struct schedule schedule = {.retry_ms = POLL_MS};
	bool had_commit = false;

	do {
		int64_t begun_us = clock_monotonic_us();

		watch_hub_round(hub);
		plan_next(hub, &schedule, begun_us, watch_hub_trim(hub), had_commit);
	} while (wait_for_next(hub, &schedule, &had_commit));
	return NULL;
}

int watch_hub_run(struct watch_hub *hub, struct error *err)
{
	assert(!hub->is_running);
	if (pthread_create(&hub->thread, NULL, run, hub) != 0)
		return error_set(err, ERR_LIMIT, "cannot start the watch thread: too many threads");
	(void)pthread_setname_np(hub->thread, "saga-watch"); /* for people only */
	hub->is_running = true;
	return 0;
}

void watch_hub_stop(struct watch_hub *hub)
{
	(void)pthread_mutex_lock(&hub->mu);
	hub->is_stopping = true;
	(void)pthread_cond_signal(&hub->changed);
	(void)pthread_mutex_unlock(&hub->mu);
	if (hub->is_running)
		(void)pthread_join(hub->thread, NULL); /* joined once */
	hub->is_running = false;
	for (struct watcher *watcher = hub->added, *next; watcher; watcher = next) {
		next = watcher->next;
		watcher->next = hub->watchers;
		hub->watchers = watcher;
	}
	hub->added = NULL;
	for (struct watcher *next; hub->watchers; hub->watchers = next) {
		next = hub->watchers->next;
		release_watcher(hub->watchers);
	}
}

void watch_hub_free(struct watch_hub *hub)
{
	if (!hub)
		return;
	watch_hub_stop(hub);
	arena_release(&hub->arena);
	recent_release(&hub->recent);
	(void)pthread_cond_destroy(&hub->changed);
	(void)pthread_mutex_destroy(&hub->mu);
	free(hub);
}
