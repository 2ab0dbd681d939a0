/*
 * encoder.h - what encoding to both formats shares: the output, the place of a value, the collection of problems.
 *
 * Threads: an encoder lives on the stack of one codec_encode().
 */
#ifndef SCHEMA_REGISTRY_CODEC_ENCODER_H
#define SCHEMA_REGISTRY_CODEC_ENCODER_H

#include "lib/base/problems.h"
#include "schema-registry/codec/codec.h"
#include "schema-registry/codec/value.h"
#include "schema-registry/model/name_index.h"

struct encoder {
	struct buffer *out;
	size_t start; /* of this message in `out` */
	struct problems *problems;
	const char *prefix; /* of every place */
	int depth;
	bool is_full; /* beyond CODEC_MESSAGE_BYTES_MAX, reported once; nothing is written any more */
};

/* One step from the root to a value; a chain on the stack, made into text only for a problem. */
struct encode_place {
	const struct encode_place *up; /* NULL: the root */
	struct bytes name;             /* of a field or, when is_key, of a map's entry; data NULL: an item of a list */
	bool is_key;
	size_t index;
};

void encoder_problem(struct encoder *encoder, const struct encode_place *place, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* "expected WHAT, got …" */
void encoder_misfit(struct encoder *encoder, const struct encode_place *place, const struct value *value,
		    const char *what);

/* False at the depth limit or when the message is full; then the problem is reported. Leave with encoder_leave(). */
bool encoder_enter(struct encoder *encoder, const struct encode_place *place);
void encoder_leave(struct encoder *encoder);

void encoder_varint(struct encoder *encoder, uint64_t number);
static inline uint64_t zigzag64(int64_t number)
{
	return (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
}

/* The values of a record, by the position of their field in the schema. */
struct field_slots {
	const struct value **items; /* NULL where absent */
	const struct value *few[32];
};

/* Unknown fields and fields that occur twice are reported. `names` are those of the schema, in its order. */
void field_slots_init(struct field_slots *slots, struct encoder *encoder, const struct value *record,
		      const struct name_index *index, size_t field_count, const struct encode_place *place);
void field_slots_release(struct field_slots *slots);

/* A map's entries, sorted by key. The result is malloc'ed. */
const struct value_field **sorted_entries(const struct value *map);

void avro_encode(struct encoder *encoder, const struct schema_type *type, const struct value *value);
void protobuf_encode(struct encoder *encoder, const struct schema_type *type, const struct value *value);

#endif
