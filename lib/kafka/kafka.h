/*
 * kafka.h - what all our Kafka clients do alike, over librdkafka: records in batches, headers, confirmed production.
 *
 * Why:        coordinator and participants follow one protocol (docs/wire-contract.md): at-least-once, offsets after the
 *             database's commit, eager rebalancing, static membership.
 * Threads:    a consumer belongs to one thread; a producer may be used from any thread; both have threads of librdkafka.
 * Ownership:  a batch's records borrow from it until kafka_batch_release(); produced bytes are copied.
 */
#ifndef LIB_KAFKA_KAFKA_H
#define LIB_KAFKA_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/bytes.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/base/problems.h"
#include "lib/base/text_pair.h"

struct kafka_options {
	const char *brokers; /* host:port,host:port */
	const char *client_id;
	const struct text_pair *properties; /* any of librdkafka, such as security.protocol; they override ours */
	size_t property_count;
};

/* Adds every property that librdkafka does not know or whose value it refuses; its place is its name behind `prefix`. */
void kafka_options_check(const struct kafka_options *options, const char *prefix, struct problems *problems);

/* For main(), before there are threads: a process whose clients do not authenticate by SASL does not load Cyrus SASL's plug-ins,
 * which librdkafka has it do with its first client otherwise. A SASL_PATH of the environment counts more. */
void kafka_options_spare_plugins(const struct kafka_options *options);

/* A copy that lives as long as its owner needs, and its end. */
struct kafka_options kafka_options_copy(const struct kafka_options *options);
void kafka_options_release(struct kafka_options *options);

struct kafka_header {
	const char *name;
	struct bytes value;
};

/* What is read of a record: its own headers, and those that side topics (side_topic.h) add to it. */
enum {
	KAFKA_HEADERS_READ_MAX = 48,
	KAFKA_HEADERS_ADDED_MAX = 10,
	KAFKA_HEADERS_MAX = 64,
	KAFKA_HEADER_BYTES_MAX = 16 * 1024,
	KAFKA_SINGLE_MAX = 16, /* names that kafka_record_check_headers() takes */
};

struct kafka_record {
	const char *topic;
	int32_t partition;
	int64_t offset;
	int64_t timestamp_ms;
	struct bytes key;
	struct bytes value;
	bool has_value; /* false: null */
	struct kafka_header headers[KAFKA_HEADERS_MAX];
	size_t header_count;
	bool has_more_headers; /* it had more of either kind; the others were not read */
};

/* The last header of that name, or NULL: CloudEvents and Kafka allow repeats, the last one counts. */
const struct bytes *kafka_record_header(const struct kafka_record *record, const char *name);

/* ERR_INVALID: there are more than KAFKA_HEADERS_READ_MAX of them or more than KAFKA_HEADER_BYTES_MAX bytes in names and
 * values, or one of `single` (NULL-terminated) is there twice with different values: nobody can say which one counts. */
NODISCARD int kafka_record_check_headers(const struct kafka_record *record, const char *const *single,
					 struct error *err);

/* ---- producer: acks=all, idempotent; a fatal error makes it a new instance and what is unconfirmed is reported ---- */
struct kafka_producer;

/* Runs on the producer's poll thread for each record that had a `token`; must not block. */
typedef void kafka_delivered_fn(void *ctx, void *token, const struct error *err_or_null);

NODISCARD int kafka_producer_new(const struct kafka_options *options, kafka_delivered_fn *delivered, void *ctx,
				 struct kafka_producer **ret_producer, struct error *err);
void kafka_producer_free(struct kafka_producer *producer); /* flushes for up to 5 s */
DEFINE_CLEANUP(struct kafka_producer *, kafka_producer_free)

/* Enqueues; blocks only while the local queue is full, for at most 1 s, then ERR_UNAVAILABLE. Uses topic, key, value,
 * headers of the record. */
NODISCARD int kafka_produce(struct kafka_producer *producer, const struct kafka_record *record, void *token,
			    struct error *err);
