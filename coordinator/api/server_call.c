/*
 * server_call.c - unary calls. See rpc_server.h for what handlers see.
 *
 * Life:  requested -> arrived -> OPEN -> ANSWERED -> sent, freed. Only a watched call can be ABANDONED instead: its
 *        client is gone, gRPC's part is released at once, and the shell is freed by whoever answers. One compare-and-
 *        swap on `state` decides between the two, and its release/acquire hands the answer to the queue's thread.
 */
#include <assert.h>

#include "coordinator/api/message_reader.h"
#include "coordinator/api/rpc_guard.h"
#include "coordinator/api/rpc_internal.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

enum call_state { CALL_STATE_OPEN, CALL_STATE_ANSWERED, CALL_STATE_ABANDONED };

struct server_call {
	struct rpc_tag arrived;
	struct rpc_tag closed;     /* watched: the client is gone, or all is sent */
	struct rpc_tag answered;   /* an empty batch: tells the queue's thread of `answered` calls */
	struct server_call *older; /* in the server's `answered` */
	struct rpc_tag sent;
	struct rpc_job job;
	struct rpc_registered *method;
	struct rpc_arrival arrival;
	struct identity caller;
	_Atomic enum call_state state;
	bool is_watched;
	int pending; /* batches under way, and one for the answer until it is sent; the queue's thread only */
	int is_cancelled;
	int64_t started_us;       /* 0: it never came */
	grpc_byte_buffer *answer; /* NULL: the end says why */
	struct rpc_end end;
};

static bool is_on_queue_thread(const struct server_call *call)
{
	return pthread_equal(pthread_self(), call->method->server->thread) != 0;
}

static void call_free(struct server_call *call)
{
	if (call->started_us)
		atomic_fetch_sub(&call->method->open, 1);
	if (atomic_load(&call->state) != CALL_STATE_ABANDONED)
		rpc_arrival_release(&call->arrival);
	if (call->answer)
		grpc_byte_buffer_destroy(call->answer);
	rpc_end_release(&call->end);
	free(call);
}

static void call_done_with(struct server_call *call)
{
	assert(call->pending > 0);
	if (--call->pending == 0)
		call_free(call);
}

static void count_end(const struct server_call *call)
{
	if (call->method->seconds)
		metric_observe(call->method->seconds, (double)(clock_monotonic_us() - call->started_us) / 1e6);
	if (call->method->seconds && (int)call->end.code < (int)RPC_CODES)
		metric_add(call->method->handled[call->end.code], 1);
}

static void on_sent(struct rpc_tag *tag, bool is_ok)
{
	(void)is_ok; /* false: the client went away; nothing is left to do either way */
	call_done_with(container_of(tag, struct server_call, sent));
}

static void send_answer(struct server_call *call)
{
	grpc_op ops[4] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}};
	size_t count = 1;

	if (call->answer) {
		ops[count].op = GRPC_OP_SEND_MESSAGE;
		ops[count++].data.send_message.send_message = call->answer;
	}
	ops[count++] = rpc_end_op(&call->end);
	/* Without this op gRPC takes the call for unfinished and resets the stream when it is released. */
	if (!call->is_watched) {
		ops[count].op = GRPC_OP_RECV_CLOSE_ON_SERVER;
		ops[count++].data.recv_close_on_server.cancelled = &call->is_cancelled;
	}
	call->sent.fn = on_sent;
	count_end(call);
	rpc_start_batch(call->arrival.call, ops, count, &call->sent);
}

/* All that were answered meanwhile, in the order in which they were. */
static void on_answered(struct rpc_tag *tag, bool is_ok)
{
	struct rpc_server *server = container_of(tag, struct server_call, answered)->method->server;
	struct server_call *newest = atomic_exchange(&server->answered, NULL);
	struct server_call *oldest = NULL;

	(void)is_ok; /* an empty batch cannot fail */
	for (struct server_call *call = newest, *older; call; call = older) {
		older = call->older;
		call->older = oldest;
		oldest = call;
	}
	for (struct server_call *call = oldest, *newer; call; call = newer) {
		newer = call->older;
		assert(atomic_load(&call->state) == CALL_STATE_ANSWERED);
		send_answer(call);
	}
}

/* The engine answers hundreds of calls at a time: only the one that is put on an empty list wakes the queue's thread, which takes
 * all of the list. Until then that call is on it, so its tag stays. */
