/* rest_settings.c - /config and /mode, of a subject or of everything. See rest.h. */
#include "schema-registry/server/rest.h"

static const char *body_text(const struct rest_call *call, const char *key)
{
	return json_string_value(json_object_get(call->body, key)); /* NULL: absent, or no text */
}

/* Without a subject in the path it is the default that is asked for. */
static bool with_default(const struct rest_call *call)
{
	return !call->args[0] || rest_flag(call, "defaultToGlobal");
}

static json_t *config_json(const struct config_view *config)
{
	return json_copy((json_t *)config->keys); /* only reads it */
}

/* The level that is in force is there in any case: clients rely on it. */
static int answer_config(struct rest_call *call, const struct config_view *config)
{
	json_t *answer = config_json(config);

	json_object_set_new(answer, "compatibilityLevel", json_string(compat_level_name(config->level)));
	return rest_answer(call, answer);
}

static int answer_mode(struct rest_call *call, enum registry_mode mode)
{
	return rest_answer(call, json_pack("{s:s}", "mode", registry_mode_name(mode)));
}

int rest_get_config(struct rest_call *call)
{
	struct config_view config;

	if (registry_config(call->session, call->subject, with_default(call), &config) < 0)
		return -1;
	return answer_config(call, &config);
}

int rest_put_config(struct rest_call *call)
{
	struct config_view config;
	json_t *answer;

	if (registry_set_config(call->session, call->subject, call->body, &config) < 0)
		return -1;
	answer = config_json(&config);
	if (config.is_level_own) /* another key than in the answer to GET; clients rely on it */
		json_object_set_new(answer, "compatibility", json_string(compat_level_name(config.level)));
	return rest_answer(call, answer);
}

int rest_delete_config(struct rest_call *call)
{
	struct config_view old;

	if (registry_unset_config(call->session, call->subject, &old) < 0)
		return -1;
	return answer_config(call, &old);
}

int rest_get_mode(struct rest_call *call)
{
	enum registry_mode mode;

	if (registry_mode(call->session, call->subject, with_default(call), &mode) < 0)
		return -1;
	return answer_mode(call, mode);
}

int rest_put_mode(struct rest_call *call)
{
	enum registry_mode mode;

	if (registry_set_mode(call->session, call->subject, body_text(call, "mode"), rest_flag(call, "force"), &mode) <
	    0)
		return -1;
	return answer_mode(call, mode);
}

int rest_delete_mode(struct rest_call *call)
{
	bool is_recursive = rest_flag(call, "recursive");
	enum registry_mode old;
	bool was_set;

	if (registry_unset_mode(call->session, call->subject, is_recursive, &old, &was_set) < 0)
		return -1;
	if (is_recursive && !was_set)
		return rest_answer(call, json_object());
	return answer_mode(call, old);
}
