/* service_test.c - the API over a real connection, with a fake engine behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "coordinator/api/definition_service.h"
#include "coordinator/api/health_service.h"
#include "coordinator/api/rpc_server.h"
#include "coordinator/api/request_service.h"
#include "coordinator/api/saga_service.h"
#include "coordinator/api/start_service.h"
#include "grpc/health/v1/health.pb-c.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_details.h"
#include "saga/v1/saga_service.pb-c.h"
#include "tests/unit/coordinator/api/fake_backend.h"

enum { CALL_MS = 10000, UNTIL_MS = 20000, FEW_GETS = 2 };

struct fixture {
	char address[64];
	struct engine *engine;
	struct rpc_server *server;
	struct start_service *starts;
	struct saga_service *sagas;
	struct request_service *requests;
	struct definition_service *definitions;
	struct health_service *health;
	struct rpc_client *client;
	struct error err;
};

static bool is_serving(void *ctx)
{
	(void)ctx;
	return true;
}

static int set_up_with(void **state, int gets_max)
{
	struct fixture *fixture = test_calloc(1, sizeof(*fixture));

	snprintf(fixture->address, sizeof(fixture->address), "unix:/tmp/service_test.%d", (int)getpid());
	fixture->engine = fake_backend_start();
	fixture->server = rpc_server_new(NULL);
	fixture->starts = start_service_new(fixture->server, NULL, fixture->engine);
	fixture->sagas = saga_service_new(fixture->server, fixture->engine);
	fixture->requests = request_service_new(fixture->server, fixture->engine);
	fixture->definitions = definition_service_new(fixture->server, NULL, fixture->engine);
	fixture->health = health_service_new(fixture->server, is_serving, NULL);
	rpc_server_limit(fixture->server, "/saga.v1.SagaService/GetSaga", gets_max);
	if (rpc_server_start(fixture->server, fixture->address, false, &fixture->err))
		return -1;
	rpc_server_open(fixture->server);
	fixture->client = rpc_client_new(fixture->address);
	*state = fixture;
	return 0;
}

static int set_up(void **state)
{
	return set_up_with(state, 0);
}

static int set_up_with_few_gets(void **state)
{
	return set_up_with(state, FEW_GETS);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	health_service_stop(fixture->health);
	rpc_server_stop_intake(fixture->server);
	fake_backend_release();
	rpc_client_free(fixture->client);
	rpc_server_drain(fixture->server, CALL_MS);
	rpc_server_free(fixture->server);
	fake_backend_stop(fixture->engine); /* after the last call, which may come late where a test failed */
	start_service_free(fixture->starts);
	saga_service_free(fixture->sagas);
	request_service_free(fixture->requests);
	definition_service_free(fixture->definitions);
	health_service_free(fixture->health);
	(void)unlink(fixture->address + strlen("unix:")); /* gRPC may have done it */
	test_free(fixture);
	return 0;
}

static ProtobufCMessage *call(struct fixture *fixture, const char *method, const ProtobufCMessage *request,
			      const ProtobufCMessageDescriptor *answer_type)
{
	ProtobufCMessage *answer = NULL;

	if (rpc_client_call(fixture->client, method, request, answer_type, CALL_MS, &answer, &fixture->err))
		return NULL;
	return answer;
}

static Saga__V1__StartSagaResponse *start_saga(struct fixture *fixture, const Saga__V1__StartSagaRequest *request)
{
	return (Saga__V1__StartSagaResponse *)call(fixture, "/saga.v1.SagaService/StartSaga", &request->base,
						   &saga__v1__start_saga_response__descriptor);
}

/* Requests with one field of input; everything is static, as the tests only vary it. */
static Saga__V1__StartSagaRequest start_request(const char *field, const char *text)
{
	static Google__Protobuf__Value value;
	static Google__Protobuf__Struct__FieldsEntry entry;
	static Google__Protobuf__Struct__FieldsEntry *entries[] = {&entry};
	static Google__Protobuf__Struct json;
	Saga__V1__StartSagaRequest request = SAGA__V1__START_SAGA_REQUEST__INIT;

	google__protobuf__value__init(&value);
	google__protobuf__struct__fields_entry__init(&entry);
	google__protobuf__struct__init(&json);
	value.kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE;
	value.string_value = (char *)text;
	entry.key = (char *)field;
	entry.value = &value;
	json.n_fields = 1;
	json.fields = entries;
	request.definition = (char *)"checkout";
	request.input_case = SAGA__V1__START_SAGA_REQUEST__INPUT_JSON;
	request.json = &json;
	return request;
}

