/* definition_test.c - what sagas can be run by, and how long they wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "coordinator/saga/retry.h"
#include "tests/unit/coordinator/saga/saga_fixture.h"

static void assert_not_checked(const struct definition *definition, const char *message)
{
	struct error err;

	assert_int_equal(definition_check(definition, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_string_equal(err.msg, message);
}

static void finds_the_pivot(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, "ccpr");
	assert_int_equal(definition_pivot(&world.definition), 2);
	world_release(&world);
	world_init(&world, "ccr");
	assert_int_equal(definition_pivot(&world.definition), -1);
	world_release(&world);
}

static void refuses_what_no_saga_can_be_run_by(void **state)
{
	struct world world;
	struct error err;

	(void)state;
	world_init(&world, "ccpr");
	assert_int_equal(definition_check(&world.definition, &err), 0);
	world.steps[3].kind = STEP_KIND_PIVOT;
	assert_not_checked(&world.definition, "pivot step 'd' cannot follow pivot step 'c'");
	world.steps[3].kind = STEP_KIND_COMPENSATABLE;
	assert_not_checked(&world.definition, "compensatable step 'd' cannot follow pivot step 'c'");
	world.steps[3].kind = STEP_KIND_RETRIABLE;
	world.steps[3].id = "a";
	assert_not_checked(&world.definition, "step 'a' exists twice");
	world.steps[3].id = "";
	assert_not_checked(&world.definition, "step 3 needs an id of 1 to 255 bytes");
	world.steps[3].id = "d";
	world.steps[3].policy[STEP_PHASE_FORWARD].attempts_max = 0;
	assert_not_checked(&world.definition, "step 'd' has an unusable forward policy");
	world.definition.step_count = 0;
	assert_not_checked(&world.definition, "a definition has 1 to 256 steps, not 0");
	world_release(&world);
}

static void refuses_each_policy_that_cannot_be_used(void **state)
{
	const int64_t too_long = COMMAND_DURATION_MS_MAX + 1;
	struct world world;
	struct command_policy good;

	(void)state;
	world_init(&world, "cpr");
	good = world.steps[1].policy[STEP_PHASE_FORWARD];
	const struct command_policy bad[] = {
		{0, good.resend_ms, good.resend_max_ms, good.retry_backoff_ms, good.retry_backoff_max_ms, 3},
		{too_long, good.resend_ms, good.resend_max_ms, good.retry_backoff_ms, good.retry_backoff_max_ms, 3},
		{good.timeout_ms, 0, good.resend_max_ms, good.retry_backoff_ms, good.retry_backoff_max_ms, 3},
		{good.timeout_ms, good.resend_ms, good.resend_ms - 1, good.retry_backoff_ms, good.retry_backoff_max_ms,
		 3},
		{good.timeout_ms, good.resend_ms, too_long, good.retry_backoff_ms, good.retry_backoff_max_ms, 3},
		{good.timeout_ms, good.resend_ms, good.resend_max_ms, 0, good.retry_backoff_max_ms, 3},
		{good.timeout_ms, good.resend_ms, good.resend_max_ms, good.retry_backoff_ms, good.retry_backoff_ms - 1,
		 3},
		{good.timeout_ms, good.resend_ms, good.resend_max_ms, good.retry_backoff_ms, too_long, 3},
		{good.timeout_ms, good.resend_ms, good.resend_max_ms, good.retry_backoff_ms, good.retry_backoff_max_ms,
		 0},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		world.steps[1].policy[STEP_PHASE_FORWARD] = bad[i];
		assert_not_checked(&world.definition, "step 'b' has an unusable forward policy");
	}
	world_release(&world);
}

static void takes_inquiries_only_where_an_outcome_can_stay_unknown(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, "qspr");
	world.steps[1].has_inquiry = true;
	assert_not_checked(&world.definition, "step 'b' is never given up as unknown: it needs no inquiry");
	world.steps[1].has_inquiry = false;
	world.steps[2].has_inquiry = true;
	assert_not_checked(&world.definition, "step 'c' is never given up as unknown: it needs no inquiry");
	world.steps[2].has_inquiry = false;
	world.steps[0].policy[STEP_PHASE_INQUIRY].attempts_max = 0;
	assert_not_checked(&world.definition, "step 'a' has an unusable inquiry policy");
	world_release(&world);
}

static void refuses_steps_and_times_that_mean_nothing(void **state)
{
	char long_id[STEP_ID_BYTES_MAX + 2];
	static const int32_t unsorted[] = {1, 0};
	static const int32_t itself[] = {2};
	static const int32_t negative[] = {-1};
	struct world world;
	struct error err;

	(void)state;
	memset(long_id, 'x', sizeof(long_id) - 1);
	long_id[sizeof(long_id) - 1] = 0;
	world_init(&world, "ccc");
	world.steps[2].id = NULL;
	assert_not_checked(&world.definition, "step 2 needs an id of 1 to 255 bytes");
	world.steps[2].id = long_id;
	assert_not_checked(&world.definition, "step 2 needs an id of 1 to 255 bytes");
	world.steps[2].id = "c";
	world.steps[2].kind = STEP_KIND_COUNT;
	assert_int_equal(definition_check(&world.definition, &err), -1);
	world.steps[2].kind = STEP_KIND_COMPENSATABLE;
	world.steps[2].action = STEP_ACTION_COUNT;
	assert_int_equal(definition_check(&world.definition, &err), -1);
	world.steps[2].action = STEP_ACTION_DELAY; /* and has a compensation */
	assert_int_equal(definition_check(&world.definition, &err), -1);
	world.steps[2].has_compensation = false;
	assert_int_equal(definition_check(&world.definition, &err), 0);
	world.steps[2].kind = STEP_KIND_PIVOT;
	assert_int_equal(definition_check(&world.definition, &err), -1);
	world.steps[2].kind = STEP_KIND_COMPENSATABLE;
	world.steps[2].after = unsorted;
	world.steps[2].after_count = 2;
	assert_int_equal(definition_check(&world.definition, &err), -1);
	world.steps[2].after = itself;
	world.steps[2].after_count = 1;
	assert_int_equal(definition_check(&world.definition, &err), -1);
	world.steps[2].after = negative;
	assert_int_equal(definition_check(&world.definition, &err), -1);
	world.steps[2].after = NULL;
	world.definition.timeout_ms = -1;
	assert_int_equal(definition_check(&world.definition, &err), -1);
	world.definition.timeout_ms = COMMAND_DURATION_MS_MAX + 1;
	assert_int_equal(definition_check(&world.definition, &err), -1);
	world.definition.timeout_ms = COMMAND_DURATION_MS_MAX;
	assert_int_equal(definition_check(&world.definition, &err), 0);
	world.definition.step_count = DEFINITION_STEPS_MAX + 1;
	assert_not_checked(&world.definition, "a definition has 1 to 256 steps, not 257");
	world_release(&world);
}

