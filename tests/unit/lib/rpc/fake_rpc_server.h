/*
 * fake_rpc_server.h - a gRPC server inside a test: any method, unary or answering with a stream, served by one function of the test.
 *
 * Threads:    the function runs on the server's own thread, one call at a time.
 */
#ifndef TESTS_UNIT_LIB_RPC_FAKE_RPC_SERVER_H
#define TESTS_UNIT_LIB_RPC_FAKE_RPC_SERVER_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "lib/base/bytes.h"

struct fake_rpc_server;

enum { FAKE_RPC_STREAM_MAX = 32 };

struct fake_rpc_answer {
	struct buffer message; /* packed; sent with status 0 */
	struct buffer stream[FAKE_RPC_STREAM_MAX];
	size_t stream_count; /* not 0: these are sent, whatever the status, instead of `message` */
	int status;
	const char *status_text;
	struct buffer details; /* grpc-status-details-bin; empty: none */
	bool is_silent;        /* never answer; a stream stays open behind its messages */
};

typedef void fake_rpc_handler_fn(void *ctx, const char *method, struct bytes request, struct fake_rpc_answer *answer);

struct fake_rpc_server *fake_rpc_server_new(fake_rpc_handler_fn *handle, void *ctx);
const char *fake_rpc_server_target(const struct fake_rpc_server *server); /* "127.0.0.1:PORT" */
void fake_rpc_server_free(struct fake_rpc_server *server);

/* Packed, behind what `out` holds. */
void fake_rpc_append(struct buffer *out, const ProtobufCMessage *message);

#endif
