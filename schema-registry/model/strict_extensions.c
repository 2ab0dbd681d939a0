/*
 * strict_extensions.c - the extensions that both files and their imports declare, wherever in them (protobuf_strict.h).
 *
 * Rules: an extension is the message that it extends and its number; its full name, in brackets, is what JSON has. It may move
 *        between files and their messages, and become a field of that message or come from one: the wire is the same.
 */
#include <stdlib.h>

#include "schema-registry/model/protobuf_strict.h"

/* ---- collecting ---- */

static size_t count_in(const message_proto *message)
{
	size_t count = message->n_extension;

	for (size_t i = 0; i < message->n_nested_type; i++)
		count += count_in(message->nested_type[i]);
	return count;
}

static size_t count_of(const file_proto *file)
{
	size_t count = file->n_extension;

	for (size_t i = 0; i < file->n_message_type; i++)
		count += count_in(file->message_type[i]);
	return count;
}

struct collector {
	struct arena *arena;
	const struct strict_file *file;
	struct strict_extensions *result;
};

static void add(struct collector *collector, const char *scope, field_proto *const *fields, size_t count,
		const char *pointer, int field_number)
{
	for (size_t i = 0; i < count; i++) {
		const char *full_name = strict_join(collector->arena, scope, fields[i]->name);

		collector->result->items[collector->result->count++] = (struct strict_extension){
			.file = collector->file,
			.field = fields[i],
			.extendee = fields[i]->extendee + (fields[i]->extendee[0] == '.'),
			.full_name = full_name,
			.json_name = arena_format(collector->arena, "[%s]", full_name),
			.pointer = arena_format(collector->arena, "%s/%d/%zu", pointer, field_number, i),
		};
	}
}

static void add_message(struct collector *collector, const char *scope, const message_proto *message,
			const char *pointer)
{
	const char *full_name = strict_join(collector->arena, scope, message->name);

	add(collector, full_name, message->extension, message->n_extension, pointer, MESSAGE_EXTENSION);
	for (size_t i = 0; i < message->n_nested_type; i++)
		add_message(collector, full_name, message->nested_type[i],
			    arena_format(collector->arena, "%s/%d/%zu", pointer, MESSAGE_NESTED, i));
}

static int compare_extensions(const void *a, const void *b)
{
	const struct strict_extension *left = a;
	const struct strict_extension *right = b;
	int order = strcmp(left->extendee, right->extendee);

	if (order != 0)
		return order;
	return (left->field->number > right->field->number) - (left->field->number < right->field->number);
}

static void collect_file(struct strict_checker *checker, const struct strict_file *file,
			 struct strict_extensions *result)
{
	struct collector collector = {&checker->arena, file, result};

	add(&collector, file->proto->package, file->proto->extension, file->proto->n_extension, "", FILE_EXTENSION);
	for (size_t i = 0; i < file->proto->n_message_type; i++)
		add_message(&collector, file->proto->package, file->proto->message_type[i],
			    arena_format(&checker->arena, "/%d/%zu", FILE_MESSAGE, i));
}

/* Of two with one name, or one number, either may count: such files cannot be imported together. */
static void collect(struct strict_checker *checker, const struct strict_files *files, const struct strict_file *beside,
		    size_t beside_count, struct strict_extensions *result)
{
	size_t most = 0;

	for (size_t i = 0; i < files->count; i++)
		most += count_of(files->items[i].proto);
	for (size_t i = 0; i < beside_count; i++)
		most += count_of(beside[i].proto);
	result->items = arena_alloc(&checker->arena, (most + 1) * sizeof(*result->items));
	for (size_t i = 0; i < files->count; i++) {
		if (files->items[i].schema)
			collect_file(checker, &files->items[i], result);
	}
	for (size_t i = 0; i < beside_count; i++)
		collect_file(checker, &beside[i], result);
	if (result->count > 1)
		qsort(result->items, result->count, sizeof(*result->items), compare_extensions);
	for (size_t i = 0; i < result->count; i++)
		(void)name_index_add(&result->by_name, &checker->arena, result->items[i].full_name, i);
}

void strict_collect_extensions(struct strict_checker *checker)
{
	const struct strict_file *beside = NULL;
	size_t beside_count = 0;

	collect(checker, &checker->old_files, NULL, 0, &checker->old_extensions);
	if (checker->old_extensions.count > 0) /* else there is nothing that could have moved there */
		beside = strict_files_beside(checker, &beside_count);
	collect(checker, &checker->update_files, beside, beside_count, &checker->update_extensions);
}

/* ---- look-ups ---- */

const struct strict_extension *strict_find_extension(const struct strict_extensions *extensions, const char *extendee,
						     int32_t number)
{
	const field_proto field = {.number = number};
	const struct strict_extension key = {.field = &field, .extendee = extendee};

	if (extensions->count == 0)
		return NULL;
	return bsearch(&key, extensions->items, extensions->count, sizeof(key), compare_extensions);
}

static const struct strict_extension *find_name(const struct strict_extensions *extensions, const char *full_name)
{
	int64_t at = name_index_find(&extensions->by_name, bytes_of_text(full_name));

	return at < 0 ? NULL : &extensions->items[at];
}

/* One of the file that still extends that message; NULL: there is none. */
static const struct strict_extension *find_neighbour(const struct strict_extensions *extensions, const char *extendee,
						     const struct strict_file *file)
{
	for (size_t i = 0; i < extensions->count; i++) {
		if (extensions->items[i].file == file && strcmp(extensions->items[i].extendee, extendee) == 0)
			return &extensions->items[i];
	}
	return NULL;
}

