/* wire_format.c - see wire_format.h. */
#include "schema-registry/codec/wire_format.h"

#include <assert.h>

enum { PREFIX_BYTES = 5 };

void wire_format_append_id(struct buffer *out, int32_t schema_id)
{
	uint32_t id = (uint32_t)schema_id;
	uint8_t prefix[PREFIX_BYTES] = {0, (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};

	buffer_append(out, prefix, sizeof(prefix));
}

static void append_zigzag(struct buffer *out, int32_t number)
{
	uint32_t rest = (uint32_t)number << 1 ^ (uint32_t)(number >> 31);

	for (; rest >= 0x80; rest >>= 7)
		buffer_append_byte(out, (uint8_t)(rest | 0x80));
	buffer_append_byte(out, (uint8_t)rest);
}

void wire_format_append_indexes(struct buffer *out, const int32_t *indexes, int count)
{
	assert(count > 0 && count <= WIRE_INDEXES_MAX);
	if (count == 1 && indexes[0] == 0) { /* the usual path has a form of its own */
		buffer_append_byte(out, 0);
		return;
	}
	append_zigzag(out, count);
	for (int i = 0; i < count; i++)
		append_zigzag(out, indexes[i]);
}

int wire_format_read_id(struct bytes value, int32_t *ret_schema_id, struct bytes *ret_rest, struct error *err)
{
	const uint8_t *at = value.data;
	uint32_t id;

	if (value.len < PREFIX_BYTES)
		return error_set(err, ERR_CORRUPT, "the value has %zu bytes: too short for magic byte and schema id",
				 value.len);
	if (at[0] != 0)
		return error_set(err, ERR_CORRUPT, "the value begins with byte %02x instead of 00: no schema id in it",
				 at[0]);
	id = (uint32_t)at[1] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 8 | at[4];
	if (id > INT32_MAX)
		return error_set(err, ERR_CORRUPT, "the value has the schema id %u: ids end at %d", id, INT32_MAX);
	*ret_schema_id = (int32_t)id;
	*ret_rest = (struct bytes){at + PREFIX_BYTES, value.len - PREFIX_BYTES};
	return 0;
}

static bool read_zigzag(struct bytes *rest, int32_t *ret_number)
{
	uint64_t number = 0;

	for (unsigned shift = 0; shift < 35 && rest->len > 0; shift += 7) {
		uint8_t byte = *rest->data++;

		rest->len--;
		number |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret_number = (int32_t)(uint32_t)(number >> 1) ^ -(int32_t)(number & 1);
			return number <= UINT32_MAX;
		}
	}
	return false;
}

int wire_format_read_indexes(struct bytes rest, struct wire_prefix *prefix, struct bytes *ret_payload,
			     struct error *err)
{
	int32_t indexes[WIRE_INDEXES_MAX] = {0};
	int32_t count;

	if (!read_zigzag(&rest, &count))
		return error_set(err, ERR_CORRUPT, "the message-index path is missing or cut");
	if (count < 0 || count > WIRE_INDEXES_MAX)
		return error_set(err, ERR_CORRUPT,
				 "the message-index path says %d levels: was the value written without a path?", count);
	for (int32_t i = 0; i < count; i++) {
		if (!read_zigzag(&rest, &indexes[i]) || indexes[i] < 0)
			return error_set(err, ERR_CORRUPT, "the message-index path is cut or has a negative index");
	}
	prefix->index_count = count == 0 ? 1 : count;
	memcpy(prefix->indexes, indexes, sizeof(indexes));
	*ret_payload = rest;
	return 0;
}
