/* avro_text.c - the text under which an Avro schema is stored: compact, attributes in a fixed order (avro.h). */
#include "lib/base/memory.h"
#include "schema-registry/model/avro.h"
#include "schema-registry/model/json_text.h"

/* References lead from one text, of bounded depth, to the next, and threads have small stacks. */
enum { RESOLVED_DEPTH_MAX = 500 };

struct avro_printer {
	const struct schema *schema;
	struct buffer *out;
	bool is_normalized;
	bool *is_printed; /* by ordinal: a named type is spelled out once */
	json_t *names;    /* of all that was spelled out, where references are, too; else NULL */
	int depth;        /* of types in each other */
	bool is_cut;      /* they were too deep in each other */
};

/* Attributes that the printer writes itself; the rest are properties, printed as they are. */
static const char *const type_attributes[] = {"type",    "name",  "namespace", "doc",  "fields",
					      "symbols", "items", "values",    "size", "aliases"};
static const char *const field_attributes[] = {"name", "type", "doc", "default", "order", "aliases"};

static bool is_listed(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static bool is_property(const struct avro_type *type, const char *key)
{
	if (!type)
		return !is_listed(field_attributes, ARRAY_LEN(field_attributes), key);
	if (type->kind == AVRO_ENUM && strcmp(key, "default") == 0)
		return false;
	return !is_listed(type_attributes, ARRAY_LEN(type_attributes), key);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* `type` NULL: the properties of a field. */
static void print_properties(struct avro_printer *printer, const struct avro_type *type, const json_t *json)
{
	_cleanup_(freep)
	const char **keys = xrealloc_array(NULL, json_object_size(json) + 1, sizeof(*keys));
	size_t count = 0;
	const char *key;
	json_t *member;

	json_object_foreach((json_t *)json, key, member) /* only reads */
	{
		if (is_property(type, key))
			keys[count++] = key;
	}
	if (printer->is_normalized)
		qsort(keys, count, sizeof(*keys), compare_texts);
	for (size_t i = 0; i < count; i++)
		json_append_member(printer->out, keys[i], json_object_get(json, keys[i]), printer->is_normalized);
}

static bool has_properties(const struct avro_type *type)
{
	const char *key;
	json_t *member;

	if (!type->json)
		return false;
	json_object_foreach((json_t *)type->json, key, member) /* only reads */
	{
		if (is_property(type, key))
			return true;
	}
	return false;
}

static void print_text_member(struct avro_printer *printer, const char *key, const char *text)
{
	if (printer->out->data[printer->out->len - 1] != '{')
		buffer_append_byte(printer->out, ',');
	buffer_append_format(printer->out, "\"%s\":", key);
	buffer_append_json_string(printer->out, text, strlen(text));
}

static void print_doc(struct avro_printer *printer, const json_t *json)
{
	const char *doc = json_string_value(json_object_get(json, "doc"));

	if (doc)
		print_text_member(printer, "doc", doc);
}

/* The name as it can be written inside the namespace `space`. */
static const char *relative_name(const char *full_name, const char *space)
{
	size_t len = strlen(space);

	if (len > 0 && strncmp(full_name, space, len) == 0 && full_name[len] == '.' &&
	    !strchr(full_name + len + 1, '.'))
		return full_name + len + 1;
	return full_name;
}

static void print_aliases(struct avro_printer *printer, const char *const *aliases, size_t count, const char *space)
{
	if (count == 0)
		return;
	buffer_append_text(printer->out, ",\"aliases\":[");
	for (size_t i = 0; i < count; i++) {
		const char *alias = relative_name(aliases[i], space);

		if (i > 0)
			buffer_append_byte(printer->out, ',');
		buffer_append_json_string(printer->out, alias, strlen(alias));
	}
	buffer_append_byte(printer->out, ']');
}

static void print_type(struct avro_printer *printer, const struct avro_type *type, const char *space);

static void print_field(struct avro_printer *printer, const struct avro_field *field, const char *space)
{
	const char *order = json_string_value(json_object_get(field->json, "order"));

	buffer_append_byte(printer->out, '{');
	print_text_member(printer, "name", field->name);
	buffer_append_text(printer->out, ",\"type\":");
	print_type(printer, field->type, space);
	print_doc(printer, field->json);
	if (field->default_json)
		json_append_member(printer->out, "default", field->default_json, false);
	if (order && strcmp(order, "ascending") != 0)
		print_text_member(printer, "order", order);
	print_aliases(printer, field->aliases, field->alias_count, "");
	print_properties(printer, NULL, field->json);
	buffer_append_byte(printer->out, '}');
}

static void print_fields(struct avro_printer *printer, const struct avro_type *record)
{
	buffer_append_text(printer->out, ",\"fields\":[");
	for (size_t i = 0; i < record->field_count; i++) {
		if (i > 0)
			buffer_append_byte(printer->out, ',');
		print_field(printer, &record->fields[i], record->space);
	}
	buffer_append_byte(printer->out, ']');
}

static void print_symbols(struct avro_printer *printer, const struct avro_type *type)
{
	buffer_append_text(printer->out, ",\"symbols\":[");
	for (size_t i = 0; i < type->symbol_count; i++)
		buffer_append_format(printer->out, "%s\"%s\"", i > 0 ? "," : "", type->symbols[i]);
	buffer_append_byte(printer->out, ']');
	if (type->default_symbol >= 0)
		print_text_member(printer, "default", type->symbols[type->default_symbol]);
}

/* Is the name enough? Two schemas that are referred to may hold the same third one, so names count, not types. */
static bool is_spelled_out(struct avro_printer *printer, const struct avro_type *type)
{
	bool is_known;

	if (printer->names) {
		is_known = json_object_get(printer->names, type->base.full_name);
		(void)json_object_set_new(printer->names, type->base.full_name, json_true());
		return is_known;
	}
	if (type->owner != printer->schema)
		return true;
	is_known = printer->is_printed[type->ordinal];
	printer->is_printed[type->ordinal] = true;
	return is_known;
}

static void print_named(struct avro_printer *printer, const struct avro_type *type, const char *space)
{
	const char *name = relative_name(type->base.full_name, space);

	printer->is_cut |= printer->depth > RESOLVED_DEPTH_MAX;
	if (printer->is_cut || is_spelled_out(printer, type)) {
		buffer_append_json_string(printer->out, name, strlen(name));
		return;
	}
	buffer_append_byte(printer->out, '{');
	print_text_member(printer, "type", json_string_value(json_object_get(type->json, "type")));
	print_text_member(printer, "name", type->name);
	if (strcmp(type->space, space) != 0)
		print_text_member(printer, "namespace", type->space);
	print_doc(printer, type->json);
	if (type->kind == AVRO_RECORD)
		print_fields(printer, type);
	else if (type->kind == AVRO_ENUM)
		print_symbols(printer, type);
	else
		buffer_append_format(printer->out, ",\"size\":%zu", type->fixed_bytes);
	print_properties(printer, type, type->json);
	print_aliases(printer, type->aliases, type->alias_count, type->space);
	buffer_append_byte(printer->out, '}');
}

static void print_container(struct avro_printer *printer, const struct avro_type *type, const char *space)
{
	buffer_append_byte(printer->out, '{');
	print_text_member(printer, "type", avro_kind_name(type->kind));
	buffer_append_format(printer->out, ",\"%s\":", type->kind == AVRO_ARRAY ? "items" : "values");
	print_type(printer, type->element, space);
	print_properties(printer, type, type->json);
	buffer_append_byte(printer->out, '}');
}

static void print_union(struct avro_printer *printer, const struct avro_type *type, const char *space)
{
	buffer_append_byte(printer->out, '[');
	for (size_t i = 0; i < type->branch_count; i++) {
		if (i > 0)
			buffer_append_byte(printer->out, ',');
		print_type(printer, type->branches[i], space);
	}
	buffer_append_byte(printer->out, ']');
}

static void print_type(struct avro_printer *printer, const struct avro_type *type, const char *space)
{
	printer->depth++;
	if (type->kind >= AVRO_FIXED) {
		print_named(printer, type, space);
	} else if (type->kind == AVRO_UNION) {
		print_union(printer, type, space);
	} else if (type->kind >= AVRO_ARRAY) {
		print_container(printer, type, space);
	} else if (has_properties(type)) {
		buffer_append_byte(printer->out, '{');
		print_text_member(printer, "type", avro_kind_name(type->kind));
		print_properties(printer, type, type->json);
		buffer_append_byte(printer->out, '}');
	} else {
		buffer_append_format(printer->out, "\"%s\"", avro_kind_name(type->kind));
	}
	printer->depth--;
}

void avro_print(const struct schema *schema, bool is_normalized, struct buffer *out)
{
	_cleanup_(freep)
	bool *is_printed = xcalloc(schema->avro->own_count + 1, sizeof(*is_printed));
	struct avro_printer printer = {
		.schema = schema, .out = out, .is_normalized = is_normalized, .is_printed = is_printed};

	print_type(&printer, avro_type_of(schema->root), "");
}

bool avro_print_resolved(const struct schema *schema, struct buffer *out)
{
	struct avro_printer printer = {.schema = schema, .out = out, .names = json_object()};

	print_type(&printer, avro_type_of(schema->root), "");
	json_decref(printer.names);
	return !printer.is_cut;
}
