/* command_span.c - see command_span.h. */
#include "participants/sdk/command_span.h"

#include "lib/base/clock.h"
#include "lib/trace/span_exporter.h"

static bool read_context(const struct incoming *item, struct trace_context *ret_context)
{
	const struct bytes *text = kafka_record_header(item->record, "traceparent");

	return text && trace_context_parse(*text, ret_context) && ret_context->is_sampled;
}

static void add_one(struct span_exporter *exporter, const char *service, struct incoming *item, struct span *span,
		    struct arena *arena)
{
	const struct command *command = &item->command;
	const char *outcome = item->outcome ? item->outcome : "tried again later"; /* it went to a retry topic */
	struct trace_context caller;
	char id[UUID_TEXT_LEN + 1];
	char *text;

	if (!read_context(item, &caller))
		return;
	span->context = trace_context_child(&caller);
	span->parent_id = caller.span_id;
	span->name = arena_format(arena, "%s process", item->record->topic);
	span->failure = strcmp(outcome, "succeeded") == 0 ? NULL : outcome;
	if (span->failure && item->outcome && item->entry.reply.reason)
		span->failure = item->entry.reply.reason;
	span->attribute_count = 0;
	uuid_format(command->saga_id, id);
	span_add_text(span, "saga.id", id);
	span_add_text(span, "saga.step", command->step);
	span_add_text(span, "saga.phase",
		      item->is_inquiry           ? "inquiry"
		      : command->is_compensation ? "compensation"
						 : "forward");
	span_add_number(span, "saga.attempt", command->attempt);
	span_add_text(span, "saga.outcome", outcome);
	span_add_text(span, "messaging.system", "kafka");
	span_add_text(span, "messaging.destination.name", item->record->topic);
	span_add_text(span, "messaging.consumer.group.name", service);
	span_exporter_add(exporter, span);
	text = arena_alloc(arena, TRACEPARENT_LEN + 1);
	trace_context_format(&span->context, text);
	item->traceparent = text;
}

void command_spans_add(struct span_exporter *exporter, const char *service, struct incoming *items, size_t count,
		       int64_t begin_us, struct arena *arena)
{
	struct span span = {.kind = SPAN_KIND_CONSUMER, .begin_us = begin_us, .end_us = clock_real_us()};

	if (!exporter)
		return;
	for (size_t i = 0; i < count; i++)
		add_one(exporter, service, &items[i], &span, arena);
}
