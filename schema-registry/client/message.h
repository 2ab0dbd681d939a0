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

/* The schema's message; *ret_payload is what follows the prefix. `value` is in wire format (docs/wire-contract.md, 3). */
NODISCARD int message_type(struct registry_client *registry, struct bytes value, const struct schema_type **ret_type,
			   struct bytes *ret_payload, struct error *err);

/* `expected` is the full name that the message must have; NULL: any. The tree may borrow from `value`. */
NODISCARD int message_decode(struct registry_client *registry, struct bytes value, const char *expected,
			     struct arena *arena, struct value *ret_value, struct error *err);

#endif
