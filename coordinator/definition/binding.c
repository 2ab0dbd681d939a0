/*
 * binding.c - a definition's text meets the schemas: every topic has its schema, every field its source, every type
 * fits; or all that does not is a problem with its place.
 */
#include <assert.h>
#include <ctype.h>

#include "coordinator/definition/fit.h"
#include "coordinator/definition/literal.h"
#include "coordinator/definition/plan_parts.h"
#include "coordinator/definition/source.h"
#include "lib/base/spelling.h"
#include "schema-registry/codec/codec.h"

struct binder {
	const struct source *source;
	const struct plan_pin *pins;
	size_t pin_count;
	const struct schema_source *schemas;
	struct plan *plan;
	struct arena *arena;
	struct plan_step *steps;
	const struct plan_schema **found; /* the plan's schemas so far */
	size_t found_count;
	struct problems *problems;
	struct error *err;
	bool is_away; /* the registry: err is set, nothing more is asked */
};

#define PROBLEM(binder, mark, ...) yaml_problem((binder)->problems, (binder)->source->file_name, mark, __VA_ARGS__)

/* ---- schemas ---- */
static const char *last_part(const char *full_name)
{
	const char *dot = strrchr(full_name, '.');

	return dot ? dot + 1 : full_name;
}

/* PaymentCharged -> PAYMENT_CHARGED; HTTPFailed -> HTTP_FAILED */
static const char *milestone_of(const char *name, struct arena *arena)
{
	const size_t len = strlen(name);
	char *text = arena_alloc(arena, 2 * len + 1);
	size_t at = 0;

	for (size_t i = 0; i < len; i++) {
		const bool is_upper = isupper((unsigned char)name[i]);
		const bool is_after_lower = i > 0 && !isupper((unsigned char)name[i - 1]) && name[i - 1] != '_';
		const bool is_before_lower = i > 0 && name[i - 1] != '_' && islower((unsigned char)name[i + 1]);

		if (is_upper && (is_after_lower || is_before_lower))
			text[at++] = '_';
		text[at++] = (char)toupper((unsigned char)name[i]);
	}
	text[at] = 0;
	return text;
}

static const struct plan_pin *find_pin(const struct binder *binder, const char *subject)
{
	for (size_t i = 0; i < binder->pin_count; i++)
		if (strcmp(binder->pins[i].subject, subject) == 0)
			return &binder->pins[i];
	return NULL;
}

/* The registry's answer: the latest version, or the pinned one. */
static int look_up(struct binder *binder, const char *subject, struct plan_schema *schema, struct error *err)
{
	const struct plan_pin *pin = find_pin(binder, subject);

	if (!pin && binder->pin_count > 0)
		return error_set(err, ERR_NOT_FOUND, "subject '%s' is not among the pinned ones", subject);
	if (!pin)
		return binder->schemas->latest(binder->schemas->ctx, subject, &schema->schema_id, &schema->version,
					       &schema->schema, err);
	schema->schema_id = pin->schema_id;
	schema->version = pin->version;
	return binder->schemas->by_id(binder->schemas->ctx, pin->schema_id, &schema->schema, err);
}

static const struct plan_schema *keep_schema(struct binder *binder, const char *subject, struct plan_schema schema)
{
	schema.subject = subject;
	schema.type = schema_root(schema.schema);
	schema.message = schema_type_name(schema.type);
	schema.message_type = last_part(schema.message);
	schema.content_type = schema_format(schema.schema) == SCHEMA_FORMAT_AVRO ? "application/avro"
										 : "application/protobuf";
	binder->found[binder->found_count] = arena_copy(binder->arena, &schema, sizeof(schema));
	return binder->found[binder->found_count++];
}

