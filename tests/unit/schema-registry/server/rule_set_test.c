/* rule_set_test.c - which rules are refused, and how metadata and rules are laid over each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "schema-registry/server/rule_set.h"

static json_t *parse(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	return json;
}

static void expect_problem(const char *text, const char *expected)
{
	json_t *rules = parse(text);
	struct buffer problem = {0};
	bool is_right = rule_set_check(rules, &problem);

	assert_int_equal(is_right, expected == NULL);
	if (expected)
		assert_string_equal(buffer_text(&problem), expected);
	buffer_release(&problem);
	json_decref(rules);
}

static void takes_rules_that_clients_can_execute(void **state)
{
	(void)state;
	expect_problem("{}", NULL);
	expect_problem("{\"domainRules\":null}", NULL);
	expect_problem("{\"domainRules\":[{\"name\":\"a-1\",\"type\":\"CEL\"}],"
		       "\"migrationRules\":[{\"name\":\"_b\",\"type\":\"JSONATA\",\"mode\":\"UPDOWN\",\"onFailure\":"
		       "\"NONE,ERROR\"}]}",
		       NULL);
	expect_problem("{\"encodingRules\":[{\"name\":\"\\u00e9\",\"type\":\"ENCRYPT\",\"mode\":\"WRITEREAD\"}]}",
		       NULL);
}

static void says_what_is_wrong_with_a_rule(void **state)
{
	(void)state;
	expect_problem("{\"domainRules\":5}", "domainRules must be a list");
	expect_problem(
		"{\"domainRules\":[{\"type\":\"CEL\"}]}",
		"a rule of domainRules needs a name of 1 to 256 letters, digits, _ and -, with a letter or _ first");
	expect_problem(
		"{\"domainRules\":[7]}",
		"a rule of domainRules needs a name of 1 to 256 letters, digits, _ and -, with a letter or _ first");
	expect_problem("{\"domainRules\":[{\"name\":\"a\"}]}", "rule 'a' has no type");
	expect_problem("{\"domainRules\":[{\"name\":\"a\",\"type\":\"CEL\",\"mode\":\"UPGRADE\"}]}",
		       "rule 'a' has mode UPGRADE, but domainRules can only be WRITE, READ and WRITEREAD");
	expect_problem("{\"migrationRules\":[{\"name\":\"a\",\"type\":\"CEL\"}]}",
		       "rule 'a' has mode WRITEREAD, but migrationRules can only be UPGRADE, DOWNGRADE and UPDOWN");
	expect_problem("{\"domainRules\":[{\"name\":\"a\",\"type\":\"CEL\",\"kind\":\"WISH\"}]}",
		       "rule 'a' has kind WISH, which is neither TRANSFORM nor CONDITION");
	expect_problem("{\"domainRules\":[{\"name\":\"a\",\"type\":\"CEL\",\"mode\":\"READ\",\"onSuccess\":\"A,B\"}]}",
		       "rule 'a' has several actions, which only WRITEREAD and UPDOWN can have");
	expect_problem("{\"domainRules\":[{\"name\":\"a\",\"type\":\"CEL\"}],\"encodingRules\":[{\"name\":\"a\","
		       "\"type\":\"CEL\"}]}",
		       "two rules are called 'a'");
}

static void expect_merged(const char *under, const char *over, const char *expected)
{
	json_t *under_json = under ? parse(under) : NULL;
	json_t *over_json = over ? parse(over) : NULL;
	json_t *merged = contract_merge(under_json, over_json);
	char *text = merged ? json_dumps(merged, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	if (expected)
		assert_string_equal(text, expected);
	else
		assert_null(text);
	free(text);
	json_decref(merged);
	json_decref(under_json);
	json_decref(over_json);
}

static void lays_one_contract_over_another(void **state)
{
	(void)state;
	expect_merged(NULL, NULL, NULL);
	expect_merged("{\"a\":{\"x\":1}}", NULL, "{\"a\":{\"x\":1}}");
	expect_merged(NULL, "{\"a\":{\"x\":1}}", "{\"a\":{\"x\":1}}");
	expect_merged(
		"{\"properties\":{\"a\":\"1\",\"b\":\"1\"},\"sensitive\":[\"a\",\"b\"]}",
		"{\"properties\":{\"b\":\"2\",\"c\":\"2\"},\"sensitive\":[\"b\",\"c\"],\"tags\":{\"f\":[\"PII\"]}}",
		"{\"properties\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"2\"},\"sensitive\":[\"a\",\"b\",\"c\"],"
		"\"tags\":{\"f\":[\"PII\"]}}");
	expect_merged("{\"domainRules\":[{\"name\":\"a\",\"expr\":\"1\"},{\"name\":\"b\"}]}",
		      "{\"domainRules\":[{\"name\":\"a\",\"expr\":\"2\"}]}",
		      "{\"domainRules\":[{\"name\":\"b\"},{\"expr\":\"2\",\"name\":\"a\"}]}");
}

static void absent_and_null_are_the_same(void **state)
{
	json_t *rules = parse("{\"a\":null,\"domainRules\":[{\"name\":\"a\",\"doc\":null,\"params\":{\"p\":null}}]}");
	char *text;

	(void)state;
	contract_drop_nulls(rules);
	text = json_dumps(rules, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, "{\"domainRules\":[{\"name\":\"a\",\"params\":{}}]}");
	free(text);
	json_decref(rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_rules_that_clients_can_execute),
		cmocka_unit_test(says_what_is_wrong_with_a_rule),
		cmocka_unit_test(absent_and_null_are_the_same),
		cmocka_unit_test(lays_one_contract_over_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
