/* notice_sender_test.c - the sender over a store in memory and a target that does as the test says. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/notice/notice_sender.h"
#include "lib/base/clock.h"
#include "lib/base/condition.h"
#include "lib/base/log.h"

enum { NOTICES_MAX = 8, DEADLINE_MS = 20000, DAY_MS = 24 * 3600 * 1000 };

/* Guarded by mu, all of it. */
struct world {
	pthread_mutex_t mu;
	pthread_cond_t changed;
	struct notice waiting[NOTICES_MAX]; /* and due */
	size_t waiting_count;
	size_t later; /* have failed, and are due at some time */
	size_t sent;
	size_t given_up;
	size_t prepares;
	size_t prepare_failures; /* to come */
	size_t target_failures;  /* likewise; as a whole */
	int64_t refused;         /* the sequence of the notice that is; 0: none */
	size_t deliveries;
};

static struct world world;
static struct notice_port port;
static struct metrics *metrics;
static struct notice_metrics counters;

/* ---- the store ---- */
static int claim(void *ctx, const char *target, size_t limit, int64_t lease_ms, struct arena *arena,
		 struct notice **ret_notices, size_t *ret_count, struct error *err)
{
	size_t count;

	(void)ctx, (void)err;
	assert_string_equal(target, "webhook people");
	assert_true(lease_ms > 0);
	pthread_mutex_lock(&world.mu);
	count = world.waiting_count < limit ? world.waiting_count : limit;
	*ret_notices = arena_copy(arena, world.waiting, (count + 1) * sizeof(**ret_notices));
	memmove(world.waiting, world.waiting + count, (world.waiting_count - count) * sizeof(*world.waiting));
	world.waiting_count -= count;
	*ret_count = count;
	pthread_mutex_unlock(&world.mu);
	return 0;
}

static int settle(void *ctx, const char *target, const struct notice *notices, const enum notice_outcome *outcomes,
		  size_t count, struct error *err)
{
	(void)ctx, (void)target, (void)err;
	pthread_mutex_lock(&world.mu);
	for (size_t i = 0; i < count; i++) {
		world.sent += outcomes[i] == NOTICE_SENT;
		world.later += outcomes[i] == NOTICE_FAILED;
		world.given_up += outcomes[i] == NOTICE_GIVEN_UP;
		if (outcomes[i] == NOTICE_UNTRIED)
			world.waiting[world.waiting_count++] = notices[i];
	}
	pthread_cond_broadcast(&world.changed);
	pthread_mutex_unlock(&world.mu);
	return 0;
}

static int count_left(void *ctx, const char *target, int64_t *ret_count, struct error *err)
{
	(void)ctx, (void)target, (void)err;
	pthread_mutex_lock(&world.mu);
	*ret_count = (int64_t)(world.waiting_count + world.later);
	pthread_mutex_unlock(&world.mu);
	return 0;
}

static int forget(void *ctx, int64_t older_than_ms, int64_t *ret_count, struct error *err)
{
	(void)ctx, (void)older_than_ms, (void)err;
	*ret_count = 0;
	return 0;
}

/* ---- the target ---- */
static int prepare(void *ctx, struct error *err)
{
	int result = 0;

	(void)ctx;
	pthread_mutex_lock(&world.mu);
	world.prepares++;
	if (world.prepare_failures > 0) {
		world.prepare_failures--;
		result = error_set(err, ERR_UNAVAILABLE, "no registry");
	}
	pthread_cond_broadcast(&world.changed);
	pthread_mutex_unlock(&world.mu);
	return result;
}

static int deliver_locked(struct notice_delivery *delivery, struct error *err)
{
	int result = 0;

	world.deliveries++;
	if (world.target_failures > 0) {
		world.target_failures--;
		delivery->outcomes[0] = NOTICE_FAILED;
		return error_set(err, ERR_UNAVAILABLE, "it is away");
	}
	for (size_t i = 0; i < delivery->count; i++) {
		bool is_refused = delivery->notices[i].sequence == world.refused;

		delivery->outcomes[i] = is_refused ? NOTICE_FAILED : NOTICE_SENT;
		if (is_refused)
			result = error_set(err, ERR_INVALID, "it is refused");
	}
	return result;
}

static int deliver(void *ctx, struct notice_delivery *delivery, struct error *err)
{
	int result;

	(void)ctx;
	pthread_mutex_lock(&world.mu);
	result = deliver_locked(delivery, err);
	pthread_mutex_unlock(&world.mu);
	return result;
}

/* ---- the test's side ---- */
static int begin(void **state)
{
	(void)state;
	world = (struct world){0};
	pthread_mutex_init(&world.mu, NULL);
	condition_init(&world.changed);
	port = (struct notice_port){.claim = claim, .settle = settle, .count = count_left, .forget = forget};
	metrics = metrics_new();
	counters = notice_metrics_new(metrics, "webhook");
	log_set_level(LOG_LEVEL_ERROR);
	return 0;
}

static int end(void **state)
{
	(void)state;
	metrics_free(metrics);
	pthread_cond_destroy(&world.changed);
	pthread_mutex_destroy(&world.mu);
	return 0;
}

static void add_notices(size_t count, int64_t age_ms)
{
	pthread_mutex_lock(&world.mu);
	for (size_t i = 0; i < count; i++)
		world.waiting[world.waiting_count++] =
			(struct notice){.sequence = (int64_t)i + 1, .step_id = "ship", .age_ms = age_ms};
	pthread_mutex_unlock(&world.mu);
}

