/*
 * json_argument.h - a JSON object that somebody gives on the command line: the text itself, @FILE, or - for standard input.
 */
#ifndef CLI_JSON_ARGUMENT_H
#define CLI_JSON_ARGUMENT_H

#include "lib/base/problems.h"
#include "lib/rpc/json_tree.h"

/* `flag`: what it is the value of, for problems. NULL after a problem. At most 1 MiB. */
struct json_node *json_argument_read(const char *flag, const char *text, struct arena *arena,
				     struct problems *problems);

#endif