static void hand_to_queue(struct server_call *call)
{
	struct rpc_server *server = call->method->server;
	struct server_call *older = atomic_load(&server->answered);

	do
		call->older = older;
	while (!atomic_compare_exchange_weak(&server->answered, &older, call));
	if (older) /* then the call may be sent and gone already */
		return;
	call->answered.fn = on_answered;
	rpc_start_batch(call->arrival.call, NULL, 0, &call->answered);
}

/* Takes over `answer` and `end`. */
static void finish(struct server_call *call, grpc_byte_buffer *answer, struct rpc_end end)
{
	enum call_state open = CALL_STATE_OPEN;

	call->answer = answer;
	call->end = end;
	if (!atomic_compare_exchange_strong(&call->state, &open, CALL_STATE_ANSWERED)) {
		assert(open == CALL_STATE_ABANDONED);
		call_free(call);
		return;
	}
	if (is_on_queue_thread(call))
		send_answer(call);
	else
		hand_to_queue(call);
}

void server_call_answer(struct server_call *call, const ProtobufCMessage *answer)
{
	struct rpc_end end;

	rpc_end_init(&end, NULL);
	finish(call, rpc_pack_message(answer), end);
}

void server_call_answer_bytes(struct server_call *call, struct bytes answer)
{
	struct rpc_end end;

	rpc_end_init(&end, NULL);
	finish(call, rpc_pack_bytes(answer), end);
}

void server_call_fail(struct server_call *call, const struct status *status)
{
	struct rpc_end end;

	rpc_end_init(&end, status);
	finish(call, NULL, end);
}

struct prepared_status {
	struct rpc_end end;
};

struct prepared_status *prepared_status_new(const struct status *status)
{
	struct prepared_status *prepared = xcalloc(1, sizeof(*prepared));

	rpc_end_init(&prepared->end, status);
	return prepared;
}

void prepared_status_free(struct prepared_status *status)
{
	if (status)
		rpc_end_release(&status->end);
	free(status);
}

void server_call_fail_prepared(struct server_call *call, const struct prepared_status *status)
{
	struct rpc_end end = status->end;

	(void)grpc_slice_ref(end.message); /* the same slice, counted once more, as the next */
	(void)grpc_slice_ref(end.details.value);
	finish(call, NULL, end);
}

void server_call_fail_with(struct server_call *call, const struct error *err)
{
	server_call_fail(call, &(struct status){.code = err->code, .message = err->msg});
}

void server_call_fail_problems(struct server_call *call, const struct problems *problems)
{
	struct error err;

	(void)problems_to_error(problems, ERR_INVALID, &err); /* always -1: it makes the text */
	server_call_fail(call, &(struct status){.code = ERR_INVALID,
						.message = err.msg,
						.reason = "FIELD_VIOLATIONS",
						.violations = problems});
}

struct bytes server_call_metadata(const struct server_call *call, const char *name)
{
	const grpc_metadata_array *metadata = &call->arrival.metadata;

	for (size_t i = 0; i < metadata->count; i++) {
		const grpc_metadata *item = &metadata->metadata[i];

		if (grpc_slice_str_cmp(item->key, name) == 0)
			return (struct bytes){GRPC_SLICE_START_PTR(item->value), GRPC_SLICE_LENGTH(item->value)};
	}
	return (struct bytes){0};
}

int64_t server_call_remaining_ms(const struct server_call *call)
{
	gpr_timespec deadline = call->arrival.deadline;
	gpr_timespec left;

	if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0)
		return INT64_MAX;
	left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
	return left.tv_sec < 0 ? 0 : left.tv_sec * 1000 + left.tv_nsec / 1000000;
}

const char *server_call_caller(const struct server_call *call)
{
	return call->caller.name;
}

static void on_closed(struct rpc_tag *tag, bool is_ok)
{
	struct server_call *call = container_of(tag, struct server_call, closed);
	/* Once the call is abandoned, whoever answers it may free it at any moment: gRPC's part is taken out before. */
	struct rpc_arrival arrival = call->arrival;
	enum call_state open = CALL_STATE_OPEN;

	(void)is_ok; /* this op always succeeds */
	if (call->is_cancelled && atomic_compare_exchange_strong(&call->state, &open, CALL_STATE_ABANDONED))
		rpc_arrival_release(&arrival);
	else
		call_done_with(call);
}

void server_call_watch(struct server_call *call)
{
	grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};

	assert(is_on_queue_thread(call) && !call->is_watched);
	op.data.recv_close_on_server.cancelled = &call->is_cancelled;
	call->is_watched = true;
	call->pending++;
	call->closed.fn = on_closed;
	rpc_start_batch(call->arrival.call, &op, 1, &call->closed);
}

