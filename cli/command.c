/* command.c - see command.h. */
#include "cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/completion.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "lib/base/bytes.h"
#include "lib/base/memory.h"
#include "lib/base/spelling.h"

const struct command *const command_table[] = {
	&start_command,
	&list_command,
	&get_command,
	&watch_command,
	&wait_command,
	&log_command,
	&cancel_command,
	&signal_command,
	&explain_command,
	&stuck_command,
	&pause_command,
	&resume_command,
	&retry_command,
	&skip_command,
	&resolve_command,
	&definitions_put_command,
	&definitions_get_command,
	&definitions_list_command,
	&definitions_pause_command,
	&definitions_resume_command,
	&participants_pause_command,
	&participants_resume_command,
	&pauses_command,
	&schema_register_command,
	&schema_list_command,
	&schema_get_command,
	&schema_diff_command,
	&schema_check_command,
	&schema_decode_command,
	&topics_create_command,
	&topics_list_command,
	&dlq_list_command,
	&dlq_show_command,
	&dlq_replay_command,
	&dlq_drop_command,
	&health_command,
	&check_command,
	&token_new_command,
	&completion_command,
	&man_command,
};
const size_t command_count = ARRAY_LEN(command_table);

static const char EXAMPLES[] = "\nExamples:\n"
			       "  sagactl start checkout --input @order.json --key order-17 --wait\n"
			       "  sagactl list --state stuck,failed --since 24h\n"
			       "  sagactl watch 01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10\n";

static void append_command_list(struct buffer *out, const char *first_word)
{
	size_t len = first_word ? strlen(first_word) : 0;
	struct table table;

	table_init(&table, 2, false);
	for (size_t i = 0; i < command_count; i++) {
		const struct command *command = command_table[i];

		if (first_word && (strncmp(command->name, first_word, len) != 0 || command->name[len] != ' '))
			continue;
		table_add(&table, TABLE_PLAIN, "%s%s%s", command->name, command->arguments ? " " : "",
			  command->arguments ? command->arguments : "");
		table_add(&table, TABLE_PLAIN, "%s", command->summary);
	}
	table_print(&table, out);
	table_release(&table);
}

static void append_exit_codes(struct buffer *out)
{
	buffer_append_text(out, "\nExit codes:\n");
	for (size_t i = 0; i < exit_meaning_count; i++)
		buffer_append_format(out, "  %-3d %s\n", (int)exit_meanings[i].code, exit_meanings[i].meaning);
}

/* How many of the words name the command: 0, 1 or 2. */
static int words_of(const struct command *command, char *const *words, int count)
{
	const char *blank = strchr(command->name, ' ');
	size_t first_len = blank ? (size_t)(blank - command->name) : strlen(command->name);

	if (count < 1 || strlen(words[0]) != first_len || memcmp(words[0], command->name, first_len) != 0)
		return 0;
	if (!blank)
		return 1;
	return count > 1 && strcmp(words[1], blank + 1) == 0 ? 2 : 0;
}

const struct command *command_find(char *const *words, int count, int *ret_words)
{
	for (size_t i = 0; i < command_count; i++) {
		*ret_words = words_of(command_table[i], words, count);
		if (*ret_words > 0)
			return command_table[i];
	}
	return NULL;
}

/* ---- words that name no command ---- */

static bool is_group(const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i < command_count; i++) {
		if (strncmp(command_table[i]->name, word, len) == 0 && command_table[i]->name[len] == ' ')
			return true;
	}
	return false;
}

/* The command that was probably meant, or NULL: of a group by its second word, else by the first one. */
static const char *nearest_command(char *const *words, int count)
{
	_cleanup_(freep)
	const char **names = xcalloc(command_count, sizeof(*names));
	const char *group = is_group(words[0]) ? words[0] : NULL;
	const char *given = group && count > 1 ? words[1] : words[0];
	const char *nearest;
	size_t known = 0;

	for (size_t i = 0; i < command_count; i++) {
		const char *name = command_table[i]->name;
		const char *blank = strchr(name, ' ');

		if (!group)
			names[known++] = name;
		else if (blank && strncmp(name, group, strlen(group)) == 0)
			names[known++] = blank + 1;
	}
	nearest = spelling_nearest(given, names, known);
	for (size_t i = 0; group && nearest && i < command_count; i++) {
		const char *blank = strchr(command_table[i]->name, ' ');

		if (blank && blank + 1 == nearest)
			return command_table[i]->name;
	}
	return nearest;
}

/* The first line of each command's own examples. */
static void append_group_examples(struct buffer *out, const char *group)
{
	size_t len = strlen(group);

	for (size_t i = 0; i < command_count; i++) {
		const struct command *command = command_table[i];

		if (strncmp(command->name, group, len) == 0 && command->name[len] == ' ' && command->examples)
			buffer_append_format(out, "  %.*s\n", (int)strcspn(command->examples, "\n"), command->examples);
	}
}

static void print_group_help(const char *group)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};

	buffer_append_format(
		&out, "Usage: sagactl %s COMMAND …\n\nCommands (each has its own --help, with all flags):\n", group);
	append_command_list(&out, group);
	buffer_append_text(&out, "\nExamples:\n");
	append_group_examples(&out, group);
	(void)printf("%s", buffer_text(&out));
}

