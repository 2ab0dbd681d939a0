/*
 * log_room_test.c - a saga's log has an end, whatever its participants do.
 *
 * World:      definitions at their limits (256 steps, 1,000 attempts each, re-sends every millisecond for ten years), and
 *             participants that are silent, always ask for another attempt, or say anything at all, by chance.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/saga/log_room.h"
#include "coordinator/saga/saga.h"
#include "lib/base/memory.h"

enum { QUIET = 5000, SECOND = 1000000 };
enum temper { SILENT, RETRIABLE, NOISY, TEMPER_COUNT };

struct run {
	struct definition definition;
	struct step_definition steps[DEFINITION_STEPS_MAX];
	struct arena names;
	struct arena arenas[2]; /* in turn: a saga of the one is made of a saga of the other */
	struct saga *saga;
	bool used; /* which of them has the saga */
	int64_t now_us;
	uint64_t random;
};

/* splitmix64 */
static uint64_t draw(struct run *run, uint64_t below)
{
	uint64_t z = run->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % below;
}

static void begin(struct run *run, size_t step_count, enum step_kind kind)
{
	const struct command_policy endless = {.timeout_ms = COMMAND_DURATION_MS_MAX,
					       .resend_ms = 1,
					       .resend_max_ms = 1,
					       .retry_backoff_ms = 1,
					       .retry_backoff_max_ms = 1,
					       .attempts_max = 1000};
	struct saga_effects effects = {0};
	struct saga_event event;
	struct error err;

	*run = (struct run){.now_us = SECOND, .random = 1};
	for (size_t i = 0; i < step_count; i++)
		run->steps[i] = (struct step_definition){.id = arena_format(&run->names, "s%zu", i),
							 .kind = kind,
							 .has_compensation = kind == STEP_KIND_COMPENSATABLE,
							 .policy = {endless, endless}};
	run->definition =
		(struct definition){.name = "endless", .version = 1, .steps = run->steps, .step_count = step_count};
	assert_int_equal(definition_check(&run->definition, &err), 0);
	run->saga = saga_start(&run->definition, (struct uuid){{1}}, run->now_us, &run->arenas[0], &event, &effects);
}

static void end(struct run *run)
{
	arena_release(&run->names);
	arena_release(&run->arenas[0]);
	arena_release(&run->arenas[1]);
}

static void move_to_other_arena(struct run *run)
{
	struct arena *other = &run->arenas[!run->used];
	struct buffer bytes = {0};
	struct error err;

	arena_clear(other);
	saga_encode(run->saga, &bytes);
	assert_int_equal(saga_decode(&run->definition, buffer_bytes(&bytes), other, &run->saga, &err), 0);
	buffer_release(&bytes);
	run->used = !run->used;
}

static bool apply(struct run *run, const struct saga_event *event)
{
	struct arena *arena = &run->arenas[run->used];
	struct saga_effects effects = {0};
	const char *why = NULL;

	if (saga_apply(&run->definition, run->saga, event, arena, &run->saga, &effects, &why) != SAGA_VERDICT_APPLIED)
		return false;
	move_to_other_arena(run); /* it shares texts with the one before, and 10,000 of them would fill the memory */
	return true;
}

static bool tick(struct run *run)
{
	const int64_t due_us = saga_due_us(run->saga);
	struct saga_event event;
	int32_t step = 0;

	if (!due_us)
		return false;
	if (due_us > run->now_us)
		run->now_us = due_us;
	assert_true(saga_due_event(&run->definition, run->saga, run->now_us, &step, &event));
	assert_true(apply(run, &event));
	return true;
}

static bool reply(struct run *run, enum saga_event_type type, int32_t step, enum step_phase phase)
{
	const struct saga_event event = {.type = type,
					 .time_us = run->now_us,
					 .step = step,
					 .phase = phase,
					 .attempt = run->saga->steps[step].attempts[phase],
					 .has_no_effect = draw(run, 4) == 0};

	return apply(run, &event);
}

/* The steps are in sequence, so one is at most; -1: none is. */
static int32_t step_in_hand(const struct saga *saga)
{
	for (int32_t i = 0; i < (int32_t)saga->step_count; i++)
		if (saga->steps[i].deadline_us || step_state_is_stuck(saga->steps[i].state))
			return i;
	return -1;
}

static bool answer_retriable(struct run *run)
{
	const int32_t step = step_in_hand(run->saga);

	return step >= 0 && (reply(run, SAGA_EVENT_RETRIABLE, step, STEP_PHASE_FORWARD) ||
			     reply(run, SAGA_EVENT_RETRIABLE, step, STEP_PHASE_COMPENSATION));
}

