/* saga_commands_test.c - sagactl list, log, cancel and start --batch: what they ask for, and show of the answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/rpc/json_struct.h"
#include "proto/saga/v1/saga_service.pb-c.h"
#include "tests/unit/cli/sagactl_run.h"
#include "tests/unit/lib/rpc/fake_rpc_server.h"

#define SAGA_ID "01900000-0000-7000-8000-000000000001"
#define OTHER_ID "01900000-0000-7000-8000-000000000002"

/* ---- the coordinator: two sagas on two pages; what it was asked for is noted in words ---- */

static struct {
	int sagas;  /* that fit */
	int status; /* of CancelSaga */
	char seen[2048];
} coordinator;

static void PRINTF_LIKE(1, 2) note(const char *format, ...)
{
	size_t len = strlen(coordinator.seen);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(coordinator.seen + len, sizeof(coordinator.seen) - len, format, args);
	va_end(args);
}

static Google__Protobuf__Timestamp start = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
static Google__Protobuf__Timestamp end = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

static Saga__V1__Saga saga_of(const char *id)
{
	Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
	bool is_first = strcmp(id, SAGA_ID) == 0;

	start.seconds = end.seconds = 1700000000;
	end.nanos = 250000000;
	saga.saga_id = (char *)id;
	saga.definition = (char *)"checkout";
	saga.definition_version = 1;
	saga.state = is_first ? SAGA__V1__SAGA_STATE__SAGA_STATE_COMPLETED : SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK;
	saga.step = (char *)(is_first ? "COMPLETED" : "PAYMENT_CHARGED");
	saga.key = (char *)(is_first ? "order-1" : "order-\x1b[2");
	saga.create_time = &start;
	saga.end_time = is_first ? &end : NULL;
	return saga;
}

static void note_time(const char *name, const Google__Protobuf__Timestamp *time)
{
	if (time)
		note(" %s=%lld", name, (long long)time->seconds);
}

static void list(struct bytes packed, struct fake_rpc_answer *answer)
{
	Saga__V1__ListSagasRequest *request = saga__v1__list_sagas_request__unpack(NULL, packed.len, packed.data);
	Saga__V1__ListSagasResponse page = SAGA__V1__LIST_SAGAS_RESPONSE__INIT;
	bool is_second = strcmp(request->page_token, "second") == 0;
	Saga__V1__Saga saga = saga_of(is_second ? OTHER_ID : SAGA_ID);
	Saga__V1__Saga *sagas[] = {&saga};

	note("list");
	for (size_t i = 0; i < request->filter->n_states; i++)
		note(" %d", (int)request->filter->states[i]);
	note(" definition=%s v%d key=%s", request->filter->definition, request->filter->definition_version,
	     request->filter->key);
	for (size_t i = 0; i < request->filter->n_labels; i++)
		note(" %s:%s", request->filter->labels[i]->key, request->filter->labels[i]->value);
	note_time("from", request->create_time ? request->create_time->from : NULL);
	note_time("before", request->create_time ? request->create_time->before : NULL);
	note_time("changed-from", request->update_time ? request->update_time->from : NULL);
	note_time("changed-before", request->update_time ? request->update_time->before : NULL);
	note(" order=%d\n", (int)request->order);
	page.sagas = sagas;
	page.n_sagas = coordinator.sagas > 0;
	page.next_page_token = (char *)(coordinator.sagas > 1 && !is_second ? "second" : "");
	fake_rpc_append(&answer->message, &page.base);
	saga__v1__list_sagas_request__free_unpacked(request, NULL);
}

static void answer_log(struct bytes packed, struct fake_rpc_answer *answer)
{
	Saga__V1__GetSagaLogRequest *request = saga__v1__get_saga_log_request__unpack(NULL, packed.len, packed.data);
	Saga__V1__GetSagaLogResponse page = SAGA__V1__GET_SAGA_LOG_RESPONSE__INIT;
	bool is_second = strcmp(request->page_token, "second") == 0;
	Saga__V1__SagaEvent event = SAGA__V1__SAGA_EVENT__INIT;
	Saga__V1__SagaEvent *events[] = {&event};

	(void)saga_of(SAGA_ID);
	event.sequence = is_second ? 2 : 1;
	event.time = is_second ? &end : &start;
	event.event = (char *)(is_second ? "retriable" : "started");
	event.step_id = (char *)(is_second ? "charge-payment" : "");
	event.attempt = is_second ? 2 : 0;
	event.reason = (char *)(is_second ? "gateway_away" : "");
	event.actor = (char *)(is_second ? "" : "ann\033[1m");
	event.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
	page.n_events = 1;
	page.events = events;
	page.next_page_token = (char *)(is_second ? "" : "second");
	fake_rpc_append(&answer->message, &page.base);
	saga__v1__get_saga_log_request__free_unpacked(request, NULL);
}

