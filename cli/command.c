/* command.c - see command.h. */
#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"
#include "lib/base/bytes.h"
#include "lib/base/memory.h"

static const struct command *const commands[] = {
	&start_command,
	&get_command,
	&definitions_put_command,
	&definitions_get_command,
	&definitions_list_command,
	&schema_register_command,
	&topics_create_command,
	&health_command,
};

static const char NOTES[] = "Exit codes:\n"
			    "  0   done, or shown (whatever state the saga is in)\n"
			    "  1   refused or failed\n"
			    "  2   what was given is wrong: flags, files, input\n"
			    "  3   no such saga, definition or subject\n"
			    "  4   a server is away or too slow; try again later\n"
			    "  78  an environment variable has a wrong value\n\n"
			    "Example:\n"
			    "  sagactl start checkout --input @order.json --key order-17\n";

static void append_command_list(struct buffer *out)
{
	struct table table;

	table_init(&table, 2, false);
	buffer_append_text(
		out, "Commands (each has its own --help; `config print`, `config check`, `config example` are about "
		     "the flags above):\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const char *arguments = commands[i]->arguments ? commands[i]->arguments : "";

		table_add(&table, TABLE_PLAIN, "%s%s%s", commands[i]->name, arguments[0] ? " " : "", arguments);
		table_add(&table, TABLE_PLAIN, "%s", commands[i]->summary);
	}
	table_print(&table, out);
	table_release(&table);
	buffer_append_text(out, "\n");
	buffer_append_text(out, NOTES);
}

/* How many of the words name the command: 0, 1 or 2. */
static int words_of(const struct command *command, char **words, int count)
{
	const char *blank = strchr(command->name, ' ');
	size_t first_len = blank ? (size_t)(blank - command->name) : strlen(command->name);

	if (count < 1 || strlen(words[0]) != first_len || memcmp(words[0], command->name, first_len) != 0)
		return 0;
	if (!blank)
		return 1;
	return count > 1 && strcmp(words[1], blank + 1) == 0 ? 2 : 0;
}

static const struct command *find(char **words, int count, int *ret_words)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		*ret_words = words_of(commands[i], words, count);
		if (*ret_words > 0)
			return commands[i];
	}
	return NULL;
}

static int complain_unknown(char **words, int count)
{
	if (count == 0)
		(void)fprintf(stderr, "sagactl: no command was given; see sagactl --help\n");
	else
		(void)fprintf(stderr, "sagactl: unknown command '%s%s%s'; see sagactl --help\n", words[0],
			      count > 1 ? " " : "", count > 1 ? words[1] : "");
	return EXIT_USAGE;
}

static int code_of(enum options_result result)
{
	return result == OPTIONS_EXIT ? EXIT_DONE : result == OPTIONS_CONFIG ? EXIT_ENVIRONMENT : EXIT_USAGE;
}

/* The command's own flags and the global ones together, so that these may stand anywhere. */
static int parse_and_run(const struct command *command, int argc, char **argv)
{
	size_t option_count = command->option_count + session_option_count;
	_cleanup_(freep)
	struct option *options = xcalloc(option_count, sizeof(*options));
	char name[64];
	struct program program = {.name = name,
				  .summary = command->summary,
				  .arguments = command->arguments,
				  .examples = command->notes,
				  .options = options,
				  .option_count = option_count};
	enum options_result result;
	int first;

	(void)snprintf(name, sizeof(name), "sagactl %s", command->name);
	if (command->option_count)
		memcpy(options, command->options, command->option_count * sizeof(*options));
	memcpy(options + command->option_count, session_options, session_option_count * sizeof(*options));
	result = options_parse(&program, argc, argv, &first);
	if (result != OPTIONS_RUN)
		return code_of(result);
	if (argc - first < command->arguments_min || argc - first > command->arguments_max) {
		(void)fprintf(stderr, "%s: expected %s, got %d argument%s; see %s --help\n", name,
			      command->arguments ? command->arguments : "no argument", argc - first,
			      argc - first == 1 ? "" : "s", name);
		return EXIT_USAGE;
	}
	return command->run(&session, argv + first, argc - first);
}

/* `config print` and its like are about the global flags, which is what a file holds. */
static int configure(const struct program *all, int argc, char **argv)
{
	struct program program = *all;
	enum options_result result;

	program.has_commands = false;
	program.arguments = NULL;
	program.examples = NULL;
	result = options_parse(&program, argc, argv, NULL);
	if (result != OPTIONS_RUN)
		return code_of(result);
	(void)fprintf(stderr, "sagactl: config is one of: print [--show-origin], check, example, reference, man\n");
	return EXIT_USAGE;
}

/* The words of the command are taken out of argv; what stands before and after them is parsed by the command. */
int command_main(int argc, char **argv)
{
	_cleanup_(buffer_release)
	struct buffer help = {0};
	_cleanup_(freep)
	char **rest = xcalloc((size_t)argc + 1, sizeof(*rest));
	struct program program = {.name = "sagactl",
				  .summary = "starts sagas, shows them, and sets up what they need",
				  .arguments = "COMMAND …",
				  .options = session_options,
				  .option_count = session_option_count,
				  .has_commands = true};
	const struct command *command;
	enum options_result result;
	int first;
	int words;
	int code;

	append_command_list(&help);
	program.examples = buffer_text(&help);
	result = options_parse(&program, argc, argv, &first);
	if (result != OPTIONS_RUN)
		return code_of(result);
	if (first < argc && strcmp(argv[first], "config") == 0)
		return configure(&program, argc, argv);
	command = find(argv + first, argc - first, &words);
	if (!command)
		return complain_unknown(argv + first, argc - first);
	memcpy(rest, argv, (size_t)first * sizeof(*rest));
	memcpy(rest + first, argv + first + words, (size_t)(argc - first - words) * sizeof(*rest));
	code = parse_and_run(command, argc - words, rest);
	session_release(&session);
	return code;
}
