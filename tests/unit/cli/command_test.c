/* command_test.c - sagactl as it is called, against a coordinator inside the test: what it sends, shows and exits with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/memory.h"
#include "lib/rpc/json_struct.h"
#include "proto/google/rpc/error_details.pb-c.h"
#include "proto/google/rpc/status.pb-c.h"
#include "proto/saga/v1/saga_service.pb-c.h"
#include "tests/unit/cli/sagactl_run.h"
#include "tests/unit/lib/rpc/fake_rpc_server.h"

#define SAGA_ID "01900000-0000-7000-8000-000000000001"

/* ---- the coordinator ---- */

static struct {
	int status;
	const char *violations[2]; /* descriptions, of the field `source` */
	int lookups_until_ready;
	char seen[1024]; /* what the last request held */
} coordinator;

static Google__Protobuf__Timestamp at_millis(int64_t millis)
{
	Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	time.seconds = 1700000000 + millis / 1000;
	time.nanos = (int32_t)(millis % 1000) * 1000000;
	return time;
}

/* A payment that was refused after the order was created. */
static void append_saga(struct buffer *out)
{
	Saga__V1__Step steps[2] = {SAGA__V1__STEP__INIT, SAGA__V1__STEP__INIT};
	Saga__V1__Step *step_list[] = {&steps[0], &steps[1]};
	Saga__V1__SagaEvent events[3] = {SAGA__V1__SAGA_EVENT__INIT, SAGA__V1__SAGA_EVENT__INIT,
					 SAGA__V1__SAGA_EVENT__INIT};
	Saga__V1__SagaEvent *event_list[] = {&events[0], &events[1], &events[2]};
	Google__Protobuf__Timestamp times[] = {at_millis(0), at_millis(12), at_millis(1034)};
	Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
	Saga__V1__GetSagaResponse response = SAGA__V1__GET_SAGA_RESPONSE__INIT; /* StartSagaResponse begins alike */

	steps[0].step_id = (char *)"create-order";
	steps[0].state = SAGA__V1__STEP_STATE__STEP_STATE_COMPENSATED;
	steps[0].attempts = steps[0].compensation_attempts = 1;
	steps[0].start_time = &times[0];
	steps[0].update_time = &times[1];
	steps[1].step_id = (char *)"charge-payment";
	steps[1].state = SAGA__V1__STEP_STATE__STEP_STATE_REJECTED;
	steps[1].attempts = 2;
	steps[1].resends = 1;
	steps[1].reason = (char *)"card_declined";
	steps[1].detail = (char *)"no \033[31mfunds";
	for (int i = 0; i < 3; i++)
		events[i].time = &times[i];
	events[0].event = (char *)"started";
	events[0].actor = (char *)"ann\033[1m";
	events[1].event = (char *)"rejected";
	events[1].step_id = steps[1].step_id;
	events[1].phase = SAGA__V1__STEP_PHASE__STEP_PHASE_FORWARD;
	events[1].attempt = 2;
	events[1].reason = steps[1].reason;
	events[1].milestone = (char *)"PAYMENT_FAILED";
	events[2].event = (char *)"succeeded";
	events[2].step_id = steps[0].step_id;
	events[2].phase = SAGA__V1__STEP_PHASE__STEP_PHASE_COMPENSATION;
	events[2].attempt = 1;
	events[2].milestone = (char *)"ORDER_CANCELLED";
	saga.saga_id = (char *)SAGA_ID;
	saga.definition = (char *)"checkout";
	saga.definition_version = 3;
	saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED;
	saga.step = (char *)"PAYMENT_FAILED";
	saga.key = (char *)"order-1";
	saga.version = INT64_C(9007199254740993);
	saga.create_time = &times[0];
	saga.end_time = &times[2];
	saga.n_steps = 2;
	saga.steps = step_list;
	saga.n_events = 3;
	saga.events = event_list;
	response.saga = &saga;
	fake_rpc_append(out, &response.base);
}

