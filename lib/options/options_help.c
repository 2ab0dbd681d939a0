/* options_help.c - see options.h: the --help that is made from the table. */
#include <stdio.h>
#include <string.h>

#include "lib/base/bytes.h"
#include "lib/base/memory.h"
#include "lib/options/options.h"

static const char CONFIG_HELP[] = "Read options from this file, too. What is in force, and from where: `config print "
				  "--show-origin`; what is wrong: `config check`; a file to begin with: `config "
				  "example`.";

enum { HELP_COLUMN = 30, LINE_COLUMNS = 100 };

static const char *value_name(const struct option *option)
{
	static const char *const names[] = {[OPTION_TEXT] = "TEXT",
					    [OPTION_INT] = "NUMBER",
					    [OPTION_DURATION_MS] = "DURATION",
					    [OPTION_LIST] = "ITEM",
					    [OPTION_PROPERTIES] = "NAME=VALUE"};

	if (option->type == OPTION_BOOL)
		return NULL;
	return option->value_name ? option->value_name : names[option->type];
}

/* Words from HELP_COLUMN on, broken before LINE_COLUMNS; the cursor stands at column `at`. */
static void print_wrapped(const char *text, size_t at)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		if (at > HELP_COLUMN && at + 1 + len > LINE_COLUMNS) {
			(void)printf("\n");
			at = 0;
		}
		if (at < HELP_COLUMN)
			at += (size_t)printf("%*s", (int)(HELP_COLUMN - at), "");
		else if (at > HELP_COLUMN)
			at += (size_t)printf(" ");
		at += (size_t)printf("%.*s", (int)len, text);
		text += len + strspn(text + len, " ");
	}
	(void)printf("\n");
}

/* "; "-separated facts in brackets after the help text. */
static void append_fact(struct buffer *text, bool *is_first, const char *label, const char *value)
{
	buffer_append_format(text, "%s%s%s", *is_first ? " [" : "; ", label, value);
	*is_first = false;
}

static void print_option(const struct option *option)
{
	_cleanup_(buffer_release)
	struct buffer head = {0};
	_cleanup_(buffer_release)
	struct buffer text = {0};
	bool is_first = true;

	if (option->is_secret)
		buffer_append_format(&head, "  --%s-file FILE", option->flag);
	else if (option->letter)
		buffer_append_format(&head, "  -%c, --%s", option->letter, option->flag);
	else
		buffer_append_format(&head, "  --%s", option->flag);
	if (!option->is_secret && value_name(option))
		buffer_append_format(&head, " %s", value_name(option));
	buffer_append_text(&text, option->help);
	if (option->choices)
		append_fact(&text, &is_first, "one of: ", option->choices);
	if (option->default_text && !option->is_secret)
		append_fact(&text, &is_first, "default: ", option->default_text);
	if (option->is_required)
		append_fact(&text, &is_first, "required", "");
	if (option->type == OPTION_LIST || option->type == OPTION_PROPERTIES)
		append_fact(&text, &is_first, "may repeat", "");
	if (option->type == OPTION_PROPERTIES) {
		append_fact(&text, &is_first, "in a file: ", option->prefix);
		buffer_append_text(&text, "NAME");
	}
	if (option->environment)
		append_fact(&text, &is_first, "env: ", option->environment);
	if (option->environment && option->type == OPTION_PROPERTIES)
		buffer_append_text(&text, "…");
	if (!is_first)
		buffer_append_text(&text, "]");
	(void)printf("%s", buffer_text(&head));
	if (head.len >= HELP_COLUMN) {
		(void)printf("\n");
		head.len = 0;
	}
	print_wrapped(buffer_text(&text), head.len);
}

void options_print_help(const struct program *program)
{
	(void)printf("%s - %s\n\nUsage: %s [FLAGS]%s%s\n\nFlags:\n", program->name, program->summary, program->name,
		     program->arguments ? " " : "", program->arguments ? program->arguments : "");
	for (size_t i = 0; i < program->option_count; i++)
		print_option(&program->options[i]);
	print_option(&(struct option){.flag = "config",
				      .value_name = "FILE",
				      .help = program->has_commands || program->arguments
						      ? "Read options from this file, too."
						      : CONFIG_HELP});
	print_option(&(struct option){.flag = "help", .type = OPTION_BOOL, .help = "Show this and exit."});
	print_option(&(struct option){.flag = "version", .type = OPTION_BOOL, .help = "Show the version and exit."});
	if (program->examples)
		(void)printf("\n%s%s", program->examples,
			     program->examples[0] && program->examples[strlen(program->examples) - 1] == '\n' ? ""
													      : "\n");
}
