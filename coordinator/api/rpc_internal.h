/*
 * rpc_internal.h - what the server, its calls and its streams share; nobody else includes it.
 *
 * Tags:       gRPC hands back a pointer for each finished batch; it points to a struct rpc_tag inside of a call or
 *             stream, whose `fn` is set before the batch starts and runs on the queue's thread.
 */
#ifndef COORDINATOR_API_RPC_INTERNAL_H
#define COORDINATOR_API_RPC_INTERNAL_H

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "coordinator/api/rpc_server.h"
#include "coordinator/api/rpc_worker.h"
#include "lib/security/access.h"
#include "lib/security/certificates.h"

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

struct rpc_tag {
	void (*fn)(struct rpc_tag *tag, bool is_ok);
};

enum { RPC_CODES = GRPC_STATUS_UNAUTHENTICATED + 1 };

struct rpc_registered {
	struct rpc_method method;
	void *handle; /* gRPC's; NULL: the catch-all for unknown methods */
	struct rpc_server *server;
	int open_max;           /* 0: as many as come */
	atomic_int open;        /* calls that have come and are not freed */
	struct metric *seconds; /* NULL: no metrics */
	struct metric *handled[RPC_CODES];
};

/* REQUEST_ARENA: what one request may take in memory, its own bytes included. */
enum { RPC_METHODS_MAX = 40, REQUEST_ARENA_BYTES_MAX = 48 * 1024 * 1024 };

struct rpc_server {
	grpc_server *grpc;
	grpc_completion_queue *queue;
	pthread_t thread;
	int port;
	struct metrics *metrics;
	struct certificates *certificates;        /* NULL: plain */
	atomic_uint_fast64_t served_certificates; /* their generation that new connections get */
	struct access *access;
	struct access *open_access; /* what `access` is where nobody gave one */
	struct rpc_registered methods[RPC_METHODS_MAX];
	size_t method_count;
	struct rpc_registered unknown;
	struct rpc_worker *worker;
	struct rpc_worker *reader;
	struct arena arena;            /* of the handler that runs; the queue's thread only */
	struct server_stream *streams; /* open ones; the queue's thread only */
	int64_t next_tick_us;          /* the queue's thread only */
	bool was_stop_seen;            /* the queue's thread only */
	struct rpc_tag shut_tag;
	_Atomic(struct server_call *) answered; /* by other threads, the newest first; the queue's thread sends them */
	atomic_bool is_open;
	_Atomic int64_t last_call_us; /* monotonic: when a gated call came last */
	atomic_bool is_stopping;
	pthread_mutex_t mu;
	pthread_cond_t changed;
	bool is_shut; /* guarded by mu: no call is left */
};

/* What arrived: the same for calls and streams. */
struct rpc_arrival {
	grpc_call *call;
	gpr_timespec deadline;
	grpc_metadata_array metadata;
	grpc_call_details details; /* of unknown methods only */
	grpc_byte_buffer *payload;
};

void rpc_arrival_init(struct rpc_arrival *arrival);
void rpc_arrival_release(struct rpc_arrival *arrival);
size_t rpc_arrival_metadata_bytes(const struct rpc_arrival *arrival);

/* Asks gRPC for the next call of that method. */
void server_call_request(struct rpc_registered *method);
void server_stream_request(struct rpc_registered *method);

void rpc_server_request(struct rpc_registered *method, struct rpc_arrival *arrival, struct rpc_tag *tag);
void rpc_start_batch(grpc_call *call, const grpc_op *ops, size_t count, struct rpc_tag *tag);

/* Every open stream's on_tick; when the server stops, then the end of every stream. */
void server_streams_tick(struct rpc_server *server);

/* A byte buffer's bytes in the arena; -1 with ERR_LIMIT beyond RPC_MESSAGE_BYTES_MAX. */
NODISCARD int rpc_read_payload(grpc_byte_buffer *payload, struct arena *arena, struct bytes *ret_bytes,
			       struct error *err);
grpc_byte_buffer *rpc_pack_message(const ProtobufCMessage *message);
grpc_byte_buffer *rpc_pack_bytes(struct bytes bytes);

/* How a call ends, ready for a send-status batch. */
struct rpc_end {
	grpc_status_code code;
	grpc_slice message;
	grpc_metadata details;
	bool has_details;
};
void rpc_end_init(struct rpc_end *end, const struct status *status); /* NULL: OK */
void rpc_end_release(struct rpc_end *end);
grpc_op rpc_end_op(struct rpc_end *end);

#endif
