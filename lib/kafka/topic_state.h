/*
 * topic_state.h - what the brokers say of topics: whether they are there, how large, and how long they keep records.
 */
#ifndef LIB_KAFKA_TOPIC_STATE_H
#define LIB_KAFKA_TOPIC_STATE_H

#include "lib/base/arena.h"
#include "lib/kafka/kafka.h"

struct topic_state {
	const char *name;
	bool exists; /* false: nothing else is known */
	int partitions;
	int replication_factor;  /* the least of its partitions */
	int64_t retention_ms;    /* -1: for ever */
	int64_t retention_bytes; /* of a partition; -1: any number */
	const char *cleanup;     /* "delete", "compact", or "compact,delete" */
};

/* In the order of the names; the array and its texts are the arena's. Waits up to about half a minute. */
NODISCARD int topic_states_read(const struct kafka_options *options, const char *const *names, size_t count,
				struct arena *arena, struct topic_state **ret_states, struct error *err);

/* A record for a topic that is not there only times out, as if the brokers were away: where that is why it failed, `err` says so
 * instead. Waits as long as the above, but only where the brokers answer the producer. */
void topic_state_explain(const struct kafka_options *options, struct kafka_producer *producer, const char *topic,
			 struct arena *arena, struct error *err);

#endif
