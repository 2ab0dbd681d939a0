/* watch_state.h - what the parts of the hub share: watch_hub.c (life), watch_round.c (many), watch_saga.c (one). */
#ifndef COORDINATOR_WATCH_WATCH_STATE_H
#define COORDINATOR_WATCH_WATCH_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "coordinator/watch/watch_hub.h"

struct watcher {
	struct watcher *next;
	const struct watch_sink *sink;
	void *ctx;
	bool is_begun;
	bool is_over;   /* on_end was called */
	bool is_served; /* in this round */
	struct arena arena;
	/* many */
	struct watch_sagas watch; /* position: the last that was served */
	int64_t told_us;          /* when the sink last heard something */
	bool has_told_position;
	struct feed_snapshot shown; /* what include_current has shown already; xmax 0: nothing */
	/* one */
	bool is_of_one;
	struct uuid saga_id;
	int64_t sequence; /* the last that was sent */
};

struct watch_hub {
	struct read_port port;
	struct catalog *catalog;
	struct arena arena; /* a round's */
	struct watcher *watchers;
	size_t of_many;
	size_t of_one;
	bool was_away;
	bool is_unsettled; /* when last asked, transactions were under way that hide what came after them */
	int64_t trim_us;
	pthread_t thread;
	bool is_running;

	pthread_mutex_t mu;
	pthread_cond_t changed;
	struct watcher *added; /* guarded by mu, as all below */
	size_t count_of_many;  /* admitted and not released */
	size_t count_of_one;
	bool wants_outcomes; /* somebody waits for commits with an outcome … */
	bool wants_all;      /* … or for every one */
	bool has_commit;     /* one of those came since the last round began */
	bool is_nudged;
	bool is_stopping;
};

void watcher_end(struct watcher *watcher, enum watch_end end, const struct error *err);

/* Each answers -1 when the store failed. */
int watch_round_many(struct watch_hub *hub, struct error *err);
int watch_round_one(struct watch_hub *hub, struct error *err);

#endif
