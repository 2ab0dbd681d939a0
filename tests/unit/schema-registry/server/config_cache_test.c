/* config_cache_test.c - who looks into the database, and what the others are given meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/base/memory.h"
#include "schema-registry/server/config_cache.h"

static const struct subject orders = {".", "orders"};

static struct config_snapshot *make(int64_t revision, const char *text)
{
	const struct stored_config configs[] = {{orders, text}, {{".a", "b:c"}, "{\"alias\":\"one\"}"}};

	return config_snapshot_new(revision, configs, ARRAY_LEN(configs));
}

static void put(struct config_cache *cache, int64_t revision, int64_t turn)
{
	struct config_snapshot *snapshot = make(revision, "{\"normalize\":true}");

	config_cache_put(cache, snapshot, turn);
	config_snapshot_unref(snapshot);
}

/* The revision that is given out; 0: none. */
static int64_t get(struct config_cache *cache, bool *ret_is_due, int64_t *ret_turn)
{
	struct config_snapshot *snapshot = config_cache_get(cache, ret_is_due, ret_turn);
	int64_t revision = snapshot ? config_snapshot_revision(snapshot) : 0;

	config_snapshot_unref(snapshot);
	return revision;
}

static void finds_the_config_of_just_one_subject(void **state)
{
	struct config_snapshot *snapshot = make(1, "{\"normalize\":true}");
	struct config_snapshot *broken = make(1, "no json");

	(void)state;
	assert_true(json_is_true(json_object_get(config_snapshot_find(snapshot, orders), "normalize")));
	assert_null(config_snapshot_find(snapshot, (struct subject){".", ""}));
	assert_null(config_snapshot_find(snapshot, (struct subject){".other", "orders"}));
	assert_non_null(config_snapshot_find(snapshot, (struct subject){".a", "b:c"}));
	assert_null(config_snapshot_find(snapshot, (struct subject){".a:b", "c"}));
	assert_null(config_snapshot_find(broken, orders));
	config_snapshot_unref(snapshot);
	config_snapshot_unref(broken);
}

static void what_was_read_serves_until_it_is_due(void **state)
{
	struct config_cache *cache = config_cache_new();
	bool is_due;
	int64_t turn;

	(void)state;
	assert_int_equal(get(cache, &is_due, &turn), 0);
	assert_true(is_due);
	put(cache, 1, turn);
	assert_int_equal(get(cache, &is_due, &turn), 1);
	assert_false(is_due);
	config_cache_free(cache);
}

static void after_a_change_of_ours_nothing_older_counts_as_fresh(void **state)
{
	struct config_cache *cache = config_cache_new();
	bool is_due;
	int64_t before;
	int64_t after;

	(void)state;
	(void)get(cache, &is_due, &before);
	put(cache, 1, before);
	config_cache_expire(cache);
	put(cache, 1, before); /* read before the change, arrives after it */
	(void)get(cache, &is_due, &after);
	assert_true(is_due);
	(void)get(cache, &is_due, &after); /* not only the first one that asks */
	assert_true(is_due);
	put(cache, 2, after);
	put(cache, 1, before); /* slower still */
	assert_int_equal(get(cache, &is_due, &after), 2);
	assert_false(is_due);
	config_cache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_config_of_just_one_subject),
		cmocka_unit_test(what_was_read_serves_until_it_is_due),
		cmocka_unit_test(after_a_change_of_ours_nothing_older_counts_as_fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