static void wait_until_waiting(int count)
{
	int64_t until_us = clock_monotonic_us() + UNTIL_MS * 1000;

	while (fake_backend_waiting() != count && clock_monotonic_us() < until_us)
		usleep(1000);
	assert_int_equal(fake_backend_waiting(), count);
}

static void starts_a_saga_from_json(void **state)
{
	Saga__V1__StartSagaRequest request = start_request("order_id", "o-1");
	Saga__V1__StartSagaResponse *response = start_saga(*state, &request);

	assert_non_null(response);
	assert_string_equal(response->saga->definition, "checkout");
	assert_string_equal(response->saga->key, "o-1");
	assert_int_equal(response->saga->state, SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING);
	assert_int_equal(response->saga->n_steps, 2);
	assert_int_equal(response->saga->create_time->nanos, 123456000);
	assert_string_equal(fake_backend_last_actor(), "anonymous");
	saga__v1__start_saga_response__free_unpacked(response, NULL);
}

static void replaces_bytes_of_participants_that_are_no_text(void **state)
{
	Saga__V1__StartSagaRequest request = start_request("order_id", "o-1");
	Saga__V1__StartSagaResponse *response = start_saga(*state, &request);

	assert_non_null(response);
	assert_string_equal(response->saga->steps[0]->detail, "bad ? byte");
	saga__v1__start_saga_response__free_unpacked(response, NULL);
}

static void names_every_wrong_field_at_once(void **state)
{
	struct fixture *fixture = *state;
	Saga__V1__StartSagaRequest request = start_request("colour", "red");
	char key[300];

	memset(key, 'k', sizeof(key));
	key[sizeof(key) - 1] = 0;
	request.saga_id = (char *)"no-uuid";
	request.idempotency_key = key;
	assert_null(start_saga(fixture, &request));
	assert_int_equal(fixture->err.code, ERR_INVALID);
	assert_non_null(strstr(fixture->err.msg, "saga_id"));
	assert_non_null(strstr(fixture->err.msg, "idempotency_key"));
	assert_non_null(strstr(fixture->err.msg, "input.order_id"));
	assert_non_null(strstr(fixture->err.msg, "checkout-input version 3"));
}

static void sheds_starts_before_it_looks_at_their_input(void **state)
{
	struct fixture *fixture = *state;
	Saga__V1__StartSagaRequest request = start_request("colour", "red"); /* would be INVALID_ARGUMENT */
	const struct rpc_call call = {.method = "/saga.v1.SagaService/StartSaga",
				      .request = &request.base,
				      .answer_type = &saga__v1__start_saga_response__descriptor,
				      .timeout_ms = CALL_MS};
	struct rpc_failure failure = {0};
	ProtobufCMessage *answer = NULL;

	fake_backend_set_room(false);
	for (int i = 0; i < 3; i++) { /* by one status that is made once */
		assert_int_equal(rpc_client_call_explained(fixture->client, &call, &answer, &failure, &fixture->err),
				 -1);
		assert_int_equal(fixture->err.code, ERR_LIMIT);
		assert_int_equal(rpc_details_retry_after_ms(buffer_bytes(&failure.details)), 1000);
		assert_non_null(memmem(failure.details.data, failure.details.len, "OVERLOADED", strlen("OVERLOADED")));
		buffer_release(&failure.details);
	}
	fake_backend_set_room(true);
}

static void refuses_a_saga_id_of_another_version(void **state)
{
	struct fixture *fixture = *state;
	Saga__V1__StartSagaRequest request = start_request("order_id", "o-1");

	request.saga_id = (char *)"6ba7b810-9dad-11d1-80b4-00c04fd430c8";
	assert_null(start_saga(fixture, &request));
	assert_int_equal(fixture->err.code, ERR_INVALID);
	assert_non_null(strstr(fixture->err.msg, "version 1"));
}

