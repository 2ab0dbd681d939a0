/* message_json.c - see message_json.h. */
#include "lib/rpc/message_json.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/rpc/json_struct.h"
#include "proto/google/protobuf/duration.pb-c.h"
#include "proto/google/protobuf/struct.pb-c.h"
#include "proto/google/protobuf/timestamp.pb-c.h"

/* How deep the indentation is; nowhere deeper in one line. */
enum { IN_LINE = -1 };

static int deeper(int depth)
{
	return depth == IN_LINE ? IN_LINE : depth + 1;
}

static void append_newline(struct buffer *out, int depth)
{
	if (depth != IN_LINE)
		buffer_append_format(out, "\n%*s", depth * 2, "");
}

static void append_colon(struct buffer *out, int depth)
{
	buffer_append_text(out, depth == IN_LINE ? ":" : ": ");
}

static void append_base64(struct buffer *out, const ProtobufCBinaryData *data)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	buffer_append_byte(out, '"');
	for (size_t i = 0; i < data->len; i += 3) {
		uint32_t three = (uint32_t)data->data[i] << 16;

		three |= i + 1 < data->len ? (uint32_t)data->data[i + 1] << 8 : 0;
		three |= i + 2 < data->len ? data->data[i + 2] : 0;
		buffer_append_byte(out, (uint8_t)letters[three >> 18]);
		buffer_append_byte(out, (uint8_t)letters[three >> 12 & 63]);
		buffer_append_byte(out, i + 1 < data->len ? (uint8_t)letters[three >> 6 & 63] : '=');
		buffer_append_byte(out, i + 2 < data->len ? (uint8_t)letters[three & 63] : '=');
	}
	buffer_append_byte(out, '"');
}

static void append_double(struct buffer *out, double value)
{
	if (isfinite(value))
		buffer_append_format(out, "%.17g", value);
	else
		buffer_append_text(out, isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
}

static void append_enum(struct buffer *out, const ProtobufCEnumDescriptor *type, int value)
{
	const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);

	if (known)
		buffer_append_format(out, "\"%s\"", known->name);
	else
		buffer_append_format(out, "%d", value);
}

static void append_message(struct buffer *out, const ProtobufCMessage *message, int depth);

/* The value at `at`, as protobuf-c keeps a field of that type. */
static void append_value(struct buffer *out, const ProtobufCFieldDescriptor *field, const void *at, int depth)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		buffer_append_format(out, "%" PRId32, *(const int32_t *)at);
		return;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		buffer_append_format(out, "%" PRIu32, *(const uint32_t *)at);
		return;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		buffer_append_format(out, "\"%" PRId64 "\"", *(const int64_t *)at);
		return;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		buffer_append_format(out, "\"%" PRIu64 "\"", *(const uint64_t *)at);
		return;
	case PROTOBUF_C_TYPE_FLOAT:
		append_double(out, (double)*(const float *)at);
		return;
	case PROTOBUF_C_TYPE_DOUBLE:
		append_double(out, *(const double *)at);
		return;
	case PROTOBUF_C_TYPE_BOOL:
		buffer_append_text(out, *(const protobuf_c_boolean *)at ? "true" : "false");
		return;
	case PROTOBUF_C_TYPE_ENUM:
		append_enum(out, field->descriptor, *(const int *)at);
		return;
	case PROTOBUF_C_TYPE_STRING:
		buffer_append_json_string(out, *(char *const *)at, strlen(*(char *const *)at));
		return;
	case PROTOBUF_C_TYPE_BYTES:
		append_base64(out, at);
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
		append_message(out, *(ProtobufCMessage *const *)at, depth);
		return;
	}
}

static size_t element_size(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return 4;
	}
}

/* A map is a repeated message of key and value whose name ends in Entry; keys here are strings. */
static bool is_map(const ProtobufCFieldDescriptor *field)
{
	const ProtobufCMessageDescriptor *entry = field->descriptor;
	size_t len;

	if (field->type != PROTOBUF_C_TYPE_MESSAGE)
		return false;
	len = strlen(entry->short_name);
	return entry->n_fields == 2 && len > 5 && strcmp(entry->short_name + len - 5, "Entry") == 0 &&
	       strcmp(entry->fields[0].name, "key") == 0 && strcmp(entry->fields[1].name, "value") == 0 &&
	       entry->fields[0].type == PROTOBUF_C_TYPE_STRING;
}

static void append_map_entry(struct buffer *out, const ProtobufCMessage *entry, int depth)
{
	const ProtobufCFieldDescriptor *fields = entry->descriptor->fields;

	append_value(out, &fields[0], (const uint8_t *)entry + fields[0].offset, depth);
	append_colon(out, depth);
	append_value(out, &fields[1], (const uint8_t *)entry + fields[1].offset, depth);
}

