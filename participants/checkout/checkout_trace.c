/* checkout_trace.c - see checkout_trace.h. */
#include "participants/checkout/checkout_trace.h"

#include "lib/base/clock.h"

struct checkout_trace checkout_trace_begin(struct span_exporter *exporter, const struct http_request *request)
{
	const char *traceparent = http_request_header(request, "traceparent");
	const char *trace_id = http_request_header(request, "x-trace-id");
	struct checkout_trace trace = {.begin_us = clock_real_us()};
	bool has_trace_id = false;

	trace.has_caller = traceparent && trace_context_parse(bytes_of_text(traceparent), &trace.caller);
	if (!trace.has_caller)
		has_trace_id = trace_id && trace_context_from_trace_id(bytes_of_text(trace_id), &trace.own);
	if (trace.has_caller)
		trace.own = exporter ? trace_context_child(&trace.caller) : trace.caller;
	else if (!has_trace_id && exporter)
		trace.own = trace_context_new();
	else if (!has_trace_id)
		return trace;
	trace_context_format(&trace.own, trace.traceparent);
	trace.tracestate = trace.has_caller ? http_request_header(request, "tracestate") : NULL;
	return trace;
}

void checkout_trace_end(struct span_exporter *exporter, const struct checkout_trace *trace, int status)
{
	struct span span = {.context = trace->own,
			    .parent_id = trace->has_caller ? trace->caller.span_id : NULL,
			    .name = "POST /checkout",
			    .kind = SPAN_KIND_SERVER,
			    .begin_us = trace->begin_us,
			    .end_us = clock_real_us(),
			    .failure = status >= 500 ? "the checkout could not be started" : NULL};

	if (!exporter)
		return;
	span_add_text(&span, "http.request.method", "POST");
	span_add_text(&span, "http.route", "/checkout");
	span_add_number(&span, "http.response.status_code", status);
	span_exporter_add(exporter, &span);
}
