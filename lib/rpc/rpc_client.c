/*
 * rpc_client.c - see rpc_client.h.
 *
 * One thread takes completions from one queue; a call is a single batch of operations, so each call is one completion.
 * rpc_client_call() is rpc_client_start() and waiting.
 */
#include "lib/rpc/rpc_client.h"

#include <assert.h>
#include <errno.h>
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rpc/rpc_wire.h"

enum { DEFAULT_TIMEOUT_MS = 10000, ANSWER_BYTES_MAX = 16 << 20, PEM_BYTES_MAX = 1 << 20 };

/* As `done`, with what the server said about a failure; both are borrowed. */
typedef void explained_fn(void *ctx, ProtobufCMessage *answer, const struct error *err, int status,
			  struct bytes details);

enum { METADATA_MAX = 3 };

struct call {
	struct call *next;
	struct call *previous;
	struct rpc_client *client;
	grpc_call *grpc;
	const ProtobufCMessageDescriptor *answer_type;
	explained_fn *explained; /* this one, or `done` */
	rpc_done_fn *done;
	void *ctx;
	int is_handed_over; /* release at the start, acquire at the end: makes the order visible to ThreadSanitizer */
	grpc_byte_buffer *request;
	grpc_byte_buffer *answer;
	grpc_metadata_array initial_metadata;
	grpc_metadata metadata[METADATA_MAX]; /* of the request */
	size_t metadata_count;
	struct rpc_status status;
};

struct rpc_client {
	char *target;
	grpc_metadata token; /* `authorization` */
	bool has_token;
	grpc_channel *channel;
	grpc_completion_queue *queue;
	pthread_t thread;
	pthread_mutex_t mu;
	pthread_cond_t is_idle;
	bool is_closing;    /* guarded by mu */
	struct call *calls; /* guarded by mu: in flight */
};

/* ---- completions ---- */

static void report(const struct call *call)
{
	struct error err = {0};
	ProtobufCMessage *answer = NULL;

	if (call->status.code == GRPC_STATUS_OK)
		answer = rpc_message_unpack(call->answer, call->answer_type, call->client->target, &err);
	else
		rpc_status_to_error(&call->status, call->client->target, &err);
	if (call->explained)
		call->explained(call->ctx, answer, answer ? NULL : &err, call->status.code,
				rpc_status_details(&call->status));
	else
		call->done(call->ctx, answer, answer ? NULL : &err);
}

static void call_free(struct call *call)
{
	grpc_metadata_array_destroy(&call->initial_metadata);
	rpc_status_release(&call->status);
	for (size_t i = 0; i < call->metadata_count; i++)
		grpc_slice_unref(call->metadata[i].value);
	grpc_byte_buffer_destroy(call->request);
	grpc_byte_buffer_destroy(call->answer);
	grpc_call_unref(call->grpc);
	free(call);
}

/* The call leaves the list only after its `done` ran, so that rpc_client_free() waits for that, too. */
static void complete(struct call *call)
{
	struct rpc_client *client;

	(void)__atomic_load_n(&call->is_handed_over, __ATOMIC_ACQUIRE);
	client = call->client;
	report(call);
	(void)pthread_mutex_lock(&client->mu);
	if (call->next)
		call->next->previous = call->previous;
	if (call->previous)
		call->previous->next = call->next;
	else
		client->calls = call->next;
	if (!client->calls)
		(void)pthread_cond_broadcast(&client->is_idle);
	(void)pthread_mutex_unlock(&client->mu);
	call_free(call);
}

static void *run_completions(void *ctx)
{
	struct rpc_client *client = ctx;

	for (;;) {
		grpc_event event = grpc_completion_queue_next(client->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);

		if (event.type == GRPC_QUEUE_SHUTDOWN)
			return NULL;
		if (event.type == GRPC_OP_COMPLETE)
			complete(event.tag);
	}
}

/* ---- life ---- */

static grpc_arg int_arg(const char *name, int value)
{
	return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)name, .value.integer = value};
}

