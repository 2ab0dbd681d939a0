/* checkout_front_test.c - POST /checkout over HTTP, against a coordinator inside the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/shutdown.h"
#include "lib/rpc/json_struct.h"
#include "participants/checkout/checkout_front.h"
#include "proto/saga/v1/saga_service.pb-c.h"
#include "tests/unit/lib/rpc/fake_rpc_server.h"

static const char SAGA_ID[] = "01900000-0000-7000-8000-000000000001";

/* What the coordinator shall do, and what it was asked. */
struct coordinator {
	int start_status;
	int start_failures; /* StartSaga is unavailable that often first */
	int get_failures;   /* GetSaga is unavailable that often first */
	Saga__V1__SagaState state;
	const char *step;
	char key[300]; /* of the last StartSaga */
	char input[1024];
	int starts;
	int gets;
};

static struct coordinator coordinator;
static struct fake_rpc_server *rpc_server;
static struct rpc_client *client;
static struct metrics *metrics;
static struct checkout_front *front;
static struct http_server *server;

static void append_saga(struct buffer *out, Saga__V1__SagaState saga_state)
{
	Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
	Saga__V1__GetSagaResponse response = SAGA__V1__GET_SAGA_RESPONSE__INIT; /* as StartSagaResponse: field 1 */

	saga.saga_id = (char *)SAGA_ID;
	saga.state = saga_state;
	saga.step = (char *)coordinator.step;
	response.saga = &saga;
	buffer_reserve(out, saga__v1__get_saga_response__get_packed_size(&response));
	out->len = saga__v1__get_saga_response__pack(&response, out->data);
}

static void note_start(struct bytes request)
{
	Saga__V1__StartSagaRequest *start = saga__v1__start_saga_request__unpack(NULL, request.len, request.data);
	_cleanup_(buffer_release)
	struct buffer input = {0};

	coordinator.starts++;
	assert_string_equal(start->definition, "checkout");
	json_struct_append(&input, start->json);
	(void)snprintf(coordinator.key, sizeof(coordinator.key), "%s", start->idempotency_key);
	(void)snprintf(coordinator.input, sizeof(coordinator.input), "%s", buffer_text(&input));
	saga__v1__start_saga_request__free_unpacked(start, NULL);
}

/* A saga runs when it was started, and is where the test wants it when it is looked at. */
static void handle(void *ctx, const char *method, struct bytes request, struct fake_rpc_answer *answer)
{
	Saga__V1__SagaState saga_state = coordinator.state;

	(void)ctx;
	if (strcmp(method, "/saga.v1.SagaService/StartSaga") == 0) {
		note_start(request);
		answer->status = coordinator.starts <= coordinator.start_failures ? 14 : coordinator.start_status;
		saga_state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
	} else if (strcmp(method, "/saga.v1.SagaService/GetSaga") == 0) {
		answer->status = coordinator.gets++ < coordinator.get_failures ? 14 : 0;
	} else {
		answer->status = 12;
	}
	answer->status_text = "said so";
	if (answer->status == 0)
		append_saga(&answer->message, saga_state);
}

static void start_front(int64_t wait_ms)
{
	struct checkout_front_options options = {
		.coordinator = client, .wait_ms = wait_ms, .threads = 8, .port = 4000, .environment = "test"};
	struct http_server_options http = {.body_bytes_max = 4096, .threads = 8, .handle = checkout_front_handle};
	struct error err;

	options.metrics = metrics = metrics_new();
	http.ctx = front = checkout_front_new(&options);
	if (http_server_start(&http, &server, &err) < 0)
		fail_msg("%s", err.msg);
}

static void stop_front(void)
{
	http_server_free(server);
	checkout_front_free(front);
	metrics_free(metrics);
}

static int set_up(void **state)
{
	(void)state;
	coordinator = (struct coordinator){.state = SAGA__V1__SAGA_STATE__SAGA_STATE_COMPLETED, .step = "COMPLETED"};
	rpc_server = fake_rpc_server_new(handle, NULL);
	client = rpc_client_new(fake_rpc_server_target(rpc_server));
	start_front(5000);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	stop_front();
	rpc_client_free(client);
	if (rpc_server)
		fake_rpc_server_free(rpc_server);
	rpc_server = NULL;
	return 0;
}

