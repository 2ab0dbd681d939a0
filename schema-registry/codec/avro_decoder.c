/* avro_decoder.c - Avro's binary encoding to values, by the schema the bytes were written with. */
#include "lib/base/memory.h"
#include "schema-registry/codec/decoder.h"
#include "schema-registry/codec/scalar.h"
#include "schema-registry/model/avro.h"

static int decode_value(struct decoder *decoder, const struct avro_type *type, struct value *ret_value);

static int read_long(struct decoder *decoder, int64_t *ret_number)
{
	uint64_t number;

	if (decoder_varint(decoder, &number))
		return -1;
	*ret_number = unzigzag64(number);
	return 0;
}

static int read_bytes(struct decoder *decoder, struct bytes *ret_bytes)
{
	int64_t len;

	if (read_long(decoder, &len))
		return -1;
	if (len < 0)
		return decoder_fail(decoder, "a length is negative");
	return decoder_take(decoder, (uint64_t)len, ret_bytes);
}

static int read_text(struct decoder *decoder, struct bytes *ret_text)
{
	if (read_bytes(decoder, ret_text))
		return -1;
	return text_is_utf8(*ret_text) ? 0 : decoder_fail(decoder, "a text that is not UTF-8 ends");
}

static int decode_integer(struct decoder *decoder, const struct avro_type *type, struct value *ret_value)
{
	int64_t number;

	if (read_long(decoder, &number))
		return -1;
	if (type->kind == AVRO_INT && (number < INT32_MIN || number > INT32_MAX))
		return decoder_fail(decoder, "an int has more than 32 bits");
	*ret_value = value_int(number);
	return 0;
}

static int decode_floating(struct decoder *decoder, const struct avro_type *type, struct value *ret_value)
{
	struct bytes bytes;
	double number;
	float small;

	if (decoder_take(decoder, type->kind == AVRO_FLOAT ? sizeof(small) : sizeof(number), &bytes))
		return -1;
	if (type->kind == AVRO_FLOAT) {
		memcpy(&small, bytes.data, sizeof(small)); /* little-endian, as the machine */
		number = (double)small;
	} else {
		memcpy(&number, bytes.data, sizeof(number));
	}
	*ret_value = value_double(number);
	return 0;
}

static int decode_boolean(struct decoder *decoder, struct value *ret_value)
{
	struct bytes byte;

	if (decoder_take(decoder, 1, &byte))
		return -1;
	if (byte.data[0] > 1)
		return decoder_fail(decoder, "a boolean is neither 0 nor 1");
	*ret_value = value_bool(byte.data[0] == 1);
	return 0;
}

static int decode_symbol(struct decoder *decoder, const struct avro_type *type, struct value *ret_value)
{
	int64_t at;

	if (read_long(decoder, &at))
		return -1;
	if (at < 0 || (size_t)at >= type->symbol_count)
		return decoder_fail(decoder, "enum %s has no symbol %lld", type->base.full_name, (long long)at);
	*ret_value = value_text_of(type->symbols[at]);
	return 0;
}

/* Of items that take no bytes a message may announce any number, so few bytes could ask for all memory. */
enum { EMPTY_ITEMS_MAX = 100 * 1000 };

/* The number of items of the next block; 0 ends the list. Each item takes at least `item_bytes`. */
static int read_block(struct decoder *decoder, size_t item_bytes, size_t *ret_count)
{
	int64_t count;
	int64_t block_bytes;
	size_t left;

	if (read_long(decoder, &count))
		return -1;
	if (count < 0) { /* the block's size follows; it is there for readers that skip */
		if (count == INT64_MIN || read_long(decoder, &block_bytes))
			return count == INT64_MIN ? decoder_fail(decoder, "a count is out of range") : -1;
		count = -count;
	}
	left = (size_t)(decoder->end - decoder->at);
	if (item_bytes > 0 && (uint64_t)count > left / item_bytes)
		return decoder_fail(decoder, "%lld items are announced, but %zu bytes are left", (long long)count,
				    left);
	if (item_bytes == 0 && (uint64_t)count > decoder->empty_items_left)
		return decoder_too_large(decoder);
	if (item_bytes == 0)
		decoder->empty_items_left -= (size_t)count;
	*ret_count = (size_t)count;
	return 0;
}

