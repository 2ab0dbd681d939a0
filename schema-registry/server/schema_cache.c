/* schema_cache.c - see schema_cache.h. */
#include "schema-registry/server/schema_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/memory.h"

enum { BUCKET_COUNT = 4096 };

struct schema_entry {
	atomic_int references;
	struct arena arena; /* holds `context` and `stored` */
	const char *context;
	const struct stored_schema *stored;
	struct schema *parsed;     /* guarded by the cache's mu */
	int64_t read_us;           /* guarded by the cache's mu */
	struct schema_entry *next; /* guarded by the cache's mu */
};

struct schema_cache {
	pthread_mutex_t mu;
	struct schema_entry *buckets[BUCKET_COUNT]; /* guarded by mu */
	size_t bytes;                               /* guarded by mu: of all arenas */
};

struct schema_cache *schema_cache_new(void)
{
	struct schema_cache *cache = xcalloc(1, sizeof(*cache));

	pthread_mutex_init(&cache->mu, NULL);
	return cache;
}

static void clear(struct schema_cache *cache)
{
	for (size_t i = 0; i < BUCKET_COUNT; i++) {
		while (cache->buckets[i]) {
			struct schema_entry *entry = cache->buckets[i];

			cache->buckets[i] = entry->next;
			schema_entry_unref(entry);
		}
	}
	cache->bytes = 0;
}

void schema_cache_free(struct schema_cache *cache)
{
	if (!cache)
		return;
	clear(cache);
	pthread_mutex_destroy(&cache->mu);
	free(cache);
}

static struct schema_entry **find(struct schema_cache *cache, const char *context, int32_t id)
{
	struct schema_entry **place = &cache->buckets[(uint32_t)id % BUCKET_COUNT];

	while (*place && ((*place)->stored->id != id || strcmp((*place)->context, context) != 0))
		place = &(*place)->next;
	return place;
}

struct schema_entry *schema_cache_get(struct schema_cache *cache, const char *context, int32_t id, bool accept_stale)
{
	int64_t oldest_us = clock_monotonic_us() - (int64_t)SCHEMA_CACHE_FRESH_MS * 1000;
	struct schema_entry *entry;

	pthread_mutex_lock(&cache->mu);
	entry = *find(cache, context, id);
	if (entry && (accept_stale || entry->read_us >= oldest_us))
		entry->references++;
	else
		entry = NULL;
	pthread_mutex_unlock(&cache->mu);
	return entry;
}

static void unlink_entry(struct schema_cache *cache, struct schema_entry **place)
{
	struct schema_entry *entry = *place;

	*place = entry->next;
	cache->bytes -= entry->arena.used_bytes;
	schema_entry_unref(entry);
}

struct schema_entry *schema_cache_put(struct schema_cache *cache, const char *context,
				      const struct stored_schema *schema, struct arena *arena)
{
	struct schema_entry *entry;
	struct schema_entry **place;

	pthread_mutex_lock(&cache->mu);
	place = find(cache, context, schema->id);
	entry = *place;
	if (entry && memcmp(entry->stored->identity, schema->identity, SCHEMA_IDENTITY_LEN) == 0) {
		entry->read_us = clock_monotonic_us(); /* keeps what was parsed */
		arena_release(arena);
	} else {
		if (entry)
			unlink_entry(cache, place);
		if (cache->bytes > SCHEMA_CACHE_BYTES_MAX)
			clear(cache);
		place = &cache->buckets[(uint32_t)schema->id % BUCKET_COUNT];
		entry = xcalloc(1, sizeof(*entry));
		entry->references = 1;
		entry->context = arena_strdup(arena, context);
		entry->arena = *arena;
		entry->stored = schema;
		entry->read_us = clock_monotonic_us();
		entry->next = *place;
		*place = entry;
		cache->bytes += entry->arena.used_bytes;
	}
	entry->references++;
	pthread_mutex_unlock(&cache->mu);
	*arena = (struct arena){0};
	return entry;
}

void schema_cache_drop(struct schema_cache *cache, const char *context, int32_t id)
{
	struct schema_entry **place;

	pthread_mutex_lock(&cache->mu);
	place = find(cache, context, id);
	if (*place)
		unlink_entry(cache, place);
	pthread_mutex_unlock(&cache->mu);
}

const struct stored_schema *schema_entry_stored(const struct schema_entry *entry)
{
	return entry->stored;
}

struct schema *schema_entry_parsed(struct schema_cache *cache, struct schema_entry *entry)
{
	struct schema *parsed;

	pthread_mutex_lock(&cache->mu);
	parsed = entry->parsed ? schema_ref(entry->parsed) : NULL;
	pthread_mutex_unlock(&cache->mu);
	return parsed;
}

void schema_entry_set_parsed(struct schema_cache *cache, struct schema_entry *entry, struct schema *schema)
{
	pthread_mutex_lock(&cache->mu);
	if (!entry->parsed)
		entry->parsed = schema_ref(schema);
	pthread_mutex_unlock(&cache->mu);
}

void schema_entry_unref(struct schema_entry *entry)
{
	if (!entry || --entry->references > 0)
		return;
	schema_unref(entry->parsed);
	arena_release(&entry->arena);
	free(entry);
}
