/* trace_test.c - trace contexts as texts; an exporter whose collector is away, or takes what it gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "lib/http/http_server.h"
#include "lib/trace/span_exporter.h"
#include "proto/otlp.pb-c.h"

static const char LEGAL[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

static bool parses(const char *text)
{
	struct trace_context context;

	return trace_context_parse(bytes_of_text(text), &context);
}

static void a_legal_context_is_written_as_it_was_read(void **state)
{
	struct trace_context context;
	char text[TRACEPARENT_LEN + 1];

	(void)state;
	assert_true(trace_context_parse(bytes_of_text(LEGAL), &context));
	assert_true(context.is_sampled);
	assert_int_equal(context.trace_id[0], 0x4b);
	assert_int_equal(context.span_id[7], 0xb7);
	trace_context_format(&context, text);
	assert_string_equal(text, LEGAL);
}

static void only_what_the_recommendation_allows_is_a_context(void **state)
{
	static const char *const illegal[] = {
		"",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
		"00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(illegal); i++)
		if (parses(illegal[i]))
			fail_msg("'%s' is taken for a context", illegal[i]);
	assert_true(parses("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-will-be"));
	assert_true(parses("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03"));
}

static void a_trace_id_alone_begins_a_span_of_its_trace(void **state)
{
	struct trace_context context;

	(void)state;
	assert_true(trace_context_from_trace_id(bytes_of_text("4bf92f3577b34da6a3ce929d0e0e4736"), &context));
	assert_int_equal(context.trace_id[15], 0x36);
	assert_true(trace_context_from_trace_id(bytes_of_text("4bf92f35-77b3-4da6-a3ce-929d0e0e4736"), &context));
	assert_int_equal(context.trace_id[15], 0x36);
	assert_false(trace_context_from_trace_id(bytes_of_text("4bf9"), &context));
	assert_false(trace_context_from_trace_id(bytes_of_text("00000000000000000000000000000000"), &context));
}

/* ---- a collector ---- */

static struct {
	pthread_mutex_t mu;
	int status;
	size_t spans;
	char name[64];
	char service[64];
} collector = {.mu = PTHREAD_MUTEX_INITIALIZER, .status = 200};

static void collect(void *ctx, const struct http_request *request, struct http_response *response)
{
	struct bytes body = http_request_body(request);
	Otlp__ExportRequest *message = otlp__export_request__unpack(NULL, body.len, body.data);
	Otlp__ScopeSpans *scope = message->resource_spans[0]->scope_spans[0];
	Otlp__Span *last =
		otlp__span__unpack(NULL, scope->spans[scope->n_spans - 1].len, scope->spans[scope->n_spans - 1].data);

	(void)ctx;
	(void)pthread_mutex_lock(&collector.mu);
	response->status = collector.status;
	if (collector.status == 200)
		collector.spans += scope->n_spans;
	(void)snprintf(collector.name, sizeof(collector.name), "%s", last->name);
	(void)snprintf(collector.service, sizeof(collector.service), "%s",
		       message->resource_spans[0]->resource->attributes[0]->value->string_value);
	(void)pthread_mutex_unlock(&collector.mu);
	otlp__span__free_unpacked(last, NULL);
	otlp__export_request__free_unpacked(message, NULL);
}

static uint64_t printed(const struct metrics *metrics, const char *name)
{
	struct buffer text = {0};
	unsigned long long value = 0;
	const char *at;

	metrics_print(metrics, &text);
	at = strstr(buffer_text(&text), name);
	while (at && (at == buffer_text(&text) || at[-1] != '\n'))
		at = strstr(at + 1, name);
	assert_non_null(at);
	assert_int_equal(sscanf(at + strlen(name), " %llu", &value), 1);
	buffer_release(&text);
	return value;
}

static void add_spans(struct span_exporter *exporter, int count)
{
	struct span span = {.context = trace_context_new(), .name = "work", .kind = SPAN_KIND_CONSUMER, .begin_us = 1};

	span_add_text(&span, "saga.step", "ship");
	span_add_text(&span, "absent", NULL);
	span_add_number(&span, "saga.attempt", 2);
	for (int i = 0; i < count; i++)
		span_exporter_add(exporter, &span);
	span.context.is_sampled = false;
	span_exporter_add(exporter, &span);
}

static void all_spans_reach_the_collector_before_the_exporter_is_gone(void **state)
{
	_cleanup_(http_server_freep)
	struct http_server *server = NULL;
	struct metrics *metrics = metrics_new();
	struct span_exporter *exporter;
	char url[64];
	struct error err;

	(void)state;
	assert_int_equal(http_server_start(&(struct http_server_options){.handle = collect, .body_bytes_max = 1 << 20},
					   &server, &err),
			 0);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", http_server_port(server));
	exporter = span_exporter_new(
		&(struct span_exporter_options){.endpoint = url, .service = "tester", .metrics = metrics});
	add_spans(exporter, 1300);
	span_exporter_free(exporter);
	assert_int_equal(collector.spans, 1300);
	assert_string_equal(collector.name, "work");
	assert_string_equal(collector.service, "tester");
	assert_int_equal(printed(metrics, "trace_spans_exported_total"), 1300);
	assert_int_equal(printed(metrics, "trace_spans_dropped_total"), 0);
	metrics_free(metrics);
}

static void what_the_queue_cannot_hold_or_nobody_takes_is_counted(void **state)
{
	struct metrics *metrics = metrics_new();
	struct span_exporter *exporter = span_exporter_new(&(struct span_exporter_options){
		.endpoint = "http://127.0.0.1:1", .service = "tester", .metrics = metrics, .queue_max = 100});

	(void)state;
	add_spans(exporter, 250);
	assert_true(printed(metrics, "trace_spans_dropped_total") >= 50);
	span_exporter_free(exporter);
	assert_int_equal(printed(metrics, "trace_spans_exported_total"), 0);
	assert_int_equal(printed(metrics, "trace_spans_dropped_total"), 250);
	metrics_free(metrics);
}

static void without_an_endpoint_there_is_no_exporter_and_nothing_minds(void **state)
{
	struct span_exporter *exporter = span_exporter_new(&(struct span_exporter_options){.endpoint = ""});

	(void)state;
	assert_null(exporter);
	add_spans(exporter, 1);
	span_exporter_free(exporter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_legal_context_is_written_as_it_was_read),
		cmocka_unit_test(only_what_the_recommendation_allows_is_a_context),
		cmocka_unit_test(a_trace_id_alone_begins_a_span_of_its_trace),
		cmocka_unit_test(all_spans_reach_the_collector_before_the_exporter_is_gone),
		cmocka_unit_test(what_the_queue_cannot_hold_or_nobody_takes_is_counted),
		cmocka_unit_test(without_an_endpoint_there_is_no_exporter_and_nothing_minds),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
