/* span_exporter.c - see span_exporter.h. */
#include "lib/trace/span_exporter.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/condition.h"
#include "lib/base/log.h"
#include "lib/http/http_client.h"
#include "proto/otlp.pb-c.h"

enum {
	QUEUE_DEFAULT = 10000,
	BATCH_MAX = 512,
	GATHER_MS = 500, /* how long spans gather before they are sent */
	TRIES_MAX = 3,
	RETRY_MS = 1000,
	TIMEOUT_MS = 3000,
};

struct span_exporter {
	char *url;
	char *service;
	char *instance; /* NULL: none */
	struct metric *exported;
	struct metric *dropped;
	struct http_client *http; /* the thread's, as the next */
	bool is_failing;
	pthread_t thread;

	pthread_mutex_t mu;
	pthread_cond_t changed;
	ProtobufCBinaryData *queue; /* a ring of packed spans; guarded by mu, as the rest is */
	size_t queue_max;
	size_t first;
	size_t count;
	bool is_ending;
};

/* ---- packing ---- */

void span_add_text(struct span *span, const char *name, const char *text)
{
	assert(span->attribute_count < SPAN_ATTRIBUTES_MAX);
	if (text)
		span->attributes[span->attribute_count++] = (struct span_attribute){.name = name, .text = text};
}

void span_add_number(struct span *span, const char *name, int64_t number)
{
	assert(span->attribute_count < SPAN_ATTRIBUTES_MAX);
	span->attributes[span->attribute_count++] = (struct span_attribute){.name = name, .number = number};
}

struct packed_attribute {
	Otlp__KeyValue pair;
	Otlp__AnyValue value;
};

static void fill_attribute(struct packed_attribute *out, const struct span_attribute *attribute)
{
	otlp__key_value__init(&out->pair);
	otlp__any_value__init(&out->value);
	out->pair.key = (char *)attribute->name; /* packing only reads */
	out->pair.value = &out->value;
	if (attribute->text) {
		out->value.value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
		out->value.string_value = (char *)attribute->text;
	} else {
		out->value.value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
		out->value.int_value = attribute->number;
	}
}

static ProtobufCBinaryData pack(const struct span *span)
{
	Otlp__Span message = OTLP__SPAN__INIT;
	Otlp__Status status = OTLP__STATUS__INIT;
	struct packed_attribute attributes[SPAN_ATTRIBUTES_MAX];
	Otlp__KeyValue *pairs[SPAN_ATTRIBUTES_MAX];
	ProtobufCBinaryData packed;

	for (size_t i = 0; i < span->attribute_count; i++) {
		fill_attribute(&attributes[i], &span->attributes[i]);
		pairs[i] = &attributes[i].pair;
	}
	message.trace_id = (ProtobufCBinaryData){TRACE_ID_LEN, (uint8_t *)span->context.trace_id};
	message.span_id = (ProtobufCBinaryData){SPAN_ID_LEN, (uint8_t *)span->context.span_id};
	if (span->parent_id)
		message.parent_span_id = (ProtobufCBinaryData){SPAN_ID_LEN, (uint8_t *)span->parent_id};
	message.name = (char *)span->name;
	message.kind = (int32_t)span->kind;
	message.start_time_unix_nano = (uint64_t)span->begin_us * 1000;
	message.end_time_unix_nano = (uint64_t)span->end_us * 1000;
	message.attributes = pairs;
	message.n_attributes = span->attribute_count;
	if (span->failure) {
		status.code = 2;
		status.message = (char *)span->failure;
		message.status = &status;
	}
	packed.len = otlp__span__get_packed_size(&message);
	packed.data = xmalloc(packed.len);
	(void)otlp__span__pack(&message, packed.data);
	return packed;
}

void span_exporter_add(struct span_exporter *exporter, const struct span *span)
{
	ProtobufCBinaryData packed;
	bool is_taken;

	if (!exporter || !span->context.is_sampled)
		return;
	packed = pack(span);
	(void)pthread_mutex_lock(&exporter->mu);
	is_taken = exporter->count < exporter->queue_max && !exporter->is_ending;
	if (is_taken) {
		exporter->queue[(exporter->first + exporter->count++) % exporter->queue_max] = packed;
		if (exporter->count == BATCH_MAX)
			(void)pthread_cond_signal(&exporter->changed);
	}
	(void)pthread_mutex_unlock(&exporter->mu);
	if (is_taken)
		return;
	free(packed.data);
	metric_add(exporter->dropped, 1);
}