/* NULL after a problem, or when the registry is away. */
static const struct plan_schema *bind_subject(struct binder *binder, struct yaml_mark mark, const char *subject)
{
	struct plan_schema schema = {0};
	struct error err;

	if (binder->is_away)
		return NULL;
	for (size_t i = 0; i < binder->found_count; i++)
		if (strcmp(binder->found[i]->subject, subject) == 0)
			return binder->found[i];
	if (look_up(binder, subject, &schema, &err) < 0) {
		if (err.is_retriable) {
			*binder->err = err;
			binder->is_away = true;
		} else if (err.code == ERR_NOT_FOUND) {
			PROBLEM(binder, mark, "subject '%s' has no schema (%s): register one first, or mend the name",
				subject, err.msg);
		} else {
			PROBLEM(binder, mark, "cannot use the schema of subject '%s': %s", subject, err.msg);
		}
		return NULL;
	}
	if (!schema_root(schema.schema)) {
		PROBLEM(binder, mark, "the schema of subject '%s' has no message", subject);
		return NULL;
	}
	return keep_schema(binder, subject, schema);
}

static const struct plan_schema *bind_topic(struct binder *binder, struct yaml_mark mark, const char *topic)
{
	return bind_subject(binder, mark, arena_format(binder->arena, "%s-value", topic));
}

/* ---- fields ---- */
/* The field of a type that was probably meant, as `; did you mean 'amount_minor'?`; else "". */
static const char *field_hint(struct binder *binder, const struct schema_type *type, const char *name)
{
	const size_t count = schema_type_field_count(type);
	const char **names = arena_alloc(binder->arena, (count + 1) * sizeof(*names));
	const char *nearest;

	for (size_t i = 0; i < count; i++)
		names[i] = schema_type_field(type, i).name;
	nearest = spelling_nearest(name, names, count);
	return nearest ? arena_format(binder->arena, "; did you mean '%s'?", nearest) : "";
}

/* Follows the path; the field at its end, which may be absent when anything on the way may. */
static bool resolve_path(struct binder *binder, const struct source_field *source, const struct schema_type *type,
			 struct schema_field *ret_field)
{
	bool may_be_absent = false;

	for (size_t i = 0; i < source->path_len; i++) {
		if (!schema_type_find(type, source->path[i], ret_field)) {
			PROBLEM(binder, source->source_mark, "source '%s': %s has no field '%s'%s", source->source_text,
				last_part(schema_type_name(type)), source->path[i],
				field_hint(binder, type, source->path[i]));
			return false;
		}
		may_be_absent = may_be_absent || ret_field->is_nullable;
		if (i + 1 == source->path_len)
			break;
		if (ret_field->kind != SCHEMA_KIND_RECORD) {
			PROBLEM(binder, source->source_mark, "source '%s': '%s' is %s, which has no fields",
				source->source_text, source->path[i], fit_describe(ret_field, binder->arena));
			return false;
		}
		type = ret_field->record;
	}
	ret_field->is_nullable = may_be_absent;
	return true;
}

/* `message`: what the command is called, for the text. */
static void check_fit(struct binder *binder, struct yaml_mark mark, const char *message, const char *source_text,
		      const struct schema_field *source, const struct schema_field *target)
{
	const char *why = fit_check(source, target, binder->arena);

	if (why)
		PROBLEM(binder, mark, "field %s of %s cannot be filled from %s: %s", target->name, message, source_text,
			why);
	else if (source->is_nullable && !target->is_optional)
		PROBLEM(binder, mark,
			"field %s of %s is required, but %s may be absent: give the field a default in its schema, or "
			"another source",
			target->name, message, source_text);
}

static void check_path_in_replies(struct binder *binder, const struct source_field *field, const char *message,
				  const struct source_command *from, const struct schema_field *target)
{
	struct schema_field source;

	for (size_t i = 0; i < from->reply_count; i++) {
		const struct plan_schema *schema;

		if (from->replies[i].outcome != SAGA_EVENT_SUCCEEDED)
			continue;
		schema = bind_topic(binder, from->replies[i].mark, from->replies[i].topic);
		if (schema && resolve_path(binder, field, schema->type, &source))
			check_fit(binder, field->source_mark, message, field->source_text, &source, target);
	}
}