static void cancel(struct bytes packed, struct fake_rpc_answer *answer)
{
	Saga__V1__CancelSagaRequest *request = saga__v1__cancel_saga_request__unpack(NULL, packed.len, packed.data);
	Saga__V1__CancelSagaResponse response = SAGA__V1__CANCEL_SAGA_RESPONSE__INIT;
	Saga__V1__Saga saga = saga_of(request->saga_id);

	note("cancel %s: %s\n", request->saga_id, request->reason);
	answer->status = coordinator.status;
	answer->status_text = "the order is confirmed already";
	response.saga = &saga;
	response.already_turned_back = strcmp(request->saga_id, OTHER_ID) == 0;
	fake_rpc_append(&answer->message, &response.base);
	saga__v1__cancel_saga_request__free_unpacked(request, NULL);
}

static void signal_saga(struct bytes packed, struct fake_rpc_answer *answer)
{
	Saga__V1__SignalSagaRequest *request = saga__v1__signal_saga_request__unpack(NULL, packed.len, packed.data);
	Saga__V1__SignalSagaResponse response = SAGA__V1__SIGNAL_SAGA_RESPONSE__INIT;
	Saga__V1__Saga saga = saga_of(request->saga_id);
	_cleanup_(buffer_release)
	struct buffer value = {0};

	if (request->value)
		json_struct_append(&value, request->value);
	note("signal %s %s: '%s'%s\n", request->saga_id, request->signal, request->reason, buffer_text(&value));
	response.saga = &saga;
	response.already_signalled = strcmp(request->saga_id, OTHER_ID) == 0;
	fake_rpc_append(&answer->message, &response.base);
	saga__v1__signal_saga_request__free_unpacked(request, NULL);
}

/* Every second one is refused. */
static void start_batch_of(struct bytes packed, struct fake_rpc_answer *answer)
{
	Saga__V1__BatchStartSagasRequest *request =
		saga__v1__batch_start_sagas_request__unpack(NULL, packed.len, packed.data);
	Saga__V1__BatchStartSagasResponse response = SAGA__V1__BATCH_START_SAGAS_RESPONSE__INIT;
	Saga__V1__StartSagaResult *results[8];
	Saga__V1__StartSagaResult result[8];
	Saga__V1__StartSagaResponse started = SAGA__V1__START_SAGA_RESPONSE__INIT;
	Saga__V1__Saga saga = saga_of(SAGA_ID);
	Google__Rpc__Status refusal = GOOGLE__RPC__STATUS__INIT;

	started.saga = &saga;
	refusal.code = 6;
	refusal.message = (char *)"the key has another input";
	for (size_t i = 0; i < request->n_requests; i++) {
		_cleanup_(buffer_release)
		struct buffer input = {0};

		json_struct_append(&input, request->requests[i]->json);
		note("%s key=%s delay=%llds labels=%zu %s\n", request->requests[i]->definition,
		     request->requests[i]->idempotency_key,
		     request->requests[i]->start_case == SAGA__V1__START_SAGA_REQUEST__START_DELAY
			     ? (long long)request->requests[i]->delay->seconds
			     : -1,
		     request->requests[i]->n_labels, buffer_text(&input));
		saga__v1__start_saga_result__init(&result[i]);
		result[i].result_case = i % 2 ? SAGA__V1__START_SAGA_RESULT__RESULT_ERROR
					      : SAGA__V1__START_SAGA_RESULT__RESULT_RESPONSE;
		if (i % 2)
			result[i].error = &refusal;
		else
			result[i].response = &started;
		results[i] = &result[i];
	}
	response.n_results = request->n_requests;
	response.results = results;
	fake_rpc_append(&answer->message, &response.base);
	saga__v1__batch_start_sagas_request__free_unpacked(request, NULL);
}

