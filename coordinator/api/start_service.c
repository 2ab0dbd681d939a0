/* start_service.c - see start_service.h. */
#include "coordinator/api/start_service.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "coordinator/api/definition_service.h"
#include "coordinator/api/saga_message.h"
#include "coordinator/api/struct_value.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/trace/trace_context.h"
#include "saga/v1/saga_service.pb-c.h"

enum { OUTSTANDING = 64, BATCH_OUTSTANDING = 16, OVERLOADED_RETRY_MS = 1000 };

struct start_service {
	struct catalog *catalog;
	struct engine *engine;
	struct arena arena;                 /* of the StartSaga in hand; gRPC's thread only, as the next */
	struct prepared_status *overloaded; /* made when it is first needed */
};

static const char OVERLOADED[] = "OVERLOADED";

/* What an answer's message takes, so that it is a small block to malloc. */
enum { ANSWER_BYTES = 960 };

/* ---- checks ---- */
static void check_text(const char *field, const char *text, struct problems *problems)
{
	size_t len = strlen(text);

	if (len > START_ID_BYTES_MAX)
		problems_add(problems, field, "has %zu bytes, at most %d are allowed", len, START_ID_BYTES_MAX);
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
	struct engine_label *labels = arena_alloc(arena, (START_LABELS_MAX + 1) * sizeof(*labels));

	start->labels = labels;
	if (request->n_labels > START_LABELS_MAX) {
		problems_add(problems, "labels", "has %zu entries, at most %d are allowed", request->n_labels,
			     START_LABELS_MAX);
		return;
	}
	for (size_t i = 0; i < request->n_labels; i++) {
		const char *name = request->labels[i]->key;
		const char *field = arena_format(arena, "labels[\"%.60s\"]", name);

		if (!*name)
			problems_add(problems, "labels", "has an entry without a name");
		if (strlen(name) > START_ID_BYTES_MAX)
			problems_add(problems, field, "has a name of more than %d bytes", START_ID_BYTES_MAX);
		check_text(field, request->labels[i]->value, problems);
		take_label(start, labels, name, request->labels[i]->value);
	}
}

/* From zero to ten years; beyond, `field` has a problem. */
static int64_t check_delay(const Google__Protobuf__Duration *delay, struct problems *problems)
{
	if (delay->seconds < 0 || delay->nanos < 0 || delay->nanos > 999999999)
		problems_add(problems, "delay", "%" PRId64 " s and %d ns is no duration from zero up", delay->seconds,
			     delay->nanos);
	else if (delay->seconds > COMMAND_DURATION_MS_MAX / 1000)
		problems_add(problems, "delay", "is more than ten years");
	else
		return delay->seconds * 1000000 + delay->nanos / 1000;
	return 0;
}

static int64_t check_start_time(const Google__Protobuf__Timestamp *time, struct problems *problems)
{
	if (!timestamp_is_legal(time))
		problems_add(problems, "start_time", "%" PRId64 " s and %d ns is no time of the years 1 to 9999",
			     time->seconds, time->nanos);
	else if (time->seconds > (clock_real_us() / 1000000) + COMMAND_DURATION_MS_MAX / 1000)
		problems_add(problems, "start_time", "is more than ten years ahead");
	else
		return time->seconds < 1 ? 1 : time->seconds * 1000000 + time->nanos / 1000; /* past, and not 0 */
	return 0;
}

static void check_start(const Saga__V1__StartSagaRequest *request, struct start_request *start,
			struct problems *problems)
{
	if (request->start_case == SAGA__V1__START_SAGA_REQUEST__START_DELAY)
		start->delay_us = check_delay(request->delay, problems);
	else if (request->start_case == SAGA__V1__START_SAGA_REQUEST__START_START_TIME)
		start->start_us = check_start_time(request->start_time, problems);
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
	check_start(request, start, problems);
	if (request->input_case == SAGA__V1__START_SAGA_REQUEST__INPUT__NOT_SET)
		problems_add(problems, "input", "is required: set `json` or `encoded`");
}

/* The version that was asked for; without one, the newest that is ready, or else the newest. */
static const struct plan *find_plan(const struct start_service *service, const Saga__V1__StartSagaRequest *request)
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

