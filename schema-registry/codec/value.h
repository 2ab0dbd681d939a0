/*
 * value.h - a decoded message without its format: the tree between Avro, Protobuf and JSON.
 *
 * Why:        a saga crosses both formats; a command's fields are copied by name from an input in one format to a
 *             command in the other, so both codecs meet in this tree.
 * Ownership:  everything, texts included, lives in the arena that the maker was given.
 * Ordering:   record fields keep the order of the schema; lookup is by name.
 */
#ifndef SCHEMA_REGISTRY_CODEC_VALUE_H
#define SCHEMA_REGISTRY_CODEC_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/bytes.h"
#include "lib/base/error.h"

enum value_kind {
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_INT,    /* int64_t: every signed type */
	VALUE_UINT,   /* uint64_t: unsigned types of Protobuf */
	VALUE_DOUBLE, /* float and double */
	VALUE_TEXT,   /* UTF-8; enum symbols, too */
	VALUE_BYTES,  /* bytes and fixed */
	VALUE_LIST,
	VALUE_RECORD, /* record, message and map: fields in order */
	VALUE_KIND_COUNT
};

struct value_field;

struct value {
	enum value_kind kind;
	union {
		bool boolean;
		int64_t integer;
		uint64_t unsigned_integer;
		double number;
		struct bytes text; /* VALUE_TEXT and VALUE_BYTES */
		struct {
			struct value *items;
			size_t count;
		} list;
		struct {
			struct value_field *fields;
			size_t count;
			size_t capacity;
		} record;
	};
};

struct value_field {
	struct bytes name;
	struct value value;
};

const struct value *value_get(const struct value *record, const char *name); /* NULL: absent, or no record */
const struct value *value_get_bytes(const struct value *record, struct bytes name);
/* Follows `a.b.c`; NULL where a part is absent. */
const struct value *value_path(const struct value *record, const char *path);

/* Convenience for readers: false when absent, null or of another kind. INT and UINT convert when they fit. */
bool value_get_int(const struct value *record, const char *name, int64_t *ret_value);
bool value_get_text(const struct value *record, const char *name, struct bytes *ret_value);
bool value_get_bool(const struct value *record, const char *name, bool *ret_value);

struct value value_null(void);
struct value value_bool(bool boolean);
struct value value_int(int64_t integer);
struct value value_double(double number);
struct value value_text(struct bytes text); /* borrowed: must live as long as the tree */
struct value value_text_of(const char *text);
struct value value_record(void);
void value_set(struct arena *arena, struct value *record, const char *name, struct value value); /* replaces */
bool value_equal(const struct value *a, const struct value *b);

/* JSON text. Printing: 64-bit integers as numbers, bytes as base64. Parsing keeps integers exact (INT, UINT), else
 * DOUBLE; depth at most 100; duplicate keys are refused. */
void value_print_json(const struct value *value, struct buffer *out);
NODISCARD int value_parse_json(struct bytes text, struct arena *arena, struct value *ret_value, struct error *err);

#endif
