/*
 * subject_cache.h - subjects that were read before: their versions and settings, confirmed at every use.
 *
 * Why:        a look-up or a check needs a few rows that hardly ever change; to read them each time is most of its cost.
 * How:        whoever changes a subject raises its shard's count of changes, in the same transaction. A subject that
 *             was read stays good while the count stays. Each use asks for them, but not alone: those who come while one
 *             question is under way share the next (the way a leader confirms reads in Raft, "ReadIndex").
 * Guarantees: what is given is no older than the call, whichever instance wrote it: reads are linearizable.
 * Limits:     SUBJECT_CACHE_BYTES_MAX; beyond it the cache starts anew. Subjects that hold nothing are not kept.
 * Errors:     those of the database; one failed question fails all who share it.
 * Threads:    any, each with its own connection; entries are immutable.
 * Ownership:  an entry given out must be released by subject_entry_unref().
 */
#ifndef SCHEMA_REGISTRY_SERVER_SUBJECT_CACHE_H
#define SCHEMA_REGISTRY_SERVER_SUBJECT_CACHE_H

#include "schema-registry/server/registry_store.h"

enum { SUBJECT_CACHE_BYTES_MAX = 8 * 1024 * 1024 };

struct subject_cache;
struct subject_entry;

struct subject_cache *subject_cache_new(void);
void subject_cache_free(struct subject_cache *cache);

NODISCARD int subject_cache_get(struct subject_cache *cache, struct pg *pg, struct subject subject,
				struct subject_entry **ret_entry, struct error *err);

const struct stored_subject *subject_entry_stored(const struct subject_entry *entry);
void subject_entry_unref(struct subject_entry *entry);

#endif
