/* simulation.c - see simulation.h. Time and chance: what happens next, and whether it goes wrong. */
#include "tests/simulation/simulation.h"

#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/memory.h"

enum { EVENTS_MAX = 200000 };

/* After the faults: longer than any pursuit of the shapes with all its attempts. */
#define HEAL_US (400 * SECOND_US)

static const struct {
	enum stream stream;
	int32_t rate;
	const char *text;
} FAULTS[FAULT_COUNT] = {
#define FAULT(name, stream, rate, text) {STREAM_##stream, rate, text},
#include "tests/simulation/faults.def"
#undef FAULT
};

const char *fault_text(enum fault fault)
{
	return FAULTS[fault].text;
}

/* ---- chance ---- */
/* splitmix64 */
uint64_t draw(struct simulation *sim, enum stream stream, uint64_t below)
{
	uint64_t z = sim->random[stream] += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % below;
}

static bool is_chosen(struct simulation *sim)
{
	const struct options *options = sim->options;
	const size_t place = sim->places++;

	for (size_t i = 0; i < options->chosen_count; i++)
		if (options->chosen[i] == place)
			return true;
	return false;
}

bool happens(struct simulation *sim, enum fault fault)
{
	bool is_drawn = (int32_t)draw(sim, FAULTS[fault].stream, 10000) < sim->rates[fault];
	size_t number;

	if (!sim->has_faults)
		return false;
	if (sim->options->mode == MODE_EXHAUSTIVE)
		is_drawn = is_chosen(sim);
	if (!is_drawn)
		return false;
	number = sim->fault_count++;
	if (number < DROPPED_MAX && sim->options->is_dropped[number])
		return false;
	sim->fault_counts[fault]++;
	note(sim, "fault %zu: %s", number, FAULTS[fault].text);
	return true;
}

static void draw_rates(struct simulation *sim)
{
	for (int i = 0; i < FAULT_COUNT; i++) {
		sim->rates[i] = FAULTS[i].rate;
		if (sim->options->mode != MODE_SWARM)
			continue;
		switch (draw(sim, STREAM_WORLD, 4)) {
		case 0:
			sim->rates[i] = 0;
			break;
		case 1:
			sim->rates[i] *= 3;
			break;
		default:
			break;
		}
	}
}

/* ---- telling ---- */
void note(struct simulation *sim, const char *format, ...)
{
	va_list args;

	if (!sim->options->is_traced)
		return;
	printf("%10.3f  ", (double)sim->now_us / 1e6);
	va_start(args, format);
	(void)vprintf(format, args);
	va_end(args);
	printf("\n");
}

void fail(struct simulation *sim, const char *format, ...)
{
	va_list args;

	if (sim->is_failed)
		return;
	sim->is_failed = true;
	va_start(args, format);
	(void)vsnprintf(sim->failure, sizeof(sim->failure), format, args);
	va_end(args);
	note(sim, "VIOLATED %s", sim->failure);
}

/* After FNV-1a, eight bytes at a time, with what a multiplication moves up brought down again. */
static uint64_t mix_into(uint64_t hash, const void *data, size_t len)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
		const size_t left = len - i < sizeof(uint64_t) ? len - i : sizeof(uint64_t);
		uint64_t word = 0;

		memcpy(&word, bytes + i, left);
		hash = (hash ^ le64toh(word)) * UINT64_C(1099511628211);
		hash ^= hash >> 32;
	}
	return (hash ^ len) * UINT64_C(1099511628211);
}

void mix(struct simulation *sim, const void *data, size_t len)
{
	sim->hash = mix_into(sim->hash, data, len);
}

void mix_number(struct simulation *sim, int64_t number)
{
	mix(sim, &number, sizeof(number));
}

uint64_t digest(struct bytes data)
{
	return mix_into(UINT64_C(14695981039346656037), data.data, data.len);
}

const char *keep(struct simulation *sim, const char *text)
{
	return text ? arena_strdup(&sim->arena, text) : NULL;
}

struct life *life_of(struct simulation *sim, struct uuid id)
{
	for (size_t i = 0; i < sim->life_count; i++)
		if (uuid_equal(sim->lives[i].id, id))
			return &sim->lives[i];
	if (sim->life_count == LIVES_MAX) {
		fail(sim, "I8: there are more sagas than keys");
		return &sim->lives[LIVES_MAX - 1];
	}
	sim->lives[sim->life_count] = (struct life){.id = id};
	return &sim->lives[sim->life_count++];
}

/* ---- time: a heap by time, then by the order of planning ---- */
struct timed {
	int64_t at_us;
	uint64_t order;
	event_fn *fn;
	void *of;
	int64_t number;
	bool is_message;
};

