/*
 * protobuf_decoder.c - Protobuf's encoding to values, by the schema's tables.
 *
 * How: a record is laid out with a place for every field, in the order of the schema; fields are put there as they come, the
 *      places that stay empty are closed up at the end. A message that comes in parts is decoded once, from all of them. So are
 *      extensions, as a message of their own, whose fields follow those of the message.
 */
#include <assert.h>
#include <stdio.h>

#include "lib/base/memory.h"
#include "schema-registry/codec/decoder.h"
#include "schema-registry/codec/scalar.h"
#include "schema-registry/model/protobuf.h"

/* No value yet: what marks an empty place while a message is under way. */
#define VALUE_UNSET VALUE_KIND_COUNT

struct open_message {
	const struct protobuf_message *message;
	struct value_field *fields;           /* one for each of the message's */
	const struct protobuf_field **oneofs; /* the member that is set, for each oneof */
	struct bytes extensions;              /* as they came, one behind the other */
};

static int decode_message(struct decoder *decoder, const struct protobuf_message *message, struct bytes bytes,
			  struct value *ret_value);

/* ---- wire types ---- */

static int skip_field(struct decoder *decoder, uint64_t tag, int depth);

/* Moves to behind the end of the group; *ret_body is what stands in it. */
static int take_group(struct decoder *decoder, uint32_t number, int depth, struct bytes *ret_body)
{
	const uint8_t *begin = decoder->at;

	if (depth == CODEC_DEPTH_MAX)
		return error_set(decoder->err, ERR_LIMIT, "the message is nested more than %d levels deep",
				 CODEC_DEPTH_MAX);
	for (;;) {
		const uint8_t *end = decoder->at;
		uint64_t tag;

		if (decoder_varint(decoder, &tag))
			return -1;
		if ((tag & 7) == 4) {
			if (tag >> 3 != number)
				return decoder_fail(decoder, "a group ends that did not begin");
			*ret_body = (struct bytes){begin, (size_t)(end - begin)};
			return 0;
		}
		if (skip_field(decoder, tag, depth))
			return -1;
	}
}

static int skip_field(struct decoder *decoder, uint64_t tag, int depth)
{
	struct bytes skipped;
	uint64_t number;

	if (tag >> 3 == 0 || tag >> 3 > 536870911)
		return decoder_fail(decoder, "a field has the impossible number %llu", (unsigned long long)(tag >> 3));
	switch (tag & 7) {
	case 0:
		return decoder_varint(decoder, &number);
	case 1:
		return decoder_take(decoder, 8, &skipped);
	case 2:
		return decoder_varint(decoder, &number) ? -1 : decoder_take(decoder, number, &skipped);
	case 3:
		return take_group(decoder, (uint32_t)(tag >> 3), depth + 1, &skipped);
	case 5:
		return decoder_take(decoder, 4, &skipped);
	default:
		return decoder_fail(decoder, "a field has the unknown wire type %u", (unsigned)(tag & 7));
	}
}

/* ---- scalars ---- */

static int read_bits(struct decoder *decoder, unsigned wire_type, uint64_t *ret_bits)
{
	struct bytes bytes;

	if (wire_type == 0)
		return decoder_varint(decoder, ret_bits);
	if (decoder_take(decoder, wire_type == 1 ? 8 : 4, &bytes))
		return -1;
	*ret_bits = 0;
	memcpy(ret_bits, bytes.data, bytes.len); /* little-endian, as the machine */
	return 0;
}

static struct value float_of_bits(enum protobuf_kind kind, uint64_t bits)
{
	double number;
	float small;

	if (kind == PROTOBUF_FLOAT) {
		memcpy(&small, &bits, sizeof(small));
		return value_double((double)small);
	}
	memcpy(&number, &bits, sizeof(number));
	return value_double(number);
}

static struct value unsigned_value(uint64_t number)
{
	return (struct value){.kind = VALUE_UINT, .unsigned_integer = number};
}

