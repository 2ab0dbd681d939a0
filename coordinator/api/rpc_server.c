/* rpc_server.c - see rpc_server.h: the table of methods, the queue's thread, start and shutdown. */
#include "coordinator/api/rpc_server.h"

#include <assert.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#include <grpc/support/log.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/api/rpc_address.h"
#include "coordinator/api/rpc_guard.h"
#include "coordinator/api/rpc_internal.h"
#include "lib/base/clock.h"
#include "lib/base/condition.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/race.h"

enum { TICK_MS = 250, UNKNOWN_OUTSTANDING = 8, CANCEL_MS = 5000, QUIET_MS = 2 * TICK_MS, QUEUE_NICE = -5 };

/* gRPC's own lines in our form; without this they go to standard error as they are. */
static void log_grpc_line(gpr_log_func_args *args)
{
	const char *file = strrchr(args->file, '/');

	log_warn("grpc", "place=%s:%d detail=%s", file ? file + 1 : args->file, args->line, LOG_TEXT(args->message));
}

struct rpc_server *rpc_server_new(struct metrics *metrics)
{
	struct rpc_server *server = xcalloc(1, sizeof(*server));
	struct error err;
	int rc = access_new(NULL, &server->open_access, &err);

	assert(rc == 0); /* no file is read that could be wrong */
	server->access = server->open_access;
	(void)setenv("GRPC_VERBOSITY", "ERROR", 0); /* what the user has set counts; failing costs only log lines */
	gpr_set_log_function(log_grpc_line);
	grpc_init();
	server->metrics = metrics;
	server->unknown.server = server;
	arena_init(&server->arena, REQUEST_ARENA_BYTES_MAX);
	pthread_mutex_init(&server->mu, NULL);
	condition_init(&server->changed);
	return server;
}

void rpc_server_secure(struct rpc_server *server, struct certificates *certificates, struct access *access)
{
	assert(!server->grpc);
	server->certificates = certificates;
	server->access = access ? access : server->open_access;
}

void rpc_server_add(struct rpc_server *server, const struct rpc_method *method)
{
	struct rpc_registered *registered = &server->methods[server->method_count++];

	assert(server->method_count <= RPC_METHODS_MAX && !server->grpc);
	registered->method = *method;
	registered->server = server;
}

void rpc_server_limit(struct rpc_server *server, const char *path, int calls_max)
{
	for (size_t i = 0; i < server->method_count; i++)
		if (strcmp(server->methods[i].method.path, path) == 0)
			server->methods[i].open_max = calls_max;
}

/* The names that gRPC's interceptors for Prometheus have made usual. */
static const char *const CODE_NAMES[RPC_CODES] = {
	"OK",       "Canceled",        "Unknown",          "InvalidArgument",   "DeadlineExceeded",
	"NotFound", "AlreadyExists",   "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
	"Aborted",  "OutOfRange",      "Unimplemented",    "Internal",          "Unavailable",
	"DataLoss", "Unauthenticated",
};

static const char *method_labels(struct buffer *text, const char *path, const char *code)
{
	const char *method = strchr(path + 1, '/') + 1;

	buffer_clear(text);
	buffer_append_format(text, "grpc_service=\"%.*s\",grpc_method=\"%s\"", (int)(method - path) - 2, path + 1,
			     method);
	if (code)
		buffer_append_format(text, ",grpc_code=\"%s\"", code);
	return buffer_text(text);
}

static void add_metrics(struct rpc_server *server, struct rpc_registered *registered)
{
	const char *path = registered->method.path;
	_cleanup_(buffer_release)
	struct buffer text = {0};

	if (!server->metrics || registered->method.kind == RPC_KIND_STREAM)
		return;
	registered->seconds = metrics_histogram(
		server->metrics, "grpc_server_handling_seconds", method_labels(&text, path, NULL),
		"Time from a call's arrival to its answer.", METRIC_SECONDS_BOUNDS, METRIC_SECONDS_BOUND_COUNT);
	for (int code = 0; code < RPC_CODES; code++)
		registered->handled[code] = metrics_counter(server->metrics, "grpc_server_handled_total",
							    method_labels(&text, path, CODE_NAMES[code]),
							    "Unary calls that were answered, by their status.");
}

