/* registry_settings.c - compatibility level and mode: own, of the context, of everything. See registry.h. */
#include <string.h>
#include <strings.h>

#include "lib/base/memory.h"
#include "schema-registry/server/registry.h"
#include "schema-registry/server/subject_config.h"

static const char *const mode_names[MODE_COUNT] = {
	[MODE_READWRITE] = "READWRITE",
	[MODE_READONLY] = "READONLY",
	[MODE_READONLY_OVERRIDE] = "READONLY_OVERRIDE",
	[MODE_IMPORT] = "IMPORT",
};

enum { LEVEL_NAME_MAX = 32 };

const char *registry_mode_name(enum registry_mode mode)
{
	return mode_names[mode];
}

static bool mode_parse(const char *text, enum registry_mode *ret_mode)
{
	for (int mode = 0; text && mode < MODE_COUNT; mode++) {
		if (strcasecmp(text, mode_names[mode]) == 0) {
			*ret_mode = (enum registry_mode)mode;
			return true;
		}
	}
	return false;
}

static bool level_parse(const char *text, enum compat_level *ret_level)
{
	char upper[LEVEL_NAME_MAX];
	size_t len = text ? strlen(text) : 0;

	if (len == 0 || len >= sizeof(upper))
		return false;
	for (size_t i = 0; i <= len; i++)
		upper[i] = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 'a' + 'A') : text[i];
	return compat_level_parse(upper, ret_level);
}

static int load(struct session *session, struct subject subject, const struct stored_settings **ret_settings)
{
	const struct stored_subject *known;

	if (session_read_subject(session, subject, &known) < 0)
		return -1;
	*ret_settings = &known->settings;
	return 0;
}

/* Names that are not ours were written by a newer version of this program: the default is the safe reading. */
static enum compat_level effective_level(const struct stored_settings *settings)
{
	enum compat_level level = COMPAT_BACKWARD;

	if (!level_parse(settings->level, &level) && !level_parse(settings->context_level, &level))
		(void)level_parse(settings->global_level, &level);
	return level;
}

static enum registry_mode effective_mode(const struct stored_settings *settings)
{
	enum registry_mode mode = MODE_READWRITE;

	/* READONLY_OVERRIDE of everything beats what a subject says. */
	if (mode_parse(settings->global_mode, &mode) && mode == MODE_READONLY_OVERRIDE)
		return mode;
	mode = MODE_READWRITE;
	if (!mode_parse(settings->mode, &mode) && !mode_parse(settings->context_mode, &mode))
		(void)mode_parse(settings->global_mode, &mode);
	return mode;
}

void registry_effective(const struct stored_settings *settings, enum compat_level *ret_level,
			enum registry_mode *ret_mode)
{
	*ret_level = effective_level(settings);
	*ret_mode = effective_mode(settings);
}

int registry_check_writable(struct session *session, struct subject subject, const struct stored_settings *settings)
{
	enum registry_mode mode = effective_mode(settings);

	if (mode != MODE_READONLY && mode != MODE_READONLY_OVERRIDE)
		return 0;
	return session_refuse(session, REFUSAL_NOT_PERMITTED, "Subject %s is in read-only mode",
			      subject_format(&session->arena, subject));
}

/* ---- config ---- */

static int view(struct session *session, struct subject subject, bool with_default, struct config_view *ret_config)
{
	const struct stored_settings *settings;

	if (load(session, subject, &settings) < 0)
		return -1;
	*ret_config = (struct config_view){effective_level(settings), settings->level != NULL,
					   subject_config_show(session, settings, with_default)};
	return 0;
}

int registry_config(struct session *session, struct subject subject, bool with_default, struct config_view *ret_config)
{
	struct config_view config;

	if (view(session, subject, with_default, &config) < 0)
		return -1;
	if (!with_default && *subject.name && !config.is_level_own && json_object_size(config.keys) == 0)
		return session_refuse(session, REFUSAL_LEVEL_NOT_SET,
				      "Subject '%s' does not have subject-level compatibility configured",
				      subject_format(&session->arena, subject));
	*ret_config = config;
	return 0;
}

/* A context as a whole is fine, too. */
static int check_name(struct session *session, struct subject subject)
{
	if (subject_is_valid(subject) || (!*subject.name && subject_is_valid((struct subject){subject.context, "s"})))
		return 0;
	return session_refuse(session, REFUSAL_INVALID_SUBJECT, "The specified subject '%s' is not a valid name",
			      subject_format(&session->arena, subject));
}

static int save(struct session *session, struct subject subject, enum setting setting, const char *value)
{
	struct error err;

	if (store_set(session->pg, subject, setting, value, &err) < 0)
		return session_failed(session, &err);
	return 0;
}

static int refuse_level(struct session *session, const char *level)
{
	return session_refuse(session, REFUSAL_INVALID_LEVEL,
			      "Invalid compatibility level '%s'. Valid values are none, backward, forward, full, "
			      "backward_transitive, forward_transitive, full_transitive, wire, wire_json and strict",
			      level ? level : "");
}

/* *ret_level NULL: not set any more. */
static int parse_level(struct session *session, const json_t *value, const char **ret_level)
{
	enum compat_level level;

	*ret_level = NULL;
	if (!value || json_is_null(value))
		return 0;
	if (!level_parse(json_string_value(value), &level))
		return refuse_level(session, json_string_value(value));
	*ret_level = compat_level_name(level);
	return 0;
}