/* NULL: no TLS, or a file could not be read, which `err` says. */
static char *read_file(const char *path, struct error *err)
{
	FILE *stream = fopen(path, "re");
	char *text = xmalloc(PEM_BYTES_MAX + 1);
	size_t len = stream ? fread(text, 1, PEM_BYTES_MAX + 1, stream) : 0;

	if (stream)
		(void)fclose(stream); /* only read from */
	if (len > 0 && len <= PEM_BYTES_MAX) {
		text[len] = 0;
		return text;
	}
	free(text);
	(void)error_set(err, ERR_INVALID, "cannot read %s: %s", path,
			stream ? "it is empty or too large" : strerror(errno));
	return NULL;
}

static int make_tls(const struct client_security *security, grpc_channel_credentials **ret_credentials,
		    struct error *err)
{
	_cleanup_(freep)
	char *ca = read_file(security->ca, err);
	_cleanup_(freep)
	char *certificate = NULL;
	_cleanup_(freep)
	char *key = NULL;
	grpc_ssl_pem_key_cert_pair pair;

	if (!ca)
		return -1;
	if (security->certificate && security->key) {
		certificate = read_file(security->certificate, err);
		key = certificate ? read_file(security->key, err) : NULL;
		if (!key)
			return -1;
		pair = (grpc_ssl_pem_key_cert_pair){.private_key = key, .cert_chain = certificate};
	}
	*ret_credentials = grpc_ssl_credentials_create(ca, key ? &pair : NULL, NULL, NULL);
	return *ret_credentials ? 0
				: error_set(err, ERR_INVALID, "gRPC can use no credentials made of %s and the like",
					    security->ca);
}

static grpc_channel *new_channel(const char *target, grpc_channel_credentials *credentials)
{
	grpc_arg args[] = {
		int_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, ANSWER_BYTES_MAX),
		int_arg(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100),
		int_arg(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000), /* how long one connection attempt may take */
		int_arg(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000),
		int_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0), /* the target is ours and near; http_proxy is for elsewhere */
		int_arg(GRPC_ARG_ENABLE_RETRIES, 0),    /* callers decide what is tried again */
	};
	grpc_channel_args all = {.num_args = ARRAY_LEN(args), .args = args};

	return grpc_channel_create(target, credentials, &all);
}

static void set_token(struct rpc_client *client, const char *token)
{
	struct buffer value = {0};

	buffer_append_format(&value, "Bearer %s", token);
	client->token.key = grpc_slice_from_static_string("authorization");
	client->token.value = grpc_slice_from_copied_buffer((const char *)value.data, value.len);
	client->has_token = true;
	explicit_bzero(value.data, value.len);
	buffer_release(&value);
}

static struct rpc_client *new_client(const char *target, grpc_channel_credentials *credentials, const char *token)
{
	struct rpc_client *client = xcalloc(1, sizeof(*client));

	client->target = xstrdup(target);
	client->channel = new_channel(target, credentials);
	grpc_channel_credentials_release(credentials);
	if (token)
		set_token(client, token);
	client->queue = grpc_completion_queue_create_for_next(NULL);
	(void)pthread_mutex_init(&client->mu, NULL);
	(void)pthread_cond_init(&client->is_idle, NULL);
	if (pthread_create(&client->thread, NULL, run_completions, client) != 0)
		abort(); /* as when memory is out */
	(void)pthread_setname_np(client->thread, "rpc_client");
	return client;
}

struct rpc_client *rpc_client_new(const char *target)
{
	assert(target);
	grpc_init();
	return new_client(target, grpc_insecure_credentials_create(), NULL);
}

int rpc_client_new_secure(const char *target, const struct client_security *security, struct rpc_client **ret_client,
			  struct error *err)
{
	grpc_channel_credentials *credentials;

	grpc_init();
	if (!security->ca) {
		credentials = grpc_insecure_credentials_create();
	} else if (make_tls(security, &credentials, err) < 0) {
		grpc_shutdown();
		return -1;
	}
	*ret_client = new_client(target, credentials, security->token);
	return 0;
}

