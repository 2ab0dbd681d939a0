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

static int answer_level(struct rest_call *call, const char *key, enum compat_level level)
{
	return rest_answer(call, json_pack("{s:s}", key, compat_level_name(level)));
}

static int answer_mode(struct rest_call *call, enum registry_mode mode)
{
	return rest_answer(call, json_pack("{s:s}", "mode", registry_mode_name(mode)));
}

int rest_get_config(struct rest_call *call)
{
	enum compat_level level;

	if (registry_level(call->session, rest_subject_arg(call, 0), with_default(call), &level) < 0)
		return -1;
	return answer_level(call, "compatibilityLevel", level);
}

int rest_put_config(struct rest_call *call)
{
	enum compat_level level;

	if (registry_set_level(call->session, rest_subject_arg(call, 0), body_text(call, "compatibility"), &level) < 0)
		return -1;
	return answer_level(call, "compatibility",
			    level); /* another key than in the answer to GET; clients rely on it */
}

int rest_delete_config(struct rest_call *call)
{
	enum compat_level old;

	if (registry_unset_level(call->session, rest_subject_arg(call, 0), &old) < 0)
		return -1;
	return answer_level(call, "compatibilityLevel", old);
}

int rest_get_mode(struct rest_call *call)
{
	enum registry_mode mode;

	if (registry_mode(call->session, rest_subject_arg(call, 0), with_default(call), &mode) < 0)
		return -1;
	return answer_mode(call, mode);
}

int rest_put_mode(struct rest_call *call)
{
	enum registry_mode mode;

	if (registry_set_mode(call->session, rest_subject_arg(call, 0), body_text(call, "mode"),
			      rest_flag(call, "force"), &mode) < 0)
		return -1;
	return answer_mode(call, mode);
}

int rest_delete_mode(struct rest_call *call)
{
	enum registry_mode old;

	if (registry_unset_mode(call->session, rest_subject_arg(call, 0), &old) < 0)
		return -1;
	return answer_mode(call, old);
}
