/* saga_service.c - see saga_service.h. */
#include "coordinator/api/saga_service.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "coordinator/api/definition_service.h"
#include "coordinator/api/saga_message.h"
#include "coordinator/api/struct_value.h"
#include "lib/base/memory.h"
#include "saga/v1/saga_service.pb-c.h"

enum { OUTSTANDING = 512, DEADLINE_MARGIN_MS_MIN = 5, DEADLINE_MARGIN_MS_MAX = 100 };

struct saga_service {
	struct catalog *catalog;
	struct engine *engine;
	atomic_int waits; /* GetSaga calls that the engine holds, those whose client is gone included */
};

static void fail_violations(struct server_call *call, const struct problems *problems, const char *reason)
{
	struct error err;

	(void)problems_to_error(problems, ERR_INVALID, &err); /* always -1: it makes the text */
	server_call_fail(
		call,
		&(struct status){.code = ERR_INVALID, .message = err.msg, .reason = reason, .violations = problems});
}

/* ---- StartSaga ---- */
static void check_text(const char *field, const char *text, struct problems *problems)
{
	size_t len = strlen(text);

	if (len > SAGA_ID_BYTES_MAX)
		problems_add(problems, field, "has %zu bytes, at most %d are allowed", len, SAGA_ID_BYTES_MAX);
}

static void check_saga_id(const char *text, struct start_request *start, struct problems *problems)
{
	if (!*text)
		return;
	if (!uuid_parse(text, strlen(text), &start->saga_id))
		problems_add(problems, "saga_id", "'%.60s' is no UUID", text);
	else if (uuid_version(start->saga_id) != 7)
		problems_add(problems, "saga_id", "is a UUID of version %d, but must be one of version 7",
			     uuid_version(start->saga_id));
	else
		start->has_saga_id = true;
}

/* A name that came twice counts once, with its last value, as Protobuf has it for maps. */
static void take_label(struct start_request *start, struct engine_label *labels, const char *name, const char *value)
{
	for (size_t i = 0; i < start->label_count; i++) {
		if (strcmp(labels[i].name, name) == 0) {
			labels[i].value = value;
			return;
		}
	}
	labels[start->label_count++] = (struct engine_label){name, value};
}

static void check_labels(const Saga__V1__StartSagaRequest *request, struct start_request *start, struct arena *arena,
			 struct problems *problems)
{
	struct engine_label *labels = arena_alloc(arena, (SAGA_LABELS_MAX + 1) * sizeof(*labels));

	start->labels = labels;
	if (request->n_labels > SAGA_LABELS_MAX) {
		problems_add(problems, "labels", "has %zu entries, at most %d are allowed", request->n_labels,
			     SAGA_LABELS_MAX);
		return;
	}
	for (size_t i = 0; i < request->n_labels; i++) {
		const char *name = request->labels[i]->key;
		const char *field = arena_format(arena, "labels[\"%.60s\"]", name);

		if (!*name)
			problems_add(problems, "labels", "has an entry without a name");
		if (strlen(name) > SAGA_ID_BYTES_MAX)
			problems_add(problems, field, "has a name of more than %d bytes", SAGA_ID_BYTES_MAX);
		check_text(field, request->labels[i]->value, problems);
		take_label(start, labels, name, request->labels[i]->value);
	}
}

static void check_fields(const Saga__V1__StartSagaRequest *request, struct start_request *start, struct arena *arena,
			 struct problems *problems)
{
	if (!*request->definition)
		problems_add(problems, "definition", "is required");
	check_text("definition", request->definition, problems);
	if (request->definition_version < 0)
		problems_add(problems, "definition_version", "is %d; versions count from 1, 0 takes the newest",
			     request->definition_version);
	check_text("idempotency_key", request->idempotency_key, problems);
	start->idempotency_key = request->idempotency_key;
	check_saga_id(request->saga_id, start, problems);
	check_labels(request, start, arena, problems);
	if (request->input_case == SAGA__V1__START_SAGA_REQUEST__INPUT__NOT_SET)
		problems_add(problems, "input", "is required: set `json` or `encoded`");
}

