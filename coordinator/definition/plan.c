/* plan.c - see plan.h. What a plan does once it is bound: inputs in, commands out, replies understood. */
#include "coordinator/definition/plan.h"

#include <assert.h>
#include <inttypes.h>

#include "coordinator/definition/fit.h"
#include "coordinator/definition/plan_parts.h"
#include "schema-registry/codec/codec.h"
#include "schema-registry/codec/wire_format.h"

enum { KEY_BYTES_MAX = 255 };

int plan_compile(const char *file_name, struct bytes source, const struct plan_pin *pins, size_t pin_count,
		 struct registry_client *registry, struct plan **ret_plan, struct problems *problems, struct error *err)
{
	const struct schema_source schemas = schema_source_of_client(registry);

	return plan_bind(file_name, source, pins, pin_count, &schemas, ret_plan, problems, err);
}

static struct plan_memory *memory_of(const struct plan *plan)
{
	return (struct plan_memory *)plan;
}

void plan_free(struct plan *plan)
{
	struct plan_memory *memory = memory_of(plan);

	if (!plan)
		return;
	arena_release(&memory->arena);
	free(memory);
}

/* ---- the input ---- */
/* The key as text, or NULL after a problem. */
static const char *read_key(const struct plan *plan, const struct value *input, struct arena *arena,
			    struct problems *problems)
{
	const struct value *key = value_get(input, plan->key_field);
	const char *place = arena_format(arena, "input.%s", plan->key_field);

	if (key && key->kind == VALUE_INT)
		return arena_format(arena, "%" PRId64, key->integer);
	if (key && key->kind == VALUE_UINT)
		return arena_format(arena, "%" PRIu64, key->unsigned_integer);
	if (!key || key->kind != VALUE_TEXT || key->text.len == 0)
		problems_add(problems, place, "must not be empty: it is the saga's key");
	else if (key->text.len > KEY_BYTES_MAX)
		problems_add(problems, place, "has %zu bytes, but a saga's key has at most %d", key->text.len,
			     KEY_BYTES_MAX);
	else if (memchr(key->text.data, 0, key->text.len))
		problems_add(problems, place, "must not contain the character NUL: it is the saga's key");
	else
		return arena_strndup(arena, (const char *)key->text.data, key->text.len);
	return NULL;
}

int plan_encode_input(const struct plan *plan, const struct value *input, struct arena *arena, struct buffer *ret_input,
		      const char **ret_key, struct problems *problems)
{
	const size_t start = ret_input->len;
	_cleanup_(arena_release)
	struct arena tree = {.limit_bytes = PLAN_TREE_BYTES_MAX};
	struct value canonical;
	struct bytes encoded;
	struct error err;
	const char *key;

	if (codec_encode(plan->input->type, input, "input.", ret_input, problems) < 0)
		return -1;
	encoded = (struct bytes){ret_input->data + start, ret_input->len - start};
	if (encoded.len > PLAN_INPUT_BYTES_MAX)
		return -1;
	/* The key is read from what was encoded, so that defaults and numbers in text are what later readers see. */
	if (codec_decode(plan->input->type, encoded, &tree, &canonical, &err) < 0) {
		problems_add(problems, "input", "%s", err.msg);
		return -1;
	}
	key = read_key(plan, &canonical, arena, problems);
	if (!key)
		return -1;
	*ret_key = key;
	return 0;
}

int plan_check_input(const struct plan *plan, struct bytes encoded, struct arena *arena, struct buffer *ret_input,
		     const char **ret_key, struct problems *problems)
{
	_cleanup_(arena_release)
	struct arena tree = {.limit_bytes = PLAN_TREE_BYTES_MAX};
	struct value value;
	struct error err;

	if (codec_decode(plan->input->type, encoded, &tree, &value, &err) < 0) {
		problems_add(problems, "input", "is no %s (subject '%s', version %d): %s", plan->input->message,
			     plan->input->subject, plan->input->version, err.msg);
		return -1;
	}
	return plan_encode_input(plan, &value, arena, ret_input, ret_key, problems);
}

int plan_decode_input(const struct plan *plan, struct bytes input, struct arena *arena, struct value *ret_value,
		      struct error *err)
{
	if (codec_decode(plan->input->type, input, arena, ret_value, err) < 0)
		return error_prefix(err, "decode the input of a '%s' saga", plan->definition.name);
	return 0;
}

/* ---- commands ---- */
/* What a command is filled from; decoded when first asked for. */
struct build {
	const struct plan *plan;
	const struct saga *saga;
	struct bytes input;
	struct arena *arena;
	struct error *err;
	struct value *input_value;
	struct value **reply_values; /* by step */
};

