/*
 * trace_context.h - W3C's `traceparent`: which trace something belongs to, and which span caused it.
 *
 * Rules:      version 00 is read strictly; a later version by its first four fields, as the recommendation asks. What is illegal
 *             is as good as absent: tracing never fails a call.
 */
#ifndef LIB_TRACE_TRACE_CONTEXT_H
#define LIB_TRACE_TRACE_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/bytes.h"

enum { TRACE_ID_LEN = 16, SPAN_ID_LEN = 8, TRACEPARENT_LEN = 55, TRACESTATE_BYTES_MAX = 255 };

struct trace_context {
	uint8_t trace_id[TRACE_ID_LEN];
	uint8_t span_id[SPAN_ID_LEN];
	bool is_sampled;
};

bool trace_context_parse(struct bytes text, struct trace_context *ret_context);
void trace_context_format(const struct trace_context *context, char ret_text[TRACEPARENT_LEN + 1]);

/* A new trace, sampled, with a span of its own. */
struct trace_context trace_context_new(void);
/* The same trace, another span. */
struct trace_context trace_context_child(const struct trace_context *parent);
/* `x-trace-id`: 32 hexadecimal digits, or a UUID; the span is new. */
bool trace_context_from_trace_id(struct bytes text, struct trace_context *ret_context);

#endif