static void append_definition(struct buffer *out, bool is_ready)
{
	Saga__V1__Definition definition = SAGA__V1__DEFINITION__INIT;
	Saga__V1__PutDefinitionResponse response = SAGA__V1__PUT_DEFINITION_RESPONSE__INIT;

	definition.name = (char *)"checkout";
	definition.version = 2;
	definition.ready = is_ready;
	response.definition = &definition;
	response.created = true;
	fake_rpc_append(out, &response.base);
}

static void append_violations(struct buffer *ret_details)
{
	Google__Rpc__BadRequest__FieldViolation violations[2] = {GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT,
								 GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT};
	Google__Rpc__BadRequest__FieldViolation *list[] = {&violations[0], &violations[1]};
	Google__Rpc__BadRequest bad_request = GOOGLE__RPC__BAD_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Google__Protobuf__Any *details[] = {&any};
	Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
	_cleanup_(buffer_release)
	struct buffer packed = {0};

	for (int i = 0; i < 2; i++) {
		violations[i].field = (char *)"source";
		violations[i].description = (char *)coordinator.violations[i];
	}
	bad_request.n_field_violations = 2;
	bad_request.field_violations = list;
	fake_rpc_append(&packed, &bad_request.base);
	any.type_url = (char *)"type.googleapis.com/google.rpc.BadRequest";
	any.value = (ProtobufCBinaryData){packed.len, packed.data};
	status.n_details = 1;
	status.details = details;
	fake_rpc_append(ret_details, &status.base);
}

static void note_start(struct bytes request)
{
	Saga__V1__StartSagaRequest *start = saga__v1__start_saga_request__unpack(NULL, request.len, request.data);
	_cleanup_(buffer_release)
	struct buffer input = {0};

	json_struct_append(&input, start->json);
	(void)snprintf(coordinator.seen, sizeof(coordinator.seen), "%s v%d key=%s %s", start->definition,
		       start->definition_version, start->idempotency_key, buffer_text(&input));
	saga__v1__start_saga_request__free_unpacked(start, NULL);
}

static void note_put(struct bytes request)
{
	Saga__V1__PutDefinitionRequest *put = saga__v1__put_definition_request__unpack(NULL, request.len, request.data);

	(void)snprintf(coordinator.seen, sizeof(coordinator.seen), "%s check=%d %s", put->file_name, put->validate_only,
		       put->source);
	saga__v1__put_definition_request__free_unpacked(put, NULL);
}

static void handle(void *ctx, const char *method, struct bytes request, struct fake_rpc_answer *answer)
{
	(void)ctx;
	answer->status = coordinator.status;
	answer->status_text = "the coordinator's words";
	if (coordinator.violations[0])
		append_violations(&answer->details);
	if (strcmp(method, "/saga.v1.SagaService/StartSaga") == 0)
		note_start(request);
	if (strcmp(method, "/saga.v1.SagaService/PutDefinition") == 0)
		note_put(request);
	if (answer->status != 0)
		return;
	if (strstr(method, "Definition"))
		append_definition(&answer->message, --coordinator.lookups_until_ready < 0);
	else
		append_saga(&answer->message);
}

/* ---- running ---- */

static struct fake_rpc_server *server;

static int set_up(void **state)
{
	(void)state;
	memset(&coordinator, 0, sizeof(coordinator));
	server = fake_rpc_server_new(handle, NULL);
	return setenv("SAGA_GRPC", fake_rpc_server_target(server), 1);
}

static int tear_down(void **state)
{
	(void)state;
	fake_rpc_server_free(server);
	return 0;
}

/* ---- what is shown ---- */

