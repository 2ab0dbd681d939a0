/* start_test.c - StartSaga: idempotency within a turn, across turns and instances; lost commits; a store that is away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/coordinator/engine/fake_world.h"

struct fixture {
	struct fake_world *world;
	struct engine *engine;
};

static struct fixture begin(void)
{
	struct fixture f = {.world = fake_world_new()};

	f.engine = fake_engine_new(f.world, "one");
	return f;
}

static void end(struct fixture *f)
{
	assert_int_equal(fake_log_gaps(f->world), 0);
	engine_free(f->engine);
	fake_world_free(f->world);
}

static void start_with(struct fixture *f, struct start_request request, struct fake_answer *ret_answer)
{
	request.plan = &FAKE_PLAN;
	*ret_answer = (struct fake_answer){0};
	engine_start_saga(f->engine, &request, fake_start_done, ret_answer);
}

static void assert_error(const struct fake_answer *answer, enum err_code code, const char *part)
{
	assert_int_equal(answer->calls, 1);
	assert_false(answer->has_view);
	assert_int_equal(answer->err.code, code);
	assert_non_null(strstr(answer->err.msg, part));
}

static void equal_starts_of_one_turn_are_one_saga(void **unused)
{
	struct fixture f = begin();
	struct fake_answer a, b, c;

	(void)unused;
	fake_start(f.engine, "k", "input", &a);
	fake_start(f.engine, "k", "input", &b);
	fake_start(f.engine, "k", "input", &c);
	fake_turns(f.engine);
	assert_int_equal(f.world->row_count, 1);
	assert_int_equal(f.world->sent_count, 1);
	assert_false(a.already_existed);
	assert_true(b.already_existed && c.already_existed);
	assert_true(uuid_equal(a.saga_id, b.saga_id) && uuid_equal(a.saga_id, c.saga_id));
	assert_int_equal(a.calls + b.calls + c.calls, 3);
	end(&f);
}

static void equal_starts_of_later_turns_are_the_same_saga(void **unused)
{
	struct fixture f = begin();
	struct engine *other = fake_engine_new(f.world, "two");
	struct fake_answer a, b, c;

	(void)unused;
	fake_start(f.engine, "k", "input", &a);
	fake_turns(f.engine);
	fake_start(f.engine, "k", "input", &b);
	fake_turns(f.engine);
	fake_start(other, "k", "input", &c);
	fake_turns(other);
	assert_int_equal(f.world->row_count, 1);
	assert_int_equal(f.world->sent_count, 1);
	assert_true(b.already_existed && c.already_existed);
	assert_true(uuid_equal(a.saga_id, b.saga_id) && uuid_equal(a.saga_id, c.saga_id));
	engine_free(other);
	end(&f);
}

static void the_same_key_with_other_content_is_a_conflict(void **unused)
{
	struct fixture f = begin();
	struct fake_answer first, same_turn, input, key;

	(void)unused;
	fake_start(f.engine, "k", "input", &first);
	fake_start(f.engine, "k", "other", &same_turn);
	fake_turns(f.engine);
	assert_true(first.has_view);
	assert_error(&same_turn, ERR_CONFLICT, "another input");
	fake_start(f.engine, "k", "other", &input);
	start_with(&f, (struct start_request){.idempotency_key = "k", .key = "z", .input = bytes_of_text("input")},
		   &key);
	fake_turns(f.engine);
	assert_error(&input, ERR_CONFLICT, "another input");
	assert_error(&key, ERR_CONFLICT, "another key");
	assert_int_equal(f.world->row_count, 1);
	end(&f);
}

static void the_same_saga_id_with_another_key_is_a_conflict(void **unused)
{
	struct fixture f = begin();
	struct start_request request = {.has_saga_id = true,
					.saga_id = uuid_v7_new(),
					.idempotency_key = "k",
					.key = "k",
					.input = bytes_of_text("input")};
	struct fake_answer first, again, same_turn, later;

	(void)unused;
	start_with(&f, request, &first);
	start_with(&f, request, &again);
	request.idempotency_key = "other";
	start_with(&f, request, &same_turn);
	fake_turns(f.engine);
	start_with(&f, request, &later);
	fake_turns(f.engine);
	assert_true(uuid_equal(first.saga_id, request.saga_id));
	assert_true(again.already_existed);
	assert_error(&same_turn, ERR_CONFLICT, "another idempotency key");
	assert_error(&later, ERR_CONFLICT, "another idempotency key");
	assert_int_equal(f.world->row_count, 1);
	end(&f);
}

static void the_same_key_with_another_saga_id_is_a_conflict(void **unused)
{
	struct fixture f = begin();
	struct start_request request = {
		.has_saga_id = true, .saga_id = uuid_v7_new(), .idempotency_key = "k", .key = "k"};
	struct fake_answer first, second;

	(void)unused;
	fake_start(f.engine, "k", "", &first);
	fake_turns(f.engine);
	start_with(&f, request, &second);
	fake_turns(f.engine);
	assert_error(&second, ERR_CONFLICT, "another saga id");
	end(&f);
}

static void without_an_idempotency_key_every_start_is_a_saga(void **unused)
{
	struct fixture f = begin();
	struct start_request request = {.idempotency_key = "", .key = "k"};
	struct fake_answer a, b;

	(void)unused;
	start_with(&f, request, &a);
	start_with(&f, request, &b);
	fake_turns(f.engine);
	assert_int_equal(f.world->row_count, 2);
	assert_false(a.already_existed || b.already_existed);
	assert_false(uuid_equal(a.saga_id, b.saga_id));
	end(&f);
}

static void a_start_waits_for_its_saga_that_changes_in_the_same_turn(void **unused)
{
	struct fixture f = begin();
	struct start_request request = {
		.has_saga_id = true, .saga_id = uuid_v7_new(), .idempotency_key = "k", .key = "k"};
	struct fake_answer first, again;

	(void)unused;
	start_with(&f, request, &first);
	fake_turns(f.engine);
	fake_reply(f.world, f.engine, fake_last_sent(f.world, request.saga_id), "succeeded", NULL);
	start_with(&f, request, &again);
	fake_turns(f.engine);
	assert_true(again.already_existed);
	assert_int_equal(again.version, 2);
	end(&f);
}

static void a_start_whose_commit_was_lost_but_made_is_the_callers_own(void **unused)
{
	struct fixture f = begin();
	struct fake_answer answer;

	(void)unused;
	f.world->fault = FAULT_LOST_APPLIED;
	fake_start(f.engine, "k", "input", &answer);
	fake_pass(f.world, f.engine, 500);
	assert_true(answer.has_view);
	assert_false(answer.already_existed);
	assert_int_equal(f.world->row_count, 1);
	assert_int_equal(fake_sent_of(f.world, answer.saga_id, "create", false), 1); /* not left to the sweep */
	end(&f);
}

