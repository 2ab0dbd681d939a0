/* http_test.c - the server and the client against each other over loopback; raw sockets where the client is too polite. */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/http/http_client.h"
#include "lib/http/http_server.h"

enum { BODY_MAX = 1000, DEADLINE_MS = 10000 };

struct fixture {
	struct http_server *server;
	struct http_client *client;
	struct buffer body;
	struct error err;
	int status;
	pthread_mutex_t mu;
	pthread_cond_t changed;
	int inside;       /* guarded by mu: handlers of /wait that run */
	bool is_released; /* guarded by mu */
};

/* Blocks until the test lets go. */
static void handle_wait(struct fixture *fixture, struct http_response *response)
{
	pthread_mutex_lock(&fixture->mu);
	fixture->inside++;
	pthread_cond_broadcast(&fixture->changed);
	while (!fixture->is_released)
		pthread_cond_wait(&fixture->changed, &fixture->mu);
	pthread_mutex_unlock(&fixture->mu);
	buffer_append_text(&response->body, "released");
}

static void handle(void *ctx, const struct http_request *request, struct http_response *response)
{
	const char *first = http_request_part_count(request) ? http_request_part(request, 0) : "";
	const char *value;

	if (strcmp(first, "wait") == 0) {
		handle_wait(ctx, response);
	} else if (strcmp(first, "echo") == 0) {
		buffer_append(&response->body, http_request_body(request).data, http_request_body(request).len);
		response->content_type = "text/plain";
	} else if (strcmp(first, "show") == 0) {
		buffer_append_format(&response->body, "%s %s", http_request_method(request),
				     http_request_path(request));
		for (size_t i = 1; i < http_request_part_count(request); i++)
			buffer_append_format(&response->body, " <%s>", http_request_part(request, i));
		value = http_request_query(request, "q");
		buffer_append_format(&response->body, " q=%s", value ? value : "none");
		value = http_request_header(request, "ACCEPT");
		buffer_append_format(&response->body, " accept=%s", value ? value : "none");
	} else if (strcmp(first, "created") == 0) {
		response->status = 201;
		response->location = xstrdup("/orders/7");
	} else if (strcmp(first, "server") == 0) {
		buffer_append_text(&response->body, ((struct fixture *)ctx)->server ? "known" : "unknown");
	} else if (strcmp(first, "json") == 0 && !http_request_may_be_json(request)) {
		http_response_not_json(response, request);
	} else if (strcmp(first, "json") == 0 && strcmp(http_request_method(request), "DELETE") == 0) {
		http_response_not_allowed(response, request, "GET, POST");
	} else if (strcmp(first, "json") == 0) {
		buffer_append_text(&response->body, "{}");
	} else if (strcmp(first, "conflict") == 0) {
		struct error err;

		error_set(&err, ERR_CONFLICT, "say \"no\"");
		http_response_from_error(response, &err);
	} else {
		http_response_error(response, 404, "not_found", "no %s here", first);
	}
}

static struct fixture *early; /* whose first request is made as soon as somebody listens; NULL: nobody's */

/* In place of the library's own: a server that starts has it as its last step but one. */
struct MHD_Daemon *MHD_start_daemon(unsigned flags, uint16_t port, MHD_AcceptPolicyCallback accept, void *accept_ctx,
				    MHD_AccessHandlerCallback access, void *access_ctx, ...)
{
	struct http_call first = {.method = "GET"};
	struct MHD_Daemon *daemon;
	char url[40];
	va_list args;

	va_start(args, access_ctx);
	daemon = MHD_start_daemon_va(flags, port, accept, accept_ctx, access, access_ctx, args);
	va_end(args);
	if (!early)
		return daemon;
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/server", (unsigned)port);
	first.url = url;
	assert_int_equal(http_client_call(early->client, &first, &early->status, &early->body, &early->err), 0);
	return daemon;
}

static void start_server(struct fixture *fixture)
{
	struct http_server_options options = {.body_bytes_max = BODY_MAX, .handle = handle, .ctx = fixture};

	assert_int_equal(http_server_start(&options, &fixture->server, &fixture->err), 0);
}

static int set_up(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));

	pthread_mutex_init(&fixture->mu, NULL);
	pthread_cond_init(&fixture->changed, NULL);
	start_server(fixture);
	fixture->client = http_client_new();
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	http_client_free(fixture->client);
	http_server_free(fixture->server);
	buffer_release(&fixture->body);
	pthread_cond_destroy(&fixture->changed);
	pthread_mutex_destroy(&fixture->mu);
	free(fixture);
	return 0;
}

