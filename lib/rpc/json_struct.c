/* json_struct.c - see json_struct.h. */
#include "lib/rpc/json_struct.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const int64_t EXACT_IN_DOUBLE_MAX = INT64_C(1) << 53;

Google__Protobuf__Struct *json_struct_new(struct arena *arena)
{
	Google__Protobuf__Struct *made = arena_alloc(arena, sizeof(*made));

	google__protobuf__struct__init(made);
	return made;
}

/* The array grows at the powers of two. */
void json_struct_add(struct arena *arena, Google__Protobuf__Struct *target, const char *name,
		     Google__Protobuf__Value *value)
{
	Google__Protobuf__Struct__FieldsEntry *entry = arena_alloc(arena, sizeof(*entry));
	size_t count = target->n_fields;

	google__protobuf__struct__fields_entry__init(entry);
	entry->key = arena_strdup(arena, name);
	entry->value = value;
	if ((count & (count - 1)) == 0) {
		Google__Protobuf__Struct__FieldsEntry **grown = arena_alloc(arena, (count * 2 + 1) * sizeof(*grown));

		if (count)
			memcpy(grown, target->fields, count * sizeof(*grown));
		target->fields = grown;
	}
	target->fields[target->n_fields++] = entry;
}

static Google__Protobuf__Value *new_value(struct arena *arena, Google__Protobuf__Value__KindCase kind)
{
	Google__Protobuf__Value *value = arena_alloc(arena, sizeof(*value));

	google__protobuf__value__init(value);
	value->kind_case = kind;
	return value;
}

Google__Protobuf__Value *json_value_text(struct arena *arena, const char *text)
{
	Google__Protobuf__Value *value = new_value(arena, GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE);

	value->string_value = arena_strdup(arena, text);
	return value;
}

Google__Protobuf__Value *json_value_int(struct arena *arena, int64_t value)
{
	Google__Protobuf__Value *made;

	if (value > EXACT_IN_DOUBLE_MAX || value < -EXACT_IN_DOUBLE_MAX)
		return json_value_text(arena, arena_format(arena, "%" PRId64, value));
	made = new_value(arena, GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE);
	made->number_value = (double)value;
	return made;
}

Google__Protobuf__Value *json_value_bool(struct arena *arena, bool value)
{
	Google__Protobuf__Value *made = new_value(arena, GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE);

	made->bool_value = value;
	return made;
}

Google__Protobuf__Value *json_value_struct(struct arena *arena, Google__Protobuf__Struct *value)
{
	Google__Protobuf__Value *made = new_value(arena, GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE);

	made->struct_value = value;
	return made;
}

Google__Protobuf__Value *json_value_list(struct arena *arena, Google__Protobuf__Value **values, size_t count)
{
	Google__Protobuf__Value *made = new_value(arena, GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE);

	made->list_value = arena_alloc(arena, sizeof(*made->list_value));
	google__protobuf__list_value__init(made->list_value);
	made->list_value->values = values;
	made->list_value->n_values = count;
	return made;
}

/* ---- from a tree ---- */

/* A whole number beyond a double's exact range, or one that a double cannot hold at all, goes as text. */
static Google__Protobuf__Value *value_of_number(struct arena *arena, const char *text)
{
	Google__Protobuf__Value *value;
	double number = strtod(text, NULL);
	bool is_whole = text[strcspn(text, ".eE")] == 0;

	if (!isfinite(number) || (is_whole && fabs(number) > (double)EXACT_IN_DOUBLE_MAX))
		return json_value_text(arena, text);
	value = new_value(arena, GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE);
	value->number_value = number;
	return value;
}

static Google__Protobuf__Value *value_of_tree(struct arena *arena, const struct json_node *node);

static Google__Protobuf__Value *list_of_tree(struct arena *arena, const struct json_node *array)
{
	Google__Protobuf__Value **values = arena_alloc(arena, (array->count + 1) * sizeof(*values));
	size_t count = 0;

	for (const struct json_node *child = array->first_child; child; child = child->next)
		values[count++] = value_of_tree(arena, child);
	assert(count == array->count);
	return json_value_list(arena, values, count);
}

/* As deep as the tree, so at most JSON_DEPTH_MAX. */
static Google__Protobuf__Value *value_of_tree(struct arena *arena, const struct json_node *node)
{
	switch (node->kind) {
	case JSON_BOOL:
		return json_value_bool(arena, node->is_true);
	case JSON_NUMBER:
		return value_of_number(arena, node->text);
	case JSON_STRING:
		return json_value_text(arena, node->text);
	case JSON_ARRAY:
		return list_of_tree(arena, node);
	case JSON_OBJECT:
		return json_value_struct(arena, json_struct_of_tree(arena, node));
	case JSON_NULL:
		break;
	}
	return new_value(arena, GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE);
}

Google__Protobuf__Struct *json_struct_of_tree(struct arena *arena, const struct json_node *object)
{
	Google__Protobuf__Struct *made = json_struct_new(arena);

	assert(object->kind == JSON_OBJECT);
	for (const struct json_node *child = object->first_child; child; child = child->next)
		json_struct_add(arena, made, child->name, value_of_tree(arena, child));
	return made;
}

/* ---- to text ---- */

/* Whole and beyond the exact range: ".0" keeps it a double to whoever reads it, see value_of_number. */
static void append_number(struct buffer *out, double number)
{
	char text[32];

	if (!isfinite(number)) { /* JSON has no such numbers */
		buffer_append_text(out, "null");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) { /* the shortest that means the same */
		(void)snprintf(text, sizeof(text), "%.*g", digits, number);
		if (strtod(text, NULL) == number)
			break;
	}
	buffer_append_text(out, text);
	if (fabs(number) > (double)EXACT_IN_DOUBLE_MAX && text[strcspn(text, ".e")] == 0)
		buffer_append_text(out, ".0");
}

static void append_struct(struct buffer *out, const Google__Protobuf__Struct *value, int depth);

static void append_value(struct buffer *out, const Google__Protobuf__Value *value, int depth)
{
	switch (value && depth < JSON_DEPTH_MAX ? value->kind_case : GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE) {
	case GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE:
		append_number(out, value->number_value);
		return;
	case GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE:
		buffer_append_json_string(out, value->string_value, strlen(value->string_value));
		return;
	case GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE:
		buffer_append_text(out, value->bool_value ? "true" : "false");
		return;
	case GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE:
		append_struct(out, value->struct_value, depth + 1);
		return;
	case GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE:
		buffer_append_text(out, "[");
		for (size_t i = 0; i < value->list_value->n_values; i++) {
			buffer_append_text(out, i ? "," : "");
			append_value(out, value->list_value->values[i], depth + 1);
		}
		buffer_append_text(out, "]");
		return;
	default:
		buffer_append_text(out, "null");
		return;
	}
}

static void append_struct(struct buffer *out, const Google__Protobuf__Struct *value, int depth)
{
	buffer_append_text(out, "{");
	for (size_t i = 0; i < value->n_fields; i++) {
		const Google__Protobuf__Struct__FieldsEntry *entry = value->fields[i];

		buffer_append_text(out, i ? "," : "");
		buffer_append_json_string(out, entry->key, strlen(entry->key));
		buffer_append_text(out, ":");
		append_value(out, entry->value, depth);
	}
	buffer_append_text(out, "}");
}

void json_struct_append(struct buffer *out, const Google__Protobuf__Struct *value)
{
	append_struct(out, value, 0);
}
