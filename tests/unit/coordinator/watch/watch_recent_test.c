/* watch_recent_test.c - what is remembered of this coordinator's own commits, and how much of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/watch/watch_state.h"
#include "lib/base/memory.h"

enum { PIECE = 1000 };

static struct watch_hub *hub;

static int begin(void **state)
{
	(void)state;
	hub = watch_hub_new(&(struct read_port){0}, NULL, 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	watch_hub_free(hub);
	return 0;
}

static void note(int64_t xid, size_t count)
{
	static const struct store_log_row row = {.step_id = ""};
	struct feed_outcome *outcomes = test_calloc(count + 1, sizeof(*outcomes));

	for (size_t i = 0; i < count; i++)
		outcomes[i] = (struct feed_outcome){
			(int64_t)i + 1, {.definition = "d", .key = "k", .idempotency_key = "i"}, &row};
	recent_note(&hub->recent, recent_copy(&(struct feed_commit){xid, outcomes, count, true}));
	test_free(outcomes);
}

static bool has(int64_t xid)
{
	return recent_find(&hub->recent, xid) != NULL;
}

static void what_the_hub_does_not_take_is_bounded_by_its_outcomes(void **state)
{
	(void)state;
	for (int64_t xid = 1; xid <= RECENT_OUTCOMES_MAX / PIECE + 5; xid++)
		note(xid, PIECE);
	recent_take(hub);
	assert_true(has(RECENT_OUTCOMES_MAX / PIECE));
	assert_false(has(RECENT_OUTCOMES_MAX / PIECE + 1));
	note(100, PIECE); /* once they are taken there is room again */
	recent_take(hub);
	assert_true(has(100));
}

static void what_a_slow_watcher_has_not_seen_is_bounded_by_its_outcomes(void **state)
{
	(void)state;
	for (int64_t xid = 1; xid <= RECENT_OUTCOMES_MAX / PIECE + 5; xid++) {
		note(xid, PIECE);
		recent_take(hub);
	}
	assert_false(has(5));
	assert_true(has(6));
	assert_true(has(RECENT_OUTCOMES_MAX / PIECE + 5));
}

/* Of two commits under way the later one may have the lower number. */
static void a_commit_that_is_told_late_costs_no_more_than_what_is_behind_it(void **state)
{
	(void)state;
	note(10, 1);
	note(12, 1);
	note(11, 1);
	note(13, 1);
	recent_take(hub);
	assert_true(has(10) && has(11) && has(13));
	assert_false(has(12));
	assert_int_equal(hub->recent.count, 3);
}

static void nothing_is_kept_when_nobody_watches(void **state)
{
	(void)state;
	note(1, PIECE);
	recent_take(hub);
	assert_true(has(1));
	note(2, PIECE);
	watch_hub_round(hub);
	assert_false(has(1) || has(2));
}

int main(void)
{
#define WITH_HUB(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		WITH_HUB(what_the_hub_does_not_take_is_bounded_by_its_outcomes),
		WITH_HUB(what_a_slow_watcher_has_not_seen_is_bounded_by_its_outcomes),
		WITH_HUB(a_commit_that_is_told_late_costs_no_more_than_what_is_behind_it),
		WITH_HUB(nothing_is_kept_when_nobody_watches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
