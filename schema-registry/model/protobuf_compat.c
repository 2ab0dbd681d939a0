/*
 * protobuf_compat.c - may one .proto file become another? (compat.h)
 *
 * Rules: messages stay, in the same package and place; a field's number keeps its kind; oneofs may grow, but a field may not
 *        go into one that exists, nor two into a new one, nor one out of it; required fields neither come nor go. Names of fields,
 *        contents of enums, options, services and freed numbers are not looked at: they do not change the wire.
 * How:   messages of the file are compared by name; those of imports where a field leads to them, and at the stricter levels all
 *        that both import.
 */
#include "schema-registry/model/compat_reporter.h"
#include "schema-registry/model/protobuf.h"

struct checker {
	struct compat_reporter *reporter;
	const struct schema *original;
	const struct schema *update;
	const char *original_name; /* "old" or "new" */
	const char *update_name;
	enum compat_strictness strictness;
	struct arena arena;
	struct name_index imported; /* pairs with imported messages that were compared already */
	int depth;
};

static bool compare_messages(struct checker *checker, const struct protobuf_message *original,
			     const struct protobuf_message *update);

static void append_message_path(struct buffer *out, const struct protobuf_message *message)
{
	const char *dot;
	const char *at = message->local_name;

	buffer_append_byte(out, '#');
	for (; (dot = strchr(at, '.')); at = dot + 1)
		buffer_append_format(out, "/%.*s", (int)(dot - at), at);
	buffer_append_format(out, "/%s", at);
}

static void report(struct checker *checker, const struct protobuf_message *message, const struct protobuf_field *field,
		   struct compat_finding finding, const char *format, ...) PRINTF_LIKE(5, 6);

/* Messages at the top may be in another file by now. */
static bool may_move(const struct checker *checker)
{
	return checker->strictness == STRICTNESS_WIRE || checker->strictness == STRICTNESS_WIRE_JSON;
}

/* The schema in which the message, or what is around it, has to be looked for. */
static const struct schema *home_of(const struct checker *checker, const struct protobuf_message *message)
{
	const struct bytes name = bytes_of_text(message->base.full_name);
	const struct schema *home;

	if (checker->reporter->is_forward)
		return checker->original;
	if (!may_move(checker) || protobuf_find_message(checker->update, name) ||
	    !protobuf_find_beside(checker->reporter, name, &home))
		return checker->update;
	return home;
}

/* `field` NULL: the message itself. Adds "at path '…'" to the text. */
static void report(struct checker *checker, const struct protobuf_message *message, const struct protobuf_field *field,
		   struct compat_finding finding, const char *format, ...)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};
	_cleanup_(buffer_release)
	struct buffer path = {0};
	_cleanup_(buffer_release)
	struct buffer pointer = {0};
	va_list args;

	append_message_path(&path, message);
	if (field)
		buffer_append_format(&path, "/%u", field->number);
	finding.path = buffer_text(&path);
	finding.place = protobuf_place_of(home_of(checker, message), message, field, &pointer);
	va_start(args, format);
	buffer_append_va(&text, format, args);
	va_end(args);
	compat_reporter_add(checker->reporter, &finding, "%s at path '%s'", buffer_text(&text), finding.path);
}

#define REPORT(checker, message, field, type_, hint_, ...)                                                             \
	report(checker, message, field, (struct compat_finding){.type = (type_), .hint = (hint_)}, __VA_ARGS__)

/* What to do in the new schema: in the direction FORWARD it is the original, which cannot be brought back. */
static const char *advice(const struct checker *checker, const char *backward, const char *forward)
{
	return checker->reporter->is_forward ? forward : backward;
}

/* Key and value of a map are the fields of its entry, which nobody has written. */
static const char *field_text(const struct protobuf_message *message, const struct protobuf_field *field,
			      struct buffer *out)
{
	const struct protobuf_field *map = message->is_map_entry ? protobuf_field_of_entry(message) : NULL;

