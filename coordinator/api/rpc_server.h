/*
 * rpc_server.h - a gRPC server over the C core: methods in a table, one completion-queue thread.
 *
 * Why:        gRPC has no C server; what is generic about one is here, so that services only see messages.
 * Guarantees: every call is answered exactly once, or its client is gone; an unknown method is UNIMPLEMENTED. Requests
 *             reach a handler only when they are decodable and their strings are legal text (message_reader.h).
 * Threads:    one thread owns the queue and everything of gRPC; unary handlers run on it and must not block, unless the
 *             method is marked as blocking: those run on one worker thread. server_call_answer() and _fail() from any thread.
 * Shutdown:   rpc_server_stop_intake(), then whoever holds calls answers them, then rpc_server_drain(), _free().
 * Security:   a call is let in by rpc_guard.h before its message is read.
 * Limits:     messages 4 MB, metadata 8 KB, RPC_BLOCKING_MAX blocking calls that wait, and rpc_server_limit(); beyond: RESOURCE_EXHAUSTED.
 *             RPC_STREAMS_MAX calls of a connection, and 64 KB of it unread; what is beyond waits at the client.
 */
#ifndef COORDINATOR_API_RPC_SERVER_H
#define COORDINATOR_API_RPC_SERVER_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "coordinator/api/status.h"
#include "lib/base/arena.h"
#include "lib/metrics/metrics.h"

struct rpc_server;
struct server_call;
struct server_stream;
struct prepared_status;
struct certificates;
struct access;

enum {
	RPC_MESSAGE_BYTES_MAX = 4 * 1024 * 1024,
	RPC_METADATA_BYTES_MAX = 8 * 1024,
	RPC_BLOCKING_MAX = 64,
	RPC_STREAMS_MAX = 12000, /* at the same time, of one connection */
};

/* `request` lives until the handler returns; the call until it is answered, which may be later and elsewhere. */
typedef void rpc_unary_fn(void *ctx, struct server_call *call, const ProtobufCMessage *request, struct arena *arena);

/* All of a stream happens on the queue's thread. */
struct server_stream_handler {
	/* Of a bidirectional stream each message, of a server stream the one; then server_stream_send(), _receive() or _finish(). */
	void (*on_message)(void *ctx, struct server_stream *stream, const ProtobufCMessage *message,
			   struct arena *arena);
	void (*on_sent)(void *ctx, struct server_stream *stream);        /* the next may be sent */
	void (*on_half_closed)(void *ctx, struct server_stream *stream); /* the client sends no more */
	void (*on_tick)(void *ctx, struct server_stream *stream); /* NULL: none; four times a second and at shutdown */
	void (*on_wake)(void *ctx, struct server_stream *stream); /* after stream_waker_wake(); NULL: none */
	void (*on_end)(void *ctx, struct server_stream *stream);  /* nothing can be sent any more; NULL: none */
};

/* BLOCKING and READING each have a worker thread: what waits for the registry does not hold up what reads the database. */
enum rpc_kind { RPC_KIND_UNARY, RPC_KIND_BLOCKING, RPC_KIND_READING, RPC_KIND_STREAM };

struct rpc_method {
	const char *path; /* "/saga.v1.SagaService/StartSaga" */
	enum rpc_kind kind;
	int outstanding; /* how many arrivals gRPC may hand over without waiting for us */
	const ProtobufCMessageDescriptor *request_type;
	rpc_unary_fn *handle;
	const struct server_stream_handler *stream;
	void *ctx;
	bool is_gated; /* UNAVAILABLE until rpc_server_open() */
};

struct rpc_server *rpc_server_new(struct metrics *metrics); /* NULL: none are kept */
/* Before start; borrowed. NULL certificates: plain, as a UNIX socket always is; NULL access: whoever reaches the address may do all. */
void rpc_server_secure(struct rpc_server *server, struct certificates *certificates, struct access *access);
void rpc_server_add(struct rpc_server *server,
		    const struct rpc_method *method); /* before start; copied, its texts not */

