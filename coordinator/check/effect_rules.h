/*
 * effect_rules.h - what a participant's inbox must hold of a step, given what the coordinator holds of it.
 *
 * Why:        both keep their own books, and a reply is all that goes between them; here the two are compared. Pure, so every
 *             rule has its test.
 * Guarantees: effect_missing() is right for a coordinator's row that was read before the inbox: what a reply said was committed
 *             there before. effect_undecided() is right for one that was read after it: a command is committed before it is
 *             sent. So sagas may run meanwhile.
 * Not here:   reading; participant_check.h.
 */
#ifndef COORDINATOR_CHECK_EFFECT_RULES_H
#define COORDINATOR_CHECK_EFFECT_RULES_H

#include "coordinator/saga/saga.h"

/* The numbers of the column `outcome` (docs/wire-contract.md, section 10). */
enum effect_outcome {
	EFFECT_OPEN,
	EFFECT_SUCCEEDED,
	EFFECT_REJECTED,
	EFFECT_TOMBSTONE, /* compensated before the command came */
	EFFECT_OUTCOME_COUNT
};

/* A command's row of an inbox. */
struct effect {
	bool is_asked; /* the inbox of its participant was looked at; else nothing is known */
	bool is_there;
	enum effect_outcome outcome;
	bool has_no_effect;
};

struct step_effects {
	struct effect forward;
	struct effect compensation;
	bool is_one_inbox; /* of both: the one that compensates also knows what it compensates */
};

/* NULL: all is well; else "I4: …", in the arena. */
const char *effect_missing(const struct definition *definition, const struct saga *saga, int32_t step,
			   const struct step_effects *effects, struct arena *arena);

/* The row of a command that the saga has not decided to send. NULL: it has; else "I7: …", static. */
const char *effect_undecided(const struct saga *saga, int32_t step, enum step_phase phase, enum effect_outcome outcome);

#endif