/* False: an enum's number that a closed enum does not have; the field counts as unknown. */
static bool value_of_bits(const struct protobuf_field *field, uint64_t bits, struct value *ret_value)
{
	const char *symbol;

	switch (field->kind) {
	case PROTOBUF_DOUBLE:
	case PROTOBUF_FLOAT:
		*ret_value = float_of_bits(field->kind, bits);
		return true;
	case PROTOBUF_INT64:
	case PROTOBUF_SFIXED64:
		*ret_value = value_int((int64_t)bits);
		return true;
	case PROTOBUF_INT32:
	case PROTOBUF_SFIXED32:
		*ret_value = value_int((int32_t)(uint32_t)bits);
		return true;
	case PROTOBUF_SINT32:
		*ret_value = value_int((int32_t)unzigzag64((uint32_t)bits));
		return true;
	case PROTOBUF_SINT64:
		*ret_value = value_int(unzigzag64(bits));
		return true;
	case PROTOBUF_UINT32:
	case PROTOBUF_FIXED32:
		*ret_value = unsigned_value((uint32_t)bits);
		return true;
	case PROTOBUF_BOOL:
		*ret_value = value_bool(bits != 0);
		return true;
	case PROTOBUF_ENUM:
		symbol = protobuf_enum_name(field->enumeration, (int32_t)(uint32_t)bits);
		*ret_value = symbol ? value_text_of(symbol) : value_int((int32_t)(uint32_t)bits);
		return symbol || !field->enumeration->is_closed;
	default:
		*ret_value = unsigned_value(bits);
		return true;
	}
}

/* What a field without presence holds when it was not sent. */
static struct value zero_of(const struct protobuf_field *field)
{
	struct value zero = {.kind = VALUE_TEXT, .text = {(const uint8_t *)"", 0}};

	if (field->map_entry)
		return value_record();
	if (field->label == PROTOBUF_REPEATED)
		return (struct value){.kind = VALUE_LIST};
	if (field->kind == PROTOBUF_BYTES)
		zero.kind = VALUE_BYTES;
	else if (field->kind != PROTOBUF_STRING)
		(void)value_of_bits(field, 0, &zero); /* 0 is a number of every open enum */
	return zero;
}

static int read_text(struct decoder *decoder, const struct protobuf_field *field, struct value *ret_value)
{
	struct bytes bytes;
	uint64_t len;

	if (decoder_varint(decoder, &len) || decoder_take(decoder, len, &bytes))
		return -1;
	if (field->kind == PROTOBUF_STRING && !text_is_utf8(bytes))
		return decoder_fail(decoder, "field '%s' is not UTF-8; it ends", field->name);
	*ret_value = (struct value){.kind = field->kind == PROTOBUF_STRING ? VALUE_TEXT : VALUE_BYTES, .text = bytes};
	return 0;
}

/* ---- fields ---- */

/* The bytes of one occurrence of a message or group. */
static int take_submessage(struct decoder *decoder, const struct protobuf_field *field, struct bytes *ret_bytes)
{
	uint64_t len;

	if (field->kind == PROTOBUF_GROUP)
		return take_group(decoder, field->number, decoder->depth, ret_bytes);
	return decoder_varint(decoder, &len) ? -1 : decoder_take(decoder, len, ret_bytes);
}

/* Keeps the bytes in the place; parts of one message are put together, which is what merging means. */
static int keep_submessage(struct decoder *decoder, const struct protobuf_field *field, struct value *place)
{
	struct bytes part;
	uint8_t *both;

	if (take_submessage(decoder, field, &part))
		return -1;
	if (place->kind == VALUE_BYTES && part.len > 0) {
		both = decoder_alloc(decoder, place->text.len + part.len, 1);
		if (!both)
			return -1;
		if (place->text.len > 0)
			memcpy(both, place->text.data, place->text.len);
		memcpy(both + place->text.len, part.data, part.len);
		part = (struct bytes){both, place->text.len + part.len};
	} else if (place->kind == VALUE_BYTES) {
		return 0;
	}
	*place = (struct value){.kind = VALUE_BYTES, .text = part};
	return 0;
}

