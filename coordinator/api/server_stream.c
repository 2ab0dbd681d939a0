/*
 * server_stream.c - streaming calls. See rpc_server.h for what handlers see.
 *
 * Life:  requested -> arrived -> open -> finishing (a status is decided) -> freed when no batch is under way. A stream
 *        whose client is gone counts as finished. Everything runs on the queue's thread, so there are no locks.
 */
#include <assert.h>

#include "coordinator/api/message_reader.h"
#include "coordinator/api/rpc_guard.h"
#include "coordinator/api/rpc_internal.h"
#include "lib/base/memory.h"

struct server_stream {
	struct rpc_tag arrived;
	struct rpc_tag closed;
	struct rpc_tag received;
	struct rpc_tag sent;
	struct rpc_tag finished;
	struct rpc_registered *method;
	struct rpc_arrival arrival;
	struct server_stream *next; /* in server->streams */
	struct server_stream *previous;
	void *state;
	struct stream_waker *waker;
	int pending; /* batches under way */
	bool is_sending;
	bool is_receiving;
	bool is_finishing;  /* the status is decided; no handler is called any more */
	bool is_status_out; /* its batch was started */
	bool is_closed;     /* the client is gone, or all is sent */
	int is_cancelled;
	struct rpc_end end;
	grpc_byte_buffer *incoming;
	grpc_byte_buffer *outgoing;
};

/*
 * An empty batch brings the wake to the queue's thread. The waker holds gRPC's part of the call, so a batch may start at any
 * moment, whatever became of the stream.
 */
struct stream_waker {
	struct rpc_tag tag;
	grpc_call *call;
	struct server_stream *stream; /* NULL: it has ended; the queue's thread only */
	atomic_bool is_posted;
	atomic_int refs; /* the stream's, the other thread's, and the batch's */
};

static void waker_unref(struct stream_waker *waker)
{
	if (atomic_fetch_sub(&waker->refs, 1) != 1)
		return;
	grpc_call_unref(waker->call);
	free(waker);
}

static void unlink_stream(struct server_stream *stream)
{
	struct rpc_server *server = stream->method->server;

	if (stream->previous)
		stream->previous->next = stream->next;
	else if (server->streams == stream)
		server->streams = stream->next;
	if (stream->next)
		stream->next->previous = stream->previous;
}

static void stream_free(struct server_stream *stream)
{
	unlink_stream(stream);
	if (stream->waker) {
		stream->waker->stream = NULL;
		waker_unref(stream->waker);
	}
	rpc_arrival_release(&stream->arrival);
	rpc_end_release(&stream->end);
	if (stream->incoming)
		grpc_byte_buffer_destroy(stream->incoming);
	if (stream->outgoing)
		grpc_byte_buffer_destroy(stream->outgoing);
	free(stream->state);
	free(stream);
}

/* Every handler may have finished the stream, so nothing touches it after this. */
static void batch_done(struct server_stream *stream)
{
	assert(stream->pending > 0);
	if (--stream->pending == 0) {
		const struct rpc_method *method = &stream->method->method;

		assert(stream->is_closed);
		if (method->stream->on_end)
			method->stream->on_end(method->ctx, stream);
		stream_free(stream);
	}
}

static void start(struct server_stream *stream, const grpc_op *ops, size_t count, struct rpc_tag *tag,
		  void (*fn)(struct rpc_tag *, bool))
{
	tag->fn = fn;
	stream->pending++;
	rpc_start_batch(stream->arrival.call, ops, count, tag);
}

static void on_finished(struct rpc_tag *tag, bool is_ok)
{
	(void)is_ok; /* false: the client went away first */
	batch_done(container_of(tag, struct server_stream, finished));
}

static void send_status(struct server_stream *stream)
{
	grpc_op op = rpc_end_op(&stream->end);

	if (stream->is_status_out || stream->is_closed)
		return;
	stream->is_status_out = true;
	start(stream, &op, 1, &stream->finished, on_finished);
}