static void doubles_waits_up_to_the_limit_within_a_fifth(void **state)
{
	static const int64_t expected_ms[] = {100, 200, 400, 800, 1000, 1000};
	struct retry_seed seed = {.saga_id = {{7}}, .step = 1, .phase = STEP_PHASE_FORWARD, .attempt = 1};

	(void)state;
	for (int32_t i = 0; i < 6; i++) {
		for (seed.attempt = 1; seed.attempt < 500; seed.attempt++) {
			const int64_t wait_us = retry_wait_us(100, 1000, i, &seed);

			assert_in_range(wait_us, expected_ms[i] * 800, expected_ms[i] * 1200 + 1);
		}
	}
	assert_in_range(retry_wait_us(1, COMMAND_DURATION_MS_MAX, INT32_MAX, &seed), 1, INT64_MAX);
}

static void spreads_sagas_over_the_whole_range_and_repeats_itself(void **state)
{
	struct retry_seed seed = {.step = 0, .attempt = 1};
	size_t parts[8] = {0};

	(void)state;
	for (int i = 0; i < 800; i++) {
		int64_t wait_us;

		seed.saga_id.data[15] = (uint8_t)i;
		seed.saga_id.data[14] = (uint8_t)(i >> 8);
		wait_us = retry_wait_us(1000, 1000, 0, &seed);
		assert_int_equal(wait_us, retry_wait_us(1000, 1000, 0, &seed));
		parts[(wait_us - 800001) * 8 / 400000]++;
	}
	for (int i = 0; i < 8; i++)
		assert_in_range(parts[i], 60, 140);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_pivot),
		cmocka_unit_test(refuses_what_no_saga_can_be_run_by),
		cmocka_unit_test(refuses_each_policy_that_cannot_be_used),
		cmocka_unit_test(takes_inquiries_only_where_an_outcome_can_stay_unknown),
		cmocka_unit_test(refuses_steps_and_times_that_mean_nothing),
		cmocka_unit_test(doubles_waits_up_to_the_limit_within_a_fifth),
		cmocka_unit_test(spreads_sagas_over_the_whole_range_and_repeats_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
