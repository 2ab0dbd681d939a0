/*
 * check.c - what must hold (the invariants of ARCHITECTURE.md), after each change, command, effect, reply and answer, and
 * when all is over.
 *
 * How:     each change is replayed: its events, applied by the core to the saga as the replay left it, must lead to the row
 *          that is written, byte for byte, while the engine goes from the row that it read. The rest follows from what the
 *          replay decided, and from what participants did.
 */
#include <assert.h>

#include "tests/simulation/plant.h"
#include "tests/simulation/simulation.h"

/* After the faults' end everybody is back and re-sends have come: what times out later than this was not pursued. */
#define PURSUED_US (45 * SECOND_US)

static int short_id(const struct life *life)
{
	return life->id.data[15];
}

static const struct step_definition *step_of(const struct life *life, int32_t step)
{
	return &life->plan->definition.steps[step];
}

/* ---- a change ---- */
static bool check_order(struct simulation *sim, const struct life *life, const struct store_change *change)
{
	if (!change->start && saga_state_is_terminal(life->row.state))
		fail(sim, "I1: saga %02x had ended as %s, and goes on", short_id(life),
		     saga_state_name(life->row.state));
	if (!change->start && change->expected_version != life->row.version)
		fail(sim, "I9: saga %02x is at version %lld, and changed by who saw version %lld", short_id(life),
		     (long long)life->row.version, (long long)change->expected_version);
	if (change->version != change->expected_version + (int64_t)change->log_count)
		fail(sim, "I5: saga %02x: the log has gaps", short_id(life));
	for (size_t i = 0; i < change->log_count; i++)
		if (change->log[i].entry.sequence != change->expected_version + (int64_t)i + 1)
			fail(sim, "I5: saga %02x: entry %lld is out of its order", short_id(life),
			     (long long)change->log[i].entry.sequence);
	return !sim->is_failed;
}

static void note_effects(struct simulation *sim, struct life *life, const struct saga *saga,
			 const struct saga_effects *effects, enum saga_event_type cause)
{
	for (size_t i = 0; i < effects->count; i++) {
		const struct saga_effect *effect = &effects->items[i];

		if (effect->type != SAGA_EFFECT_SEND_COMMAND)
			continue;
		if (saga->paused_us)
			fail(sim, "saga %02x sends although it is paused", short_id(life));
		if (effect->attempt > life->decided[effect->step][effect->phase])
			life->decided[effect->step][effect->phase] = effect->attempt;
		life->is_resend[effect->step][effect->phase] = cause == SAGA_EVENT_RESEND;
	}
}

/* What is in flight once the change is stored. A pause lets go of it, and what is sent after it is sent again. */
static void note_in_flight(struct life *life, const struct saga *saga)
{
	const bool is_over = saga->paused_us || saga_state_is_terminal(saga->state);

	for (size_t i = 0; i < saga->step_count; i++) {
		for (int k = 0; k < STEP_PHASE_COUNT; k++) {
			enum step_phase phase;

			life->is_in_flight[i][k] = !is_over && step_is_in_flight(&saga->steps[i], &phase) &&
						   (int)phase == k;
			if (!life->is_in_flight[i][k] || saga->steps[i].attempts[k] != life->sent[i][k])
				life->sender[i][k] = 0;
		}
	}
}

/* What a participant said never to have been done, and never to be done, is not undone. */
void check_cleared(struct simulation *sim, struct life *life, const struct saga_event *event,
		   const struct saga_effects *effects)
{
	if (event->phase == STEP_PHASE_INQUIRY && event->type == SAGA_EVENT_REJECTED)
		life->is_cleared[event->step] = true;
	for (size_t i = 0; i < effects->count; i++) {
		const struct saga_effect *effect = &effects->items[i];

		if (effect->type == SAGA_EFFECT_SEND_COMMAND && effect->phase == STEP_PHASE_COMPENSATION &&
		    life->is_cleared[effect->step])
			fail(sim, "I3: saga %02x: step '%s' is undone, and an inquiry had found that it was not done",
			     short_id(life), step_of(life, effect->step)->id);
	}
}

