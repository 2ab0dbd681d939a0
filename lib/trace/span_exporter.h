/*
 * span_exporter.h - spans to an OpenTelemetry collector: OTLP over HTTP, Protobuf, from a thread of its own.
 *
 * Guarantees: adding a span never blocks and never fails its caller. The queue is bounded; what does not fit, or cannot be delivered
 *             in three tries, is dropped and counted: a trace is for looking at, not a record.
 * Threads:    span_exporter_add() from any thread.
 * Ownership:  a span and its texts are borrowed for the call.
 */
#ifndef LIB_TRACE_SPAN_EXPORTER_H
#define LIB_TRACE_SPAN_EXPORTER_H

#include "lib/base/memory.h"
#include "lib/metrics/metrics.h"
#include "lib/trace/trace_context.h"

struct span_exporter;

enum span_kind { SPAN_KIND_INTERNAL = 1, SPAN_KIND_SERVER, SPAN_KIND_CLIENT, SPAN_KIND_PRODUCER, SPAN_KIND_CONSUMER };
enum { SPAN_ATTRIBUTES_MAX = 12 };

struct span_attribute {
	const char *name;
	const char *text; /* NULL: the number counts */
	int64_t number;
};

struct span {
	struct trace_context context; /* its own id, and its trace's; a span that is not sampled is not sent */
	const uint8_t *parent_id;     /* SPAN_ID_LEN bytes; NULL: the trace begins here */
	const char *name;
	enum span_kind kind;
	int64_t begin_us; /* since 1970 */
	int64_t end_us;
	const char *failure; /* NULL: none */
	struct span_attribute attributes[SPAN_ATTRIBUTES_MAX];
	size_t attribute_count;
};

struct span_exporter_options {
	const char *endpoint; /* "http://127.0.0.1:4318": /v1/traces is added; NULL or "": off */
	const char *service;
	const char *instance; /* NULL: none */
	struct metrics *metrics;
	size_t queue_max; /* 0: 10,000 spans */
};

/* NULL where it is off; every function takes that. */
struct span_exporter *span_exporter_new(const struct span_exporter_options *options);
void span_exporter_free(struct span_exporter *exporter); /* sends what waits, in one try */
DEFINE_CLEANUP(struct span_exporter *, span_exporter_free)

void span_exporter_add(struct span_exporter *exporter, const struct span *span);
void span_add_text(struct span *span, const char *name, const char *text); /* NULL: left out */
void span_add_number(struct span *span, const char *name, int64_t number);

#endif