static int decode_single(struct decoder *decoder, const struct protobuf_field *field, struct value *place)
{
	struct value value;
	uint64_t bits;

	if (field->message)
		return keep_submessage(decoder, field, place);
	if (field->kind == PROTOBUF_STRING || field->kind == PROTOBUF_BYTES)
		return read_text(decoder, field, place);
	if (read_bits(decoder, protobuf_wire_type(field->kind), &bits))
		return -1;
	if (value_of_bits(field, bits, &value))
		*place = value;
	return 0;
}

static int add_number(struct decoder *decoder, const struct protobuf_field *field, struct value *list)
{
	struct value value;
	struct value *item;
	uint64_t bits;

	if (read_bits(decoder, protobuf_wire_type(field->kind), &bits))
		return -1;
	if (!value_of_bits(field, bits, &value))
		return 0;
	item = decoder_add_item(decoder, list);
	if (!item)
		return -1;
	*item = value;
	return 0;
}

static int decode_packed(struct decoder *decoder, const struct protobuf_field *field, struct value *list)
{
	const uint8_t *end = decoder->end;
	struct bytes bytes;
	uint64_t len;
	int result = 0;

	if (decoder_varint(decoder, &len) || decoder_take(decoder, len, &bytes))
		return -1;
	decoder->at = bytes.data;
	decoder->end = bytes.data + bytes.len;
	while (decoder->at < decoder->end && result == 0)
		result = add_number(decoder, field, list);
	decoder->end = end;
	return result;
}

static int decode_item(struct decoder *decoder, const struct protobuf_field *field, struct value *list)
{
	struct bytes bytes;
	struct value *item;

	if (!field->message && field->kind != PROTOBUF_STRING && field->kind != PROTOBUF_BYTES)
		return add_number(decoder, field, list);
	item = decoder_add_item(decoder, list);
	if (!item)
		return -1;
	if (!field->message)
		return read_text(decoder, field, item);
	if (take_submessage(decoder, field, &bytes))
		return -1;
	return decode_message(decoder, field->message, bytes, item);
}

/* ---- maps ---- */

static int key_text(struct decoder *decoder, const struct value *key, struct bytes *ret_text)
{
	enum { KEY_TEXT_MAX = 24 };
	char *text;

	if (key->kind == VALUE_TEXT) {
		*ret_text = key->text;
		return 0;
	}
	if (key->kind == VALUE_BOOL) {
		*ret_text = bytes_of_text(key->boolean ? "true" : "false");
		return 0;
	}
	text = decoder_alloc(decoder, KEY_TEXT_MAX, 1);
	if (!text)
		return -1;
	if (key->kind == VALUE_INT)
		(void)snprintf(text, KEY_TEXT_MAX, "%lld", (long long)key->integer); /* fits */
	else
		(void)snprintf(text, KEY_TEXT_MAX, "%llu", (unsigned long long)key->unsigned_integer); /* fits */
	*ret_text = bytes_of_text(text);
	return 0;
}

/* An entry is a message with the fields 1 and 2; what is missing has its zero. */
static int decode_entry(struct decoder *decoder, const struct protobuf_field *field, struct value *map)
{
	const struct protobuf_message *entry_message = field->map_entry;
	const struct protobuf_field *element = protobuf_find_number(entry_message, 2);
	const struct value *key;
	const struct value *found;
	struct value_field *entry;
	struct value value;
	struct bytes bytes;
	struct bytes name;

	assert(element);
	if (take_submessage(decoder, field, &bytes) || decode_message(decoder, entry_message, bytes, &value))
		return -1;
	key = value_get(&value, "key");
	found = value_get(&value, "value");
	if (!key) /* proto2: entries have presence */
		key = &(struct value){.kind = VALUE_UNSET};
	if (!found && element->enumeration && element->enumeration->is_closed && bytes.len > 0)
		return 0; /* a symbol that is unknown here: the entry counts as unknown */
	if (key->kind == VALUE_UNSET) {
		struct value zero = zero_of(protobuf_find_number(entry_message, 1));

		if (key_text(decoder, &zero, &name))
			return -1;
	} else if (key_text(decoder, key, &name)) {
		return -1;
	}
	entry = decoder_add_entry(decoder, map);
	if (!entry)
		return -1;
	entry->name = name;
	entry->value = found ? *found : element->message ? value_record() : zero_of(element);
	if (!found && element->message)
		return decode_message(decoder, element->message, (struct bytes){0}, &entry->value);
	return 0;
}

