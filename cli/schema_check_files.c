/* schema_check_files.c - against a folder or a git revision: which file was which. See schema_check.h. */
#include "cli/schema_check_run.h"
#include "cli/schema_uses.h"

struct baseline {
	struct check_run *run;
	bool is_git;
	struct file_tree *files;
	struct schema_tree *tree;
	const char **roots; /* of the tree, by the check's paths; behind them the import paths */
	struct schema_tree
		*whole; /* of a revision: all of its schemas, for files from elsewhere; NULL: not needed yet */
	const struct schema_file **pairs; /* what each listed file was; NULL: nothing */
};

/* ---- by their path ---- */

static const char *old_name_of(struct baseline *baseline, const struct schema_file *file)
{
	const char *root = baseline->roots[file->root];

	if (file_tree_has(baseline->files, root)) /* a single file */
		return root;
	if (!*root)
		return file->relative;
	return arena_format(baseline->run->arena, "%s/%s", root, file->relative);
}

static void pair_by_path(struct baseline *baseline)
{
	const struct schema_tree *tree = baseline->run->tree;

	baseline->pairs = xcalloc(tree->listed_count + 1, sizeof(struct schema_file *));
	for (size_t i = 0; i < tree->listed_count; i++) {
		const struct schema_file *old = schema_tree_find(baseline->tree, old_name_of(baseline, tree->files[i]));

		baseline->pairs[i] = old && old->relative ? old : NULL;
	}
}

/* ---- by what they declare ---- */

static bool is_paired(const struct baseline *baseline, const char *old_name)
{
	for (size_t i = 0; i < baseline->run->tree->listed_count; i++) {
		if (baseline->pairs[i] && strcmp(baseline->pairs[i]->name, old_name) == 0)
			return true;
	}
	return false;
}

