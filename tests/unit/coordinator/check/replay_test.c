/* replay_test.c - a log that leads to its row is good; whatever is changed in it, or in the row, is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "coordinator/check/replay.h"
#include "tests/unit/coordinator/saga/saga_fixture.h"

enum { ENTRIES_MAX = 16 };

/* A saga whose second step was refused, so that the first was undone; with its log as the database has it. */
struct fixture {
	struct world world;
	struct buffer data;
	struct replay_entry entries[ENTRIES_MAX];
	size_t count;
	const char *why;
};

static void note(struct fixture *f, const struct saga_event *event)
{
	const struct saga *saga = f->world.saga;

	f->entries[f->count++] = (struct replay_entry){
		.sequence = saga->version,
		.step_id = event->step >= 0 ? f->world.definition.steps[event->step].id : NULL,
		.event = *event,
		.state = saga->state,
	};
	f->entries[f->count - 1].event.step = -1;
	buffer_clear(&f->data);
	saga_encode(saga, &f->data);
}

static void apply(struct fixture *f, enum saga_event_type type, int32_t step, enum step_phase phase)
{
	struct saga_event event = {.type = type,
				   .time_us = ++f->world.now_us,
				   .step = step,
				   .phase = phase,
				   .attempt = f->world.saga->steps[step].attempts[phase],
				   .reason = type == SAGA_EVENT_REJECTED ? "no_luck" : NULL};

	assert_int_equal(world_apply(&f->world, &event), SAGA_VERDICT_APPLIED);
	note(f, &event);
}

static int set_up(void **state)
{
	static struct fixture fixture;
	const struct saga_event started = {.type = SAGA_EVENT_STARTED, .time_us = 1000000, .step = -1};
	struct fixture *f = &fixture;

	*f = (struct fixture){0};
	world_init(&f->world, "ccp");
	world_start(&f->world);
	note(f, &started);
	apply(f, SAGA_EVENT_SUCCEEDED, 0, FORWARD);
	apply(f, SAGA_EVENT_REJECTED, 1, FORWARD);
	apply(f, SAGA_EVENT_SUCCEEDED, 0, COMPENSATION);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	buffer_release(&f->data);
	world_release(&f->world);
	return 0;
}

static enum replay_result check(struct fixture *f)
{
	return replay_check(&f->world.definition, buffer_bytes(&f->data), f->world.saga->state, f->entries, f->count,
			    &f->world.arena, &f->why);
}

static void assert_bad(struct fixture *f, const char *words)
{
	assert_int_equal(check(f), REPLAY_BAD);
	if (!strstr(f->why, words))
		fail_msg("'%s' does not say '%s'", f->why, words);
}

static void a_log_that_leads_to_its_row_is_good(void **state)
{
	assert_int_equal(check(*state), REPLAY_GOOD);
}

static void a_gap_is_found(void **state)
{
	struct fixture *f = *state;

	f->entries[2].sequence = 4;
	assert_bad(f, "I9: the log has entry 4 where 3 should be");
}

static void an_end_that_is_missing_is_found(void **state)
{
	struct fixture *f = *state;

	f->count--;
	assert_bad(f, "I9: the row has version 4, the log 3 entries");
}

static void a_log_that_begins_in_the_middle_is_found(void **state)
{
	struct fixture *f = *state;

	f->entries[0].event.type = SAGA_EVENT_RETRY;
	assert_bad(f, "I5: a log begins with a start, not with 'retried'");
}

static void an_entry_that_cannot_have_happened_is_found(void **state)
{
	struct fixture *f = *state;

	f->entries[3].event.phase = FORWARD;
	assert_bad(f, "I5: entry 4 (succeeded) cannot have happened to a saga that is COMPENSATING: the step is being "
		      "compensated");
}

static void a_timer_before_its_time_is_found(void **state)
{
	struct fixture *f = *state;

	f->entries[1].event.type = SAGA_EVENT_TIMED_OUT;
	assert_bad(f, "I12: entry 2 (timed_out) came 10000 ms before its time");
}

static void a_state_that_is_not_what_the_log_says_is_found(void **state)
{
	struct fixture *f = *state;

	f->entries[1].state = SAGA_STATE_COMPLETING;
	assert_bad(f, "I5: after entry 2 the saga was RUNNING, by the log COMPLETING");
}

static void a_row_that_is_not_what_the_log_leads_to_is_found(void **state)
{
	struct fixture *f = *state;

	f->entries[2].event.reason = "another";
	assert_bad(f, "I5: the row is not what the log leads to");
}

static void a_row_of_two_minds_is_found(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(replay_check(&f->world.definition, buffer_bytes(&f->data), SAGA_STATE_RUNNING, f->entries,
				      f->count, &f->world.arena, &f->why),
			 REPLAY_BAD);
	assert_string_equal(f->why, "I5: the row says RUNNING in one place and COMPENSATED in another");
}

static void a_step_of_another_definition_is_found(void **state)
{
	struct fixture *f = *state;

	f->entries[1].step_id = "other";
	assert_bad(f, "I5: entry 2 is about step 'other', which the definition does not have");
}

static void a_saga_without_a_log_is_found(void **state)
{
	struct fixture *f = *state;

	f->count = 0;
	assert_bad(f, "I9: the saga has no log");
}

static void what_an_earlier_program_stored_is_not_judged(void **state)
{
	struct fixture *f = *state;

	((uint8_t *)f->data.data)[0] = 1;
	assert_int_equal(check(f), REPLAY_OLD);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_log_that_leads_to_its_row_is_good),
		TEST(a_gap_is_found),
		TEST(an_end_that_is_missing_is_found),
		TEST(a_log_that_begins_in_the_middle_is_found),
		TEST(an_entry_that_cannot_have_happened_is_found),
		TEST(a_timer_before_its_time_is_found),
		TEST(a_state_that_is_not_what_the_log_says_is_found),
		TEST(a_row_that_is_not_what_the_log_leads_to_is_found),
		TEST(a_row_of_two_minds_is_found),
		TEST(a_step_of_another_definition_is_found),
		TEST(a_saga_without_a_log_is_found),
		TEST(what_an_earlier_program_stored_is_not_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
