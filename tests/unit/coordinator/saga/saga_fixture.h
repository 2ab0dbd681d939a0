/*
 * saga_fixture.h - small definitions and a saga that is driven event by event, for the core's tests.
 */
#ifndef TESTS_UNIT_COORDINATOR_SAGA_SAGA_FIXTURE_H
#define TESTS_UNIT_COORDINATOR_SAGA_SAGA_FIXTURE_H

#include "coordinator/saga/saga.h"

/* A letter a step: c compensatable, n compensatable without compensation, q compensatable
 * with an inquiry, p pivot, r retriable; s waits for a signal (w:
 * retriable, o: optional, v: with a value), d for its time. Those in parentheses run in parallel: c(cc)p. Ids: a, b, … */
struct world {
	struct step_definition *steps; /* in the arena, so that a world can be moved */
	struct definition definition;
	struct arena arena;
	struct saga *saga;
	struct saga_effects effects; /* of the last event */
	const char *why;             /* of the last event, when it was ignored */
	int64_t now_us;
};

/* Timeout 10 s forward and of an inquiry, 60 s compensation; re-send 1 s to 4 s; backoff 100 ms to 400 ms; 3 attempts. */
void world_init(struct world *world, const char *kinds);
void world_release(struct world *world);
struct world world_of(const char *kinds); /* started */

void world_start(struct world *world);
void world_schedule(struct world *world, int64_t start_us);
enum saga_verdict world_cancel(struct world *world); /* detail: "changed my mind" */
enum saga_verdict world_apply(struct world *world, const struct saga_event *event);

/* Replies to the attempt in flight, with milestone, reason and detail made of the step's id. */
enum saga_verdict world_reply(struct world *world, enum saga_event_type type, int32_t step, enum step_phase phase);
#define FORWARD STEP_PHASE_FORWARD
#define COMPENSATION STEP_PHASE_COMPENSATION
#define INQUIRY STEP_PHASE_INQUIRY
/* Such replies that must be applied. */
void world_succeed(struct world *world, int32_t step);
void world_undo(struct world *world, int32_t step);
void world_reject(struct world *world, int32_t step);

/* Goes on to when something is due, and applies it. False: nothing will ever be due. */
bool world_tick(struct world *world);
/* Ticks until something else than a re-send happens. */
void world_tick_past_resends(struct world *world);

/* Does the last event send exactly this? */
bool world_sends(const struct world *world, int32_t step, enum step_phase phase, int32_t attempt);
bool world_has_effect(const struct world *world, enum saga_effect_type type);

/* For those who have included cmocka. */
#define assert_saga(world, its_state) assert_string_equal(saga_state_name((world)->saga->state), its_state)
#define assert_step(world, index, its_state)                                                                           \
	assert_string_equal(step_state_name((world)->saga->steps[index].state), its_state)
#define assert_applied(call) assert_int_equal(call, SAGA_VERDICT_APPLIED)
#define assert_ignored(call) assert_int_equal(call, SAGA_VERDICT_IGNORED)
#define assert_refused(call) assert_int_equal(call, SAGA_VERDICT_REFUSED)

#endif
