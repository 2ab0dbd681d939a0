/*
 * options.h - a program's options from one table: flags over environment over default, and the --help made from it.
 *
 * Why:        one table is the truth for parsing, help and (later) file, reference and man page.
 * Errors:     every unknown flag, missing value or wrong type is reported at once, on standard error, with the
 *             accepted values; the caller then exits with 2 (flags) or 78 (EX_CONFIG, environment).
 */
#ifndef LIB_OPTIONS_OPTIONS_H
#define LIB_OPTIONS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type { OPTION_TEXT, OPTION_INT, OPTION_BOOL, OPTION_DURATION_MS /* 500ms, 3s, 5m, 24h */, OPTION_LIST };

struct option_list { /* a flag that may repeat; owned by the process */
	const char **items;
	size_t count;
};

struct option {
	const char *flag;        /* "kafka-brokers" for --kafka-brokers VALUE */
	const char *environment; /* NULL: none; several names separated by a blank, the first that is set counts */
	enum option_type type;
	const char *default_text; /* NULL: `place` keeps what it held (NULL, 0, false), or is_required */
	bool is_required;
	bool is_secret; /* never taken from a flag, never shown */
	const char *value_name;
	const char *help;
	void *place;         /* const char **, int64_t *, bool *, int64_t * or struct option_list * */
	char letter;         /* 'o' for -o beside the flag; 0: none */
	const char *choices; /* the accepted texts, separated by a blank; NULL: any */
	int64_t min;         /* of OPTION_INT; min and max both 0: any */
	int64_t max;
};

struct program {
	const char *name;
	const char *summary;   /* one line */
	const char *arguments; /* "SAGA_ID…" or NULL: none are taken */
	const char *examples;  /* text for the end of --help; NULL: none */
	const struct option *options;
	size_t option_count;
	bool has_commands; /* flags after the first argument belong to the command that it names: parsing stops there */
};

enum options_result {
	OPTIONS_RUN,
	OPTIONS_EXIT /* help or version was shown: exit 0 */,
	OPTIONS_USAGE /* exit 2 */,
	OPTIONS_CONFIG /* exit 78 */
};

/*
 * Flags may stand before, between and after the arguments: argv is put in order, flags first, and `ret_first_argument`
 * (may be NULL) is the index of the first argument, argc where there is none. "--" ends the flags. An empty environment
 * variable counts as not set. A list is given by repeating its flag, or separated by commas in the environment and the
 * default. Values point into argv, the environment or the table. Adds --help and --version.
 */
enum options_result options_parse(const struct program *program, int argc, char **argv, int *ret_first_argument);
void options_print_help(const struct program *program);

#endif
