/*
 * protobuf_encoder.c - values to Protobuf's encoding, by the schema's tables.
 *
 * Canonical: fields by number, maps by key, implicit fields left out when zero; so equal trees give equal bytes.
 */
#include <assert.h>

#include "lib/base/memory.h"
#include "schema-registry/codec/encoder.h"
#include "schema-registry/codec/scalar.h"
#include "schema-registry/model/protobuf.h"

static void encode_message(struct encoder *encoder, const struct protobuf_message *message, const struct value *value,
			   const struct encode_place *place);

static void append_tag(struct encoder *encoder, const struct protobuf_field *field)
{
	buffer_append(encoder->out, field->tag, field->tag_len);
}

/* ---- lengths are known only after what they measure, so a byte is kept free for them ---- */

static size_t begin_length(struct encoder *encoder)
{
	buffer_append_byte(encoder->out, 0);
	return encoder->out->len;
}

static void end_length(struct encoder *encoder, size_t begin)
{
	struct buffer *out = encoder->out;
	size_t len = out->len - begin;
	size_t more = 0;

	for (size_t rest = len >> 7; rest > 0; rest >>= 7)
		more++;
	if (more > 0) {
		buffer_reserve(out, more);
		memmove(out->data + begin + more, out->data + begin, len);
		out->len += more;
		out->data[out->len] = 0;
	}
	for (size_t i = 0; i < more; i++, len >>= 7)
		out->data[begin - 1 + i] = (uint8_t)(len | 0x80);
	out->data[begin - 1 + more] = (uint8_t)len;
}

/* ---- scalars ---- */

/* A number as the bits that travel: for varints their value, for fixed types their bytes. */
static bool integer_bits(const struct protobuf_field *field, const struct value *value, uint64_t *ret_bits)
{
	int64_t number = 0;

	switch (field->kind) {
	case PROTOBUF_INT32:
	case PROTOBUF_SINT32:
	case PROTOBUF_SFIXED32:
		if (!scalar_to_int(value, INT32_MIN, INT32_MAX, &number))
			return false;
		break;
	case PROTOBUF_INT64:
	case PROTOBUF_SINT64:
	case PROTOBUF_SFIXED64:
		if (!scalar_to_int(value, INT64_MIN, INT64_MAX, &number))
			return false;
		break;
	case PROTOBUF_UINT32:
	case PROTOBUF_FIXED32:
		return scalar_to_uint(value, UINT32_MAX, ret_bits);
	default:
		return scalar_to_uint(value, UINT64_MAX, ret_bits);
	}
	*ret_bits = field->kind == PROTOBUF_SINT32 || field->kind == PROTOBUF_SINT64 ? zigzag64(number)
										     : (uint64_t)number;
	return true;
}

/* Unknown numbers are legal where the enum is open, as proto3's are. */
static bool enum_bits(const struct protobuf_enum *enumeration, const struct value *value, uint64_t *ret_bits)
{
	int64_t at = value->kind == VALUE_TEXT ? name_index_find(&enumeration->name_index, value->text) : -1;
	int64_t number;

	if (at >= 0)
		number = enumeration->numbers[at];
	else if (!scalar_to_int(value, INT32_MIN, INT32_MAX, &number) ||
		 (enumeration->is_closed && !protobuf_enum_name(enumeration, (int32_t)number)))
		return false;
	*ret_bits = (uint64_t)number;
	return true;
}

static bool number_bits(const struct protobuf_field *field, const struct value *value, uint64_t *ret_bits)
{
	double number;
	float small;

	*ret_bits = 0;
	switch (field->kind) {
	case PROTOBUF_DOUBLE:
		if (!scalar_to_double(value, &number))
			return false;
		memcpy(ret_bits, &number, sizeof(number));
		return true;
	case PROTOBUF_FLOAT:
		if (!scalar_to_float(value, &small))
			return false;
		memcpy(ret_bits, &small, sizeof(small)); /* little-endian: the low half */
		return true;
	case PROTOBUF_BOOL:
		if (value->kind != VALUE_BOOL)
			return false;
		*ret_bits = value->boolean;
		return true;
	case PROTOBUF_ENUM:
		return enum_bits(field->enumeration, value, ret_bits);
	default:
		return integer_bits(field, value, ret_bits);
	}
}

