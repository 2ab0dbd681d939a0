/* rest_routes_test.c - which request reaches which route; media types; error codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "schema-registry/server/rest.h"

static struct rest_match find(const char *method, const char *first, const char *second, const char *third,
			      const char *fourth, const char *fifth)
{
	const char *const parts[] = {first, second, third, fourth, fifth};
	size_t count = 0;

	while (count < 5 && parts[count])
		count++;
	return rest_find_route(method, parts, count);
}

static void finds_routes_by_method_and_path(void **state)
{
	struct rest_match match = find("GET", NULL, NULL, NULL, NULL, NULL);

	(void)state;
	assert_ptr_equal(match.route->handle, rest_get_root);
	match = find("POST", "subjects", "orders-value", "versions", NULL, NULL);
	assert_ptr_equal(match.route->handle, rest_register);
	assert_string_equal(match.args[0], "orders-value");
	match = find("DELETE", "subjects", "a/b", "versions", "latest", NULL);
	assert_ptr_equal(match.route->handle, rest_delete_version);
	assert_string_equal(match.args[0], "a/b");
	assert_string_equal(match.args[1], "latest");
	match = find("GET", "config", NULL, NULL, NULL, NULL);
	assert_ptr_equal(match.route->handle, rest_get_config);
	assert_null(match.args[0]);
	match = find("POST", "compatibility", "subjects", "s", "versions", "3");
	assert_ptr_equal(match.route->handle, rest_check_version);
	assert_string_equal(match.args[1], "3");
}

static void tells_unknown_paths_from_wrong_methods(void **state)
{
	struct rest_match match = find("GET", "no-such-thing", NULL, NULL, NULL, NULL);

	(void)state;
	assert_null(match.route);
	assert_false(match.is_path_known);
	match = find("GET", "subjects", "s", "versions", "1", "nothing");
	assert_false(match.is_path_known);
	match = find("PATCH", "subjects", "s", "versions", NULL, NULL);
	assert_null(match.route);
	assert_true(match.is_path_known);
	assert_string_equal(match.allow, "HEAD, GET, POST");
}

static void takes_a_context_in_front_of_any_path(void **state)
{
	struct rest_match match = find("GET", "contexts", ".staging", "subjects", NULL, NULL);

	(void)state;
	assert_ptr_equal(match.route->handle, rest_get_subjects);
	assert_string_equal(match.context, ".staging");
	match = find("GET", "contexts", NULL, NULL, NULL, NULL);
	assert_ptr_equal(match.route->handle, rest_get_contexts);
	assert_null(match.context);
}

static void answers_in_the_type_that_was_asked_for(void **state)
{
	(void)state;
	assert_string_equal(rest_choose_type(NULL), "application/vnd.schemaregistry.v1+json");
	assert_string_equal(rest_choose_type("*/*"), "application/vnd.schemaregistry.v1+json");
	assert_string_equal(rest_choose_type("text/html, application/json;q=0.5"), "application/json");
	assert_string_equal(rest_choose_type("application/vnd.schemaregistry+json, */*"),
			    "application/vnd.schemaregistry+json");
	assert_null(rest_choose_type("text/html"));
	assert_null(rest_choose_type("application/jsonp"));
}

static void takes_json_bodies_only(void **state)
{
	(void)state;
	assert_true(rest_takes_type(NULL));
	assert_true(rest_takes_type("application/json; charset=utf-8"));
	assert_true(rest_takes_type("Application/Vnd.SchemaRegistry.v1+JSON"));
	assert_false(rest_takes_type("text/plain"));
	assert_false(rest_takes_type("application/x-www-form-urlencoded"));
}

static void error_codes_carry_their_status(void **state)
{
	(void)state;
	for (int code = 0; code < REFUSAL_COUNT; code++) {
		int number = refusal_error_code((enum refusal_code)code);

		assert_int_equal(refusal_status((enum refusal_code)code), number < 1000 ? number : number / 100);
	}
	assert_int_equal(refusal_error_code(REFUSAL_SUBJECT_NOT_FOUND), 40401);
	assert_int_equal(refusal_error_code(REFUSAL_STORE), 50001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_routes_by_method_and_path),
		cmocka_unit_test(tells_unknown_paths_from_wrong_methods),
		cmocka_unit_test(takes_a_context_in_front_of_any_path),
		cmocka_unit_test(answers_in_the_type_that_was_asked_for),
		cmocka_unit_test(takes_json_bodies_only),
		cmocka_unit_test(error_codes_carry_their_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
