/* turn_test.c - sagas from start to end through turns; conflicts, lost commits, refused rows, a store that is away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/coordinator/engine/fake_world.h"

/* The reply to the last command that was sent. */
static void reply(struct fake_saga *f, const char *outcome)
{
	fake_reply(f->world, f->engine, fake_last_sent(f->world, f->id), outcome, NULL);
}

static enum saga_state state_of(struct fake_saga *f)
{
	return fake_find_row(f->world, f->id)->row.state;
}

static void a_saga_runs_from_start_to_completed(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	assert_string_equal(fake_last_sent(f.world, f.id)->step, "create");
	reply(&f, "succeeded");
	fake_turns(f.engine);
	assert_string_equal(fake_last_sent(f.world, f.id)->step, "charge");
	reply(&f, "succeeded");
	fake_turns(f.engine);
	assert_string_equal(fake_last_sent(f.world, f.id)->step, "confirm");
	reply(&f, "succeeded");
	fake_turns(f.engine);
	assert_int_equal(state_of(&f), SAGA_STATE_COMPLETED);
	assert_int_equal(f.world->sent_count, 3);
	assert_int_equal(f.world->batches_done, 3);
	assert_int_equal(f.world->loads, 0); /* the cache had it all the time */
	assert_int_equal(fake_log_count(f.world, f.id), 4);
	assert_int_equal(fake_metric(f.world, "saga_finished_total{outcome=\"completed\"}"), 1);
	fake_saga_end(&f);
}

static void a_refusal_compensates_in_reverse_order(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	reply(&f, "succeeded");
	fake_turns(f.engine);
	reply(&f, "rejected");
	fake_turns(f.engine);
	assert_int_equal(state_of(&f), SAGA_STATE_COMPENSATING);
	assert_string_equal(fake_last_sent(f.world, f.id)->step, "create");
	assert_true(fake_last_sent(f.world, f.id)->is_compensation);
	reply(&f, "succeeded");
	fake_turns(f.engine);
	assert_int_equal(state_of(&f), SAGA_STATE_COMPENSATED);
	assert_int_equal(fake_sent_of(f.world, f.id, "charge", true), 0);
	fake_saga_end(&f);
}

static void several_events_of_one_saga_are_one_change(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	size_t commits = f.world->commits;
	struct fake_sent charge = *fake_last_sent(f.world, f.id);

	(void)unused;
	/* The second reply answers a command that is only decided by the first: as after a restart with a backlog. */
	reply(&f, "succeeded");
	for (size_t i = 0; i < charge.record.header_count; i++) {
		struct bus_header *header = (struct bus_header *)&charge.record.headers[i];

		if (strcmp(header->name, "saga-step") == 0)
			header->value = bytes_of_text("charge");
	}
	fake_reply(f.world, f.engine, &charge, "succeeded", NULL);
	fake_turns(f.engine);
	assert_int_equal(f.world->commits, commits + 1);
	assert_int_equal(fake_find_row(f.world, f.id)->row.version, 3);
	assert_string_equal(fake_last_sent(f.world, f.id)->step, "confirm");
	assert_int_equal(fake_sent_of(f.world, f.id, "charge", false), 1); /* I7: each committed command is sent */
	fake_saga_end(&f);
}

static void a_duplicate_reply_changes_nothing_and_sends_nothing(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	const struct fake_sent *first = fake_last_sent(f.world, f.id);

	(void)unused;
	fake_reply(f.world, f.engine, first, "succeeded", NULL);
	fake_turns(f.engine);
	fake_reply(f.world, f.engine, first, "succeeded", NULL);
	fake_reply(f.world, f.engine, first, "rejected", NULL);
	fake_turns(f.engine);
	assert_int_equal(f.world->sent_count, 2);
	assert_int_equal(fake_find_row(f.world, f.id)->row.version, 2);
	assert_int_equal(f.world->batches_done, 3);
	assert_int_equal(fake_metric(f.world, "saga_replies_ignored_total{why=\"no_effect\"}"), 2);
	fake_saga_end(&f);
}

static void another_instance_goes_on_with_a_saga_that_this_one_has_cached(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct engine *other = fake_engine_new(f.world, "two");

	(void)unused;
	fake_reply(f.world, other, fake_last_sent(f.world, f.id), "succeeded", NULL);
	fake_turns(other);
	assert_string_equal(fake_last_sent(f.world, f.id)->step, "charge");
	/* To the first instance's cache this is a reply to a step that was never begun: it must read again. */
	reply(&f, "succeeded");
	fake_turns(f.engine);
	assert_string_equal(fake_last_sent(f.world, f.id)->step, "confirm");
	/* And now the other one's cache is old in a way that the core cannot see: the version tells. */
	fake_reply(f.world, other, fake_last_sent(f.world, f.id), "succeeded", NULL);
	fake_turns(other);
	assert_int_equal(state_of(&f), SAGA_STATE_COMPLETED);
	engine_free(other);
	fake_saga_end(&f);
}

