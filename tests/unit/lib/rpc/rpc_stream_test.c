/* rpc_stream_test.c - streams over a real connection to a server inside the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/rpc/rpc_stream.h"
#include "proto/google/protobuf/duration.pb-c.h"
#include "tests/unit/lib/rpc/fake_rpc_server.h"

static const char METHOD[] = "/probe.v1.Probe/Watch";
static const char STATUS_TEXT[] = "the saga is gone";

/* What the server does; messages are Durations whose seconds count from 1. */
static struct {
	int messages;
	int status;
	bool stays_open;
	bool ends_in_garbage;
} script;

static void handle(void *ctx, const char *method, struct bytes request, struct fake_rpc_answer *answer)
{
	(void)ctx;
	(void)request;
	assert_string_equal(method, METHOD);
	for (int i = 0; i < script.messages; i++) {
		Google__Protobuf__Duration said = GOOGLE__PROTOBUF__DURATION__INIT;
		struct buffer *message = &answer->stream[answer->stream_count++];

		said.seconds = i + 1;
		buffer_reserve(message, 16);
		message->len = google__protobuf__duration__pack(&said, message->data);
	}
	if (script.ends_in_garbage)
		buffer_append_text(&answer->stream[answer->stream_count++], "\xff\xff");
	answer->status = script.status;
	answer->status_text = STATUS_TEXT;
	answer->is_silent = script.stays_open;
	if (script.status != 0)
		buffer_append_text(&answer->details, "details");
}

struct fixture {
	struct fake_rpc_server *server;
	struct rpc_client *client;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	memset(&script, 0, sizeof(script));
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

static struct rpc_stream *begin(struct rpc_client *client, int64_t timeout_ms)
{
	Google__Protobuf__Duration request = GOOGLE__PROTOBUF__DURATION__INIT;
	struct rpc_call call = {.method = METHOD,
				.request = &request.base,
				.answer_type = &google__protobuf__duration__descriptor,
				.timeout_ms = timeout_ms};

	return rpc_stream_new(client, &call);
}

static void assert_next_is(struct rpc_stream *stream, int64_t seconds)
{
	ProtobufCMessage *answer = NULL;
	struct error err;

	assert_int_equal(rpc_stream_next(stream, 5000, &answer, NULL, &err), RPC_STREAM_MESSAGE);
	assert_int_equal(((Google__Protobuf__Duration *)answer)->seconds, seconds);
	protobuf_c_message_free_unpacked(answer, NULL);
}

static void messages_come_in_order_and_then_the_end(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(rpc_stream_freep)
	struct rpc_stream *stream = NULL;
	ProtobufCMessage *answer = NULL;
	struct error err;

	script.messages = 30;
	stream = begin(fixture->client, 0);
	for (int i = 1; i <= 30; i++)
		assert_next_is(stream, i);
	assert_int_equal(rpc_stream_next(stream, 5000, &answer, NULL, &err), RPC_STREAM_ENDED);
	assert_int_equal(rpc_stream_next(stream, 0, &answer, NULL, &err), RPC_STREAM_ENDED);
	assert_null(answer);
}

static void a_failure_after_messages_has_the_servers_words_and_details(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(rpc_stream_freep)
	struct rpc_stream *stream = NULL;
	struct rpc_failure failure;
	ProtobufCMessage *answer = NULL;
	struct error err;

	script.messages = 1;
	script.status = 5;
	stream = begin(fixture->client, 0);
	assert_next_is(stream, 1);
	assert_int_equal(rpc_stream_next(stream, 5000, &answer, &failure, &err), RPC_STREAM_FAILED);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_string_equal(err.msg, STATUS_TEXT);
	assert_int_equal(failure.status, 5);
	assert_true(bytes_equal_text(buffer_bytes(&failure.details), "details"));
	buffer_release(&failure.details);
}

static void waiting_ends_when_nothing_comes_and_loses_nothing(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(rpc_stream_freep)
	struct rpc_stream *stream = NULL;
	int64_t start_us = clock_monotonic_us();
	ProtobufCMessage *answer = NULL;
	struct error err;

	script.messages = 1;
	script.stays_open = true;
	stream = begin(fixture->client, 0);
	assert_next_is(stream, 1);
	assert_int_equal(rpc_stream_next(stream, 30, &answer, NULL, &err), RPC_STREAM_WAITING);
	assert_int_equal(rpc_stream_next(stream, 30, &answer, NULL, &err), RPC_STREAM_WAITING);
	assert_true(clock_monotonic_us() - start_us >= 60000);
}

static void the_deadline_ends_a_stream(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(rpc_stream_freep)
	struct rpc_stream *stream = NULL;
	ProtobufCMessage *answer = NULL;
	struct error err;

	script.messages = 1;
	script.stays_open = true;
	stream = begin(fixture->client, 200);
	assert_next_is(stream, 1);
	assert_int_equal(rpc_stream_next(stream, 5000, &answer, NULL, &err), RPC_STREAM_FAILED);
	assert_int_equal(err.code, ERR_TIMEOUT);
}

static void what_is_no_message_is_corrupt(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(rpc_stream_freep)
	struct rpc_stream *stream = NULL;
	ProtobufCMessage *answer = NULL;
	struct error err;

	script.messages = 1;
	script.ends_in_garbage = true;
	stream = begin(fixture->client, 0);
	assert_next_is(stream, 1);
	assert_int_equal(rpc_stream_next(stream, 5000, &answer, NULL, &err), RPC_STREAM_FAILED);
	assert_int_equal(err.code, ERR_CORRUPT);
}

static void a_server_that_is_away_fails_the_stream(void **state)
{
	_cleanup_(rpc_client_freep)
	struct rpc_client *client = rpc_client_new("127.0.0.1:1");
	_cleanup_(rpc_stream_freep)
	struct rpc_stream *stream = begin(client, 0);
	ProtobufCMessage *answer = NULL;
	struct error err;

	(void)state;
	assert_int_equal(rpc_stream_next(stream, 5000, &answer, NULL, &err), RPC_STREAM_FAILED);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, "127.0.0.1:1"));
}

/* Freed with a message that was not taken, while reading, and before anything came. */
static void a_stream_may_be_left_at_any_time(void **state)
{
	struct fixture *fixture = *state;
	ProtobufCMessage *answer = NULL;
	struct rpc_stream *stream;
	struct error err;

	script.messages = 20;
	script.stays_open = true;
	rpc_stream_free(begin(fixture->client, 0));
	stream = begin(fixture->client, 0);
	assert_next_is(stream, 1);
	rpc_stream_free(stream);
	stream = begin(fixture->client, 0);
	if (rpc_stream_next(stream, 0, &answer, NULL, &err) == RPC_STREAM_MESSAGE)
		protobuf_c_message_free_unpacked(answer, NULL);
	rpc_stream_free(stream);
	rpc_stream_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(messages_come_in_order_and_then_the_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_failure_after_messages_has_the_servers_words_and_details, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(waiting_ends_when_nothing_comes_and_loses_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_deadline_ends_a_stream, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_message_is_corrupt, set_up, tear_down),
		cmocka_unit_test(a_server_that_is_away_fails_the_stream),
		cmocka_unit_test_setup_teardown(a_stream_may_be_left_at_any_time, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("rpc_stream", tests, NULL, NULL);
}
