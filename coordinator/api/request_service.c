/*
 * request_service.c - see request_service.h. The calls differ in their names and in a field or two, so they are rows of
 * one table; fields are found by name in the messages' descriptors.
 */
#include "coordinator/api/request_service.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/api/saga_message.h"
#include "coordinator/api/struct_value.h"
#include "coordinator/definition/plan.h"
#include "lib/base/memory.h"
#include "lib/base/spelling.h"
#include "saga/v1/saga_service.pb-c.h"

enum { OUTSTANDING = 64, VALUE_JSON_BYTES_MAX = 4 * PLAN_INPUT_BYTES_MAX };

static const struct asked {
	const char *path;
	const ProtobufCMessageDescriptor *request;
	const ProtobufCMessageDescriptor *response; /* a saga, and for some whether it was so before */
	enum saga_event_type type;
	const char *refusal; /* "saga '…' is RUNNING and …" */
	const char *reason;  /* of the google.rpc.ErrorInfo */
} ASKED[] = {
	{"/saga.v1.SagaService/CancelSaga", &saga__v1__cancel_saga_request__descriptor,
	 &saga__v1__cancel_saga_response__descriptor, SAGA_EVENT_CANCELLED, "cannot be cancelled", "CANCEL_REFUSED"},
	{"/saga.v1.SagaService/PauseSaga", &saga__v1__pause_saga_request__descriptor,
	 &saga__v1__pause_saga_response__descriptor, SAGA_EVENT_PAUSED, "cannot be paused", "PAUSE_REFUSED"},
	{"/saga.v1.SagaService/ResumeSaga", &saga__v1__resume_saga_request__descriptor,
	 &saga__v1__resume_saga_response__descriptor, SAGA_EVENT_RESUMED, "cannot be resumed", "RESUME_REFUSED"},
	{"/saga.v1.SagaService/RetrySaga", &saga__v1__retry_saga_request__descriptor,
	 &saga__v1__retry_saga_response__descriptor, SAGA_EVENT_RETRY_REQUESTED, "cannot be tried again",
	 "RETRY_REFUSED"},
	{"/saga.v1.SagaService/SkipStep", &saga__v1__skip_step_request__descriptor,
	 &saga__v1__skip_step_response__descriptor, SAGA_EVENT_SKIP_REQUESTED, "cannot go on without the step",
	 "SKIP_REFUSED"},
	{"/saga.v1.SagaService/ResolveSaga", &saga__v1__resolve_saga_request__descriptor,
	 &saga__v1__resolve_saga_response__descriptor, SAGA_EVENT_RESOLVED_FAILED, "cannot be resolved",
	 "RESOLVE_REFUSED"},
	{"/saga.v1.SagaService/SignalSaga", &saga__v1__signal_saga_request__descriptor,
	 &saga__v1__signal_saga_response__descriptor, SAGA_EVENT_SIGNALLED, "does not take the signal",
	 "SIGNAL_REFUSED"},
};

/* What a method's handler is called with. */
struct asked_of {
	const struct asked *asked;
	struct engine *engine;
};

struct request_call {
	const struct asked *asked;
	struct server_call *call;
	struct uuid saga_id;
	char step_id[STEP_ID_BYTES_MAX + 1]; /* empty: of no step */
};

/* ---- answers ---- */
static void refuse(const struct request_call *request, const struct request_answer *answer, struct arena *arena)
{
	const char *state = saga_state_name(answer->view->saga->state);
	char id[UUID_TEXT_LEN + 1];

	uuid_format(answer->view->saga->id, id);
	server_call_fail(request->call, &(struct status){
						.code = ERR_PRECONDITION,
						.message = arena_format(arena, "saga '%s' is %s and %s: %s", id, state,
									request->asked->refusal, answer->why),
						.reason = request->asked->reason,
						.metadata = {{"saga_id", id}, {"state", state}},
						.precondition = {"SAGA_STATE", id, answer->why},
					});
}

