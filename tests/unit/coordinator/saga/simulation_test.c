/*
 * simulation_test.c - many sagas against participants that keep the contract, over a network that keeps nothing.
 *
 * World:      virtual time; records are delivered late, twice, out of order or never. A participant has an inbox: it does a
 *             step once, repeats its reply, leaves a tombstone for what it was asked to undo before it was asked to do it,
 *             and rolls back what it calls retriable. Now and then it is away for longer than a step's timeout.
 * Checked:    each saga ends, or is stuck; what ran is kept or undone as its state says, in reverse order; nothing runs
 *             after the end; the log replays to the same bytes. A failure names its seed: it is the only randomness.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/memory.h"
#include "tests/unit/coordinator/saga/saga_fixture.h"

enum { SAGAS = 10000, RECORDS_MAX = 256, LOG_MAX = 512, STEPS_MAX = 8 };

/* A record under way, in either direction. */
struct record {
	int64_t at_us;
	bool is_reply;
	struct saga_event event; /* a command: step, phase and attempt only */
};

struct inbox_row {
	bool is_known;     /* else the command was never seen */
	bool is_tombstone; /* forward: undone before it was done */
	bool is_accepted;
	enum saga_event_type outcome;
	bool has_no_effect;
};

struct participant {
	struct inbox_row rows[STEP_PHASE_COUNT];
	int done; /* how often the effect happened */
	int undone;
	int done_at; /* order of effects in this world */
	int undone_at;
	int64_t away_until_us;
};

struct simulation {
	uint64_t random;
	struct world world;
	struct record records[RECORDS_MAX];
	size_t record_count;
	struct participant participants[STEPS_MAX];
	int effects; /* so far, done and undone */
	struct saga_event log[LOG_MAX];
	size_t log_count;
};

/* splitmix64 */
static uint64_t draw(struct simulation *sim, uint64_t below)
{
	uint64_t z = sim->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % below;
}

static bool by_chance(struct simulation *sim, uint64_t percent)
{
	return draw(sim, 100) < percent;
}

/* ---- the network ---- */
static void post(struct simulation *sim, bool is_reply, struct saga_event event)
{
	const int copies = by_chance(sim, 8) ? 0 : by_chance(sim, 10) ? 2 : 1;

	for (int i = 0; i < copies && sim->record_count < RECORDS_MAX; i++) {
		const int64_t delay_us = by_chance(sim, 5) ? (int64_t)draw(sim, 40000000) : (int64_t)draw(sim, 200000);

		sim->records[sim->record_count++] = (struct record){sim->world.now_us + delay_us + 1, is_reply, event};
	}
}

static struct record take_next(struct simulation *sim)
{
	size_t next = 0;
	struct record record;

	for (size_t i = 1; i < sim->record_count; i++)
		if (sim->records[i].at_us < sim->records[next].at_us)
			next = i;
	record = sim->records[next];
	sim->records[next] = sim->records[--sim->record_count];
	return record;
}

/* ---- a participant ---- */
static void reply(struct simulation *sim, const struct saga_event *command, enum saga_event_type outcome,
		  bool has_no_effect)
{
	post(sim, true,
	     (struct saga_event){.type = outcome,
				 .step = command->step,
				 .phase = command->phase,
				 .attempt = command->attempt,
				 .milestone = outcome == SAGA_EVENT_ACCEPTED ? NULL : "REPLIED",
				 .reason = outcome == SAGA_EVENT_SUCCEEDED ? NULL : "reason",
				 .has_no_effect = has_no_effect});
}

static void do_forward(struct simulation *sim, struct participant *participant, const struct saga_event *command)
{
	struct inbox_row *row = &participant->rows[STEP_PHASE_FORWARD];

	row->is_known = true;
	row->outcome = by_chance(sim, 8) ? SAGA_EVENT_REJECTED : SAGA_EVENT_SUCCEEDED;
	if (row->outcome == SAGA_EVENT_SUCCEEDED) {
		participant->done++;
		participant->done_at = ++sim->effects;
	}
	reply(sim, command, row->outcome, false);
}

