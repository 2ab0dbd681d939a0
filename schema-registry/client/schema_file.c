/* schema_file.c - see schema_file.h. */
#include "schema-registry/client/schema_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/memory.h"

/* ---- loading ---- */

static bool read_references(struct schema_file *file)
{
	const json_t *array = json_object_get(file->tree, "references");

	file->reference_count = json_array_size(array);
	file->references = xcalloc(file->reference_count + 1, sizeof(*file->references));
	for (size_t i = 0; i < file->reference_count; i++) {
		const json_t *item = json_array_get(array, i);
		const char *name = json_string_value(json_object_get(item, "name"));
		json_int_t id = json_integer_value(json_object_get(item, "id"));

		if (!name || id < 1 || id > INT32_MAX)
			return false;
		file->references[i] = (struct schema_file_reference){name, (int32_t)id};
	}
	return true;
}

bool schema_file_load(const char *folder, const char *registry_url, int32_t id, struct schema_file *ret_file)
{
	struct schema_file file = {0};
	struct buffer path = {0};
	const char *registry;

	buffer_append_format(&path, "%s/%d.json", folder, id);
	file.tree = json_load_file(buffer_text(&path), 0, NULL);
	buffer_release(&path);
	registry = json_string_value(json_object_get(file.tree, "registry"));
	file.text = json_string_value(json_object_get(file.tree, "schema"));
	if (!registry || strcmp(registry, registry_url) != 0 || !file.text ||
	    json_integer_value(json_object_get(file.tree, "id")) != id ||
	    !schema_format_parse(json_string_value(json_object_get(file.tree, "format")), &file.format) ||
	    !read_references(&file)) {
		schema_file_release(&file);
		return false;
	}
	*ret_file = file;
	return true;
}

void schema_file_release(struct schema_file *file)
{
	free(file->references);
	json_decref(file->tree);
	*file = (struct schema_file){0};
}

/* ---- saving ---- */

static json_t *make_tree(const char *registry_url, int32_t id, const struct schema_file *file)
{
	json_t *references = json_array();

	for (size_t i = 0; i < file->reference_count; i++)
		json_array_append_new(references, json_pack("{s:s, s:i}", "name", file->references[i].name, "id",
							    file->references[i].id));
	return json_pack("{s:s, s:i, s:s, s:s, s:o}", "registry", registry_url, "id", id, "format",
			 schema_format_name(file->format), "schema", file->text, "references", references);
}

static void make_folder(const char *folder)
{
	char *path = xstrdup(folder);

	for (char *at = path + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = 0;
		(void)mkdir(path, 0755); /* mostly there; whether it worked shows at the file */
		*at = '/';
	}
	(void)mkdir(path, 0755);
	free(path);
}

static bool write_tree(int fd, const json_t *tree)
{
	char *text = json_dumps(tree, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0;
	size_t written = 0;
	ssize_t step;

	while (written < len) {
		step = write(fd, text + written, len - written);
		if (step < 0 && errno == EINTR)
			continue;
		if (step <= 0)
			break;
		written += (size_t)step;
	}
	free(text);
	return len > 0 && written == len && fsync(fd) == 0;
}

static void save(const char *folder, const char *registry_url, int32_t id, const struct schema_file *file)
{
	json_t *tree = make_tree(registry_url, id, file);
	struct buffer aside = {0};
	struct buffer path = {0};
	bool is_written;
	int fd;

	make_folder(folder);
	buffer_append_format(&path, "%s/%d.json", folder, id);
	buffer_append_format(&aside, "%s/.%d.XXXXXX", folder, id);
	fd = mkostemp((char *)aside.data, O_CLOEXEC);
	if (fd >= 0) {
		is_written = tree && write_tree(fd, tree);
		if (close(fd) < 0 || !is_written || rename(buffer_text(&aside), buffer_text(&path)) < 0)
			(void)unlink(buffer_text(&aside)); /* nothing better to do: see the header */
	}
	buffer_release(&aside);
	buffer_release(&path);
	json_decref(tree);
}

/* ---- another registry ---- */

static bool is_schema_file(const char *name)
{
	size_t digits = strspn(name, "0123456789");

	return digits > 0 && strcmp(name + digits, ".json") == 0;
}

static void delete_all(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *item;

	while (dir && (item = readdir(dir)))
		if (is_schema_file(item->d_name))
			(void)unlinkat(dirfd(dir), item->d_name, 0); /* what stays is found out like this one was */
	if (dir)
		(void)closedir(dir);
}

static bool is_same(const struct schema_file *a, const struct schema_file *b)
{
	if (a->format != b->format || strcmp(a->text, b->text) != 0 || a->reference_count != b->reference_count)
		return false;
	for (size_t i = 0; i < a->reference_count; i++)
		if (a->references[i].id != b->references[i].id ||
		    strcmp(a->references[i].name, b->references[i].name) != 0)
			return false;
	return true;
}

void schema_file_keep(const char *folder, const char *registry_url, int32_t id, const struct schema_file *file)
{
	struct schema_file known;
	bool is_known;

	if (schema_file_load(folder, registry_url, id, &known)) {
		is_known = is_same(&known, file);
		schema_file_release(&known);
		if (is_known)
			return;
		delete_all(folder);
	}
	save(folder, registry_url, id, file);
}

void schema_file_deny(const char *folder, const char *registry_url, int32_t id)
{
	struct schema_file known;

	if (!schema_file_load(folder, registry_url, id, &known))
		return;
	schema_file_release(&known);
	delete_all(folder);
}
