/* schema_check.c - see schema_check.h. */
#include "cli/schema_check.h"

#include <stdio.h>

#include "cli/schema_tree.h"
#include "schema-registry/client/registry_client.h"

struct check {
	const struct schema_check_options *options;
	struct check_result *result;
	enum compat_level level;
	bool has_level;
	struct file_tree *files;
	struct schema_tree *tree;
	struct file_tree *old_files; /* of a folder or a revision */
	struct schema_tree *old_tree;
	const char **old_roots;
	struct registry_client *client;
};

/* ---- findings ---- */

static struct check_finding finding_at(const struct schema_file *file, enum check_kind kind, const char *rule,
				       const char *message)
{
	return (struct check_finding){
		.kind = kind, .file = file->name, .line = 1, .column = 1, .rule = rule, .message = message};
}

static void add_undecided(struct check *check, const struct schema_file *file, const char *subject, const char *message)
{
	struct check_finding finding = finding_at(file, CHECK_UNDECIDED, "CANNOT_DECIDE", message);

	finding.subject = subject;
	check_result_add(check->result, &finding);
}

static void add_problems(struct check *check, const struct schema_file *file)
{
	for (size_t i = 0; file->problems && i < problems_kept(file->problems); i++) {
		const struct problem *problem = &file->problems->items[i];
		struct check_finding finding = finding_at(file, CHECK_INVALID, "INVALID_SCHEMA", problem->text);

		if (sscanf(problem->place, "%zu:%zu", &finding.line, &finding.column) != 2) /* "" is no place */
			finding.line = finding.column = 1;
		check_result_add(check->result, &finding);
	}
}

static void add_report(struct check *check, const struct schema_file *file, const char *subject,
		       const struct compat_report *report, const char *const *labels)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct compat_finding *found = &report->items[i];
		const struct schema_file *at = schema_tree_of(check->tree, found->place.schema);
		struct check_finding finding =
			finding_at(at ? at : file, CHECK_BREAKING, found->type, found->description);

		if (at)
			schema_locate(at->format, at->text, found->place.pointer, &finding.line, &finding.column);
		finding.path = found->path;
		finding.direction = found->is_forward ? "forward" : "backward";
		finding.subject = subject;
		finding.against = labels[found->old_index];
		finding.hint = found->hint;
		check_result_add(check->result, &finding);
	}
}

static void compare(struct check *check, const struct schema_file *file, const char *subject, enum compat_level level,
		    const struct schema *const *old, const char *const *labels, size_t old_count)
{
	struct compat_report report;

	compat_report_init(&report);
	if (!compat_check(level, file->schema, old, old_count, &report))
		add_report(check, file, subject, &report, labels);
	compat_report_release(&report);
}

/* ---- subjects ---- */

/* The subjects of a file, one after the other: `*at` begins with 0. NULL: no more. */
static const char *next_subject(struct check *check, const struct schema_file *file, size_t *at)
{
	if (check->options->map)
		return subject_map_next(check->options->map, file->name, at);
	return (*at)++ == 0 ? subject_by_rule(&check->result->arena, file->name) : NULL;
}

/* ---- against a folder or a revision ---- */

static const char *old_name_of(struct check *check, const struct schema_file *file)
{
	const char *root = check->old_roots[file->root];

	if (file_tree_has(check->old_files, root)) /* a single file */
		return root;
	if (!*root)
		return file->relative;
	return arena_format(&check->result->arena, "%s/%s", root, file->relative);
}