/* With nothing wrong any more, a step's participant answers long before its time is over. */
static void check_timeout(struct simulation *sim, const struct life *life, const struct saga_event *event)
{
	if (event->type != SAGA_EVENT_TIMED_OUT || step_of(life, event->step)->action != STEP_ACTION_COMMAND)
		return;
	if (life->was_held || life->is_poisoned || sim->has_faults)
		return;
	if (event->time_us > sim->faults_end_us + DATABASE_AHEAD_US + PURSUED_US)
		fail(sim, "I11: saga %02x: step '%s' timed out although nothing was wrong", short_id(life),
		     step_of(life, event->step)->id);
}

static struct saga *first_version(struct simulation *sim, const struct life *life, const struct store_change *change,
				  struct saga_effects *effects)
{
	const struct saga_event *first = &change->log[0].entry.event;
	struct saga_event event;
	struct saga *stored;
	struct error err;

	*effects = (struct saga_effects){0};
	if (saga_decode(&life->plan->definition, change->data, &sim->arena, &stored, &err) < 0) {
		fail(sim, "I5: saga %02x: its first row: %s", short_id(life), err.msg);
		return NULL;
	}
	if (first->type == SAGA_EVENT_SCHEDULED)
		return saga_schedule(&life->plan->definition, life->id, first->time_us, stored->start_us, &sim->arena,
				     &event);
	return saga_start(&life->plan->definition, life->id, first->time_us, &sim->arena, &event, effects);
}

static struct saga *replay_event(struct simulation *sim, struct life *life, struct saga *before,
				 const struct store_log_row *row)
{
	struct saga_event event = row->entry.event;
	struct saga_effects effects;
	struct saga *after = NULL;
	const char *why = "";

	event.step = row->step_id[0] ? plan_find_step(life->plan, row->step_id) : -1;
	event.milestone = keep(sim, event.milestone); /* the next change is applied to what becomes of it */
	event.reason = keep(sim, event.reason);
	event.detail = keep(sim, event.detail);
	event.reply = arena_bytes(&sim->arena, event.reply);
	if (event.time_us > sim->now_us + DATABASE_AHEAD_US)
		fail(sim, "I12: saga %02x: '%s' comes before its time", short_id(life), saga_event_name(event.type));
	if (plant_replay(&life->plan->definition, before, &event, &sim->arena, &after, &effects, &why) !=
	    SAGA_VERDICT_APPLIED) {
		fail(sim, "I5: saga %02x: '%s' of step %d is in the log, but: %s", short_id(life),
		     saga_event_name(event.type), event.step, why);
		return NULL;
	}
	if (after->state != row->entry.state)
		fail(sim, "I5: saga %02x: the log says %s after '%s', the core %s", short_id(life),
		     saga_state_name(row->entry.state), saga_event_name(event.type), saga_state_name(after->state));
	note(sim, "saga %02x: %s of step %s, attempt %d: %s, version %lld", short_id(life), saga_event_name(event.type),
	     row->step_id[0] ? row->step_id : "-", event.attempt, saga_state_name(after->state),
	     (long long)after->version);
	note_effects(sim, life, after, &effects, event.type);
	check_cleared(sim, life, &event, &effects);
	check_timeout(sim, life, &event);
	if (event.type == SAGA_EVENT_SKIP_REQUESTED || after->is_resolved)
		life->is_overruled = true;
	return after;
}

/* I8: a signal that was taken has brought what was sent with it: its saga's id. */
static void check_signals(struct simulation *sim, const struct life *life, const struct saga *saga)
{
	char sent[UUID_TEXT_LEN + 1];

	uuid_format(life->id, sent);
	for (size_t i = 0; i < saga->step_count; i++)
		if (step_of(life, (int32_t)i)->has_value && saga->steps[i].is_signalled &&
		    !bytes_equal_text(saga->steps[i].reply, sent))
			fail(sim, "I8: saga %02x: the signal of step '%s' has brought something else than was sent",
			     short_id(life), step_of(life, (int32_t)i)->id);
}

