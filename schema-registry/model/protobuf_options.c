/* protobuf_options.c - see protobuf_options.h. Walks protobuf-c's own description of the options messages. */
#include "schema-registry/model/protobuf_options.h"

#include <inttypes.h>
#include <stdlib.h>

#include "google/protobuf/descriptor.pb-c.h"
#include "lib/base/memory.h"
#include "schema-registry/model/json_text.h"

typedef Google__Protobuf__UninterpretedOption uninterpreted_option;

void option_list_add(struct option_list *list, struct arena *arena, const char *text)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 8;
		const char **items = arena_alloc(arena, capacity * sizeof(*items));

		if (list->count > 0)
			memcpy(items, list->items, list->count * sizeof(*items));
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->count++] = text;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void option_list_sort(struct option_list *list)
{
	if (list->count > 1)
		qsort(list->items, list->count, sizeof(*list->items), compare_texts);
}

void proto_append_quoted(struct buffer *out, const void *data, size_t len)
{
	const uint8_t *at = data;
	bool is_text = utf8_is_valid(data, len);

	buffer_append_byte(out, '"');
	for (size_t i = 0; i < len; i++) {
		if (at[i] == '"' || at[i] == '\\')
			buffer_append_format(out, "\\%c", at[i]);
		else if (at[i] == '\n')
			buffer_append_text(out, "\\n");
		else if (at[i] < 0x20 || at[i] == 0x7f || (at[i] >= 0x80 && !is_text))
			buffer_append_format(out, "\\%03o", at[i]);
		else
			buffer_append_byte(out, at[i]);
	}
	buffer_append_byte(out, '"');
}

static void append_uninterpreted(struct buffer *out, const uninterpreted_option *option)
{
	for (size_t i = 0; i < option->n_name; i++)
		buffer_append_format(out, option->name[i]->is_extension ? "%s(%s)" : "%s%s", i > 0 ? "." : "",
				     option->name[i]->name_part);
	buffer_append_text(out, " = ");
	if (option->identifier_value)
		buffer_append_text(out, option->identifier_value);
	else if (option->has_positive_int_value)
		buffer_append_format(out, "%" PRIu64, option->positive_int_value);
	else if (option->has_negative_int_value)
		buffer_append_format(out, "%" PRId64, option->negative_int_value);
	else if (option->has_double_value)
		json_append_double(out, option->double_value);
	else if (option->has_string_value)
		proto_append_quoted(out, option->string_value.data, option->string_value.len);
	else if (option->aggregate_value)
		buffer_append_format(out, "{ %s }", option->aggregate_value);
}

/* The kinds that options of descriptor.proto have. */
static void append_value(struct buffer *out, const ProtobufCFieldDescriptor *field, const void *member)
{
	const ProtobufCEnumValue *symbol;

	switch (field->type) {
	case PROTOBUF_C_TYPE_BOOL:
		buffer_append_text(out, *(const protobuf_c_boolean *)member ? "true" : "false");
		break;
	case PROTOBUF_C_TYPE_STRING:
		proto_append_quoted(out, *(char *const *)member, strlen(*(char *const *)member));
		break;
	case PROTOBUF_C_TYPE_ENUM:
		symbol = protobuf_c_enum_descriptor_get_value(field->descriptor, *(const int *)member);
		if (symbol)
			buffer_append_text(out, symbol->name);
		else
			buffer_append_format(out, "%d", *(const int *)member);
		break;
	default:
		buffer_append_format(out, "%" PRId32, *(const int32_t *)member);
		break;
	}
}

static bool is_set(const ProtobufCMessage *options, const ProtobufCFieldDescriptor *field)
{
	const char *base = (const char *)options;

	if (field->label != PROTOBUF_C_LABEL_OPTIONAL || field->type == PROTOBUF_C_TYPE_MESSAGE)
		return false;
	if (field->type == PROTOBUF_C_TYPE_STRING)
		return *(char *const *)(base + field->offset) != NULL;
	return *(const protobuf_c_boolean *)(base + field->quantifier_offset);
}

static void add_buffer(struct option_list *list, struct arena *arena, struct buffer *text)
{
	option_list_add(list, arena, arena_strndup(arena, buffer_text(text), text->len));
	buffer_clear(text);
}

void option_list_collect(struct option_list *list, struct arena *arena, const ProtobufCMessage *options)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};

	for (unsigned i = 0; options && i < options->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &options->descriptor->fields[i];
		const char *member = (const char *)options + field->offset;

		if (strcmp(field->name, "uninterpreted_option") == 0) {
			size_t count = *(const size_t *)((const char *)options + field->quantifier_offset);
			uninterpreted_option *const *items = *(uninterpreted_option *const *const *)member;

			for (size_t k = 0; k < count; k++) {
				append_uninterpreted(&text, items[k]);
				add_buffer(list, arena, &text);
			}
		} else if (is_set(options, field) && strcmp(field->name, "map_entry") != 0) {
			buffer_append_format(&text, "%s = ", field->name);
			append_value(&text, field, member);
			add_buffer(list, arena, &text);
		}
	}
}
