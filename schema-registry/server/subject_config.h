/*
 * subject_config.h - what can be set for a subject beside level and mode, and what follows from it.
 *
 * alias                              requests about the subject are about another one
 * normalize                          schemas are put in order, whether the client asks for it or not
 * compatibilityGroup                 versions are compared that have the same value of this metadata property
 * default…, overrideMetadata, …RuleSet  what a schema gets where it says nothing, or whatever it says
 *
 * A key that a subject does not set is taken from its context, then from the default context; an alias is its own only.
 * Ownership: results live as long as the session.
 */
#ifndef SCHEMA_REGISTRY_SERVER_SUBJECT_CONFIG_H
#define SCHEMA_REGISTRY_SERVER_SUBJECT_CONFIG_H

#include <jansson.h>

#include "schema-registry/server/registry.h"

struct subject_config { /* in force */
	bool is_normalizing;
	const char *group; /* NULL: all versions are compared */
	const json_t *default_metadata;
	const json_t *override_metadata;
	const json_t *default_rule_set;
	const json_t *override_rule_set;
};

struct subject_config subject_config_of(struct session *session, const struct stored_settings *settings);

/* Has the config a say in a schema's metadata or rules? */
bool subject_config_adds(const struct subject_config *config);

/*
 * What a schema is registered with: its own metadata and rules, else those of `previous` (NULL: none), over the config's
 * defaults and under its overrides. *ret_is_changed: that is more than it came with.
 */
void subject_config_complete(struct session *session, const struct subject_config *config,
			     const struct stored_schema *previous, struct schema_input *input, bool *ret_is_changed);

/* Have they the same value of this metadata property? None is a value, too. */
bool schemas_share_group(const char *group, const struct stored_schema *a, const struct stored_schema *b);

/* The subject that the alias names, or the same. */
NODISCARD int subject_follow_alias(struct session *session, struct subject *subject);

bool subject_config_knows(const json_t *changes); /* one of the keys at least */
/* Checks keys and values of a change. 0, or -1 after a refusal. */
NODISCARD int subject_config_check(struct session *session, struct subject subject, const json_t *changes);
/* What is stored when `changes` were made to the stored text `old` (NULL: none); NULL: nothing is set any more. */
const char *subject_config_apply(struct session *session, const char *old, const json_t *changes);
/* Own keys of a subject, and with `with_default` those of its context and of the default context that it does not set. */
json_t *subject_config_show(struct session *session, const struct stored_settings *settings, bool with_default);

#endif
