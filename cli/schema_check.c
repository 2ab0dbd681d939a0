/* schema_check.c - see schema_check.h. */
#include "cli/schema_check.h"

#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "cli/schema_check_run.h"

/* ---- findings ---- */

struct check_finding check_finding_at(const struct schema_file *file, enum check_kind kind, const char *rule,
				      const char *message)
{
	return (struct check_finding){.kind = kind,
				      .file = file ? file->name : "",
				      .line = file ? 1 : 0,
				      .column = file ? 1 : 0,
				      .rule = rule,
				      .message = message};
}

void check_run_undecided(struct check_run *run, const struct schema_file *file, const char *subject,
			 const char *message)
{
	struct check_finding finding = check_finding_at(file, CHECK_UNDECIDED, "CANNOT_DECIDE", message);

	finding.subject = subject;
	check_result_add(run->result, &finding);
	if (file)
		check_result_passed_over(run->result, file->name, subject, CHECK_SKIPPED, "cannot be decided");
}

void check_run_new(struct check_run *run, const struct schema_file *file, const char *subject, const char *message)
{
	bool is_failure = run->options->new_schemas == NEW_SCHEMAS_FAIL;
	struct check_finding finding =
		check_finding_at(file, is_failure ? CHECK_NEW : CHECK_NOTE, "NEW_SCHEMA", message);

	finding.subject = subject;
	check_result_add(run->result, &finding);
	check_result_passed_over(run->result, file->name, subject, CHECK_UNKNOWN_THERE, message);
}

static void add_problems(struct check_run *run, const struct schema_file *file)
{
	for (size_t i = 0; file->problems && i < problems_kept(file->problems); i++) {
		const struct problem *problem = &file->problems->items[i];
		struct check_finding finding = check_finding_at(file, CHECK_INVALID, "INVALID_SCHEMA", problem->text);

		if (sscanf(problem->place, "%zu:%zu", &finding.line, &finding.column) != 2) /* "" is no place */
			finding.line = finding.column = 1;
		check_result_add(run->result, &finding);
	}
}

static void add_report(struct check_result *result, const struct schema_tree *tree, const struct schema_file *file,
		       const char *subject, const struct compat_report *report, const char *const *labels)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct compat_finding *found = &report->items[i];
		const struct schema_file *at = schema_tree_of(tree, found->place.schema);
		struct check_finding finding =
			check_finding_at(at ? at : file, CHECK_BREAKING, found->type, found->description);

		if (at)
			schema_locate(at->format, at->text, found->place.pointer, &finding.line, &finding.column);
		finding.path = found->path;
		finding.direction = found->is_forward ? "forward" : "backward";
		finding.subject = subject;
		finding.against = labels[found->old_index];
		finding.hint = found->hint;
		check_result_add(result, &finding);
	}
}

void check_compare(struct check_result *result, const struct schema_tree *tree, const struct schema_file *file,
		   const char *subject, const struct check_past *past, const struct compat_update *update)
{
	struct compat_report report;

	compat_report_init(&report);
	if (!compat_check_in_tree(past->level, update, past->schemas, past->count, &report))
		add_report(result, tree, file, subject, &report, past->labels);
	compat_report_release(&report);
	check_result_compared(result, file->name, subject);
}

/* ---- the map ---- */

static void add_map_finding(struct check_run *run, const struct subject_entry *entry, enum check_kind kind,
			    const char *rule, const char *message)
{
	const struct check_finding finding = {.kind = kind,
					      .file = run->options->map->path,
					      .line = entry->schema_line,
					      .column = entry->schema_column,
					      .rule = rule,
					      .subject = entry->subject,
					      .message = message};

	check_result_add(run->result, &finding);
}

static bool is_listed(const struct check_run *run, const struct subject_entry *entry)
{
	for (size_t i = 0; i < run->tree->listed_count; i++) {
		size_t count;
		const char *const *subjects =
			subject_map_of(run->options->map, run->tree->files[i]->name, run->arena, &count);

		for (size_t k = 0; k < count; k++) {
			if (subjects[k] == entry->subject)
				return true;
		}
	}
	return false;
}

/* An entry without a file would be checked never, and nobody would notice. */
static void check_map(struct check_run *run)
{
	const struct subject_map *map = run->options->map;

	for (size_t i = 0; map && i < map->count; i++) {
		const struct subject_entry *entry = &map->entries[i];

		if (!entry->real_path)
			add_map_finding(run, entry, CHECK_INVALID, "MAP_FILE_MISSING",
					arena_format(run->arena, "there is no schema file '%s'", entry->schema_path));
		else if (!is_listed(run, entry))
			add_map_finding(run, entry, CHECK_NOTE, "MAP_FILE_OUTSIDE",
					arena_format(run->arena, "'%s' is not below the paths that are checked",
						     entry->schema_path));
	}
}

/* ---- all ---- */

