/* schema_tree.c - see schema_tree.h. */
#include "cli/schema_tree.h"

#include "cli/schema_uses.h"

struct reference_list {
	struct schema_reference items[SCHEMA_REFERENCES_MAX];
	struct schema_import imports[SCHEMA_REFERENCES_MAX]; /* the same, as files */
	size_t count;
	bool is_broken; /* one of them has problems of its own */
};

static void parse_file(struct schema_tree *tree, struct schema_file *file, int depth);

/* ---- files ---- */

static void complain(struct schema_file *file, const char *place, const char *text)
{
	if (!file->problems) {
		file->problems = xmalloc(sizeof(*file->problems));
		problems_init(file->problems);
	}
	problems_add(file->problems, place, "%s", text);
}

static struct schema_file *find_file(const struct schema_tree *tree, const char *name)
{
	int64_t at = name_index_find(&tree->by_name, bytes_of_text(name));

	return at < 0 ? NULL : tree->files[at];
}

const struct schema_file *schema_tree_find(const struct schema_tree *tree, const char *name)
{
	return find_file(tree, name);
}

const struct schema_file *schema_tree_of(const struct schema_tree *tree, const struct schema *schema)
{
	for (size_t i = 0; i < tree->count; i++) {
		if (tree->files[i]->schema == schema)
			return tree->files[i];
	}
	return NULL;
}

/* Reads it; what cannot be read is a problem of the file. The one that is known by that name already, if it is. */
static struct schema_file *add_file(struct schema_tree *tree, const char *name)
{
	struct schema_file *file = find_file(tree, name);
	struct error err;

	if (file)
		return file;
	file = arena_zalloc(&tree->arena, sizeof(*file));
	file->name = arena_strdup(&tree->arena, name);
	if (tree->count == tree->capacity) {
		tree->capacity = tree->capacity ? tree->capacity * 2 : 64;
		tree->files = xrealloc_array(tree->files, tree->capacity, sizeof(struct schema_file *));
	}
	(void)name_index_add(&tree->by_name, &tree->arena, file->name, tree->count); /* it is not there yet */
	file->index = tree->count;
	tree->files[tree->count++] = file;
	(void)file_tree_is_schema(name, &file->format); /* listed for that; an import of another name is a .proto */
	if (!strstr(name, ".avsc"))
		file->format = SCHEMA_FORMAT_PROTOBUF;
	if (file_tree_read(tree->source, name, &file->text, &err) < 0) {
		complain(file, "", err.msg);
		file->state = SCHEMA_FILE_DONE;
	}
	return file;
}

static const char *relative_to(const char *root, const char *name)
{
	size_t len = strlen(root);
	const char *slash = strrchr(name, '/');

	if (strcmp(root, name) == 0)
		return slash ? slash + 1 : name;
	if (len == 0 || strcmp(root, ".") == 0)
		return name;
	return name + len + (root[len - 1] != '/');
}

static int list_root(struct schema_tree *tree, size_t root, struct error *err)
{
	const char *const *names;
	size_t count;

	if (file_tree_list(tree->source, tree->roots[root], &names, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct schema_file *file = add_file(tree, names[i]);

		if (!file->relative) {
			file->relative = relative_to(tree->roots[root], file->name);
			file->root = root;
		}
	}
	tree->listed_count = tree->count;
	return 0;
}

/* A copy is no harm: each of two topics may have a file with all that it needs. */
static void complain_of_twins(struct schema_tree *tree, struct schema_file *first, struct schema_file *second,
			      const char *name)
{
	const char *format =
		"type '%s' is declared in '%s', too, and differently: rename one of them, or keep one alone";

	complain(first, "1:1", arena_format(&tree->arena, format, name, second->name));
	complain(second, "1:1", arena_format(&tree->arena, format, name, first->name));
}

static const char *definition_of(const struct schema_file *file, const char *name)
{
	const struct schema_names *declared = &file->uses->declared;

	for (size_t i = 0; i < declared->count; i++) {
		if (strcmp(declared->items[i], name) == 0)
			return file->uses->definitions.items[i];
	}
	return "";
}

/* Where several files declare a name, the first one counts; a name at the root of a file would be no better guess. */
static void index_types(struct schema_tree *tree, bool is_baseline)
{
	for (size_t i = 0; i < tree->listed_count; i++) {
		struct schema_file *file = tree->files[i];

		if (file->format != SCHEMA_FORMAT_AVRO || file->state == SCHEMA_FILE_DONE)
			continue;
		file->uses = schema_uses_of_avro(file->text, &tree->arena);
		for (size_t k = 0; k < file->uses->declared.count; k++) {
			const char *name = file->uses->declared.items[k];
			struct schema_file *first;

			if (name_index_add(&tree->by_type, &tree->arena, name, i))
				continue;
			first = tree->files[name_index_find(&tree->by_type, bytes_of_text(name))];
			if (first != file && !is_baseline &&
			    strcmp(definition_of(first, name), file->uses->definitions.items[k]) != 0)
				complain_of_twins(tree, first, file, name);
		}
	}
}

/* ---- imports ---- */

static const char *join(struct schema_tree *tree, const char *folder, size_t folder_len, const char *name)
{
	if (folder_len == 0 || (folder_len == 1 && *folder == '.'))
		return name;
	return arena_format(&tree->arena, "%.*s%s%s", (int)folder_len, folder, folder[folder_len - 1] == '/' ? "" : "/",
			    name);
}

/* NULL: nowhere. */
static const char *find_import(struct schema_tree *tree, const struct schema_file *importer, const char *name)
{
	const char *path;

	for (size_t i = 0; i < tree->import_path_count; i++) {
		path = join(tree, tree->import_paths[i], strlen(tree->import_paths[i]), name);
		if (file_tree_has(tree->source, path))
			return path;
	}
	for (size_t i = 0; i < tree->root_count; i++) {
		path = join(tree, tree->roots[i], strlen(tree->roots[i]), name);
		if (file_tree_has(tree->source, path))
			return path;
	}
	for (size_t len = strlen(importer->name); len > 0;) {
		while (len > 0 && importer->name[len - 1] != '/')
			len--;
		path = join(tree, importer->name, len, name);
		if (file_tree_has(tree->source, path))
			return path;
		len -= len > 0;
	}
	return NULL;
}

static void add_reference(struct schema_tree *tree, struct schema_file *file, struct schema_file *target,
			  const char *name, int depth, struct reference_list *list)
{
	if (target->state == SCHEMA_FILE_UNDER_WAY || depth == SCHEMA_REFERENCES_MAX ||
	    list->count == SCHEMA_REFERENCES_MAX) {
		complain(file, "1:1",
			 arena_format(&tree->arena,
				      target->state == SCHEMA_FILE_UNDER_WAY
					      ? "it and '%s' import each other, directly or indirectly"
					      : "'%s' is one import too many, or too deep",
				      target->name));
		return;
	}
	parse_file(tree, target, depth + 1);
	list->is_broken |= !target->schema;
	if (!target->schema)
		return;
	list->imports[list->count] = (struct schema_import){.name = name, .file = target};
	list->items[list->count++] = (struct schema_reference){.name = name, .schema = target->schema};
}

/* What is not found is left to the parser: it may be a well-known file, and else it knows line and column. */
static void find_proto_references(struct schema_tree *tree, struct schema_file *file, int depth,
				  struct reference_list *list)
{
	struct schema_names imports;

	schema_uses_of_proto(file->text, &tree->arena, &imports);
	for (size_t i = 0; i < imports.count; i++) {
		const char *path = find_import(tree, file, imports.items[i]);

		if (path)
			add_reference(tree, file, add_file(tree, path), imports.items[i], depth, list);
	}
}

static bool has_name(const struct schema_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->items[i], name) == 0)
			return true;
	}
	return false;
}

