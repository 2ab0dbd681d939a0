/* rest_json.c - schemas between JSON and the registry's own structures. See rest.h. */
#include <string.h>

#include "schema-registry/server/rest.h"
#include "schema-registry/server/rule_set.h"

/* ---- in ---- */

/* Absent and null are the same: *ret_text NULL. */
static int get_text(struct rest_call *call, const json_t *object, const char *key, const char **ret_text)
{
	const json_t *value = json_object_get(object, key);

	*ret_text = NULL;
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return session_refuse(call->session, REFUSAL_BAD_REQUEST, "%s must be a text", key);
	*ret_text = json_string_value(value);
	return 0;
}

static int get_number(struct rest_call *call, const json_t *object, const char *key, int32_t *ret_number)
{
	const json_t *value = json_object_get(object, key);

	*ret_number = 0;
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < INT32_MIN || json_integer_value(value) > INT32_MAX)
		return session_refuse(call->session, REFUSAL_BAD_REQUEST, "%s must be a number", key);
	*ret_number = (int32_t)json_integer_value(value);
	return 0;
}

/* An object as text with sorted keys, without what is null: it is part of a schema's identity. NULL: nothing in it. */
static int get_object(struct rest_call *call, const char *key, const char **ret_text)
{
	json_t *value = json_object_get(call->body, key);
	char *text;

	*ret_text = NULL;
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_object(value))
		return session_refuse(call->session, REFUSAL_BAD_REQUEST, "%s must be an object", key);
	contract_drop_nulls(value);
	if (json_object_size(value) == 0)
		return 0;
	text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
	*ret_text = arena_strdup(&call->session->arena, text);
	free(text);
	return 0;
}

static int get_reference(struct rest_call *call, const json_t *item, struct stored_reference *ret_reference)
{
	const char *subject;

	if (get_text(call, item, "name", &ret_reference->name) < 0 || get_text(call, item, "subject", &subject) < 0 ||
	    get_number(call, item, "version", &ret_reference->version) < 0)
		return -1;
	if (!ret_reference->name || !*ret_reference->name || !subject || !*subject)
		return session_refuse(call->session, REFUSAL_INVALID_SCHEMA,
				      "Invalid schema: a reference needs name, subject and version");
	ret_reference->subject = subject_parse(&call->session->arena, call->context, subject);
	return 0;
}

static int get_references(struct rest_call *call, struct schema_input *input)
{
	const json_t *array = json_object_get(call->body, "references");
	size_t count = json_array_size(array);

	if (array && !json_is_null(array) && !json_is_array(array))
		return session_refuse(call->session, REFUSAL_BAD_REQUEST, "references must be a list");
	if (count > SCHEMA_REFERENCES_MAX)
		return session_refuse(call->session, REFUSAL_INVALID_SCHEMA, "Invalid schema: more than %d references",
				      SCHEMA_REFERENCES_MAX);
	input->references = arena_zalloc(&call->session->arena, (count + 1) * sizeof(*input->references));
	input->reference_count = count;
	for (size_t i = 0; i < count; i++) {
		if (get_reference(call, json_array_get(array, i), &input->references[i]) < 0)
			return -1;
	}
	return 0;
}

int rest_check_rule_set(struct rest_call *call)
{
	struct buffer problem = {0};
	int result = 0;

	if (!rule_set_check(json_object_get(call->body, "ruleSet"), &problem))
		result = session_refuse(call->session, REFUSAL_INVALID_RULE_SET, "Invalid rule set: %s",
					buffer_text(&problem));
	buffer_release(&problem);
	return result;
}