/* The version that was asked for; without one, the newest that is ready, or else the newest. */
static const struct plan *find_plan(const struct saga_service *service, const Saga__V1__StartSagaRequest *request)
{
	const struct plan *newest;

	if (!*request->definition || request->definition_version < 0)
		return NULL;
	newest = catalog_by_name(service->catalog, request->definition, request->definition_version);
	if (!newest || request->definition_version > 0 || engine_is_ready(service->engine, newest))
		return newest;
	for (int32_t version = newest->definition.version - 1; version > 0; version--) {
		const struct plan *plan = catalog_by_name(service->catalog, request->definition, version);

		if (plan && engine_is_ready(service->engine, plan))
			return plan;
	}
	return newest;
}

/* The input, checked and canonical; what is wrong with it is added to `problems`. */
static void check_input(const Saga__V1__StartSagaRequest *request, struct start_request *start, struct arena *arena,
			struct buffer *input, struct problems *problems)
{
	struct value value;
	int rc = -1;

	if (request->input_case == SAGA__V1__START_SAGA_REQUEST__INPUT_ENCODED)
		rc = plan_check_input(start->plan, (struct bytes){request->encoded.data, request->encoded.len}, arena,
				      input, &start->key, problems);
	else if (request->input_case == SAGA__V1__START_SAGA_REQUEST__INPUT_JSON &&
		 struct_to_value(request->json, "input", arena, &value, problems) == 0)
		rc = plan_encode_input(start->plan, &value, arena, input, &start->key, problems);
	if (rc)
		return;
	start->input = buffer_bytes(input);
	if (!*start->key || strlen(start->key) > SAGA_ID_BYTES_MAX)
		problems_add(problems, arena_format(arena, "input.%s", start->plan->key_field),
			     "is the saga's key and must have 1 to %d bytes, not %zu", SAGA_ID_BYTES_MAX,
			     strlen(start->key));
}

static void on_started(void *ctx, const struct saga_view *view, bool already_existed, const struct error *err)
{
	struct server_call *call = ctx;
	Saga__V1__StartSagaResponse response = SAGA__V1__START_SAGA_RESPONSE__INIT;
	struct error failure;
	struct arena arena;

	if (err) {
		server_call_fail(call,
				 &(struct status){.code = err->code,
						  .message = err->msg,
						  .reason = err->code == ERR_CONFLICT ? "SAGA_ALREADY_EXISTS" : NULL});
		return;
	}
	arena_init(&arena, 0);
	response.already_existed = already_existed;
	if (saga_message_make(view, false, &arena, &response.saga, &failure))
		server_call_fail_with(call, &failure);
	else
		server_call_answer(call, &response.base);
	arena_release(&arena);
}

static void fail_not_ready(struct server_call *call, const struct plan *plan, struct arena *arena)
{
	struct buffer topics = {0};

	for (size_t i = 0; i < plan->reply_topic_count && topics.len < 300; i++)
		buffer_append_format(&topics, "%s%s", i ? ", " : "", plan->reply_topics[i]);
	server_call_fail(
		call, &(struct status){.code = ERR_UNAVAILABLE,
				       .message = arena_format(
					       arena,
					       "definition '%s' version %d is not ready: this coordinator "
					       "does not yet receive all of its reply topics (%s)",
					       plan->definition.name, plan->definition.version, buffer_text(&topics)),
				       .reason = "DEFINITION_NOT_READY",
				       .metadata = {{"definition", plan->definition.name}}});
	buffer_release(&topics);
}

/* True when the limit of a saga's input is kept. */
static bool check_input_size(struct server_call *call, const Saga__V1__StartSagaRequest *request,
			     size_t canonical_bytes, struct arena *arena)
{
	size_t len = request->encoded.len;

	if (request->input_case != SAGA__V1__START_SAGA_REQUEST__INPUT_ENCODED || len < canonical_bytes)
		len = canonical_bytes;
	if (len <= SAGA_INPUT_BYTES_MAX)
		return true;
	/* The same input would fail again, so no RetryInfo. */
	server_call_fail(
		call, &(struct status){.code = ERR_LIMIT,
				       .message = arena_format(arena, "the input has %zu bytes, at most %d are allowed",
							       len, SAGA_INPUT_BYTES_MAX),
				       .reason = "INPUT_TOO_LARGE",
				       .retry_after_ms = -1});
	return false;
}