/* ---- messages ---- */

static int decode_field(struct decoder *decoder, struct open_message *open, const struct protobuf_field *field,
			unsigned wire_type, bool *ret_is_known)
{
	size_t position = (size_t)(field - open->message->fields);
	struct value *place = &open->fields[position].value;
	unsigned own_type = protobuf_wire_type(field->kind);
	bool is_repeated = field->label == PROTOBUF_REPEATED;

	*ret_is_known = true;
	if (is_repeated && wire_type == 2 && own_type != 2 && own_type != 3)
		return decode_packed(decoder, field, place);
	if (wire_type != own_type) {
		*ret_is_known = false;
		return 0;
	}
	if (field->map_entry)
		return decode_entry(decoder, field, place);
	if (is_repeated)
		return decode_item(decoder, field, place);
	if (field->oneof >= 0 && open->oneofs[field->oneof] != field) {
		if (open->oneofs[field->oneof])
			open->fields[open->oneofs[field->oneof] - open->message->fields].value.kind = VALUE_UNSET;
		open->oneofs[field->oneof] = field;
	}
	return decode_single(decoder, field, place);
}

static int open_message(struct decoder *decoder, const struct protobuf_message *message, struct open_message *ret_open)
{
	*ret_open = (struct open_message){.message = message};
	ret_open->fields = decoder_alloc(decoder, message->field_count, sizeof(*ret_open->fields));
	if (!ret_open->fields)
		return -1;
	for (size_t i = 0; i < message->field_count; i++) {
		const struct protobuf_field *field = &message->fields[i];

		ret_open->fields[i].name = (struct bytes){(const uint8_t *)field->name, field->name_len};
		if (field->has_presence || field->label == PROTOBUF_REQUIRED)
			ret_open->fields[i].value.kind = VALUE_UNSET;
		else
			ret_open->fields[i].value = zero_of(field);
	}
	if (message->oneof_count > 0) {
		ret_open->oneofs = decoder_alloc(decoder, message->oneof_count, sizeof(*ret_open->oneofs));
		if (!ret_open->oneofs)
			return -1;
		memset(ret_open->oneofs, 0, message->oneof_count * sizeof(*ret_open->oneofs));
	}
	return 0;
}

/* What stands from `begin` on, if it is an extension: none is longer in all than what is left of the message. */
static int keep_extension(struct decoder *decoder, struct open_message *open, uint64_t tag, const uint8_t *begin)
{
	const struct protobuf_message *extensions = decoder->has_extensions ? open->message->extensions : NULL;
	size_t len = (size_t)(decoder->at - begin);
	uint8_t *kept = (uint8_t *)open->extensions.data; /* ours, below */

	if (!extensions || !protobuf_find_number(extensions, (uint32_t)(tag >> 3)))
		return 0;
	if (!kept)
		kept = decoder_alloc(decoder, (size_t)(decoder->end - begin), 1);
	if (!kept)
		return -1;
	memcpy(kept + open->extensions.len, begin, len);
	open->extensions = (struct bytes){kept, open->extensions.len + len};
	return 0;
}

