/* held_batch.c - see held_batch.h. */
#include "coordinator/bus/held_batch.h"

#include <assert.h>

enum { RECORD_BYTES = 512 }; /* what a record with the usual headers takes of the arena */

struct held_batch *held_batch_new(struct bus *bus, struct kafka_batch *kafka)
{
	struct held_batch *held = xcalloc(1, sizeof(*held));
	size_t count = kafka_batch_count(kafka);

	arena_init_small(&held->arena, (count + 1) * RECORD_BYTES);
	held->bus = bus;
	held->kafka = kafka;
	held->sources = arena_alloc(&held->arena, (count + 1) * sizeof(*held->sources));
	held->batch.records = arena_alloc(&held->arena, (count + 1) * sizeof(*held->batch.records));
	held->batch.reject = held_batch_engine_reject;
	return held;
}

void held_batch_free(struct held_batch *held)
{
	kafka_batch_free(held->kafka);
	arena_release(&held->arena);
	free(held);
}

void held_batch_add(struct held_batch *held, const struct kafka_record *record)
{
	struct bus_header *headers = arena_alloc(&held->arena, (record->header_count + 1) * sizeof(*headers));
	struct bus_record *records = (struct bus_record *)held->batch.records; /* ours until the engine gets it */

	for (size_t i = 0; i < record->header_count; i++)
		headers[i] = (struct bus_header){record->headers[i].name, record->headers[i].value};
	held->sources[held->batch.count] = record;
	records[held->batch.count++] = (struct bus_record){
		.topic = record->topic,
		.partition = record->partition,
		.offset = record->offset,
		.key = record->key,
		.value = record->value,
		.headers = headers,
		.header_count = record->header_count,
	};
}

void held_batch_reject(struct held_batch *held, const struct kafka_record *record, enum dead_reason reason,
		       const char *detail)
{
	struct rejection *rejection;

	for (rejection = held->rejections; rejection; rejection = rejection->next)
		if (rejection->record == record)
			return;
	rejection = arena_zalloc(&held->arena, sizeof(*rejection));
	rejection->held = held;
	rejection->record = record;
	rejection->reason = reason;
	rejection->detail = arena_strdup(&held->arena, detail);
	rejection->next = held->rejections;
	held->rejections = rejection;
}

static enum dead_reason reason_of(enum bus_reject reject)
{
	switch (reject) {
	case BUS_REJECT_HEADERS:
		return DEAD_REASON_BAD_HEADERS;
	case BUS_REJECT_OUTCOME:
		return DEAD_REASON_NO_OUTCOME;
	case BUS_REJECT_VALUE:
		return DEAD_REASON_UNDECODABLE;
	}
	return DEAD_REASON_UNDECODABLE;
}

void held_batch_engine_reject(struct bus_batch *batch, const struct bus_record *record, enum bus_reject reject,
			      const char *detail)
{
	struct held_batch *held = (struct held_batch *)batch;
	size_t index = (size_t)(record - batch->records);

	assert(index < batch->count);
	held_batch_reject(held, held->sources[index], reason_of(reject), detail);
}
