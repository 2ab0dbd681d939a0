/*
 * coordinator.c - an instance of the real engine: its turns, its death at a crash point, standing still, its next run.
 *
 * Death:   from the moment on nothing that the engine still does in its turn has a consequence: ports refuse, what it
 *          sends and answers is dropped. That is what `kill -9` does at that place.
 * Stall:   inside of a port's call the rest of the world goes on; then the engine goes on with what it knew before.
 */
#include <assert.h>
#include <endian.h>

#include "coordinator/engine/engine_metrics.h"
#include "tests/simulation/simulation.h"

enum { TURN_US = 1000, DOWN_US = 8000000, STALL_US = 20000000, SESSION_US = 6000000 };

static const char *const NAMES[INSTANCES] = {"one", "two"};

bool instance_is_up(const struct instance *instance)
{
	return instance->engine && !instance->is_dead;
}

struct instance *instance_any(struct simulation *sim, enum stream stream)
{
	const int first = (int)draw(sim, stream, INSTANCES);

	for (int i = 0; i < INSTANCES; i++) {
		struct instance *instance = &sim->instances[(first + i) % INSTANCES];

		if (instance_is_up(instance))
			return instance;
	}
	return NULL;
}

/* ---- the clock ---- */
static int64_t now_us(void *ctx)
{
	return ((struct instance *)ctx)->sim->now_us;
}

static struct uuid new_id(void *ctx)
{
	struct simulation *sim = ((struct instance *)ctx)->sim;
	struct uuid id;

	for (size_t i = 0; i < sizeof(id.data); i += sizeof(uint64_t)) {
		const uint64_t word = htole64(draw(sim, STREAM_ID, UINT64_MAX));

		memcpy(id.data + i, &word, sizeof(word));
	}
	id.data[6] = (uint8_t)((id.data[6] & 0x0F) | 0x70);
	id.data[8] = (uint8_t)((id.data[8] & 0x3F) | 0x80);
	return id;
}

/* ---- metrics ---- */
void __real_engine_metrics_register(struct engine_metrics *metrics, struct metrics *set);
void __wrap_engine_metrics_register(struct engine_metrics *metrics, struct metrics *set);

/* Nobody reads them here, and to make them anew for each run takes longer than some runs last: all share one set. */
void __wrap_engine_metrics_register(struct engine_metrics *metrics, struct metrics *set)
{
	static struct engine_metrics shared;
	static const struct metrics *shared_set;

	if (shared_set != set)
		__real_engine_metrics_register(&shared, set);
	shared_set = set;
	*metrics = shared;
}

void __wrap_engine_metrics_count(struct engine_metrics *metrics, const struct store_count *counts, size_t count);

/* It would add series to the set for each engine anew. */
void __wrap_engine_metrics_count(struct engine_metrics *metrics, const struct store_count *counts, size_t count)
{
	(void)metrics;
	(void)counts;
	(void)count;
}

/* ---- life ---- */
static void run_turn(struct simulation *sim, void *of, int64_t number);

static void plan_turn(struct instance *instance, int64_t after_us)
{
	struct simulation *sim = instance->sim;
	const int64_t at_us = sim->now_us + after_us;

	if (instance->turn_at_us && instance->turn_at_us <= at_us)
		return;
	instance->turn_at_us = at_us;
	plan_event(sim, after_us, run_turn, instance, at_us);
}

void instance_wake(struct instance *instance)
{
	if (!instance->is_in_turn)
		plan_turn(instance, TURN_US);
}

static void begin_run(struct instance *instance)
{
	struct simulation *sim = instance->sim;
	const struct engine_options options = {
		.instance = NAMES[instance->index],
		.ports = &sim->ports[instance->index],
		.metrics = sim->metrics,
		.in_flight.max = sim->room_max,
		.sweep_ms = sim->sweep_ms,
		.slice_changes = 2, /* so that rounds of few changes have several */
	};

	instance->is_dead = false;
	instance->run++;
	instance->paused = (struct paused){0};
	instance->done = NULL;
	instance->engine = engine_new(&options);
	instance->turn_at_us = 0;
	plan_turn(instance, TURN_US);
}

