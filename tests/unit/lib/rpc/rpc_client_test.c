/* rpc_client_test.c - calls over a real connection to a server inside the test; what the server shall do is the request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

#include "lib/base/clock.h"
#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_details.h"
#include "proto/google/protobuf/duration.pb-c.h"
#include "proto/google/rpc/error_details.pb-c.h"
#include "proto/google/rpc/status.pb-c.h"
#include "tests/unit/lib/rpc/fake_rpc_server.h"

/* Requests and answers are Durations: `seconds` is the wanted status, `nanos` comes back doubled. */
enum { SILENT = 1000, GARBAGE = 1001, DETAILED = 1002 };
static const char METHOD[] = "/probe.v1.Probe/Do";
static const char STATUS_TEXT[] = "100% größer \"x\"\nsecond line";

static void append_details(struct buffer *ret_details)
{
	Google__Rpc__BadRequest__FieldViolation violation = GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT;
	Google__Rpc__BadRequest__FieldViolation *violations[] = {&violation, &violation};
	Google__Rpc__BadRequest bad_request = GOOGLE__RPC__BAD_REQUEST__INIT;
	Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
	Google__Rpc__RetryInfo retry_info = GOOGLE__RPC__RETRY_INFO__INIT;
	Google__Protobuf__Any any[2] = {GOOGLE__PROTOBUF__ANY__INIT, GOOGLE__PROTOBUF__ANY__INIT};
	Google__Protobuf__Any *details[] = {&any[0], &any[1]};
	Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
	struct buffer packed[2] = {0};

	violation.field = "input.total";
	violation.description = "is missing";
	bad_request.n_field_violations = 2;
	bad_request.field_violations = violations;
	delay.seconds = 1;
	delay.nanos = 500000000;
	retry_info.retry_delay = &delay;
	fake_rpc_append(&packed[0], &bad_request.base);
	fake_rpc_append(&packed[1], &retry_info.base);
	any[0].type_url = "type.googleapis.com/google.rpc.BadRequest";
	any[1].type_url = "type.googleapis.com/google.rpc.RetryInfo";
	for (int i = 0; i < 2; i++)
		any[i].value = (ProtobufCBinaryData){packed[i].len, packed[i].data};
	status.n_details = 2;
	status.details = details;
	fake_rpc_append(ret_details, &status.base);
	buffer_release(&packed[0]);
	buffer_release(&packed[1]);
}

static void handle(void *ctx, const char *method, struct bytes request, struct fake_rpc_answer *answer)
{
	Google__Protobuf__Duration *asked = google__protobuf__duration__unpack(NULL, request.len, request.data);
	Google__Protobuf__Duration said = GOOGLE__PROTOBUF__DURATION__INIT;

	(void)ctx;
	assert_string_equal(method, METHOD);
	assert_non_null(asked);
	answer->is_silent = asked->seconds == SILENT;
	if (asked->seconds == GARBAGE)
		buffer_append_text(&answer->message, "\xff\xff");
	if (asked->seconds == DETAILED)
		append_details(&answer->details);
	answer->status = asked->seconds >= GARBAGE ? (asked->seconds == DETAILED ? 3 : 0) : (int)asked->seconds;
	answer->status_text = STATUS_TEXT;
	said.nanos = asked->nanos * 2;
	if (answer->status == 0 && answer->message.len == 0)
		fake_rpc_append(&answer->message, &said.base);
	google__protobuf__duration__free_unpacked(asked, NULL);
}

struct fixture {
	struct fake_rpc_server *server;
	struct rpc_client *client;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	fixture.server = fake_rpc_server_new(handle, NULL);
	fixture.client = rpc_client_new(fake_rpc_server_target(fixture.server));
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	rpc_client_free(fixture->client);
	fake_rpc_server_free(fixture->server);
	return 0;
}

static int call(struct rpc_client *client, int64_t seconds, int32_t nanos, int64_t timeout_ms, int32_t *ret_nanos,
		struct error *err)
{
	Google__Protobuf__Duration request = GOOGLE__PROTOBUF__DURATION__INIT;
	ProtobufCMessage *answer;

