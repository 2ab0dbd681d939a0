/* avro_codec_test.c - Avro's binary encoding; the golden bytes were made by another implementation (fastavro). */
#include "tests/unit/schema-registry/codec/codec_fixture.h"

static const char all_text[] =
	"{\"type\":\"record\",\"name\":\"All\",\"fields\":[{\"name\":\"b\",\"type\":\"boolean\"},{\"name\":\"i\","
	"\"type\":\"int\"},"
	"{\"name\":\"l\",\"type\":\"long\"},{\"name\":\"f\",\"type\":\"float\"},{\"name\":\"d\",\"type\":\"double\"},"
	"{\"name\":\"by\",\"type\":\"bytes\"},{\"name\":\"s\",\"type\":\"string\"},"
	"{\"name\":\"fx\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}},"
	"{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}},"
	"{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":\"long\"}},"
	"{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"int\"}},"
	"{\"name\":\"u\",\"type\":[\"null\",\"string\",\"long\"]},{\"name\":\"r\",\"type\":[\"null\",\"All\"],"
	"\"default\":null}]}";

static const char all_json[] = "{\"b\":true,\"i\":-3,\"l\":1099511627776,\"f\":1.5,\"d\":-2.25,\"by\":\"AP8=\",\"s\":"
			       "\"h\xc3\xa9\",\"fx\":\"AQI=\","
			       "\"e\":\"B\",\"a\":[1,-1],\"m\":{\"k\":1,\"z\":300},\"u\":\"x\",\"r\":null}";

static const char all_hex[] =
	"01058080808080400000c03f00000000000002c00400ff0668c3a90102020402010004026b02027ad8040002027800";

static struct schema *parse(const char *text)
{
	return parse_schema(SCHEMA_FORMAT_AVRO, text);
}

/* A record with one field `v` of the type; both with ' for ". */
static struct schema *parse_field(const char *type_and_more)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "{'type':'record','name':'R','fields':[{'name':'v','type':%s}]}",
		       type_and_more);
	for (char *at = text; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	return parse(text);
}

static void every_type_has_the_bytes_of_the_specification(void **state)
{
	struct schema *schema = parse(all_text);

	(void)state;
	check_encoding(schema, all_json, all_hex);
	check_decoding(schema, all_hex, all_json);
	schema_unref(schema);
}

static void order_of_the_input_does_not_matter(void **state)
{
	struct schema *schema = parse(all_text);

	(void)state;
	check_encoding(
		schema,
		"{\"u\":\"x\",\"m\":{\"z\":300,\"k\":1},\"a\":[1,-1],\"e\":\"B\",\"fx\":\"AQI=\",\"s\":\"h\xc3\xa9\","
		"\"by\":\"AP8\",\"d\":-2.25,\"f\":1.5,\"l\":\"1099511627776\",\"i\":-3.0,\"b\":true}",
		all_hex);
	schema_unref(schema);
}

