/* value.c - see value.h; its JSON is in value_json.c. */
#include "schema-registry/codec/value.h"

#include <math.h>

const struct value *value_get_bytes(const struct value *record, struct bytes name)
{
	if (!record || record->kind != VALUE_RECORD)
		return NULL;
	for (size_t i = 0; i < record->record.count; i++) {
		if (bytes_equal(record->record.fields[i].name, name))
			return &record->record.fields[i].value;
	}
	return NULL;
}

const struct value *value_get(const struct value *record, const char *name)
{
	return value_get_bytes(record, bytes_of_text(name));
}

const struct value *value_path(const struct value *record, const char *path)
{
	while (record) {
		const char *dot = strchr(path, '.');
		size_t len = dot ? (size_t)(dot - path) : strlen(path);

		record = value_get_bytes(record, (struct bytes){(const uint8_t *)path, len});
		if (!dot)
			break;
		path = dot + 1;
	}
	return record;
}

bool value_get_int(const struct value *record, const char *name, int64_t *ret_value)
{
	const struct value *value = value_get(record, name);

	if (value && value->kind == VALUE_INT) {
		*ret_value = value->integer;
		return true;
	}
	if (value && value->kind == VALUE_UINT && value->unsigned_integer <= INT64_MAX) {
		*ret_value = (int64_t)value->unsigned_integer;
		return true;
	}
	return false;
}

bool value_get_text(const struct value *record, const char *name, struct bytes *ret_value)
{
	const struct value *value = value_get(record, name);

	if (!value || value->kind != VALUE_TEXT)
		return false;
	*ret_value = value->text;
	return true;
}

bool value_get_bool(const struct value *record, const char *name, bool *ret_value)
{
	const struct value *value = value_get(record, name);

	if (!value || value->kind != VALUE_BOOL)
		return false;
	*ret_value = value->boolean;
	return true;
}

struct value value_null(void)
{
	return (struct value){.kind = VALUE_NULL};
}

struct value value_bool(bool boolean)
{
	return (struct value){.kind = VALUE_BOOL, .boolean = boolean};
}

struct value value_int(int64_t integer)
{
	return (struct value){.kind = VALUE_INT, .integer = integer};
}

struct value value_double(double number)
{
	return (struct value){.kind = VALUE_DOUBLE, .number = number};
}

struct value value_text(struct bytes text)
{
	return (struct value){.kind = VALUE_TEXT, .text = text};
}

struct value value_text_of(const char *text)
{
	return value_text(bytes_of_text(text));
}

struct value value_record(void)
{
	return (struct value){.kind = VALUE_RECORD};
}

void value_set(struct arena *arena, struct value *record, const char *name, struct value value)
{
	const struct value *old = value_get(record, name);

	if (old) {
		*(struct value *)old = value; /* the record is the caller's, and not const */
		return;
	}
	if (record->record.count == record->record.capacity) {
		size_t capacity = record->record.capacity ? record->record.capacity * 2 : 8;
		struct value_field *fields = arena_alloc(arena, capacity * sizeof(*fields));

		if (record->record.count > 0)
			memcpy(fields, record->record.fields, record->record.count * sizeof(*fields));
		record->record.fields = fields;
		record->record.capacity = capacity;
	}
	record->record.fields[record->record.count++] =
		(struct value_field){.name = bytes_of_text(arena_strdup(arena, name)), .value = value};
}

static bool lists_equal(const struct value *a, const struct value *b)
{
	if (a->list.count != b->list.count)
		return false;
	for (size_t i = 0; i < a->list.count; i++) {
		if (!value_equal(&a->list.items[i], &b->list.items[i]))
			return false;
	}
	return true;
}

static bool records_equal(const struct value *a, const struct value *b)
{
	if (a->record.count != b->record.count)
		return false;
	for (size_t i = 0; i < a->record.count; i++) {
		const struct value_field *field = &a->record.fields[i];
		const struct value_field *same_place = &b->record.fields[i];
		const struct value *other = bytes_equal(field->name, same_place->name)
						    ? &same_place->value
						    : value_get_bytes(b, field->name);

		if (!other || !value_equal(&field->value, other))
			return false;
	}
	return true;
}

bool value_equal(const struct value *a, const struct value *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case VALUE_NULL:
		return true;
	case VALUE_BOOL:
		return a->boolean == b->boolean;
	case VALUE_INT:
		return a->integer == b->integer;
	case VALUE_UINT:
		return a->unsigned_integer == b->unsigned_integer;
	case VALUE_DOUBLE:
		return a->number == b->number || (isnan(a->number) && isnan(b->number));
	case VALUE_TEXT:
	case VALUE_BYTES:
		return bytes_equal(a->text, b->text);
	case VALUE_LIST:
		return lists_equal(a, b);
	case VALUE_RECORD:
		return records_equal(a, b);
	case VALUE_KIND_COUNT:
		break;
	}
	return false;
}