static const char *expectation_of(const struct protobuf_field *field)
{
	switch (field->kind) {
	case PROTOBUF_DOUBLE:
	case PROTOBUF_FLOAT:
		return "a number";
	case PROTOBUF_BOOL:
		return "true or false";
	case PROTOBUF_ENUM:
		return "a symbol of the enum";
	case PROTOBUF_UINT32:
	case PROTOBUF_FIXED32:
		return "a whole number of 32 bits, not negative";
	case PROTOBUF_UINT64:
	case PROTOBUF_FIXED64:
		return "a whole number of 64 bits, not negative";
	case PROTOBUF_INT32:
	case PROTOBUF_SINT32:
	case PROTOBUF_SFIXED32:
		return "a whole number of 32 bits";
	default:
		return "a whole number of 64 bits";
	}
}

static void append_bits(struct encoder *encoder, enum protobuf_kind kind, uint64_t bits)
{
	unsigned wire_type = protobuf_wire_type(kind);

	if (wire_type == 1)
		buffer_append(encoder->out, &bits, 8); /* little-endian, as the machine */
	else if (wire_type == 5)
		buffer_append(encoder->out, &bits, 4);
	else
		encoder_varint(encoder, bits);
}

static void encode_number(struct encoder *encoder, const struct protobuf_field *field, const struct value *value,
			  bool skips_zero, const struct encode_place *place)
{
	uint64_t bits;

	if (!number_bits(field, value, &bits)) {
		encoder_misfit(encoder, place, value, expectation_of(field));
		return;
	}
	if (skips_zero && bits == 0)
		return;
	append_tag(encoder, field);
	append_bits(encoder, field->kind, bits);
}

static void append_bytes(struct encoder *encoder, const struct protobuf_field *field, struct bytes bytes,
			 bool skips_empty)
{
	if (skips_empty && bytes.len == 0)
		return;
	append_tag(encoder, field);
	encoder_varint(encoder, bytes.len);
	buffer_append(encoder->out, bytes.data, bytes.len);
}

static void encode_binary(struct encoder *encoder, const struct protobuf_field *field, const struct value *value,
			  bool skips_empty, const struct encode_place *place)
{
	_cleanup_(buffer_release)
	struct buffer scratch = {0};
	struct bytes bytes;

	if (scalar_to_bytes(value, &scratch, &bytes))
		append_bytes(encoder, field, bytes, skips_empty);
	else
		encoder_misfit(encoder, place, value, "bytes, or a text in base64");
}

/* ---- fields ---- */

static void encode_submessage(struct encoder *encoder, const struct protobuf_field *field, const struct value *value,
			      const struct encode_place *place)
{
	size_t begin;

	append_tag(encoder, field);
	if (field->kind == PROTOBUF_GROUP) {
		encode_message(encoder, field->message, value, place);
		encoder_varint(encoder, (uint64_t)field->number << 3 | 4);
		return;
	}
	begin = begin_length(encoder);
	encode_message(encoder, field->message, value, place);
	end_length(encoder, begin);
}

/* One value of the field, with its tag; `skips_zero` for implicit fields. */
static void encode_single(struct encoder *encoder, const struct protobuf_field *field, const struct value *value,
			  bool skips_zero, const struct encode_place *place)
{
	if (field->message)
		encode_submessage(encoder, field, value, place);
	else if (field->kind == PROTOBUF_BYTES)
		encode_binary(encoder, field, value, skips_zero, place);
	else if (field->kind != PROTOBUF_STRING)
		encode_number(encoder, field, value, skips_zero, place);
	else if (value->kind == VALUE_TEXT && text_is_utf8(value->text))
		append_bytes(encoder, field, value->text, skips_zero);
	else
		encoder_misfit(encoder, place, value, "a text in UTF-8");
}

static void encode_packed(struct encoder *encoder, const struct protobuf_field *field, const struct value *value,
			  const struct encode_place *place)
{
	size_t begin;
	uint64_t bits;

	append_tag(encoder, field);
	begin = begin_length(encoder);
	for (size_t i = 0; i < value->list.count; i++) {
		struct encode_place at = {.up = place, .index = i};

		if (number_bits(field, &value->list.items[i], &bits))
			append_bits(encoder, field->kind, bits);
		else
			encoder_misfit(encoder, &at, &value->list.items[i], expectation_of(field));
	}
	end_length(encoder, begin);
}

static void encode_list(struct encoder *encoder, const struct protobuf_field *field, const struct value *value,
			const struct encode_place *place)
{
	if (value->kind != VALUE_LIST) {
		encoder_misfit(encoder, place, value, "a list");
		return;
	}
	if (field->is_packed && value->list.count > 0) {
		encode_packed(encoder, field, value, place);
		return;
	}
	for (size_t i = 0; i < value->list.count && !encoder->is_full; i++) {
		struct encode_place at = {.up = place, .index = i};

		encode_single(encoder, field, &value->list.items[i], false, &at);
	}
}

