/*
 * http_fixture.h - a server with a handler that shows what it got, and clients: the polite one and raw sockets.
 */
#ifndef TESTS_UNIT_LIB_HTTP_HTTP_FIXTURE_H
#define TESTS_UNIT_LIB_HTTP_HTTP_FIXTURE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
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
static inline void handle_wait(struct fixture *fixture, struct http_response *response)
{
	pthread_mutex_lock(&fixture->mu);
	fixture->inside++;
	pthread_cond_broadcast(&fixture->changed);
	while (!fixture->is_released)
		pthread_cond_wait(&fixture->changed, &fixture->mu);
	pthread_mutex_unlock(&fixture->mu);
	buffer_append_text(&response->body, "released");
}

static inline void handle(void *ctx, const struct http_request *request, struct http_response *response)
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

static inline void start_server(struct fixture *fixture)
{
	struct http_server_options options = {.body_bytes_max = BODY_MAX, .handle = handle, .ctx = fixture};

	assert_int_equal(http_server_start(&options, &fixture->server, &fixture->err), 0);
}

static inline int set_up(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));

	pthread_mutex_init(&fixture->mu, NULL);
	pthread_cond_init(&fixture->changed, NULL);
	start_server(fixture);
	fixture->client = http_client_new();
	*state = fixture;
	return 0;
}

static inline int tear_down(void **state)
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

static inline int call(struct fixture *fixture, const char *method, const char *path, const char *body)
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

static inline int connect_raw(const struct fixture *fixture)
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

static inline void send_raw(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads until `end` was seen; false when the connection ended before. */
static inline bool receive_until(int fd, const char *end, char *text, size_t size)
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

static inline void *call_wait(void *ctx)
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

static inline void wait_until_inside(struct fixture *fixture, int count)
{
	pthread_mutex_lock(&fixture->mu);
	while (fixture->inside < count)
		pthread_cond_wait(&fixture->changed, &fixture->mu);
	pthread_mutex_unlock(&fixture->mu);
}

static inline void release_waiters(struct fixture *fixture)
{
	pthread_mutex_lock(&fixture->mu);
	fixture->is_released = true;
	pthread_cond_broadcast(&fixture->changed);
	pthread_mutex_unlock(&fixture->mu);
}

#define HTTP_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
