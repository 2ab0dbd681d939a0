/*
 * protobuf_strict.h - what the parts of the strict Protobuf check share: where they are, what they report, what they look up.
 *
 * Parts:     protobuf_strict.c walks files, messages and enums; strict_files.c knows in which file a type is, strict_ranges.c
 *            judges reserved numbers and names, strict_fields.c fields, strict_extensions.c extensions, strict_services.c
 *            services and options of the file.
 * Threads:   a checker has one owner.
 * Ownership: everything a checker makes is in its arena.
 */
#ifndef SCHEMA_REGISTRY_MODEL_PROTOBUF_STRICT_H
#define SCHEMA_REGISTRY_MODEL_PROTOBUF_STRICT_H

#include "schema-registry/model/compat_reporter.h"
#include "schema-registry/model/protobuf.h"

typedef Google__Protobuf__DescriptorProto message_proto;
typedef Google__Protobuf__EnumDescriptorProto enum_proto;
typedef Google__Protobuf__FieldDescriptorProto field_proto;
typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__ServiceDescriptorProto service_proto;

/* Field numbers of descriptor.proto, which pointers are made of. */
enum {
	FILE_PACKAGE = 2,
	FILE_MESSAGE = 4,
	FILE_ENUM = 5,
	FILE_SERVICE = 6,
	FILE_EXTENSION = 7,
	FILE_OPTIONS = 8,
	FILE_SYNTAX = 12,
	MESSAGE_FIELD = 2,
	MESSAGE_NESTED = 3,
	MESSAGE_ENUM = 4,
	MESSAGE_EXTENSION_RANGE = 5,
	MESSAGE_EXTENSION = 6,
	MESSAGE_RESERVED_RANGE = 9,
	MESSAGE_RESERVED_NAME = 10,
	ENUM_VALUE = 2,
	ENUM_RESERVED_RANGE = 4,
	ENUM_RESERVED_NAME = 5,
	SERVICE_METHOD = 2,
	OPTIONS_UNINTERPRETED = 999,
};

/* Where we are in the new file, or in one that it imports; `path` is what findings show, `pointer` what finds the line. */
struct strict_spot {
	const char *path;
	const struct schema *schema;
	const char *pointer;
};

/* One of those that a schema reaches by its imports, or itself. */
struct strict_file {
	const file_proto *proto;
	const struct schema *schema; /* whose own file it is; NULL: it is well-known, and never differs */
};

struct strict_files { /* the schema's own file is the last one */
	struct strict_file *items;
	size_t count;
	struct name_index by_name;
};

/* A message or an enum at the top of a file. */
struct strict_type {
	const struct strict_file *file;
	const struct protobuf_message *message; /* NULL: it is an enum */
	const enum_proto *enumeration;
	const char *pointer;
};

/* An `extend` of one of the files. */
struct strict_extension {
	const struct strict_file *file;
	const field_proto *field;
	const char *extendee;  /* complete, without the dot at the beginning */
	const char *full_name; /* of the extension itself */
	const char *json_name; /* the same in brackets */
	const char *pointer;
};

struct strict_extensions {
	struct strict_extension *items; /* by extendee and number */
	size_t count;
	struct name_index by_name;
};

struct strict_checker {
	struct compat_reporter *reporter;
	struct arena arena;
	const struct schema *old;
	const struct schema *update;
	enum compat_strictness strictness;
	struct strict_files old_files;
	struct strict_files update_files;
	struct name_index update_types; /* those of update_files, by full name */
	struct strict_type *update_type_list;
	struct strict_extensions old_extensions;
	struct strict_extensions update_extensions;
	bool fits;
};

/* Formats the finding's text; the pointer is spot's. */
void strict_report(struct strict_checker *checker, const struct strict_spot *spot, const char *rule, const char *hint,
		   const char *format, ...) PRINTF_LIKE(5, 6);
bool strict_is_full(const struct strict_checker *checker); /* nothing more can be told */
bool strict_has_finding(const struct strict_checker *checker, const struct strict_spot *spot);

/* The part of the spot at that position of a descriptor's field; `name` is the path's next step, NULL: it stays. */
struct strict_spot strict_below(struct strict_checker *checker, const struct strict_spot *spot, const char *name,
				int field_number, size_t position);

/* What is there no longer, told of where it was: at what was around it, or at the beginning of the file. */
#define STRICT_BEGINNING "/2"
struct strict_spot strict_gone(struct strict_checker *checker, const struct strict_spot *spot, const char *name,
			       const char *pointer);

static inline bool strict_is_own(const struct strict_files *files, const struct strict_file *file)
{
	return file == &files->items[files->count - 1];
}

/* ---- strict_files.c ---- */

void strict_collect_files(struct strict_checker *checker);
/* What is at the top of a file under that name now, in whatever file. False: nothing. */
bool strict_find_type(struct strict_checker *checker, const char *full_name, struct strict_type *ret_type);
/* The update's file that has the old one's place; NULL: it is not imported any more. */
const struct strict_file *strict_successor(const struct strict_checker *checker, const struct strict_file *old);
/* Where the types and extensions of the old files may be besides: in files that are changed with this one. */
const struct strict_file *strict_files_beside(struct strict_checker *checker, size_t *ret_count);
const char *strict_join(struct arena *arena, const char *scope, const char *name);

/* ---- strict_ranges.c ---- */

struct number_range { /* both ends are in it */
	int64_t first;
	int64_t last;
};

struct number_ranges { /* sorted, none touches another */
	struct number_range *items;
	size_t count;
};

struct strict_reserved {
	struct number_ranges numbers;
	struct name_index names;
};

/* A message in both of its forms. */
struct strict_message {
	const char *full_name;
	const message_proto *proto;
	const struct protobuf_message *table;
	struct strict_reserved reserved;
};

struct strict_reserved strict_reserved_of_message(struct strict_checker *checker, const message_proto *message);
struct strict_reserved strict_reserved_of_enum(struct strict_checker *checker, const enum_proto *enumeration);
bool strict_reserves_number(const struct strict_reserved *reserved, int64_t number);
bool strict_reserves_name(const struct strict_reserved *reserved, const char *name);

void strict_check_message_ranges(struct strict_checker *checker, const struct strict_spot *spot,
				 const struct strict_message *old, const struct strict_message *update);
void strict_check_enum_ranges(struct strict_checker *checker, const struct strict_spot *spot, const enum_proto *old,
			      const enum_proto *update, const struct strict_reserved *reserved);

/* ---- strict_fields.c ---- */

void strict_check_fields(struct strict_checker *checker, const struct strict_spot *spot,
			 const struct strict_message *old, const struct strict_message *update);
/* Type, count and default of what keeps its number, be it a field or an extension. */
void strict_check_value(struct strict_checker *checker, const struct strict_spot *spot, const field_proto *old,
			const field_proto *update);
/* From WIRE_JSON on. */
void strict_check_json_name(struct strict_checker *checker, const struct strict_spot *spot, const char *old,
			    const char *update);

/* ---- strict_extensions.c ---- */

void strict_collect_extensions(struct strict_checker *checker);
void strict_check_extensions(struct strict_checker *checker);
/* NULL: there is none. */
const struct strict_extension *strict_find_extension(const struct strict_extensions *extensions, const char *extendee,
						     int32_t number);
struct strict_spot strict_spot_of_extension(struct strict_checker *checker, const struct strict_extension *extension);

/* ---- strict_services.c ---- */

void strict_check_services(struct strict_checker *checker, const file_proto *old);
void strict_check_options(struct strict_checker *checker, const file_proto *old, const file_proto *update);

#endif