	buffer_append_format(out, "%s%s%s", map ? map->name : "", map ? "." : "", field->name);
	return buffer_text(out);
}

/* ---- kinds ---- */

enum field_class { CLASS_SCALAR, CLASS_MAP, CLASS_MESSAGE };

static enum field_class class_of(const struct protobuf_field *field)
{
	if (field->map_entry)
		return CLASS_MAP;
	return field->message ? CLASS_MESSAGE : CLASS_SCALAR;
}

/* Scalars of one group have the same form on the wire; the group's first kind stands for it. */
static enum protobuf_kind group_of(enum protobuf_kind kind)
{
	switch (kind) {
	case PROTOBUF_INT64:
	case PROTOBUF_UINT32:
	case PROTOBUF_UINT64:
	case PROTOBUF_BOOL:
	case PROTOBUF_ENUM:
		return PROTOBUF_INT32;
	case PROTOBUF_SINT64:
		return PROTOBUF_SINT32;
	case PROTOBUF_BYTES:
		return PROTOBUF_STRING;
	case PROTOBUF_SFIXED32:
		return PROTOBUF_FIXED32;
	case PROTOBUF_SFIXED64:
		return PROTOBUF_FIXED64;
	default:
		return kind;
	}
}

static const char *kind_text(const struct protobuf_field *field)
{
	static const char *const names[PROTOBUF_KIND_COUNT] = {
		[PROTOBUF_DOUBLE] = "double",     [PROTOBUF_FLOAT] = "float",     [PROTOBUF_INT64] = "int64",
		[PROTOBUF_UINT64] = "uint64",     [PROTOBUF_INT32] = "int32",     [PROTOBUF_FIXED64] = "fixed64",
		[PROTOBUF_FIXED32] = "fixed32",   [PROTOBUF_BOOL] = "bool",       [PROTOBUF_STRING] = "string",
		[PROTOBUF_GROUP] = "group",       [PROTOBUF_MESSAGE] = "message", [PROTOBUF_BYTES] = "bytes",
		[PROTOBUF_UINT32] = "uint32",     [PROTOBUF_ENUM] = "enum",       [PROTOBUF_SFIXED32] = "sfixed32",
		[PROTOBUF_SFIXED64] = "sfixed64", [PROTOBUF_SINT32] = "sint32",   [PROTOBUF_SINT64] = "sint64"};

	if (field->map_entry)
		return "map";
	return field->message ? field->message->local_name : names[field->kind];
}

/* ---- types of fields ---- */

static bool compare_targets(struct checker *checker, const struct protobuf_message *message,
			    const struct protobuf_field *original, const struct protobuf_field *update)
{
	if (strcmp(original->message->local_name, update->message->local_name) != 0) {
		_cleanup_(buffer_release)
		struct buffer name = {0};

		REPORT(checker, message, update, "FIELD_NAMED_TYPE_CHANGED", "use a new number for the other type",
		       "field '%s' has type '%s' in the %s schema and '%s' in the %s schema,",
		       field_text(message, update, &name), original->message->local_name, checker->original_name,
		       update->message->local_name, checker->update_name);
		return false;
	}
	if (original->message->is_own && update->message->is_own)
		return true; /* compared with the file */
	return compare_messages(checker, original->message, update->message);
}

static bool compare_types(struct checker *checker, const struct protobuf_message *message,
			  const struct protobuf_field *original, const struct protobuf_field *update)
{
	enum field_class class = class_of(update);
	_cleanup_(buffer_release)
	struct buffer name = {0};

	if (class_of(original) != class) {
		REPORT(checker, message, update, "FIELD_KIND_CHANGED", "use a new number for the other type",
		       "field '%s' has type '%s' in the %s schema and '%s' in the %s schema,",
		       field_text(message, update, &name), kind_text(original), checker->original_name,
		       kind_text(update), checker->update_name);
		return false;
	}
	if (class == CLASS_MESSAGE)
		return compare_targets(checker, message, original, update);
	if (class == CLASS_MAP) {
		bool fits = compare_types(checker, update->map_entry, protobuf_find_number(original->map_entry, 1),
					  protobuf_find_number(update->map_entry, 1));

		return compare_types(checker, update->map_entry, protobuf_find_number(original->map_entry, 2),
				     protobuf_find_number(update->map_entry, 2)) &&
		       fits;
	}
	if (group_of(original->kind) == group_of(update->kind))
		return true;
	REPORT(checker, message, update, "FIELD_SCALAR_KIND_CHANGED", "use a new number for the other type",
	       "field '%s' has type '%s' in the %s schema and '%s' in the %s schema,",
	       field_text(message, update, &name), kind_text(original), checker->original_name, kind_text(update),
	       checker->update_name);
	return false;
}