static bool has_reference(const struct reference_list *list, const struct schema_file *target)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].schema == target->schema)
			return true;
	}
	return false;
}

static void find_avro_references(struct schema_tree *tree, struct schema_file *file, int depth,
				 struct reference_list *list)
{
	const struct schema_names *used = &file->uses->used;

	for (size_t i = 0; i < used->count; i++) {
		int64_t at = has_name(&file->uses->declared, used->items[i])
				     ? -1
				     : name_index_find(&tree->by_type, bytes_of_text(used->items[i]));

		if (at >= 0 && tree->files[at] != file && !has_reference(list, tree->files[at]))
			add_reference(tree, file, tree->files[at], used->items[i], depth, list);
	}
}

/* ---- parsing ---- */

static void parse_with(struct schema_file *file, const struct reference_list *list)
{
	struct problems *problems = xmalloc(sizeof(*problems));

	problems_init(problems);
	if (schema_parse(file->format, file->text, list->items, list->count, &file->schema, problems) < 0) {
		file->problems = problems;
		return;
	}
	problems_release(problems);
	free(problems);
}

static void parse_file(struct schema_tree *tree, struct schema_file *file, int depth)
{
	_cleanup_(freep)
	struct reference_list *list = NULL;

	if (file->state != SCHEMA_FILE_NEW)
		return;
	file->state = SCHEMA_FILE_UNDER_WAY;
	list = xcalloc(1, sizeof(*list));
	if (file->format == SCHEMA_FORMAT_PROTOBUF)
		find_proto_references(tree, file, depth, list);
	else if (file->uses)
		find_avro_references(tree, file, depth, list);
	if (list->is_broken)
		complain(file, "1:1", "one of its imports has errors");
	if (!file->problems)
		parse_with(file, list);
	file->imports = arena_copy(&tree->arena, list->imports, list->count * sizeof(*list->imports));
	file->import_count = list->count;
	file->state = SCHEMA_FILE_DONE;
}

int schema_tree_load(struct file_tree *source, const struct schema_tree_options *options, struct schema_tree **ret_tree,
		     struct error *err)
{
	_cleanup_(schema_tree_freep)
	struct schema_tree *tree = xcalloc(1, sizeof(*tree));

	arena_init(&tree->arena, 0);
	tree->source = source;
	tree->roots = options->roots;
	tree->root_count = options->root_count;
	tree->import_paths = options->import_paths;
	tree->import_path_count = options->import_path_count;
	for (size_t i = 0; i < options->root_count; i++) {
		if (list_root(tree, i, err) < 0)
			return -1;
	}
	index_types(tree, options->is_baseline);
	for (size_t i = 0; i < tree->listed_count; i++)
		parse_file(tree, tree->files[i], 0);
	*ret_tree = take_ptr(tree);
	return 0;
}

void schema_tree_free(struct schema_tree *tree)
{
	if (!tree)
		return;
	for (size_t i = 0; i < tree->count; i++) {
		schema_unref(tree->files[i]->schema);
		if (tree->files[i]->problems)
			problems_release(tree->files[i]->problems);
		free(tree->files[i]->problems);
	}
	free(tree->files);
	arena_release(&tree->arena);
	free(tree);
}
