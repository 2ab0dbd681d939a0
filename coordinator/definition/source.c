/* source.c - see source.h. Top down: the definition, a step, a command, its replies and fields. */
#include "coordinator/definition/source.h"

#include <assert.h>
#include <ctype.h>

#include "coordinator/definition/source_order.h"
#include "coordinator/definition/source_reader.h"
#include "coordinator/definition/source_wait.h"
#include "lib/base/memory.h"

enum { MILESTONE_BYTES_MAX = 255, RUNBOOK_BYTES_MAX = 4000 };

/* What a step is read with: the reader, and the definition so far. */
struct source_context {
	struct source_reader reader;
	struct source *source;
	struct command_policy defaults[STEP_PHASE_COUNT];
};

/* ---- replies ---- */
static const struct {
	const char *key;
	enum saga_event_type outcome;
} OUTCOMES[] = {
	{"succeeded", SAGA_EVENT_SUCCEEDED}, {"rejected", SAGA_EVENT_REJECTED}, {"retriable", SAGA_EVENT_RETRIABLE},
	{"accepted", SAGA_EVENT_ACCEPTED},   {"unknown", SAGA_EVENT_UNKNOWN}, /* the last: of inquiries alone */
};

static const char *read_milestone(struct source_reader *reader, const struct yaml_node *node)
{
	const char *text = reader_text(reader, node, "as");
	bool is_good;

	if (!text)
		return NULL;
	is_good = isupper((unsigned char)text[0]) && strlen(text) <= MILESTONE_BYTES_MAX;
	for (const char *at = text; *at && is_good; at++)
		is_good = isupper((unsigned char)*at) || isdigit((unsigned char)*at) || *at == '_';
	if (is_good)
		return text;
	PROBLEM(reader, node->mark, "as '%.80s' must be of A-Z, 0-9 and _, such as PAYMENT_CHARGED", text);
	return NULL;
}

/* `topic`, or `{topic: topic, as: WORD}`. */
static void read_reply(struct source_reader *reader, const struct yaml_node *node, enum saga_event_type outcome,
		       struct source_command *command)
{
	static const char *const keys[] = {"topic", "as"};
	struct source_reply *reply = &command->replies[command->reply_count];
	const struct yaml_node *topic = node;
	const struct yaml_node *as = NULL;

	if (node->kind == YAML_MAP) {
		reader_check_keys(reader, node, keys, ARRAY_LEN(keys), "a reply");
		topic = reader_get(node, "topic");
		as = reader_get(node, "as");
	}
	if (!topic) {
		PROBLEM(reader, node->mark, "a reply needs a topic: {topic: payment.charged, as: PAYMENT_CHARGED}");
		return;
	}
	*reply = (struct source_reply){.mark = topic->mark,
				       .outcome = outcome,
				       .topic = reader_topic(reader, topic),
				       .milestone = as ? read_milestone(reader, as) : NULL};
	if (!reply->topic)
		return;
	for (size_t i = 0; i < command->reply_count; i++) {
		if (command->replies[i].outcome == outcome && strcmp(command->replies[i].topic, reply->topic) == 0) {
			PROBLEM(reader, topic->mark, "topic '%s' is listed twice for one outcome", reply->topic);
			return;
		}
	}
	command->reply_count++;
}

static size_t count_replies(const struct yaml_node *map)
{
	size_t count = 0;

	for (const struct yaml_node *entry = map->first; entry; entry = entry->next)
		count += entry->value->kind == YAML_LIST ? entry->value->count : 1;
	return count;
}

static void read_replies(struct source_reader *reader, const struct yaml_node *map, enum step_phase phase,
			 struct source_command *command)
{
	const size_t outcome_count = ARRAY_LEN(OUTCOMES) - (phase != STEP_PHASE_INQUIRY);
	const char *keys[ARRAY_LEN(OUTCOMES)];

	if (!reader_is_kind(reader, map, YAML_MAP, "replies"))
		return;
	command->replies = arena_zalloc(reader->arena, (count_replies(map) + 1) * sizeof(*command->replies));
	for (size_t i = 0; i < outcome_count; i++) {
		const struct yaml_node *node = reader_get(map, OUTCOMES[i].key);

		keys[i] = OUTCOMES[i].key;
		if (!node)
			continue;
		if (node->kind != YAML_LIST) {
			read_reply(reader, node, OUTCOMES[i].outcome, command);
			continue;
		}
		for (const struct yaml_node *item = node->first; item; item = item->next)
			read_reply(reader, item, OUTCOMES[i].outcome, command);
	}
	reader_check_keys(reader, map, keys, outcome_count, "replies");
	if (!reader_get(map, "succeeded"))
		PROBLEM(reader, map->mark, "replies need the topic of success: {succeeded: order.created}");
}