static const char *base_of(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

/* For each listed file of the new tree what it was, or NULL. */
static const struct schema_file **pair_by_path(struct check *check)
{
	const struct schema_file **pairs = xcalloc(check->tree->listed_count + 1, sizeof(*pairs));

	for (size_t i = 0; i < check->tree->listed_count; i++) {
		const struct schema_file *old =
			schema_tree_find(check->old_tree, old_name_of(check, check->tree->files[i]));

		pairs[i] = old && old->relative ? old : NULL;
	}
	return pairs;
}

static bool is_paired(const struct check *check, const struct schema_file *const *pairs, const struct schema_file *old)
{
	for (size_t i = 0; i < check->tree->listed_count; i++) {
		if (pairs[i] == old)
			return true;
	}
	return false;
}

/* A file that is nowhere in the old tree may have moved: from the only old file of its name that is gone. */
static const struct schema_file *moved_from(const struct check *check, const struct schema_file *const *pairs,
					    const struct schema_file *file)
{
	const struct schema_file *found = NULL;

	for (size_t i = 0; i < check->old_tree->listed_count; i++) {
		const struct schema_file *old = check->old_tree->files[i];

		if (strcmp(base_of(old->name), base_of(file->name)) != 0 || is_paired(check, pairs, old))
			continue;
		if (found)
			return NULL;
		found = old;
	}
	return found;
}

static const char *old_label(struct check *check, const struct schema_file *old)
{
	bool is_git = strncmp(check->options->against, "git:", 4) == 0;

	return is_git ? arena_format(&check->result->arena, "%s:%s", check->options->against, old->name) : old->name;
}

static void check_against_file(struct check *check, const struct schema_file *file, const struct schema_file *old)
{
	size_t at = 0;
	const char *subject = check->options->map ? next_subject(check, file, &at) : NULL;
	const char *label = old_label(check, old);
	const struct schema *old_schema = old->schema;

	if (old_schema)
		compare(check, file, subject, check->level, &old_schema, &label, 1);
	else
		add_undecided(check, file, subject,
			      arena_format(&check->result->arena, "%s cannot be used: %s%s%s", label,
					   old->problems->items[0].place, *old->problems->items[0].place ? ": " : "",
					   old->problems->items[0].text));
}

/* No verdict: the registry keeps what is registered, and it may well be that nobody reads it any more. */
static void note_removed(struct check *check, const struct schema_file *old)
{
	struct check_finding finding =
		finding_at(old, CHECK_NOTE, "FILE_REMOVED",
			   "the schema file is gone; what was written with it stays in its topics");

	finding.against = old_label(check, old);
	check_result_add(check->result, &finding);
}

static void check_against_tree(struct check *check)
{
	const struct schema_file **pairs = pair_by_path(check);

	for (size_t i = 0; i < check->tree->listed_count; i++) {
		const struct schema_file *file = check->tree->files[i];

		if (!pairs[i])
			pairs[i] = moved_from(check, pairs, file);
		if (pairs[i] && file->schema)
			check_against_file(check, file, pairs[i]);
	}
	for (size_t i = 0; i < check->old_tree->listed_count; i++) {
		const struct schema_file *old = check->old_tree->files[i];
		enum schema_format format;

		/* A path that is a single file says nothing of its neighbours. */
		if (!file_tree_is_schema(check->options->paths[old->root], &format) && !is_paired(check, pairs, old))
			note_removed(check, old);
	}
	free(pairs);
}

static int load_old_tree(struct check *check, struct error *err)
{
	const struct schema_check_options *options = check->options;
	size_t count = options->path_count + options->import_path_count;
	const char **names = arena_zalloc(&check->result->arena, (count + 1) * sizeof(*names));
	bool is_git = strncmp(options->against, "git:", 4) == 0;
	struct schema_tree_options tree_options = {.roots = names, .root_count = options->path_count};

	check->old_roots = names;
	if (is_git) {
		if (file_tree_of_git(options->against + 4, options->paths[0], &check->old_files, err) < 0)
			return -1;
		for (size_t i = 0; i < count; i++) {
			const char *path = i < options->path_count ? options->paths[i]
								   : options->import_paths[i - options->path_count];

			if (file_tree_name(check->old_files, path, &names[i], err) < 0)
				return -1;
		}
		tree_options.import_paths = names + options->path_count;
		tree_options.import_path_count = options->import_path_count;
	} else {
		check->old_files = file_tree_of_disk();
		for (size_t i = 0; i < options->path_count; i++)
			names[i] = options->against;
	}
	return schema_tree_load(check->old_files, &tree_options, &check->old_tree, err);
}

/* ---- against a registry ---- */

struct old_versions { /* newest first; in the result's arena */
	const struct schema **schemas;
	const char **labels;
	size_t count;
};

/* All that the level looks at; none: the subject is new. */
static int load_versions(struct check *check, const char *subject, enum compat_level level, struct old_versions *old,
			 struct error *err)
{
	struct arena *arena = &check->result->arena;
	_cleanup_(freep)
	int32_t *numbers = NULL;
	size_t count = 1;

	if (compat_level_is_transitive(level) &&
	    registry_client_versions(check->client, subject, &numbers, &count, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	old->schemas = arena_alloc(arena, count * sizeof(*old->schemas) + 1);
	old->labels = arena_alloc(arena, count * sizeof(*old->labels) + 1);
	for (size_t i = 0; i < count; i++) {
		int32_t number = numbers ? numbers[count - 1 - i] : 0;
		int32_t id;

		if (registry_client_version(check->client, subject, number, &id, &number, &old->schemas[old->count],
					    err) < 0) {
			if (err->code == ERR_NOT_FOUND) /* deleted meanwhile, or never there */
				continue;
			return -1;
		}
		old->labels[old->count++] = arena_format(arena, "version %d", number);
	}
	return 0;
}

static int choose_level(struct check *check, const char *subject, enum compat_level *ret_level, struct error *err)
{
	_cleanup_(freep)
	char *text = NULL;

	*ret_level = check->level;
	if (check->has_level)
		return 0;
	if (registry_client_level(check->client, subject, &text, err) < 0)
		return -1;
	if (!compat_level_parse(text, ret_level))
		return error_set(err, ERR_INVALID, "the registry's level '%s' is unknown here: give one with --level",
				 text);
	return 0;
}

static int check_subject(struct check *check, const struct schema_file *file, const char *subject, struct error *err)
{
	struct old_versions old = {0};
	enum compat_level level;

	if (choose_level(check, subject, &level, err) < 0 || load_versions(check, subject, level, &old, err) < 0)
		return -1;
	compare(check, file, subject, level, old.schemas, old.labels, old.count);
	return 0;
}

static void check_against_registry(struct check *check)
{
	for (size_t i = 0; i < check->tree->listed_count; i++) {
		const struct schema_file *file = check->tree->files[i];
		const char *subject;
		struct error err;

		for (size_t at = 0; file->schema && (subject = next_subject(check, file, &at));) {
			if (check_subject(check, file, subject, &err) == 0)
				continue;
			add_undecided(check, file, subject, err.msg);
			if (err.is_retriable)
				return; /* the registry is away: the others would say the same */
		}
	}
}

/* ---- all ---- */

static int load_new_tree(struct check *check, struct error *err)
{
	struct schema_tree_options options = {.roots = check->options->paths,
					      .root_count = check->options->path_count,
					      .import_paths = check->options->import_paths,
					      .import_path_count = check->options->import_path_count};

	check->files = file_tree_of_disk();
	if (schema_tree_load(check->files, &options, &check->tree, err) < 0)
		return -1;
	if (check->tree->listed_count == 0)
		return error_set(err, ERR_INVALID, "no .proto or .avsc file below %s%s", check->options->paths[0],
				 check->options->path_count > 1 ? " and the others" : "");
	for (size_t i = 0; i < check->tree->listed_count; i++)
		check_result_add_file(check->result, check->tree->files[i]->name);
	for (size_t i = 0; i < check->tree->count; i++)
		add_problems(check, check->tree->files[i]);
	return 0;
}

static bool is_url(const char *text)
{
	return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
}

static int run(struct check *check, struct error *err)
{
	struct registry_client_options options = {.url = check->options->against};

	if (load_new_tree(check, err) < 0)
		return -1;
	if (is_url(options.url)) {
		check->client = registry_client_new(&options);
		check_against_registry(check);
	} else if (load_old_tree(check, err) == 0) {
		check_against_tree(check);
	} else {
		add_undecided(check, check->tree->files[0], NULL, err->msg);
	}
	return 0;
}

int schema_check(const struct schema_check_options *options, struct check_result *result, struct error *err)
{
	struct check check = {.options = options, .result = result, .level = COMPAT_BACKWARD};
	int status;

	if (options->level) {
		if (!compat_level_parse(options->level, &check.level))
			return error_set(err, ERR_INVALID, "unknown level '%s'", options->level);
		check.has_level = true;
	}
	status = run(&check, err);
	schema_tree_free(check.old_tree);
	file_tree_free(check.old_files);
	schema_tree_free(check.tree);
	file_tree_free(check.files);
	registry_client_free(check.client);
	return status;
}