/* False: there is such a step, or none was named. */
static bool refuse_step(const struct request_call *request, const struct plan *plan, struct arena *arena)
{
	const struct definition *definition = &plan->definition;
	const char *names[DEFINITION_STEPS_MAX];
	const char *nearest;

	if (!*request->step_id)
		return false;
	for (size_t i = 0; i < definition->step_count; i++) {
		names[i] = definition->steps[i].id;
		if (strcmp(names[i], request->step_id) == 0)
			return false;
	}
	nearest = spelling_nearest(request->step_id, names, definition->step_count);
	server_call_fail(request->call,
			 &(struct status){
				 .code = ERR_NOT_FOUND,
				 .message = arena_format(
					 arena, "definition '%s' has no step '%s'%s%s%s", definition->name,
					 request->step_id, nearest ? "; near is '" : "",
					 nearest ? nearest : "; GetSaga shows the saga's steps", nearest ? "'" : ""),
				 .reason = "STEP_NOT_FOUND",
				 .metadata = {{"definition", definition->name}, {"step_id", request->step_id}},
				 .resource = {"saga.v1.Step", request->step_id},
			 });
	return true;
}

static void answer_with(const struct request_call *request, Saga__V1__Saga *saga, bool was_before, struct arena *arena)
{
	const ProtobufCMessageDescriptor *descriptor = request->asked->response;
	ProtobufCMessage *response = arena_zalloc(arena, descriptor->sizeof_message);

	protobuf_c_message_init(descriptor, response);
	assert(descriptor->fields[0].descriptor == &saga__v1__saga__descriptor);
	memcpy((char *)response + descriptor->fields[0].offset, &saga, sizeof(saga));
	if (descriptor->n_fields > 1) {
		assert(descriptor->fields[1].type == PROTOBUF_C_TYPE_BOOL);
		*(protobuf_c_boolean *)((char *)response + descriptor->fields[1].offset) = was_before;
	}
	server_call_answer(request->call, response);
}

static void give_answer(const struct request_call *request, const struct request_answer *answer, struct arena *arena)
{
	Saga__V1__Saga *saga = NULL;
	struct error failure;

	if (answer->verdict == SAGA_VERDICT_REFUSED)
		refuse(request, answer, arena);
	else if (saga_message_make(answer->view, false, arena, &saga, &failure))
		server_call_fail_with(request->call, &failure);
	else
		answer_with(request, saga, answer->verdict == SAGA_VERDICT_IGNORED, arena);
}

static void on_answer(void *ctx, const struct request_answer *answer)
{
	_cleanup_(freep)
	struct request_call *request = ctx;
	struct saga_error_texts texts;
	struct arena arena;

	if (answer->problems) {
		server_call_fail_problems(request->call, answer->problems);
		return;
	}
	if (answer->err) {
		struct status status = saga_error_status(request->saga_id, answer->err, &texts);

		if (answer->err->code == ERR_CONFLICT) {
			uuid_format(request->saga_id, texts.id);
			status.reason = "SIGNAL_ALREADY_EXISTS";
			status.resource = (struct status_resource){"saga.v1.Saga", texts.id};
		}
		server_call_fail(request->call, &status);
		return;
	}
	arena_init(&arena, 0);
	if (!refuse_step(request, answer->view->plan, &arena))
		give_answer(request, answer, &arena);
	arena_release(&arena);
}

/* ---- requests ---- */
/* A text of the request; "" where the message has no such field. */
static const char *text_of(const ProtobufCMessage *message, const char *name)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
	const char *text;

	if (!field)
		return "";
	assert(field->type == PROTOBUF_C_TYPE_STRING);
	memcpy(&text, (const char *)message + field->offset, sizeof(text));
	return text;
}

static enum saga_event_type check_outcome(const Saga__V1__ResolveSagaRequest *request, struct problems *problems)
{
	switch (request->outcome) {
	case SAGA__V1__RESOLVED_OUTCOME__RESOLVED_OUTCOME_COMPLETED:
		return SAGA_EVENT_RESOLVED_COMPLETED;
	case SAGA__V1__RESOLVED_OUTCOME__RESOLVED_OUTCOME_COMPENSATED:
		return SAGA_EVENT_RESOLVED_COMPENSATED;
	case SAGA__V1__RESOLVED_OUTCOME__RESOLVED_OUTCOME_FAILED:
		return SAGA_EVENT_RESOLVED_FAILED;
	default:
		problems_add(problems, "outcome",
			     "is required: RESOLVED_OUTCOME_COMPLETED, RESOLVED_OUTCOME_COMPENSATED or "
			     "RESOLVED_OUTCOME_FAILED");
		return SAGA_EVENT_RESOLVED_FAILED;
	}
}