	request.seconds = seconds;
	request.nanos = nanos;
	if (rpc_client_call(client, METHOD, &request.base, &google__protobuf__duration__descriptor, timeout_ms, &answer,
			    err) < 0)
		return -1;
	*ret_nanos = ((Google__Protobuf__Duration *)answer)->nanos;
	protobuf_c_message_free_unpacked(answer, NULL);
	return 0;
}

static void a_call_brings_the_answer(void **state)
{
	struct fixture *fixture = *state;
	struct error err;
	int32_t nanos = 0;

	assert_int_equal(call(fixture->client, 0, 21, 5000, &nanos, &err), 0);
	assert_int_equal(nanos, 42);
	assert_int_equal(call(fixture->client, 0, 0, 0, &nanos, &err), 0); /* an empty message, the default deadline */
	assert_int_equal(nanos, 0);
}

static void each_status_has_its_error_code_and_the_servers_words(void **state)
{
	static const struct {
		int status;
		enum err_code code;
	} cases[] = {{2, ERR_INTERNAL},     {3, ERR_INVALID},   {5, ERR_NOT_FOUND},
		     {6, ERR_CONFLICT},     {8, ERR_LIMIT},     {9, ERR_PRECONDITION},
		     {10, ERR_UNAVAILABLE}, {13, ERR_INTERNAL}, {14, ERR_UNAVAILABLE}};
	struct fixture *fixture = *state;
	struct error err;
	int32_t nanos;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(call(fixture->client, cases[i].status, 0, 5000, &nanos, &err), -1);
		assert_int_equal(err.code, cases[i].code);
		assert_int_equal(err.is_retriable, cases[i].code == ERR_UNAVAILABLE);
		assert_non_null(strstr(err.msg, STATUS_TEXT));
	}
}

static void details_name_every_field_and_when_to_come_back(void **state)
{
	struct fixture *fixture = *state;
	Google__Protobuf__Duration request = GOOGLE__PROTOBUF__DURATION__INIT;
	struct rpc_call options = {.method = METHOD,
				   .request = &request.base,
				   .answer_type = &google__protobuf__duration__descriptor,
				   .timeout_ms = 5000};
	struct rpc_failure failure;
	struct problems problems;
	ProtobufCMessage *answer;
	struct error err;

	request.seconds = DETAILED;
	assert_int_equal(rpc_client_call_explained(fixture->client, &options, &answer, &failure, &err), -1);
	assert_int_equal(failure.status, 3);
	problems_init(&problems);
	rpc_details_add_problems(buffer_bytes(&failure.details), &problems);
	assert_int_equal(problems.count, 2);
	assert_string_equal(problems.items[1].place, "input.total");
	assert_string_equal(problems.items[1].text, "is missing");
	assert_int_equal(rpc_details_retry_after_ms(buffer_bytes(&failure.details)), 1500);

	rpc_details_add_problems(bytes_of_text("\xff nonsense"), &problems);
	rpc_details_add_problems((struct bytes){0}, &problems);
	assert_int_equal(problems.count, 2);
	assert_int_equal(rpc_details_retry_after_ms((struct bytes){0}), -1);
	problems_release(&problems);
	buffer_release(&failure.details);
}

