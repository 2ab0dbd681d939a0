/* chore_test.c - a chore's rounds, its rests, and its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "lib/base/chore.h"
#include "lib/base/clock.h"
#include "lib/base/condition.h"

enum { DEADLINE_MS = 20000, FOR_EVER_MS = 3600 * 1000 };

struct counted {
	pthread_mutex_t mu;
	pthread_cond_t changed;
	int rounds;   /* guarded by mu, as the next */
	bool was_cut; /* a rest ended since the chore was to end */
};

static struct counted counted;

static void note(bool was_cut)
{
	pthread_mutex_lock(&counted.mu);
	counted.rounds++;
	counted.was_cut |= was_cut;
	pthread_cond_broadcast(&counted.changed);
	pthread_mutex_unlock(&counted.mu);
}

static void wait_for_rounds(int rounds)
{
	const int64_t deadline_us = clock_monotonic_us() + INT64_C(1000) * DEADLINE_MS;

	pthread_mutex_lock(&counted.mu);
	while (counted.rounds < rounds)
		assert_true(condition_wait_until(&counted.changed, &counted.mu, deadline_us));
	pthread_mutex_unlock(&counted.mu);
}

static int begin(void **state)
{
	(void)state;
	counted = (struct counted){.mu = PTHREAD_MUTEX_INITIALIZER};
	condition_init(&counted.changed);
	return 0;
}

static int64_t short_rounds(void *ctx, struct chore *chore)
{
	assert_ptr_equal(ctx, &counted);
	note(chore_rest(chore, 0));
	return 1;
}

static int64_t one_long_round(void *ctx, struct chore *chore)
{
	(void)ctx;
	note(false);
	note(chore_rest(chore, FOR_EVER_MS));
	return FOR_EVER_MS;
}

static struct chore *start(int64_t (*round)(void *, struct chore *))
{
	struct chore *chore = NULL;
	struct error err;

	if (chore_start(&(struct chore_options){.name = "test", .round = round, .ctx = &counted}, &chore, &err) < 0)
		fail_msg("%s", err.msg);
	return chore;
}

static void rounds_follow_each_other_until_the_end(void **state)
{
	struct chore *chore = start(short_rounds);

	(void)state;
	wait_for_rounds(3);
	chore_free(chore);
}

static void the_end_wakes_a_rest_within_a_round(void **state)
{
	struct chore *chore = start(one_long_round);

	(void)state;
	wait_for_rounds(1);
	chore_free(chore);
	assert_int_equal(counted.rounds, 2);
	assert_true(counted.was_cut);
}

static void what_was_never_started_is_nothing_to_end(void **state)
{
	(void)state;
	chore_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(rounds_follow_each_other_until_the_end, begin),
		cmocka_unit_test_setup(the_end_wakes_a_rest_within_a_round, begin),
		cmocka_unit_test(what_was_never_started_is_nothing_to_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
