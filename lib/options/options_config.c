/* options_config.c - see options_state.h: `config print`, `config check`, and the documents that are made from the table. */
#include <stdio.h>
#include <string.h>

#include "lib/base/memory.h"
#include "lib/options/options_state.h"

enum { ORIGIN_COLUMN = 60 };

static const char *const words[] = {"print", "check", "example", "reference", "man"};

bool options_is_config_word(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(words[i], word) == 0)
			return true;
	}
	return false;
}

bool options_run_document(const struct parse *parse)
{
	const char *word = parse->arguments[1];

	if (strcmp(word, "example") == 0)
		options_print_example(parse->program);
	else if (strcmp(word, "reference") == 0)
		options_print_reference(parse->program);
	else if (strcmp(word, "man") == 0)
		options_print_man(parse->program);
	else
		return false;
	return true;
}

/* ---- print ---- */

static void append_origin(struct buffer *line, const struct origin *origin, const struct option *option)
{
	size_t width = line->len < ORIGIN_COLUMN ? ORIGIN_COLUMN - line->len : 1;

	buffer_append_format(line, "%*s# ", (int)width, "");
	switch (origin->source) {
	case OPTION_SOURCE_DEFAULT:
		buffer_append_text(line, "default");
		break;
	case OPTION_SOURCE_FILE:
		buffer_append_format(line, "file %s:%d", origin->name, origin->line);
		break;
	case OPTION_SOURCE_ENVIRONMENT:
		buffer_append_format(line, "environment %s", origin->name);
		break;
	case OPTION_SOURCE_FLAG:
		buffer_append_format(line, "flag --%s%s", option->flag, option->is_secret ? "-file" : "");
		break;
	}
}

static void print_line(const struct parse *parse, const struct option *option, const struct buffer *text,
		       const struct origin *origin)
{
	_cleanup_(buffer_release)
	struct buffer line = {0};

	buffer_append_text(&line, buffer_text(text));
	if (parse->wants_origin)
		append_origin(&line, origin, option);
	(void)printf("%s\n", buffer_text(&line));
}

/* A flag that repeats left its last text in the origin only, so the items are shown. */
static void append_value(struct buffer *out, const struct option *option, const struct origin *origin)
{
	const struct option_list *list = option->place;

	if (option->type != OPTION_LIST) {
		option_text_append_masked(out, option, origin->text);
		return;
	}
	for (size_t i = 0; i < list->count; i++)
		buffer_append_format(out, "%s%s", i ? ", " : "", list->items[i]);
}

static void print_option(const struct parse *parse, const struct option *option, const struct origin *origin)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};

	if (origin->text)
		buffer_append_format(&text, "%s = ", option->flag);
	else
		buffer_append_format(&text, "# %s is not set", option->flag);
	if (origin->text)
		append_value(&text, option, origin);
	print_line(parse, option, &text, origin);
}

static void print_property(const struct parse *parse, const struct read_property *property)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};

	buffer_append_format(&text, "%s%s = ", property->option->prefix, property->name);
	option_property_append_masked(&text, property->name, property->value);
	print_line(parse, property->option, &text, &property->origin);
}

static void print_all(const struct parse *parse)
{
	const struct program *program = parse->program;

	for (size_t i = 0; i < program->option_count; i++) {
		if (program->options[i].type != OPTION_PROPERTIES)
			print_option(parse, &program->options[i], &parse->origins[i]);
	}
	for (size_t i = 0; i < parse->property_count; i++)
		print_property(parse, &parse->properties[i]);
}

void options_run_config(const struct parse *parse)
{
	if (strcmp(parse->arguments[1], "print") == 0)
		print_all(parse);
	else if (parse->problems.count == 0)
		(void)printf("%s: the configuration is right%s%s\n", parse->program->name,
			     parse->config_path ? ": " : "", parse->config_path ? parse->config_path : "");
}