static const struct plan_schema *find_schema(const struct plan *plan, int32_t schema_id)
{
	for (size_t i = 0; i < plan->schema_count; i++)
		if (plan->schemas[i]->schema_id == schema_id)
			return plan->schemas[i];
	return NULL;
}

/* The writer's schema: one of the plan's, or one that the participant has gone on to. */
static int reply_schema(const struct plan *plan, int32_t schema_id, const struct schema **ret_schema, struct error *err)
{
	const struct plan_schema *known = find_schema(plan, schema_id);
	const struct schema_source *schemas = &memory_of(plan)->schemas;

	if (!known)
		return schemas->by_id(schemas->ctx, schema_id, ret_schema, err);
	*ret_schema = known->schema;
	return 0;
}

int plan_decode_reply(const struct plan *plan, struct bytes reply, struct arena *arena, struct value *ret_value,
		      struct error *err)
{
	struct wire_prefix prefix = {0};
	const struct schema *schema;
	const struct schema_type *type;
	struct bytes rest;

	if (wire_format_read_id(reply, &prefix.schema_id, &rest, err) < 0 ||
	    reply_schema(plan, prefix.schema_id, &schema, err) < 0)
		return -1;
	type = schema_root(schema);
	if (schema_format(schema) == SCHEMA_FORMAT_PROTOBUF) {
		if (wire_format_read_indexes(rest, &prefix, &rest, err) < 0)
			return -1;
		type = schema_message_at(schema, prefix.indexes, prefix.index_count);
	}
	if (!type)
		return error_set(err, ERR_CORRUPT, "schema %d has no message at the reply's index path",
				 prefix.schema_id);
	return codec_decode(type, rest, arena, ret_value, err);
}

/* The record that a fill reads; NULL after an error. */
static const struct value *fill_root(struct build *build, int32_t step)
{
	struct value **place = step < 0 ? &build->input_value : &build->reply_values[step];
	struct bytes reply;

	if (*place)
		return *place;
	*place = arena_zalloc(build->arena, sizeof(**place));
	if (step < 0)
		return plan_decode_input(build->plan, build->input, build->arena, *place, build->err) < 0 ? NULL
													  : *place;
	reply = build->saga->steps[step].reply;
	if (reply.len == 0) /* its step is undone, though it may never have run: there is no reply to take from */
		return *place;
	if (plan_decode_reply(build->plan, reply, build->arena, *place, build->err) < 0) {
		(void)error_prefix(build->err, "decode the reply of step '%s'", /* -1 is answered as NULL */
				   build->plan->definition.steps[step].id);
		return NULL;
	}
	return *place;
}

static const struct value *follow(const struct value *value, const struct plan_fill *fill)
{
	for (size_t i = 0; i < fill->path_len && value; i++)
		value = value_get(value, fill->path[i]);
	return value;
}

static int fill_field(struct build *build, const struct plan_fill *fill, struct value *record)
{
	const struct value *root;
	const struct value *value = fill->literal;

	if (!value) {
		root = fill_root(build, fill->step);
		if (!root)
			return -1;
		value = follow(root, fill);
	}
	if (value && value->kind != VALUE_NULL)
		value_set(build->arena, record, fill->target.name, fit_value(value, &fill->target, build->arena));
	else if (fill->target.is_nullable)
		value_set(build->arena, record, fill->target.name, value_null());
	return 0; /* else absent: the schema's default */
}

static void append_prefix(const struct plan_schema *schema, struct buffer *out)
{
	int32_t indexes[WIRE_INDEXES_MAX];

	wire_format_append_id(out, schema->schema_id);
	if (schema_format(schema->schema) == SCHEMA_FORMAT_PROTOBUF)
		wire_format_append_indexes(out, indexes, schema_type_indexes(schema->type, indexes, WIRE_INDEXES_MAX));
}

static int encode_command(const struct plan_schema *schema, const struct value *record, struct buffer *out,
			  struct error *err)
{
	const size_t start = out->len;
	struct problems problems;
	int result = 0;

	problems_init(&problems);
	append_prefix(schema, out);
	if (codec_encode(schema->type, record, "", out, &problems) < 0) {
		out->len = start;
		result = problems_to_error(&problems, ERR_INVALID, err);
	}
	problems_release(&problems);
	return result;
}

int plan_build_command(const struct plan *plan, const struct saga *saga, struct bytes input, int32_t step,
		       enum step_phase phase, struct arena *arena, struct buffer *out, struct error *err)
{
	struct build build = {.plan = plan, .saga = saga, .input = input, .arena = arena, .err = err};
	struct value record = value_record();
	const struct plan_command *command;