static void undo(struct simulation *sim, struct participant *participant, const struct saga_event *command)
{
	struct inbox_row *row = &participant->rows[STEP_PHASE_COMPENSATION];
	struct inbox_row *forward = &participant->rows[STEP_PHASE_FORWARD];

	row->is_known = true;
	row->outcome = SAGA_EVENT_SUCCEEDED;
	row->has_no_effect = !forward->is_known || forward->outcome != SAGA_EVENT_SUCCEEDED;
	if (!forward->is_known)
		*forward = (struct inbox_row){.is_known = true, .is_tombstone = true, .outcome = SAGA_EVENT_REJECTED};
	if (!row->has_no_effect) {
		participant->undone++;
		participant->undone_at = ++sim->effects;
	}
	reply(sim, command, SAGA_EVENT_SUCCEEDED, row->has_no_effect);
}

static void receive_command(struct simulation *sim, const struct saga_event *command)
{
	struct participant *participant = &sim->participants[command->step];
	struct inbox_row *row = &participant->rows[command->phase];

	if (sim->world.now_us < participant->away_until_us)
		return; /* as good as lost: the coordinator sends it again */
	if (row->is_known) {
		reply(sim, command, row->outcome, row->has_no_effect);
	} else if (by_chance(sim, 2)) {
		participant->away_until_us = sim->world.now_us + (int64_t)draw(sim, 50000000);
	} else if (by_chance(sim, 12)) {
		reply(sim, command, SAGA_EVENT_RETRIABLE, false);
	} else if (!row->is_accepted && by_chance(sim, 5)) {
		row->is_accepted = true; /* done by a later copy of the command, or by the next attempt */
		reply(sim, command, SAGA_EVENT_ACCEPTED, false);
		post(sim, false, *command);
	} else if (command->phase == STEP_PHASE_FORWARD) {
		do_forward(sim, participant, command);
	} else {
		undo(sim, participant, command);
	}
}

/* ---- the coordinator ---- */
static void do_effects(struct simulation *sim)
{
	const struct saga_effects effects = sim->world.effects;

	for (size_t i = 0; i < effects.count; i++)
		if (effects.items[i].type == SAGA_EFFECT_SEND_COMMAND)
			post(sim, false,
			     (struct saga_event){.step = effects.items[i].step,
						 .phase = effects.items[i].phase,
						 .attempt = effects.items[i].attempt});
}

static void apply(struct simulation *sim, struct saga_event event)
{
	event.time_us = sim->world.now_us;
	if (world_apply(&sim->world, &event) != SAGA_VERDICT_APPLIED)
		return;
	assert_true(sim->log_count < LOG_MAX);
	sim->log[sim->log_count++] = event;
	do_effects(sim);
}

static void be_due(struct simulation *sim)
{
	struct saga_event event;

	assert_true(saga_due_event(sim->world.saga, sim->world.now_us, &event));
	apply(sim, event);
}

/* What comes first: a record or the clock. False: nothing comes any more. */
static bool step_once(struct simulation *sim)
{
	int64_t due_us;
	struct record record;

	if (by_chance(sim, 1))
		apply(sim, saga_request_event(SAGA_EVENT_CANCELLED, -1, sim->world.now_us, "changed my mind"));
	due_us = saga_due_us(sim->world.saga);
	if (sim->record_count == 0) {
		if (!due_us)
			return false;
		if (due_us > sim->world.now_us)
			sim->world.now_us = due_us;
		be_due(sim);
		return true;
	}
	record = take_next(sim);
	if (due_us && due_us <= record.at_us) {
		sim->records[sim->record_count++] = record;
		if (due_us > sim->world.now_us)
			sim->world.now_us = due_us;
		be_due(sim);
		return true;
	}
	if (record.at_us > sim->world.now_us)
		sim->world.now_us = record.at_us;
	if (record.is_reply)
		apply(sim, record.event);
	else
		receive_command(sim, &record.event);
	return true;
}

/* ---- what must hold ---- */
static void check_effects(struct simulation *sim)
{
	const struct saga *saga = sim->world.saga;
	int last_undone_at = INT32_MAX;

	for (size_t i = 0; i < saga->step_count; i++) {
		const struct participant *participant = &sim->participants[i];
		const bool can_undo = sim->world.steps[i].has_compensation;

		assert_in_range(participant->done, 0, 1); /* I4 */
		assert_in_range(participant->undone, 0, participant->done);
		if (saga->state == SAGA_STATE_COMPLETED)
			assert_true(participant->done == 1 && participant->undone == 0);
		if (saga->state == SAGA_STATE_COMPENSATED && can_undo)
			assert_int_equal(participant->undone, participant->done); /* I2, I3 */
		if (saga->state == SAGA_STATE_COMPENSATED && sim->world.steps[i].kind != STEP_KIND_COMPENSATABLE)
			assert_int_equal(participant->done, 0);
		if (participant->undone) {
			assert_true(participant->undone_at < last_undone_at); /* I3: the later step first */
			last_undone_at = participant->undone_at;
		}
	}
}

