/*
 * avro_strict.c - what WIRE, WIRE_JSON and STRICT refuse beyond Avro's schema resolution (compat.h).
 *
 * WIRE:      data that can be read means what it meant: logical types and decimals stay, bytes do not become text, defaults
 *            fit their types.
 * WIRE_JSON: names stay: JSON has them for fields and for the branches of unions.
 * STRICT:    generated classes keep their fields, types, symbols and defaults.
 * How:       along both schemas at once, fields matched by name or alias; each pair of records is visited once.
 */
#include <stdlib.h>

#include "schema-registry/model/avro.h"
#include "schema-registry/model/compat_reporter.h"
#include "schema-registry/model/json_text.h"

struct visited_pair {
	const struct avro_type *old;
	const struct avro_type *update;
};

struct checker {
	struct compat_reporter *reporter;
	enum compat_strictness strictness;
	struct visited_pair *visited;
	size_t visited_count;
	size_t visited_capacity;
	int depth;
	bool fits;
};

/* Where we are in the new schema's text. */
struct spot {
	const struct schema *owner;
	const json_t *json;
};

static void check_type(struct checker *checker, const struct avro_type *old, const struct avro_type *update,
		       struct spot spot);

static void report(struct checker *checker, struct spot spot, const char *rule, const char *hint, const char *format,
		   ...) PRINTF_LIKE(5, 6);

static void report(struct checker *checker, struct spot spot, const char *rule, const char *hint, const char *format,
		   ...)
{
	_cleanup_(buffer_release)
	struct buffer pointer = {0};
	_cleanup_(buffer_release)
	struct buffer text = {0};
	struct compat_finding finding = {.type = rule, .hint = hint};
	va_list args;

	json_append_pointer(&pointer, spot.owner->avro->json, spot.json);
	finding.path = pointer.len > 0 ? buffer_text(&pointer) : "/";
	finding.place = (struct schema_place){spot.owner, buffer_text(&pointer)};
	checker->fits = false;
	if (compat_reporter_has(checker->reporter, &finding.place))
		return;
	va_start(args, format);
	buffer_append_va(&text, format, args);
	va_end(args);
	compat_reporter_add(checker->reporter, &finding, "%s, at path '%s'", buffer_text(&text), finding.path);
}

/* True when the pair is new. */
static bool visit(struct checker *checker, const struct avro_type *old, const struct avro_type *update)
{
	for (size_t i = 0; i < checker->visited_count; i++) {
		if (checker->visited[i].old == old && checker->visited[i].update == update)
			return false;
	}
	if (checker->visited_count == checker->visited_capacity) {
		checker->visited_capacity = checker->visited_capacity ? checker->visited_capacity * 2 : 16;
		checker->visited =
			xrealloc_array(checker->visited, checker->visited_capacity, sizeof(*checker->visited));
	}
	checker->visited[checker->visited_count++] = (struct visited_pair){old, update};
	return true;
}

static struct spot member(struct spot spot, const struct avro_type *type, const char *key)
{
	const json_t *json = json_object_get(type->json, key);

	if (!json)
		return spot;
	return (struct spot){type->owner ? type->owner : spot.owner, json};
}

/* ---- records ---- */

static const struct avro_field *find_old_field(const struct avro_type *old, const struct avro_field *update)
{
	int64_t at = name_index_find(&old->field_index, bytes_of_text(update->name));

	for (size_t i = 0; at < 0 && i < update->alias_count; i++)
		at = name_index_find(&old->field_index, bytes_of_text(update->aliases[i]));
	return at < 0 ? NULL : &old->fields[at];
}

static void check_default(struct checker *checker, const struct avro_field *old, const struct avro_field *update,
			  struct spot spot)
{
	const json_t *before = old ? old->default_json : NULL;

	/* null, true and false are one value for jansson, wherever they stand. */
	if (update->default_json && !json_is_null(update->default_json) && !json_is_boolean(update->default_json))
		spot.json = update->default_json;
	if (update->default_json && !update->default_bytes.data)
		report(checker, spot, "DEFAULT_DOES_NOT_FIT",
		       "give a default of the field's type (of a union: of its first branch)",
		       "the default of field '%s' is no value of its type, so no reader can use it", update->name);
	else if (checker->strictness >= STRICTNESS_STRICT && before &&
		 (!update->default_json || !json_equal((json_t *)before, (json_t *)update->default_json)))
		report(checker, spot, "DEFAULT_CHANGED", "keep the default", "the default of field '%s' changes",
		       update->name);
}