static void refuses_an_input_beyond_its_limit_in_either_form(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(freep)
	char *text = xmalloc(START_INPUT_BYTES_MAX + 2);
	Saga__V1__StartSagaRequest request = start_request("order_id", text);

	memset(text, 'x', START_INPUT_BYTES_MAX + 1);
	text[START_INPUT_BYTES_MAX + 1] = 0;
	assert_null(start_saga(fixture, &request));
	assert_int_equal(fixture->err.code, ERR_LIMIT);
	assert_non_null(strstr(fixture->err.msg, "has 262145 bytes"));
	request.input_case = SAGA__V1__START_SAGA_REQUEST__INPUT_ENCODED;
	request.encoded = (ProtobufCBinaryData){START_INPUT_BYTES_MAX + 1, (uint8_t *)text};
	assert_null(start_saga(fixture, &request));
	assert_int_equal(fixture->err.code, ERR_LIMIT);
	assert_non_null(strstr(fixture->err.msg, "has 262145 bytes"));
}

static void suggests_names_for_an_unknown_definition(void **state)
{
	struct fixture *fixture = *state;
	Saga__V1__StartSagaRequest request = start_request("order_id", "o-1");

	request.definition = (char *)"chekout";
	assert_null(start_saga(fixture, &request));
	assert_int_equal(fixture->err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(fixture->err.msg, "'checkout'"));
	request.definition = (char *)"checkout";
	request.definition_version = 9;
	assert_null(start_saga(fixture, &request));
	assert_non_null(strstr(fixture->err.msg, "newest is 1"));
}

static void is_unavailable_while_the_definition_is_not_ready(void **state)
{
	struct fixture *fixture = *state;
	Saga__V1__StartSagaRequest request = start_request("order_id", "o-1");

	fake_backend_set_ready(false);
	assert_null(start_saga(fixture, &request));
	fake_backend_set_ready(true);
	assert_int_equal(fixture->err.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(fixture->err.msg, "order.created"));
}

static void is_invalid_for_an_id_that_is_no_uuid(void **state)
{
	struct fixture *fixture = *state;
	Saga__V1__GetSagaRequest request = SAGA__V1__GET_SAGA_REQUEST__INIT;

	request.saga_id = (char *)"x";
	assert_null(
		call(fixture, "/saga.v1.SagaService/GetSaga", &request.base, &saga__v1__get_saga_response__descriptor));
	assert_int_equal(fixture->err.code, ERR_INVALID);
}

static void shows_history_and_input_of_a_saga(void **state)
{
	Saga__V1__GetSagaRequest request = SAGA__V1__GET_SAGA_REQUEST__INIT;
	Saga__V1__GetSagaResponse *response;

	request.saga_id = (char *)"018bcfe5-6800-7000-8000-000000000001";
	response = (Saga__V1__GetSagaResponse *)call(*state, "/saga.v1.SagaService/GetSaga", &request.base,
						     &saga__v1__get_saga_response__descriptor);
	assert_non_null(response);
	assert_string_equal(response->saga->saga_id, request.saga_id);
	assert_int_equal(response->saga->n_events, 1);
	assert_string_equal(response->saga->events[0]->event, "started");
	assert_string_equal(response->saga->events[0]->actor, "ann");
	assert_string_equal(response->saga->input->fields[0]->value->string_value, "order-1");
	saga__v1__get_saga_response__free_unpacked(response, NULL);
}

static Saga__V1__CancelSagaResponse *cancel_saga(struct fixture *fixture, const char *reason)
{
	Saga__V1__CancelSagaRequest request = SAGA__V1__CANCEL_SAGA_REQUEST__INIT;

	request.saga_id = (char *)"01890a5d-ac96-774b-bcce-b302099a8057";
	request.reason = (char *)reason;
	return (Saga__V1__CancelSagaResponse *)call(fixture, "/saga.v1.SagaService/CancelSaga", &request.base,
						    &saga__v1__cancel_saga_response__descriptor);
}

