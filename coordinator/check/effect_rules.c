/* effect_rules.c - see effect_rules.h. */
#include "coordinator/check/effect_rules.h"

static const char *outcome_name(enum effect_outcome outcome)
{
	static const char *const names[] = {"no reply", "succeeded", "rejected", "a tombstone"};

	return (unsigned)outcome < EFFECT_OUTCOME_COUNT ? names[outcome] : "an unknown outcome";
}

/* Who is asked to undo a command that it does not know, or what became of it, writes a tombstone. */
static bool may_have_tombstone(const struct step *step)
{
	return step->attempts[STEP_PHASE_COMPENSATION] > 0 || step->attempts[STEP_PHASE_INQUIRY] > 0;
}

/* What no inbox may hold, whatever became of the step. */
static const char *check_rows(const struct step *step, const struct step_effects *effects)
{
	const struct effect *forward = &effects->forward;
	const struct effect *compensation = &effects->compensation;

	if (forward->is_there && (unsigned)forward->outcome >= EFFECT_OUTCOME_COUNT)
		return "I6: its inbox row has an outcome that is none of the four";
	if ((forward->is_there && forward->outcome == EFFECT_OPEN) ||
	    (compensation->is_there && compensation->outcome == EFFECT_OPEN))
		return "I6: its inbox row has no reply: it was not written in the transaction of the effect";
	if (compensation->is_there && compensation->outcome != EFFECT_SUCCEEDED)
		return "I3: its compensation is stored as something else than succeeded, which no compensation may be";
	if (effects->is_one_inbox && forward->is_there && forward->outcome == EFFECT_TOMBSTONE &&
	    !compensation->is_there && step->attempts[STEP_PHASE_INQUIRY] == 0)
		return "I3: its inbox has a tombstone, but no compensation that can have written it";
	return NULL;
}

static const char *check_forward(const struct effect *forward, enum effect_outcome wanted, const char *held,
				 struct arena *arena)
{
	if (!forward->is_asked || (forward->is_there && forward->outcome == wanted))
		return NULL;
	if (forward->is_there)
		return arena_format(arena, "I6: the coordinator holds it %s, its inbox says %s", held,
				    outcome_name(forward->outcome));
	return arena_format(arena, "I4: the coordinator holds it %s, and its inbox knows nothing of it", held);
}

static const char *check_undone(const struct step_effects *effects, struct arena *arena)
{
	if (!effects->compensation.is_asked)
		return NULL;
	if (!effects->compensation.is_there)
		return "I3: the coordinator holds it undone, and its inbox knows nothing of a compensation";
	if (effects->compensation.has_no_effect)
		return "I6: the coordinator holds it undone, its inbox says that there was nothing to undo";
	if (!effects->is_one_inbox)
		return NULL;
	if (!effects->forward.is_there)
		return "I3: something was undone that its inbox has no command for";
	if (effects->forward.outcome != EFFECT_SUCCEEDED)
		return arena_format(arena, "I3: something was undone that was never done: its inbox says %s",
				    outcome_name(effects->forward.outcome));
	return NULL;
}

/* Asked to undo it, the participant said that there was nothing. */
static const char *check_nothing_undone(const struct step_effects *effects)
{
	if (!effects->compensation.is_asked)
		return NULL;
	if (!effects->compensation.is_there)
		return "I3: the coordinator holds its compensation answered, and its inbox knows nothing of it";
	if (!effects->compensation.has_no_effect)
		return "I6: the coordinator was told that there was nothing to undo, its inbox says that it was undone";
	if (effects->is_one_inbox && !effects->forward.is_there)
		return "I3: it was compensated before its command came, without a tombstone: a late command has its "
		       "effect";
	return NULL;
}

static const char *check_state(const struct step *step, const struct step_effects *effects, struct arena *arena)
{
	switch (step->state) {
	case STEP_STATE_SUCCEEDED:
		return check_forward(&effects->forward, EFFECT_SUCCEEDED, "done", arena);
	case STEP_STATE_REJECTED:
		if (step->attempts[STEP_PHASE_INQUIRY] > 0 && effects->forward.is_there &&
		    effects->forward.outcome == EFFECT_TOMBSTONE)
			return NULL; /* asked what became of it, the participant did not know it */
		return check_forward(&effects->forward, EFFECT_REJECTED, "refused", arena);
	case STEP_STATE_STUCK:
		return step->is_refused ? check_forward(&effects->forward, EFFECT_REJECTED, "refused", arena) : NULL;
	case STEP_STATE_COMPENSATED:
		return check_undone(effects, arena);
	case STEP_STATE_NOT_NEEDED:
		return step->attempts[STEP_PHASE_COMPENSATION] > 0 ? check_nothing_undone(effects) : NULL;
	default:
		return NULL; /* what became of it is not known yet, or a person has said it */
	}
}

/* A saga that went back all the way leaves nothing behind. */
static bool does_effect_stand(const struct step_definition *its, const struct saga *saga, const struct step *step,
			      const struct step_effects *effects)
{
	return saga->state == SAGA_STATE_COMPENSATED && !saga->is_resolved && its->has_compensation &&
	       step->state != STEP_STATE_SKIPPED && effects->forward.is_there &&
	       effects->forward.outcome == EFFECT_SUCCEEDED && effects->compensation.is_asked &&
	       !effects->compensation.is_there;
}

const char *effect_missing(const struct definition *definition, const struct saga *saga, int32_t step,
			   const struct step_effects *effects, struct arena *arena)
{
	const struct step_definition *its = &definition->steps[step];
	const char *why = check_rows(&saga->steps[step], effects);

	if (!why)
		why = check_state(&saga->steps[step], effects, arena);
	if (!why && does_effect_stand(its, saga, &saga->steps[step], effects))
		why = "I4: the saga is compensated, and the step's effect stands";
	return why;
}

const char *effect_undecided(const struct saga *saga, int32_t step, enum step_phase phase, enum effect_outcome outcome)
{
	const int32_t *attempts = saga->steps[step].attempts;

	if (attempts[phase] > 0)
		return NULL;
	if (phase == STEP_PHASE_COMPENSATION)
		return "I3: its inbox has a compensation that the saga never asked for";
	if (outcome == EFFECT_TOMBSTONE && may_have_tombstone(&saga->steps[step]))
		return NULL;
	return "I7: its inbox has a command that the saga never decided";
}
