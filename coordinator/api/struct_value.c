/* struct_value.c - see struct_value.h. Recursion is as deep as message_reader.h and the codec let messages be. */
#include "coordinator/api/struct_value.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "schema-registry/model/base64.h"

/* ---- in ---- */
enum { PLACE_BYTES_MAX = 300 };

struct reading {
	struct arena *arena;
	struct problems *problems;
	char place[PLACE_BYTES_MAX]; /* of the value in hand; only a problem has use for it, so it is not kept */
	bool is_exhausted;           /* the arena is full: nothing is read any more */
};

static struct value read_value(struct reading *reading, const Google__Protobuf__Value *source);

static struct value refuse(struct reading *reading, const char *why)
{
	problems_add(reading->problems, reading->place, "%s", why);
	return value_null();
}

/* NULL, and the end of reading, where the arena is full: how much a message asks for is its sender's choice. */
static void *take(struct reading *reading, size_t count, size_t item_bytes)
{
	void *memory = arena_try_alloc(reading->arena, (count + 1) * item_bytes);

	if (!memory)
		reading->is_exhausted = true;
	return memory;
}

/* Returns the length to go back to. A place that grows too long is cut. */
static size_t enter(struct reading *reading, const char *format, ...) PRINTF_LIKE(2, 3);
static size_t enter(struct reading *reading, const char *format, ...)
{
	size_t len = strlen(reading->place);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(reading->place + len, sizeof(reading->place) - len, format, args);
	va_end(args);
	return len;
}

static struct value read_list(struct reading *reading, const Google__Protobuf__ListValue *source)
{
	struct value list = {.kind = VALUE_LIST};

	list.list.items = take(reading, source->n_values, sizeof(struct value));
	for (size_t i = 0; i < source->n_values && !reading->is_exhausted; i++) {
		size_t back = enter(reading, "[%zu]", i);

		list.list.items[list.list.count++] = read_value(reading, source->values[i]);
		reading->place[back] = 0;
	}
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
static struct value read_record(struct reading *reading, const Google__Protobuf__Struct *source)
{
	struct keyed *keyed = take(reading, source->n_fields, sizeof(*keyed));
	struct value record = value_record();

	record.record.fields = take(reading, source->n_fields, sizeof(struct value_field));
	if (reading->is_exhausted)
		return record;
	for (size_t i = 0; i < source->n_fields; i++)
		keyed[i] = (struct keyed){source->fields[i], i};
	qsort(keyed, source->n_fields, sizeof(*keyed), compare_keyed);
	record.record.capacity = source->n_fields;
	for (size_t i = 0; i < source->n_fields && !reading->is_exhausted; i++) {
		const Google__Protobuf__Struct__FieldsEntry *entry = keyed[i].entry;
		struct value_field *field;
		size_t back;

		if (i + 1 < source->n_fields && strcmp(entry->key, keyed[i + 1].entry->key) == 0)
			continue;
		back = enter(reading, ".%.100s", entry->key);
		field = &record.record.fields[record.record.count++];
		field->name = bytes_of_text(entry->key);
		field->value = read_value(reading, entry->value);
		reading->place[back] = 0;
	}
	return record;
}

static struct value read_value(struct reading *reading, const Google__Protobuf__Value *source)
{
	switch (source ? source->kind_case : GOOGLE__PROTOBUF__VALUE__KIND__NOT_SET) {
	case GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE:
		return value_null();
	case GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE:
		return value_bool(source->bool_value != 0);
	case GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE:
		if (!isfinite(source->number_value))
			return refuse(reading, "is no number that JSON has");
		return value_double(source->number_value);
	case GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE:
		return value_text_of(source->string_value);
	case GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE:
		return read_list(reading, source->list_value);
	case GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE:
		return read_record(reading, source->struct_value);
	default:
		return refuse(reading, "has no value: set one of the kinds of google.protobuf.Value");
	}
}

int struct_to_value(const Google__Protobuf__Struct *source, const char *place, struct arena *arena,
		    struct value *ret_value, struct problems *problems)
{
	struct reading reading = {.arena = arena, .problems = problems};
	size_t before = problems->count;
	struct value value;

	(void)enter(&reading, "%s", place); /* there is nothing to go back to */
	value = read_record(&reading, source);
	if (reading.is_exhausted || problems->count > before)
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