static void cancels_a_saga_and_says_whether_it_had_turned_back_before(void **state)
{
	Saga__V1__CancelSagaResponse *response = cancel_saga(*state, "changed my mind");

	assert_non_null(response);
	assert_string_equal(response->saga->saga_id, "01890a5d-ac96-774b-bcce-b302099a8057");
	assert_false(response->already_turned_back);
	assert_string_equal(fake_backend_last_actor(), "anonymous");
	saga__v1__cancel_saga_response__free_unpacked(response, NULL);
	response = cancel_saga(*state, "again");
	assert_non_null(response);
	assert_true(response->already_turned_back);
	saga__v1__cancel_saga_response__free_unpacked(response, NULL);
}

static Saga__V1__SignalSagaResponse *signal_saga(struct fixture *fixture, const char *reason, double number)
{
	Saga__V1__SignalSagaRequest request = SAGA__V1__SIGNAL_SAGA_REQUEST__INIT;
	Saga__V1__StartSagaRequest other = start_request("by", "ann");

	request.saga_id = (char *)"01890a5d-ac96-774b-bcce-b302099a8057";
	request.signal = (char *)"approved";
	request.reason = (char *)reason;
	request.value = other.json;
	if (number != 0) {
		other.json->fields[0]->value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE;
		other.json->fields[0]->value->number_value = number;
	}
	return (Saga__V1__SignalSagaResponse *)call(fixture, "/saga.v1.SagaService/SignalSaga", &request.base,
						    &saga__v1__signal_saga_response__descriptor);
}

static void hands_a_signals_value_on_as_json(void **state)
{
	Saga__V1__SignalSagaResponse *response = signal_saga(*state, "", 0);

	assert_non_null(response);
	assert_string_equal(fake_backend_last_value(), "{\"by\":\"ann\"}");
	saga__v1__signal_saga_response__free_unpacked(response, NULL);
}

static void tells_a_value_that_does_not_fit_from_one_that_differs(void **state)
{
	struct fixture *fixture = *state;

	assert_null(signal_saga(fixture, "other value", 0));
	assert_int_equal(fixture->err.code, ERR_CONFLICT);
	assert_non_null(strstr(fixture->err.msg, "before, with another value"));
	assert_null(signal_saga(fixture, "bad value", 0));
	assert_int_equal(fixture->err.code, ERR_INVALID);
	assert_non_null(strstr(fixture->err.msg, "value.by: no such person"));
	assert_null(signal_saga(fixture, "", INFINITY));
	assert_int_equal(fixture->err.code, ERR_INVALID);
	assert_non_null(strstr(fixture->err.msg, "value.by"));
}

static void refuses_a_cancel_with_the_state_and_the_reason(void **state)
{
	struct fixture *fixture = *state;

	assert_null(cancel_saga(fixture, "too late"));
	assert_int_equal(fixture->err.code, ERR_PRECONDITION);
	assert_non_null(strstr(fixture->err.msg, "is RUNNING and cannot be cancelled: the pivot has begun"));
	assert_null(cancel_saga(fixture, ""));
	assert_int_equal(fixture->err.code, ERR_INVALID);
	assert_non_null(strstr(fixture->err.msg, "reason: is required"));
}

static void passes_a_later_start_on_and_refuses_illegal_times(void **state)
{
	struct fixture *fixture = *state;
	Saga__V1__StartSagaRequest request = start_request("order_id", "o-1");
	Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
	Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Saga__V1__StartSagaResponse *response;

	request.start_case = SAGA__V1__START_SAGA_REQUEST__START_DELAY;
	request.delay = &delay;
	delay.seconds = 90;
	delay.nanos = 5000000;
	response = start_saga(fixture, &request);
	assert_non_null(response);
	assert_int_equal(response->saga->start_time->seconds, 90);
	assert_int_equal(response->saga->start_time->nanos, 5000000);
	saga__v1__start_saga_response__free_unpacked(response, NULL);
	delay.seconds = -1;
	assert_null(start_saga(fixture, &request));
	assert_non_null(strstr(fixture->err.msg, "delay: "));
	delay.seconds = INT64_C(11) * 366 * 86400;
	assert_null(start_saga(fixture, &request));
	assert_non_null(strstr(fixture->err.msg, "delay: is more than ten years"));
	request.start_case = SAGA__V1__START_SAGA_REQUEST__START_START_TIME;
	request.start_time = &time;
	time.nanos = -1;
	assert_null(start_saga(fixture, &request));
	assert_int_equal(fixture->err.code, ERR_INVALID);
	assert_non_null(strstr(fixture->err.msg, "start_time: "));
}

