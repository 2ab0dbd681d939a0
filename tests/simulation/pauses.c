/*
 * pauses.c - what operators pause as a whole: definitions, and participants, which have their step's name.
 *
 * What holds: who has read that something is paused sends nothing of it, nor anything again, until it has read that the pause
 *             is over. Before it has, it may: how soon it reads is the engine's affair, and its unit tests' to check.
 */
#include "tests/simulation/plant.h"
#include "tests/simulation/simulation.h"

enum { PAUSED_US = 15000000, PARTICIPANTS_PAUSED = 4 };

static const char *const PARTICIPANTS[STEPS_MAX] = {"a", "b", "c", "d", "e", "f", "g", "h"};

static void end_pause(struct simulation *sim, void *of, int64_t number)
{
	uint32_t *paused = of;

	*paused &= ~(UINT32_C(1) << number);
	note(sim, "a pause of %s ends",
	     paused == &sim->paused.definitions ? shape_plan((size_t)number)->definition.name : PARTICIPANTS[number]);
}

void pause_something(struct simulation *sim, const struct life *life)
{
	const bool is_participant = draw(sim, STREAM_OPERATOR, 2) == 0;
	const int64_t number = is_participant ? (int64_t)draw(sim, STREAM_OPERATOR, PARTICIPANTS_PAUSED)
					      : life->plan->id - 1;
	uint32_t *paused = is_participant ? &sim->paused.participants : &sim->paused.definitions;

	note(sim, "an operator pauses %s", is_participant ? PARTICIPANTS[number] : life->plan->definition.name);
	*paused |= UINT32_C(1) << number;
	plan_event(sim, 1 + (int64_t)draw(sim, STREAM_OPERATOR, PAUSED_US), end_pause, paused, number);
}

void pauses_list(const struct simulation *sim, struct arena *arena, struct pause **ret_pauses, size_t *ret_count)
{
	struct pause *pauses = arena_alloc(arena, (SHAPES + STEPS_MAX) * sizeof(*pauses));
	size_t count = 0;

	for (size_t i = 0; i < SHAPES; i++)
		if (sim->paused.definitions & UINT32_C(1) << i)
			pauses[count++] = (struct pause){PAUSE_DEFINITION, shape_plan(i)->definition.name, "so it is",
							 "operator", 1};
	for (size_t i = 0; i < STEPS_MAX; i++)
		if (sim->paused.participants & UINT32_C(1) << i)
			pauses[count++] = (struct pause){PAUSE_PARTICIPANT, PARTICIPANTS[i], "so it is", "operator", 1};
	*ret_pauses = pauses;
	*ret_count = count;
}

void check_pauses(const struct instance *instance, const struct command *command)
{
	const struct paused *known = &instance->paused;
	const struct life *life = command->life;
	const char *step;

	if (!life->plan)
		return; /* check_command() tells */
	step = life->plan->definition.steps[command->step].id;
	if (known->definitions & UINT32_C(1) << (life->plan->id - 1))
		fail(instance->sim, "saga %02x: %s '%s' is sent although the definition is paused", life->id.data[15],
		     step_phase_name(command->phase), step);
	if (known->participants & UINT32_C(1) << command->step)
		fail(instance->sim, "saga %02x: %s '%s' is sent although its participant is paused", life->id.data[15],
		     step_phase_name(command->phase), step);
}
