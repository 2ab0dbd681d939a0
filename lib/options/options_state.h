/*
 * options_state.h - one reading of a program's configuration, shared by the files of this folder; nobody else includes it.
 */
#ifndef LIB_OPTIONS_OPTIONS_STATE_H
#define LIB_OPTIONS_OPTIONS_STATE_H

#include "lib/options/option_file.h"
#include "lib/options/option_secret.h"
#include "lib/options/option_value.h"
#include "lib/options/options.h"

enum { OPTION_NAME_BYTES_MAX = 80 };

/* Where a value came from. */
struct origin {
	enum option_source source;
	const char *name; /* the variable, or the file */
	int line;
	const char *text; /* as it was given; NULL: not at all */
};

struct read_property {
	const struct option *option;
	const char *name;
	const char *value;
	struct origin origin;
};

struct parse {
	const struct program *program;
	struct origin *origins; /* one for each option; the highest source so far */
	struct read_property *properties;
	size_t property_count;
	struct arena *texts;      /* for what values and origins point to */
	struct problems problems; /* places are complete: what is printed is `place text` */
	bool has_usage_error;
	bool has_config_error;
	bool wants_help;
	bool wants_version;
	bool wants_origin;
	const char *config_path; /* NULL: no file */
	char **flags;            /* what belongs to flags, in order */
	int flag_count;
	char **arguments;
	int argument_count;
};

/* options_flags.c: puts every flag's value in its place, and the words of argv into `flags` and `arguments`. */
void options_read_flags(struct parse *parse, int argc, char **argv);
/* options_sources.c: all that flags did not give. */
void options_resolve(struct parse *parse);

/* options_read.c */
void options_complain(struct parse *parse, const char *place, const char *format, ...) PRINTF_LIKE(3, 4);
/* `what` is wrong with the value, which is shown unless it is a secret. */
void options_complain_value(struct parse *parse, const struct option *option, const struct origin *origin,
			    const char *what);
/* Likewise with a property's, by the key or flag that it was given by. */
void options_complain_property(struct parse *parse, const struct read_property *property, const char *what);
struct origin *options_origin(struct parse *parse, const struct option *option);
void options_set_value(struct parse *parse, const struct option *option, const struct origin *origin);
void options_take_property(struct parse *parse, const struct option *option, const char *name,
			   const struct origin *origin);
/* What stands in the file that holds a secret; NULL: it cannot be had, which was said. */
const char *options_read_secret(struct parse *parse, const struct option *option, const struct origin *origin,
				const char *path);
const char *options_nearest(const struct program *program, const char *name, size_t name_len); /* NULL: none is near */
/* The secret whose name with "-file" behind it this is, or NULL. */
const struct option *options_find_secret(const struct program *program, const char *name, size_t len);

/* The variable that names the file: SAGA_COORDINATOR_CONFIG of saga-coordinator. */
void options_config_variable(const struct program *program, char ret_name[OPTION_NAME_BYTES_MAX]);
/* "--flag", the variable's name, or `file:line: key`; "" for what has no name of its own. */
void options_append_place(struct buffer *out, const struct option *option, const struct origin *origin);

/* options_config.c: what the words after `config` ask for. */
bool options_is_config_word(const char *word);
bool options_run_document(const struct parse *parse); /* from the table alone; false: it is another word */
void options_run_config(const struct parse *parse);   /* from what was read */

/* options_document.c */
void options_print_example(const struct program *program);
void options_print_reference(const struct program *program);
void options_print_man(const struct program *program);

#endif