/* From what a signal brings; one that need not come may leave it out. */
static void check_signal_path(struct binder *binder, const struct source_field *field, const char *message,
			      const struct schema_field *target)
{
	const struct plan_schema *schema = binder->steps[field->step].value; /* NULL: reported */
	struct schema_field source;

	if (!schema || !resolve_path(binder, field, schema->type, &source))
		return;
	source.is_nullable = source.is_nullable || binder->source->steps[field->step].definition.is_optional;
	check_fit(binder, field->source_mark, message, field->source_text, &source, target);
}

/* From a reply: whichever message of success comes, the field must be in it. An inquiry may bring it, too. */
static void check_reply_path(struct binder *binder, const struct source_field *field, const char *message,
			     const struct schema_field *target)
{
	const struct source_command *commands = binder->source->steps[field->step].commands;

	check_path_in_replies(binder, field, message, &commands[STEP_PHASE_FORWARD], target);
	if (commands[STEP_PHASE_INQUIRY].replies != commands[STEP_PHASE_FORWARD].replies)
		check_path_in_replies(binder, field, message, &commands[STEP_PHASE_INQUIRY], target);
	binder->steps[field->step].is_reply_kept = true;
}

/* Only what the codec says about this field counts: the others of the message have other sources. */
static void check_literal(struct binder *binder, const struct source_field *field, const struct plan_schema *schema,
			  const struct value *literal)
{
	struct value record = value_record();
	struct problems misfits;
	struct buffer out = {0};
	const size_t len = strlen(field->target);

	problems_init(&misfits);
	value_set(binder->arena, &record, field->target, *literal);
	if (codec_encode(schema->type, &record, "", &out, &misfits) == 0)
		assert(misfits.count == 0);
	for (size_t i = 0; i < problems_kept(&misfits); i++) {
		const char *place = misfits.items[i].place;

		if (strncmp(place, field->target, len) == 0 && (!place[len] || place[len] == '.' || place[len] == '['))
			PROBLEM(binder, field->source_mark, "%s of %s: %s", place, schema->message_type,
				misfits.items[i].text);
	}
	buffer_release(&out);
	problems_release(&misfits);
}

static struct plan_fill mapped_fill(struct binder *binder, const struct source_field *field,
				    const struct plan_schema *schema, const struct schema_field *target)
{
	struct plan_fill fill = {.target = *target, .step = field->step};
	struct schema_field source;

	if (field->literal) {
		const struct value literal = literal_value(field->literal, target, binder->arena);

		fill.literal = arena_copy(binder->arena, &literal, sizeof(literal));
		check_literal(binder, field, schema, fill.literal);
		return fill;
	}
	if (field->path_len == 0)
		return fill; /* reported */
	fill.path = arena_copy(binder->arena, field->path, field->path_len * sizeof(*field->path));
	fill.path_len = field->path_len;
	if (field->step >= 0 && binder->source->steps[field->step].definition.action == STEP_ACTION_SIGNAL)
		check_signal_path(binder, field, schema->message_type, target);
	else if (field->step >= 0)
		check_reply_path(binder, field, schema->message_type, target);
	else if (binder->plan->input && resolve_path(binder, field, binder->plan->input->type, &source))
		check_fit(binder, field->source_mark, schema->message_type, field->source_text, &source, target);
	return fill;
}

/* Must something be in it? Protobuf has no required fields, but one without presence would silently be zero. */
static bool is_needed(const struct plan_schema *schema, const struct schema_field *target)
{
	return schema_format(schema->schema) == SCHEMA_FORMAT_AVRO ? !target->is_optional : !target->is_nullable;
}

/* By equal name from the input. False: the field stays absent. */
static bool default_fill(struct binder *binder, struct yaml_mark mark, const struct plan_schema *schema,
			 const struct schema_field *target, struct plan_fill *ret_fill)
{
	const struct plan_schema *input = binder->plan->input;
	struct schema_field source;
	const char **path;

	if (!input)
		return false; /* reported; nothing more can be said */
	if (!schema_type_find(input->type, target->name, &source)) {
		if (is_needed(schema, target))
			PROBLEM(binder, mark,
				"no source for field %s of %s: the input (%s) has no field of that name; add "
				"fields: {%s: …}",
				target->name, schema->message_type, input->message_type, target->name);
		return false;
	}
	check_fit(binder, mark, schema->message_type, arena_format(binder->arena, "input.%s", target->name), &source,
		  target);
	path = arena_alloc(binder->arena, sizeof(*path));
	path[0] = source.name;
	*ret_fill = (struct plan_fill){.target = *target, .step = -1, .path = path, .path_len = 1};
	return true;
}

