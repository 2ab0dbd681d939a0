/*
 * http_server.c - see http_server.h.
 *
 * One thread a connection: a handler that blocks for seconds (a front that waits for a saga's outcome) then holds up
 * nobody else, and an idle keep-alive connection holds up no handler. A pool of polling threads was rejected for the
 * first reason. HTTP_CONNECTIONS_MAX bounds the threads, `options.threads` the handlers that run at the same time.
 */
#include "lib/http/http_server.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/condition.h"
#include "lib/http/http_connections.h"
#include "lib/http/http_framing.h"
#include "lib/http/http_request.h"
#include "lib/http/http_tls.h"
#include "lib/security/listen_rule.h"

enum {
	CONNECTIONS_LEAVING_MAX = 64,     /* shut down, but not gone yet; who comes then waits a moment */
	THREAD_STACK_BYTES = 1024 * 1024, /* parsers of nested input run on it */
	RECEIVE_TIMEOUT_S = 10,           /* without a byte, while a request comes in */
	IDLE_TIMEOUT_S = 60,              /* between two requests, and while an answer goes out */
	STOP_TIMEOUT_S = 10,
	THREADS_DEFAULT = 4,
	DISCARD_FACTOR =
		16, /* a body up to so many times the limit is read to its end, so that the sender gets its 413 */
};

static const char TLS_PRIORITIES[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

/* What serves with one set of certificates; a reload makes the next one, which takes over the listening socket. */
struct generation {
	struct http_server *server;
	struct MHD_Daemon *daemon;
	struct certificate_texts texts;
	uint64_t number;
	int unanswered; /* guarded by mu: requests whose handler began and whose answer is not sent yet */
};

struct http_server {
	struct generation *current;
	struct certificates *certificates; /* NULL: plain */
	int listen_fd;
	uint16_t port;
	size_t body_bytes_max;
	struct http_connections *connections;
	int threads;
	void (*handle)(void *ctx, const struct http_request *request, struct http_response *response);
	void (*refuse)(struct http_response *response, int status, const char *code, const char *text);
	void *ctx;
	pthread_mutex_t mu;
	pthread_cond_t changed;
	int handling; /* guarded by mu: handlers that run */
};

/* ---- one request ---- */

static void *on_request_line(void *ctx, const char *uri, struct MHD_Connection *connection)
{
	(void)ctx;
	(void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT,
					(unsigned)RECEIVE_TIMEOUT_S); /* cannot fail for this option */
	return http_request_new(uri);
}

static void on_request_done(void *ctx, struct MHD_Connection *connection, void **place,
			    enum MHD_RequestTerminationCode why)
{
	struct generation *generation = ctx;
	struct http_server *server = generation->server;
	struct http_request *request = *place;

	(void)connection;
	(void)why; /* a client that went away is no concern of ours */
	if (!request)
		return;
	if (request->place)
		http_connection_note(request->place, HTTP_CONNECTION_IDLE);
	if (request->is_handled) {
		pthread_mutex_lock(&server->mu);
		generation->unanswered--;
		pthread_cond_broadcast(&server->changed);
		pthread_mutex_unlock(&server->mu);
	}
	http_request_free(request);
	*place = NULL;
}

/* What http_request_identify() takes. Some clients send a login only after they were asked for one. */
static void add_challenges(struct MHD_Response *response)
{
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"amends\"");
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
				      "Basic realm=\"amends\", charset=\"UTF-8\"");
}

