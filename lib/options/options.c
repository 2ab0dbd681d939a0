/* options.c - see options.h: one reading from the words to its result. */
#include "lib/options/options.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/base/bytes.h"
#include "lib/base/memory.h"
#include "lib/options/options_state.h"

static void reorder(const struct parse *parse, char **argv)
{
	for (int i = 0; i < parse->flag_count; i++)
		argv[1 + i] = parse->flags[i];
	for (int i = 0; i < parse->argument_count; i++)
		argv[1 + parse->flag_count + i] = parse->arguments[i];
}

/* The place that the program's own check names is an option with a value, a property, or neither. */
static void place_problem(struct parse *parse, const struct problem *problem)
{
	const struct program *program = parse->program;

	for (size_t i = 0; i < program->option_count; i++) {
		if (strcmp(program->options[i].flag, problem->place) != 0 || !parse->origins[i].text)
			continue;
		options_complain_value(parse, &program->options[i], &parse->origins[i], problem->text);
		return;
	}
	for (size_t i = 0; i < parse->property_count; i++) {
		const struct read_property *property = &parse->properties[i];
		const char *prefix = property->option->prefix;

		if (strncmp(problem->place, prefix, strlen(prefix)) != 0 ||
		    strcmp(problem->place + strlen(prefix), property->name) != 0)
			continue;
		options_complain_property(parse, property, problem->text);
		return;
	}
	options_complain(parse, problem->place, "%s", problem->text);
}

static void run_check(struct parse *parse)
{
	const struct program *program = parse->program;
	struct problems found;

	if (!program->check || parse->has_usage_error || parse->has_config_error)
		return;
	problems_init(&found);
	program->check(program->check_ctx, &found);
	for (size_t i = 0; i < problems_kept(&found); i++) {
		parse->has_config_error = true;
		place_problem(parse, &found.items[i]);
	}
	parse->has_usage_error = false; /* a wrong value, not a wrong flag: 78 wherever it came from */
	problems_release(&found);
}

static bool is_config_command(const struct parse *parse)
{
	return !parse->program->arguments && !parse->program->has_commands && parse->argument_count == 2 &&
	       strcmp(parse->arguments[0], "config") == 0 && options_is_config_word(parse->arguments[1]);
}

static void check_words(struct parse *parse)
{
	bool is_config = is_config_command(parse);

	if (!parse->program->arguments && parse->argument_count > 0 && !is_config) {
		parse->has_usage_error = true;
		options_complain(parse, "", "unexpected argument '%s'", parse->arguments[0]);
	}
	if (parse->wants_origin && !(is_config && strcmp(parse->arguments[1], "print") == 0)) {
		parse->has_usage_error = true;
		options_complain(parse, "", "unknown flag --show-origin; it belongs to config print");
	}
}

static void say_problems(const struct parse *parse)
{
	size_t kept = problems_kept(&parse->problems);

	for (size_t i = 0; i < kept; i++) {
		const struct problem *problem = &parse->problems.items[i];

		(void)fprintf(stderr, "%s: %s%s%s\n", parse->program->name, problem->place, *problem->place ? ": " : "",
			      problem->text);
	}
	if (kept < parse->problems.count)
		(void)fprintf(stderr, "%s: and %zu more\n", parse->program->name, parse->problems.count - kept);
	(void)fprintf(stderr, "%s: see %s --help\n", parse->program->name, parse->program->name);
}

static enum options_result conclude(struct parse *parse)
{
	const struct program *program = parse->program;

	if (parse->wants_help) {
		options_print_help(program);
		return OPTIONS_EXIT;
	}
	if (parse->wants_version) {
		(void)printf("%s %s\n", program->name, AMENDS_VERSION);
		return OPTIONS_EXIT;
	}
	if (is_config_command(parse) && options_run_document(parse))
		return OPTIONS_EXIT;
	options_resolve(parse);
	check_words(parse);
	run_check(parse);
	if (is_config_command(parse) && !parse->has_usage_error)
		options_run_config(parse);
	if (parse->problems.count > 0)
		say_problems(parse);
	if (parse->has_usage_error || parse->has_config_error)
		return parse->has_usage_error ? OPTIONS_USAGE : OPTIONS_CONFIG;
	return is_config_command(parse) ? OPTIONS_EXIT : OPTIONS_RUN;
}

