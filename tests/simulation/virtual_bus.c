/* virtual_bus.c - topics in memory: commands on their way to participants, replies in partitions that coordinators read. */
#include <assert.h>
#include <stdio.h>

#include "tests/simulation/plant.h"
#include "tests/simulation/simulation.h"

enum { BATCH_MAX = 16, USUAL_DELAY_US = 20000, LATE_US = 40000000, SESSION_US = 8000000 };

/* Replies with a coordinator. */
struct batch {
	struct bus_batch batch;
	struct batch *next; /* of the instance's done ones */
	struct instance *instance;
	int64_t run;
	struct partition *partition;
	int64_t generation;
	size_t first;
	bool is_committed;
};

struct bytes bus_header_of(const struct bus_record *record, const char *name)
{
	for (size_t i = 0; i < record->header_count; i++)
		if (strcmp(record->headers[i].name, name) == 0)
			return record->headers[i].value;
	return (struct bytes){0};
}

static int64_t some_delay(struct simulation *sim, enum fault late)
{
	if (happens(sim, late))
		return (int64_t)draw(sim, STREAM_BUS, LATE_US);
	return 1 + (int64_t)draw(sim, STREAM_BUS, USUAL_DELAY_US);
}

/* ---- commands ---- */
static struct command *read_command(struct simulation *sim, const struct bus_record *record)
{
	struct command *command = arena_zalloc(&sim->arena, sizeof(*command));
	struct bytes id = bus_header_of(record, "saga-id");
	struct bytes step = bus_header_of(record, "saga-step");
	struct bytes attempt = bus_header_of(record, "saga-attempt");
	struct uuid saga_id;
	bool is_id = uuid_parse((const char *)id.data, id.len, &saga_id);

	assert(is_id);
	assert(step.len == 1);
	command->life = life_of(sim, saga_id);
	command->step = step.data[0] - 'a';
	for (int phase = 0; phase < STEP_PHASE_COUNT; phase++)
		if (bytes_equal_text(bus_header_of(record, "saga-phase"), step_phase_name((enum step_phase)phase)))
			command->phase = (enum step_phase)phase;
	for (size_t i = 0; i < attempt.len; i++)
		command->attempt = command->attempt * 10 + attempt.data[i] - '0';
	return command;
}

void bus_produce(struct simulation *sim, struct command *command)
{
	int copies;

	check_command(sim, command);
	if (!command->life->plan)
		return; /* of a saga that does not exist: check_command() has told */
	mix_number(sim, command->step * 8 + (int)command->phase * 4 + command->attempt * 64);
	mix_number(sim, sim->now_us);
	copies = happens(sim, FAULT_COMMAND_LOST) ? 0 : happens(sim, FAULT_COMMAND_DOUBLED) ? 2 : 1;
	for (int i = 0; i < copies; i++)
		plan_message(sim, some_delay(sim, FAULT_COMMAND_LATE), participant_receive, command, 0);
}

static void bus_send(void *ctx, const struct bus_record *records, size_t count)
{
	struct instance *instance = ctx;
	struct simulation *sim = instance->sim;

	if (instance->is_dead || sim->is_over)
		return;
	if (happens(sim, FAULT_CRASH_BEFORE_PRODUCE)) {
		instance_die(instance);
		return;
	}
	if (!sim->is_nested && happens(sim, FAULT_STALL_BEFORE_PRODUCE))
		instance_stall(instance);
	if (count > 1 && happens(sim, FAULT_CRASH_IN_PRODUCE)) {
		count /= 2;
		instance_die(instance);
	}
	for (size_t i = 0; i < count; i++) {
		struct command *command = read_command(sim, &records[i]);

		check_room(instance, command);
		check_pauses(instance, command);
		bus_produce(sim, command);
	}
	if (happens(sim, FAULT_CRASH_AFTER_PRODUCE))
		instance_die(instance);
}

static bool is_assigned(void *ctx, const char *topic)
{
	(void)ctx;
	(void)topic;
	return true;
}

static bool health(void *ctx, char *ret_text, size_t text_len)
{
	(void)ctx;
	(void)snprintf(ret_text, text_len, "%s", "");
	return true;
}

struct bus_port virtual_bus(struct instance *instance)
{
	return (struct bus_port){instance, bus_send, is_assigned, health};
}

/* ---- replies ---- */
static void poll_soon(struct instance *instance)
{
	if (instance_is_up(instance))
		instance_wake(instance);
}

