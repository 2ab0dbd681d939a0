/* rest.c - what is common to all routes. See rest.h. */
#include "schema-registry/server/rest.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "schema-registry/model/json_text.h"
#include "schema-registry/server/subject_config.h"

void rest_init(struct rest *rest, struct sessions *sessions, struct metrics *metrics, const char *environment)
{
	static const char name[] = "registry_requests_total";
	static const char help[] = "Requests by how they ended: 2xx, 4xx or 5xx.";

	*rest = (struct rest){.sessions = sessions, .metrics = metrics, .environment = environment};
	rest->requests[REST_STATUS_OK] = metrics_counter(metrics, name, "status=\"2xx\"", help);
	rest->requests[REST_STATUS_REFUSED] = metrics_counter(metrics, name, "status=\"4xx\"", help);
	rest->requests[REST_STATUS_FAILED] = metrics_counter(metrics, name, "status=\"5xx\"", help);
	rest->limited = metrics_counter(metrics, "registry_rate_limited_total", NULL,
					"Requests refused because one client sent too many.");
	rest->connections = (struct http_server_metrics){
		.open = metrics_gauge(metrics, "registry_http_connections", NULL,
				      "Connections that clients have open."),
		.refused =
			metrics_counter(metrics, "registry_http_connections_refused_total", NULL,
					"Connections for which there was no room, since requests were at work on all."),
		.displaced = metrics_counter(metrics, "registry_http_connections_displaced_total", NULL,
					     "Idle connections that were ended to make room for new ones."),
	};
	rest->seconds = metrics_histogram(metrics, "registry_request_seconds", NULL, "Time to answer a request.",
					  METRIC_SECONDS_BOUNDS, METRIC_SECONDS_BOUND_COUNT);
}

/* ---- answers ---- */

static int append_json(const char *data, size_t len, void *ctx)
{
	buffer_append(ctx, data, len);
	return 0;
}

static void write_json(struct http_response *response, const json_t *json)
{
	buffer_clear(&response->body);
	(void)json_dump_callback(json, append_json, &response->body, JSON_COMPACT | JSON_ENCODE_ANY);
}

static void write_refusal(struct http_response *response, const struct refusal *refusal)
{
	response->status = refusal_status(refusal->code);
	buffer_clear(&response->body);
	buffer_append_format(&response->body, "{\"error_code\":%d", refusal_error_code(refusal->code));
	buffer_append_json_member(&response->body, "message", refusal->message);
	buffer_append_byte(&response->body, '}');
}

static void refuse_early(struct http_response *response, enum refusal_code code, const char *message)
{
	write_refusal(response, &(struct refusal){code, message});
}

void rest_refuse(struct http_response *response, int status, const char *code, const char *text)
{
	(void)code; /* clients of this API know numbers */
	response->status = status;
	response->content_type = rest_choose_type(NULL);
	buffer_clear(&response->body);
	buffer_append_format(&response->body, "{\"error_code\":%d", status);
	buffer_append_json_member(&response->body, "message", text);
	buffer_append_byte(&response->body, '}');
}

int rest_answer(struct rest_call *call, json_t *answer)
{
	assert(answer);
	json_decref(call->answer); /* of an earlier turn */
	call->answer = answer;
	return 0;
}

int rest_answer_text(struct rest_call *call, const char *text)
{
	buffer_clear(&call->response->body);
	buffer_append_text(&call->response->body, text);
	return 0;
}

/* ---- arguments ---- */

static bool is_true(const char *text)
{
	return text && strcasecmp(text, "true") == 0;
}

bool rest_flag(const struct rest_call *call, const char *name)
{
	return is_true(http_request_query(call->request, name));
}

static bool parse_number(const char *text, int64_t min, int64_t max, int64_t *ret_number)
{
	long long number;
	char *end;

	if (!*text || strspn(text, "-0123456789") != strlen(text))
		return false;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || *end || number < min || number > max)
		return false;
	*ret_number = number;
	return true;
}

