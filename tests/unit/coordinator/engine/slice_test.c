/* slice_test.c - rounds that commit in slices, two under way at a time; what happens to one is nothing to the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/engine/engine_state.h"
#include "tests/unit/coordinator/engine/fake_world.h"

enum { SAGAS = 20, SLICE = 4, SLICES = 2 /* half of a round each, as that is more */ };

struct fixture {
	struct fake_world *world;
	struct engine *engine;
	struct fake_answer answers[SAGAS];
};

static struct fixture begin(void)
{
	struct fixture f = {.world = fake_world_new()};

	f.world->slice_changes = SLICE;
	f.engine = fake_engine_new(f.world, "one");
	fake_turns(f.engine);
	f.world->commits = 0;
	return f;
}

static void end(struct fixture *f)
{
	assert_int_equal(fake_log_gaps(f->world), 0);
	engine_free(f->engine);
	fake_world_free(f->world);
}

static void start_all(struct fixture *f)
{
	for (int i = 0; i < SAGAS; i++)
		fake_start(f->engine, (char[]){'k', (char)('a' + i), 0}, "input", &f->answers[i]);
	fake_turns(f->engine);
}

/* In one turn. */
static void reply_all(struct fixture *f, const char *outcome)
{
	for (int i = 0; i < SAGAS; i++)
		fake_reply(f->world, f->engine, fake_last_sent(f->world, f->answers[i].saga_id), outcome, NULL);
	fake_turns(f->engine);
}

static void assert_all_at(struct fixture *f, const char *step)
{
	for (int i = 0; i < SAGAS; i++) {
		assert_int_equal(f->answers[i].calls, 1);
		assert_true(f->answers[i].has_view);
		assert_string_equal(fake_last_sent(f->world, f->answers[i].saga_id)->step, step);
		assert_int_equal(fake_sent_of(f->world, f->answers[i].saga_id, step, false), 1);
	}
}

static void a_large_round_has_two_commits_under_way(void **unused)
{
	struct fixture f = begin();

	(void)unused;
	start_all(&f);
	assert_int_equal(f.world->commits, SLICES);
	assert_true(f.world->were_two_under_way);
	assert_all_at(&f, "create");
	f.world->were_two_under_way = false;
	reply_all(&f, "succeeded");
	assert_int_equal(f.world->commits, 2 * SLICES);
	assert_true(f.world->were_two_under_way);
	assert_all_at(&f, "charge");
	assert_int_equal(f.world->batches_done, SAGAS);
	end(&f);
}

static void a_small_round_has_one(void **unused)
{
	struct fixture f = begin();
	struct fake_answer answers[SLICE];

	(void)unused;
	for (int i = 0; i < SLICE; i++)
		fake_start(f.engine, (char[]){'s', (char)('a' + i), 0}, "input", &answers[i]);
	fake_turns(f.engine);
	assert_int_equal(f.world->commits, 1);
	assert_false(f.world->were_two_under_way);
	end(&f);
}

static void a_slice_that_is_rolled_back_goes_into_the_next_round_and_the_other_goes_through(void **unused)
{
	struct fixture f = begin();

	(void)unused;
	f.world->fault = FAULT_ROLLED_BACK;
	start_all(&f);
	assert_all_at(&f, "create");
	f.world->fault = FAULT_ROLLED_BACK;
	reply_all(&f, "succeeded");
	assert_all_at(&f, "charge");
	end(&f);
}

/* The connection is lost while both are under way: one was made and not answered, the other one is not asked any more. */
static void a_lost_commit_beside_another_one_is_not_made_twice(enum fake_fault fault)
{
	struct fixture f = begin();

	start_all(&f);
	f.world->fault = fault;
	reply_all(&f, "succeeded");
	fake_pass(f.world, f.engine, 500);
	for (int i = 0; i < SAGAS; i++)
		assert_int_equal(fake_find_row(f.world, f.answers[i].saga_id)->row.version, 2);
	assert_int_equal(f.world->batches_done, SAGAS);
	end(&f);
}

