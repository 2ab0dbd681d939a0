/* room_test.c - who is let in, who waits, and whose turn it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/engine/room.h"
#include "tests/unit/coordinator/saga/saga_fixture.h"

static const struct limit_rule PAYMENT_RULES[] = {{"payment", 2}, {"stock", 0}};

/* Sagas of two definitions, each with one step that pays. */
struct fixture {
	struct room room;
	struct world flood;
	struct world other;
	struct plan plans[2];
	struct plan_step steps[1];
};

static void begin(struct fixture *f, int64_t max)
{
	const struct limit_rules rules = {max, PAYMENT_RULES, 2};

	*f = (struct fixture){0};
	room_init(&f->room, &rules);
	f->flood = world_of("c");
	f->other = world_of("c");
	f->steps[0].commands[STEP_PHASE_FORWARD].topic = "payment.charge.command";
	f->steps[0].commands[STEP_PHASE_COMPENSATION].topic = "payment.refund.command";
	f->plans[0] = (struct plan){.definition = f->flood.definition, .steps = f->steps};
	f->plans[1] = (struct plan){.definition = f->other.definition, .steps = f->steps};
	f->plans[0].definition.name = "flood";
	f->plans[1].definition.name = "other";
}

static void end(struct fixture *f)
{
	room_release(&f->room);
	world_release(&f->flood);
	world_release(&f->other);
}

static struct room_command charge(uint8_t number)
{
	return (struct room_command){{{number}}, 0, STEP_PHASE_FORWARD, "payment.charge.command"};
}

static bool take(struct fixture *f, uint8_t number)
{
	const struct room_command command = charge(number);

	return room_take(&f->room, &command);
}

/* The saga's row says that its command is in flight, or waits. */
static void store(struct fixture *f, int plan, uint8_t number, enum step_state state)
{
	struct step step = {.state = state, .due_us = 1000, .deadline_us = 2000};
	struct saga saga = {
		.id = {{number}}, .version = 3, .state = SAGA_STATE_RUNNING, .step_count = 1, .steps = &step};

	room_sync(&f->room, &f->plans[plan], &saga);
}

static void send_and_store(struct fixture *f, int plan, uint8_t number)
{
	assert_true(take(f, number));
	store(f, plan, number, STEP_STATE_DISPATCHED);
}

static uint8_t next(struct fixture *f)
{
	struct room_command command;

	return room_next(&f->room, &command) ? command.saga_id.data[0] : 0;
}

static void lets_in_as_many_as_the_limit_and_then_as_places_become_free(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 0);
	send_and_store(&f, 0, 1);
	send_and_store(&f, 0, 2);
	assert_false(take(&f, 3));
	assert_true(take(&f, 2)); /* it is counted already */
	store(&f, 0, 1, STEP_STATE_SUCCEEDED);
	assert_true(take(&f, 3));
	assert_false(take(&f, 4));
	end(&f);
}

static void limits_a_participant_by_its_rule_and_the_others_by_the_default(void **state)
{
	const char *const topics[] = {"stock.take.command", "stock", "mail.send.command"};
	struct fixture f;

	(void)state;
	begin(&f, 1);
	assert_false(room_is_limited(&f.room, topics[0]));
	assert_false(room_is_limited(&f.room, topics[1]));
	assert_true(room_is_limited(&f.room, topics[2]));
	assert_true(room_is_limited(&f.room, "payment.refund.command"));
	end(&f);
}

static void shares_one_limit_between_all_topics_of_a_participant(void **state)
{
	const struct room_command refund = {{{9}}, 0, STEP_PHASE_COMPENSATION, "payment.refund.command"};
	struct fixture f;

	(void)state;
	begin(&f, 0);
	send_and_store(&f, 0, 1);
	send_and_store(&f, 0, 2);
	assert_false(room_take(&f.room, &refund));
	end(&f);
}

static void goes_round_between_definitions_whatever_their_numbers(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 0);
	send_and_store(&f, 0, 1);
	send_and_store(&f, 0, 2);
	for (uint8_t i = 10; i < 60; i++)
		store(&f, 0, i, STEP_STATE_HELD);
	store(&f, 1, 100, STEP_STATE_HELD);
	store(&f, 1, 101, STEP_STATE_HELD);
	assert_int_equal(f.room.waiting, 52);
	assert_int_equal(next(&f), 0);
	store(&f, 0, 1, STEP_STATE_SUCCEEDED);
	store(&f, 0, 2, STEP_STATE_SUCCEEDED);
	assert_int_equal(next(&f), 10);
	assert_int_equal(next(&f), 100);
	store(&f, 0, 10, STEP_STATE_SUCCEEDED);
	store(&f, 1, 100, STEP_STATE_SUCCEEDED);
	assert_int_equal(next(&f), 11);
	assert_int_equal(next(&f), 101);
	end(&f);
}