/* All in one finding: they have one place. */
static void report_removed_fields(struct checker *checker, const struct avro_type *old, const struct avro_type *update,
				  const bool *is_kept)
{
	const struct spot spot = {update->owner, json_object_get(update->json, "fields")};
	_cleanup_(buffer_release)
	struct buffer names = {0};
	size_t count = 0;

	for (size_t i = 0; i < old->field_count; i++) {
		if (!is_kept[i])
			buffer_append_format(&names, "%s'%s'", count++ > 0 ? ", " : "", old->fields[i].name);
	}
	if (count > 0)
		report(checker, spot, "FIELD_REMOVED", count == 1 ? "keep the field" : "keep the fields",
		       "%s %s of '%s' %s gone", count == 1 ? "field" : "fields", buffer_text(&names),
		       update->base.full_name, count == 1 ? "is" : "are");
}

static void check_record(struct checker *checker, const struct avro_type *old, const struct avro_type *update)
{
	_cleanup_(freep)
	bool *is_kept = xcalloc(old->field_count + 1, sizeof(*is_kept));

	for (size_t i = 0; i < update->field_count; i++) {
		const struct avro_field *field = &update->fields[i];
		const struct avro_field *before = find_old_field(old, field);
		struct spot spot = {update->owner, field->json};
		struct spot type_spot = {update->owner, json_object_get(field->json, "type")};

		check_default(checker, before, field, spot);
		if (!before)
			continue;
		is_kept[before - old->fields] = true;
		if (checker->strictness >= STRICTNESS_WIRE_JSON && strcmp(before->name, field->name) != 0)
			report(checker, spot, "FIELD_RENAMED", "keep the name: it is what JSON holds",
			       "field '%s' was called '%s'", field->name, before->name);
		check_type(checker, before->type, field->type, type_spot);
	}
	if (checker->strictness >= STRICTNESS_STRICT)
		report_removed_fields(checker, old, update, is_kept);
}

/* ---- other types ---- */

static void check_enum(struct checker *checker, const struct avro_type *old, const struct avro_type *update,
		       struct spot spot)
{
	_cleanup_(buffer_release)
	struct buffer names = {0};
	size_t count = 0;

	for (size_t i = 0; i < old->symbol_count && checker->strictness >= STRICTNESS_STRICT; i++) {
		if (name_index_find(&update->symbol_index, bytes_of_text(old->symbols[i])) < 0)
			buffer_append_format(&names, "%s'%s'", count++ > 0 ? ", " : "", old->symbols[i]);
	}
	if (count > 0) /* all in one finding: they have one place */
		report(checker, member(spot, update, "symbols"), "SYMBOL_REMOVED",
		       count == 1 ? "keep the symbol" : "keep the symbols", "%s %s %s gone",
		       count == 1 ? "symbol" : "symbols", buffer_text(&names), count == 1 ? "is" : "are");
}

static const char *logical_type(const struct avro_type *type)
{
	const char *text = json_string_value(json_object_get(type->json, "logicalType"));

	return text ? text : "";
}

static void check_logical_type(struct checker *checker, const struct avro_type *old, const struct avro_type *update,
			       struct spot spot)
{
	static const char *const parts[] = {"precision", "scale"};
	const char *before = logical_type(old);
	const char *after = logical_type(update);

	if (strcmp(before, after) != 0) {
		if ((*before && *after) || checker->strictness >= STRICTNESS_STRICT)
			report(checker, member(spot, update, "logicalType"), "LOGICAL_TYPE_CHANGED",
			       "use a new field for the other meaning", "the logical type changes from '%s' to '%s'",
			       *before ? before : "none", *after ? after : "none");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(parts) && strcmp(after, "decimal") == 0; i++) {
		json_int_t was = json_integer_value(json_object_get(old->json, parts[i]));
		json_int_t is = json_integer_value(json_object_get(update->json, parts[i]));

		if (was != is)
			report(checker, member(spot, update, parts[i]), "DECIMAL_CHANGED",
			       "use a new field for the other precision or scale",
			       "the decimal's %s changes from %lld to %lld", parts[i], (long long)was, (long long)is);
	}
}