static void begin_again(struct simulation *sim, void *of, int64_t number)
{
	struct instance *instance = of;

	(void)number;
	if (instance->engine)
		return;
	note(sim, "%s starts", NAMES[instance->index]);
	begin_run(instance);
	bus_rebalance(sim, false);
}

static void end_session(struct simulation *sim, void *of, int64_t number)
{
	struct instance *instance = of;

	if (instance->run == number && (!instance_is_up(instance) || instance->is_stopped))
		bus_rebalance(sim, true);
}

static void bury(struct instance *instance)
{
	struct simulation *sim = instance->sim;

	for (int i = 0; i < PARTITIONS; i++)
		sim->partitions[i].consumers[instance->index].is_assigned = false;
	engine_free(instance->engine);
	instance->engine = NULL;
	instance->done = NULL;
	plan_event(sim, SESSION_US, end_session, instance, instance->run);
	plan_event(sim, 100000 + (int64_t)draw(sim, STREAM_CRASH, DOWN_US), begin_again, instance, 0);
}

void instance_die(struct instance *instance)
{
	assert(instance->is_in_turn);
	note(instance->sim, "%s dies", NAMES[instance->index]);
	instance->is_dead = true;
}

void instance_stall(struct instance *instance)
{
	struct simulation *sim = instance->sim;
	const int64_t for_us = 1 + (int64_t)draw(sim, STREAM_CRASH, STALL_US);

	assert(!sim->is_nested);
	note(sim, "%s stands still for %.1f s", NAMES[instance->index], (double)for_us / 1e6);
	sim->is_nested = true;
	instance->is_stopped = true;
	plan_event(sim, SESSION_US, end_session, instance, instance->run);
	simulation_run_until(sim, sim->now_us + for_us);
	sim->is_nested = false;
	instance->is_stopped = false;
	note(sim, "%s goes on", NAMES[instance->index]);
	for (int i = 0; i < PARTITIONS; i++)
		if (sim->partitions[i].owner < 0)
			bus_rebalance(sim, true);
}

/* ---- turns ---- */
static bool has_replies_to_read(const struct simulation *sim, const struct instance *instance)
{
	for (int i = 0; i < PARTITIONS; i++) {
		const struct consumer *consumer = &sim->partitions[i].consumers[instance->index];

		if (consumer->is_assigned && !consumer->is_in_flight && consumer->position < sim->partitions[i].count)
			return true;
	}
	return false;
}

static void run_turn(struct simulation *sim, void *of, int64_t number)
{
	struct instance *instance = of;
	int64_t wanted_us;

	if (!instance_is_up(instance) || instance->is_in_turn || instance->turn_at_us != number)
		return;
	bus_poll(sim, instance);
	instance->is_in_turn = true;
	wanted_us = engine_turn(instance->engine);
	instance->is_in_turn = false;
	instance->turn_at_us = 0;
	if (instance->is_dead) {
		bury(instance);
		return;
	}
	bus_store_offsets(instance);
	if (wanted_us < sim->now_us + TURN_US || has_replies_to_read(sim, instance))
		wanted_us = sim->now_us + TURN_US;
	plan_turn(instance, wanted_us - sim->now_us);
}

void instance_init(struct simulation *sim, int index)
{
	struct instance *instance = &sim->instances[index];

	*instance = (struct instance){.sim = sim, .index = index};
	for (int i = 0; i < PARTITIONS && index == 0; i++)
		sim->partitions[i].owner = -1;
	sim->ports[index] = (struct engine_ports){
		.store = virtual_store(instance),
		.bus = virtual_bus(instance),
		.clock = {instance, now_us, now_us, new_id},
	};
	sim->now_us++; /* each run has another boot */
	begin_run(instance);
}

void instance_release(struct instance *instance)
{
	if (!instance->engine)
		return;
	instance->is_dead = true; /* whoever still waits is not told */
	engine_free(instance->engine);
	instance->engine = NULL;
}
