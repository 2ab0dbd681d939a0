/*
 * schema_tree.h - all schemas below some folders, parsed, with what they import from each other.
 *
 * Imports:   a .proto's imports are looked for below the import paths, then the roots, then the folders that the importing
 *            file is in, innermost first. An .avsc finds types that it does not declare in the other .avsc files, by name.
 * Errors:    a file that cannot be read or parsed has problems instead of a schema; the others are not disturbed. Two .avsc
 *            that declare one name differently have problems, too: nobody knows which of them a third one means.
 * Ownership: everything lives as long as the tree, which borrows the file tree.
 */
#ifndef CLI_SCHEMA_TREE_H
#define CLI_SCHEMA_TREE_H

#include "cli/file_tree.h"
#include "lib/base/problems.h"
#include "schema-registry/model/name_index.h"

struct schema_uses;

struct schema_file;

struct schema_import {    /* of another file, found in the tree; well-known ones are not */
	const char *name; /* as the text says it: a .proto's import, an Avro type's full name */
	const struct schema_file *file;
};

struct schema_file {
	size_t index;         /* in the tree's files */
	const char *name;     /* in the file tree */
	const char *relative; /* below the root that it was found in; NULL: found by an import alone */
	size_t root;
	enum schema_format format;
	struct bytes text;
	struct schema *schema;     /* NULL: problems say why */
	struct problems *problems; /* NULL: none */
	const struct schema_import *imports;
	size_t import_count;
	struct schema_uses *uses; /* Avro: names that it declares and uses; NULL: it was not listed */
	enum { SCHEMA_FILE_NEW, SCHEMA_FILE_UNDER_WAY, SCHEMA_FILE_DONE } state;
};

struct schema_tree {
	struct arena arena;
	struct file_tree *source;
	struct schema_file **files; /* listed ones first, in the order of roots and names */
	size_t count;
	size_t listed_count;
	size_t capacity;
	struct name_index by_name;
	struct name_index by_type; /* Avro's full names -> the file that declares them */
	const char *const *roots;
	size_t root_count;
	const char *const *import_paths;
	size_t import_path_count;
};

struct schema_tree_options {
	const char *const *roots; /* names of the file tree: folders or single files */
	size_t root_count;
	const char *const *import_paths;
	size_t import_path_count;
	bool is_baseline; /* what was, and cannot be mended any more: of a name that is declared twice, the first counts */
};

/* -1: a root cannot be listed. */
NODISCARD int schema_tree_load(struct file_tree *source, const struct schema_tree_options *options,
			       struct schema_tree **ret_tree, struct error *err);
void schema_tree_free(struct schema_tree *tree);
DEFINE_CLEANUP(struct schema_tree *, schema_tree_free)

const struct schema_file *schema_tree_find(const struct schema_tree *tree, const char *name);          /* NULL: none */
const struct schema_file *schema_tree_of(const struct schema_tree *tree, const struct schema *schema); /* NULL: none */

#endif
