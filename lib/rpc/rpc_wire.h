/*
 * rpc_wire.h - what unary calls and streams share: statuses, the bytes of messages, calls on a client's channel.
 *
 * Not here:   anything for callers; those include rpc_client.h or rpc_stream.h.
 */
#ifndef LIB_RPC_RPC_WIRE_H
#define LIB_RPC_RPC_WIRE_H

#include <grpc/grpc.h>
#include <protobuf-c/protobuf-c.h>

#include "lib/base/bytes.h"
#include "lib/rpc/rpc_client.h"

/* How a call ended, as RECV_STATUS_ON_CLIENT leaves it. */
struct rpc_status {
	grpc_metadata_array trailing_metadata;
	grpc_status_code code;
	grpc_slice text;
};

void rpc_status_init(struct rpc_status *status);
void rpc_status_release(struct rpc_status *status);
grpc_op rpc_status_receive_op(struct rpc_status *status);

/* The error of a status that is not OK; `target` is named where nobody may have answered. */
void rpc_status_to_error(const struct rpc_status *status, const char *target, struct error *ret_err);
struct bytes rpc_status_details(const struct rpc_status *status); /* borrowed; empty: none */

grpc_byte_buffer *rpc_message_pack(const ProtobufCMessage *message);
/* NULL and ERR_CORRUPT when the bytes are no such message, or NULL themselves. */
ProtobufCMessage *rpc_message_unpack(grpc_byte_buffer *bytes, const ProtobufCMessageDescriptor *type,
				     const char *target, struct error *err);

/* In rpc_client.c: a call that has not begun, whose completions go to `queue`. timeout_ms 0: it has no deadline. */
grpc_call *rpc_client_open(struct rpc_client *client, const char *method, int64_t timeout_ms,
			   grpc_completion_queue *queue);
/* The first operation of a call: the client's token, where it has one. Valid as long as the client. */
grpc_op rpc_client_begin_op(struct rpc_client *client);
const char *rpc_client_target(const struct rpc_client *client);

#endif