/* ---- arrival ---- */

/* Then gRPC's copy goes, which would keep what came along with it in memory for as long as the call waits. */
static int read_payload(struct server_call *call, struct arena *arena, struct bytes *ret_bytes, struct error *err)
{
	grpc_byte_buffer *payload = take_ptr(call->arrival.payload);
	const int rc = rpc_read_payload(payload, arena, ret_bytes, err);

	if (payload)
		grpc_byte_buffer_destroy(payload);
	return rc;
}

static void handle(struct server_call *call, struct arena *arena)
{
	const struct rpc_method *method = &call->method->method;
	ProtobufCMessage *request = NULL;
	struct problems problems;
	struct bytes bytes;
	struct error err;

	problems_init(&problems);
	if (read_payload(call, arena, &bytes, &err) ||
	    message_read(method->request_type, bytes, arena, &request, &problems, &err))
		server_call_fail(call, &(struct status){.code = err.code,
							.message = err.msg,
							.reason = problems.count ? "FIELD_VIOLATIONS" : "UNDECODABLE",
							.retry_after_ms = -1,
							.violations = &problems});
	else
		method->handle(method->ctx, call, request, arena);
	problems_release(&problems);
}

static void run_job(struct rpc_job *job)
{
	struct server_call *call = container_of(job, struct server_call, job);
	struct arena arena;

	arena_init(&arena, REQUEST_ARENA_BYTES_MAX);
	handle(call, &arena);
	arena_release(&arena);
}

static void refuse_unknown(struct server_call *call)
{
	struct rpc_end end;

	rpc_end_init(&end, NULL);
	end.code = GRPC_STATUS_UNIMPLEMENTED;
	end.message = grpc_slice_from_copied_string("unknown method; server reflection lists those that exist");
	finish(call, NULL, end);
}

static void refuse_job(struct server_call *call)
{
	if (rpc_server_is_stopping(call->method->server))
		server_call_fail(call, &(struct status){.code = ERR_UNAVAILABLE,
							.message = "the server is shutting down",
							.reason = "STOPPING"});
	else
		server_call_fail(call, &(struct status){.code = ERR_LIMIT,
							.message = "too many calls of this kind wait already",
							.reason = "QUEUE_FULL"});
}

static bool is_crowded(const struct rpc_registered *method)
{
	return method->open_max > 0 && atomic_load(&method->open) > method->open_max;
}

static void dispatch(struct server_call *call)
{
	struct rpc_server *server = call->method->server;
	const char *reason;
	struct error err;

	if (!call->method->handle) {
		refuse_unknown(call);
	} else if (rpc_guard_admit(call->method, &call->arrival, &call->caller, &reason, &err) < 0) {
		server_call_fail(
			call,
			&(struct status){.code = err.code, .message = err.msg, .reason = reason, .retry_after_ms = -1});
	} else if (call->method->method.is_gated && !atomic_load(&server->is_open)) {
		server_call_fail(call, &(struct status){.code = ERR_UNAVAILABLE,
							.message = "the server is starting and waits for its database",
							.reason = "STARTING"});
	} else if (is_crowded(call->method)) {
		refuse_job(call);
	} else if (call->method->method.kind == RPC_KIND_UNARY) {
		arena_clear(&server->arena);
		handle(call, &server->arena);
	} else {
		bool is_reading = call->method->method.kind == RPC_KIND_READING;

		call->job.run = run_job;
		if (!rpc_worker_add(is_reading ? server->reader : server->worker, &call->job))
			refuse_job(call);
	}
}

static void on_arrived(struct rpc_tag *tag, bool is_ok)
{
	struct server_call *call = container_of(tag, struct server_call, arrived);

	if (!is_ok) { /* the server stops */
		call_free(call);
		return;
	}
	if (!rpc_server_is_stopping(call->method->server))
		server_call_request(call->method);
	call->started_us = clock_monotonic_us();
	atomic_fetch_add(&call->method->open, 1);
	if (call->method->method.is_gated)
		atomic_store(&call->method->server->last_call_us, call->started_us);
	dispatch(call);
}

void server_call_request(struct rpc_registered *method)
{
	struct server_call *call = xcalloc(1, sizeof(*call));

	call->method = method;
	call->pending = 1; /* so that a call whose client goes away is still there while its answer is on the way */
	atomic_init(&call->state, CALL_STATE_OPEN);
	rpc_arrival_init(&call->arrival);
	rpc_end_init(&call->end, NULL);
	call->arrived.fn = on_arrived;
	rpc_server_request(method, &call->arrival, &call->arrived);
}
