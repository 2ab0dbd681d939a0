/* subject_config.c - see subject_config.h. */
#include "schema-registry/server/subject_config.h"

#include <string.h>

#include "lib/base/memory.h"
#include "schema-registry/server/rule_set.h"

enum key_kind {
	KEY_FLAG,
	KEY_TEXT,
	KEY_METADATA,
	KEY_RULE_SET,
	KEY_ABSENT_FLAG, /* something this registry has not: false is what it does anyway */
	KEY_ABSENT,      /* likewise; nothing but null is true of it */
};

static const struct {
	const char *name;
	enum key_kind kind;
	bool is_inherited; /* from the context and the default context */
} keys[] = {
	{"alias", KEY_TEXT, false},
	{"normalize", KEY_FLAG, true},
	{"compatibilityGroup", KEY_TEXT, true},
	{"defaultMetadata", KEY_METADATA, true},
	{"overrideMetadata", KEY_METADATA, true},
	{"defaultRuleSet", KEY_RULE_SET, true},
	{"overrideRuleSet", KEY_RULE_SET, true},
	{"validateRules", KEY_FLAG, true}, /* rules are always checked */
	{"validateFields", KEY_ABSENT_FLAG, true},
	{"validateNewSchemas", KEY_ABSENT_FLAG, true},
	{"aliasForDeks", KEY_ABSENT, false},
	{"compatibilityPolicy", KEY_ABSENT, true},
};

static void release_json(void *json)
{
	json_decref(json);
}

/* ---- reading ---- */

struct layers { /* from the nearest; NULL: nothing is set there */
	const json_t *own;
	const json_t *context;
	const json_t *global;
};

/* What cannot be read was written by something that is not this program. */
static const json_t *parse_config(struct session *session, const char *text)
{
	json_t *config = text ? json_loads(text, 0, NULL) : NULL;

	if (config)
		session_keep(session, release_json, config);
	return config;
}

static struct layers get_layers(struct session *session, const struct stored_settings *settings)
{
	return (struct layers){
		parse_config(session, settings->config),
		parse_config(session, settings->context_config),
		parse_config(session, settings->global_config),
	};
}

static const json_t *in_force(const struct layers *layers, const char *key)
{
	const json_t *value = json_object_get(layers->own, key);

	if (!value)
		value = json_object_get(layers->context, key);
	return value ? value : json_object_get(layers->global, key);
}

struct subject_config subject_config_of(struct session *session, const struct stored_settings *settings)
{
	struct layers layers = get_layers(session, settings);

	return (struct subject_config){
		.is_normalizing = json_is_true(in_force(&layers, "normalize")),
		.group = json_string_value(in_force(&layers, "compatibilityGroup")),
		.default_metadata = in_force(&layers, "defaultMetadata"),
		.override_metadata = in_force(&layers, "overrideMetadata"),
		.default_rule_set = in_force(&layers, "defaultRuleSet"),
		.override_rule_set = in_force(&layers, "overrideRuleSet"),
	};
}

int subject_follow_alias(struct session *session, struct subject *subject)
{
	const struct stored_subject *known;
	const char *alias;

	if (session_read_subject(session, *subject, &known) < 0)
		return -1;
	alias = json_string_value(json_object_get(parse_config(session, known->settings.config), "alias"));
	if (alias) /* one step only: a ring of aliases has no end */
		*subject = subject_parse(&session->arena, subject->context, alias);
	return 0;
}

json_t *subject_config_show(struct session *session, const struct stored_settings *settings, bool with_default)
{
	struct layers layers = get_layers(session, settings);
	json_t *shown = json_object();

	session_keep(session, release_json, shown);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const json_t *value = with_default && keys[i].is_inherited ? in_force(&layers, keys[i].name)
									   : json_object_get(layers.own, keys[i].name);

		if (value)
			(void)json_object_set(shown, keys[i].name, (json_t *)value); /* only counts it */
	}
	return shown;
}

/* ---- what a schema is registered with ---- */

bool subject_config_adds(const struct subject_config *config)
{
	return config->default_metadata || config->override_metadata || config->default_rule_set ||
	       config->override_rule_set;
}

