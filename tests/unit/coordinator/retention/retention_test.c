/* retention_test.c - who leaves, over a table in memory and without an archive. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/retention/retention.h"
#include "lib/base/clock.h"
#include "lib/base/condition.h"
#include "lib/base/log.h"

enum { SAGAS = 2500, LOOK = 2000, DEADLINE_MS = 20000, KEEP_MS = 10000 };

/* Guarded by mu, all of it. A saga's id ends in its number from 1. */
struct world {
	pthread_mutex_t mu;
	pthread_cond_t changed;
	bool is_there[SAGAS + 1];
	bool is_open[SAGAS + 1];
	bool is_ours;
	size_t failures; /* of removals, to come */
	size_t walks;    /* that have begun */
	size_t largest;  /* removal */
};

static struct world world;
static struct retention_port port;
static struct metrics *metrics;

static uint32_t number_of(struct uuid id)
{
	return (uint32_t)id.data[14] << 8 | id.data[15];
}

static struct uuid id_of(uint32_t number)
{
	return (struct uuid){{[14] = (uint8_t)(number >> 8), [15] = (uint8_t)number}};
}

static int claim(void *ctx, bool *ret_is_ours, struct error *err)
{
	(void)ctx, (void)err;
	pthread_mutex_lock(&world.mu);
	*ret_is_ours = world.is_ours;
	world.walks++;
	pthread_cond_broadcast(&world.changed);
	pthread_mutex_unlock(&world.mu);
	return 0;
}

static int find(void *ctx, struct uuid after, int64_t keep_ms, struct arena *arena, struct leaving_page *ret_page,
		struct error *err)
{
	struct leaving_page page = {.items = arena_alloc(arena, LOOK * sizeof(*page.items))};
	size_t looked = 0;

	(void)ctx, (void)err;
	assert_int_equal(keep_ms, KEEP_MS);
	pthread_mutex_lock(&world.mu);
	for (uint32_t i = number_of(after) + 1; i <= SAGAS && looked < LOOK; i++) {
		if (!world.is_there[i])
			continue;
		looked++;
		page.last = id_of(i);
		if (!world.is_open[i])
			page.items[page.count++] = (struct leaving_saga){id_of(i), 7, 5000};
	}
	pthread_mutex_unlock(&world.mu);
	page.has_more = looked == LOOK;
	*ret_page = page;
	return 0;
}

static int remove_sagas(void *ctx, const struct leaving_saga *sagas, size_t count, int64_t *ret_removed,
			struct error *err)
{
	bool is_failing;

	(void)ctx;
	pthread_mutex_lock(&world.mu);
	is_failing = world.failures > 0;
	if (is_failing)
		world.failures--;
	for (size_t i = 0; i < count && !is_failing; i++) {
		assert_false(world.is_open[number_of(sagas[i].id)]);
		assert_int_equal(sagas[i].version, 7);
		world.is_there[number_of(sagas[i].id)] = false;
	}
	if (count > world.largest)
		world.largest = count;
	pthread_cond_broadcast(&world.changed);
	pthread_mutex_unlock(&world.mu);
	*ret_removed = (int64_t)count;
	return is_failing ? error_set(err, ERR_UNAVAILABLE, "the database is away") : 0;
}

static size_t left(void)
{
	size_t count = 0;

	for (size_t i = 1; i <= SAGAS; i++)
		count += world.is_there[i];
	return count;
}

static bool only_open_ones_are_left(void)
{
	return left() == SAGAS / 100;
}

static bool has_walked_twice(void)
{
	return world.walks >= 2;
}

static void wait_until(bool (*is_so)(void))
{
	const int64_t deadline_us = clock_monotonic_us() + INT64_C(1000) * DEADLINE_MS;

	pthread_mutex_lock(&world.mu);
	while (!is_so())
		assert_true(condition_wait_until(&world.changed, &world.mu, deadline_us));
	pthread_mutex_unlock(&world.mu);
}

static int begin(void **state)
{
	(void)state;
	world = (struct world){.mu = PTHREAD_MUTEX_INITIALIZER, .is_ours = true};
	condition_init(&world.changed);
	for (size_t i = 1; i <= SAGAS; i++) {
		world.is_there[i] = true;
		world.is_open[i] = i % 100 == 0;
	}
	port = (struct retention_port){.claim = claim, .find = find, .remove = remove_sagas};
	metrics = metrics_new();
	return 0;
}

static int end(void **state)
{
	(void)state;
	metrics_free(metrics);
	return 0;
}

static struct retention *start(void)
{
	struct retention *retention =
		retention_new(&(struct retention_options){.port = &port, .metrics = metrics, .keep_ms = KEEP_MS});
	struct error err;

	if (retention_run(retention, &err) < 0)
		fail_msg("%s", err.msg);
	return retention;
}

static uint64_t value_of(const char *name)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};
	char line[80];
	const char *at;

	metrics_print(metrics, &text);
	(void)snprintf(line, sizeof(line), "\n%s ", name);
	at = strstr(buffer_text(&text), line);
	assert_non_null(at);
	return strtoull(at + strlen(line), NULL, 10);
}

static void all_that_has_ended_leaves_in_pieces(void **state)
{
	struct retention *retention = start();

	(void)state;
	wait_until(only_open_ones_are_left);
	wait_until(has_walked_twice); /* what was counted is counted */
	assert_int_equal(value_of("saga_removed_total"), SAGAS - SAGAS / 100);
	assert_true(world.largest <= 1000);
	retention_free(retention);
}

static void what_failed_is_tried_again_and_is_late_meanwhile(void **state)
{
	struct retention *retention;

	(void)state;
	world.failures = 1;
	retention = start();
	wait_until(has_walked_twice);
	assert_int_equal(value_of("saga_removal_late_seconds"), 5);
	wait_until(only_open_ones_are_left);
	retention_free(retention);
	assert_int_equal(value_of("saga_removed_total"), SAGAS - SAGAS / 100);
}

static void where_another_one_does_it_nothing_is_touched(void **state)
{
	struct retention *retention;

	(void)state;
	world.is_ours = false;
	retention = start();
	wait_until(has_walked_twice);
	retention_free(retention);
	assert_int_equal(left(), SAGAS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_that_has_ended_leaves_in_pieces, begin, end),
		cmocka_unit_test_setup_teardown(what_failed_is_tried_again_and_is_late_meanwhile, begin, end),
		cmocka_unit_test_setup_teardown(where_another_one_does_it_nothing_is_touched, begin, end),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