static void absent_fields_take_their_default(void **state)
{
	static const struct {
		const char *type;
		const char *hex;
	} cases[] = {
		{"'int','default':-1", "01"},
		{"'double','default':2", "0000000000000040"},
		{"'string','default':'hi'", "046869"},
		{"'bytes','default':'\\u00ff\\u0001'", "04ff01"},
		{"{'type':'array','items':'int'},'default':[1,2]", "04020400"},
		{"{'type':'map','values':'int'},'default':{}", "00"},
		{"['null','int'],'default':null", "00"},
		{"['int','null'],'default':7", "000e"},
		{"['int','null']", "02"},
		{"{'type':'enum','name':'E','symbols':['A','B']},'default':'B'", "02"},
		{"{'type':'record','name':'I','fields':[{'name':'x','type':'int','default':5}]},'default':{}", "0a"},
		{"'null'", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct schema *schema = parse_field(cases[i].type);

		check_encoding(schema, "{}", cases[i].hex);
		check_encoding(schema, "{\"v\":null}",
			       cases[i].hex[0] == '0' && strstr(cases[i].type, "'default':7") ? "02" : cases[i].hex);
		schema_unref(schema);
	}
}

static void absent_fields_without_default_are_told(void **state)
{
	struct schema *required = parse_field("'int'");
	struct schema *misfit = parse_field("'int','default':'x'");

	(void)state;
	check_refusal(required, "{}", "input.v: is required and absent\n");
	check_refusal(misfit, "{}", "input.v: is absent, and the schema's default does not fit its type\n");
	schema_unref(required);
	schema_unref(misfit);
}

static void a_union_takes_the_first_branch_that_fits(void **state)
{
	static const struct {
		const char *type;
		const char *json;
		const char *hex;
	} cases[] = {
		{"['null','int','long']", "5", "020a"},
		{"['null','int','long']", "5000000000", "0480c8afa025"},
		{"['int','double']", "1.5", "02000000000000f83f"},
		{"['double','long']", "3", "0206"},
		{"['bytes','string']", "\"abcd\"", "020861626364"},
		{"['string',{'type':'enum','name':'E','symbols':['A']}]", "\"A\"", "000241"},
		{"[{'type':'enum','name':'E','symbols':['A']},'string']", "\"B\"", "020242"},
		{"['null',{'type':'record','name':'P','fields':[{'name':'x','type':'int'}]},"
		 "{'type':'record','name':'Q','fields':[{'name':'y','type':'int'}]}]",
		 "{\"y\":1}", "0402"},
		{"[{'type':'map','values':'int'},{'type':'array','items':'int'}]", "[1]", "02020200"},
		{"['boolean','bytes']", "\"AP8=\"", "020400ff"},
		{"['null','float']", "\"NaN\"", "020000c07f"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct schema *schema = parse_field(cases[i].type);
		char json[128];

		(void)snprintf(json, sizeof(json), "{\"v\":%s}", cases[i].json);
		check_encoding(schema, json, cases[i].hex);
		schema_unref(schema);
	}
}

static void misfits_are_all_told_with_their_paths(void **state)
{
	struct schema *schema = parse(all_text);

	(void)state;
	check_refusal(schema,
		      "{\"b\":1,\"i\":2147483648,\"l\":1.5,\"f\":1e300,\"d\":\"x\",\"by\":\"?\",\"s\":5,\"fx\":"
		      "\"AQID\",\"e\":\"C\","
		      "\"a\":[1,\"2\",true],\"m\":{\"k\":null},\"u\":false,\"r\":{\"zz\":1},\"extra\":0}",
		      "input.extra: the schema has no such field\n"
		      "input.b: expected true or false, got number 1\n"
		      "input.i: expected a whole number of 32 bits, got number 2147483648\n"
		      "input.l: expected a whole number of 64 bits, got number 1.5\n"
		      "input.f: expected a number, got number 1e+300\n"
		      "input.d: expected a number, got text \"x\"\n"
		      "input.by: expected bytes, or a text in base64, got text \"?\"\n"
		      "input.s: expected a text in UTF-8, got number 5\n"
		      "input.fx: expected 2 bytes, got 3\n"
		      "input.e: expected a symbol of E, got text \"C\"\n"
		      "input.a[2]: expected a whole number of 64 bits, got true\n"
		      "input.m[\"k\"]: expected a whole number of 32 bits, got null\n"
		      "input.u: expected a value of one of the union's branches, got false\n"
		      "input.r.zz: the schema has no such field\n"
		      "input.r.b: is required and absent\n"
		      "input.r.i: is required and absent\n"
		      "input.r.l: is required and absent\n"
		      "input.r.f: is required and absent\n"
		      "input.r.d: is required and absent\n"
		      "input.r.by: is required and absent\n"
		      "input.r.s: is required and absent\n"
		      "input.r.fx: is required and absent\n"
		      "input.r.e: is required and absent\n"
		      "input.r.a: is required and absent\n"
		      "input.r.m: is required and absent\n");
	check_refusal(schema, "[]", "input: expected an object, got a list\n");
	schema_unref(schema);
}

static void corrupt_bytes_are_refused_with_their_place(void **state)
{
	static const struct {
		const char *type;
		const char *hex;
		const char *part;
	} cases[] = {
		{"'int'", "", "ends inside a number at byte 0"},
		{"'int'", "80", "ends inside a number at byte 1"},
		{"'long'", "ffffffffffffffffff02", "more than 64 bits"},
		{"'long'", "80808080808080808080808001", "more than 64 bits"},
		{"'int'", "808080808001", "more than 32 bits"},
		{"'boolean'", "02", "neither 0 nor 1"},
		{"'string'", "0661", "3 bytes are announced, but 1 are left"},
		{"'string'", "01", "a length is negative"},
		{"'string'", "02ff", "not UTF-8"},
		{"'string'", "feffffffffffffffff01", "are announced"},
		{"'double'", "00000000", "8 bytes are announced"},
		{"{'type':'enum','name':'E','symbols':['A']}", "02", "no symbol 1"},
		{"['null','int']", "04", "no branch 2"},
		{"['null','int']", "01", "no branch -1"},
		{"{'type':'array','items':'int'}", "feffffffffffffffff01", "items are announced"},
		{"{'type':'array','items':'int'}", "0202", "ends inside a number"},
		{"{'type':'array','items':'int'}", "ffffffffffffffffff0100", "a count is out of range"},
		{"{'type':'map','values':'null'}", "8080808010", "items are announced"},
		{"'int'", "0200", "1 bytes are left over"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct schema *schema = parse_field(cases[i].type);

		check_corruption(schema, cases[i].hex, ERR_CORRUPT, cases[i].part);
		schema_unref(schema);
	}
}

static void blocks_of_either_form_are_read(void **state)
{
	struct schema *schema = parse_field("{'type':'array','items':'int'}");

	(void)state;
	check_decoding(schema,
		       "0202010204"
		       "00",
		       "{\"v\":[1,2]}");
	check_decoding(schema,
		       "03040204"
		       "020600",
		       "{\"v\":[1,2,3]}");
	schema_unref(schema);
}

static void items_without_bytes_cannot_fill_the_memory(void **state)
{
	struct schema *nulls = parse_field("{'type':'array','items':'null'}");
	struct schema *records = parse_field("{'type':'array','items':{'type':'record','name':'Z','fields':[]}}");

	(void)state;
	check_decoding(nulls, "0400", "{\"v\":[null,null]}");
	check_corruption(nulls, "80808080808020", ERR_LIMIT, "needs more memory");
	check_corruption(records, "80808080808020", ERR_LIMIT, "needs more memory");
	check_corruption(nulls, "c29a0c00", ERR_LIMIT, "needs more memory");       /* 100,001 in one block */
	check_corruption(nulls, "c0a907c0a90700", ERR_LIMIT, "needs more memory"); /* twice 60,000 */
	schema_unref(nulls);
	schema_unref(records);
}

static void the_arena_limits_what_a_message_becomes(void **state)
{
	struct schema *schema = parse_field("{'type':'array','items':'int'}");
	struct buffer bytes = {0};
	struct arena arena;
	struct value value;
	struct error err;

	(void)state;
	append_hex(&bytes, "d00f");
	for (int i = 0; i < 1000; i++)
		buffer_append_byte(&bytes, 0);
	buffer_append_byte(&bytes, 0);
	arena_init(&arena, 8 * 1024);
	assert_int_equal(codec_decode(schema_root(schema), buffer_bytes(&bytes), &arena, &value, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	arena_release(&arena);
	arena_init(&arena, 1024 * 1024);
	assert_int_equal(codec_decode(schema_root(schema), buffer_bytes(&bytes), &arena, &value, &err), 0);
	arena_release(&arena);
	buffer_release(&bytes);
	schema_unref(schema);
}

static void depth_is_limited_both_ways(void **state)
{
	struct schema *schema =
		parse("{\"type\":\"record\",\"name\":\"N\",\"fields\":[{\"name\":\"n\",\"type\":[\"null\",\"N\"]}]}");
	struct buffer hex = {0};
	struct arena arena;
	struct value levels[102];
	struct buffer out = {0};
	struct problems problems;

	(void)state;
	arena_init(&arena, 0);
	problems_init(&problems);
	levels[0] = value_null();
	for (int i = 1; i < 102; i++) {
		levels[i] = value_record();
		value_set(&arena, &levels[i], "n", levels[i - 1]);
	}
	assert_int_equal(codec_encode(schema_root(schema), &levels[100], "", &out, &problems), 0);
	assert_int_equal(codec_encode(schema_root(schema), &levels[101], "", &out, &problems), -1);
	assert_string_equal(problems.items[0].text, "nested more than 100 levels deep");
	for (int i = 0; i < 99; i++)
		buffer_append_text(&hex, "02");
	buffer_append_text(&hex, "00");
	assert_int_equal(decode_hex(schema, buffer_text(&hex), &out), ERR_NONE);
	buffer_clear(&hex);
	for (int i = 0; i < 100000; i++)
		buffer_append_text(&hex, "02");
	check_corruption(schema, buffer_text(&hex), ERR_LIMIT, "more than 100 levels deep");
	buffer_release(&hex);
	buffer_release(&out);
	problems_release(&problems);
	arena_release(&arena);
	schema_unref(schema);
}

static void messages_beyond_the_limit_are_refused(void **state)
{
	struct schema *schema = parse("\"string\"");
	struct buffer text = {0};
	struct buffer out = {0};
	struct problems problems;
	struct arena arena;
	struct value value;
	struct error err;

	(void)state;
	arena_init(&arena, 0);
	problems_init(&problems);
	while (text.len <= CODEC_MESSAGE_BYTES_MAX)
		buffer_append(&text, "0123456789abcdef0123456789abcdef", 32);
	value = value_text(buffer_bytes(&text));
	assert_int_equal(codec_encode(schema_root(schema), &value, "", &out, &problems), -1);
	assert_int_equal(problems.count, 1);
	assert_int_equal(codec_decode(schema_root(schema), buffer_bytes(&text), &arena, &value, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	buffer_release(&text);
	buffer_release(&out);
	problems_release(&problems);
	arena_release(&arena);
	schema_unref(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_has_the_bytes_of_the_specification),
		cmocka_unit_test(order_of_the_input_does_not_matter),
		cmocka_unit_test(absent_fields_take_their_default),
		cmocka_unit_test(absent_fields_without_default_are_told),
		cmocka_unit_test(a_union_takes_the_first_branch_that_fits),
		cmocka_unit_test(misfits_are_all_told_with_their_paths),
		cmocka_unit_test(corrupt_bytes_are_refused_with_their_place),
		cmocka_unit_test(blocks_of_either_form_are_read),
		cmocka_unit_test(items_without_bytes_cannot_fill_the_memory),
		cmocka_unit_test(the_arena_limits_what_a_message_becomes),
		cmocka_unit_test(depth_is_limited_both_ways),
		cmocka_unit_test(messages_beyond_the_limit_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
