/*
 * status.h - how an error leaves through gRPC: one table from err_code to status, and google.rpc details.
 *
 * Why:        a client must be able to tell by program, not by text, whether to mend its request, to wait, or to give up.
 * Guarantees: message and details together stay far below the 8 KB of metadata that clients accept; what does not fit
 *             is counted in a last violation.
 * Details:    always ErrorInfo (domain `saga.v1`); BadRequest for violations; RetryInfo where a retry can help;
 *             ResourceInfo for what does not exist or exists already; PreconditionFailure for what a state forbids;
 *             QuotaFailure for a limit that somebody set.
 */
#ifndef COORDINATOR_API_STATUS_H
#define COORDINATOR_API_STATUS_H

#include <grpc/status.h>
#include <stdint.h>

#include "google/rpc/status.pb-c.h"
#include "lib/base/arena.h"
#include "lib/base/bytes.h"
#include "lib/base/error.h"
#include "lib/base/problems.h"

enum { STATUS_MESSAGE_BYTES_MAX = 600, STATUS_DETAILS_BYTES_MAX = 3000, STATUS_METADATA_MAX = 4 };

struct status_metadata {
	const char *name;
	const char *value;
};

/* What the call is about; absent where `type` is NULL. */
struct status_resource {
	const char *type; /* a message's name: saga.v1.Saga */
	const char *name;
};

/* What forbids it; absent where `type` is NULL. */
struct status_precondition {
	const char *type; /* UPPER_SNAKE_CASE */
	const char *subject;
	const char *description;
};

struct status {
	enum err_code code;
	const char *message;
	const char *reason;                /* UPPER_SNAKE_CASE for ErrorInfo; NULL: the code's name */
	const struct problems *violations; /* NULL: none */
	const char
		*violations_field; /* not NULL: the violations' places are no field paths; they belong to this field */
	int64_t retry_after_ms;    /* 0: the code's own; below 0: a retry cannot help */
	struct status_metadata metadata[STATUS_METADATA_MAX]; /* for ErrorInfo; up to the first without a name */
	struct status_resource resource;
	struct status_precondition precondition;
	const char *quota; /* what is used up, by the name of the setting; NULL: nothing */
};

grpc_status_code status_grpc_code(enum err_code code);

/* As a message, with its details; it lives in the arena. */
Google__Rpc__Status *status_to_message(const struct status *status, struct arena *arena);

/* The bytes of a google.rpc.Status, for grpc-status-details-bin. */
void status_details(const struct status *status, struct buffer *out);

/* The message as it goes out: cut at STATUS_MESSAGE_BYTES_MAX, between characters. */
struct bytes status_message(const struct status *status);

#endif
