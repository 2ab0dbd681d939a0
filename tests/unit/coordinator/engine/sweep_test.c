/* sweep_test.c - what the clock brings: re-sends, retries, time-outs, and what an earlier run left in flight. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/coordinator/engine/fake_world.h"

static void a_command_without_a_reply_is_sent_again(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	fake_pass(f.world, f.engine, 2000);
	assert_int_equal(fake_sent_of(f.world, f.id, "create", false), 1);
	fake_pass(f.world, f.engine, 4000); /* 3 s, jitter, sweep */
	assert_int_equal(fake_sent_of(f.world, f.id, "create", false), 2);
	assert_string_equal(fake_last_sent(f.world, f.id)->attempt, "1");
	assert_int_equal(fake_metric(f.world, "saga_resends_total"), 1);
	fake_saga_end(&f);
}

static void a_step_without_a_reply_times_out_and_is_compensated(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	fake_pass(f.world, f.engine, 32000);
	assert_int_equal(fake_find_row(f.world, f.id)->row.state, SAGA_STATE_COMPENSATING);
	assert_int_equal(fake_sent_of(f.world, f.id, "create", true), 1);
	fake_reply(f.world, f.engine, fake_last_sent(f.world, f.id), "succeeded", NULL);
	fake_turns(f.engine);
	assert_int_equal(fake_find_row(f.world, f.id)->row.state, SAGA_STATE_COMPENSATED);
	fake_saga_end(&f);
}

static void a_retriable_failure_is_tried_again_after_its_backoff(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	fake_reply(f.world, f.engine, fake_last_sent(f.world, f.id), "retriable", "database away");
	fake_turns(f.engine);
	assert_int_equal(fake_sent_of(f.world, f.id, "create", false), 1);
	fake_pass(f.world, f.engine, 2000);
	assert_int_equal(fake_sent_of(f.world, f.id, "create", false), 2);
	assert_string_equal(fake_last_sent(f.world, f.id)->attempt, "2");
	fake_saga_end(&f);
}

static void exhausted_compensations_are_stuck_and_waiters_are_told(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct fake_answer got = {0};

	(void)unused;
	fake_reply(f.world, f.engine, fake_last_sent(f.world, f.id), "succeeded", NULL);
	fake_turns(f.engine);
	fake_reply(f.world, f.engine, fake_last_sent(f.world, f.id), "rejected", NULL);
	fake_turns(f.engine);
	engine_get_saga(f.engine, f.id, 600000, fake_get_done, &got);
	for (int attempt = 1; attempt <= 3; attempt++) {
		assert_true(fake_last_sent(f.world, f.id)->is_compensation);
		fake_reply(f.world, f.engine, fake_last_sent(f.world, f.id), "retriable", NULL);
		fake_pass(f.world, f.engine, 3000);
	}
	assert_int_equal(fake_find_row(f.world, f.id)->row.state, SAGA_STATE_STUCK);
	assert_int_equal(got.calls, 1);
	assert_int_equal(got.state, SAGA_STATE_STUCK);
	assert_int_equal(fake_metric(f.world, "saga_stuck_total"), 1);
	assert_int_equal(f.world->notice_count, 1);
	assert_string_equal(f.world->last_notice.step_id, "create");
	assert_int_equal(f.world->last_notice.phase, STEP_PHASE_COMPENSATION);
	assert_int_equal(f.world->last_notice.sequence, fake_log_count(f.world, f.id));
	assert_string_equal(f.world->last_notice.reason, "attempts_exhausted");
	assert_non_null(strstr(f.world->last_notice.detail, "attempts exhausted (3)"));
	fake_saga_end(&f);
}

static void a_restarted_instance_sends_again_at_once_what_it_had_in_flight(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct engine *again;

	(void)unused;
	engine_free(f.engine);
	again = fake_engine_new(f.world, "one");
	fake_pass(f.world, again, 200);
	assert_int_equal(fake_sent_of(f.world, f.id, "create", false), 2);
	fake_pass(f.world, again, 1000); /* and once only */
	assert_int_equal(fake_sent_of(f.world, f.id, "create", false), 2);
	f.engine = again;
	fake_saga_end(&f);
}

