/* saga_service.c - see saga_service.h. */
#include "coordinator/api/saga_service.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "coordinator/api/saga_message.h"
#include "lib/base/memory.h"
#include "saga/v1/saga_service.pb-c.h"

enum { OUTSTANDING = 64, DEADLINE_MARGIN_MS_MIN = 5, DEADLINE_MARGIN_MS_MAX = 100 };

struct saga_service {
	struct engine *engine;
	atomic_int waits; /* GetSaga calls that the engine holds, those whose client is gone included */
};

static void fail_saga(struct server_call *call, struct uuid saga_id, const struct error *err)
{
	struct saga_error_texts texts;
	const struct status status = saga_error_status(saga_id, err, &texts);

	server_call_fail(call, &status);
}

/* ---- GetSaga ---- */
struct get_call {
	struct saga_service *service;
	struct server_call *call;
	struct uuid saga_id;
	bool is_waiting;
};

static void on_got(void *ctx, const struct saga_view *view, const struct error *err)
{
	_cleanup_(freep)
	struct get_call *get = ctx;
	Saga__V1__GetSagaResponse response = SAGA__V1__GET_SAGA_RESPONSE__INIT;
	struct error failure;
	struct arena arena;

	if (get->is_waiting)
		atomic_fetch_sub(&get->service->waits, 1);
	if (err) {
		fail_saga(get->call, get->saga_id, err);
		return;
	}
	arena_init(&arena, 0);
	if (saga_message_make(view, true, &arena, &response.saga, &failure))
		server_call_fail_with(get->call, &failure);
	else
		server_call_answer(get->call, &response.base);
	arena_release(&arena);
}

static int64_t check_wait(const Google__Protobuf__Duration *wait, struct problems *problems)
{
	int64_t ms;

	if (!wait)
		return 0;
	if (wait->seconds < 0 || wait->nanos < 0 || wait->nanos > 999999999) {
		problems_add(problems, "wait", "%" PRId64 " s and %d ns is no duration from zero up", wait->seconds,
			     wait->nanos);
		return 0;
	}
	if (wait->seconds >= SAGA_WAIT_MS_MAX / 1000)
		return SAGA_WAIT_MS_MAX;
	ms = wait->seconds * 1000 + wait->nanos / 1000000;
	return ms == 0 && wait->nanos > 0 ? 1 : ms;
}

/* So that the answer is back before the call's deadline: a tenth of what is left is kept for the way. */
static int64_t bound_by_deadline(int64_t wait_ms, int64_t remaining_ms)
{
	int64_t margin_ms;

	if (remaining_ms == INT64_MAX)
		return wait_ms;
	margin_ms = remaining_ms / 10;
	if (margin_ms < DEADLINE_MARGIN_MS_MIN)
		margin_ms = DEADLINE_MARGIN_MS_MIN;
	if (margin_ms > DEADLINE_MARGIN_MS_MAX)
		margin_ms = DEADLINE_MARGIN_MS_MAX;
	remaining_ms = remaining_ms > margin_ms ? remaining_ms - margin_ms : 0;
	return wait_ms < remaining_ms ? wait_ms : remaining_ms;
}

static void get(struct saga_service *service, struct server_call *call, struct uuid id, int64_t wait_ms)
{
	struct get_call *get;

	wait_ms = bound_by_deadline(wait_ms, server_call_remaining_ms(call));
	if (wait_ms > 0 && atomic_fetch_add(&service->waits, 1) >= SAGA_WAITS_MAX) {
		atomic_fetch_sub(&service->waits, 1);
		server_call_fail(call, &(struct status){.code = ERR_LIMIT,
							.message = "too many calls wait for sagas already",
							.reason = "WAITS_FULL"});
		return;
	}
	get = xmalloc(sizeof(*get));
	*get = (struct get_call){.service = service, .call = call, .saga_id = id, .is_waiting = wait_ms > 0};
	if (wait_ms > 0)
		server_call_watch(call);
	engine_get_saga(service->engine, id, wait_ms, on_got, get);
}

static void get_saga(void *ctx, struct server_call *call, const ProtobufCMessage *message, struct arena *arena)
{
	const Saga__V1__GetSagaRequest *request = (const Saga__V1__GetSagaRequest *)message;
	struct problems problems;
	struct uuid id = {0};
	int64_t wait_ms;

	(void)arena;
	problems_init(&problems);
	saga_id_check(request->saga_id, &id, &problems);
	wait_ms = check_wait(request->wait, &problems);
	if (problems.count)
		server_call_fail_problems(call, &problems);
	else
		get(ctx, call, id, wait_ms);
	problems_release(&problems);
}

struct saga_service *saga_service_new(struct rpc_server *server, struct engine *engine)
{
	struct saga_service *service = xcalloc(1, sizeof(*service));
	const struct rpc_method method = {"/saga.v1.SagaService/GetSaga",
					  RPC_KIND_UNARY,
					  OUTSTANDING,
					  &saga__v1__get_saga_request__descriptor,
					  get_saga,
					  NULL,
					  service,
					  true};

	service->engine = engine;
	rpc_server_add(server, &method);
	return service;
}

void saga_service_free(struct saga_service *service)
{
	free(service);
}