/* The same limit for both forms: that of the canonical bytes; JSON for which memory does not suffice is beyond it, too. */
static int encode_input(const Saga__V1__StartSagaRequest *request, struct start_request *start, struct arena *arena,
			struct buffer *input, struct problems *problems)
{
	_cleanup_(arena_release)
	struct arena tree = {.limit_bytes = PLAN_TREE_BYTES_MAX};
	struct value value;

	if (request->input_case == SAGA__V1__START_SAGA_REQUEST__INPUT_ENCODED)
		return plan_check_input(start->plan, (struct bytes){request->encoded.data, request->encoded.len}, arena,
					input, &start->key, problems);
	if (struct_to_value(request->json, "input", &tree, &value, problems) < 0)
		return -1;
	return plan_encode_input(start->plan, &value, arena, input, &start->key, problems);
}

/* The input, checked and canonical; what is wrong with it is added to `problems`. False: it is too large. */
static bool check_input(const Saga__V1__StartSagaRequest *request, struct start_request *start, struct arena *arena,
			struct buffer *input, struct problems *problems)
{
	const size_t before = problems->count;

	if (encode_input(request, start, arena, input, problems) < 0)
		return problems->count > before;
	start->input = buffer_bytes(input);
	if (!*start->key || strlen(start->key) > START_ID_BYTES_MAX)
		problems_add(problems, arena_format(arena, "input.%s", start->plan->key_field),
			     "is the saga's key and must have 1 to %d bytes, not %zu", START_ID_BYTES_MAX,
			     strlen(start->key));
	return true;
}

/* ---- what cannot be started: each answers false, with the status ---- */
static bool refuse_problems(const struct problems *problems, const struct plan *input_of, struct arena *arena,
			    struct status *ret_status)
{
	struct error err;

	(void)problems_to_error(problems, ERR_INVALID, &err); /* always -1: it makes the text */
	*ret_status = (struct status){.code = ERR_INVALID, .reason = "FIELD_VIOLATIONS", .violations = problems};
	if (input_of) {
		const struct plan_schema *input = input_of->input;

		(void)error_prefix(&err, "%s version %d", input->subject, input->version);
		ret_status->reason = "INPUT_MISFIT";
		ret_status->metadata[0] = (struct status_metadata){"subject", input->subject};
		ret_status->metadata[1] =
			(struct status_metadata){"version", arena_format(arena, "%d", input->version)};
	}
	ret_status->message = arena_strdup(arena, err.msg);
	return false;
}

/* The same input would fail again, so no RetryInfo. `len` 0: nobody has counted. */
static bool refuse_size(size_t len, struct arena *arena, struct status *ret_status)
{
	*ret_status = (struct status){
		.code = ERR_LIMIT,
		.message = len ? arena_format(arena, "the input has %zu bytes, at most %d are allowed", len,
					      START_INPUT_BYTES_MAX)
			       : arena_format(arena, "the input is larger than the %d bytes that are allowed",
					      START_INPUT_BYTES_MAX),
		.reason = "INPUT_TOO_LARGE",
		.retry_after_ms = -1,
	};
	return false;
}

static bool refuse_not_ready(const struct plan *plan, struct arena *arena, struct status *ret_status)
{
	_cleanup_(buffer_release)
	struct buffer topics = {0};

	for (size_t i = 0; i < plan->reply_topic_count && topics.len < 300; i++)
		buffer_append_format(&topics, "%s%s", i ? ", " : "", plan->reply_topics[i]);
	*ret_status = (struct status){
		.code = ERR_UNAVAILABLE,
		.message = arena_format(arena,
					"definition '%s' version %d is not ready: this coordinator does not yet "
					"receive all of its reply topics (%s)",
					plan->definition.name, plan->definition.version, buffer_text(&topics)),
		.reason = "DEFINITION_NOT_READY",
		.metadata = {{"definition", plan->definition.name}},
	};
	return false;
}

static struct status status_of_error(const struct error *err)
{
	struct status status = {.code = err->code, .message = err->msg};