static bool answer_anything(struct run *run)
{
	static const enum saga_event_type types[] = {SAGA_EVENT_SUCCEEDED, SAGA_EVENT_REJECTED,  SAGA_EVENT_RETRIABLE,
						     SAGA_EVENT_RETRIABLE, SAGA_EVENT_RETRIABLE, SAGA_EVENT_ACCEPTED};
	const int32_t current = step_in_hand(run->saga);
	const int32_t any = (int32_t)draw(run, run->saga->step_count);

	return reply(run, types[draw(run, ARRAY_LEN(types))], current >= 0 && draw(run, 4) ? current : any,
		     draw(run, 2) ? STEP_PHASE_FORWARD : STEP_PHASE_COMPENSATION);
}

static bool go_on(struct run *run, enum temper temper)
{
	switch (temper) {
	case SILENT:
		return tick(run);
	case RETRIABLE:
		return answer_retriable(run) || tick(run);
	default:
		return draw(run, 3) ? tick(run) || answer_anything(run) : answer_anything(run);
	}
}

static void ends_within_its_log(void **state)
{
	static const size_t step_counts[] = {1, 8, DEFINITION_STEPS_MAX};
	static const enum step_kind kinds[] = {STEP_KIND_COMPENSATABLE, STEP_KIND_RETRIABLE};
	struct run *run = test_malloc(sizeof(*run));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(step_counts) * ARRAY_LEN(kinds) * TEMPER_COUNT; i++) {
		begin(run, step_counts[i % 3], kinds[i / 3 % 2]);
		for (int quiet = 0; quiet < QUIET && !saga_state_is_terminal(run->saga->state); quiet++) {
			if (go_on(run, (enum temper)(i / 6)))
				quiet = 0;
			assert_true(run->saga->version <= LOG_ENTRIES_MAX);
		}
		assert_false(saga_state_is_open(run->saga->state)); /* I1: it ended, or is stuck */
		end(run);
	}
	test_free(run);
}

static void a_long_wait_has_a_command_under_way_until_its_end(void **state)
{
	struct run *run = test_malloc(sizeof(*run));
	int64_t began_us;

	(void)state;
	begin(run, 1, STEP_KIND_COMPENSATABLE);
	began_us = run->now_us;
	while (run->saga->state == SAGA_STATE_RUNNING)
		assert_true(tick(run));
	assert_int_equal(run->now_us - began_us, COMMAND_DURATION_MS_MAX * 1000);
	assert_in_range(run->saga->steps[0].resends_total, LOG_TRIES - 10, LOG_TRIES);
	end(run);
	test_free(run);
}

static void spreads_re_sends_over_what_is_left_of_the_time(void **state)
{
	(void)state;
	assert_int_equal(log_resend_us(LOG_UNHURRIED - 1, 100, 101, 1000000), 101);
	assert_int_equal(log_resend_us(LOG_TRIES - 10, 100, 101, 1100), 200);
	assert_int_equal(log_resend_us(LOG_TRIES - 10, 100, 300, 1100), 300);
	assert_int_equal(log_resend_us(LOG_TRIES - 1, 100, 101, 1100), 1100);
	assert_int_equal(log_resend_us(LOG_TRIES, 100, 101, 1100), 1100);
}

static void refuses_requests_once_the_log_is_for_replies_alone(void **state)
{
	struct run *run = test_malloc(sizeof(*run));
	struct saga_effects effects = {0};
	struct saga_event cancel;
	struct saga *after = NULL;
	const char *why = NULL;

	(void)state;
	begin(run, 2, STEP_KIND_COMPENSATABLE);
	cancel = saga_request_event(SAGA_EVENT_CANCELLED, -1, run->now_us, "changed my mind");
	run->saga->version = LOG_REQUESTS;
	assert_int_equal(saga_apply(&run->definition, run->saga, &cancel, &run->arenas[1], &after, &effects, &why),
			 SAGA_VERDICT_REFUSED);
	assert_string_equal(why, "the saga's log is full: all that can be asked is to resume or to resolve it");
	run->saga->version = LOG_REQUESTS - 1;
	assert_int_equal(saga_apply(&run->definition, run->saga, &cancel, &run->arenas[1], &after, &effects, &why),
			 SAGA_VERDICT_APPLIED);
	end(run);
	test_free(run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_within_its_log),
		cmocka_unit_test(a_long_wait_has_a_command_under_way_until_its_end),
		cmocka_unit_test(spreads_re_sends_over_what_is_left_of_the_time),
		cmocka_unit_test(refuses_requests_once_the_log_is_for_replies_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
