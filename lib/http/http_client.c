/* http_client.c - see http_client.h. */
#include "lib/http/http_client.h"

#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>

enum { TIMEOUT_DEFAULT_MS = 10000, ANSWER_BYTES_DEFAULT = 16 * 1024 * 1024 };

struct http_client {
	CURL *curl;
	const struct client_security *security; /* NULL: nothing is shown, servers by the system's authorities */
	char reason[CURL_ERROR_SIZE];
};

struct answer {
	struct buffer *body;
	size_t bytes_max;
	bool is_too_large;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort(); /* only out of memory */
}

struct http_client *http_client_new(void)
{
	struct http_client *client = xcalloc(1, sizeof(*client));

	pthread_once(&curl_once, init_curl);
	client->curl = curl_easy_init();
	if (!client->curl)
		abort(); /* only out of memory */
	return client;
}

void http_client_free(struct http_client *client)
{
	if (!client)
		return;
	curl_easy_cleanup(client->curl);
	free(client);
}

void http_client_secure(struct http_client *client, const struct client_security *security)
{
	client->security = security;
}

static size_t on_data(char *data, size_t size, size_t count, void *ctx)
{
	struct answer *answer = ctx;
	size_t len = size * count; /* size is always 1 */

	if (len > answer->bytes_max - answer->body->len) {
		answer->is_too_large = true;
		return 0;
	}
	buffer_append(answer->body, data, len);
	return len;
}

static struct curl_slist *add_header(struct curl_slist *headers, const char *line)
{
	struct curl_slist *longer = curl_slist_append(headers, line);

	if (!longer)
		abort(); /* only out of memory */
	return longer;
}

static struct curl_slist *make_headers(const struct http_client *client, const struct http_call *call)
{
	struct curl_slist *headers = NULL;
	struct buffer line = {0};

	headers = add_header(headers, "Expect:"); /* no round trip before a body */
	if (call->content_type) {
		buffer_append_format(&line, "Content-Type: %s", call->content_type);
		headers = add_header(headers, buffer_text(&line));
	} else {
		headers = add_header(headers, "Content-Type:"); /* libcurl would invent one for a form */
	}
	if (call->accept) {
		buffer_clear(&line);
		buffer_append_format(&line, "Accept: %s", call->accept);
		headers = add_header(headers, buffer_text(&line));
	}
	for (size_t i = 0; i < call->header_count; i++) {
		buffer_clear(&line);
		buffer_append_format(&line, "%s: %s", call->headers[i].name, call->headers[i].value);
		headers = add_header(headers, buffer_text(&line));
	}
	if (client->security && client->security->token && !call->credentials) {
		buffer_clear(&line);
		buffer_append_format(&line, "Authorization: Bearer %s", client->security->token);
		headers = add_header(headers, buffer_text(&line));
	}
	buffer_release(&line);
	return headers;
}

static void set_tls(CURL *curl, const struct client_security *security)
{
	if (!security || !security->ca)
		return;
	curl_easy_setopt(curl, CURLOPT_CAINFO, security->ca);
	if (!security->certificate)
		return;
	curl_easy_setopt(curl, CURLOPT_SSLCERT, security->certificate);
	curl_easy_setopt(curl, CURLOPT_SSLKEY, security->key);
}

static void set_options(struct http_client *client, const struct http_call *call, struct curl_slist *headers,
			struct answer *answer)
{
	CURL *curl = client->curl;
	const char *credentials = call->credentials  ? call->credentials
				  : client->security ? client->security->user_info
						     : NULL;
	bool has_body = call->body.len > 0 || strcmp(call->method, "POST") == 0 || strcmp(call->method, "PUT") == 0;

	curl_easy_reset(curl); /* keeps the connections */
	curl_easy_setopt(curl, CURLOPT_URL, call->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	if (!call->is_outward)
		curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever http_proxy says */
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
			 (long)(call->timeout_ms > 0 ? call->timeout_ms : TIMEOUT_DEFAULT_MS));
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->reason);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	if (credentials) {
		curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
		curl_easy_setopt(curl, CURLOPT_USERPWD, credentials);
	}
	if (has_body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body.len > 0 ? (const char *)call->body.data : "");
	}
	if (strcmp(call->method, "HEAD") == 0)
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
	set_tls(curl, client->security);
	client->reason[0] = 0;
}

static int call_error(const struct http_client *client, const struct http_call *call, const struct answer *answer,
		      CURLcode code, struct error *err)
{
	const char *reason = client->reason[0] ? client->reason : curl_easy_strerror(code);
	const char *url = call->url_shown ? call->url_shown : call->url;

	if (answer->is_too_large)
		return error_set(err, ERR_LIMIT, "cannot %s %s: the answer is larger than %zu bytes", call->method, url,
				 answer->bytes_max);
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return error_set(err, ERR_TIMEOUT, "cannot %s %s: %s", call->method, url, reason);
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return error_set(err, ERR_INVALID, "cannot %s '%s': %s", call->method, url, reason);
	default:
		return error_set(err, ERR_UNAVAILABLE, "cannot %s %s: %s", call->method, url, reason);
	}
}

int http_client_call(struct http_client *client, const struct http_call *call, int *ret_status, struct buffer *ret_body,
		     struct error *err)
{
	struct answer answer = {.body = ret_body,
				.bytes_max = call->answer_bytes_max ? call->answer_bytes_max : ANSWER_BYTES_DEFAULT};
	struct curl_slist *headers = make_headers(client, call);
	long status = 0;
	CURLcode code;

	assert(call->method && call->url);
	buffer_clear(ret_body);
	set_options(client, call, headers, &answer);
	code = curl_easy_perform(client->curl);
	curl_slist_free_all(headers);
	if (code != CURLE_OK)
		return call_error(client, call, &answer, code, err);
	curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
	*ret_status = (int)status;
	return 0;
}

void http_append_path_part(struct buffer *url, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (; *text; text++) {
		if (strchr(plain, *text))
			buffer_append_byte(url, (uint8_t)*text);
		else
			buffer_append_format(url, "%%%02X", (unsigned)(uint8_t)*text);
	}
}
