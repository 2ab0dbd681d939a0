/*
 * config_cache.h - all configs of subjects (aliases, normalizing, defaults), as they were read last.
 *
 * Why:        every registration, look-up and check has to know them, few subjects have any, and they hardly change.
 * Guarantees: what this instance changed shows at once; what another one changed, CONFIG_CACHE_FRESH_MS later: then one
 *             request looks whether the revision is still the same, while the others take what is here.
 * Threads:    any; a snapshot is immutable.
 * Ownership:  a snapshot given out must be released by config_snapshot_unref().
 */
#ifndef SCHEMA_REGISTRY_SERVER_CONFIG_CACHE_H
#define SCHEMA_REGISTRY_SERVER_CONFIG_CACHE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "schema-registry/server/registry_store.h"

enum { CONFIG_CACHE_FRESH_MS = 1000 };

struct config_cache;
struct config_snapshot;

struct config_cache *config_cache_new(void);
void config_cache_free(struct config_cache *cache);

/* A reference, or NULL: nothing was read yet. *ret_is_due: the caller should look into the database now, and tell what it
 * found by config_cache_put() with *ret_turn. */
struct config_snapshot *config_cache_get(struct config_cache *cache, bool *ret_is_due, int64_t *ret_turn);
/* Keeps a reference of its own. What was read before a change of ours does not count as fresh. */
void config_cache_put(struct config_cache *cache, struct config_snapshot *snapshot, int64_t turn);
void config_cache_expire(struct config_cache *cache); /* after a change of ours was committed */

struct config_snapshot *config_snapshot_new(int64_t revision, const struct stored_config *configs, size_t count);
void config_snapshot_unref(struct config_snapshot *snapshot);
int64_t config_snapshot_revision(const struct config_snapshot *snapshot);
/* The object that is set for just this subject, or NULL; it lives as long as the snapshot. */
const json_t *config_snapshot_find(const struct config_snapshot *snapshot, struct subject subject);

#endif
