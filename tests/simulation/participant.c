/*
 * participant.c - what services do with commands, as docs/wire-contract.md asks of them: one effect a (saga, step, phase),
 * the reply of it again and again, a tombstone for what was undone before it was done. They die, are away, and take time.
 */
#include "tests/simulation/plant.h"
#include "tests/simulation/simulation.h"

enum { AGAIN_US = 500000, AWAY_US = 15000000, WORK_US = 3000000 };

static struct inbox_row *row_of(const struct command *command)
{
	return &command->life->inbox[command->step][command->phase];
}

/* Its offset was not stored: it is read again. */
static void take_again(struct simulation *sim, struct command *command)
{
	plan_message(sim, 1 + (int64_t)draw(sim, STREAM_PARTICIPANT, AGAIN_US), participant_receive, command, 0);
}

static void tell(struct simulation *sim, const struct command *command, enum saga_event_type outcome,
		 bool has_no_effect)
{
	note(sim, "saga %02x: participant says %s of %s %s, attempt %d", command->life->id.data[15],
	     saga_event_name(outcome), command->life->plan->definition.steps[command->step].id,
	     step_phase_name(command->phase), command->attempt);
	check_reply(sim, command, outcome);
	bus_append(sim, command, outcome, has_no_effect);
}

/* ---- effects ---- */
static void act(struct simulation *sim, const struct command *command)
{
	struct effect *effect = &command->life->effects[command->step];

	if (command->phase == STEP_PHASE_FORWARD)
		effect->done++;
	else
		effect->undone++;
	note(sim, "saga %02x: %s %s takes effect", command->life->id.data[15],
	     command->life->plan->definition.steps[command->step].id, step_phase_name(command->phase));
	mix_number(sim, command->step * 8 + (int)command->phase);
	check_effect(sim, command);
}

static void do_forward(struct simulation *sim, const struct command *command)
{
	const bool is_refused = happens(sim, FAULT_REFUSED);
	struct inbox_row *row = row_of(command);

	row->is_known = true;
	row->outcome = is_refused ? SAGA_EVENT_REJECTED : SAGA_EVENT_SUCCEEDED;
	if (!is_refused || is_planted(PLANT_REFUSAL_ACTS))
		act(sim, command);
}

static void undo(struct simulation *sim, const struct command *command)
{
	struct inbox_row *row = row_of(command);
	struct inbox_row *forward = &command->life->inbox[command->step][STEP_PHASE_FORWARD];

	row->is_known = true;
	if (happens(sim, FAULT_UNDO_REFUSED)) {
		row->outcome = SAGA_EVENT_REJECTED;
		return;
	}
	row->outcome = SAGA_EVENT_SUCCEEDED;
	row->has_no_effect = !forward->is_known || forward->outcome != SAGA_EVENT_SUCCEEDED;
	if (!forward->is_known && !is_planted(PLANT_NO_BARRIER))
		*forward = (struct inbox_row){.is_known = true, .outcome = SAGA_EVENT_REJECTED};
	if (!row->has_no_effect)
		act(sim, command);
}

/* One transaction: the effect and the row that remembers it. */
static void do_once(struct simulation *sim, const struct command *command)
{
	struct inbox_row *row = row_of(command);

	if (row->is_known && is_planted(PLANT_NO_INBOX))
		row->is_known = false;
	if (row->is_known && is_planted(PLANT_COMPENSATE_TWICE) && command->phase == STEP_PHASE_COMPENSATION &&
	    !row->has_no_effect)
		row->is_known = false;
	if (row->is_known)
		return;
	if (!row->is_known && command->phase == STEP_PHASE_FORWARD)
		do_forward(sim, command);
	else if (!row->is_known)
		undo(sim, command);
	if (happens(sim, FAULT_POISON))
		command->life->is_poisoned = true;
}

static void do_held(struct simulation *sim, void *of, int64_t number)
{
	struct command *command = of;

	(void)number;
	do_once(sim, command);
	tell(sim, command, row_of(command)->outcome, row_of(command)->has_no_effect);
}

