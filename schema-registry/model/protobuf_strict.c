/*
 * protobuf_strict.c - what WIRE, WIRE_JSON and STRICT refuse beyond the plain rules (compat.h).
 *
 * WIRE:      a number that is given up is reserved and stays so, and no name moves to another number; a value keeps its meaning:
 *            its scalar within the varints, its enum, its count, its oneof, its default. The same for extensions.
 * WIRE_JSON: names and forms in JSON stay, too; names that are given up are reserved.
 * STRICT:    nothing that generated code has a name for goes or changes its type.
 * How:       along the descriptors of the old file and of all that it imports, message by message and enum by enum, matched by
 *            full name with those of the new file and its imports. So a type may move between files, and what an import breaks
 *            is found. Options are those of the file itself, and what is gone is told of that one alone.
 */
#include "schema-registry/model/protobuf_strict.h"

#include <stdlib.h>

/* ---- reporting ---- */

void strict_report(struct strict_checker *checker, const struct strict_spot *spot, const char *rule, const char *hint,
		   const char *format, ...)
{
	struct compat_finding finding = {
		.type = rule, .path = spot->path, .hint = hint, .place = {spot->schema, spot->pointer}};
	_cleanup_(buffer_release)
	struct buffer text = {0};
	va_list args;

	va_start(args, format);
	buffer_append_va(&text, format, args);
	va_end(args);
	compat_reporter_add(checker->reporter, &finding, "%s, at path '%s'", buffer_text(&text), spot->path);
	checker->fits = false;
}

bool strict_is_full(const struct strict_checker *checker)
{
	return checker->reporter->report->count == COMPAT_FINDINGS_MAX;
}

bool strict_has_finding(const struct strict_checker *checker, const struct strict_spot *spot)
{
	return compat_reporter_has(checker->reporter, &(struct schema_place){spot->schema, spot->pointer});
}

struct strict_spot strict_below(struct strict_checker *checker, const struct strict_spot *spot, const char *name,
				int field_number, size_t position)
{
	return (struct strict_spot){
		name ? arena_format(&checker->arena, "%s/%s", spot->path, name) : spot->path,
		spot->schema,
		arena_format(&checker->arena, "%s/%d/%zu", spot->pointer, field_number, position),
	};
}

struct strict_spot strict_gone(struct strict_checker *checker, const struct strict_spot *spot, const char *name,
			       const char *pointer)
{
	return (struct strict_spot){arena_format(&checker->arena, "%s/%s", spot->path, name), spot->schema, pointer};
}

/* ---- enums ---- */

struct enum_view {
	const enum_proto *proto;
	struct name_index names;
	struct numbered_value *by_number; /* sorted; equal numbers in the order of the text */
	struct strict_reserved reserved;
};

struct numbered_value {
	int32_t number;
	uint32_t position;
};

static int compare_values(const void *a, const void *b)
{
	const struct numbered_value *left = a;
	const struct numbered_value *right = b;

	if (left->number != right->number)
		return left->number > right->number ? 1 : -1;
	return (left->position > right->position) - (left->position < right->position);
}

static struct enum_view view_enum(struct strict_checker *checker, const enum_proto *proto)
{
	struct enum_view view = {.proto = proto, .reserved = strict_reserved_of_enum(checker, proto)};

	view.by_number = arena_alloc(&checker->arena, (proto->n_value + 1) * sizeof(*view.by_number));
	for (size_t i = 0; i < proto->n_value; i++) {
		(void)name_index_add(&view.names, &checker->arena, proto->value[i]->name, i); /* unique */
		view.by_number[i] = (struct numbered_value){proto->value[i]->number, (uint32_t)i};
	}
	qsort(view.by_number, proto->n_value, sizeof(*view.by_number), compare_values); /* an enum has a value */
	return view;
}