static int load_new_tree(struct check_run *run, struct error *err)
{
	struct schema_tree_options options = {.roots = run->options->paths,
					      .root_count = run->options->path_count,
					      .import_paths = run->options->import_paths,
					      .import_path_count = run->options->import_path_count};

	run->files = file_tree_of_disk();
	if (schema_tree_load(run->files, &options, &run->tree, err) < 0)
		return -1;
	for (size_t i = 0; i < run->tree->listed_count; i++)
		check_result_add_file(run->result, run->tree->files[i]->name);
	run->schemas = arena_alloc(run->arena, (run->tree->count + 1) * sizeof(*run->schemas));
	for (size_t i = 0; i < run->tree->count; i++) {
		add_problems(run, run->tree->files[i]);
		if (run->tree->files[i]->schema)
			run->schemas[run->schema_count++] = run->tree->files[i]->schema;
	}
	return 0;
}

/* Level NONE, which somebody has set, is a decision. */
static bool has_level_none(const struct check_result *result)
{
	for (size_t i = 0; i < result->count; i++) {
		if (strcmp(result->items[i].rule, CHECK_RULE_LEVEL_NONE) == 0)
			return true;
	}
	return false;
}

/* "compatible" must not be said of nothing. */
static void refuse_nothing(struct check_run *run)
{
	const struct check_result *result = run->result;
	size_t failures = result->count - result->kind_counts[CHECK_NOTE];
	size_t new_count = result->outcome_counts[CHECK_UNKNOWN_THERE];

	if (failures > 0 || result->outcome_counts[CHECK_COMPARED] > 0 || has_level_none(result) ||
	    (new_count > 0 && run->options->new_schemas == NEW_SCHEMAS_ALLOWED))
		return;
	check_run_undecided(
		run, NULL, NULL,
		arena_format(
			run->arena,
			"nothing was compared: %zu schemas are not in %s, %zu were skipped; look at the address, the "
			"paths and the map%s",
			new_count, result->against, result->outcome_counts[CHECK_SKIPPED],
			new_count > 0 ? ", or say --allow-new if all are new" : ""));
}

static bool is_url(const char *text)
{
	return strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
}

/* Files are compared in their order: those behind the last one were not, since the baseline is away. */
static void pass_over_rest(struct check_run *run)
{
	const struct check_result *result = run->result;
	const char *last = result->comparison_count > 0 ? result->comparisons[result->comparison_count - 1].file : NULL;
	size_t first = 0;

	for (size_t i = 0; last && i < run->tree->listed_count; i++) {
		if (strcmp(run->tree->files[i]->name, last) == 0)
			first = i + 1;
	}
	for (size_t i = first; i < run->tree->listed_count; i++)
		check_result_passed_over(run->result, run->tree->files[i]->name, NULL, CHECK_SKIPPED,
					 "what to compare with is not to be had");
}

static void compare_all(struct check_run *run, struct registry_client *client)
{
	if (run->tree->listed_count == 0) {
		check_run_undecided(
			run, NULL, NULL,
			arena_format(run->arena, "there is no .proto or .avsc file below %s%s: nothing was compared",
				     run->options->paths[0], run->options->path_count > 1 ? " and the others" : ""));
		return;
	}
	check_map(run);
	if (client)
		check_against_registry(run, client);
	else
		check_against_files(run);
	pass_over_rest(run);
	refuse_nothing(run);
}

/* An address of a registry without http:// looks like a folder, and messages would show its password. */
static bool is_login(const char *against)
{
	const char *colon = strchr(against, ':');

	return strncmp(against, "git:", 4) != 0 && !is_url(against) && colon && strchr(colon, '@') &&
	       access(against, F_OK) != 0;
}

int schema_check(const struct schema_check_options *options, struct check_result *result, struct error *err)
{
	struct check_run run = {
		.options = options, .result = result, .arena = &result->arena, .level = COMPAT_BACKWARD};
	struct registry_client_options registry = options->registry;
	_cleanup_(registry_client_freep)
	struct registry_client *client = NULL;
	int status;

	if (is_login(options->against))
		return error_set(err, ERR_INVALID,
				 "what to check against has a login, but is no address of a registry: it has to begin "
				 "with https:// or http://");
	registry.url = options->against;
	if (is_url(options->against)) {
		client = registry_client_new(&registry);
		result->against = arena_strdup(&result->arena, registry_client_name(client)); /* no password */
		result->has_subjects = true;
	}
	if (options->level) {
		if (!compat_level_parse(options->level, &run.level))
			return error_set(err, ERR_INVALID, "unknown level '%s'", options->level);
		run.has_level = true;
	}
	status = load_new_tree(&run, err);
	if (status == 0)
		compare_all(&run, client);
	check_result_sort(result);
	schema_tree_free(run.tree);
	file_tree_free(run.files);
	return status;
}
