/*
 * floor.h - what the parts of the floor program share.
 *
 * Why:     a benchmark of sagas says little without the figure that this machine, this Postgres and this broker allow at
 *          most. The floor moves the same durable bytes as the coordinator and its participants, as many records, as many rows
 *          of the same size, in batched transactions, and does nothing else: no RPC, no schemas, no state machine, no
 *          re-sends. Where it can be made faster, it has to be: a weak floor flatters us.
 * Shape:   `lanes` that share nothing but the Kafka clients. A lane has slots (sagas in flight), a thread that plays the
 *          coordinator and one that plays the participants; each has a Postgres connection of its own (the second one only
 *          with the inbox) and a partition of either topic.
 */
#ifndef TESTS_BENCH_FLOOR_FLOOR_H
#define TESTS_BENCH_FLOOR_FLOOR_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/uuid.h"
#include "tests/bench/floor/channel.h"
#include "tests/bench/round.h"

struct floor_settings {
	const char *kafka_brokers;
	const char *postgres; /* conninfo */
	int64_t in_flight;
	int64_t lanes;
	int64_t gather;  /* percent of a lane's sagas that a commit waits for, as long as they come */
	int64_t replies; /* of one saga: as many changes of its row, and commands, as there are replies */
	int64_t command_bytes;
	int64_t reply_bytes;
	int64_t row_bytes; /* of a saga's row, at each change */
	int64_t log_rows;  /* of one saga */
	int64_t log_bytes; /* of one of them */
	int64_t inbox_bytes;
	bool has_inbox;
};

enum { FLOOR_LANES_MAX = 16 };

#define FLOOR_COMMANDS "floor.command"
#define FLOOR_REPLIES "floor.reply"

/* The head of each record; the rest of its bytes say nothing. */
struct floor_record {
	uint32_t slot;  /* of the lane */
	uint32_t reply; /* which command it is, or answers: from 0 */
	struct uuid id;
};

#endif
