/*
 * schema_check.h - would the schemas of some folders break who reads or writes them?
 *
 * They are compared with what they were: in a git revision, in another folder, or in the registry. Files are paired by
 * their path below the folder (a file that moved, by the types that it declares, else by its name), in the registry by
 * subject: schema_subjects.h says which.
 */
#ifndef CLI_SCHEMA_CHECK_H
#define CLI_SCHEMA_CHECK_H

#include "cli/check_result.h"
#include "cli/schema_tree.h"
#include "cli/subject_map.h"
#include "schema-registry/client/registry_client.h"
#include "schema-registry/model/compat.h"

enum new_schemas { NEW_SCHEMAS_NOTED, NEW_SCHEMAS_FAIL, NEW_SCHEMAS_ALLOWED };

struct schema_check_options {
	const char *const *paths;
	size_t path_count;
	const char *const *import_paths;
	size_t import_path_count;
	const char *against;                     /* http(s)://…, git:REVISION, or a folder */
	struct registry_client_options registry; /* how to talk to one; its URL is `against` */
	const char *level;                       /* NULL: of the registry, else BACKWARD */
	const struct subject_map *map;           /* NULL: by the rules */
	enum new_schemas new_schemas;
};

/* What was found goes into the result. -1: what was asked for makes no sense (a path that is not there). */
NODISCARD int schema_check(const struct schema_check_options *options, struct check_result *result, struct error *err);

/* One file with what a subject has, by `level`, or that which the registry sets. Nothing there: the result has it as new, and
 * *ret_is_new says so. -1: the registry cannot be asked, or understood. */
NODISCARD int schema_check_subject(struct registry_client *client, const struct schema_tree *tree,
				   const struct schema_file *file, const char *subject, const enum compat_level *level,
				   struct check_result *result, bool *ret_is_new, struct error *err);

#endif
