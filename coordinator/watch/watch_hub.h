/*
 * watch_hub.h - follows the feed of commits on behalf of all streams of this coordinator.
 *
 * Why:        streams must see what every coordinator commits, in order, without gaps, and a slow reader must slow down
 *             nobody. So each watcher has a position of its own and is served from the store when it has room: those at the
 *             end of the feed share one read, one that fell behind reads alone from where it is. Nothing is kept for it.
 * Guarantees: a watcher gets every change that fits its filter once, those of one saga in order; its position goes on
 *             whether anything fitted or not.
 * Cost:       none without watchers; with them two small statements a round, and one for all single sagas. A round follows
 *             a commit of this coordinator at once, but rests between rounds so that they take a fifth of the time at most;
 *             other coordinators' commits are found by looking every 50 ms.
 * Threads:    one of its own; the sink's functions run there, but for on_released after a refused add. Adding from any.
 * Ownership:  borrows port and catalog; what a sink is given lives until it returns.
 */
#ifndef COORDINATOR_WATCH_WATCH_HUB_H
#define COORDINATOR_WATCH_WATCH_HUB_H

#include "coordinator/definition/catalog.h"
#include "coordinator/engine/read_port.h"

enum {
	WATCH_SAGAS_MAX = 256,         /* watchers of many sagas */
	WATCH_SAGA_MAX = 10000,        /* watchers of one saga */
	WATCH_CURRENT_MAX = 10 * 1000, /* sagas at the beginning */
};

struct watch_change {
	const struct saga_head *head;
	const struct store_log_row *row; /* NULL: a saga that had not ended when the watch began */
};

/* Why a watch ends before its time. */
enum watch_end { WATCH_END_DONE, WATCH_END_ERROR, WATCH_END_EXPIRED, WATCH_END_TOO_MANY, WATCH_END_BEYOND };

struct watch_sink {
	enum watch_room { WATCH_ROOM, WATCH_NO_ROOM, WATCH_GONE } (*room)(void *ctx);
	/* `position` is NULL while more of the beginning follows. */
	void (*on_changes)(void *ctx, const struct watch_change *changes, size_t count,
			   const struct feed_position *position);
	/* The log from the first entry that is new. */
	void (*on_saga)(void *ctx, const struct saga_view *view);
	void (*on_end)(void *ctx, enum watch_end end, const struct error *err); /* nothing follows but on_released */
	void (*on_released)(void *ctx);
};

struct watch_sagas {
	struct saga_filter filter; /* copied */
	bool outcomes_only;
	bool include_current;
	bool has_position;
	struct feed_position position;
};

struct watch_hub;

/* Positions are good for `keep_ms`; 0: for ever. */
struct watch_hub *watch_hub_new(const struct read_port *port, struct catalog *catalog, int64_t keep_ms);
NODISCARD int watch_hub_run(struct watch_hub *hub, struct error *err);
void watch_hub_stop(struct watch_hub *hub); /* ends the thread and lets go of all watchers */
void watch_hub_free(struct watch_hub *hub);

/* ERR_LIMIT: too many; ERR_UNAVAILABLE: stopping. The sink is not used then. */
NODISCARD int watch_hub_add_sagas(struct watch_hub *hub, const struct watch_sagas *watch, const struct watch_sink *sink,
				  void *ctx, struct error *err);
NODISCARD int watch_hub_add_saga(struct watch_hub *hub, struct uuid saga_id, int64_t after_sequence,
				 const struct watch_sink *sink, void *ctx, struct error *err);
void watch_hub_nudge(struct watch_hub *hub); /* a watcher has room again, or is gone; any thread */
/* This coordinator has committed; copied if anybody wants it. One thread. */
void watch_hub_note_commit(struct watch_hub *hub, const struct feed_commit *commit);

/* One round; for tests and the thread. */
void watch_hub_round(struct watch_hub *hub);
/* Lets go of what no position is good for any more, if it is time. When it will be, by the monotonic clock. */
int64_t watch_hub_trim(struct watch_hub *hub);

#endif