/* Hands the response to libmicrohttpd, which owns its body from then on. */
static enum MHD_Result send_response(struct MHD_Connection *connection, struct http_response *response)
{
	struct MHD_Response *sent =
		MHD_create_response_from_buffer(response->body.len, response->body.data, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result;

	if (!sent) {
		buffer_release(&response->body);
		free((char *)response->location);
		return MHD_NO;
	}
	if (response->body.len > 0)
		(void)MHD_add_response_header(sent, MHD_HTTP_HEADER_CONTENT_TYPE, response->content_type);
	if (response->location) /* a header that is refused for its characters is left out */
		(void)MHD_add_response_header(sent, MHD_HTTP_HEADER_LOCATION, response->location);
	if (response->retry_after_s > 0) {
		char seconds[16];

		(void)snprintf(seconds, sizeof(seconds), "%d", response->retry_after_s);
		(void)MHD_add_response_header(sent, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
	}
	if (response->allow[0])
		(void)MHD_add_response_header(sent, MHD_HTTP_HEADER_ALLOW, response->allow);
	if (response->status == MHD_HTTP_UNAUTHORIZED)
		add_challenges(sent);
	if (response->is_last)
		(void)MHD_add_response_header(sent, MHD_HTTP_HEADER_CONNECTION, "close");
	result = MHD_queue_response(connection, (unsigned)response->status, sent);
	MHD_destroy_response(sent);
	free((char *)response->location);
	return result;
}

static void refuse_plainly(struct http_response *response, int status, const char *code, const char *text)
{
	http_response_error(response, status, code, "%s", text);
}

static enum MHD_Result send_refusal(const struct http_server *server, struct MHD_Connection *connection, int status,
				    const char *code, const char *text)
{
	struct http_response response = {.status = status, .content_type = "application/json"};

	server->refuse(&response, status, code, text);
	return send_response(connection, &response);
}

static enum MHD_Result send_too_large(const struct http_server *server, struct MHD_Connection *connection)
{
	char text[100];

	(void)snprintf(text, sizeof(text), "the body is larger than the limit of %zu bytes", server->body_bytes_max);
	return send_refusal(server, connection, 413, "limit", text);
}

static enum MHD_Result send_fault(const struct http_server *server, struct MHD_Connection *connection, int status,
				  const char *text)
{
	struct http_response response = {.status = status, .content_type = "application/json"};

	server->refuse(&response, status, status == 501 ? "unsupported" : "invalid", text);
	response.is_last = true; /* where the next request begins is unknown */
	return send_response(connection, &response);
}

/* The first call for a request: its headers are there, its body is not. */
static enum MHD_Result on_headers(struct http_server *server, struct MHD_Connection *connection,
				  struct http_request *request, const char *method, const char *version)
{
	int status;
	const char *fault = http_framing_fault(connection, request->target, version, &status);
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	bool is_asking = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_EXPECT) != NULL;
	size_t body_bytes = length ? strtoull(length, NULL, 10) : 0; /* libmicrohttpd has checked that it is a number */

	request->connection = connection;
	request->place = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
	if (fault)
		return send_fault(server, connection, status, fault);
	request->method = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0 ? MHD_HTTP_METHOD_GET : method;
	if (body_bytes <= server->body_bytes_max)
		return MHD_YES;
	request->is_too_large = true;
	/* Answering before the body closes the connection: right for who asked first, or would send for ages. */
	if (is_asking || body_bytes / DISCARD_FACTOR > server->body_bytes_max)
		return send_too_large(server, connection);
	return MHD_YES;
}

static enum MHD_Result on_body_part(const struct http_server *server, struct http_request *request, const char *data,
				    size_t len)
{
	if (!request->is_too_large && len > server->body_bytes_max - request->body.len)
		request->is_too_large = true;
	if (!request->is_too_large) {
		buffer_append(&request->body, data, len);
		return MHD_YES;
	}
	buffer_release(&request->body);
	request->discarded_bytes += len;
	return request->discarded_bytes / DISCARD_FACTOR > server->body_bytes_max ? MHD_NO : MHD_YES;
}

static void run_handler(struct generation *generation, struct http_request *request, struct http_response *response)
{
	struct http_server *server = generation->server;

	pthread_mutex_lock(&server->mu);
	request->is_handled = true;
	generation->unanswered++;
	while (server->handling >= server->threads)
		pthread_cond_wait(&server->changed, &server->mu);
	server->handling++;
	pthread_mutex_unlock(&server->mu);

	server->handle(server->ctx, request, response);

	pthread_mutex_lock(&server->mu);
	server->handling--;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->mu);
}

static enum MHD_Result answer(struct generation *generation, struct MHD_Connection *connection,
			      struct http_request *request)
{
	struct http_response response = {.status = 200, .content_type = "application/json"};
	const char *why = NULL;

