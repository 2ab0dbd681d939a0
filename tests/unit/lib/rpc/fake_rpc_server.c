/*
 * fake_rpc_server.c - see fake_rpc_server.h.
 *
 * A unary call goes through three completions: it is there, its message is there, its answer is sent (or it was cancelled).
 * A stream has one more for each of its messages, and its last batch is the status.
 */
#include "tests/unit/lib/rpc/fake_rpc_server.h"

#include <assert.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/memory.h"

struct served_call {
	struct fake_rpc_server *server;
	enum { SERVED_WAITS, SERVED_READS, SERVED_STREAMS, SERVED_ANSWERS } stage;
	grpc_call *grpc;
	grpc_call_details details;
	grpc_metadata_array metadata;
	grpc_byte_buffer *request;
	grpc_byte_buffer *bytes; /* being sent */
	struct fake_rpc_answer answer;
	size_t streamed;
	int is_cancelled;
};

struct fake_rpc_server {
	fake_rpc_handler_fn *handle;
	void *ctx;
	grpc_server *grpc;
	grpc_completion_queue *queue;
	pthread_t thread;
	size_t call_count; /* the thread's, as the next: calls that are not freed, the one that waits included */
	bool is_shut;
	char target[32];
};

static void accept_next(struct fake_rpc_server *server)
{
	struct served_call *call = xcalloc(1, sizeof(*call));
	grpc_call_error result;

	call->server = server;
	server->call_count++;
	grpc_call_details_init(&call->details);
	grpc_metadata_array_init(&call->metadata);
	result = grpc_server_request_call(server->grpc, &call->grpc, &call->details, &call->metadata, server->queue,
					  server->queue, call);
	assert(result == GRPC_CALL_OK);
}

static void served_call_free(struct served_call *call)
{
	grpc_call_details_destroy(&call->details);
	grpc_metadata_array_destroy(&call->metadata);
	grpc_byte_buffer_destroy(call->request);
	grpc_byte_buffer_destroy(call->bytes);
	buffer_release(&call->answer.message);
	buffer_release(&call->answer.details);
	for (size_t i = 0; i < call->answer.stream_count; i++)
		buffer_release(&call->answer.stream[i]);
	if (call->grpc)
		grpc_call_unref(call->grpc);
	call->server->call_count--;
	free(call);
}

static void read_request(struct served_call *call)
{
	grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->request};
	grpc_call_error result;

	call->stage = SERVED_READS;
	result = grpc_call_start_batch(call->grpc, &op, 1, call, NULL);
	assert(result == GRPC_CALL_OK);
}

static grpc_op send_message_op(struct served_call *call, const struct buffer *message)
{
	grpc_slice slice = grpc_slice_from_copied_buffer((const char *)message->data, message->len);

	grpc_byte_buffer_destroy(call->bytes);
	call->bytes = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	return (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = call->bytes};
}