/* ---- sending ---- */

static size_t add_resource(const struct span_exporter *exporter, struct packed_attribute attributes[3],
			   Otlp__KeyValue *pairs[3])
{
	const struct span_attribute all[] = {
		{.name = "service.name", .text = exporter->service},
		{.name = "service.version", .text = AMENDS_VERSION},
		{.name = "service.instance.id", .text = exporter->instance},
	};
	size_t count = exporter->instance ? 3 : 2;

	for (size_t i = 0; i < count; i++) {
		fill_attribute(&attributes[i], &all[i]);
		pairs[i] = &attributes[i].pair;
	}
	return count;
}

static void pack_request(const struct span_exporter *exporter, ProtobufCBinaryData *spans, size_t count,
			 struct buffer *out)
{
	Otlp__ExportRequest request = OTLP__EXPORT_REQUEST__INIT;
	Otlp__ResourceSpans resource_spans = OTLP__RESOURCE_SPANS__INIT;
	Otlp__Resource resource = OTLP__RESOURCE__INIT;
	Otlp__ScopeSpans scope_spans = OTLP__SCOPE_SPANS__INIT;
	Otlp__Scope scope = OTLP__SCOPE__INIT;
	Otlp__ResourceSpans *all_resources[] = {&resource_spans};
	Otlp__ScopeSpans *all_scopes[] = {&scope_spans};
	struct packed_attribute attributes[3];
	Otlp__KeyValue *pairs[3];

	resource.n_attributes = add_resource(exporter, attributes, pairs);
	resource.attributes = pairs;
	scope.name = (char *)"amends";
	scope.version = (char *)AMENDS_VERSION;
	scope_spans.scope = &scope;
	scope_spans.spans = spans;
	scope_spans.n_spans = count;
	resource_spans.resource = &resource;
	resource_spans.scope_spans = all_scopes;
	resource_spans.n_scope_spans = 1;
	request.resource_spans = all_resources;
	request.n_resource_spans = 1;
	buffer_reserve(out, otlp__export_request__get_packed_size(&request));
	out->len = otlp__export_request__pack(&request, out->data);
}

/* 0, or -1 with an error that says whether another try may help. */
static int post(struct span_exporter *exporter, struct bytes body, struct error *err)
{
	const struct http_call call = {
		.method = "POST",
		.url = exporter->url,
		.content_type = "application/x-protobuf",
		.body = body,
		.timeout_ms = TIMEOUT_MS,
	};
	struct buffer answer = {0};
	int status = 0;
	int rc = http_client_call(exporter->http, &call, &status, &answer, err);

	buffer_release(&answer);
	if (rc < 0 || status / 100 == 2)
		return rc;
	return error_set(err, status == 429 || status >= 500 ? ERR_UNAVAILABLE : ERR_INVALID, "%s answered %d",
			 exporter->url, status);
}

/* Waits for a while, or until so many spans wait. True: the exporter ends. */
static bool is_ending_after(struct span_exporter *exporter, int64_t ms, size_t spans)
{
	int64_t until_us = clock_monotonic_us() + ms * 1000;
	bool is_ending;
	bool is_over = false;

	(void)pthread_mutex_lock(&exporter->mu);
	while (!exporter->is_ending && !is_over && exporter->count < spans)
		is_over = !condition_wait_until(&exporter->changed, &exporter->mu, until_us);
	is_ending = exporter->is_ending;
	(void)pthread_mutex_unlock(&exporter->mu);
	return is_ending;
}

static size_t take_batch(struct span_exporter *exporter, ProtobufCBinaryData batch[BATCH_MAX])
{
	size_t count = 0;

	(void)pthread_mutex_lock(&exporter->mu);
	while (count < BATCH_MAX && exporter->count > 0) {
		batch[count++] = exporter->queue[exporter->first];
		exporter->first = (exporter->first + 1) % exporter->queue_max;
		exporter->count--;
	}
	(void)pthread_mutex_unlock(&exporter->mu);
	return count;
}