static void gives_each_item_of_a_batch_its_own_result(void **state)
{
	struct fixture *fixture = *state;
	Saga__V1__BatchStartSagasRequest request = SAGA__V1__BATCH_START_SAGAS_REQUEST__INIT;
	Saga__V1__StartSagaRequest good = start_request("order_id", "o-1");
	Saga__V1__StartSagaRequest unknown = good;
	Saga__V1__StartSagaRequest *items[] = {&good, &unknown, &good};
	Saga__V1__BatchStartSagasResponse *response;

	unknown.definition = (char *)"chekout";
	request.requests = items;
	request.n_requests = 3;
	response = (Saga__V1__BatchStartSagasResponse *)call(fixture, "/saga.v1.SagaService/BatchStartSagas",
							     &request.base,
							     &saga__v1__batch_start_sagas_response__descriptor);
	assert_non_null(response);
	assert_int_equal(response->n_results, 3);
	assert_int_equal(response->results[0]->result_case, SAGA__V1__START_SAGA_RESULT__RESULT_RESPONSE);
	assert_string_equal(response->results[2]->response->saga->key, "o-1");
	assert_int_equal(response->results[1]->result_case, SAGA__V1__START_SAGA_RESULT__RESULT_ERROR);
	assert_int_equal(response->results[1]->error->code, 5);
	assert_true(response->results[1]->error->n_details >= 2);
	saga__v1__batch_start_sagas_response__free_unpacked(response, NULL);
	request.n_requests = 0;
	assert_null(call(fixture, "/saga.v1.SagaService/BatchStartSagas", &request.base,
			 &saga__v1__batch_start_sagas_response__descriptor));
	assert_int_equal(fixture->err.code, ERR_INVALID);
}

static void count_done(void *ctx, ProtobufCMessage *answer, const struct error *err)
{
	atomic_int *counts = ctx;

	atomic_fetch_add(&counts[err ? 1 : 0], 1);
	if (answer)
		protobuf_c_message_free_unpacked(answer, NULL);
}

static void start_wait(struct fixture *fixture, int64_t wait_s, int64_t timeout_ms, atomic_int *counts)
{
	Saga__V1__GetSagaRequest request = SAGA__V1__GET_SAGA_REQUEST__INIT;
	Google__Protobuf__Duration wait = GOOGLE__PROTOBUF__DURATION__INIT;

	wait.seconds = wait_s;
	request.saga_id = (char *)"018bcfe5-6800-7000-8000-000000000001";
	request.wait = &wait;
	rpc_client_start(fixture->client, "/saga.v1.SagaService/GetSaga", &request.base,
			 &saga__v1__get_saga_response__descriptor, timeout_ms, count_done, counts);
}

static void wait_until_counted(atomic_int *count, int expected)
{
	int64_t until_us = clock_monotonic_us() + UNTIL_MS * 1000;

	while (atomic_load(count) < expected && clock_monotonic_us() < until_us)
		usleep(1000);
	assert_int_equal(atomic_load(count), expected);
}

static void holds_ten_thousand_waits_at_once(void **state)
{
	enum { WAITS = 10000 };
	atomic_int counts[2] = {0};

	for (int i = 0; i < WAITS; i++)
		start_wait(*state, 50, 60000, counts);
	wait_until_waiting(WAITS);
	fake_backend_release();
	wait_until_counted(&counts[0], WAITS);
	assert_int_equal(atomic_load(&counts[1]), 0);
}

static void refuses_calls_beyond_their_methods_limit(void **state)
{
	atomic_int counts[2] = {0};

	for (int i = 0; i < FEW_GETS; i++)
		start_wait(*state, 50, 60000, counts);
	wait_until_waiting(FEW_GETS);
	start_wait(*state, 50, 60000, counts);
	wait_until_counted(&counts[1], 1);
	fake_backend_release();
	wait_until_counted(&counts[0], FEW_GETS);
	start_wait(*state, 50, 60000, counts); /* there is room again */
	wait_until_waiting(1);
	fake_backend_release();
	wait_until_counted(&counts[0], FEW_GETS + 1);
	assert_int_equal(atomic_load(&counts[1]), 1);
}