static void append(struct simulation *sim, void *of, int64_t number)
{
	struct partition *partition = &sim->partitions[number];

	if (partition->count == partition->max) {
		struct reply **replies =
			arena_alloc(&sim->arena, (partition->max + 32) * 2 * sizeof(*partition->replies));

		for (size_t i = 0; i < partition->count; i++)
			replies[i] = partition->replies[i];
		partition->replies = replies;
		partition->max = (partition->max + 32) * 2;
	}
	partition->replies[partition->count++] = of;
	for (int i = 0; i < INSTANCES; i++)
		if (partition->consumers[i].is_assigned)
			poll_soon(&sim->instances[i]);
}

static struct bytes attempt_text(struct simulation *sim, int32_t attempt)
{
	const size_t size = 12;
	uint8_t *end = (uint8_t *)arena_alloc(&sim->arena, size) + size;
	uint8_t *at = end;

	for (; attempt > 0; attempt /= 10)
		*--at = (uint8_t)('0' + attempt % 10);
	return (struct bytes){at, (size_t)(end - at)};
}

static struct reply *make_reply(struct simulation *sim, const struct command *command, enum saga_event_type outcome,
				bool has_no_effect)
{
	static const uint8_t value[] = {0, 0, 0, 0, 9, 1, 2, 3};
	const bool is_final = outcome == SAGA_EVENT_SUCCEEDED || outcome == SAGA_EVENT_REJECTED;
	struct reply *reply = arena_zalloc(&sim->arena, sizeof(*reply));
	struct bus_header *headers = arena_zalloc(&sim->arena, 8 * sizeof(*headers));
	char *id = arena_alloc(&sim->arena, UUID_TEXT_LEN + 1);
	size_t count = 0;

	uuid_format(command->life->id, id);
	headers[count++] = (struct bus_header){"saga-id", bytes_of_text(id)};
	headers[count++] = (struct bus_header){"saga-step",
					       bytes_of_text(command->life->plan->definition.steps[command->step].id)};
	headers[count++] = (struct bus_header){"saga-phase", bytes_of_text(step_phase_name(command->phase))};
	headers[count++] = (struct bus_header){"saga-attempt", attempt_text(sim, command->attempt)};
	headers[count++] = (struct bus_header){"saga-outcome", bytes_of_text(saga_event_name(outcome))};
	headers[count++] = (struct bus_header){"ce_id", bytes_of_text("reply")};
	if (has_no_effect)
		headers[count++] = (struct bus_header){"saga-effect", bytes_of_text("none")};
	if (is_final && command->life->is_poisoned)
		headers[count++] = (struct bus_header){"saga-detail", bytes_of_text("poison")};
	reply->record = (struct bus_record){
		.topic = "replies", .value = {value, sizeof(value)}, .headers = headers, .header_count = count};
	return reply;
}

static struct saga_event *make_event(struct simulation *sim, const struct command *command,
				     enum saga_event_type outcome, bool has_no_effect)
{
	const struct saga_event event = {
		.type = outcome,
		.step = command->step,
		.phase = command->phase,
		.attempt = command->attempt,
		.milestone = outcome == SAGA_EVENT_ACCEPTED ? NULL : "REPLIED",
		.reason = outcome == SAGA_EVENT_SUCCEEDED ? NULL : "reason",
		.has_no_effect = has_no_effect,
	};

	return arena_copy(&sim->arena, &event, sizeof(event));
}

void bus_append(struct simulation *sim, const struct command *command, enum saga_event_type outcome, bool has_no_effect)
{
	const int copies = happens(sim, FAULT_REPLY_DOUBLED) ? 2 : 1;

	for (int i = 0; i < copies; i++) {
		const int64_t delay_us = some_delay(sim, FAULT_REPLY_LATE);

		if (sim->core)
			plan_message(sim, delay_us, core_take_reply, make_event(sim, command, outcome, has_no_effect),
				     0);
		else
			plan_message(sim, delay_us, append, make_reply(sim, command, outcome, has_no_effect),
				     command->life->id.data[15] % PARTITIONS);
	}
}

/* ---- consumers ---- */
static void batch_reject(struct bus_batch *bus_batch, const struct bus_record *record, enum bus_reject reject,
			 const char *detail)
{
	struct batch *batch = (struct batch *)bus_batch;

	(void)record;
	(void)reject;
	fail(batch->instance->sim, "I13: a reply of a participant is refused: %s", detail);
}

/* Inside of the turn: offsets are stored when it is over, if the instance lives so long. */
static void batch_done(struct bus_batch *bus_batch, bool is_committed)
{
	struct batch *batch = (struct batch *)bus_batch;
	struct instance *instance = batch->instance;

	if (instance->is_dead || instance->run != batch->run)
		return;
	batch->is_committed = is_committed;
	batch->next = instance->done;
	instance->done = batch;
}