static void get_shows_steps_and_a_timeline_with_relative_times(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "get", SAGA_ID, "--wait", "10ms");
	assert_string_equal(run.err, "");
	assert_int_equal(run.exit_code, 0);
	assert_string_equal(
		run.out,
		"saga " SAGA_ID "  checkout v3  COMPENSATED  PAYMENT_FAILED\n"
		"  started 2023-11-14T22:13:20.000000Z, took 1.034 s, key order-1\n"
		"steps\n"
		"  create-order    COMPENSATED  12.0 ms  1 attempt, 1 undo\n"
		"  charge-payment  REJECTED              2 attempts, 1 re-sent  card_declined: no  "
		"[31mfunds\n"
		"timeline\n"
		"  +0.0 ms                                started                               by ann [1m\n"
		"  +12.0 ms  charge-payment               rejected, attempt 2  PAYMENT_FAILED   card_declined\n"
		"  +1.034 s  create-order (compensation)  succeeded            ORDER_CANCELLED\n");
}

static void json_output_follows_the_canonical_mapping(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "-o", "json", "get", SAGA_ID);
	assert_int_equal(run.exit_code, 0);
	assert_has(run.out, "{\n  \"sagaId\": \"" SAGA_ID "\",\n  \"definition\": \"checkout\",\n"
			    "  \"definitionVersion\": 3,\n  \"state\": \"SAGA_STATE_COMPENSATED\",\n");
	assert_has(run.out,
		   "  \"version\": \"9007199254740993\",\n  \"createTime\": \"2023-11-14T22:13:20.000000Z\",\n");
	assert_has(run.out, "  \"steps\": [\n    {\n      \"stepId\": \"create-order\",\n"
			    "      \"state\": \"STEP_STATE_COMPENSATED\",\n      \"attempts\": 1,\n");
	assert_null(strstr(run.out, "stuckReason"));
}

static void start_sends_the_input_exactly(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "start", "checkout", "--input", "{\"a\":9223372036854775807,\"b\":[true]}", "--key", "k",
		"--definition-version=3");
	assert_int_equal(run.exit_code, 0);
	assert_string_equal(coordinator.seen, "checkout v3 key=k {\"a\":\"9223372036854775807\",\"b\":[true]}");
	assert_has(run.out, "saga " SAGA_ID "  checkout v3  COMPENSATED");
}

static void wrong_input_is_named_before_anything_is_sent(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "start", "checkout", "--input", "{\"a\":}");
	assert_int_equal(run.exit_code, 2);
	assert_string_equal(run.err, "--input:1:6: error: expected a value\n");
	SAGACTL(&run, "start", "checkout", "--input", "[]");
	assert_int_equal(run.exit_code, 2);
	SAGACTL(&run, "start", "checkout", "--input", "@/does/not/exist");
	assert_int_equal(run.exit_code, 2);
	assert_has(run.err, "/does/not/exist: cannot be opened");
	assert_string_equal(coordinator.seen, "");
}

/* ---- definitions ---- */

static char definition_path[] = "/tmp/command_test.XXXXXX";

static void put_waits_until_sagas_can_be_started(void **state)
{
	struct sagactl_run run;

	(void)state;
	coordinator.lookups_until_ready = 2;
	SAGACTL(&run, "definitions", "put", definition_path);
	assert_string_equal(run.err, "");
	assert_int_equal(run.exit_code, 0);
	assert_string_equal(run.out, "checkout v2 registered\n");
	assert_int_equal(coordinator.lookups_until_ready, -1);
	assert_has(coordinator.seen, " check=0 saga: checkout\n");

	coordinator.lookups_until_ready = 1000;
	SAGACTL(&run, "definitions", "put", "--wait", "1ms", definition_path);
	assert_int_equal(run.exit_code, 4);
	assert_has(run.err, "does not listen to its reply topics yet");
}

static void problems_of_a_definition_are_shown_as_editors_want_them(void **state)
{
	struct sagactl_run run;

	(void)state;
	coordinator.status = 3;
	coordinator.violations[0] = "checkout.yaml:3:15: unknown key 'stps': did you mean: steps?";
	coordinator.violations[1] = "the whole is wrong";
	SAGACTL(&run, "definitions", "put", definition_path, "--address", fake_rpc_server_target(server));
	assert_int_equal(run.exit_code, 2);
	assert_string_equal(run.err, "checkout.yaml:3:15: error: unknown key 'stps': did you mean: steps?\n"
				     "sagactl: source: the whole is wrong\n");
}

