/* log_rules_test.c - logs of sagas that went back pass; the same logs in another order do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "coordinator/check/log_rules.h"
#include "tests/unit/coordinator/saga/saga_fixture.h"

enum { ENTRIES_MAX = 16 };

struct fixture {
	struct world world;
	struct replay_entry entries[ENTRIES_MAX];
	size_t count;
};

static void note(struct fixture *f, enum saga_event_type type, int32_t step, enum step_phase phase)
{
	f->entries[f->count++] = (struct replay_entry){
		.sequence = f->world.saga->version,
		.step_id = step >= 0 ? f->world.definition.steps[step].id : NULL,
		.event = {.type = type, .time_us = f->world.saga->updated_us, .step = step, .phase = phase},
		.state = f->world.saga->state,
	};
}

static void reply(struct fixture *f, enum saga_event_type type, int32_t step, enum step_phase phase)
{
	f->world.now_us++;
	assert_applied(world_reply(&f->world, type, step, phase));
	note(f, type, step, phase);
}

static struct fixture *begin(const char *kinds)
{
	static struct fixture fixture;

	fixture = (struct fixture){.world = world_of(kinds)};
	note(&fixture, SAGA_EVENT_STARTED, -1, FORWARD);
	return &fixture;
}

/* a, b and c are done, the pivot is refused; c, b and a are undone: entries 6, 7, 8. */
static struct fixture *went_back(void)
{
	struct fixture *f = begin("cccp");

	for (int32_t step = 0; step < 3; step++)
		reply(f, SAGA_EVENT_SUCCEEDED, step, FORWARD);
	reply(f, SAGA_EVENT_REJECTED, 3, FORWARD);
	for (int32_t step = 3; step-- > 0;)
		reply(f, SAGA_EVENT_SUCCEEDED, step, COMPENSATION);
	return f;
}

static const char *check(struct fixture *f)
{
	return log_rules_check(&f->world.definition, f->entries, f->count, &f->world.arena);
}

static void assert_found(struct fixture *f, const char *why)
{
	const char *found = check(f);

	assert_non_null(found);
	assert_string_equal(found, why);
	world_release(&f->world);
}

static void assert_clean(struct fixture *f)
{
	const char *found = check(f);

	if (found)
		fail_msg("%s", found);
	world_release(&f->world);
}

static void undoing_in_the_reverse_order_is_good(void **state)
{
	(void)state;
	assert_clean(went_back());
}

static void undoing_in_the_order_of_doing_is_found(void **state)
{
	struct fixture *f = went_back();
	const char *first = f->entries[5].step_id;

	(void)state;
	f->entries[5].step_id = f->entries[7].step_id;
	f->entries[7].step_id = first;
	assert_found(f, "I3: entry 6 undoes step 'a' before entry 7 undoes 'b', which came after it");
}

static void parallel_steps_are_undone_in_any_order(void **state)
{
	struct fixture *f = begin("(cc)p");

	(void)state;
	reply(f, SAGA_EVENT_SUCCEEDED, 0, FORWARD);
	reply(f, SAGA_EVENT_SUCCEEDED, 1, FORWARD);
	reply(f, SAGA_EVENT_REJECTED, 2, FORWARD);
	reply(f, SAGA_EVENT_SUCCEEDED, 0, COMPENSATION);
	reply(f, SAGA_EVENT_SUCCEEDED, 1, COMPENSATION);
	assert_clean(f);
}

static void undoing_while_going_forward_is_found(void **state)
{
	struct fixture *f = begin("ccp");

	(void)state;
	reply(f, SAGA_EVENT_SUCCEEDED, 0, FORWARD);
	f->entries[1].event.phase = COMPENSATION;
	assert_found(f, "I3: entry 2 undoes step 'a' of a saga that is RUNNING");
}

static void undoing_what_has_no_compensation_is_found(void **state)
{
	struct fixture *f = begin("ccp");

	(void)state;
	reply(f, SAGA_EVENT_SUCCEEDED, 0, FORWARD);
	reply(f, SAGA_EVENT_SUCCEEDED, 1, FORWARD);
	reply(f, SAGA_EVENT_REJECTED, 2, FORWARD);
	f->entries[3].event.phase = COMPENSATION;
	assert_found(f, "I3: entry 4 undoes step 'c', which has no compensation");
}

static void a_log_that_goes_on_after_the_end_is_found(void **state)
{
	struct fixture *f = went_back();

	(void)state;
	f->entries[f->count] = f->entries[f->count - 1];
	f->count++;
	assert_found(f, "I1: it ended COMPENSATED with entry 8, and yet entry 9 (succeeded) follows");
}

static void time_that_goes_back_is_found(void **state)
{
	struct fixture *f = went_back();

	(void)state;
	f->entries[3].event.time_us -= 5000000;
	assert_found(f, "I12: entry 4 is 4999 ms older than the one before it");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(undoing_in_the_reverse_order_is_good),
		cmocka_unit_test(undoing_in_the_order_of_doing_is_found),
		cmocka_unit_test(parallel_steps_are_undone_in_any_order),
		cmocka_unit_test(undoing_while_going_forward_is_found),
		cmocka_unit_test(undoing_what_has_no_compensation_is_found),
		cmocka_unit_test(a_log_that_goes_on_after_the_end_is_found),
		cmocka_unit_test(time_that_goes_back_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