	assert(step >= 0 && (size_t)step < plan->definition.step_count);
	assert(saga->step_count == plan->definition.step_count);
	command = &plan->steps[step].commands[phase];
	assert(command->topic);
	build.reply_values = arena_zalloc(arena, saga->step_count * sizeof(*build.reply_values));
	for (size_t i = 0; i < command->fill_count; i++)
		if (fill_field(&build, &command->fills[i], &record) < 0)
			return error_prefix(err, "build %s", command->schema->message_type);
	if (encode_command(command->schema, &record, out, err) < 0)
		return error_prefix(err, "build %s", command->schema->message_type);
	return 0;
}

/* ---- signals ---- */
static int parse_signal(const struct plan_schema *schema, struct bytes json, struct buffer *out,
			struct problems *problems)
{
	_cleanup_(arena_release)
	struct arena tree = {.limit_bytes = PLAN_TREE_BYTES_MAX};
	struct value value;
	struct error err;

	if (value_parse_json(json, &tree, &value, &err) == 0)
		return codec_encode(schema->type, &value, "value.", out, problems);
	problems_add(problems, "value", "%s", err.msg);
	return -1;
}

int plan_encode_signal(const struct plan *plan, int32_t step, struct bytes json, struct buffer *out,
		       struct problems *problems)
{
	const struct plan_schema *schema = plan->steps[step].value;
	const char *signal = plan->steps[step].signal;
	const size_t start = out->len;
	const size_t before = problems->count;

	if (!schema && json.len > 0)
		problems_add(problems, "value", "must be absent: signal '%s' of definition '%s' brings none", signal,
			     plan->definition.name);
	else if (schema && json.len == 0)
		problems_add(problems, "value", "is required: signal '%s' brings a %s (subject '%s', version %d)",
			     signal, schema->message_type, schema->subject, schema->version);
	if (!schema || problems->count > before)
		return problems->count > before ? -1 : 0;
	append_prefix(schema, out);
	if (parse_signal(schema, json, out, problems) < 0)
		return -1;
	if (out->len - start <= PLAN_INPUT_BYTES_MAX)
		return 0;
	problems_add(problems, "value", "has %zu bytes, at most %d are allowed", out->len - start,
		     PLAN_INPUT_BYTES_MAX);
	return -1;
}

/* ---- replies ---- */
int32_t plan_find_step(const struct plan *plan, const char *step_id)
{
	return definition_find_step(&plan->definition, step_id);
}

int32_t plan_find_signal(const struct plan *plan, const char *signal)
{
	for (size_t i = 0; i < plan->definition.step_count; i++)
		if (plan->steps[i].signal && strcmp(plan->steps[i].signal, signal) == 0)
			return (int32_t)i;
	return -1;
}

int32_t plan_find_event(const struct plan *plan, const char *topic)
{
	for (size_t i = 0; i < plan->definition.step_count; i++)
		if (plan->steps[i].event && strcmp(plan->steps[i].event, topic) == 0)
			return (int32_t)i;
	return -1;
}

/* Replies for which the definition has no line of its own: the header alone says what they mean. */
static const struct plan_reply *reply_by_header(struct bytes header, enum step_phase phase)
{
	static const struct plan_reply replies[] = {
		{.outcome = SAGA_EVENT_SUCCEEDED}, {.outcome = SAGA_EVENT_REJECTED}, {.outcome = SAGA_EVENT_RETRIABLE},
		{.outcome = SAGA_EVENT_ACCEPTED},  {.outcome = SAGA_EVENT_UNKNOWN}, /* the last: of inquiries alone */
	};
	const size_t count = ARRAY_LEN(replies) - (phase != STEP_PHASE_INQUIRY);

	for (size_t i = 0; i < count; i++)
		if (bytes_equal_text(header, saga_event_name(replies[i].outcome)))
			return &replies[i];
	return NULL;
}

const struct plan_reply *plan_find_reply(const struct plan *plan, int32_t step, enum step_phase phase,
					 const char *topic, struct bytes outcome_header)
{
	const struct plan_reply *by_header = reply_by_header(outcome_header, phase);
	const struct plan_command *command;

	assert(step >= 0 && (size_t)step < plan->definition.step_count);
	if (outcome_header.len > 0 && !by_header)
		return NULL; /* a word that nobody knows: the topic may stand for the opposite */
	command = &plan->steps[step].commands[phase];
	for (size_t i = 0; i < command->reply_count; i++) {
		const struct plan_reply *reply = &command->replies[i];

		if (strcmp(reply->topic, topic) == 0 && (!by_header || reply->outcome == by_header->outcome))
			return reply;
	}
	return by_header;
}
