/*
 * option_file.h - a configuration file: `key = value` lines. Not for callers of options.h.
 *
 * Format:     one key a line; the value is the rest of the line, without blanks at its ends, and nothing in it is special,
 *             so connection strings and passwords stand there as they are. Empty lines and lines that begin with '#' are
 *             passed over. A comment cannot follow a value.
 * Limits:     FILE_BYTES_MAX; UTF-8.
 * Ownership:  the entries' texts live until option_file_release(), the file's name is the caller's.
 */
#ifndef LIB_OPTIONS_OPTION_FILE_H
#define LIB_OPTIONS_OPTION_FILE_H

#include "lib/base/bytes.h"
#include "lib/base/problems.h"

struct option_file_entry {
	const char *key;
	const char *value;
	int line;
};

struct option_file {
	const char *path;
	struct buffer text;
	bool is_open_to_all; /* who is neither owner nor of the group can read it */
	struct option_file_entry *entries;
	size_t count;
};

/* What is wrong with lines is added to `problems`, the others are kept. -1: nothing could be read. */
NODISCARD int option_file_read(struct option_file *file, const char *path, struct problems *problems);
void option_file_release(struct option_file *file);

#endif