static int complain_unknown(char *const *words, int count)
{
	_cleanup_(buffer_release)
	struct buffer list = {0};
	const char *nearest = count > 0 ? nearest_command(words, count) : NULL;
	bool is_flag = count > 1 && words[1][0] == '-';

	if (count == 0) {
		(void)fprintf(stderr, "sagactl: no command was given; see sagactl --help\n");
		return EXIT_USAGE;
	}
	if (is_group(words[0]) && (count == 1 || is_flag)) {
		if (count > 1 && (strcmp(words[1], "--help") == 0 || strcmp(words[1], "-h") == 0)) {
			print_group_help(words[0]);
			return EXIT_DONE;
		}
		append_command_list(&list, words[0]);
		(void)fprintf(stderr, "sagactl: %s needs one more word:\n%s", words[0], buffer_text(&list));
		return EXIT_USAGE;
	}
	(void)fprintf(stderr, "sagactl: unknown command '%s%s%s'%s%s%s; see sagactl --help\n", words[0],
		      is_group(words[0]) ? " " : "", is_group(words[0]) ? words[1] : "",
		      nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'" : "");
	return EXIT_USAGE;
}

/* ---- running ---- */

static int code_of(enum options_result result)
{
	return result == OPTIONS_EXIT ? EXIT_DONE : result == OPTIONS_CONFIG ? EXIT_ENVIRONMENT : EXIT_USAGE;
}

/* The notes, and the examples indented below them. */
static void append_end_of_help(struct buffer *out, const struct command *command)
{
	const char *line = command->examples;

	if (command->notes)
		buffer_append_format(out, "%s%s", command->notes, line ? "\n" : "");
	if (line)
		buffer_append_text(out, "Examples:\n");
	while (line && *line) {
		size_t len = strcspn(line, "\n");

		buffer_append_format(out, "  %.*s\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
}

/* The command's own flags and the global ones together, so that these may stand anywhere. */
static int parse_and_run(const struct command *command, int argc, char **argv)
{
	size_t option_count = command->option_count + session_option_count;
	_cleanup_(freep)
	struct option *options = xcalloc(option_count, sizeof(*options));
	_cleanup_(buffer_release)
	struct buffer end_of_help = {0};
	char name[64];
	struct program program = {.name = name,
				  .summary = command->summary,
				  .arguments = command->arguments,
				  .options = options,
				  .option_count = option_count};
	enum options_result result;
	int first;

	(void)snprintf(name, sizeof(name), "sagactl %s", command->name);
	if (command->option_count)
		memcpy(options, command->options, command->option_count * sizeof(*options));
	memcpy(options + command->option_count, session_options, session_option_count * sizeof(*options));
	append_end_of_help(&end_of_help, command);
	program.examples = end_of_help.len > 0 ? buffer_text(&end_of_help) : NULL;
	result = options_parse(&program, argc, argv, &first);
	if (result != OPTIONS_RUN)
		return code_of(result);
	if (argc - first < command->arguments_min || argc - first > command->arguments_max) {
		(void)fprintf(stderr, "%s: expected %s, got %d argument%s; see %s --help\n", name,
			      command->arguments ? command->arguments : "no argument", argc - first,
			      argc - first == 1 ? "" : "s", name);
		return EXIT_USAGE;
	}
	if (session_begin(&session) < 0)
		return EXIT_USAGE;
	return command->run(&session, argv + first, argc - first);
}

/* What was printed may still be in a buffer, and the disk full. */
static int flush_output(int code)
{
	bool is_written = fflush(stdout) == 0 && !ferror(stdout);

	if (is_written)
		return code;
	(void)fprintf(stderr, "sagactl: the output cannot be written: %s\n", strerror(errno));
	return code == EXIT_DONE ? EXIT_FAILED : code;
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
static int dispatch(int argc, char **argv, int first)
{
	_cleanup_(freep)
	char **rest = xcalloc((size_t)argc + 1, sizeof(*rest));
	const struct command *command;
	int words;
	int code;

	command = command_find(argv + first, argc - first, &words);
	if (!command)
		return complain_unknown(argv + first, argc - first);
	memcpy(rest, argv, (size_t)first * sizeof(*rest));
	memcpy(rest + first, argv + first + words, (size_t)(argc - first - words) * sizeof(*rest));
	code = parse_and_run(command, argc - words, rest);
	session_release(&session);
	return code;
}

int command_main(int argc, char **argv)
{
	_cleanup_(buffer_release)
	struct buffer help = {0};
	struct program program = {.name = "sagactl",
				  .summary = "starts sagas, shows them, and sets up what they need",
				  .arguments = "COMMAND …",
				  .options = session_options,
				  .option_count = session_option_count,
				  .has_commands = true};
	enum options_result result;
	int first;

	terminal_init();
	if (argc > 1 && strcmp(argv[1], COMPLETE_WORD) == 0) /* before all parsing: half a line is no error */
		return flush_output(completion_print(argv + 2, argc - 2));
	buffer_append_text(
		&help, "Commands (each has its own --help; `config print`, `config check`, `config example` are about "
		       "the flags above):\n");
	append_command_list(&help, NULL);
	append_exit_codes(&help);
	buffer_append_text(&help, EXAMPLES);
	program.examples = buffer_text(&help);
	result = options_parse(&program, argc, argv, &first);
	if (result != OPTIONS_RUN)
		return flush_output(code_of(result));
	if (first < argc && strcmp(argv[first], "config") == 0)
		return flush_output(configure(&program, argc, argv));
	return flush_output(dispatch(argc, argv, first));
}
