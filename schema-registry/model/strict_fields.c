/* strict_fields.c - the fields of a message that is in both files (protobuf_strict.h). */
#include "schema-registry/model/protobuf_strict.h"

/* ---- type, count and default ---- */

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
static bool keeps_meaning(const struct strict_checker *checker, enum protobuf_kind old, enum protobuf_kind update)
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

static void check_type(struct strict_checker *checker, const struct strict_spot *spot, const char *name,
		       const field_proto *old, const field_proto *update)
{
	bool is_same = old->type == update->type &&
		       strcmp(old->type_name ? old->type_name : "", update->type_name ? update->type_name : "") == 0;

	if (is_same || strict_has_finding(checker, spot) ||
	    keeps_meaning(checker, (enum protobuf_kind)old->type, (enum protobuf_kind)update->type))
		return;
	strict_report(checker, spot, "FIELD_TYPE_CHANGED", "use a new number for the other type",
		      "field '%s' changes its type from '%s' to '%s'", name, type_text(old), type_text(update));
}

static const char *label_text(const field_proto *field)
{
	switch (field->label) {
	case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED:
		return "repeated";
	case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REQUIRED:
		return "required";
	default:
		return field->proto3_optional ? "optional" : "singular";
	}
}

static void check_label(struct strict_checker *checker, const struct strict_spot *spot, const field_proto *old,
			const field_proto *update)
{
	bool is_kept = old->label == update->label;

	if (checker->strictness >= STRICTNESS_STRICT)
		is_kept = is_kept && old->proto3_optional == update->proto3_optional;
	if (is_kept || strict_has_finding(checker, spot))
		return;
	strict_report(checker, spot, "FIELD_LABEL_CHANGED", "use a new number for the other label",
		      "field '%s' was %s and is %s", update->name, label_text(old), label_text(update));
}

static void check_default(struct strict_checker *checker, const struct strict_spot *spot, const field_proto *old,
			  const field_proto *update)
{
	const char *before = old->default_value ? old->default_value : "none";
	const char *after = update->default_value ? update->default_value : "none";

	if (!old->default_value != !update->default_value || strcmp(before, after) != 0)
		strict_report(checker, spot, "FIELD_DEFAULT_CHANGED",
			      "keep the default: it is what absent values of old data mean",
			      "the default of field '%s' changes from '%s' to '%s'", update->name, before, after);
}

void strict_check_value(struct strict_checker *checker, const struct strict_spot *spot, const field_proto *old,
			const field_proto *update)
{
	check_type(checker, spot, update->name, old, update);
	check_label(checker, spot, old, update);
	check_default(checker, spot, old, update);
}

/* The entry of a map field; NULL: it is no map. */
static const message_proto *entry_of(const struct strict_message *message, const struct protobuf_field *field)
{
	return field->map_entry && field->map_entry->parent == message->table
		       ? message->proto->nested_type[field->map_entry - message->table->nested]
		       : NULL;
}

/* The entry's name follows that of the field, so of maps only keys and values are compared. */
static bool check_map(struct strict_checker *checker, const struct strict_spot *spot, const struct strict_message *old,
		      const struct protobuf_field *before, const struct strict_message *update,
		      const struct protobuf_field *after)
{
	const message_proto *old_entry = entry_of(old, before);
	const message_proto *entry = entry_of(update, after);

	if (!old_entry || !entry)
		return false;
	for (size_t i = 0; i < old_entry->n_field && i < entry->n_field; i++)
		check_type(checker, spot, after->name, old_entry->field[i], entry->field[i]);
	return true;
}

/* ---- oneofs and names ---- */

/* NULL: in none. proto3's `optional` is none. */
static const char *oneof_of(const struct strict_message *message, const struct protobuf_field *field)
{
	return field->oneof < 0 ? NULL : message->table->oneofs[field->oneof].name;
}

static bool has_oneof(const struct strict_message *message, const char *name)
{
	return name_index_find(&message->table->oneof_index, bytes_of_text(name)) >= 0;
}

/* A oneof that only has another name is the same on the wire and in JSON. */
static void check_oneof(struct strict_checker *checker, const struct strict_spot *spot,
			const struct strict_message *old_message, const struct protobuf_field *old,
			const struct strict_message *update_message, const struct protobuf_field *update)
{
	const char *before = oneof_of(old_message, old);
	const char *after = oneof_of(update_message, update);

	if ((!before && !after) || (before && after && strcmp(before, after) == 0) || strict_has_finding(checker, spot))
		return;
	if (before && after && checker->strictness < STRICTNESS_STRICT && !has_oneof(old_message, after) &&
	    !has_oneof(update_message, before))
		return;
	strict_report(checker, spot, "FIELD_ONEOF_CHANGED", "leave the field in its oneof, or outside of it",
		      "field '%s' moves from %s%s to %s%s", update->name, before ? "oneof " : "no oneof",
		      before ? before : "", after ? "oneof " : "no oneof", after ? after : "");
}

void strict_check_json_name(struct strict_checker *checker, const struct strict_spot *spot, const char *old,
			    const char *update)
{
	if (checker->strictness < STRICTNESS_WIRE_JSON || strcmp(old, update) == 0)
		return;
	strict_report(checker, spot, "FIELD_JSON_NAME_CHANGED", "keep the name that JSON has for it",
		      "the name in JSON changes from '%s' to '%s'", old, update);
}

