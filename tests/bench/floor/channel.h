/*
 * channel.h - records of equal size through one partition after another, as fast as librdkafka goes.
 *
 * Guarantees: acks=all. A record that fails for good is logged; whoever waits for it waits in vain.
 * Threads:    one producer and one consumer client for all; each partition is written by one thread and read by one.
 */
#ifndef TESTS_BENCH_FLOOR_CHANNEL_H
#define TESTS_BENCH_FLOOR_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/memory.h"

struct channel_clients;
struct channel;

struct floor_record;

/* `linger_ms` is how long the producer gathers a batch, as librdkafka takes it. */
NODISCARD int channel_clients_new(const char *brokers, const char *linger_ms, struct channel_clients **ret_clients,
				  struct error *err);
void channel_clients_free(struct channel_clients *clients); /* after its channels */
DEFINE_CLEANUP(struct channel_clients *, channel_clients_free)

/* The topic exists; what is in it already is passed over. `record_bytes` is at least the head's size. */
NODISCARD int channel_new(struct channel_clients *clients, const char *topic, int partition, size_t record_bytes,
			  struct channel **ret_channel, struct error *err);
void channel_free(struct channel *channel);

/* Blocks while the client's queue is full. */
NODISCARD int channel_send(struct channel *channel, const struct floor_record *records, size_t count,
			   struct error *err);
/* Waits up to wait_ms for the first, then takes what is there, at most `max`; and goes on until `wanted` are there or none
 * comes for a millisecond. */
size_t channel_receive(struct channel *channel, struct floor_record *records, size_t max, size_t wanted, int wait_ms);

#endif
