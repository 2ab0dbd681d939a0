/*
 * side_topic.h - where a record goes that cannot be handled now, or not at all: `<topic>.retry.1s`, `<topic>.retry.30s` and
 * `<topic>.dlq`, and what its headers say there.
 *
 * Why:        one bad record must not hold up its partition, and must not be lost either. The rules are in
 *             docs/wire-contract.md, section 8; who decides when to give up are the participants and the coordinator.
 * Guarantees: key, value and headers stay as they were. What is too large to get the added headers loses its value, not
 *             its place: `dlq-value-bytes` says how much there was, and the other headers where it still is.
 * Ownership:  made records borrow from their source; what is added lives in the arena.
 */
#ifndef LIB_KAFKA_SIDE_TOPIC_H
#define LIB_KAFKA_SIDE_TOPIC_H

#include "lib/base/arena.h"
#include "lib/kafka/kafka.h"

enum side_topic {
	SIDE_TOPIC_RETRY_1S,
	SIDE_TOPIC_RETRY_30S,
	SIDE_TOPIC_DEAD,
	SIDE_TOPIC_COUNT,
};

const char *side_topic_suffix(enum side_topic side); /* ".retry.1s" */
int64_t side_topic_delay_ms(enum side_topic side);
const char *side_topic_name(enum side_topic side, const char *topic, struct arena *arena);

/* Why a record is dead: the values of `dlq-reason`. */
enum dead_reason {
	DEAD_REASON_BAD_HEADERS,
	DEAD_REASON_UNDECODABLE,
	DEAD_REASON_UNKNOWN_SCHEMA,
	DEAD_REASON_WRONG_TYPE,
	DEAD_REASON_NO_OUTCOME,
	DEAD_REASON_FAILED,
	DEAD_REASON_EXHAUSTED,
	DEAD_REASON_TOO_LARGE,
	DEAD_REASON_TOO_OLD,
	DEAD_REASON_COUNT,
};

const char *dead_reason_name(enum dead_reason reason); /* "bad_headers" */
/* Of a value that could not be decoded, by the error that said so. */
enum dead_reason dead_reason_of_value(enum err_code code);

struct side_note {
	const char *service; /* who gives it up */
	enum dead_reason reason;
	const char *detail; /* for people */
	int tries;          /* so far */
};

/* A header that a side topic adds; it says nothing of the record itself. */
bool side_topic_is_added(const char *header);

/* Too large to be sent on with its value: there is no retrying it. */
bool side_topic_is_too_large(const struct kafka_record *record);

/* The record for that side topic. Headers of an earlier journey are replaced. */
struct kafka_record side_topic_record(enum side_topic side, const struct kafka_record *record,
				      const struct side_note *note, struct arena *arena);
/* The same record, for `topic`, as it was before its journey; with_tries: but for `retry-tries`. */
struct kafka_record side_topic_original(const struct kafka_record *record, const char *topic, bool with_tries);

int side_topic_tries(const struct kafka_record *record); /* of `retry-tries`; 0: none, or no number */

/* Whether the record says of a dead letter of its topic that it was replayed or dropped, and of which. */
extern const char SIDE_TOPIC_SETTLED[]; /* the header: partition/offset */
bool side_topic_settled(const struct kafka_record *record, int32_t *ret_partition, int64_t *ret_offset);

#endif
