/* file_tree.c - see file_tree.h. A revision is read at once, in three calls of git; the disk when it is asked for. */
#include "cli/file_tree.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli/file.h"
#include "cli/process.h"

enum { DEPTH_MAX = 64 };

struct git_file {
	const char *name;
	struct bytes text;
};

struct file_tree {
	struct arena arena;
	bool is_git;
	const char *top;        /* git: the repository's folder, absolute */
	struct git_file *files; /* git: sorted by name */
	size_t file_count;
};

struct name_list {
	const char **items;
	size_t count;
	size_t capacity;
};

static const char *tidy(struct arena *arena, const char *path)
{
	size_t len = strlen(path);

	while (len > 2 && path[0] == '.' && path[1] == '/') {
		path += 2;
		len -= 2;
	}
	while (len > 1 && path[len - 1] == '/')
		len--;
	return arena_strndup(arena, path, len);
}

const char *const *file_tree_tidy(struct arena *arena, const char *const *paths, size_t count)
{
	const char **result = arena_alloc(arena, (count + 1) * sizeof(*result));

	for (size_t i = 0; i < count; i++)
		result[i] = tidy(arena, paths[i]);
	return result;
}

bool file_tree_is_schema(const char *name, enum schema_format *ret_format)
{
	const char *dot = strrchr(name, '.');

	if (!dot || dot == name || dot[-1] == '/')
		return false;
	if (strcmp(dot, ".proto") != 0 && strcmp(dot, ".avsc") != 0)
		return false;
	*ret_format = strcmp(dot, ".proto") == 0 ? SCHEMA_FORMAT_PROTOBUF : SCHEMA_FORMAT_AVRO;
	return true;
}

struct file_tree *file_tree_of_disk(void)
{
	struct file_tree *tree = xcalloc(1, sizeof(*tree));

	arena_init(&tree->arena, 0);
	return tree;
}

void file_tree_free(struct file_tree *tree)
{
	if (!tree)
		return;
	arena_release(&tree->arena);
	free(tree->files);
	free(tree);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_name(struct name_list *list, const char *name, struct error *err)
{
	if (list->count == FILE_TREE_FILES_MAX)
		return error_set(err, ERR_LIMIT, "more than %d schema files", FILE_TREE_FILES_MAX);
	if (list->count == list->capacity) {
		list->capacity = list->capacity ? list->capacity * 2 : 64;
		list->items = xrealloc_array(list->items, list->capacity, sizeof(*list->items));
	}
	list->items[list->count++] = name;
	return 0;
}

/* ---- git ---- */

static int git(struct file_tree *tree, const char *const *words, struct bytes input, struct buffer *ret_output,
	       struct error *err)
{
	const char *argv[12] = {"git", "-C", tree->top};
	size_t count = 3;

	for (; *words; words++)
		argv[count++] = *words;
	return process_run(argv, input, FILE_TREE_BYTES_MAX, ret_output, err);
}

static int find_top(struct file_tree *tree, const char *near_path, struct error *err)
{
	_cleanup_(buffer_release)
	struct buffer output = {0};
	struct stat status;
	const char *slash = strrchr(near_path, '/');
	const char *top;

	if (stat(near_path, &status) < 0)
		return error_set(err, ERR_INVALID, "%s: %s", near_path, strerror(errno));
	tree->top = near_path;
	if (!S_ISDIR(status.st_mode))
		tree->top = slash ? arena_strndup(&tree->arena, near_path, (size_t)(slash - near_path) + 1) : ".";
	if (git(tree, (const char *const[]){"rev-parse", "--show-toplevel", NULL}, (struct bytes){0}, &output, err) < 0)
		return error_prefix(err, "%s: no git repository", near_path);
	top = buffer_text(&output);
	tree->top = arena_strndup(&tree->arena, top, strcspn(top, "\n"));
	return 0;
}

/* Lines of `git ls-tree -r -z`: mode, type, object, a tab, the name, NUL. The objects go into `wanted`, one a line. */
static int read_listing(struct file_tree *tree, struct buffer *listing, struct buffer *wanted, struct error *err)
{
	char *line = (char *)listing->data;
	const char *end = line ? line + listing->len : NULL;
	size_t capacity = 0;

	for (; line && line < end; line += strlen(line) + 1) {
		char *tab = strchr(line, '\t');
		enum schema_format format;

		if (!tab || !file_tree_is_schema(tab + 1, &format) || strncmp(line + 6, " blob ", 6) != 0)
			continue;
		if (tree->file_count == FILE_TREE_FILES_MAX)
			return error_set(err, ERR_LIMIT, "more than %d schema files", FILE_TREE_FILES_MAX);
		if (tree->file_count == capacity) {
			capacity = capacity ? capacity * 2 : 64;
			tree->files = xrealloc_array(tree->files, capacity, sizeof(*tree->files));
		}
		tree->files[tree->file_count++] = (struct git_file){.name = arena_strdup(&tree->arena, tab + 1)};
		buffer_append(wanted, line + 12, (size_t)(tab - line) - 12);
		buffer_append_byte(wanted, '\n');
	}
	return 0;
}

/* What `git cat-file --batch` answers: a line that ends with the size, then so many bytes and a line end. */
static int read_contents(struct file_tree *tree, const struct buffer *contents, struct error *err)
{
	const char *at = buffer_text(contents);
	const char *end = at + contents->len;

	for (size_t i = 0; i < tree->file_count; i++) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		const char *blank = line_end ? memrchr(at, ' ', (size_t)(line_end - at)) : NULL;
		size_t size = blank ? strtoul(blank + 1, NULL, 10) : 0;

		if (!blank || size + 1 > (size_t)(end - line_end) - 1)
			return error_set(err, ERR_CORRUPT, "git cat-file gave no content of %s", tree->files[i].name);
		tree->files[i].text = arena_bytes(&tree->arena, (struct bytes){(const uint8_t *)line_end + 1, size});
		at = line_end + 1 + size + 1;
	}
	return 0;
}

