/*
 * junit.h - a report in JUnit's XML, which GitLab, Jenkins and most others show as tests.
 */
#ifndef CLI_JUNIT_H
#define CLI_JUNIT_H

#include "lib/base/bytes.h"

struct junit_counts {
	size_t tests;
	size_t failures;
	size_t errors;
	size_t skipped;
};

void junit_begin(struct buffer *out, const char *suite, const struct junit_counts *counts);
void junit_end(struct buffer *out);

struct junit_property {
	const char *name;
	size_t value;
};
/* Before the first case. */
void junit_add_properties(struct buffer *out, const struct junit_property *properties, size_t count);

void junit_begin_case(struct buffer *out, const char *class_name, const char *name);
void junit_end_case(struct buffer *out);
/* Inside a case; `tag`: "failure", or "error" for what could not be decided. */
void junit_add(struct buffer *out, const char *tag, const char *type, const char *message, const char *text);
void junit_skip(struct buffer *out, const char *why);

#endif