static bool reserves(const message_proto *message, int32_t number)
{
	for (size_t i = 0; i < message->n_reserved_range; i++) {
		if (number >= message->reserved_range[i]->start && number < message->reserved_range[i]->end)
			return true;
	}
	return false;
}

struct strict_spot strict_spot_of_extension(struct strict_checker *checker, const struct strict_extension *extension)
{
	return (struct strict_spot){arena_format(&checker->arena, "#/%s", extension->json_name),
				    extension->file->schema, extension->pointer};
}

/* Where a message of the new files is, or its field; NULL: the message itself. */
static void set_place(struct strict_checker *checker, const struct protobuf_message *message,
		      const struct protobuf_field *field, struct strict_spot *spot)
{
	_cleanup_(buffer_release)
	struct buffer pointer = {0};
	struct schema_place place = protobuf_place_of(checker->update, message, field, &pointer);

	spot->schema = place.schema;
	spot->pointer = arena_strdup(&checker->arena, place.pointer);
}

static bool is_of_file(struct strict_checker *checker, const struct protobuf_message *message,
		       const struct strict_file *file)
{
	struct strict_type type;

	while (message->parent)
		message = message->parent;
	return strict_find_type(checker, message->base.full_name, &type) && type.file == file;
}

/* Beside the file's other extensions of the message, or else at the message if it is there, or else at the file's beginning. */
static struct strict_spot spot_of_removed(struct strict_checker *checker, const struct strict_extension *old,
					  const struct strict_file *file)
{
	const struct strict_extension *neighbour = find_neighbour(&checker->update_extensions, old->extendee, file);
	const struct protobuf_message *extendee = protobuf_find_message(checker->update, bytes_of_text(old->extendee));
	struct strict_spot spot = {arena_format(&checker->arena, "#/%s", old->json_name), file->schema,
				   STRICT_BEGINNING};

	if (neighbour)
		spot.pointer = neighbour->pointer;
	else if (extendee && is_of_file(checker, extendee, file))
		set_place(checker, extendee, NULL, &spot);
	return spot;
}

/* ---- rules ---- */

static void check_kept(struct strict_checker *checker, const struct strict_extension *old,
		       const struct strict_extension *update)
{
	struct strict_spot spot = strict_spot_of_extension(checker, update);

	strict_check_value(checker, &spot, old->field, update->field);
	strict_check_json_name(checker, &spot, old->json_name, update->json_name);
}

/* The same name, but of another message or with another number. */
static void report_moved(struct strict_checker *checker, const struct strict_extension *old,
			 const struct strict_extension *update)
{
	struct strict_spot spot = strict_spot_of_extension(checker, update);

	if (strcmp(old->extendee, update->extendee) != 0)
		strict_report(checker, &spot, "EXTENSION_EXTENDEE_CHANGED",
			      "keep the extension, and give that of the other message another name",
			      "extension '%s' extended '%s' and extends '%s'", old->full_name, old->extendee,
			      update->extendee);
	else
		strict_report(checker, &spot, "EXTENSION_NUMBER_CHANGED",
			      "give the extension its old number back, or a new name: old data has its value there",
			      "extension '%s' had number %d and has %d", old->full_name, old->field->number,
			      update->field->number);
}

/* Its values may live on in a field of the message. */
static bool check_field_instead(struct strict_checker *checker, const struct strict_extension *old,
				const struct protobuf_message *message)
{
	const struct protobuf_field *field = protobuf_find_number(message, (uint32_t)old->field->number);
	struct strict_spot spot;

	if (!field)
		return false;
	set_place(checker, message, field, &spot);
	spot.path = arena_format(&checker->arena, "#/%s/%u", message->local_name, field->number);
	strict_check_value(checker, &spot, old->field, message->source->field[field - message->fields]);
	strict_check_json_name(checker, &spot, old->json_name, field->json_name);
	return true;
}

static void check_removed(struct strict_checker *checker, const struct strict_extension *old)
{
	const struct protobuf_message *message = protobuf_find_message(checker->update, bytes_of_text(old->extendee));
	const struct strict_file *file = strict_successor(checker, old->file);
	bool is_strict = checker->strictness >= STRICTNESS_STRICT;
	struct strict_spot spot;

	if (!file) /* what is imported no longer is the affair of its own file */
		return;
	if (message && check_field_instead(checker, old, message))
		return;
	if (!is_strict && message && reserves(message->source, old->field->number))
		return;
	spot = spot_of_removed(checker, old, file);
	strict_report(checker, &spot, "EXTENSION_REMOVED",
		      is_strict ? "keep the extension, and mark it deprecated"
				: "keep it, or take its number out of the message's extensions and reserve it there",
		      "extension '%s' of '%s' with number %d is gone", old->full_name, old->extendee,
		      old->field->number);
}

void strict_check_extensions(struct strict_checker *checker)
{
	/* A report that is full says no less for what is left out. */
	for (size_t i = 0; i < checker->old_extensions.count && !strict_is_full(checker); i++) {
		const struct strict_extension *old = &checker->old_extensions.items[i];
		const struct strict_extension *same_name = find_name(&checker->update_extensions, old->full_name);
		const struct strict_extension *same_number =
			strict_find_extension(&checker->update_extensions, old->extendee, old->field->number);

		if (same_name && same_name != same_number)
			report_moved(checker, old, same_name);
		else if (!same_number)
			check_removed(checker, old);
		else if (same_name || !find_name(&checker->old_extensions, same_number->full_name))
			check_kept(checker, old, same_number); /* else the other one is told of as moved here */
	}
}
