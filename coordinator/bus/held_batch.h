/*
 * held_batch.h - a batch of replies on its way: with the engine, or done and waiting for its turn and its dead letters.
 *
 * Memory:     thousands of replies wait for the engine at a time, so of each one only those headers are kept that the engine reads;
 *             one that is rejected is read again, and kept whole.
 * Why:        offsets are stored only when everything before them is settled, and a reply that goes to the dead letters is
 *             settled when it is safe there.
 * Threads:    made, settled and freed on the bus's thread; between engine_deliver() and `done` its arena and rejections are
 *             the engine thread's; `is_done` and `is_committed` are guarded by the bus's mutex; a rejection's state may
 *             change on the producer's thread.
 */
#ifndef COORDINATOR_BUS_HELD_BATCH_H
#define COORDINATOR_BUS_HELD_BATCH_H

#include <stdatomic.h>

#include "coordinator/engine/ports.h"
#include "lib/kafka/side_topic.h"

struct bus;

enum rejection_state { REJECTION_WAITING, REJECTION_SENT, REJECTION_SAFE };

struct rejection {
	struct rejection *next;
	struct held_batch *held;
	size_t index; /* of its record in the batch of Kafka */
	const struct kafka_record *record;
	enum dead_reason reason;
	const char *detail;
	atomic_int state;
};

struct held_batch {
	struct bus_batch batch; /* first: the engine gives it back */
	struct held_batch *next;
	struct bus *bus;
	struct kafka_batch *kafka;
	size_t *sources; /* of the engine's records: the index in the batch of Kafka */
	struct rejection *rejections;
	struct arena arena;
	bool is_done;
	bool is_committed;
};

/* With no records for the engine yet. Takes the batch. */
struct held_batch *held_batch_new(struct bus *bus, struct kafka_batch *kafka);
void held_batch_free(struct held_batch *held);

/* For the engine; `record` is what a look at `index` shows. */
void held_batch_add(struct held_batch *held, size_t index, const struct kafka_record *record);
/* For the dead letters; a record that was rejected before is not added again. It is looked at. */
void held_batch_reject(struct held_batch *held, size_t index, enum dead_reason reason, const char *detail);
/* bus_batch.reject */
void held_batch_engine_reject(struct bus_batch *batch, const struct bus_record *record, enum bus_reject reject,
			      const char *detail);

#endif
