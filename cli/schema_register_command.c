/*
 * schema_register_command.c - sagactl schema register: files and what they import, each after what it refers to.
 *
 * Under which subject: schema_subjects.h. What the registry refuses is told at file, line and column as far as our own rules
 * find it, else in the registry's words.
 */
#include <inttypes.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/schema_check.h"
#include "cli/schema_subjects.h"
#include "cli/table.h"

enum { PATHS_MAX = 1000 };

static const char *map_path;
static struct option_list import_paths;
static bool is_dry_run;
static bool is_normalized;

static const struct option register_options[] = {
	{.flag = "map",
	 .value_name = "FILE",
	 .help = "The list of subjects and their schema files, such as proto/shop/subjects.yaml. Without it "
		 "`orders.avsc` is of the subject `orders-value`, `orders-key.avsc` of `orders-key`.",
	 .place = &map_path},
	{.flag = "import-path",
	 .letter = 'I',
	 .type = OPTION_LIST,
	 .value_name = "DIR",
	 .help = "Where imports are looked for first; may repeat. The paths and the folders above a file are searched "
		 "anyway.",
	 .place = &import_paths},
	{.flag = "dry-run",
	 .type = OPTION_BOOL,
	 .help = "Register nothing; ask the registry what it would say.",
	 .place = &is_dry_run},
	{.flag = "normalize",
	 .type = OPTION_BOOL,
	 .help = "Let the registry put schemas in order first, so that what differs in order alone is one schema.",
	 .place = &is_normalized},
};

enum outcome { OUTCOME_REGISTERED, OUTCOME_KNOWN, OUTCOME_NEW, OUTCOME_FAILED };

static const char *const outcome_names[] = {
	[OUTCOME_REGISTERED] = "registered",
	[OUTCOME_KNOWN] = "known",
	[OUTCOME_NEW] = "new",
	[OUTCOME_FAILED] = "failed",
};

struct registration { /* one file under one subject */
	const struct schema_file *file;
	const char *subject;
	int32_t id;      /* 0: none */
	int32_t version; /* 0: none */
	enum outcome outcome;
};

struct registrar {
	struct session *session;
	const struct subject_map *map; /* NULL: by the rules */
	struct arena arena;
	struct schema_tree *tree;
	struct file_subjects *subjects; /* by file */
	struct registry_client *client;
	struct registration *done; /* in the order in which they were made */
	size_t done_count;
	enum exit_code first_failure;
};

/* The first of a file's registrations; NULL: it was not its turn yet. */
static const struct registration *find_registration(const struct registrar *registrar, const struct schema_file *file)
{
	for (size_t i = 0; i < registrar->done_count; i++) {
		if (registrar->done[i].file == file)
			return &registrar->done[i];
	}
	return NULL;
}

/* ---- one file ---- */

static int add_references(struct registrar *registrar, const struct registration *registration,
			  struct schema_submission *submission, bool *ret_is_ready, struct error *err)
{
	const struct schema_file *file = registration->file;
	struct submitted_reference *references =
		arena_alloc(&registrar->arena, (file->import_count + 1) * sizeof(*references));

	*ret_is_ready = true;
	for (size_t i = 0; i < file->import_count; i++) {
		const struct registration *target = find_registration(registrar, file->imports[i].file);

		if (!target || target->outcome == OUTCOME_FAILED)
			return error_set(err, ERR_INVALID, "its import '%s' is not", file->imports[i].name);
		*ret_is_ready &= target->version > 0;
		references[i] = (struct submitted_reference){file->imports[i].name, target->subject, target->version};
	}
	submission->references = references;
	submission->reference_count = file->import_count;
	return 0;
}

/* What the registry has already, or would say. What it refers to may be as new as the file itself: then nobody knows. */
static int ask(struct registrar *registrar, const struct schema_submission *submission, bool is_ready,
	       struct registration *registration, struct error *err)
{
	registration->outcome = OUTCOME_NEW;
	if (!is_ready)
		return 0;
	if (registry_client_look_up(registrar->client, submission, &registration->id, &registration->version, err) ==
	    0) {
		registration->outcome = OUTCOME_KNOWN;
		return 0;
	}
	if (err->code != ERR_NOT_FOUND)
		return -1;
	return registry_client_check(registrar->client, submission, err);
}