static void check_row(struct simulation *sim, struct life *life, const struct saga *saga, struct bytes data)
{
	buffer_clear(&sim->encoded);
	saga_encode(saga, &sim->encoded);
	if (!bytes_equal(buffer_bytes(&sim->encoded), data))
		fail(sim, "I5: saga %02x: the log does not lead to the stored row of version %lld", short_id(life),
		     (long long)saga->version);
}

/* What sweeps go by (saga/open_row.h), as it will be stored. */
static void check_open_row(struct simulation *sim, const struct life *life, const struct saga *saga,
			   const struct store_change *change)
{
	const struct open_row *row = change->is_open_row_new ? &change->open_row : &life->row.open_row;
	const int64_t due_us = plant_real_due_us(saga);
	const bool is_open = !saga_state_is_terminal(saga->state);
	enum step_phase phase;

	if (is_open != (row->look_us != 0))
		fail(sim, "I1: saga %02x is %s, and its open row is %s", short_id(life), saga_state_name(saga->state),
		     row->look_us ? "there" : "gone");
	if (!is_open)
		return;
	if (due_us ? row->look_us > due_us || due_us - row->look_us >= OPEN_ROW_SLACK_US : row->look_us != INT64_MAX)
		fail(sim, "I12: saga %02x is due at %lld, its open row is looked at at %lld", short_id(life),
		     (long long)due_us, (long long)row->look_us);
	if (row->state != saga->state || row->is_paused != (saga->paused_us != 0) ||
	    row->definition_id != life->row.definition_id)
		fail(sim, "I1: saga %02x: its open row tells something else than its state", short_id(life));
	for (size_t i = 0; i < saga->step_count && due_us >= saga->updated_us + OPEN_ROW_PATIENT_US; i++)
		if (step_is_in_flight(&saga->steps[i], &phase) && !row->is_patient)
			fail(sim, "I7: saga %02x: nobody looks for the command of step %zu after a crash",
			     short_id(life), i);
}

void check_change(struct simulation *sim, struct life *life, const struct store_change *change)
{
	struct saga_effects effects;
	struct saga *saga = life->saga;
	size_t first = 0;

	if (!check_order(sim, life, change))
		return;
	if (change->start) {
		saga = first_version(sim, life, change, &effects);
		first = 1;
		if (saga)
			note_effects(sim, life, saga, &effects, SAGA_EVENT_STARTED);
		note(sim, "saga %02x: starts as %s", short_id(life), life->plan->definition.name);
	}
	for (size_t i = first; i < change->log_count && saga; i++)
		saga = replay_event(sim, life, saga, &change->log[i]);
	if (!saga)
		return;
	check_row(sim, life, saga, change->data);
	check_signals(sim, life, saga);
	life->saga = saga;
	if (change->due_us != plant_real_due_us(saga))
		fail(sim, "I12: saga %02x is due at %lld, its row says %lld", short_id(life),
		     (long long)plant_real_due_us(saga), (long long)change->due_us);
	check_open_row(sim, life, saga, change);
	life->is_paused = saga->paused_us != 0;
	note_in_flight(life, saga);
}

/* ---- commands, effects, replies ---- */
void check_command(struct simulation *sim, const struct command *command)
{
	const struct life *life = command->life;

	if (!life->exists)
		fail(sim, "I7: a command of saga %02x is sent, which does not exist", short_id(life));
	else if (command->attempt < 1 || command->attempt > life->decided[command->step][command->phase])
		fail(sim, "I7: saga %02x: attempt %d of %s '%s' is sent, and was never decided", short_id(life),
		     command->attempt, step_phase_name(command->phase), step_of(life, command->step)->id);
}

static int64_t count_in_flight(const struct simulation *sim, int64_t sender, int32_t step)
{
	int64_t count = 0;

	for (size_t i = 0; i < sim->life_count; i++)
		for (int phase = 0; phase < STEP_PHASE_COUNT; phase++)
			count += sim->lives[i].is_in_flight[step][phase] && sim->lives[i].sender[step][phase] == sender;
	return count;
}

