/*
 * input_match.h - do two inputs say the same, although they were encoded by different versions of a definition?
 *
 * Why:        a client that repeats a start with its idempotency key may meet a newer definition, whose input schema has
 *             grown: its bytes differ, its wish does not.
 * Rule:       the same, if either input, read by its own schema and written by the other's, gives the other's bytes.
 *             So a new field counts where it has another value than its default, and one that is gone likewise.
 */
#ifndef COORDINATOR_DEFINITION_INPUT_MATCH_H
#define COORDINATOR_DEFINITION_INPUT_MATCH_H

#include "coordinator/definition/plan.h"

/* Inputs as plan_encode_input() makes them. */
bool input_match(const struct plan *plan, struct bytes input, const struct plan *other, struct bytes other_input);

#endif
