/*
 * rpc_client.h - unary gRPC calls with protobuf-c messages, for checkout, the CLI and the benchmark.
 *
 * Why:        gRPC has no stub generator for C; the service descriptor that protobuf-c makes is enough.
 * Threads:    rpc_client_call() may be called from any thread and blocks; rpc_client_start() does not block, its
 *             `done` runs on the client's own thread.
 * Errors:     the gRPC status becomes an err_code (INVALID_ARGUMENT -> ERR_INVALID, NOT_FOUND -> ERR_NOT_FOUND,
 *             ALREADY_EXISTS -> ERR_CONFLICT, FAILED_PRECONDITION -> ERR_PRECONDITION, UNAVAILABLE -> ERR_UNAVAILABLE,
 *             DEADLINE_EXCEEDED -> ERR_TIMEOUT, RESOURCE_EXHAUSTED -> ERR_LIMIT, CANCELLED and ABORTED ->
 *             ERR_UNAVAILABLE, the rest ERR_INTERNAL), the message is the server's, behind the target's name where
 *             nobody may have answered. What else the server said: rpc_client_call_explained() and rpc_details.h.
 * Limits:     answers of up to 16 MiB. A lost connection is tried again after 100 ms, then up to every 2 s.
 */
#ifndef LIB_RPC_RPC_CLIENT_H
#define LIB_RPC_RPC_CLIENT_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "lib/base/bytes.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/security/client_security.h"

struct rpc_client;

struct rpc_client *rpc_client_new(const char *target); /* "127.0.0.1:7233", "unix:/run/…"; connects when needed */
/* With TLS and a credential, as `security` says; it is copied. ERR_INVALID: a file of it cannot be read. */
NODISCARD int rpc_client_new_secure(const char *target, const struct client_security *security,
				    struct rpc_client **ret_client, struct error *err);
/* Cancels what is in flight (ERR_UNAVAILABLE), waits for its `done`, and closes. No call may begin on other threads
 * meanwhile; one begun inside `done` is refused at once. */
void rpc_client_free(struct rpc_client *client);
DEFINE_CLEANUP(struct rpc_client *, rpc_client_free)

/* `method` is the full path, "/saga.v1.SagaService/GetSaga". On success the answer is the caller's, released by
 * protobuf_c_message_free_unpacked(). */
NODISCARD int rpc_client_call(struct rpc_client *client, const char *method, const ProtobufCMessage *request,
			      const ProtobufCMessageDescriptor *answer_type, int64_t timeout_ms,
			      ProtobufCMessage **ret_answer, struct error *err);

/* One call, for those who want to know more about its failure. */
struct rpc_call {
	const char *method;
	const ProtobufCMessage *request;
	const ProtobufCMessageDescriptor *answer_type;
	int64_t timeout_ms;      /* 0: 10 s, here and below */
	const char *traceparent; /* W3C trace context, sent as metadata; NULL: none, as the next */
	const char *tracestate;
};

struct rpc_failure {
	int status; /* the gRPC status code */
	struct buffer
		details; /* a google.rpc.Status, from grpc-status-details-bin; empty: none. The caller's to release */
};

/* As rpc_client_call(); `ret_failure` is set when -1 is returned. */
NODISCARD int rpc_client_call_explained(struct rpc_client *client, const struct rpc_call *call,
					ProtobufCMessage **ret_answer, struct rpc_failure *ret_failure,
					struct error *err);

enum err_code rpc_code_of_status(int status); /* of a gRPC status, as above; ERR_NONE of OK */

/* `answer` is NULL exactly when `err` is not; it is the callee's to free. */
typedef void rpc_done_fn(void *ctx, ProtobufCMessage *answer, const struct error *err);
void rpc_client_start(struct rpc_client *client, const char *method, const ProtobufCMessage *request,
		      const ProtobufCMessageDescriptor *answer_type, int64_t timeout_ms, rpc_done_fn *done, void *ctx);

#endif