static void a_start_whose_commit_was_lost_and_not_made_is_made_again(void **unused)
{
	struct fixture f = begin();
	struct fake_answer answer;

	(void)unused;
	f.world->fault = FAULT_LOST_NOT_APPLIED;
	fake_start(f.engine, "k", "input", &answer);
	fake_pass(f.world, f.engine, 500);
	assert_true(answer.has_view);
	assert_int_equal(answer.calls, 1);
	assert_int_equal(fake_sent_of(f.world, answer.saga_id, "create", false), 1);
	end(&f);
}

static void starts_are_refused_at_once_while_the_store_is_known_to_be_away(void **unused)
{
	struct fixture f = begin();
	struct fake_answer tried, refused, later;

	(void)unused;
	fake_pass(f.world, f.engine, 200); /* the first sweeps are over */
	f.world->is_store_away = true;
	fake_start(f.engine, "k", "input", &tried);
	(void)engine_turn(f.engine); /* finds out */
	fake_start(f.engine, "l", "input", &refused);
	(void)engine_turn(f.engine);
	assert_error(&refused, ERR_UNAVAILABLE, "nothing was started");
	assert_int_equal(tried.calls, 0);
	fake_pass(f.world, f.engine, 6000);
	assert_error(&tried, ERR_UNAVAILABLE, "call again with the same idempotency key");
	f.world->is_store_away = false;
	fake_pass(f.world, f.engine, 1500);
	fake_start(f.engine, "l", "input", &later);
	fake_turns(f.engine);
	assert_true(later.has_view);
	end(&f);
}

static void a_refused_start_is_answered_and_the_others_go_through(void **unused)
{
	struct fixture f = begin();
	struct fake_answer answers[7];

	(void)unused;
	f.world->refused_key = "bad";
	for (int i = 0; i < 7; i++) {
		char key[8] = {'k', (char)('0' + i)};

		fake_start(f.engine, i == 3 ? "bad" : key, "input", &answers[i]);
	}
	fake_turns(f.engine);
	assert_error(&answers[3], ERR_INVALID, "refuses");
	for (int i = 0; i < 7; i++)
		assert_int_equal(answers[i].has_view, i != 3);
	assert_int_equal(f.world->row_count, 6);
	end(&f);
}

static void what_is_too_much_for_one_commit_goes_in_parts_and_whole_when_the_store_is_fast_again(void **unused)
{
	struct fixture f = begin();
	struct fake_answer answers[16];
	size_t commits;

	(void)unused;
	f.world->slow_count = 1;
	for (int i = 0; i < 16; i++)
		fake_start(f.engine, (char[]){'k', (char)('a' + i), 0}, "input", &answers[i]);
	fake_pass(f.world, f.engine, 4000);
	for (int i = 0; i < 16; i++)
		assert_true(answers[i].has_view);
	f.world->slow_count = 0;
	for (int round = 0; round < 3; round++) {
		commits = f.world->commits;
		for (int i = 0; i < 16; i++)
			fake_start(f.engine, (char[]){'l', (char)('a' + i), (char)('0' + round), 0}, "input",
				   &answers[i]);
		fake_turns(f.engine);
	}
	assert_int_equal(f.world->commits - commits, 1);
	end(&f);
}