static void bounds_a_wait_by_the_calls_deadline(void **state)
{
	atomic_int counts[2] = {0};

	start_wait(*state, 500, 3000, counts);
	wait_until_waiting(1);
	assert_in_range(fake_backend_last_wait(), 2000, 2950);
	fake_backend_release();
	wait_until_counted(&counts[0], 1);
}

static void lets_go_of_waits_whose_client_is_gone(void **state)
{
	enum { WAITS = 100 };
	struct fixture *fixture = *state;
	atomic_int counts[2] = {0};

	for (int i = 0; i < WAITS; i++)
		start_wait(fixture, 50, 200, counts); /* the fake does not answer in time */
	wait_until_counted(&counts[1], WAITS);
	fake_backend_release(); /* answers to nobody, at shutdown at the latest */
	starts_a_saga_from_json(state);
}

static void survives_answers_that_meet_the_end_of_their_calls(void **state)
{
	enum { WAITS = 3000 };
	atomic_int counts[2] = {0};
	int64_t until_us = clock_monotonic_us() + UNTIL_MS * 1000;

	for (int i = 0; i < WAITS; i++)
		start_wait(*state, 50, 1 + i % 60, counts);
	while (atomic_load(&counts[0]) + atomic_load(&counts[1]) < WAITS && clock_monotonic_us() < until_us)
		fake_backend_release();
	assert_int_equal(atomic_load(&counts[0]) + atomic_load(&counts[1]), WAITS);
	starts_a_saga_from_json(state);
}

static void tells_unknown_methods_apart(void **state)
{
	struct fixture *fixture = *state;
	Saga__V1__GetSagaRequest request = SAGA__V1__GET_SAGA_REQUEST__INIT;

	assert_null(
		call(fixture, "/saga.v1.SagaService/Nope", &request.base, &saga__v1__get_saga_response__descriptor));
	assert_non_null(strstr(fixture->err.msg, "unknown method"));
}

static void puts_definitions_and_reports_problems_with_their_places(void **state)
{
	struct fixture *fixture = *state;
	Saga__V1__PutDefinitionRequest request = SAGA__V1__PUT_DEFINITION_REQUEST__INIT;
	Saga__V1__PutDefinitionResponse *response;

	request.source = (char *)"saga: checkout";
	request.file_name = (char *)"x.yaml";
	response = (Saga__V1__PutDefinitionResponse *)call(fixture, "/saga.v1.SagaService/PutDefinition", &request.base,
							   &saga__v1__put_definition_response__descriptor);
	assert_non_null(response);
	assert_true(response->created);
	assert_true(response->definition->ready);
	assert_int_equal(response->definition->n_schemas, 1);
	assert_string_equal(response->definition->creator, "ann");
	assert_int_equal(response->definition->n_command_topics, 2);
	assert_string_equal(response->definition->command_topics[1], "order.cancel.command");
	assert_int_equal(response->definition->n_reply_topics, 1);
	assert_string_equal(response->definition->reply_topics[0], "order.created");
	assert_string_equal(fake_backend_last_actor(), "anonymous");
	saga__v1__put_definition_response__free_unpacked(response, NULL);
	request.source = (char *)"!";
	assert_null(call(fixture, "/saga.v1.SagaService/PutDefinition", &request.base,
			 &saga__v1__put_definition_response__descriptor));
	assert_int_equal(fixture->err.code, ERR_INVALID);
	assert_non_null(strstr(fixture->err.msg, "x.yaml:1:1"));
}

static void lists_definitions_without_their_sources(void **state)
{
	Saga__V1__ListDefinitionsRequest request = SAGA__V1__LIST_DEFINITIONS_REQUEST__INIT;
	Saga__V1__ListDefinitionsResponse *response =
		(Saga__V1__ListDefinitionsResponse *)call(*state, "/saga.v1.SagaService/ListDefinitions", &request.base,
							  &saga__v1__list_definitions_response__descriptor);

	assert_non_null(response);
	assert_int_equal(response->n_definitions, 1);
	assert_string_equal(response->definitions[0]->source, "");
	assert_string_equal(response->next_page_token, "");
	saga__v1__list_definitions_response__free_unpacked(response, NULL);
}

