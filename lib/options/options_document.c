/*
 * options_document.c - see options_state.h: an example file, the reference in Markdown and the man page of a program.
 *
 * What they say is what the table says; docs/configuration.md and the man pages are made by docs/update, and a test fails
 * when they differ.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/memory.h"
#include "lib/options/options_state.h"

enum { TEXT_COLUMNS = 100 };

static const char *type_name(const struct option *option)
{
	static const char *const names[] = {[OPTION_TEXT] = "text",          [OPTION_INT] = "whole number",
					    [OPTION_BOOL] = "true or false", [OPTION_DURATION_MS] = "duration",
					    [OPTION_LIST] = "list",          [OPTION_PROPERTIES] = "properties"};

	return names[option->type];
}

/* The help as a sentence: a capital first, a full stop last. */
static void append_sentence(struct buffer *out, const char *help)
{
	size_t start = out->len;

	buffer_append_text(out, help);
	out->data[start] = (uint8_t)toupper(out->data[start]);
	if (out->data[out->len - 1] != '.')
		buffer_append_text(out, ".");
}

static void append_duration(struct buffer *out, const struct option *option)
{
	char least[OPTION_DURATION_TEXT_BYTES];
	char most[OPTION_DURATION_TEXT_BYTES];

	option_duration_format(option->min, least);
	option_duration_format(OPTION_DURATION_MS_MAX, most);
	buffer_append_text(out, "a duration such as 500ms, 3s, 5m, 24h or 7d, ");
	if (option->min == 0)
		buffer_append_format(out, "at most %s", most);
	else
		buffer_append_format(out, "from %s to %s, or 0", least, most);
}

/* The accepted values, where there is more to say than the type. */
static void append_accepted(struct buffer *out, const struct option *option)
{
	if (option->choices)
		buffer_append_format(out, "one of %s", option->choices);
	else if (option->type == OPTION_INT && (option->min || option->max))
		buffer_append_format(out, "%lld to %lld", (long long)option->min, (long long)option->max);
	else if (option->type == OPTION_DURATION_MS)
		append_duration(out, option);
	else
		buffer_append_text(out, type_name(option));
}

static void append_environment(struct buffer *out, const struct option *option, const char *quote)
{
	if (!option->environment)
		return;
	if (option->type == OPTION_PROPERTIES) {
		buffer_append_format(out, "%s%s…%s", quote, option->environment, quote);
		return;
	}
	for (const char *at = option->environment; *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");

		buffer_append_format(out, "%s%s%.*s%s", at == option->environment ? "" : ", ", quote, (int)len, at,
				     quote);
		if (option->is_secret)
			buffer_append_format(out, ", %s%.*s_FILE%s", quote, (int)len, at, quote);
		at += len;
	}
}

/* ---- the example file ---- */

static void print_comment(const char *text)
{
	size_t at = 0;

	while (*text) {
		size_t len = strcspn(text, " ");

		if (at > 0 && at + 1 + len > TEXT_COLUMNS) {
			(void)printf("\n");
			at = 0;
		}
		at += (size_t)printf("%s%.*s", at ? " " : "# ", (int)len, text);
		text += len + strspn(text + len, " ");
	}
	(void)printf("\n");
}

static void print_example_option(const struct option *option)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};

	append_sentence(&text, option->help);
	buffer_append_text(&text, " Accepted: ");
	append_accepted(&text, option);
	buffer_append_text(&text, ".");
	(void)printf("\n");
	print_comment(buffer_text(&text));
	if (option->type == OPTION_PROPERTIES)
		(void)printf("#%sNAME = VALUE\n", option->prefix);
	else if (option->is_secret)
		(void)printf("#%s-file = /etc/amends/%s\n", option->flag, option->flag);
	else
		(void)printf("#%s = %s\n", option->flag, option->default_text ? option->default_text : "");
}

void options_print_example(const struct program *program)
{
	(void)printf("# Configuration of %s. Every key with its default; a line that begins with # says nothing.\n"
		     "# Flags and environment go over it. Check it: %s --config FILE config check\n",
		     program->name, program->name);
	for (size_t i = 0; i < program->option_count; i++)
		print_example_option(&program->options[i]);
}

/* ---- the reference ---- */

