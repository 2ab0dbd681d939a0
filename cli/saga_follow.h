/*
 * saga_follow.h - one saga as it changes, over lost connections and restarts of the coordinator.
 *
 * Guarantees: every entry of the log once and in order, as WatchSaga promises.
 * Ownership:  what the follow holds stays valid until saga_follow_release(); borrows session and id.
 */
#ifndef CLI_SAGA_FOLLOW_H
#define CLI_SAGA_FOLLOW_H

#include "cli/reconnect.h"
#include "cli/session.h"
#include "lib/rpc/rpc_stream.h"
#include "proto/saga/v1/saga_service.pb-c.h"

struct saga_follow {
	struct session *session;
	const char *saga_id;
	const Saga__V1__Saga *saga;                 /* as of the last message; NULL: none came yet */
	const Saga__V1__WatchSagaResponse *message; /* the last one */
	Saga__V1__SagaEvent **events;               /* all of them so far */
	size_t event_count;
	struct reconnect reconnect; /* is_lost: there is no connection, and it is tried again */
	struct error err;           /* of SAGA_FOLLOW_FAILED */
	struct rpc_failure failure; /* the same; released with the follow */
	/* private */
	ProtobufCMessage **messages;
	size_t message_count;
	struct rpc_stream *stream; /* NULL: lost */
};

enum saga_follow_result {
	SAGA_FOLLOW_CHANGED, /* a message came */
	SAGA_FOLLOW_QUIET,   /* nothing within wait_ms */
	SAGA_FOLLOW_LOST,    /* the connection was just lost */
	SAGA_FOLLOW_FAILED,  /* see err and failure; nothing more will come */
};

/* `until_us`: how long it may be tried to be connected again, as reconnect.h says. */
void saga_follow_begin(struct saga_follow *follow, struct session *session, const char *saga_id, int64_t until_us);
/* The end is to be seen in `saga`: nothing comes after a final state. */
enum saga_follow_result saga_follow_next(struct saga_follow *follow, int64_t wait_ms);
void saga_follow_release(struct saga_follow *follow);

#endif