static void a_lost_race_is_applied_again_on_what_the_winner_made(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct engine *other = fake_engine_new(f.world, "two");
	struct fake_answer ignored = {0};

	(void)unused;
	/* Both have version 1 in their caches; both get the same reply. */
	engine_get_saga(other, f.id, 0, fake_get_done, &ignored);
	fake_turns(other);
	fake_reply(f.world, other, fake_last_sent(f.world, f.id), "succeeded", NULL);
	reply(&f, "succeeded");
	fake_turns(f.engine);
	fake_turns(other);
	assert_int_equal(fake_find_row(f.world, f.id)->row.version, 2);
	assert_int_equal(fake_sent_of(f.world, f.id, "charge", false), 1);
	assert_int_equal(fake_metric(f.world, "saga_conflicts_total"), 1);
	assert_int_equal(f.world->batches_done, 2);
	engine_free(other);
	fake_saga_end(&f);
}

static void a_commit_that_was_lost_but_made_is_not_made_twice(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	f.world->fault = FAULT_LOST_APPLIED;
	reply(&f, "succeeded");
	fake_pass(f.world, f.engine, 500);
	assert_int_equal(fake_find_row(f.world, f.id)->row.version, 2);
	assert_int_equal(f.world->batches_done, 1);
	/* Nobody knows whether the command left; the sweep sends it. */
	fake_pass(f.world, f.engine, 10000);
	assert_true(fake_sent_of(f.world, f.id, "charge", false) >= 1);
	fake_saga_end(&f);
}

static void a_commit_that_was_lost_and_not_made_is_made_again(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	f.world->fault = FAULT_LOST_NOT_APPLIED;
	reply(&f, "succeeded");
	fake_pass(f.world, f.engine, 500);
	assert_int_equal(fake_find_row(f.world, f.id)->row.version, 2);
	assert_int_equal(fake_sent_of(f.world, f.id, "charge", false), 1);
	assert_int_equal(f.world->batches_done, 1);
	fake_saga_end(&f);
}

static void a_rolled_back_commit_is_tried_again_in_the_same_turn(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	f.world->fault = FAULT_ROLLED_BACK;
	reply(&f, "succeeded");
	(void)engine_turn(f.engine);
	assert_int_equal(fake_find_row(f.world, f.id)->row.version, 2);
	fake_saga_end(&f);
}

static void replies_wait_while_the_store_is_away(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	f.world->is_store_away = true;
	reply(&f, "succeeded");
	fake_pass(f.world, f.engine, 3000);
	assert_int_equal(f.world->batches_done, 0);
	assert_int_equal(f.world->sent_count, 1);
	f.world->is_store_away = false;
	fake_pass(f.world, f.engine, 1500);
	assert_int_equal(f.world->batches_done, 1);
	assert_string_equal(fake_last_sent(f.world, f.id)->step, "charge");
	fake_saga_end(&f);
}

static void a_refused_change_does_not_block_the_others(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct fake_answer others[5];

	(void)unused;
	for (int i = 0; i < 5; i++) {
		char key[8] = {'o', (char)('0' + i)};

		fake_start(f.engine, key, "input", &others[i]);
	}
	fake_turns(f.engine);
	f.world->refused_detail = "bad";
	fake_reply(f.world, f.engine, fake_last_sent(f.world, f.id), "rejected", "bad");
	for (int i = 0; i < 5; i++)
		fake_reply(f.world, f.engine, fake_last_sent(f.world, others[i].saga_id), "succeeded", NULL);
	fake_turns(f.engine);
	for (int i = 0; i < 5; i++)
		assert_int_equal(fake_find_row(f.world, others[i].saga_id)->row.version, 2);
	assert_int_equal(fake_find_row(f.world, f.id)->row.version, 1);
	assert_int_equal(f.world->batches_done, 6);
	assert_int_equal(fake_metric(f.world, "saga_refused_total"), 1);
	fake_saga_end(&f);
}

static void the_good_events_of_a_refused_change_go_through(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	f.world->refused_detail = "bad";
	fake_reply(f.world, f.engine, fake_last_sent(f.world, f.id), "retriable", "bad");
	reply(&f, "succeeded");
	fake_turns(f.engine);
	assert_int_equal(fake_find_row(f.world, f.id)->row.version, 2);
	assert_string_equal(fake_last_sent(f.world, f.id)->step, "charge");
	assert_int_equal(f.world->batches_done, 2);
	fake_saga_end(&f);
}

