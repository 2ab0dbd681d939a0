/*
 * registry.h - the registry's rules: what may be registered, found, changed and deleted. No HTTP, no SQL.
 *
 * Guarantees: a registration that was answered is committed. Equal schemas of a context share one id; checks against
 *             earlier versions and the new version's number are decided under the subject's lock.
 * Errors:     -1: session->refusal says why, in the words and numbers of Confluent's API.
 * Ownership:  results live as long as the session.
 */
#ifndef SCHEMA_REGISTRY_SERVER_REGISTRY_H
#define SCHEMA_REGISTRY_SERVER_REGISTRY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/bytes.h"
#include "lib/base/error.h"
#include "lib/base/uuid.h"
#include "schema-registry/model/compat.h"
#include "schema-registry/server/registry_store.h"
#include "schema-registry/server/session.h"

enum { VERSION_LATEST = -1 };

struct schema_input { /* a schema as a client sends it */
	bool has_text;
	bool is_normalized; /* to be brought into order before it is compared and kept */
	struct bytes text;
	const char *format; /* NULL: AVRO */
	const char *metadata;
	const char *rule_set;
	struct stored_reference *references; /* versions may be VERSION_LATEST */
	size_t reference_count;
	int32_t id;      /* 0: to be given */
	int32_t version; /* 0: the next one */
};

struct registered {
	struct subject subject;
	int32_t version;
	const struct stored_schema *schema;
};

/* ---- schemas (registry.c) ---- */

/* Without a text it is the subject's latest schema that is registered again. */
NODISCARD int registry_register(struct session *session, struct subject subject, const struct schema_input *input,
				struct registered *ret_registered);
NODISCARD int registry_look_up(struct session *session, struct subject subject, const struct schema_input *input,
			       bool with_deleted, struct registered *ret_registered);
NODISCARD int registry_by_id(struct session *session, const char *context, int32_t id,
			     const struct stored_schema **ret_schema);
NODISCARD int registry_by_version(struct session *session, struct subject subject, int32_t version, bool with_deleted,
				  struct registered *ret_registered);

/* The newest version whose metadata has all of these properties. */
struct property {
	const char *key;
	const char *value;
};
NODISCARD int registry_by_properties(struct session *session, struct subject subject, const struct property *properties,
				     size_t count, bool with_deleted, struct registered *ret_registered);

/* Another form of the text: what schema_append_serialized() and schema_append_resolved() say. */
enum text_form { FORM_SERIALIZED, FORM_RESOLVED };
NODISCARD int registry_format(struct session *session, const char *context, const struct stored_schema *schema,
			      enum text_form form, const char **ret_text);

/* `version` 0: the versions that the level names. A report whose `old` is NULL: compatible. `ret_versions` are the
 * numbers of the schemas that were compared, for compat_messages(). */
NODISCARD int registry_check(struct session *session, struct subject subject, int32_t version,
			     const struct schema_input *input, struct compat_report **ret_report,
			     const int32_t **ret_versions);

/* ---- subjects (registry_subjects.c) ---- */

struct version_filter {
	bool with_deleted;
	bool only_deleted;
	bool is_deleted_negative; /* all of them; soft deleted ones as -1, -2, … */
};

NODISCARD int registry_versions(struct session *session, struct subject subject, struct version_filter filter,
				const int32_t **ret_versions, size_t *ret_count);
NODISCARD int registry_subjects(struct session *session, const struct subject_filter *filter,
				struct subject **ret_subjects, size_t *ret_count);
/* All versions that the filter finds, in the order of their subjects. */
NODISCARD int registry_search(struct session *session, const struct subject_filter *filter,
			      struct registered **ret_registered, size_t *ret_count);
NODISCARD int registry_contexts(struct session *session, const char ***ret_contexts, size_t *ret_count);
NODISCARD int registry_holders(struct session *session, const char *context, int32_t id, bool with_deleted,
			       struct stored_holder **ret_holders, size_t *ret_count);
/* Ids of schemas that refer to the version; `with_deleted`: also by versions that are soft deleted. */
NODISCARD int registry_referrers(struct session *session, struct subject subject, int32_t version, bool with_deleted,
				 int32_t **ret_ids, size_t *ret_count);
/* Where the schema is that has this guid: a context and its id there, the default context first. */
NODISCARD int registry_by_guid(struct session *session, struct uuid guid, struct stored_id **ret_places,
			       size_t *ret_count);
NODISCARD int registry_delete_context(struct session *session, const char *context);
NODISCARD int registry_max_id(struct session *session, const char *context, int32_t *ret_id);

NODISCARD int registry_delete_subject(struct session *session, struct subject subject, bool is_permanent,
				      const int32_t **ret_versions, size_t *ret_count);
NODISCARD int registry_delete_version(struct session *session, struct subject subject, int32_t version,
				      bool is_permanent, int32_t *ret_version);

/* ---- settings (registry_settings.c): a subject without a name is its context as a whole ---- */

enum registry_mode { MODE_READWRITE, MODE_READONLY, MODE_READONLY_OVERRIDE, MODE_IMPORT, MODE_COUNT };

const char *registry_mode_name(enum registry_mode mode);

/* What is in force: the subject's own setting, else its context's, else the default context's, else the default. */
void registry_effective(const struct stored_settings *settings, enum compat_level *ret_level,
			enum registry_mode *ret_mode);

struct config_view {
	enum compat_level level; /* in force */
	bool is_level_own;
	const json_t *keys; /* what else is set (subject_config.h); lives as long as the session */
};
NODISCARD int registry_config(struct session *session, struct subject subject, bool with_default,
			      struct config_view *ret_config);
/* `changes`: keys as in PUT /config with their new values; null: not set any more. Others stay as they are. */
NODISCARD int registry_set_config(struct session *session, struct subject subject, const json_t *changes,
				  struct config_view *ret_config);
NODISCARD int registry_unset_config(struct session *session, struct subject subject, struct config_view *ret_old);
NODISCARD int registry_mode(struct session *session, struct subject subject, bool with_default,
			    enum registry_mode *ret_mode);
NODISCARD int registry_set_mode(struct session *session, struct subject subject, const char *mode, bool is_forced,
				enum registry_mode *ret_mode);
/* `is_recursive`: of a context as a whole also those of its subjects. *ret_was_set false: only they had one, if any. */
NODISCARD int registry_unset_mode(struct session *session, struct subject subject, bool is_recursive,
				  enum registry_mode *ret_old, bool *ret_was_set);

/* Refuses where the mode in force forbids changes. */
NODISCARD int registry_check_writable(struct session *session, struct subject subject,
				      const struct stored_settings *settings);

#endif