static void a_commit_that_was_lost_but_made_leaves_the_other_alone(void **unused)
{
	(void)unused;
	a_lost_commit_beside_another_one_is_not_made_twice(FAULT_LOST_APPLIED);
}

static void a_commit_that_was_lost_and_not_made_leaves_the_other_alone(void **unused)
{
	(void)unused;
	a_lost_commit_beside_another_one_is_not_made_twice(FAULT_LOST_NOT_APPLIED);
}

static void starts_that_a_lost_store_left_behind_are_made_when_it_is_back(void **unused)
{
	struct fixture f = begin();

	(void)unused;
	f.world->slice_changes = SLICE;
	f.world->fault = FAULT_LOST_NOT_APPLIED;
	for (int i = 0; i < SAGAS; i++)
		fake_start(f.engine, (char[]){'k', (char)('a' + i), 0}, "input", &f.answers[i]);
	fake_pass(f.world, f.engine, 4000);
	for (int i = 0; i < SAGAS; i++)
		assert_int_equal(f.answers[i].calls, 1);
	end(&f);
}

static void one_refused_change_is_found_in_its_slice(void **unused)
{
	struct fixture f = begin();

	(void)unused;
	f.world->refused_key = "kc";
	start_all(&f);
	for (int i = 0; i < SAGAS; i++)
		assert_int_equal(f.answers[i].has_view, i != 2);
	assert_int_equal(f.answers[2].err.code, ERR_INVALID);
	assert_int_equal(f.world->row_count, SAGAS - 1);
	end(&f);
}

/* Twins of a start, and a start under the key of another one, are told apart before any slice is settled. */
static void equal_starts_in_other_slices_are_one_saga(void **unused)
{
	struct fixture f = begin();
	struct fake_answer again[SAGAS];

	(void)unused;
	for (int i = 0; i < SAGAS; i++)
		fake_start(f.engine, (char[]){'k', (char)('a' + i), 0}, "input", &f.answers[i]);
	for (int i = 0; i < SAGAS; i++)
		fake_start(f.engine, (char[]){'k', (char)('a' + i), 0}, i == 7 ? "other" : "input", &again[i]);
	fake_turns(f.engine);
	assert_int_equal(f.world->row_count, SAGAS);
	for (int i = 0; i < SAGAS; i++) {
		assert_true(f.answers[i].has_view && !f.answers[i].already_existed);
		assert_int_equal(again[i].has_view, i != 7);
		if (i != 7)
			assert_true(again[i].already_existed && uuid_equal(again[i].saga_id, f.answers[i].saga_id));
	}
	assert_int_equal(again[7].err.code, ERR_CONFLICT);
	end(&f);
}

/* None of a few changes beside large ones: it would cost a commit for next to nothing. */
static void slices_of_a_round_are_alike(void **state)
{
	static const size_t lengths[][2] = {{1, 1},       {1001, 1001}, {1999, 1999}, {2000, 1000},
					    {5001, 2501}, {6000, 3000}, {6001, 2001}, {10000, 2500}};
	const struct engine engine = {.slice_changes = 0};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		assert_int_equal(slice_length(&engine, lengths[i][0]), lengths[i][1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_large_round_has_two_commits_under_way),
		cmocka_unit_test(a_small_round_has_one),
		cmocka_unit_test(slices_of_a_round_are_alike),
		cmocka_unit_test(a_slice_that_is_rolled_back_goes_into_the_next_round_and_the_other_goes_through),
		cmocka_unit_test(a_commit_that_was_lost_but_made_leaves_the_other_alone),
		cmocka_unit_test(a_commit_that_was_lost_and_not_made_leaves_the_other_alone),
		cmocka_unit_test(starts_that_a_lost_store_left_behind_are_made_when_it_is_back),
		cmocka_unit_test(one_refused_change_is_found_in_its_slice),
		cmocka_unit_test(equal_starts_in_other_slices_are_one_saga),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