/* One line when it begins to fail, one when it is over. */
static void note_outcome(struct span_exporter *exporter, int rc, size_t count, const struct error *err)
{
	metric_add(rc == 0 ? exporter->exported : exporter->dropped, count);
	if (rc < 0 && !exporter->is_failing)
		log_warn("spans_dropped", "count=%zu err=%s, going on without them", count, LOG_TEXT(err->msg));
	if (rc == 0 && exporter->is_failing)
		log_info("spans_exported_again", "url=%s", LOG_TEXT(exporter->url));
	exporter->is_failing = rc < 0;
}

static void send_batch(struct span_exporter *exporter, ProtobufCBinaryData *spans, size_t count)
{
	struct buffer body = {0};
	struct error err = {0};
	int rc;

	pack_request(exporter, spans, count, &body);
	rc = post(exporter, buffer_bytes(&body), &err);
	for (int tries = 1; rc < 0 && err.is_retriable && tries < TRIES_MAX; tries++) {
		if (is_ending_after(exporter, RETRY_MS, SIZE_MAX))
			break;
		rc = post(exporter, buffer_bytes(&body), &err);
	}
	note_outcome(exporter, rc, count, &err);
	buffer_release(&body);
}

static void *run(void *arg)
{
	struct span_exporter *exporter = arg;
	ProtobufCBinaryData batch[BATCH_MAX];
	bool is_going_on = true;

	while (is_going_on) {
		size_t count;

		is_going_on = !is_ending_after(exporter, GATHER_MS, BATCH_MAX);
		while ((count = take_batch(exporter, batch)) > 0) {
			send_batch(exporter, batch, count);
			for (size_t i = 0; i < count; i++)
				free(batch[i].data);
			if (!is_going_on && exporter->is_failing)
				break; /* nobody is there to take the rest, and the process wants to end */
		}
	}
	return NULL;
}

/* ---- life ---- */

static char *traces_url(const char *endpoint)
{
	struct buffer url = {0};
	size_t len = strlen(endpoint);

	while (len > 0 && endpoint[len - 1] == '/')
		len--;
	buffer_append_format(&url, "%.*s/v1/traces", (int)len, endpoint);
	return (char *)url.data; /* handed over */
}

static void init_sync(struct span_exporter *exporter)
{
	(void)pthread_mutex_init(&exporter->mu, NULL); /* default attributes cannot fail on Linux */
	condition_init(&exporter->changed);
}

struct span_exporter *span_exporter_new(const struct span_exporter_options *options)
{
	struct span_exporter *exporter;

	if (!options->endpoint || !*options->endpoint)
		return NULL;
	exporter = xcalloc(1, sizeof(*exporter));
	exporter->url = traces_url(options->endpoint);
	exporter->service = xstrdup(options->service);
	exporter->instance = options->instance ? xstrdup(options->instance) : NULL;
	exporter->queue_max = options->queue_max ? options->queue_max : QUEUE_DEFAULT;
	exporter->queue = xcalloc(exporter->queue_max, sizeof(*exporter->queue));
	exporter->http = http_client_new();
	exporter->exported = metrics_counter(options->metrics, "trace_spans_exported_total", NULL,
					     "Spans that the collector has taken.");
	exporter->dropped = metrics_counter(options->metrics, "trace_spans_dropped_total", NULL,
					    "Spans for which the queue was full or the collector away.");
	init_sync(exporter);
	if (pthread_create(&exporter->thread, NULL, run, exporter) != 0)
		abort();                                     /* as when memory is out */
	(void)pthread_setname_np(exporter->thread, "spans"); /* a name for people only */
	return exporter;
}

void span_exporter_free(struct span_exporter *exporter)
{
	if (!exporter)
		return;
	(void)pthread_mutex_lock(&exporter->mu);
	exporter->is_ending = true;
	(void)pthread_cond_broadcast(&exporter->changed);
	(void)pthread_mutex_unlock(&exporter->mu);
	(void)pthread_join(exporter->thread, NULL); /* joined once */
	for (size_t i = 0; i < exporter->count; i++)
		free(exporter->queue[(exporter->first + i) % exporter->queue_max].data);
	free(exporter->queue);
	http_client_free(exporter->http);
	(void)pthread_cond_destroy(&exporter->changed);
	(void)pthread_mutex_destroy(&exporter->mu);
	free(exporter->url);
	free(exporter->service);
	free(exporter->instance);
	free(exporter);
}
