/*
 * schema.h - a parsed schema of either format: what it is called, what is in it, how it prints, what it equals.
 *
 * Guarantees: parsing reports every error with line and column; identity rests on the parsed form, not on the text.
 * Ownership:  a schema is reference counted and immutable; types and texts in it live as long as it does.
 * Threads:    schema_ref/_unref are atomic; everything else only reads.
 */
#ifndef SCHEMA_REGISTRY_MODEL_SCHEMA_H
#define SCHEMA_REGISTRY_MODEL_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/bytes.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/base/problems.h"

enum schema_format { SCHEMA_FORMAT_AVRO, SCHEMA_FORMAT_PROTOBUF, SCHEMA_FORMAT_COUNT };

struct schema;
struct schema_type; /* a record, message, … inside a schema; each format has its own */

enum {
	SCHEMA_TEXT_BYTES_MAX = 4 * 1024 * 1024,
	/* What a schema may refer to, directly and indirectly, each schema counted once; how deep they are in each other is of no
	 * account. Whoever parses a schema finds the same, whatever was parsed before. */
	SCHEMA_REFERENCES_MAX = 1000,
	SCHEMA_REFERENCES_BYTES_MAX = 16 * 1024 * 1024,
	/* Protobuf: with every schema all that it imports is read, so a chain costs its square. */
	SCHEMA_REFERENCES_READ_MAX = 50 * 1000,
};

/* A schema that another one imports: Protobuf by file name, Avro by full name. */
struct schema_reference {
	const char *name;
	const struct schema *schema;
};

/* Parses the text (for Protobuf also a base64 FileDescriptorProto). Problems have places `line:col`. */
NODISCARD int schema_parse(enum schema_format format, struct bytes text, const struct schema_reference *references,
			   size_t reference_count, struct schema **ret_schema, struct problems *problems);
struct schema *schema_ref(struct schema *schema);
void schema_unref(struct schema *schema);
DEFINE_CLEANUP(struct schema *, schema_unref)

enum schema_format schema_format(const struct schema *schema);
const char *schema_format_name(enum schema_format format);                  /* AVRO, PROTOBUF */
bool schema_format_parse(const char *text, enum schema_format *ret_format); /* NULL or "" is AVRO */
const char *schema_text(const struct schema *schema); /* canonical: what the registry stores and answers */
/* The canonical text with everything that has no meaning put in order: Avro's custom properties by name; Protobuf's fields
 * by number, imports and options by name, types with their complete names. Parse it to get the schema to store. */
const char *schema_normalized_text(const struct schema *schema);
/* Avro: its text with what it refers to in it; Protobuf: its text. False: too deep to be written out whole. */
NODISCARD bool schema_append_resolved(const struct schema *schema, struct buffer *out);
/* Protobuf: the FileDescriptorProto in base64; Avro: its text. */
void schema_append_serialized(const struct schema *schema, struct buffer *out);
bool schema_equal(const struct schema *a, const struct schema *b);

/* Of memory that a parsed schema takes with `text_len` bytes in its tables; measured with both formats. */
size_t schema_bytes_about(size_t text_len);
size_t schema_imported_text_len(const struct schema *schema); /* Protobuf: what its tables hold besides; else 0 */

/* 32 bytes that are equal exactly for equal schemas (SHA-256 over format and canonical form). */
void schema_fingerprint(const struct schema *schema, uint8_t ret_digest[32]);

/* A part of the text that a schema was parsed from. */
struct schema_place {
	const struct schema *schema; /* the one that was asked for, or one that it refers to */
	const char
		*pointer; /* Avro: a JSON pointer; Protobuf: a path of descriptor.proto's SourceCodeInfo, "/4/0/2/1" */
};

/* Line and column, both from 1, in the text that was parsed (schema_text() is printed anew, so it is no help). Where the
 * part has no position of its own, that of the part around it. */
void schema_locate(enum schema_format format, struct bytes text, const char *pointer, size_t *ret_line,
		   size_t *ret_column);

const struct schema_type *schema_root(const struct schema *schema); /* Protobuf: the first message; NULL: none */
const struct schema_type *schema_message_at(const struct schema *schema, const int32_t *indexes,
					    int count);                                 /* or NULL */
int schema_type_indexes(const struct schema_type *type, int32_t *ret_indexes, int max); /* Protobuf: its path; else 0 */
const char *schema_type_name(const struct schema_type *type); /* full name: shop.payment.v1.PaymentCharged */

/* ---- what a type checker asks ---- */
enum schema_kind {
	SCHEMA_KIND_NULL,
	SCHEMA_KIND_BOOL,
	SCHEMA_KIND_INT,   /* with bits and is_signed */
	SCHEMA_KIND_FLOAT, /* with bits */
	SCHEMA_KIND_TEXT,
	SCHEMA_KIND_BYTES,
	SCHEMA_KIND_ENUM,
	SCHEMA_KIND_LIST,   /* `element` */
	SCHEMA_KIND_MAP,    /* text keys; `element` */
	SCHEMA_KIND_RECORD, /* `record` */
	SCHEMA_KIND_UNION,  /* of several non-null branches */
};

struct schema_field {
	const char *name;
	enum schema_kind kind;
	int bits;
	bool is_signed;
	bool is_optional;                 /* may be absent: a default, a nullable union, or Protobuf */
	bool is_nullable;                 /* may hold "nothing": a nullable union, a Protobuf field with presence */
	enum schema_kind element_kind;    /* LIST, MAP */
	const struct schema_type *record; /* RECORD, or element_kind RECORD; NULL otherwise */
};

size_t schema_type_field_count(const struct schema_type *type);
struct schema_field schema_type_field(const struct schema_type *type, size_t index);
bool schema_type_find(const struct schema_type *type, const char *name, struct schema_field *ret_field);

#endif
