/* http_response.c - bodies of failures; see http_server.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/http/http_server.h"

static const int status_of_code[ERR_CODE_COUNT] = {
	[ERR_NONE] = 200,         [ERR_INVALID] = 400,     [ERR_NOT_FOUND] = 404, [ERR_CONFLICT] = 409,
	[ERR_PRECONDITION] = 409, [ERR_UNAVAILABLE] = 503, [ERR_TIMEOUT] = 504,   [ERR_INCOMPATIBLE] = 409,
	[ERR_LIMIT] = 413,        [ERR_CORRUPT] = 400,     [ERR_INTERNAL] = 500,  [ERR_UNAUTHENTICATED] = 401,
	[ERR_DENIED] = 403,       [ERR_QUOTA] = 429,
};

void http_response_error(struct http_response *response, int status, const char *code, const char *format, ...)
{
	struct buffer text = {0};
	va_list args;

	va_start(args, format);
	buffer_append_va(&text, format, args);
	va_end(args);

	response->status = status;
	response->content_type = "application/json";
	buffer_clear(&response->body);
	buffer_append_text(&response->body, "{");
	buffer_append_json_member(&response->body, "error", code);
	buffer_append_json_member(&response->body, "message", buffer_text(&text));
	buffer_append_text(&response->body, "}");
	buffer_release(&text);
}

/* Who may GET may HEAD as well. */
void http_response_not_allowed(struct http_response *response, const struct http_request *request, const char *allow)
{
	bool has_get = strncmp(allow, "GET", 3) == 0;

	(void)snprintf(response->allow, sizeof(response->allow), "%s%s", has_get ? "HEAD, " : "", allow);
	http_response_error(response, 405, "method_not_allowed", "%s is not understood at %s; allowed: %s",
			    http_request_method(request), http_request_path(request), response->allow);
}

void http_response_not_json(struct http_response *response, const struct http_request *request)
{
	http_response_error(response, 415, "unsupported_media_type",
			    "a body of '%.60s' is not understood here; send JSON as application/json",
			    http_request_header(request, "Content-Type"));
}

void http_response_from_error(struct http_response *response, const struct error *err)
{
	http_response_error(response, status_of_code[err->code], err_code_name(err->code), "%s", err->msg);
}

static void append_field(struct buffer *body, const struct problem *problem)
{
	buffer_append_text(body, "{");
	buffer_append_json_member(body, "field", problem->place);
	buffer_append_json_member(body, "message", problem->text);
	buffer_append_text(body, "}");
}

void http_response_problems(struct http_response *response, const char *code, const struct problems *problems)
{
	struct error err;

	(void)problems_to_error(problems, ERR_INVALID, &err); /* -1 by nature */
	response->status = 400;
	response->content_type = "application/json";
	buffer_clear(&response->body);
	buffer_append_text(&response->body, "{");
	buffer_append_json_member(&response->body, "error", code);
	buffer_append_json_member(&response->body, "message", err.msg);
	buffer_append_text(&response->body, ",\"fields\":[");
	for (size_t i = 0; i < problems_kept(problems); i++) {
		buffer_append_text(&response->body, i ? "," : "");
		append_field(&response->body, &problems->items[i]);
	}
	buffer_append_text(&response->body, "]}");
}