/* What it left and is due far from now comes after that, a page at a time: a million sagas may wait for a month. */
static void what_an_earlier_boot_left_is_sent_again_however_patient_its_step_is(void **unused)
{
	const int64_t hour_us = 3600LL * 1000 * 1000;
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	for (size_t i = 0; i < f.world->row_count; i++)
		f.world->rows[i].due_us += hour_us;
	engine_free(f.engine);
	f.engine = fake_engine_new(f.world, "one");
	fake_pass(f.world, f.engine, 1000);
	assert_int_equal(fake_sent_of(f.world, f.id, "create", false), 2);
	fake_saga_end(&f);
}

static void a_walk_of_many_looks_finds_and_counts_all(void **unused)
{
	struct fake_world *world = fake_world_new();
	struct fake_answer answers[5];
	struct engine *engine = fake_engine_new(world, "one");

	(void)unused;
	world->looked_max = 2;
	for (int i = 0; i < 5; i++)
		fake_start(engine, (char[]){'k', (char)('0' + i), '\0'}, "input", &answers[i]);
	fake_turns(engine);
	fake_pass(world, engine, 6000); /* 3 s, jitter, sweep */
	for (int i = 0; i < 5; i++)
		assert_int_equal(fake_sent_of(world, answers[i].saga_id, "create", false), 2);
	fake_pass(world, engine, 5000);
	assert_int_equal(fake_metric(world, "saga_open{state=\"running\"}"), 5);
	engine_free(engine);
	engine = fake_engine_new(world, "one");
	world->sent_count = 0;
	fake_pass(world, engine, 500);
	for (int i = 0; i < 5; i++)
		assert_int_equal(fake_sent_of(world, answers[i].saga_id, "create", false), 1);
	engine_free(engine);
	fake_world_free(world);
}

enum { CROWD = 230 };

/* As many as wait for a participant that is paused, so that a walk over all of them, two at a time, takes some six seconds. */
static struct engine *crowd_begin(struct fake_world *world)
{
	struct engine *engine = fake_engine_new(world, "one");
	struct fake_answer answer;

	world->pause = (struct pause){PAUSE_PARTICIPANT, "charge", "a migration", "ann", 1};
	fake_pass(world, engine, 1500); /* it is read */
	for (int i = 0; i < CROWD; i++) {
		answer = (struct fake_answer){0};
		fake_start(engine, (char[]){'c', (char)('a' + i / 16), (char)('a' + i % 16), '\0'}, "input", &answer);
		fake_turns(engine);
		fake_reply(world, engine, fake_last_sent(world, answer.saga_id), "succeeded", NULL);
		fake_turns(engine);
	}
	fake_pass(world, engine, 60 * 1000);
	world->looked_max = 2;
	fake_pass(world, engine, 1000);
	return engine;
}

static void what_becomes_due_does_not_wait_behind_a_crowd(void **unused)
{
	struct fake_world *world = fake_world_new();
	struct engine *engine = crowd_begin(world);
	struct fake_answer answer;

	(void)unused;
	for (int i = 0; i < 10; i++) { /* however far the walk is */
		answer = (struct fake_answer){0};
		fake_start(engine, (char[]){'s', (char)('a' + i), '\0'}, "input", &answer);
		fake_pass(world, engine, 2000);
		assert_int_equal(fake_sent_of(world, answer.saga_id, "create", false), 1);
		fake_pass(world, engine, 4500); /* 3.6 s with jitter, two sweeps; the next one is after 7.2 s */
		assert_int_equal(fake_sent_of(world, answer.saga_id, "create", false), 2);
	}
	engine_free(engine);
	fake_world_free(world);
}

static void a_crowd_goes_on_when_its_pause_ends(void **unused)
{
	struct fake_world *world = fake_world_new();
	struct engine *engine = crowd_begin(world);
	size_t sent = world->sent_count;

	(void)unused;
	world->pause.name = NULL;
	fake_pass(world, engine, 12 * 1000);
	assert_true(world->sent_count >= sent + CROWD);
	engine_free(engine);
	fake_world_free(world);
}

