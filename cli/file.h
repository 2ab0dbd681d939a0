/*
 * file.h - a whole file that somebody named on the command line.
 */
#ifndef CLI_FILE_H
#define CLI_FILE_H

#include "lib/base/bytes.h"

/* `path` "-" is standard input. Missing or unreadable -> ERR_INVALID, as any wrong argument; more than `max` bytes ->
 * ERR_LIMIT. */
NODISCARD int file_read(const char *path, size_t max, struct buffer *ret_content, struct error *err);
/* The same of a path that somebody's folder holds: what is no regular file is refused, and not waited for. */
NODISCARD int file_read_regular(const char *path, size_t max, struct buffer *ret_content, struct error *err);

#endif
