/*
 * command.h - the table of sagactl's commands, from which parsing, dispatch and help are made.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/session.h"

struct command {
	const char *name;      /* one or two words: "get", "definitions put" */
	const char *arguments; /* "SAGA_ID"; NULL: none */
	int arguments_min;
	int arguments_max;
	const char *summary;
	const char *notes; /* the end of its --help; NULL: none */
	const struct option *options;
	size_t option_count;
	enum exit_code (*run)(struct session *session, char **arguments, int count);
};

/* Each file of commands declares its own. */
extern const struct command start_command;
extern const struct command get_command;
extern const struct command definitions_put_command;
extern const struct command definitions_get_command;
extern const struct command definitions_list_command;
extern const struct command schema_register_command;
extern const struct command topics_create_command;
extern const struct command health_command;

/* Parses, runs and answers the code to exit with. */
int command_main(int argc, char **argv);

#endif
