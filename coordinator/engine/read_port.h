/*
 * read_port.h - what is read of sagas beside the turn: lists, logs, and the feed of all commits.
 *
 * Why:        lists and streams may take long; on connections and threads of their own they never make the turn wait.
 * Feed:       every commit leaves one row: its transaction's number, and which sagas it took from which version to which. A
 *             transaction's number is drawn before it commits, so a lower one may appear later; whoever reads only below
 *             the `horizon` (nothing below it is still under way) in the order of numbers misses nothing and reads
 *             nothing twice. Changes of one saga are in the order of their versions, since each had to see the one before.
 * Threads:    one at a time for one port.
 * Ownership:  as in ports.h.
 */
#ifndef COORDINATOR_ENGINE_READ_PORT_H
#define COORDINATOR_ENGINE_READ_PORT_H

#include "coordinator/engine/ports.h"

/* A saga without its steps, log and input. */
struct saga_head {
	struct saga saga; /* steps are NULL */
	const char *definition;
	int32_t definition_version;
	const char *key;
	const char *idempotency_key;
	const struct engine_label *labels;
	size_t label_count;
};

/* What a saga must be like; a field that is not set lets all pass. */
struct saga_filter {
	unsigned states; /* bits by enum saga_state; 0: any */
	const char *definition;
	int32_t definition_version; /* 0: any */
	const char *key;
	const struct engine_label *labels; /* all of them */
	size_t label_count;
	bool is_paused; /* these alone; false: paused or not */
};

/* From a time on, before another; 0: no bound. */
struct time_range {
	int64_t from_us;
	int64_t before_us;
};

struct list_request {
	struct saga_filter filter;
	struct time_range created;
	struct time_range updated;
	bool is_oldest_first;
	bool has_after;
	struct uuid after; /* the last of the page before */
	size_t limit;
};

/* A page may be short and yet not the last: one call looks at a bounded number of rows. */
struct list_page {
	struct saga_head *items;
	size_t count;
	bool has_more;
	struct uuid last; /* where the next page begins; valid with has_more */
};

struct feed_position {
	int64_t xid;
	int64_t index; /* of the entry in its commit, from 1; INT64_MAX: after all of them */
};

/* Which entries: after the position and below the horizon, so many at most. */
struct feed_query {
	struct feed_position after;
	int64_t horizon;
	size_t limit;
	bool outcomes_only; /* leaves out those after which the saga is open (saga_state_is_open()) */
};

struct feed_entry {
	struct feed_position position;
	struct uuid saga_id;
	int64_t first; /* sequences of its events in this commit */
	int64_t last;
	enum saga_state state; /* after them */
};

/* A saga that a commit of this process ended, as the feed and the log have it. */
struct feed_outcome {
	int64_t index; /* in its commit, as in feed_position */
	struct saga_head head;
	const struct store_log_row *row; /* the last of the saga */
};

struct feed_commit {
	int64_t xid;
	const struct feed_outcome *outcomes; /* ascending by index */
	size_t count;
	bool is_complete; /* these are all that it has */
};

struct feed_bounds {
	int64_t floor;   /* what is not above it may be gone */
	int64_t horizon; /* what is below it is complete */
	int64_t ceiling; /* what is not below it does not exist yet */
};

/* A page of the sagas that have not ended, and what the feed has that they show already. As with lists it may be short and yet not the
 * last. The next page is of a later snapshot; each says what was true of the sagas between the ends of two pages. */
struct feed_snapshot {
	struct saga_head *items; /* ascending by id */
	size_t count;
	bool has_more;
	struct uuid last; /* where it ends; valid with has_more */
	int64_t xmin;     /* of the snapshot: all that is below is in it … */
	int64_t xmax;     /* … nothing from here on, and between them all but those of `running` */
	int64_t *running;
	size_t running_count;
};

struct read_port {
	void *ctx;
	int (*list)(void *ctx, const struct list_request *request, struct arena *arena, struct list_page *ret_page,
		    struct error *err);
	/* Entries with sequence > after, ascending. */
	int (*log)(void *ctx, struct uuid saga_id, int64_t after, size_t limit, struct arena *arena,
		   struct store_log_row **ret_rows, size_t *ret_count, struct error *err);
	int (*bounds)(void *ctx, struct feed_bounds *ret_bounds, struct error *err);
	/* In order; fewer than the limit only where there are no more. */
	int (*feed)(void *ctx, const struct feed_query *query, struct arena *arena, struct feed_entry **ret_entries,
		    size_t *ret_count, struct error *err);
	/* The transactions of the commits in [from, horizon), ascending, the first ones if there are more than `limit`. */
	int (*feed_xids)(void *ctx, int64_t from, int64_t horizon, size_t limit, struct arena *arena,
			 int64_t **ret_xids, size_t *ret_count, struct error *err);
	/* Of those that exist, ascending by id. */
	int (*heads)(void *ctx, const struct uuid *ids, size_t count, struct arena *arena, struct saga_head **ret_heads,
		     size_t *ret_count, struct error *err);
	/* The log's rows of these entries, in their order. */
	int (*feed_log)(void *ctx, const struct feed_entry *entries, size_t count, struct arena *arena,
			struct store_log_row **ret_rows, size_t *ret_count, struct error *err);
	/* After this saga; NULL: from the first on. */
	int (*snapshot)(void *ctx, const struct saga_filter *filter, const struct uuid *after, size_t limit,
			struct arena *arena, struct feed_snapshot *ret_snapshot, struct error *err);
	/* Forgets commits older than this, a bounded number of them, and raises the floor. */
	int (*trim)(void *ctx, int64_t keep_ms, bool *ret_has_more, struct error *err);
	struct store_port sagas; /* glance, load and load_log, on the same connection */
};

#endif
