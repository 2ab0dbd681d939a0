/* checkout_front.c - see checkout_front.h. */
#include "participants/checkout/checkout_front.h"

#include <stdatomic.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "participants/checkout/checkout_health.h"
#include "participants/checkout/checkout_request.h"
#include "participants/checkout/checkout_saga.h"
#include "participants/checkout/checkout_trace.h"

enum { THREADS_FOR_OTHERS = 4 };

static const char *const status_names[CHECKOUT_STATUS_COUNT] = {"RUNNING", "COMPLETED", "FAILED"};

struct checkout_front {
	struct checkout_front_options options;
	int waits_max;
	_Atomic int waits;
	struct metric *answered[CHECKOUT_STATUS_COUNT];
	struct metric *refused;
	struct metric *failed;
	struct metric *seconds;
};

struct checkout_front *checkout_front_new(const struct checkout_front_options *options)
{
	static const char name[] = "checkout_requests_total";
	static const char help[] = "Checkouts answered, by outcome.";
	struct checkout_front *front = xcalloc(1, sizeof(*front));
	struct metrics *metrics = options->metrics;

	front->options = *options;
	front->waits_max = options->threads > THREADS_FOR_OTHERS ? options->threads - THREADS_FOR_OTHERS : 1;
	front->answered[CHECKOUT_RUNNING] = metrics_counter(metrics, name, "outcome=\"running\"", help);
	front->answered[CHECKOUT_COMPLETED] = metrics_counter(metrics, name, "outcome=\"completed\"", help);
	front->answered[CHECKOUT_FAILED] = metrics_counter(metrics, name, "outcome=\"failed\"", help);
	front->refused = metrics_counter(metrics, name, "outcome=\"refused\"", help);
	front->failed = metrics_counter(metrics, name, "outcome=\"error\"", help);
	front->seconds = metrics_histogram(metrics, "checkout_seconds", NULL, "Time from a checkout to its answer.",
					   METRIC_SECONDS_BOUNDS, METRIC_SECONDS_BOUND_COUNT);
	return front;
}

void checkout_front_free(struct checkout_front *front)
{
	free(front);
}

/* ---- answers ---- */

/* What a failed call of the coordinator is in HTTP. */
static const struct {
	int status;
	const char *name;
	int retry_after_s;
} answers[ERR_CODE_COUNT] = {
	[ERR_NONE] = {500, "internal", 0},
	[ERR_INVALID] = {400, "invalid_argument", 0},
	[ERR_NOT_FOUND] = {503, "unavailable", 5},    /* the definition is not there (yet): no fault of the customer */
	[ERR_CONFLICT] = {409, "already_exists", 0},  /* the idempotency key belongs to another request */
	[ERR_PRECONDITION] = {503, "unavailable", 1}, /* the definition is not ready yet */
	[ERR_UNAVAILABLE] = {503, "unavailable", 1},
	[ERR_TIMEOUT] = {504, "deadline_exceeded", 1}, /* may have been started: repeat with the same key */
	[ERR_INCOMPATIBLE] = {500, "internal", 0},
	[ERR_LIMIT] = {429, "resource_exhausted", 1},
	[ERR_CORRUPT] = {502, "bad_gateway", 0},
	[ERR_INTERNAL] = {500, "internal", 0},
	[ERR_UNAUTHENTICATED] = {500, "internal", 0}, /* our own credential is wrong, not the customer's */
	[ERR_DENIED] = {500, "internal", 0},
	[ERR_QUOTA] = {429, "resource_exhausted", 1},
};

static void answer_failure(struct checkout_front *front, struct http_response *response, const struct error *err)
{
	http_response_error(response, answers[err->code].status, answers[err->code].name, "%s", err->msg);
	response->retry_after_s = answers[err->code].retry_after_s;
	metric_add(response->status < 500 ? front->refused : front->failed, 1);
	if (response->status >= 500)
		log_warn("checkout_failed", "status=%d err=%s, the customer was told", response->status,
			 LOG_TEXT(err->msg));
}

static void answer_problems(struct checkout_front *front, struct http_response *response,
			    const struct problems *problems)
{
	http_response_problems(response, "invalid_argument", problems);
	metric_add(front->refused, 1);
}

static void answer_saga(struct checkout_front *front, struct http_response *response, const struct checkout_saga *saga)
{
	response->status = saga->status == CHECKOUT_RUNNING ? 202 : 200;
	buffer_append_format(&response->body, "{\"sagaId\":\"%s\",\"orderId\":\"%s\",\"status\":\"%s\"", saga->saga_id,
			     saga->order_id, status_names[saga->status]);
	if (saga->status != CHECKOUT_RUNNING)
		buffer_append_json_member(&response->body, "step", saga->step);
	buffer_append_text(&response->body, "}");
	metric_add(front->answered[saga->status], 1);
}

