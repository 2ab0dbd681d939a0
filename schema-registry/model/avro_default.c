/*
 * avro_default.c - encodes the defaults of Avro fields once, so that an absent field costs one copy at encoding.
 *
 * A default that does not fit its type stays without bytes: such schemas are accepted everywhere, and only who leaves
 * the field out has a problem. A budget bounds the work, since a default may expand through nested records.
 */
#include <math.h>

#include "lib/base/memory.h"
#include "schema-registry/model/avro.h"

enum { DEFAULT_STEPS_MAX = 200 * 1000, DEFAULT_BYTES_MAX = 64 * 1024, DEFAULT_DEPTH_MAX = 64 };

struct default_encoder {
	struct buffer out;
	size_t steps_left;
	int depth;
};

static bool encode(struct default_encoder *encoder, const struct avro_type *type, const json_t *json);

static bool append_long(struct default_encoder *encoder, int64_t number)
{
	uint64_t rest = (uint64_t)number << 1 ^ (uint64_t)(number >> 63);

	for (; rest >= 0x80; rest >>= 7)
		buffer_append_byte(&encoder->out, (uint8_t)(rest | 0x80));
	buffer_append_byte(&encoder->out, (uint8_t)rest);
	return true;
}

static bool append_integer(struct default_encoder *encoder, const struct avro_type *type, const json_t *json)
{
	json_int_t number = json_integer_value(json);

	if (!json_is_integer(json) || (type->kind == AVRO_INT && (number < INT32_MIN || number > INT32_MAX)))
		return false;
	return append_long(encoder, number);
}

static bool append_number(struct default_encoder *encoder, const struct avro_type *type, const json_t *json)
{
	double number = json_number_value(json);
	float small = (float)number;

	if (!json_is_number(json) || (type->kind == AVRO_FLOAT && isfinite(number) && !isfinite(small)))
		return false;
	if (type->kind == AVRO_FLOAT)
		buffer_append(&encoder->out, &small, sizeof(small));
	else
		buffer_append(&encoder->out, &number, sizeof(number));
	return true;
}

/* Bytes stand in JSON as the code points U+0000 to U+00FF. */
static bool append_binary(struct default_encoder *encoder, const struct avro_type *type, const json_t *json)
{
	const uint8_t *at = (const uint8_t *)json_string_value(json);
	const uint8_t *end = at ? at + json_string_length(json) : NULL;
	_cleanup_(buffer_release)
	struct buffer bytes = {0};

	if (!at)
		return false;
	for (; at < end; at++) {
		if (*at > 0xc3)
			return false;
		if (*at >= 0xc2) {
			buffer_append_byte(&bytes, (uint8_t)((*at & 3) << 6 | (at[1] & 0x3f)));
			at++;
		} else {
			buffer_append_byte(&bytes, *at);
		}
	}
	if (type->kind == AVRO_FIXED && bytes.len != type->fixed_bytes)
		return false;
	if (type->kind == AVRO_BYTES)
		(void)append_long(encoder, (int64_t)bytes.len); /* cannot fail */
	buffer_append(&encoder->out, bytes.data, bytes.len);
	return true;
}

static bool append_text(struct default_encoder *encoder, const char *text)
{
	(void)append_long(encoder, (int64_t)strlen(text)); /* cannot fail */
	buffer_append_text(&encoder->out, text);
	return true;
}

static bool append_symbol(struct default_encoder *encoder, const struct avro_type *type, const json_t *json)
{
	int64_t at = json_is_string(json) ? name_index_find(&type->symbol_index, bytes_of_text(json_string_value(json)))
					  : -1;

	return at >= 0 && append_long(encoder, at);
}

static bool append_items(struct default_encoder *encoder, const struct avro_type *type, const json_t *json)
{
	if (!json_is_array(json))
		return false;
	if (json_array_size(json) > 0)
		(void)append_long(encoder, (int64_t)json_array_size(json)); /* cannot fail */
	for (size_t i = 0; i < json_array_size(json); i++) {
		if (!encode(encoder, type->element, json_array_get(json, i)))
			return false;
	}
	return append_long(encoder, 0);
}

