/* http_connections_test.c - requests that could be read as others, and more connections than there are places. */
#include "tests/unit/lib/http/http_fixture.h"

/* ---- requests that others could read as another one ---- */

#define POST(headers, rest) "POST /echo HTTP/1.1\r\nHost: x\r\n" headers "\r\n" rest
#define GET(headers) "GET /show HTTP/1.1\r\n" headers "\r\n"

/* Reads until the connection ends, which it must. */
static void receive_all(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t got;

	while ((got = recv(fd, text + len, size - 1 - len, 0)) > 0)
		len += (size_t)got;
	if (got < 0 && errno != ECONNRESET)
		fail_msg("still open after %s", text);
	text[len] = 0;
}

static void ends_a_connection_whose_requests_cannot_be_told_apart(void **state)
{
	static const struct {
		const char *status;
		const char *request;
	} rows[] = {
		{"400", POST("Content-Length: 2\r\nContent-Length: 5\r\n", "{}")},
		{"400", POST("Content-Length: 2\r\nContent-Length: 2\r\n", "{}")},
		{"400", POST("Content-Length: 2\r\nContent-Length: -1\r\n", "{}")},
		{"400", POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
		{"400", POST("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")},
		{"400", POST("Content-Length: -2\r\n", "{}")},
		{"400", POST("Content-Length: +2\r\n", "{}")},
		{"400", POST("Content-Length: 0x2\r\n", "{}")},
		{"400", POST("Content-Length: 2, 2\r\n", "{}")},
		{"400", POST("Content-Length:\r\n", "{}")},
		{"413", POST("Content-Length: 99999999999999999999999\r\n", "{}")},
		{"400", POST("Content-Length : 2\r\n", "{}")},
		{"400", POST("Content-Length: 2\r\n 2\r\n", "{}")},
		{"400", POST("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n")},
		{"400", POST("Transfer-Encoding : chunked\r\n", "0\r\n\r\n")},
		{"400", POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
		{"501", POST("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")},
		{"501", POST("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")},
		{"501", POST("Transfer-Encoding: identity\r\n", "")},
		{"400", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"400", POST("Transfer-Encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n")},
		{"400", POST("Transfer-Encoding: chunked\r\n", "-2\r\n{}\r\n0\r\n\r\n")},
		{"400", POST("Transfer-Encoding: chunked\r\n", "0x2\r\n{}\r\n0\r\n\r\n")},
		{"400", POST("Transfer-Encoding: chunked\r\n", "2 \r\n{}\r\n0\r\n\r\n")},
		{"400", POST("Transfer-Encoding: chunked\r\n", "2\r\n{}}\r\n0\r\n\r\n")},
		{"413", POST("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n{}\r\n0\r\n\r\n")},
		{"400", GET("")},
		{"400", GET("Host: x\r\nHost: y\r\n")},
		{"400", GET("Host: x\r\n y\r\n")},
		{"400", GET(" Host: x\r\n")},
		{"400", GET("Host: x\r\nA(B: c\r\n")},
		{"400", GET("Host: x\r\nA: b\rC: d\r\n")},
		{"400", GET("Host: x\r\nA: b\x01\r\n")},
		{"400", GET("Host: x\r\nno colon\r\n")},
		{"400", "GET /show  HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"400", "GET /sh ow HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"400", "GET /show HTTX/1.1\r\nHost: x\r\n\r\n"},
		{"400", "GET /show\r\n\r\n"},
		{"505", "GET /show HTTP/2.0\r\nHost: x\r\n\r\n"},
	};
	char text[4000];
	char expected[20];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int fd = connect_raw(*state);

		send_raw(fd, rows[i].request);
		receive_all(fd, text, sizeof(text));
		(void)snprintf(expected, sizeof(expected), "HTTP/1.1 %s ", rows[i].status);
		if (strncmp(text, expected, strlen(expected)) != 0)
			fail_msg("%s is answered %s", rows[i].request, text);
		close(fd);
	}
}

static void takes_what_is_unusual_but_clear(void **state)
{
	static const char *const rows[] = {
		"GET /show HTTP/1.0\r\n\r\n",
		"GET /show HTTP/1.2\r\nHost: x\r\n\r\n",
		"GET http://x/show HTTP/1.1\r\nHost: x\r\n\r\n",
		"\r\nGET /show HTTP/1.1\r\nHost: x\r\n\r\n",
		GET("hOST:x\r\n"),
		GET("Host:\r\n"),
		GET("Host: x\r\nX-Odd!#$%&'*+-.^_`|~09: \xc3\xa9\t!\r\n"),
		GET("Host: x\r\nContent-Length: 0\r\n"),
		POST("Transfer-Encoding: Chunked\r\n", "2;name=value\r\n{}\r\n0;last\r\nTrailer: x\r\n\r\n"),
	};
	char text[4000];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int fd = connect_raw(*state);

		send_raw(fd, rows[i]);
		if (!receive_until(fd, "\r\n\r\n", text, sizeof(text)) || strncmp(text, "HTTP/1.1 200 ", 13) != 0)
			fail_msg("%s is answered %s", rows[i], text);
		close(fd);
	}
}

