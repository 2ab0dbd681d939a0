/* http_request.c - see http_request.h and http_server.h. */
#include "lib/http/http_request.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "lib/base/memory.h"
#include "lib/http/http_connections.h"

struct http_request *http_request_new(const char *uri)
{
	struct http_request *request = xcalloc(1, sizeof(*request));

	request->target = xstrdup(uri);
	/* A proxy's form of the target, `http://host/path`, means the same path. */
	if (strncmp(uri, "http://", 7) == 0) {
		uri = strchr(uri + 7, '/');
		if (!uri)
			uri = "/";
	}
	request->path = xstrndup(uri, strcspn(uri, "?"));
	return request;
}

void http_request_free(struct http_request *request)
{
	if (!request)
		return;
	buffer_release(&request->body);
	free(request->decoded);
	free(request->path);
	free(request->target);
	free(request);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Decodes one part of the path into `out`, NUL-terminated. False: no text, or an escape that is none. */
static bool decode_part(const char *part, size_t len, char *out)
{
	size_t count = 0;

	for (size_t i = 0; i < len; i++) {
		if (part[i] != '%') {
			out[count++] = part[i];
			continue;
		}
		int high = len - i > 2 ? hex_digit(part[i + 1]) : -1;
		int low = len - i > 2 ? hex_digit(part[i + 2]) : -1;

		if (high < 0 || low < 0 || (high == 0 && low == 0))
			return false;
		out[count++] = (char)(high * 16 + low);
		i += 2;
	}
	out[count] = 0;
	return utf8_is_valid(out, count);
}

static enum MHD_Result check_argument(void *ctx, enum MHD_ValueKind kind, const char *key, size_t key_len,
				      const char *value, size_t value_len)
{
	bool *is_text = ctx;

	(void)kind; /* only arguments are asked for */
	/* What holds a zero byte would be cut as a C string: two different values must not look the same. */
	*is_text = *is_text && utf8_is_valid(key, key_len) && !memchr(key, 0, key_len);
	if (value)
		*is_text = *is_text && utf8_is_valid(value, value_len) && !memchr(value, 0, value_len);
	return MHD_YES;
}

bool http_request_split(struct http_request *request, const char **ret_why)
{
	const char *at = request->path[0] == '/' ? request->path + 1 : request->path;
	char *out = xmalloc(strlen(at) + 1);
	bool is_text = true;

	assert(!request->decoded);
	request->decoded = out;
	while (*at) {
		size_t len = strcspn(at, "/");

		if (request->part_count == HTTP_PATH_PARTS_MAX) {
			*ret_why = "the path has too many parts";
			return false;
		}
		if (!decode_part(at, len, out)) {
			*ret_why = "the path is not percent-encoded UTF-8 text without zero bytes";
			return false;
		}
		request->parts[request->part_count++] = out;
		out += strlen(out) + 1;
		at += len;
		at += *at == '/'; /* a '/' at the very end adds no empty part */
	}
	(void)MHD_get_connection_values_n(request->connection, MHD_GET_ARGUMENT_KIND, check_argument,
					  &is_text); /* the count does not matter */
	*ret_why = "the query is not percent-encoded UTF-8 text without zero bytes";
	return is_text;
}

struct bytes http_request_peer(const struct http_request *request)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	return http_client_of(info->client_addr);
}

const char *http_request_method(const struct http_request *request)
{
	return request->method;
}

struct bytes http_request_body(const struct http_request *request)
{
	return buffer_bytes(&request->body);
}

const char *http_request_header(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

bool http_request_may_be_json(const struct http_request *request)
{
	static const char *const types[] = {"application/json", "application/x-www-form-urlencoded"};
	const char *type = http_request_header(request, "Content-Type");
	size_t len = type ? strcspn(type, "; \t") : 0;

	if (len == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strlen(types[i]) == len && strncasecmp(type, types[i], len) == 0)
			return true;
	return len > 5 && strncasecmp(type + len - 5, "+json", 5) == 0;
}

const char *http_request_query(const struct http_request *request, const char *name)
{
	const char *value = NULL;

	if (MHD_lookup_connection_value_n(request->connection, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value,
					  NULL) != MHD_YES)
		return NULL;
	return value ? value : ""; /* `?verbose` */
}

struct all_values {
	const char *name;
	const char **values;
	size_t max;
	size_t count;
};

static enum MHD_Result add_value(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct all_values *all = ctx;

	(void)kind; /* only arguments are asked for */
	if (strcmp(name, all->name) != 0)
		return MHD_YES;
	if (all->count < all->max)
		all->values[all->count] = value ? value : "";
	all->count++;
	return MHD_YES;
}

size_t http_request_query_all(const struct http_request *request, const char *name, const char **ret_values, size_t max)
{
	struct all_values all = {.name = name, .values = ret_values, .max = max};

	(void)MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, add_value,
					&all); /* the count is of all names */
	return all.count;
}

const char *http_request_path(const struct http_request *request)
{
	return request->path;
}

size_t http_request_part_count(const struct http_request *request)
{
	return request->part_count;
}

const char *http_request_part(const struct http_request *request, size_t index)
{
	assert(index < request->part_count);
	return request->parts[index];
}