/* As rest_json.c writes them: such a text is part of a schema's identity. NULL: nothing is left. */
static const char *merge_texts(struct session *session, const json_t *defaults, const char *text,
			       const json_t *overrides)
{
	json_t *own = text ? json_loads(text, 0, NULL) : NULL;
	json_t *under = contract_merge(defaults, own);
	json_t *merged = contract_merge(under, overrides);
	char *merged_text = json_object_size(merged) ? json_dumps(merged, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	const char *result = merged_text ? arena_strdup(&session->arena, merged_text) : NULL;

	free(merged_text);
	json_decref(own);
	json_decref(under);
	json_decref(merged);
	return result;
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

void subject_config_complete(struct session *session, const struct subject_config *config,
			     const struct stored_schema *previous, struct schema_input *input, bool *ret_is_changed)
{
	const char *metadata = input->metadata || !previous ? input->metadata : previous->metadata;
	const char *rule_set = input->rule_set || !previous ? input->rule_set : previous->rule_set;

	if (subject_config_adds(config)) {
		metadata = merge_texts(session, config->default_metadata, metadata, config->override_metadata);
		rule_set = merge_texts(session, config->default_rule_set, rule_set, config->override_rule_set);
	}
	*ret_is_changed = !is_same_text(metadata, input->metadata) || !is_same_text(rule_set, input->rule_set);
	input->metadata = metadata;
	input->rule_set = rule_set;
}

/* ---- groups ---- */

static const json_t *group_of(const json_t *metadata, const char *group)
{
	return json_object_get(json_object_get(metadata, "properties"), group);
}

bool schemas_share_group(const char *group, const struct stored_schema *a, const struct stored_schema *b)
{
	json_t *metadata = a->metadata ? json_loads(a->metadata, 0, NULL) : NULL;
	json_t *other = b->metadata ? json_loads(b->metadata, 0, NULL) : NULL;
	const json_t *value = group_of(metadata, group);
	const json_t *other_value = group_of(other, group);
	bool is_shared = value && other_value ? json_equal(value, other_value) : value == other_value;

	json_decref(metadata);
	json_decref(other);
	return is_shared;
}

/* ---- changing ---- */

static int check_alias(struct session *session, struct subject subject, const char *alias)
{
	if (!*subject.name)
		return session_refuse(session, REFUSAL_NOT_PERMITTED,
				      "alias is for a subject: give it in PUT /config/{subject}");
	if (!subject_is_valid(subject_parse(&session->arena, subject.context, alias)))
		return session_refuse(session, REFUSAL_INVALID_SUBJECT, "The alias '%s' is not a valid subject name",
				      alias);
	return 0;
}

static int check_rule_set(struct session *session, const char *key, const json_t *value)
{
	struct buffer problem = {0};
	int result = 0;

	if (!rule_set_check(value, &problem))
		result =
			session_refuse(session, REFUSAL_INVALID_RULE_SET, "Invalid %s: %s", key, buffer_text(&problem));
	buffer_release(&problem);
	return result;
}

static int check_value(struct session *session, struct subject subject, size_t key, const json_t *value)
{
	const char *name = keys[key].name;
	const char *expected = NULL;

	switch (keys[key].kind) {
	case KEY_FLAG:
	case KEY_ABSENT_FLAG:
		expected = json_is_boolean(value) ? NULL : "true or false";
		break;
	case KEY_TEXT:
		expected = json_is_string(value) && *json_string_value(value) ? NULL : "a text";
		break;
	case KEY_METADATA:
	case KEY_RULE_SET:
		expected = json_is_object(value) ? NULL : "an object";
		break;
	case KEY_ABSENT:
		break;
	}
	if (expected)
		return session_refuse(session, REFUSAL_BAD_REQUEST, "%s must be %s", name, expected);
	if (keys[key].kind == KEY_ABSENT || (keys[key].kind == KEY_ABSENT_FLAG && json_is_true(value)))
		return session_refuse(session, REFUSAL_NOT_PERMITTED,
				      "This registry does not have what %s asks for: leave it out", name);
	if (keys[key].kind == KEY_RULE_SET)
		return check_rule_set(session, name, value);
	return strcmp(name, "alias") == 0 ? check_alias(session, subject, json_string_value(value)) : 0;
}

bool subject_config_knows(const json_t *changes)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (json_object_get(changes, keys[i].name))
			return true;
	}
	return false;
}

int subject_config_check(struct session *session, struct subject subject, const json_t *changes)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const json_t *value = json_object_get(changes, keys[i].name);

		if (value && !json_is_null(value) && check_value(session, subject, i, value) < 0)
			return -1;
	}
	return 0;
}

const char *subject_config_apply(struct session *session, const char *old, const json_t *changes)
{
	json_t *config = old ? json_loads(old, 0, NULL) : json_object();
	const char *result;
	char *text;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		json_t *value = json_object_get(changes, keys[i].name);

		if (json_is_null(value)) {
			(void)json_object_del(config, keys[i].name);
		} else if (value) {
			contract_drop_nulls(value);
			(void)json_object_set(config, keys[i].name, value);
		}
	}
	text = json_object_size(config) ? json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	result = text ? arena_strdup(&session->arena, text) : NULL;
	free(text);
	json_decref(config);
	return result;
}
