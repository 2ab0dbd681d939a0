/* text_cache.c - see text_cache.h. */
#include "schema-registry/server/text_cache.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "lib/base/memory.h"

enum { BUCKET_COUNT = 1024 };

struct entry {
	struct text_key key;
	struct schema *schema;
	TAILQ_ENTRY(entry) by_use;
	LIST_ENTRY(entry) in_bucket;
};

struct text_cache {
	pthread_mutex_t mu;
	LIST_HEAD(bucket, entry) buckets[BUCKET_COUNT]; /* guarded by mu */
	TAILQ_HEAD(entries, entry) by_use;              /* guarded by mu: what was asked for last comes first */
	size_t bytes;                                   /* guarded by mu */
};

struct text_cache *text_cache_new(void)
{
	struct text_cache *cache = xcalloc(1, sizeof(*cache));

	pthread_mutex_init(&cache->mu, NULL);
	TAILQ_INIT(&cache->by_use);
	return cache;
}

static size_t entry_bytes(const struct entry *entry)
{
	return sizeof(*entry) + schema_bytes_about(strlen(schema_text(entry->schema)));
}

static void drop(struct text_cache *cache, struct entry *entry)
{
	LIST_REMOVE(entry, in_bucket);
	TAILQ_REMOVE(&cache->by_use, entry, by_use);
	cache->bytes -= entry_bytes(entry);
	schema_unref(entry->schema);
	free(entry);
}

void text_cache_free(struct text_cache *cache)
{
	if (!cache)
		return;
	while (!TAILQ_EMPTY(&cache->by_use))
		drop(cache, TAILQ_FIRST(&cache->by_use));
	pthread_mutex_destroy(&cache->mu);
	free(cache);
}

/* A digest instead of the text: nobody can make two texts that meet. */
struct text_key text_key_of(enum schema_format format, bool is_normalized, struct bytes text)
{
	struct text_key key;
	uint8_t kind = (uint8_t)((unsigned)format << 1 | is_normalized);
	EVP_MD_CTX *digest = EVP_MD_CTX_new();

	if (!digest || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
		abort(); /* only out of memory */
	EVP_DigestUpdate(digest, &kind, 1);
	EVP_DigestUpdate(digest, text.data, text.len);
	EVP_DigestFinal_ex(digest, key.digest, NULL);
	EVP_MD_CTX_free(digest);
	return key;
}

static struct bucket *bucket_of(struct text_cache *cache, const struct text_key *key)
{
	return &cache->buckets[(key->digest[0] | (unsigned)key->digest[1] << 8) % BUCKET_COUNT];
}

static struct entry *find(struct text_cache *cache, const struct text_key *key)
{
	struct entry *entry;

	LIST_FOREACH(entry, bucket_of(cache, key), in_bucket)
	{
		if (memcmp(&entry->key, key, sizeof(*key)) == 0)
			break;
	}
	return entry;
}

struct schema *text_cache_get(struct text_cache *cache, const struct text_key *key)
{
	struct schema *schema = NULL;
	struct entry *entry;

	pthread_mutex_lock(&cache->mu);
	entry = find(cache, key);
	if (entry) {
		TAILQ_REMOVE(&cache->by_use, entry, by_use);
		TAILQ_INSERT_HEAD(&cache->by_use, entry, by_use);
		schema = schema_ref(entry->schema);
	}
	pthread_mutex_unlock(&cache->mu);
	return schema;
}

void text_cache_put(struct text_cache *cache, const struct text_key *key, struct schema *schema)
{
	struct entry *made = xcalloc(1, sizeof(*made));

	*made = (struct entry){.key = *key, .schema = schema_ref(schema)};
	pthread_mutex_lock(&cache->mu);
	if (find(cache, key)) { /* two threads met */
		schema_unref(made->schema);
		free(made);
	} else {
		LIST_INSERT_HEAD(bucket_of(cache, key), made, in_bucket);
		TAILQ_INSERT_HEAD(&cache->by_use, made, by_use);
		cache->bytes += entry_bytes(made);
	}
	while (cache->bytes > TEXT_CACHE_BYTES_MAX)
		drop(cache, TAILQ_LAST(&cache->by_use, entries));
	pthread_mutex_unlock(&cache->mu);
}
