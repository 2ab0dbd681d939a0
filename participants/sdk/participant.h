/*
 * participant.h - what a service needs to take part in sagas: commands in, effects once, replies out.
 *
 * Why:        a command may arrive twice, late, or after its compensation. The inbox (one row for each (saga, step,
 *             phase)) makes the effect happen once and the reply be the same one every time.
 * Guarantees: effect, inbox row and stored reply are one transaction. A duplicate gets the stored reply. A
 *             compensation whose forward command was never seen leaves a tombstone and replies `succeeded` with
 *             `saga-effect: none`; the late forward command then gets `rejected` (cancelled-before). Offsets are stored
 *             after the replies are confirmed by the broker. What fails transiently is tried again through retry topics,
 *             what cannot be handled goes to the dead letters, and neither holds up the other commands. Source:
 *             docs/wire-contract.md.
 * Inquiries:  asked what became of a command (`saga-phase: inquiry`), the SDK answers from the inbox: with the stored reply, or,
 *             where the command never came, by refusing it for good, in the same row. A service whose database does not
 *             know everything gives a handler, too.
 * Threads:    participant_run() owns everything on one thread; handlers run there, inside the transaction. Two more
 *             threads send back what waits in retry topics (retry_relay.h).
 * Ownership:  commands and everything in them live for the batch; replies are allocated in `batch->arena`.
 */
#ifndef PARTICIPANTS_SDK_PARTICIPANT_H
#define PARTICIPANTS_SDK_PARTICIPANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/base/uuid.h"
#include "lib/kafka/kafka.h"
#include "lib/metrics/metrics.h"
#include "lib/pg/pg.h"
#include "schema-registry/client/registry_client.h"
#include "schema-registry/codec/value.h"

enum command_outcome {
	COMMAND_OUTCOME_NONE,      /* not answered: a bug of the handler */
	COMMAND_OUTCOME_SUCCEEDED, /* final */
	COMMAND_OUTCOME_REJECTED, /* final: the business says no; had no effect. A compensation's is answered `retriable` */
	COMMAND_OUTCOME_UNKNOWN, /* of an inquiry: nobody can tell; nothing is stored */
};

struct command {
	struct uuid saga_id;
	const char *step;
	bool is_compensation;
	int32_t attempt;
	const char *key;          /* the saga's key: the record's key */
	const struct value *body; /* decoded */
	bool has_forward_effect;  /* true for handlers: a compensation without it is answered by the SDK alone */

	/* filled in by the handler */
	enum command_outcome outcome;
	const char *reply_topic; /* one of the handler's reply topics */
	struct value reply;      /* a record that fits the schema of the reply topic's subject */
	const char *reason;      /* code of a refusal, `insufficient_stock`; NULL otherwise */
	const char *detail;      /* text for people; NULL: none */
	bool has_no_effect;      /* succeeded without having changed anything: `saga-effect: none` */
};

struct command_batch {
	struct pg *pg; /* inside the transaction */
	struct arena *arena;
	struct command **commands; /* each new to the inbox; all of one topic */
	size_t count;
};

/*
 * Applies the whole batch's effects with the batch's connection and answers every command. -1: a transient or technical
 * failure; the transaction is rolled back, the batch is tried again in halves, then one by one, so that one bad command
 * does not hold up the others.
 */
typedef int command_handler_fn(void *ctx, struct command_batch *batch, struct error *err);

struct span_exporter;

struct command_handler {
	const char *command_topic;
	const char *const *reply_topics; /* NULL-terminated; their subjects' latest schemas are looked up at start */
	/* One of them: where the SDK itself answers, which it does for a compensation without effect, for a command that
	 * was cancelled before it came, and for a transient failure (`retriable`). */
	const char *tombstone_reply_topic;
	/* Of inquiries: what became of commands that the inbox does not know, by asking whoever was asked to do them.
	 * SUCCEEDED and REJECTED are stored as the commands' own replies. NULL: they were never done here, and never will be. */
	command_handler_fn *handle;
	bool is_inquiry; /* the topic is for inquiries alone; others are for none */
};

struct participant_options {
	const char *service;  /* "payment-service": group, ce_source, database application name */
	const char *instance; /* group.instance.id; NULL: dynamic membership */
	struct kafka_options kafka;
	const char *postgres; /* conninfo; NULL: no database, no inbox (benchmarks only): handlers get pg == NULL */
	struct registry_client *registry;
	const char *registry_url; /* for ce_dataschema; NULL: relative */
	struct metrics *metrics;
	struct span_exporter *spans;           /* NULL: no traces */
	const struct pg_migration *migrations; /* the service's own tables; the SDK's come first */
	size_t migration_count;
	const struct command_handler *handlers;
	size_t handler_count;
	const char *const *fact_topics; /* NULL-terminated: what outbox_put() is used for (outbox.h); NULL: none */
	void *ctx;
	size_t batch_max;      /* 0: 500 */
	int tries_max;         /* of a command that fails transiently; 0: 10 */
	int64_t inbox_keep_ms; /* rows of the inbox, from when they were written; 0: for ever */
};

struct participant;

/* The strings and arrays of the options must outlive the participant. */
struct participant *participant_new(const struct participant_options *options);
/* Connects, migrates, looks up the schemas (waiting for what is away, logging it) and runs until participant_stop(). -1: the
 * process should end; ERR_CONFLICT: another process has taken over this instance's name. */
NODISCARD int participant_run(struct participant *participant, struct error *err);
void participant_stop(struct participant *participant); /* any thread; the batch in hand is finished */
void participant_free(struct participant *participant);
DEFINE_CLEANUP(struct participant *, participant_free)

/* For health: "" when fine, else what is wrong; any thread. Asks broker and registry, so it may block for about a second
 * each. Ready: everything was there once since the start and the commands are being read. */
void participant_health(struct participant *participant, bool *ret_is_ready, char *ret_database, size_t database_len,
			char *ret_kafka, size_t kafka_len, char *ret_registry, size_t registry_len);
/* False: one batch has been in hand for longer than anything known explains; only a new process helps. */
bool participant_is_alive(const struct participant *participant);
/* What it waits for before it can read commands; "" when nothing. */
void participant_waiting_for(struct participant *participant, char *ret_text, size_t len);
bool participant_is_ready(const struct participant *participant); /* the same without asking anybody */
/* What the last participant_health() saw: brokers that answer, and the controller's id (-1: unknown). */
void participant_brokers(const struct participant *participant, int *ret_count, int *ret_controller);

#endif