/* What flags, environment and files gave: as long as the process, as its arguments and environment are. */
static struct arena kept_texts;

static void parse_init(struct parse *parse, const struct program *program, int argc, struct arena *texts)
{
	*parse = (struct parse){.program = program, .texts = texts};
	problems_init(&parse->problems);
	parse->origins = xcalloc(program->option_count + 1, sizeof(*parse->origins));
	parse->flags = xcalloc((size_t)argc, sizeof(*parse->flags));
	parse->arguments = xcalloc((size_t)argc, sizeof(*parse->arguments));
}

static void parse_release(struct parse *parse)
{
	problems_release(&parse->problems);
	free(parse->origins);
	free(parse->properties);
	free(parse->flags);
	free(parse->arguments);
}

enum options_result options_parse(const struct program *program, int argc, char **argv, int *ret_first_argument)
{
	struct parse parse;
	enum options_result result;

	assert(argc >= 1);
	parse_init(&parse, program, argc, &kept_texts);
	options_read_flags(&parse, argc, argv);
	reorder(&parse, argv);
	result = conclude(&parse);
	if (ret_first_argument)
		*ret_first_argument = 1 + parse.flag_count;
	parse_release(&parse);
	return result;
}

/* ---- reading again ---- */

/* A place for each option that nobody else looks at. */
union scratch {
	const char *text;
	int64_t number;
	bool is_set;
	struct option_list list;
	struct option_properties properties;
};

static int find_text(struct parse *parse, const char *flag, char **ret_text, struct error *err)
{
	const struct program *program = parse->program;
	struct error all;

	if (parse->problems.count > 0) {
		(void)problems_to_error(&parse->problems, ERR_INVALID, &all); /* always -1: it makes the text */
		*err = all;
		return -1;
	}
	for (size_t i = 0; i < program->option_count; i++) {
		if (strcmp(program->options[i].flag, flag) == 0 && parse->origins[i].text) {
			*ret_text = xstrdup(parse->origins[i].text);
			return 0;
		}
	}
	return error_set(err, ERR_NOT_FOUND, "--%s has no value", flag);
}

int options_reread(const struct program *program, int argc, char **argv, const char *flag, char **ret_text,
		   struct error *err)
{
	_cleanup_(freep)
	struct option *options = xcalloc(program->option_count + 1, sizeof(*options));
	_cleanup_(freep)
	union scratch *scratch = xcalloc(program->option_count + 1, sizeof(*scratch));
	struct program copy = *program;
	struct arena texts;
	struct parse parse;
	int result;

	arena_init(&texts, 0);
	for (size_t i = 0; i < program->option_count; i++) {
		options[i] = program->options[i];
		options[i].place = &scratch[i];
	}
	copy.options = options;
	parse_init(&parse, &copy, argc, &texts);
	options_read_flags(&parse, argc, argv);
	options_resolve(&parse);
	result = find_text(&parse, flag, ret_text, err);
	parse_release(&parse);
	for (size_t i = 0; i < program->option_count; i++) {
		if (options[i].type == OPTION_LIST)
			free(scratch[i].list.items);
		else if (options[i].type == OPTION_PROPERTIES)
			free(scratch[i].properties.items);
	}
	arena_release(&texts);
	return result;
}

int options_exit_status(enum options_result result)
{
	switch (result) {
	case OPTIONS_RUN:
		return -1;
	case OPTIONS_EXIT:
		return 0;
	case OPTIONS_USAGE:
		return 2;
	default:
		return EX_CONFIG;
	}
}
