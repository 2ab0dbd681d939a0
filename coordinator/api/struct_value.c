/* struct_value.c - see struct_value.h. Recursion is as deep as message_reader.h and the codec let messages be. */
#include "coordinator/api/struct_value.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "schema-registry/model/base64.h"

/* ---- in ---- */
struct reading {
	struct arena *arena;
	struct problems *problems;
};

static struct value read_value(struct reading *reading, const Google__Protobuf__Value *source, const char *place);

static struct value refuse(struct reading *reading, const char *place, const char *why)
{
	problems_add(reading->problems, place, "%s", why);
	return value_null();
}

static struct value read_list(struct reading *reading, const Google__Protobuf__ListValue *source, const char *place)
{
	struct value list = {.kind = VALUE_LIST};

	list.list.count = source->n_values;
	list.list.items = arena_alloc(reading->arena, (source->n_values + 1) * sizeof(struct value));
	for (size_t i = 0; i < source->n_values; i++)
		list.list.items[i] =
			read_value(reading, source->values[i], arena_format(reading->arena, "%.300s[%zu]", place, i));
	return list;
}

struct keyed {
	const Google__Protobuf__Struct__FieldsEntry *entry;
	size_t index;
};

static int compare_keyed(const void *a, const void *b)
{
	const struct keyed *left = a;
	const struct keyed *right = b;
	int order = strcmp(left->entry->key, right->entry->key);

	if (order)
		return order;
	return left->index < right->index ? -1 : 1;
}

/* Sorted, so that finding repeated keys is cheap however many a hostile client sends; lookup is by name anyway. */
static struct value read_record(struct reading *reading, const Google__Protobuf__Struct *source, const char *place)
{
	struct keyed *keyed = arena_alloc(reading->arena, (source->n_fields + 1) * sizeof(*keyed));
	struct value record = value_record();

	for (size_t i = 0; i < source->n_fields; i++)
		keyed[i] = (struct keyed){source->fields[i], i};
	qsort(keyed, source->n_fields, sizeof(*keyed), compare_keyed);
	record.record.capacity = source->n_fields;
	record.record.fields = arena_alloc(reading->arena, (source->n_fields + 1) * sizeof(struct value_field));
	for (size_t i = 0; i < source->n_fields; i++) {
		const Google__Protobuf__Struct__FieldsEntry *entry = keyed[i].entry;
		struct value_field *field;

		if (i + 1 < source->n_fields && strcmp(entry->key, keyed[i + 1].entry->key) == 0)
			continue;
		field = &record.record.fields[record.record.count++];
		field->name = bytes_of_text(entry->key);
		field->value = read_value(reading, entry->value,
					  arena_format(reading->arena, "%.300s.%.100s", place, entry->key));
	}
	return record;
}

static struct value read_value(struct reading *reading, const Google__Protobuf__Value *source, const char *place)
{
	switch (source ? source->kind_case : GOOGLE__PROTOBUF__VALUE__KIND__NOT_SET) {
	case GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE:
		return value_null();
	case GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE:
		return value_bool(source->bool_value != 0);
	case GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE:
		if (!isfinite(source->number_value))
			return refuse(reading, place, "is no number that JSON has");
		return value_double(source->number_value);
	case GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE:
		return value_text_of(source->string_value);
	case GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE:
		return read_list(reading, source->list_value, place);
	case GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE:
		return read_record(reading, source->struct_value, place);
	default:
		return refuse(reading, place, "has no value: set one of the kinds of google.protobuf.Value");
	}
}

int struct_to_value(const Google__Protobuf__Struct *source, const char *place, struct arena *arena,
		    struct value *ret_value, struct problems *problems)
{
	struct reading reading = {arena, problems};
	size_t before = problems->count;
	struct value value = read_record(&reading, source, place);

	if (problems->count > before)
		return -1;
	*ret_value = value;
	return 0;
}

/* ---- out ---- */
static const int64_t EXACT_MAX = INT64_C(1) << 53;

static void set_text(Google__Protobuf__Value *out, char *text)
{
	out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE;
	out->string_value = text;
}

static void set_number(Google__Protobuf__Value *out, double number)
{
	if (isnan(number)) {
		set_text(out, (char *)"NaN");
	} else if (isinf(number)) {
		set_text(out, (char *)(number > 0 ? "Infinity" : "-Infinity"));
	} else {
		out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE;
		out->number_value = number;
	}
}

static char *print_base64(struct bytes bytes, struct arena *arena)
{
	struct buffer text = {0};
	char *copy;

	base64_append(&text, bytes);
	copy = arena_strndup(arena, buffer_text(&text), text.len);
	buffer_release(&text);
	return copy;
}

static Google__Protobuf__Value *make_value(const struct value *value, struct arena *arena);

static Google__Protobuf__ListValue *make_list(const struct value *value, struct arena *arena)
{
	Google__Protobuf__ListValue *list = arena_alloc(arena, sizeof(*list));

	google__protobuf__list_value__init(list);
	list->n_values = value->list.count;
	list->values = arena_alloc(arena, (list->n_values + 1) * sizeof(Google__Protobuf__Value *));
	for (size_t i = 0; i < list->n_values; i++)
		list->values[i] = make_value(&value->list.items[i], arena);
	return list;
}

static Google__Protobuf__Value *make_value(const struct value *value, struct arena *arena)
{
	Google__Protobuf__Value *out = arena_alloc(arena, sizeof(*out));

	google__protobuf__value__init(out);
	switch (value->kind) {
	case VALUE_BOOL:
		out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE;
		out->bool_value = value->boolean;
		break;
	case VALUE_INT:
		if (value->integer > EXACT_MAX || value->integer < -EXACT_MAX)
			set_text(out, arena_format(arena, "%" PRId64, value->integer));
		else
			set_number(out, (double)value->integer);
		break;
	case VALUE_UINT:
		if (value->unsigned_integer > (uint64_t)EXACT_MAX)
			set_text(out, arena_format(arena, "%" PRIu64, value->unsigned_integer));
		else
			set_number(out, (double)value->unsigned_integer);
		break;
	case VALUE_DOUBLE:
		set_number(out, value->number);
		break;
	case VALUE_TEXT:
		set_text(out, arena_strndup(arena, (const char *)value->text.data, value->text.len));
		break;
	case VALUE_BYTES:
		set_text(out, print_base64(value->text, arena));
		break;
	case VALUE_LIST:
		out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE;
		out->list_value = make_list(value, arena);
		break;
	case VALUE_RECORD:
		out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE;
		out->struct_value = value_to_struct(value, arena);
		break;
	default:
		assert(value->kind == VALUE_NULL);
		out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE;
	}
	return out;
}

Google__Protobuf__Struct *value_to_struct(const struct value *value, struct arena *arena)
{
	Google__Protobuf__Struct *out = arena_alloc(arena, sizeof(*out));

	assert(value->kind == VALUE_RECORD);
	google__protobuf__struct__init(out);
	out->n_fields = value->record.count;
	out->fields = arena_alloc(arena, (out->n_fields + 1) * sizeof(Google__Protobuf__Struct__FieldsEntry *));
	for (size_t i = 0; i < out->n_fields; i++) {
		const struct value_field *field = &value->record.fields[i];

		out->fields[i] = arena_alloc(arena, sizeof(*out->fields[i]));
		google__protobuf__struct__fields_entry__init(out->fields[i]);
		out->fields[i]->key = arena_strndup(arena, (const char *)field->name.data, field->name.len);
		out->fields[i]->value = make_value(&field->value, arena);
	}
	return out;
}