static grpc_arg int_arg(char *name, int value)
{
	return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = name, .value.integer = value};
}

static void create(struct rpc_server *server)
{
	grpc_arg args[] = {
		int_arg(GRPC_ARG_ALLOW_REUSEPORT, 0), /* else a second server would share the port in silence */
		int_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, RPC_MESSAGE_BYTES_MAX),
		int_arg(GRPC_ARG_MAX_METADATA_SIZE, RPC_METADATA_BYTES_MAX),
		/* It would be undone before anybody looks at the size: 4 MB of zeros can become 4 GB. */
		int_arg(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1 << GRPC_COMPRESS_NONE),
		int_arg(GRPC_ARG_MAX_CONCURRENT_STREAMS, RPC_STREAMS_MAX),
		/* Without it a connection may send 64 KB that nobody has read; with it gRPC takes in 4 MB at once, which are
		 * thousands of calls that wait in it, each for all before it. */
		int_arg(GRPC_ARG_HTTP2_BDP_PROBE, 0),
		/* A timer for each call, which this gRPC looks for one by one. Clients take back by themselves what is past its
		 * deadline, and what waits here looks at it (server_call_remaining_ms). */
		int_arg(GRPC_ARG_ENABLE_DEADLINE_CHECKS, 0),
	};
	grpc_channel_args channel_args = {.num_args = ARRAY_LEN(args), .args = args};

	server->queue = grpc_completion_queue_create_for_next(NULL);
	server->grpc = grpc_server_create(&channel_args, NULL);
	grpc_server_register_completion_queue(server->grpc, server->queue, NULL);
	for (size_t i = 0; i < server->method_count; i++) {
		struct rpc_registered *registered = &server->methods[i];
		bool is_stream = registered->method.kind == RPC_KIND_STREAM;

		registered->handle = grpc_server_register_method(
			server->grpc, registered->method.path, NULL,
			is_stream ? GRPC_SRM_PAYLOAD_NONE : GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
		assert(registered->handle);
		add_metrics(server, registered);
	}
}

static void request_all(struct rpc_server *server)
{
	for (size_t i = 0; i < server->method_count; i++) {
		struct rpc_registered *registered = &server->methods[i];

		for (int n = 0; n < registered->method.outstanding; n++) {
			if (registered->method.kind == RPC_KIND_STREAM)
				server_stream_request(registered);
			else
				server_call_request(registered);
		}
	}
	for (int n = 0; n < UNKNOWN_OUTSTANDING; n++)
		server_call_request(&server->unknown);
}

static void tick_when_due(struct rpc_server *server)
{
	int64_t now_us = clock_monotonic_us();
	bool is_stop_new = rpc_server_is_stopping(server) && !server->was_stop_seen;

	if (now_us < server->next_tick_us && !is_stop_new)
		return;
	server->was_stop_seen |= is_stop_new;
	server->next_tick_us = now_us + TICK_MS * 1000;
	server_streams_tick(server);
}

/* Where more threads want to run than there are CPUs, an even share of them is not enough to refuse a flood, so that all calls wait
 * for seconds. Three times the share is, and leaves the engine its part. Without the right to it things stay as they are. Whoever
 * runs this process below or above others means all of it. */
static void prefer_this_thread(void)
{
	const id_t thread = (id_t)gettid();

	(void)setpriority(PRIO_PROCESS, thread, getpriority(PRIO_PROCESS, thread) + QUEUE_NICE);
}

static void *run_queue(void *ctx)
{
	struct rpc_server *server = ctx;

	prefer_this_thread();
	for (;;) {
		gpr_timespec until =
			gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(TICK_MS, GPR_TIMESPAN));
		grpc_event event = grpc_completion_queue_next(server->queue, until, NULL);

		if (event.type == GRPC_QUEUE_SHUTDOWN)
			return NULL;
		if (event.type == GRPC_OP_COMPLETE) {
			struct rpc_tag *tag = event.tag;

			race_take_over(tag);
			tag->fn(tag, event.success != 0);
		}
		tick_when_due(server);
	}
}

