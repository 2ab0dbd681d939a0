/*
 * schema_cache.h - schemas that were read before, by context and id, with their parsed form.
 *
 * Why:        a consumer asks for an id once for each process, a check parses the same old schemas again and again;
 *             both would otherwise cost the database or the parser each time.
 * Guarantees: an id keeps its meaning unless it is deleted for good. So that a deletion by another instance shows, an
 *             entry older than SCHEMA_CACHE_FRESH_MS is given only to who accepts stale ones.
 * Limits:     SCHEMA_CACHE_TEXT_BYTES_MAX of texts, and about SCHEMA_CACHE_PARSED_BYTES_MAX of parsed forms, which are many
 *             times as large: neither takes the other's room. What was not asked for the longest time goes first; a form
 *             that is larger than all of that is not kept.
 * Threads:    any; entries are immutable but for the parsed form, which the cache guards.
 * Ownership:  an entry given out must be released by schema_entry_unref().
 */
#ifndef SCHEMA_REGISTRY_SERVER_SCHEMA_CACHE_H
#define SCHEMA_REGISTRY_SERVER_SCHEMA_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/metrics/metrics.h"
#include "schema-registry/server/registry_store.h"

enum {
	SCHEMA_CACHE_FRESH_MS = 1000,
	SCHEMA_CACHE_TEXT_BYTES_MAX = 8 * 1024 * 1024,
	SCHEMA_CACHE_PARSED_BYTES_MAX = 5 * 1024 * 1024
};

struct schema_cache;
struct schema_entry;

struct schema_cache *schema_cache_new(struct metrics *metrics); /* NULL: nothing is counted */
void schema_cache_free(struct schema_cache *cache);

/* NULL: not there, or not fresh. */
struct schema_entry *schema_cache_get(struct schema_cache *cache, const char *context, int32_t id, bool accept_stale);

/* Keeps a copy of a schema that was just read, and gives its entry. */
struct schema_entry *schema_cache_put(struct schema_cache *cache, const char *context,
				      const struct stored_schema *schema);
void schema_cache_drop(struct schema_cache *cache, const char *context, int32_t id);

const struct stored_schema *schema_entry_stored(const struct schema_entry *entry);
struct schema *schema_entry_parsed(struct schema_cache *cache, struct schema_entry *entry); /* a reference, or NULL */
void schema_entry_set_parsed(struct schema_cache *cache, struct schema_entry *entry, struct schema *schema);
void schema_entry_unref(struct schema_entry *entry);

#endif