/* ---- fields ---- */
static void split_path(struct source_reader *reader, const struct yaml_node *node, const char *path,
		       struct source_field *field)
{
	for (const char *at = path;; at++) { /* each time past a dot */
		const size_t len = strcspn(at, ".");

		if (!reader_is_field_name(at, len) || field->path_len == SOURCE_PATH_MAX) {
			PROBLEM(reader, node->mark, "'%.80s' must name fields, at most %d: input.customer.email",
				node->text, SOURCE_PATH_MAX);
			field->path_len = 0;
			return;
		}
		field->path[field->path_len++] = arena_strndup(reader->arena, at, len);
		at += len;
		if (!*at)
			return;
	}
}

/* `input.a.b` or `<step>.a.b`. `own`: the step that it is for; its forward reply is there when it is compensated. */
static void read_path(struct source_context *context, const struct yaml_node *node, int32_t own, enum step_phase phase,
		      struct source_field *field)
{
	struct source_reader *reader = &context->reader;
	const char *dot = strchr(node->text, '.');
	const size_t len = dot ? (size_t)(dot - node->text) : strlen(node->text);
	bool is_there;

	field->source_text = node->text;
	field->step = -1;
	if (!dot) {
		PROBLEM(reader, node->mark,
			"source '%.80s' is neither input.<field> nor <step>.<field>; a fixed value is {value: %.80s}",
			node->text, node->text);
		return;
	}
	if (len == strlen("input") && memcmp(node->text, "input", len) == 0) {
		split_path(reader, node, dot + 1, field);
		return;
	}
	field->step = source_find_step(context->source, node->text, len);
	if (field->step < 0) {
		const char *near = source_nearest_step(context->source, node->text, len);

		PROBLEM(reader, node->mark, "source '%.80s': there is no step '%.*s' before this one%s%s%s", node->text,
			(int)(len < 80 ? len : 80), node->text, near ? "; did you mean '" : "", near ? near : "",
			near ? "'?" : "");
		return;
	}
	is_there = source_is_before(context->source, field->step, own) ||
		   (field->step == own && phase == STEP_PHASE_COMPENSATION);
	if (!is_there) {
		PROBLEM(reader, node->mark, "source '%.80s': the reply of step '%.*s' is not there yet", node->text,
			(int)len, node->text);
		return;
	}
	if (context->source->steps[field->step].definition.action != STEP_ACTION_COMMAND &&
	    !context->source->steps[field->step].definition.has_value) {
		PROBLEM(reader, node->mark,
			"source '%.80s': step '%.*s' only waits, it has no reply; a signal brings one with "
			"wait: {signal: …, value: SUBJECT}, and so does an event",
			node->text, (int)len, node->text);
		return;
	}
	split_path(reader, node, dot + 1, field);
}

static void read_literal(struct source_reader *reader, const struct yaml_node *node, struct source_field *field)
{
	static const char *const keys[] = {"value"};

	if (!reader_is_kind(reader, node, YAML_MAP, "the source of a field"))
		return;
	reader_check_keys(reader, node, keys, ARRAY_LEN(keys), "a fixed value");
	field->literal = reader_get(node, "value");
	field->source_text = "";
	field->step = -1;
	if (!field->literal)
		PROBLEM(reader, node->mark, "a fixed value is written {value: …}");
}

static void read_fields(struct source_context *context, const struct yaml_node *map, int32_t own, enum step_phase phase,
			struct source_command *command)
{
	struct source_reader *reader = &context->reader;

	if (!reader_is_kind(reader, map, YAML_MAP, "fields"))
		return;
	command->fields = arena_zalloc(reader->arena, (map->count + 1) * sizeof(*command->fields));
	for (const struct yaml_node *entry = map->first; entry; entry = entry->next) {
		struct source_field *field = &command->fields[command->field_count];

		*field = (struct source_field){
			.mark = entry->mark, .source_mark = entry->value->mark, .target = entry->text};
		if (!reader_is_field_name(entry->text, strlen(entry->text))) {
			PROBLEM(reader, entry->mark, "'%.80s' is no name of a field", entry->text);
			continue;
		}
		if (entry->value->kind == YAML_SCALAR)
			read_path(context, entry->value, own, phase, field);
		else
			read_literal(reader, entry->value, field);
		command->field_count++;
	}
}