static void stream_next(struct served_call *call)
{
	grpc_op ops[2];
	size_t count = 0;
	grpc_call_error result;

	if (call->streamed == 0)
		ops[count++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
	ops[count++] = send_message_op(call, &call->answer.stream[call->streamed++]);
	call->stage = SERVED_STREAMS;
	result = grpc_call_start_batch(call->grpc, ops, count, call, NULL);
	assert(result == GRPC_CALL_OK);
}

/* All that remains to be sent. */
static void send_answer(struct served_call *call)
{
	const struct fake_rpc_answer *answer = &call->answer;
	grpc_slice text = grpc_slice_from_copied_string(answer->status_text ? answer->status_text : "");
	grpc_metadata details = {
		.key = grpc_slice_from_static_string("grpc-status-details-bin"),
		.value = grpc_slice_from_copied_buffer((const char *)answer->details.data, answer->details.len)};
	grpc_op ops[4] = {
		{.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &call->is_cancelled}};
	size_t count = 1;
	grpc_call_error result;

	call->stage = SERVED_ANSWERS;
	if (!answer->is_silent) {
		if (call->streamed == 0)
			ops[count++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
		if (call->streamed == 0 && answer->status == 0)
			ops[count++] = send_message_op(call, &answer->message);
		ops[count++] = (grpc_op){.op = GRPC_OP_SEND_STATUS_FROM_SERVER,
					 .data.send_status_from_server = {
						 .trailing_metadata_count = answer->details.len > 0,
						 .trailing_metadata = &details,
						 .status = (grpc_status_code)answer->status,
						 .status_details = &text,
					 }};
	}
	result = grpc_call_start_batch(call->grpc, ops, count, call, NULL);
	assert(result == GRPC_CALL_OK);
	grpc_slice_unref(text);
	grpc_slice_unref(details.value);
}

static void answer_next(struct served_call *call)
{
	if (call->streamed < call->answer.stream_count)
		stream_next(call);
	else
		send_answer(call);
}

static void serve(struct served_call *call)
{
	grpc_byte_buffer_reader reader;
	char method[128];
	grpc_slice bytes = grpc_empty_slice();

	(void)snprintf(method, sizeof(method), "%.*s", (int)GRPC_SLICE_LENGTH(call->details.method),
		       (const char *)GRPC_SLICE_START_PTR(call->details.method));
	if (call->request && grpc_byte_buffer_reader_init(&reader, call->request)) {
		bytes = grpc_byte_buffer_reader_readall(&reader);
		grpc_byte_buffer_reader_destroy(&reader);
	}
	call->server->handle(call->server->ctx, method,
			     (struct bytes){GRPC_SLICE_START_PTR(bytes), GRPC_SLICE_LENGTH(bytes)}, &call->answer);
	answer_next(call);
	grpc_slice_unref(bytes);
}

static void *run(void *ctx)
{
	struct fake_rpc_server *server = ctx;

	for (;;) {
		grpc_event event = grpc_completion_queue_next(server->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
		struct served_call *call = event.tag;

		if (event.type == GRPC_QUEUE_SHUTDOWN)
			return NULL;
		if (!call) {
			server->is_shut = true;
		} else if (call->stage == SERVED_WAITS && event.success) {
			accept_next(server);
			read_request(call);
		} else if (call->stage == SERVED_READS && event.success) {
			serve(call);
		} else if (call->stage == SERVED_STREAMS && event.success) {
			answer_next(call);
		} else {
			served_call_free(call);
		}
		/* The server may have shut down before all completions of its calls were looked at. */
		if (server->is_shut && server->call_count == 0)
			grpc_completion_queue_shutdown(server->queue);
	}
}

struct fake_rpc_server *fake_rpc_server_new(fake_rpc_handler_fn *handle, void *ctx)
{
	struct fake_rpc_server *server = xcalloc(1, sizeof(*server));
	grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
	int port;

	grpc_init();
	server->handle = handle;
	server->ctx = ctx;
	server->grpc = grpc_server_create(NULL, NULL);
	server->queue = grpc_completion_queue_create_for_next(NULL);
	grpc_server_register_completion_queue(server->grpc, server->queue, NULL);
	port = grpc_server_add_http2_port(server->grpc, "127.0.0.1:0", credentials);
	assert(port > 0);
	grpc_server_credentials_release(credentials);
	(void)snprintf(server->target, sizeof(server->target), "127.0.0.1:%d", port);
	grpc_server_start(server->grpc);
	accept_next(server);
	if (pthread_create(&server->thread, NULL, run, server) != 0)
		abort();
	return server;
}

const char *fake_rpc_server_target(const struct fake_rpc_server *server)
{
	return server->target;
}

void fake_rpc_server_free(struct fake_rpc_server *server)
{
	grpc_server_shutdown_and_notify(server->grpc, server->queue, NULL);
	grpc_server_cancel_all_calls(server->grpc);
	(void)pthread_join(server->thread, NULL);
	grpc_server_destroy(server->grpc);
	grpc_completion_queue_destroy(server->queue);
	free(server);
	grpc_shutdown();
}

void fake_rpc_append(struct buffer *out, const ProtobufCMessage *message)
{
	buffer_reserve(out, protobuf_c_message_get_packed_size(message) + 1); /* an empty message has no bytes */
	out->len += protobuf_c_message_pack(message, out->data + out->len);
}
