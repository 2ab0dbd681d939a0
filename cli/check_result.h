/*
 * check_result.h - what a check of schemas found, and how it is told to people and to the CI systems they use.
 *
 * Ownership: texts are copied into the result's arena.
 */
#ifndef CLI_CHECK_RESULT_H
#define CLI_CHECK_RESULT_H

#include "lib/base/arena.h"

enum check_kind {
	CHECK_BREAKING,  /* would break readers or writers */
	CHECK_INVALID,   /* no schema at all */
	CHECK_NEW,       /* nothing to compare it with, where that is forbidden */
	CHECK_UNDECIDED, /* what it is compared with cannot be had */
	CHECK_NOTE,      /* worth knowing */
	CHECK_KIND_COUNT
};

struct check_finding {
	enum check_kind kind;
	const char *file; /* "": it is of no file; line and column are 0 then */
	size_t line;      /* from 1 */
	size_t column;
	const char *rule;      /* "FIELD_SCALAR_KIND_CHANGED" */
	const char *path;      /* in the schema; "" for none */
	const char *direction; /* "backward": new reads old; "forward": old reads new; "" where it does not matter */
	const char *subject;   /* "" for none */
	const char *against;   /* "version 3", "git:main:proto/a.proto"; "" for none */
	const char *message;
	const char *hint; /* "" for none */
};

/* What became of a file; against a registry, of each of its subjects. */
enum check_outcome { CHECK_COMPARED, CHECK_UNKNOWN_THERE, CHECK_SKIPPED, CHECK_OUTCOME_COUNT };

struct check_comparison {
	const char *file;
	const char *subject; /* "" for none */
	enum check_outcome outcome;
	const char *why; /* it was not compared; "" if it was */
};

struct check_result {
	struct arena arena;
	struct check_finding *items;
	size_t count;
	size_t capacity;
	size_t kind_counts[CHECK_KIND_COUNT];
	struct check_comparison *comparisons;
	size_t comparison_count;
	size_t comparison_capacity;
	size_t outcome_counts[CHECK_OUTCOME_COUNT];
	bool has_subjects;  /* comparisons are of subjects, not just of files */
	const char **files; /* that were checked */
	size_t file_count;
	size_t file_capacity;
	const char *against; /* as it was asked for */
};

void check_result_init(struct check_result *result, const char *against);
void check_result_release(struct check_result *result);
void check_result_add_file(struct check_result *result, const char *name);

/* The same message of the same place is kept once: several files may import what is broken. */
void check_result_add(struct check_result *result, const struct check_finding *finding);

/* By line and column within each file; files stay in the order in which something was found in them. */
void check_result_sort(struct check_result *result);

void check_result_compared(struct check_result *result, const char *file, const char *subject);
/* Not compared; `outcome` is one of the others. */
void check_result_passed_over(struct check_result *result, const char *file, const char *subject,
			      enum check_outcome outcome, const char *why);

const char *check_kind_name(enum check_kind kind);          /* "breaking", "invalid", "new", "undecided", "note" */
const char *check_outcome_name(enum check_outcome outcome); /* "compared", "new", "skipped" */

enum check_format {
	CHECK_FORMAT_TEXT,
	CHECK_FORMAT_JSON,
	CHECK_FORMAT_GITHUB, /* workflow commands: annotations in the diff */
	CHECK_FORMAT_JUNIT,  /* GitLab, Jenkins */
	CHECK_FORMAT_SARIF   /* 2.1.0: code scanning */
};

/* As text, without the sum. */
void check_result_append_findings(const struct check_result *result, struct buffer *out);
void check_result_print(const struct check_result *result, enum check_format format, struct buffer *out);

#endif