int rest_schema_input(struct rest_call *call, struct schema_input *ret_input)
{
	/* A subject's own context, where it names one, is that of the references, too. */
	struct schema_input input = {0};
	const char *text;

	call->context = call->subject.context;
	if (get_text(call, call->body, "schema", &text) < 0 ||
	    get_text(call, call->body, "schemaType", &input.format) < 0 ||
	    get_number(call, call->body, "id", &input.id) < 0 ||
	    get_number(call, call->body, "version", &input.version) < 0 ||
	    get_object(call, "metadata", &input.metadata) < 0 || get_object(call, "ruleSet", &input.rule_set) < 0 ||
	    get_references(call, &input) < 0)
		return -1;
	input.id = input.id > 0 ? input.id : 0; /* clients send -1 for "none" */
	input.has_text = text != NULL;
	input.is_normalized = rest_flag(call, "normalize");
	input.text = bytes_of_text(text);
	*ret_input = input;
	return 0;
}

/* ---- out ---- */

static void set_object(json_t *object, const char *key, const char *text)
{
	json_t *value = text ? json_loads(text, 0, NULL) : NULL;

	if (value)
		json_object_set_new(object, key, value);
}

static json_t *references_json(struct rest_call *call, const char *context, const struct stored_schema *schema)
{
	const char *reference_format = http_request_query(call->request, "referenceFormat");
	json_t *references = json_array();

	if (reference_format && strcmp(reference_format, "qualified") == 0)
		context = CONTEXT_DEFAULT; /* as who is outside the schema's context would write it */
	for (size_t i = 0; i < schema->reference_count; i++) {
		const struct stored_reference *reference = &schema->references[i];

		json_array_append_new(
			references, json_pack("{s:s, s:s, s:i}", "name", reference->name, "subject",
					      subject_format_within(&call->session->arena, context, reference->subject),
					      "version", reference->version));
	}
	return references;
}

const char *rest_guid(struct rest_call *call, const struct stored_schema *schema)
{
	char text[UUID_TEXT_LEN + 1];
	struct uuid guid;

	memcpy(guid.data, schema->identity, sizeof(guid.data)); /* half of it is more than enough */
	uuid_format(guid, text);
	return arena_strdup(&call->session->arena, text);
}

int rest_schema_text(struct rest_call *call, const char *context, const struct stored_schema *schema,
		     const char **ret_text)
{
	const char *format = http_request_query(call->request, "format");

	/* Formats that this registry does not know give the text as it is, for clients of later ones. */
	if (format && strcmp(format, "serialized") == 0)
		return registry_format(call->session, context, schema, FORM_SERIALIZED, ret_text);
	if (format && strcmp(format, "resolved") == 0)
		return registry_format(call->session, context, schema, FORM_RESOLVED, ret_text);
	*ret_text = schema->text;
	return 0;
}

int rest_schema_json(struct rest_call *call, const char *context, const struct stored_schema *schema,
		     json_t **ret_object)
{
	json_t *object;
	const char *text;

	if (rest_schema_text(call, context, schema, &text) < 0)
		return -1;
	object = json_object();
	if (schema->format != SCHEMA_FORMAT_AVRO)
		json_object_set_new(object, "schemaType", json_string(schema_format_name(schema->format)));
	if (call->wants_news)
		json_object_set_new(object, "guid", json_string(rest_guid(call, schema)));
	if (schema->reference_count > 0)
		json_object_set_new(object, "references", references_json(call, context, schema));
	set_object(object, "metadata", schema->metadata);
	set_object(object, "ruleSet", schema->rule_set);
	json_object_set_new(object, "schema", json_string(text));
	*ret_object = object;
	return 0;
}

int rest_registered_json(struct rest_call *call, const struct registered *registered, json_t **ret_object)
{
	json_t *object;
	json_t *schema;

	if (rest_schema_json(call, registered->subject.context, registered->schema, &schema) < 0)
		return -1;
	object = json_pack("{s:s, s:i, s:i}", "subject", subject_format(&call->session->arena, registered->subject),
			   "version", registered->version, "id", registered->schema->id);
	json_object_update(object, schema);
	json_decref(schema);
	*ret_object = object;
	return 0;
}

int rest_answer_registered(struct rest_call *call, const struct registered *registered)
{
	json_t *object;

	if (rest_registered_json(call, registered, &object) < 0)
		return -1;
	return rest_answer(call, object);
}

json_t *rest_numbers_json(const int32_t *numbers, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_integer(numbers[i]));
	return array;
}