/* Where nothing is that may be due, nothing is looked for: what has ended may still be in the index. */
static void a_walk_begins_where_the_one_before_has_seen_the_first(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	const int64_t begun_us = f.world->now_us;

	(void)unused;
	fake_pass(f.world, f.engine, 1000);
	assert_int_equal(f.world->due_from_us, 0);
	fake_pass(f.world, f.engine, 25 * 1000);
	assert_true(f.world->due_from_us > begun_us);
	fake_saga_end(&f);
}

static void what_another_instance_left_far_behind_is_found_within_a_minute_or_so(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct fake_row *row = &f.world->rows[0];

	(void)unused;
	row->due_us = INT64_C(4102444800000000);
	row->row.open_row.look_us = INT64_MAX;
	fake_pass(f.world, f.engine, 30 * 1000);
	row->due_us = row->row.open_row.look_us = 1;
	fake_pass(f.world, f.engine, 5 * 1000);
	assert_int_equal(fake_sent_of(f.world, f.id, "create", false), 1);
	fake_pass(f.world, f.engine, 35 * 1000);
	assert_int_not_equal(fake_find_row(f.world, f.id)->row.version, 1);
	fake_saga_end(&f);
}

static void another_instance_leaves_them_to_their_time(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct engine *other = fake_engine_new(f.world, "two");

	(void)unused;
	fake_pass(f.world, other, 1000);
	assert_int_equal(fake_sent_of(f.world, f.id, "create", false), 1);
	engine_free(other);
	fake_saga_end(&f);
}

static void two_instances_that_sweep_the_same_saga_send_once(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct engine *other = fake_engine_new(f.world, "two");

	(void)unused;
	for (int i = 0; i < 120; i++) {
		f.world->now_us += 50 * 1000;
		(void)engine_turn(f.engine); /* the test decides when */
		(void)engine_turn(other);
	}
	assert_int_equal(fake_sent_of(f.world, f.id, "create", false), 2);
	engine_free(other);
	fake_saga_end(&f);
}

static void resends_of_one_topic_are_limited_and_none_is_forgotten(void **unused)
{
	struct fake_world *world = fake_world_new();
	struct fake_answer answers[40];
	struct metrics *metrics = metrics_new();
	struct engine *engine = fake_engine_new(world, "one");
	struct engine *again;

	(void)unused;
	for (int i = 0; i < 40; i++) {
		char key[8] = {'k', (char)('a' + i / 10), (char)('0' + i % 10)};

		fake_start(engine, key, "input", &answers[i]);
	}
	fake_turns(engine);
	assert_int_equal(world->sent_count, 40);
	engine_free(engine);
	world->now_us++;
	again = engine_new(&(struct engine_options){
		.instance = "one", .ports = &world->ports, .metrics = metrics, .resends_per_s = 10});
	fake_pass(world, again, 500);
	assert_in_range(world->sent_count, 50, 56); /* a second's worth at first, then ten a second */
	fake_pass(world, again, 1000);
	assert_in_range(world->sent_count, 58, 68);
	fake_pass(world, again, 8000);
	for (int i = 0; i < 40; i++)
		assert_true(fake_sent_of(world, answers[i].saga_id, "create", false) >= 2);
	engine_free(again);
	metrics_free(metrics);
	fake_world_free(world);
}

static void sagas_of_a_definition_that_is_away_wait(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct engine *again;

	(void)unused;
	engine_free(f.engine);
	again = fake_engine_new(f.world, "one");
	f.world->is_definition_away = true;
	fake_pass(f.world, again, 6000);
	assert_int_equal(f.world->sent_count, 1);
	f.world->is_definition_away = false;
	fake_pass(f.world, again, 1500);
	assert_int_equal(f.world->sent_count, 2);
	f.engine = again;
	fake_saga_end(&f);
}

