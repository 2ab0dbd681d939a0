/*
 * protobuf_strict.c - what WIRE, WIRE_JSON and STRICT refuse beyond the plain rules (compat.h).
 *
 * WIRE:      a number that is given up is reserved and stays so; a value keeps its meaning: its scalar within the varints, its
 *            enum, its count, its oneof, its default.
 * WIRE_JSON: names and forms in JSON stay, too; names that are given up are reserved.
 * STRICT:    nothing that generated code has a name for goes or changes its type.
 * How:       along the descriptors of the two files, message by message and enum by enum, matched by name.
 */
#include "schema-registry/model/compat_reporter.h"
#include "schema-registry/model/protobuf.h"

typedef Google__Protobuf__DescriptorProto message_proto;
typedef Google__Protobuf__EnumDescriptorProto enum_proto;
typedef Google__Protobuf__FieldDescriptorProto field_proto;
typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__ServiceDescriptorProto service_proto;

struct checker {
	struct compat_reporter *reporter;
	const struct schema *old;
	const struct schema *update;
	enum compat_strictness strictness;
	bool fits;
};

/* Where we are in the new file; `path` is what findings show, `pointer` what finds the line. */
struct spot {
	const char *path;
	const char *pointer;
};

/* A part of the spot: `format` of the path's next step, and the two numbers of the pointer's. */
#define SPOT_BELOW(name, spot, field_number, position, ...)                                                            \
	_cleanup_(buffer_release)                                                                                      \
	struct buffer name##_path = {0};                                                                               \
	_cleanup_(buffer_release)                                                                                      \
	struct buffer name##_pointer = {0};                                                                            \
	buffer_append_format(&name##_path, "%s/", (spot)->path);                                                       \
	buffer_append_format(&name##_path, __VA_ARGS__);                                                               \
	buffer_append_format(&name##_pointer, "%s/%d/%zu", (spot)->pointer, field_number, (size_t)(position));         \
	struct spot name = {buffer_text(&name##_path), buffer_text(&name##_pointer)}

#define REPORT(checker, spot, rule, advice, ...)                                                                       \
	do {                                                                                                           \
		struct compat_finding finding_ = {.type = (rule),                                                      \
						  .path = (spot)->path,                                                \
						  .hint = (advice),                                                    \
						  .place = {(checker)->update, (spot)->pointer}};                      \
		compat_reporter_add((checker)->reporter, &finding_, __VA_ARGS__);                                      \
		(checker)->fits = false;                                                                               \
	} while (0)

/* ---- reserved numbers and names ---- */

struct range { /* both ends are in it */
	int64_t first;
	int64_t last;
};

/* Is every number of the range in one of the others? */
static bool is_covered(struct range range, const struct range *others, size_t count)
{
	for (int64_t at = range.first; at <= range.last;) {
		size_t i = 0;

		while (i < count && (others[i].first > at || others[i].last < at))
			i++;
		if (i == count)
			return false;
		at = others[i].last + 1;
	}
	return true;
}

static struct range *message_ranges(const message_proto *message)
{
	struct range *ranges = xcalloc(message->n_reserved_range + 1, sizeof(*ranges));

	for (size_t i = 0; i < message->n_reserved_range; i++) /* a message's end is one past its last */
		ranges[i] = (struct range){message->reserved_range[i]->start, message->reserved_range[i]->end - 1};
	return ranges;
}

static struct range *enum_ranges(const enum_proto *enumeration)
{
	struct range *ranges = xcalloc(enumeration->n_reserved_range + 1, sizeof(*ranges));

	for (size_t i = 0; i < enumeration->n_reserved_range; i++)
		ranges[i] = (struct range){enumeration->reserved_range[i]->start, enumeration->reserved_range[i]->end};
	return ranges;
}

static bool has_text(char *const *texts, size_t count, const char *wanted)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(texts[i], wanted) == 0)
			return true;
	}
	return false;
}

static void check_ranges(struct checker *checker, const struct spot *spot, const struct range *old, size_t old_count,
			 const struct range *update, size_t update_count)
{
	for (size_t i = 0; i < old_count; i++) {
		if (is_covered(old[i], update, update_count))
			continue;
		REPORT(checker, spot, "RESERVED_NUMBER_FREED",
		       "keep the numbers reserved; old data may still hold them",
		       "numbers of %lld to %lld were reserved and are no longer, at path '%s'", (long long)old[i].first,
		       (long long)old[i].last, spot->path);
	}
}

static void check_reserved_names(struct checker *checker, const struct spot *spot, char *const *old, size_t old_count,
				 char *const *update, size_t update_count)
{
	for (size_t i = 0; i < old_count && checker->strictness >= STRICTNESS_WIRE_JSON; i++) {
		if (!has_text(update, update_count, old[i]))
			REPORT(checker, spot, "RESERVED_NAME_FREED",
			       "keep the name reserved; old JSON may still hold it",
			       "the name '%s' was reserved and is no longer, at path '%s'", old[i], spot->path);
	}
}

/* ---- fields ---- */

static bool is_varint(enum protobuf_kind kind)
{
	return kind == PROTOBUF_INT32 || kind == PROTOBUF_INT64 || kind == PROTOBUF_UINT32 || kind == PROTOBUF_UINT64 ||
	       kind == PROTOBUF_BOOL;
}

static bool is_pair(enum protobuf_kind a, enum protobuf_kind b, enum protobuf_kind one, enum protobuf_kind other)
{
	return (a == one && b == other) || (a == other && b == one);
}

/* May a value of the old kind be read as the new one, and stay what it was? Both differ. */
static bool keeps_meaning(const struct checker *checker, enum protobuf_kind old, enum protobuf_kind update)
{
	bool same_json = is_pair(old, update, PROTOBUF_INT32, PROTOBUF_UINT32) ||
			 is_pair(old, update, PROTOBUF_INT64, PROTOBUF_UINT64) ||
			 is_pair(old, update, PROTOBUF_FIXED32, PROTOBUF_SFIXED32) ||
			 is_pair(old, update, PROTOBUF_FIXED64, PROTOBUF_SFIXED64);

	if (checker->strictness >= STRICTNESS_STRICT)
		return false;
	if (checker->strictness == STRICTNESS_WIRE_JSON)
		return same_json;
	return same_json || (is_varint(old) && is_varint(update)) ||
	       is_pair(old, update, PROTOBUF_SINT32, PROTOBUF_SINT64) ||
	       (old == PROTOBUF_STRING && update == PROTOBUF_BYTES);
}

static const char *type_text(const field_proto *field)
{
	static const char *const names[] = {"?",       "double",   "float",    "int64",  "uint64",  "int32", "fixed64",
					    "fixed32", "bool",     "string",   "group",  "message", "bytes", "uint32",
					    "enum",    "sfixed32", "sfixed64", "sint32", "sint64"};

	return field->type_name ? field->type_name + (field->type_name[0] == '.') : names[field->type];
}

static void check_type(struct checker *checker, const struct spot *spot, const field_proto *old,
		       const field_proto *update)
{
	struct schema_place place = {checker->update, spot->pointer};
	bool is_same = old->type == update->type &&
		       strcmp(old->type_name ? old->type_name : "", update->type_name ? update->type_name : "") == 0;

	if (is_same || compat_reporter_has(checker->reporter, &place) ||
	    keeps_meaning(checker, (enum protobuf_kind)old->type, (enum protobuf_kind)update->type))
		return;
	REPORT(checker, spot, "FIELD_TYPE_CHANGED", "use a new number for the other type",
	       "field '%s' changes its type from '%s' to '%s', at path '%s'", update->name, type_text(old),
	       type_text(update), spot->path);
}

static void check_label(struct checker *checker, const struct spot *spot, const field_proto *old,
			const field_proto *update)
{
	struct schema_place place = {checker->update, spot->pointer};
	bool is_kept = old->label == update->label;

	if (checker->strictness >= STRICTNESS_STRICT)
		is_kept = is_kept && old->proto3_optional == update->proto3_optional;
	if (is_kept || compat_reporter_has(checker->reporter, &place))
		return;
	REPORT(checker, spot, "FIELD_LABEL_CHANGED", "use a new number for the other label",
	       "field '%s' changes how often it may occur, at path '%s'", update->name, spot->path);
}

/* NULL: in none. proto3's `optional` is none. */
static const char *oneof_of(const message_proto *message, const field_proto *field)
{
	if (!field->has_oneof_index || field->proto3_optional)
		return NULL;
	return message->oneof_decl[field->oneof_index]->name;
}

static bool has_oneof(const message_proto *message, const char *name)
{
	for (size_t i = 0; i < message->n_oneof_decl; i++) {
		if (strcmp(message->oneof_decl[i]->name, name) == 0)
			return true;
	}
	return false;
}

/* A oneof that only has another name is the same on the wire and in JSON. */
static void check_oneof(struct checker *checker, const struct spot *spot, const message_proto *old_message,
			const field_proto *old, const message_proto *update_message, const field_proto *update)
{
	struct schema_place place = {checker->update, spot->pointer};
	const char *before = oneof_of(old_message, old);
	const char *after = oneof_of(update_message, update);

	if ((!before && !after) || (before && after && strcmp(before, after) == 0) ||
	    compat_reporter_has(checker->reporter, &place))
		return;
	if (before && after && checker->strictness < STRICTNESS_STRICT && !has_oneof(old_message, after) &&
	    !has_oneof(update_message, before))
		return;
	REPORT(checker, spot, "FIELD_ONEOF_CHANGED", "leave the field in its oneof, or outside of it",
	       "field '%s' moves from %s%s to %s%s, at path '%s'", update->name, before ? "oneof " : "no oneof",
	       before ? before : "", after ? "oneof " : "no oneof", after ? after : "", spot->path);
}

static void check_names(struct checker *checker, const struct spot *spot, const struct protobuf_field *old,
			const struct protobuf_field *update)
{
	bool is_strict = checker->strictness >= STRICTNESS_STRICT;

	if (checker->strictness < STRICTNESS_WIRE_JSON || !old || !update ||
	    (strcmp(old->json_name, update->json_name) == 0 && (!is_strict || strcmp(old->name, update->name) == 0)))
		return;
	REPORT(checker, spot, "FIELD_RENAMED", "keep the name, or set json_name to the old one",
	       "field '%s' was called '%s', at path '%s'", update->name, old->name, spot->path);
}

static void check_default(struct checker *checker, const struct spot *spot, const field_proto *old,
			  const field_proto *update)
{
	const char *before = old->default_value ? old->default_value : "";
	const char *after = update->default_value ? update->default_value : "";

	if (strcmp(before, after) != 0)
		REPORT(checker, spot, "FIELD_DEFAULT_CHANGED",
		       "keep the default: it is what absent values of old data mean",
		       "the default of field '%s' changes from '%s' to '%s', at path '%s'", update->name, before, after,
		       spot->path);
}

/* The position of the field with that number, or count. */
static size_t find_field(const message_proto *message, int32_t number)
{
	size_t i = 0;

	while (i < message->n_field && message->field[i]->number != number)
		i++;
	return i;
}

static void check_removed(struct checker *checker, const struct spot *spot, const field_proto *old,
			  const message_proto *update)
{
	_cleanup_(freep)
	struct range *ranges = message_ranges(update);
	struct range number = {old->number, old->number};

	if (checker->strictness >= STRICTNESS_STRICT)
		REPORT(checker, spot, "FIELD_REMOVED", "keep the field, and mark it deprecated",
		       "field '%s' with number %d is gone, at path '%s'", old->name, old->number, spot->path);
	else if (!is_covered(number, ranges, update->n_reserved_range))
		REPORT(checker, spot, "FIELD_REMOVED_UNRESERVED", "reserve its number, and its name",
		       "field '%s' is gone and its number %d is not reserved, at path '%s'", old->name, old->number,
		       spot->path);
	else if (checker->strictness >= STRICTNESS_WIRE_JSON &&
		 !has_text(update->reserved_name, update->n_reserved_name, old->name))
		REPORT(checker, spot, "FIELD_REMOVED_UNRESERVED", "reserve its name, too",
		       "field '%s' is gone and its name is not reserved, at path '%s'", old->name, spot->path);
}

static const struct protobuf_message *find_table(const struct schema *schema, const char *full_name)
{
	int64_t at = name_index_find(&schema->protobuf->messages, bytes_of_text(full_name));

	return at < 0 ? NULL : schema->protobuf->message_list[at];
}

/* The entry of a map field; NULL: it is no map. */
static const message_proto *entry_of(const message_proto *message, const field_proto *field)
{
	const char *dot = field->type_name ? strrchr(field->type_name, '.') : NULL;

	for (size_t i = 0; dot && i < message->n_nested_type; i++) {
		const message_proto *nested = message->nested_type[i];

		if (nested->options && nested->options->map_entry && strcmp(nested->name, dot + 1) == 0)
			return nested;
	}
	return NULL;
}

/* The entry's name follows that of the field, so of maps only keys and values are compared. */
static void check_field_type(struct checker *checker, const struct spot *spot, const message_proto *old_message,
			     const field_proto *old, const message_proto *update_message, const field_proto *update)
{
	const message_proto *old_entry = entry_of(old_message, old);
	const message_proto *entry = entry_of(update_message, update);

	if (!old_entry || !entry) {
		check_type(checker, spot, old, update);
		return;
	}
	for (size_t i = 0; i < old_entry->n_field && i < entry->n_field; i++)
		check_type(checker, spot, old_entry->field[i], entry->field[i]);
}

static void check_fields(struct checker *checker, const struct spot *spot, const message_proto *old,
			 const message_proto *update, const struct protobuf_message *old_table,
			 const struct protobuf_message *update_table)
{
	for (size_t i = 0; i < old->n_field; i++) {
		const field_proto *before = old->field[i];
		size_t at = find_field(update, before->number);
		const field_proto *after;

		if (at == update->n_field) {
			check_removed(checker, spot, before, update);
			continue;
		}
		after = update->field[at];
		SPOT_BELOW(field, spot, 2, at, "%d", after->number);
		check_field_type(checker, &field, old, before, update, after);
		check_label(checker, &field, before, after);
		check_oneof(checker, &field, old, before, update, after);
		check_default(checker, &field, before, after);
		check_names(checker, &field,
			    old_table ? protobuf_find_number(old_table, (uint32_t)before->number) : NULL,
			    update_table ? protobuf_find_number(update_table, (uint32_t)after->number) : NULL);
	}
}

/* ---- enums ---- */

/* The position of the value with that number, and with that name where a number has several; or count. */
static size_t find_value(const enum_proto *enumeration, int32_t number, const char *name)
{
	size_t found = enumeration->n_value;

	for (size_t i = enumeration->n_value; i-- > 0;) {
		if (enumeration->value[i]->number == number &&
		    (found == enumeration->n_value || strcmp(enumeration->value[i]->name, name) == 0))
			found = i;
		if (found == i && strcmp(enumeration->value[i]->name, name) == 0)
			break;
	}
	return found;
}

static void check_removed_value(struct checker *checker, const struct spot *spot, const char *name, int32_t number,
				const enum_proto *update)
{
	_cleanup_(freep)
	struct range *ranges = enum_ranges(update);
	bool is_reserved = is_covered((struct range){number, number}, ranges, update->n_reserved_range);

	if (checker->strictness >= STRICTNESS_STRICT)
		REPORT(checker, spot, "ENUM_VALUE_REMOVED", "keep the value, and mark it deprecated",
		       "value '%s' = %d is gone, at path '%s'", name, number, spot->path);
	else if (!is_reserved)
		REPORT(checker, spot, "ENUM_VALUE_REMOVED_UNRESERVED", "reserve its number, and its name",
		       "value '%s' is gone and its number %d is not reserved, at path '%s'", name, number, spot->path);
	else if (checker->strictness >= STRICTNESS_WIRE_JSON &&
		 !has_text(update->reserved_name, update->n_reserved_name, name))
		REPORT(checker, spot, "ENUM_VALUE_REMOVED_UNRESERVED", "reserve its name, too",
		       "value '%s' is gone and its name is not reserved, at path '%s'", name, spot->path);
}

static void check_enum(struct checker *checker, const struct spot *spot, const enum_proto *old,
		       const enum_proto *update)
{
	_cleanup_(freep)
	struct range *old_ranges = enum_ranges(old);
	_cleanup_(freep)
	struct range *update_ranges = enum_ranges(update);

	for (size_t i = 0; i < old->n_value; i++) {
		const char *name = old->value[i]->name;
		int32_t number = old->value[i]->number;
		size_t at = find_value(update, number, name);

		if (at == update->n_value) {
			check_removed_value(checker, spot, name, number, update);
		} else if (checker->strictness >= STRICTNESS_WIRE_JSON && strcmp(update->value[at]->name, name) != 0) {
			SPOT_BELOW(value, spot, 2, at, "%d", number);
			REPORT(checker, &value, "ENUM_VALUE_RENAMED", "keep the name: it is what JSON holds",
			       "value '%s' was called '%s', at path '%s'", update->value[at]->name, name, value.path);
		}
	}
	check_ranges(checker, spot, old_ranges, old->n_reserved_range, update_ranges, update->n_reserved_range);
	check_reserved_names(checker, spot, old->reserved_name, old->n_reserved_name, update->reserved_name,
			     update->n_reserved_name);
}

static void check_enums(struct checker *checker, const struct spot *spot, int field_number, enum_proto *const *old,
			size_t old_count, enum_proto *const *update, size_t update_count)
{
	for (size_t i = 0; i < old_count; i++) {
		size_t at = 0;

		while (at < update_count && strcmp(update[at]->name, old[i]->name) != 0)
			at++;
		if (at < update_count) {
			SPOT_BELOW(below, spot, field_number, at, "%s", old[i]->name);
			check_enum(checker, &below, old[i], update[at]);
		} else if (checker->strictness >= STRICTNESS_STRICT) {
			REPORT(checker, spot, "ENUM_REMOVED", "keep the enum", "enum '%s' is gone, at path '%s'",
			       old[i]->name, spot->path);
		}
	}
}

/* ---- messages ---- */

static void check_messages(struct checker *checker, const struct spot *spot, int field_number, const char *scope,
			   message_proto *const *old, size_t old_count, message_proto *const *update,
			   size_t update_count);

static void check_message(struct checker *checker, const struct spot *spot, const char *full_name,
			  const message_proto *old, const message_proto *update)
{
	_cleanup_(freep)
	struct range *old_ranges = message_ranges(old);
	_cleanup_(freep)
	struct range *update_ranges = message_ranges(update);

	check_fields(checker, spot, old, update, find_table(checker->old, full_name),
		     find_table(checker->update, full_name));
	check_ranges(checker, spot, old_ranges, old->n_reserved_range, update_ranges, update->n_reserved_range);
	check_reserved_names(checker, spot, old->reserved_name, old->n_reserved_name, update->reserved_name,
			     update->n_reserved_name);
	check_enums(checker, spot, 4, old->enum_type, old->n_enum_type, update->enum_type, update->n_enum_type);
	check_messages(checker, spot, 3, full_name, old->nested_type, old->n_nested_type, update->nested_type,
		       update->n_nested_type);
}

/* A message that is gone is told of by the plain rules. */
static void check_messages(struct checker *checker, const struct spot *spot, int field_number, const char *scope,
			   message_proto *const *old, size_t old_count, message_proto *const *update,
			   size_t update_count)
{
	for (size_t i = 0; i < old_count; i++) {
		size_t at = 0;

		while (at < update_count && strcmp(update[at]->name, old[i]->name) != 0)
			at++;
		if (at == update_count || (old[i]->options && old[i]->options->map_entry))
			continue;
		SPOT_BELOW(below, spot, field_number, at, "%s", old[i]->name);
		_cleanup_(buffer_release)
		struct buffer full_name = {0};

		buffer_append_format(&full_name, "%s%s%s", scope, *scope ? "." : "", old[i]->name);
		check_message(checker, &below, buffer_text(&full_name), old[i], update[at]);
	}
}

/* ---- what generated code has of the file itself ---- */

static void check_service(struct checker *checker, const struct spot *spot, const service_proto *old,
			  const service_proto *update)
{
	for (size_t i = 0; i < old->n_method; i++) {
		size_t at = 0;

		while (at < update->n_method && strcmp(update->method[at]->name, old->method[i]->name) != 0)
			at++;
		if (at == update->n_method) {
			REPORT(checker, spot, "RPC_REMOVED", "keep the rpc, and mark it deprecated",
			       "rpc '%s' is gone, at path '%s'", old->method[i]->name, spot->path);
			continue;
		}
		SPOT_BELOW(below, spot, 2, at, "%s", old->method[i]->name);
		if (strcmp(old->method[i]->input_type, update->method[at]->input_type) != 0 ||
		    strcmp(old->method[i]->output_type, update->method[at]->output_type) != 0 ||
		    old->method[i]->client_streaming != update->method[at]->client_streaming ||
		    old->method[i]->server_streaming != update->method[at]->server_streaming)
			REPORT(checker, &below, "RPC_CHANGED", "add an rpc instead",
			       "rpc '%s' has another request, answer or stream, at path '%s'", old->method[i]->name,
			       below.path);
	}
}

static void check_services(struct checker *checker, const struct spot *spot, const file_proto *old,
			   const file_proto *update)
{
	for (size_t i = 0; i < old->n_service; i++) {
		size_t at = 0;

		while (at < update->n_service && strcmp(update->service[at]->name, old->service[i]->name) != 0)
			at++;
		if (at == update->n_service) {
			REPORT(checker, spot, "SERVICE_REMOVED", "keep the service",
			       "service '%s' is gone, at path '%s'", old->service[i]->name, spot->path);
		} else {
			SPOT_BELOW(below, spot, 6, at, "%s", old->service[i]->name);
			check_service(checker, &below, old->service[i], update->service[at]);
		}
	}
}

static bool differs(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") != 0;
}

static void check_options(struct checker *checker, const file_proto *old, const file_proto *update)
{
	static const Google__Protobuf__FileOptions none; /* nothing is set */
	const Google__Protobuf__FileOptions *before = old->options ? old->options : &none;
	const Google__Protobuf__FileOptions *after = update->options ? update->options : &none;
	const struct spot spot = {"#/", "/8"};

	if (differs(before->java_package, after->java_package) || differs(before->go_package, after->go_package) ||
	    differs(before->csharp_namespace, after->csharp_namespace) ||
	    differs(before->java_outer_classname, after->java_outer_classname) ||
	    before->java_multiple_files != after->java_multiple_files)
		REPORT(checker, &spot, "FILE_OPTION_CHANGED", "keep the options that name generated code",
		       "a package, namespace or class name of generated code changes, at path '%s'", spot.path);
	if (differs(old->syntax && strcmp(old->syntax, "proto2") == 0 ? NULL : old->syntax,
		    update->syntax && strcmp(update->syntax, "proto2") == 0 ? NULL : update->syntax)) {
		const struct spot syntax = {"#/", "/12"};

		REPORT(checker, &syntax, "SYNTAX_CHANGED", "keep the syntax",
		       "the file has another syntax, at path '%s'", syntax.path);
	}
}

bool protobuf_strict_check(const struct schema *old, const struct schema *update, enum compat_strictness strictness,
			   struct compat_reporter *reporter)
{
	struct checker checker = {
		.reporter = reporter, .old = old, .update = update, .strictness = strictness, .fits = true};
	const file_proto *before = old->protobuf->resolved;
	const file_proto *after = update->protobuf->resolved;
	const struct spot root = {"#", ""};

	if (differs(before->package, after->package))
		return true; /* told of, and no name is the same */
	check_messages(&checker, &root, 4, before->package ? before->package : "", before->message_type,
		       before->n_message_type, after->message_type, after->n_message_type);
	check_enums(&checker, &root, 5, before->enum_type, before->n_enum_type, after->enum_type, after->n_enum_type);
	if (strictness >= STRICTNESS_STRICT) {
		check_services(&checker, &root, before, after);
		check_options(&checker, before, after);
	}
	return checker.fits;
}