static void store_offset(struct partition *partition, const struct instance *instance, size_t offset)
{
	if (partition->owner == instance->index && offset > partition->committed)
		partition->committed = offset;
}

void bus_store_offsets(struct instance *instance)
{
	struct batch *done = instance->done;

	instance->done = NULL;
	for (; done; done = done->next) {
		struct consumer *consumer = &done->partition->consumers[instance->index];

		if (!done->is_committed)
			continue;
		for (size_t i = 0; i < done->batch.count; i++)
			done->partition->replies[done->first + i]->is_settled = true;
		if (consumer->generation != done->generation)
			continue;
		consumer->is_in_flight = false;
		store_offset(done->partition, instance, done->first + done->batch.count);
	}
}

static void deliver(struct simulation *sim, struct instance *instance, struct partition *partition)
{
	struct consumer *consumer = &partition->consumers[instance->index];
	struct batch *batch = arena_zalloc(&sim->arena, sizeof(*batch));
	const size_t left = partition->count - consumer->position;
	const size_t count = left < BATCH_MAX ? left : BATCH_MAX;
	struct bus_record *records = arena_alloc(&sim->arena, count * sizeof(*records));

	for (size_t i = 0; i < count; i++) {
		records[i] = partition->replies[consumer->position + i]->record;
		records[i].partition = (int32_t)(partition - sim->partitions);
		records[i].offset = (int64_t)(consumer->position + i);
	}
	*batch = (struct batch){.batch = {records, count, batch_reject, batch_done},
				.instance = instance,
				.run = instance->run,
				.partition = partition,
				.generation = consumer->generation,
				.first = consumer->position};
	consumer->position += count;
	consumer->is_in_flight = true;
	if (is_planted(PLANT_OFFSETS_EARLY))
		store_offset(partition, instance, consumer->position);
	engine_deliver(instance->engine, &batch->batch);
}

void bus_poll(struct simulation *sim, struct instance *instance)
{
	for (int i = 0; i < PARTITIONS; i++) {
		struct partition *partition = &sim->partitions[i];
		struct consumer *consumer = &partition->consumers[instance->index];

		if (consumer->is_assigned && !consumer->is_in_flight && consumer->position < partition->count)
			deliver(sim, instance, partition);
	}
}

/* ---- who reads what ---- */
static void revoke(struct simulation *sim, void *of, int64_t number)
{
	struct partition *partition = of;

	(void)sim;
	if (partition->owner != (int)number)
		partition->consumers[number].is_assigned = false;
}

static void take_away(struct simulation *sim, struct partition *partition, bool is_sudden)
{
	const int owner = partition->owner;

	partition->owner = -1;
	if (owner < 0)
		return;
	if (is_sudden && instance_is_up(&sim->instances[owner]) && happens(sim, FAULT_TWO_OWNERS))
		plan_event(sim, (int64_t)draw(sim, STREAM_BUS, SESSION_US), revoke, partition, owner);
	else
		partition->consumers[owner].is_assigned = false;
}

static void give(struct simulation *sim, struct partition *partition, int owner)
{
	struct consumer *consumer = &partition->consumers[owner];

	partition->owner = owner;
	*consumer = (struct consumer){
		.is_assigned = true, .generation = consumer->generation + 1, .position = partition->committed};
	poll_soon(&sim->instances[owner]);
}

void bus_rebalance(struct simulation *sim, bool is_sudden)
{
	const int turn = (int)draw(sim, STREAM_BUS, INSTANCES);

	for (int i = 0; i < PARTITIONS; i++) {
		int owner = -1;

		for (int k = 0; k < INSTANCES && owner < 0; k++) {
			const int candidate = (i + turn + k) % INSTANCES;

			if (instance_is_up(&sim->instances[candidate]) && !sim->instances[candidate].is_stopped)
				owner = candidate;
		}
		if (owner >= 0 && owner == sim->partitions[i].owner && sim->partitions[i].consumers[owner].is_assigned)
			continue;
		take_away(sim, &sim->partitions[i], is_sudden);
		if (owner >= 0)
			give(sim, &sim->partitions[i], owner);
	}
	note(sim, "partitions: %d %d", sim->partitions[0].owner, sim->partitions[1].owner);
}

bool bus_is_drained(const struct simulation *sim)
{
	for (int i = 0; i < PARTITIONS; i++)
		if (sim->partitions[i].committed < sim->partitions[i].count)
			return false;
	return true;
}
