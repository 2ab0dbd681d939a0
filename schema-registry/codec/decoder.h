/*
 * decoder.h - what decoding of both formats shares: a cursor that cannot leave its bytes, bounded memory, one error.
 *
 * Limits: CODEC_DEPTH_MAX levels, DECODER_MEMORY_MAX for the tree whatever the arena allows: a few bytes of a hostile
 *         message can ask for a large tree.
 */
#ifndef SCHEMA_REGISTRY_CODEC_DECODER_H
#define SCHEMA_REGISTRY_CODEC_DECODER_H

#include "schema-registry/codec/codec.h"
#include "schema-registry/codec/value.h"

enum { DECODER_MEMORY_MAX = 256 * 1024 * 1024 };

struct decoder {
	const uint8_t *start;
	const uint8_t *at;
	const uint8_t *end;
	struct arena *arena;
	struct error *err;
	size_t memory_left;
	size_t empty_items_left; /* Avro: items without bytes that may still come */
	int depth;
	bool has_extensions; /* Protobuf: they are wanted */
};

/* "WHAT at byte N". Returns -1. */
int decoder_fail(struct decoder *decoder, const char *format, ...) PRINTF_LIKE(2, 3);
int decoder_too_large(struct decoder *decoder); /* ERR_LIMIT; returns -1 */

/* NULL: the limit is reached and reported. */
void *decoder_alloc(struct decoder *decoder, size_t count, size_t item_bytes);

NODISCARD int decoder_enter(struct decoder *decoder); /* -1 at the depth limit */

NODISCARD int decoder_varint_slow(struct decoder *decoder, uint64_t *ret_number);
NODISCARD int decoder_take(struct decoder *decoder, uint64_t len, struct bytes *ret_bytes);

static inline int decoder_varint(struct decoder *decoder, uint64_t *ret_number)
{
	if (decoder->at < decoder->end && *decoder->at < 0x80) {
		*ret_number = *decoder->at++;
		return 0;
	}
	return decoder_varint_slow(decoder, ret_number);
}

static inline int64_t unzigzag64(uint64_t number)
{
	return (int64_t)(number >> 1) ^ -(int64_t)(number & 1);
}

/* Room for one more; the count doubles as the measure of what is allocated. NULL: the limit is reached and reported. */
struct value *decoder_add_item(struct decoder *decoder, struct value *list);
struct value_field *decoder_add_entry(struct decoder *decoder, struct value *map);

/* Sorts a map by key; of equal keys the last one stays. */
NODISCARD int decoder_finish_map(struct decoder *decoder, struct value *map);

NODISCARD int avro_decode(struct decoder *decoder, const struct schema_type *type, struct value *ret_value);
NODISCARD int protobuf_decode(struct decoder *decoder, const struct schema_type *type, struct value *ret_value);

#endif
