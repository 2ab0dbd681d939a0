/* watch_state.h - what the parts of the hub share: watch_hub.c (life), watch_round.c (many), watch_saga.c (one), watch_recent.c. */
#ifndef COORDINATOR_WATCH_WATCH_STATE_H
#define COORDINATOR_WATCH_WATCH_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "coordinator/watch/watch_hub.h"

/* A page of the sagas of the beginning. */
struct shown_part {
	struct shown_part *next;
	struct uuid last; /* it looked at sagas up to this one … */
	struct uuid *ids; /* … and has shown these, */
	size_t count;
	int64_t xmax; /* with nothing from here on, and all below but `running` */
	int64_t *running;
	size_t running_count;
};

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
	struct shown_part *shown; /* what include_current has shown already, ascending by id */
	struct shown_part *last_shown;
	size_t shown_count; /* of sagas */
	int64_t shown_xmax; /* nothing from here on is in any part */
	/* one */
	bool is_of_one;
	struct uuid saga_id;
	int64_t sequence; /* the last that was sent */
};

/* The outcomes of one transaction, ascending by place. */
struct recent_commit {
	struct recent_commit *next;
	int64_t xid;
	struct arena arena;
	struct feed_entry *entries;
	struct saga_head *heads;
	struct store_log_row *rows;
	size_t count;
};

enum { RECENT_OUTCOMES_MAX = 20000 }; /* kept, and as many not taken yet; some 700 bytes each */

struct recent {
	struct recent_commit *noted; /* guarded by the hub's lock, as the next three: not taken yet */
	struct recent_commit **noted_end;
	size_t noted_count;
	size_t noted_outcomes;
	struct recent_commit *first; /* ascending by transaction */
	struct recent_commit **end;
	size_t count;
	size_t outcomes;
	int64_t last_xid;
};

struct watch_hub {
	struct read_port port;
	struct catalog *catalog;
	struct arena arena; /* a round's */
	struct watcher *watchers;
	size_t of_many;
	size_t of_one;
	bool was_away;
	struct recent recent;
	bool is_unsettled; /* when last asked, transactions were under way that hide what came after them */
	int64_t keep_ms;
	int64_t trim_us; /* the next time */
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

/* ---- watch_recent.c ---- */
void recent_init(struct recent *recent);
void recent_release(struct recent *recent);
struct recent_commit *recent_copy(const struct feed_commit *commit);   /* the engine's thread */
void recent_note(struct recent *recent, struct recent_commit *commit); /* takes it over; with the hub's lock */
void recent_take(struct watch_hub *hub);                               /* what was noted; at the beginning of a round */
void recent_forget(struct recent *recent, int64_t before_xid);
const struct recent_commit *recent_find(const struct recent *recent, int64_t xid); /* NULL: it is not there */

/* Each answers -1 when the store failed. */
int watch_round_many(struct watch_hub *hub, struct error *err);
int watch_round_one(struct watch_hub *hub, struct error *err);

#endif