static void print_reference_option(const struct option *option)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};

	if (option->type == OPTION_PROPERTIES)
		buffer_append_format(&text, "| `%sNAME`, flag `--%s %s` |", option->prefix, option->flag,
				     option->value_name ? option->value_name : "NAME=VALUE");
	else if (option->is_secret)
		buffer_append_format(&text, "| `%s`, `%s-file` |", option->flag, option->flag);
	else
		buffer_append_format(&text, "| `%s` |", option->flag);
	buffer_append_text(&text, " ");
	append_accepted(&text, option);
	if (option->is_required)
		buffer_append_text(&text, "; required");
	buffer_append_text(&text, " |");
	if (option->default_text && *option->default_text)
		buffer_append_format(&text, " `%s`", option->default_text);
	buffer_append_text(&text, " | ");
	append_environment(&text, option, "`");
	buffer_append_text(&text, " | ");
	append_sentence(&text, option->help);
	if (option->is_reloaded)
		buffer_append_text(&text, " Read again at SIGHUP.");
	(void)printf("%s |\n", buffer_text(&text));
}

void options_print_reference(const struct program *program)
{
	char variable[OPTION_NAME_BYTES_MAX];
	_cleanup_(buffer_release)
	struct buffer summary = {0};

	options_config_variable(program, variable);
	append_sentence(&summary, program->summary);
	(void)printf(
		"## %s\n\n%s Its file is named by `--config` or `%s`.\n\n"
		"| key, and flag with `--` | accepted | default | environment | meaning |\n|---|---|---|---|---|\n",
		program->name, buffer_text(&summary), variable);
	for (size_t i = 0; i < program->option_count; i++)
		print_reference_option(&program->options[i]);
}

/* ---- the man page ---- */

/* In roff a dash is a hyphen unless escaped, and a line must not begin with a dot or quote. */
void options_print_roff(const char *text)
{
	if (*text == '.' || *text == '\'')
		(void)printf("\\&");
	for (; *text; text++) {
		if (*text == '-')
			(void)printf("\\-");
		else if (*text == '\\')
			(void)printf("\\e");
		else
			(void)printf("%c", *text);
		if (*text == '\n' && (text[1] == '.' || text[1] == '\''))
			(void)printf("\\&");
	}
}

void options_print_man_option(const struct option *option)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};

	(void)printf(".TP\n.B ");
	if (option->letter) {
		buffer_append_format(&text, "-%c, ", option->letter);
	}
	buffer_append_format(&text, "--%s%s", option->flag, option->is_secret ? "-file" : "");
	options_print_roff(buffer_text(&text));
	if (option->type == OPTION_PROPERTIES)
		(void)printf(" NAME=VALUE");
	else if (option->is_secret)
		(void)printf(" FILE");
	else if (option->type != OPTION_BOOL)
		(void)printf(" %s", option->value_name ? option->value_name : "VALUE");
	(void)printf("\n");
	buffer_clear(&text);
	append_sentence(&text, option->help);
	buffer_append_text(&text, " Accepted: ");
	append_accepted(&text, option);
	buffer_append_text(&text, ".");
	if (option->default_text && *option->default_text)
		buffer_append_format(&text, " Default: %s.", option->default_text);
	if (option->environment) {
		buffer_append_text(&text, " Environment: ");
		append_environment(&text, option, "");
		buffer_append_text(&text, ".");
	}
	if (option->is_reloaded)
		buffer_append_text(&text, " Read again at SIGHUP.");
	options_print_roff(buffer_text(&text));
	(void)printf("\n");
}

void options_print_man(const struct program *program)
{
	char variable[OPTION_NAME_BYTES_MAX];

	options_config_variable(program, variable);
	(void)printf(".TH ");
	for (const char *at = program->name; *at; at++)
		(void)printf("%c", toupper((unsigned char)*at));
	(void)printf(" 8 \"\" \"Amends %s\"\n.SH NAME\n", AMENDS_VERSION);
	options_print_roff(program->name);
	(void)printf(" \\- ");
	options_print_roff(program->summary);
	(void)printf("\n.SH SYNOPSIS\n.B ");
	options_print_roff(program->name);
	(void)printf("\n[FLAGS]\n.br\n.B ");
	options_print_roff(program->name);
	(void)printf("\n[FLAGS] config print [\\-\\-show\\-origin] | config check | config example\n.SH DESCRIPTION\n"
		     "Every option is a flag, a key of the configuration file (without the dashes) and, mostly, a "
		     "variable of "
		     "the environment. Flags go over the environment, the environment over the file, the file over the "
		     "default.\n.SH OPTIONS\n.TP\n.B \\-\\-config FILE\nThe configuration file. Environment: %s.\n",
		     variable);
	for (size_t i = 0; i < program->option_count; i++)
		options_print_man_option(&program->options[i]);
	(void)printf(".SH EXIT STATUS\n0 when it ended as asked, 1 when it failed, 2 for flags that are wrong by "
		     "themselves, 78 for a wrong file or environment, and for values that cannot be used together or "
		     "name what is not there.\n");
	if (program->examples) {
		(void)printf(".SH EXAMPLES\n.nf\n");
		options_print_roff(program->examples);
		(void)printf("\n.fi\n");
	}
}