static void check_kind(struct checker *checker, const struct avro_type *old, const struct avro_type *update,
		       struct spot spot)
{
	bool becomes_text = old->kind == AVRO_BYTES && update->kind == AVRO_STRING;
	bool becomes_bytes = old->kind == AVRO_STRING && update->kind == AVRO_BYTES;
	const char *hint = "use a new field";

	if (becomes_text)
		hint = "use a new field: bytes need not be UTF-8";
	else if (becomes_bytes)
		hint = "use a new field: JSON has another form for bytes";
	if (becomes_text || (becomes_bytes && checker->strictness >= STRICTNESS_WIRE_JSON) ||
	    checker->strictness >= STRICTNESS_STRICT)
		report(checker, spot, "TYPE_CHANGED", hint, "the type changes from '%s' to '%s'", old->base.full_name,
		       update->base.full_name);
}

static bool is_same_branch(const struct avro_type *a, const struct avro_type *b)
{
	return a->kind == b->kind && (a->kind < AVRO_FIXED || strcmp(a->name, b->name) == 0);
}

/* A type beside a union is compared with its own branch; branches that come or go are the plain rules' business. */
static void check_unions(struct checker *checker, const struct avro_type *old, const struct avro_type *update,
			 struct spot spot)
{
	const struct avro_type *const old_one[] = {old};
	const struct avro_type *const update_one[] = {update};
	const struct avro_type *const *olds = old->kind == AVRO_UNION ? old->branches : old_one;
	const struct avro_type *const *updates = update->kind == AVRO_UNION ? update->branches : update_one;
	size_t old_count = old->kind == AVRO_UNION ? old->branch_count : 1;
	size_t update_count = update->kind == AVRO_UNION ? update->branch_count : 1;

	if (checker->strictness >= STRICTNESS_STRICT && (old->kind != update->kind || old_count != update_count))
		report(checker, spot, "TYPE_CHANGED", "use a new field", "the union has other branches");
	for (size_t i = 0; i < update_count; i++) {
		struct spot branch = spot;

		if (update->kind == AVRO_UNION && json_array_get(spot.json, i))
			branch.json = json_array_get(spot.json, i);
		for (size_t k = 0; k < old_count; k++) {
			if (is_same_branch(olds[k], updates[i]))
				check_type(checker, olds[k], updates[i], branch);
		}
	}
}

static void check_same_kind(struct checker *checker, const struct avro_type *old, const struct avro_type *update,
			    struct spot spot)
{
	const char *element = update->kind == AVRO_ARRAY ? "items" : "values";

	if (update->kind >= AVRO_FIXED && checker->strictness >= STRICTNESS_WIRE_JSON &&
	    strcmp(old->base.full_name, update->base.full_name) != 0)
		report(checker, member(spot, update, "name"), "TYPE_RENAMED", "keep name and namespace",
		       "'%s' was called '%s'", update->base.full_name, old->base.full_name);
	if (update->kind == AVRO_ARRAY || update->kind == AVRO_MAP)
		check_type(checker, old->element, update->element, member(spot, update, element));
	else if (update->kind == AVRO_ENUM)
		check_enum(checker, old, update, spot);
	else if (update->kind == AVRO_RECORD && visit(checker, old, update))
		check_record(checker, old, update);
}

static void check_type(struct checker *checker, const struct avro_type *old, const struct avro_type *update,
		       struct spot spot)
{
	if (checker->depth == COMPAT_DEPTH_MAX) /* the plain rules have refused it */
		return;
	checker->depth++;
	if (old->kind == AVRO_UNION || update->kind == AVRO_UNION) {
		check_unions(checker, old, update, spot);
	} else if (old->kind == update->kind) {
		check_logical_type(checker, old, update, spot);
		check_same_kind(checker, old, update, spot);
	} else {
		check_kind(checker, old, update, spot);
	}
	checker->depth--;
}

bool avro_strict_check(const struct schema *old, const struct schema *update, enum compat_strictness strictness,
		       struct compat_reporter *reporter)
{
	struct checker checker = {.reporter = reporter, .strictness = strictness, .fits = true};

	check_type(&checker, avro_type_of(old->root), avro_type_of(update->root),
		   (struct spot){update, update->avro->json});
	free(checker.visited);
	return checker.fits;
}
