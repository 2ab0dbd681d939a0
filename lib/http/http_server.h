/*
 * http_server.h - a small HTTP/1.1 server: a handler gets a whole request and fills a whole response.
 *
 * Why:        registry, participants and coordinator need the same plain thing over libmicrohttpd.
 * Threads:    `handle` runs on its connection's thread, at most `threads` of them at a time; it may block as long as
 *             it likes.
 * Ownership:  the request is valid inside the handler only; response bodies are owned by the response.
 * Security:   plain only on loopback, or where the caller says so; with certificates only TLS.
 * Limits:     512 connections, where idle ones give way to new ones (http_connections.h); bodies beyond body_bytes_max are
 *             answered 413 without calling the handler; 10 s without
 *             a byte while a request comes in, 60 s between requests. Paths and queries that are no UTF-8 text, or hold
 *             a zero byte, are answered 400, so that handlers never see a text that was cut. A request that others could
 *             read as another one (http_framing.h) is answered 400, and its connection ends.
 */
#ifndef LIB_HTTP_HTTP_SERVER_H
#define LIB_HTTP_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/bytes.h"
#include "lib/base/error.h"
#include "lib/base/problems.h"
#include "lib/base/memory.h"
#include "lib/metrics/metrics.h"
#include "lib/security/access.h"
#include "lib/security/certificates.h"

enum { HTTP_CONNECTIONS_MAX = 512 };

struct http_server;
struct http_request;

struct http_response {
	int status; /* 200 before the handler runs */
	struct buffer body;
	const char *content_type; /* a literal; "application/json" before the handler runs */
	const char *location;     /* heap or NULL; owned */
	int retry_after_s;        /* above 0: sent as Retry-After */
	char allow[64];           /* with a 405: the methods that would do, sent as Allow */
	bool is_last;             /* the connection ends after it */
};

struct http_server_metrics {      /* all may be NULL */
	struct metric *open;      /* gauge: connections */
	struct metric *refused;   /* counter: connections for which there was no room */
	struct metric *displaced; /* counter: idle ones that were ended to make room */
};

struct http_server_options {
	const char *address; /* "127.0.0.1" where NULL */
	uint16_t port;       /* 0: any free one, see http_server_port() */
	size_t body_bytes_max;
	struct certificates *certificates; /* borrowed; NULL: plain. With a client authority, clients must show one */
	bool is_insecure_allowed;          /* plain beyond loopback, too */
	int threads;                       /* handlers that run at the same time; others wait for their turn. 0: 4 */
	int connections_per_client_max;    /* of one address, see http_client_of(); 0: as many as there are */
	struct http_server_metrics metrics;
	void (*handle)(void *ctx, const struct http_request *request, struct http_response *response);
	/* Writes the body of what is refused before `handle` sees it, in the words of the API; NULL: http_response_error(). */
	void (*refuse)(struct http_response *response, int status, const char *code, const char *text);
	void *ctx;
};

/* A port in use -> ERR_CONFLICT that names it. `ret_server` is set before the first request is handled, which may be
 * before this returns. */
NODISCARD int http_server_start(const struct http_server_options *options, struct http_server **ret_server,
				struct error *err);
/* After certificates_reload(): new connections get the new certificates; connections that are idle are closed. Blocks until
 * the requests in hand are answered. Not at the same time as http_server_free(). */
NODISCARD int http_server_reload(struct http_server *server, struct error *err);
uint16_t http_server_port(const struct http_server *server);
void http_server_free(struct http_server *server); /* answers what runs, then stops */
DEFINE_CLEANUP(struct http_server *, http_server_free)

/* Who sent it, by the client's certificate or the `authorization` header. ERR_UNAUTHENTICATED: nobody has that one. */
NODISCARD int http_request_identify(const struct http_request *request, struct access *access,
				    struct identity *ret_identity, struct error *err);
/* The address that the connection comes from: 4 bytes, or the 8 of an IPv6 network, all of which one client may use. */
struct bytes http_request_peer(const struct http_request *request);
const char *http_request_method(const struct http_request *request); /* HEAD is GET: its body is left out later */
struct bytes http_request_body(const struct http_request *request);
const char *http_request_header(const struct http_request *request, const char *name); /* NULL: absent; any case */
/* By its Content-Type; without one, or with the one that curl sends unasked with a body, nothing else was said. */
bool http_request_may_be_json(const struct http_request *request);
const char *http_request_query(const struct http_request *request,
			       const char *name); /* decoded; "": without a value; NULL: absent */
/* All values of a name that may be given several times, in their order; up to `max`, the count is that of all. */
size_t http_request_query_all(const struct http_request *request, const char *name, const char **ret_values,
			      size_t max);

/* The path is split at '/' before percent-decoding, so a part may hold any character. "/" has no parts; one '/' at the
 * end of a path adds none. */
const char *http_request_path(const struct http_request *request); /* as sent, without the query */
size_t http_request_part_count(const struct http_request *request);
const char *http_request_part(const struct http_request *request, size_t index);

/* `{"error":code,"message":text}` with the status. */
void http_response_error(struct http_response *response, int status, const char *code, const char *format, ...)
	PRINTF_LIKE(4, 5);
/* 405 with the methods that would do, as in "GET, PUT". */
void http_response_not_allowed(struct http_response *response, const struct http_request *request, const char *allow);
/* 415: a JSON body was expected. */
void http_response_not_json(struct http_response *response, const struct http_request *request);
/* 400 with all of them: {"error", "message", "fields": [{"field", "message"}]}. */
void http_response_problems(struct http_response *response, const char *code, const struct problems *problems);
void http_response_from_error(struct http_response *response, const struct error *err); /* status by the code */

#endif
