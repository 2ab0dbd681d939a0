/* watch_test.c - sagactl watch, wait and start --wait against a coordinator inside the test that plays a saga. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/reconnect.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "proto/saga/v1/saga_service.pb-c.h"
#include "tests/unit/cli/sagactl_run.h"
#include "tests/unit/lib/rpc/fake_rpc_server.h"

#define SAGA_ID "01900000-0000-7000-8000-000000000001"

enum { EVENTS = 4 };

/* ---- the coordinator: a checkout whose payment is refused, an event a message ---- */

static struct {
	int breaks_after; /* the first stream ends so after this many messages; 0: it does not */
	bool stays_open;  /* the saga never ends */
	bool is_stuck;
	int status;       /* of the stream */
	int away_after;   /* so many streams it answers, … */
	int away_streams; /* … and so many that follow it does not */
	int streams;
	int64_t after_sequence; /* of the last stream */
	char position[32];      /* of the last WatchSagas */
	char methods[256];
} coordinator;

static void append_state(struct buffer *out, int event_count, bool is_whole)
{
	static const char *const events[] = {"started", "succeeded", "rejected", "succeeded"};
	static const char *const steps[] = {"", "create-order", "charge-payment", "create-order"};
	static const char *const milestones[] = {"", "ORDER_CREATED", "PAYMENT_FAILED", "ORDER_CANCELLED"};
	static const Saga__V1__SagaState states[] = {
		SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING, SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING,
		SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATING, SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED};
	Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Google__Protobuf__Timestamp start = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Saga__V1__Step step = SAGA__V1__STEP__INIT;
	Saga__V1__Step *step_list[] = {&step};
	Saga__V1__SagaEvent event = SAGA__V1__SAGA_EVENT__INIT;
	Saga__V1__SagaEvent *event_list[] = {&event};
	Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
	Saga__V1__WatchSagaResponse message = SAGA__V1__WATCH_SAGA_RESPONSE__INIT;
	int last = event_count - 1;

	start.seconds = time.seconds = 1700000000;
	time.nanos = last * 15000000;
	step.step_id = (char *)"charge-payment";
	event.sequence = event_count;
	event.time = &time;
	event.event = (char *)events[last];
	event.step_id = (char *)steps[last];
	event.phase = last == 3 ? SAGA__V1__STEP_PHASE__STEP_PHASE_COMPENSATION
				: SAGA__V1__STEP_PHASE__STEP_PHASE_FORWARD;
	event.milestone = (char *)milestones[last];
	event.actor = (char *)(last == 0 ? "ann\033[1m" : "");
	event.state = states[last];
	event.reason = (char *)(last == 2 ? "card_declined" : "");
	saga.saga_id = (char *)SAGA_ID;
	saga.definition = (char *)"checkout";
	saga.definition_version = 1;
	saga.state = coordinator.is_stuck ? SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK : states[last];
	saga.step = (char *)"PAYMENT_FAILED";
	saga.key = (char *)"order-1";
	saga.create_time = &start;
	saga.end_time = last == 3 ? &time : NULL;
	saga.n_steps = 1;
	saga.steps = step_list;
	message.saga = &saga;
	message.n_events = 1;
	message.events = event_list;
	fake_rpc_append(out, is_whole ? &saga.base : &message.base);
}

static void play(struct bytes packed, struct fake_rpc_answer *answer)
{
	Saga__V1__WatchSagaRequest *request = saga__v1__watch_saga_request__unpack(NULL, packed.len, packed.data);
	int last = coordinator.stays_open ? EVENTS - 1 : EVENTS;

	coordinator.after_sequence = request->after_sequence;
	assert_string_equal(request->saga_id, SAGA_ID);
	for (int i = (int)request->after_sequence + 1; i <= last; i++) {
		if (coordinator.streams == 0 && coordinator.breaks_after > 0 && i > coordinator.breaks_after) {
			answer->status = 14;
			break;
		}
		append_state(&answer->stream[answer->stream_count++], i, false);
	}
	coordinator.streams++;
	answer->is_silent = coordinator.stays_open;
	saga__v1__watch_saga_request__free_unpacked(request, NULL);
}

