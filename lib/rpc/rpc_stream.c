/*
 * rpc_stream.c - see rpc_stream.h.
 *
 * Each stream has a completion queue of its own, which is only looked at inside rpc_stream_next(). Three kinds of
 * completions arrive there: the request went out, the status came, and one for each message that was asked for.
 */
#include "lib/rpc/rpc_stream.h"

#include <assert.h>
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/support/time.h>

#include "lib/rpc/rpc_wire.h"

struct rpc_stream {
	struct rpc_client *client;
	const ProtobufCMessageDescriptor *answer_type;
	grpc_completion_queue *queue;
	grpc_call *grpc;
	grpc_byte_buffer *request;
	grpc_byte_buffer *answer; /* what the read that completed last brought; NULL: the end */
	grpc_metadata_array initial_metadata;
	struct rpc_status status;
	bool is_reading; /* a read is under way */
	bool has_status;
	bool is_over; /* the last read brought nothing */
};

/* The tags are addresses of the fields that a batch fills. */
static void start_batch(struct rpc_stream *stream, const grpc_op *ops, size_t count, void *tag)
{
	grpc_call_error result = grpc_call_start_batch(stream->grpc, ops, count, tag, NULL);

	assert(result == GRPC_CALL_OK); /* else the operations are wrong in themselves */
}

static void begin(struct rpc_stream *stream)
{
	grpc_op request[] = {
		rpc_client_begin_op(stream->client),
		{.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = stream->request},
		{.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
		{.op = GRPC_OP_RECV_INITIAL_METADATA,
		 .data.recv_initial_metadata.recv_initial_metadata = &stream->initial_metadata},
	};
	grpc_op status = rpc_status_receive_op(&stream->status);

	start_batch(stream, request, ARRAY_LEN(request), &stream->request);
	start_batch(stream, &status, 1, &stream->status);
}

struct rpc_stream *rpc_stream_new(struct rpc_client *client, const struct rpc_call *call)
{
	struct rpc_stream *stream = xcalloc(1, sizeof(*stream));

	stream->client = client;
	stream->answer_type = call->answer_type;
	stream->queue = grpc_completion_queue_create_for_next(NULL);
	stream->request = rpc_message_pack(call->request);
	rpc_status_init(&stream->status);
	grpc_metadata_array_init(&stream->initial_metadata);
	stream->grpc = rpc_client_open(client, call->method, call->timeout_ms, stream->queue);
	begin(stream);
	return stream;
}

void rpc_stream_free(struct rpc_stream *stream)
{
	if (!stream)
		return;
	(void)grpc_call_cancel(stream->grpc, NULL); /* one that is complete already does not mind */
	grpc_completion_queue_shutdown(stream->queue);
	while (grpc_completion_queue_next(stream->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type !=
	       GRPC_QUEUE_SHUTDOWN) {
		/* what is still under way fails now; its memory is ours until then */
	}
	grpc_call_unref(stream->grpc);
	grpc_completion_queue_destroy(stream->queue);
	grpc_metadata_array_destroy(&stream->initial_metadata);
	rpc_status_release(&stream->status);
	grpc_byte_buffer_destroy(stream->request);
	grpc_byte_buffer_destroy(stream->answer);
	free(stream);
}

static void ask_for_message(struct rpc_stream *stream)
{
	grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &stream->answer};

	stream->is_reading = true;
	start_batch(stream, &op, 1, &stream->answer);
}

/* Takes one completion; false when none came before the deadline. */
static bool take_completion(struct rpc_stream *stream, gpr_timespec deadline)
{
	grpc_event event = grpc_completion_queue_next(stream->queue, deadline, NULL);

	if (event.type != GRPC_OP_COMPLETE)
		return false;
	if (event.tag == &stream->status)
		stream->has_status = true;
	if (event.tag == &stream->answer) {
		stream->is_reading = false;
		stream->is_over = !stream->answer;
	}
	return true;
}

static enum rpc_stream_result take_answer(struct rpc_stream *stream, ProtobufCMessage **ret_answer, struct error *err)
{
	ProtobufCMessage *answer =
		rpc_message_unpack(stream->answer, stream->answer_type, rpc_client_target(stream->client), err);

	grpc_byte_buffer_destroy(stream->answer);
	stream->answer = NULL;
	if (!answer)
		return RPC_STREAM_FAILED;
	*ret_answer = answer;
	return RPC_STREAM_MESSAGE;
}

static enum rpc_stream_result tell_end(const struct rpc_stream *stream, struct rpc_failure *ret_failure,
				       struct error *err)
{
	struct bytes details = rpc_status_details(&stream->status);

	if (stream->status.code == GRPC_STATUS_OK)
		return RPC_STREAM_ENDED;
	rpc_status_to_error(&stream->status, rpc_client_target(stream->client), err);
	if (ret_failure) {
		*ret_failure = (struct rpc_failure){.status = (int)stream->status.code};
		buffer_append(&ret_failure->details, details.data, details.len);
	}
	return RPC_STREAM_FAILED;
}

enum rpc_stream_result rpc_stream_next(struct rpc_stream *stream, int64_t wait_ms, ProtobufCMessage **ret_answer,
				       struct rpc_failure *ret_failure, struct error *err)
{
	gpr_timespec deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(wait_ms, GPR_TIMESPAN));

	if (ret_failure)
		*ret_failure = (struct rpc_failure){0};
	if (!stream->is_reading && !stream->is_over)
		ask_for_message(stream);
	while (stream->is_reading || (stream->is_over && !stream->has_status)) {
		if (!take_completion(stream, deadline))
			return RPC_STREAM_WAITING;
	}
	return stream->is_over ? tell_end(stream, ret_failure, err) : take_answer(stream, ret_answer, err);
}