/* ---- commands and steps ---- */
/* An inquiry is answered with the reply that the command got, or would have got. */
static void share_replies(const struct source_command *forward, struct source_command *inquiry)
{
	inquiry->replies = forward->replies;
	inquiry->reply_count = forward->reply_count;
}

static void read_command(struct source_context *context, const struct yaml_node *map, int32_t own,
			 enum step_phase phase, struct source_command *command)
{
	struct source_reader *reader = &context->reader;
	const struct yaml_node *topic = reader_get(map, "command");
	const struct yaml_node *replies = reader_get(map, "replies");
	const struct yaml_node *fields = reader_get(map, "fields");

	command->mark = topic ? topic->mark : map->mark;
	if (topic)
		command->topic = reader_topic(reader, topic);
	else
		PROBLEM(reader, map->mark, "needs a command: the topic that the command is sent to");
	if (replies)
		read_replies(reader, replies, phase, command);
	else if (phase == STEP_PHASE_INQUIRY)
		share_replies(&context->source->steps[own].commands[STEP_PHASE_FORWARD], command);
	else
		PROBLEM(reader, map->mark,
			"needs replies: {succeeded: <topic>}, so that the coordinator listens to it");
	if (fields)
		read_fields(context, fields, own, phase, command);
}

static void read_compensation(struct source_context *context, const struct yaml_node *map, int32_t own,
			      struct source_step *step)
{
	static const char *const keys[] = {"command", "replies", "fields", "timeout", "resend", "attempts", "backoff"};
	struct source_reader *reader = &context->reader;
	const struct yaml_node *node = reader_get(map, "compensation");
	const bool is_compensatable = step->definition.kind == STEP_KIND_COMPENSATABLE;

	if (!node) {
		if (is_compensatable)
			PROBLEM(reader, step->mark,
				"step '%s' needs a compensation: {command: …, replies: …}, or 'compensation: none' if "
				"there is nothing to undo",
				step->definition.id ? step->definition.id : "?");
		return;
	}
	if (node->kind == YAML_SCALAR && strcmp(node->text, "none") == 0)
		return;
	if (!reader_is_kind(reader, node, YAML_MAP, "compensation (or 'none')"))
		return;
	if (!is_compensatable) {
		PROBLEM(reader, node->mark, "a %s step is never compensated: remove its compensation",
			step_kind_name(step->definition.kind));
		return;
	}
	reader_check_keys(reader, node, keys, ARRAY_LEN(keys), "a compensation");
	step->definition.has_compensation = true;
	reader_policy(reader, node, &step->definition.policy[STEP_PHASE_COMPENSATION]);
	read_command(context, node, own, STEP_PHASE_COMPENSATION, &step->commands[STEP_PHASE_COMPENSATION]);
}

static void read_inquiry(struct source_context *context, const struct yaml_node *map, int32_t own,
			 struct source_step *step)
{
	static const char *const keys[] = {"command", "replies", "fields", "timeout", "resend", "attempts", "backoff"};
	struct source_reader *reader = &context->reader;
	const struct yaml_node *node = reader_get(map, "inquiry");

	if (!node || !reader_is_kind(reader, node, YAML_MAP, "inquiry"))
		return;
	if (step->definition.kind != STEP_KIND_COMPENSATABLE) {
		PROBLEM(reader, node->mark, "a %s step is tried again until its outcome is known: remove its inquiry",
			step_kind_name(step->definition.kind));
		return;
	}
	reader_check_keys(reader, node, keys, ARRAY_LEN(keys), "an inquiry");
	step->definition.has_inquiry = true;
	reader_policy(reader, node, &step->definition.policy[STEP_PHASE_INQUIRY]);
	read_command(context, node, own, STEP_PHASE_INQUIRY, &step->commands[STEP_PHASE_INQUIRY]);
}

static enum step_kind read_kind(struct source_reader *reader, const struct yaml_node *node)
{
	if (!node || !reader_is_kind(reader, node, YAML_SCALAR, "kind"))
		return STEP_KIND_COMPENSATABLE;
	for (int kind = 0; kind < STEP_KIND_COUNT; kind++)
		if (strcmp(node->text, step_kind_name((enum step_kind)kind)) == 0)
			return (enum step_kind)kind;
	PROBLEM(reader, node->mark, "kind '%.80s' must be compensatable, pivot or retriable", node->text);
	return STEP_KIND_COMPENSATABLE;
}

static const char *timed_out_milestone(struct arena *arena, const char *id, const char *suffix)
{
	char *text = arena_format(arena, "%s%s", id, suffix);

	for (char *at = text; *at; at++)
		*at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
	return text;
}

