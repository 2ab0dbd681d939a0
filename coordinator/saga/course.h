/*
 * course.h - where the saga goes: what can begin begins, what is to be undone is undone in the reverse order, and what can
 * neither go on nor back stands still for a person. Inside the core.
 *
 * Guarantees: an action changes its step, then calls proceed() once; after that the saga's state is what its steps'
 *             states say (saga_violation() checks it).
 */
#ifndef COORDINATOR_SAGA_COURSE_H
#define COORDINATOR_SAGA_COURSE_H

#include "coordinator/saga/machine.h"

/* Asks about what is unknown and begins what can begin (unless the saga is paused), and ends the saga when nothing is left. */
void proceed(struct turn *turn);

/* From now on the saga goes back; what is in flight may have happened. `milestone` NULL: it is set already. */
void turn_back(struct turn *turn, const char *milestone, const char *reason, const char *detail);
/* The same because of a step. */
void turn_back_because_of(struct turn *turn, int32_t index, const char *milestone);
/* True: some step that has begun can only go forward; *ret_step. */
bool has_begun_what_cannot_be_undone(struct turn *turn, int32_t *ret_step);
/* The pivot succeeded, or may have, or what is after it has begun. */
void note_decided(struct turn *turn, int32_t index);

/* I1: what cannot go on is listed with its reason, never silent. `why`: "rejected: no_stock: sold out". */
void stand_still(struct turn *turn, int32_t index, enum step_state state, const char *why);
/* An operator says how the saga ended. */
void resolve(struct turn *turn, enum saga_state state);

#endif
