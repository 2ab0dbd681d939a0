/* rest_schemas.c - /schemas and /contexts: what can be asked by id. See rest.h. */
#include <string.h>

#include "schema-registry/server/rest.h"
#include "schema-registry/server/subject_config.h"

enum { SEARCH_MAX = 1000 }; /* schemas in one answer; who wants more asks on with `offset` */

int rest_search_schemas(struct rest_call *call)
{
	struct subject_filter filter = {.with_deleted = rest_flag(call, "deleted"),
					.latest_only = rest_flag(call, "latestOnly")};
	const char *rule_type = http_request_query(call->request, "ruleType");
	struct registered *found;
	size_t count;
	json_t *answer;

	filter.rule_type = rule_type && *rule_type ? rule_type : NULL;
	if (rest_subject_filter(call, SEARCH_MAX, &filter) < 0 ||
	    registry_search(call->session, &filter, &found, &count) < 0)
		return -1;
	answer = json_array();
	(void)rest_answer(call, answer);
	for (size_t i = 0; i < count; i++) {
		json_t *object;

		if (rest_registered_json(call, &found[i], &object) < 0)
			return -1;
		json_array_append_new(answer, object);
	}
	return 0;
}

int rest_get_types(struct rest_call *call)
{
	json_t *types = json_array();

	for (int format = 0; format < SCHEMA_FORMAT_COUNT; format++)
		json_array_append_new(types, json_string(schema_format_name((enum schema_format)format)));
	return rest_answer(call, types);
}

/* Ids are counted for each context; `?subject=` may name it. */
static int get_id_context(struct rest_call *call, const char **ret_context)
{
	const char *text = http_request_query(call->request, "subject");
	struct subject subject = {call->context, ""};

	if (text)
		subject = subject_parse(&call->session->arena, call->context, text);
	if (*subject.name && subject_follow_alias(call->session, &subject) < 0)
		return -1;
	*ret_context = subject.context;
	return 0;
}

int rest_get_schema(struct rest_call *call)
{
	const struct stored_schema *schema;
	const char *context;
	int32_t max_id;
	json_t *answer;
	int32_t id;

	if (rest_id_arg(call, 0, &id) < 0 || get_id_context(call, &context) < 0 ||
	    registry_by_id(call->session, context, id, &schema) < 0)
		return -1;
	if (rest_schema_json(call, context, schema, &answer) < 0)
		return -1;
	(void)rest_answer(call, answer);
	if (!rest_flag(call, "fetchMaxId"))
		return 0;
	if (registry_max_id(call->session, context, &max_id) < 0)
		return -1;
	json_object_set_new(answer, "maxId", json_integer(max_id));
	return 0;
}

int rest_get_schema_text(struct rest_call *call)
{
	const struct stored_schema *schema;
	const char *context;
	const char *text;
	int32_t id;

	if (rest_id_arg(call, 0, &id) < 0 || get_id_context(call, &context) < 0 ||
	    registry_by_id(call->session, context, id, &schema) < 0 ||
	    rest_schema_text(call, context, schema, &text) < 0)
		return -1;
	return rest_answer_text(call, text);
}

static int get_holders(struct rest_call *call, struct stored_holder **ret_holders, size_t *ret_count)
{
	const char *context;
	int32_t id;

	if (rest_id_arg(call, 0, &id) < 0 || get_id_context(call, &context) < 0)
		return -1;
	return registry_holders(call->session, context, id, rest_flag(call, "deleted"), ret_holders, ret_count);
}

int rest_get_schema_versions(struct rest_call *call)
{
	struct stored_holder *holders;
	size_t count;
	size_t first;
	json_t *answer;

	if (get_holders(call, &holders, &count) < 0 || rest_page(call, &first, &count) < 0)
		return -1;
	answer = json_array();
	for (size_t i = first; i < first + count; i++)
		json_array_append_new(answer, json_pack("{s:s, s:i}", "subject",
							subject_format(&call->session->arena, holders[i].subject),
							"version", holders[i].version));
	return rest_answer(call, answer);
}

int rest_get_schema_subjects(struct rest_call *call)
{
	struct stored_holder *holders;
	size_t holder_count;
	size_t count = 0;
	size_t first;
	json_t *answer;

	if (get_holders(call, &holders, &holder_count) < 0)
		return -1;
	for (size_t i = 0; i < holder_count; i++) {
		if (count == 0 || !subject_equal(holders[i].subject, holders[count - 1].subject)) /* they are sorted */
			holders[count++] = holders[i];
	}
	if (rest_page(call, &first, &count) < 0)
		return -1;
	answer = json_array();
	for (size_t i = first; i < first + count; i++)
		json_array_append_new(answer, json_string(subject_format(&call->session->arena, holders[i].subject)));
	return rest_answer(call, answer);
}

/* ---- by guid: the same number everywhere, while ids are counted in each context ---- */

static int find_guid(struct rest_call *call, struct stored_id **ret_places, size_t *ret_count)
{
	const char *text = call->args[0];
	struct uuid guid;

	if (!uuid_parse(text, strlen(text), &guid))
		return session_refuse(call->session, REFUSAL_SCHEMA_NOT_FOUND, "Schema %s not found", text);
	return registry_by_guid(call->session, guid, ret_places, ret_count);
}

int rest_get_by_guid(struct rest_call *call)
{
	const struct stored_schema *schema;
	struct stored_id *places;
	size_t count;
	json_t *answer;

	call->wants_news = true; /* who knows of guids */
	if (find_guid(call, &places, &count) < 0 ||
	    registry_by_id(call->session, places[0].context, places[0].id, &schema) < 0 ||
	    rest_schema_json(call, places[0].context, schema, &answer) < 0)
		return -1;
	return rest_answer(call, answer);
}

int rest_get_guid_ids(struct rest_call *call)
{
	struct stored_id *places;
	size_t count;
	json_t *answer;

	if (find_guid(call, &places, &count) < 0)
		return -1;
	answer = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(answer,
				      json_pack("{s:s, s:i}", "context", places[i].context, "id", (int)places[i].id));
	return rest_answer(call, answer);
}

/* ---- contexts ---- */

int rest_get_contexts(struct rest_call *call)
{
	const char *prefix = http_request_query(call->request, "contextPrefix");
	const char **contexts;
	size_t all_count;
	size_t count = 0;
	size_t first;
	json_t *answer;

	if (registry_contexts(call->session, &contexts, &all_count) < 0)
		return -1;
	for (size_t i = 0; i < all_count; i++) {
		if (!prefix || strncmp(contexts[i], prefix, strlen(prefix)) == 0)
			contexts[count++] = contexts[i];
	}
	if (rest_page(call, &first, &count) < 0)
		return -1;
	answer = json_array();
	for (size_t i = first; i < first + count; i++)
		json_array_append_new(answer, json_string(contexts[i]));
	return rest_answer(call, answer);
}

int rest_delete_context(struct rest_call *call)
{
	if (registry_delete_context(call->session, context_parse(&call->session->arena, call->args[0])) < 0)
		return -1;
	call->response->status = 204;
	return 0;
}
