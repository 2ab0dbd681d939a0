/* man_command.c - sagactl man: the manual page, made from the tables of commands, flags and exit codes. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "lib/base/bytes.h"
#include "lib/base/memory.h"

/* ---- roff ---- */

/* Text as roff takes it literally: no escapes, no requests at the start of a line, real hyphens. */
static void append_text(struct buffer *out, const char *text, size_t len)
{
	bool is_line_start = out->len == 0 || out->data[out->len - 1] == '\n';

	for (size_t i = 0; i < len; i++) {
		char letter = text[i];

		if (is_line_start && (letter == '.' || letter == '\''))
			buffer_append_text(out, "\\&");
		if (letter == '\\')
			buffer_append_text(out, "\\e");
		else if (letter == '-')
			buffer_append_text(out, "\\-");
		else
			buffer_append_byte(out, (uint8_t)letter);
		is_line_start = letter == '\n';
	}
}

static void append_line(struct buffer *out, const char *request, const char *text)
{
	buffer_append_text(out, request);
	append_text(out, text, strlen(text));
	buffer_append_text(out, "\n");
}

static void append_bold(struct buffer *out, const char *text)
{
	buffer_append_text(out, "\\fB");
	append_text(out, text, strlen(text));
	buffer_append_text(out, "\\fR");
}

/* ---- options ---- */

static void append_fact(struct buffer *facts, const char *label, const char *value)
{
	buffer_append_format(facts, "%s%s%s", facts->len > 0 ? "; " : "", label, value);
}

static void append_option(struct buffer *out, const struct option *option)
{
	static const char *const value_names[] = {[OPTION_TEXT] = "TEXT",
						  [OPTION_INT] = "NUMBER",
						  [OPTION_DURATION_MS] = "DURATION",
						  [OPTION_LIST] = "ITEM"};
	_cleanup_(buffer_release)
	struct buffer facts = {0};
	char flag[80];

	buffer_append_text(out, ".TP\n");
	(void)snprintf(flag, sizeof(flag), "-%c", option->letter);
	if (option->letter) {
		append_bold(out, flag);
		buffer_append_text(out, ", ");
	}
	(void)snprintf(flag, sizeof(flag), "--%s", option->flag);
	append_bold(out, flag);
	if (option->type != OPTION_BOOL) {
		const char *value = option->value_name ? option->value_name : value_names[option->type];

		buffer_append_text(out, " \\fI");
		append_text(out, value, strlen(value));
		buffer_append_text(out, "\\fR");
	}
	buffer_append_text(out, "\n");
	append_line(out, "", option->help);
	if (option->choices)
		append_fact(&facts, "One of: ", option->choices);
	if (option->default_text)
		append_fact(&facts, "Default: ", option->default_text);
	if (option->is_required)
		append_fact(&facts, "Required", "");
	if (option->type == OPTION_LIST)
		append_fact(&facts, "May repeat", "");
	if (option->environment)
		append_fact(&facts, "Environment: ", option->environment);
	if (facts.len > 0) {
		buffer_append_text(&facts, ".");
		append_line(out, "", buffer_text(&facts));
	}
}

static void append_options(struct buffer *out, const struct option *options, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!options[i].is_secret)
			append_option(out, &options[i]);
	}
}

/* ---- sections ---- */

static void append_command(struct buffer *out, const struct command *command)
{
	char title[128];

	(void)snprintf(title, sizeof(title), "sagactl %s%s%s", command->name, command->arguments ? " " : "",
		       command->arguments ? command->arguments : "");
	append_line(out, ".SS ", title);
	buffer_append_format(out, "%c", command->summary[0] - (command->summary[0] >= 'a' ? 'a' - 'A' : 0));
	append_text(out, command->summary + 1, strlen(command->summary + 1));
	buffer_append_text(out, ".\n");
	if (command->notes) {
		buffer_append_text(out, ".PP\n");
		append_text(out, command->notes, strlen(command->notes));
	}
	append_options(out, command->options, command->option_count);
	if (command->examples) {
		buffer_append_text(out, ".PP\n.EX\n");
		append_text(out, command->examples, strlen(command->examples));
		buffer_append_text(out, ".EE\n");
	}
}

static void append_environment(struct buffer *out)
{
	buffer_append_text(out, ".SH ENVIRONMENT\n");
	for (size_t i = 0; i < session_option_count; i++) {
		const struct option *option = &session_options[i];

		if (!option->environment)
			continue;
		buffer_append_text(out, ".TP\n");
		append_bold(out, option->environment);
		buffer_append_text(out, "\n");
		if (option->is_secret)
			append_line(out, "", option->help);
		else
			buffer_append_format(out,
					     "As \\fB\\-\\-%s\\fR; the first that is set counts, a flag before all.\n",
					     option->flag);
	}
	append_line(out, ".TP\n\\fBNO_COLOR\\fR\n", "No colours, when it is set to anything.");
}

static void append_exit_codes(struct buffer *out)
{
	buffer_append_text(out, ".SH EXIT STATUS\n");
	for (size_t i = 0; i < exit_meaning_count; i++) {
		buffer_append_format(out, ".TP\n\\fB%d\\fR\n", (int)exit_meanings[i].code);
		append_line(out, "", exit_meanings[i].meaning);
	}
}

static void append_page(struct buffer *out)
{
	buffer_append_text(out, ".TH SAGACTL 1 \"\" \"amends " AMENDS_VERSION "\" \"User Commands\"\n"
				".SH NAME\nsagactl \\- start sagas, show them, and set up what they need\n"
				".SH SYNOPSIS\n\\fBsagactl\\fR [\\fIFLAGS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]\n"
				".SH DESCRIPTION\n"
				"\\fBsagactl\\fR talks to a saga coordinator over gRPC. Flags may stand anywhere. "
				"People get tables and, on a terminal, colours; programs get JSON with \\fB\\-o\\fR.\n"
				".SH OPTIONS\nEvery command takes these.\n");
	append_options(out, session_options, session_option_count);
	buffer_append_text(out, ".SH COMMANDS\n");
	for (size_t i = 0; i < command_count; i++)
		append_command(out, command_table[i]);
	append_environment(out);
	append_exit_codes(out);
}

static enum exit_code run_man(struct session *session_, char **arguments, int count)
{
	_cleanup_(buffer_release)
	struct buffer page = {0};

	(void)session_;
	(void)arguments;
	(void)count;
	append_page(&page);
	(void)printf("%s", buffer_text(&page));
	return EXIT_DONE;
}

const struct command man_command = {
	.name = "man",
	.summary = "print the manual page",
	.examples = "sagactl man | man -l -\n"
		    "sagactl man > /usr/local/share/man/man1/sagactl.1\n",
	.run = run_man,
};