	if (err->code == ERR_CONFLICT) {
		status.reason = "SAGA_ALREADY_EXISTS";
		status.resource = (struct status_resource){"saga.v1.Saga", ""};
	}
	if (err->code == ERR_QUOTA)
		status.quota = "max-open-sagas"; /* the setting; the message says of which definition, and how many */
	if (err->code == ERR_LIMIT) {
		status.reason = OVERLOADED;
		status.retry_after_ms = OVERLOADED_RETRY_MS;
	}
	return status;
}

/* Before the input is looked at, since that is most of the work. */
static bool refuse_overload(struct engine *engine, const struct plan *plan, struct arena *arena,
			    struct status *ret_status)
{
	struct error *err = arena_alloc(arena, sizeof(*err)); /* the status borrows its text */

	if (engine_has_room(engine, plan, err))
		return false;
	*ret_status = status_of_error(err);
	return true;
}

/* True: `ret_start` may go to the engine. Everything lives in the arena, in `input`, and in `problems`. */
static bool prepare(struct start_service *service, const Saga__V1__StartSagaRequest *request, struct arena *arena,
		    struct buffer *input, struct problems *problems, struct start_request *ret_start,
		    struct status *ret_status)
{
	const bool is_encoded = request->input_case == SAGA__V1__START_SAGA_REQUEST__INPUT_ENCODED;
	struct start_request *start = ret_start;
	size_t field_problems;

	*start = (struct start_request){0};
	start->plan = find_plan(service, request);
	if (start->plan && refuse_overload(service->engine, start->plan, arena, ret_status))
		return false;
	check_fields(request, start, arena, problems);
	field_problems = problems->count;
	if (is_encoded && request->encoded.len > START_INPUT_BYTES_MAX)
		return refuse_size(request->encoded.len, arena, ret_status);
	if (start->plan && request->input_case != SAGA__V1__START_SAGA_REQUEST__INPUT__NOT_SET &&
	    !check_input(request, start, arena, input, problems))
		return refuse_size(input->len, arena, ret_status);
	if (problems->count)
		return refuse_problems(problems, problems->count > field_problems ? start->plan : NULL, arena,
				       ret_status);
	if (!start->plan) {
		*ret_status = definition_unknown_status(service->catalog, request->definition,
							request->definition_version, arena);
		return false;
	}
	if (!engine_is_ready(service->engine, start->plan))
		return refuse_not_ready(start->plan, arena, ret_status);
	return true;
}

/* The caller's trace context (W3C) stays with the saga as labels: any coordinator may send its commands, at any time. */
static void keep_trace(const struct server_call *call, struct start_request *start, struct arena *arena)
{
	struct bytes traceparent = server_call_metadata(call, "traceparent");
	struct bytes tracestate = server_call_metadata(call, "tracestate");
	struct engine_label *labels;
	struct trace_context ignored;

	if (!trace_context_parse(traceparent, &ignored))
		return;
	labels = arena_zalloc(arena, (start->label_count + 2) * sizeof(*labels));
	for (size_t i = 0; i < start->label_count; i++)
		labels[i] = start->labels[i];
	start->labels = labels;
	take_label(start, labels, "traceparent", arena_strndup(arena, (const char *)traceparent.data, traceparent.len));
	if (tracestate.len > 0 && tracestate.len <= TRACESTATE_BYTES_MAX &&
	    utf8_is_valid(tracestate.data, tracestate.len))
		take_label(start, labels, "tracestate",
			   arena_strndup(arena, (const char *)tracestate.data, tracestate.len));
}

/* ---- StartSaga ---- */
static void on_started(void *ctx, const struct saga_view *view, bool already_existed, const struct error *err)
{
	struct server_call *call = ctx;
	Saga__V1__StartSagaResponse response = SAGA__V1__START_SAGA_RESPONSE__INIT;
	struct error failure;
	struct arena arena;

	if (err) {
		const struct status status = status_of_error(err);

		server_call_fail(call, &status);
		return;
	}
	arena_init_small(&arena, ANSWER_BYTES);
	response.already_existed = already_existed;
	if (saga_message_make(view, false, &arena, &response.saga, &failure))
		server_call_fail_with(call, &failure);
	else
		server_call_answer(call, &response.base);
	arena_release(&arena);
}