/* The whole answer, head and body. */
static const char *ask(const char *method, const char *path, const char *head, const char *body)
{
	static char answer[65536];
	_cleanup_(buffer_release)
	struct buffer request = {0};
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(http_server_port(server)),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t len = 0;
	ssize_t more;

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	buffer_append_format(&request,
			     "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n%s",
			     method, path, strlen(body), head, body);
	assert_int_equal(write(fd, request.data, request.len), request.len);
	while ((more = read(fd, answer + len, sizeof(answer) - 1 - len)) > 0)
		len += (size_t)more;
	(void)close(fd);
	answer[len] = 0;
	return answer;
}

static void assert_has(const char *answer, const char *part)
{
	if (!strstr(answer, part))
		fail_msg("'%s' is not in: %s", part, answer);
}

static const char BODY[] = "{\"userId\":\"u1\",\"totalAmount\":10.01}";

static void a_completed_checkout_is_200_with_saga_and_order(void **state)
{
	const char *answer = ask("POST", "/checkout", "", BODY);
	char order_id[37];

	(void)state;
	assert_has(answer, "HTTP/1.1 200 ");
	assert_has(answer, "{\"sagaId\":\"01900000-0000-7000-8000-000000000001\",\"orderId\":\"");
	assert_has(answer, "\",\"status\":\"COMPLETED\",\"step\":\"COMPLETED\"}");
	(void)snprintf(order_id, sizeof(order_id), "%s", strstr(answer, "orderId\":\"") + 10);
	assert_int_equal(order_id[14], '7');
	assert_string_equal(coordinator.key, order_id);
	assert_has(coordinator.input, order_id);
	assert_has(coordinator.input,
		   "\"user_id\":\"u1\",\"total_amount_minor\":1001,\"currency\":\"USD\","
		   "\"items\":[{\"product_id\":\"prod-1\",\"quantity\":1,\"price_minor\":0}],\"customer_email\":\"\"}");
}

static void a_compensated_checkout_is_200_failed_with_its_step(void **state)
{
	(void)state;
	coordinator.state = SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED;
	coordinator.step = "PAYMENT_FAILED";
	assert_has(
		ask("POST", "/checkout", "",
		    "{\"userId\":\"u1\",\"totalAmount\":10.01,\"forcePaymentFail\":true,\"forceInventoryFail\":false}"),
		"\"status\":\"FAILED\",\"step\":\"PAYMENT_FAILED\"}");
	assert_has(coordinator.input, "\"force_payment_fail\":true,\"force_inventory_fail\":false}");
}

static void a_checkout_that_cannot_end_now_is_202(void **state)
{
	const char *answer;

	(void)state;
	coordinator.state = SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK;
	answer = ask("POST", "/checkout", "", BODY);
	assert_has(answer, "HTTP/1.1 202 ");
	assert_has(answer, "\"status\":\"RUNNING\"}");
}

static void an_absence_of_the_coordinator_while_waiting_is_ridden_out(void **state)
{
	(void)state;
	coordinator.get_failures = 3;
	assert_has(ask("POST", "/checkout", "", BODY), "\"status\":\"COMPLETED\"");
	assert_int_equal(coordinator.gets, 4);
	assert_int_equal(coordinator.starts, 1);
}

static void a_start_whose_answer_was_lost_is_asked_again_with_the_same_key(void **state)
{
	const char *answer;
	char order_id[64];

	(void)state;
	coordinator.start_failures = 2;
	answer = ask("POST", "/checkout", "", BODY);
	assert_has(answer, "\"status\":\"COMPLETED\"");
	assert_int_equal(coordinator.starts, 3);
	(void)snprintf(order_id, sizeof(order_id), "\"orderId\":\"%s\"", coordinator.key);
	assert_has(answer, order_id);
}

static void the_same_idempotency_key_is_the_same_order(void **state)
{
	char inputs[2][1024];

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_has(ask("POST", "/checkout", "Idempotency-Key: k-1\r\n", BODY), "HTTP/1.1 200 ");
		assert_string_equal(coordinator.key, "k-1");
		memcpy(inputs[i], coordinator.input, sizeof(inputs[i]));
	}
	assert_string_equal(inputs[0], inputs[1]);
	assert_has(ask("POST", "/checkout", "Idempotency-Key: k-2\r\n", BODY), "HTTP/1.1 200 ");
	assert_string_not_equal(inputs[0], coordinator.input);
}

static void wrong_fields_are_400_and_start_nothing(void **state)
{
	const char *answer = ask("POST", "/checkout", "", "{\"totalAmount\":10.001}");

	(void)state;
	assert_has(answer, "HTTP/1.1 400 ");
	assert_has(answer,
		   "{\"error\":\"invalid_argument\",\"message\":\"userId: is required; totalAmount: '10.001' has more");
	assert_has(answer,
		   "\"fields\":[{\"field\":\"userId\",\"message\":\"is required\"},{\"field\":\"totalAmount\",");
	assert_int_equal(coordinator.starts, 0);
}

