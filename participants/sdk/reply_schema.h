/*
 * reply_schema.h - what a participant answers on a topic: the topic's message, encoded by its registered schema.
 *
 * Ownership: borrows the topic's name and what the registry client holds; both outlive the participant.
 */
#ifndef PARTICIPANTS_SDK_REPLY_SCHEMA_H
#define PARTICIPANTS_SDK_REPLY_SCHEMA_H

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "schema-registry/client/registry_client.h"
#include "schema-registry/codec/value.h"

struct reply_schema {
	const char *topic;
	int32_t id;
	enum schema_format format;
	const struct schema_type *type;
	const char *message; /* the name without its package: ce_type */
};

/* The latest version of the subject `<topic>-value`. */
NODISCARD int reply_schema_load(struct registry_client *registry, const char *topic, struct reply_schema *ret_schema,
				struct error *err);

/* The value in wire format, in the arena. ERR_INVALID lists what does not fit. */
NODISCARD int reply_schema_encode(const struct reply_schema *schema, const struct value *value, struct arena *arena,
				  struct bytes *ret_value, struct error *err);

/*
 * A reply that no handler made: the texts, numbers and booleans that command and reply both have by name, and `reason` and
 * `detail` where the reply has such fields. All other fields take their default, or are
 * empty where there is none. `body` NULL: the command cannot be read.
 */
struct value reply_schema_fill(const struct reply_schema *schema, const struct value *body, const char *reason,
			       const char *detail, struct arena *arena);

#endif