	if (!http_request_split(request, &why))
		return send_refusal(generation->server, connection, 400, "invalid", why);
	if (generation->texts.client_ca && !http_tls_is_verified(connection))
		return send_refusal(generation->server, connection, 401, "unauthenticated",
				    "a client certificate is needed, signed by an authority that this server knows");
	/* The time-out counts from the last byte; it must not pass while the handler works. */
	(void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
	http_connection_note(request->place, HTTP_CONNECTION_HANDLING);
	run_handler(generation, request, &response);
	http_connection_note(request->place, HTTP_CONNECTION_ANSWERING);
	(void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S);
	return send_response(connection, &response);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
				  const char *version, const char *data, size_t *data_len, void **place)
{
	struct generation *generation = ctx;
	struct http_server *server = generation->server;
	struct http_request *request = *place;
	enum MHD_Result result;

	(void)url; /* decoded already: see http_request.h */
	assert(request);
	if (!request->connection)
		return on_headers(server, connection, request, method, version);
	if (*data_len > 0) {
		result = on_body_part(server, request, data, *data_len);
		*data_len = 0;
		return result;
	}
	if (request->is_too_large)
		return send_too_large(server, connection);
	return answer(generation, connection, request);
}

/* ---- connections ---- */

static enum MHD_Result on_accept(void *ctx, const struct sockaddr *address, socklen_t len)
{
	struct generation *generation = ctx;

	(void)len;
	return http_connections_admit(generation->server->connections, address) ? MHD_YES : MHD_NO;
}

/* libmicrohttpd closes the socket after the second of the two. */
static void on_connection(void *ctx, struct MHD_Connection *connection, void **place,
			  enum MHD_ConnectionNotificationCode what)
{
	struct generation *generation = ctx;
	struct http_connections *connections = generation->server->connections;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		http_connections_remove(connections, *place);
		*place = NULL;
		return;
	}
	*place = http_connections_add(
		connections, MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr,
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
}

/* ---- the server ---- */

static int listen_error(struct error *err, const char *address, uint16_t port)
{
	enum err_code code = errno == EADDRINUSE ? ERR_CONFLICT : errno == EACCES ? ERR_INVALID : ERR_UNAVAILABLE;

	return error_set(err, code, "cannot listen on %s port %u: %m", address, (unsigned)port);
}

static uint16_t bound_port(int fd)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);

	if (getsockname(fd, (struct sockaddr *)&name, &len) < 0)
		return 0;
	return ntohs(name.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&name)->sin6_port
						: ((struct sockaddr_in *)&name)->sin_port);
}

/* A listening socket of our own, since libmicrohttpd does not tell why its one failed. */
static int open_listener(const char *address, uint16_t port, int *ret_fd, struct error *err)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char port_text[8];
	int fd = -1;
	int result = 0;

	(void)snprintf(port_text, sizeof(port_text), "%u", (unsigned)port);
	if (getaddrinfo(address, port_text, &hints, &found) != 0)
		return error_set(err, ERR_INVALID, "cannot listen on '%s': it is no IP address", address);
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0 ||
	    bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0) {
		result = listen_error(err, address, port);
		if (fd >= 0)
			close(fd);
	} else {
		*ret_fd = fd;
	}
	freeaddrinfo(found);
	return result;
}

static struct MHD_Daemon *start_daemon(struct generation *generation)
{
	struct http_server *server = generation->server;
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | MHD_USE_ITC;
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, generation->texts.certificate},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, generation->texts.key},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)TLS_PRIORITIES},
		{generation->texts.client_ca ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0,
		 generation->texts.client_ca},
		{MHD_OPTION_END, 0, NULL},
	};
	static struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};

	if (generation->texts.certificate)
		flags |= MHD_USE_TLS;
	return MHD_start_daemon(flags, server->port, on_accept, generation, on_request, generation, /**/
				MHD_OPTION_LISTEN_SOCKET, server->listen_fd,                        /**/
				MHD_OPTION_CONNECTION_LIMIT,
				(unsigned)HTTP_CONNECTIONS_MAX + (unsigned)CONNECTIONS_LEAVING_MAX, /**/
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, generation,            /**/
				MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)RECEIVE_TIMEOUT_S,         /**/
				MHD_OPTION_THREAD_STACK_SIZE, (size_t)THREAD_STACK_BYTES,           /**/
				MHD_OPTION_URI_LOG_CALLBACK, on_request_line, generation,           /**/
				MHD_OPTION_NOTIFY_COMPLETED, on_request_done, generation,           /**/
				MHD_OPTION_ARRAY, generation->texts.certificate ? tls : none, MHD_OPTION_END);
}

static void generation_free(struct generation *generation)
{
	if (!generation)
		return;
	if (generation->daemon)
		MHD_stop_daemon(generation->daemon);
	certificate_texts_release(&generation->texts);
	free(generation);
}

