/* avro_compat_test.c - the table of Avro's compatibility rules, row by row: old -> new under BACKWARD and under FORWARD. */
#include "tests/unit/schema-registry/model/schema_fixture.h"

/* A record whose field `v` has the type; the types below are written with ' for ". */
#define RECORD(fields) "{'type':'record','name':'R','namespace':'s','fields':[{'name':'id','type':'string'}" fields "]}"
#define V(type) RECORD(",{'name':'v','type':" type "}")
#define V_DEFAULT(type, value) RECORD(",{'name':'v','type':" type ",'default':" value "}")
#define ENUM(symbols) "{'type':'enum','name':'E','symbols':[" symbols "]}"
#define ENUM_DEFAULT(symbols, fallback) "{'type':'enum','name':'E','symbols':[" symbols "],'default':" fallback "}"
#define FIXED(name, size) "{'type':'fixed','name':" name ",'size':" size "}"
#define BOX(fields) "{'type':'record','name':'Box','fields':[" fields "]}"
#define NODE(fields) "{'type':'record','name':'Node','fields':[{'name':'next','type':['null','Node']}" fields "]}"

struct row {
	const char *change;
	const char *old;
	const char *new_text;
	bool backward;
	bool forward;
	const char *finding; /* that a refusal must have; NULL: not looked at */
};

