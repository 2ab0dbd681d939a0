/* stuck_groups_test.c - stuck steps are counted by cause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "coordinator/api/stuck_groups.h"
#include "lib/base/memory.h"

static const struct step_definition STEPS[] = {{.id = "pay"}, {.id = "ship"}};
static const struct plan PLAN = {
	.definition = {.name = "checkout", .version = 3, .steps = STEPS, .step_count = ARRAY_LEN(STEPS)}};

/* One whose first step is done and whose second one is as given. */
static void add(struct stuck_groups *groups, uint8_t id, struct step second)
{
	struct step steps[] = {{.state = STEP_STATE_SUCCEEDED}, second};
	struct saga saga = {.id = {.data = {[15] = id}}, .step_count = ARRAY_LEN(steps), .steps = steps};

	stuck_groups_add(groups, &PLAN, &saga);
}

static struct step stuck_step(const char *reason, int64_t since_us)
{
	return (struct step){.state = STEP_STATE_STUCK,
			     .reason = reason,
			     .stuck_why = "all 10 attempts failed",
			     .updated_us = since_us};
}

static int make_arena(void **state)
{
	struct stuck_groups *groups = test_calloc(1, sizeof(*groups));

	groups->arena = test_calloc(1, sizeof(*groups->arena));
	*state = groups;
	return 0;
}

static int release_arena(void **state)
{
	struct stuck_groups *groups = *state;

	arena_release(groups->arena);
	test_free(groups->arena);
	test_free(groups);
	return 0;
}

static void steps_of_one_cause_are_one_group_with_the_oldest_saga(void **state)
{
	struct stuck_groups *groups = *state;

	groups->has_saga_ids = true;
	add(groups, 1, stuck_step("attempts_exhausted", 3000000));
	add(groups, 2, stuck_step("attempts_exhausted", 2000000));
	add(groups, 3, stuck_step("attempts_exhausted", 2000001));
	assert_int_equal(groups->count, 1);
	assert_string_equal(groups->items[0]->definition, "checkout");
	assert_int_equal(groups->items[0]->definition_version, 3);
	assert_string_equal(groups->items[0]->step_id, "ship");
	assert_int_equal(groups->items[0]->phase, SAGA__V1__STEP_PHASE__STEP_PHASE_FORWARD);
	assert_int_equal(groups->items[0]->state, SAGA__V1__STEP_STATE__STEP_STATE_STUCK);
	assert_string_equal(groups->items[0]->reason, "attempts_exhausted");
	assert_int_equal(groups->items[0]->count, 3);
	assert_int_equal(groups->items[0]->oldest_time->seconds, 2);
	assert_int_equal(groups->items[0]->oldest_time->nanos, 0);
	assert_string_equal(groups->items[0]->oldest_saga_id, "00000000-0000-0000-0000-000000000002");
	assert_int_equal(groups->items[0]->n_saga_ids, 3);
	assert_string_equal(groups->items[0]->saga_ids[0], "00000000-0000-0000-0000-000000000001");
	assert_string_equal(groups->items[0]->saga_ids[2], "00000000-0000-0000-0000-000000000003");
}

static void directions_reasons_and_violations_are_groups_of_their_own(void **state)
{
	struct stuck_groups *groups = *state;
	struct step undo = stuck_step("timed_out", 1);
	struct step violated = stuck_step("payment_declined", 1);

	undo.state = STEP_STATE_COMPENSATION_STUCK;
	violated.state = STEP_STATE_VIOLATED;
	add(groups, 1, stuck_step("timed_out", 1));
	add(groups, 2, undo);
	add(groups, 3, violated);
	add(groups, 4, stuck_step(NULL, 1));
	add(groups, 5, (struct step){.state = STEP_STATE_DISPATCHED});
	assert_int_equal(groups->count, 4);
	assert_int_equal(groups->items[1]->phase, SAGA__V1__STEP_PHASE__STEP_PHASE_COMPENSATION);
	assert_string_equal(groups->items[2]->reason, "violated");
	assert_string_equal(groups->items[3]->reason, "");
	assert_int_equal(groups->items[0]->n_saga_ids, 0); /* nobody asked for them */
}

static void only_what_is_asked_for_counts(void **state)
{
	struct stuck_groups *groups = *state;

	groups->reason = "timed_out";
	add(groups, 1, stuck_step("timed_out", 1));
	add(groups, 2, stuck_step("other", 1));
	groups->step_id = "pay";
	add(groups, 3, stuck_step("timed_out", 1));
	groups->step_id = "ship";
	groups->phase = SAGA__V1__STEP_PHASE__STEP_PHASE_COMPENSATION;
	add(groups, 4, stuck_step("timed_out", 1));
	assert_int_equal(groups->count, 1);
	assert_int_equal(groups->items[0]->count, 1);
}

static void a_few_different_texts_are_kept_as_samples(void **state)
{
	struct stuck_groups *groups = *state;
	const char *const details[] = {"a", "a", "failed", "c\xff", "d"}; /* the third says nothing new */

	for (size_t i = 0; i < ARRAY_LEN(details); i++) {
		struct step step = stuck_step("x", 1);

		step.detail = details[i];
		add(groups, (uint8_t)i, step);
	}
	assert_int_equal(groups->items[0]->n_samples, STUCK_SAMPLES_MAX);
	assert_string_equal(groups->items[0]->samples[0], "all 10 attempts failed: a");
	assert_string_equal(groups->items[0]->samples[1], "all 10 attempts failed");
	assert_string_equal(groups->items[0]->samples[2], "all 10 attempts failed: c?");
}

static void the_largest_group_is_first_and_what_cannot_be_read_is_told(void **state)
{
	struct stuck_groups *groups = *state;

	for (uint8_t i = 0; i < 40; i++) {
		static const char *const reasons[] = {"a", "b", "b", "c"};

		add(groups, i, stuck_step(reasons[i % 4], 100 - i));
	}
	stuck_groups_add_unreadable(groups, "refund", (struct uuid){.data = {9}}, "its bytes are cut");
	stuck_groups_sort(groups);
	assert_int_equal(groups->count, 4);
	assert_string_equal(groups->items[0]->reason, "b");
	assert_int_equal(groups->items[0]->count, 20);
	assert_string_equal(groups->items[1]->reason, "c"); /* as many as of a, but older */
	assert_string_equal(groups->items[3]->reason, "unreadable");
	assert_string_equal(groups->items[3]->definition, "refund");
	assert_string_equal(groups->items[3]->samples[0], "its bytes are cut");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_arena, release_arena)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(steps_of_one_cause_are_one_group_with_the_oldest_saga),
		TEST(directions_reasons_and_violations_are_groups_of_their_own),
		TEST(only_what_is_asked_for_counts),
		TEST(a_few_different_texts_are_kept_as_samples),
		TEST(the_largest_group_is_first_and_what_cannot_be_read_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