static void handle(void *ctx, const char *method, struct bytes request, struct fake_rpc_answer *answer)
{
	(void)ctx;
	if (strstr(method, "ListSagas"))
		list(request, answer);
	else if (strstr(method, "GetSagaLog"))
		answer_log(request, answer);
	else if (strstr(method, "CancelSaga"))
		cancel(request, answer);
	else if (strstr(method, "SignalSaga"))
		signal_saga(request, answer);
	else
		start_batch_of(request, answer);
}

/* ---- running ---- */

static struct fake_rpc_server *server;

static int set_up(void **state)
{
	(void)state;
	memset(&coordinator, 0, sizeof(coordinator));
	coordinator.sagas = 2;
	server = fake_rpc_server_new(handle, NULL);
	return setenv("SAGACTL_ADDRESS", fake_rpc_server_target(server), 1);
}

static int tear_down(void **state)
{
	(void)state;
	fake_rpc_server_free(server);
	return 0;
}

/* ---- list ---- */

static void list_shows_all_pages_as_one_table(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "list");
	assert_int_equal(run.exit_code, 0);
	assert_string_equal(
		run.out,
		"  SAGA ID                               DEFINITION   STATE      STEP             STARTED              "
		" TOOK"
		"      KEY\n"
		"  " SAGA_ID "  checkout v1  COMPLETED                   2023-11-14T22:13:20Z  250.0 ms  order-1\n"
		"  " OTHER_ID "  checkout v1  STUCK      PAYMENT_CHARGED  2023-11-14T22:13:20Z            order- [2\n");
	assert_string_equal(coordinator.seen, "list definition= v0 key= order=1\nlist definition= v0 key= order=1\n");
}

static void filters_and_times_are_sent(void **state)
{
	int64_t now_s = clock_real_us() / 1000000;
	long long changed_before = 0;
	const char *at;
	struct sagactl_run run;

	(void)state;
	coordinator.sagas = 1;
	SAGACTL(&run, "list", "--state", "stuck,FAILED", "-s", "scheduled", "--definition", "checkout",
		"--definition-version", "3", "--key", "o-1", "--label", "a=1", "--label", "b=", "--since", "2023-11-14",
		"--changed-until", "1h", "--oldest-first");
	assert_int_equal(run.exit_code, 0);
	at = strstr(coordinator.seen, " changed-before=");
	assert_non_null(at);
	assert_int_equal(sscanf(at, " changed-before=%lld", &changed_before), 1);
	assert_in_range(changed_before, now_s - 3600, now_s - 3590);
	assert_non_null(strstr(coordinator.seen,
			       "list 1 7 8 definition=checkout v3 key=o-1 a:1 b: from=1699920000 changed-before="));
	assert_non_null(strstr(coordinator.seen, " order=2\n"));
}

static void open_and_ended_stand_for_their_states(void **state)
{
	struct sagactl_run run;

	(void)state;
	coordinator.sagas = 1;
	SAGACTL(&run, "list", "--state", "open", "--definition", "x", "--definition-version", "0", "--key", "",
		"--oldest-first=false", "--since", "1d", "--changed-until", "1h");
	assert_int_equal(strncmp(coordinator.seen, "list 1 2 3 5 7 ", 15), 0);
	coordinator.seen[0] = 0;
	SAGACTL(&run, "list", "--state", "ended");
	assert_int_equal(strncmp(coordinator.seen, "list 4 6 8 ", 11), 0);
}

static void a_limit_is_kept_and_said(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "list", "--limit", "1", "--quiet");
	assert_string_equal(run.out, SAGA_ID "\n");
	assert_string_equal(run.err, "sagactl: there are more than these 1; --limit 0 shows all\n");
	SAGACTL(&run, "list", "--limit", "2", "--quiet");
	assert_string_equal(run.out, SAGA_ID "\n" OTHER_ID "\n");
	assert_string_equal(run.err, "");
	SAGACTL(&run, "list", "--limit", "0", "--quiet=false", "-o", "jsonl");
	assert_int_equal(strncmp(run.out, "{\"sagaId\":\"" SAGA_ID "\",", 24), 0);
	assert_non_null(strstr(run.out, "}\n{\"sagaId\":\"" OTHER_ID "\","));
}

