/*
 * http_client.h - one HTTP request at a time over libcurl, with keep-alive.
 *
 * Errors:     no connection or no answer -> ERR_UNAVAILABLE, deadline -> ERR_TIMEOUT. A status of 4xx or 5xx is an
 *             answer, not an error.
 * Threads:    one thread at a time for each client.
 */
#ifndef LIB_HTTP_HTTP_CLIENT_H
#define LIB_HTTP_HTTP_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/bytes.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/base/text_pair.h"
#include "lib/security/client_security.h"

struct http_client;

struct http_client *http_client_new(void);
/* For all calls from then on; `security` and its texts are borrowed. */
void http_client_secure(struct http_client *client, const struct client_security *security);
void http_client_free(struct http_client *client);
DEFINE_CLEANUP(struct http_client *, http_client_free)

struct http_call {
	const char *method;
	const char *url;
	const char *content_type; /* of the body; NULL without one */
	const char *accept;       /* NULL: any */
	const char
		*credentials; /* "user:password" for basic authentication; NULL: none. Never part of an error's text */
	const struct text_pair *headers; /* further ones */
	size_t header_count;
	bool is_outward; /* to somebody else's system: by the proxy that the environment names; ours talk directly */
	const char *url_shown; /* in texts of errors, where the URL itself is a secret; NULL: the URL */
	struct bytes body;
	int64_t timeout_ms;      /* 0: 10 s */
	size_t answer_bytes_max; /* 0: 16 MiB; beyond -> ERR_LIMIT */
};

/* `ret_body` is cleared first and filled with the answer. */
NODISCARD int http_client_call(struct http_client *client, const struct http_call *call, int *ret_status,
			       struct buffer *ret_body, struct error *err);

/* Appends `text` percent-encoded as one part of a path. */
void http_append_path_part(struct buffer *url, const char *text);

#endif
