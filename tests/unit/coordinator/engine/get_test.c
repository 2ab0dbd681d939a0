/* get_test.c - GetSaga: at once, at the saga's end (by whichever instance), after the wait; sweep_test.c has the clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/coordinator/engine/fake_world.h"

static void finish(struct fake_saga *f, struct engine *engine)
{
	for (int i = 0; i < 3; i++) {
		fake_reply(f->world, engine, fake_last_sent(f->world, f->id), "succeeded", NULL);
		fake_turns(engine);
	}
	assert_int_equal(fake_find_row(f->world, f->id)->row.state, SAGA_STATE_COMPLETED);
}

static void an_unknown_saga_is_not_found(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	engine_get_saga(f.engine, uuid_v7_new(), 10000, fake_get_done, &f.got);
	fake_turns(f.engine);
	assert_int_equal(f.got.calls, 1);
	assert_int_equal(f.got.err.code, ERR_NOT_FOUND);
	fake_saga_end(&f);
}

static void without_a_wait_an_open_saga_is_shown_as_the_table_has_it(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct engine *other = fake_engine_new(f.world, "two");

	(void)unused;
	fake_reply(f.world, other, fake_last_sent(f.world, f.id), "succeeded", NULL);
	fake_turns(other);
	engine_get_saga(f.engine, f.id, 0, fake_get_done, &f.got);
	fake_turns(f.engine);
	assert_int_equal(f.got.version, 2);
	assert_int_equal(f.got.log_count, 2);
	engine_free(other);
	fake_saga_end(&f);
}

static void a_waiter_is_answered_by_the_turn_that_ends_the_saga(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	engine_get_saga(f.engine, f.id, 10000, fake_get_done, &f.got);
	fake_turns(f.engine);
	assert_int_equal(f.got.calls, 0);
	finish(&f, f.engine);
	assert_int_equal(f.got.calls, 1);
	assert_int_equal(f.got.state, SAGA_STATE_COMPLETED);
	assert_int_equal(f.got.log_count, 4);
	assert_int_equal(f.world->loads, 0); /* nothing was read for it */
	assert_int_equal(f.world->log_loads, 0);
	fake_saga_end(&f);
}

static void a_waiter_learns_within_200_ms_what_another_instance_did(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct engine *other = fake_engine_new(f.world, "two");

	(void)unused;
	engine_get_saga(f.engine, f.id, 10000, fake_get_done, &f.got);
	fake_turns(f.engine);
	fake_pass(f.world, f.engine, 500);
	finish(&f, other);
	fake_pass(f.world, f.engine, 250);
	assert_int_equal(f.got.calls, 1);
	assert_int_equal(f.got.state, SAGA_STATE_COMPLETED);
	assert_int_equal(f.got.log_count, 4);
	engine_free(other);
	fake_saga_end(&f);
}

static void a_waiter_gets_the_present_state_when_its_wait_is_over(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct fake_answer longer = {0};

	(void)unused;
	engine_get_saga(f.engine, f.id, 1000, fake_get_done, &f.got);
	engine_get_saga(f.engine, f.id, 2000, fake_get_done, &longer);
	fake_pass(f.world, f.engine, 950);
	assert_int_equal(f.got.calls, 0);
	fake_pass(f.world, f.engine, 150);
	assert_int_equal(f.got.calls, 1);
	assert_int_equal(f.got.state, SAGA_STATE_RUNNING);
	assert_int_equal(longer.calls, 0);
	fake_pass(f.world, f.engine, 1000);
	assert_int_equal(longer.calls, 1);
	fake_saga_end(&f);
}

static void an_ended_saga_is_shown_at_once_from_memory(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	finish(&f, f.engine);
	engine_get_saga(f.engine, f.id, 10000, fake_get_done, &f.got);
	fake_turns(f.engine);
	assert_int_equal(f.got.log_count, 4);
	assert_int_equal(f.world->loads + f.world->log_loads, 0);
	fake_saga_end(&f);
}

