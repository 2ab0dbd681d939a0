/*
 * pursuit.h - one step and its command: sending, waiting, giving up. Inside the core; what becomes of the saga is
 * course.h's.
 */
#ifndef COORDINATOR_SAGA_PURSUIT_H
#define COORDINATOR_SAGA_PURSUIT_H

#include "coordinator/saga/machine.h"

struct step *step_at(struct turn *turn, int32_t index);
struct step *event_step(struct turn *turn);
const struct step_definition *definition_at(struct turn *turn, int32_t index);
const struct command_policy *policy_of(struct turn *turn, int32_t index, enum step_phase phase);
bool can_only_go_forward(struct turn *turn, int32_t index); /* the step has nothing to undo, by its kind */

void add_effect(struct turn *turn, struct saga_effect effect);
/* The attempt just begun is not sent after all: it does not count, and no time runs before send_with_room(). */
void wait_for_room(struct turn *turn, enum step_phase phase, enum step_state held);
void send_with_room(struct turn *turn, enum step_phase phase, enum step_state sent);
/* NULL leaves it as it is. */
void set_milestone(struct turn *turn, const char *milestone);
void set_reason(struct turn *turn, struct step *step, const char *reason, const char *detail);
/* CHARGE_PAYMENT_ATTEMPTS_EXHAUSTED: for what no message of a participant has a name for. */
const char *step_milestone(struct turn *turn, int32_t index, const char *what);
const char *timed_out_milestone(struct turn *turn, int32_t index, enum step_phase phase);

/* The step is moved to a state that is pursued; its command is on its way from now, or it waits. */
void begin_forward(struct turn *turn, int32_t index);
void begin_compensation(struct turn *turn, int32_t index);
void begin_inquiry(struct turn *turn, int32_t index);
/* One more attempt within the pursuit, and one more copy of the command of the attempt in flight. */
void begin_attempt(struct turn *turn, int32_t index, enum step_phase phase);
void resend(struct turn *turn, enum step_phase phase);
/* After a transient failure: in `waiting` until the backoff is over. */
void wait_for_retry(struct turn *turn, enum step_phase phase, enum step_state waiting);
bool has_attempts_left(struct turn *turn, int32_t index, enum step_phase phase);
/* Nothing is due any more: the step has an outcome, or waits for a person. */
void end_pursuit(struct step *step);

#endif
