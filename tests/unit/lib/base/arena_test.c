/* arena_test.c - what lib/base/arena.h promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/arena.h"

static void pieces_are_aligned_apart_and_keep_what_is_written(void **unused)
{
	enum { PIECES = 300 };
	uint8_t *pieces[PIECES];
	struct arena arena;

	(void)unused;
	arena_init(&arena, 0);
	for (size_t i = 0; i < PIECES; i++) {
		pieces[i] = arena_alloc(&arena, i * 7); /* beyond several blocks */
		assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
		memset(pieces[i], (int)(i % 251), i * 7);
	}
	for (size_t i = 0; i < PIECES; i++)
		for (size_t at = 0; at < i * 7; at++)
			assert_int_equal(pieces[i][at], i % 251);
	arena_release(&arena);
}

static void the_limit_counts_what_is_held_until_it_is_cleared(void **unused)
{
	struct arena arena;

	(void)unused;
	arena_init(&arena, 100 * 1024);
	assert_non_null(arena_try_alloc(&arena, 60 * 1024));
	assert_null(arena_try_alloc(&arena, 60 * 1024));
	assert_null(arena_try_alloc(&arena, SIZE_MAX));
	assert_non_null(arena_try_alloc(&arena, 40 * 1024));
	assert_null(arena_try_alloc(&arena, 1));
	arena_clear(&arena);
	assert_non_null(arena_try_alloc(&arena, 100 * 1024));
	arena_release(&arena);
}

static void a_small_arena_holds_as_much_as_any(void **unused)
{
	struct arena arena;
	char *first;

	(void)unused;
	arena_init_small(&arena, 64);
	first = arena_strdup(&arena, "first");
	for (size_t i = 0; i < 1000; i++)
		memset(arena_alloc(&arena, i), 0xff, i);
	assert_string_equal(first, "first");
	arena_clear(&arena);
	assert_non_null(arena_try_alloc(&arena, 10 * 1024 * 1024));
	arena_release(&arena);
}

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>

static void what_is_cleared_or_beside_a_piece_is_forbidden_to_touch(void **unused)
{
	struct arena arena;
	char *first;
	char *second;

	(void)unused;
	arena_init(&arena, 0);
	first = arena_alloc(&arena, 16);
	second = arena_strdup(&arena, "second");
	assert_int_equal(__asan_address_is_poisoned(first + 15), 0);
	assert_int_equal(__asan_address_is_poisoned(second + 6), 0);
	assert_int_equal(__asan_address_is_poisoned(first + 16), 1);
	assert_int_equal(__asan_address_is_poisoned(second + 7), 1);
	arena_clear(&arena);
	(void)arena_alloc(&arena, 16); /* whatever is taken next */
	assert_int_equal(__asan_address_is_poisoned(first), 1);
	assert_int_equal(__asan_address_is_poisoned(second), 1);
	arena_release(&arena);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_aligned_apart_and_keep_what_is_written),
		cmocka_unit_test(a_small_arena_holds_as_much_as_any),
		cmocka_unit_test(the_limit_counts_what_is_held_until_it_is_cleared),
#ifdef __SANITIZE_ADDRESS__
		cmocka_unit_test(what_is_cleared_or_beside_a_piece_is_forbidden_to_touch),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
