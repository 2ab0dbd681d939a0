/*
 * file_tree.h - schema files (.proto, .avsc) as they are on disk, or as they were in a git revision.
 *
 * Why:        what a check compares comes from both, and neither the imports nor the parser should see a difference.
 * Ownership:  paths and texts live as long as the tree.
 */
#ifndef CLI_FILE_TREE_H
#define CLI_FILE_TREE_H

#include "lib/base/arena.h"
#include "lib/base/memory.h"
#include "schema-registry/model/schema.h"

enum { FILE_TREE_FILES_MAX = 50000, FILE_TREE_BYTES_MAX = 256 * 1024 * 1024 };

struct file_tree;

struct file_tree *file_tree_of_disk(void);
/* The revision of the repository that `near_path` is in. No such revision -> ERR_NOT_FOUND, no git -> ERR_UNAVAILABLE. */
NODISCARD int file_tree_of_git(const char *revision, const char *near_path, struct file_tree **ret_tree,
			       struct error *err);
void file_tree_free(struct file_tree *tree);
DEFINE_CLEANUP(struct file_tree *, file_tree_free)

/* The tree's own name of what is `path` on disk: of a revision the path below the repository's top. */
NODISCARD int file_tree_name(struct file_tree *tree, const char *path, const char **ret_name, struct error *err);

/* All schema files below `name`, or `name` itself when it is one; sorted. None: count 0. A name that is not there ->
 * ERR_NOT_FOUND, for a revision that is simply none. */
NODISCARD int file_tree_list(struct file_tree *tree, const char *name, const char *const **ret_names, size_t *ret_count,
			     struct error *err);
bool file_tree_has(struct file_tree *tree, const char *name);
NODISCARD int file_tree_read(struct file_tree *tree, const char *name, struct bytes *ret_text, struct error *err);

/* Of a revision: is what it calls `name` on disk now? */
bool file_tree_is_on_disk(struct file_tree *tree, const char *name);

/* "./proto/" and "proto" are one folder: the shorter form, which annotations need, of each. */
const char *const *file_tree_tidy(struct arena *arena, const char *const *paths, size_t count);

bool file_tree_is_schema(const char *name, enum schema_format *ret_format); /* by the end of its name */

#endif
