/* health_service.c - see health_service.h. */
#include "coordinator/api/health_service.h"

#include <stdatomic.h>
#include <string.h>

#include "grpc/health/v1/health.pb-c.h"
#include "lib/base/memory.h"

enum { OUTSTANDING = 8 };

typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus ServingStatus;

struct health_service {
	struct rpc_server *server;
	bool (*is_serving)(void *ctx);
	void *ctx;
	atomic_bool is_stopping;
};

/* A stream's state. */
struct watch {
	ServingStatus told; /* UNKNOWN: nothing yet */
	char name[];
};

static ServingStatus status_of(const struct health_service *service, const char *name)
{
	bool is_saga_service = strcmp(name, "saga.v1.SagaService") == 0;

	if (*name && !is_saga_service)
		return GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN;
	if (atomic_load(&service->is_stopping) || rpc_server_is_stopping(service->server) ||
	    (is_saga_service && !service->is_serving(service->ctx)))
		return GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
	return GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
}

static void check(void *ctx, struct server_call *call, const ProtobufCMessage *message, struct arena *arena)
{
	const Grpc__Health__V1__HealthCheckRequest *request = (const Grpc__Health__V1__HealthCheckRequest *)message;
	Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

	response.status = status_of(ctx, request->service);
	if (response.status == GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN)
		server_call_fail(call, &(struct status){.code = ERR_NOT_FOUND,
							.message = arena_format(arena, "unknown service '%.200s'",
										request->service),
							.reason = "SERVICE_NOT_FOUND"});
	else
		server_call_answer(call, &response.base);
}

static void tell_change(void *ctx, struct server_stream *stream)
{
	Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
	struct watch *watch = server_stream_state(stream);

	if (!watch || server_stream_is_sending(stream))
		return;
	response.status = status_of(ctx, watch->name);
	if (response.status == watch->told)
		return;
	watch->told = response.status;
	server_stream_send(stream, &response.base);
}

static void on_message(void *ctx, struct server_stream *stream, const ProtobufCMessage *message, struct arena *arena)
{
	const Grpc__Health__V1__HealthCheckRequest *request = (const Grpc__Health__V1__HealthCheckRequest *)message;
	size_t len = strlen(request->service) + 1;
	struct watch *watch = xcalloc(1, sizeof(*watch) + len);

	(void)arena;
	memcpy(watch->name, request->service, len);
	server_stream_set_state(stream, watch);
	tell_change(ctx, stream);
}

/* Only reached when the client closes without a question: what follows the question is not read. */
static void on_half_closed(void *ctx, struct server_stream *stream)
{
	(void)ctx;
	server_stream_finish(stream,
			     &(struct status){.code = ERR_INVALID, .message = "the call has no request message"});
}

static const struct server_stream_handler WATCH = {
	.on_message = on_message, .on_sent = tell_change, .on_half_closed = on_half_closed, .on_tick = tell_change};

struct health_service *health_service_new(struct rpc_server *server, bool (*is_serving)(void *ctx), void *ctx)
{
	struct health_service *service = xcalloc(1, sizeof(*service));
	struct rpc_method method = {.path = "/grpc.health.v1.Health/Check",
				    .kind = RPC_KIND_UNARY,
				    .outstanding = OUTSTANDING,
				    .request_type = &grpc__health__v1__health_check_request__descriptor,
				    .handle = check,
				    .ctx = service};

	service->server = server;
	service->is_serving = is_serving;
	service->ctx = ctx;
	rpc_server_add(server, &method);
	method.path = "/grpc.health.v1.Health/Watch";
	method.kind = RPC_KIND_STREAM;
	method.handle = NULL;
	method.stream = &WATCH;
	rpc_server_add(server, &method);
	return service;
}

void health_service_stop(struct health_service *service)
{
	atomic_store(&service->is_stopping, true);
}

void health_service_free(struct health_service *service)
{
	free(service);
}
