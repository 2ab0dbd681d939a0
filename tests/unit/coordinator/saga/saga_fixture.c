/* saga_fixture.c - see saga_fixture.h. */
#include "tests/unit/coordinator/saga/saga_fixture.h"

#include <assert.h>
#include <string.h>

void world_init(struct world *world, const char *kinds)
{
	static const char *const ids[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
	const struct command_policy policy = {.timeout_ms = 10000,
					      .resend_ms = 1000,
					      .resend_max_ms = 4000,
					      .retry_backoff_ms = 100,
					      .retry_backoff_max_ms = 400,
					      .attempts_max = 3};
	static const int32_t order[] = {0, 1, 2, 3, 4, 5, 6, 7};
	struct stage {
		size_t first;
		size_t count;
	} before = {0}, stage = {0};
	bool is_in_group = false;
	bool is_new_stage = true;
	size_t count = 0;
	struct error err;
	int result;

	*world = (struct world){.now_us = 1000000};
	arena_init(&world->arena, 0);
	world->steps = arena_zalloc(&world->arena, strlen(kinds) * sizeof(*world->steps));
	for (const char *at = kinds; *at; at++) {
		if (strchr("()", *at)) {
			is_in_group = *at == '(';
			is_new_stage = true;
			continue;
		}
		if (!is_in_group || is_new_stage)
			before = stage, stage = (struct stage){count, 0};
		is_new_stage = !is_in_group;
		stage.count++;
		world->steps[count] = (struct step_definition){
			.id = ids[count],
			.kind = *at == 'p'          ? STEP_KIND_PIVOT
				: strchr("rw", *at) ? STEP_KIND_RETRIABLE
						    : STEP_KIND_COMPENSATABLE,
			.action = strchr("sowv", *at) ? STEP_ACTION_SIGNAL
				  : *at == 'd'        ? STEP_ACTION_DELAY
						      : STEP_ACTION_COMMAND,
			.is_optional = *at == 'o',
			.has_value = *at == 'v',
			.has_compensation = strchr("cq", *at) != NULL,
			.has_inquiry = *at == 'q',
			.after = order + before.first,
			.after_count = before.count,
			.policy = {policy, policy, policy},
		};
		world->steps[count++].policy[STEP_PHASE_COMPENSATION].timeout_ms = 60000;
	}
	world->definition =
		(struct definition){.name = "test", .version = 1, .steps = world->steps, .step_count = count};
	result = definition_check(&world->definition, &err);
	assert(result == 0);
}

void world_release(struct world *world)
{
	arena_release(&world->arena);
}

struct world world_of(const char *kinds)
{
	struct world world;

	world_init(&world, kinds);
	world_start(&world);
	return world;
}

void world_start(struct world *world)
{
	struct saga_event event;
	struct uuid id = {{1, 2, 3}};

	world->saga = saga_start(&world->definition, id, world->now_us, &world->arena, &event, &world->effects);
}

void world_schedule(struct world *world, int64_t start_us)
{
	struct saga_event event;
	struct uuid id = {{1, 2, 3}};

	world->saga = saga_schedule(&world->definition, id, world->now_us, start_us, &world->arena, &event);
	world->effects.count = 0;
}

enum saga_verdict world_cancel(struct world *world)
{
	struct saga_event event = saga_request_event(SAGA_EVENT_CANCELLED, -1, world->now_us, "changed my mind");

	return world_apply(world, &event);
}

enum saga_verdict world_apply(struct world *world, const struct saga_event *event)
{
	return saga_apply(&world->definition, world->saga, event, &world->arena, &world->saga, &world->effects,
			  &world->why);
}

enum saga_verdict world_reply(struct world *world, enum saga_event_type type, int32_t step, enum step_phase phase)
{
	const bool is_failure = type == SAGA_EVENT_REJECTED || type == SAGA_EVENT_RETRIABLE;
	const char *word = is_failure ? "FAILED" : phase == STEP_PHASE_COMPENSATION ? "UNDONE" : "DONE";
	struct saga_event event = {
		.type = type,
		.time_us = world->now_us,
		.step = step,
		.phase = phase,
		.attempt = world->saga->steps[step].attempts[phase],
		.milestone = arena_format(&world->arena, "%s_%s", world->steps[step].id, word),
		.reason = is_failure ? "no_luck" : NULL,
		.detail = is_failure ? "not today" : NULL,
	};

	return world_apply(world, &event);
}

bool world_tick(struct world *world)
{
	const int64_t due_us = saga_due_us(world->saga);
	struct saga_event event;
	int32_t step = 0;
	bool is_due;
	enum saga_verdict verdict;

	if (!due_us)
		return false;
	if (due_us > world->now_us)
		world->now_us = due_us;
	is_due = saga_due_event(&world->definition, world->saga, world->now_us, &step, &event);
	assert(is_due);
	verdict = world_apply(world, &event);
	assert(verdict == SAGA_VERDICT_APPLIED);
	return true;
}

void world_tick_past_resends(struct world *world)
{
	int32_t resends;

	do {
		resends = 0;
		for (size_t i = 0; i < world->saga->step_count; i++)
			resends += world->saga->steps[i].resends_total;
		if (!world_tick(world))
			return;
		for (size_t i = 0; i < world->saga->step_count; i++)
			resends -= world->saga->steps[i].resends_total;
	} while (resends != 0);
}

bool world_sends(const struct world *world, int32_t step, enum step_phase phase, int32_t attempt)
{
	const struct saga_effect *effect = &world->effects.items[0];

	return world->effects.count == 1 && effect->type == SAGA_EFFECT_SEND_COMMAND && effect->step == step &&
	       effect->phase == phase && effect->attempt == attempt;
}

bool world_has_effect(const struct world *world, enum saga_effect_type type)
{
	for (size_t i = 0; i < world->effects.count; i++)
		if (world->effects.items[i].type == type)
			return true;
	return false;
}

static void must_apply(struct world *world, enum saga_event_type type, int32_t step, enum step_phase phase)
{
	const enum saga_verdict verdict = world_reply(world, type, step, phase);

	assert(verdict == SAGA_VERDICT_APPLIED);
}

void world_succeed(struct world *world, int32_t step)
{
	must_apply(world, SAGA_EVENT_SUCCEEDED, step, FORWARD);
}

void world_undo(struct world *world, int32_t step)
{
	must_apply(world, SAGA_EVENT_SUCCEEDED, step, COMPENSATION);
}

void world_reject(struct world *world, int32_t step)
{
	must_apply(world, SAGA_EVENT_REJECTED, step, FORWARD);
}