static void nothing_that_fits_is_no_failure(void **state)
{
	struct sagactl_run run;

	(void)state;
	coordinator.sagas = 0;
	SAGACTL(&run, "list");
	assert_int_equal(run.exit_code, 0);
	assert_string_equal(run.out, "");
	assert_string_equal(run.err, "sagactl: no saga fits\n");
	SAGACTL(&run, "list", "-o", "json");
	assert_string_equal(run.out, "[]\n");
	assert_string_equal(run.err, "");
}

static void json_lists_are_arrays(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "list", "-o", "json");
	assert_int_equal(strncmp(run.out, "[\n{\n  \"sagaId\": \"" SAGA_ID "\"", 30), 0);
	assert_non_null(strstr(run.out, "}\n,\n{\n  \"sagaId\": \"" OTHER_ID "\""));
	assert_string_equal(run.out + strlen(run.out) - 4, "}\n]\n");
}

static void every_wrong_filter_is_named_at_once(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "list", "--state", "runing", "--label", "x", "--since", "soon");
	assert_int_equal(run.exit_code, 2);
	assert_non_null(strstr(run.err, "--state: 'runing' is none of: "));
	assert_non_null(strstr(run.err, "did you mean running?"));
	assert_non_null(strstr(run.err, "--label: 'x' must be NAME=VALUE"));
	assert_non_null(strstr(run.err, "--since: 'soon' is no time"));
	assert_string_equal(coordinator.seen, "");
}

/* ---- log and cancel ---- */

static void the_log_has_dates_and_all_pages(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "log", SAGA_ID);
	assert_int_equal(run.exit_code, 0);
	assert_string_equal(run.out,
			    "  SEQ  TIME                         STATE    STEP            EVENT                 "
			    "MILESTONE  BY       REASON\n"
			    "  1    2023-11-14T22:13:20.000000Z  RUNNING                  started               "
			    "           ann [1m\n"
			    "  2    2023-11-14T22:13:20.250000Z  RUNNING  charge-payment  retriable, attempt 2  "
			    "                    gateway_away\n");
}

static void cancel_needs_a_reason_and_says_what_became_of_it(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "cancel", SAGA_ID);
	assert_int_equal(run.exit_code, 2);
	assert_non_null(strstr(run.err, "--reason is required"));
	SAGACTL(&run, "cancel", SAGA_ID, OTHER_ID, "--reason", "the customer called");
	assert_int_equal(run.exit_code, 0);
	assert_string_equal(run.out, "saga " SAGA_ID "  checkout v1  COMPLETED\n"
				     "saga " OTHER_ID "  checkout v1  STUCK  PAYMENT_CHARGED\n"
				     "  it had turned back before\n");
	assert_string_equal(coordinator.seen, "cancel " SAGA_ID ": the customer called\n"
					      "cancel " OTHER_ID ": the customer called\n");
	coordinator.status = 9;
	SAGACTL(&run, "cancel", SAGA_ID, OTHER_ID, "--reason", "x");
	assert_int_equal(run.exit_code, 1);
	assert_string_equal(run.err, "sagactl: the order is confirmed already\n"
				     "sagactl: the order is confirmed already\n");
}

static void signal_takes_ids_and_then_the_signals_name(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "signal", SAGA_ID, OTHER_ID, "approved", "--reason", "Ann");
	assert_int_equal(run.exit_code, 0);
	assert_string_equal(run.out, "saga " SAGA_ID "  checkout v1  COMPLETED\n"
				     "saga " OTHER_ID "  checkout v1  STUCK  PAYMENT_CHARGED\n"
				     "  the signal had come before\n");
	assert_string_equal(coordinator.seen, "signal " SAGA_ID " approved: 'Ann'\n"
					      "signal " OTHER_ID " approved: 'Ann'\n");
	SAGACTL(&run, "signal", "approved", SAGA_ID, "--reason", "Ann");
	assert_int_equal(run.exit_code, 2);
	assert_non_null(strstr(run.err, "name the signal behind it"));
}