static int call(struct fixture *fixture, const char *method, const char *path, const char *body)
{
	struct buffer url = {0};
	struct http_call http_call = {
		.method = method, .content_type = body ? "text/plain" : NULL, .body = bytes_of_text(body)};
	int result;

	buffer_append_format(&url, "http://127.0.0.1:%u%s", (unsigned)http_server_port(fixture->server), path);
	http_call.url = buffer_text(&url);
	result = http_client_call(fixture->client, &http_call, &fixture->status, &fixture->body, &fixture->err);
	buffer_release(&url);
	return result;
}

static int connect_raw(const struct fixture *fixture)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(http_server_port(fixture->server)),
				 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct timeval limit = {.tv_sec = DEADLINE_MS / 1000};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void send_raw(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads until `end` was seen; false when the connection ended before. */
static bool receive_until(int fd, const char *end, char *text, size_t size)
{
	size_t len = 0;

	text[0] = 0;
	while (!strstr(text, end)) {
		ssize_t got = recv(fd, text + len, size - 1 - len, 0);

		if (got <= 0)
			return false;
		len += (size_t)got;
		text[len] = 0;
	}
	return true;
}

static void splits_the_path_before_it_decodes(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(call(fixture, "GET", "/show/a%2Fb/%C3%A9+//x?q=1%202&z", NULL), 0);
	assert_int_equal(fixture->status, 200);
	assert_string_equal(buffer_text(&fixture->body),
			    "GET /show/a%2Fb/%C3%A9+//x <a/b> <\xc3\xa9+> <> <x> q=1 2 accept=*/*");
	assert_int_equal(call(fixture, "DELETE", "/show/a/?q", NULL), 0);
	assert_string_equal(buffer_text(&fixture->body), "DELETE /show/a/ <a> q= accept=*/*");
}

static void refuses_paths_and_queries_that_are_no_text(void **state)
{
	static const char *const bad[] = {"/show/%00", "/show/a%2",   "/show/%zz",
					  "/show/%ff", "/show?q=%ff", "/show?q=%00"};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(call(fixture, "GET", bad[i], NULL), 0);
		assert_int_equal(fixture->status, 400);
	}
}

static void answers_bodies_and_headers(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(call(fixture, "POST", "/echo", "hello"), 0);
	assert_string_equal(buffer_text(&fixture->body), "hello");
	assert_int_equal(call(fixture, "PUT", "/echo", ""), 0);
	assert_int_equal(fixture->status, 200);
	assert_int_equal(fixture->body.len, 0);
	assert_int_equal(call(fixture, "GET", "/conflict", NULL), 0);
	assert_int_equal(fixture->status, 409);
	assert_string_equal(buffer_text(&fixture->body), "{\"error\":\"conflict\",\"message\":\"say \\\"no\\\"\"}");
}

/* A probe may be waiting at the port already. */
static void the_server_is_known_when_its_first_request_comes(void **state)
{
	struct fixture *fixture = *state;

	http_server_free(take_ptr(fixture->server));
	early = fixture;
	start_server(fixture);
	early = NULL;
	assert_int_equal(fixture->status, 200);
	assert_string_equal(buffer_text(&fixture->body), "known");
}

static void sends_the_location_of_what_was_made(void **state)
{
	struct fixture *fixture = *state;
	int fd = connect_raw(fixture);
	char text[2000];

	send_raw(fd, "POST /created HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
	assert_true(receive_until(fd, "\r\n\r\n", text, sizeof(text)));
	assert_non_null(strstr(text, "HTTP/1.1 201 "));
	assert_non_null(strstr(text, "Location: /orders/7\r\n"));
	close(fd);
}

static void names_the_methods_that_would_do(void **state)
{
	struct fixture *fixture = *state;
	int fd = connect_raw(fixture);
	char text[2000];

	send_raw(fd, "DELETE /json HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(receive_until(fd, "allowed: HEAD, GET, POST\"}", text, sizeof(text)));
	assert_non_null(strstr(text, "HTTP/1.1 405 "));
	assert_non_null(strstr(text, "Allow: HEAD, GET, POST\r\n"));
	send_raw(fd, "HEAD /json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	assert_true(receive_until(fd, "\r\n\r\n", text, sizeof(text)));
	assert_non_null(strstr(text, "HTTP/1.1 200 "));
	assert_null(strstr(text, "Allow:"));
	close(fd);
}

static void tells_json_from_other_bodies(void **state)
{
	static const struct {
		const char *type;
		const char *answer;
	} rows[] = {
		{"", "200"},
		{"Content-Type: application/json\r\n", "200"},
		{"Content-Type: Application/JSON; charset=utf-8\r\n", "200"},
		{"Content-Type: application/problem+json\r\n", "200"},
		{"Content-Type: application/x-www-form-urlencoded\r\n", "200"},
		{"Content-Type: text/xml\r\n", "415"},
		{"Content-Type: application/jsonl\r\n", "415"},
		{"Content-Type: multipart/form-data; boundary=x\r\n", "415"},
	};
	char request[200];
	char text[2000];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int fd = connect_raw(*state);

		(void)snprintf(request, sizeof(request),
			       "POST /json HTTP/1.1\r\nHost: x\r\n%sContent-Length: 0\r\n\r\n", rows[i].type);
		send_raw(fd, request);
		assert_true(receive_until(fd, "\r\n\r\n", text, sizeof(text)));
		assert_memory_equal(text + strlen("HTTP/1.1 "), rows[i].answer, 3);
		close(fd);
	}
}

