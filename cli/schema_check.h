/*
 * schema_check.h - would the schemas of some folders break who reads or writes them?
 *
 * They are compared with what they were: in a git revision, in another folder, or in the registry. Files are paired by
 * their path below the folder (a file that moved, by its name), in the registry by subject: from a map, or by the rule that
 * `<topic>.avsc` is of subject `<topic>-value` and `<topic>-key.avsc` of `<topic>-key`.
 */
#ifndef CLI_SCHEMA_CHECK_H
#define CLI_SCHEMA_CHECK_H

#include "cli/check_result.h"
#include "cli/subject_map.h"
#include "schema-registry/model/compat.h"

struct schema_check_options {
	const char *const *paths;
	size_t path_count;
	const char *const *import_paths;
	size_t import_path_count;
	const char *against;           /* http(s)://…, git:REVISION, or a folder */
	const char *level;             /* NULL: of the registry, else BACKWARD */
	const struct subject_map *map; /* NULL: by the rule */
};

/* What was found goes into the result. -1: what was asked for makes no sense (a path that is not there, no schema at all). */
NODISCARD int schema_check(const struct schema_check_options *options, struct check_result *result, struct error *err);

#endif