int rest_number(struct rest_call *call, const char *name, int64_t otherwise, int64_t *ret_number)
{
	const char *text = http_request_query(call->request, name);

	*ret_number = otherwise;
	if (text && !parse_number(text, INT32_MIN, INT32_MAX, ret_number))
		return session_refuse(call->session, REFUSAL_BAD_REQUEST, "%s must be a number", name);
	return 0;
}

int rest_page(struct rest_call *call, size_t *ret_first, size_t *count)
{
	int64_t offset;
	int64_t limit;
	size_t first;

	if (rest_number(call, "offset", 0, &offset) < 0 || rest_number(call, "limit", -1, &limit) < 0)
		return -1;
	first = offset < 0 ? 0 : (size_t)offset < *count ? (size_t)offset : *count;
	*count -= first;
	if (limit >= 0 && (size_t)limit < *count)
		*count = (size_t)limit;
	*ret_first = first;
	return 0;
}

int rest_id_arg(struct rest_call *call, int index, int32_t *ret_id)
{
	int64_t id;

	if (!parse_number(call->args[index], INT32_MIN, INT32_MAX, &id))
		return session_refuse(call->session, REFUSAL_PATH_NOT_FOUND, "HTTP 404 Not Found");
	*ret_id = (int32_t)id;
	return 0;
}

int rest_version_arg(struct rest_call *call, int index, int32_t *ret_version)
{
	const char *text = call->args[index];
	int64_t version;

	if (strcasecmp(text, "latest") == 0 || strcmp(text, "-1") == 0) {
		*ret_version = VERSION_LATEST;
		return 0;
	}
	if (!parse_number(text, 1, INT32_MAX, &version))
		return session_refuse(
			call->session, REFUSAL_INVALID_VERSION,
			"The specified version '%s' is not a valid version id. Allowed values are between "
			"[1, 2^31-1] and the string \"latest\"",
			text);
	*ret_version = (int32_t)version;
	return 0;
}

/* ---- a request ---- */

static int run_route(struct session *session, void *ctx)
{
	struct rest_call *call = ctx;

	call->session = session;
	call->context = call->context_part ? context_parse(&session->arena, call->context_part) : CONTEXT_DEFAULT;
	call->subject = (struct subject){call->context, ""};
	if (call->route->flags & ROUTE_SUBJECT && call->args[0])
		call->subject = subject_parse(&session->arena, call->context, call->args[0]);
	if (call->route->flags & ROUTE_ALIAS && subject_follow_alias(session, &call->subject) < 0)
		return -1;
	return call->route->handle(call);
}

static void run_in_session(struct rest_call *call)
{
	struct session session;

	if (sessions_run(call->rest->sessions, run_route, call, &session) < 0)
		write_refusal(call->response, &session.refusal);
	else if (call->answer)
		write_json(call->response, call->answer);
	session_release(&session);
}

/* False after a refusal. */
static bool parse_body(struct rest_call *call)
{
	struct bytes body = http_request_body(call->request);
	char text[JSON_ERROR_TEXT_LENGTH + 100];
	json_error_t error;

	if (!rest_takes_type(http_request_header(call->request, "Content-Type"))) {
		refuse_early(call->response, REFUSAL_MEDIA_TYPE, "HTTP 415 Unsupported Media Type");
		return false;
	}
	/* The second of two equal keys would win in silence. */
	call->body = body.len ? json_loadb((const char *)body.data, body.len, JSON_REJECT_DUPLICATES, &error) : NULL;
	if (json_is_object(call->body))
		return true;
	if (call->body || body.len == 0)
		(void)snprintf(text, sizeof(text), "the body is %s", body.len ? "no JSON object" : "empty");
	else
		(void)snprintf(text, sizeof(text), "the body is not well-formed JSON: line %d, column %d: %s",
			       error.line, error.column, json_failure_text(&error));
	refuse_early(call->response, REFUSAL_BAD_REQUEST, text);
	return false;
}

