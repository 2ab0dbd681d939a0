/*
 * strict_files.c - which files the two schemas reach, and in which of the new ones a type is (protobuf_strict.h).
 *
 * How: a schema's tables hold the descriptors of all that it imports, under the names of its references; the reference of a file
 *      is the schema in whose text its parts have their lines.
 */
#include "schema-registry/model/protobuf_strict.h"

const char *strict_join(struct arena *arena, const char *scope, const char *name)
{
	return scope && *scope ? arena_format(arena, "%s.%s", scope, name) : name;
}

/* ---- files ---- */

struct owners {
	struct arena *arena;
	struct name_index names;
	const struct schema **schemas;
	size_t count;
};

/* Of two references with one name the first counts, as it does for the parser. */
static void add_owners(struct owners *owners, const struct schema *schema)
{
	for (size_t i = 0; i < schema->reference_count; i++) {
		const struct schema_reference *reference = &schema->references[i];

		if (owners->count < SCHEMA_REFERENCES_MAX &&
		    name_index_add(&owners->names, owners->arena, reference->name, owners->count)) {
			owners->schemas[owners->count++] = reference->schema;
			add_owners(owners, reference->schema);
		}
	}
}

static struct strict_files files_of(struct strict_checker *checker, const struct schema *schema)
{
	const Google__Protobuf__FileDescriptorSet *set = schema->protobuf->files;
	struct strict_files files = {.items = arena_alloc(&checker->arena, set->n_file * sizeof(*files.items)),
				     .count = set->n_file};
	struct owners owners = {.arena = &checker->arena};

	owners.schemas =
		arena_alloc(&checker->arena, (schema->reference_count ? SCHEMA_REFERENCES_MAX : 1) * sizeof(void *));
	add_owners(&owners, schema);
	for (size_t i = 0; i < set->n_file; i++) {
		bool is_own = i + 1 == set->n_file;
		int64_t at = is_own ? -1 : name_index_find(&owners.names, bytes_of_text(set->file[i]->name));

		files.items[i] = (struct strict_file){set->file[i], is_own    ? schema
								    : at >= 0 ? owners.schemas[at]
									      : NULL};
		if (!is_own)
			(void)name_index_add(&files.by_name, &checker->arena, set->file[i]->name, i); /* unique */
	}
	return files;
}

const struct strict_file *strict_successor(const struct strict_checker *checker, const struct strict_file *old)
{
	const struct strict_files *files = &checker->update_files;
	int64_t at;

	if (strict_is_own(&checker->old_files, old))
		return &files->items[files->count - 1];
	at = name_index_find(&files->by_name, bytes_of_text(old->proto->name));
	return at < 0 ? NULL : &files->items[at];
}

const struct strict_file *strict_files_beside(struct strict_checker *checker, size_t *ret_count)
{
	const struct compat_update *update = checker->reporter->update;
	size_t most = checker->strictness < STRICTNESS_STRICT ? update->beside_count : 0;
	struct strict_file *files = arena_alloc(&checker->arena, (most + 1) * sizeof(*files));
	size_t count = 0;

	for (size_t i = 0; i < most; i++) {
		if (schema_format(update->beside[i]) == SCHEMA_FORMAT_PROTOBUF)
			files[count++] = (struct strict_file){update->beside[i]->protobuf->resolved, update->beside[i]};
	}
	*ret_count = count;
	return files;
}

/* ---- types ---- */

static struct strict_type message_at(struct strict_checker *checker, const struct strict_file *file, size_t position,
				     const struct protobuf_message *table)
{
	return (struct strict_type){file, table, NULL,
				    arena_format(&checker->arena, "/%d/%zu", FILE_MESSAGE, position)};
}

static struct strict_type enum_at(struct strict_checker *checker, const struct strict_file *file, size_t position)
{
	return (struct strict_type){file, NULL, file->proto->enum_type[position],
				    arena_format(&checker->arena, "/%d/%zu", FILE_ENUM, position)};
}

static void add_types(struct strict_checker *checker, const struct strict_file *file, size_t *count)
{
	struct arena *arena = &checker->arena;

	for (size_t i = 0; i < file->proto->n_message_type; i++) {
		const char *name = strict_join(arena, file->proto->package, file->proto->message_type[i]->name);

		checker->update_type_list[*count] =
			message_at(checker, file, i, protobuf_find_message(checker->update, bytes_of_text(name)));
		(void)name_index_add(&checker->update_types, arena, name, *count); /* unique */
		(*count)++;
	}
	for (size_t i = 0; i < file->proto->n_enum_type; i++) {
		const char *name = strict_join(arena, file->proto->package, file->proto->enum_type[i]->name);

		checker->update_type_list[*count] = enum_at(checker, file, i);
		(void)name_index_add(&checker->update_types, arena, name, *count); /* unique */
		(*count)++;
	}
}

void strict_collect_files(struct strict_checker *checker)
{
	size_t count = 0;

	checker->old_files = files_of(checker, checker->old);
	checker->update_files = files_of(checker, checker->update);
	for (size_t i = 0; i < checker->update_files.count; i++)
		count += checker->update_files.items[i].proto->n_message_type +
			 checker->update_files.items[i].proto->n_enum_type;
	checker->update_type_list = arena_alloc(&checker->arena, (count + 1) * sizeof(*checker->update_type_list));
	count = 0;
	for (size_t i = 0; i < checker->update_files.count; i++) {
		if (checker->update_files.items[i].schema)
			add_types(checker, &checker->update_files.items[i], &count);
	}
}

/* Seldom needed, so there is no index of those. */
static bool find_enum_beside(struct strict_checker *checker, const char *full_name, struct strict_type *ret_type)
{
	size_t count;
	const struct strict_file *files = strict_files_beside(checker, &count);

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < files[i].proto->n_enum_type; k++) {
			const char *name = strict_join(&checker->arena, files[i].proto->package,
						       files[i].proto->enum_type[k]->name);

			if (strcmp(name, full_name) == 0) {
				*ret_type = enum_at(checker, &files[i], k);
				return true;
			}
		}
	}
	return false;
}

static bool find_message_beside(struct strict_checker *checker, const char *full_name, struct strict_type *ret_type)
{
	const struct schema *schema;
	const struct protobuf_message *message =
		checker->strictness < STRICTNESS_STRICT
			? protobuf_find_beside(checker->reporter, bytes_of_text(full_name), &schema)
			: NULL;
	struct strict_file *file;

	if (!message || message->parent)
		return false;
	file = arena_alloc(&checker->arena, sizeof(*file));
	*file = (struct strict_file){schema->protobuf->resolved, schema};
	*ret_type = message_at(checker, file, (size_t)(message - schema->protobuf->file.messages), message);
	return true;
}

bool strict_find_type(struct strict_checker *checker, const char *full_name, struct strict_type *ret_type)
{
	int64_t at = name_index_find(&checker->update_types, bytes_of_text(full_name));

	if (at < 0)
		return find_message_beside(checker, full_name, ret_type) ||
		       find_enum_beside(checker, full_name, ret_type);
	*ret_type = checker->update_type_list[at];
	return true;
}
