/*
 * exhaustive.h - a saga of the core under every combination of up to so many faults, at every place where one can happen.
 *
 * How:     a run without faults counts the places; then it is run again with a fault at each of them, and from there on
 *          with another one at each later place of that run, and so on. What runs before a fault is the same in both.
 */
#ifndef TESTS_SIMULATION_EXHAUSTIVE_H
#define TESTS_SIMULATION_EXHAUSTIVE_H

#include "tests/simulation/simulation.h"

typedef void took_run_fn(const struct simulation *sim);

/* All shapes with two faults, those of two steps with three. Stops at the first run that fails, whose places are in
 * `options`. `took` hears of each run. */
void exhaustive_run(struct simulation *sim, struct options *options, took_run_fn *took);

#endif
