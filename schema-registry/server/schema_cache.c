/* schema_cache.c - see schema_cache.h. */
#include "schema-registry/server/schema_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/memory.h"

enum { BUCKET_COUNT = 4096 };

static const char CACHE_METRIC[] = "registry_cache_lookups_total";
static const char CACHE_HELP[] = "Schemas looked up by id, by whether memory had them.";

struct schema_entry {
	atomic_int references;
	char *context;
	struct stored_schema stored; /* owns its texts */
	size_t bytes;                /* guarded by the cache's mu */
	bool is_kept;                /* guarded by the cache's mu: in the cache, and counted there */
	struct schema *parsed;       /* guarded by the cache's mu */
	int64_t read_us;             /* guarded by the cache's mu */
	struct schema_entry *next;   /* guarded by the cache's mu */
};

struct schema_cache {
	pthread_mutex_t mu;
	struct schema_entry *buckets[BUCKET_COUNT]; /* guarded by mu */
	size_t bytes;                               /* guarded by mu: of all entries */
	struct metric *hits;                        /* NULL: not counted, as the next */
	struct metric *misses;
};

/* ---- entries: on the heap one by one, since an arena would take a whole block for each ---- */

static char *copy_text(struct schema_entry *entry, const char *text)
{
	if (!text)
		return NULL;
	entry->bytes += strlen(text) + 1;
	return xstrdup(text);
}

static struct schema_entry *make_entry(const char *context, const struct stored_schema *schema)
{
	struct schema_entry *entry = xcalloc(1, sizeof(*entry));
	struct stored_schema *stored = &entry->stored;

	entry->references = 1;
	entry->bytes = sizeof(*entry) + schema->reference_count * sizeof(*stored->references);
	entry->context = copy_text(entry, context);
	*stored = *schema;
	stored->text = copy_text(entry, schema->text);
	stored->metadata = copy_text(entry, schema->metadata);
	stored->rule_set = copy_text(entry, schema->rule_set);
	stored->references = xcalloc(schema->reference_count + 1, sizeof(*stored->references));
	for (size_t i = 0; i < schema->reference_count; i++) {
		const struct stored_reference *reference = &schema->references[i];

		stored->references[i].name = copy_text(entry, reference->name);
		stored->references[i].subject.context = copy_text(entry, reference->subject.context);
		stored->references[i].subject.name = copy_text(entry, reference->subject.name);
		stored->references[i].version = reference->version;
	}
	return entry;
}

void schema_entry_unref(struct schema_entry *entry)
{
	if (!entry || --entry->references > 0)
		return;
	for (size_t i = 0; i < entry->stored.reference_count; i++) {
		free((char *)entry->stored.references[i].name);
		free((char *)entry->stored.references[i].subject.context);
		free((char *)entry->stored.references[i].subject.name);
	}
	free(entry->stored.references);
	free((char *)entry->stored.rule_set);
	free((char *)entry->stored.metadata);
	free((char *)entry->stored.text);
	free(entry->context);
	schema_unref(entry->parsed);
	free(entry);
}

const struct stored_schema *schema_entry_stored(const struct schema_entry *entry)
{
	return &entry->stored;
}

/* ---- the cache ---- */

struct schema_cache *schema_cache_new(struct metrics *metrics)
{
	struct schema_cache *cache = xcalloc(1, sizeof(*cache));

	pthread_mutex_init(&cache->mu, NULL);
	if (metrics) {
		cache->hits = metrics_counter(metrics, CACHE_METRIC, "result=\"hit\"", CACHE_HELP);
		cache->misses = metrics_counter(metrics, CACHE_METRIC, "result=\"miss\"", CACHE_HELP);
	}
	return cache;
}

static void clear(struct schema_cache *cache)
{
	for (size_t i = 0; i < BUCKET_COUNT; i++) {
		while (cache->buckets[i]) {
			struct schema_entry *entry = cache->buckets[i];

			cache->buckets[i] = entry->next;
			entry->is_kept = false;
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

	while (*place && ((*place)->stored.id != id || strcmp((*place)->context, context) != 0))
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
	if (cache->hits)
		metric_add(entry ? cache->hits : cache->misses, 1);
	return entry;
}

static void unlink_entry(struct schema_cache *cache, struct schema_entry **place)
{
	struct schema_entry *entry = *place;

	*place = entry->next;
	entry->is_kept = false;
	cache->bytes -= entry->bytes;
	schema_entry_unref(entry);
}

struct schema_entry *schema_cache_put(struct schema_cache *cache, const char *context,
				      const struct stored_schema *schema)
{
	struct schema_entry *made = make_entry(context, schema);
	struct schema_entry **place;
	struct schema_entry *entry;

	pthread_mutex_lock(&cache->mu);
	place = find(cache, context, schema->id);
	entry = *place;
	if (entry && memcmp(entry->stored.identity, schema->identity, SCHEMA_IDENTITY_LEN) == 0) {
		entry->read_us = clock_monotonic_us(); /* and keeps what was parsed */
	} else {
		if (entry)
			unlink_entry(cache, place);
		if (cache->bytes + made->bytes > SCHEMA_CACHE_BYTES_MAX)
			clear(cache);
		entry = take_ptr(made);
		place = &cache->buckets[(uint32_t)schema->id % BUCKET_COUNT];
		entry->read_us = clock_monotonic_us();
		entry->next = *place;
		*place = entry;
		entry->is_kept = true;
		cache->bytes += entry->bytes;
	}
	entry->references++;
	pthread_mutex_unlock(&cache->mu);
	schema_entry_unref(made);
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
	size_t bytes = schema_bytes_about(strlen(entry->stored.text));

	pthread_mutex_lock(&cache->mu);
	if (!entry->parsed) {
		entry->parsed = schema_ref(schema);
		entry->bytes += bytes;
		cache->bytes += entry->is_kept ? bytes : 0;
	}
	pthread_mutex_unlock(&cache->mu);
}
