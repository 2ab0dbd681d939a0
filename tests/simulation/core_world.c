/*
 * core_world.c - one saga of the core alone among the same participants and faults, without engine, store and offsets: a
 * coordinator that forgets nothing but what it sent. It is fast enough for a million sagas a minute.
 */
#include <assert.h>

#include "lib/base/memory.h"
#include "tests/simulation/simulation.h"

struct core {
	struct simulation *sim;
	struct life *life;
	struct saga *saga;
	struct saga_event *log; /* what was applied after the first version */
	size_t log_count;
	size_t log_max;
	int64_t clock_us; /* when the clock's next event is planned; 0: none is */
};

static const struct definition *definition_of(const struct core *core)
{
	return &core->life->plan->definition;
}

/* ---- what an event leads to ---- */
static void be_due(struct simulation *sim, void *of, int64_t number);

static void apply(struct core *core, struct saga_event event);

static void send_commands(struct core *core, const struct saga_effects *effects)
{
	struct simulation *sim = core->sim;
	const struct saga_event *cause = core->log_count ? &core->log[core->log_count - 1] : NULL;
	bool was_sent = cause && cause->type == SAGA_EVENT_RESEND;
	const struct saga_effect *held[STEPS_MAX];
	size_t held_count = 0;

	for (size_t i = 0; i < effects->count; i++) {
		const struct saga_effect *effect = &effects->items[i];
		const struct command command = {core->life, effect->step, effect->phase, effect->attempt};

		if (effect->type != SAGA_EFFECT_SEND_COMMAND)
			continue;
		if (core->saga->paused_us)
			fail(sim, "the saga sends although it is paused");
		if (!was_sent && effect->phase != STEP_PHASE_INQUIRY && happens(sim, FAULT_NO_ROOM)) {
			held[held_count++] = effect;
			continue;
		}
		core->life->decided[effect->step][effect->phase] = effect->attempt;
		bus_produce(sim, arena_copy(&sim->arena, &command, sizeof(command)));
	}
	for (size_t i = 0; i < held_count; i++)
		apply(core, saga_room_event(SAGA_EVENT_HELD, core->saga, held[i]->step, held[i]->phase, sim->now_us));
}

static void plan_clock(struct core *core)
{
	const int64_t due_us = saga_due_us(core->saga);
	const int64_t now_us = core->sim->now_us;

	if (due_us == core->clock_us)
		return;
	core->clock_us = due_us;
	if (due_us)
		plan_event(core->sim, due_us > now_us ? due_us - now_us : 0, be_due, core, due_us);
}

static void take_version(struct core *core, struct saga *saga, const struct saga_effects *effects)
{
	core->saga = saga;
	core->life->row.version = saga->version;
	core->life->row.state = saga->state;
	core->life->is_paused = saga->paused_us != 0;
	core->life->is_overruled |= saga->is_resolved;
	send_commands(core, effects);
	plan_clock(core);
}

static void add_to_log(struct core *core, const struct saga_event *event)
{
	struct saga_event *log;

	if (core->log_count == core->log_max) {
		core->log_max = core->log_max * 2 + 32;
		log = arena_alloc(&core->sim->arena, core->log_max * sizeof(*log));
		for (size_t i = 0; i < core->log_count; i++)
			log[i] = core->log[i];
		core->log = log;
	}
	core->log[core->log_count++] = *event;
}

static void apply(struct core *core, struct saga_event event)
{
	struct simulation *sim = core->sim;
	struct saga_effects effects;
	struct saga *after = NULL;
	const char *why = NULL;

	event.time_us = sim->now_us;
	if (saga_apply(definition_of(core), core->saga, &event, &sim->arena, &after, &effects, &why) !=
	    SAGA_VERDICT_APPLIED) {
		note(sim, "%s of step %d, attempt %d: nothing: %s", saga_event_name(event.type), event.step,
		     event.attempt, why);
		return;
	}
	if (saga_state_is_terminal(core->saga->state))
		fail(sim, "I1: the saga had ended, and goes on");
	core->life->is_overruled |= event.type == SAGA_EVENT_SKIP_REQUESTED;
	note(sim, "%s of step %d, attempt %d: %s, version %lld", saga_event_name(event.type), event.step, event.attempt,
	     saga_state_name(after->state), (long long)after->version);
	mix_number(sim, (int64_t)event.type * 1024 + event.step);
	mix_number(sim, sim->now_us);
	add_to_log(core, &event);
	check_cleared(sim, core->life, &event, &effects);
	take_version(core, after, &effects);
}

