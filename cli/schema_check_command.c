/* schema_check_command.c - sagactl schema check. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/file_tree.h"
#include "cli/schema_check.h"
#include "lib/base/memory.h"

enum { PATHS_MAX = 1000 };

static const char *against;
static const char *level;
static const char *format;
static const char *map_path;
static struct option_list import_paths;
static bool must_be_known;
static bool may_be_new;

static const struct option check_options[] = {
	{.flag = "against",
	 .environment = "SAGACTL_AGAINST",
	 .is_required = true,
	 .value_name = "URL|git:REF|DIR",
	 .help = "What to compare with: a schema registry, a git revision (git:origin/main), or another folder.",
	 .place = &against},
	{.flag = "level",
	 .choices =
		 "BACKWARD BACKWARD_TRANSITIVE FORWARD FORWARD_TRANSITIVE FULL FULL_TRANSITIVE WIRE WIRE_JSON STRICT",
	 .value_name = "LEVEL",
	 .help = "What counts as compatible. Without it: the subject's level in the registry, or BACKWARD.",
	 .place = &level},
	{.flag = "format",
	 .default_text = "text",
	 .choices = "text json github junit sarif",
	 .value_name = "FORMAT",
	 .help = "How to tell what was found.",
	 .place = &format},
	{.flag = "map",
	 .value_name = "FILE",
	 .help = "Which schema belongs to which subject, such as proto/shop/subjects.yaml. Without it `orders.avsc` is "
		 "of the "
		 "subject `orders-value`, `orders-key.avsc` of `orders-key`.",
	 .place = &map_path},
	{.flag = "fail-on-new",
	 .type = OPTION_BOOL,
	 .help = "A schema that there is nothing to compare with fails the check.",
	 .place = &must_be_known},
	{.flag = "allow-new",
	 .type = OPTION_BOOL,
	 .help = "All schemas may be new, and their subjects called nearly like others. Without it a check that "
		 "compares "
		 "nothing decides nothing.",
	 .place = &may_be_new},
	{.flag = "import-path",
	 .letter = 'I',
	 .type = OPTION_LIST,
	 .value_name = "DIR",
	 .help = "Where imports are looked for first; may repeat. The paths and the folders above a file are searched "
		 "anyway.",
	 .place = &import_paths},
};

static enum check_format chosen_format(const struct session *session_)
{
	static const char *const names[] = {"text", "json", "github", "junit", "sarif"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(format, names[i]) == 0 && i != CHECK_FORMAT_TEXT)
			return (enum check_format)i;
	}
	return session_wants_json(session_) ? CHECK_FORMAT_JSON : CHECK_FORMAT_TEXT;
}

/* Certain breaks outweigh what could not be decided. */
static enum exit_code code_of(const struct check_result *result)
{
	if (result->kind_counts[CHECK_BREAKING] + result->kind_counts[CHECK_INVALID] + result->kind_counts[CHECK_NEW] >
	    0)
		return EXIT_FAILED;
	return result->kind_counts[CHECK_UNDECIDED] > 0 ? EXIT_UNDECIDED : EXIT_DONE;
}

static enum exit_code check_with(struct session *session_, char **arguments, int count, const struct subject_map *map)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};
	struct check_result result;
	enum exit_code code;
	struct error err;

	check_result_init(&result, against);
	struct schema_check_options options = {
		.paths = file_tree_tidy(&result.arena, (const char *const *)arguments, (size_t)count),
		.path_count = (size_t)count,
		.import_paths = file_tree_tidy(&result.arena, import_paths.items, import_paths.count),
		.import_path_count = import_paths.count,
		.against = *file_tree_tidy(&result.arena, &against, 1),
		.registry = session_registry(session_),
		.level = level,
		.map = map,
		.new_schemas = must_be_known ? NEW_SCHEMAS_FAIL
			       : may_be_new  ? NEW_SCHEMAS_ALLOWED
					     : NEW_SCHEMAS_NOTED};
	if (schema_check(&options, &result, &err) < 0) {
		(void)fprintf(stderr, "sagactl: %s\n", err.msg);
		code = EXIT_USAGE;
	} else {
		check_result_print(&result, chosen_format(session_), &out);
		(void)printf("%s", buffer_text(&out));
		code = code_of(&result);
	}
	check_result_release(&result);
	return code;
}

static enum exit_code run_check(struct session *session_, char **arguments, int count)
{
	struct subject_map map;
	enum exit_code code;
	struct error err;

	if (must_be_known && may_be_new) {
		(void)fprintf(stderr, "sagactl schema check: --fail-on-new and --allow-new exclude each other\n");
		return EXIT_USAGE;
	}
	if (!map_path)
		return check_with(session_, arguments, count, NULL);
	if (subject_map_load_or_say(map_path, &map, &err) < 0)
		return EXIT_USAGE;
	code = check_with(session_, arguments, count, &map);
	subject_map_release(&map);
	return code;
}

const struct command schema_check_command = {
	.name = "schema check",
	.arguments = "PATH…",
	.arguments_min = 1,
	.arguments_max = PATHS_MAX,
	.summary = "tell what a change of schemas would break, before it does",
	.notes = "Exit codes of this command:\n"
		 "  0  compatible\n"
		 "  1  breaking, or no valid schema; with --fail-on-new also a schema that is new\n"
		 "  2  usage\n"
		 "  3  cannot decide: what to compare with is not to be had, or nothing was compared\n"
		 "A registry that wants a credential: REGISTRY_TOKEN or --registry-token-file, REGISTRY_USER_INFO\n"
		 "(user:password), --registry-ca, as for all commands.\n",
	.examples = "sagactl schema check proto --against git:origin/main\n"
		    "sagactl schema check schemas --against http://registry:8081 --format github\n"
		    "sagactl schema check schemas --against https://registry:8081 --registry-ca ca.pem "
		    "--registry-token-file token\n",
	.options = check_options,
	.option_count = ARRAY_LEN(check_options),
	.run = run_check,
};
