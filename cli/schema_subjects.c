/* schema_subjects.c - see schema_subjects.h. */
#include "cli/schema_subjects.h"

#include "cli/schema_uses.h"

struct importer {
	const struct schema_file *file;
	const struct schema_import *import;
	const struct importer *next; /* in the tree's order */
};

struct search {
	const struct schema_tree *tree;
	const struct subject_map *map;
	struct registry_client *client;
	struct arena *arena;
	struct file_subjects *all;         /* by file */
	const struct importer **importers; /* by file */
	struct registry_entry **entries; /* by file: the newest version of its first subject; NULL: not asked for yet */
};

static int find_subjects(struct search *search, const struct schema_file *file, struct error *err);

static void add(struct search *search, struct file_subjects *subjects, const char *name)
{
	subjects->items = arena_alloc(search->arena, sizeof(*subjects->items));
	subjects->items[0] = (struct file_subject){.name = name};
	subjects->count = 1;
}

static bool add_from_map(struct search *search, const struct schema_file *file, struct file_subjects *subjects)
{
	const char *const *names;

	if (!search->map)
		return false;
	names = subject_map_of(search->map, file->name, search->arena, &subjects->count);
	subjects->items = arena_zalloc(search->arena, (subjects->count + 1) * sizeof(*subjects->items));
	for (size_t i = 0; i < subjects->count; i++)
		subjects->items[i].name = names[i];
	return subjects->count > 0;
}

/* ---- imported files ---- */

/* What the registry has of the importer; one that is not there yet refers to nothing. */
static int load_entry(struct search *search, const struct schema_file *importer, struct error *err)
{
	struct registry_entry *entry = arena_zalloc(search->arena, sizeof(*entry));

	if (search->entries[importer->index])
		return 0;
	if (registry_client_entry(search->client, search->all[importer->index].items[0].name, 0, search->arena, entry,
				  err) < 0 &&
	    err->code != ERR_NOT_FOUND)
		return -1;
	search->entries[importer->index] = entry;
	return 0;
}

/* The full name of an .avsc's own type; of a .proto NULL. */
static const char *type_of(const struct schema_file *file)
{
	return file->uses && file->uses->declared.count > 0 ? file->uses->declared.items[0] : NULL;
}

static const char *referred_subject(const struct registry_entry *entry, const struct schema_import *import)
{
	const char *type = type_of(import->file);

	for (size_t i = 0; i < entry->reference_count; i++) {
		const char *name = entry->references[i].name;

		if (strcmp(name, import->name) == 0 || (type && strcmp(name, type) == 0))
			return entry->references[i].subject;
	}
	return NULL;
}

static void list_importers(struct search *search)
{
	for (size_t i = search->tree->count; i-- > 0;) {
		const struct schema_file *file = search->tree->files[i];

		for (size_t k = file->import_count; k-- > 0;) {
			const struct importer **list = &search->importers[file->imports[k].file->index];
			struct importer *importer = arena_alloc(search->arena, sizeof(*importer));

			*importer = (struct importer){file, &file->imports[k], *list};
			*list = importer;
		}
	}
}

/* The importers in the tree's order: the first that is registered with a reference decides, else the first of all. */
static int add_from_importers(struct search *search, const struct schema_file *file, struct file_subjects *subjects,
			      struct error *err)
{
	const char *by_import = NULL;

	for (const struct importer *at = search->importers[file->index]; at; at = at->next) {
		const char *referred;

		if (find_subjects(search, at->file, err) < 0)
			return -1;
		if (search->all[at->file->index].count == 0)
			continue;
		if (load_entry(search, at->file, err) < 0)
			return -1;
		referred = referred_subject(search->entries[at->file->index], at->import);
		if (referred) {
			add(search, subjects, referred);
			return 0;
		}
		if (!by_import)
			by_import = type_of(file) ? type_of(file) : at->import->name;
	}
	if (by_import) {
		add(search, subjects, by_import);
		subjects->is_named_by_import = true;
	}
	return 0;
}

/* ---- all files ---- */

/* Imports that run in a circle are problems of their files, but their subjects are asked for all the same. */
static int find_subjects(struct search *search, const struct schema_file *file, struct error *err)
{
	struct file_subjects *subjects = &search->all[file->index];

	if (subjects->state != FILE_SUBJECTS_UNKNOWN)
		return 0;
	subjects->state = FILE_SUBJECTS_UNDER_WAY;
	if (!add_from_map(search, file, subjects) && add_from_importers(search, file, subjects, err) < 0)
		return -1;
	if (subjects->count == 0 && !search->map)
		add(search, subjects, subject_by_rule(search->arena, file->name));
	subjects->state = FILE_SUBJECTS_KNOWN;
	return 0;
}

/* Both know of each other then. */
static void find_rivals(struct search *search)
{
	struct name_index index = {0};

	for (size_t i = 0; i < search->tree->count; i++) {
		for (size_t k = 0; k < search->all[i].count; k++) {
			struct file_subject *subject = &search->all[i].items[k];
			int64_t at = name_index_find(&index, bytes_of_text(subject->name));

			if (at < 0) {
				(void)name_index_add(&index, search->arena, subject->name, i); /* it is new */
				continue;
			}
			subject->rival = search->tree->files[at];
			for (size_t n = 0; n < search->all[at].count; n++) {
				if (strcmp(search->all[at].items[n].name, subject->name) == 0)
					search->all[at].items[n].rival = search->tree->files[i];
			}
		}
	}
}

int schema_subjects_find(const struct schema_tree *tree, const struct subject_map *map, struct registry_client *client,
			 struct arena *arena, struct file_subjects **ret_subjects, struct error *err)
{
	struct search search = {.tree = tree,
				.map = map,
				.client = client,
				.arena = arena,
				.all = arena_zalloc(arena, (tree->count + 1) * sizeof(*search.all)),
				.importers = arena_zalloc(arena, (tree->count + 1) * sizeof(struct importer *)),
				.entries = arena_zalloc(arena, (tree->count + 1) * sizeof(struct registry_entry *))};

	list_importers(&search);
	for (size_t i = 0; i < tree->count; i++) {
		if (find_subjects(&search, tree->files[i], err) < 0)
			return -1;
	}
	find_rivals(&search);
	*ret_subjects = search.all;
	return 0;
}