void server_stream_finish(struct server_stream *stream, const struct status *status)
{
	if (stream->is_finishing)
		return;
	stream->is_finishing = true;
	rpc_end_init(&stream->end, status);
	if (!stream->is_sending)
		send_status(stream);
}

static void on_sent(struct rpc_tag *tag, bool is_ok)
{
	struct server_stream *stream = container_of(tag, struct server_stream, sent);
	const struct rpc_method *method = &stream->method->method;

	stream->is_sending = false;
	grpc_byte_buffer_destroy(stream->outgoing);
	stream->outgoing = NULL;
	if (stream->is_finishing)
		send_status(stream);
	else if (is_ok && !stream->is_closed)
		method->stream->on_sent(method->ctx, stream);
	batch_done(stream);
}

/* Takes `message` over. */
static void send(struct server_stream *stream, grpc_byte_buffer *message)
{
	grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};

	stream->outgoing = message;
	stream->is_sending = true;
	op.data.send_message.send_message = stream->outgoing;
	start(stream, &op, 1, &stream->sent, on_sent);
}

void server_stream_send(struct server_stream *stream, const ProtobufCMessage *message)
{
	assert(!stream->is_sending && !stream->is_finishing);
	if (!stream->is_closed)
		send(stream, rpc_pack_message(message));
}

void server_stream_send_bytes(struct server_stream *stream, struct bytes message)
{
	assert(!stream->is_sending && !stream->is_finishing);
	if (!stream->is_closed)
		send(stream, rpc_pack_bytes(message));
}

bool server_stream_is_sending(const struct server_stream *stream)
{
	return stream->is_sending;
}

static void take_message(struct server_stream *stream)
{
	const struct rpc_method *method = &stream->method->method;
	struct arena *arena = &stream->method->server->arena;
	ProtobufCMessage *message = NULL;
	struct problems problems;
	struct bytes bytes;
	struct error err;

	arena_clear(arena);
	problems_init(&problems);
	if (rpc_read_payload(stream->incoming, arena, &bytes, &err) ||
	    message_read(method->request_type, bytes, arena, &message, &problems, &err))
		server_stream_finish(stream,
				     &(struct status){.code = err.code,
						      .message = err.msg,
						      .reason = problems.count ? "FIELD_VIOLATIONS" : "UNDECODABLE",
						      .retry_after_ms = -1,
						      .violations = &problems});
	else
		method->stream->on_message(method->ctx, stream, message, arena);
	problems_release(&problems);
}

static void on_received(struct rpc_tag *tag, bool is_ok)
{
	struct server_stream *stream = container_of(tag, struct server_stream, received);
	const struct rpc_method *method = &stream->method->method;

	stream->is_receiving = false;
	if (is_ok && !stream->is_finishing && !stream->is_closed) {
		if (stream->incoming)
			take_message(stream);
		else
			method->stream->on_half_closed(method->ctx, stream);
	}
	if (stream->incoming)
		grpc_byte_buffer_destroy(stream->incoming);
	stream->incoming = NULL;
	batch_done(stream);
}

void server_stream_receive(struct server_stream *stream)
{
	grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};

	assert(!stream->is_receiving);
	if (stream->is_closed || stream->is_finishing)
		return;
	stream->is_receiving = true;
	op.data.recv_message.recv_message = &stream->incoming;
	start(stream, &op, 1, &stream->received, on_received);
}

static void on_closed(struct rpc_tag *tag, bool is_ok)
{
	struct server_stream *stream = container_of(tag, struct server_stream, closed);

	(void)is_ok; /* this op always succeeds */
	stream->is_closed = true;
	stream->is_finishing = true;
	batch_done(stream);
}

