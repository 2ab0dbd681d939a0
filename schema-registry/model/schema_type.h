/*
 * schema_type.h - the inside of a schema: shared by the parsers, the compatibility check and the codec.
 *
 * Why:       the codec is fast because it walks tables that were compiled once; so the tables are its input, not functions.
 * Ownership: everything lives in the schema's arena (JSON texts in the schema's jansson tree) and is immutable after parsing.
 * Not here:  what others may ask of a schema (schema.h).
 */
#ifndef SCHEMA_REGISTRY_MODEL_SCHEMA_TYPE_H
#define SCHEMA_REGISTRY_MODEL_SCHEMA_TYPE_H

#include <stdatomic.h>

#include "lib/base/arena.h"
#include "schema-registry/model/name_index.h"
#include "schema-registry/model/schema.h"

struct avro_schema;
struct protobuf_schema;

/* The first member of every format's type. */
struct schema_type {
	enum schema_format format;
	const char *full_name;
};

struct schema {
	atomic_int ref_count;
	enum schema_format format;
	struct arena arena;
	const char *text;
	const char *normalized_text;
	uint8_t digest[32];
	struct schema_reference *references; /* names in the arena, a reference held on each schema */
	size_t reference_count;
	size_t below_count; /* of all that it refers to, directly and indirectly */
	size_t below_bytes; /* of their texts */
	const struct schema_type *root;
	struct avro_schema *avro;         /* AVRO only */
	struct protobuf_schema *protobuf; /* PROTOBUF only */
};

#endif
