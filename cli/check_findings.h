/*
 * check_findings.h - what sagactl check found, told while it is found or at the end: for people, for programs, for a CI.
 *
 * Limits:    text and JSON lines show all as they come; the other forms keep FINDINGS_KEPT_MAX and say how many more there are.
 * Ownership: texts are copied.
 */
#ifndef CLI_CHECK_FINDINGS_H
#define CLI_CHECK_FINDINGS_H

#include "coordinator/check/database_check.h"

enum { FINDINGS_KEPT_MAX = 1000 };

enum findings_format { FINDINGS_TEXT, FINDINGS_JSON, FINDINGS_JSON_LINES, FINDINGS_JUNIT };

struct finding {
	int invariant;
	const char *saga_id; /* "": of no single saga; so the next */
	const char *step_id;
	const char *text;
	const char *advice;
};

struct check_findings {
	enum findings_format format;
	struct arena arena;
	struct finding *items;
	size_t kept;
	int64_t counts[INVARIANT_COUNT];
	int64_t count;
	const char **undecided;
	size_t undecided_count;
	const char *unseen[INVARIANT_COUNT]; /* why it was not looked at; NULL: it was */
	bool is_interrupted;
	int64_t drawn_us; /* the progress */
};

void check_findings_init(struct check_findings *findings, enum findings_format format);
void check_findings_release(struct check_findings *findings);
/* What the checks report to; `ctx` is the findings. */
struct check_listener check_findings_listener(struct check_findings *findings);

/* What was looked at beside the sagas. */
struct check_extent {
	int64_t inbox_rows;
	size_t participants;
	int64_t records; /* of topics */
	size_t topics;
	int64_t assertions;
};

void check_findings_print(const struct check_findings *findings, const struct database_check_sums *sums,
			  const struct check_extent *extent, struct buffer *out);

#endif
