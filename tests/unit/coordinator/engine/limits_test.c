/* limits_test.c - commands that wait for room in turns, over restarts and at two instances; starts beyond the limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/coordinator/engine/fake_world.h"

struct fixture {
	struct fake_world *world;
	struct engine *engine;
	struct fake_answer sagas[3];
};

static struct fixture begin(int64_t in_flight_max, int64_t open_max)
{
	struct fixture f = {.world = fake_world_new()};

	f.world->in_flight_max = in_flight_max;
	f.world->open_max = open_max;
	f.engine = fake_engine_new(f.world, "one");
	fake_pass(f.world, f.engine, 100); /* what earlier boots left behind is looked for first */
	return f;
}

static void end(struct fixture *f)
{
	assert_int_equal(fake_log_gaps(f->world), 0);
	engine_free(f->engine);
	fake_world_free(f->world);
}

static void start(struct fixture *f, int number)
{
	const char *const keys[] = {"k", "l", "m"};

	fake_start(f->engine, keys[number], "input", &f->sagas[number]);
	fake_turns(f->engine);
}

static size_t sent(struct fixture *f, int number)
{
	return fake_sent_of(f->world, f->sagas[number].saga_id, "create", false);
}

static void succeed(struct fixture *f, struct engine *engine, int number)
{
	fake_reply(f->world, engine, fake_last_sent(f->world, f->sagas[number].saga_id), "succeeded", NULL);
	fake_turns(engine);
}

static uint64_t waiting(struct fixture *f)
{
	return fake_metric(f->world, "saga_commands_waiting");
}

static void a_command_beyond_the_limit_waits_until_one_is_replied_to(void **unused)
{
	struct fixture f = begin(1, 0);

	(void)unused;
	start(&f, 0);
	start(&f, 1);
	assert_int_equal(f.sagas[1].version, 2); /* started, held */
	assert_int_equal(sent(&f, 0), 1);
	assert_int_equal(sent(&f, 1), 0);
	fake_pass(f.world, f.engine, 1000);
	assert_int_equal(sent(&f, 1), 0);
	assert_int_equal(waiting(&f), 1);
	succeed(&f, f.engine, 0);
	fake_pass(f.world, f.engine, 50);
	assert_int_equal(sent(&f, 1), 1);
	assert_int_equal(waiting(&f), 0);
	assert_string_equal(fake_last_sent(f.world, f.sagas[1].saga_id)->attempt, "1");
	end(&f);
}

static void without_a_limit_nothing_is_written_about_room(void **unused)
{
	struct fixture f = begin(0, 0);

	(void)unused;
	start(&f, 0);
	start(&f, 1);
	assert_int_equal(f.sagas[0].version, 1);
	assert_int_equal(f.sagas[1].version, 1);
	assert_int_equal(sent(&f, 0) + sent(&f, 1), 2);
	end(&f);
}

static void with_room_nothing_is_written_about_it(void **unused)
{
	struct fixture f = begin(2, 0);

	(void)unused;
	start(&f, 0);
	start(&f, 1);
	assert_int_equal(f.sagas[0].version, 1);
	assert_int_equal(f.sagas[1].version, 1);
	assert_int_equal(sent(&f, 0) + sent(&f, 1), 2);
	end(&f);
}

static void what_waits_is_found_again_after_a_restart(void **unused)
{
	struct fixture f = begin(1, 0);

	(void)unused;
	start(&f, 0);
	start(&f, 1);
	engine_free(f.engine);
	f.engine = fake_engine_new(f.world, "one");
	fake_pass(f.world, f.engine, 500);
	assert_int_equal(sent(&f, 0), 2); /* sent again, as after each restart */
	assert_int_equal(sent(&f, 1), 0);
	succeed(&f, f.engine, 0);
	fake_pass(f.world, f.engine, 50);
	assert_int_equal(sent(&f, 1), 1);
	end(&f);
}

static void a_reply_that_another_instance_takes_makes_room_here(void **unused)
{
	struct fixture f = begin(1, 0);
	struct engine *other = fake_engine_new(f.world, "two");

	(void)unused;
	fake_pass(f.world, other, 100);
	start(&f, 0);
	start(&f, 1);
	succeed(&f, other, 0);
	fake_pass(f.world, f.engine, 400);
	assert_int_equal(sent(&f, 1), 1);
	engine_free(other);
	end(&f);
}

static void another_instance_takes_over_what_waited_at_one_that_is_gone(void **unused)
{
	struct fixture f = begin(1, 0);
	struct engine *other = fake_engine_new(f.world, "two");

	(void)unused;
	fake_pass(f.world, other, 100);
	start(&f, 0);
	start(&f, 1);
	succeed(&f, other, 0);
	fake_pass(f.world, other, 1000);
	assert_int_equal(sent(&f, 1), 0);
	fake_pass(f.world, other, 12000);
	assert_in_range(sent(&f, 1), 1, 2); /* without a reply it may have been sent again */
	engine_free(other);
	end(&f);
}

static void a_start_beyond_the_limit_is_refused_until_a_saga_has_ended(void **unused)
{
	struct fixture f = begin(0, 1);
	struct fake_answer again;

	(void)unused;
	start(&f, 0);
	start(&f, 1);
	assert_false(f.sagas[1].has_view);
	assert_int_equal(f.sagas[1].err.code, ERR_QUOTA);
	assert_non_null(strstr(f.sagas[1].err.msg, "'fake' has 1 open sagas"));
	assert_int_equal(fake_metric(f.world, "saga_starts_refused_total"), 1);
	fake_start(f.engine, "k", "input", &again); /* the same as the first: no other saga */
	fake_turns(f.engine);
	assert_true(again.has_view && again.already_existed);
	for (int i = 0; i < 3; i++)
		succeed(&f, f.engine, 0);
	assert_int_equal(fake_find_row(f.world, f.sagas[0].saga_id)->row.state, SAGA_STATE_COMPLETED);
	start(&f, 1);
	assert_true(f.sagas[1].has_view);
	end(&f);
}

static void sagas_that_end_elsewhere_make_room_for_starts(void **unused)
{
	struct fixture f = begin(0, 1);
	struct engine *other = fake_engine_new(f.world, "two");

	(void)unused;
	start(&f, 0);
	for (int i = 0; i < 3; i++)
		succeed(&f, other, 0);
	start(&f, 1);
	assert_int_equal(f.sagas[1].err.code, ERR_QUOTA); /* it does not know yet, and looks */
	fake_pass(f.world, f.engine, 300);
	start(&f, 2);
	assert_true(f.sagas[2].has_view);
	engine_free(other);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_beyond_the_limit_waits_until_one_is_replied_to),
		cmocka_unit_test(without_a_limit_nothing_is_written_about_room),
		cmocka_unit_test(with_room_nothing_is_written_about_it),
		cmocka_unit_test(what_waits_is_found_again_after_a_restart),
		cmocka_unit_test(a_reply_that_another_instance_takes_makes_room_here),
		cmocka_unit_test(another_instance_takes_over_what_waited_at_one_that_is_gone),
		cmocka_unit_test(a_start_beyond_the_limit_is_refused_until_a_saga_has_ended),
		cmocka_unit_test(sagas_that_end_elsewhere_make_room_for_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