static void append_repeated(struct buffer *out, const ProtobufCFieldDescriptor *field, const void *elements,
			    size_t count, int depth)
{
	bool is_object = is_map(field);

	buffer_append_byte(out, is_object ? '{' : '[');
	for (size_t i = 0; i < count; i++) {
		const uint8_t *at = (const uint8_t *)elements + i * element_size(field);

		buffer_append_text(out, i ? "," : "");
		append_newline(out, deeper(depth));
		if (is_object)
			append_map_entry(out, *(ProtobufCMessage *const *)(const void *)at, deeper(depth));
		else
			append_value(out, field, at, deeper(depth));
	}
	append_newline(out, depth);
	buffer_append_byte(out, is_object ? '}' : ']');
}

/* proto3 has no presence for plain fields: zero, false and "" are not shown. */
static bool is_default(const ProtobufCFieldDescriptor *field, const void *at)
{
	static const uint8_t zeros[sizeof(ProtobufCBinaryData)];

	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		return !*(char *const *)at || !**(char *const *)at;
	case PROTOBUF_C_TYPE_BYTES:
		return ((const ProtobufCBinaryData *)at)->len == 0;
	default:
		return memcmp(at, zeros, element_size(field)) == 0;
	}
}

static void append_name(struct buffer *out, const char *name)
{
	buffer_append_byte(out, '"');
	for (; *name; name++) {
		if (*name == '_' && name[1])
			buffer_append_byte(out, (uint8_t)toupper((unsigned char)*++name));
		else
			buffer_append_byte(out, (uint8_t)*name);
	}
	buffer_append_byte(out, '"');
}

static bool is_shown(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	const uint8_t *start = (const uint8_t *)message;

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return *(const size_t *)(const void *)(start + field->quantifier_offset) > 0;
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(const uint32_t *)(const void *)(start + field->quantifier_offset) == field->id;
	return !is_default(field, start + field->offset);
}

static void append_fields(struct buffer *out, const ProtobufCMessage *message, int depth)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	const uint8_t *start = (const uint8_t *)message;
	int shown = 0;

	buffer_append_text(out, "{");
	for (unsigned i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];
		const uint8_t *at = start + field->offset;

		if (!is_shown(message, field))
			continue;
		buffer_append_text(out, shown++ ? "," : "");
		append_newline(out, deeper(depth));
		append_name(out, field->name);
		append_colon(out, depth);
		if (field->label == PROTOBUF_C_LABEL_REPEATED)
			append_repeated(out, field, *(void *const *)(const void *)at,
					*(const size_t *)(const void *)(start + field->quantifier_offset),
					deeper(depth));
		else
			append_value(out, field, at, deeper(depth));
	}
	if (shown > 0)
		append_newline(out, depth);
	buffer_append_text(out, "}");
}

/* "-1.500s": seconds and nanos have the same sign. */
static void append_duration(struct buffer *out, const Google__Protobuf__Duration *duration)
{
	bool is_negative = duration->seconds < 0 || duration->nanos < 0;
	uint64_t seconds = duration->seconds < 0 ? -(uint64_t)duration->seconds : (uint64_t)duration->seconds;

	buffer_append_format(out, "\"%s%" PRIu64, is_negative ? "-" : "", seconds);
	if (duration->nanos != 0)
		buffer_append_format(out, ".%09u",
				     (unsigned)(duration->nanos < 0 ? -duration->nanos : duration->nanos));
	buffer_append_text(out, "s\"");
}

static void append_message(struct buffer *out, const ProtobufCMessage *message, int depth)
{
	char time[CLOCK_TEXT_LEN + 1];

	if (message->descriptor == &google__protobuf__timestamp__descriptor) {
		const Google__Protobuf__Timestamp *stamp = (const Google__Protobuf__Timestamp *)message;

		clock_format(stamp->seconds * 1000000 + stamp->nanos / 1000, time);
		buffer_append_format(out, "\"%s\"", time);
	} else if (message->descriptor == &google__protobuf__duration__descriptor) {
		append_duration(out, (const Google__Protobuf__Duration *)message);
	} else if (message->descriptor == &google__protobuf__struct__descriptor) {
		json_struct_append(out, (const Google__Protobuf__Struct *)message);
	} else {
		append_fields(out, message, depth);
	}
}

void message_json_append(struct buffer *out, const ProtobufCMessage *message, enum message_json_style style)
{
	append_message(out, message, style == MESSAGE_JSON_LINE ? IN_LINE : 0);
}

void message_json_print(const ProtobufCMessage *message, enum message_json_style style)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};

	message_json_append(&out, message, style);
	(void)printf("%s\n", buffer_text(&out));
}
