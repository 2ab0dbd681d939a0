/* options.c - see options.h. */
#include "lib/options/options.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/bytes.h"
#include "lib/base/memory.h"
#include "lib/options/option_value.h"

struct parse {
	const struct program *program;
	bool *is_given; /* by a flag, for each option */
	bool has_usage_error;
	bool has_config_error;
	bool wants_help;
	bool wants_version;
	char **flags; /* what belongs to flags, in order */
	int flag_count;
	char **arguments;
	int argument_count;
};

static void PRINTF_LIKE(2, 3) complain(const struct program *program, const char *format, ...)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};
	va_list args;

	va_start(args, format);
	buffer_append_va(&text, format, args);
	va_end(args);
	(void)fprintf(stderr, "%s: %s\n", program->name, buffer_text(&text));
}

/* ---- unknown flags ---- */

/* How many letters must be changed, added or removed to make `b` of `a`; both are at most 63 bytes of it. */
static size_t edit_distance(const char *a, size_t a_len, const char *b)
{
	size_t row[64];
	size_t b_len = strnlen(b, 63);

	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 0; i < a_len && i < 63; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < b_len; j++) {
			size_t above = row[j + 1];
			size_t best = diagonal + (a[i] != b[j]);

			if (above + 1 < best)
				best = above + 1;
			if (row[j] + 1 < best)
				best = row[j] + 1;
			row[j + 1] = best;
			diagonal = above;
		}
	}
	return row[b_len];
}

/* The flag that was probably meant, or NULL. */
static const char *nearest_flag(const struct program *program, const char *name, size_t name_len)
{
	const char *nearest = NULL;
	size_t nearest_distance = 2 + name_len / 4;

	for (size_t i = 0; i < program->option_count; i++) {
		const struct option *option = &program->options[i];
		size_t distance = edit_distance(name, name_len, option->flag);
		bool is_prefix = name_len > 2 && strncmp(name, option->flag, name_len) == 0;

		if (option->is_secret || (distance >= nearest_distance && !is_prefix))
			continue;
		nearest = option->flag;
		nearest_distance = distance < nearest_distance ? distance : nearest_distance;
	}
	return nearest;
}

static void complain_unknown(struct parse *parse, const char *word, const char *name, size_t name_len)
{
	const char *nearest = nearest_flag(parse->program, name, name_len);

	parse->has_usage_error = true;
	complain(parse->program, "unknown flag %.*s%s%s%s", (int)strcspn(word, "="), word,
		 nearest ? "; did you mean --" : "", nearest ? nearest : "", nearest ? "?" : "");
}

/* ---- flags ---- */

static const struct option *find_flag(const struct program *program, const char *name, size_t len)
{
	for (size_t i = 0; i < program->option_count; i++) {
		const struct option *option = &program->options[i];

		if (!option->is_secret && strlen(option->flag) == len && memcmp(option->flag, name, len) == 0)
			return option;
	}
	return NULL;
}

static const struct option *find_letter(const struct program *program, char letter)
{
	for (size_t i = 0; i < program->option_count; i++) {
		if (program->options[i].letter == letter && !program->options[i].is_secret)
			return &program->options[i];
	}
	return NULL;
}

static void set_from_flag(struct parse *parse, const struct option *option, const char *value)
{
	struct error err;

	parse->is_given[option - parse->program->options] = true;
	if (option_value_set(option, OPTION_SOURCE_FLAG, value, &err) == 0)
		return;
	parse->has_usage_error = true;
	complain(parse->program, "--%s '%s': %s", option->flag, value, err.msg);
}

/* Where the value of a flag is: after its '=', or the next word. Counts the words that were used. */
static void take_value(struct parse *parse, const struct option *option, const char *attached, const char *next,
		       int *words_used)
{
	if (attached || option->type == OPTION_BOOL) {
		set_from_flag(parse, option, attached ? attached : "true");
	} else if (next && strncmp(next, "--", 2) != 0) { /* a value that begins so is given as --flag=VALUE */
		set_from_flag(parse, option, next);
		++*words_used;
	} else {
		parse->is_given[option - parse->program->options] = true;
		parse->has_usage_error = true;
		complain(parse->program, "--%s needs a value", option->flag);
	}
}

