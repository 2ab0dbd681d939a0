/* access_file.c - see access_file.h. */
#include "lib/security/access_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/memory.h"

enum { LINE_WORDS = 4, ENTRIES_MAX = 10000 };

struct reader {
	struct access_file *file;
	const char *path;
	int line;
	struct problems *problems;
};

static void PRINTF_LIKE(2, 3) complain(struct reader *reader, const char *format, ...)
{
	_cleanup_(buffer_release)
	struct buffer place = {0};
	va_list args;

	buffer_append_format(&place, "%s:%d", reader->path, reader->line);
	va_start(args, format);
	problems_add_va(reader->problems, buffer_text(&place), format, args);
	va_end(args);
}

static role_set read_roles(struct reader *reader, const char *text)
{
	role_set roles = 0;

	for (const char *at = text; *at; at += strspn(at, ",")) {
		size_t len = strcspn(at, ",");
		enum role role;

		if (role_parse(at, len, &role))
			roles |= ROLE_BIT(role);
		else
			complain(reader,
				 "there is no role '%.*s'; there are viewer, starter, operator, schema-reader, "
				 "schema-writer "
				 "and admin",
				 (int)len, at);
		at += len;
	}
	return roles;
}

/* A name is what logs and audits say, so it must be text, and nobody's but the identity's own. */
static void check_name(struct reader *reader, const char *name)
{
	size_t len = strlen(name);
	bool is_text = utf8_is_valid(name, len);

	for (size_t i = 0; i < len; i++)
		is_text = is_text && (uint8_t)name[i] >= 0x20 && name[i] != 0x7F;
	if (len > ACCESS_NAME_BYTES_MAX)
		complain(reader, "the name has more than %d bytes", ACCESS_NAME_BYTES_MAX);
	if (!is_text)
		complain(reader, "the name is no UTF-8 text, or has control characters");
	if (strcmp(name, "anonymous") == 0)
		complain(reader, "'anonymous' is who has no identity; choose another name");
}

/* One name may have several lines: an old and a new token, while one takes the place of the other. */
static void read_entry(struct reader *reader, char *const words[LINE_WORDS])
{
	struct access_file *file = reader->file;
	struct access_entry entry = {.name = arena_strdup(&file->arena, words[1]),
				     .roles = read_roles(reader, words[2])};
	bool is_token = strcmp(words[0], "token") == 0;

	check_name(reader, words[1]);
	if (is_token && !token_hash_parse(words[3], entry.hash))
		complain(reader,
			 "expected sha256: and 64 hexadecimal digits in lower case, as `sagactl token new` shows "
			 "them");
	else if (!is_token && strcmp(words[0], "certificate") != 0)
		complain(reader, "'%.40s' is no kind of identity; there are token and certificate", words[0]);
	if (!is_token)
		entry.certificate = arena_strdup(&file->arena, words[3]);
	for (size_t i = 0; i < file->count; i++) {
		const struct access_entry *other = &file->entries[i];
		bool is_same = is_token ? !other->certificate && token_hash_equal(other->hash, entry.hash)
					: other->certificate && strcmp(other->certificate, entry.certificate) == 0;

		if (is_same)
			complain(reader, "the same %s is given to '%s' already", words[0], other->name);
	}
	file->entries = xrealloc_array(file->entries, file->count + 1, sizeof(*file->entries));
	file->entries[file->count++] = entry;
}

static void read_line(struct reader *reader, char *text)
{
	char *words[LINE_WORDS + 1];
	size_t count = 0;
	char *rest = NULL;

	text[strcspn(text, "#\r\n")] = 0;
	for (char *word = strtok_r(text, " \t", &rest); word && count <= LINE_WORDS;
	     word = strtok_r(NULL, " \t", &rest))
		words[count++] = word;
	if (count == 0)
		return;
	if (count != LINE_WORDS)
		complain(reader,
			 "expected four words: token or certificate, a name, its roles, and sha256:… or a subject "
			 "alternative name");
	else if (reader->file->count >= ENTRIES_MAX)
		complain(reader, "at most %d identities are taken", ENTRIES_MAX);
	else
		read_entry(reader, words);
}

static void read_lines(struct reader *reader, FILE *stream)
{
	struct stat status;
	char *line = NULL;
	size_t capacity = 0;

	if (fstat(fileno(stream), &status) < 0 || !S_ISREG(status.st_mode)) {
		problems_add(reader->problems, reader->path, "is no regular file");
		return;
	}
	if (status.st_mode & S_IWOTH)
		problems_add(reader->problems, reader->path, "can be written by every user: chmod o-w");
	while (getline(&line, &capacity, stream) >= 0) {
		reader->line++;
		read_line(reader, line);
	}
	if (ferror(stream))
		problems_add(reader->problems, reader->path, "cannot be read: %m");
	free(line);
}

int access_file_read(const char *path, struct access_file **ret_file, struct problems *problems)
{
	struct access_file *file = xcalloc(1, sizeof(*file));
	struct reader reader = {.file = file, .path = path, .problems = problems};
	size_t before = problems->count;
	FILE *stream = fopen(path, "re");

	arena_init(&file->arena, 0);
	if (stream) {
		read_lines(&reader, stream);
		(void)fclose(stream); /* only read from */
	} else {
		problems_add(problems, path, "cannot be read: %m");
	}
	if (problems->count > before) {
		access_file_free(file);
		return -1;
	}
	*ret_file = file;
	return 0;
}

void access_file_free(struct access_file *file)
{
	if (!file)
		return;
	arena_release(&file->arena);
	free(file->entries);
	free(file);
}
