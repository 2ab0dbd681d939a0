/*
 * text_cache.h - schemas that clients sent before, parsed, by their text.
 *
 * Why:        every producer sends its schema whole when it starts, and a check repeats it; parsing is most of the answer's cost.
 * Guarantees: the same format, text and wish for order give the same parsed schema. Schemas with references are not for it:
 *             what they mean depends on more than their text.
 * Limits:     about TEXT_CACHE_BYTES_MAX of parsed forms; what was not asked for longest goes. Texts of at most
 *             TEXT_CACHE_TEXT_BYTES_MAX.
 * Threads:    any.
 */
#ifndef SCHEMA_REGISTRY_SERVER_TEXT_CACHE_H
#define SCHEMA_REGISTRY_SERVER_TEXT_CACHE_H

#include <stdbool.h>

#include "schema-registry/model/schema.h"

enum { TEXT_CACHE_BYTES_MAX = 6 * 1024 * 1024, TEXT_CACHE_TEXT_BYTES_MAX = 16 * 1024 };

struct text_cache;

struct text_key {
	uint8_t digest[32];
};

struct text_cache *text_cache_new(void);
void text_cache_free(struct text_cache *cache);

struct text_key text_key_of(enum schema_format format, bool is_normalized, struct bytes text);

/* A reference that the caller has to release, or NULL. */
struct schema *text_cache_get(struct text_cache *cache, const struct text_key *key);
void text_cache_put(struct text_cache *cache, const struct text_key *key, struct schema *schema);

#endif