/* Reads the flag `word`; answers how many words it took. */
static int read_flag(struct parse *parse, const char *word, const char *next)
{
	bool is_long = word[1] == '-';
	const char *name = word + (is_long ? 2 : 1);
	size_t len = is_long ? strcspn(name, "=") : 1;
	const struct option *option = is_long ? find_flag(parse->program, name, len)
					      : find_letter(parse->program, name[0]);
	const char *attached = is_long ? (name[len] ? name + len + 1 : NULL) : (name[1] ? name + 1 : NULL);
	int words_used = 1;

	if (strcmp(word, "--help") == 0 || (strcmp(word, "-h") == 0 && !option))
		parse->wants_help = true;
	else if (strcmp(word, "--version") == 0)
		parse->wants_version = true;
	else if (option)
		take_value(parse, option, attached, next, &words_used);
	else
		complain_unknown(parse, word, name, is_long ? len : strlen(name));
	return words_used;
}

static void read_words(struct parse *parse, int argc, char **argv)
{
	bool is_after_flags = false;
	int i = 1;

	while (i < argc) {
		bool is_flag = !is_after_flags && argv[i][0] == '-' && argv[i][1];
		int words = 1;

		if (is_flag && strcmp(argv[i], "--") == 0) {
			is_after_flags = true;
		} else if (is_flag) {
			words = read_flag(parse, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
		} else {
			parse->arguments[parse->argument_count++] = argv[i++];
			is_after_flags = is_after_flags || parse->program->has_commands;
			continue;
		}
		while (words-- > 0)
			parse->flags[parse->flag_count++] = argv[i++];
	}
}

static void reorder(const struct parse *parse, char **argv)
{
	for (int i = 0; i < parse->flag_count; i++)
		argv[1 + i] = parse->flags[i];
	for (int i = 0; i < parse->argument_count; i++)
		argv[1 + parse->flag_count + i] = parse->arguments[i];
}

/* ---- environment and defaults ---- */

/* The value of the first of the names that is set and not empty. */
static const char *from_environment(const char *names, char *ret_name, size_t ret_name_size)
{
	for (const char *at = names; at && *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");
		const char *value;

		assert(len < ret_name_size);
		memcpy(ret_name, at, len);
		ret_name[len] = 0;
		value = getenv(ret_name);
		if (value && value[0])
			return value;
		at += len;
	}
	return NULL;
}

static void complain_missing(struct parse *parse, const struct option *option)
{
	parse->has_usage_error = true;
	if (option->is_secret)
		complain(parse->program, "the environment variable %s is required", option->environment);
	else
		complain(parse->program, "--%s is required%s%s%s", option->flag, option->environment ? " (or set " : "",
			 option->environment ? option->environment : "", option->environment ? ")" : "");
}

static void set_unless_given(struct parse *parse, const struct option *option)
{
	char name[80];
	const char *value = from_environment(option->environment, name, sizeof(name));
	struct error err;

	if (value) {
		if (option_value_set(option, OPTION_SOURCE_ENVIRONMENT, value, &err) < 0) {
			parse->has_config_error = true;
			complain(parse->program, "environment %s '%s': %s", name, option->is_secret ? "…" : value,
				 err.msg);
		}
	} else if (option->default_text) {
		if (option_value_set(option, OPTION_SOURCE_DEFAULT, option->default_text, &err) < 0)
			assert(false && "the default of an option does not fit its type");
	} else if (option->is_required) {
		complain_missing(parse, option);
	}
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
	for (size_t i = 0; i < program->option_count; i++) {
		if (!parse->is_given[i])
			set_unless_given(parse, &program->options[i]);
	}
	if (!program->arguments && parse->argument_count > 0) {
		parse->has_usage_error = true;
		complain(program, "unexpected argument '%s'", parse->arguments[0]);
	}
	if (parse->has_usage_error || parse->has_config_error)
		complain(program, "see %s --help", program->name);
	return parse->has_usage_error ? OPTIONS_USAGE : parse->has_config_error ? OPTIONS_CONFIG : OPTIONS_RUN;
}

enum options_result options_parse(const struct program *program, int argc, char **argv, int *ret_first_argument)
{
	struct parse parse = {.program = program};
	enum options_result result;

	assert(argc >= 1);
	parse.is_given = xcalloc(program->option_count + 1, sizeof(*parse.is_given));
	parse.flags = xcalloc((size_t)argc, sizeof(*parse.flags));
	parse.arguments = xcalloc((size_t)argc, sizeof(*parse.arguments));
	read_words(&parse, argc, argv);
	reorder(&parse, argv);
	result = conclude(&parse);
	if (ret_first_argument)
		*ret_first_argument = 1 + parse.flag_count;
	free(parse.is_given);
	free(parse.flags);
	free(parse.arguments);
	return result;
}
