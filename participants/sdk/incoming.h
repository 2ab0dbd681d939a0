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
	int64_t begun_us;       /* since when there may be an inbox row of its step; 0: nobody knows */
	bool is_inquiry;        /* about the forward command, whose row in the inbox is `entry` */
	struct incoming *same;  /* an earlier record of this batch with the same command; it is answered alike */
	int tries;              /* before this one; they came through a retry topic */
	int round; /* 1: after the others: an inquiry, or its counterpart of the other phase came earlier */

	const char *traceparent; /* of the answer; NULL: the command's is handed on */
	/* saga-outcome of the answer; NULL: not answered, at last because it went to a retry topic. The rest is in
	 * entry.reply */
	const char *outcome;
};

/* Key and headers. -1: nobody can say whose command it is. */
NODISCARD int incoming_read_headers(const struct kafka_record *record, struct arena *arena,
				    struct incoming *ret_incoming, struct error *err);
/* The value, into the command's body; `expected` is the message that the topic carries. Errors as message.h says. */
NODISCARD int incoming_read_body(struct incoming *item, const char *expected, struct registry_client *registry,
				 struct arena *arena, struct error *err);

/* Finds duplicates and counterparts within one batch: sets `same` and `round`. */
void incoming_relate(struct incoming *items, size_t count);

/* The record of the answer; it borrows from the item and the arena. `registry_url` may be NULL. */
struct kafka_record incoming_reply(const struct incoming *item, const char *service, const char *registry_url,
				   struct arena *arena);

#endif