static void fail_input(struct server_call *call, const struct plan *plan, const struct problems *problems,
		       struct arena *arena)
{
	struct error err;

	(void)problems_to_error(problems, ERR_INVALID, &err); /* always -1: it makes the text */
	(void)error_prefix(&err, "%s version %d", plan->input->subject, plan->input->version);
	server_call_fail(call,
			 &(struct status){.code = ERR_INVALID,
					  .message = err.msg,
					  .reason = "INPUT_MISFIT",
					  .violations = problems,
					  .metadata = {{"subject", plan->input->subject},
						       {"version", arena_format(arena, "%d", plan->input->version)}}});
}

static void start(struct saga_service *service, struct server_call *call, const Saga__V1__StartSagaRequest *request,
		  struct arena *arena, struct buffer *input, struct problems *problems)
{
	struct start_request start = {0};
	size_t field_problems;

	check_fields(request, &start, arena, problems);
	field_problems = problems->count;
	start.plan = find_plan(service, request);
	if (start.plan && request->input_case != SAGA__V1__START_SAGA_REQUEST__INPUT__NOT_SET) {
		if (!check_input_size(call, request, 0, arena))
			return;
		check_input(request, &start, arena, input, problems);
	}
	if (problems->count > field_problems)
		fail_input(call, start.plan, problems, arena);
	else if (problems->count)
		fail_violations(call, problems, "FIELD_VIOLATIONS");
	else if (!start.plan)
		definition_fail_unknown(call, service->catalog, request->definition, request->definition_version,
					arena);
	else if (!check_input_size(call, request, start.input.len, arena))
		return;
	else if (!engine_is_ready(service->engine, start.plan))
		fail_not_ready(call, start.plan, arena);
	else
		engine_start_saga(service->engine, &start, on_started, call);
}

static void start_saga(void *ctx, struct server_call *call, const ProtobufCMessage *message, struct arena *arena)
{
	struct buffer input = {0};
	struct problems problems;

	problems_init(&problems);
	start(ctx, call, (const Saga__V1__StartSagaRequest *)message, arena, &input, &problems);
	problems_release(&problems);
	buffer_release(&input);
}

/* ---- GetSaga ---- */
struct get_call {
	struct saga_service *service;
	struct server_call *call;
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
		server_call_fail(get->call,
				 &(struct status){.code = err->code,
						  .message = err->msg,
						  .reason = err->code == ERR_NOT_FOUND ? "SAGA_NOT_FOUND" : NULL});
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
	*get = (struct get_call){.service = service, .call = call, .is_waiting = wait_ms > 0};
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
	if (!uuid_parse(request->saga_id, strlen(request->saga_id), &id))
		problems_add(&problems, "saga_id", *request->saga_id ? "'%.60s' is no UUID" : "is required%s",
			     request->saga_id);
	wait_ms = check_wait(request->wait, &problems);
	if (problems.count)
		fail_violations(call, &problems, "FIELD_VIOLATIONS");
	else
		get(ctx, call, id, wait_ms);
	problems_release(&problems);
}

struct saga_service *saga_service_new(struct rpc_server *server, struct catalog *catalog, struct engine *engine)
{
	struct saga_service *service = xcalloc(1, sizeof(*service));
	struct rpc_method method = {.path = "/saga.v1.SagaService/StartSaga",
				    .kind = RPC_KIND_UNARY,
				    .outstanding = OUTSTANDING,
				    .request_type = &saga__v1__start_saga_request__descriptor,
				    .handle = start_saga,
				    .ctx = service,
				    .is_gated = true};

	service->catalog = catalog;
	service->engine = engine;
	rpc_server_add(server, &method);
	method.path = "/saga.v1.SagaService/GetSaga";
	method.request_type = &saga__v1__get_saga_request__descriptor;
	method.handle = get_saga;
	rpc_server_add(server, &method);
	return service;
}

void saga_service_free(struct saga_service *service)
{
	free(service);
}