static int compare_files(const void *a, const void *b)
{
	return strcmp(((const struct git_file *)a)->name, ((const struct git_file *)b)->name);
}

static int read_revision(struct file_tree *tree, const char *revision, struct error *err)
{
	const char *commit = arena_format(&tree->arena, "%s^{commit}", revision);
	_cleanup_(buffer_release)
	struct buffer id = {0};
	_cleanup_(buffer_release)
	struct buffer listing = {0};
	_cleanup_(buffer_release)
	struct buffer wanted = {0};
	_cleanup_(buffer_release)
	struct buffer contents = {0};

	if (git(tree, (const char *const[]){"rev-parse", "--verify", "--quiet", "--end-of-options", commit, NULL},
		(struct bytes){0}, &id, err) < 0)
		return error_set(err, ERR_NOT_FOUND,
				 "the repository %s has no revision '%s'; a shallow clone may lack it: fetch it first",
				 tree->top, revision);
	id.data[id.len - 1] = 0; /* the line end */
	if (git(tree, (const char *const[]){"ls-tree", "-r", "-z", "--full-tree", buffer_text(&id), NULL},
		(struct bytes){0}, &listing, err) < 0 ||
	    read_listing(tree, &listing, &wanted, err) < 0 ||
	    git(tree, (const char *const[]){"cat-file", "--batch", NULL}, buffer_bytes(&wanted), &contents, err) < 0 ||
	    read_contents(tree, &contents, err) < 0)
		return -1;
	if (tree->file_count > 0)
		qsort(tree->files, tree->file_count, sizeof(*tree->files), compare_files);
	return 0;
}

int file_tree_of_git(const char *revision, const char *near_path, struct file_tree **ret_tree, struct error *err)
{
	_cleanup_(file_tree_freep)
	struct file_tree *tree = file_tree_of_disk();

	tree->is_git = true;
	if (find_top(tree, near_path, err) < 0 || read_revision(tree, revision, err) < 0)
		return -1;
	*ret_tree = take_ptr(tree);
	return 0;
}

static const struct git_file *find_git_file(const struct file_tree *tree, const char *name)
{
	const struct git_file wanted = {.name = name};

	return tree->file_count == 0
		       ? NULL
		       : bsearch(&wanted, tree->files, tree->file_count, sizeof(*tree->files), compare_files);
}