static void keeps_the_connection_over_errors_and_too_large_bodies(void **state)
{
	struct fixture *fixture = *state;
	int fd = connect_raw(fixture);
	char text[2000];
	char large[BODY_MAX + 2];

	for (int i = 0; i < 3; i++) {
		send_raw(fd, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_true(receive_until(fd, "no nothing here\"}", text, sizeof(text)));
		assert_non_null(strstr(text, "HTTP/1.1 404 "));
	}
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = 0;
	send_raw(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");
	send_raw(fd, large);
	assert_true(receive_until(fd, "1000 bytes\"}", text, sizeof(text)));
	assert_non_null(strstr(text, "HTTP/1.1 413 "));
	send_raw(fd, "GET /show HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(receive_until(fd, "GET /show", text, sizeof(text)));
	close(fd);
}

static void takes_chunked_bodies_up_to_the_limit(void **state)
{
	struct fixture *fixture = *state;
	int fd = connect_raw(fixture);
	char text[2000];
	char chunk[700];

	send_raw(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	send_raw(fd, "4\r\ndefg\r\n0\r\n\r\n");
	assert_true(receive_until(fd, "abcdefg", text, sizeof(text)));

	memset(chunk, 'x', sizeof(chunk) - 1);
	chunk[sizeof(chunk) - 1] = 0;
	send_raw(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 2; i++) {
		send_raw(fd, "2bb\r\n");
		send_raw(fd, chunk);
		send_raw(fd, "\r\n");
	}
	send_raw(fd, "0\r\n\r\n");
	assert_true(receive_until(fd, "1000 bytes\"}", text, sizeof(text)));
	assert_non_null(strstr(text, "HTTP/1.1 413 "));
	close(fd);
}

static void refuses_huge_bodies_without_reading_them(void **state)
{
	struct fixture *fixture = *state;
	int fd = connect_raw(fixture);
	char text[2000];

	send_raw(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n");
	assert_true(receive_until(fd, "1000 bytes\"}", text, sizeof(text)));
	assert_non_null(strstr(text, "HTTP/1.1 413 "));
	close(fd);
}

static void *call_wait(void *ctx)
{
	struct fixture *fixture = ctx;
	struct http_client *client = http_client_new();
	struct buffer body = {0};
	struct buffer url = {0};
	struct http_call http_call = {.method = "GET"};
	struct error err;
	int status = 0;
	intptr_t is_right;

	buffer_append_format(&url, "http://127.0.0.1:%u/wait", (unsigned)http_server_port(fixture->server));
	http_call.url = buffer_text(&url);
	is_right = http_client_call(client, &http_call, &status, &body, &err) == 0 && status == 200 &&
		   strcmp(buffer_text(&body), "released") == 0;
	buffer_release(&body);
	buffer_release(&url);
	http_client_free(client);
	return (void *)is_right;
}

static void wait_until_inside(struct fixture *fixture, int count)
{
	pthread_mutex_lock(&fixture->mu);
	while (fixture->inside < count)
		pthread_cond_wait(&fixture->changed, &fixture->mu);
	pthread_mutex_unlock(&fixture->mu);
}

static void release_waiters(struct fixture *fixture)
{
	pthread_mutex_lock(&fixture->mu);
	fixture->is_released = true;
	pthread_cond_broadcast(&fixture->changed);
	pthread_mutex_unlock(&fixture->mu);
}

static void answers_others_while_handlers_block(void **state)
{
	struct fixture *fixture = *state;
	pthread_t threads[3];
	void *is_right;

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, call_wait, fixture), 0);
	wait_until_inside(fixture, 3);
	assert_int_equal(call(fixture, "GET", "/show", NULL), 0);
	assert_int_equal(fixture->status, 200);
	release_waiters(fixture);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		pthread_join(threads[i], &is_right);
		assert_non_null(is_right);
	}
}

static void *free_server(void *ctx)
{
	struct fixture *fixture = ctx;

	http_server_free(fixture->server);
	return NULL;
}

static void answers_what_runs_before_it_stops(void **state)
{
	struct fixture *fixture = *state;
	pthread_t caller;
	pthread_t stopper;
	void *is_right = NULL;

	assert_int_equal(pthread_create(&caller, NULL, call_wait, fixture), 0);
	wait_until_inside(fixture, 1);
	assert_int_equal(pthread_create(&stopper, NULL, free_server, fixture), 0);
	release_waiters(fixture);
	pthread_join(caller, &is_right);
	pthread_join(stopper, NULL);
	fixture->server = NULL;
	assert_non_null(is_right);
}

static void names_a_port_in_use(void **state)
{
	struct fixture *fixture = *state;
	struct http_server_options options = {.port = http_server_port(fixture->server), .handle = handle};
	struct http_server *second = NULL;
	char expected[100];

	(void)snprintf(expected, sizeof(expected), "cannot listen on 127.0.0.1 port %u: Address already in use",
		       (unsigned)options.port);
	assert_int_equal(http_server_start(&options, &second, &fixture->err), -1);
	assert_int_equal(fixture->err.code, ERR_CONFLICT);
	assert_string_equal(fixture->err.msg, expected);
	options.address = "localhost";
	assert_int_equal(http_server_start(&options, &second, &fixture->err), -1);
	assert_int_equal(fixture->err.code, ERR_INVALID);
}

static void client_reports_a_server_that_is_away(void **state)
{
	struct fixture *fixture = *state;
	struct http_call http_call = {.method = "GET", .url = "http://127.0.0.1:1/"};

	assert_int_equal(http_client_call(fixture->client, &http_call, &fixture->status, &fixture->body, &fixture->err),
			 -1);
	assert_int_equal(fixture->err.code, ERR_UNAVAILABLE);
	http_call.url = "file:///etc/passwd";
	assert_int_equal(http_client_call(fixture->client, &http_call, &fixture->status, &fixture->body, &fixture->err),
			 -1);
	assert_int_equal(fixture->err.code, ERR_INVALID);
}

static void client_keeps_deadline_and_answer_limit(void **state)
{
	struct fixture *fixture = *state;
	char url[100];
	struct http_call http_call = {.method = "GET", .url = url, .timeout_ms = 50};

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/wait", (unsigned)http_server_port(fixture->server));
	assert_int_equal(http_client_call(fixture->client, &http_call, &fixture->status, &fixture->body, &fixture->err),
			 -1);
	assert_int_equal(fixture->err.code, ERR_TIMEOUT);
	release_waiters(fixture);
	http_call.timeout_ms = 0;
	http_call.answer_bytes_max = 7;
	assert_int_equal(http_client_call(fixture->client, &http_call, &fixture->status, &fixture->body, &fixture->err),
			 -1);
	assert_int_equal(fixture->err.code, ERR_LIMIT);
}

static void path_parts_are_encoded(void **state)
{
	struct buffer url = {0};

	(void)state;
	http_append_path_part(&url, "a/b \xc3\xa9%.~");
	assert_string_equal(buffer_text(&url), "a%2Fb%20%C3%A9%25.~");
	buffer_release(&url);
}

#define HTTP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HTTP_TEST(splits_the_path_before_it_decodes),
		HTTP_TEST(refuses_paths_and_queries_that_are_no_text),
		HTTP_TEST(answers_bodies_and_headers),
		HTTP_TEST(the_server_is_known_when_its_first_request_comes),
		HTTP_TEST(sends_the_location_of_what_was_made),
		HTTP_TEST(names_the_methods_that_would_do),
		HTTP_TEST(tells_json_from_other_bodies),
		HTTP_TEST(keeps_the_connection_over_errors_and_too_large_bodies),
		HTTP_TEST(takes_chunked_bodies_up_to_the_limit),
		HTTP_TEST(refuses_huge_bodies_without_reading_them),
		HTTP_TEST(answers_others_while_handlers_block),
		HTTP_TEST(answers_what_runs_before_it_stops),
		HTTP_TEST(names_a_port_in_use),
		HTTP_TEST(client_reports_a_server_that_is_away),
		HTTP_TEST(client_keeps_deadline_and_answer_limit),
		cmocka_unit_test(path_parts_are_encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