/* The position of the first value with that number, or -1. */
static int64_t find_number(const struct enum_view *view, int32_t number)
{
	size_t low = 0;
	size_t high = view->proto->n_value;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (view->by_number[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < view->proto->n_value && view->by_number[low].number == number
		       ? (int64_t)view->by_number[low].position
		       : -1;
}

static int64_t find_name(const struct enum_view *view, const char *name)
{
	return name_index_find(&view->names, bytes_of_text(name));
}

/* `is_alias`: the number has another name still. */
static void check_removed_value(struct strict_checker *checker, const struct strict_spot *spot, const char *name,
				int32_t number, bool is_alias, const struct enum_view *update)
{
	const struct strict_spot gone = strict_gone(checker, spot, name, spot->pointer);

	if (checker->strictness >= STRICTNESS_STRICT)
		strict_report(checker, &gone, "ENUM_VALUE_REMOVED", "keep the value, and mark it deprecated",
			      "value '%s' = %d is gone", name, number);
	else if (!is_alias && !strict_reserves_number(&update->reserved, number))
		strict_report(checker, &gone, "ENUM_VALUE_REMOVED_UNRESERVED", "reserve its number, and its name",
			      "value '%s' is gone and its number %d is not reserved", name, number);
	else if (checker->strictness >= STRICTNESS_WIRE_JSON && !strict_reserves_name(&update->reserved, name))
		strict_report(checker, &gone, "ENUM_VALUE_REMOVED_UNRESERVED", "reserve its name",
			      "value '%s' is gone and its name is not reserved", name);
}

/* The same name with another number. To begin anew with a number that was never used, the old one reserved, is fine where names
 * do not count. */
static void check_moved_value(struct strict_checker *checker, const struct strict_spot *spot, int32_t old_number,
			      const struct enum_view *old, const struct enum_view *update, size_t at)
{
	const Google__Protobuf__EnumValueDescriptorProto *value = update->proto->value[at];
	bool begins_anew = strict_reserves_number(&update->reserved, old_number) && find_number(old, value->number) < 0;
	struct strict_spot place = strict_below(checker, spot, value->name, ENUM_VALUE, at);

	if (begins_anew && checker->strictness == STRICTNESS_WIRE)
		return;
	strict_report(checker, &place, "ENUM_VALUE_NUMBER_CHANGED",
		      "give the value its old number back, or a new name: old data means it by that number",
		      "value '%s' had number %d and has %d", value->name, old_number, value->number);
}

static void check_value(struct strict_checker *checker, const struct strict_spot *spot, const struct enum_view *old,
			size_t i, const struct enum_view *update)
{
	const char *name = old->proto->value[i]->name;
	int32_t number = old->proto->value[i]->number;
	int64_t at = find_name(update, name);
	struct strict_spot place;
	int64_t before;

	if (at >= 0) {
		if (update->proto->value[at]->number != number)
			check_moved_value(checker, spot, number, old, update, (size_t)at);
		return;
	}
	at = find_number(update, number);
	before = at < 0 ? -1 : find_name(old, update->proto->value[at]->name);
	if (before >= 0 && old->proto->value[before]->number != number)
		return; /* told of as moved here */
	if (at < 0 || before >= 0) {
		check_removed_value(checker, spot, name, number, at >= 0, update);
	} else if (checker->strictness >= STRICTNESS_WIRE_JSON) {
		place = strict_below(checker, spot, update->proto->value[at]->name, ENUM_VALUE, (size_t)at);
		strict_report(checker, &place, "ENUM_VALUE_RENAMED", "keep the name: it is what JSON holds",
			      "value '%s' was called '%s'", update->proto->value[at]->name, name);
	}
}

static void check_enum(struct strict_checker *checker, const struct strict_spot *spot, const enum_proto *old_proto,
		       const enum_proto *update_proto)
{
	struct enum_view old = view_enum(checker, old_proto);
	struct enum_view update = view_enum(checker, update_proto);

	for (size_t i = 0; i < old_proto->n_value; i++)
		check_value(checker, spot, &old, i, &update);
	strict_check_enum_ranges(checker, spot, old_proto, update_proto, &update.reserved);
}

static void check_removed_enum(struct strict_checker *checker, const struct strict_spot *spot, const char *name,
			       const char *pointer)
{
	const struct strict_spot gone = strict_gone(checker, spot, name, pointer);

	if (checker->strictness >= STRICTNESS_STRICT)
		strict_report(checker, &gone, "ENUM_REMOVED", "keep the enum", "enum '%s' is gone", name);
}

/* Those in a message. */
static void check_enums(struct strict_checker *checker, const struct strict_spot *spot, const message_proto *old,
			const message_proto *update)
{
	struct name_index names = {0};

	for (size_t i = 0; i < update->n_enum_type && old->n_enum_type > 0; i++)
		(void)name_index_add(&names, &checker->arena, update->enum_type[i]->name, i); /* unique */
	for (size_t i = 0; i < old->n_enum_type; i++) {
		const char *name = old->enum_type[i]->name;
		int64_t at = name_index_find(&names, bytes_of_text(name));
		struct strict_spot below;

		if (at < 0) {
			check_removed_enum(checker, spot, name, spot->pointer);
			continue;
		}
		below = strict_below(checker, spot, name, MESSAGE_ENUM, (size_t)at);
		check_enum(checker, &below, old->enum_type[i], update->enum_type[at]);
	}
}

/* ---- messages ---- */

static void check_nested(struct strict_checker *checker, const struct strict_spot *spot,
			 const struct protobuf_message *old, const struct protobuf_message *update);

static struct strict_message view_message(struct strict_checker *checker, const struct protobuf_message *table)
{
	return (struct strict_message){.full_name = table->base.full_name,
				       .proto = table->source,
				       .table = table,
				       .reserved = strict_reserved_of_message(checker, table->source)};
}

static void check_message(struct strict_checker *checker, const struct strict_spot *spot,
			  const struct protobuf_message *old_table, const struct protobuf_message *update_table)
{
	struct strict_message old = view_message(checker, old_table);
	struct strict_message update = view_message(checker, update_table);

	strict_check_fields(checker, spot, &old, &update);
	strict_check_message_ranges(checker, spot, &old, &update);
	check_enums(checker, spot, old.proto, update.proto);
	check_nested(checker, spot, old_table, update_table);
}

static const char *last_name(const struct protobuf_message *message)
{
	return message->source->name;
}

/* A message that is gone is told of by the plain rules. */
static void check_nested(struct strict_checker *checker, const struct strict_spot *spot,
			 const struct protobuf_message *old, const struct protobuf_message *update)
{
	struct name_index names = {0};

	for (size_t i = 0; i < update->nested_count && old->nested_count > 0; i++)
		(void)name_index_add(&names, &checker->arena, last_name(&update->nested[i]), i); /* unique */
	for (size_t i = 0; i < old->nested_count; i++) {
		const char *name = last_name(&old->nested[i]);
		int64_t at = name_index_find(&names, bytes_of_text(name));
		struct strict_spot below;

		if (at < 0 || old->nested[i].is_map_entry)
			continue;
		below = strict_below(checker, spot, name, MESSAGE_NESTED, (size_t)at);
		check_message(checker, &below, &old->nested[i], &update->nested[at]);
	}
}

/* ---- files ---- */

static struct strict_spot spot_of_type(struct strict_checker *checker, const struct strict_type *type, const char *name)
{
	return (struct strict_spot){arena_format(&checker->arena, "#/%s", name), type->file->schema, type->pointer};
}

static void check_messages_of_file(struct strict_checker *checker, const struct strict_file *old)
{
	for (size_t i = 0; i < old->proto->n_message_type; i++) {
		const char *name = old->proto->message_type[i]->name;
		const char *full_name = strict_join(&checker->arena, old->proto->package, name);
		struct strict_type type;
		struct strict_spot spot;

		if (!strict_find_type(checker, full_name, &type) || !type.message)
			continue;
		spot = spot_of_type(checker, &type, name);
		check_message(checker, &spot, protobuf_find_message(checker->old, bytes_of_text(full_name)),
			      type.message);
	}
}

static void check_enums_of_file(struct strict_checker *checker, const struct strict_file *old)
{
	const struct strict_spot root = {"#", checker->update, ""};
	bool is_own = strict_is_own(&checker->old_files, old);

	for (size_t i = 0; i < old->proto->n_enum_type; i++) {
		const char *name = old->proto->enum_type[i]->name;
		struct strict_type type;
		struct strict_spot spot;
		bool is_there =
			strict_find_type(checker, strict_join(&checker->arena, old->proto->package, name), &type);

		if (is_own && (!is_there || !strict_is_own(&checker->update_files, type.file)))
			check_removed_enum(checker, &root, name, STRICT_BEGINNING);
		if (!is_there || !type.enumeration)
			continue;
		spot = spot_of_type(checker, &type, name);
		check_enum(checker, &spot, old->proto->enum_type[i], type.enumeration);
	}
}

static void check_files(struct strict_checker *checker)
{
	const struct strict_files *old = &checker->old_files;
	const file_proto *before = checker->old->protobuf->resolved;

	strict_collect_files(checker);
	strict_collect_extensions(checker);
	for (size_t i = old->count; i-- > 0;) { /* the schema's own first */
		if (!old->items[i].schema)
			continue;
		check_messages_of_file(checker, &old->items[i]);
		check_enums_of_file(checker, &old->items[i]);
	}
	strict_check_extensions(checker);
	strict_check_services(checker, before);
	strict_check_options(checker, before, checker->update->protobuf->resolved);
}

bool protobuf_strict_check(const struct schema *old, const struct schema *update, enum compat_strictness strictness,
			   struct compat_reporter *reporter)
{
	struct strict_checker checker = {
		.reporter = reporter, .old = old, .update = update, .strictness = strictness, .fits = true};

	if (strcmp(old->protobuf->file.package, update->protobuf->file.package) != 0)
		return true; /* told of, and no name is the same */
	if (schema_equal(old, update))
		return true;
	arena_init(&checker.arena, 0);
	check_files(&checker);
	arena_release(&checker.arena);
	return checker.fits;
}