void rpc_client_free(struct rpc_client *client)
{
	if (!client)
		return;
	(void)pthread_mutex_lock(&client->mu);
	client->is_closing = true;
	/* The lock keeps calls from being freed meanwhile; cancelling neither blocks nor calls back. */
	for (struct call *call = client->calls; call; call = call->next)
		(void)grpc_call_cancel(call->grpc, NULL); /* one that is complete already does not mind */
	while (client->calls)
		(void)pthread_cond_wait(&client->is_idle, &client->mu);
	(void)pthread_mutex_unlock(&client->mu);

	grpc_completion_queue_shutdown(client->queue);
	(void)pthread_join(client->thread, NULL);
	grpc_completion_queue_destroy(client->queue);
	grpc_channel_destroy(client->channel);
	(void)pthread_mutex_destroy(&client->mu);
	(void)pthread_cond_destroy(&client->is_idle);
	if (client->has_token)
		grpc_slice_unref(client->token.value);
	free(client->target);
	free(client);
	grpc_shutdown();
}

/* ---- calls ---- */

grpc_call *rpc_client_open(struct rpc_client *client, const char *method, int64_t timeout_ms,
			   grpc_completion_queue *queue)
{
	gpr_timespec deadline = timeout_ms > 0 ? gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
							      gpr_time_from_millis(timeout_ms, GPR_TIMESPAN))
					       : gpr_inf_future(GPR_CLOCK_MONOTONIC);
	grpc_slice path = grpc_slice_from_copied_string(method);
	grpc_call *call = grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue, path, NULL,
						   deadline, NULL);

	assert(method[0] == '/');
	grpc_slice_unref(path);
	return call;
}

grpc_op rpc_client_begin_op(struct rpc_client *client)
{
	grpc_op op = {.op = GRPC_OP_SEND_INITIAL_METADATA};

	op.data.send_initial_metadata.count = client->has_token ? 1 : 0;
	op.data.send_initial_metadata.metadata = client->has_token ? &client->token : NULL;
	return op;
}

const char *rpc_client_target(const struct rpc_client *client)
{
	return client->target;
}

