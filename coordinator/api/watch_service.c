/* watch_service.c - see watch_service.h. */
#include "coordinator/api/watch_service.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/api/bookmark.h"
#include "coordinator/api/filter_message.h"
#include "coordinator/api/saga_message.h"
#include "coordinator/api/watch_stream.h"
#include "lib/base/memory.h"
#include "saga/v1/saga_service.pb-c.h"

enum { OUTSTANDING = 16 };

struct watch_service {
	struct watch_hub *hub;
};

/* The stream's own memory; the watch is shared with the hub. */
struct stream_state {
	struct watch_stream *watch;
};

static void fail_problems(struct server_stream *stream, const struct problems *problems)
{
	struct error err;

	(void)problems_to_error(problems, ERR_INVALID, &err); /* always -1: it makes the text */
	server_stream_finish(stream, &(struct status){.code = ERR_INVALID,
						      .message = err.msg,
						      .reason = "FIELD_VIOLATIONS",
						      .violations = problems});
}

/* Opens what `sagas` or else `saga_id` and `after_sequence` say. */
static void open_watch(struct watch_service *service, struct server_stream *stream, const struct watch_sagas *sagas,
		       struct uuid saga_id, int64_t after_sequence)
{
	struct stream_state *state = xcalloc(1, sizeof(*state));
	struct watch_stream *watch = watch_stream_new(service->hub, stream, saga_id);
	struct error err;
	int rc;

	state->watch = watch;
	server_stream_set_state(stream, state);
	rc = sagas ? watch_hub_add_sagas(service->hub, sagas, &WATCH_STREAM_SAGAS, watch, &err)
		   : watch_hub_add_saga(service->hub, saga_id, after_sequence, &WATCH_STREAM_SAGA, watch, &err);
	if (rc == 0)
		return;
	watch_stream_unref(watch); /* the hub's reference, which it did not take */
	server_stream_finish(stream, &(struct status){.code = err.code,
						      .message = err.msg,
						      .reason = err.code == ERR_LIMIT ? "STREAMS_FULL" : NULL});
}

/* ---- WatchSagas ---- */
static void on_watch_sagas(void *ctx, struct server_stream *stream, const ProtobufCMessage *message,
			   struct arena *arena)
{
	const Saga__V1__WatchSagasRequest *request = (const Saga__V1__WatchSagasRequest *)message;
	struct watch_sagas sagas = {.outcomes_only = request->outcomes_only,
				    .include_current = request->include_current,
				    .has_position = *request->position != 0};
	struct problems problems;

	problems_init(&problems);
	filter_read(request->filter, arena, &sagas.filter, &problems);
	if (sagas.has_position && !bookmark_read(BOOKMARK_POSITION, bookmark_binding(), request->position,
						 &sagas.position, sizeof(sagas.position)))
		problems_add(&problems, "position", "is not a position that WatchSagas has sent");
	if (sagas.has_position && sagas.include_current)
		problems_add(&problems, "include_current", "is for the beginning, not for going on from a position");
	if (problems.count)
		fail_problems(stream, &problems);
	else
		open_watch(ctx, stream, &sagas, (struct uuid){0}, 0);
	problems_release(&problems);
}

/* ---- WatchSaga ---- */
static void on_watch_saga(void *ctx, struct server_stream *stream, const ProtobufCMessage *message, struct arena *arena)
{
	const Saga__V1__WatchSagaRequest *request = (const Saga__V1__WatchSagaRequest *)message;
	struct uuid id = {0};
	struct problems problems;

	(void)arena;
	problems_init(&problems);
	saga_id_check(request->saga_id, &id, &problems);
	if (request->after_sequence < 0)
		problems_add(&problems, "after_sequence", "is %" PRId64 ", must be 0 or more", request->after_sequence);
	if (problems.count)
		fail_problems(stream, &problems);
	else
		open_watch(ctx, stream, NULL, id, request->after_sequence);
	problems_release(&problems);
}

/* ---- both ---- */
static void pump(void *ctx, struct server_stream *stream)
{
	struct stream_state *state = server_stream_state(stream);

	(void)ctx;
	watch_stream_pump(state->watch, stream);
}

static void on_half_closed(void *ctx, struct server_stream *stream)
{
	(void)ctx;
	server_stream_finish(stream, &(struct status){.code = ERR_INVALID,
						      .message = "the call has no request message",
						      .retry_after_ms = -1});
}

static void on_end(void *ctx, struct server_stream *stream)
{
	struct stream_state *state = server_stream_state(stream);

	(void)ctx;
	if (state)
		watch_stream_close(take_ptr(state->watch));
}

struct watch_service *watch_service_new(struct rpc_server *server, struct watch_hub *hub)
{
	static const struct server_stream_handler sagas_handler = {.on_message = on_watch_sagas,
								   .on_sent = pump,
								   .on_half_closed = on_half_closed,
								   .on_wake = pump,
								   .on_end = on_end};
	static const struct server_stream_handler saga_handler = {.on_message = on_watch_saga,
								  .on_sent = pump,
								  .on_half_closed = on_half_closed,
								  .on_wake = pump,
								  .on_end = on_end};
	struct watch_service *service = xcalloc(1, sizeof(*service));
	const struct rpc_method methods[] = {
		{"/saga.v1.SagaService/WatchSagas", RPC_KIND_STREAM, OUTSTANDING,
		 &saga__v1__watch_sagas_request__descriptor, NULL, &sagas_handler, service, true},
		{"/saga.v1.SagaService/WatchSaga", RPC_KIND_STREAM, OUTSTANDING,
		 &saga__v1__watch_saga_request__descriptor, NULL, &saga_handler, service, true},
	};

	service->hub = hub;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		rpc_server_add(server, &methods[i]);
	return service;
}

void watch_service_free(struct watch_service *service)
{
	free(service);
}
