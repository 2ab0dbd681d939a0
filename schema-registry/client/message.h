/*
 * message.h - a record's value, decoded by the schema that its first bytes name.
 *
 * Errors:  retriable: the registry is away. ERR_NOT_FOUND: it does not know that schema. ERR_INCOMPATIBLE: it is another
 *          message than the one that was expected. Any other: the bytes cannot be decoded; trying again is useless.
 * Threads: any; may block for the registry at the first sight of a schema.
 */
#ifndef SCHEMA_REGISTRY_CLIENT_MESSAGE_H
#define SCHEMA_REGISTRY_CLIENT_MESSAGE_H

#include "lib/base/arena.h"
#include "schema-registry/client/registry_client.h"
#include "schema-registry/codec/value.h"

struct decoded_message {
	int32_t schema_id;
	const struct schema_type *type; /* lives as long as the client */
	struct value value;             /* in the arena; may borrow from the bytes */
};

/* `value` is in wire format (docs/wire-contract.md, 3). To be shown: proto2's extensions are in it (codec_decode_extended()). */
NODISCARD int message_decode_any(struct registry_client *registry, struct bytes value, struct arena *arena,
				 struct decoded_message *ret_message, struct error *err);

/* `expected` is the full name that the message must have; NULL: any. The tree may borrow from `value`. */
NODISCARD int message_decode(struct registry_client *registry, struct bytes value, const char *expected,
			     struct arena *arena, struct value *ret_value, struct error *err);

#endif