/* ---- too many connections ---- */

static void restart_server(struct fixture *fixture, int per_client_max, struct http_server_metrics metrics)
{
	struct http_server_options options = {.body_bytes_max = BODY_MAX,
					      .threads = 8,
					      .handle = handle,
					      .ctx = fixture,
					      .connections_per_client_max = per_client_max,
					      .metrics = metrics};

	http_server_free(take_ptr(fixture->server));
	assert_int_equal(http_server_start(&options, &fixture->server, &fixture->err), 0);
}

static struct http_server_metrics make_metrics(struct metrics *metrics)
{
	return (struct http_server_metrics){.open = metrics_gauge(metrics, "open", NULL, "o"),
					    .refused = metrics_counter(metrics, "refused", NULL, "r"),
					    .displaced = metrics_counter(metrics, "displaced", NULL, "d")};
}

static void expect_ended(int fd)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, 0);

	assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
	close(fd);
}

/* A connection on which something was answered: it is known to the server, and idle since. */
static int connect_and_show(const struct fixture *fixture)
{
	int fd = connect_raw(fixture);
	char text[2000];

	send_raw(fd, GET("Host: x\r\n"));
	assert_true(receive_until(fd, "GET /show", text, sizeof(text)));
	return fd;
}

static void a_client_beyond_its_share_loses_its_oldest_idle_connection(void **state)
{
	struct fixture *fixture = *state;
	struct metrics *metrics = metrics_new();
	struct http_server_metrics seen = make_metrics(metrics);
	int idle[3];
	int last;

	restart_server(fixture, 3, seen);
	for (size_t i = 0; i < ARRAY_LEN(idle); i++)
		idle[i] = connect_and_show(fixture);
	assert_int_equal(metric_value(seen.open), 3);
	last = connect_and_show(fixture);
	expect_ended(idle[0]);
	assert_int_equal(metric_value(seen.displaced), 1);
	close(idle[1]);
	close(idle[2]);
	close(last);
	http_server_free(take_ptr(fixture->server));
	assert_int_equal(metric_value(seen.open), 0);
	assert_int_equal(metric_value(seen.refused), 0);
	metrics_free(metrics);
}

static void a_client_whose_share_is_at_work_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct metrics *metrics = metrics_new();
	struct http_server_metrics seen = make_metrics(metrics);
	pthread_t threads[3];
	void *is_right;

	restart_server(fixture, 3, seen);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, call_wait, fixture), 0);
	wait_until_inside(fixture, 3);
	expect_ended(connect_raw(fixture));
	assert_int_equal(metric_value(seen.refused), 1);
	release_waiters(fixture);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		pthread_join(threads[i], &is_right);
		assert_non_null(is_right);
	}
	http_server_free(take_ptr(fixture->server));
	metrics_free(metrics);
}

enum { CROWD = 600 }; /* more than there are places */

static void whoever_sends_nothing_keeps_nobody_out(void **state)
{
	struct fixture *fixture = *state;
	int crowd[CROWD];

	for (size_t i = 0; i < CROWD; i++) {
		crowd[i] = connect_raw(fixture);
		if (i % 2)
			send_raw(crowd[i], "GET /show HTTP/1.1\r\nHo");
	}
	assert_int_equal(call(fixture, "GET", "/show", NULL), 0);
	assert_int_equal(fixture->status, 200);
	http_server_free(take_ptr(fixture->server)); /* does not wait for them either */
	for (size_t i = 0; i < CROWD; i++)
		close(crowd[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HTTP_TEST(ends_a_connection_whose_requests_cannot_be_told_apart),
		HTTP_TEST(takes_what_is_unusual_but_clear),
		HTTP_TEST(a_client_beyond_its_share_loses_its_oldest_idle_connection),
		HTTP_TEST(a_client_whose_share_is_at_work_is_refused),
		HTTP_TEST(whoever_sends_nothing_keeps_nobody_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
