/*
 * registry_store.h - schemas, versions and settings in Postgres: the SQL, and nothing that decides.
 *
 * Guarantees: an id is given to one schema of a context and a schema has one id there, whatever runs at the same time,
 *             also in other instances: unique keys decide, not this process.
 * Locks:      who changes a subject holds store_lock_subject() until its transaction ends. All run READ COMMITTED, so
 *             what is read after the lock is what the previous holder committed.
 * Ownership:  results live in the arena that was given; inputs are borrowed.
 */
#ifndef SCHEMA_REGISTRY_SERVER_REGISTRY_STORE_H
#define SCHEMA_REGISTRY_SERVER_REGISTRY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/base/uuid.h"
#include "lib/pg/pg.h"
#include "schema-registry/model/schema.h"
#include "schema-registry/server/subject.h"

enum { SCHEMA_IDENTITY_LEN = 32 };

struct stored_reference {
	const char *name;
	struct subject subject;
	int32_t version;
};

struct stored_schema {
	int32_t id;
	uint8_t identity[SCHEMA_IDENTITY_LEN]; /* equal exactly for schemas that share an id */
	enum schema_format format;
	const char *text;
	const char *metadata; /* JSON, or NULL */
	const char *rule_set; /* JSON, or NULL */
	struct stored_reference *references;
	size_t reference_count;
};

struct stored_version {
	int32_t version;
	int32_t schema_id;
	uint8_t identity[SCHEMA_IDENTITY_LEN];
	bool is_deleted; /* softly: hidden, but still there */
};

struct stored_holder { /* a version that has a certain schema */
	struct subject subject;
	int32_t version;
};

struct stored_place { /* a version, and where in the registry it is */
	struct subject subject;
	struct stored_version version;
};

struct stored_id { /* an id, and the context that it counts in */
	const char *context;
	int32_t id;
};

struct stored_settings {    /* of a subject, its context and the default context; NULL: not set there */
	const char *config; /* a JSON object; of the subject only */
	const char *level;
	const char *context_level;
	const char *global_level;
	const char *mode;
	const char *context_mode;
	const char *global_mode;
};

struct stored_config { /* what is set for a subject beside its level and mode */
	struct subject subject;
	const char *text; /* a JSON object */
};

enum setting { SETTING_LEVEL, SETTING_MODE, SETTING_COUNT };

struct subject_filter {
	const char *context; /* NULL: all */
	const char *prefix;  /* of the name */
	bool with_deleted;   /* also subjects that have no live version */
	bool only_deleted;
	bool latest_only; /* of versions: each subject's newest one */
	int64_t offset;
	int64_t limit; /* negative: none */
};

NODISCARD int store_migrate(struct pg *pg, int64_t wait_ms, struct error *err);
NODISCARD int store_ping(struct pg *pg, struct error *err);

/* ---- inside a transaction ---- */
NODISCARD int store_lock_subject(struct pg *pg, struct subject subject, struct error *err);
NODISCARD int store_add_context(struct pg *pg, const char *context, struct error *err); /* no-op when there */
/* Holds the context until the transaction ends, so that it stays as empty as it is. */
NODISCARD int store_lock_context(struct pg *pg, const char *context, bool *ret_is_there, bool *ret_is_empty,
				 struct error *err);
NODISCARD int store_remove_context(struct pg *pg, const char *context, struct error *err); /* one that is empty */
/* Holds the referenced versions until the transaction ends; *ret_missing is the first that is not live, or NULL. */
NODISCARD int store_lock_references(struct pg *pg, const struct stored_schema *schema,
				    const struct stored_reference **ret_missing, struct error *err);
/* Gives the schema its id: the one it has by its identity, else schema->id, else a new one. *ret_is_taken: schema->id
 * belongs to another schema, nothing was done. */
NODISCARD int store_add_schema(struct pg *pg, const char *context, const struct stored_schema *schema, int32_t *ret_id,
			       bool *ret_is_taken, struct error *err);
NODISCARD int store_add_version(struct pg *pg, struct subject subject, int32_t version, int32_t schema_id,
				struct error *err);
/* version 0: all of the subject. */
NODISCARD int store_hide_versions(struct pg *pg, struct subject subject, int32_t version, struct error *err);
/* Removes versions for good, and the schemas that nobody holds then. */
NODISCARD int store_remove_versions(struct pg *pg, struct subject subject, int32_t version, struct error *err);
/* value NULL: not set any more. */
NODISCARD int store_set(struct pg *pg, struct subject subject, enum setting setting, const char *value,
			struct error *err);
/* A JSON object, or NULL: not set any more. Raises the revision when that changes something. */
NODISCARD int store_set_config(struct pg *pg, struct subject subject, const char *text, struct error *err);

/* ---- queries ---- */
NODISCARD int store_load_schema(struct pg *pg, const char *context, int32_t id, struct arena *arena,
				struct stored_schema **ret_schema, struct error *err); /* NULL: none */
NODISCARD int store_list_versions(struct pg *pg, struct subject subject, struct arena *arena,
				  struct stored_version **ret_versions, size_t *ret_count, struct error *err);
NODISCARD int store_list_subjects(struct pg *pg, const struct subject_filter *filter, struct arena *arena,
				  struct subject **ret_subjects, size_t *ret_count, struct error *err);
/* Versions in the order of their subjects; of `only_deleted` nothing is known here. */
NODISCARD int store_search_versions(struct pg *pg, const struct subject_filter *filter, struct arena *arena,
				    struct stored_place **ret_places, size_t *ret_count, struct error *err);
NODISCARD int store_list_contexts(struct pg *pg, struct arena *arena, const char ***ret_contexts, size_t *ret_count,
				  struct error *err);
NODISCARD int store_list_holders(struct pg *pg, const char *context, int32_t schema_id, bool with_deleted,
				 struct arena *arena, struct stored_holder **ret_holders, size_t *ret_count,
				 struct error *err);
/* Ids of schemas with a version, a live one unless `with_deleted`, that refers to the subject's version; 0: to any. */
NODISCARD int store_list_referrers(struct pg *pg, struct subject subject, int32_t version, bool with_deleted,
				   struct arena *arena, int32_t **ret_ids, size_t *ret_count, struct error *err);
/* Schemas whose identity begins with these bytes. */
NODISCARD int store_find_guid(struct pg *pg, struct uuid guid, struct arena *arena, struct stored_id **ret_places,
			      size_t *ret_count, struct error *err);
NODISCARD int store_load_settings(struct pg *pg, struct subject subject, struct arena *arena,
				  struct stored_settings *ret_settings, struct error *err);
/* A number that rises with every change of a config. */
NODISCARD int store_config_revision(struct pg *pg, int64_t *ret_revision, struct error *err);
/* All there are, with the number that goes with them. */
NODISCARD int store_list_configs(struct pg *pg, struct arena *arena, int64_t *ret_revision,
				 struct stored_config **ret_configs, size_t *ret_count, struct error *err);
NODISCARD int store_max_id(struct pg *pg, const char *context, int32_t *ret_id, struct error *err);

#endif