static void an_engine_without_memory_of_it_reads_row_and_log(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct engine *other = fake_engine_new(f.world, "two");
	struct fake_answer twice[2] = {0};

	(void)unused;
	finish(&f, f.engine);
	engine_get_saga(other, f.id, 0, fake_get_done, &twice[0]);
	engine_get_saga(other, f.id, 10000, fake_get_done, &twice[1]);
	fake_turns(other);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(twice[i].state, SAGA_STATE_COMPLETED);
		assert_int_equal(twice[i].log_count, 4);
	}
	engine_free(other);
	fake_saga_end(&f);
}

static void reads_are_refused_while_the_store_is_away_and_waiters_wait(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct fake_answer waiter = {0};

	(void)unused;
	engine_get_saga(f.engine, f.id, 10000, fake_get_done, &waiter);
	fake_turns(f.engine);
	f.world->is_store_away = true;
	engine_get_saga(f.engine, f.id, 0, fake_get_done, &f.got);
	fake_turns(f.engine);
	assert_int_equal(f.got.err.code, ERR_UNAVAILABLE);
	fake_pass(f.world, f.engine, 2000);
	assert_int_equal(waiter.calls, 0);
	f.world->is_store_away = false;
	fake_pass(f.world, f.engine, 1500);
	finish(&f, f.engine);
	assert_int_equal(waiter.state, SAGA_STATE_COMPLETED);
	fake_saga_end(&f);
}

static void waiters_are_answered_when_the_engine_ends(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	engine_get_saga(f.engine, f.id, 10000, fake_get_done, &f.got);
	fake_turns(f.engine);
	engine_drain(f.engine, 0);
	assert_int_equal(f.got.calls, 1);
	assert_int_equal(f.got.err.code, ERR_UNAVAILABLE);
	fake_saga_end(&f);
}

static void a_small_cache_reads_again_what_it_let_go(void **unused)
{
	struct fake_world *world = fake_world_new();
	struct metrics *metrics = metrics_new();
	struct engine *engine = engine_new(&(struct engine_options){
		.instance = "one", .ports = &world->ports, .metrics = metrics, .cache_max = 1});
	struct fake_answer a, b;

	(void)unused;
	fake_start(engine, "a", "input", &a);
	fake_start(engine, "b", "input", &b);
	fake_turns(engine);
	fake_reply(world, engine, fake_last_sent(world, a.saga_id), "succeeded", NULL);
	fake_reply(world, engine, fake_last_sent(world, b.saga_id), "succeeded", NULL);
	fake_turns(engine);
	assert_int_equal(fake_find_row(world, a.saga_id)->row.version, 2);
	assert_int_equal(fake_find_row(world, b.saga_id)->row.version, 2);
	assert_int_equal(world->loads, 1);
	engine_free(engine);
	metrics_free(metrics);
	fake_world_free(world);
}

static void ready_means_that_the_bus_listens_to_the_reply_topics(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	assert_true(engine_is_ready(f.engine, &FAKE_PLAN));
	f.world->is_assigned = false;
	assert_false(engine_is_ready(f.engine, &FAKE_PLAN));
	fake_saga_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unknown_saga_is_not_found),
		cmocka_unit_test(without_a_wait_an_open_saga_is_shown_as_the_table_has_it),
		cmocka_unit_test(a_waiter_is_answered_by_the_turn_that_ends_the_saga),
		cmocka_unit_test(a_waiter_learns_within_200_ms_what_another_instance_did),
		cmocka_unit_test(a_waiter_gets_the_present_state_when_its_wait_is_over),
		cmocka_unit_test(an_ended_saga_is_shown_at_once_from_memory),
		cmocka_unit_test(an_engine_without_memory_of_it_reads_row_and_log),
		cmocka_unit_test(reads_are_refused_while_the_store_is_away_and_waiters_wait),
		cmocka_unit_test(waiters_are_answered_when_the_engine_ends),
		cmocka_unit_test(a_small_cache_reads_again_what_it_let_go),
		cmocka_unit_test(ready_means_that_the_bus_listens_to_the_reply_topics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
