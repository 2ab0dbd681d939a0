/*
 * turn.h - one batch of commands from records to answers: the heart of the SDK.
 *
 * Why:        a batch costs one transaction a command topic, not one a command; and one bad command must not hold up the
 *             others, so a batch that fails is tried again in halves.
 * Guarantees: when turn_run() succeeds, every record is answered, a duplicate, on its way to a retry topic, or a dead
 *             letter (and then answered `retriable` where its saga can be told). When it fails, what was committed is in the inbox and reading the whole batch again is harmless.
 * Not here:   Kafka's consumer and producer, and waiting for what is away (participant.c).
 * Threads:    the participant's own.
 */
#ifndef PARTICIPANTS_SDK_TURN_H
#define PARTICIPANTS_SDK_TURN_H

#include "lib/kafka/side_topic.h"
#include "participants/sdk/incoming.h"
#include "participants/sdk/participant.h"
#include "participants/sdk/pending_retries.h"
#include "participants/sdk/reply_schema.h"

/* A record that goes to a side topic. */
struct turn_letter {
	enum side_topic side;
	const struct kafka_record *record;
	const char *command_id; /* NULL: not known */
	struct side_note note;
};

struct turn_result {
	struct incoming *items; /* the commands; those with an outcome are to be answered */
	size_t count;
	struct turn_letter *letters;
	size_t letter_count;
};

struct turn_metrics {
	struct metric *succeeded;
	struct metric *rejected;
	struct metric *duplicate;
	struct metric *cancelled;
	struct metric *no_effect;
	struct metric *inquiry;
	struct metric *retriable;
	struct metric *later;
	struct metric *dead;
	struct metric *transactions_failed;
};

struct turn {
	struct pg *pg; /* NULL: no inbox */
	struct registry_client *registry;
	const char *service;
	int64_t keep_ms;                  /* of inbox rows; 0: for ever */
	int tries_max;                    /* of a command that fails transiently, those in place included */
	const char *const *command_types; /* by handler: the full name of its topic's message */
	const struct command_handler *handlers;
	size_t handler_count;
	const struct reply_schema *reply_schemas; /* of all reply topics */
	size_t reply_schema_count;
	void *handler_ctx;
	struct turn_metrics metrics;
	/* Waits; true when the participant shall stop, at once. */
	bool (*wait)(void *ctx, int64_t ms);
	void *wait_ctx;
	int64_t retry_until_us; /* of the present batch, monotonic; turn_run() sets it, as the next */
	struct turn_result result;
	struct pending_retries pending;
};

/*
 * The result lives in the arena. -1: the database or the registry is away, or the participant shall stop; nothing may be
 * answered, the batch has to be read again.
 */
NODISCARD int turn_run(struct turn *turn, const struct kafka_batch *batch, struct arena *arena,
		       struct turn_result *ret_result, struct error *err);

/* Once the letters of the result are confirmed. */
void turn_note_letters(struct turn *turn, const struct turn_result *result);

const struct reply_schema *turn_reply_schema(const struct turn *turn, const char *topic); /* must be known */

#endif