static bool is_before(const struct timed *a, const struct timed *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void plan(struct simulation *sim, struct timed timed)
{
	size_t at = sim->queue_count++;

	assert(timed.at_us >= sim->now_us);
	sim->messages += timed.is_message;
	if (sim->queue_count > sim->queue_max) {
		sim->queue_max = sim->queue_max ? sim->queue_max * 2 : 256;
		sim->queue = xrealloc_array(sim->queue, sim->queue_max, sizeof(*sim->queue));
	}
	for (; at > 0 && is_before(&timed, &sim->queue[(at - 1) / 2]); at = (at - 1) / 2)
		sim->queue[at] = sim->queue[(at - 1) / 2];
	sim->queue[at] = timed;
}

void plan_event(struct simulation *sim, int64_t after_us, event_fn *fn, void *of, int64_t number)
{
	plan(sim, (struct timed){sim->now_us + after_us, sim->queued++, fn, of, number, false});
}

void plan_message(struct simulation *sim, int64_t after_us, event_fn *fn, void *of, int64_t number)
{
	plan(sim, (struct timed){sim->now_us + after_us, sim->queued++, fn, of, number, true});
}

static struct timed take_first(struct simulation *sim)
{
	const struct timed first = sim->queue[0];
	const struct timed last = sim->queue[--sim->queue_count];
	size_t at = 0;

	for (size_t child = 1; child < sim->queue_count; child = 2 * at + 1) {
		if (child + 1 < sim->queue_count && is_before(&sim->queue[child + 1], &sim->queue[child]))
			child++;
		if (!is_before(&sim->queue[child], &last))
			break;
		sim->queue[at] = sim->queue[child];
		at = child;
	}
	sim->queue[at] = last;
	return first;
}

void simulation_run_until(struct simulation *sim, int64_t until_us)
{
	while (sim->queue_count > 0 && sim->queue[0].at_us <= until_us && !sim->is_failed) {
		const struct timed next = take_first(sim);

		if (next.at_us > sim->now_us)
			sim->now_us = next.at_us;
		if (++sim->events > EVENTS_MAX) {
			fail(sim, "I11: after %d events there is no end", EVENTS_MAX);
			return;
		}
		sim->messages -= next.is_message;
		next.fn(sim, next.of, next.number);
		if (sim->events % 32 == 0 && !sim->is_nested && (!sim->has_faults || all_have_ended(sim)) &&
		    all_is_over(sim))
			return;
	}
	if (sim->now_us < until_us && !sim->is_failed)
		sim->now_us = until_us;
}

/* ---- what the engine would log ---- */
static struct simulation *running; /* the engine's log has no context */

void __wrap_log_line(enum log_level level, const char *event, const char *format, ...);

/* Most of it is expected of a world in which all goes wrong; these are not. */
void __wrap_log_line(enum log_level level, const char *event, const char *format, ...)
{
	(void)level;
	(void)format;
	if (strcmp(event, "saga_corrupt") == 0 || strcmp(event, "command_not_built") == 0)
		fail(running, "I5: the engine logs %s", event);
}

/* ---- a world ---- */
static void end_faults(struct simulation *sim, void *of, int64_t number)
{
	(void)of;
	(void)number;
	note(sim, "no more faults");
	sim->has_faults = false;
	sim->store_away_us = 0;
	sim->paused = (struct paused){0};
	for (int i = 0; i < STEPS_MAX; i++)
		sim->participant_away_us[i] = 0;
	callers_resume_all(sim, NULL, 0);
}

static void change_owners(struct simulation *sim, void *of, int64_t number)
{
	(void)of;
	(void)number;
	if (!sim->has_faults)
		return;
	if (happens(sim, FAULT_REBALANCE))
		bus_rebalance(sim, true);
	plan_event(sim, SECOND_US, change_owners, NULL, 0);
}

void simulation_init(struct simulation *sim)
{
	*sim = (struct simulation){0};
	arena_init(&sim->arena, 0);
	sim->metrics = metrics_new();
}

static void reset(struct simulation *sim, const struct options *options)
{
	memset(sim, 0, offsetof(struct simulation, arena));
	arena_clear(&sim->arena);
	sim->options = options;
	sim->hash = UINT64_C(14695981039346656037);
	sim->now_us = 5 * SECOND_US;
	sim->has_faults = true;
	for (int i = 0; i < STREAM_COUNT; i++)
		sim->random[i] = options->seed * STREAM_COUNT + (uint64_t)i;
	for (int i = 0; i < STREAM_COUNT; i++)
		sim->random[i] = draw(sim, (enum stream)i, UINT64_MAX);
	draw_rates(sim);
	sim->sweep_ms = 1000 << draw(sim, STREAM_WORLD, 3);
	if (options->mode != MODE_EXHAUSTIVE && draw(sim, STREAM_WORLD, 3) == 0)
		sim->room_max = 1 + (int64_t)draw(sim, STREAM_WORLD, 3);
}

static void run_engines(struct simulation *sim, size_t sagas)
{
	for (int i = 0; i < INSTANCES; i++)
		instance_init(sim, i);
	bus_rebalance(sim, false);
	callers_init(sim, sagas);
	plan_event(sim, SECOND_US, change_owners, NULL, 0);
	plan_event(sim, sim->faults_end_us - sim->now_us, end_faults, NULL, 0);
	simulation_run_until(sim, sim->faults_end_us + HEAL_US);
	if (!sim->is_failed)
		check_end(sim);
	sim->is_over = true;
	for (int i = 0; i < INSTANCES; i++)
		instance_release(&sim->instances[i]);
}

void simulation_run(struct simulation *sim, const struct options *options, size_t sagas)
{
	running = sim;
	reset(sim, options);
	sim->faults_end_us = sim->now_us + (options->mode == MODE_LIVENESS ? 20 : 45) * SECOND_US;
	if (options->is_core)
		core_run(sim, HEAL_US);
	else
		run_engines(sim, sagas);
	for (size_t i = 0; i < sim->life_count; i++)
		sim->ends[sim->lives[i].row.state] += sim->lives[i].exists;
	sim->queue_count = 0;
}

void simulation_release(struct simulation *sim)
{
	free(sim->queue);
	arena_release(&sim->arena);
	buffer_release(&sim->encoded);
	metrics_free(sim->metrics);
}