static void the_coordinators_refusals_are_mapped(void **state)
{
	static const struct {
		int grpc;
		const char *http;
		const char *error;
	} cases[] = {
		{3, "HTTP/1.1 400 ", "\"error\":\"invalid_argument\""},
		{5, "HTTP/1.1 503 ", "\"error\":\"unavailable\""},
		{6, "HTTP/1.1 409 ", "\"error\":\"already_exists\""},
		{8, "HTTP/1.1 429 ", "\"error\":\"resource_exhausted\""},
		{13, "HTTP/1.1 500 ", "\"error\":\"internal\""},
		{14, "HTTP/1.1 503 ", "Retry-After: 1\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *answer;

		coordinator.start_status = cases[i].grpc;
		answer = ask("POST", "/checkout", "", BODY);
		assert_has(answer, cases[i].http);
		assert_has(answer, cases[i].error);
		assert_has(answer, "said so");
	}
}

static void without_a_coordinator_checkout_is_503_and_health_degraded(void **state)
{
	const char *answer;

	(void)state;
	fake_rpc_server_free(rpc_server);
	rpc_server = NULL;
	answer = ask("POST", "/checkout", "", BODY);
	assert_has(answer, "HTTP/1.1 503 ");
	assert_has(answer, "Retry-After: ");
	answer = ask("GET", "/health", "", "");
	assert_has(answer, "HTTP/1.1 200 ");
	assert_has(answer, "{\"status\":\"degraded\",\"reasons\":[\"");
	assert_has(ask("GET", "/readyz", "", ""), "HTTP/1.1 503 ");
	assert_has(ask("GET", "/livez", "", ""), "HTTP/1.1 200 ");
	assert_has(ask("GET", "/metrics", "", ""), "checkout_requests_total{outcome=\"error\"} 1\n");
}

static void unknown_paths_and_methods_are_told_apart(void **state)
{
	(void)state;
	assert_has(ask("GET", "/checkout", "", ""), "HTTP/1.1 405 ");
	assert_has(ask("POST", "/check", "", BODY), "HTTP/1.1 404 ");
	assert_has(ask("POST", "/checkout/x", "", BODY), "HTTP/1.1 404 ");
}

/* More checkouts at once than may wait: none is refused, and the others are answered without delay. */
static void *ask_at_once(void *ctx)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(http_server_port(server)),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char request[512];
	char answer[512] = "";
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int len = snprintf(request, sizeof(request),
			   "POST /checkout HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
			   strlen(BODY), BODY);

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && write(fd, request, (size_t)len) == len &&
	    read(fd, answer, sizeof(answer) - 1) > 0)
		*(bool *)ctx = strncmp(answer, "HTTP/1.1 202 ", 13) == 0;
	(void)close(fd);
	return NULL;
}

static void checkouts_beyond_the_waiting_ones_are_answered_at_once(void **state)
{
	enum { COUNT = 20 };
	bool is_accepted[COUNT] = {0};
	pthread_t threads[COUNT];

	(void)state;
	coordinator.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
	stop_front();
	start_front(500);
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_at_once, &is_accepted[i]), 0);
	assert_has(ask("GET", "/livez", "", ""), "HTTP/1.1 200 ");
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_true(is_accepted[i]);
	}
	assert_int_equal(coordinator.starts, COUNT);
}

#define FRONT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRONT_TEST(a_completed_checkout_is_200_with_saga_and_order),
		FRONT_TEST(a_compensated_checkout_is_200_failed_with_its_step),
		FRONT_TEST(a_checkout_that_cannot_end_now_is_202),
		FRONT_TEST(an_absence_of_the_coordinator_while_waiting_is_ridden_out),
		FRONT_TEST(a_start_whose_answer_was_lost_is_asked_again_with_the_same_key),
		FRONT_TEST(the_same_idempotency_key_is_the_same_order),
		FRONT_TEST(wrong_fields_are_400_and_start_nothing),
		FRONT_TEST(the_coordinators_refusals_are_mapped),
		FRONT_TEST(without_a_coordinator_checkout_is_503_and_health_degraded),
		FRONT_TEST(unknown_paths_and_methods_are_told_apart),
		FRONT_TEST(checkouts_beyond_the_waiting_ones_are_answered_at_once),
	};

	shutdown_init();
	log_init("checkout_front_test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests_name("checkout_front", tests, NULL, NULL);
}
