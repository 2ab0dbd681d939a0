/*
 * registry_store.h - schemas, versions and settings in Postgres: the SQL, and nothing that decides.
 *
 * Guarantees: an id is given to one schema of a context and a schema has one id there, whatever runs at the same time,
 *             also in other instances: unique keys decide, not this process.
 * Locks:      who changes a subject holds its shard's row of change_count until its transaction ends, and raises it:
 *             by store_lock_subject(), or by store_register() if nobody did since the caller looked. Settings above
 *             subjects are changed with all rows in hand: so a count tells of all that is in force for its subjects. All
 *             run READ COMMITTED, so what is read after the lock is what the previous holder committed.
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

enum {
	SCHEMA_IDENTITY_LEN = 32,
	STORE_SHARDS = 256,
	STORE_SHARD_ABOVE = 0,       /* of contexts as a whole */
	ID_FOLLOWED_MAX = 2000000000 /* of an import: higher ones are kept, but ids do not go on from there */
};

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

struct stored_settings { /* of a subject, its context and the default context; NULL: not set there */
	const char *level;
	const char *context_level;
	const char *global_level;
	const char *mode;
	const char *context_mode;
	const char *global_mode;
	const char *config; /* a JSON object, as the next two */
	const char *context_config;
	const char *global_config;
};

struct stored_subject {                  /* at one moment */
	struct stored_version *versions; /* rising, soft deleted ones included */
	size_t version_count;
	struct stored_settings settings;
	int64_t changes; /* of its shard */
};

struct registration {
	struct subject subject;
	int32_t version;
	const struct stored_schema *schema; /* its id: the one it has by its identity, else this, else (0) a new one */
	int64_t changes;                    /* of the subject's shard, as it was when the version was chosen */
	bool is_id_searched; /* a new id is looked for among those that are free; else the next is tried */
};

enum registration_outcome {
	REGISTRATION_DONE,         /* by an id that may be another than schema->id: then nothing was registered */
	REGISTRATION_OVERTAKEN,    /* something changed meanwhile: look again */
	REGISTRATION_UNREFERENCED, /* a version that is referred to is not live */
	REGISTRATION_ID_TAKEN,     /* schema->id belongs to another schema */
};

enum setting { SETTING_LEVEL, SETTING_MODE, SETTING_CONFIG, SETTING_COUNT };

struct subject_filter {
	const char *context; /* NULL: all */
	const char *prefix;  /* of the name */
	bool with_deleted;   /* also subjects that have no live version */
	bool only_deleted;
	bool latest_only;      /* of versions: each subject's newest one */
	const char *rule_type; /* of versions: those with a rule of this type; NULL: all */
	int64_t offset;
	int64_t limit; /* negative: none */
};

NODISCARD int store_migrate(struct pg *pg, int64_t wait_ms, struct error *err);
NODISCARD int store_ping(struct pg *pg, struct error *err);

/* One statement, in a transaction or alone. *ret_id: the schema's, or the place in references of the one that is missing. */
NODISCARD int store_register(struct pg *pg, const struct registration *registration,
			     enum registration_outcome *ret_outcome, int32_t *ret_id, struct error *err);

/* ---- inside a transaction ---- */
/* A context as a whole: all subjects. */
NODISCARD int store_lock_subject(struct pg *pg, struct subject subject, struct error *err);
/* Makes the context where it is not there, and holds it until the transaction ends. */
NODISCARD int store_add_context(struct pg *pg, const char *context, struct error *err);
/* Holds the context until the transaction ends, so that it stays as empty as it is. */
NODISCARD int store_lock_context(struct pg *pg, const char *context, bool *ret_is_there, bool *ret_is_empty,
				 struct error *err);
NODISCARD int store_remove_context(struct pg *pg, const char *context, struct error *err); /* one that is empty */
/* Before an import: nobody else raises the context's ids, or looks for a free one, until the transaction ends. */
NODISCARD int store_lock_ids(struct pg *pg, const char *context, struct error *err);
/* Ids that are given later come after this one, unless it is so high that few would be left (ID_FOLLOWED_MAX). */
NODISCARD int store_raise_ids(struct pg *pg, const char *context, int32_t id, struct error *err);
/* version 0: all of the subject. */
NODISCARD int store_hide_versions(struct pg *pg, struct subject subject, int32_t version, struct error *err);
/* Removes versions for good, and the schemas that nobody holds then. */
NODISCARD int store_remove_versions(struct pg *pg, struct subject subject, int32_t version, struct error *err);
/* value NULL: not set any more. */
NODISCARD int store_set(struct pg *pg, struct subject subject, enum setting setting, const char *value,
			struct error *err);
NODISCARD int store_forget_settings(struct pg *pg, struct subject subject, struct error *err);
/* Of the context's subjects; who does that holds the lock of the context as a whole. */
NODISCARD int store_unset_modes(struct pg *pg, const char *context, struct error *err);

/* ---- queries ---- */
NODISCARD int store_load_schema(struct pg *pg, const char *context, int32_t id, struct arena *arena,
				struct stored_schema **ret_schema, struct error *err); /* NULL: none */
int32_t store_shard(struct subject subject);
NODISCARD int store_read_changes(struct pg *pg, const int32_t *shards, int64_t *ret_changes, size_t count,
				 struct error *err);
NODISCARD int store_load_subject(struct pg *pg, struct subject subject, struct arena *arena,
				 struct stored_subject *ret_subject, struct error *err);
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
NODISCARD int store_max_id(struct pg *pg, const char *context, int32_t *ret_id, struct error *err);

#endif
