/* hash_set_test.c - what was added is found; what does not fit is gone through in parts, each once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/check/hash_set.h"

enum { MANY = 10000 };

static uint64_t hash_of(int number)
{
	return hash_of_place("topic", number % 7, number);
}

static void what_was_added_is_found(void **state)
{
	struct hash_set set;

	(void)state;
	hash_set_init(&set, MANY);
	assert_false(hash_set_has(&set, hash_of(1)));
	for (int i = 0; i < MANY; i += 2)
		for (int twice = 0; twice < 2; twice++)
			assert_true(hash_set_add(&set, hash_of(i)));
	for (int i = 0; i < MANY; i++)
		assert_int_equal(hash_set_has(&set, hash_of(i)), i % 2 == 0);
	assert_int_equal(set.count, MANY / 2);
	assert_false(hash_set_next_range(&set));
	hash_set_release(&set);
}

static void nought_is_a_hash(void **state)
{
	struct hash_set set;

	(void)state;
	hash_set_init(&set, 10);
	assert_false(hash_set_has(&set, 0));
	assert_true(hash_set_add(&set, 0));
	assert_true(hash_set_has(&set, 0));
	hash_set_release(&set);
}

static void what_is_beyond_the_room_is_not_added(void **state)
{
	struct hash_set set;
	int added = 0;

	(void)state;
	hash_set_init(&set, 100);
	while (hash_set_add(&set, hash_of(added)))
		added++;
	assert_in_range(added, 100, 200);
	assert_false(hash_set_has(&set, hash_of(added)));
	assert_true(hash_set_has(&set, hash_of(0)));
	hash_set_release(&set);
}

/* As sent_commands.c does it: each range is filled from all hashes. */
static void ranges_cover_every_hash_once(void **state)
{
	static int times[MANY];
	struct hash_set set;
	int ranges = 0;

	(void)state;
	hash_set_init(&set, 100);
	do {
		for (int i = 0; i < MANY; i++)
			while (!hash_set_add(&set, hash_of(i)))
				hash_set_narrow(&set);
		for (int i = 0; i < MANY; i++) {
			const int is_here = hash_set_is_in_range(&set, hash_of(i));

			assert_true(!is_here || hash_set_has(&set, hash_of(i)));
			times[i] += is_here;
		}
		ranges++;
	} while (hash_set_next_range(&set));
	for (int i = 0; i < MANY; i++)
		assert_int_equal(times[i], 1);
	assert_in_range(ranges, MANY / 200, MANY / 20);
	hash_set_release(&set);
}

static void commands_differ_in_each_part(void **state)
{
	const struct uuid a = {{1}};
	const struct uuid b = {{2}};

	(void)state;
	assert_true(hash_of_command(a, "ship", 0) == hash_of_command(a, "ship", 0));
	assert_true(hash_of_command(a, "ship", 0) != hash_of_command(b, "ship", 0));
	assert_true(hash_of_command(a, "ship", 0) != hash_of_command(a, "shop", 0));
	assert_true(hash_of_command(a, "ship", 0) != hash_of_command(a, "ship", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_added_is_found),
		cmocka_unit_test(nought_is_a_hash),
		cmocka_unit_test(what_is_beyond_the_room_is_not_added),
		cmocka_unit_test(ranges_cover_every_hash_once),
		cmocka_unit_test(commands_differ_in_each_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