/* Two changes; the first stream breaks after them, the second one stays open. */
static void play_many(struct bytes packed, struct fake_rpc_answer *answer)
{
	Saga__V1__WatchSagasRequest *request = saga__v1__watch_sagas_request__unpack(NULL, packed.len, packed.data);
	Saga__V1__WatchSagasResponse message = SAGA__V1__WATCH_SAGAS_RESPONSE__INIT;
	Saga__V1__SagaChange change = SAGA__V1__SAGA_CHANGE__INIT;
	Saga__V1__SagaChange *changes[] = {&change};

	(void)snprintf(coordinator.position, sizeof(coordinator.position), "%s", request->position);
	message.n_changes = 1;
	message.changes = changes;
	message.position = (char *)(coordinator.streams == 0 ? "p1" : "p2");
	for (int i = coordinator.streams * 2 + 1; i <= coordinator.streams * 2 + 2; i++) {
		struct buffer packed_change = {0};
		Saga__V1__WatchSagaResponse *state;

		append_state(&packed_change, i, false);
		state = saga__v1__watch_saga_response__unpack(NULL, packed_change.len, packed_change.data);
		change.saga = state->saga;
		change.event = state->events[0];
		fake_rpc_append(&answer->stream[answer->stream_count++], &message.base);
		saga__v1__watch_saga_response__free_unpacked(state, NULL);
		buffer_release(&packed_change);
	}
	answer->status = coordinator.streams == 0 ? 14 : 0;
	answer->is_silent = coordinator.streams > 0;
	coordinator.streams++;
	saga__v1__watch_sagas_request__free_unpacked(request, NULL);
}

static void answer_start(struct fake_rpc_answer *answer)
{
	Saga__V1__StartSagaResponse response = SAGA__V1__START_SAGA_RESPONSE__INIT;
	struct buffer packed = {0};

	append_state(&packed, 1, true);
	response.saga = saga__v1__saga__unpack(NULL, packed.len, packed.data);
	fake_rpc_append(&answer->message, &response.base);
	saga__v1__saga__free_unpacked(response.saga, NULL);
	buffer_release(&packed);
}

static void handle(void *ctx, const char *method, struct bytes request, struct fake_rpc_answer *answer)
{
	size_t len = strlen(coordinator.methods);

	(void)ctx;
	(void)snprintf(coordinator.methods + len, sizeof(coordinator.methods) - len, "%s ", strrchr(method, '/') + 1);
	answer->status_text = "the coordinator's words";
	answer->status = coordinator.status;
	if (coordinator.status != 0)
		return;
	if (strstr(method, "WatchSaga") && coordinator.away_after-- <= 0 && coordinator.away_streams-- > 0) {
		answer->status = 14;
		return;
	}
	if (strstr(method, "StartSaga"))
		answer_start(answer);
	else if (strstr(method, "WatchSagas"))
		play_many(request, answer);
	else
		play(request, answer);
}

/* ---- running ---- */

static struct fake_rpc_server *server;

static int set_up(void **state)
{
	(void)state;
	memset(&coordinator, 0, sizeof(coordinator));
	server = fake_rpc_server_new(handle, NULL);
	return setenv("SAGACTL_ADDRESS", fake_rpc_server_target(server), 1);
}

static int tear_down(void **state)
{
	(void)state;
	fake_rpc_server_free(server);
	return 0;
}

/* ---- one saga ---- */

static const char LINES[] =
	"saga " SAGA_ID "  checkout v1  RUNNING  PAYMENT_FAILED\n"
	"  +0.0 ms                                      started                  by ann [1m\n"
	"  +15.0 ms      create-order                   succeeded              ORDER_CREATED\n"
	"  +30.0 ms      charge-payment                 rejected               PAYMENT_FAILED  card_declined\n"
	"  +45.0 ms      create-order (compensation)    succeeded              ORDER_CANCELLED\n"
	"saga " SAGA_ID "  checkout v1  COMPENSATED  PAYMENT_FAILED\n";

static void without_a_terminal_each_event_is_a_line_and_the_exit_code_the_outcome(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "watch", SAGA_ID);
	assert_string_equal(run.err, "");
	assert_string_equal(run.out, LINES);
	assert_int_equal(run.exit_code, 5);
}

