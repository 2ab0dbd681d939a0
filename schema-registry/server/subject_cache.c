/* subject_cache.c - see subject_cache.h. */
#include "schema-registry/server/subject_cache.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/base/memory.h"

enum { BUCKET_COUNT = 4096, ENTRY_FIRST_BYTES = 256 };

struct subject_entry {
	atomic_int references;
	struct subject subject; /* in the arena, as the rest */
	struct stored_subject stored;
	struct arena arena;
	uint32_t hash;
	struct subject_entry *next; /* guarded by the cache's mu */
};

/* Questions for the counts have numbers: at most one is under way, `ended + 1`. */
struct subject_cache {
	pthread_mutex_t mu;
	pthread_cond_t answered;
	uint64_t begun; /* all guarded by mu */
	uint64_t ended;
	uint64_t failed; /* the last that did */
	struct error error;
	bool is_wanted[STORE_SHARDS]; /* by those who wait for the next question */
	int64_t changes[STORE_SHARDS];
	struct subject_entry *buckets[BUCKET_COUNT];
	size_t bytes; /* of all entries */
};

/* ---- entries ---- */

const struct stored_subject *subject_entry_stored(const struct subject_entry *entry)
{
	return &entry->stored;
}

void subject_entry_unref(struct subject_entry *entry)
{
	if (!entry || --entry->references > 0)
		return;
	arena_release(&entry->arena);
	free(entry);
}

static size_t entry_bytes(const struct subject_entry *entry)
{
	return sizeof(*entry) + entry->arena.used_bytes + ENTRY_FIRST_BYTES; /* the last block is half empty at worst */
}

static struct subject_entry *read_entry(struct pg *pg, struct subject subject, struct error *err)
{
	struct subject_entry *entry = xcalloc(1, sizeof(*entry));

	entry->references = 1;
	arena_init_small(&entry->arena, ENTRY_FIRST_BYTES);
	entry->subject = (struct subject){arena_strdup(&entry->arena, subject.context),
					  arena_strdup(&entry->arena, subject.name)};
	entry->hash = subject_hash(subject);
	if (store_load_subject(pg, subject, &entry->arena, &entry->stored, err) == 0)
		return entry;
	subject_entry_unref(entry);
	return NULL;
}

/* ---- the cache ---- */

struct subject_cache *subject_cache_new(void)
{
	struct subject_cache *cache = xcalloc(1, sizeof(*cache));

	pthread_mutex_init(&cache->mu, NULL);
	pthread_cond_init(&cache->answered, NULL);
	return cache;
}

static void clear(struct subject_cache *cache)
{
	for (size_t i = 0; i < BUCKET_COUNT; i++) {
		while (cache->buckets[i]) {
			struct subject_entry *entry = cache->buckets[i];

			cache->buckets[i] = entry->next;
			subject_entry_unref(entry);
		}
	}
	cache->bytes = 0;
}

void subject_cache_free(struct subject_cache *cache)
{
	if (!cache)
		return;
	clear(cache);
	pthread_cond_destroy(&cache->answered);
	pthread_mutex_destroy(&cache->mu);
	free(cache);
}

static struct subject_entry **find(struct subject_cache *cache, struct subject subject)
{
	uint32_t hash = subject_hash(subject);
	struct subject_entry **place = &cache->buckets[hash % BUCKET_COUNT];

	while (*place && ((*place)->hash != hash || !subject_equal((*place)->subject, subject)))
		place = &(*place)->next;
	return place;
}

static void drop(struct subject_cache *cache, struct subject_entry **place)
{
	struct subject_entry *entry = *place;

	*place = entry->next;
	cache->bytes -= entry_bytes(entry);
	subject_entry_unref(entry);
}

static void keep(struct subject_cache *cache, struct subject_entry *entry)
{
	struct subject_entry **place = find(cache, entry->subject);

	if (*place)
		drop(cache, place);
	if (cache->bytes + entry_bytes(entry) > SUBJECT_CACHE_BYTES_MAX)
		clear(cache);
	place = &cache->buckets[entry->hash % BUCKET_COUNT];
	entry->next = *place;
	*place = entry;
	entry->references++;
	cache->bytes += entry_bytes(entry);
}

/* ---- asking for the counts ---- */

/* Asks for all who wait, with the mutex open meanwhile. */
static void ask(struct subject_cache *cache, struct pg *pg)
{
	int32_t shards[STORE_SHARDS];
	int64_t changes[STORE_SHARDS];
	size_t count = 0;
	struct error err;
	int result;

	for (int32_t shard = 0; shard < STORE_SHARDS; shard++) {
		if (cache->is_wanted[shard])
			shards[count++] = shard;
		cache->is_wanted[shard] = false;
	}
	cache->begun++;
	pthread_mutex_unlock(&cache->mu);
	result = store_read_changes(pg, shards, changes, count, &err);
	pthread_mutex_lock(&cache->mu);
	for (size_t i = 0; i < count && result == 0; i++)
		cache->changes[shards[i]] = changes[i];
	if (result < 0) {
		cache->error = err;
		cache->failed = cache->begun;
	}
	cache->ended = cache->begun;
	pthread_cond_broadcast(&cache->answered);
}

/* Waits for the answer to a question that began after this call. */
static int confirm(struct subject_cache *cache, struct pg *pg, int32_t shard, struct error *err)
{
	uint64_t mine = cache->begun + 1;

	cache->is_wanted[shard] = true;
	while (cache->ended < mine) {
		if (cache->begun == cache->ended)
			ask(cache, pg);
		else
			pthread_cond_wait(&cache->answered, &cache->mu);
	}
	if (cache->failed < mine) /* others may have ended since, without what was asked for here */
		return 0;
	*err = cache->error;
	return -1;
}

/* A reference to what is known and still true; NULL: nothing is, or there was an error. */
static struct subject_entry *get_known(struct subject_cache *cache, struct pg *pg, struct subject subject,
				       int *ret_result, struct error *err)
{
	struct subject_entry *entry = NULL;
	int32_t shard = store_shard(subject);

	*ret_result = 0;
	pthread_mutex_lock(&cache->mu);
	if (*find(cache, subject)) {
		*ret_result = confirm(cache, pg, shard, err);
		entry = *ret_result == 0 ? *find(cache, subject) : NULL; /* another one may be there by now */
		if (entry && entry->stored.changes == cache->changes[shard])
			entry->references++;
		else
			entry = NULL;
	}
	pthread_mutex_unlock(&cache->mu);
	return entry;
}

int subject_cache_get(struct subject_cache *cache, struct pg *pg, struct subject subject,
		      struct subject_entry **ret_entry, struct error *err)
{
	int result;
	struct subject_entry *entry = get_known(cache, pg, subject, &result, err);

	if (result < 0)
		return -1;
	if (!entry) {
		entry = read_entry(pg, subject, err);
		if (!entry)
			return -1;
		if (entry->stored.version_count > 0 || entry->stored.settings.config) {
			pthread_mutex_lock(&cache->mu);
			keep(cache, entry);
			pthread_mutex_unlock(&cache->mu);
		}
	}
	*ret_entry = entry;
	return 0;
}
