/* config_cache.c - see config_cache.h. */
#include "schema-registry/server/config_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/base/bytes.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

struct config_snapshot {
	atomic_int references;
	int64_t revision;
	json_t *configs; /* by append_key() */
};

struct config_cache {
	pthread_mutex_t mu;
	struct config_snapshot *snapshot; /* guarded by mu */
	int64_t checked_us;               /* guarded by mu */
	int64_t turn;                     /* guarded by mu: rises with each change of ours */
	int64_t kept_turn;                /* guarded by mu: that of `snapshot` */
	bool is_expired;                  /* guarded by mu: a change of ours has not been read yet */
};

struct config_cache *config_cache_new(void)
{
	struct config_cache *cache = xcalloc(1, sizeof(*cache));

	pthread_mutex_init(&cache->mu, NULL);
	return cache;
}

void config_cache_free(struct config_cache *cache)
{
	if (!cache)
		return;
	config_snapshot_unref(cache->snapshot);
	pthread_mutex_destroy(&cache->mu);
	free(cache);
}

static struct config_snapshot *ref(struct config_snapshot *snapshot)
{
	if (snapshot)
		atomic_fetch_add(&snapshot->references, 1);
	return snapshot;
}

struct config_snapshot *config_cache_get(struct config_cache *cache, bool *ret_is_due, int64_t *ret_turn)
{
	int64_t now_us = clock_monotonic_us();
	struct config_snapshot *snapshot;

	pthread_mutex_lock(&cache->mu);
	snapshot = ref(cache->snapshot);
	*ret_is_due = !snapshot || cache->is_expired ||
		      now_us - cache->checked_us >= (int64_t)CONFIG_CACHE_FRESH_MS * 1000;
	if (*ret_is_due)
		cache->checked_us = now_us; /* one is enough to look */
	*ret_turn = cache->turn;
	pthread_mutex_unlock(&cache->mu);
	return snapshot;
}

void config_cache_put(struct config_cache *cache, struct config_snapshot *snapshot, int64_t turn)
{
	struct config_snapshot *old;

	pthread_mutex_lock(&cache->mu);
	if (turn < cache->kept_turn) { /* others began later, and were faster */
		pthread_mutex_unlock(&cache->mu);
		return;
	}
	old = cache->snapshot;
	cache->snapshot = ref(snapshot);
	cache->kept_turn = turn;
	if (turn == cache->turn)
		cache->is_expired = false;
	pthread_mutex_unlock(&cache->mu);
	config_snapshot_unref(old);
}

void config_cache_expire(struct config_cache *cache)
{
	pthread_mutex_lock(&cache->mu);
	cache->turn++;
	cache->is_expired = true;
	pthread_mutex_unlock(&cache->mu);
}

/* ---- snapshots ---- */

static void append_key(struct buffer *key, struct subject subject)
{
	buffer_clear(key);
	buffer_append_format(key, "%zu:%s:%s", strlen(subject.context), subject.context, subject.name);
}

struct config_snapshot *config_snapshot_new(int64_t revision, const struct stored_config *configs, size_t count)
{
	struct config_snapshot *snapshot = xcalloc(1, sizeof(*snapshot));
	struct buffer key = {0};

	snapshot->references = 1;
	snapshot->revision = revision;
	snapshot->configs = json_object();
	for (size_t i = 0; i < count; i++) {
		append_key(&key, configs[i].subject);
		/* What cannot be read is left out: it was written by something that is not this program. */
		(void)json_object_set_new(snapshot->configs, buffer_text(&key), json_loads(configs[i].text, 0, NULL));
	}
	buffer_release(&key);
	return snapshot;
}

void config_snapshot_unref(struct config_snapshot *snapshot)
{
	if (!snapshot || atomic_fetch_sub(&snapshot->references, 1) > 1)
		return;
	json_decref(snapshot->configs);
	free(snapshot);
}

int64_t config_snapshot_revision(const struct config_snapshot *snapshot)
{
	return snapshot->revision;
}

const json_t *config_snapshot_find(const struct config_snapshot *snapshot, struct subject subject)
{
	struct buffer key = {0};
	const json_t *config;

	if (json_object_size(snapshot->configs) == 0) /* so it is mostly */
		return NULL;
	append_key(&key, subject);
	config = json_object_get(snapshot->configs, buffer_text(&key));
	buffer_release(&key);
	return config;
}