/* Texts, bytes and messages read the last of several; numbers may be packed, and a reader of one would see none. */
static bool compare_labels(struct checker *checker, const struct protobuf_message *message,
			   const struct protobuf_field *original, const struct protobuf_field *update)
{
	static const char *const names[] = {"none", "optional", "required", "repeated"};
	bool is_numeric = class_of(original) == CLASS_SCALAR && group_of(original->kind) != PROTOBUF_STRING;

	if (!is_numeric || original->label == update->label || original->label == PROTOBUF_IMPLICIT ||
	    update->label == PROTOBUF_IMPLICIT)
		return true;
	REPORT(checker, message, update, "FIELD_NUMERIC_LABEL_CHANGED", "use a new number for the other label",
	       "field '%s' is %s in the %s schema and %s in the %s schema,", update->name, names[original->label],
	       checker->original_name, names[update->label], checker->update_name);
	return false;
}

/* ---- fields outside of oneofs ---- */

/* The field of that number that is in no oneof. */
static const struct protobuf_field *find_plain(const struct protobuf_message *message, uint32_t number)
{
	const struct protobuf_field *field = protobuf_find_number(message, number);

	return field && field->oneof < 0 ? field : NULL;
}

static bool compare_plain_fields(struct checker *checker, const struct protobuf_message *original,
				 const struct protobuf_message *update)
{
	bool fits = true;

	for (size_t i = 0; i < original->field_count; i++) {
		const struct protobuf_field *before = &original->fields[i];
		const struct protobuf_field *after = find_plain(update, before->number);

		if (before->oneof >= 0)
			continue;
		if (after) {
			fits &= compare_types(checker, update, before, after);
			fits &= compare_labels(checker, update, before, after);
		} else if (before->label == PROTOBUF_REQUIRED) {
			REPORT(checker, original, before, "REQUIRED_FIELD_REMOVED",
			       advice(checker, "keep the field", "make the field optional"),
			       "the required field '%s' of the %s schema is missing in the %s schema,", before->name,
			       checker->original_name, checker->update_name);
			fits = false;
		}
	}
	for (size_t i = 0; i < update->field_count; i++) {
		const struct protobuf_field *after = &update->fields[i];

		if (after->label != PROTOBUF_REQUIRED || find_plain(original, after->number))
			continue;
		REPORT(checker, update, after, "REQUIRED_FIELD_ADDED",
		       advice(checker, "make the field optional", "keep the field"),
		       "the required field '%s' of the %s schema is missing in the %s schema,", after->name,
		       checker->update_name, checker->original_name);
		fits = false;
	}
	return fits;
}

/* ---- oneofs ---- */

static bool compare_old_members(struct checker *checker, const struct protobuf_message *original, int32_t original_at,
				const struct protobuf_message *update, int32_t update_at)
{
	const struct protobuf_oneof *oneof = &original->oneofs[original_at];
	bool fits = true;

	for (size_t i = 0; i < oneof->member_count; i++) {
		const struct protobuf_field *before = &original->fields[oneof->members[i]];
		const struct protobuf_field *after = protobuf_find_number(update, before->number);

		if (after && after->oneof == update_at) {
			fits &= compare_types(checker, update, before, after);
			continue;
		}
		REPORT(checker, original, before, "ONEOF_FIELD_REMOVED",
		       advice(checker, "keep the field in its oneof", "add the field outside of the oneof"),
		       "field '%s' of oneof '%s' in the %s schema is not in it in the %s schema,", before->name,
		       oneof->name, checker->original_name, checker->update_name);
		fits = false;
	}
	return fits;
}