static void open_stream(struct server_stream *stream)
{
	grpc_op close = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
	grpc_op first[2] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}, {.op = GRPC_OP_RECV_MESSAGE}};
	struct rpc_server *server = stream->method->server;

	stream->next = server->streams;
	if (stream->next)
		stream->next->previous = stream;
	server->streams = stream;
	close.data.recv_close_on_server.cancelled = &stream->is_cancelled;
	start(stream, &close, 1, &stream->closed, on_closed);
	first[1].data.recv_message.recv_message = &stream->incoming;
	stream->is_receiving = true;
	start(stream, first, 2, &stream->received, on_received);
}

static void on_arrived(struct rpc_tag *tag, bool is_ok)
{
	struct server_stream *stream = container_of(tag, struct server_stream, arrived);
	struct identity caller;
	const char *reason;
	struct error err;

	if (!is_ok) { /* the server stops; it is in no list yet */
		stream_free(stream);
		return;
	}
	if (!rpc_server_is_stopping(stream->method->server))
		server_stream_request(stream->method);
	open_stream(stream);
	if (rpc_guard_admit(stream->method, &stream->arrival, &caller, &reason, &err) < 0)
		server_stream_finish(
			stream,
			&(struct status){.code = err.code, .message = err.msg, .reason = reason, .retry_after_ms = -1});
	else if (stream->method->method.is_gated && !atomic_load(&stream->method->server->is_open))
		server_stream_finish(stream,
				     &(struct status){.code = ERR_UNAVAILABLE,
						      .message = "the server is starting and waits for its database",
						      .reason = "STARTING"});
}

void server_stream_request(struct rpc_registered *method)
{
	struct server_stream *stream = xcalloc(1, sizeof(*stream));

	stream->method = method;
	rpc_arrival_init(&stream->arrival);
	rpc_end_init(&stream->end, NULL);
	stream->arrived.fn = on_arrived;
	rpc_server_request(method, &stream->arrival, &stream->arrived);
}

void server_streams_tick(struct rpc_server *server)
{
	struct server_stream *next;

	for (struct server_stream *stream = server->streams; stream; stream = next) {
		const struct rpc_method *method = &stream->method->method;

		next = stream->next; /* batches end later, so no stream of the list is freed meanwhile */
		if (method->stream->on_tick && !stream->is_finishing)
			method->stream->on_tick(method->ctx, stream);
		if (rpc_server_is_stopping(server))
			server_stream_finish(stream, &(struct status){.code = ERR_UNAVAILABLE,
								      .message = "the server is shutting down"});
	}
}

void server_stream_set_state(struct server_stream *stream, void *state)
{
	assert(!stream->state);
	stream->state = state;
}

void *server_stream_state(const struct server_stream *stream)
{
	return stream->state;
}

/* ---- wakes ---- */
static void on_woken(struct rpc_tag *tag, bool is_ok)
{
	struct stream_waker *waker = container_of(tag, struct stream_waker, tag);
	struct server_stream *stream = waker->stream;

	(void)is_ok; /* an empty batch cannot fail */
	atomic_store(&waker->is_posted, false);
	if (stream && !stream->is_finishing)
		stream->method->method.stream->on_wake(stream->method->method.ctx, stream);
	waker_unref(waker);
}

struct stream_waker *server_stream_waker(struct server_stream *stream)
{
	struct stream_waker *waker = xcalloc(1, sizeof(*waker));

	assert(!stream->waker && stream->method->method.stream->on_wake);
	grpc_call_ref(stream->arrival.call);
	waker->tag.fn = on_woken;
	waker->call = stream->arrival.call;
	waker->stream = stream;
	atomic_init(&waker->refs, 2);
	stream->waker = waker;
	return waker;
}

void stream_waker_wake(struct stream_waker *waker)
{
	if (atomic_exchange(&waker->is_posted, true))
		return;
	atomic_fetch_add(&waker->refs, 1);
	rpc_start_batch(waker->call, NULL, 0, &waker->tag);
}

void stream_waker_free(struct stream_waker *waker)
{
	if (waker)
		waker_unref(waker);
}
