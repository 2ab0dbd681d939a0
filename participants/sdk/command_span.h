/*
 * command_span.h - the span of each command that a batch has handled, child of the coordinator's span of the attempt.
 *
 * Why:        one place between turn.c, which knows what became of a command, and incoming.c, which writes the answer's headers.
 */
#ifndef PARTICIPANTS_SDK_COMMAND_SPAN_H
#define PARTICIPANTS_SDK_COMMAND_SPAN_H

#include "participants/sdk/incoming.h"

/* Sends the spans, and has the answers name them in `traceparent`. Without an exporter, or for a command that is in no sampled
 * trace, nothing happens. */
void command_spans_add(struct span_exporter *exporter, const char *service, struct incoming *items, size_t count,
		       int64_t begin_us, struct arena *arena);

#endif
