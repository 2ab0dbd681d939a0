/* http_test.c - the server and the client against each other over loopback; raw sockets where the client is too polite. */
#include <microhttpd.h>
#include <stdatomic.h>

#include "tests/unit/lib/http/http_fixture.h"

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
