/* options_flags.c - see options_state.h: the words of the command line. */
#include <string.h>

#include "lib/base/memory.h"
#include "lib/options/options_state.h"

/* NAME=VALUE of a flag. */
static void read_property(struct parse *parse, const struct option *option, const char *text)
{
	const char *equals = strchr(text, '=');
	struct origin origin = {.source = OPTION_SOURCE_FLAG, .text = text};
	char *name;

	if (!equals || equals == text) {
		options_complain_value(parse, option, &origin, "must be NAME=VALUE");
		return;
	}
	name = arena_strndup(parse->texts, text, (size_t)(equals - text));
	if (option_property_is_secret(name, equals + 1)) {
		parse->has_usage_error = true;
		options_complain(parse, "",
				 "--%s %s: secrets are not taken from flags, which every user of this machine sees: "
				 "write %s%s = … "
				 "in the configuration file, or set a variable that begins with %s",
				 option->flag, name, option->prefix, name, option->environment);
		return;
	}
	origin.text = equals + 1;
	options_take_property(parse, option, name, &origin);
}

static void complain_unknown(struct parse *parse, const char *word, const char *name, size_t name_len)
{
	const char *nearest = options_nearest(parse->program, name, name_len);

	parse->has_usage_error = true;
	options_complain(parse, "", "unknown flag %.*s%s%s%s", (int)strcspn(word, "="), word,
			 nearest ? "; did you mean --" : "", nearest ? nearest : "", nearest ? "?" : "");
}

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
	struct origin origin = {.source = OPTION_SOURCE_FLAG, .text = value};

	if (option->type == OPTION_PROPERTIES) {
		read_property(parse, option, value);
		return;
	}
	if (option->is_secret)
		origin.text = options_read_secret(parse, option, &origin, value);
	options_set_value(parse, option, &origin);
	if (!option->is_secret && option_text_is_secret(option, value))
		options_complain_value(
			parse, option, &origin,
			"holds a password, and every user of this machine sees flags: leave it to PGPASSWORD, a "
			"passfile, the environment or the configuration file");
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
		*options_origin(parse, option) = (struct origin){.source = OPTION_SOURCE_FLAG};
		parse->has_usage_error = true;
		options_complain(parse, "", "--%s%s needs a value", option->flag, option->is_secret ? "-file" : "");
	}
}

/* The file's name of --config; answers how many words it took. */
static int read_config_flag(struct parse *parse, const char *attached, const char *next)
{
	parse->config_path = attached ? attached : next;
	if (parse->config_path && *parse->config_path)
		return attached ? 1 : 2;
	parse->config_path = NULL;
	parse->has_usage_error = true;
	options_complain(parse, "", "--config needs a value");
	return 1;
}

/* Reads the flag `word`; answers how many words it took. */
static int read_flag(struct parse *parse, const char *word, const char *next)
{
	bool is_long = word[1] == '-';
	const char *name = word + (is_long ? 2 : 1);
	size_t len = is_long ? strcspn(name, "=") : 1;
	const struct option *option = is_long ? find_flag(parse->program, name, len)
					      : find_letter(parse->program, name[0]);
	const struct option *secret = is_long ? options_find_secret(parse->program, name, len) : NULL;
	const char *attached = is_long ? (name[len] ? name + len + 1 : NULL) : (name[1] ? name + 1 : NULL);
	int words_used = 1;

	if (strcmp(word, "--help") == 0 || (strcmp(word, "-h") == 0 && !option))
		parse->wants_help = true;
	else if (strcmp(word, "--version") == 0)
		parse->wants_version = true;
	else if (strcmp(word, "--show-origin") == 0)
		parse->wants_origin = true;
	else if (is_long && len == strlen("config") && memcmp(name, "config", len) == 0)
		words_used = read_config_flag(parse, attached, next);
	else if (option || secret)
		take_value(parse, option ? option : secret, attached, next, &words_used);
	else
		complain_unknown(parse, word, name, is_long ? len : strlen(name));
	return words_used;
}

void options_read_flags(struct parse *parse, int argc, char **argv)
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
