/*
 * struct_value.h - google.protobuf.Struct, which is JSON in Protobuf, to and from the value tree of the codecs.
 *
 * In:         numbers become DOUBLE, texts TEXT; the codec then makes them what the schema wants, or refuses.
 *             Of a key that came twice the last counts, as Protobuf has it for maps.
 * Out:        integers beyond 2^53 become decimal texts, since a Struct's numbers are doubles; bytes become base64; NaN
 *             and infinities the texts "NaN", "Infinity", "-Infinity".
 * Ownership:  results live in the arena; values borrow the Struct's texts.
 */
#ifndef COORDINATOR_API_STRUCT_VALUE_H
#define COORDINATOR_API_STRUCT_VALUE_H

#include "google/protobuf/struct.pb-c.h"
#include "lib/base/problems.h"
#include "schema-registry/codec/value.h"

/* `place` is the root's path, `input`. -1: a value without kind, or a number that JSON does not have, each a problem; or, without a
 * problem, more than the arena may hold. */
NODISCARD int struct_to_value(const Google__Protobuf__Struct *source, const char *place, struct arena *arena,
			      struct value *ret_value, struct problems *problems);

/* `value` is a record. */
Google__Protobuf__Struct *value_to_struct(const struct value *value, struct arena *arena);

#endif
