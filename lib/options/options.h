/*
 * options.h - a program's options from one table: flags over environment over file over default; help, reference, man
 * page and example file are made from the same table.
 *
 * Why:        one table is the truth, so that what is documented is what is read.
 * Errors:     every unknown flag or key, missing value or wrong type is reported at once, on standard error, with where it
 *             stands and what would be accepted; the caller then exits with 2 (flags) or 78 (EX_CONFIG: file, environment,
 *             and what the program's own check says, wherever the value came from).
 * File:       `key = value` lines, keys are the flags' names; see option_file.h. Named by --config or PROGRAM_CONFIG.
 * Secrets:    come from the environment or a file, never from a flag (every user of the machine sees those), and are never
 *             printed. A password inside of a connection string or of a property counts as one, too.
 */
#ifndef LIB_OPTIONS_OPTIONS_H
#define LIB_OPTIONS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/problems.h"
#include "lib/base/text_pair.h"

/* 100 years: what is added to a time of day stays in range, in microseconds and in databases. */
#define OPTION_DURATION_MS_MAX (INT64_C(36500) * 86400000)

enum option_type {
	OPTION_TEXT,
	OPTION_INT,
	OPTION_BOOL,
	OPTION_DURATION_MS, /* 500ms, 3s, 5m, 24h, 7d; at most OPTION_DURATION_MS_MAX */
	OPTION_LIST,
	OPTION_PROPERTIES, /* names that are not ours to know, such as librdkafka's: --FLAG NAME=VALUE */
};

struct option_list { /* a flag that may repeat; owned by the process */
	const char **items;
	size_t count;
};

struct option_properties { /* each name once; owned by the process */
	struct text_pair *items;
	size_t count;
};

struct option {
	const char *flag; /* "kafka-brokers" for --kafka-brokers VALUE, and the key in a file */
	/* NULL: none; several names separated by a blank, the first that is set counts. Of OPTION_PROPERTIES the start of
	 * names: KAFKA_PROPERTY_ takes sasl.password from KAFKA_PROPERTY_SASL_PASSWORD. */
	const char *environment;
	enum option_type type;
	const char *default_text; /* NULL: `place` keeps what it held (NULL, 0, false), or is_required */
	bool is_required;
	bool is_secret; /* from --FLAG-file FILE, FLAG-file and FLAG in the file, its variable, or its variable_FILE */
	const char *value_name;
	const char *help;
	void *place;         /* const char **, int64_t *, bool *, int64_t *, struct option_list * or _properties * */
	char letter;         /* 'o' for -o beside the flag; 0: none */
	const char *choices; /* the accepted texts, separated by a blank; NULL: any */
	int64_t min; /* of OPTION_INT, min and max both 0: any; of OPTION_DURATION_MS, where 0 is accepted, too */
	int64_t max; /* of OPTION_INT */
	/* Of OPTION_TEXT, what else it has to be; NULL: anything. -1: the message says what would be accepted. */
	int (*check_text)(const char *text, struct error *err);
	const char *prefix; /* of OPTION_PROPERTIES, in a file: "kafka." for kafka.NAME = VALUE */
	bool is_reloaded;   /* SIGHUP reads it, or the file that it names, again; for the documents */
};

struct program {
	const char *name;
	const char *summary;   /* one line */
	const char *arguments; /* "SAGA_ID…" or NULL: none are taken */
	const char *examples;  /* text for the end of --help; NULL: none */
	const struct option *options;
	size_t option_count;
	bool has_commands; /* flags after the first argument belong to the command that it names: parsing stops there */
	/* What no option can tell alone: files that must exist, options that need each other. Problems are placed at flags'
	 * names; NULL: nothing. Runs when all options are right by themselves. */
	void (*check)(void *ctx, struct problems *problems);
	void *check_ctx;
};

enum options_result {
	OPTIONS_RUN,
	OPTIONS_EXIT /* help, version or configuration was shown: exit 0 */,
	OPTIONS_USAGE /* exit 2 */,
	OPTIONS_CONFIG /* exit 78 */
};

/*
 * Flags may stand before, between and after the arguments: argv is put in order, flags first, and `ret_first_argument`
 * (may be NULL) is the index of the first argument, argc where there is none. "--" ends the flags. An empty environment
 * variable or value in a file counts as not set. A list is given by repeating its flag, or separated by commas elsewhere.
 * Values point into argv, the environment, the table or memory that is the process's until it ends.
 * Adds --help, --version and --config; a program that takes no arguments also answers `config print [--show-origin]`,
 * `config check`, `config example`, `config reference` and `config man`.
 */
enum options_result options_parse(const struct program *program, int argc, char **argv, int *ret_first_argument);
/* For main(): what to exit with; -1: run. */
int options_exit_status(enum options_result result);
void options_print_help(const struct program *program);

/* Parts of man pages, for programs whose page is more than their options. */
void options_print_man_option(const struct option *option);
void options_print_roff(const char *text); /* literally: no escapes, no requests, real hyphens */

/* The text that the option would have if the program were started now with these arguments: for what SIGHUP reloads. The
 * caller's to free; no place is written to. ERR_INVALID when flags, file or environment are wrong. */
NODISCARD int options_reread(const struct program *program, int argc, char **argv, const char *flag, char **ret_text,
			     struct error *err);

#endif
