/* literal.c - see literal.h. */
#include "coordinator/definition/literal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static bool parse_int(const char *text, int64_t *ret_number)
{
	char *end;

	errno = 0;
	*ret_number = strtoll(text, &end, 10);
	return !errno && end != text && !*end;
}

static bool parse_double(const char *text, double *ret_number)
{
	char *end;

	if (!strpbrk(text, "0123456789"))
		return false; /* nan, infinity: no numbers here */
	*ret_number = strtod(text, &end);
	return end != text && !*end && isfinite(*ret_number);
}

static struct value scalar_value(const struct yaml_node *node, bool is_text)
{
	int64_t integer;
	double number;

	if (!node->is_plain)
		return value_text_of(node->text);
	if (strcmp(node->text, "null") == 0 || strcmp(node->text, "~") == 0 || !node->text[0])
		return value_null();
	if (is_text)
		return value_text_of(node->text);
	if (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0)
		return value_bool(node->text[0] == 't');
	if (parse_int(node->text, &integer))
		return value_int(integer);
	if (parse_double(node->text, &number))
		return value_double(number);
	return value_text_of(node->text);
}

static struct value list_value(const struct yaml_node *node, const struct schema_field *element, struct arena *arena)
{
	struct value list = {.kind = VALUE_LIST};

	list.list.items = arena_zalloc(arena, (node->count + 1) * sizeof(*list.list.items));
	for (const struct yaml_node *item = node->first; item; item = item->next)
		list.list.items[list.list.count++] = literal_value(item, element, arena);
	return list;
}

static struct value map_value(const struct yaml_node *node, const struct schema_field *target,
			      const struct schema_field *element, struct arena *arena)
{
	struct value record = value_record();

	for (const struct yaml_node *entry = node->first; entry; entry = entry->next) {
		struct schema_field member = *element;

		if (target->kind == SCHEMA_KIND_RECORD && target->record)
			(void)schema_type_find(target->record, entry->text,
					       &member); /* unknown: the codec refuses it */
		value_set(arena, &record, entry->text, literal_value(entry->value, &member, arena));
	}
	return record;
}

struct value literal_value(const struct yaml_node *node, const struct schema_field *target, struct arena *arena)
{
	const struct schema_field element = {
		.name = target->name, .kind = target->element_kind, .record = target->record};

	switch (node->kind) {
	case YAML_LIST:
		return list_value(node, &element, arena);
	case YAML_MAP:
		return map_value(node, target, &element, arena);
	case YAML_SCALAR:
		break;
	}
	return scalar_value(node, target->kind == SCHEMA_KIND_TEXT || target->kind == SCHEMA_KIND_ENUM);
}
