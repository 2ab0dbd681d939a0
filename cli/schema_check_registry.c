/* schema_check_registry.c - against the versions of subjects. See schema_check.h. */
#include "cli/schema_check_run.h"
#include "cli/schema_subjects.h"
#include "lib/base/spelling.h"

/* ---- one subject ---- */

struct old_versions { /* newest first; in the result's arena */
	const struct schema **schemas;
	const char **labels;
	size_t count;
};

/* All that the level looks at; none: the subject is new. */
static int load_versions(struct registry_client *client, struct arena *arena, const char *subject,
			 enum compat_level level, struct old_versions *old, struct error *err)
{
	_cleanup_(freep)
	int32_t *numbers = NULL;
	size_t count = 1;

	if (compat_level_is_transitive(level) && registry_client_versions(client, subject, &numbers, &count, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	old->schemas = arena_alloc(arena, count * sizeof(*old->schemas) + 1);
	old->labels = arena_alloc(arena, count * sizeof(*old->labels) + 1);
	for (size_t i = 0; i < count; i++) {
		int32_t number = numbers ? numbers[count - 1 - i] : 0;
		int32_t id;

		if (registry_client_version(client, subject, number, &id, &number, &old->schemas[old->count], err) <
		    0) {
			if (err->code == ERR_NOT_FOUND) /* deleted meanwhile, or never there */
				continue;
			return -1;
		}
		old->labels[old->count++] = arena_format(arena, "version %d", number);
	}
	return 0;
}

static int choose_level(struct registry_client *client, const char *subject, const enum compat_level *level,
			enum compat_level *ret_level, struct error *err)
{
	_cleanup_(freep)
	char *text = NULL;

	if (level) {
		*ret_level = *level;
		return 0;
	}
	if (registry_client_level(client, subject, &text, err) < 0)
		return -1;
	if (!compat_level_parse(text, ret_level))
		return error_set(err, ERR_INVALID, "the registry's level '%s' is unknown here: give one with --level",
				 text);
	return 0;
}

static void note_none(struct check_result *result, const struct schema_file *file, const char *subject)
{
	const char *why = "the registry's level for it is NONE: everything is allowed";
	struct check_finding finding = check_finding_at(file, CHECK_NOTE, CHECK_RULE_LEVEL_NONE, why);

	finding.subject = subject;
	check_result_add(result, &finding);
	check_result_passed_over(result, file->name, subject, CHECK_SKIPPED, why);
}

int schema_check_subject(struct registry_client *client, const struct schema_tree *tree, const struct schema_file *file,
			 const char *subject, const enum compat_level *level, struct check_result *result,
			 bool *ret_is_new, struct error *err)
{
	struct old_versions old = {0};
	enum compat_level chosen;

	if (choose_level(client, subject, level, &chosen, err) < 0 ||
	    load_versions(client, &result->arena, subject, chosen, &old, err) < 0)
		return -1;
	*ret_is_new = old.count == 0;
	if (old.count > 0 && chosen == COMPAT_NONE)
		note_none(result, file, subject);
	else if (old.count > 0)
		check_compare(
			result, tree, file, subject,
			&(struct check_past){
				.level = chosen, .schemas = old.schemas, .labels = old.labels, .count = old.count},
			&(struct compat_update){.schema = file->schema}); /* as the registry: each for itself */
	return 0;
}

/* ---- subjects that are not there ---- */

struct registry_check {
	struct check_run *run;
	struct registry_client *client;
	struct file_subjects *subjects; /* by file */
	char **known;                   /* all subjects of the registry, once they were asked for */
	size_t known_count;
	bool has_known;
};

/* For advice alone: without the list there is none. */
static void list_known(struct registry_check *check)
{
	struct error err;

	if (check->has_known)
		return;
	check->has_known = true;
	if (registry_client_subjects(check->client, "", &check->known, &check->known_count, &err) < 0)
		check->known_count = 0;
}

static bool is_known(const struct registry_check *check, const char *subject)
{
	for (size_t i = 0; i < check->known_count; i++) {
		if (strcmp(check->known[i], subject) == 0)
			return true;
	}
	return false;
}

static const struct subject_entry *find_entry(const struct subject_map *map, const char *subject)
{
	for (size_t i = 0; map && i < map->count; i++) {
		if (strcmp(map->entries[i].subject, subject) == 0)
			return &map->entries[i];
	}
	return NULL;
}

/* A subject of the registry that is spelt nearly like this one of the map, and that the map does not name: it was meant. */
static const char *misspelt(struct registry_check *check, const char *subject)
{
	const struct subject_map *map = check->run->options->map;
	const char *nearest = NULL;
	const char **names;
	size_t count = 0;

	list_known(check);
	names = xcalloc(check->known_count + 1, sizeof(*names));
	for (size_t i = 0; i < check->known_count; i++) {
		if (!find_entry(map, check->known[i]))
			names[count++] = check->known[i];
	}
	nearest = spelling_nearest(subject, names, count);
	free(names);
	return nearest;
}

static bool refuse_misspelt(struct registry_check *check, const char *subject)
{
	struct check_run *run = check->run;
	const struct subject_entry *entry = find_entry(run->options->map, subject);
	const char *meant = entry && run->options->new_schemas != NEW_SCHEMAS_ALLOWED ? misspelt(check, subject) : NULL;
	struct check_finding finding;

	if (!meant)
		return false;
	finding = (struct check_finding){
		.kind = CHECK_INVALID,
		.file = run->options->map->path,
		.line = entry->subject_line,
		.column = entry->subject_column,
		.rule = "MAP_SUBJECT_UNKNOWN",
		.subject = subject,
		.message = arena_format(run->arena,
					"the registry has no subject '%s', but '%s', which the map does not name",
					subject, meant),
		.hint = "if it is no slip but a new subject, say --allow-new"};
	check_result_add(run->result, &finding);
	return true;
}

static void add_new(struct registry_check *check, const struct schema_file *file, const char *subject)
{
	struct check_run *run = check->run;
	const char *by_topic = subject_by_rule(run->arena, file->name);
	const char *advice = "";

	if (refuse_misspelt(check, subject)) {
		check_result_passed_over(run->result, file->name, subject, CHECK_SKIPPED, "its subject is unknown");
		return;
	}
	if (check->subjects[file->index].is_named_by_import) {
		list_known(check);
		if (is_known(check, by_topic))
			advice = arena_format(run->arena,
					      "; others import it, so that is its subject, while '%s' is there: where "
					      "that one is meant, a map has to say so",
					      by_topic);
	}
	check_run_new(run, file, subject,
		      arena_format(run->arena,
				   "the registry has no version of '%s': there is nothing to compare it with%s",
				   subject, advice));
}

/* ---- all ---- */

static void refuse_rival(struct check_run *run, const struct schema_file *file, const struct file_subject *subject)
{
	struct check_finding finding = check_finding_at(
		file, CHECK_INVALID, "SUBJECT_OF_TWO_FILES",
		arena_format(run->arena, "its subject '%s' is that of '%s', too", subject->name, subject->rival->name));

	finding.subject = subject->name;
	finding.hint = "rename one of them, or say in a map which file is of which subject";
	check_result_add(run->result, &finding);
	check_result_passed_over(run->result, file->name, subject->name, CHECK_SKIPPED, "two files have its subject");
}

static void note_unlisted(struct check_run *run, const struct schema_file *file)
{
	const char *why = "the map gives it no subject, so it is not compared";
	struct check_finding finding = check_finding_at(file, CHECK_NOTE, "NOT_IN_MAP", why);

	check_result_add(run->result, &finding);
	check_result_passed_over(run->result, file->name, NULL, CHECK_SKIPPED, why);
}

/* -1: the registry is away. */
static int check_one(struct registry_check *check, const struct schema_file *file, const struct file_subject *subject)
{
	struct check_run *run = check->run;
	struct error err;
	bool is_new;

	if (subject->rival) {
		refuse_rival(run, file, subject);
	} else if (schema_check_subject(check->client, run->tree, file, subject->name,
					run->has_level ? &run->level : NULL, run->result, &is_new, &err) < 0) {
		check_run_undecided(run, file, subject->name, err.msg);
		return err.is_retriable ? -1 : 0; /* the others would say the same */
	} else if (is_new) {
		add_new(check, file, subject->name);
	}
	return 0;
}

static void check_files(struct registry_check *check)
{
	struct check_run *run = check->run;

	for (size_t i = 0; i < run->tree->listed_count; i++) {
		const struct schema_file *file = run->tree->files[i];
		const struct file_subjects *subjects = &check->subjects[file->index];

		if (!file->schema)
			check_result_passed_over(run->result, file->name, NULL, CHECK_SKIPPED, "it is no valid schema");
		else if (subjects->count == 0)
			note_unlisted(run, file);
		for (size_t k = 0; file->schema && k < subjects->count; k++) {
			if (check_one(check, file, &subjects->items[k]) < 0)
				return;
		}
	}
}

void check_against_registry(struct check_run *run, struct registry_client *client)
{
	struct registry_check check = {.run = run, .client = client};
	struct error err;

	if (registry_client_ping(client, &err) < 0 ||
	    schema_subjects_find(run->tree, run->options->map, client, run->arena, &check.subjects, &err) < 0) {
		check_run_undecided(run, NULL, NULL, err.msg);
		return;
	}
	check_files(&check);
	free(check.known);
}