static int list_git(struct file_tree *tree, const char *name, struct name_list *list, struct error *err)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < tree->file_count; i++) {
		const char *found = tree->files[i].name;
		bool is_below = len == 0 || (strncmp(found, name, len) == 0 && (found[len] == '/' || found[len] == 0));

		if (is_below && add_name(list, found, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- disk ---- */

static int list_folder(struct file_tree *tree, const char *folder, int depth, struct name_list *list, struct error *err)
{
	DIR *stream = depth < DEPTH_MAX ? opendir(folder) : NULL;
	const struct dirent *entry;
	int result = 0;

	if (!stream)
		return error_set(err, ERR_INVALID, "%s: cannot be read: %s", folder,
				 depth < DEPTH_MAX ? strerror(errno) : "nested too deep");
	while (result == 0 && (entry = readdir(stream))) {
		size_t len = strlen(folder);
		enum schema_format format;
		struct stat status;
		const char *path;

		if (entry->d_name[0] == '.')
			continue; /* hidden: .git and the like */
		path = strcmp(folder, ".") == 0 ? arena_strdup(&tree->arena, entry->d_name)
						: arena_format(&tree->arena, "%s%s%s", folder,
							       folder[len - 1] == '/' ? "" : "/", entry->d_name);
		if (lstat(path, &status) < 0)
			continue; /* gone meanwhile */
		if (S_ISDIR(status.st_mode))
			result = list_folder(tree, path, depth + 1, list, err);
		else if (file_tree_is_schema(path, &format))
			result = add_name(list, path, err);
	}
	(void)closedir(stream); /* only read from */
	return result;
}

static int list_disk(struct file_tree *tree, const char *name, struct name_list *list, struct error *err)
{
	enum schema_format format;
	struct stat status;

	if (stat(name, &status) < 0)
		return error_set(err, ERR_NOT_FOUND, "%s: %s", name, strerror(errno));
	if (S_ISDIR(status.st_mode))
		return list_folder(tree, name, 0, list, err);
	if (!file_tree_is_schema(name, &format))
		return error_set(err, ERR_INVALID, "%s: a schema file ends in .proto or .avsc", name);
	return add_name(list, name, err);
}

/* ---- both ---- */

/* The absolute path, also of what was deleted: then of the folder that is left, and the rest of the name. */
static const char *absolute_path(struct file_tree *tree, const char *path)
{
	char resolved[PATH_MAX];
	const char *slash = strrchr(path, '/');
	const char *folder;

	if (realpath(path, resolved))
		return arena_strdup(&tree->arena, resolved);
	if (!slash)
		return arena_format(&tree->arena, "%s/%s", realpath(".", resolved) ? resolved : "", path);
	if (slash == path)
		return path;
	folder = absolute_path(tree, arena_strndup(&tree->arena, path, (size_t)(slash - path)));
	return arena_format(&tree->arena, "%s%s", folder, slash);
}

int file_tree_name(struct file_tree *tree, const char *path, const char **ret_name, struct error *err)
{
	const char *absolute;
	size_t top_len;

	if (!tree->is_git) {
		*ret_name = arena_strdup(&tree->arena, path);
		return 0;
	}
	absolute = absolute_path(tree, path);
	top_len = strlen(tree->top);
	if (strncmp(absolute, tree->top, top_len) != 0 || (absolute[top_len] && absolute[top_len] != '/'))
		return error_set(err, ERR_INVALID, "%s is not in the repository %s: check it by itself", path,
				 tree->top);
	*ret_name = absolute[top_len] ? absolute + top_len + 1 : "";
	return 0;
}

int file_tree_list(struct file_tree *tree, const char *name, const char *const **ret_names, size_t *ret_count,
		   struct error *err)
{
	struct name_list list = {0};
	int result = tree->is_git ? list_git(tree, name, &list, err) : list_disk(tree, name, &list, err);

	if (result == 0) {
		if (list.count > 0)
			qsort(list.items, list.count, sizeof(*list.items), compare_names);
		*ret_names = arena_copy(&tree->arena, list.items, list.count * sizeof(*list.items));
		*ret_count = list.count;
	}
	free(list.items);
	return result;
}

bool file_tree_has(struct file_tree *tree, const char *name)
{
	struct stat status;

	if (tree->is_git)
		return find_git_file(tree, name) != NULL;
	return stat(name, &status) == 0 && S_ISREG(status.st_mode);
}

bool file_tree_is_on_disk(struct file_tree *tree, const char *name)
{
	struct stat status;

	return stat(tree->is_git ? arena_format(&tree->arena, "%s/%s", tree->top, name) : name, &status) == 0;
}

int file_tree_read(struct file_tree *tree, const char *name, struct bytes *ret_text, struct error *err)
{
	const struct git_file *file;
	_cleanup_(buffer_release)
	struct buffer content = {0};

	if (!tree->is_git) {
		if (file_read_regular(name, SCHEMA_TEXT_BYTES_MAX, &content, err) < 0)
			return -1;
		*ret_text = arena_bytes(&tree->arena, buffer_bytes(&content));
		return 0;
	}
	file = find_git_file(tree, name);
	if (!file)
		return error_set(err, ERR_NOT_FOUND, "%s is not in the revision", name);
	*ret_text = file->text;
	return 0;
}
