/* value_test.c - the tree itself, and JSON in and out of it. */
#include "tests/unit/schema-registry/codec/codec_fixture.h"

static int parse(const char *text, struct arena *arena, struct value *ret_value, struct error *err)
{
	return value_parse_json(bytes_of_text(text), arena, ret_value, err);
}

static void json_comes_out_as_it_went_in(void **state)
{
	static const char *const texts[] = {
		"null",
		"true",
		"[]",
		"{}",
		"-9223372036854775808",
		"18446744073709551615",
		"0.1",
		"-0.0",
		"1e+300",
		"[1,[2,{\"a\":\"b\"}]]",
		"\"\\\"\\\\\\n\\u0001\xf0\x9d\x84\x9e\"",
		"{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9}",
	};
	struct arena arena;
	struct value value;
	struct error err;

	(void)state;
	arena_init(&arena, 0);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct buffer out = {0};

		if (parse(texts[i], &arena, &value, &err))
			fail_msg("%s: %s", texts[i], err.msg);
		value_print_json(&value, &out);
		assert_string_equal(buffer_text(&out), texts[i]);
		buffer_release(&out);
	}
	arena_release(&arena);
}

static void integers_stay_exact(void **state)
{
	struct arena arena;
	struct value value;
	struct error err;

	(void)state;
	arena_init(&arena, 0);
	assert_int_equal(parse("9007199254740993", &arena, &value, &err), 0);
	assert_true(value.kind == VALUE_INT && value.integer == 9007199254740993);
	assert_int_equal(parse("9223372036854775808", &arena, &value, &err), 0);
	assert_true(value.kind == VALUE_UINT && value.unsigned_integer == 9223372036854775808u);
	assert_int_equal(parse("18446744073709551616", &arena, &value, &err), 0);
	assert_true(value.kind == VALUE_DOUBLE && value.number == 18446744073709551616.0);
	assert_int_equal(parse("-9223372036854775809", &arena, &value, &err), 0);
	assert_int_equal(value.kind, VALUE_DOUBLE);
	assert_int_equal(parse("\"\\ud834\\udd1e\\u00e9\"", &arena, &value, &err), 0);
	assert_true(bytes_equal_text(value.text, "\xf0\x9d\x84\x9e\xc3\xa9"));
	arena_release(&arena);
}

static void wrong_json_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text;
		const char *part;
	} cases[] = {
		{"", "empty"},
		{"{\"a\":1,\n \"a\":2}", "a key occurs twice in the object that ends at line 2, column 8"},
		{"{\"a\":1,}", "a key in quotes is missing at line 1, column 8"},
		{"[1 2]", "a comma or ] is missing at line 1, column 4"},
		{"{\"a\" 1}", "a colon is missing"},
		{"01", "no JSON value stands"},
		{"1.", "no JSON value stands"},
		{"+1", "no JSON value stands"},
		{"NaN", "no JSON value stands"},
		{"1e999", "out of the range of doubles"},
		{"\"abc", "a text has no end"},
		{"\"abc\\\"", "a text has no end"},
		{"\"\\x\"", "an escape that JSON does not know"},
		{"\"\\ud800\"", "an escape that JSON does not know"},
		{"\"\\u12\"", "an escape that JSON does not know"},
		{"\"\xff\"", "not UTF-8"},
		{"\"a\nb\"", "a control character"},
		{"true false", "something stands after"},
		{"[", "ends too early"},
	};
	struct arena arena;
	struct value value;
	struct error err;

	(void)state;
	arena_init(&arena, 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(parse(cases[i].text, &arena, &value, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		if (!strstr(err.msg, cases[i].part))
			fail_msg("'%s' is not in '%s'", cases[i].part, err.msg);
	}
	arena_release(&arena);
}

static void keys_that_occur_twice_are_found_among_many(void **state)
{
	struct buffer text = {0};
	struct arena arena;
	struct value value;
	struct error err;

	(void)state;
	arena_init(&arena, 0);
	buffer_append_text(&text, "{\"k77\":0");
	for (int i = 100; i < 300; i++)
		buffer_append_format(&text, ",\"k%d\":0", i);
	buffer_append_byte(&text, '}');
	assert_int_equal(value_parse_json(buffer_bytes(&text), &arena, &value, &err), 0);
	text.len--;
	buffer_append_text(&text, ",\"k77\":1}");
	assert_int_equal(value_parse_json(buffer_bytes(&text), &arena, &value, &err), -1);
	assert_non_null(strstr(err.msg, "a key occurs twice"));
	buffer_release(&text);
	arena_release(&arena);
}

static void depth_and_memory_are_limited(void **state)
{
	struct buffer text = {0};
	struct arena arena;
	struct value value;
	struct error err;

	(void)state;
	for (int i = 0; i < 100; i++)
		buffer_append_byte(&text, '[');
	for (int i = 0; i < 100; i++)
		buffer_append_byte(&text, ']');
	arena_init(&arena, 0);
	assert_int_equal(value_parse_json(buffer_bytes(&text), &arena, &value, &err), 0);
	buffer_clear(&text);
	for (int i = 0; i < 100000; i++)
		buffer_append_byte(&text, '[');
	assert_int_equal(value_parse_json(buffer_bytes(&text), &arena, &value, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	arena_release(&arena);
	arena_init(&arena, 1000);
	assert_int_equal(parse("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]", &arena, &value, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	buffer_release(&text);
	arena_release(&arena);
}

static void fields_are_found_by_name_and_path(void **state)
{
	struct arena arena;
	struct value value;
	struct value same;
	struct error err;
	struct bytes text;
	int64_t number;
	bool boolean;

	(void)state;
	arena_init(&arena, 0);
	assert_int_equal(parse("{\"a\":{\"b\":{\"c\":5}},\"t\":\"x\",\"f\":true,\"u\":18446744073709551615}", &arena,
			       &value, &err),
			 0);
	assert_int_equal(value_path(&value, "a.b.c")->integer, 5);
	assert_null(value_path(&value, "a.x.c"));
	assert_null(value_path(&value, "t.c"));
	assert_true(value_get_text(&value, "t", &text) && bytes_equal_text(text, "x"));
	assert_true(value_get_bool(&value, "f", &boolean) && boolean);
	assert_false(value_get_int(&value, "u", &number));
	assert_false(value_get_int(&value, "t", &number));
	assert_int_equal(parse("{\"u\":18446744073709551615,\"f\":true,\"t\":\"x\",\"a\":{\"b\":{\"c\":5}}}", &arena,
			       &same, &err),
			 0);
	assert_true(value_equal(&value, &same));
	value_set(&arena, &same, "t", value_int(1));
	assert_false(value_equal(&value, &same));
	assert_int_equal(same.record.count, 4);
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_comes_out_as_it_went_in),
		cmocka_unit_test(integers_stay_exact),
		cmocka_unit_test(wrong_json_is_refused_with_its_place),
		cmocka_unit_test(keys_that_occur_twice_are_found_among_many),
		cmocka_unit_test(depth_and_memory_are_limited),
		cmocka_unit_test(fields_are_found_by_name_and_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
