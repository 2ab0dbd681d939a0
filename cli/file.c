/* file.c - see file.h. */
#include "cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* Takes the file over. */
static int read_and_close(FILE *file, const char *path, size_t max, struct buffer *ret_content, struct error *err)
{
	struct buffer content = {0};
	int result;

	if (!file)
		return error_set(err, ERR_INVALID, "%s: cannot be opened: %s", path, strerror(errno));
	result = read_all(file, path, max, &content, err);
	if (file != stdin)
		(void)fclose(file); /* only read from */
	if (result == 0) {
		*ret_content = content;
		return 0;
	}
	buffer_release(&content);
	return -1;
}

int file_read(const char *path, size_t max, struct buffer *ret_content, struct error *err)
{
	return read_and_close(strcmp(path, "-") == 0 ? stdin : fopen(path, "re"), path, max, ret_content, err);
}

int file_read_regular(const char *path, size_t max, struct buffer *ret_content, struct error *err)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe would wait for its writer */
	struct stat status;

	if (fd >= 0 && fstat(fd, &status) == 0 && !S_ISREG(status.st_mode)) {
		(void)close(fd); /* nothing was read from it */
		return error_set(err, ERR_INVALID, "%s: is no regular file", path);
	}
	return read_and_close(fd < 0 ? NULL : fdopen(fd, "r"), path, max, ret_content, err);
}
