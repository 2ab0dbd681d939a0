/*
 * cache.h - sagas as this instance last saw them, so that a reply costs no read.
 *
 * Why:        an entry may be stale (another instance may have gone on), and that is harmless: every change compares the
 *             version, and who finds it changed drops the entry and reads again.
 * Guarantees: an entry stays until cache_drop() or cache_trim(); a turn trims only at its end.
 *             An ended saga never changes, so its entry is the truth.
 * Limits:     open and ended sagas are bounded apart, the least recently used leave first.
 * Threads:    the engine's.
 */
#ifndef COORDINATOR_ENGINE_CACHE_H
#define COORDINATOR_ENGINE_CACHE_H

#include "coordinator/engine/id_table.h"
#include "coordinator/engine/ports.h"

struct cached_saga {
	struct id_node node; /* node.id: the saga's id */
	struct cached_saga *newer;
	struct cached_saga *older;
	const struct plan *plan;
	const char *key; /* this and the next three live in one block with the entry */
	const char *idempotency_key;
	struct bytes input;
	const struct engine_label *labels;
	size_t label_count;
	int64_t version;
	enum saga_state state;
	struct open_row open_row; /* as it is stored */
	struct buffer data;       /* saga_encode() */
	bool is_checked;          /* `data` is this process's, or was decoded with success */
	struct buffer log;        /* packed entries, see cache_append_log() */
	int64_t log_count;        /* equal to version: the log is complete */
	int64_t seen_us;          /* monotonic: when it was read or changed */
};

struct cache_list {
	struct cached_saga *newest;
	struct cached_saga *oldest;
	size_t count;
};

struct cache {
	struct id_table table;
	struct cache_list open;
	struct cache_list ended;
	size_t open_max;
	size_t ended_max;
};

void cache_release(struct cache *cache);

bool cache_has(const struct cache *cache, struct uuid id);
struct cached_saga *cache_find(struct cache *cache, struct uuid id); /* NULL: not here; found ones become the newest */
/* Makes or replaces the entry; copies everything. The log is empty. */
struct cached_saga *cache_put(struct cache *cache, const struct plan *plan, const struct store_row *row,
			      int64_t now_us);
/* It was found in this turn, so it is among the newest. */
void cache_update(struct cache *cache, struct cached_saga *cached, const struct store_change *change, int64_t now_us);
void cache_drop(struct cache *cache, struct uuid id); /* no-op where it is not here */
void cache_trim(struct cache *cache);

/* The log, without replies' values, which no view shows. */
void cache_append_log(struct cached_saga *cached, const struct saga_log_entry *entry);
size_t cache_read_log(const struct cached_saga *cached, struct arena *arena, const struct saga_log_entry **ret_log);

#endif