int registry_set_config(struct session *session, struct subject subject, const json_t *changes,
			struct config_view *ret_config)
{
	const json_t *level_value = json_object_get(changes, "compatibility");
	const struct stored_settings *settings;
	const char *level;

	if (!level_value && !subject_config_knows(changes))
		return refuse_level(session, NULL);
	if (check_name(session, subject) < 0 || parse_level(session, level_value, &level) < 0 ||
	    subject_config_check(session, subject, changes) < 0)
		return -1;
	if (session_begin(session, subject) < 0 || load(session, subject, &settings) < 0 ||
	    registry_check_writable(session, subject, settings) < 0)
		return -1;
	if (level_value && save(session, subject, SETTING_LEVEL, level) < 0)
		return -1;
	if (subject_config_knows(changes) &&
	    save(session, subject, SETTING_CONFIG, subject_config_apply(session, settings->config, changes)) < 0)
		return -1;
	if (session_commit(session, true) < 0)
		return -1;
	return view(session, subject, false, ret_config);
}

static int refuse_unset(struct session *session, struct subject subject)
{
	return session_refuse(session, REFUSAL_SUBJECT_NOT_FOUND, "Subject '%s' not found.",
			      subject_format(&session->arena, subject));
}

int registry_unset_config(struct session *session, struct subject subject, struct config_view *ret_old)
{
	const struct stored_settings *settings;
	struct config_view old;

	if (session_begin(session, subject) < 0 || load(session, subject, &settings) < 0 ||
	    registry_check_writable(session, subject, settings) < 0)
		return -1;
	if (!settings->level && !settings->config && *subject.name)
		return refuse_unset(session, subject);
	if (view(session, subject, false, &old) < 0 || save(session, subject, SETTING_LEVEL, NULL) < 0 ||
	    save(session, subject, SETTING_CONFIG, NULL) < 0 || session_commit(session, false) < 0)
		return -1;
	*ret_old = old;
	return 0;
}

/* ---- mode ---- */

int registry_mode(struct session *session, struct subject subject, bool with_default, enum registry_mode *ret_mode)
{
	const struct stored_settings *settings;

	if (load(session, subject, &settings) < 0)
		return -1;
	if (!with_default && *subject.name && !settings->mode)
		return session_refuse(session, REFUSAL_MODE_NOT_SET,
				      "Subject '%s' does not have subject-level mode configured",
				      subject_format(&session->arena, subject));
	*ret_mode = effective_mode(settings);
	return 0;
}

/* Ids that come from elsewhere could mean something else in the schemas that are here already. */
static int check_empty(struct session *session, struct subject subject)
{
	struct subject_filter filter = {.context = subject.context, .prefix = "", .limit = 1};
	struct subject *subjects;
	const struct stored_subject *known;
	size_t live_count = 0;
	struct error err;

	if (*subject.name) {
		if (session_read_subject(session, subject, &known) < 0)
			return -1;
		for (size_t i = 0; i < known->version_count; i++)
			live_count += !known->versions[i].is_deleted;
	} else if (store_list_subjects(session->pg, &filter, &session->arena, &subjects, &live_count, &err) < 0) {
		return session_failed(session, &err);
	}
	if (live_count > 0)
		return session_refuse(session, REFUSAL_NOT_PERMITTED,
				      "Cannot import since found existing subjects; delete them, or use force=true");
	return 0;
}

int registry_set_mode(struct session *session, struct subject subject, const char *mode, bool is_forced,
		      enum registry_mode *ret_mode)
{
	const struct stored_settings *settings;
	enum registry_mode parsed;

	if (!mode_parse(mode, &parsed))
		return session_refuse(
			session, REFUSAL_INVALID_MODE,
			"Invalid mode '%s'. Valid values are READWRITE, READONLY, READONLY_OVERRIDE and IMPORT",
			mode ? mode : "");
	if (check_name(session, subject) < 0 || session_begin(session, subject) < 0 ||
	    load(session, subject, &settings) < 0)
		return -1;
	if (parsed == MODE_IMPORT && effective_mode(settings) != MODE_IMPORT && !is_forced &&
	    check_empty(session, subject) < 0)
		return -1;
	if (save(session, subject, SETTING_MODE, mode_names[parsed]) < 0 || session_commit(session, true) < 0)
		return -1;
	*ret_mode = parsed;
	return 0;
}

int registry_unset_mode(struct session *session, struct subject subject, bool is_recursive, enum registry_mode *ret_old,
			bool *ret_was_set)
{
	bool is_everything = strcmp(subject.context, CONTEXT_DEFAULT) == 0 && !*subject.name;
	const struct stored_settings *settings;
	enum registry_mode old;
	bool was_set;
	struct error err;

	if (session_begin(session, subject) < 0 || load(session, subject, &settings) < 0)
		return -1;
	if (!settings->mode && *subject.name)
		return refuse_unset(session, subject);
	old = effective_mode(settings);
	was_set = settings->mode || is_everything; /* everything always has one */
	if (save(session, subject, SETTING_MODE, NULL) < 0)
		return -1;
	if (is_recursive && !*subject.name && store_unset_modes(session->pg, subject.context, &err) < 0)
		return session_failed(session, &err);
	if (session_commit(session, false) < 0)
		return -1;
	*ret_old = old;
	*ret_was_set = was_set;
	return 0;
}