static bool compare_new_members(struct checker *checker, const struct protobuf_message *original, bool is_new_oneof,
				const struct protobuf_message *update, int32_t update_at)
{
	const struct protobuf_oneof *oneof = &update->oneofs[update_at];
	const struct protobuf_field *last = NULL;
	size_t moved = 0;

	for (size_t i = 0; i < oneof->member_count; i++) {
		const struct protobuf_field *after = &update->fields[oneof->members[i]];

		if (find_plain(original, after->number)) {
			last = after;
			moved++;
		}
	}
	if (!is_new_oneof && moved > 0) {
		REPORT(checker, update, last, "FIELD_MOVED_TO_EXISTING_ONEOF",
		       advice(checker, "leave the field outside of the oneof", "leave the field in its oneof"),
		       "field '%s' of the %s schema is in the existing oneof '%s' in the %s schema,", last->name,
		       checker->original_name, oneof->name, checker->update_name);
		return false;
	}
	if (is_new_oneof && moved > 1) {
		REPORT(checker, update, last, "MULTIPLE_FIELDS_MOVED_TO_ONEOF",
		       advice(checker, "move one field at most", "leave the fields in their oneof"),
		       "%zu fields of the %s schema are in the new oneof '%s' in the %s schema,", moved,
		       checker->original_name, oneof->name, checker->update_name);
		return false;
	}
	return true;
}

static bool compare_oneofs(struct checker *checker, const struct protobuf_message *original,
			   const struct protobuf_message *update)
{
	bool fits = true;

	for (size_t i = 0; i < update->oneof_count; i++) {
		int32_t original_at =
			(int32_t)name_index_find(&original->oneof_index, bytes_of_text(update->oneofs[i].name));

		if (original_at >= 0)
			fits &= compare_old_members(checker, original, original_at, update, (int32_t)i);
		fits &= compare_new_members(checker, original, original_at < 0, update, (int32_t)i);
	}
	return fits;
}

/* ---- messages ---- */

const struct protobuf_message *protobuf_find_beside(const struct compat_reporter *reporter, struct bytes full_name,
						    const struct schema **ret_schema)
{
	for (size_t i = 0; i < reporter->update->beside_count; i++) {
		const struct schema *schema = reporter->update->beside[i];
		const struct protobuf_message *message = schema_format(schema) == SCHEMA_FORMAT_PROTOBUF
								 ? protobuf_find_message(schema, full_name)
								 : NULL;

		if (message && message->is_own) {
			*ret_schema = schema;
			return message;
		}
	}
	return NULL;
}

/* What a message has become; NULL: it is gone. */
static const struct protobuf_message *find_update(struct checker *checker, const struct protobuf_message *original,
						  const struct protobuf_message *parent)
{
	const char *package = checker->update->protobuf->file.package;
	const char *scope = parent ? parent->base.full_name : package;
	const char *last = strrchr(original->local_name, '.');
	const struct protobuf_message *update;
	const struct schema *home;
	_cleanup_(buffer_release)
	struct buffer name = {0};

	buffer_append_format(&name, "%s%s%s", scope, scope[0] ? "." : "", last ? last + 1 : original->local_name);
	update = protobuf_find_message(checker->update, buffer_bytes(&name));
	if (update && !update->is_map_entry && (parent || update->is_own || may_move(checker)))
		return update;
	return may_move(checker) && !parent ? protobuf_find_beside(checker->reporter, buffer_bytes(&name), &home)
					    : NULL;
}

