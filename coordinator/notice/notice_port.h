/*
 * notice_port.h - what people are to be told of, and where it is kept until they have been.
 *
 * Why:        a notice is stored in the transaction of what it tells (engine/ports.h: struct store_notice), once for each
 *             target, and goes when the target has it. So nothing is lost with a process, and a target may hear it twice.
 * Threads:    one thread at a time; each sender has a port of its own.
 * Ownership:  what a port answers lives in the arena that it was given.
 */
#ifndef COORDINATOR_NOTICE_NOTICE_PORT_H
#define COORDINATOR_NOTICE_NOTICE_PORT_H

#include "coordinator/saga/saga.h"

/* A step of a saga waits for a person. */
struct notice {
	struct uuid saga_id;
	int64_t sequence; /* of the saga's log; with the saga's id it tells the notice from any other */
	int64_t time_us;  /* since when the step stands still */
	const char *step_id;
	enum step_phase phase;
	const char *reason; /* a code; "": none */
	const char *detail; /* in words */
	int32_t tries;      /* that failed so far */
	int64_t age_ms;     /* by the database's clock */
	int32_t definition_id;
	const char *definition;
	int32_t definition_version;
	const char *key;
};

enum notice_outcome {
	NOTICE_UNTRIED, /* it is due again at once */
	NOTICE_SENT,    /* its target has it */
	NOTICE_FAILED,  /* it is due again after a while that grows with its tries */
	NOTICE_GIVEN_UP,
};

/* Functions that answer int: 0, or -1 with `err`. */
struct notice_port {
	void *ctx;
	/* Takes what is due for the target, the oldest first, out of the reach of others for `lease_ms`. */
	int (*claim)(void *ctx, const char *target, size_t limit, int64_t lease_ms, struct arena *arena,
		     struct notice **ret_notices, size_t *ret_count, struct error *err);
	/* What became of those that were claimed: `outcomes[i]` of `notices[i]`. */
	int (*settle)(void *ctx, const char *target, const struct notice *notices, const enum notice_outcome *outcomes,
		      size_t count, struct error *err);
	int (*count)(void *ctx, const char *target, int64_t *ret_count, struct error *err);
	/* Drops what is older than that, whoever it is for: nobody sends it any more. */
	int (*forget)(void *ctx, int64_t older_than_ms, int64_t *ret_count, struct error *err);
};

#endif
