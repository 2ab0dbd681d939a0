/*
 * retention_port.h - which sagas have ended long ago, and letting them go.
 *
 * Threads:    one thread at a time.
 * Ownership:  what a port answers lives in the arena that it was given.
 */
#ifndef COORDINATOR_RETENTION_RETENTION_PORT_H
#define COORDINATOR_RETENTION_RETENTION_PORT_H

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/base/uuid.h"

/* A saga that has ended, and is kept no longer. */
struct leaving_saga {
	struct uuid id;
	int64_t version;
	int64_t late_ms; /* since when it might have left */
};

struct leaving_page {
	struct leaving_saga *items; /* ascending by id */
	size_t count;
	bool has_more; /* behind `last` there are sagas that were made long enough ago to be looked at */
	struct uuid last;
};

/* Functions that answer int: 0, or -1 with `err`. */
struct retention_port {
	void *ctx;
	/* Whether this coordinator is the one that does it, until its connection ends; else another one is. */
	int (*claim)(void *ctx, bool *ret_is_ours, struct error *err);
	/* Looks at a bounded number of sagas with id > after. */
	int (*find)(void *ctx, struct uuid after, int64_t keep_ms, struct arena *arena, struct leaving_page *ret_page,
		    struct error *err);
	/* Those that are still as they were found, with their logs, in one transaction. */
	int (*remove)(void *ctx, const struct leaving_saga *sagas, size_t count, int64_t *ret_removed,
		      struct error *err);
};

#endif
