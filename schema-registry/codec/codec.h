/*
 * codec.h - bytes of a message in its registered schema, to and from a value tree.
 *
 * Leniency of encoding: the tree may come from JSON, so an integer field takes INT, UINT, a DOUBLE that is exact, or a
 *             decimal TEXT; bytes take BYTES, or TEXT in base64; an enum its symbol (Protobuf also its number); a union
 *             of Avro takes the first branch that fits the plain value; an absent field takes its default; absent or
 *             null is legal where the schema has a default, a nullable union, or any Protobuf field.
 *             What does not fit is reported with its path, all of it at once; unknown fields are refused.
 * Decoding:   Avro: every field in order; Protobuf: fields that are set, plus implicit ones with their zero value;
 *             lists and maps always. Unknown fields are skipped. int64 -> INT, uint64 -> UINT.
 * Limits:     depth 100, `CODEC_MESSAGE_BYTES_MAX` in, and the arena's limit: beyond -> ERR_LIMIT.
 * Canonical:  equal trees give equal bytes (fields by number or in schema order, maps sorted by key).
 * Threads:    schemas are immutable after parsing; any number of threads may encode and decode with one.
 */
#ifndef SCHEMA_REGISTRY_CODEC_CODEC_H
#define SCHEMA_REGISTRY_CODEC_CODEC_H

#include "lib/base/arena.h"
#include "lib/base/bytes.h"
#include "lib/base/problems.h"
#include "schema-registry/codec/value.h"
#include "schema-registry/model/schema.h"

enum { CODEC_MESSAGE_BYTES_MAX = 4 * 1024 * 1024, CODEC_DEPTH_MAX = 100 };

/*
 * `type` is schema_root(), or a message chosen by schema_message_at(). Appends to `out`. Each misfit is one problem whose
 * place is the field's path (`items[2].quantity`) after `place_prefix` ("input." or ""). -1 when there was any.
 */
NODISCARD int codec_encode(const struct schema_type *type, const struct value *value, const char *place_prefix,
			   struct buffer *out, struct problems *problems);

/* ERR_CORRUPT says where decoding stopped. The tree may borrow from `bytes`. */
NODISCARD int codec_decode(const struct schema_type *type, struct bytes bytes, struct arena *arena,
			   struct value *ret_value, struct error *err);

/* For people: with proto2's extensions, as far as the schema or its imports declare them, behind the fields of their message and
 * under the names that JSON has for them. codec_encode() does not take these. */
NODISCARD int codec_decode_extended(const struct schema_type *type, struct bytes bytes, struct arena *arena,
				    struct value *ret_value, struct error *err);

#endif