/* ---- the checkout ---- */

/* Waits only while threads are left for others. */
static void wait_if_possible(struct checkout_front *front, struct checkout_saga *saga)
{
	if (atomic_fetch_add(&front->waits, 1) < front->waits_max)
		checkout_saga_wait(front->options.coordinator, front->options.wait_ms, saga);
	(void)atomic_fetch_sub(&front->waits, 1);
}

static void check_key(const char *key, struct problems *problems)
{
	size_t len = key ? strlen(key) : 1;

	if (len < 1 || len > CHECKOUT_TEXT_BYTES_MAX)
		problems_add(problems, "Idempotency-Key", "must be from 1 to %d bytes long", CHECKOUT_TEXT_BYTES_MAX);
	else if (key && !utf8_is_valid(key, len))
		problems_add(problems, "Idempotency-Key", "must be UTF-8");
}

static void checkout(struct checkout_front *front, const struct http_request *request, struct http_response *response,
		     const struct checkout_trace *trace, struct arena *arena, struct problems *problems)
{
	const char *key = http_request_header(request, "Idempotency-Key");
	struct checkout_request asked;
	struct checkout_saga saga;
	struct error err;

	if (!http_request_may_be_json(request)) {
		http_response_not_json(response, request);
		metric_add(front->refused, 1);
		return;
	}
	check_key(key, problems);
	if (checkout_request_parse(arena, http_request_body(request), &asked, problems) < 0) {
		answer_problems(front, response, problems);
		return;
	}
	asked.traceparent = trace->traceparent[0] ? trace->traceparent : NULL;
	asked.tracestate = trace->tracestate;
	if (checkout_saga_start(front->options.coordinator, &asked, key, &saga, problems, &err) < 0) {
		if (err.code == ERR_INVALID && problems->count > 0)
			answer_problems(front, response, problems);
		else
			answer_failure(front, response, &err);
	} else {
		wait_if_possible(front, &saga);
		answer_saga(front, response, &saga);
	}
}

static void handle_checkout(struct checkout_front *front, const struct http_request *request,
			    struct http_response *response)
{
	const struct checkout_trace trace = checkout_trace_begin(front->options.spans, request);
	int64_t start_us = clock_monotonic_us();
	struct problems problems;
	struct arena arena;

	arena_init(&arena, 0);
	problems_init(&problems);
	checkout(front, request, response, &trace, &arena, &problems);
	problems_release(&problems);
	arena_release(&arena);
	checkout_trace_end(front->options.spans, &trace, response->status);
	metric_observe(front->seconds, (double)(clock_monotonic_us() - start_us) / 1e6);
}

/* ---- routes ---- */

static void handle_livez(struct checkout_front *front, const struct http_request *request,
			 struct http_response *response)
{
	(void)front;
	(void)request;
	buffer_append_text(&response->body, "{\"status\":\"alive\"}");
}

static void handle_readyz(struct checkout_front *front, const struct http_request *request,
			  struct http_response *response)
{
	(void)request;
	checkout_health_ready(&front->options, response);
}

static void handle_health(struct checkout_front *front, const struct http_request *request,
			  struct http_response *response)
{
	(void)request;
	checkout_health_show(&front->options, response);
}

static void handle_metrics(struct checkout_front *front, const struct http_request *request,
			   struct http_response *response)
{
	(void)request;
	response->content_type = "text/plain; version=0.0.4; charset=utf-8";
	metrics_print(front->options.metrics, &response->body);
}

static const struct {
	const char *method;
	const char *path;
	void (*handle)(struct checkout_front *front, const struct http_request *request,
		       struct http_response *response);
} routes[] = {
	{"POST", "checkout", handle_checkout}, {"GET", "health", handle_health},   {"GET", "livez", handle_livez},
	{"GET", "readyz", handle_readyz},      {"GET", "metrics", handle_metrics},
};

void checkout_front_handle(void *ctx, const struct http_request *request, struct http_response *response)
{
	const char *method = http_request_method(request);
	const char *path = http_request_part_count(request) == 1 ? http_request_part(request, 0) : "";

	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (strcmp(path, routes[i].path) != 0)
			continue;
		if (strcmp(method, routes[i].method) == 0)
			routes[i].handle(ctx, request, response);
		else
			http_response_not_allowed(response, request, routes[i].method);
		return;
	}
	http_response_error(response, 404, "not_found",
			    "there is no %s here; see POST /checkout, GET /health, /livez, /readyz, /metrics",
			    http_request_path(request));
}