static const struct row rows[] = {
	{"add field with default", RECORD(), V_DEFAULT("'int'", "4"), true, true, NULL},
	{"add field without default", RECORD(), V("'int'"), false, true, "READER_FIELD_MISSING_DEFAULT_VALUE"},
	{"remove field with default", V_DEFAULT("'int'", "4"), RECORD(), true, true, NULL},
	{"remove field without default", V("'int'"), RECORD(), true, false, "READER_FIELD_MISSING_DEFAULT_VALUE"},
	{"rename field", V("'int'"), RECORD(",{'name':'w','type':'int'}"), false, false,
	 "READER_FIELD_MISSING_DEFAULT_VALUE"},
	{"rename field with alias", V("'int'"), RECORD(",{'name':'w','type':'int','aliases':['v']}"), true, false,
	 NULL},
	{"rename field, defaults on both sides", V_DEFAULT("'int'", "1"),
	 RECORD(",{'name':'w','type':'int','default':2}"), true, true, NULL},
	{"field order, doc, properties", RECORD(",{'name':'a','type':'int'},{'name':'b','type':'int'}"),
	 RECORD(",{'name':'b','type':'int','order':'ignore'},{'name':'a','type':'int','doc':'x','owner':'y'}"), true,
	 true, NULL},
	{"default value changed", V_DEFAULT("'int'", "1"), V_DEFAULT("'int'", "2"), true, true, NULL},
	{"default dropped from a kept field", V_DEFAULT("'int'", "1"), V("'int'"), true, true, NULL},
	{"added nullable field without default", RECORD(), V("['null','int']"), false, true, NULL},
	{"added null field without default", RECORD(), V("'null'"), false, true, NULL},
	{"int to long", V("'int'"), V("'long'"), true, false, "TYPE_MISMATCH"},
	{"int to float", V("'int'"), V("'float'"), true, false, NULL},
	{"int to double", V("'int'"), V("'double'"), true, false, NULL},
	{"long to float", V("'long'"), V("'float'"), true, false, NULL},
	{"long to double", V("'long'"), V("'double'"), true, false, NULL},
	{"float to double", V("'float'"), V("'double'"), true, false, NULL},
	{"string to bytes", V("'string'"), V("'bytes'"), true, true, NULL},
	{"string to bytes in an array", V("{'type':'array','items':'string'}"), V("{'type':'array','items':'bytes'}"),
	 true, true, NULL},
	{"string to bytes in a map", V("{'type':'map','values':'bytes'}"), V("{'type':'map','values':'string'}"), true,
	 true, NULL},
	{"string to bytes in a union", V("['null','string']"), V("['null','bytes']"), true, true, NULL},
	{"int to string", V("'int'"), V("'string'"), false, false, "TYPE_MISMATCH"},
	{"boolean to int", V("'boolean'"), V("'int'"), false, false, NULL},
	{"array to map", V("{'type':'array','items':'int'}"), V("{'type':'map','values':'int'}"), false, false, NULL},
	{"record to primitive", V(BOX("")), V("'string'"), false, false, NULL},
	{"enum to string", V(ENUM("'A'")), V("'string'"), false, false, NULL},
	{"fixed to bytes", V(FIXED("'F'", "4")), V("'bytes'"), false, false, NULL},
	{"type into a union that holds it", V("'int'"), V("['null','int']"), true, false, NULL},
	{"type into a union that holds a promotion", V("'int'"), V("['string','double']"), true, false, NULL},
	{"union into its type", V("['null','int']"), V("'int'"), false, true, NULL},
	{"union branch added", V("['null','int']"), V("['null','int','string']"), true, false, "MISSING_UNION_BRANCH"},
	{"union branch removed", V("['null','int','string']"), V("['null','int']"), false, true,
	 "MISSING_UNION_BRANCH"},
	{"union reordered", V("['null','int']"), V("['int','null']"), true, true, NULL},
	{"union of one", V("['int']"), V("'int'"), true, true, NULL},
	{"enum symbol added", V(ENUM("'A'")), V(ENUM("'A','B'")), true, false, "MISSING_ENUM_SYMBOLS"},
	{"enum symbol removed", V(ENUM("'A','B'")), V(ENUM("'A'")), false, true, "MISSING_ENUM_SYMBOLS"},
	{"enum symbol added, default", V(ENUM_DEFAULT("'A'", "'A'")), V(ENUM_DEFAULT("'A','B'", "'A'")), true, true,
	 NULL},
	{"enum symbol removed, default", V(ENUM_DEFAULT("'A','B'", "'A'")), V(ENUM_DEFAULT("'A'", "'A'")), true, true,
	 NULL},
	{"a field's default is no enum default", V(ENUM("'A','B'")), V_DEFAULT(ENUM("'A'"), "'A'"), false, true, NULL},
	{"enum renamed", V(ENUM("'A'")), V("{'type':'enum','name':'X','symbols':['A']}"), false, false,
	 "NAME_MISMATCH"},
	{"enum renamed, alias", V(ENUM("'A'")), V("{'type':'enum','name':'X','aliases':['E'],'symbols':['A']}"), true,
	 false, NULL},
	{"record renamed", V(BOX("")), V("{'type':'record','name':'Tin','fields':[]}"), false, false, "NAME_MISMATCH"},
	{"record renamed, full alias", V(BOX("")), V("{'type':'record','name':'Tin','aliases':['s.Box'],'fields':[]}"),
	 true, false, NULL},
	{"fixed renamed", V(FIXED("'F'", "4")), V(FIXED("'G'", "4")), false, false, "NAME_MISMATCH"},
	{"namespace changed", "{'type':'record','name':'R','namespace':'a','fields':[]}",
	 "{'type':'record','name':'R','namespace':'b','fields':[]}", true, true, NULL},
	{"fixed size changed", V(FIXED("'F'", "8")), V(FIXED("'F'", "16")), false, false, "FIXED_SIZE_MISMATCH"},
	{"logical type added", V("'int'"), V("{'type':'int','logicalType':'date'}"), true, true, NULL},
	{"decimal scale changed", V("{'type':'bytes','logicalType':'decimal','precision':4,'scale':2}"),
	 V("{'type':'bytes','logicalType':'decimal','precision':9,'scale':0}"), true, true, NULL},
	{"date to timestamp", V("{'type':'int','logicalType':'date'}"),
	 V("{'type':'long','logicalType':'timestamp-millis'}"), true, false, NULL},
	{"recursion, field added with default", NODE(""), NODE(",{'name':'n','type':'int','default':0}"), true, true,
	 NULL},
	{"recursion, field added without default", NODE(""), NODE(",{'name':'n','type':'int'}"), false, true, NULL},
	{"named type by reference",
	 RECORD(",{'name':'a','type':" BOX("{'name':'g','type':'int'}") "},{'name':'b','type':'Box'}"),
	 RECORD(",{'name':'a','type':" BOX("{'name':'g','type':'string'}") "},{'name':'b','type':'Box'}"), false, false,
	 "TYPE_MISMATCH"},
	{"nesting: array in map", V("{'type':'map','values':{'type':'array','items':'int'}}"),
	 V("{'type':'map','values':{'type':'array','items':'long'}}"), true, false, NULL},
	{"nesting: record in union in array", V("{'type':'array','items':['null'," BOX("") "]}"),
	 V("{'type':'array','items':['null'," BOX("{'name':'h','type':'int'}") "]}"), false, true,
	 "READER_FIELD_MISSING_DEFAULT_VALUE"},
};