static void a_full_queue_refuses_at_once(void **unused)
{
	struct fake_world *world = fake_world_new();
	struct metrics *metrics = metrics_new();
	struct engine *engine = engine_new(&(struct engine_options){
		.instance = "one", .ports = &world->ports, .metrics = metrics, .queue_max = 2});
	struct fake_answer answers[3];
	struct error err;

	(void)unused;
	assert_true(engine_has_room(engine, &FAKE_PLAN, &err));
	for (int i = 0; i < 3; i++)
		fake_start(engine, i == 0 ? "a" : i == 1 ? "b" : "c", "input", &answers[i]);
	assert_error(&answers[2], ERR_LIMIT, "more sagas than it gets through");
	assert_false(engine_has_room(engine, &FAKE_PLAN, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	fake_turns(engine);
	assert_true(answers[0].has_view && answers[1].has_view);
	engine_free(engine);
	metrics_free(metrics);
	fake_world_free(world);
}

static void a_draining_engine_refuses_and_answers_everybody(void **unused)
{
	struct fixture f = begin();
	struct fake_answer waiting, refused;

	(void)unused;
	fake_start(f.engine, "k", "input", &waiting);
	engine_drain(f.engine, 0);
	assert_error(&waiting, ERR_UNAVAILABLE, "stopping");
	fake_start(f.engine, "l", "input", &refused);
	assert_error(&refused, ERR_UNAVAILABLE, "stopping");
	end(&f);
}

static void replies_leave_few_starts_room_in_their_turn(void **unused)
{
	enum { REPLIES = 10000 };
	struct fixture f = begin();
	struct bus_record *replies = xcalloc(REPLIES, sizeof(*replies));
	struct fake_answer one, many = {0};

	(void)unused;
	fake_start(f.engine, "k", "input", &one);
	fake_turns(f.engine);
	for (int i = 0; i < REPLIES; i++)
		replies[i] = (struct bus_record){.topic = "replies"}; /* of no saga: only their number matters */
	fake_deliver(f.world, f.engine, replies, REPLIES);
	for (int i = 0; i < 500; i++)
		engine_start_saga(f.engine,
				  &(struct start_request){.plan = &FAKE_PLAN,
							  .idempotency_key = "k",
							  .key = "k",
							  .input = bytes_of_text("input")},
				  fake_start_done, &many);
	(void)engine_turn(f.engine);
	assert_int_equal(many.calls, 50);
	assert_int_equal(f.world->batches_done, 1);
	fake_turns(f.engine);
	assert_int_equal(many.calls, 500);
	free(replies);
	end(&f);
}

static void more_starts_than_a_turn_takes_are_taken_by_the_next(void **unused)
{
	struct fixture f = begin();
	struct fake_answer one, many;

	(void)unused;
	/* Twins, since the fake store has few rows; the first turns take 2,000. */
	fake_start(f.engine, "k", "input", &one);
	fake_turns(f.engine);
	many = (struct fake_answer){0};
	for (int i = 0; i < 12000; i++)
		engine_start_saga(f.engine,
				  &(struct start_request){.plan = &FAKE_PLAN,
							  .idempotency_key = "k",
							  .key = "k",
							  .input = bytes_of_text("input")},
				  fake_start_done, &many);
	(void)engine_turn(f.engine);
	assert_int_equal(many.calls, 2000);
	fake_turns(f.engine);
	assert_int_equal(many.calls, 12000);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_starts_of_one_turn_are_one_saga),
		cmocka_unit_test(equal_starts_of_later_turns_are_the_same_saga),
		cmocka_unit_test(the_same_key_with_other_content_is_a_conflict),
		cmocka_unit_test(the_same_saga_id_with_another_key_is_a_conflict),
		cmocka_unit_test(the_same_key_with_another_saga_id_is_a_conflict),
		cmocka_unit_test(without_an_idempotency_key_every_start_is_a_saga),
		cmocka_unit_test(a_start_waits_for_its_saga_that_changes_in_the_same_turn),
		cmocka_unit_test(a_start_whose_commit_was_lost_but_made_is_the_callers_own),
		cmocka_unit_test(a_start_whose_commit_was_lost_and_not_made_is_made_again),
		cmocka_unit_test(starts_are_refused_at_once_while_the_store_is_known_to_be_away),
		cmocka_unit_test(a_refused_start_is_answered_and_the_others_go_through),
		cmocka_unit_test(what_is_too_much_for_one_commit_goes_in_parts_and_whole_when_the_store_is_fast_again),
		cmocka_unit_test(a_full_queue_refuses_at_once),
		cmocka_unit_test(a_draining_engine_refuses_and_answers_everybody),
		cmocka_unit_test(replies_leave_few_starts_room_in_their_turn),
		cmocka_unit_test(more_starts_than_a_turn_takes_are_taken_by_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
