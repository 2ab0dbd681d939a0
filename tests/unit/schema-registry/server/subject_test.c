/* subject_test.c - names with and without a context. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "schema-registry/server/subject.h"

static void expect(struct arena *arena, const char *text, const char *context, const char *name)
{
	struct subject subject = subject_parse(arena, ".here", text);

	assert_string_equal(subject.context, context);
	assert_string_equal(subject.name, name);
}

static void splits_context_and_name(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	expect(&arena, "orders", ".here", "orders");
	expect(&arena, ":.staging:orders", ".staging", "orders");
	expect(&arena, ":.staging:a:b", ".staging", "a:b");
	expect(&arena, ":.:orders", ".", "orders");
	expect(&arena, ":.staging:", ".staging", "");
	expect(&arena, ":.staging", ".staging", "");
	expect(&arena, ":.", ".", "");
	expect(&arena, ":staging:orders", ".here", ":staging:orders");
	expect(&arena, "a:.b:c", ".here", "a:.b:c");
	arena_release(&arena);
}

static void shows_the_context_only_where_it_is_another(void **state)
{
	struct subject subject = {".staging", "orders"};
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	assert_string_equal(subject_format(&arena, subject), ":.staging:orders");
	assert_string_equal(subject_format(&arena, (struct subject){".", "orders"}), "orders");
	assert_string_equal(subject_format_within(&arena, ".staging", subject), "orders");
	assert_string_equal(context_parse(&arena, ":.staging:"), ".staging");
	assert_string_equal(context_parse(&arena, "staging"), ".staging");
	assert_string_equal(context_parse(&arena, ".staging"), ".staging");
	arena_release(&arena);
}

static void refuses_names_that_cannot_be_told_apart(void **state)
{
	char longest[1002];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[1001] = 0;
	assert_false(subject_is_valid((struct subject){".", longest}));
	longest[1000] = 0;
	assert_true(subject_is_valid((struct subject){".", longest}));
	assert_true(subject_is_valid((struct subject){".", "a/b \xc3\xa9"}));
	assert_false(subject_is_valid((struct subject){".", ""}));
	assert_false(subject_is_valid((struct subject){".", "a\nb"}));
	assert_false(subject_is_valid((struct subject){".", "__GLOBAL"}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_context_and_name),
		cmocka_unit_test(shows_the_context_only_where_it_is_another),
		cmocka_unit_test(refuses_names_that_cannot_be_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