/* Unary calls of a method without an answer, over all connections; beyond, RESOURCE_EXHAUSTED. Before start, after it was added. */
void rpc_server_limit(struct rpc_server *server, const char *path, int calls_max);

/* `address`: HOST:PORT, port 0 takes a free one, or unix:PATH. ERR_INVALID: no such form, or another host than loopback
 * without clients' certificates and access, and without `is_insecure_allowed`. ERR_CONFLICT: the address is in use. */
NODISCARD int rpc_server_start(struct rpc_server *server, const char *address, bool is_insecure_allowed,
			       struct error *err);
int rpc_server_port(const struct rpc_server *server); /* 0 for unix: */
void rpc_server_open(struct rpc_server *server);      /* lets gated methods through; any thread */

/* Serves on until no call has come for a moment, or for `timeout_ms`: clients that heed the health service go elsewhere. One that
 * calls while the server shuts down is told CANCELLED by this gRPC, which looks like no fault that a retry mends. */
void rpc_server_await_quiet(struct rpc_server *server, int64_t timeout_ms);
void rpc_server_stop_intake(struct rpc_server *server);
bool rpc_server_is_stopping(const struct rpc_server *server);
void rpc_server_drain(struct rpc_server *server, int64_t timeout_ms); /* beyond it, calls are cancelled */
void rpc_server_free(struct rpc_server *server);                      /* drained, or never started */

/* A status that many calls end with: made once, it costs each of them next to nothing. It may be freed before they are sent. */
struct prepared_status *prepared_status_new(const struct status *status);
void prepared_status_free(struct prepared_status *status); /* NULL is fine */

/* ---- unary calls ---- */
void server_call_answer(struct server_call *call, const ProtobufCMessage *answer);
void server_call_answer_bytes(struct server_call *call, struct bytes answer); /* a packed message */
void server_call_fail(struct server_call *call, const struct status *status);
void server_call_fail_prepared(struct server_call *call, const struct prepared_status *status);
void server_call_fail_with(struct server_call *call, const struct error *err);             /* only code and message */
void server_call_fail_problems(struct server_call *call, const struct problems *problems); /* INVALID_ARGUMENT */
int64_t server_call_remaining_ms(const struct server_call *call); /* until its deadline; INT64_MAX: none */
/* The value of the first entry of that name; empty: none. It lives as long as the call. In the handler only. */
struct bytes server_call_metadata(const struct server_call *call, const char *name);
/* For calls that wait long: what gRPC holds for the call ends as soon as the client is gone. In the handler only. */
void server_call_watch(struct server_call *call);
/* Who calls, for what is recorded about a change: the identity's name, "anonymous" where nobody has to have one. Legal
 * text; as long as the call. */
const char *server_call_caller(const struct server_call *call);

/* ---- streams ---- */
void server_stream_send(struct server_stream *stream, const ProtobufCMessage *message); /* one at a time, see on_sent */
void server_stream_send_bytes(struct server_stream *stream, struct bytes message);      /* packed */
bool server_stream_is_sending(const struct server_stream *stream);
void server_stream_receive(struct server_stream *stream);
void server_stream_finish(struct server_stream *stream,
			  const struct status *status);                  /* NULL: OK; after what is being sent */
void server_stream_set_state(struct server_stream *stream, void *state); /* heap, freed with the stream */
void *server_stream_state(const struct server_stream *stream);

/* How another thread makes a stream's handler run; it may outlive the stream, but not the server's drain. */
struct stream_waker;
struct stream_waker *server_stream_waker(struct server_stream *stream); /* a new one; the queue's thread only */
void stream_waker_wake(struct stream_waker *waker);                     /* any thread; several calls may be one wake */
void stream_waker_free(struct stream_waker *waker);                     /* any thread; NULL is fine */

#endif