static int register_submission(struct registrar *registrar, const struct schema_submission *submission,
			       struct registration *registration, struct error *err)
{
	int32_t id;

	if (registry_client_register(registrar->client, submission, &registration->id, err) < 0)
		return -1;
	registration->outcome = OUTCOME_REGISTERED;
	return registry_client_look_up(registrar->client, submission, &id, &registration->version, err);
}

static int settle(struct registrar *registrar, struct registration *registration, struct buffer *refusal,
		  struct error *err)
{
	struct schema_submission submission = {.subject = registration->subject,
					       .format = registration->file->format,
					       .text = registration->file->text,
					       .is_normalized = is_normalized,
					       .refusal = refusal};
	bool is_ready;

	if (add_references(registrar, registration, &submission, &is_ready, err) < 0)
		return -1;
	return is_dry_run ? ask(registrar, &submission, is_ready, registration, err)
			  : register_submission(registrar, &submission, registration, err);
}

/* ---- refusals ---- */

/* The same check as `schema check` makes, by the registry's own level: it knows lines. False: it finds nothing. */
static bool say_breaks(struct registrar *registrar, const struct registration *registration)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};
	struct check_result result;
	struct error err;
	bool is_new;

	check_result_init(&result, registry_client_name(registrar->client));
	if (schema_check_subject(registrar->client, registrar->tree, registration->file, registration->subject, NULL,
				 &result, &is_new, &err) == 0)
		check_result_append_findings(&result, &out);
	check_result_release(&result);
	(void)fputs(buffer_text(&out), stderr);
	return out.len > 0;
}

/* Registries that know where an error is say `line:col` somewhere. */
static void find_place(const char *words, size_t *ret_line, size_t *ret_column)
{
	*ret_line = *ret_column = 1;
	for (const char *at = words; (at = strpbrk(at, "0123456789")); at += strspn(at, "0123456789")) {
		size_t line;
		size_t column;

		if (sscanf(at, "%6zu:%6zu", &line, &column) == 2 && line > 0 && column > 0) {
			*ret_line = line;
			*ret_column = column;
			return;
		}
	}
}

static enum exit_code say_failure(struct registrar *registrar, const struct registration *registration,
				  const struct buffer *refusal, const struct error *err)
{
	const char *words = refusal->len > 0 ? buffer_text(refusal) : err->msg;
	size_t line;
	size_t column;

	if (err->code == ERR_INCOMPATIBLE && say_breaks(registrar, registration))
		return exit_code_of(err->code);
	if (err->is_retriable) { /* of the registry, not of the file */
		(void)fprintf(stderr, "sagactl: %s: %s\n", registration->file->name, words);
		return exit_code_of(err->code);
	}
	find_place(words, &line, &column);
	(void)fprintf(stderr, "%s:%zu:%zu: error: %s is not registered: %s\n", registration->file->name, line, column,
		      registration->subject, words);
	return exit_code_of(err->code);
}

/* Every file is tried, so that all refusals are seen at once; a registry that is away ends it. */
static void register_as(struct registrar *registrar, const struct schema_file *file, const char *subject)
{
	struct registration registration = {.file = file, .subject = subject};
	_cleanup_(buffer_release)
	struct buffer refusal = {0};
	struct error err;

	if (registrar->first_failure == EXIT_UNAVAILABLE)
		return;
	if (settle(registrar, &registration, &refusal, &err) < 0) {
		enum exit_code code = say_failure(registrar, &registration, &refusal, &err);

		registration = (struct registration){.file = file, .subject = subject, .outcome = OUTCOME_FAILED};
		if (registrar->first_failure == EXIT_DONE || code == EXIT_UNAVAILABLE)
			registrar->first_failure = code;
	}
	registrar->done = xrealloc_array(registrar->done, registrar->done_count + 1, sizeof(*registrar->done));
	registrar->done[registrar->done_count++] = registration;
}

/* ---- the tree ---- */

