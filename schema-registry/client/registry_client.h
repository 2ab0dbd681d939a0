/*
 * registry_client.h - schemas by id and by subject, from any Confluent-compatible registry, cached.
 *
 * Guarantees: an id never changes its meaning within a registry, so what was fetched once is kept in memory as long as the
 *             client lives. With `cache_path` it is on disk, too, but only for the time when the registry is away: a
 *             restart works then, for every id seen before. While the registry answers, its word counts; where it
 *             contradicts the disk, another registry has taken the place of the one that was asked before, and the
 *             disk forgets all. So whoever replaces a registry's data has to restart its clients, and no more.
 *             Look-ups by subject ("latest") are asked anew and never cached.
 * Errors:     registry away -> ERR_UNAVAILABLE, unknown id or subject -> ERR_NOT_FOUND, refused by compatibility ->
 *             ERR_INCOMPATIBLE with the registry's words, a bad schema -> ERR_INVALID.
 * Threads:    any thread; calls may block for the network, cache hits do not. Concurrent misses of an id fetch once.
 */
#ifndef SCHEMA_REGISTRY_CLIENT_REGISTRY_CLIENT_H
#define SCHEMA_REGISTRY_CLIENT_REGISTRY_CLIENT_H

#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/security/client_security.h"
#include "lib/metrics/metrics.h"
#include "schema-registry/model/schema.h"

struct registry_client;
struct registry_rest;

struct registry_client_options {
	const char *url;                 /* "http://127.0.0.1:8081"; several, and credentials: see registry_rest.h */
	const char *cache_path;          /* a folder, made when missing; NULL: memory only */
	int64_t timeout_ms;              /* for one request; 0: 5 s */
	struct client_security security; /* its texts are borrowed */
	struct metrics *metrics;         /* NULL: nothing is counted */
};

struct registry_client *registry_client_new(const struct registry_client_options *options);
void registry_client_free(struct registry_client *client);
DEFINE_CLEANUP(struct registry_client *, registry_client_free)

/* The result is borrowed and lives as long as the client. */
NODISCARD int registry_client_by_id(struct registry_client *client, int32_t id, const struct schema **ret_schema,
				    struct error *err);
/* Only what is cached: never blocks. NULL: not here yet. */
const struct schema *registry_client_cached(struct registry_client *client, int32_t id);
NODISCARD int registry_client_latest(struct registry_client *client, const char *subject, int32_t *ret_id,
				     int32_t *ret_version, const struct schema **ret_schema, struct error *err);
/* `version` 0: the latest. */
NODISCARD int registry_client_version(struct registry_client *client, const char *subject, int32_t version,
				      int32_t *ret_id, int32_t *ret_version, const struct schema **ret_schema,
				      struct error *err);

/* Of ":.staging:orders-value" the length of ":.staging:"; 0: the subject is of the default context. */
size_t registry_subject_context_len(const char *subject);

struct arena;

struct registry_reference { /* to what a registered schema imports */
	const char *name;   /* as the schema says it */
	const char *subject;
	int32_t version;
};

struct registry_entry { /* a version of a subject; `references` and texts live in the caller's arena */
	int32_t id;
	int32_t version;
	const char *format; /* "AVRO", "PROTOBUF", or one that is unknown here */
	const struct registry_reference *references;
	size_t reference_count;
};

/* What is known of a version besides its schema, which need not be usable here. `version` 0: the latest. */
NODISCARD int registry_client_entry(struct registry_client *client, const char *subject, int32_t version,
				    struct arena *arena, struct registry_entry *ret_entry, struct error *err);

/* The numbers of the live versions, rising; the list is the caller's (free). */
NODISCARD int registry_client_versions(struct registry_client *client, const char *subject, int32_t **ret_versions,
				       size_t *ret_count, struct error *err);
/* The names of all subjects that begin with `prefix` (":.context:" one context, ":*:" all of them), sorted; one allocation,
 * the caller's (free). */
NODISCARD int registry_client_subjects(struct registry_client *client, const char *prefix, char ***ret_subjects,
				       size_t *ret_count, struct error *err);
/* The compatibility level in force for a subject, whether the subject exists or not; the text is the caller's (free). */
NODISCARD int registry_client_level(struct registry_client *client, const char *subject, char **ret_level,
				    struct error *err);
NODISCARD int registry_client_ping(struct registry_client *client, struct error *err);

/* ---- sending a schema (registry_submission.c) ---- */

struct submitted_reference { /* what the schema imports, registered before */
	const char *name;    /* as the schema says it: a .proto's import, an Avro type's full name */
	const char *subject;
	int32_t version;
};

struct schema_submission {
	const char *subject;
	enum schema_format format;
	struct bytes text;
	const struct submitted_reference *references;
	size_t reference_count;
	bool is_normalized; /* the registry puts it in order first, as with ?normalize=true */
	struct buffer
		*refusal; /* where the registry's words go, in full, when it refuses; NULL: an error has the start */
};

/* Registering what is registered already changes nothing and gives the same id. */
NODISCARD int registry_client_register(struct registry_client *client, const struct schema_submission *submission,
				       int32_t *ret_id, struct error *err);
/* As what the subject has it. Not there: ERR_NOT_FOUND. */
NODISCARD int registry_client_look_up(struct registry_client *client, const struct schema_submission *submission,
				      int32_t *ret_id, int32_t *ret_version, struct error *err);
/* Would it be taken? ERR_INCOMPATIBLE: not, with the registry's reasons; ERR_INVALID: it is no schema. */
NODISCARD int registry_client_check(struct registry_client *client, const struct schema_submission *submission,
				    struct error *err);

const char *registry_client_name(const struct registry_client *client);     /* its URLs, without credentials */
struct registry_rest *registry_client_rest(struct registry_client *client); /* for the files of this folder */

#endif
