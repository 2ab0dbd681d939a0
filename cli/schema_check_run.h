/*
 * schema_check_run.h - what the parts of a check share: schema_check.c, and one part for each kind of baseline.
 */
#ifndef CLI_SCHEMA_CHECK_RUN_H
#define CLI_SCHEMA_CHECK_RUN_H

#include "cli/schema_check.h"

#define CHECK_RULE_LEVEL_NONE "LEVEL_NONE"

struct check_run {
	const struct schema_check_options *options;
	struct check_result *result;
	struct arena *arena; /* the result's */
	enum compat_level level;
	bool has_level;
	struct file_tree *files;
	struct schema_tree *tree;
	const struct schema **schemas; /* of the tree, those that are valid */
	size_t schema_count;
};

struct check_finding check_finding_at(const struct schema_file *file, enum check_kind kind, const char *rule,
				      const char *message);
/* `file` NULL: it is about no single one. */
void check_run_undecided(struct check_run *run, const struct schema_file *file, const char *subject,
			 const char *message);
/* There is nothing to compare it with. */
void check_run_new(struct check_run *run, const struct schema_file *file, const char *subject, const char *message);
/* What a file was. */
struct check_past {
	enum compat_level level;
	const struct schema *const *schemas; /* newest first */
	const char *const *labels;           /* what they are called */
	size_t count;
};

/* Adds what is found, and that it was compared. `update` is the file's schema, and those that change with it. */
void check_compare(struct check_result *result, const struct schema_tree *tree, const struct schema_file *file,
		   const char *subject, const struct check_past *past, const struct compat_update *update);

/* ---- the kinds of baseline; what fails is in the result ---- */

void check_against_files(struct check_run *run);
void check_against_registry(struct check_run *run, struct registry_client *client);

#endif
