/* held_batch.c - see held_batch.h. */
#include "coordinator/bus/held_batch.h"

#include <assert.h>

#include "coordinator/engine/record.h"

enum { RECORD_BYTES = 448 }; /* what a record with the usual headers takes of the arena */

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

/* Those that the engine reads, their values behind them in one piece. */
static size_t copy_headers(struct arena *arena, const struct kafka_record *record,
			   const struct bus_header **ret_headers)
{
	const char *names[KAFKA_HEADERS_MAX];
	struct bus_header *headers;
	size_t count = 0;
	size_t bytes = 0;
	uint8_t *place;

	for (size_t i = 0; i < record->header_count; i++) {
		names[i] = record_header_name(record->headers[i].name);
		count += names[i] != NULL;
		bytes += names[i] ? record->headers[i].value.len : 0;
	}
	headers = arena_alloc(arena, count * sizeof(*headers) + bytes);
	place = (uint8_t *)(headers + count);
	count = 0;
	for (size_t i = 0; i < record->header_count; i++) {
		const struct bytes value = record->headers[i].value;

		if (!names[i])
			continue;
		if (value.len > 0)
			memcpy(place, value.data, value.len);
		headers[count++] = (struct bus_header){names[i], {place, value.len}};
		place += value.len;
	}
	*ret_headers = headers;
	return count;
}

void held_batch_add(struct held_batch *held, size_t index, const struct kafka_record *record)
{
	struct bus_record *records = (struct bus_record *)held->batch.records; /* ours until the engine gets it */
	struct bus_record *added = &records[held->batch.count];

	held->sources[held->batch.count++] = index;
	*added = (struct bus_record){
		.topic = record->topic,
		.partition = record->partition,
		.offset = record->offset,
		.key = record->key,
		.value = record->value,
	};
	added->header_count = copy_headers(&held->arena, record, &added->headers);
}

static const struct kafka_record *copy_record(struct held_batch *held, size_t index)
{
	struct kafka_record *record = arena_alloc(&held->arena, sizeof(*record));

	kafka_batch_look(held->kafka, index, record);
	for (size_t i = 0; i < record->header_count; i++) {
		struct kafka_header *header = &record->headers[i];

		header->name = arena_strdup(&held->arena, header->name);
		header->value = arena_bytes(&held->arena, header->value);
	}
	return record;
}

void held_batch_reject(struct held_batch *held, size_t index, enum dead_reason reason, const char *detail)
{
	struct rejection *rejection;

	for (rejection = held->rejections; rejection; rejection = rejection->next)
		if (rejection->index == index)
			return;
	rejection = arena_zalloc(&held->arena, sizeof(*rejection));
	rejection->held = held;
	rejection->index = index;
	rejection->record = copy_record(held, index);
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