static void replies_of_unknown_sagas_and_steps_are_counted_and_let_go(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct fake_sent stranger = *fake_last_sent(f.world, f.id);
	struct bus_header headers[] = {
		{"saga-id", bytes_of_text("01890a5d-ac96-774b-bcce-b302099a8057")},
		{"saga-step", bytes_of_text("create")},
		{"saga-phase", bytes_of_text("forward")},
		{"saga-attempt", bytes_of_text("1")},
	};

	(void)unused;
	stranger.record.headers = headers;
	stranger.record.header_count = 4;
	fake_reply(f.world, f.engine, &stranger, "succeeded", NULL);
	fake_turns(f.engine);
	assert_int_equal(fake_metric(f.world, "saga_replies_ignored_total{why=\"unknown_saga\"}"), 1);
	headers[0].value = bytes_of_text(fake_last_sent(f.world, f.id)->saga_id);
	headers[1].value = bytes_of_text("no-such-step");
	fake_reply(f.world, f.engine, &stranger, "succeeded", NULL);
	fake_turns(f.engine);
	assert_int_equal(fake_metric(f.world, "saga_replies_ignored_total{why=\"unknown_step\"}"), 1);
	assert_int_equal(f.world->batches_done, 2);
	fake_saga_end(&f);
}

static void replies_that_cannot_be_understood_are_rejected_with_their_reason(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	const struct bus_record bare = {.topic = "replies"};

	(void)unused;
	fake_deliver(f.world, f.engine, &bare, 1); /* no headers */
	reply(&f, "sideways");                     /* no outcome */
	reply(&f, "succeeded");
	fake_turns(f.engine);
	assert_int_equal(fake_metric(f.world, "saga_replies_bad_total"), 2);
	assert_int_equal(f.world->rejected[BUS_REJECT_HEADERS], 1);
	assert_int_equal(f.world->rejected[BUS_REJECT_OUTCOME], 1);
	assert_int_equal(f.world->batches_done, 3);
	/* `charge` keeps its reply, which must be in wire format. */
	fake_deliver(f.world, f.engine,
		     &(struct bus_record){.topic = "replies",
					  .value = bytes_of_text("{}"),
					  .headers =
						  (struct bus_header[]){
							  {"saga-id", bytes_of_text(f.world->sent[0].saga_id)},
							  {"saga-step", bytes_of_text("charge")},
							  {"saga-phase", bytes_of_text("forward")},
							  {"saga-attempt", bytes_of_text("1")},
							  {"saga-outcome", bytes_of_text("succeeded")},
						  },
					  .header_count = 5},
		     1);
	fake_turns(f.engine);
	assert_int_equal(fake_metric(f.world, "saga_replies_bad_total"), 3);
	assert_int_equal(f.world->rejected[BUS_REJECT_VALUE], 1);
	assert_int_equal(fake_find_row(f.world, f.id)->row.version, 2);
	fake_saga_end(&f);
}

static void what_is_unsettled_at_the_end_is_given_back(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	f.world->is_store_away = true;
	reply(&f, "succeeded");
	(void)engine_turn(f.engine);
	reply(&f, "succeeded"); /* still in the queue */
	engine_drain(f.engine, 0);
	assert_int_equal(f.world->batches_abandoned, 2);
	assert_int_equal(f.world->batches_done, 0);
	fake_saga_end(&f);
}

/* The bus may be in the middle of reading when the engine ends. */
static void what_comes_after_the_end_is_given_back_at_once(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	engine_drain(f.engine, 0);
	reply(&f, "succeeded");
	assert_int_equal(f.world->batches_abandoned, 1);
	assert_int_equal(f.world->batches_done, 0);
	fake_saga_end(&f);
}

static void the_threads_run_turns_and_drain(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct error err;

	(void)unused;
	assert_int_equal(engine_run(f.engine, &err), 0);
	reply(&f, "succeeded");
	engine_drain(f.engine, 10000);
	assert_int_equal(f.world->batches_done, 1);
	assert_int_equal(fake_find_row(f.world, f.id)->row.version, 2);
	fake_saga_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_saga_runs_from_start_to_completed),
		cmocka_unit_test(a_refusal_compensates_in_reverse_order),
		cmocka_unit_test(several_events_of_one_saga_are_one_change),
		cmocka_unit_test(a_duplicate_reply_changes_nothing_and_sends_nothing),
		cmocka_unit_test(another_instance_goes_on_with_a_saga_that_this_one_has_cached),
		cmocka_unit_test(a_lost_race_is_applied_again_on_what_the_winner_made),
		cmocka_unit_test(a_commit_that_was_lost_but_made_is_not_made_twice),
		cmocka_unit_test(a_commit_that_was_lost_and_not_made_is_made_again),
		cmocka_unit_test(a_rolled_back_commit_is_tried_again_in_the_same_turn),
		cmocka_unit_test(replies_wait_while_the_store_is_away),
		cmocka_unit_test(a_refused_change_does_not_block_the_others),
		cmocka_unit_test(the_good_events_of_a_refused_change_go_through),
		cmocka_unit_test(replies_of_unknown_sagas_and_steps_are_counted_and_let_go),
		cmocka_unit_test(replies_that_cannot_be_understood_are_rejected_with_their_reason),
		cmocka_unit_test(what_is_unsettled_at_the_end_is_given_back),
		cmocka_unit_test(what_comes_after_the_end_is_given_back_at_once),
		cmocka_unit_test(the_threads_run_turns_and_drain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
