/*
 * process.h - runs another program and gives what it wrote.
 *
 * Guarantees: the program is looked for in PATH and started without a shell, so arguments need no quoting.
 */
#ifndef CLI_PROCESS_H
#define CLI_PROCESS_H

#include "lib/base/bytes.h"

/* `argv` ends with NULL; `input` is its standard input. Blocks until it has ended. Cannot be started -> ERR_UNAVAILABLE;
 * ended with another code than 0 -> ERR_INVALID with the first line that it complained with; more output than `output_max`
 * -> ERR_LIMIT. */
NODISCARD int process_run(const char *const *argv, struct bytes input, size_t output_max, struct buffer *ret_output,
			  struct error *err);

#endif