static int decode_fields(struct decoder *decoder, struct open_message *open)
{
	while (decoder->at < decoder->end) {
		const uint8_t *begin = decoder->at;
		const struct protobuf_field *field;
		bool is_known = false;
		uint64_t tag;

		if (decoder_varint(decoder, &tag))
			return -1;
		field = tag >> 3 <= 536870911 ? protobuf_find_number(open->message, (uint32_t)(tag >> 3)) : NULL;
		if (field && decode_field(decoder, open, field, (unsigned)(tag & 7), &is_known))
			return -1;
		if (is_known)
			continue;
		if (skip_field(decoder, tag, decoder->depth) || (!field && keep_extension(decoder, open, tag, begin)))
			return -1;
	}
	return 0;
}

/* Decodes the messages that were only kept, finishes maps, and closes up the places that stayed empty. */
static int close_message(struct decoder *decoder, struct open_message *open, struct value *ret_value)
{
	size_t kept = 0;

	for (size_t i = 0; i < open->message->field_count; i++) {
		const struct protobuf_field *field = &open->message->fields[i];
		struct value *value = &open->fields[i].value;

		if (value->kind == VALUE_UNSET) {
			if (field->label == PROTOBUF_REQUIRED)
				return decoder_fail(decoder, "the required field '%s' is missing in what ends",
						    field->name);
			continue;
		}
		if (field->map_entry && decoder_finish_map(decoder, value))
			return -1;
		if (field->message && value->kind == VALUE_BYTES &&
		    decode_message(decoder, field->message, value->text, value))
			return -1;
		if (kept != i)
			open->fields[kept] = open->fields[i];
		kept++;
	}
	*ret_value = value_record();
	ret_value->record.fields = open->fields;
	ret_value->record.count = kept;
	ret_value->record.capacity = open->message->field_count;
	return 0;
}

/* Lists that stayed empty are left out: nobody knows which extensions a message could have. */
static int add_extensions(struct decoder *decoder, const struct open_message *open, struct value *record)
{
	struct value extensions;
	struct value_field *fields;

	if (open->extensions.len == 0)
		return 0;
	if (decode_message(decoder, open->message->extensions, open->extensions, &extensions))
		return -1;
	fields = decoder_alloc(decoder, record->record.count + extensions.record.count, sizeof(*fields));
	if (!fields)
		return -1;
	if (record->record.count > 0)
		memcpy(fields, record->record.fields, record->record.count * sizeof(*fields));
	record->record.fields = fields;
	record->record.capacity = record->record.count + extensions.record.count;
	for (size_t i = 0; i < extensions.record.count; i++) {
		const struct value_field *field = &extensions.record.fields[i];

		if (field->value.kind != VALUE_LIST || field->value.list.count > 0)
			fields[record->record.count++] = *field;
	}
	return 0;
}

static int decode_message(struct decoder *decoder, const struct protobuf_message *message, struct bytes bytes,
			  struct value *ret_value)
{
	const uint8_t *at = decoder->at;
	const uint8_t *start = decoder->start;
	const uint8_t *end = decoder->end;
	struct open_message open;
	int result;

	if (decoder_enter(decoder))
		return -1;
	if (bytes.len > 0 && (bytes.data < start || bytes.data > end))
		decoder->start = bytes.data; /* parts that were put together: positions count within them */
	decoder->at = bytes.data;
	decoder->end = bytes.data + bytes.len;
	result = open_message(decoder, message, &open);
	if (result == 0)
		result = decode_fields(decoder, &open);
	if (result == 0)
		result = close_message(decoder, &open, ret_value);
	if (result == 0)
		result = add_extensions(decoder, &open, ret_value);
	decoder->at = at;
	decoder->start = start;
	decoder->end = end;
	decoder->depth--;
	return result;
}

int protobuf_decode(struct decoder *decoder, const struct schema_type *type, struct value *ret_value)
{
	struct bytes bytes = {decoder->at, (size_t)(decoder->end - decoder->at)};

	return decode_message(decoder, protobuf_message_of(type), bytes, ret_value);
}