/* Gives back what create() made, when the address could not be bound. */
static void discard(struct rpc_server *server)
{
	grpc_completion_queue *aside = grpc_completion_queue_create_for_pluck(NULL);

	grpc_server_shutdown_and_notify(server->grpc, aside, NULL);
	(void)grpc_completion_queue_pluck(aside, NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
	grpc_completion_queue_shutdown(aside);
	grpc_completion_queue_destroy(aside);
	grpc_server_destroy(server->grpc);
	grpc_completion_queue_shutdown(server->queue);
	while (grpc_completion_queue_next(server->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type !=
	       GRPC_QUEUE_SHUTDOWN)
		;
	grpc_completion_queue_destroy(server->queue);
	server->grpc = NULL;
	server->queue = NULL;
}

/* Beyond this machine only those connect whom the clients' authority has vouched for: whatever is weak in HTTP/2 or in
 * gRPC itself then lies behind the handshake. */
static int check_exposure(const struct rpc_server *server, const char *address, bool is_insecure_allowed,
			  struct error *err)
{
	bool has_mutual_tls = server->certificates && certificates_have_client_ca(server->certificates);

	if (rpc_address_is_local(address) || is_insecure_allowed ||
	    (has_mutual_tls && server->access != server->open_access))
		return 0;
	return error_set(
		err, ERR_INVALID,
		"'%.200s' can be reached from other machines: set tls-cert, tls-key, tls-client-ca and "
		"access-file, or listen on 127.0.0.1 or unix:PATH, or add --insecure-listen to accept the risk",
		address);
}

/* A UNIX socket is for its owner and group, and nothing of it passes a network, so it has no TLS; the mask is the process's, which has no other files to make yet. */
static int bind_address(struct rpc_server *server, const char *address)
{
	bool is_unix = strncmp(address, "unix:", 5) == 0;
	grpc_server_credentials *credentials = is_unix ? grpc_insecure_server_credentials_create()
						       : rpc_guard_credentials(server);
	mode_t old = umask(0117);
	int port = grpc_server_add_http2_port(server->grpc, address, credentials);

	(void)umask(old); /* cannot fail */
	grpc_server_credentials_release(credentials);
	return port;
}

int rpc_server_start(struct rpc_server *server, const char *address, bool is_insecure_allowed, struct error *err)
{
	int port;
	int rc;

	if (rpc_address_check(address, err) || check_exposure(server, address, is_insecure_allowed, err) ||
	    rpc_address_check_free(address, err))
		return -1;
	create(server);
	port = bind_address(server, address);
	grpc_server_start(server->grpc);
	if (port == 0) {
		discard(server);
		return error_set(err, ERR_CONFLICT,
				 "cannot listen on %s for gRPC: the address is in use or not of this machine", address);
	}
	server->port = strncmp(address, "unix:", 5) ? port : 0;
	server->worker = rpc_worker_new(RPC_BLOCKING_MAX);
	server->reader = rpc_worker_new(RPC_BLOCKING_MAX);
	rc = pthread_create(&server->thread, NULL, run_queue, server);
	assert(rc == 0);
	pthread_setname_np(server->thread, "rpc-queue");
	request_all(server);
	return 0;
}

int rpc_server_port(const struct rpc_server *server)
{
	return server->port;
}

void rpc_server_await_quiet(struct rpc_server *server, int64_t timeout_ms)
{
	int64_t until_us = clock_monotonic_us() + timeout_ms * 1000;
	int64_t now_us;

	do {
		int64_t quiet_us = atomic_load(&server->last_call_us) + QUIET_MS * 1000;

		now_us = clock_monotonic_us();
		if (quiet_us < now_us)
			return;
		quiet_us = quiet_us < until_us ? quiet_us : until_us;
		(void)poll(NULL, 0, (int)((quiet_us - now_us) / 1000 + 1));
	} while (now_us < until_us);
}

static void on_shut(struct rpc_tag *tag, bool is_ok)
{
	struct rpc_server *server = container_of(tag, struct rpc_server, shut_tag);

	(void)is_ok; /* shutdown always succeeds */
	pthread_mutex_lock(&server->mu);
	server->is_shut = true;
	pthread_cond_signal(&server->changed);
	pthread_mutex_unlock(&server->mu);
}

void rpc_server_stop_intake(struct rpc_server *server)
{
	if (!server->grpc || atomic_exchange(&server->is_stopping, true))
		return;
	server->shut_tag.fn = on_shut;
	race_hand_over(&server->shut_tag);
	grpc_server_shutdown_and_notify(server->grpc, server->queue, &server->shut_tag);
}

bool rpc_server_is_stopping(const struct rpc_server *server)
{
	return atomic_load(&server->is_stopping);
}

void rpc_server_open(struct rpc_server *server)
{
	atomic_store(&server->is_open, true);
}

static bool wait_until_shut(struct rpc_server *server, int64_t timeout_ms)
{
	int64_t until_us = clock_monotonic_us() + timeout_ms * 1000;
	bool is_shut;
	bool is_over = false;

	pthread_mutex_lock(&server->mu);
	while (!server->is_shut && !is_over)
		is_over = !condition_wait_until(&server->changed, &server->mu, until_us);
	is_shut = server->is_shut;
	pthread_mutex_unlock(&server->mu);
	return is_shut;
}

void rpc_server_drain(struct rpc_server *server, int64_t timeout_ms)
{
	if (!server->grpc)
		return;
	rpc_server_stop_intake(server);
	rpc_worker_stop(server->worker); /* the jobs that wait answer their calls; what still arrives is refused */
	rpc_worker_stop(server->reader);
	if (!wait_until_shut(server, timeout_ms)) {
		grpc_server_cancel_all_calls(server->grpc);
		(void)wait_until_shut(server, CANCEL_MS); /* what is not answered by now never will be */
	}
	grpc_server_destroy(server->grpc);
	grpc_completion_queue_shutdown(server->queue);
	pthread_join(server->thread, NULL);
	grpc_completion_queue_destroy(server->queue);
	rpc_worker_free(take_ptr(server->reader));
	rpc_worker_free(take_ptr(server->worker)); /* only now is nobody left who might give it a job */
	server->grpc = NULL;
	server->queue = NULL;
}

void rpc_server_free(struct rpc_server *server)
{
	if (!server)
		return;
	assert(!server->grpc);
	access_free(server->open_access);
	arena_release(&server->arena);
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->mu);
	grpc_shutdown();
	free(server);
}

/* ---- what calls and streams share ---- */
void rpc_arrival_init(struct rpc_arrival *arrival)
{
	*arrival = (struct rpc_arrival){0};
	grpc_metadata_array_init(&arrival->metadata);
	grpc_call_details_init(&arrival->details);
}

void rpc_arrival_release(struct rpc_arrival *arrival)
{
	grpc_metadata_array_destroy(&arrival->metadata);
	grpc_call_details_destroy(&arrival->details);
	if (arrival->payload)
		grpc_byte_buffer_destroy(arrival->payload);
	if (arrival->call)
		grpc_call_unref(arrival->call);
}

size_t rpc_arrival_metadata_bytes(const struct rpc_arrival *arrival)
{
	size_t bytes = 0;

	for (size_t i = 0; i < arrival->metadata.count; i++) {
		const grpc_metadata *item = &arrival->metadata.metadata[i];

		bytes += GRPC_SLICE_LENGTH(item->key) + GRPC_SLICE_LENGTH(item->value);
	}
	return bytes;
}

void rpc_server_request(struct rpc_registered *method, struct rpc_arrival *arrival, struct rpc_tag *tag)
{
	struct rpc_server *server = method->server;
	grpc_call_error rc;

	race_hand_over(tag);
	if (method->handle)
		rc = grpc_server_request_registered_call(
			server->grpc, method->handle, &arrival->call, &arrival->deadline, &arrival->metadata,
			method->method.kind == RPC_KIND_STREAM ? NULL : &arrival->payload, server->queue, server->queue,
			tag);
	else
		rc = grpc_server_request_call(server->grpc, &arrival->call, &arrival->details, &arrival->metadata,
					      server->queue, server->queue, tag);
	assert(rc == GRPC_CALL_OK);
}

void rpc_start_batch(grpc_call *call, const grpc_op *ops, size_t count, struct rpc_tag *tag)
{
	grpc_call_error rc;

	assert(tag->fn); /* the batch may end on the queue's thread before this function returns */
	race_hand_over(tag);
	rc = grpc_call_start_batch(call, ops, count, tag, NULL);
	assert(rc == GRPC_CALL_OK);
}

int rpc_read_payload(grpc_byte_buffer *payload, struct arena *arena, struct bytes *ret_bytes, struct error *err)
{
	size_t len = payload ? grpc_byte_buffer_length(payload) : 0;
	grpc_byte_buffer_reader reader;
	uint8_t *data;
	size_t at = 0;
	grpc_slice *slice;

	if (!payload)
		return error_set(err, ERR_INVALID, "the call has no request message");
	if (len > RPC_MESSAGE_BYTES_MAX)
		return error_set(err, ERR_LIMIT, "the request has %zu bytes, at most %d are taken", len,
				 RPC_MESSAGE_BYTES_MAX);
	if (!grpc_byte_buffer_reader_init(&reader, payload))
		return error_set(err, ERR_INVALID, "the request's compression cannot be undone");
	data = arena_alloc(arena, len);
	while (grpc_byte_buffer_reader_peek(&reader, &slice)) {
		assert(GRPC_SLICE_LENGTH(*slice) <= len - at);
		memcpy(data + at, GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
		at += GRPC_SLICE_LENGTH(*slice);
	}
	grpc_byte_buffer_reader_destroy(&reader);
	*ret_bytes = (struct bytes){data, at};
	return 0;
}

grpc_byte_buffer *rpc_pack_message(const ProtobufCMessage *message)
{
	grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));
	grpc_byte_buffer *buffer;

	protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
	buffer = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	return buffer;
}