NODISCARD int kafka_flush(struct kafka_producer *producer, int64_t timeout_ms, struct error *err);
/* Has the producer find out where the partitions of these topics are, so that the first record to each is not held up for
 * that (about a second). Only asks: never waits, and a broker that is away is asked when it is back. Naming a topic again
 * costs next to nothing. Any thread. */
void kafka_producer_prepare(struct kafka_producer *producer, const char *const *topics, size_t count);

/* ---- consumer: group, static member, earliest, no auto store; eager rebalancing ---- */
struct kafka_consumer;
struct kafka_batch;

struct kafka_consumer_options {
	const char *group;
	const char *member; /* group.instance.id; NULL: dynamic */
	const char *const *topics;
	size_t topic_count;
};

NODISCARD int kafka_consumer_new(const struct kafka_options *options, const struct kafka_consumer_options *consumer,
				 struct kafka_consumer **ret_consumer, struct error *err);
void kafka_consumer_free(struct kafka_consumer *consumer); /* commits stored offsets, leaves: within 5 s */
DEFINE_CLEANUP(struct kafka_consumer *, kafka_consumer_free)

NODISCARD int kafka_consumer_subscribe(struct kafka_consumer *consumer, const char *const *topics, size_t count,
				       struct error *err); /* replaces the subscription */

/* Waits up to wait_ms for the first record, then takes what is there, at most `max`. An empty batch is a success.
 * ERR_CONFLICT: fenced by a newer member of the same id; the process should end. Who polls again joins anew. */
NODISCARD int kafka_consumer_poll(struct kafka_consumer *consumer, size_t max, int64_t wait_ms,
				  struct kafka_batch **ret_batch, struct error *err);
bool kafka_consumer_is_assigned(const struct kafka_consumer *consumer,
				const char *topic);                          /* any partition; any thread */
size_t kafka_consumer_assigned_count(const struct kafka_consumer *consumer); /* partitions; any thread */

/* Records of the assigned partitions that are not read yet, as far as the last fetches tell; the owner's thread. */
int64_t kafka_consumer_lag(const struct kafka_consumer *consumer);

size_t kafka_batch_count(const struct kafka_batch *batch);
/* Lives as long as the batch, as all of the batch's records do from the first call on. */
const struct kafka_record *kafka_batch_record(const struct kafka_batch *batch, size_t index);
/* For who copies what is wanted of the headers and has many batches in hand: the headers go at the next look, and take no memory
 * afterwards; all else lives as long as the batch. A batch is read in this way or in the other one. */
void kafka_batch_look(struct kafka_batch *batch, size_t index, struct kafka_record *ret_record);
void kafka_batch_store_offsets(struct kafka_consumer *consumer,
			       struct kafka_batch *batch); /* all of the batch are done */
/* Reads them again; where several batches are in hand, the newest is rewound first. */
void kafka_batch_rewind(struct kafka_consumer *consumer, struct kafka_batch *batch);
void kafka_batch_free(struct kafka_batch *batch); /* before its consumer */
DEFINE_CLEANUP(struct kafka_batch *, kafka_batch_free)

/* ---- topics ---- */
struct kafka_topic {
	const char *name;
	int partitions;
	int replication_factor;
	int64_t retention_ms; /* 0: the broker's default */
};
/* Creates what is missing and says how many were; existing topics are left as they are. */
NODISCARD int kafka_create_topics(const struct kafka_options *options, const struct kafka_topic *topics, size_t count,
				  size_t *ret_created, struct error *err);
/* Brokers that answer, for health; waits up to timeout_ms. */
NODISCARD int kafka_producer_ping(struct kafka_producer *producer, int64_t timeout_ms, int *ret_brokers,
				  struct error *err);
/* The broker that is the controller, as the last successful ping saw it; -1: unknown. */
int kafka_producer_controller(const struct kafka_producer *producer);

#endif