static bool compare_lists(struct checker *checker, const struct protobuf_message *originals, size_t original_count,
			  const struct protobuf_message *parent)
{
	bool fits = true;

	for (size_t i = 0; i < original_count; i++) {
		const struct protobuf_message *update;

		if (originals[i].is_map_entry)
			continue;
		update = find_update(checker, &originals[i], parent);
		if (update) {
			fits &= compare_messages(checker, &originals[i], update);
			continue;
		}
		REPORT(checker, &originals[i], NULL, "MESSAGE_REMOVED",
		       advice(checker, "keep the message, in its place", "declare the new message in another file"),
		       "message '%s' of the %s schema is missing in the %s schema,", originals[i].local_name,
		       checker->original_name, checker->update_name);
		fits = false;
	}
	return fits;
}

/* Those at the top of all files that are imported. What is imported no longer is the affair of its own file. */
static bool compare_imported(struct checker *checker)
{
	const struct protobuf_schema *original = checker->original->protobuf;
	bool fits = true;

	for (size_t i = 0; i < original->messages.count; i++) {
		const struct protobuf_message *message = original->message_list[i];
		const struct protobuf_message *update =
			message->is_own || message->parent
				? NULL
				: protobuf_find_message(checker->update, bytes_of_text(message->base.full_name));

		if (update)
			fits &= compare_messages(checker, message, update);
	}
	return fits;
}

/* True when the pair is new. Fields may lead to what is imported, and they may do so more than once. */
static bool add_imported(struct checker *checker, const struct protobuf_message *original,
			 const struct protobuf_message *update)
{
	const struct protobuf_message **pair;

	if (original->is_own && update->is_own)
		return true; /* met with the file, once */
	pair = arena_alloc(&checker->arena, 2 * sizeof(*pair));
	pair[0] = original;
	pair[1] = update;
	return name_index_add_bytes(&checker->imported, &checker->arena,
				    (struct bytes){(const uint8_t *)pair, 2 * sizeof(*pair)}, 0);
}

static bool compare_messages(struct checker *checker, const struct protobuf_message *original,
			     const struct protobuf_message *update)
{
	bool fits;

	if (checker->depth == COMPAT_DEPTH_MAX) {
		REPORT(checker, update, NULL, "NESTED_TOO_DEEP", "make the schema flatter",
		       "more than %d messages are nested", COMPAT_DEPTH_MAX);
		return false;
	}
	if (!add_imported(checker, original, update))
		return true; /* judged already, or under way */
	checker->depth++;
	fits = compare_plain_fields(checker, original, update);
	fits &= compare_oneofs(checker, original, update);
	fits &= compare_lists(checker, original->nested, original->nested_count, update);
	checker->depth--;
	return fits;
}

static bool compare_packages(struct checker *checker)
{
	const char *original = checker->original->protobuf->file.package;
	const char *update = checker->update->protobuf->file.package;
	struct compat_finding finding = {
		.type = "PACKAGE_CHANGED", .hint = "keep the package, or use another subject", .path = "#/"};
	_cleanup_(buffer_release)
	struct buffer pointer = {0};

	if (strcmp(original, update) == 0)
		return true;
	finding.place = protobuf_place_of(checker->reporter->is_forward ? checker->original : checker->update, NULL,
					  NULL, &pointer);
	compat_reporter_add(checker->reporter, &finding,
			    "the package '%s' of the %s schema is '%s' in the %s schema, at path '#/'", original,
			    checker->original_name, update, checker->update_name);
	return false;
}

bool protobuf_compat_check(const struct schema *original, const struct schema *update,
			   enum compat_strictness strictness, struct compat_reporter *reporter)
{
	struct checker checker = {.reporter = reporter,
				  .original = original,
				  .update = update,
				  .original_name = reporter->is_forward ? "new" : "old",
				  .update_name = reporter->is_forward ? "old" : "new",
				  .strictness = strictness};
	bool fits = compare_packages(&checker);

	arena_init(&checker.arena, 0);
	fits &= compare_lists(&checker, original->protobuf->file.messages, original->protobuf->file.message_count,
			      NULL);
	if (strictness)
		fits &= compare_imported(&checker);
	arena_release(&checker.arena);
	return fits;
}
