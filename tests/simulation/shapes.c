/* shapes.c - the definitions of simulated sagas as plans, and what the engine calls of catalog.h and plan.h. */
#include <assert.h>
#include <stdlib.h>

#include "lib/base/memory.h"
#include "tests/simulation/plant.h"
#include "tests/simulation/simulation.h"

/* As saga_fixture.h has them. A signal has the name of its step. */
static const char *const KINDS[SHAPES] = {"cccpr",   "cnpr",   "ccr",  "ccc",  "pr",      "cp",
					  "c(cc)pr", "c(nc)p", "cdcp", "cocp", "(cc)cp",  "ccp(rr)",
					  "c(ccc)c", "cvcp",   "cpwr", "qcp",  "c(qq)cp", "qqq"};
static const char *const TOPICS[STEPS_MAX][STEP_PHASE_COUNT] = {
	{"a.do", "a.undo", "a.ask"}, {"b.do", "b.undo", "b.ask"}, {"c.do", "c.undo", "c.ask"},
	{"d.do", "d.undo", "d.ask"}, {"e.do", "e.undo", "e.ask"}, {"f.do", "f.undo", "f.ask"},
	{"g.do", "g.undo", "g.ask"}, {"h.do", "h.undo", "h.ask"},
};
static const char *const REPLY_TOPICS[] = {"replies"};
static const struct plan_schema SCHEMA = {.subject = "x-value",
					  .version = 1,
					  .schema_id = 7,
					  .message = "simulated.Command",
					  .message_type = "Command",
					  .content_type = "application/protobuf"};

static struct world worlds[SHAPES]; /* only their definitions are used */
static struct plan plans[SHAPES];

static struct plan_step *make_steps(struct world *world)
{
	struct plan_step *steps = arena_zalloc(&world->arena, world->definition.step_count * sizeof(*steps));

	assert(world->definition.step_count <= STEPS_MAX);
	steps[0].is_reply_kept = true;
	for (size_t i = 0; i < world->definition.step_count; i++)
		for (int phase = 0; phase < STEP_PHASE_COUNT; phase++)
			steps[i].commands[phase] = (struct plan_command){.topic = TOPICS[i][phase], .schema = &SCHEMA};
	return steps;
}

void shapes_init(void)
{
	for (size_t i = 0; i < SHAPES; i++) {
		struct world *world = &worlds[i];

		world_init(world, KINDS[i]);
		if (i % 3 == 0)
			world->definition.timeout_ms = 20000;
		world->definition.name = KINDS[i];
		plans[i] = (struct plan){
			.definition = world->definition,
			.id = (int32_t)i + 1,
			.source = "",
			.key_field = "key",
			.steps = make_steps(world),
			.reply_topics = REPLY_TOPICS,
			.reply_topic_count = 1,
		};
	}
}

void shapes_release(void)
{
	for (size_t i = 0; i < SHAPES; i++)
		world_release(&worlds[i]);
}

const struct plan *shape_plan(size_t index)
{
	assert(index < SHAPES);
	return &plans[index];
}

/* ---- catalog.h, plan.h ---- */
const struct plan *catalog_by_id(struct catalog *catalog, int32_t id)
{
	(void)catalog;
	return id > 0 && id <= SHAPES ? &plans[id - 1] : NULL;
}

size_t catalog_waiting_for(struct catalog *catalog, const char *topic, struct arena *arena, const char ***ret_names)
{
	(void)catalog;
	(void)topic;
	(void)arena;
	(void)ret_names;
	return 0;
}

int32_t plan_find_event(const struct plan *plan, const char *topic)
{
	(void)plan;
	(void)topic;
	return -1;
}

int catalog_refresh(struct catalog *catalog, struct error *err)
{
	(void)catalog;
	(void)err;
	return 0;
}

int32_t plan_find_signal(const struct plan *plan, const char *signal)
{
	const int32_t step = plan_find_step(plan, signal);

	return step >= 0 && plan->definition.steps[step].action == STEP_ACTION_SIGNAL ? step : -1;
}

int plan_encode_signal(const struct plan *plan, int32_t step, struct bytes json, struct buffer *out,
		       struct problems *problems)
{
	(void)problems;
	if (plan->definition.steps[step].has_value)
		buffer_append(out, json.data, is_planted(PLANT_SIGNAL_VALUE) ? 1 : json.len);
	return 0;
}

int32_t plan_find_step(const struct plan *plan, const char *step_id)
{
	return definition_find_step(&plan->definition, step_id);
}

const struct plan_reply *plan_find_reply(const struct plan *plan, int32_t step, enum step_phase phase,
					 const char *topic, struct bytes outcome_header)
{
	static const struct plan_reply known[] = {
		{"replies", SAGA_EVENT_SUCCEEDED, "DONE"}, {"replies", SAGA_EVENT_REJECTED, "REFUSED"},
		{"replies", SAGA_EVENT_RETRIABLE, NULL},   {"replies", SAGA_EVENT_ACCEPTED, NULL},
		{"replies", SAGA_EVENT_UNKNOWN, NULL},
	};

	(void)plan;
	(void)step;
	(void)phase;
	(void)topic;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (bytes_equal_text(outcome_header, saga_event_name(known[i].outcome)))
			return &known[i];
	return NULL;
}

int plan_build_command(const struct plan *plan, const struct saga *saga, struct bytes input, int32_t step,
		       enum step_phase phase, struct arena *arena, struct buffer *out, struct error *err)
{
	(void)saga;
	(void)input;
	(void)arena;
	(void)err;
	buffer_append_text(out, plan->definition.steps[step].id);
	buffer_append_byte(out, '/');
	buffer_append_text(out, step_phase_name(phase));
	return 0;
}