static struct schema *parse_row(const char *text)
{
	char quoted[1024];
	size_t len = strlen(text);

	assert_true(len < sizeof(quoted));
	memcpy(quoted, text, len + 1);
	for (char *at = quoted; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	return parse_avro(quoted);
}

static void every_row_has_its_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct schema *old = parse_row(row->old);
		struct schema *new_schema = parse_row(row->new_text);

		if (is_compatible(COMPAT_BACKWARD, old, new_schema, row->finding) != row->backward)
			fail_msg("%s: BACKWARD is not %d", row->change, row->backward);
		if (is_compatible(COMPAT_FORWARD, old, new_schema, row->finding) != row->forward)
			fail_msg("%s: FORWARD is not %d", row->change, row->forward);
		if (is_compatible(COMPAT_FULL, old, new_schema, NULL) != (row->backward && row->forward))
			fail_msg("%s: FULL", row->change);
		assert_true(is_compatible(COMPAT_NONE, old, new_schema, NULL));
		schema_unref(old);
		schema_unref(new_schema);
	}
}

static void transitive_levels_look_at_all_versions(void **state)
{
	struct schema *first = parse_row(RECORD());
	struct schema *second = parse_row(V_DEFAULT("'int'", "4"));
	struct schema *third = parse_row(V("'int'"));
	const struct schema *old[] = {second, first};
	struct compat_report report;

	(void)state;
	compat_report_init(&report);
	assert_true(compat_check(COMPAT_BACKWARD, third, old, 2, &report));
	assert_false(compat_check(COMPAT_BACKWARD_TRANSITIVE, third, old, 2, &report));
	assert_int_equal(report.count, 1);
	assert_int_equal(report.items[0].old_index, 1);
	assert_true(report.old == first);
	compat_report_release(&report);
	schema_unref(first);
	schema_unref(second);
	schema_unref(third);
}

static void an_alias_must_name_every_older_name(void **state)
{
	struct schema *a = parse_row(V("'int'"));
	struct schema *b = parse_row(RECORD(",{'name':'w','type':'int','aliases':['v']}"));
	struct schema *one = parse_row(RECORD(",{'name':'x','type':'int','aliases':['w']}"));
	struct schema *both = parse_row(RECORD(",{'name':'x','type':'int','aliases':['w','v']}"));
	const struct schema *old[] = {b, a};
	struct compat_report report;

	(void)state;
	compat_report_init(&report);
	assert_true(compat_check(COMPAT_BACKWARD, one, old, 2, &report));
	assert_true(compat_check(COMPAT_BACKWARD_TRANSITIVE, both, old, 2, &report));
	assert_false(compat_check(COMPAT_BACKWARD_TRANSITIVE, one, old, 2, &report));
	compat_report_release(&report);
	for (size_t i = 0; i < 4; i++)
		schema_unref((struct schema *[]){a, b, one, both}[i]);
}

