/* text_cache.c - see text_cache.h. */
#include "schema-registry/server/text_cache.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

#include "lib/base/memory.h"

struct slot {
	struct text_key key;
	struct schema *schema; /* NULL: empty */
};

struct text_cache {
	pthread_mutex_t mu;
	struct slot slots[TEXT_CACHE_SLOTS]; /* guarded by mu */
};

struct text_cache *text_cache_new(void)
{
	struct text_cache *cache = xcalloc(1, sizeof(*cache));

	pthread_mutex_init(&cache->mu, NULL);
	return cache;
}

void text_cache_free(struct text_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < TEXT_CACHE_SLOTS; i++)
		schema_unref(cache->slots[i].schema);
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

static struct slot *slot_of(struct text_cache *cache, const struct text_key *key)
{
	return &cache->slots[(key->digest[0] | (unsigned)key->digest[1] << 8) % TEXT_CACHE_SLOTS];
}

struct schema *text_cache_get(struct text_cache *cache, const struct text_key *key)
{
	struct slot *slot = slot_of(cache, key);
	struct schema *schema = NULL;

	pthread_mutex_lock(&cache->mu);
	if (slot->schema && memcmp(&slot->key, key, sizeof(*key)) == 0)
		schema = schema_ref(slot->schema);
	pthread_mutex_unlock(&cache->mu);
	return schema;
}

void text_cache_put(struct text_cache *cache, const struct text_key *key, struct schema *schema)
{
	struct slot *slot = slot_of(cache, key);
	struct schema *old;

	pthread_mutex_lock(&cache->mu);
	old = slot->schema;
	*slot = (struct slot){*key, schema_ref(schema)};
	pthread_mutex_unlock(&cache->mu);
	schema_unref(old); /* after the lock: it may be the last reference to a large thing */
}