static void signal_brings_a_value_from_the_command_line_or_a_file(void **state)
{
	struct sagactl_run run;
	char path[64];
	FILE *file;

	(void)state;
	SAGACTL(&run, "signal", SAGA_ID, "approved", "--reason", "Ann", "--value", "{\"by\":\"ann\",\"limit\":5}");
	assert_int_equal(run.exit_code, 0);
	assert_string_equal(coordinator.seen, "signal " SAGA_ID " approved: 'Ann'{\"by\":\"ann\",\"limit\":5}\n");
	(void)snprintf(path, sizeof(path), "@/tmp/signal_value.%d", (int)getpid());
	file = fopen(path + 1, "w");
	assert_non_null(file);
	assert_true(fputs("{\"by\":\"bob\"}", file) >= 0);
	assert_int_equal(fclose(file), 0);
	SAGACTL(&run, "signal", SAGA_ID, "approved", "--value", path);
	assert_int_equal(remove(path + 1), 0);
	assert_int_equal(run.exit_code, 0);
	assert_non_null(strstr(coordinator.seen, "{\"by\":\"bob\"}"));
	SAGACTL(&run, "signal", SAGA_ID, "approved", "--value", "[1]");
	assert_int_equal(run.exit_code, 2);
	assert_non_null(strstr(run.err, "--value: must be an object, not"));
	SAGACTL(&run, "signal", SAGA_ID, "approved", "--value", "{");
	assert_int_equal(run.exit_code, 2);
	assert_non_null(strstr(run.err, "--value:1:2"));
}

/* ---- start --batch ---- */

static char batch_path[] = "/tmp/saga_commands_test.XXXXXX";

static void write_batch(const char *text)
{
	FILE *file = fopen(batch_path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void a_batch_starts_what_it_can_and_names_the_line_of_what_was_refused(void **state)
{
	char expected[256];
	struct sagactl_run run;

	(void)state;
	write_batch("{\"id\":\"a\"}\n\n{\"id\":12345678901234567890}\n{\"id\":\"c\"}");
	SAGACTL(&run, "start", "checkout", "--batch", batch_path, "--key-from", "id", "--delay", "90s", "--quiet",
		"--label", "x=1");
	assert_string_equal(run.out, SAGA_ID "\n" SAGA_ID "\n");
	(void)snprintf(expected, sizeof(expected), "%s:3: refused:\nsagactl: the key has another input\n", batch_path);
	assert_string_equal(run.err, expected);
	assert_int_equal(run.exit_code, 1);
	assert_string_equal(coordinator.seen,
			    "checkout key=a delay=90s labels=1 {\"id\":\"a\"}\n"
			    "checkout key=12345678901234567890 delay=90s labels=1 {\"id\":\"12345678901234567890\"}\n"
			    "checkout key=c delay=90s labels=1 {\"id\":\"c\"}\n");
}

static void a_batch_that_is_wrong_anywhere_starts_nothing(void **state)
{
	char expected[512];
	struct sagactl_run run;

	(void)state;
	write_batch("{\"id\":\"a\"}\n[]\n{\"id\":}\n{\"name\":1}\n");
	SAGACTL(&run, "start", "checkout", "--batch", batch_path, "--key-from", "id");
	assert_int_equal(run.exit_code, 2);
	(void)snprintf(expected, sizeof(expected),
		       "%s:2:1: error: must be an object, not an array\n%s:3:7: error: expected a value\n"
		       "%s:4:1: error: has no text or number 'id' for the key\n",
		       batch_path, batch_path, batch_path);
	assert_string_equal(run.err, expected);
	assert_string_equal(coordinator.seen, "");
	write_batch("\n \n");
	SAGACTL(&run, "start", "checkout", "--batch", batch_path, "--key-from", "id");
	assert_int_equal(run.exit_code, 2);
	assert_non_null(strstr(run.err, "has no input"));
}

static int make_batch_file(void **state)
{
	int fd = mkstemp(batch_path);

	(void)state;
	return fd >= 0 ? close(fd) : -1;
}

static int remove_batch_file(void **state)
{
	(void)state;
	return unlink(batch_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(list_shows_all_pages_as_one_table, set_up, tear_down),
		cmocka_unit_test_setup_teardown(json_lists_are_arrays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_that_fits_is_no_failure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_limit_is_kept_and_said, set_up, tear_down),
		cmocka_unit_test_setup_teardown(filters_and_times_are_sent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(open_and_ended_stand_for_their_states, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_wrong_filter_is_named_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_log_has_dates_and_all_pages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cancel_needs_a_reason_and_says_what_became_of_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(signal_takes_ids_and_then_the_signals_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(signal_brings_a_value_from_the_command_line_or_a_file, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_batch_starts_what_it_can_and_names_the_line_of_what_was_refused,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_batch_that_is_wrong_anywhere_starts_nothing, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("saga_commands", tests, make_batch_file, remove_batch_file);
}
