/* trace.c - see trace.h. */
#include "coordinator/engine/trace.h"

#include "coordinator/engine/engine_state.h"
#include "lib/trace/span_exporter.h"

enum { ROOT = -1 };

struct label_list {
	const struct engine_label *items;
	size_t count;
};

static const char *find_label(struct label_list labels, const char *name)
{
	for (size_t i = 0; i < labels.count; i++)
		if (strcmp(labels.items[i].name, name) == 0)
			return labels.items[i].value;
	return NULL;
}

/* Both ends of a span, wherever they are made, must find the same id; splitmix64 spreads what differs in few bits. */
static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash += value + 0x9E3779B97F4A7C15u;
	hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9u;
	hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EBu;
	return hash ^ (hash >> 31);
}

static void make_span_id(struct uuid saga_id, int32_t step, enum step_phase phase, int32_t attempt,
			 uint8_t ret_id[SPAN_ID_LEN])
{
	uint64_t halves[2];
	uint64_t hash;

	memcpy(halves, saga_id.data, sizeof(halves));
	hash = mix(mix(halves[0], halves[1]), (uint64_t)(step + 1) << 32 | (uint64_t)phase << 30 | (uint32_t)attempt);
	hash = hash ? hash : 1; /* zero is no id */
	memcpy(ret_id, &hash, SPAN_ID_LEN);
}

/* The saga's trace with its root span; `ret_caller` is who asked for the saga, if that is known. */
static struct trace_context root_of(struct uuid saga_id, struct label_list labels, struct trace_context *ret_caller,
				    bool *ret_has_caller)
{
	const char *text = find_label(labels, "traceparent");
	struct trace_context root = {.is_sampled = true};

	*ret_has_caller = text && trace_context_parse(bytes_of_text(text), ret_caller);
	if (*ret_has_caller)
		root = *ret_caller;
	else
		memcpy(root.trace_id, saga_id.data, TRACE_ID_LEN);
	make_span_id(saga_id, ROOT, STEP_PHASE_FORWARD, 0, root.span_id);
	return root;
}

void trace_command(struct engine *engine, const struct saga_facts *facts, const struct saga *saga,
		   const struct saga_effect *effect, struct record_command *command)
{
	struct label_list labels = {facts->labels, facts->label_count};
	char text[TRACEPARENT_LEN + 1];
	struct trace_context context;
	struct trace_context caller;
	bool has_caller;

	command->traceparent = find_label(labels, "traceparent");
	command->tracestate = command->traceparent ? find_label(labels, "tracestate") : NULL;
	if (!engine->spans)
		return;
	context = root_of(saga->id, labels, &caller, &has_caller);
	make_span_id(saga->id, effect->step, effect->phase, effect->attempt, context.span_id);
	trace_context_format(&context, text);
	command->traceparent = arena_strdup(&engine->arena, text);
}

static void add_saga(struct span *span, const struct cached_saga *cached, char id[UUID_TEXT_LEN + 1])
{
	uuid_format(cached->node.id, id);
	span_add_text(span, "saga.id", id);
	span_add_text(span, "saga.definition", cached->plan->definition.name);
}

void trace_attempt(struct engine *engine, const struct cached_saga *cached, const struct attempt_end *end)
{
	const struct label_list labels = {cached->labels, cached->label_count};
	const char *step = cached->plan->definition.steps[end->step].id;
	bool is_forward = end->phase == STEP_PHASE_FORWARD;
	char id[UUID_TEXT_LEN + 1];
	struct trace_context caller;
	struct trace_context root;
	struct span span = {.kind = SPAN_KIND_CLIENT, .begin_us = end->begun_us, .end_us = end->ended_us};
	bool has_caller;

	if (!engine->spans)
		return;
	root = root_of(cached->node.id, labels, &caller, &has_caller);
	span.context = root;
	make_span_id(cached->node.id, end->step, end->phase, end->attempt, span.context.span_id);
	span.parent_id = root.span_id;
	span.name = is_forward ? step : arena_format(&engine->arena, "%s %s", step, step_phase_name(end->phase));
	if (end->how != SAGA_EVENT_SUCCEEDED)
		span.failure = end->reason ? end->reason : saga_event_name(end->how);
	add_saga(&span, cached, id);
	span_add_text(&span, "saga.step", step);
	span_add_text(&span, "saga.phase", step_phase_name(end->phase));
	span_add_number(&span, "saga.attempt", end->attempt);
	span_add_text(&span, "saga.outcome", saga_event_name(end->how));
	span_add_text(&span, "messaging.system", "kafka");
	span_add_text(&span, "messaging.destination.name", cached->plan->steps[end->step].commands[end->phase].topic);
	span_exporter_add(engine->spans, &span);
}

void trace_saga(struct engine *engine, const struct cached_saga *cached, const struct saga *saga)
{
	const struct label_list labels = {cached->labels, cached->label_count};
	char id[UUID_TEXT_LEN + 1];
	struct trace_context caller;
	struct span span = {.kind = SPAN_KIND_INTERNAL, .begin_us = saga->created_us, .end_us = saga->ended_us};
	bool has_caller;

	if (!engine->spans || !saga_state_is_terminal(saga->state))
		return;
	span.context = root_of(saga->id, labels, &caller, &has_caller);
	span.parent_id = has_caller ? caller.span_id : NULL;
	span.name = arena_format(&engine->arena, "saga %s", cached->plan->definition.name);
	if (saga->state != SAGA_STATE_COMPLETED)
		span.failure = saga->milestone ? saga->milestone : saga_state_name(saga->state);
	add_saga(&span, cached, id);
	span_add_number(&span, "saga.definition.version", cached->plan->definition.version);
	span_add_text(&span, "saga.state", saga_state_name(saga->state));
	span_add_text(&span, "saga.milestone", saga->milestone);
	span_exporter_add(engine->spans, &span);
}
