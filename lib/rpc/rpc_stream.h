/*
 * rpc_stream.h - a gRPC call with one request and many answers, which its caller takes one at a time.
 *
 * Why:        who shows what changes wants to wait for the next change and for other things in turn, so this is pulled.
 * Guarantees: answers come in the server's order; one that is not asked for is not read, so a slow reader slows the server
 *             down instead of filling memory.
 * Threads:    one thread uses a stream; it has none of its own.
 * Ownership:  borrows its client, which must be freed after it. Errors and limits are rpc_client.h's.
 */
#ifndef LIB_RPC_RPC_STREAM_H
#define LIB_RPC_RPC_STREAM_H

#include "lib/rpc/rpc_client.h"

struct rpc_stream;

/* Begins the call; does not block. timeout_ms 0: it may last for ever. The request is not needed afterwards. */
struct rpc_stream *rpc_stream_new(struct rpc_client *client, const struct rpc_call *call);
void rpc_stream_free(struct rpc_stream *stream); /* tells the server, if the stream has not ended */
DEFINE_CLEANUP(struct rpc_stream *, rpc_stream_free)

enum rpc_stream_result {
	RPC_STREAM_MESSAGE, /* *ret_answer is the caller's, as with rpc_client_call() */
	RPC_STREAM_WAITING, /* nothing came within wait_ms */
	RPC_STREAM_ENDED,   /* the server closed it with status OK */
	RPC_STREAM_FAILED,  /* err and *ret_failure (may be NULL) say why; nothing more will come */
};

enum rpc_stream_result rpc_stream_next(struct rpc_stream *stream, int64_t wait_ms, ProtobufCMessage **ret_answer,
				       struct rpc_failure *ret_failure, struct error *err);

#endif
