/* avro_encoder.c - values to Avro's binary encoding. Misfits are reported and skipped, so all of them are found. */
#include "lib/base/memory.h"
#include "schema-registry/codec/encoder.h"
#include "schema-registry/codec/scalar.h"
#include "schema-registry/model/avro.h"

static void encode_value(struct encoder *encoder, const struct avro_type *type, const struct value *value,
			 const struct encode_place *place);

static void encode_integer(struct encoder *encoder, const struct avro_type *type, const struct value *value,
			   const struct encode_place *place)
{
	bool is_int = type->kind == AVRO_INT;
	int64_t number;

	if (scalar_to_int(value, is_int ? INT32_MIN : INT64_MIN, is_int ? INT32_MAX : INT64_MAX, &number))
		encoder_varint(encoder, zigzag64(number));
	else
		encoder_misfit(encoder, place, value,
			       is_int ? "a whole number of 32 bits" : "a whole number of 64 bits");
}

static void encode_floating(struct encoder *encoder, const struct avro_type *type, const struct value *value,
			    const struct encode_place *place)
{
	double number;
	float small;

	if (type->kind == AVRO_FLOAT && scalar_to_float(value, &small))
		buffer_append(encoder->out, &small, sizeof(small)); /* little-endian, as the machine */
	else if (type->kind == AVRO_DOUBLE && scalar_to_double(value, &number))
		buffer_append(encoder->out, &number, sizeof(number));
	else
		encoder_misfit(encoder, place, value, "a number");
}

static void encode_text(struct encoder *encoder, const struct value *value, const struct encode_place *place)
{
	if (value->kind != VALUE_TEXT || !text_is_utf8(value->text)) {
		encoder_misfit(encoder, place, value, "a text in UTF-8");
		return;
	}
	encoder_varint(encoder, zigzag64((int64_t)value->text.len));
	buffer_append(encoder->out, value->text.data, value->text.len);
}

static void encode_binary(struct encoder *encoder, const struct avro_type *type, const struct value *value,
			  const struct encode_place *place)
{
	_cleanup_(buffer_release)
	struct buffer scratch = {0};
	struct bytes bytes;

	if (!scalar_to_bytes(value, &scratch, &bytes)) {
		encoder_misfit(encoder, place, value, "bytes, or a text in base64");
	} else if (type->kind == AVRO_FIXED && bytes.len != type->fixed_bytes) {
		encoder_problem(encoder, place, "expected %zu bytes, got %zu", type->fixed_bytes, bytes.len);
	} else {
		if (type->kind == AVRO_BYTES)
			encoder_varint(encoder, zigzag64((int64_t)bytes.len));
		buffer_append(encoder->out, bytes.data, bytes.len);
	}
}

static void encode_symbol(struct encoder *encoder, const struct avro_type *type, const struct value *value,
			  const struct encode_place *place)
{
	int64_t at = value->kind == VALUE_TEXT ? name_index_find(&type->symbol_index, value->text) : -1;
	char words[SCALAR_WORDS_LEN];

	if (at >= 0) {
		encoder_varint(encoder, zigzag64(at));
		return;
	}
	scalar_describe(value, words);
	encoder_problem(encoder, place, "expected a symbol of %s, got %s", type->base.full_name, words);
}

static void encode_items(struct encoder *encoder, const struct avro_type *type, const struct value *value,
			 const struct encode_place *place)
{
	if (value->kind != VALUE_LIST) {
		encoder_misfit(encoder, place, value, "a list");
		return;
	}
	if (value->list.count > 0)
		encoder_varint(encoder, zigzag64((int64_t)value->list.count));
	for (size_t i = 0; i < value->list.count && !encoder->is_full; i++) {
		struct encode_place at = {.up = place, .index = i};

		encode_value(encoder, type->element, &value->list.items[i], &at);
	}
	buffer_append_byte(encoder->out, 0);
}

