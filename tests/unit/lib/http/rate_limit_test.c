/* rate_limit_test.c - what a client may send, on a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/http/rate_limit.h"

enum { SECOND_US = 1000000 };

static int count_taken(struct rate_limit *limit, const char *client, int64_t now_us, int tries)
{
	int count = 0;

	for (int i = 0; i < tries; i++)
		count += rate_limit_take(limit, bytes_of_text(client), now_us) == 0;
	return count;
}

static void gives_a_second_worth_at_once_and_then_as_time_passes(void **state)
{
	_cleanup_(rate_limit_freep)
	struct rate_limit *limit = rate_limit_new(10);
	int64_t now_us = 77;

	(void)state;
	assert_int_equal(rate_limit_per_s(limit), 10);
	assert_int_equal(count_taken(limit, "a", now_us, 100), 10);
	assert_int_equal(rate_limit_take(limit, bytes_of_text("a"), now_us), SECOND_US / 10);
	assert_int_equal(rate_limit_take(limit, bytes_of_text("a"), now_us + 99999), 1);
	assert_int_equal(count_taken(limit, "a", now_us + 100000, 100), 1);
	assert_int_equal(count_taken(limit, "a", now_us + 600000, 100), 5);
	assert_int_equal(count_taken(limit, "a", now_us + 60 * SECOND_US, 100), 10);
}

static void what_is_refused_costs_nothing(void **state)
{
	_cleanup_(rate_limit_freep)
	struct rate_limit *limit = rate_limit_new(2);

	(void)state;
	assert_int_equal(count_taken(limit, "a", 0, 1000), 2);
	assert_int_equal(count_taken(limit, "a", SECOND_US, 1000), 2);
}

static void a_client_does_not_use_up_the_share_of_another(void **state)
{
	_cleanup_(rate_limit_freep)
	struct rate_limit *limit = rate_limit_new(5);

	(void)state;
	assert_int_equal(count_taken(limit, "a", 0, 100), 5);
	assert_int_equal(count_taken(limit, "b", 0, 100), 5);
	assert_int_equal(count_taken(limit, "a", 0, 100), 0);
}

/* More clients than there are places come and go; one that keeps on stays limited while they are silent again. */
static void a_hundred_thousand_clients_need_no_more_memory(void **state)
{
	_cleanup_(rate_limit_freep)
	struct rate_limit *limit = rate_limit_new(1);
	int64_t now_us = 0;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		char client[16];

		(void)snprintf(client, sizeof(client), "%d", i);
		assert_int_equal(count_taken(limit, client, now_us, 1), 1);
		now_us += SECOND_US / 100;
	}
	now_us += SECOND_US;
	assert_int_equal(count_taken(limit, "busy", now_us, 3), 1);
	assert_int_equal(count_taken(limit, "other", now_us, 3), 1);
	assert_int_equal(count_taken(limit, "busy", now_us, 3), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_a_second_worth_at_once_and_then_as_time_passes),
		cmocka_unit_test(what_is_refused_costs_nothing),
		cmocka_unit_test(a_client_does_not_use_up_the_share_of_another),
		cmocka_unit_test(a_hundred_thousand_clients_need_no_more_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