/* Keys are texts in the tree; the schema says what they are on the wire. */
static void encode_key(struct encoder *encoder, const struct protobuf_field *key, struct bytes text,
		       const struct encode_place *place)
{
	struct value value = value_text(text);

	if (key->kind == PROTOBUF_BOOL)
		value = bytes_equal_text(text, "true")    ? value_bool(true)
			: bytes_equal_text(text, "false") ? value_bool(false)
							  : value;
	encode_single(encoder, key, &value, false, place);
}

static void encode_map(struct encoder *encoder, const struct protobuf_field *field, const struct value *value,
		       const struct encode_place *place)
{
	const struct protobuf_field *key = protobuf_find_number(field->map_entry, 1);
	const struct protobuf_field *element = protobuf_find_number(field->map_entry, 2);
	_cleanup_(freep)
	const struct value_field **entries = NULL;

	assert(key && element);
	if (value->kind != VALUE_RECORD) {
		encoder_misfit(encoder, place, value, "an object");
		return;
	}
	entries = sorted_entries(value);
	for (size_t i = 0; i < value->record.count && !encoder->is_full; i++) {
		struct encode_place at = {.up = place, .name = entries[i]->name, .is_key = true};
		size_t begin;

		append_tag(encoder, field);
		begin = begin_length(encoder);
		encode_key(encoder, key, entries[i]->name, &at);
		encode_single(encoder, element, &entries[i]->value, false, &at);
		end_length(encoder, begin);
	}
}

static void encode_field(struct encoder *encoder, const struct protobuf_field *field, const struct value *value,
			 const struct encode_place *place)
{
	if (field->map_entry)
		encode_map(encoder, field, value, place);
	else if (field->label == PROTOBUF_REPEATED)
		encode_list(encoder, field, value, place);
	else
		encode_single(encoder, field, value, !field->has_presence, place);
}

/* ---- messages ---- */

/* At most one member of a oneof may be set. */
static void check_oneofs(struct encoder *encoder, const struct protobuf_message *message,
			 const struct field_slots *slots, const struct encode_place *place)
{
	_cleanup_(freep)
	const struct protobuf_field **set = xcalloc(message->oneof_count, sizeof(*set));

	for (size_t i = 0; i < message->field_count; i++) {
		const struct protobuf_field *field = &message->fields[i];
		struct encode_place at = {.up = place, .name = {(const uint8_t *)field->name, field->name_len}};

		if (field->oneof < 0 || !slots->items[i] || slots->items[i]->kind == VALUE_NULL)
			continue;
		if (set[field->oneof])
			encoder_problem(encoder, &at, "is given beside '%s', but oneof '%s' holds one of them",
					set[field->oneof]->name, message->oneofs[field->oneof].name);
		set[field->oneof] = field;
	}
}

static void encode_fields(struct encoder *encoder, const struct protobuf_message *message,
			  const struct field_slots *slots, const struct encode_place *place)
{
	for (size_t i = 0; i < message->field_count; i++) {
		size_t position = message->by_number[i];
		const struct protobuf_field *field = &message->fields[position];
		const struct value *item = slots->items[position];
		struct encode_place at = {.up = place, .name = {(const uint8_t *)field->name, field->name_len}};

		if (item && item->kind != VALUE_NULL)
			encode_field(encoder, field, item, &at);
		else if (field->label == PROTOBUF_REQUIRED)
			encoder_problem(encoder, &at, "is required and absent");
	}
}

static void encode_message(struct encoder *encoder, const struct protobuf_message *message, const struct value *value,
			   const struct encode_place *place)
{
	struct field_slots slots;

	if (value->kind != VALUE_RECORD) {
		encoder_misfit(encoder, place, value, "an object");
		return;
	}
	if (!encoder_enter(encoder, place))
		return;
	field_slots_init(&slots, encoder, value, &message->field_index, message->field_count, place);
	if (message->oneof_count > 0)
		check_oneofs(encoder, message, &slots, place);
	encode_fields(encoder, message, &slots, place);
	field_slots_release(&slots);
	encoder_leave(encoder);
}

void protobuf_encode(struct encoder *encoder, const struct schema_type *type, const struct value *value)
{
	encode_message(encoder, protobuf_message_of(type), value, NULL);
}
