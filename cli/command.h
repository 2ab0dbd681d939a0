/*
 * command.h - the table of sagactl's commands, from which parsing, dispatch, help, completion and the man page are made.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/session.h"

struct command {
	const char *name;      /* one or two words: "get", "definitions put" */
	const char *arguments; /* "SAGA_ID…", "[FILE]", "bash|zsh|fish": completion goes by these; NULL: none */
	int arguments_min;
	int arguments_max;
	const char *summary;
	const char *notes;    /* what its --help says behind the flags, whole lines; NULL: none */
	const char *examples; /* calls to copy, a line each; lines with # explain the next one */
	const struct option *options;
	size_t option_count;
	enum exit_code (*run)(struct session *session, char **arguments, int count);
};

/* Each file of commands declares its own. */
extern const struct command start_command;
extern const struct command list_command;
extern const struct command get_command;
extern const struct command watch_command;
extern const struct command wait_command;
extern const struct command log_command;
extern const struct command cancel_command;
extern const struct command signal_command;
extern const struct command explain_command;
extern const struct command stuck_command;
extern const struct command pause_command;
extern const struct command resume_command;
extern const struct command retry_command;
extern const struct command skip_command;
extern const struct command resolve_command;
extern const struct command definitions_put_command;
extern const struct command definitions_get_command;
extern const struct command definitions_list_command;
extern const struct command definitions_pause_command;
extern const struct command definitions_resume_command;
extern const struct command participants_pause_command;
extern const struct command participants_resume_command;
extern const struct command pauses_command;
extern const struct command schema_register_command;
extern const struct command schema_list_command;
extern const struct command schema_get_command;
extern const struct command schema_diff_command;
extern const struct command schema_check_command;
extern const struct command schema_decode_command;
extern const struct command topics_create_command;
extern const struct command topics_list_command;
extern const struct command dlq_list_command;
extern const struct command dlq_show_command;
extern const struct command dlq_replay_command;
extern const struct command dlq_drop_command;
extern const struct command health_command;
extern const struct command check_command;
extern const struct command token_new_command;
extern const struct command completion_command;
extern const struct command man_command;

/* All of them, in the order in which they are shown. */
extern const struct command *const command_table[];
extern const size_t command_count;

/* The command that the first words name, and how many of them do; NULL: none. */
const struct command *command_find(char *const *words, int count, int *ret_words);

/* Parses, runs and answers the code to exit with. */
int command_main(int argc, char **argv);

#endif
