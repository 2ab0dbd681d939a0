/*
 * outbox.h - facts that no command caused, such as a change over HTTP, on their way to Kafka.
 *
 * Why:        a row and a record cannot be written at once. So the fact is a row, too, in the transaction that made it true,
 *             and a thread sends what stands there: what is committed is told, what is rolled back is not.
 * Guarantees: at least once, with the same `ce_id` each time; facts of one key in the order in which they were written. Of
 *             several instances one sends at a time. A fact that can never be sent (it does not fit its schema, or is
 *             too large for its topic) holds up no other: it stays in the table with its `problem`, and is logged.
 * Threads:    outbox_put() on the connection's; the relay has a thread and a connection of its own.
 * Ownership:  the relay borrows its options' contents until outbox_relay_free(); its records' tokens are flights.
 */
#ifndef PARTICIPANTS_SDK_OUTBOX_H
#define PARTICIPANTS_SDK_OUTBOX_H

#include "lib/kafka/kafka.h"
#include "lib/metrics/metrics.h"
#include "lib/pg/pg.h"
#include "participants/sdk/reply_schema.h"

extern const struct pg_migration outbox_migrations[];
extern const size_t outbox_migration_count;

struct outbox_fact {
	const char *topic; /* one of the service's fact topics */
	const char *key;
	const struct value *value;  /* encoded when it is sent, so that a registry that is away holds up nobody */
	const char *correlation_id; /* NULL: the key */
	const char *traceparent;    /* NULL: none */
};

/* Inside a transaction, which is the caller's. */
NODISCARD int outbox_put(struct pg *pg, const struct outbox_fact *fact, struct error *err);

struct outbox_relay;

struct outbox_relay_options {
	const char *service; /* ce_source */
	const char *postgres;
	const char *registry_url; /* for ce_dataschema */
	struct kafka_producer *producer;
	const struct reply_schema *schemas; /* of the fact topics, others too */
	size_t schema_count;
	struct metric *told; /* facts */
	struct metric *set_aside;
};

NODISCARD int outbox_relay_start(const struct outbox_relay_options *options, struct outbox_relay **ret_relay,
				 struct error *err);
void outbox_relay_stop(struct outbox_relay *relay); /* any thread; does not wait; NULL: nothing */
void outbox_relay_free(struct outbox_relay *relay); /* stops, waits for its thread; NULL: nothing */

#endif
