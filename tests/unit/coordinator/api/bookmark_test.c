/* bookmark_test.c - what comes back as it was made, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "coordinator/api/bookmark.h"

static void a_bookmark_comes_back_only_for_its_kind_binding_and_length(void **state)
{
	const struct bytes content = bytes_of_text("0123456789abcdef");
	uint64_t binding = bookmark_bind(bookmark_binding(), bytes_of_text("checkout"));
	char again[17] = "";
	struct arena arena;
	char *text;

	(void)state;
	arena_init(&arena, 0);
	text = bookmark_make(BOOKMARK_LIST, binding, content, &arena);
	assert_true(bookmark_read(BOOKMARK_LIST, binding, text, again, 16));
	assert_string_equal(again, "0123456789abcdef");
	assert_false(bookmark_read(BOOKMARK_LOG, binding, text, again, 16));
	assert_false(bookmark_read(BOOKMARK_LIST, bookmark_binding(), text, again, 16));
	assert_false(bookmark_read(BOOKMARK_LIST, binding, text, again, 15));
	arena_release(&arena);
}

static void a_changed_or_foreign_text_is_no_bookmark(void **state)
{
	uint64_t binding = bookmark_binding();
	struct arena arena;
	char again[8];
	char *text;

	(void)state;
	arena_init(&arena, 0);
	text = bookmark_make(BOOKMARK_POSITION, binding, bytes_of_text("12345678"), &arena);
	for (size_t i = 0; text[i]; i++) {
		char kept = text[i];

		text[i] = kept == 'A' ? 'B' : 'A';
		assert_false(bookmark_read(BOOKMARK_POSITION, binding, text, again, sizeof(again)));
		text[i] = kept;
	}
	assert_false(bookmark_read(BOOKMARK_POSITION, binding, "", again, sizeof(again)));
	assert_false(bookmark_read(BOOKMARK_POSITION, binding, "not base64!", again, sizeof(again)));
	arena_release(&arena);
}

static void fields_that_are_split_otherwise_bind_otherwise(void **state)
{
	uint64_t ab = bookmark_bind(bookmark_bind(bookmark_binding(), bytes_of_text("a")), bytes_of_text("b"));

	(void)state;
	assert_true(ab != bookmark_bind(bookmark_bind(bookmark_binding(), bytes_of_text("ab")), bytes_of_text("")));
	assert_true(ab != bookmark_bind(bookmark_bind(bookmark_binding(), bytes_of_text("b")), bytes_of_text("a")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bookmark_comes_back_only_for_its_kind_binding_and_length),
		cmocka_unit_test(a_changed_or_foreign_text_is_no_bookmark),
		cmocka_unit_test(fields_that_are_split_otherwise_bind_otherwise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