static const char *base_of(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

static const char *message_name(const struct schema *schema, int32_t index)
{
	const struct schema_type *type = schema_message_at(schema, &index, 1);

	return type ? schema_type_name(type) : NULL;
}

static bool has_message(const struct schema *schema, const char *name)
{
	const char *other;

	for (int32_t i = 0; (other = message_name(schema, i)); i++) {
		if (strcmp(other, name) == 0)
			return true;
	}
	return false;
}

/* How much speaks for a file having been the other one: messages, or the record, of the same full names. 0: nothing. */
static size_t likeness(const struct schema_file *file, const struct schema_file *old)
{
	size_t count = 0;
	const char *name;

	if (file->format != old->format)
		return 0;
	if (file->format == SCHEMA_FORMAT_AVRO)
		return file->uses && old->uses && file->uses->declared.count > 0 && old->uses->declared.count > 0 &&
		       strcmp(file->uses->declared.items[0], old->uses->declared.items[0]) == 0;
	for (int32_t i = 0; file->schema && old->schema && (name = message_name(file->schema, i)); i++)
		count += has_message(old->schema, name);
	return count;
}

/* What a file of the revision that is outside of the paths was called is still there, unless it moved. */
static bool is_candidate(const struct baseline *baseline, const struct schema_tree *from, const struct schema_file *old)
{
	if (is_paired(baseline, old->name))
		return false;
	return from == baseline->tree || !file_tree_is_on_disk(baseline->files, old->name);
}

/* The most alike of the files that are gone; where none is, the only one of its base name. */
static const struct schema_file *moved_from(const struct baseline *baseline, const struct schema_tree *from,
					    const struct schema_file *file)
{
	const struct schema_file *most_alike = NULL;
	const struct schema_file *namesake = NULL;
	size_t namesake_count = 0;
	size_t most = 0;

	for (size_t i = 0; i < from->listed_count; i++) {
		const struct schema_file *old = from->files[i];
		bool is_namesake = strcmp(base_of(old->name), base_of(file->name)) == 0;
		size_t alike = likeness(file, old);

		if ((alike == 0 && !is_namesake) || !is_candidate(baseline, from, old))
			continue;
		if (alike > most || (alike > 0 && alike == most && is_namesake)) {
			most_alike = old;
			most = alike;
		}
		if (is_namesake) {
			namesake = old;
			namesake_count++;
		}
	}
	if (most_alike)
		return most_alike;
	return namesake_count == 1 ? namesake : NULL;
}

/* Of a revision all schemas are looked at where it needs be: a folder may have another name now. */
static const struct schema_file *moved_from_elsewhere(struct baseline *baseline, const struct schema_file *file)
{
	static const char *const top = "";
	const struct schema_check_options *options = baseline->run->options;
	const struct schema_tree_options tree_options = {.roots = &top,
							 .root_count = 1,
							 .import_paths = baseline->roots + options->path_count,
							 .import_path_count = options->import_path_count,
							 .is_baseline = true};
	struct error err;

	if (!baseline->is_git)
		return NULL;
	if (!baseline->whole && schema_tree_load(baseline->files, &tree_options, &baseline->whole, &err) < 0)
		return NULL; /* too many files: it stays new, and that is said */
	return moved_from(baseline, baseline->whole, file);
}

/* ---- comparing ---- */

static const char *label_of(const struct baseline *baseline, const struct schema_file *old)
{
	const struct check_run *run = baseline->run;

	return baseline->is_git ? arena_format(run->arena, "%s:%s", run->options->against, old->name) : old->name;
}

static const char *subject_of(const struct check_run *run, const struct schema_file *file)
{
	size_t count = 0;
	const char *const *subjects =
		run->options->map ? subject_map_of(run->options->map, file->name, run->arena, &count) : NULL;

	return count > 0 ? subjects[0] : NULL;
}

static void compare_with(struct baseline *baseline, const struct schema_file *file, const struct schema_file *old)
{
	struct check_run *run = baseline->run;
	const char *subject = subject_of(run, file);
	const char *label = label_of(baseline, old);
	const struct schema *old_schema = old->schema;

	if (old_schema)
		check_compare(
			run->result, run->tree, file, subject,
			&(struct check_past){.level = run->level, .schemas = &old_schema, .labels = &label, .count = 1},
			&(struct compat_update){
				.schema = file->schema, .beside = run->schemas, .beside_count = run->schema_count});
	else
		check_run_undecided(
			run, file, subject,
			arena_format(run->arena, "%s cannot be used: %s%s%s", label, old->problems->items[0].place,
				     *old->problems->items[0].place ? ": " : "", old->problems->items[0].text));
}

static void check_file(struct baseline *baseline, size_t index)
{
	struct check_run *run = baseline->run;
	const struct schema_file *file = run->tree->files[index];
	const struct schema_file **old = &baseline->pairs[index];

	if (!*old)
		*old = moved_from(baseline, baseline->tree, file);
	if (!*old)
		*old = moved_from_elsewhere(baseline, file);
	if (!file->schema)
		check_result_passed_over(run->result, file->name, NULL, CHECK_SKIPPED, "it is no valid schema");
	else if (*old)
		compare_with(baseline, file, *old);
	else
		check_run_new(run, file, subject_of(run, file),
			      arena_format(run->arena, "it is not in %s: there is nothing to compare it with",
					   run->options->against));
}

/* No verdict: the registry keeps what is registered, and it may well be that nobody reads it any more. */
static void note_removed(struct baseline *baseline, const struct schema_file *old)
{
	struct check_finding finding =
		check_finding_at(old, CHECK_NOTE, "FILE_REMOVED",
				 "the schema file is gone; what was written with it stays in its topics");

	finding.against = label_of(baseline, old);
	check_result_add(baseline->run->result, &finding);
}

static void note_one_version(struct check_run *run)
{
	const char *name = compat_level_name(run->level);
	const char *end = strstr(name, "_TRANSITIVE");
	struct check_finding finding;

	if (!run->has_level || !end)
		return;
	finding = check_finding_at(NULL, CHECK_NOTE, "ONE_VERSION",
				   arena_format(run->arena,
						"%s has one version of each schema, so %s is no more than %.*s here; a "
						"registry has all versions",
						run->options->against, name, (int)(end - name), name));
	check_result_add(run->result, &finding);
}

static void check_pairs(struct baseline *baseline)
{
	const struct check_run *run = baseline->run;

	pair_by_path(baseline);
	for (size_t i = 0; i < run->tree->listed_count; i++)
		check_file(baseline, i);
	for (size_t i = 0; i < baseline->tree->listed_count; i++) {
		const struct schema_file *old = baseline->tree->files[i];
		enum schema_format format;

		/* A path that is a single file says nothing of its neighbours. */
		if (!file_tree_is_schema(run->options->paths[old->root], &format) && !is_paired(baseline, old->name))
			note_removed(baseline, old);
	}
}

static int load(struct baseline *baseline, struct error *err)
{
	const struct schema_check_options *options = baseline->run->options;
	size_t count = options->path_count + options->import_path_count;
	const char **names = arena_zalloc(baseline->run->arena, (count + 1) * sizeof(*names));
	struct schema_tree_options tree_options = {
		.roots = names, .root_count = options->path_count, .is_baseline = true};

	baseline->roots = names;
	if (baseline->is_git) {
		if (file_tree_of_git(options->against + 4, options->paths[0], &baseline->files, err) < 0)
			return -1;
		for (size_t i = 0; i < count; i++) {
			const char *path = i < options->path_count ? options->paths[i]
								   : options->import_paths[i - options->path_count];

			if (file_tree_name(baseline->files, path, &names[i], err) < 0)
				return -1;
		}
		tree_options.import_paths = names + options->path_count;
		tree_options.import_path_count = options->import_path_count;
	} else {
		baseline->files = file_tree_of_disk();
		for (size_t i = 0; i < options->path_count; i++)
			names[i] = options->against;
	}
	return schema_tree_load(baseline->files, &tree_options, &baseline->tree, err);
}

void check_against_files(struct check_run *run)
{
	struct baseline baseline = {.run = run, .is_git = strncmp(run->options->against, "git:", 4) == 0};
	struct error err;

	note_one_version(run);
	if (load(&baseline, &err) == 0)
		check_pairs(&baseline);
	else
		check_run_undecided(run, NULL, NULL, err.msg);
	free(baseline.pairs);
	schema_tree_free(baseline.whole);
	schema_tree_free(baseline.tree);
	file_tree_free(baseline.files);
}