/* Whoever floods us is refused thousands of times a second. */
static void refuse_start(struct start_service *service, struct server_call *call, const struct status *status)
{
	if (status->reason != OVERLOADED) {
		server_call_fail(call, status);
		return;
	}
	if (!service->overloaded)
		service->overloaded = prepared_status_new(status);
	server_call_fail_prepared(call, service->overloaded);
}

static void start_saga(void *ctx, struct server_call *call, const ProtobufCMessage *message,
		       struct arena *request_arena)
{
	struct start_service *service = ctx;
	struct start_request start;
	struct buffer input = {0};
	struct arena *arena =
		&service->arena; /* not the request's: that one is bounded, and may be full of the request */
	struct problems problems;
	struct status status;

	(void)request_arena;
	arena_clear(arena);
	problems_init(&problems);
	if (prepare(service, (const Saga__V1__StartSagaRequest *)message, arena, &input, &problems, &start, &status)) {
		keep_trace(call, &start, arena);
		start.actor = server_call_caller(call);
		engine_start_saga(service->engine, &start, on_started, call);
	} else {
		refuse_start(service, call, &status);
	}
	problems_release(&problems);
	buffer_release(&input);
}

/* ---- BatchStartSagas ---- */
struct batch;

struct batch_item {
	struct batch *batch;
	struct buffer result; /* a packed StartSagaResult */
};

/* Whoever sets the last result answers and frees it. */
struct batch {
	struct server_call *call;
	atomic_size_t open; /* results that are not set, and one for the request's thread while it prepares */
	size_t count;
	struct batch_item items[];
};

static void finish_one(struct batch *batch)
{
	struct buffer answer = {0};

	if (atomic_fetch_sub(&batch->open, 1) != 1)
		return;
	for (size_t i = 0; i < batch->count; i++) {
		const struct buffer *result = &batch->items[i].result;

		buffer_append_byte(&answer, 1 << 3 | 2); /* field 1, of a length */
		for (size_t left = result->len;; left >>= 7) {
			buffer_append_byte(&answer, (uint8_t)(left > 0x7f ? left | 0x80 : left));
			if (left <= 0x7f)
				break;
		}
		buffer_append(&answer, result->data, result->len);
		buffer_release(&batch->items[i].result);
	}
	server_call_answer_bytes(batch->call, buffer_bytes(&answer));
	buffer_release(&answer);
	free(batch);
}

static void set_result(struct batch_item *item, const Saga__V1__StartSagaResult *result)
{
	size_t len = saga__v1__start_saga_result__get_packed_size(result);

	buffer_reserve(&item->result, len);
	item->result.len = saga__v1__start_saga_result__pack(result, item->result.data);
	finish_one(item->batch);
}

static void set_error(struct batch_item *item, const struct status *status)
{
	Saga__V1__StartSagaResult result = SAGA__V1__START_SAGA_RESULT__INIT;
	struct arena arena;

	arena_init(&arena, 0);
	result.result_case = SAGA__V1__START_SAGA_RESULT__RESULT_ERROR;
	result.error = status_to_message(status, &arena);
	set_result(item, &result);
	arena_release(&arena);
}

static void on_item_started(void *ctx, const struct saga_view *view, bool already_existed, const struct error *err)
{
	Saga__V1__StartSagaResult result = SAGA__V1__START_SAGA_RESULT__INIT;
	Saga__V1__StartSagaResponse response = SAGA__V1__START_SAGA_RESPONSE__INIT;
	struct error failure;
	struct arena arena;

	arena_init_small(&arena, ANSWER_BYTES);
	if (!err && saga_message_make(view, false, &arena, &response.saga, &failure))
		err = &failure;
	if (err) {
		const struct status status = status_of_error(err);

		set_error(ctx, &status);
	} else {
		response.already_existed = already_existed;
		result.result_case = SAGA__V1__START_SAGA_RESULT__RESULT_RESPONSE;
		result.response = &response;
		set_result(ctx, &result);
	}
	arena_release(&arena);
}

/* What the engine needs of it, out of the arena that the next item clears. */
static struct start_request keep(const struct start_request *start, struct arena *arena)
{
	struct start_request kept = *start;