void check_room(const struct instance *instance, const struct command *command)
{
	struct simulation *sim = instance->sim;
	struct life *life = command->life;
	const int64_t self = instance->run * INSTANCES + instance->index + 1;
	int64_t *sender = &life->sender[command->step][command->phase];
	const bool is_first = command->attempt > life->sent[command->step][command->phase];

	if (!life->is_in_flight[command->step][command->phase] || command->phase == STEP_PHASE_INQUIRY)
		return; /* late, and not needed any more; or a question, which does not wait */
	if (life->is_resend[command->step][command->phase] || !is_first) {
		*sender = *sender == self ? self : 0;
	} else {
		*sender = self;
		if (sim->room_max && count_in_flight(sim, self, command->step) > sim->room_max)
			fail(sim, "I10: step '%s' has more commands in flight than the limit %lld at one instance",
			     step_of(life, command->step)->id, (long long)sim->room_max);
	}
	if (is_first)
		life->sent[command->step][command->phase] = command->attempt;
}

static int net(const struct life *life, int32_t step)
{
	return life->effects[step].done - life->effects[step].undone;
}

/* Its effect may come at any time: when nobody knows whether it ran, there is nothing that would hold it back. */
static bool is_unbound(const struct life *life, int32_t step)
{
	return step_of(life, step)->kind == STEP_KIND_COMPENSATABLE && !step_of(life, step)->has_compensation;
}

static bool comes_after(const struct life *life, int32_t step, int32_t before)
{
	const struct definition *definition = &life->plan->definition;

	for (size_t i = 0; i < definition_after_count(definition, step); i++) {
		const int32_t direct = definition_after(definition, step, i);

		if (direct == before || comes_after(life, direct, before))
			return true;
	}
	return false;
}

static void check_neighbours(struct simulation *sim, const struct command *command)
{
	const struct life *life = command->life;

	for (int32_t i = 0; i < (int32_t)life->plan->definition.step_count; i++) {
		if (step_of(life, i)->action != STEP_ACTION_COMMAND || is_unbound(life, i))
			continue;
		if (command->phase == STEP_PHASE_FORWARD && comes_after(life, command->step, i) && net(life, i) != 1)
			fail(sim, "I3: saga %02x: step '%s' runs before '%s'", short_id(life),
			     step_of(life, command->step)->id, step_of(life, i)->id);
		if (command->phase == STEP_PHASE_COMPENSATION && comes_after(life, i, command->step) &&
		    net(life, i) != 0)
			fail(sim, "I3: saga %02x: step '%s' is undone before '%s'", short_id(life),
			     step_of(life, command->step)->id, step_of(life, i)->id);
	}
}

void check_effect(struct simulation *sim, const struct command *command)
{
	const struct life *life = command->life;
	const struct effect *effect = &life->effects[command->step];

	if (effect->done > 1 || effect->undone > effect->done)
		fail(sim, "I4: saga %02x: step '%s' was done %d times and undone %d times", short_id(life),
		     step_of(life, command->step)->id, effect->done, effect->undone);
	if (life->is_overruled || is_unbound(life, command->step))
		return;
	if (saga_state_is_terminal(life->row.state))
		fail(sim, "I2: saga %02x: step '%s' %s takes effect after the saga has ended", short_id(life),
		     step_of(life, command->step)->id, step_phase_name(command->phase));
	check_neighbours(sim, command);
}

void check_reply(struct simulation *sim, const struct command *command, enum saga_event_type outcome)
{
	enum saga_event_type *told = &command->life->told[command->step][command->phase];

	if (outcome != SAGA_EVENT_SUCCEEDED && outcome != SAGA_EVENT_REJECTED)
		return;
	if (*told != SAGA_EVENT_STARTED && *told != outcome)
		fail(sim, "I6: saga %02x: step '%s' %s is replied to with %s, before with %s", short_id(command->life),
		     step_of(command->life, command->step)->id, step_phase_name(command->phase),
		     saga_event_name(outcome), saga_event_name(*told));
	*told = outcome;
}