static void check_reason(const char *reason, bool is_required, struct problems *problems)
{
	const size_t len = strlen(reason);

	if (len == 0 && is_required)
		problems_add(problems, "reason", "is required: the saga's log says why it was done");
	if (len > REQUEST_REASON_BYTES_MAX)
		problems_add(problems, "reason", "has %zu bytes, at most %d are allowed", len,
			     REQUEST_REASON_BYTES_MAX);
}

/* As JSON text, which the engine checks: the schema is that of the saga's definition, and only the engine knows the saga. */
static void read_value(const Google__Protobuf__Struct *message, struct buffer *json, struct problems *problems)
{
	_cleanup_(arena_release)
	struct arena tree = {.limit_bytes = PLAN_TREE_BYTES_MAX};
	const size_t before = problems->count;
	struct value value;
	bool is_read;

	if (!message)
		return;
	is_read = struct_to_value(message, "value", &tree, &value, problems) == 0;
	if (is_read)
		value_print_json(&value, json);
	if (problems->count == before && (!is_read || json->len > VALUE_JSON_BYTES_MAX))
		problems_add(problems, "value", "has more than %d bytes as JSON", VALUE_JSON_BYTES_MAX);
}

static void check_signal(const Saga__V1__SignalSagaRequest *message, struct saga_request *request, struct buffer *json,
			 struct problems *problems)
{
	request->signal = message->signal;
	if (!*request->signal)
		problems_add(problems, "signal", "is required: the name that the definition's step waits for");
	read_value(message->value, json, problems);
	request->value = buffer_bytes(json);
}

static void ask(void *ctx, struct server_call *call, const ProtobufCMessage *message, struct arena *arena)
{
	const struct asked_of *of = ctx;
	struct saga_request request = {
		.type = of->asked->type, .actor = server_call_caller(call), .reason = text_of(message, "reason")};
	_cleanup_(buffer_release)
	struct buffer json = {0};
	struct problems problems;
	struct request_call *ctx_of_answer;
	struct uuid id = {0};

	(void)arena;
	problems_init(&problems);
	saga_id_check(text_of(message, "saga_id"), &id, &problems);
	check_reason(request.reason, request.type != SAGA_EVENT_SIGNALLED, &problems);
	if (request.type == SAGA_EVENT_SIGNALLED)
		check_signal((const Saga__V1__SignalSagaRequest *)message, &request, &json, &problems);
	if (request.type == SAGA_EVENT_SKIP_REQUESTED) {
		request.step_id = text_of(message, "step_id");
		if (!*request.step_id)
			problems_add(&problems, "step_id", "is required: GetSaga shows which steps are stuck");
		if (strlen(request.step_id) > STEP_ID_BYTES_MAX)
			problems_add(&problems, "step_id", "has %zu bytes, at most %d are allowed",
				     strlen(request.step_id), STEP_ID_BYTES_MAX);
	}
	if (request.type == SAGA_EVENT_RESOLVED_FAILED)
		request.type = check_outcome((const Saga__V1__ResolveSagaRequest *)message, &problems);
	if (problems.count) {
		server_call_fail_problems(call, &problems);
	} else {
		ctx_of_answer = xmalloc(sizeof(*ctx_of_answer));
		*ctx_of_answer = (struct request_call){.asked = of->asked, .call = call, .saga_id = id};
		if (request.step_id)
			(void)snprintf(ctx_of_answer->step_id, sizeof(ctx_of_answer->step_id), "%s", request.step_id);
		engine_request(of->engine, id, &request, on_answer, ctx_of_answer);
	}
	problems_release(&problems);
}

struct request_service {
	struct asked_of of[ARRAY_LEN(ASKED)];
};

struct request_service *request_service_new(struct rpc_server *server, struct engine *engine)
{
	struct request_service *service = xcalloc(1, sizeof(*service));

	for (size_t i = 0; i < ARRAY_LEN(ASKED); i++) {
		service->of[i] = (struct asked_of){&ASKED[i], engine};
		rpc_server_add(server, &(struct rpc_method){ASKED[i].path, RPC_KIND_UNARY, OUTSTANDING,
							    ASKED[i].request, ask, NULL, &service->of[i], true});
	}
	return service;
}

void request_service_free(struct request_service *service)
{
	free(service);
}