static void encode_entries(struct encoder *encoder, const struct avro_type *type, const struct value *value,
			   const struct encode_place *place)
{
	_cleanup_(freep)
	const struct value_field **entries = NULL;

	if (value->kind != VALUE_RECORD) {
		encoder_misfit(encoder, place, value, "an object");
		return;
	}
	entries = sorted_entries(value);
	if (value->record.count > 0)
		encoder_varint(encoder, zigzag64((int64_t)value->record.count));
	for (size_t i = 0; i < value->record.count && !encoder->is_full; i++) {
		struct encode_place at = {.up = place, .name = entries[i]->name, .is_key = true};

		encoder_varint(encoder, zigzag64((int64_t)entries[i]->name.len));
		buffer_append(encoder->out, entries[i]->name.data, entries[i]->name.len);
		encode_value(encoder, type->element, &entries[i]->value, &at);
	}
	buffer_append_byte(encoder->out, 0);
}

/* ---- unions ---- */

/* A record's branch is told by the names of its fields; a look inside them would cost more than it tells. */
static bool is_record_fit(const struct avro_type *type, const struct value *value)
{
	size_t known = 0;

	for (size_t i = 0; i < value->record.count; i++) {
		if (name_index_find(&type->field_index, value->record.fields[i].name) < 0)
			return false;
	}
	for (size_t i = 0; i < type->field_count; i++) {
		const struct avro_field *field = &type->fields[i];
		bool is_optional = field->default_json || field->type->null_branch >= 0;

		if (value_get_bytes(value, (struct bytes){(const uint8_t *)field->name, field->name_len}))
			known++;
		else if (!is_optional)
			return false;
	}
	return known == value->record.count;
}

/* The kind of the value is the branch's own: no conversion. */
static bool is_exact_fit(const struct avro_type *type, const struct value *value)
{
	int64_t number;

	switch (type->kind) {
	case AVRO_NULL:
		return value->kind == VALUE_NULL;
	case AVRO_BOOLEAN:
		return value->kind == VALUE_BOOL;
	case AVRO_INT:
		return (value->kind == VALUE_INT || value->kind == VALUE_UINT) &&
		       scalar_to_int(value, INT32_MIN, INT32_MAX, &number);
	case AVRO_LONG:
		return (value->kind == VALUE_INT || value->kind == VALUE_UINT) &&
		       scalar_to_int(value, INT64_MIN, INT64_MAX, &number);
	case AVRO_FLOAT:
	case AVRO_DOUBLE:
		return value->kind == VALUE_DOUBLE;
	case AVRO_STRING:
		return value->kind == VALUE_TEXT;
	case AVRO_ENUM:
		return value->kind == VALUE_TEXT && name_index_find(&type->symbol_index, value->text) >= 0;
	case AVRO_BYTES:
		return value->kind == VALUE_BYTES;
	case AVRO_FIXED:
		return value->kind == VALUE_BYTES && value->text.len == type->fixed_bytes;
	case AVRO_ARRAY:
		return value->kind == VALUE_LIST;
	case AVRO_MAP:
		return value->kind == VALUE_RECORD;
	case AVRO_RECORD:
		return value->kind == VALUE_RECORD && is_record_fit(type, value);
	default:
		return false;
	}
}

static bool is_lenient_fit(const struct avro_type *type, const struct value *value)
{
	int64_t number;
	double floating;
	float small;

	switch (type->kind) {
	case AVRO_INT:
		return scalar_to_int(value, INT32_MIN, INT32_MAX, &number);
	case AVRO_LONG:
		return scalar_to_int(value, INT64_MIN, INT64_MAX, &number);
	case AVRO_FLOAT:
		return scalar_to_float(value, &small);
	case AVRO_DOUBLE:
		return scalar_to_double(value, &floating);
	case AVRO_BYTES:
	case AVRO_FIXED: {
		_cleanup_(buffer_release)
		struct buffer scratch = {0};
		struct bytes bytes;

		return scalar_to_bytes(value, &scratch, &bytes) &&
		       (type->kind == AVRO_BYTES || bytes.len == type->fixed_bytes);
	}
	default:
		return false;
	}
}

/* Where no branch fits but only one could, that one says what is wrong. */
static const struct avro_type *only_branch(const struct avro_type *type, int64_t *ret_at)
{
	const struct avro_type *found = NULL;

	for (size_t i = 0; i < type->branch_count; i++) {
		if (type->branches[i]->kind == AVRO_NULL)
			continue;
		if (found)
			return NULL;
		found = type->branches[i];
		*ret_at = (int64_t)i;
	}
	return found;
}