/* False after a refusal. */
static bool is_let_in(const struct rest_call *call, const struct rest_route *route)
{
	struct identity caller;
	struct error err;

	if (!call->rest->access || route->role == ROLE_ANYBODY)
		return true;
	if (http_request_identify(call->request, call->rest->access, &caller, &err) < 0 ||
	    access_check(&caller, route->role, &err) < 0) {
		refuse_early(call->response, err.code == ERR_DENIED ? REFUSAL_DENIED : REFUSAL_UNAUTHENTICATED,
			     err.msg);
		return false;
	}
	if (route->role == ROLE_SCHEMA_WRITER)
		log_info("call_audited", "who=%s role=%s method=%s path=%s", LOG_TEXT(caller.name),
			 role_name(route->role), route->method, LOG_TEXT(http_request_path(call->request)));
	return true;
}

/* False after a refusal. */
static bool is_within_rate(struct rest_call *call)
{
	const struct rest *rest = call->rest;
	char text[100];
	int64_t wait_us;

	wait_us = rest->limit ? rate_limit_take(rest->limit, http_request_peer(call->request), clock_monotonic_us())
			      : 0;
	if (wait_us == 0)
		return true;
	metric_add(rest->limited, 1);
	call->response->retry_after_s = (int)((wait_us + 999999) / 1000000);
	(void)snprintf(text, sizeof(text),
		       "HTTP 429 Too Many Requests: this server takes %lld a second from one address",
		       (long long)rate_limit_per_s(rest->limit));
	refuse_early(call->response, REFUSAL_TOO_MANY, text);
	return false;
}

static void answer_call(struct rest_call *call)
{
	const char *parts[64];
	size_t part_count = http_request_part_count(call->request);
	const char *type = rest_choose_type(http_request_header(call->request, "Accept"));
	struct rest_match match;

	assert(part_count <= ARRAY_LEN(parts));
	for (size_t i = 0; i < part_count; i++)
		parts[i] = http_request_part(call->request, i);
	match = rest_find_route(http_request_method(call->request), parts, part_count);
	memcpy(call->args, match.args, sizeof(match.args));
	call->route = match.route;
	call->wants_news = is_true(http_request_header(call->request, "Confluent-Accept-Unknown-Properties"));
	call->context_part = match.context;
	if (type)
		call->response->content_type = type;
	if (!(match.route && match.route->flags & ROUTE_SERVICE) && !is_within_rate(call)) {
		return;
	} else if (!match.route) {
		memcpy(call->response->allow, match.allow, sizeof(match.allow));
		refuse_early(call->response, match.is_path_known ? REFUSAL_METHOD_NOT_ALLOWED : REFUSAL_PATH_NOT_FOUND,
			     match.is_path_known ? "HTTP 405 Method Not Allowed" : "HTTP 404 Not Found");
	} else if (!is_let_in(call, match.route)) {
		return;
	} else if (match.route->flags & ROUTE_SERVICE) {
		call->response->content_type = "application/json";
		if (match.route->handle(call) == 0 && call->answer)
			write_json(call->response, call->answer);
	} else if (!type) {
		refuse_early(call->response, REFUSAL_NOT_ACCEPTABLE, "HTTP 406 Not Acceptable");
	} else if (!(match.route->flags & ROUTE_BODY) || parse_body(call)) {
		run_in_session(call);
	}
}

void rest_handle(void *ctx, const struct http_request *request, struct http_response *response)
{
	const struct rest *rest = ctx;
	struct rest_call call = {.rest = rest, .request = request, .response = response};
	int64_t began_us = clock_monotonic_us();
	int64_t took_us;

	answer_call(&call);
	json_decref(call.body);
	json_decref(call.answer);
	took_us = clock_monotonic_us() - began_us;
	metric_observe(rest->seconds, (double)took_us / 1e6);
	metric_add(rest->requests[response->status < 400   ? REST_STATUS_OK
				  : response->status < 500 ? REST_STATUS_REFUSED
							   : REST_STATUS_FAILED],
		   1);
	log_debug("request", "method=%s path=%s status=%d took_us=%lld", http_request_method(request),
		  LOG_TEXT(http_request_path(request)), response->status, (long long)took_us);
}
