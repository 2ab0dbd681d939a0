/* rule_set.c - see rule_set.h. */
#include "schema-registry/server/rule_set.h"

#include <string.h>

#include "lib/base/memory.h"

enum { RULE_NAME_LEN_MAX = 256, NAMES_LISTED_MAX = 6 };

static const char *const migration_modes[NAMES_LISTED_MAX] = {"UPGRADE", "DOWNGRADE", "UPDOWN"};
static const char *const message_modes[NAMES_LISTED_MAX] = {"WRITE", "READ", "WRITEREAD"};
static const char *const kinds[NAMES_LISTED_MAX] = {"TRANSFORM", "CONDITION"};

static const struct {
	const char *key;
	const char *const *modes;
	const char *text;
} lists[] = {
	{"migrationRules", migration_modes, "UPGRADE, DOWNGRADE and UPDOWN"},
	{"domainRules", message_modes, "WRITE, READ and WRITEREAD"},
	{"encodingRules", message_modes, "WRITE, READ and WRITEREAD"},
};

/* ---- checking ---- */

static bool is_listed(const char *const *names, const char *name)
{
	for (int i = 0; i < NAMES_LISTED_MAX && names[i]; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

/* Bytes of other alphabets count as letters. */
static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

static bool is_name(const char *name)
{
	if (!name || strlen(name) > RULE_NAME_LEN_MAX || !(is_letter(*name) || *name == '_'))
		return false;
	for (; *name; name++) {
		if (!is_letter(*name) && !(*name >= '0' && *name <= '9') && *name != '_' && *name != '-')
			return false;
	}
	return true;
}

/* Absent and null are the same: NULL. */
static const char *text_of(const json_t *rule, const char *key)
{
	return json_string_value(json_object_get(rule, key));
}

static bool has_many(const char *actions)
{
	return actions && strchr(actions, ',');
}

static bool check_rule(const json_t *rule, size_t list, struct buffer *problem)
{
	const char *name = text_of(rule, "name");
	const char *mode = text_of(rule, "mode");
	const char *kind = text_of(rule, "kind");

	if (!is_name(name)) {
		buffer_append_format(
			problem,
			"a rule of %s needs a name of 1 to %d letters, digits, _ and -, with a letter or _ first",
			lists[list].key, RULE_NAME_LEN_MAX);
		return false;
	}
	if (!text_of(rule, "type"))
		buffer_append_format(problem, "rule '%s' has no type", name);
	else if (mode ? !is_listed(lists[list].modes, mode) : lists[list].modes == migration_modes)
		buffer_append_format(problem, "rule '%s' has mode %s, but %s can only be %s", name,
				     mode ? mode : "WRITEREAD", lists[list].key, lists[list].text);
	else if (kind && !is_listed(kinds, kind))
		buffer_append_format(problem, "rule '%s' has kind %s, which is neither TRANSFORM nor CONDITION", name,
				     kind);
	else if ((has_many(text_of(rule, "onSuccess")) || has_many(text_of(rule, "onFailure"))) && mode &&
		 strcmp(mode, "WRITEREAD") != 0 && strcmp(mode, "UPDOWN") != 0)
		buffer_append_format(problem, "rule '%s' has several actions, which only WRITEREAD and UPDOWN can have",
				     name);
	else
		return true;
	return false;
}

static bool check_list(const json_t *rules, size_t list, json_t *names, struct buffer *problem)
{
	if (rules && !json_is_null(rules) && !json_is_array(rules)) {
		buffer_append_format(problem, "%s must be a list", lists[list].key);
		return false;
	}
	for (size_t i = 0; i < json_array_size(rules); i++) {
		const json_t *rule = json_array_get(rules, i);

		if (!check_rule(rule, list, problem))
			return false;
		if (json_object_get(names, text_of(rule, "name"))) {
			buffer_append_format(problem, "two rules are called '%s'", text_of(rule, "name"));
			return false;
		}
		(void)json_object_set_new(names, text_of(rule, "name"), json_true());
	}
	return true;
}

bool rule_set_check(const json_t *rule_set, struct buffer *problem)
{
	json_t *names = json_object();
	bool is_right = true;

	for (size_t i = 0; i < ARRAY_LEN(lists) && is_right; i++)
		is_right = check_list(json_object_get(rule_set, lists[i].key), i, names, problem);
	json_decref(names);
	return is_right;
}

/* ---- merging ---- */

void contract_drop_nulls(json_t *contract)
{
	const char *key;
	json_t *member;
	void *next;

	for (size_t i = 0; i < json_array_size(contract); i++)
		contract_drop_nulls(json_array_get(contract, i));
	json_object_foreach_safe(contract, next, key, member)
	{
		if (json_is_null(member))
			(void)json_object_del(contract, key);
		else
			contract_drop_nulls(member);
	}
}

/* What makes an item of a list the same as another: a rule's name, else its value. */
static char *item_key(const json_t *item)
{
	const char *name = text_of(item, "name");

	return name ? xstrdup(name) : json_dumps(item, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
}

/* Lists may be as long as a request, so each item is looked at once. */
static json_t *merge_lists(const json_t *under, const json_t *over)
{
	json_t *merged = json_array();
	json_t *keys = json_object();

	for (size_t i = 0; i < json_array_size(over); i++) {
		_cleanup_(freep)
		char *key = item_key(json_array_get(over, i));

		(void)json_object_set_new(keys, key, json_true());
	}
	for (size_t i = 0; i < json_array_size(under); i++) {
		_cleanup_(freep)
		char *key = item_key(json_array_get(under, i));

		if (!json_object_get(keys, key))
			(void)json_array_append(merged, json_array_get(under, i));
	}
	(void)json_array_extend(merged, (json_t *)over); /* only reads it */
	json_decref(keys);
	return merged;
}

static json_t *merge_members(json_t *under, json_t *over)
{
	json_t *merged;

	if (json_is_array(under) && json_is_array(over))
		return merge_lists(under, over);
	if (!json_is_object(under) || !json_is_object(over))
		return json_incref(over);
	merged = json_copy(under);
	(void)json_object_update(merged, over);
	return merged;
}

json_t *contract_merge(const json_t *under, const json_t *over)
{
	json_t *merged = under ? json_copy((json_t *)under) : NULL; /* only reads it */
	const char *key;
	json_t *member;

	if (!merged || !over)
		return merged ? merged : over ? json_copy((json_t *)over) : NULL;
	json_object_foreach((json_t *)over, key, member)
	{
		json_t *before = json_object_get(merged, key);

		(void)json_object_set_new(merged, key, before ? merge_members(before, member) : json_incref(member));
	}
	return merged;
}
