/* option_file.c - see option_file.h. The text is cut into entries in place. */
#include "lib/options/option_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/memory.h"
#include "lib/options/option_secret.h"

enum { FILE_BYTES_MAX = 1024 * 1024, PLACE_BYTES_MAX = 1100 };

static int load(int fd, struct option_file *file, struct problems *problems)
{
	struct stat status;
	char part[4096];
	ssize_t len;

	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
		problems_add(problems, file->path, "is no regular file");
		return -1;
	}
	file->is_open_to_all = option_file_is_open_to_all(&status);
	while ((len = read(fd, part, sizeof(part))) > 0 && file->text.len <= FILE_BYTES_MAX)
		buffer_append(&file->text, part, (size_t)len);
	if (len < 0)
		problems_add(problems, file->path, "cannot be read: %m");
	else if (file->text.len > FILE_BYTES_MAX)
		problems_add(problems, file->path, "has more than %d bytes", FILE_BYTES_MAX);
	else if (!utf8_is_valid(file->text.data, file->text.len) ||
		 (file->text.len > 0 && memchr(file->text.data, 0, file->text.len)))
		problems_add(problems, file->path, "is no text in UTF-8");
	else
		return 0;
	return -1;
}

static char *trim(char *start, char *end)
{
	while (start < end && strchr(" \t", *start))
		start++;
	while (end > start && strchr(" \t\r", end[-1]))
		end--;
	*end = 0;
	return start;
}

static void read_line(struct option_file *file, char *start, char *end, int line, struct problems *problems)
{
	char place[PLACE_BYTES_MAX];
	char *text = trim(start, end);
	char *equals = strchr(text, '=');

	if (!*text || *text == '#')
		return;
	if (!equals || equals == text) {
		(void)snprintf(place, sizeof(place), "%s:%d", file->path, line); /* may be cut */
		problems_add(problems, place, "expected KEY = VALUE");
		return;
	}
	end = text + strlen(text);
	file->entries = xrealloc_array(file->entries, file->count + 1, sizeof(*file->entries));
	file->entries[file->count++] =
		(struct option_file_entry){.key = trim(text, equals), .value = trim(equals + 1, end), .line = line};
}

int option_file_read(struct option_file *file, const char *path, struct problems *problems)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int line = 1;
	int result;
	char *at;

	*file = (struct option_file){.path = path};
	if (fd < 0) {
		problems_add(problems, path, "cannot be read: %m");
		return -1;
	}
	result = load(fd, file, problems);
	(void)close(fd); /* only read from */
	if (result < 0)
		return -1;
	buffer_reserve(&file->text, 1);
	at = (char *)file->text.data;
	for (char *end = at + file->text.len; at < end; line++) {
		char *newline = memchr(at, '\n', (size_t)(end - at));
		char *line_end = newline ? newline : end;

		read_line(file, at, line_end, line, problems);
		at = line_end + 1;
	}
	return 0;
}

void option_file_release(struct option_file *file)
{
	buffer_release(&file->text);
	free(file->entries);
	*file = (struct option_file){0};
}