/* Imports first: those of files that are registered. */
static void visit(struct registrar *registrar, const struct schema_file *file)
{
	const struct file_subjects *subjects = &registrar->subjects[file->index];

	if (subjects->count == 0 || find_registration(registrar, file))
		return;
	for (size_t i = 0; i < file->import_count; i++)
		visit(registrar, file->imports[i].file);
	for (size_t i = 0; i < subjects->count; i++)
		register_as(registrar, file, subjects->items[i].name);
}

/* Nobody can say which of two files a subject should hold, and what is left out is to be seen. */
static enum exit_code check_subjects(const struct registrar *registrar)
{
	enum exit_code code = EXIT_DONE;

	for (size_t i = 0; i < registrar->tree->count; i++) {
		const struct schema_file *file = registrar->tree->files[i];
		const struct file_subjects *subjects = &registrar->subjects[i];

		if (subjects->count == 0 && i < registrar->tree->listed_count)
			(void)fprintf(stderr, "%s:1:1: note: the map gives it no subject, so it is not registered\n",
				      file->name);
		for (size_t k = 0; k < subjects->count; k++) {
			if (!subjects->items[k].rival)
				continue;
			(void)fprintf(stderr,
				      "%s:1:1: error: its subject '%s' is that of '%s', too: rename one of them, or "
				      "say in a map "
				      "which file is of which subject\n",
				      file->name, subjects->items[k].name, subjects->items[k].rival->name);
			code = EXIT_USAGE;
		}
	}
	return code;
}

/* Nothing is sent while any file has errors. */
static enum exit_code check_files(const struct schema_tree *tree)
{
	enum exit_code code = EXIT_DONE;

	for (size_t i = 0; i < tree->count; i++) {
		const struct schema_file *file = tree->files[i];

		for (size_t k = 0; file->problems && k < problems_kept(file->problems); k++) {
			const struct problem *problem = &file->problems->items[k];

			(void)fprintf(stderr, "%s%s%s: error: %s\n", file->name, *problem->place ? ":" : "",
				      problem->place, problem->text);
			code = EXIT_USAGE;
		}
	}
	return code;
}

/* ---- telling ---- */

static void print_json_line(const struct registration *registration)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};

	buffer_append_text(&out, "{\"subject\":");
	buffer_append_json_string(&out, registration->subject, strlen(registration->subject));
	if (registration->id > 0)
		buffer_append_format(&out, ",\"id\":%" PRId32, registration->id);
	if (registration->version > 0)
		buffer_append_format(&out, ",\"version\":%" PRId32, registration->version);
	buffer_append_format(&out, ",\"outcome\":\"%s\"}", outcome_names[registration->outcome]);
	(void)printf("%s\n", buffer_text(&out));
}

static void add_row(struct table *table, const struct registration *registration)
{
	table_add(table, TABLE_PLAIN, "%s", registration->subject);
	if (registration->outcome == OUTCOME_NEW)
		table_add(table, TABLE_PLAIN, "would be registered");
	else
		table_add(table, TABLE_PLAIN, "id %" PRId32, registration->id);
	if (registration->version > 0)
		table_add(table, TABLE_PLAIN, "version %" PRId32, registration->version);
	else
		table_add(table, TABLE_PLAIN, "%s", "");
}

static void print_done(const struct registrar *registrar)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};
	struct table table;

	table_init(&table, 3, table_colours_wanted());
	for (size_t i = 0; i < registrar->done_count; i++) {
		const struct registration *registration = &registrar->done[i];

		if (registration->outcome == OUTCOME_FAILED) /* said already */
			continue;
		if (session_wants_json(registrar->session))
			print_json_line(registration);
		else
			add_row(&table, registration);
	}
	table_print(&table, &out);
	table_release(&table);
	(void)printf("%s", buffer_text(&out));
}

/* ---- the command ---- */

static enum exit_code register_with(struct registrar *registrar)
{
	enum exit_code code;
	struct error err;