/* Takes over the listening socket; NULL: libmicrohttpd refused. */
static struct generation *generation_start(struct http_server *server)
{
	struct generation *generation = xcalloc(1, sizeof(*generation));

	generation->server = server;
	if (server->certificates)
		generation->number = certificates_copy(server->certificates, &generation->texts);
	generation->daemon = start_daemon(generation);
	if (generation->daemon)
		return generation;
	generation_free(generation);
	return NULL;
}

/* Waits until every handler that began has its answer sent; a reader that stalls cannot hold us up for ever. */
static void drain(struct generation *generation)
{
	struct http_server *server = generation->server;
	int64_t deadline_us = clock_monotonic_us() + STOP_TIMEOUT_S * INT64_C(1000000);

	pthread_mutex_lock(&server->mu);
	while (generation->unanswered > 0 && condition_wait_until(&server->changed, &server->mu, deadline_us))
		;
	pthread_mutex_unlock(&server->mu);
}

static int check_options(const struct http_server_options *options, const char *address, struct error *err)
{
	if (options->certificates || options->is_insecure_allowed || listen_is_loopback(address))
		return 0;
	return error_set(err, ERR_INVALID, "'%s' " LISTEN_PLAIN_TEXT, address);
}

int http_server_start(const struct http_server_options *options, struct http_server **ret_server, struct error *err)
{
	const char *address = options->address ? options->address : "127.0.0.1";
	struct http_server *server;
	int fd = -1;

	assert(options->handle);
	if (check_options(options, address, err) < 0 || open_listener(address, options->port, &fd, err) < 0)
		return -1;
	server = xcalloc(1, sizeof(*server));
	server->listen_fd = fd;
	server->port = bound_port(fd);
	server->certificates = options->certificates;
	server->body_bytes_max = options->body_bytes_max;
	server->connections = http_connections_new(
		HTTP_CONNECTIONS_MAX,
		options->connections_per_client_max > 0 ? options->connections_per_client_max : HTTP_CONNECTIONS_MAX,
		&options->metrics);
	server->threads = options->threads > 0 ? options->threads : THREADS_DEFAULT;
	server->handle = options->handle;
	server->refuse = options->refuse ? options->refuse : refuse_plainly;
	server->ctx = options->ctx;
	pthread_mutex_init(&server->mu, NULL);
	condition_init(&server->changed);
	*ret_server = server; /* the first request may be there before we return */
	server->current = generation_start(server);
	if (!server->current) {
		*ret_server = NULL;
		http_server_free(server);
		return error_set(err, ERR_INTERNAL, "cannot start the HTTP server on port %u: %m",
				 (unsigned)options->port);
	}
	return 0;
}

/* Connections that come between the two wait in the listening socket's queue. */
int http_server_reload(struct http_server *server, struct error *err)
{
	struct generation *old = server->current;
	struct generation *next;

	if (!server->certificates || certificates_generation(server->certificates) == old->number)
		return 0;
	(void)MHD_quiesce_daemon(old->daemon); /* gives listen_fd back */
	next = generation_start(server);
	if (!next) {
		/* The texts were checked by OpenSSL and GnuTLS has another opinion; the old ones it has taken before. */
		struct MHD_Daemon *again = start_daemon(old);

		assert(again);
		drain(old);
		MHD_stop_daemon(old->daemon);
		old->daemon = again;
		return error_set(err, ERR_INVALID, "GnuTLS takes none of the new certificates");
	}
	server->current = next;
	drain(old);
	generation_free(old);
	return 0;
}

uint16_t http_server_port(const struct http_server *server)
{
	return server->port;
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	if (server->current) {
		(void)MHD_quiesce_daemon(server->current->daemon); /* gives listen_fd back, which is closed below */
		drain(server->current);
		generation_free(server->current);
	}
	close(server->listen_fd);
	http_connections_free(server->connections);
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->mu);
	free(server);
}

int http_request_identify(const struct http_request *request, struct access *access, struct identity *ret_identity,
			  struct error *err)
{
	const char *header = http_request_header(request, MHD_HTTP_HEADER_AUTHORIZATION);

	access_begin(access, ret_identity);
	http_tls_identify(request->connection, access, ret_identity);
	if (!header || access_by_header(access, bytes_of_text(header), ret_identity))
		return 0;
	return error_set(err, ERR_UNAUTHENTICATED, "the credential in the header authorization is not known here");
}
