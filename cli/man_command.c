/* man_command.c - sagactl man: the manual page, made from the tables of commands, flags and exit codes. */
#include <ctype.h>
#include <stdio.h>

#include "cli/command.h"

static void print_options(const struct option *options, size_t count)
{
	for (size_t i = 0; i < count; i++)
		options_print_man_option(&options[i]);
}

static void print_command(const struct command *command)
{
	(void)printf(".SS sagactl ");
	options_print_roff(command->name);
	(void)printf("%s", command->arguments ? " " : "");
	options_print_roff(command->arguments ? command->arguments : "");
	(void)printf("\n%c", toupper((unsigned char)command->summary[0]));
	options_print_roff(command->summary + 1);
	(void)printf(".\n");
	if (command->notes) {
		(void)printf(".PP\n");
		options_print_roff(command->notes);
	}
	print_options(command->options, command->option_count);
	if (command->examples) {
		(void)printf(".PP\n.EX\n");
		options_print_roff(command->examples);
		(void)printf(".EE\n");
	}
}

static void print_exit_codes(void)
{
	(void)printf(".SH EXIT STATUS\n");
	for (size_t i = 0; i < exit_meaning_count; i++) {
		(void)printf(".TP\n.B %d\n", (int)exit_meanings[i].code);
		options_print_roff(exit_meanings[i].meaning);
		(void)printf("\n");
	}
}

static enum exit_code run_man(struct session *session_, char **arguments, int count)
{
	(void)session_;
	(void)arguments;
	(void)count;
	(void)printf(
		".TH SAGACTL 1 \"\" \"Amends " AMENDS_VERSION "\" \"User Commands\"\n"
		".SH NAME\nsagactl \\- start sagas, show them, and set up what they need\n"
		".SH SYNOPSIS\n.B sagactl\n[FLAGS] COMMAND [ARGUMENTS]\n"
		".SH DESCRIPTION\n.B sagactl\ntalks to a saga coordinator over gRPC. Flags may stand anywhere. People "
		"get tables and, on a terminal, colours; programs get JSON with\n.BR \\-o .\n"
		".SH OPTIONS\nEvery command takes these; the file of --config and the environment may hold them, too. "
		"NO_COLOR in the environment, set to anything, means no colours.\n");
	print_options(session_options, session_option_count);
	(void)printf(".SH COMMANDS\n");
	for (size_t i = 0; i < command_count; i++)
		print_command(command_table[i]);
	print_exit_codes();
	return EXIT_DONE;
}

const struct command man_command = {
	.name = "man",
	.summary = "print the manual page",
	.examples = "sagactl man | man -l -\n"
		    "sagactl man > /usr/local/share/man/man1/sagactl.1\n",
	.run = run_man,
};
