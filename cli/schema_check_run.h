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
};

struct check_finding check_finding_at(const struct schema_file *file, enum check_kind kind, const char *rule,
				      const char *message);
/* `file` NULL: it is about no single one. */
void check_run_undecided(struct check_run *run, const struct schema_file *file, const char *subject,
			 const char *message);
/* There is nothing to compare it with. */
void check_run_new(struct check_run *run, const struct schema_file *file, const char *subject, const char *message);
/* Adds what is found, and that it was compared. */
void check_compare(struct check_result *result, const struct schema_tree *tree, const struct schema_file *file,
		   const char *subject, enum compat_level level, const struct schema *const *old,
		   const char *const *labels, size_t old_count);

/* ---- the kinds of baseline; what fails is in the result ---- */

void check_against_files(struct check_run *run);
void check_against_registry(struct check_run *run, struct registry_client *client);

#endif
