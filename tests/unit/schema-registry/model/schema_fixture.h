/*
 * schema_fixture.h - parsing in one line, for the tests of this folder: what fails ends the test with its problems.
 */
#ifndef TESTS_UNIT_SCHEMA_REGISTRY_MODEL_SCHEMA_FIXTURE_H
#define TESTS_UNIT_SCHEMA_REGISTRY_MODEL_SCHEMA_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "schema-registry/model/compat.h"

static inline struct schema *parse_with(enum schema_format format, const char *text,
					const struct schema_reference *references, size_t count)
{
	struct problems problems;
	struct schema *schema = NULL;

	problems_init(&problems);
	if (schema_parse(format, bytes_of_text(text), references, count, &schema, &problems))
		fail_msg("%s: %s: %s", text, problems.items[0].place, problems.items[0].text);
	problems_release(&problems);
	return schema;
}

static inline struct schema *parse_avro(const char *text)
{
	return parse_with(SCHEMA_FORMAT_AVRO, text, NULL, 0);
}

static inline struct schema *parse_protobuf(const char *text)
{
	return parse_with(SCHEMA_FORMAT_PROTOBUF, text, NULL, 0);
}

/* All problems of a text that must be refused, as "place: text" lines. */
static inline void refuse(enum schema_format format, const char *text, struct buffer *ret_problems)
{
	struct problems problems;
	struct schema *schema = NULL;

	problems_init(&problems);
	buffer_clear(ret_problems);
	if (schema_parse(format, bytes_of_text(text), NULL, 0, &schema, &problems) == 0)
		fail_msg("accepted: %s", text);
	assert_null(schema);
	for (size_t i = 0; i < problems_kept(&problems); i++)
		buffer_append_format(ret_problems, "%s: %s\n", problems.items[i].place, problems.items[i].text);
	problems_release(&problems);
}

/* The verdict for old -> new at one level; a refusal must name `finding` unless that is NULL. */
static inline bool is_compatible(enum compat_level level, const struct schema *old, const struct schema *new_schema,
				 const char *finding)
{
	struct compat_report report;
	bool has_finding = false;
	bool fits;

	compat_report_init(&report);
	fits = compat_check(level, new_schema, &old, 1, &report);
	for (size_t i = 0; i < report.count; i++)
		has_finding |= finding && strcmp(report.items[i].type, finding) == 0;
	if (!fits && finding && !has_finding)
		fail_msg("expected %s, found %s: %s", finding, report.items[0].type, report.items[0].description);
	assert_true(fits == (report.count == 0));
	compat_report_release(&report);
	return fits;
}

#endif
