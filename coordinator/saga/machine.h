/*
 * machine.h - saga_states.def as tables, and the only two functions that change a state. Inside the core.
 *
 * Why:        legality is checked where a state is written, so no action can take a way that the table does not have.
 * Guarantees: each (step's state, phase, event of a step) and each (saga's state, event of the saga) has exactly one
 *             decision; the compiler refuses a table that has not.
 */
#ifndef COORDINATOR_SAGA_MACHINE_H
#define COORDINATOR_SAGA_MACHINE_H

#include "coordinator/saga/saga.h"

/* No time is later, so that sums of two do not overflow. What is stored is earlier by half, so that an event can add to it. */
#define ERA_END_US (INT64_MAX / 2)

/* One event being applied: the saga is the copy that becomes the new version. */
struct turn {
	const struct definition *definition;
	const struct saga_event *event;
	struct saga *saga;
	struct arena *arena;
	struct saga_effects *effects;
	const char *why; /* set by an action that answers IGNORED or REFUSED */
};

/* IGNORED, REFUSED: the copy is thrown away. */
typedef enum saga_verdict action_fn(struct turn *turn);

/* What an event does: an action, or nothing for the reason `why`. */
struct decision {
	action_fn *action;
	const char *why;
	bool is_refusal; /* of the saga's events only */
};
const struct decision *machine_decide(enum step_state state, enum step_phase phase, enum saga_event_type event);
const struct decision *machine_decide_saga(enum saga_state state, enum saga_event_type event);
bool machine_is_of_saga(enum saga_event_type event);

/* Why a saga in this state listens to no event of its steps; NULL: it does. */
const char *machine_gate(enum saga_state state);

/* Replies and clock events that count only for the attempt in flight. */
bool machine_needs_attempt_in_flight(enum saga_event_type event);

bool saga_move_is_legal(enum saga_state from, enum saga_state to);
bool step_move_is_legal(enum step_state from, enum step_state to);
/* True when a step in this state has a command to pursue; *ret_phase says which. */
bool step_state_is_pursued(enum step_state state, enum step_phase *ret_phase);
/* The phase in which it stands still until a person decides; false: it does not. */
bool step_state_stands(enum step_state state, enum step_phase *ret_phase);

/* Between the moves of one event the invariant need not hold; saga_apply() asserts it when all are made. */
void saga_move(struct turn *turn, enum saga_state to);
void step_move(struct turn *turn, int32_t index, enum step_state to);

/* The actions; one for each transition. */
#define TRANSITION(state, phase, event, to, action) action_fn action;
#define SAGA_TRANSITION(state, event, to, action) action_fn action;
#include "coordinator/saga/saga_states.def"

#endif
