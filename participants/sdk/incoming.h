/*
 * incoming.h - a record of a command topic, read: whose command it is, what it says, and later what is answered.
 *
 * Why:        the rules of the wire contract (docs/wire-contract.md, 2 to 4) for headers, in one place, both ways.
 * Ownership:  everything lives in the batch's arena or borrows from the batch's records.
 */
#ifndef PARTICIPANTS_SDK_INCOMING_H
#define PARTICIPANTS_SDK_INCOMING_H

#include "lib/base/arena.h"
#include "lib/kafka/kafka.h"
#include "participants/sdk/inbox.h"
#include "participants/sdk/participant.h"

struct incoming {
	const struct kafka_record *record;
	const struct command_handler *handler;
	struct command command;
	struct inbox_entry entry;
	const char *command_id; /* saga-command-id */
	struct incoming *same;  /* an earlier record of this batch with the same command; it is answered alike */
	int round;              /* 1: its counterpart of the other phase came earlier in this batch and goes first */

	const char *outcome; /* saga-outcome of the answer; NULL: not answered yet. The rest is in entry.reply */
};

/* -1 with a retriable error: the schema cannot be fetched now. -1 with any other: the record is no command. */
NODISCARD int incoming_read(const struct kafka_record *record, const struct command_handler *handler,
			    struct registry_client *registry, struct arena *arena, struct incoming *ret_incoming,
			    struct error *err);

/* Only the headers; part of incoming_read(). */
NODISCARD int incoming_read_headers(const struct kafka_record *record, struct arena *arena,
				    struct incoming *ret_incoming, struct error *err);

/* Finds duplicates and counterparts within one batch: sets `same` and `round`. */
void incoming_relate(struct incoming *items, size_t count);

/* The record of the answer; it borrows from the item and the arena. `registry_url` may be NULL. */
struct kafka_record incoming_reply(const struct incoming *item, const char *service, const char *registry_url,
				   struct arena *arena);

#endif
