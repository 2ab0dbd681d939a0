/*
 * prepared_schema.h - schemas ready for use: parsed, with what they refer to, and with the identity that gives the id.
 *
 * Identity:   SHA-256 over the fingerprint of the parsed form, the references (name, subject, version and the identity
 *             of what they point to), metadata and rules. So white space makes no other schema, and a reference to
 *             another version does.
 * Ownership:  results live as long as the session.
 */
#ifndef SCHEMA_REGISTRY_SERVER_PREPARED_SCHEMA_H
#define SCHEMA_REGISTRY_SERVER_PREPARED_SCHEMA_H

#include "schema-registry/server/registry.h"

struct prepared_schema {
	struct stored_schema stored; /* its id is 0 until it is registered */
	const struct schema *parsed;
};

NODISCARD int prepare_input(struct session *session, const struct schema_input *input,
			    struct prepared_schema *ret_prepared);

/* The schema of an id; NULL: there is none. `identity` is what the caller knows it to be, or NULL. */
NODISCARD int prepare_load(struct session *session, const char *context, int32_t id, const uint8_t *identity,
			   struct schema_entry **ret_entry);
NODISCARD int prepare_parsed(struct session *session, struct schema_entry *entry, const struct schema **ret_schema);

#endif
