/*
 * rpc_client.h - unary gRPC calls with protobuf-c messages, for checkout, the CLI and the benchmark.
 *
 * Why:        gRPC has no stub generator for C; the service descriptor that protobuf-c makes is enough.
 * Threads:    rpc_client_call() may be called from any thread and blocks; rpc_client_start() does not block, its
 *             `done` runs on the client's own thread.
 * Errors:     the gRPC status becomes an err_code (INVALID_ARGUMENT -> ERR_INVALID, NOT_FOUND -> ERR_NOT_FOUND,
 *             ALREADY_EXISTS -> ERR_CONFLICT, FAILED_PRECONDITION -> ERR_PRECONDITION, UNAVAILABLE -> ERR_UNAVAILABLE,
 *             DEADLINE_EXCEEDED -> ERR_TIMEOUT, RESOURCE_EXHAUSTED -> ERR_LIMIT), the message is the server's.
 */
#ifndef LIB_RPC_RPC_CLIENT_H
#define LIB_RPC_RPC_CLIENT_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/memory.h"

struct rpc_client;

struct rpc_client *rpc_client_new(const char *target); /* "127.0.0.1:7233", "unix:/run/…"; connects when needed */
void rpc_client_free(struct rpc_client *client);
DEFINE_CLEANUP(struct rpc_client *, rpc_client_free)

/* `method` is the full path, "/saga.v1.SagaService/GetSaga". On success the answer is the caller's, released by
 * protobuf_c_message_free_unpacked(). */
NODISCARD int rpc_client_call(struct rpc_client *client, const char *method, const ProtobufCMessage *request,
			      const ProtobufCMessageDescriptor *answer_type, int64_t timeout_ms,
			      ProtobufCMessage **ret_answer, struct error *err);

/* `answer` is NULL exactly when `err` is not; it is the callee's to free. */
typedef void rpc_done_fn(void *ctx, ProtobufCMessage *answer, const struct error *err);
void rpc_client_start(struct rpc_client *client, const char *method, const ProtobufCMessage *request,
		      const ProtobufCMessageDescriptor *answer_type, int64_t timeout_ms, rpc_done_fn *done, void *ctx);

#endif
