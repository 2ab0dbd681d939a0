/*
 * http_request.h - a request while libmicrohttpd receives it; what handlers see of it is in http_server.h.
 *
 * Why:        libmicrohttpd percent-decodes the path before anybody sees it, so that a '/' inside of a part is lost.
 *             Here the path is kept as sent and is split before it is decoded.
 * Threads:    the thread of its connection.
 */
#ifndef LIB_HTTP_HTTP_REQUEST_H
#define LIB_HTTP_HTTP_REQUEST_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/bytes.h"
#include "lib/http/http_server.h"

enum { HTTP_PATH_PARTS_MAX = 32 };

struct http_request {
	struct MHD_Connection *connection; /* NULL until the headers are there */
	struct http_connection *place;     /* the connection's among all others */
	char *target;                      /* as sent, with the query */
	const char *method;                /* borrowed from the connection */
	char *path;                        /* as sent, without the query */
	char *decoded;                     /* the memory of the parts */
	const char *parts[HTTP_PATH_PARTS_MAX];
	size_t part_count;
	struct buffer body;
	size_t discarded_bytes; /* of a body that is too large */
	bool is_too_large;
	bool is_handled; /* counted as running in the server */
};

struct http_request *http_request_new(const char *uri);
void http_request_free(struct http_request *request);

/* False: the path or the query cannot be used as text; *ret_why says why. To be called once, with the headers. */
bool http_request_split(struct http_request *request, const char **ret_why);

#endif