static void is_not_serving_once_it_stops(void **state)
{
	struct fixture *fixture = *state;
	Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;

	for (int i = 0; i < 2; i++) {
		Grpc__Health__V1__HealthCheckResponse *response = (Grpc__Health__V1__HealthCheckResponse *)call(
			fixture, "/grpc.health.v1.Health/Check", &request.base,
			&grpc__health__v1__health_check_response__descriptor);

		assert_non_null(response);
		assert_int_equal(response->status,
				 i ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
				   : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING);
		grpc__health__v1__health_check_response__free_unpacked(response, NULL);
		health_service_stop(fixture->health);
	}
}

static void is_unavailable_until_it_is_opened(void **state)
{
	struct error err;
	struct rpc_server *server = rpc_server_new(NULL);
	struct start_service *starts = start_service_new(server, NULL, NULL);
	char address[64];
	struct fixture closed = {0};
	Saga__V1__StartSagaRequest request = start_request("order_id", "o-1");

	(void)state;
	assert_int_equal(rpc_server_start(server, "127.0.0.1:0", false, &err), 0);
	snprintf(address, sizeof(address), "127.0.0.1:%d", rpc_server_port(server));
	closed.client = rpc_client_new(address);
	assert_null(start_saga(&closed, &request));
	assert_int_equal(closed.err.code, ERR_UNAVAILABLE);
	rpc_client_free(closed.client);
	rpc_server_drain(server, CALL_MS);
	rpc_server_free(server);
	start_service_free(starts);
}

static void refuses_an_address_that_is_in_use(void **state)
{
	struct error err;
	struct rpc_server *first = rpc_server_new(NULL);
	struct rpc_server *second = rpc_server_new(NULL);
	char address[32];

	(void)state;
	assert_int_equal(rpc_server_start(first, "127.0.0.1:0", false, &err), 0);
	snprintf(address, sizeof(address), "127.0.0.1:%d", rpc_server_port(first));
	assert_int_equal(rpc_server_start(second, address, false, &err), -1);
	assert_int_equal(err.code, ERR_CONFLICT);
	rpc_server_drain(first, CALL_MS);
	rpc_server_free(first);
	rpc_server_free(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(starts_a_saga_from_json, set_up, tear_down),
		cmocka_unit_test_setup_teardown(replaces_bytes_of_participants_that_are_no_text, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_every_wrong_field_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sheds_starts_before_it_looks_at_their_input, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_a_saga_id_of_another_version, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_an_input_beyond_its_limit_in_either_form, set_up, tear_down),
		cmocka_unit_test_setup_teardown(suggests_names_for_an_unknown_definition, set_up, tear_down),
		cmocka_unit_test_setup_teardown(is_unavailable_while_the_definition_is_not_ready, set_up, tear_down),
		cmocka_unit_test_setup_teardown(is_invalid_for_an_id_that_is_no_uuid, set_up, tear_down),
		cmocka_unit_test_setup_teardown(shows_history_and_input_of_a_saga, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cancels_a_saga_and_says_whether_it_had_turned_back_before, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(hands_a_signals_value_on_as_json, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_a_value_that_does_not_fit_from_one_that_differs, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(refuses_a_cancel_with_the_state_and_the_reason, set_up, tear_down),
		cmocka_unit_test_setup_teardown(passes_a_later_start_on_and_refuses_illegal_times, set_up, tear_down),
		cmocka_unit_test_setup_teardown(gives_each_item_of_a_batch_its_own_result, set_up, tear_down),
		cmocka_unit_test_setup_teardown(holds_ten_thousand_waits_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_calls_beyond_their_methods_limit, set_up_with_few_gets,
						tear_down),
		cmocka_unit_test_setup_teardown(bounds_a_wait_by_the_calls_deadline, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lets_go_of_waits_whose_client_is_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(survives_answers_that_meet_the_end_of_their_calls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_unknown_methods_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(puts_definitions_and_reports_problems_with_their_places, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(lists_definitions_without_their_sources, set_up, tear_down),
		cmocka_unit_test_setup_teardown(is_not_serving_once_it_stops, set_up, tear_down),
		cmocka_unit_test(is_unavailable_until_it_is_opened),
		cmocka_unit_test(refuses_an_address_that_is_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