static struct notice_sender *start(int64_t alarm_ms)
{
	struct notice_sender *sender = NULL;
	struct error err;

	if (notice_sender_start(&(struct notice_sender_options){.port = &port,
								.prepare = prepare,
								.target = "webhook people",
								.batch_max = 3,
								.deliver = deliver,
								.metrics = &counters,
								.alarm_ms = alarm_ms,
								.look_ms = 5},
				&sender, &err) < 0)
		fail_msg("%s", err.msg);
	return sender;
}

static void wait_for(const size_t *number, size_t wanted)
{
	const int64_t deadline_us = clock_monotonic_us() + DEADLINE_MS * INT64_C(1000);
	bool is_in_time = true;

	pthread_mutex_lock(&world.mu);
	while (*number < wanted && is_in_time)
		is_in_time = condition_wait_until(&world.changed, &world.mu, deadline_us);
	assert_true(*number >= wanted);
	pthread_mutex_unlock(&world.mu);
}

/* Asks again and again: nothing wakes who waits for health. */
static void wait_for_problem(struct notice_sender *sender, bool is_wanted, const char *text)
{
	const int64_t deadline_us = clock_monotonic_us() + DEADLINE_MS * INT64_C(1000);
	char problem[200] = "";

	while (notice_sender_problem(sender, problem, sizeof(problem)) != is_wanted) {
		assert_true(clock_monotonic_us() < deadline_us);
		pthread_mutex_lock(&world.mu);
		(void)condition_wait_until(&world.changed, &world.mu, clock_monotonic_us() + 5000);
		pthread_mutex_unlock(&world.mu);
	}
	if (text)
		assert_non_null(strstr(problem, text));
}

/* ---- the tests ---- */
static void all_that_waits_is_sent_in_batches(void **state)
{
	struct notice_sender *sender;

	(void)state;
	add_notices(7, 0);
	sender = start(0);
	wait_for(&world.sent, 7);
	notice_sender_free(sender);
	assert_int_equal(world.deliveries, 3);
	assert_int_equal(metric_value(counters.sent), 7);
	assert_int_equal(metric_value(counters.failed), 0);
}

static void a_target_that_is_away_is_left_alone_and_keeps_the_rest(void **state)
{
	struct notice_sender *sender;

	(void)state;
	add_notices(3, 0);
	world.target_failures = 1;
	sender = start(0);
	wait_for(&world.later, 1);
	wait_for(&world.sent, 2); /* after the pause, without the one that failed */
	notice_sender_free(sender);
	assert_int_equal(world.deliveries, 2);
	assert_int_equal(metric_value(counters.failed), 1);
}

static void one_that_is_refused_waits_while_the_others_go(void **state)
{
	struct notice_sender *sender;

	(void)state;
	add_notices(6, 0);
	world.refused = 2;
	sender = start(0);
	wait_for(&world.sent, 5);
	notice_sender_free(sender);
	assert_int_equal(world.later, 1);
	assert_int_equal(world.given_up, 0);
}

static void what_fails_for_a_day_is_given_up(void **state)
{
	struct notice_sender *sender;

	(void)state;
	add_notices(2, DAY_MS);
	world.refused = 1;
	log_set_level(LOG_LEVEL_ERROR);
	sender = start(0);
	wait_for(&world.given_up, 1);
	notice_sender_free(sender);
	assert_int_equal(world.sent, 1); /* an old one that arrives is sent all the same */
	assert_int_equal(metric_value(counters.given_up), 1);
}

static void a_long_failure_is_a_problem_until_nothing_waits(void **state)
{
	struct notice_sender *sender;

	(void)state;
	add_notices(1, 0);
	world.refused = 1;
	sender = start(1);
	wait_for_problem(sender, true, "webhook people gets no notices of stuck sagas for 0 s: it is refused");
	pthread_mutex_lock(&world.mu);
	world.later = 0; /* another coordinator has sent it */
	pthread_mutex_unlock(&world.mu);
	wait_for_problem(sender, false, NULL);
	notice_sender_free(sender);
}

static void nothing_is_sent_before_the_target_is_prepared(void **state)
{
	struct notice_sender *sender;

	(void)state;
	add_notices(1, 0);
	world.prepare_failures = 1;
	sender = start(1);
	wait_for_problem(sender, true, "no registry");
	assert_int_equal(world.deliveries, 0);
	wait_for(&world.sent, 1);
	wait_for_problem(sender, false, NULL);
	notice_sender_free(sender);
	assert_int_equal(world.prepares, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_that_waits_is_sent_in_batches, begin, end),
		cmocka_unit_test_setup_teardown(a_target_that_is_away_is_left_alone_and_keeps_the_rest, begin, end),
		cmocka_unit_test_setup_teardown(one_that_is_refused_waits_while_the_others_go, begin, end),
		cmocka_unit_test_setup_teardown(what_fails_for_a_day_is_given_up, begin, end),
		cmocka_unit_test_setup_teardown(a_long_failure_is_a_problem_until_nothing_waits, begin, end),
		cmocka_unit_test_setup_teardown(nothing_is_sent_before_the_target_is_prepared, begin, end),
	};

	log_init("notice_sender_test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