/* ---- commands ---- */
/* While it is away its commands wait for it. */
static bool is_away(struct simulation *sim, struct command *command)
{
	int64_t *until_us = &sim->participant_away_us[command->step];

	if (sim->now_us >= *until_us && happens(sim, FAULT_AWAY))
		*until_us = sim->now_us + (int64_t)draw(sim, STREAM_PARTICIPANT, AWAY_US);
	if (sim->now_us >= *until_us)
		return false;
	plan_message(sim, *until_us - sim->now_us, participant_receive, command, 0);
	return true;
}

/* True: it ends without a final outcome. */
static bool is_put_off(struct simulation *sim, struct command *command)
{
	struct inbox_row *row = row_of(command);

	if (row->is_known)
		return false;
	if (row->is_held) {
		tell(sim, command, SAGA_EVENT_ACCEPTED, false);
		return true;
	}
	if (happens(sim, FAULT_TRANSIENT)) {
		if (is_planted(PLANT_TRANSIENT_COMMITS) && command->phase == STEP_PHASE_FORWARD)
			act(sim, command);
		tell(sim, command, SAGA_EVENT_RETRIABLE, false);
		return true;
	}
	if (!happens(sim, FAULT_HELD))
		return false;
	row->is_held = true;
	command->life->was_held = true;
	tell(sim, command, SAGA_EVENT_ACCEPTED, false);
	plan_message(sim, (int64_t)draw(sim, STREAM_PARTICIPANT, WORK_US), do_held, command, 0);
	return true;
}

static enum saga_event_type final_outcome(struct simulation *sim, const struct command *command, bool was_known)
{
	const enum saga_event_type outcome = row_of(command)->outcome;

	if (!was_known || !is_planted(PLANT_REPLY_CHANGES) || draw(sim, STREAM_PARTICIPANT, 2) == 0)
		return outcome;
	return outcome == SAGA_EVENT_SUCCEEDED ? SAGA_EVENT_REJECTED : SAGA_EVENT_SUCCEEDED;
}

/* ---- inquiries ---- */
/* The reply that the forward command got, or would get from now on: what never came is refused for good. */
static enum saga_event_type answer_of(struct simulation *sim, const struct command *command)
{
	struct inbox_row *forward = &command->life->inbox[command->step][STEP_PHASE_FORWARD];

	if (forward->is_known)
		return forward->outcome;
	if (forward->is_held)
		return SAGA_EVENT_ACCEPTED;
	if (happens(sim, FAULT_CANNOT_TELL))
		return draw(sim, STREAM_PARTICIPANT, 2) == 0 ? SAGA_EVENT_RETRIABLE : SAGA_EVENT_UNKNOWN;
	if (!is_planted(PLANT_INQUIRY_NO_BARRIER))
		*forward = (struct inbox_row){.is_known = true, .outcome = SAGA_EVENT_REJECTED};
	return SAGA_EVENT_REJECTED;
}

static void answer_inquiry(struct simulation *sim, struct command *command)
{
	enum saga_event_type answer;

	if (happens(sim, FAULT_DIE_BEFORE_COMMIT)) {
		take_again(sim, command);
		return;
	}
	answer = answer_of(sim, command);
	if (happens(sim, FAULT_DIE_BEFORE_REPLY) || happens(sim, FAULT_REPLY_LOST)) {
		take_again(sim, command);
		return;
	}
	tell(sim, command, answer, false);
	if (happens(sim, FAULT_DIE_AFTER_REPLY))
		take_again(sim, command);
}

void participant_receive(struct simulation *sim, void *of, int64_t number)
{
	struct command *command = of;
	const bool was_known = row_of(command)->is_known;
	enum saga_event_type outcome;

	(void)number;
	if (is_away(sim, command))
		return;
	if (command->phase == STEP_PHASE_INQUIRY) {
		answer_inquiry(sim, command);
		return;
	}
	if (happens(sim, FAULT_DIE_BEFORE_COMMIT)) {
		take_again(sim, command);
		return;
	}
	if (is_put_off(sim, command))
		return;
	do_once(sim, command);
	if (happens(sim, FAULT_DIE_BEFORE_REPLY) || happens(sim, FAULT_REPLY_LOST)) {
		take_again(sim, command);
		return;
	}
	if (was_known && is_planted(PLANT_REPLY_NOT_REPEATED))
		return;
	outcome = final_outcome(sim, command, was_known);
	tell(sim, command, outcome, row_of(command)->has_no_effect);
	if (happens(sim, FAULT_DIE_AFTER_REPLY))
		take_again(sim, command);
}
