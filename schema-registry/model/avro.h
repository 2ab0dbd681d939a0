/*
 * avro.h - Avro schemas: the parsed form, its parser and its printer.
 *
 * Why:        avro-c drops defaults, aliases, enum defaults and logical types, so the model is ours, on jansson's trees.
 * Guarantees: duplicates, unknown names, bad names and unions that break the rules are refused, each with its position.
 *             A default that does not fit its type is accepted, as everywhere in the Avro world; it just cannot be used.
 * Limits:     AVRO_DEPTH_MAX levels of nesting in the text.
 */
#ifndef SCHEMA_REGISTRY_MODEL_AVRO_H
#define SCHEMA_REGISTRY_MODEL_AVRO_H

#include <jansson.h>

#include "schema-registry/model/schema_type.h"

enum { AVRO_DEPTH_MAX = 128 };

enum avro_kind {
	AVRO_NULL,
	AVRO_BOOLEAN,
	AVRO_INT,
	AVRO_LONG,
	AVRO_FLOAT,
	AVRO_DOUBLE,
	AVRO_BYTES,
	AVRO_STRING, /* the last that is a plain name */
	AVRO_ARRAY,
	AVRO_MAP,
	AVRO_UNION,
	AVRO_FIXED, /* from here on: types with a name */
	AVRO_ENUM,
	AVRO_RECORD,
	AVRO_KIND_COUNT
};

struct avro_type;

struct avro_field {
	const char *name;
	uint32_t name_len;
	const struct avro_type *type;
	const char *const *aliases;
	size_t alias_count;
	const json_t *json;
	const json_t *default_json; /* NULL: none */
	struct bytes default_bytes; /* the default's encoding; data is NULL where there is none, or none that fits */
};

struct avro_type {
	struct schema_type base; /* full_name: of a named type with its namespace, else the kind's name */
	enum avro_kind kind;
	const json_t *json; /* the object that it was declared with; NULL for a plain name or a union */
	size_t min_bytes;   /* no value of it is encoded in fewer; a lower bound */

	/* named types */
	const char *name;
	const char *space;          /* "" for none */
	const char *const *aliases; /* full names */
	size_t alias_count;
	const struct schema *owner; /* the schema whose text declares it */
	size_t ordinal;             /* among the named types of its owner */

	struct avro_field *fields; /* RECORD */
	size_t field_count;
	struct name_index field_index;
	const char *const *symbols; /* ENUM */
	size_t symbol_count;
	struct name_index symbol_index;
	int64_t default_symbol;                  /* position, or -1 */
	const struct avro_type *element;         /* ARRAY, MAP */
	const struct avro_type *const *branches; /* UNION */
	size_t branch_count;
	int64_t null_branch; /* position, or -1 */
	size_t fixed_bytes;  /* FIXED */
};

struct avro_schema {
	json_t *json;             /* owned */
	struct avro_type **named; /* own ones and those of the references */
	size_t named_count;
	size_t named_capacity;
	size_t own_count;
	struct name_index names;
};

const char *avro_kind_name(enum avro_kind kind);

/* Fills avro and root of a schema that has its arena, format and references. -1 with at least one problem. */
NODISCARD int avro_parse(struct schema *schema, struct bytes text, struct problems *problems);
void avro_release(struct avro_schema *avro);

/* The compact JSON text; normalized: custom properties sorted. */
void avro_print(const struct schema *schema, bool is_normalized, struct buffer *out);
/* The same with the types of references spelled out: a text that needs none. False: they are too deep in each other. */
NODISCARD bool avro_print_resolved(const struct schema *schema, struct buffer *out);

/* Encodes the defaults of all records of the schema into their fields. */
void avro_compile_defaults(struct schema *schema);

struct schema_field avro_describe_field(const struct avro_type *record, size_t index);

static inline const struct avro_type *avro_type_of(const struct schema_type *type)
{
	return (const struct avro_type *)type; /* base is the first member */
}

#endif
