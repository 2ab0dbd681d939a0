/* rest_subjects.c - /subjects and /compatibility. See rest.h. */
#include <string.h>

#include "schema-registry/server/rest.h"

enum { PROPERTIES_MAX = 50 };

/* ---- listing ---- */

/* `:.staging:orders` lists one context, `:*:` all of them. */
static void set_prefix(struct rest_call *call, struct subject_filter *filter)
{
	const char *prefix = http_request_query(call->request, "subjectPrefix");
	struct subject subject;

	filter->context = call->context;
	filter->prefix = "";
	if (!prefix)
		return;
	if (strncmp(prefix, ":*:", 3) == 0) {
		filter->context = NULL;
		filter->prefix = prefix + 3;
		return;
	}
	subject = subject_parse(&call->session->arena, call->context, prefix);
	filter->context = subject.context;
	filter->prefix = subject.name;
}

int rest_subject_filter(struct rest_call *call, int64_t limit_max, struct subject_filter *filter)
{
	set_prefix(call, filter);
	if (rest_number(call, "offset", 0, &filter->offset) < 0 ||
	    rest_number(call, "limit", limit_max, &filter->limit) < 0)
		return -1;
	if (filter->offset < 0)
		filter->offset = 0;
	if (limit_max >= 0 && (filter->limit < 0 || filter->limit > limit_max))
		filter->limit = limit_max;
	return 0;
}

int rest_get_subjects(struct rest_call *call)
{
	struct subject_filter filter = {.with_deleted = rest_flag(call, "deleted"),
					.only_deleted = rest_flag(call, "deletedOnly")};
	struct subject *subjects;
	size_t count;
	json_t *answer;

	if (rest_subject_filter(call, -1, &filter) < 0 ||
	    registry_subjects(call->session, &filter, &subjects, &count) < 0)
		return -1;
	answer = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(answer, json_string(subject_format(&call->session->arena, subjects[i])));
	return rest_answer(call, answer);
}

int rest_get_versions(struct rest_call *call)
{
	struct version_filter filter = {.with_deleted = rest_flag(call, "deleted"),
					.only_deleted = rest_flag(call, "deletedOnly"),
					.is_deleted_negative = rest_flag(call, "deletedAsNegative")};
	const int32_t *versions;
	size_t count;
	size_t first;

	if (registry_versions(call->session, call->subject, filter, &versions, &count) < 0 ||
	    rest_page(call, &first, &count) < 0)
		return -1;
	return rest_answer(call, rest_numbers_json(versions + first, count));
}

/* ---- one version ---- */

static int get_registered(struct rest_call *call, struct registered *ret_registered)
{
	int32_t version;

	if (rest_version_arg(call, 1, &version) < 0)
		return -1;
	return registry_by_version(call->session, call->subject, version, rest_flag(call, "deleted"), ret_registered);
}

int rest_get_version(struct rest_call *call)
{
	struct registered registered;

	if (get_registered(call, &registered) < 0)
		return -1;
	return rest_answer_registered(call, &registered);
}

int rest_get_version_text(struct rest_call *call)
{
	struct registered registered;
	const char *text;

	if (get_registered(call, &registered) < 0 ||
	    rest_schema_text(call, registered.subject.context, registered.schema, &text) < 0)
		return -1;
	return rest_answer_text(call, text);
}

int rest_get_by_properties(struct rest_call *call)
{
	const char *keys[PROPERTIES_MAX];
	const char *values[PROPERTIES_MAX];
	struct property properties[PROPERTIES_MAX];
	size_t count = http_request_query_all(call->request, "key", keys, PROPERTIES_MAX);
	struct registered registered;

	if (count != http_request_query_all(call->request, "value", values, PROPERTIES_MAX) || count > PROPERTIES_MAX)
		return session_refuse(call->session, REFUSAL_BAD_REQUEST,
				      "each key needs a value, and there may be %d of them", PROPERTIES_MAX);
	for (size_t i = 0; i < count; i++)
		properties[i] = (struct property){keys[i], values[i]};
	if (registry_by_properties(call->session, call->subject, properties, count, rest_flag(call, "deleted"),
				   &registered) < 0)
		return -1;
	return rest_answer_registered(call, &registered);
}

int rest_get_referrers(struct rest_call *call)
{
	int32_t version;
	int32_t *ids;
	size_t count;
	size_t first;

	if (rest_version_arg(call, 1, &version) < 0 ||
	    registry_referrers(call->session, call->subject, version, rest_flag(call, "deleted"), &ids, &count) < 0 ||
	    rest_page(call, &first, &count) < 0)
		return -1;
	return rest_answer(call, rest_numbers_json(ids + first, count));
}

/* ---- registering and looking up ---- */

int rest_register(struct rest_call *call)
{
	struct registered registered;
	struct schema_input input;

	if (rest_schema_input(call, &input) < 0 || rest_check_rule_set(call) < 0 ||
	    registry_register(call->session, call->subject, &input, &registered) < 0)
		return -1;
	if (!input.has_text)
		return rest_answer_registered(call, &registered);
	if (!call->wants_news)
		return rest_answer(call, json_pack("{s:i}", "id", registered.schema->id));
	return rest_answer(call, json_pack("{s:i, s:i, s:s}", "id", registered.schema->id, "version",
					   registered.version, "guid", rest_guid(call, registered.schema)));
}

int rest_look_up(struct rest_call *call)
{
	struct registered registered;
	struct schema_input input;

	if (rest_schema_input(call, &input) < 0 ||
	    registry_look_up(call->session, call->subject, &input, rest_flag(call, "deleted"), &registered) < 0)
		return -1;
	return rest_answer_registered(call, &registered);
}

/* ---- deleting ---- */

int rest_delete_subject(struct rest_call *call)
{
	const int32_t *versions;
	size_t count;

	if (registry_delete_subject(call->session, call->subject, rest_flag(call, "permanent"), &versions, &count) < 0)
		return -1;
	return rest_answer(call, rest_numbers_json(versions, count));
}

int rest_delete_version(struct rest_call *call)
{
	int32_t version;

	if (rest_version_arg(call, 1, &version) < 0 ||
	    registry_delete_version(call->session, call->subject, version, rest_flag(call, "permanent"), &version) < 0)
		return -1;
	return rest_answer(call, json_integer(version));
}

/* ---- compatibility ---- */

static int check(struct rest_call *call, int32_t version)
{
	struct compat_report *report;
	const int32_t *numbers;
	const char *const *messages;
	struct schema_input input;
	json_t *answer;
	json_t *list;
	size_t count;

	if (rest_schema_input(call, &input) < 0 ||
	    registry_check(call->session, call->subject, version, &input, &report, &numbers) < 0)
		return -1;
	answer = json_pack("{s:b}", "is_compatible", report->old == NULL);
	if (rest_flag(call, "verbose")) {
		messages = compat_messages(report, numbers, &count);
		list = json_array();
		for (size_t i = 0; i < count; i++)
			json_array_append_new(list, json_string(messages[i]));
		json_object_set_new(answer, "messages", list);
	}
	return rest_answer(call, answer);
}

int rest_check_version(struct rest_call *call)
{
	int32_t version;

	if (rest_version_arg(call, 1, &version) < 0)
		return -1;
	return check(call, version);
}

int rest_check_all(struct rest_call *call)
{
	return check(call, 0);
}