static void read_id(struct source_context *context, const struct yaml_node *map, struct source_step *step)
{
	struct source_reader *reader = &context->reader;
	const struct yaml_node *id = reader_get(map, "id");
	const char *text;

	step->mark = id ? id->mark : map->mark;
	if (!id) {
		PROBLEM(reader, map->mark, "a step needs an id, such as charge-payment");
		return;
	}
	text = reader_id(reader, id, "step id");
	if (!text)
		return;
	if (strcmp(text, "input") == 0)
		PROBLEM(reader, id->mark, "no step can be called 'input': that is the saga's input");
	else if (source_find_step(context->source, text, strlen(text)) >= 0)
		PROBLEM(reader, id->mark, "step '%s' exists twice", text);
	step->definition.id = text;
	step->definition.timed_out_milestone[STEP_PHASE_FORWARD] =
		timed_out_milestone(reader->arena, text, "_timed_out");
	step->definition.timed_out_milestone[STEP_PHASE_COMPENSATION] =
		timed_out_milestone(reader->arena, text, "_compensation_timed_out");
}

/* ---- a step ---- */
static void read_work(struct source_context *context, const struct yaml_node *map, int32_t own)
{
	static const char *const keys[] = {"id",     "kind",    "command",  "replies", "fields",
					   "after",  "timeout", "attempts", "backoff", "compensation",
					   "resend", "wait",    "inquiry"};
	static const char *const wait_keys[] = {"id", "kind", "after", "wait"};
	struct source_reader *reader = &context->reader;
	struct source_step *step = &context->source->steps[own];
	const struct yaml_node *wait = reader_get(map, "wait");

	if (wait) {
		reader_check_keys(reader, map, wait_keys, ARRAY_LEN(wait_keys), "a step that waits");
		if (step->definition.kind == STEP_KIND_PIVOT)
			PROBLEM(reader, step->mark, "a step that waits is no pivot: it is compensatable or retriable");
		source_read_wait(reader, wait, context->source, step);
		return;
	}
	reader_check_keys(reader, map, keys, ARRAY_LEN(keys), "a step");
	reader_policy(reader, map, &step->definition.policy[STEP_PHASE_FORWARD]);
	read_command(context, map, own, STEP_PHASE_FORWARD, &step->commands[STEP_PHASE_FORWARD]);
	read_compensation(context, map, own, step);
	read_inquiry(context, map, own, step);
}

static void read_step(struct source_context *context, const struct yaml_node *map)
{
	struct source_reader *reader = &context->reader;
	const int32_t own = (int32_t)context->source->step_count;
	struct source_step *step = &context->source->steps[own];

	*step = (struct source_step){.mark = map->mark};
	memcpy(step->definition.policy, context->defaults, sizeof(context->defaults));
	if (!reader_is_kind(reader, map, YAML_MAP, "a step"))
		return;
	read_id(context, map, step);
	context->source->step_count++;
	step->definition.kind = read_kind(reader, reader_get(map, "kind"));
	source_read_after(reader, reader_get(map, "after"), context->source, own);
	source_check_order(reader, context->source, own);
	read_work(context, map, own);
}

static void read_steps(struct source_context *context, const struct yaml_node *root)
{
	const struct yaml_node *list = reader_get(root, "steps");

	if (!list) {
		PROBLEM(&context->reader, root->mark, "needs steps: a list of {id, command, replies, …}");
		return;
	}
	if (!reader_is_kind(&context->reader, list, YAML_LIST, "steps"))
		return;
	if (list->count == 0 || list->count > DEFINITION_STEPS_MAX) {
		PROBLEM(&context->reader, list->mark, "a saga has 1 to %d steps, not %zu", DEFINITION_STEPS_MAX,
			list->count);
		return;
	}
	context->source->steps = arena_zalloc(context->reader.arena, list->count * sizeof(*context->source->steps));
	for (const struct yaml_node *item = list->first; item; item = item->next)
		read_step(context, item);
}

/* ---- the definition ---- */
/* Of `phase`, under `name` in the defaults. */
static void read_phase_defaults(struct source_context *context, const struct yaml_node *defaults, const char *name,
				enum step_phase phase)
{
	static const char *const keys[] = {"timeout", "resend", "attempts", "backoff"};
	const struct yaml_node *map = reader_get(defaults, name);
	const char *of_what = arena_format(context->reader.arena, "defaults of %s", name);

	if (!map || !reader_is_kind(&context->reader, map, YAML_MAP, of_what))
		return;
	reader_check_keys(&context->reader, map, keys, ARRAY_LEN(keys), of_what);
	reader_policy(&context->reader, map, &context->defaults[phase]);
}