/* What a failed branch was taken for must not be believed afterwards: P fits Q only while Q's own misfit is unknown. */
static void a_failed_branch_leaves_no_verdict_behind(void **state)
{
	static const char old_text[] = "{'type':'record','name':'R','fields':[{'name':'u','type':['null',"
				       "{'type':'record','name':'Q','fields':[{'name':'p','type':"
				       "{'type':'record','name':'P','fields':[{'name':'q','type':['null','Q']}]}}]}]},{"
				       "'name':'p','type':'P'}]}";
	static const char new_text[] =
		"{'type':'record','name':'R','fields':[{'name':'u','type':['null',"
		"{'type':'record','name':'Q','fields':[{'name':'p','type':"
		"{'type':'record','name':'P','fields':[{'name':'q','type':['null','Q']}]}},{'name':'n','type':'int'}]},"
		"{'type':'map','values':'int'}]},{'name':'p','type':'P'}]}";
	struct schema *old = parse_row(old_text);
	struct schema *new_schema = parse_row(new_text);
	struct compat_report report;

	(void)state;
	compat_report_init(&report);
	assert_false(compat_check(COMPAT_BACKWARD, new_schema, (const struct schema *const[]){old}, 1, &report));
	assert_string_equal(report.items[0].type, "READER_FIELD_MISSING_DEFAULT_VALUE");
	compat_report_release(&report);
	schema_unref(old);
	schema_unref(new_schema);
}

static void all_findings_are_listed_with_path_and_side(void **state)
{
	struct schema *old =
		parse_row(RECORD(",{'name':'a','type':'int'},{'name':'b','type':{'type':'array','items':'int'}}"));
	struct schema *new_schema =
		parse_row(RECORD(",{'name':'c','type':'int'},{'name':'b','type':{'type':'array','items':'string'}}"));
	struct compat_report report;
	const char *const *lines;
	size_t count;

	(void)state;
	compat_report_init(&report);
	assert_false(compat_check(COMPAT_FULL, new_schema, (const struct schema *const[]){old}, 1, &report));
	assert_int_equal(report.count, 4);
	assert_string_equal(report.items[0].path, "/fields/1");
	assert_string_equal(report.items[1].path, "/fields/2/type/items");
	assert_false(report.items[1].is_forward);
	assert_true(report.items[2].is_forward);
	lines = compat_messages(&report, (int32_t[]){7}, &count);
	assert_int_equal(count, 7);
	assert_string_equal(lines[0],
			    "{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'field 'c' of the new "
			    "schema has no default and is missing in the old schema, at path '/fields/1'', "
			    "additionalInfo:'give the field a default'}");
	assert_string_equal(lines[4], "{oldSchemaVersion: 7}");
	assert_non_null(strstr(lines[5], "{oldSchema: '{\"type\":\"record\",\"name\":\"R\""));
	assert_string_equal(lines[6], "{compatibility: 'FULL'}");
	compat_report_release(&report);
	schema_unref(old);
	schema_unref(new_schema);
}

/* Z's first field leads through all other records, each defined by its predecessor's name. */
static struct schema *parse_chain(int length)
{
	struct buffer text = {0};
	struct schema *schemas[2];

	buffer_append_text(&text, "[{\"type\":\"record\",\"name\":\"A0\",\"fields\":[]}");
	for (int i = 1; i < length; i++)
		buffer_append_format(
			&text, ",{\"type\":\"record\",\"name\":\"A%d\",\"fields\":[{\"name\":\"x\",\"type\":\"A%d\"}]}",
			i, i - 1);
	buffer_append_byte(&text, ']');
	schemas[0] = parse_avro(buffer_text(&text));
	buffer_clear(&text);
	buffer_append_format(&text, "\"A%d\"", length - 1);
	schemas[1] = parse_with(SCHEMA_FORMAT_AVRO, buffer_text(&text), &(struct schema_reference){"A", schemas[0]}, 1);
	schema_unref(schemas[0]);
	buffer_release(&text);
	return schemas[1];
}

static void long_chains_of_types_end_at_a_limit(void **state)
{
	struct schema *shorter = parse_chain(200);
	struct schema *longer = parse_chain(20000);

	(void)state;
	assert_true(is_compatible(COMPAT_BACKWARD, shorter, shorter, NULL));
	assert_false(is_compatible(COMPAT_BACKWARD, longer, longer, "NESTED_TOO_DEEP"));
	schema_unref(shorter);
	schema_unref(longer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_has_its_verdicts),
		cmocka_unit_test(transitive_levels_look_at_all_versions),
		cmocka_unit_test(an_alias_must_name_every_older_name),
		cmocka_unit_test(a_failed_branch_leaves_no_verdict_behind),
		cmocka_unit_test(all_findings_are_listed_with_path_and_side),
		cmocka_unit_test(long_chains_of_types_end_at_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