grpc_byte_buffer *rpc_pack_bytes(struct bytes bytes)
{
	grpc_slice slice = grpc_slice_from_copied_buffer((const char *)bytes.data, bytes.len);
	grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);

	grpc_slice_unref(slice);
	return buffer;
}

void rpc_end_init(struct rpc_end *end, const struct status *status)
{
	struct buffer details = {0};
	struct bytes message;

	*end = (struct rpc_end){.code = GRPC_STATUS_OK, .message = grpc_empty_slice()};
	if (!status)
		return;
	message = status_message(status);
	end->code = status_grpc_code(status->code);
	end->message = grpc_slice_from_copied_buffer((const char *)message.data, message.len);
	status_details(status, &details);
	end->details.key = grpc_slice_from_static_string("grpc-status-details-bin");
	end->details.value = grpc_slice_from_copied_buffer((const char *)details.data, details.len);
	end->has_details = true;
	buffer_release(&details);
}

void rpc_end_release(struct rpc_end *end)
{
	grpc_slice_unref(end->message);
	if (end->has_details)
		grpc_slice_unref(end->details.value);
	*end = (struct rpc_end){.message = grpc_empty_slice()};
}

grpc_op rpc_end_op(struct rpc_end *end)
{
	grpc_op op = {.op = GRPC_OP_SEND_STATUS_FROM_SERVER};

	op.data.send_status_from_server.status = end->code;
	op.data.send_status_from_server.status_details = end->code == GRPC_STATUS_OK ? NULL : &end->message;
	op.data.send_status_from_server.trailing_metadata_count = end->has_details ? 1 : 0;
	op.data.send_status_from_server.trailing_metadata = end->has_details ? &end->details : NULL;
	return op;
}