static void lets_nobody_overtake_those_who_wait(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 0);
	send_and_store(&f, 0, 1);
	send_and_store(&f, 0, 2);
	store(&f, 0, 3, STEP_STATE_HELD);
	store(&f, 0, 1, STEP_STATE_SUCCEEDED);
	assert_false(take(&f, 4));
	assert_int_equal(next(&f), 3);
	end(&f);
}

static void puts_back_what_was_let_in_and_not_stored(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 0);
	assert_true(take(&f, 1));
	assert_true(take(&f, 2));
	room_end_turn(&f.room);
	for (uint8_t i = 10; i < 14; i++)
		store(&f, 0, i, STEP_STATE_HELD);
	assert_int_equal(next(&f), 10);
	assert_int_equal(next(&f), 11);
	room_end_turn(&f.room);
	assert_int_equal(next(&f), 10);
	assert_int_equal(next(&f), 11);
	assert_int_equal(next(&f), 0);
	end(&f);
}

static void counts_what_was_sent_all_the_same(void **state)
{
	const struct room_command again = charge(1);
	struct fixture f;

	(void)state;
	begin(&f, 0);
	send_and_store(&f, 0, 2);
	send_and_store(&f, 0, 3);
	room_count(&f.room, &again);
	store(&f, 0, 1, STEP_STATE_DISPATCHED);
	store(&f, 0, 2, STEP_STATE_SUCCEEDED);
	assert_false(take(&f, 4));
	store(&f, 0, 3, STEP_STATE_SUCCEEDED);
	assert_true(take(&f, 4));
	end(&f);
}

static void lets_nobody_in_while_it_is_closed(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 0);
	f.room.is_closed = true;
	assert_false(take(&f, 1));
	store(&f, 0, 1, STEP_STATE_HELD);
	assert_int_equal(next(&f), 0);
	f.room.is_closed = false;
	assert_int_equal(next(&f), 1);
	end(&f);
}

static void knows_what_waits_for_nothing_else(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 0);
	store(&f, 0, 1, STEP_STATE_HELD);
	assert_true(room_has(&f.room, (struct uuid){{1}}, 3, 5000));
	assert_false(room_has(&f.room, (struct uuid){{1}}, 4, 5000));
	assert_false(room_has(&f.room, (struct uuid){{2}}, 3, 5000));
	end(&f);
}

static void names_whom_to_look_at_only_while_somebody_waits(void **state)
{
	struct uuid ids[4];
	struct fixture f;

	(void)state;
	begin(&f, 0);
	send_and_store(&f, 0, 1);
	send_and_store(&f, 0, 2);
	assert_int_equal(room_poll(&f.room, ids, 4), 0);
	store(&f, 0, 3, STEP_STATE_HELD);
	assert_int_equal(room_poll(&f.room, ids, 1), 1);
	assert_int_equal(ids[0].data[0], 1);
	assert_int_equal(room_poll(&f.room, ids, 4), 2);
	assert_int_equal(ids[0].data[0], 2);
	room_forget(&f.room, ids[0]);
	assert_int_equal(next(&f), 3);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lets_in_as_many_as_the_limit_and_then_as_places_become_free),
		cmocka_unit_test(limits_a_participant_by_its_rule_and_the_others_by_the_default),
		cmocka_unit_test(shares_one_limit_between_all_topics_of_a_participant),
		cmocka_unit_test(goes_round_between_definitions_whatever_their_numbers),
		cmocka_unit_test(lets_nobody_overtake_those_who_wait),
		cmocka_unit_test(puts_back_what_was_let_in_and_not_stored),
		cmocka_unit_test(counts_what_was_sent_all_the_same),
		cmocka_unit_test(lets_nobody_in_while_it_is_closed),
		cmocka_unit_test(knows_what_waits_for_nothing_else),
		cmocka_unit_test(names_whom_to_look_at_only_while_somebody_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