static void a_lost_connection_leaves_nothing_out_and_repeats_nothing(void **state)
{
	struct sagactl_run run;

	(void)state;
	coordinator.breaks_after = 2;
	SAGACTL(&run, "watch", SAGA_ID);
	assert_string_equal(run.out, LINES);
	assert_string_equal(run.err, "sagactl: the connection is lost, trying again\n");
	assert_int_equal(coordinator.streams, 2);
	assert_int_equal(coordinator.after_sequence, 2);
	assert_int_equal(run.exit_code, 5);
}

static void json_lines_are_the_messages(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "watch", SAGA_ID, "-o", "jsonl");
	assert_true(strncmp(run.out, "{\"saga\":{\"sagaId\":\"" SAGA_ID "\"", 10) == 0);
	assert_has(run.out, "\"events\":[{\"sequence\":\"4\",");
	for (int i = 0; i < EVENTS; i++)
		*strchr(run.out, '\n') = ' ';
	assert_null(strchr(run.out, '\n'));
	assert_int_equal(run.exit_code, 5);
}

static void wait_says_how_it_ended(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "wait", SAGA_ID, SAGA_ID);
	assert_string_equal(run.out, "saga " SAGA_ID "  checkout v1  COMPENSATED  PAYMENT_FAILED\n"
				     "saga " SAGA_ID "  checkout v1  COMPENSATED  PAYMENT_FAILED\n");
	assert_int_equal(run.exit_code, 5);
	SAGACTL(&run, "wait", SAGA_ID, "-o", "jsonl");
	assert_has(run.out, "\"state\":\"SAGA_STATE_COMPENSATED\"");
	assert_has(run.out, "\"event\":\"rejected\""); /* with all its events */
}

static void a_coordinator_that_restarts_between_two_sagas_is_waited_for(void **state)
{
	struct sagactl_run run;

	(void)state;
	coordinator.away_after = 1;
	coordinator.away_streams = 2;
	SAGACTL(&run, "wait", SAGA_ID, SAGA_ID, SAGA_ID);
	assert_string_equal(run.err, "sagactl: the connection is lost, trying again\n");
	assert_string_equal(run.out, "saga " SAGA_ID "  checkout v1  COMPENSATED  PAYMENT_FAILED\n"
				     "saga " SAGA_ID "  checkout v1  COMPENSATED  PAYMENT_FAILED\n"
				     "saga " SAGA_ID "  checkout v1  COMPENSATED  PAYMENT_FAILED\n");
	assert_int_equal(run.exit_code, 5);
}

static void a_saga_that_was_started_is_followed_although_its_coordinator_goes(void **state)
{
	struct sagactl_run run;

	(void)state;
	coordinator.away_streams = 1;
	SAGACTL(&run, "start", "checkout", "--input", "{}", "--wait");
	assert_string_equal(run.out, LINES);
	assert_int_equal(run.exit_code, 5);
}

static void a_wait_for_a_coordinator_that_stays_away_ends_with_its_time(void **state)
{
	struct sagactl_run run;

	(void)state;
	coordinator.away_after = 1;
	coordinator.away_streams = 1000;
	SAGACTL(&run, "wait", SAGA_ID, SAGA_ID, "--timeout", "1500ms");
	assert_int_equal(run.exit_code, 5); /* the first one's */
	assert_string_equal(run.err,
			    "sagactl: the connection is lost, trying again\n"
			    "sagactl: saga " SAGA_ID " was not seen yet when the connection was lost, and nobody "
			    "answers since; `sagactl watch " SAGA_ID "` follows it again\n");
}

static void a_coordinator_that_never_answered_is_not_waited_for(void **state)
{
	struct sagactl_run run;

	(void)state;
	coordinator.away_streams = 1000;
	SAGACTL(&run, "wait", SAGA_ID);
	assert_int_equal(run.exit_code, 4);
	assert_string_equal(coordinator.methods, "WatchSaga ");
}

/* Who said for how long he waits is not told after a minute that nobody is there, nor kept longer. */
static void an_own_time_takes_the_place_of_the_minute(void **state)
{
	const struct error err = {.code = ERR_UNAVAILABLE};
	const int64_t now_us = clock_monotonic_us();
	struct reconnect reconnect = {.is_lost = true, .lost_us = now_us - INT64_C(50000000)};

	(void)state;
	assert_true(reconnect_may_help(&reconnect, &err));
	reconnect.until_us = now_us;
	assert_false(reconnect_may_help(&reconnect, &err));
	reconnect.lost_us = now_us - INT64_C(70000000);
	reconnect.until_us = now_us + INT64_C(60000000);
	assert_true(reconnect_may_help(&reconnect, &err));
	reconnect_succeed(&reconnect);
	assert_true(!reconnect.is_lost && reconnect.until_us > now_us);
	reconnect = (struct reconnect){.is_lost = true, .lost_us = now_us - INT64_C(70000000)};
	assert_false(reconnect_may_help(&reconnect, &err));
}

