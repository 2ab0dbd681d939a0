/* fit.c - see fit.h. */
#include "coordinator/definition/fit.h"

#include <assert.h>

/* Pairs of records that are being compared further up: a record may contain itself. */
struct fit_pair {
	const struct schema_type *source;
	const struct schema_type *target;
	const struct fit_pair *next;
};

struct fit_context {
	struct arena *arena;
	const struct fit_pair *seen;
};

static const char *describe_kind(enum schema_kind kind, const struct schema_field *field, struct arena *arena)
{
	static const char *const names[] = {
		[SCHEMA_KIND_NULL] = "null",
		[SCHEMA_KIND_BOOL] = "bool",
		[SCHEMA_KIND_INT] = "int",
		[SCHEMA_KIND_FLOAT] = "float",
		[SCHEMA_KIND_TEXT] = "text",
		[SCHEMA_KIND_BYTES] = "bytes",
		[SCHEMA_KIND_ENUM] = "enum",
		[SCHEMA_KIND_LIST] = "list",
		[SCHEMA_KIND_MAP] = "map",
		[SCHEMA_KIND_RECORD] = "record",
		[SCHEMA_KIND_UNION] = "union of several types",
	};

	if (kind == SCHEMA_KIND_INT)
		return arena_format(arena, "%sint%d", field->is_signed ? "" : "u", field->bits);
	if (kind == SCHEMA_KIND_FLOAT)
		return field->bits == 32 ? "float" : "double";
	return names[kind];
}

const char *fit_describe(const struct schema_field *field, struct arena *arena)
{
	if (field->kind == SCHEMA_KIND_LIST || field->kind == SCHEMA_KIND_MAP)
		return arena_format(arena, "%s of %s", field->kind == SCHEMA_KIND_LIST ? "list" : "map",
				    describe_kind(field->element_kind, field, arena));
	return describe_kind(field->kind, field, arena);
}

static bool int_fits(const struct schema_field *source, const struct schema_field *target)
{
	if (source->is_signed == target->is_signed)
		return source->bits <= target->bits;
	return target->is_signed && source->bits < target->bits;
}

static const char *check_records(struct fit_context *context, const struct schema_type *source,
				 const struct schema_type *target);

/* `kind` of each: the field's own, or its element's. */
static const char *check_kinds(struct fit_context *context, enum schema_kind source_kind,
			       const struct schema_field *source, enum schema_kind target_kind,
			       const struct schema_field *target)
{
	bool is_fit = source_kind == target_kind;

	if (source_kind == SCHEMA_KIND_INT && target_kind == SCHEMA_KIND_INT)
		is_fit = int_fits(source, target);
	else if (source_kind == SCHEMA_KIND_INT && target_kind == SCHEMA_KIND_FLOAT)
		is_fit = source->bits <= 32 && target->bits == 64;
	else if (source_kind == SCHEMA_KIND_FLOAT && target_kind == SCHEMA_KIND_FLOAT)
		is_fit = source->bits <= target->bits;
	else if (source_kind == SCHEMA_KIND_ENUM && target_kind == SCHEMA_KIND_TEXT)
		is_fit = true;
	else if (source_kind == SCHEMA_KIND_UNION || source_kind == SCHEMA_KIND_NULL)
		is_fit = false; /* which of the types it holds is known at run time only */
	if (!is_fit)
		return arena_format(context->arena, "%s does not fit %s", fit_describe(source, context->arena),
				    fit_describe(target, context->arena));
	return source_kind == SCHEMA_KIND_RECORD ? check_records(context, source->record, target->record) : NULL;
}

static const char *check_fields(struct fit_context *context, const struct schema_field *source,
				const struct schema_field *target)
{
	const bool is_collection = target->kind == SCHEMA_KIND_LIST || target->kind == SCHEMA_KIND_MAP;

	if (!is_collection || source->kind != target->kind)
		return check_kinds(context, source->kind, source, target->kind, target);
	if (source->element_kind == SCHEMA_KIND_LIST || source->element_kind == SCHEMA_KIND_MAP)
		return "lists of lists or maps cannot be mapped";
	return check_kinds(context, source->element_kind, source, target->element_kind, target);
}

/* One field inside of a record, filled by equal name. */
static const char *check_member(struct fit_context *context, const struct schema_type *source,
				const struct schema_field *target)
{
	struct schema_field field;
	const char *why;

	if (!schema_type_find(source, target->name, &field))
		return target->is_optional ? NULL
					   : arena_format(context->arena, "%s: %s has no such field", target->name,
							  schema_type_name(source));
	if (field.is_nullable && !target->is_optional)
		return arena_format(context->arena, "%s: may be absent, but is required", target->name);
	why = check_fields(context, &field, target);
	if (!why)
		return NULL;
	/* `a: b: why` reads better as `a.b: why`. */
	return arena_format(context->arena, "%s%s%s", target->name, strchr(why, ':') ? "." : ": ", why);
}

static const char *check_records(struct fit_context *context, const struct schema_type *source,
				 const struct schema_type *target)
{
	const struct fit_pair pair = {source, target, context->seen};
	const char *why = NULL;

	assert(source && target);
	if (source == target)
		return NULL;
	for (const struct fit_pair *seen = context->seen; seen; seen = seen->next)
		if (seen->source == source && seen->target == target)
			return NULL;
	context->seen = &pair;
	for (size_t i = 0; i < schema_type_field_count(target) && !why; i++) {
		const struct schema_field field = schema_type_field(target, i);

		why = check_member(context, source, &field);
	}
	context->seen = pair.next;
	return why;
}

const char *fit_check(const struct schema_field *source, const struct schema_field *target, struct arena *arena)
{
	struct fit_context context = {.arena = arena};

	return check_fields(&context, source, target);
}

/* ---- values ---- */
static struct value fit_record(const struct value *value, const struct schema_type *target, struct arena *arena)
{
	struct value record = value_record();

	if (value->kind != VALUE_RECORD)
		return *value;
	for (size_t i = 0; i < schema_type_field_count(target); i++) {
		const struct schema_field field = schema_type_field(target, i);
		const struct value *member = value_get(value, field.name);

		if (member && (member->kind != VALUE_NULL || field.is_nullable))
			value_set(arena, &record, field.name, fit_value(member, &field, arena));
	}
	return record;
}

static struct value fit_list(const struct value *value, const struct schema_type *target, struct arena *arena)
{
	struct value list = *value;

	list.list.items = arena_alloc(arena, (value->list.count + 1) * sizeof(*list.list.items));
	for (size_t i = 0; i < value->list.count; i++)
		list.list.items[i] = fit_record(&value->list.items[i], target, arena);
	return list;
}

static struct value fit_map(const struct value *value, const struct schema_type *target, struct arena *arena)
{
	struct value map = *value;

	map.record.fields = arena_copy(arena, value->record.fields, value->record.count * sizeof(*map.record.fields));
	map.record.capacity = value->record.count;
	for (size_t i = 0; i < value->record.count; i++)
		map.record.fields[i].value = fit_record(&value->record.fields[i].value, target, arena);
	return map;
}

struct value fit_value(const struct value *value, const struct schema_field *target, struct arena *arena)
{
	if (!target->record)
		return *value;
	if (target->kind == SCHEMA_KIND_LIST && value->kind == VALUE_LIST)
		return fit_list(value, target->record, arena);
	if (target->kind == SCHEMA_KIND_MAP && value->kind == VALUE_RECORD)
		return fit_map(value, target->record, arena);
	return fit_record(value, target->record, arena);
}