	kept.key = arena_strdup(arena, start->key);
	kept.input = arena_bytes(arena, start->input);
	kept.labels = arena_copy(arena, start->labels, start->label_count * sizeof(*start->labels));
	return kept;
}

/* Sets the results of those that cannot be started; answers how many can. */
static size_t prepare_all(struct start_service *service, const Saga__V1__BatchStartSagasRequest *request,
			  struct batch *batch, struct arena *kept, struct start_request *starts, void **ctxs)
{
	struct buffer input = {0};
	struct arena arena;
	size_t count = 0;

	arena_init(&arena, 0);
	for (size_t i = 0; i < request->n_requests; i++) {
		struct start_request start;
		struct problems problems;
		struct status status;

		arena_clear(&arena);
		buffer_clear(&input);
		problems_init(&problems);
		if (prepare(service, request->requests[i], &arena, &input, &problems, &start, &status)) {
			starts[count] = keep(&start, kept);
			keep_trace(batch->call, &starts[count], kept);
			starts[count].actor = server_call_caller(batch->call);
			ctxs[count++] = &batch->items[i];
		} else {
			set_error(&batch->items[i], &status);
		}
		problems_release(&problems);
	}
	arena_release(&arena);
	buffer_release(&input);
	return count;
}

static void start_batch(struct start_service *service, struct server_call *call,
			const Saga__V1__BatchStartSagasRequest *request)
{
	size_t max = request->n_requests;
	struct batch *batch = xcalloc(1, sizeof(*batch) + max * sizeof(batch->items[0]));
	struct arena kept; /* not the request's: that one is bounded, and full of the request */
	struct start_request *starts;
	void **ctxs;
	size_t count;

	arena_init(&kept, 0);
	starts = arena_alloc(&kept, max * sizeof(*starts));
	ctxs = arena_alloc(&kept, max * sizeof(*ctxs));
	batch->call = call;
	batch->count = max;
	atomic_init(&batch->open, max + 1);
	for (size_t i = 0; i < max; i++)
		batch->items[i].batch = batch;
	count = prepare_all(service, request, batch, &kept, starts, ctxs);
	engine_start_sagas(service->engine, starts, count, on_item_started, ctxs);
	finish_one(batch);
	arena_release(&kept);
}

static void batch_start_sagas(void *ctx, struct server_call *call, const ProtobufCMessage *message, struct arena *arena)
{
	const Saga__V1__BatchStartSagasRequest *request = (const Saga__V1__BatchStartSagasRequest *)message;
	struct problems problems;
	struct status status;

	if (request->n_requests > 0 && request->n_requests <= START_BATCH_MAX) {
		start_batch(ctx, call, request);
		return;
	}
	problems_init(&problems);
	problems_add(&problems, "requests", "has %zu items, must have 1 to %d", request->n_requests, START_BATCH_MAX);
	(void)refuse_problems(&problems, NULL, arena, &status); /* always false: it makes the status */
	server_call_fail(call, &status);
	problems_release(&problems);
}

struct start_service *start_service_new(struct rpc_server *server, struct catalog *catalog, struct engine *engine)
{
	struct start_service *service = xcalloc(1, sizeof(*service));
	const struct rpc_method methods[] = {
		{"/saga.v1.SagaService/StartSaga", RPC_KIND_UNARY, OUTSTANDING,
		 &saga__v1__start_saga_request__descriptor, start_saga, NULL, service, true},
		{"/saga.v1.SagaService/BatchStartSagas", RPC_KIND_UNARY, BATCH_OUTSTANDING,
		 &saga__v1__batch_start_sagas_request__descriptor, batch_start_sagas, NULL, service, true},
	};

	service->catalog = catalog;
	service->engine = engine;
	arena_init(&service->arena, 0);
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		rpc_server_add(server, &methods[i]);
	rpc_server_limit(server, methods[0].path, START_CALLS_MAX);
	return service;
}

void start_service_free(struct start_service *service)
{
	if (!service)
		return;
	prepared_status_free(service->overloaded);
	arena_release(&service->arena);
	free(service);
}