static void an_answer_that_cannot_be_read_is_corrupt(void **state)
{
	struct fixture *fixture = *state;
	struct error err;
	int32_t nanos;

	assert_int_equal(call(fixture->client, GARBAGE, 0, 5000, &nanos, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
}

static void silence_ends_at_the_deadline(void **state)
{
	struct fixture *fixture = *state;
	int64_t start_us = clock_monotonic_us();
	struct error err;
	int32_t nanos;

	assert_int_equal(call(fixture->client, SILENT, 0, 100, &nanos, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_true(clock_monotonic_us() - start_us >= 100000);
}

static void a_server_that_is_away_is_unavailable(void **state)
{
	_cleanup_(rpc_client_freep)
	struct rpc_client *client = rpc_client_new("127.0.0.1:1");
	struct error err;
	int32_t nanos;

	(void)state;
	assert_int_equal(call(client, 0, 0, 5000, &nanos, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, "127.0.0.1:1"));
}

/* ---- many at once ---- */

enum { IN_FLIGHT = 500 };

struct tally {
	pthread_mutex_t mu;
	pthread_cond_t is_changed;
	int answered;                  /* guarded by mu */
	int refused;                   /* guarded by mu */
	int64_t nanos;                 /* guarded by mu */
	struct rpc_client *restart_on; /* another call is begun there in each `done` */
};

static void count_done(void *ctx, ProtobufCMessage *answer, const struct error *err)
{
	struct tally *tally = ctx;

	assert_true((answer != NULL) != (err != NULL));
	(void)pthread_mutex_lock(&tally->mu);
	tally->answered += answer != NULL;
	tally->refused += err != NULL;
	if (answer)
		tally->nanos += ((Google__Protobuf__Duration *)answer)->nanos;
	(void)pthread_cond_signal(&tally->is_changed);
	(void)pthread_mutex_unlock(&tally->mu);
	if (answer)
		protobuf_c_message_free_unpacked(answer, NULL);
}

static void start(struct rpc_client *client, struct tally *tally, int64_t seconds, rpc_done_fn *done)
{
	Google__Protobuf__Duration request = GOOGLE__PROTOBUF__DURATION__INIT;

	request.seconds = seconds;
	request.nanos = 1;
	rpc_client_start(client, METHOD, &request.base, &google__protobuf__duration__descriptor, 20000, done, tally);
}

static void many_calls_may_be_in_flight(void **state)
{
	struct tally tally = {.mu = PTHREAD_MUTEX_INITIALIZER, .is_changed = PTHREAD_COND_INITIALIZER};
	struct fixture *fixture = *state;

	for (int i = 0; i < IN_FLIGHT; i++)
		start(fixture->client, &tally, 0, count_done);
	(void)pthread_mutex_lock(&tally.mu);
	while (tally.answered + tally.refused < IN_FLIGHT)
		(void)pthread_cond_wait(&tally.is_changed, &tally.mu);
	(void)pthread_mutex_unlock(&tally.mu);
	assert_int_equal(tally.answered, IN_FLIGHT);
	assert_int_equal(tally.nanos, 2 * IN_FLIGHT);
}

static void count_and_restart(void *ctx, ProtobufCMessage *answer, const struct error *err)
{
	struct tally *tally = ctx;

	count_done(ctx, answer, err);
	start(tally->restart_on, tally, SILENT, count_done);
}

static void freeing_the_client_ends_what_is_in_flight(void **state)
{
	struct tally tally = {.mu = PTHREAD_MUTEX_INITIALIZER, .is_changed = PTHREAD_COND_INITIALIZER};
	struct fixture *fixture = *state;
	struct rpc_client *client = rpc_client_new(fake_rpc_server_target(fixture->server));

	tally.restart_on = client;
	for (int i = 0; i < 50; i++)
		start(client, &tally, SILENT, count_and_restart);
	rpc_client_free(client);
	assert_int_equal(tally.answered, 0);
	assert_int_equal(tally.refused, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_call_brings_the_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_status_has_its_error_code_and_the_servers_words, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(details_name_every_field_and_when_to_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_answer_that_cannot_be_read_is_corrupt, set_up, tear_down),
		cmocka_unit_test_setup_teardown(silence_ends_at_the_deadline, set_up, tear_down),
		cmocka_unit_test(a_server_that_is_away_is_unavailable),
		cmocka_unit_test_setup_teardown(many_calls_may_be_in_flight, set_up, tear_down),
		cmocka_unit_test_setup_teardown(freeing_the_client_ends_what_is_in_flight, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("rpc_client", tests, NULL, NULL);
}