static void check_names(struct strict_checker *checker, const struct strict_spot *spot,
			const struct protobuf_field *old, const struct protobuf_field *update)
{
	bool is_renamed = strcmp(old->name, update->name) != 0;
	bool has_other_json_name = strcmp(old->json_name, update->json_name) != 0;

	if (checker->strictness < STRICTNESS_WIRE_JSON)
		return;
	if (is_renamed && (has_other_json_name || checker->strictness >= STRICTNESS_STRICT))
		strict_report(checker, spot, "FIELD_RENAMED",
			      checker->strictness >= STRICTNESS_STRICT
				      ? "keep the name"
				      : "keep the name, or set json_name to the old one",
			      "field '%s' was called '%s'", update->name, old->name);
	else
		strict_check_json_name(checker, spot, old->json_name, update->json_name);
}

/* ---- numbers ---- */

static const struct protobuf_field *find_name(const struct protobuf_message *table, const char *name)
{
	int64_t at = name_index_find(&table->field_index, bytes_of_text(name));

	return at >= 0 && strcmp(table->fields[at].name, name) == 0 ? &table->fields[at] : NULL;
}

/* The field that has the old one's name under another number; NULL: there is none. To begin anew under a number that was never
 * used, with the old one reserved, is no such move where names do not count. */
static const struct protobuf_field *find_moved(const struct strict_checker *checker, const struct strict_message *old,
					       const struct protobuf_field *before, const struct strict_message *update)
{
	const struct protobuf_field *after = find_name(update->table, before->name);
	bool begins_anew;

	if (!after || after->number == before->number)
		return NULL;
	begins_anew = strict_reserves_number(&update->reserved, before->number) &&
		      !protobuf_find_number(old->table, after->number);
	return begins_anew && checker->strictness == STRICTNESS_WIRE ? NULL : after;
}

/* Of two fields with one number and two names: one of them has moved here or from here. */
static bool is_told_of_as_moved(const struct strict_message *old, const struct protobuf_field *before,
				const struct strict_message *update, const struct protobuf_field *after)
{
	return strcmp(before->name, after->name) != 0 &&
	       (find_name(update->table, before->name) || find_name(old->table, after->name));
}

static struct strict_spot field_spot(struct strict_checker *checker, const struct strict_spot *spot,
				     const struct strict_message *message, const struct protobuf_field *field)
{
	return strict_below(checker, spot, arena_format(&checker->arena, "%u", field->number), MESSAGE_FIELD,
			    (size_t)(field - message->table->fields));
}

static void check_numbers(struct strict_checker *checker, const struct strict_spot *spot,
			  const struct strict_message *old, const struct strict_message *update)
{
	for (size_t i = 0; i < old->table->field_count; i++) {
		const struct protobuf_field *before = &old->table->fields[i];
		const struct protobuf_field *after = find_moved(checker, old, before, update);
		struct strict_spot place;

		if (!after)
			continue;
		place = field_spot(checker, spot, update, after);
		strict_report(checker, &place, "FIELD_NUMBER_CHANGED",
			      "give the field its old number back, or a new name: old data has its value there",
			      "field '%s' had number %u and has %u", after->name, before->number, after->number);
	}
}

/* ---- fields that are gone ---- */

/* Its values may live on in an extension of the same number; only JSON has another name for it then. */
static bool check_extension_instead(struct strict_checker *checker, const struct strict_message *old, size_t at)
{
	const field_proto *before = old->proto->field[at];
	const struct strict_extension *after =
		strict_find_extension(&checker->update_extensions, old->full_name, before->number);
	struct strict_spot spot;

	if (!after)
		return false;
	spot = strict_spot_of_extension(checker, after);
	strict_check_value(checker, &spot, before, after->field);
	strict_check_json_name(checker, &spot, old->table->fields[at].json_name, after->json_name);
	return true;
}

static void check_removed(struct strict_checker *checker, const struct strict_spot *spot,
			  const struct strict_message *old, size_t at, const struct strict_message *update)
{
	const field_proto *before = old->proto->field[at];
	const char *number = arena_format(&checker->arena, "%d", before->number);
	const struct strict_spot gone = strict_gone(checker, spot, number, spot->pointer);

	if (check_extension_instead(checker, old, at))
		return;
	if (checker->strictness >= STRICTNESS_STRICT)
		strict_report(checker, &gone, "FIELD_REMOVED", "keep the field, and mark it deprecated",
			      "field '%s' with number %d is gone", before->name, before->number);
	else if (!strict_reserves_number(&update->reserved, before->number))
		strict_report(checker, &gone, "FIELD_REMOVED_UNRESERVED", "reserve its number, and its name",
			      "field '%s' is gone and its number %d is not reserved", before->name, before->number);
	else if (checker->strictness >= STRICTNESS_WIRE_JSON && !strict_reserves_name(&update->reserved, before->name))
		strict_report(checker, &gone, "FIELD_REMOVED_UNRESERVED", "reserve its name, too",
			      "field '%s' is gone and its name is not reserved", before->name);
}

void strict_check_fields(struct strict_checker *checker, const struct strict_spot *spot,
			 const struct strict_message *old, const struct strict_message *update)
{
	check_numbers(checker, spot, old, update); /* first: what is told of there is not told of as a rename, too */
	for (size_t i = 0; i < old->table->field_count; i++) {
		const struct protobuf_field *before = &old->table->fields[i];
		const struct protobuf_field *after = protobuf_find_number(update->table, before->number);
		struct strict_spot place;
		size_t at;

		if (!after) {
			if (!find_moved(checker, old, before, update))
				check_removed(checker, spot, old, i, update);
			continue;
		}
		at = (size_t)(after - update->table->fields);
		place = field_spot(checker, spot, update, after);
		if (is_told_of_as_moved(old, before, update, after))
			continue;
		if (check_map(checker, &place, old, before, update, after))
			check_label(checker, &place, old->proto->field[i], update->proto->field[at]);
		else
			strict_check_value(checker, &place, old->proto->field[i], update->proto->field[at]);
		check_oneof(checker, &place, old, before, update, after);
		check_names(checker, &place, before, after);
	}
}