static void what_is_paused_is_not_sent_and_loses_no_time(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct fake_answer second = {0};

	(void)unused;
	f.world->pause = (struct pause){PAUSE_DEFINITION, FAKE_PLAN.definition.name, "prices", "ann", 1};
	fake_pass(f.world, f.engine, 1500); /* it is read */
	assert_int_equal(fake_metric(f.world, "saga_paused{what=\"definition\"}"), 1);
	fake_reply(f.world, f.engine, fake_last_sent(f.world, f.id), "succeeded", NULL);
	fake_turns(f.engine);
	fake_start(f.engine, "second", "input", &second);
	fake_turns(f.engine);
	assert_int_equal(second.state, SAGA_STATE_RUNNING); /* it is accepted */
	fake_pass(f.world, f.engine, 120 * 1000);           /* longer than any command may take */
	assert_int_equal(fake_sent_of(f.world, f.id, "charge", false), 0);
	assert_int_equal(fake_sent_of(f.world, second.saga_id, "create", false), 0);
	assert_int_equal(fake_find_row(f.world, f.id)->row.state, SAGA_STATE_RUNNING);
	assert_int_equal(fake_log_count(f.world, f.id), 3); /* started, succeeded, held */
	f.world->pause.name = NULL;
	fake_pass(f.world, f.engine, 1500);
	assert_int_equal(fake_sent_of(f.world, f.id, "charge", false), 1);
	assert_int_equal(fake_sent_of(f.world, second.saga_id, "create", false), 1);
	assert_int_equal(fake_find_row(f.world, f.id)->row.state, SAGA_STATE_RUNNING);
	fake_saga_end(&f);
}

static void what_was_sent_before_a_pause_is_not_sent_again_until_it_ends(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	f.world->pause = (struct pause){PAUSE_DEFINITION, FAKE_PLAN.definition.name, "prices", "ann", 1};
	fake_pass(f.world, f.engine, 20 * 1000);
	assert_int_equal(fake_sent_of(f.world, f.id, "create", false), 1);
	f.world->pause.name = NULL;
	fake_pass(f.world, f.engine, 1500);
	assert_int_equal(fake_sent_of(f.world, f.id, "create", false), 2);
	fake_saga_end(&f);
}

static void open_sagas_are_counted(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	fake_pass(f.world, f.engine, 10500);
	assert_int_equal(fake_metric(f.world, "saga_open{state=\"running\"}"), 1);
	assert_int_equal(fake_metric(f.world, "saga_stuck{definition=\"(others)\"}"), 0);
	assert_int_equal(fake_metric(f.world, "saga_paused{what=\"saga\"}"), 0);
	fake_saga_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_without_a_reply_is_sent_again),
		cmocka_unit_test(a_step_without_a_reply_times_out_and_is_compensated),
		cmocka_unit_test(a_retriable_failure_is_tried_again_after_its_backoff),
		cmocka_unit_test(exhausted_compensations_are_stuck_and_waiters_are_told),
		cmocka_unit_test(a_restarted_instance_sends_again_at_once_what_it_had_in_flight),
		cmocka_unit_test(what_an_earlier_boot_left_is_sent_again_however_patient_its_step_is),
		cmocka_unit_test(a_walk_of_many_looks_finds_and_counts_all),
		cmocka_unit_test(what_becomes_due_does_not_wait_behind_a_crowd),
		cmocka_unit_test(a_crowd_goes_on_when_its_pause_ends),
		cmocka_unit_test(a_walk_begins_where_the_one_before_has_seen_the_first),
		cmocka_unit_test(what_another_instance_left_far_behind_is_found_within_a_minute_or_so),
		cmocka_unit_test(another_instance_leaves_them_to_their_time),
		cmocka_unit_test(two_instances_that_sweep_the_same_saga_send_once),
		cmocka_unit_test(resends_of_one_topic_are_limited_and_none_is_forgotten),
		cmocka_unit_test(sagas_of_a_definition_that_is_away_wait),
		cmocka_unit_test(what_is_paused_is_not_sent_and_loses_no_time),
		cmocka_unit_test(what_was_sent_before_a_pause_is_not_sent_again_until_it_ends),
		cmocka_unit_test(open_sagas_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