static void be_due(struct simulation *sim, void *of, int64_t number)
{
	struct core *core = of;
	struct saga_event event;
	int32_t step = 0;

	if (core->clock_us != number)
		return; /* what it was planned for has changed */
	core->clock_us = 0;
	if (saga_due_event(definition_of(core), core->saga, sim->now_us, &step, &event))
		apply(core, event);
	plan_clock(core);
}

/* ---- replies ---- */
void core_take_reply(struct simulation *sim, void *of, int64_t number)
{
	(void)number;
	apply(sim->core, *(struct saga_event *)of);
}

/* ---- people, and restarts ---- */
static struct saga_event some_request(struct core *core, enum saga_event_type type)
{
	const int32_t step = (int32_t)draw(core->sim, STREAM_OPERATOR, core->saga->step_count);

	return saga_request_event(type, type == SAGA_EVENT_SKIP_REQUESTED ? step : -1, 0, "so it is");
}

static void resume(struct simulation *sim, void *of, int64_t number)
{
	(void)sim;
	(void)number;
	apply(of, saga_request_event(SAGA_EVENT_RESUMED, -1, 0, "so it is"));
}

static void send_signal(struct core *core)
{
	for (size_t i = 0; i < core->saga->step_count; i++)
		if (definition_of(core)->steps[i].action == STEP_ACTION_SIGNAL &&
		    draw(core->sim, STREAM_OPERATOR, 4) == 0)
			apply(core, (struct saga_event){.type = SAGA_EVENT_SIGNALLED,
							.step = (int32_t)i,
							.milestone = "SIGNALLED",
							.reply = bytes_of_text(
								definition_of(core)->steps[i].has_value ? "yes" : "")});
}

static void send_again(struct core *core)
{
	struct saga_event event;
	int32_t step = 0;

	while (saga_resend_event(core->saga, core->sim->now_us, &step, &event))
		apply(core, event);
}

/* Of a step that may not be about to do any of it; a signal for a step that waits for none, or without its value. */
static void stray(struct core *core)
{
	static const enum saga_event_type types[] = {SAGA_EVENT_RESEND,   SAGA_EVENT_RETRY,   SAGA_EVENT_TIMED_OUT,
						     SAGA_EVENT_ELAPSED,  SAGA_EVENT_STARTED, SAGA_EVENT_OVERDUE,
						     SAGA_EVENT_SIGNALLED};
	const enum saga_event_type type = types[draw(core->sim, STREAM_CRASH, ARRAY_LEN(types))];
	const bool is_of_saga = type == SAGA_EVENT_STARTED || type == SAGA_EVENT_OVERDUE;
	const int32_t step = (int32_t)draw(core->sim, STREAM_CRASH, core->saga->step_count + 1);
	const enum step_phase phase = type == SAGA_EVENT_SIGNALLED
					      ? STEP_PHASE_FORWARD
					      : (enum step_phase)draw(core->sim, STREAM_CRASH, STEP_PHASE_COUNT);
	const bool is_known = (size_t)step < core->saga->step_count;

	apply(core, (struct saga_event){.type = type,
					.step = is_of_saga ? -1 : step,
					.phase = phase,
					.attempt = is_known ? core->saga->steps[step].attempts[phase] : 1});
}

