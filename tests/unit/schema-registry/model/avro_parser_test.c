/* avro_parser_test.c - what the Avro parser accepts, refuses and says about it. */
#include "tests/unit/schema-registry/model/schema_fixture.h"

static void every_problem_is_told_with_line_and_column(void **state)
{
	static const char text[] = "{\"type\":\"record\",\"name\":\"R\",\"fields\":[\n"
				   "  {\"name\":\"1st\",\"type\":\"int\"},\n"
				   "  {\"name\":\"a\",\"type\":\"int\"}, {\"name\":\"a\",\"type\":\"int\"},\n"
				   "  {\"name\":\"b\",\"type\":\"Unknown\"}]}";
	struct buffer problems = {0};

	(void)state;
	refuse(SCHEMA_FORMAT_AVRO, text, &problems);
	assert_string_equal(buffer_text(&problems),
			    "2:11: '1st' is not a name: use letters, digits and _, and no digit first\n"
			    "3:38: field 'a' occurs twice in 'R'\n"
			    "4:22: unknown type 'Unknown': define it before its use, or add a reference to it\n");
	buffer_release(&problems);
}

static void broken_rules_are_refused(void **state)
{
	static const struct {
		const char *text;
		const char *problem;
	} cases[] = {
		{"", "1:1: the schema is empty\n"},
		{"{\"type\":\"record\",\"fields\":[]}", "1:1: this record needs a name\n"},
		{"{\"type\":\"record\",\"name\":\"R\"}", "1:1: record 'R' needs a list of fields\n"},
		{"{\"type\":\"record\",\"name\":\"a..b\",\"fields\":[]}",
		 "1:25: 'a..b' is not a name: use letters, digits and _, and no digit first\n"},
		{"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"A\"]}",
		 "1:42: symbol 'A' occurs twice in 'E'\n"},
		{"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"],\"default\":\"B\"}",
		 "1:53: the default of 'E' is none of its symbols\n"},
		{"[\"int\",[\"string\"]]",
		 "1:8: a union stands directly in a union: put its branches into the outer one\n"},
		{"[\"int\",\"string\",{\"type\":\"int\"}]", "1:17: the union has 'int' twice\n"},
		{"{\"type\":\"fixed\",\"name\":\"F\"}", "1:1: fixed 'F' needs a size, a whole number from 0 on\n"},
		{"{\"type\":\"array\"}", "1:1: this array needs 'items', the type in it\n"},
		{"{\"type\":{\"type\":\"int\"}}", "1:1: 'type' must be the name of a type\n"},
		{"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":"
		 "{\"type\":\"fixed\",\"name\":\"R\",\"size\":1}}]}",
		 "1:81: 'R' is defined already: a name has one definition\n"},
		{"7", "1:1: a type is a name, an object or a list of branches\n"},
	};
	struct buffer problems = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		refuse(SCHEMA_FORMAT_AVRO, cases[i].text, &problems);
		assert_string_equal(buffer_text(&problems), cases[i].problem);
	}
	buffer_release(&problems);
}

static void text_that_is_no_json_is_refused(void **state)
{
	static const char *const texts[] = {"{\"type\":\"rec", "{\"type\":\"int\"} tail", "{\"a\":1,\"a\":2}"};
	struct buffer problems = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		refuse(SCHEMA_FORMAT_AVRO, texts[i], &problems);
		assert_non_null(strstr(buffer_text(&problems), ": not JSON: "));
	}
	buffer_release(&problems);
}

static void deep_nesting_is_refused_at_the_limit(void **state)
{
	struct buffer text = {0};
	struct buffer problems = {0};

	(void)state;
	for (int levels = 126; levels <= 128; levels += 2) {
		buffer_clear(&text);
		for (int i = 0; i < levels; i++)
			buffer_append_text(&text, "{\"type\":\"array\",\"items\":");
		buffer_append_text(&text, "\"int\"");
		for (int i = 0; i < levels; i++)
			buffer_append_byte(&text, '}');
		if (levels < 128) {
			schema_unref(parse_avro(buffer_text(&text)));
			continue;
		}
		refuse(SCHEMA_FORMAT_AVRO, buffer_text(&text), &problems);
		assert_non_null(strstr(buffer_text(&problems), "nested more than 128 levels deep"));
	}
	buffer_clear(&text);
	for (int i = 0; i < 20000; i++)
		buffer_append_byte(&text, '[');
	refuse(SCHEMA_FORMAT_AVRO, buffer_text(&text), &problems);
	assert_non_null(strstr(buffer_text(&problems), "maximum parsing depth"));
	buffer_release(&text);
	buffer_release(&problems);
}