static bool append_entries(struct default_encoder *encoder, const struct avro_type *type, const json_t *json)
{
	const char *key;
	json_t *member;

	if (!json_is_object(json))
		return false;
	if (json_object_size(json) > 0)
		(void)append_long(encoder, (int64_t)json_object_size(json)); /* cannot fail */
	json_object_foreach((json_t *)json, key, member)                     /* only reads */
	{
		if (!append_text(encoder, key) || !encode(encoder, type->element, member))
			return false;
	}
	return append_long(encoder, 0);
}

static bool append_record(struct default_encoder *encoder, const struct avro_type *type, const json_t *json)
{
	if (!json_is_object(json))
		return false;
	for (size_t i = 0; i < type->field_count; i++) {
		const json_t *member = json_object_get(json, type->fields[i].name);

		if (!member)
			member = type->fields[i].default_json;
		if (!member || !encode(encoder, type->fields[i].type, member))
			return false;
	}
	return true;
}

/* The specification says the first branch; libraries take any, so the first that fits. */
static bool append_branch(struct default_encoder *encoder, const struct avro_type *type, const json_t *json)
{
	size_t start = encoder->out.len;

	for (size_t i = 0; i < type->branch_count; i++) {
		encoder->out.len = start;
		(void)append_long(encoder, (int64_t)i); /* cannot fail */
		if (encode(encoder, type->branches[i], json))
			return true;
	}
	return false;
}

static bool encode_inner(struct default_encoder *encoder, const struct avro_type *type, const json_t *json)
{
	switch (type->kind) {
	case AVRO_NULL:
		return json_is_null(json);
	case AVRO_BOOLEAN:
		buffer_append_byte(&encoder->out, json_is_true(json));
		return json_is_boolean(json);
	case AVRO_INT:
	case AVRO_LONG:
		return append_integer(encoder, type, json);
	case AVRO_FLOAT:
	case AVRO_DOUBLE:
		return append_number(encoder, type, json);
	case AVRO_BYTES:
	case AVRO_FIXED:
		return append_binary(encoder, type, json);
	case AVRO_STRING:
		return json_is_string(json) && append_text(encoder, json_string_value(json));
	case AVRO_ENUM:
		return append_symbol(encoder, type, json);
	case AVRO_ARRAY:
		return append_items(encoder, type, json);
	case AVRO_MAP:
		return append_entries(encoder, type, json);
	case AVRO_UNION:
		return append_branch(encoder, type, json);
	case AVRO_RECORD:
		return append_record(encoder, type, json);
	case AVRO_KIND_COUNT:
		break;
	}
	return false;
}

static bool encode(struct default_encoder *encoder, const struct avro_type *type, const json_t *json)
{
	bool is_encoded;

	if (encoder->steps_left == 0 || encoder->depth == DEFAULT_DEPTH_MAX || encoder->out.len > DEFAULT_BYTES_MAX)
		return false;
	encoder->steps_left--;
	encoder->depth++;
	is_encoded = encode_inner(encoder, type, json);
	encoder->depth--;
	return is_encoded;
}

void avro_compile_defaults(struct schema *schema)
{
	struct default_encoder encoder = {.steps_left = DEFAULT_STEPS_MAX};

	for (size_t i = 0; i < schema->avro->named_count; i++) {
		struct avro_type *record = schema->avro->named[i];

		for (size_t k = 0; record->owner == schema && k < record->field_count; k++) {
			struct avro_field *field = &record->fields[k];

			buffer_clear(&encoder.out);
			buffer_reserve(&encoder.out, 1); /* a null has no bytes, and yet is a default */
			if (field->default_json && encode(&encoder, field->type, field->default_json))
				field->default_bytes = arena_bytes(&schema->arena, buffer_bytes(&encoder.out));
		}
	}
	buffer_release(&encoder.out);
}