/* ---- answers ---- */
void check_view(struct simulation *sim, const struct saga_view *view)
{
	const struct life *life = life_of(sim, view->saga->id);

	buffer_clear(&sim->encoded);
	saga_encode(view->saga, &sim->encoded);
	if (!life->exists || view->saga->version > life->row.version)
		fail(sim, "I8: saga %02x is shown at version %lld, which was never committed", short_id(life),
		     (long long)view->saga->version);
	else if (digest(buffer_bytes(&sim->encoded)) != life->digests[view->saga->version - 1])
		fail(sim, "I8: saga %02x: what is shown is not version %lld as it was committed", short_id(life),
		     (long long)view->saga->version);
}

/* ---- the end ---- */
bool all_have_ended(const struct simulation *sim)
{
	for (size_t i = 0; i < sim->life_count; i++)
		if (sim->lives[i].exists && !saga_state_is_terminal(sim->lives[i].row.state))
			return false;
	return true;
}

bool all_is_over(struct simulation *sim)
{
	if (sim->messages > 0 || !bus_is_drained(sim))
		return false;
	for (size_t i = 0; i < sim->client_count; i++)
		if (!sim->clients[i].is_over)
			return false;
	for (size_t i = 0; i < sim->life_count; i++)
		if (sim->lives[i].exists && saga_state_is_open(sim->lives[i].row.state))
			return false;
	return true;
}

void check_net_effects(struct simulation *sim, const struct life *life)
{
	for (int32_t i = 0; i < (int32_t)life->plan->definition.step_count; i++) {
		const struct step_definition *step = step_of(life, i);

		if (step->action != STEP_ACTION_COMMAND)
			continue;
		if (life->row.state == SAGA_STATE_COMPLETED && net(life, i) != 1)
			fail(sim, "I2: saga %02x is COMPLETED without its step '%s'", short_id(life), step->id);
		if (life->row.state == SAGA_STATE_COMPENSATED && !is_unbound(life, i) && net(life, i) != 0)
			fail(sim, "I2: saga %02x is COMPENSATED, and its step '%s' is not undone", short_id(life),
			     step->id);
	}
}

static void check_log(struct simulation *sim, struct life *life)
{
	for (int64_t i = 0; i < life->row.version; i++)
		if (life->log[i].entry.sequence != i + 1)
			fail(sim, "I5: saga %02x: entry %lld of the log is missing", short_id(life), (long long)i + 1);
	if (digest(life->row.data) != life->digests[life->row.version - 1])
		fail(sim, "I5: saga %02x: its row is not its last version", short_id(life));
}

static void check_life(struct simulation *sim, struct life *life)
{
	if (saga_state_is_open(life->row.state))
		fail(sim, "I11: saga %02x is still %s, long after the last fault", short_id(life),
		     saga_state_name(life->row.state));
	check_log(sim, life);
	if (!life->is_overruled)
		check_net_effects(sim, life);
	for (size_t i = 0; i < sim->life_count; i++)
		if (&sim->lives[i] != life && sim->lives[i].exists &&
		    strcmp(sim->lives[i].row.idempotency_key, life->row.idempotency_key) == 0)
			fail(sim, "I8: key '%s' has two sagas", life->row.idempotency_key);
}

void check_end(struct simulation *sim)
{
	for (size_t i = 0; i < sim->life_count; i++)
		if (sim->lives[i].exists)
			check_life(sim, &sim->lives[i]);
	for (size_t i = 0; i < sim->client_count; i++)
		if (sim->clients[i].is_served && !life_of(sim, sim->clients[i].saga_id)->exists)
			fail(sim, "I8: the saga of client %zu was acknowledged and does not exist", i);
	for (int i = 0; i < PARTITIONS; i++)
		for (size_t k = 0; k < sim->partitions[i].count; k++)
			if (!sim->partitions[i].replies[k]->is_settled)
				fail(sim, "I13: reply %zu of partition %d was never processed", k, i);
}