static void a_stuck_saga_ends_the_wait_with_a_code_of_its_own(void **state)
{
	struct sagactl_run run;

	(void)state;
	coordinator.is_stuck = true;
	coordinator.stays_open = true;
	SAGACTL(&run, "wait", SAGA_ID);
	assert_int_equal(run.exit_code, 6);
	assert_has(run.out, "STUCK");
}

static void when_time_is_over_it_says_that_the_saga_goes_on(void **state)
{
	struct sagactl_run run;

	(void)state;
	coordinator.stays_open = true;
	SAGACTL(&run, "watch", SAGA_ID, "--timeout",
		"1500ms"); /* all three messages come before, on a busy machine, too */
	assert_int_equal(run.exit_code, 7);
	assert_string_equal(run.err, "sagactl: saga " SAGA_ID " is COMPENSATING and goes on; `sagactl watch " SAGA_ID
				     "` follows it again\n");
	assert_has(run.out, "card_declined\n");
}

static void what_the_coordinator_refuses_is_not_tried_again(void **state)
{
	struct sagactl_run run;

	(void)state;
	coordinator.status = 5;
	SAGACTL(&run, "watch", SAGA_ID);
	assert_int_equal(run.exit_code, 3);
	assert_string_equal(run.err, "sagactl: the coordinator's words\n");
	assert_string_equal(coordinator.methods, "WatchSaga ");
}

static void a_started_saga_is_followed_on_request(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "start", "checkout", "--input", "{}", "--wait=false");
	assert_string_equal(run.out, "saga " SAGA_ID "  checkout v1  RUNNING  PAYMENT_FAILED\n");
	assert_int_equal(run.exit_code, 0);
	SAGACTL(&run, "start", "checkout", "--input", "{}", "--wait");
	assert_string_equal(run.out, LINES);
	assert_int_equal(run.exit_code, 5);
	assert_string_equal(coordinator.methods, "StartSaga StartSaga WatchSaga ");
}

/* ---- many sagas ---- */

static void watching_many_shows_each_change_once_over_lost_connections(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "watch", "--timeout", "700ms");
	assert_string_equal(
		run.out,
		"22:13:20.000  " SAGA_ID "  checkout  RUNNING       started  by ann [1m  key order-1\n"
		"22:13:20.015  " SAGA_ID "  checkout  RUNNING       create-order  succeeded  ORDER_CREATED  key "
		"order-1\n"
		"22:13:20.030  " SAGA_ID "  checkout  COMPENSATING  charge-payment  rejected  PAYMENT_FAILED  "
		"card_declined  key order-1\n"
		"22:13:20.045  " SAGA_ID "  checkout  COMPENSATED   create-order (compensation)  succeeded  "
		"ORDER_CANCELLED  key order-1\n");
	assert_string_equal(run.err, "sagactl: the connection is lost, trying again\n");
	assert_string_equal(coordinator.position, "p1");
	assert_int_equal(run.exit_code, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_a_terminal_each_event_is_a_line_and_the_exit_code_the_outcome,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_lost_connection_leaves_nothing_out_and_repeats_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(json_lines_are_the_messages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wait_says_how_it_ended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_coordinator_that_restarts_between_two_sagas_is_waited_for, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_saga_that_was_started_is_followed_although_its_coordinator_goes,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_wait_for_a_coordinator_that_stays_away_ends_with_its_time, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_coordinator_that_never_answered_is_not_waited_for, set_up, tear_down),
		cmocka_unit_test(an_own_time_takes_the_place_of_the_minute),
		cmocka_unit_test_setup_teardown(a_stuck_saga_ends_the_wait_with_a_code_of_its_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_started_saga_is_followed_on_request, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_the_coordinator_refuses_is_not_tried_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(when_time_is_over_it_says_that_the_saga_goes_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(watching_many_shows_each_change_once_over_lost_connections, set_up,
						tear_down),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
