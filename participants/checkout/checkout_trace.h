/*
 * checkout_trace.h - the trace context of a checkout: the browser's if it has one, and the span of the request.
 *
 * Why:        `traceparent` is W3C's; `x-trace-id` is what shops had before: it names the trace alone.
 */
#ifndef PARTICIPANTS_CHECKOUT_CHECKOUT_TRACE_H
#define PARTICIPANTS_CHECKOUT_CHECKOUT_TRACE_H

#include "lib/http/http_server.h"
#include "lib/trace/span_exporter.h"

struct checkout_trace {
	bool has_caller;
	struct trace_context caller;
	struct trace_context own;              /* with an exporter: the request's span */
	char traceparent[TRACEPARENT_LEN + 1]; /* for the coordinator; "": none */
	const char *tracestate;                /* of the request; NULL: none */
	int64_t begin_us;
};

struct checkout_trace checkout_trace_begin(struct span_exporter *exporter, const struct http_request *request);
void checkout_trace_end(struct span_exporter *exporter, const struct checkout_trace *trace, int status);

#endif
