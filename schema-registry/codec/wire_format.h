/*
 * wire_format.h - the prefix of every Kafka value: magic byte 00, schema id, and for Protobuf the message-index path.
 *
 * Source: Confluent Schema Registry documentation, "Wire format". The path [0] is the single byte 00; other paths are
 *         zigzag varints: count, then indexes. docs/wire-contract.md has golden bytes.
 */
#ifndef SCHEMA_REGISTRY_CODEC_WIRE_FORMAT_H
#define SCHEMA_REGISTRY_CODEC_WIRE_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/bytes.h"

enum { WIRE_INDEXES_MAX = 16 };

struct wire_prefix {
	int32_t schema_id;
	int32_t indexes[WIRE_INDEXES_MAX]; /* Protobuf: the path, outermost first */
	int index_count;
};

void wire_format_append_id(struct buffer *out, int32_t schema_id);
void wire_format_append_indexes(struct buffer *out, const int32_t *indexes, int count);

/* Reads magic and id; *ret_rest is what follows (for Protobuf the indexes). ERR_CORRUPT says what is wrong. */
NODISCARD int wire_format_read_id(struct bytes value, int32_t *ret_schema_id, struct bytes *ret_rest,
				  struct error *err);
NODISCARD int wire_format_read_indexes(struct bytes rest, struct wire_prefix *prefix, struct bytes *ret_payload,
				       struct error *err);

#endif