static void what_libraries_tolerate_is_accepted(void **state)
{
	static const char *const texts[] = {
		"\"string\"",
		"[]",
		"{\"type\":\"string\",\"logicalType\":\"nonsense\"}",
		"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\",\"default\":\"x\"}]}",
		("{\"type\":\"record\",\"name\":\"R\",\"fields\":"
		 "[{\"name\":\"a\",\"type\":[\"int\",\"null\"],\"default\":null}]}"),
		"{\"type\":\"error\",\"name\":\"R\",\"namespace\":\"my-space\",\"fields\":[]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		schema_unref(parse_avro(texts[i]));
}

static void text_is_rendered_in_a_fixed_order(void **state)
{
	static const char text[] =
		"{ \"fields\": [ {\"type\": {\"type\":\"int\"}, \"name\":\"a\", \"zz\":1, "
		"\"aa\":{\"q\":2,\"b\":[0.1,1.0,\"\\u00e9\"]},"
		"   \"aliases\":[\"x\"], \"order\":\"descending\", \"default\":5},"
		" {\"name\":\"b\",\"type\":[\"null\",\"q.w.K\",{\"type\":\"enum\",\"name\":\"q.E\",\"symbols\":[\"A\"],"
		"\"default\":\"A\"}]},"
		" {\"name\":\"c\",\"type\":\"K\"},"
		" {\"name\":\"d\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"namespace\":\"\",\"size\":4}}],"
		" \"name\":\"K\",\"namespace\":\"q.w\",\"type\":\"record\",\"aliases\":[\"q.w.Old\",\"z.Older\"],"
		"\"doc\":\"d\",\"p\":1}";
	static const char rendered[] =
		"{\"type\":\"record\",\"name\":\"K\",\"namespace\":\"q.w\",\"doc\":\"d\",\"fields\":["
		"{\"name\":\"a\",\"type\":\"int\",\"default\":5,\"order\":\"descending\",\"aliases\":[\"x\"],\"zz\":1,"
		"\"aa\":{\"q\":2,\"b\":[0.1,1.0,\"\xc3\xa9\"]}},"
		"{\"name\":\"b\",\"type\":[\"null\",\"K\",{\"type\":\"enum\",\"name\":\"E\",\"namespace\":\"q\","
		"\"symbols\":[\"A\"],"
		"\"default\":\"A\"}]},{\"name\":\"c\",\"type\":\"K\"},"
		"{\"name\":\"d\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"namespace\":\"\",\"size\":4}}],"
		"\"p\":1,\"aliases\":[\"Old\",\"z.Older\"]}";
	struct schema *schema = parse_avro(text);
	struct schema *again = parse_avro(rendered);

	(void)state;
	assert_string_equal(schema_text(schema), rendered);
	assert_string_equal(schema_text(again), rendered);
	assert_true(schema_equal(schema, again));
	assert_non_null(
		strstr(schema_normalized_text(schema), "\"aa\":{\"b\":[0.1,1.0,\"\xc3\xa9\"],\"q\":2},\"zz\":1"));
	schema_unref(schema);
	schema_unref(again);
}

static void names_of_references_are_known(void **state)
{
	struct schema *money = parse_avro("{\"type\":\"record\",\"name\":\"Money\",\"namespace\":\"s\",\"fields\":[]}");
	struct schema_reference to_money = {"s.Money", money};
	struct schema *bill = parse_with(SCHEMA_FORMAT_AVRO,
					 "{\"type\":\"record\",\"name\":\"Bill\",\"namespace\":\"s\",\"fields\":["
					 "{\"name\":\"total\",\"type\":\"Money\"}]}",
					 &to_money, 1);
	struct schema_reference to_bill = {"s.Bill", bill};
	struct schema *run =
		parse_with(SCHEMA_FORMAT_AVRO,
			   "{\"type\":\"record\",\"name\":\"Run\",\"fields\":["
			   "{\"name\":\"bill\",\"type\":\"s.Bill\"},{\"name\":\"m\",\"type\":\"s.Money\"}]}",
			   &to_bill, 1);
	struct schema_field field;

	(void)state;
	schema_unref(money); /* the schemas that refer to it keep it alive */
	schema_unref(bill);
	assert_non_null(strstr(schema_text(run), "\"type\":\"s.Bill\""));
	assert_true(schema_type_find(schema_root(run), "bill", &field));
	assert_string_equal(schema_type_name(field.record), "s.Bill");
	assert_true(schema_type_find(field.record, "total", &field));
	assert_string_equal(schema_type_name(field.record), "s.Money");
	schema_unref(run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_problem_is_told_with_line_and_column),
		cmocka_unit_test(broken_rules_are_refused),
		cmocka_unit_test(text_that_is_no_json_is_refused),
		cmocka_unit_test(deep_nesting_is_refused_at_the_limit),
		cmocka_unit_test(what_libraries_tolerate_is_accepted),
		cmocka_unit_test(text_is_rendered_in_a_fixed_order),
		cmocka_unit_test(names_of_references_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