static int64_t find_branch(const struct avro_type *type, const struct value *value)
{
	int64_t only;

	if (value->kind == VALUE_NULL)
		return type->null_branch;
	if (only_branch(type, &only))
		return only;
	for (size_t i = 0; i < type->branch_count; i++) {
		if (is_exact_fit(type->branches[i], value))
			return (int64_t)i;
	}
	for (size_t i = 0; i < type->branch_count; i++) {
		if (is_lenient_fit(type->branches[i], value))
			return (int64_t)i;
	}
	return -1;
}

static void encode_union(struct encoder *encoder, const struct avro_type *type, const struct value *value,
			 const struct encode_place *place)
{
	int64_t at = find_branch(type, value);

	if (at < 0) {
		encoder_misfit(encoder, place, value, "a value of one of the union's branches");
		return;
	}
	encoder_varint(encoder, zigzag64(at));
	encode_value(encoder, type->branches[at], value, place);
}

/* ---- records ---- */

static void encode_absent(struct encoder *encoder, const struct avro_field *field, const struct encode_place *place)
{
	if (field->default_bytes.data)
		buffer_append(encoder->out, field->default_bytes.data, field->default_bytes.len);
	else if (field->type->null_branch >= 0)
		encoder_varint(encoder, zigzag64(field->type->null_branch));
	else if (field->default_json)
		encoder_problem(encoder, place, "is absent, and the schema's default does not fit its type");
	else if (field->type->kind != AVRO_NULL)
		encoder_problem(encoder, place, "is required and absent");
}

static void encode_record(struct encoder *encoder, const struct avro_type *type, const struct value *value,
			  const struct encode_place *place)
{
	struct field_slots slots;

	if (value->kind != VALUE_RECORD) {
		encoder_misfit(encoder, place, value, "an object");
		return;
	}
	field_slots_init(&slots, encoder, value, &type->field_index, type->field_count, place);
	for (size_t i = 0; i < type->field_count; i++) {
		const struct avro_field *field = &type->fields[i];
		const struct value *item = slots.items[i];
		struct encode_place at = {.up = place, .name = {(const uint8_t *)field->name, field->name_len}};
		bool takes_null = field->type->kind == AVRO_NULL || field->type->null_branch >= 0;

		if (!item || (item->kind == VALUE_NULL && !takes_null))
			encode_absent(encoder, field, &at);
		else
			encode_value(encoder, field->type, item, &at);
	}
	field_slots_release(&slots);
}

/* Unions are no level of their own: one cannot stand directly in another. */
static void encode_complex(struct encoder *encoder, const struct avro_type *type, const struct value *value,
			   const struct encode_place *place)
{
	if (type->kind == AVRO_UNION) {
		encode_union(encoder, type, value, place);
		return;
	}
	if (!encoder_enter(encoder, place))
		return;
	if (type->kind == AVRO_RECORD)
		encode_record(encoder, type, value, place);
	else if (type->kind == AVRO_ARRAY)
		encode_items(encoder, type, value, place);
	else
		encode_entries(encoder, type, value, place);
	encoder_leave(encoder);
}

static void encode_value(struct encoder *encoder, const struct avro_type *type, const struct value *value,
			 const struct encode_place *place)
{
	switch (type->kind) {
	case AVRO_NULL:
		if (value->kind != VALUE_NULL)
			encoder_misfit(encoder, place, value, "null");
		break;
	case AVRO_BOOLEAN:
		if (value->kind == VALUE_BOOL)
			buffer_append_byte(encoder->out, value->boolean);
		else
			encoder_misfit(encoder, place, value, "true or false");
		break;
	case AVRO_INT:
	case AVRO_LONG:
		encode_integer(encoder, type, value, place);
		break;
	case AVRO_FLOAT:
	case AVRO_DOUBLE:
		encode_floating(encoder, type, value, place);
		break;
	case AVRO_STRING:
		encode_text(encoder, value, place);
		break;
	case AVRO_BYTES:
	case AVRO_FIXED:
		encode_binary(encoder, type, value, place);
		break;
	case AVRO_ENUM:
		encode_symbol(encoder, type, value, place);
		break;
	default:
		encode_complex(encoder, type, value, place);
		break;
	}
}

void avro_encode(struct encoder *encoder, const struct schema_type *type, const struct value *value)
{
	encode_value(encoder, avro_type_of(type), value, NULL);
}