static const struct source_field *find_mapping(const struct source_command *source, const char *target)
{
	for (size_t i = 0; i < source->field_count; i++)
		if (strcmp(source->fields[i].target, target) == 0)
			return &source->fields[i];
	return NULL;
}

static void bind_fields(struct binder *binder, const struct source_command *source, struct plan_command *command)
{
	const struct schema_type *type = command->schema->type;
	const size_t count = schema_type_field_count(type);
	struct plan_fill *fills = arena_zalloc(binder->arena, (count + 1) * sizeof(*fills));
	struct schema_field target;

	for (size_t i = 0; i < source->field_count; i++)
		if (!schema_type_find(type, source->fields[i].target, &target))
			PROBLEM(binder, source->fields[i].mark, "%s has no field '%s'%s", command->schema->message_type,
				source->fields[i].target, field_hint(binder, type, source->fields[i].target));
	for (size_t i = 0; i < count; i++) {
		const struct source_field *mapping;

		target = schema_type_field(type, i);
		mapping = find_mapping(source, target.name);
		if (mapping)
			fills[command->fill_count++] = mapped_fill(binder, mapping, command->schema, &target);
		else if (default_fill(binder, source->mark, command->schema, &target, &fills[command->fill_count]))
			command->fill_count++;
	}
	command->fills = fills;
}

/* ---- commands ---- */
static void bind_replies(struct binder *binder, const struct source_command *source, struct plan_command *command)
{
	struct plan_reply *replies = arena_zalloc(binder->arena, (source->reply_count + 1) * sizeof(*replies));

	for (size_t i = 0; i < source->reply_count; i++) {
		const struct source_reply *reply = &source->replies[i];
		const struct plan_schema *schema = bind_topic(binder, reply->mark, reply->topic);
		const char *milestone = reply->milestone ? reply->milestone : "";

		if (!reply->milestone && schema)
			milestone = milestone_of(schema->message_type, binder->arena);
		replies[i] =
			(struct plan_reply){.topic = reply->topic, .outcome = reply->outcome, .milestone = milestone};
	}
	command->replies = replies;
	command->reply_count = source->reply_count;
}

static void bind_command(struct binder *binder, const struct source_command *source, struct plan_command *command)
{
	bind_replies(binder, source, command);
	if (!source->topic)
		return;
	command->topic = source->topic;
	command->schema = bind_topic(binder, source->mark, source->topic);
	if (command->schema)
		bind_fields(binder, source, command);
}

/* ---- the plan ---- */
static void bind_input(struct binder *binder)
{
	const struct source *source = binder->source;
	struct schema_field key;

	if (!source->input)
		return;
	binder->plan->input = bind_subject(binder, source->input_mark, source->input);
	if (!binder->plan->input || !source->key)
		return;
	if (!schema_type_find(binder->plan->input->type, source->key, &key))
		PROBLEM(binder, source->key_mark, "key '%s' is no field of the input %s%s", source->key,
			binder->plan->input->message_type, field_hint(binder, binder->plan->input->type, source->key));
	else if (key.kind != SCHEMA_KIND_TEXT && key.kind != SCHEMA_KIND_INT)
		PROBLEM(binder, source->key_mark, "key '%s' is %s: it must be a text or an integer", source->key,
			fit_describe(&key, binder->arena));
	else if (key.is_nullable)
		PROBLEM(binder, source->key_mark, "key '%s' may be absent: it must be a field that is always there",
			source->key);
}

static void add_reply_topic(struct plan *plan, const char **topics, const char *topic)
{
	for (size_t i = 0; i < plan->reply_topic_count; i++)
		if (strcmp(topics[i], topic) == 0)
			return;
	topics[plan->reply_topic_count++] = topic;
}

