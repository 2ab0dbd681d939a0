/* struct_value_test.c - JSON in Protobuf, in and out, without losing a digit in silence. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "coordinator/api/struct_value.h"

struct fixture {
	struct arena arena;
	struct problems problems;
};

static int set_up(void **state)
{
	struct fixture *fixture = test_calloc(1, sizeof(*fixture));

	arena_init(&fixture->arena, 0);
	problems_init(&fixture->problems);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	arena_release(&fixture->arena);
	problems_release(&fixture->problems);
	test_free(fixture);
	return 0;
}

static Google__Protobuf__Struct *convert(struct fixture *fixture, const char *json)
{
	struct value value;
	struct error err;

	assert_int_equal(value_parse_json(bytes_of_text(json), &fixture->arena, &value, &err), 0);
	return value_to_struct(&value, &fixture->arena);
}

static void gives_back_what_it_was_given(void **state)
{
	static const char JSON[] = "{\"a\":1.5,\"b\":[true,null,\"x\"],\"c\":{\"d\":\"e\"}}";
	struct fixture *fixture = *state;
	Google__Protobuf__Struct *message = convert(fixture, JSON);
	struct buffer text = {0};
	struct value value;

	assert_int_equal(struct_to_value(message, "input", &fixture->arena, &value, &fixture->problems), 0);
	value_print_json(&value, &text);
	assert_string_equal(buffer_text(&text), JSON);
	buffer_release(&text);
}

static void makes_texts_of_integers_that_a_double_cannot_hold(void **state)
{
	Google__Protobuf__Struct *message =
		convert(*state, "{\"a\":9007199254740993,\"b\":-9223372036854775808,\"c\":18446744073709551615,"
				"\"d\":9007199254740992,\"e\":-3}");

	assert_string_equal(message->fields[0]->value->string_value, "9007199254740993");
	assert_string_equal(message->fields[1]->value->string_value, "-9223372036854775808");
	assert_string_equal(message->fields[2]->value->string_value, "18446744073709551615");
	assert_int_equal(message->fields[3]->value->kind_case, GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE);
	assert_true(message->fields[3]->value->number_value == 9007199254740992.0);
	assert_true(message->fields[4]->value->number_value == -3.0);
}

static void makes_base64_of_bytes_and_texts_of_what_json_lacks(void **state)
{
	struct fixture *fixture = *state;
	struct value record = value_record();
	struct value bytes = {.kind = VALUE_BYTES, .text = bytes_of_text("hello")};
	Google__Protobuf__Struct *message;

	value_set(&fixture->arena, &record, "a", bytes);
	value_set(&fixture->arena, &record, "b", value_double(NAN));
	value_set(&fixture->arena, &record, "c", value_double(-INFINITY));
	message = value_to_struct(&record, &fixture->arena);
	assert_string_equal(message->fields[0]->value->string_value, "aGVsbG8=");
	assert_string_equal(message->fields[1]->value->string_value, "NaN");
	assert_string_equal(message->fields[2]->value->string_value, "-Infinity");
}

static void refuses_values_that_are_no_json_with_their_places(void **state)
{
	struct fixture *fixture = *state;
	Google__Protobuf__Struct *message = convert(fixture, "{\"a\":[1,2],\"b\":{\"c\":3}}");
	struct value value;

	message->fields[0]->value->list_value->values[1]->number_value = NAN;
	message->fields[1]->value->struct_value->fields[0]->value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND__NOT_SET;
	assert_int_equal(struct_to_value(message, "input", &fixture->arena, &value, &fixture->problems), -1);
	assert_int_equal(fixture->problems.count, 2);
	assert_string_equal(fixture->problems.items[0].place, "input.a[1]");
	assert_string_equal(fixture->problems.items[1].place, "input.b.c");
}

/* A few bytes of a message are a value of many: the arena is the limit, and its end is no crash. */
static void gives_up_where_the_arena_ends(void **state)
{
	struct fixture *fixture = *state;
	Google__Protobuf__Struct *message = convert(fixture, "{\"a\":[1,2,3,{\"b\":[4,5,6]}],\"c\":{}}");
	struct value value;
	size_t limit;

	for (limit = 1;; limit++) {
		struct arena small;
		int rc;

		arena_init(&small, limit);
		rc = struct_to_value(message, "input", &small, &value, &fixture->problems);
		arena_release(&small);
		assert_int_equal(fixture->problems.count, 0);
		if (rc == 0)
			break;
	}
	assert_in_range(limit, 10 * sizeof(struct value), 4096);
}

static void lets_the_last_of_equal_keys_count(void **state)
{
	struct fixture *fixture = *state;
	Google__Protobuf__Struct *message = convert(fixture, "{\"a\":1,\"b\":2,\"c\":3}");
	struct value value;

	message->fields[0]->key = (char *)"b";
	message->fields[2]->key = (char *)"b";
	assert_int_equal(struct_to_value(message, "input", &fixture->arena, &value, &fixture->problems), 0);
	assert_int_equal(value.record.count, 1);
	assert_true(value_get(&value, "b")->number == 3.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(gives_back_what_it_was_given, set_up, tear_down),
		cmocka_unit_test_setup_teardown(makes_texts_of_integers_that_a_double_cannot_hold, set_up, tear_down),
		cmocka_unit_test_setup_teardown(makes_base64_of_bytes_and_texts_of_what_json_lacks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_values_that_are_no_json_with_their_places, set_up, tear_down),
		cmocka_unit_test_setup_teardown(gives_up_where_the_arena_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lets_the_last_of_equal_keys_count, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
