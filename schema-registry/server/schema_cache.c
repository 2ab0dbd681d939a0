/* schema_cache.c - see schema_cache.h. */
#include "schema-registry/server/schema_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/queue.h>

#include "lib/base/clock.h"
#include "lib/base/memory.h"

enum { BUCKET_COUNT = 4096 };

static const char CACHE_METRIC[] = "registry_cache_lookups_total";
static const char CACHE_HELP[] = "Schemas looked up by id, by whether memory had them.";

struct schema_entry {
	atomic_int references;
	char *context;
	struct stored_schema stored; /* owns its texts */
	size_t text_bytes;           /* with all that belongs to it */
	size_t parsed_bytes;         /* guarded by the cache's mu, as all below */
	bool is_kept;                /* in the cache, and counted there */
	struct schema *parsed;
	int64_t read_us;
	struct schema_entry *next;
	TAILQ_ENTRY(schema_entry) by_use;        /* where it is kept */
	TAILQ_ENTRY(schema_entry) by_parsed_use; /* where it is kept and has a parsed form */
};

TAILQ_HEAD(schema_entries, schema_entry); /* what was asked for last comes first */

struct schema_cache {
	pthread_mutex_t mu;
	struct schema_entry *buckets[BUCKET_COUNT]; /* guarded by mu, as the next four */
	struct schema_entries by_use;
	struct schema_entries by_parsed_use;
	size_t text_bytes; /* of all entries */
	size_t parsed_bytes;
	struct metric *hits; /* NULL: not counted, as the next */
	struct metric *misses;
};

/* ---- entries: on the heap one by one, since an arena would take a whole block for each ---- */

static char *copy_text(struct schema_entry *entry, const char *text)
{
	if (!text)
		return NULL;
	entry->text_bytes += strlen(text) + 1;
	return xstrdup(text);
}

static struct schema_entry *make_entry(const char *context, const struct stored_schema *schema)
{
	struct schema_entry *entry = xcalloc(1, sizeof(*entry));
	struct stored_schema *stored = &entry->stored;

	entry->references = 1;
	entry->text_bytes = sizeof(*entry) + schema->reference_count * sizeof(*stored->references);
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
	TAILQ_INIT(&cache->by_use);
	TAILQ_INIT(&cache->by_parsed_use);
	if (metrics) {
		cache->hits = metrics_counter(metrics, CACHE_METRIC, "result=\"hit\"", CACHE_HELP);
		cache->misses = metrics_counter(metrics, CACHE_METRIC, "result=\"miss\"", CACHE_HELP);
	}
	return cache;
}

static struct schema_entry **find(struct schema_cache *cache, const char *context, int32_t id)
{
	struct schema_entry **place = &cache->buckets[(uint32_t)id % BUCKET_COUNT];

	while (*place && ((*place)->stored.id != id || strcmp((*place)->context, context) != 0))
		place = &(*place)->next;
	return place;
}

static void forget_parsed(struct schema_cache *cache, struct schema_entry *entry)
{
	if (!entry->parsed)
		return;
	TAILQ_REMOVE(&cache->by_parsed_use, entry, by_parsed_use);
	cache->parsed_bytes -= entry->parsed_bytes;
	entry->parsed_bytes = 0;
	schema_unref(take_ptr(entry->parsed));
}

static void unlink_entry(struct schema_cache *cache, struct schema_entry **place)
{
	struct schema_entry *entry = *place;

	*place = entry->next;
	forget_parsed(cache, entry);
	TAILQ_REMOVE(&cache->by_use, entry, by_use);
	cache->text_bytes -= entry->text_bytes;
	entry->is_kept = false;
	schema_entry_unref(entry);
}

static void forget_what_is_too_much(struct schema_cache *cache)
{
	while (cache->parsed_bytes > SCHEMA_CACHE_PARSED_BYTES_MAX)
		forget_parsed(cache, TAILQ_LAST(&cache->by_parsed_use, schema_entries));
	while (cache->text_bytes > SCHEMA_CACHE_TEXT_BYTES_MAX) {
		struct schema_entry *last = TAILQ_LAST(&cache->by_use, schema_entries);

		unlink_entry(cache, find(cache, last->context, last->stored.id));
	}
}

void schema_cache_free(struct schema_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < BUCKET_COUNT; i++) {
		while (cache->buckets[i])
			unlink_entry(cache, &cache->buckets[i]);
	}
	pthread_mutex_destroy(&cache->mu);
	free(cache);
}

static void note_use(struct schema_cache *cache, struct schema_entry *entry)
{
	TAILQ_REMOVE(&cache->by_use, entry, by_use);
	TAILQ_INSERT_HEAD(&cache->by_use, entry, by_use);
}

struct schema_entry *schema_cache_get(struct schema_cache *cache, const char *context, int32_t id, bool accept_stale)
{
	int64_t oldest_us = clock_monotonic_us() - (int64_t)SCHEMA_CACHE_FRESH_MS * 1000;
	struct schema_entry *entry;

	pthread_mutex_lock(&cache->mu);
	entry = *find(cache, context, id);
	if (entry && !accept_stale && entry->read_us < oldest_us)
		entry = NULL;
	if (entry) {
		note_use(cache, entry);
		entry->references++;
	}
	pthread_mutex_unlock(&cache->mu);
	if (cache->hits)
		metric_add(entry ? cache->hits : cache->misses, 1);
	return entry;
}

static void link_entry(struct schema_cache *cache, struct schema_entry *entry)
{
	struct schema_entry **place = &cache->buckets[(uint32_t)entry->stored.id % BUCKET_COUNT];

	entry->next = *place;
	*place = entry;
	TAILQ_INSERT_HEAD(&cache->by_use, entry, by_use);
	entry->is_kept = true;
	cache->text_bytes += entry->text_bytes;
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
		note_use(cache, entry); /* it keeps what was parsed */
	} else {
		if (entry)
			unlink_entry(cache, place);
		entry = take_ptr(made);
		link_entry(cache, entry);
	}
	entry->read_us = clock_monotonic_us();
	entry->references++;
	forget_what_is_too_much(cache);
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
	struct schema *parsed = NULL;

	pthread_mutex_lock(&cache->mu);
	if (entry->parsed) {
		TAILQ_REMOVE(&cache->by_parsed_use, entry, by_parsed_use);
		TAILQ_INSERT_HEAD(&cache->by_parsed_use, entry, by_parsed_use);
		parsed = schema_ref(entry->parsed);
	}
	pthread_mutex_unlock(&cache->mu);
	return parsed;
}

void schema_entry_set_parsed(struct schema_cache *cache, struct schema_entry *entry, struct schema *schema)
{
	size_t bytes = schema_bytes_about(strlen(entry->stored.text) + schema_imported_text_len(schema));

	if (bytes > SCHEMA_CACHE_PARSED_BYTES_MAX) /* it would drive out all others, and then go itself */
		return;
	pthread_mutex_lock(&cache->mu);
	if (entry->is_kept && !entry->parsed) {
		entry->parsed = schema_ref(schema);
		entry->parsed_bytes = bytes;
		TAILQ_INSERT_HEAD(&cache->by_parsed_use, entry, by_parsed_use);
		cache->parsed_bytes += entry->parsed_bytes;
		forget_what_is_too_much(cache);
	}
	pthread_mutex_unlock(&cache->mu);
}