static void operate(struct simulation *sim, void *of, int64_t number)
{
	static const enum saga_event_type decisions[] = {
		SAGA_EVENT_RETRY_REQUESTED,    SAGA_EVENT_RETRY_REQUESTED,      SAGA_EVENT_CANCELLED,
		SAGA_EVENT_RESOLVED_COMPLETED, SAGA_EVENT_RESOLVED_COMPENSATED, SAGA_EVENT_RESOLVED_FAILED,
		SAGA_EVENT_SKIP_REQUESTED};
	struct core *core = of;

	(void)number;
	if (saga_state_is_terminal(core->saga->state))
		return;
	send_signal(core);
	if (core->saga->state == SAGA_STATE_STUCK && happens(sim, FAULT_DECIDE))
		apply(core, some_request(core, decisions[draw(sim, STREAM_OPERATOR, ARRAY_LEN(decisions))]));
	if (draw(sim, STREAM_OPERATOR, 8) == 0 && happens(sim, FAULT_CANCEL))
		apply(core, some_request(core, SAGA_EVENT_CANCELLED));
	if (happens(sim, FAULT_PAUSE)) {
		apply(core, some_request(core, SAGA_EVENT_PAUSED));
		plan_event(sim, (int64_t)draw(sim, STREAM_OPERATOR, 15 * SECOND_US), resume, core, 0);
	}
	if (happens(sim, FAULT_CRASH_AFTER_COMMIT))
		send_again(core);
	if (happens(sim, FAULT_STRAY))
		stray(core);
	plan_event(sim, 1 + (int64_t)draw(sim, STREAM_OPERATOR, 2 * SECOND_US), operate, core, 0);
}

/* ---- the world ---- */
static void begin(struct core *core)
{
	struct simulation *sim = core->sim;
	const bool is_later = draw(sim, STREAM_WORLD, 12) == 0;
	struct saga_effects effects = {0};
	struct saga_event event;
	struct saga *saga;

	if (is_later)
		saga = saga_schedule(definition_of(core), core->life->id, sim->now_us,
				     sim->now_us + 1 + (int64_t)draw(sim, STREAM_WORLD, 5000000), &sim->arena, &event);
	else
		saga = saga_start(definition_of(core), core->life->id, sim->now_us, &sim->arena, &event, &effects);
	note(sim, "%s starts", definition_of(core)->name);
	take_version(core, saga, &effects);
}

/* I5: the log alone leads to the same bytes. */
static void check_log(struct core *core)
{
	struct simulation *sim = core->sim;
	const struct saga *ours = core->saga;
	struct buffer bytes = {0};
	struct buffer replayed = {0};
	struct saga_effects effects;
	struct saga_event event;
	const char *why;
	struct saga *saga = ours->start_us ? saga_schedule(definition_of(core), ours->id, ours->created_us,
							   ours->start_us, &sim->arena, &event)
					   : saga_start(definition_of(core), ours->id, ours->created_us, &sim->arena,
							&event, &effects);

	for (size_t i = 0; i < core->log_count; i++)
		if (saga_apply(definition_of(core), saga, &core->log[i], &sim->arena, &saga, &effects, &why) !=
		    SAGA_VERDICT_APPLIED)
			fail(sim, "I5: entry %zu of the log: %s", i + 2, why);
	saga_encode(ours, &bytes);
	saga_encode(saga, &replayed);
	if (!bytes_equal(buffer_bytes(&bytes), buffer_bytes(&replayed)))
		fail(sim, "I5: the log does not lead to the last version");
	mix(sim, bytes.data, bytes.len);
	buffer_release(&bytes);
	buffer_release(&replayed);
}

void core_run(struct simulation *sim, int64_t heal_us)
{
	struct core core = {.sim = sim, .life = &sim->lives[0]};

	const size_t drawn = draw(sim, STREAM_WORLD, SHAPES);
	const size_t shape = sim->options->mode == MODE_EXHAUSTIVE ? sim->options->shape : drawn;

	sim->core = &core;
	sim->life_count = 1;
	*core.life = (struct life){.id = {{1, 2, 3}}, .exists = true, .plan = shape_plan(shape)};
	begin(&core);
	plan_event(sim, 1 + (int64_t)draw(sim, STREAM_OPERATOR, 2 * SECOND_US), operate, &core, 0);
	simulation_run_until(sim, sim->faults_end_us);
	sim->has_faults = false;
	resume(sim, &core, 0);
	simulation_run_until(sim, sim->faults_end_us + heal_us);
	if (saga_state_is_open(core.saga->state))
		fail(sim, "I11: the saga is still %s, long after the last fault", saga_state_name(core.saga->state));
	if (!core.life->is_overruled)
		check_net_effects(sim, core.life);
	check_log(&core);
	sim->core = NULL;
}