/* ---- exits ---- */

static void exit_codes_follow_the_status(void **state)
{
	static const struct {
		int status;
		int exit_code;
	} cases[] = {{3, 2}, {5, 3}, {6, 1}, {9, 1}, {13, 1}, {14, 4}, {4, 4}};
	struct sagactl_run run;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		coordinator.status = cases[i].status;
		SAGACTL(&run, "get", SAGA_ID);
		assert_int_equal(run.exit_code, cases[i].exit_code);
		assert_has(run.err, "the coordinator's words");
		assert_string_equal(run.out, "");
	}
}

static void wrong_usage_exits_with_2(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "gte");
	assert_int_equal(run.exit_code, 2);
	assert_has(run.err, "unknown command 'gte', did you mean 'get'");
	SAGACTL(&run, "definitions", "putt");
	assert_int_equal(run.exit_code, 2);
	assert_has(run.err, "did you mean 'definitions put'");
	SAGACTL(&run, "get", SAGA_ID, "--address", "localhost");
	assert_int_equal(run.exit_code, 2);
	assert_has(run.err, "must be HOST:PORT, such as localhost:7233");
	SAGACTL(&run, "definitions");
	assert_int_equal(run.exit_code, 2);
	assert_has(run.err, "definitions needs one more word:\n  definitions put FILE…  ");
	SAGACTL(&run, "log", SAGA_ID, SAGA_ID);
	assert_int_equal(run.exit_code, 2);
	assert_has(run.err, "expected SAGA_ID, got 2 arguments");
	SAGACTL(&run, "get", SAGA_ID, "17");
	assert_int_equal(run.exit_code, 2);
	assert_has(run.err, "'17' is no saga id");
	assert_string_equal(run.out, ""); /* nothing is shown of the first */
	SAGACTL(&run, "dlq", "list", "--topic", "payment charge");
	assert_int_equal(run.exit_code, 2);
	assert_has(run.err, "--topic 'payment charge': must be 1 to 249 of");
	SAGACTL(&run, "schema", "decode", "--topic", "..");
	assert_int_equal(run.exit_code, 2);
	assert_has(run.err, "--topic '..': must be more than dots");
	SAGACTL(&run, "get", SAGA_ID, "--wiat", "1s");
	assert_int_equal(run.exit_code, 2);
	assert_has(run.err, "did you mean --wait?");
	SAGACTL(&run, "get", "--help");
	assert_int_equal(run.exit_code, 0);
	assert_has(run.out, "Usage: sagactl get [FLAGS] SAGA_ID…");
	SAGACTL(&run, "--help");
	assert_int_equal(run.exit_code, 0);
	assert_has(run.out, "  definitions put FILE…            register saga definitions\n");
}

static int make_definition(void **state)
{
	static const char text[] = "saga: checkout\n";
	int fd = mkstemp(definition_path);

	(void)state;
	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? close(fd) : -1;
}

static int remove_definition(void **state)
{
	(void)state;
	return unlink(definition_path);
}

#define COMMAND_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		COMMAND_TEST(get_shows_steps_and_a_timeline_with_relative_times),
		COMMAND_TEST(json_output_follows_the_canonical_mapping),
		COMMAND_TEST(start_sends_the_input_exactly),
		COMMAND_TEST(wrong_input_is_named_before_anything_is_sent),
		COMMAND_TEST(put_waits_until_sagas_can_be_started),
		COMMAND_TEST(problems_of_a_definition_are_shown_as_editors_want_them),
		COMMAND_TEST(exit_codes_follow_the_status),
		COMMAND_TEST(wrong_usage_exits_with_2),
	};

	return cmocka_run_group_tests_name("command", tests, make_definition, remove_definition);
}
