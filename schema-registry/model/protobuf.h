/*
 * protobuf.h - Protobuf schemas: descriptors for printing, tables for the codec and the compatibility check.
 *
 * Guarantees: a schema's tables are complete: they hold the messages of its imports, too, so nothing is looked up later.
 * Not here:   parsing and the resolution of names (protobuf_parser.h).
 */
#ifndef SCHEMA_REGISTRY_MODEL_PROTOBUF_H
#define SCHEMA_REGISTRY_MODEL_PROTOBUF_H

#include "google/protobuf/descriptor.pb-c.h"

#include "schema-registry/model/schema_type.h"

/* The numbers are those of FieldDescriptorProto.Type. */
enum protobuf_kind {
	PROTOBUF_DOUBLE = 1,
	PROTOBUF_FLOAT,
	PROTOBUF_INT64,
	PROTOBUF_UINT64,
	PROTOBUF_INT32,
	PROTOBUF_FIXED64,
	PROTOBUF_FIXED32,
	PROTOBUF_BOOL,
	PROTOBUF_STRING,
	PROTOBUF_GROUP,
	PROTOBUF_MESSAGE,
	PROTOBUF_BYTES,
	PROTOBUF_UINT32,
	PROTOBUF_ENUM,
	PROTOBUF_SFIXED32,
	PROTOBUF_SFIXED64,
	PROTOBUF_SINT32,
	PROTOBUF_SINT64,
	PROTOBUF_KIND_COUNT
};

enum protobuf_label { PROTOBUF_IMPLICIT, PROTOBUF_OPTIONAL, PROTOBUF_REQUIRED, PROTOBUF_REPEATED };

struct protobuf_enum {
	const char *full_name;
	const char **names;
	const int32_t *numbers;
	size_t count;
	struct name_index name_index;
	const uint32_t *by_number; /* positions, sorted by number and then by position */
	bool is_closed;            /* proto2: an unknown number is an unknown field */
};

struct protobuf_message;

struct protobuf_field {
	const char *name;
	const char *json_name;
	uint32_t name_len;
	uint32_t number;
	enum protobuf_kind kind;
	enum protobuf_label label;                /* as it is written: IMPLICIT where no word stands */
	bool has_presence;                        /* unset and zero differ */
	bool is_packed;                           /* written so; both forms are read */
	bool is_utf8_checked;                     /* proto3 strings */
	const struct protobuf_message *map_entry; /* a map; kind is MESSAGE then */
	const struct protobuf_message *message;   /* MESSAGE and GROUP */
	const struct protobuf_enum *enumeration;  /* ENUM */
	int32_t oneof;                            /* position among the message's real oneofs, or -1 */
	uint8_t tag[5];                           /* number and wire type as they are encoded */
	uint8_t tag_len;
};

struct protobuf_oneof {
	const char *name;
	size_t position;     /* in the descriptor, which also has those of proto3's `optional` */
	uint32_t *members;   /* positions of its fields, in the order of the text */
	uint32_t *by_number; /* the same, sorted */
	size_t member_count;
};

struct protobuf_message {
	struct schema_type base;
	const char *local_name; /* without the package: Outer.Inner */
	const struct protobuf_message *parent;
	const Google__Protobuf__DescriptorProto *source; /* fields and nested messages have the same positions */
	bool is_own;                                     /* of the schema's file, not of an import */
	bool is_map_entry;
	int32_t index;                 /* among the real messages of its level */
	struct protobuf_field *fields; /* in the order of the text */
	size_t field_count;
	struct name_index field_index; /* by name, and by JSON name where that is another */
	const uint32_t *by_number;     /* positions, sorted */
	const uint32_t *small_numbers; /* position + 1 by number; 0: none */
	uint32_t small_number_count;
	struct protobuf_oneof *oneofs; /* the real ones */
	size_t oneof_count;
	struct name_index oneof_index;
	struct protobuf_message *nested; /* map entries, too */
	size_t nested_count;
	/* Its extensions that the schema or an import declares, as fields with the names that JSON has: "[shop.v1.note]". NULL: none */
	const struct protobuf_message *extensions;
};

struct protobuf_file {
	const char *package; /* "" for none */
	struct protobuf_message *messages;
	size_t message_count;
};

struct protobuf_schema {
	const Google__Protobuf__FileDescriptorProto *written;
	const Google__Protobuf__FileDescriptorProto *resolved;
	const Google__Protobuf__FileDescriptorSet *files; /* resolved: all that it imports, then its own */
	struct bytes written_bytes;                       /* what an importing schema is given */
	struct bytes resolved_bytes; /* what clients are given: complete names, options interpreted */
	struct protobuf_file file;   /* the schema's own */
	struct name_index messages;  /* by full name, of all files */
	const struct protobuf_message **message_list;
};

/* Fills protobuf and root of a schema that has its arena, format and references. -1 with at least one problem. */
NODISCARD int protobuf_load(struct schema *schema, struct bytes text, struct problems *problems);

/* The .proto text; normalized: fields by number, complete names, imports and options sorted. */
void protobuf_print(const struct schema *schema, bool is_normalized, struct buffer *out);

/* Compiles the tables of a FileDescriptorSet whose last file is the schema's own. */
void protobuf_compile(struct schema *schema, const Google__Protobuf__FileDescriptorSet *set);

/* schema_place's pointers (protobuf_place.c). The message may be of another version of the schema: what has its name in this
 * one or its imports is pointed at, or else what is around it. `field` NULL: the message itself. */
struct schema_place protobuf_place_of(const struct schema *schema, const struct protobuf_message *message,
				      const struct protobuf_field *field, struct buffer *pointer);
void protobuf_locate(struct bytes text, const char *pointer, size_t *ret_line, size_t *ret_column);

/* Of its own or of an import; NULL: there is none. */
const struct protobuf_message *protobuf_find_message(const struct schema *schema, struct bytes full_name);
const struct protobuf_field *protobuf_find_number(const struct protobuf_message *message, uint32_t number);
const char *protobuf_enum_name(const struct protobuf_enum *enumeration, int32_t number);    /* or NULL */
const struct protobuf_field *protobuf_field_of_entry(const struct protobuf_message *entry); /* the map */
struct schema_field protobuf_describe_field(const struct protobuf_message *message, size_t index);

/* The message at a path of indexes; map entries do not count. */
const struct protobuf_message *protobuf_message_at(const struct schema *schema, const int32_t *indexes, int count);

static inline const struct protobuf_message *protobuf_message_of(const struct schema_type *type)
{
	return (const struct protobuf_message *)type; /* base is the first member */
}

/* How the kind travels: 0 varint, 1 eight bytes, 2 with its length, 5 four bytes, 3 group. */
static inline unsigned protobuf_wire_type(enum protobuf_kind kind)
{
	static const uint8_t types[PROTOBUF_KIND_COUNT] = {
		[PROTOBUF_DOUBLE] = 1,   [PROTOBUF_FLOAT] = 5,   [PROTOBUF_FIXED64] = 1, [PROTOBUF_FIXED32] = 5,
		[PROTOBUF_STRING] = 2,   [PROTOBUF_GROUP] = 3,   [PROTOBUF_MESSAGE] = 2, [PROTOBUF_BYTES] = 2,
		[PROTOBUF_SFIXED32] = 5, [PROTOBUF_SFIXED64] = 1};

	return types[kind];
}

#endif
