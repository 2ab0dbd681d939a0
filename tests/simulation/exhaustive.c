/* exhaustive.c - see exhaustive.h. */
#include "tests/simulation/exhaustive.h"

#include <assert.h>

enum { FAULTS_USUALLY = 2, FAULTS_IN_TINY = 3, TINY_STEPS = 3 };

static_assert((int)FAULTS_IN_TINY <= (int)CHOSEN_MAX, "each fault has its place in the options");

/* With `chosen_count` faults chosen, and further ones from place `first` on. */
static void walk(struct simulation *sim, struct options *options, size_t first, size_t faults_max, took_run_fn *took)
{
	const size_t depth = options->chosen_count;
	size_t places;

	simulation_run(sim, options, 1);
	took(sim);
	places = sim->places;
	for (size_t place = first; place < places && depth < faults_max; place++) {
		options->chosen[depth] = place;
		options->chosen_count = depth + 1;
		walk(sim, options, place + 1, faults_max, took);
		if (sim->is_failed)
			return;
	}
	if (!sim->is_failed)
		options->chosen_count = depth;
}

void exhaustive_run(struct simulation *sim, struct options *options, took_run_fn *took)
{
	options->is_core = true;
	options->mode = MODE_EXHAUSTIVE;
	for (options->shape = 0; options->shape < SHAPES; options->shape++) {
		const bool is_tiny = shape_plan(options->shape)->definition.step_count <= TINY_STEPS;

		options->chosen_count = 0;
		walk(sim, options, 0, is_tiny ? FAULTS_IN_TINY : FAULTS_USUALLY, took);
		if (sim->is_failed)
			return;
	}
}
