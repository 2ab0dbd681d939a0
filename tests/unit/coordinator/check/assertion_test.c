/* assertion_test.c - what a file of assertions may hold, and that all that is wrong with it is said with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "coordinator/check/assertion.h"

struct fixture {
	struct arena arena;
	struct problems problems;
	struct assertion_list list;
};

static struct fixture parse(const char *text)
{
	struct fixture f;

	arena_init(&f.arena, 0);
	problems_init(&f.problems);
	assertion_parse("a.yaml", bytes_of_text(text), &f.arena, &f.list, &f.problems);
	return f;
}

static void release(struct fixture *f)
{
	problems_release(&f->problems);
	arena_release(&f->arena);
}

static void a_query_that_finds_nothing_is_wrapped_whole(void **state)
{
	struct fixture f = parse("assertions:\n"
				 "  - name: no debt\n"
				 "    invariant: I4\n"
				 "    none: {database: payment, sql: 'select 1 -- one ; '}\n");

	(void)state;
	assert_int_equal(f.problems.count, 0);
	assert_int_equal(f.list.count, 1);
	assert_int_equal(f.list.items[0].kind, ASSERTION_NONE);
	assert_int_equal(f.list.items[0].invariant, 4);
	assert_string_equal(f.list.items[0].queries[0].sql,
			    "SELECT to_jsonb(q)::text FROM (select 1 -- one\n) AS q LIMIT 101");
	release(&f);
}

static void two_queries_are_compared(void **state)
{
	struct fixture f = parse("assertions:\n"
				 "  - name: paid\n"
				 "    saga: checkout\n"
				 "    advice: pay\n"
				 "    equal:\n"
				 "      - {database: payment, sql: select a}\n"
				 "      - {database: order, sql: select b}\n");

	(void)state;
	assert_int_equal(f.problems.count, 0);
	assert_int_equal(f.list.items[0].kind, ASSERTION_EQUAL);
	assert_int_equal(f.list.items[0].invariant, 2);
	assert_string_equal(f.list.items[0].saga, "checkout");
	assert_string_equal(f.list.items[0].advice, "pay");
	assert_string_equal(f.list.items[0].queries[1].database, "order");
	release(&f);
}

static void all_that_is_wrong_is_said(void **state)
{
	struct fixture f = parse("assertions:\n"
				 "  - name: [a]\n"
				 "    saga: checkout\n"
				 "    none: {database: '', sql: select 1}\n"
				 "  - text\n"
				 "more: 1\n");
	static const char *const wanted[] = {
		"'more'",
		"must be a single value, is a list",
		"'database' is empty",
		"'saga' goes with 'equal'",
		"must be a mapping, is a single value",
	};

	(void)state;
	assert_int_equal(f.problems.count, 5);
	for (size_t i = 0; i < 5; i++)
		if (!strstr(f.problems.items[i].text, wanted[i]))
			fail_msg("'%s' does not say '%s'", f.problems.items[i].text, wanted[i]);
	assert_string_equal(f.problems.items[1].place, "a.yaml:2:11");
	release(&f);
}

static void a_file_that_is_none_is_said(void **state)
{
	struct fixture f = parse("- a\n");

	(void)state;
	assert_int_equal(f.problems.count, 1);
	assert_int_equal(f.list.count, 0);
	release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_that_finds_nothing_is_wrapped_whole),
		cmocka_unit_test(two_queries_are_compared),
		cmocka_unit_test(all_that_is_wrong_is_said),
		cmocka_unit_test(a_file_that_is_none_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