/* A step is compensated exactly when it ran or may have. */
static void check_log(struct simulation *sim)
{
	for (size_t i = 0; i < sim->world.saga->step_count; i++) {
		const struct step *step = &sim->world.saga->steps[i];
		const bool was_compensated = step->attempts[STEP_PHASE_COMPENSATION] > 0;

		if (was_compensated)
			assert_true(step->attempts[STEP_PHASE_FORWARD] > 0);
		if (sim->world.saga->state == SAGA_STATE_COMPENSATED && sim->participants[i].done &&
		    sim->world.steps[i].has_compensation)
			assert_true(was_compensated);
		if (sim->world.saga->state == SAGA_STATE_COMPLETED)
			assert_false(was_compensated);
	}
}

/* I5: the log alone leads to the same bytes. */
static void check_replay(struct simulation *sim)
{
	struct world *world = &sim->world;
	struct buffer ours = {0};
	struct buffer replayed = {0};
	struct saga_event event;
	struct saga_effects effects;
	const char *why;
	struct saga *saga = world->saga->start_us
				    ? saga_schedule(&world->definition, world->saga->id, world->saga->created_us,
						    world->saga->start_us, &world->arena, &event)
				    : saga_start(&world->definition, world->saga->id, world->saga->created_us,
						 &world->arena, &event, &effects);

	for (size_t i = 0; i < sim->log_count; i++)
		assert_int_equal(
			saga_apply(&world->definition, saga, &sim->log[i], &world->arena, &saga, &effects, &why),
			SAGA_VERDICT_APPLIED);
	saga_encode(world->saga, &ours);
	saga_encode(saga, &replayed);
	assert_true(bytes_equal(buffer_bytes(&ours), buffer_bytes(&replayed)));
	buffer_release(&ours);
	buffer_release(&replayed);
}

static uint64_t running_seed; /* 0: none */

/* After a failed check the seed is still there. */
static int tell_seed(void **state)
{
	(void)state;
	if (running_seed)
		print_error("failed with seed %llu\n", (unsigned long long)running_seed);
	running_seed = 0;
	return 0;
}

static enum saga_state run_one(uint64_t seed)
{
	static const char *const kinds[] = {"cccpr", "cnpr", "ccr", "ccc", "pr", "cp"};
	struct simulation sim = {.random = seed};
	enum saga_state state;

	running_seed = seed;
	world_init(&sim.world, kinds[draw(&sim, ARRAY_LEN(kinds))]);
	if (by_chance(&sim, 8))
		world_schedule(&sim.world, sim.world.now_us + 1 + (int64_t)draw(&sim, 1000000));
	else
		world_start(&sim.world);
	do_effects(&sim);
	while (step_once(&sim))
		;
	state = sim.world.saga->state;
	if (!saga_state_is_terminal(state) && state != SAGA_STATE_STUCK)
		fail_msg("the saga stands still as %s", saga_state_name(state));
	check_effects(&sim);
	check_log(&sim);
	check_replay(&sim);
	world_release(&sim.world);
	running_seed = 0;
	return state;
}

static void ten_thousand_sagas_end_as_their_effects_say(void **state)
{
	size_t ends[SAGA_STATE_COUNT] = {0};

	(void)state;
	for (uint64_t seed = 1; seed <= SAGAS; seed++)
		ends[run_one(seed)]++;
	print_message("completed %zu, compensated %zu, stuck %zu\n", ends[SAGA_STATE_COMPLETED],
		      ends[SAGA_STATE_COMPENSATED], ends[SAGA_STATE_STUCK]);
	/* The world is rough, but each way of ending is really taken. */
	assert_true(ends[SAGA_STATE_COMPLETED] > SAGAS / 4);
	assert_true(ends[SAGA_STATE_COMPENSATED] > SAGAS / 20);
	assert_true(ends[SAGA_STATE_STUCK] > 0);
}

static void the_same_seed_runs_the_same_way(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++)
		assert_int_equal(run_one(seed), run_one(seed));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(ten_thousand_sagas_end_as_their_effects_say, tell_seed),
		cmocka_unit_test_teardown(the_same_seed_runs_the_same_way, tell_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