static void read_defaults(struct source_context *context, const struct yaml_node *root)
{
	static const char *const keys[] = {"timeout", "resend", "attempts", "backoff", "compensation", "inquiry"};
	const struct yaml_node *map = reader_get(root, "defaults");

	memcpy(context->defaults, COMMAND_POLICY_DEFAULTS, sizeof(context->defaults));
	if (!map || !reader_is_kind(&context->reader, map, YAML_MAP, "defaults"))
		return;
	reader_check_keys(&context->reader, map, keys, ARRAY_LEN(keys), "defaults");
	reader_policy(&context->reader, map, &context->defaults[STEP_PHASE_FORWARD]);
	read_phase_defaults(context, map, "compensation", STEP_PHASE_COMPENSATION);
	read_phase_defaults(context, map, "inquiry", STEP_PHASE_INQUIRY);
}

static void read_input(struct source_context *context, const struct yaml_node *root)
{
	struct source *source = context->source;
	const struct yaml_node *input = reader_get(root, "input");

	source->input_mark = input ? input->mark : root->mark;
	if (!input) {
		if (source->name)
			source->input = arena_format(context->reader.arena, "%s-input", source->name);
		return;
	}
	source->input = reader_subject(&context->reader, input, "input");
}

static void read_runbook(struct source_context *context, const struct yaml_node *node)
{
	context->source->runbook = reader_text(&context->reader, node, "runbook");
	if (context->source->runbook && strlen(context->source->runbook) > RUNBOOK_BYTES_MAX)
		PROBLEM(&context->reader, node->mark, "runbook has more than %d bytes: let it name a page",
			RUNBOOK_BYTES_MAX);
}

static void read_head(struct source_context *context, const struct yaml_node *root)
{
	struct source_reader *reader = &context->reader;
	struct source *source = context->source;
	const struct yaml_node *name = reader_get(root, "saga");
	const struct yaml_node *description = reader_get(root, "description");
	const struct yaml_node *runbook = reader_get(root, "runbook");
	const struct yaml_node *key = reader_get(root, "key");
	const struct yaml_node *timeout = reader_get(root, "timeout");

	if (name)
		source->name = reader_id(reader, name, "saga");
	else
		PROBLEM(reader, root->mark, "needs 'saga: <name>', such as checkout");
	if (timeout)
		reader_duration(reader, timeout, "timeout", &source->timeout_ms);
	if (description)
		source->description = reader_text(reader, description, "description");
	if (runbook)
		read_runbook(context, runbook);
	if (key) {
		source->key_mark = key->mark;
		source->key = reader_text(reader, key, "key");
	} else {
		PROBLEM(reader, root->mark,
			"needs 'key: <field of the input>': what the saga is about, such as order_id");
	}
	read_input(context, root);
}

struct source *source_parse(const char *file_name, struct bytes text, struct arena *arena, struct problems *problems)
{
	static const char *const keys[] = {"saga", "description", "runbook",  "input",
					   "key",  "timeout",     "defaults", "steps"};
	struct source_context context = {.reader = {file_name, arena, problems},
					 .source = arena_zalloc(arena, sizeof(struct source))};
	const struct yaml_node *root = yaml_parse(file_name, text, arena, problems);

	if (!root || !reader_is_kind(&context.reader, root, YAML_MAP, "a definition"))
		return NULL;
	context.source->file_name = file_name;
	reader_check_keys(&context.reader, root, keys, ARRAY_LEN(keys), "a definition");
	read_head(&context, root);
	read_defaults(&context, root);
	read_steps(&context, root);
	return context.source;
}

static void mark_needed_replies(const struct source_command *command, struct step_definition *steps)
{
	for (size_t i = 0; i < command->field_count; i++)
		if (command->fields[i].step >= 0)
			steps[command->fields[i].step].is_reply_needed = true;
}

struct definition *source_definition(const struct source *source, int32_t version, struct arena *arena)
{
	struct definition *definition = arena_zalloc(arena, sizeof(*definition));
	struct step_definition *steps = arena_zalloc(arena, (source->step_count + 1) * sizeof(*steps));

	for (size_t i = 0; i < source->step_count; i++)
		steps[i] = source->steps[i].definition;
	for (size_t i = 0; i < source->step_count; i++)
		for (int phase = 0; phase < STEP_PHASE_COUNT; phase++)
			mark_needed_replies(&source->steps[i].commands[phase], steps);
	*definition = (struct definition){.name = source->name,
					  .version = version,
					  .steps = steps,
					  .step_count = source->step_count,
					  .timeout_ms = source->timeout_ms};
	return definition;
}
