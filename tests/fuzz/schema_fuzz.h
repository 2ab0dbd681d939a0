/*
 * schema_fuzz.h - claims about schemas and what is encoded by them, for several targets.
 */
#ifndef TESTS_FUZZ_SCHEMA_FUZZ_H
#define TESTS_FUZZ_SCHEMA_FUZZ_H

#include "schema-registry/codec/codec.h"
#include "schema-registry/model/compat.h"
#include "tests/fuzz/fuzz.h"

/* NULL: refused, with at least one problem. */
static inline struct schema *fuzz_parse(enum schema_format format, const void *text, size_t len)
{
	struct problems problems;
	struct schema *schema = NULL;

	problems_init(&problems);
	if (schema_parse(format, (struct bytes){text, len}, NULL, 0, &schema, &problems) < 0) {
		CLAIM(problems.count > 0, "refused without a reason");
		schema = NULL;
	}
	problems_release(&problems);
	return schema;
}

/* What was printed is the same schema; normalized it is one, too. */
static inline void fuzz_print_again(enum schema_format format, const struct schema *schema)
{
	struct schema *again = fuzz_parse(format, schema_text(schema), strlen(schema_text(schema)));
	struct schema *normalized =
		fuzz_parse(format, schema_normalized_text(schema), strlen(schema_normalized_text(schema)));

	CLAIM(again, "the printed text is refused: %s", schema_text(schema));
	CLAIM(schema_equal(schema, again), "the printed text is another schema: %s", schema_text(schema));
	CLAIM(normalized, "the normalized text is refused: %s", schema_normalized_text(schema));
	schema_unref(again);
	schema_unref(normalized);
}

/* Every schema is compatible with itself, at the plain levels; other two have a verdict, and places that can be found. */
static inline void fuzz_compare(enum schema_format format, struct bytes text, const struct schema *schema,
				const struct schema *other)
{
	struct compat_report report;

	compat_report_init(&report);
	CLAIM(compat_check(COMPAT_FULL, schema, (const struct schema *const[]){schema}, 1, &report) ||
		      strcmp(report.items[0].type, "TOO_COMPLEX") == 0 ||
		      strcmp(report.items[0].type, "NESTED_TOO_DEEP") == 0,
	      "not compatible with itself: %s: %s", report.items[0].description, schema_text(schema));
	compat_report_release(&report);
	compat_report_init(&report);
	(void)compat_check(COMPAT_STRICT, schema, (const struct schema *const[]){other}, 1,
			   &report); /* either is right */
	for (size_t i = 0; i < report.count; i++) {
		size_t line = 0;
		size_t column = 0;

		schema_locate(format, text, report.items[i].place.pointer, &line, &column);
		CLAIM(line > 0 && column > 0, "no place of %s", report.items[i].description);
	}
	compat_report_release(&report);
}

/* What was decoded can be encoded, and that is the same message. */
static inline void fuzz_decode(const struct schema *schema, const uint8_t *data, size_t len)
{
	_cleanup_(arena_release)
	struct arena arena = {0};
	_cleanup_(buffer_release)
	struct buffer encoded = {0};
	_cleanup_(buffer_release)
	struct buffer again = {0};
	struct problems problems;
	struct value value;
	struct value second;
	struct error err;

	if (codec_decode(schema_root(schema), (struct bytes){data, len}, &arena, &value, &err) < 0)
		return;
	problems_init(&problems);
	CLAIM(codec_encode(schema_root(schema), &value, "", &encoded, &problems) == 0,
	      "decoded, but not encoded: %s: %s", problems.items[0].place, problems.items[0].text);
	CLAIM(codec_decode(schema_root(schema), buffer_bytes(&encoded), &arena, &second, &err) == 0,
	      "encoded, but not decoded: %s", err.msg);
	CLAIM(codec_encode(schema_root(schema), &second, "", &again, &problems) == 0, "not encoded again");
	CLAIM(bytes_equal(buffer_bytes(&encoded), buffer_bytes(&again)), "encoded differently the second time");
	problems_release(&problems);
}

#endif