/* All that the coordinator has to listen to: of events, too. */
static void collect_reply_topics(struct binder *binder)
{
	struct plan *plan = binder->plan;
	size_t max = 1 + plan->definition.step_count;
	const char **topics;

	for (size_t i = 0; i < plan->definition.step_count; i++)
		for (int phase = 0; phase < STEP_PHASE_COUNT; phase++)
			max += binder->steps[i].commands[phase].reply_count;
	topics = arena_alloc(binder->arena, max * sizeof(*topics));
	for (size_t i = 0; i < plan->definition.step_count; i++) {
		for (int phase = 0; phase < STEP_PHASE_COUNT; phase++)
			for (size_t j = 0; j < binder->steps[i].commands[phase].reply_count; j++)
				add_reply_topic(plan, topics, binder->steps[i].commands[phase].replies[j].topic);
		if (binder->steps[i].event)
			add_reply_topic(plan, topics, binder->steps[i].event);
	}
	plan->reply_topics = topics;
}

static size_t count_subjects(const struct source *source)
{
	size_t count = 1; /* the input */

	for (size_t i = 0; i < source->step_count; i++)
		for (int phase = 0; phase < STEP_PHASE_COUNT; phase++)
			count += 1 + source->steps[i].commands[phase].reply_count;
	for (size_t i = 0; i < source->step_count; i++)
		count += source->steps[i].definition.has_value;
	return count;
}

static void bind_signal(struct binder *binder, const struct source_step *source, struct plan_step *step)
{
	step->signal = source->signal;
	step->event = source->event;
	if (source->value)
		step->value = bind_subject(binder, source->value_mark, source->value);
	else if (source->event)
		step->value = bind_topic(binder, source->value_mark, source->event);
}

static void bind_all(struct binder *binder)
{
	const struct source *source = binder->source;
	struct plan *plan = binder->plan;

	binder->steps = arena_zalloc(binder->arena, source->step_count * sizeof(*binder->steps));
	binder->found = arena_zalloc(binder->arena, count_subjects(source) * sizeof(struct plan_schema *));
	plan->steps = binder->steps;
	plan->definition = *source_definition(source, 0, binder->arena);
	plan->key_field = source->key;
	plan->runbook = source->runbook;
	bind_input(binder);
	for (size_t i = 0; i < source->step_count; i++)
		bind_signal(binder, &source->steps[i], &binder->steps[i]);
	for (size_t i = 0; i < source->step_count; i++)
		for (int phase = 0; phase < STEP_PHASE_COUNT; phase++)
			bind_command(binder, &source->steps[i].commands[phase], &binder->steps[i].commands[phase]);
	collect_reply_topics(binder);
	plan->schemas = binder->found;
	plan->schema_count = binder->found_count;
}

int plan_bind(const char *file_name, struct bytes source, const struct plan_pin *pins, size_t pin_count,
	      const struct schema_source *schemas, struct plan **ret_plan, struct problems *problems, struct error *err)
{
	const size_t problems_before = problems->count;
	struct plan_memory *memory = xcalloc(1, sizeof(*memory));
	_cleanup_(plan_freep)
	struct plan *plan = &memory->plan;
	struct binder binder = {.pins = pins,
				.pin_count = pin_count,
				.schemas = schemas,
				.plan = plan,
				.arena = &memory->arena,
				.problems = problems,
				.err = err};

	arena_init(&memory->arena, 0);
	memory->schemas = *schemas;
	if (!file_name || !file_name[0])
		file_name = "definition";
	binder.source = source_parse(arena_strdup(&memory->arena, file_name), source, &memory->arena, problems);
	if (!binder.source)
		return problems_to_error(problems, ERR_INVALID, err);
	plan->source = arena_strndup(&memory->arena, (const char *)source.data, source.len);
	bind_all(&binder);
	if (problems->count > problems_before)
		return problems_to_error(problems, ERR_INVALID, err);
	if (binder.is_away)
		return error_prefix(err, "bind saga '%s' to its schemas", binder.source->name);
	*ret_plan = take_ptr(plan);
	return 0;
}
