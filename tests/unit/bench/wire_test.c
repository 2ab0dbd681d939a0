/* wire_test.c - calls over our own HTTP/2, to the server that they are meant for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <grpc/status.h>
#include <stdio.h>

#include "coordinator/api/health_service.h"
#include "coordinator/api/rpc_server.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "tests/bench/offer/wire.h"

enum { CONNECTIONS = 3, UNTIL_MS = 20000, TURN_MS = 10, DRAIN_MS = 10000 };

struct fixture {
	struct rpc_server *server;
	struct health_service *health;
	char target[40];
	struct wire *wire;
	size_t answers;
	size_t with_message; /* status OK */
	int last_status;
};

static bool is_serving(void *ctx)
{
	(void)ctx;
	return true;
}

static int set_up(void **state)
{
	struct fixture *fixture = test_calloc(1, sizeof(*fixture));
	struct error err;

	fixture->server = rpc_server_new(NULL);
	fixture->health = health_service_new(fixture->server, is_serving, NULL);
	if (rpc_server_start(fixture->server, "127.0.0.1:0", false, &err))
		return -1;
	snprintf(fixture->target, sizeof(fixture->target), "127.0.0.1:%d", rpc_server_port(fixture->server));
	*state = fixture;
	return 0;
}

static void stop_server(struct fixture *fixture)
{
	if (!fixture->server)
		return;
	health_service_stop(fixture->health);
	rpc_server_drain(fixture->server, DRAIN_MS);
	rpc_server_free(take_ptr(fixture->server));
	health_service_free(take_ptr(fixture->health));
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	wire_free(fixture->wire);
	stop_server(fixture);
	test_free(fixture);
	return 0;
}

static void note_answer(void *ctx, void *call, int status, struct bytes message)
{
	struct fixture *fixture = ctx;

	assert_ptr_equal(call, fixture);
	fixture->answers++;
	fixture->with_message += status == GRPC_STATUS_OK && message.len > 0 ? 1 : 0;
	fixture->last_status = status;
}

static void open_wire(struct fixture *fixture, const char *path)
{
	struct error err;

	assert_int_equal(wire_new(fixture->target, path, CONNECTIONS, note_answer, fixture, &fixture->wire, &err), 0);
}

static void call(struct fixture *fixture, size_t count)
{
	uint8_t message[100] = {15 << 3 | 2, sizeof(message) - 2}; /* a field that nobody knows */

	for (size_t i = 0; i < count; i++)
		wire_call(fixture->wire, (struct bytes){message, sizeof(message)}, fixture);
}

static void turn_until(struct fixture *fixture, size_t answers)
{
	int64_t until_us = clock_monotonic_us() + UNTIL_MS * 1000;

	while (fixture->answers < answers && clock_monotonic_us() < until_us)
		wire_turn(fixture->wire, TURN_MS);
	assert_int_equal(fixture->answers, answers);
}

/* Three times the bytes that a connection may send without the server's leave. */
static void every_call_is_answered_once(void **state)
{
	enum { CALLS = CONNECTIONS * 2000 };
	struct fixture *fixture = *state;

	open_wire(fixture, "/grpc.health.v1.Health/Check");
	call(fixture, CALLS);
	turn_until(fixture, CALLS);
	assert_int_equal(fixture->with_message, CALLS);
}

static void tells_the_status_of_a_refusal(void **state)
{
	struct fixture *fixture = *state;

	open_wire(fixture, "/grpc.health.v1.Health/Unknown");
	call(fixture, 1);
	turn_until(fixture, 1);
	assert_int_equal(fixture->last_status, GRPC_STATUS_UNIMPLEMENTED);
}

static void calls_of_a_lost_connection_are_lost(void **state)
{
	struct fixture *fixture = *state;

	open_wire(fixture, "/grpc.health.v1.Health/Check");
	call(fixture, CONNECTIONS);
	turn_until(fixture, CONNECTIONS);
	stop_server(fixture);
	call(fixture, CONNECTIONS);
	turn_until(fixture, 2 * CONNECTIONS);
	assert_int_equal(fixture->last_status, WIRE_LOST);
	call(fixture, 1); /* at once, as there is none left */
	assert_int_equal(fixture->answers, 2 * CONNECTIONS + 1);
}

static void says_where_nobody_listens(void **state)
{
	struct fixture *fixture = *state;
	struct error err;

	stop_server(fixture);
	assert_int_equal(wire_new(fixture->target, "/x", 1, note_answer, fixture, &fixture->wire, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, fixture->target));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_call_is_answered_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_the_status_of_a_refusal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(calls_of_a_lost_connection_are_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(says_where_nobody_listens, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
