/* file.c - see file.h. */
#include "cli/file.h"

#include <errno.h>
#include <stdio.h>

static int read_all(FILE *file, const char *path, size_t max, struct buffer *content, struct error *err)
{
	uint8_t chunk[16384];
	size_t len;

	while ((len = fread(chunk, 1, sizeof(chunk), file)) > 0) {
		if (content->len + len > max)
			return error_set(err, ERR_LIMIT, "%s: larger than %zu bytes", path, max);
		buffer_append(content, chunk, len);
	}
	if (ferror(file))
		return error_set(err, ERR_INVALID, "%s: cannot be read: %s", path, strerror(errno));
	return 0;
}

int file_read(const char *path, size_t max, struct buffer *ret_content, struct error *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	struct buffer content = {0};
	int result;

	if (!file)
		return error_set(err, ERR_INVALID, "%s: cannot be opened: %s", path, strerror(errno));
	result = read_all(file, path, max, &content, err);
	if (!is_stdin)
		(void)fclose(file); /* only read from */
	if (result == 0) {
		*ret_content = content;
		return 0;
	}
	buffer_release(&content);
	return -1;
}