static void start_batch(struct call *call)
{
	grpc_op ops[] = {
		{.op = GRPC_OP_SEND_INITIAL_METADATA,
		 .data.send_initial_metadata = {.count = call->metadata_count, .metadata = call->metadata}},
		{.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = call->request},
		{.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
		{.op = GRPC_OP_RECV_INITIAL_METADATA,
		 .data.recv_initial_metadata.recv_initial_metadata = &call->initial_metadata},
		{.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->answer},
		rpc_status_receive_op(&call->status),
	};
	grpc_call *grpc = call->grpc; /* once handed over, `call` is the other thread's and may be gone */
	grpc_call_error result;

	__atomic_store_n(&call->is_handed_over, 1, __ATOMIC_RELEASE);
	result = grpc_call_start_batch(grpc, ops, ARRAY_LEN(ops), call, NULL);
	assert(result == GRPC_CALL_OK); /* else the operations are wrong in themselves */
}

/* False when the client is being closed; nothing was kept then. */
static bool enlist(struct rpc_client *client, struct call *call)
{
	bool is_closing;

	(void)pthread_mutex_lock(&client->mu);
	is_closing = client->is_closing;
	if (!is_closing) {
		call->next = client->calls;
		if (call->next)
			call->next->previous = call;
		client->calls = call;
	}
	(void)pthread_mutex_unlock(&client->mu);
	return !is_closing;
}

static void add_metadata(struct call *call, const char *name, const char *value)
{
	if (value)
		call->metadata[call->metadata_count++] = (grpc_metadata){.key = grpc_slice_from_static_string(name),
									 .value = grpc_slice_from_copied_string(value)};
}

static void start(struct rpc_client *client, const struct rpc_call *options, explained_fn *explained, rpc_done_fn *done,
		  void *ctx)
{
	struct call *call = xcalloc(1, sizeof(*call));

	call->client = client;
	call->answer_type = options->answer_type;
	call->explained = explained;
	call->done = done;
	call->ctx = ctx;
	rpc_status_init(&call->status);
	grpc_metadata_array_init(&call->initial_metadata);
	if (client->has_token)
		call->metadata[call->metadata_count++] =
			(grpc_metadata){.key = client->token.key, .value = grpc_slice_ref(client->token.value)};
	add_metadata(call, "traceparent", options->traceparent);
	add_metadata(call, "tracestate", options->tracestate);
	call->request = rpc_message_pack(options->request);
	call->grpc = rpc_client_open(client, options->method,
				     options->timeout_ms > 0 ? options->timeout_ms : DEFAULT_TIMEOUT_MS, client->queue);
	if (enlist(client, call)) {
		start_batch(call);
		return;
	}
	call->status.code = GRPC_STATUS_UNAVAILABLE;
	call->status.text = grpc_slice_from_static_string("this client is being closed");
	report(call);
	call_free(call);
}

void rpc_client_start(struct rpc_client *client, const char *method, const ProtobufCMessage *request,
		      const ProtobufCMessageDescriptor *answer_type, int64_t timeout_ms, rpc_done_fn *done, void *ctx)
{
	struct rpc_call options = {
		.method = method, .request = request, .answer_type = answer_type, .timeout_ms = timeout_ms};

	start(client, &options, NULL, done, ctx);
}

/* ---- waiting for a call ---- */

struct waiting {
	pthread_mutex_t mu;
	pthread_cond_t is_done_changed;
	bool is_done; /* guarded by mu, as are the rest */
	ProtobufCMessage *answer;
	struct error *err;
	struct rpc_failure *failure; /* NULL: not wanted */
};

static void finish_waiting(void *ctx, ProtobufCMessage *answer, const struct error *err, int status,
			   struct bytes details)
{
	struct waiting *waiting = ctx;

	(void)pthread_mutex_lock(&waiting->mu);
	waiting->answer = answer;
	if (err)
		*waiting->err = *err;
	if (err && waiting->failure) {
		*waiting->failure = (struct rpc_failure){.status = status};
		buffer_append(&waiting->failure->details, details.data, details.len);
	}
	waiting->is_done = true;
	(void)pthread_cond_signal(&waiting->is_done_changed);
	(void)pthread_mutex_unlock(&waiting->mu);
}

int rpc_client_call_explained(struct rpc_client *client, const struct rpc_call *call, ProtobufCMessage **ret_answer,
			      struct rpc_failure *ret_failure, struct error *err)
{
	struct waiting waiting = {
		.mu = PTHREAD_MUTEX_INITIALIZER,
		.is_done_changed = PTHREAD_COND_INITIALIZER,
		.err = err,
		.failure = ret_failure,
	};

	assert(!pthread_equal(pthread_self(), client->thread)); /* it would wait for itself */
	start(client, call, finish_waiting, NULL, &waiting);
	(void)pthread_mutex_lock(&waiting.mu);
	while (!waiting.is_done)
		(void)pthread_cond_wait(&waiting.is_done_changed, &waiting.mu);
	(void)pthread_mutex_unlock(&waiting.mu);
	(void)pthread_cond_destroy(&waiting.is_done_changed);
	(void)pthread_mutex_destroy(&waiting.mu);
	if (!waiting.answer)
		return -1;
	*ret_answer = waiting.answer;
	return 0;
}

int rpc_client_call(struct rpc_client *client, const char *method, const ProtobufCMessage *request,
		    const ProtobufCMessageDescriptor *answer_type, int64_t timeout_ms, ProtobufCMessage **ret_answer,
		    struct error *err)
{
	struct rpc_call call = {
		.method = method, .request = request, .answer_type = answer_type, .timeout_ms = timeout_ms};

	return rpc_client_call_explained(client, &call, ret_answer, NULL, err);
}