static int decode_items(struct decoder *decoder, const struct avro_type *type, struct value *ret_value)
{
	struct value list = {.kind = VALUE_LIST};
	size_t count;

	do {
		if (read_block(decoder, type->element->min_bytes, &count))
			return -1;
		for (size_t i = 0; i < count; i++) {
			struct value *item = decoder_add_item(decoder, &list);

			if (!item || decode_value(decoder, type->element, item))
				return -1;
		}
	} while (count > 0);
	*ret_value = list;
	return 0;
}

static int decode_entries(struct decoder *decoder, const struct avro_type *type, struct value *ret_value)
{
	struct value map = value_record();
	size_t count;

	do {
		if (read_block(decoder, type->element->min_bytes + 1, &count))
			return -1;
		for (size_t i = 0; i < count; i++) {
			struct value_field *entry = decoder_add_entry(decoder, &map);

			if (!entry || read_text(decoder, &entry->name) ||
			    decode_value(decoder, type->element, &entry->value))
				return -1;
		}
	} while (count > 0);
	if (decoder_finish_map(decoder, &map))
		return -1;
	*ret_value = map;
	return 0;
}

static int decode_record(struct decoder *decoder, const struct avro_type *type, struct value *ret_value)
{
	struct value_field *fields = NULL;

	if (type->field_count > 0) {
		fields = decoder_alloc(decoder, type->field_count, sizeof(*fields));
		if (!fields)
			return -1;
	}
	for (size_t i = 0; i < type->field_count; i++) {
		const struct avro_field *field = &type->fields[i];

		fields[i].name = (struct bytes){(const uint8_t *)field->name, field->name_len};
		if (decode_value(decoder, field->type, &fields[i].value))
			return -1;
	}
	*ret_value = value_record();
	ret_value->record.fields = fields;
	ret_value->record.count = type->field_count;
	ret_value->record.capacity = type->field_count;
	return 0;
}

static int decode_union(struct decoder *decoder, const struct avro_type *type, struct value *ret_value)
{
	int64_t at;

	if (read_long(decoder, &at))
		return -1;
	if (at < 0 || (size_t)at >= type->branch_count)
		return decoder_fail(decoder, "a union has no branch %lld", (long long)at);
	return decode_value(decoder, type->branches[at], ret_value);
}

static int decode_nested(struct decoder *decoder, const struct avro_type *type, struct value *ret_value)
{
	int result;

	if (decoder_enter(decoder))
		return -1;
	if (type->kind == AVRO_RECORD)
		result = decode_record(decoder, type, ret_value);
	else if (type->kind == AVRO_ARRAY)
		result = decode_items(decoder, type, ret_value);
	else
		result = decode_entries(decoder, type, ret_value);
	decoder->depth--;
	return result;
}

static int decode_value(struct decoder *decoder, const struct avro_type *type, struct value *ret_value)
{
	struct bytes bytes;

	switch (type->kind) {
	case AVRO_NULL:
		*ret_value = value_null();
		return 0;
	case AVRO_BOOLEAN:
		return decode_boolean(decoder, ret_value);
	case AVRO_INT:
	case AVRO_LONG:
		return decode_integer(decoder, type, ret_value);
	case AVRO_FLOAT:
	case AVRO_DOUBLE:
		return decode_floating(decoder, type, ret_value);
	case AVRO_STRING:
		if (read_text(decoder, &bytes))
			return -1;
		*ret_value = value_text(bytes);
		return 0;
	case AVRO_BYTES:
	case AVRO_FIXED:
		if (type->kind == AVRO_BYTES ? read_bytes(decoder, &bytes)
					     : decoder_take(decoder, type->fixed_bytes, &bytes))
			return -1;
		*ret_value = (struct value){.kind = VALUE_BYTES, .text = bytes};
		return 0;
	case AVRO_ENUM:
		return decode_symbol(decoder, type, ret_value);
	case AVRO_UNION:
		return decode_union(decoder, type, ret_value);
	default:
		return decode_nested(decoder, type, ret_value);
	}
}

int avro_decode(struct decoder *decoder, const struct schema_type *type, struct value *ret_value)
{
	decoder->empty_items_left = EMPTY_ITEMS_MAX;
	if (decode_value(decoder, avro_type_of(type), ret_value))
		return -1;
	if (decoder->at != decoder->end)
		return decoder_fail(decoder, "%zu bytes are left over: written with another schema? It ends",
				    (size_t)(decoder->end - decoder->at));
	return 0;
}
