/* json_test.c - JSON in, as a tree and as google.protobuf.Struct, and out again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/memory.h"
#include "lib/rpc/json_struct.h"
#include "lib/rpc/json_tree.h"

static struct json_node *parse(struct arena *arena, const char *text, struct error *err)
{
	struct json_node *root;

	*err = (struct error){0};
	return json_tree_parse(arena, bytes_of_text(text), &root, err) < 0 ? NULL : root;
}

static void numbers_keep_their_text_and_strings_are_decoded(void **state)
{
	_cleanup_(arena_release)
	struct arena arena = {0};
	struct error err;
	struct json_node *root = parse(&arena,
				       " {\"a\" : 10.010000000000000001, \"b\":[1e3,-0,true,null],\n"
				       "\"c\":\"\\u00e9\\ud83d\\ude00\\n\\/ü\", \"d\":{}} ",
				       &err);

	(void)state;
	assert_non_null(root);
	assert_int_equal(root->count, 4);
	assert_string_equal(json_member(root, "a")->text, "10.010000000000000001");
	assert_int_equal(json_member(root, "b")->count, 4);
	assert_string_equal(json_member(root, "b")->first_child->text, "1e3");
	assert_string_equal(json_member(root, "c")->text, "é😀\n/ü");
	assert_int_equal(json_member(root, "d")->kind, JSON_OBJECT);
	assert_null(json_member(root, "e"));
}

static void what_is_no_json_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text;
		const char *place;
	} cases[] = {
		{"", "1:1: "},
		{"{", "1:2: "},
		{"{\"a\" 1}", "1:6: "},
		{"[1,]", "1:4: "},
		{"[01]", "1:3: "},
		{"1.", "1:3: "},
		{"1e", "1:3: "},
		{"\"a", "1:3: "},
		{"\"\\x\"", "1:3: "},
		{"\"\\ud800\"", "1:8: "},
		{"\"\\udc00\"", "1:8: "},
		{"\"\\u0000\"", "1:8: "},
		{"\"\xff\"", "1:4: "},
		{"tru", "1:1: "},
		{"{\"a\":1,\"a\":2}", "1:11: "},
		{"1 2", "1:3: "},
		{"[\n\n +1]", "3:2: "},
		{"\"\n\"", "1:2: "},
		{"{1:2}", "1:2: "},
		{"[1}", "1:3: "},
	};
	_cleanup_(arena_release)
	struct arena arena = {0};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_null(parse(&arena, cases[i].text, &err));
		assert_int_equal(err.code, ERR_INVALID);
		if (strncmp(err.msg, cases[i].place, strlen(cases[i].place)) != 0)
			fail_msg("%s: %s", cases[i].text, err.msg);
	}
}

static void depth_is_bounded(void **state)
{
	_cleanup_(arena_release)
	struct arena arena = {0};
	char text[2 * JSON_DEPTH_MAX + 3] = "";
	struct error err;

	(void)state;
	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	assert_non_null(parse(&arena, text, &err));
	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	assert_null(parse(&arena, text, &err));
}

static void a_struct_shows_what_it_was_made_of(void **state)
{
	static const char text[] = "{\"a\":[1,2.5,\"x\\n\",true,null,[]],\"b\":{\"c\":10.01},\"d\":-3,\"e\":"
				   "9007199254740992,\"f\":1e+300}";
	_cleanup_(arena_release)
	struct arena arena = {0};
	_cleanup_(buffer_release)
	struct buffer out = {0};
	struct error err;
	struct json_node *root = parse(&arena, text, &err);

	(void)state;
	json_struct_append(&out, json_struct_of_tree(&arena, root));
	assert_string_equal(buffer_text(&out), text);
}

static void numbers_that_no_double_holds_travel_as_text(void **state)
{
	_cleanup_(arena_release)
	struct arena arena = {0};
	_cleanup_(buffer_release)
	struct buffer out = {0};
	struct error err;
	Google__Protobuf__Struct *made =
		json_struct_of_tree(&arena, parse(&arena, "{\"a\":9223372036854775807,\"b\":1e999}", &err));

	(void)state;
	json_struct_add(&arena, made, "c", json_value_int(&arena, INT64_MIN));
	json_struct_add(&arena, made, "d", json_value_int(&arena, INT64_C(1) << 53));
	json_struct_append(&out, made);
	assert_string_equal(buffer_text(&out), "{\"a\":\"9223372036854775807\",\"b\":\"1e999\","
					       "\"c\":\"-9223372036854775808\",\"d\":9007199254740992}");
}

/* A double that is whole and beyond the exact range must not read as an integer, which would come back as text. */
static void a_large_double_stays_a_number(void **state)
{
	_cleanup_(arena_release)
	struct arena arena = {0};
	_cleanup_(buffer_release)
	struct buffer out = {0};
	struct error err;

	(void)state;
	json_struct_append(&out,
			   json_struct_of_tree(&arena, parse(&arena, "{\"a\":9007199254740994.0,\"b\":-1E20}", &err)));
	assert_string_equal(buffer_text(&out), "{\"a\":9007199254740994.0,\"b\":-1e+20}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_keep_their_text_and_strings_are_decoded),
		cmocka_unit_test(what_is_no_json_is_refused_with_its_place),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(a_struct_shows_what_it_was_made_of),
		cmocka_unit_test(numbers_that_no_double_holds_travel_as_text),
		cmocka_unit_test(a_large_double_stays_a_number),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