	if (schema_subjects_find(registrar->tree, registrar->map, registrar->client, &registrar->arena,
				 &registrar->subjects, &err) < 0)
		return session_fail(&err);
	code = check_subjects(registrar);
	if (code != EXIT_DONE)
		return code;
	for (size_t i = 0; i < registrar->tree->listed_count; i++)
		visit(registrar, registrar->tree->files[i]);
	print_done(registrar);
	return registrar->first_failure;
}

static enum exit_code register_tree(struct registrar *registrar)
{
	struct registry_client_options options = session_registry(registrar->session);
	enum exit_code code = check_files(registrar->tree);

	if (code != EXIT_DONE)
		return code;
	registrar->client = registry_client_new(&options);
	code = register_with(registrar);
	registry_client_free(registrar->client);
	free(registrar->done);
	return code;
}

/* Where no paths are given, the files of the map are meant. */
static enum exit_code register_paths(struct session *session_, const char *const *paths, size_t count,
				     const struct subject_map *map)
{
	struct registrar registrar = {.session = session_, .map = map};
	_cleanup_(arena_release)
	struct arena arena = {0};
	struct schema_tree_options options = {
		.roots = file_tree_tidy(&arena, paths, count),
		.root_count = count,
		.import_paths = file_tree_tidy(&arena, import_paths.items, import_paths.count),
		.import_path_count = import_paths.count};
	_cleanup_(file_tree_freep)
	struct file_tree *files = file_tree_of_disk();
	enum exit_code code;
	struct error err;

	if (schema_tree_load(files, &options, &registrar.tree, &err) < 0)
		return session_fail(&err);
	if (registrar.tree->listed_count == 0) {
		(void)error_set(&err, ERR_INVALID, "no .proto or .avsc file below %s", paths[0]);
		code = session_fail(&err);
	} else {
		arena_init(&registrar.arena, 0);
		code = register_tree(&registrar);
		arena_release(&registrar.arena);
	}
	schema_tree_free(registrar.tree);
	return code;
}

static enum exit_code register_map(struct session *session_, char **arguments, size_t count)
{
	struct subject_map map;
	enum exit_code code;
	struct error err;

	if (subject_map_load_or_say(map_path, &map, &err) < 0)
		return exit_code_of(err.code);
	if (count > 0) {
		code = register_paths(session_, (const char *const *)arguments, count, &map);
	} else {
		const char **paths = arena_alloc(&map.arena, (map.count + 1) * sizeof(*paths));

		for (size_t i = 0; i < map.count; i++)
			paths[i] = map.entries[i].schema_path;
		if (map.count == 0) {
			(void)error_set(&err, ERR_INVALID, "%s lists no subject: nothing is registered", map_path);
			code = session_fail(&err);
		} else {
			code = register_paths(session_, paths, map.count, &map);
		}
	}
	subject_map_release(&map);
	return code;
}

static enum exit_code run_register(struct session *session_, char **arguments, int count)
{
	struct error err;

	if (map_path)
		return register_map(session_, arguments, (size_t)count);
	if (count > 0)
		return register_paths(session_, (const char *const *)arguments, (size_t)count, NULL);
	(void)error_set(&err, ERR_INVALID, "which schemas? give files or folders, or --map FILE");
	return session_fail(&err);
}

const struct command schema_register_command = {
	.name = "schema register",
	.arguments = "[PATH…]",
	.arguments_max = PATHS_MAX,
	.summary = "register schemas, and before them what they import",
	.notes = "Files are registered in the order of their imports, with references to the versions of what they "
		 "import. "
		 "Under which\n"
		 "subject: that of the map; of a file that is imported, the one that the importer's registered version "
		 "refers to, else\n"
		 "the import's name (common/money.proto, or an Avro type's full name); of any other, the one named "
		 "after "
		 "its topic.\n"
		 "Nothing is sent while a file has errors. Registering the same again changes nothing.\n",
	.examples = "sagactl schema register --map proto/shop/subjects.yaml\n"
		    "sagactl schema register schemas --dry-run\n"
		    "sagactl schema register schemas --registry-url https://registry:8081 --registry-ca ca.pem "
		    "--registry-token-file token\n",
	.options = register_options,
	.option_count = ARRAY_LEN(register_options),
	.run = run_register,
};
