/* registry_settings.c - compatibility level and mode: own, of the context, of everything. See registry.h. */
#include <string.h>
#include <strings.h>

#include "lib/base/memory.h"
#include "schema-registry/server/registry.h"

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

static int load(struct session *session, struct subject subject, struct stored_settings *ret_settings)
{
	struct error err;

	if (store_load_settings(session->pg, subject, &session->arena, ret_settings, &err) < 0)
		return session_failed(session, &err);
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

int registry_effective(struct session *session, struct subject subject, enum compat_level *ret_level,
		       enum registry_mode *ret_mode)
{
	struct stored_settings settings;

	if (load(session, subject, &settings) < 0)
		return -1;
	*ret_level = effective_level(&settings);
	*ret_mode = effective_mode(&settings);
	return 0;
}

int registry_effective_writable(struct session *session, struct subject subject, enum compat_level *ret_level,
				enum registry_mode *ret_mode)
{
	enum compat_level level;
	enum registry_mode mode;

	if (registry_effective(session, subject, &level, &mode) < 0)
		return -1;
	if (mode == MODE_READONLY || mode == MODE_READONLY_OVERRIDE)
		return session_refuse(session, REFUSAL_NOT_PERMITTED, "Subject %s is in read-only mode",
				      subject_format(&session->arena, subject));
	*ret_level = level;
	*ret_mode = mode;
	return 0;
}

int registry_check_writable(struct session *session, struct subject subject, enum registry_mode *ret_mode)
{
	enum compat_level level;

	return registry_effective_writable(session, subject, &level, ret_mode);
}

/* ---- level ---- */

int registry_level(struct session *session, struct subject subject, bool with_default, enum compat_level *ret_level)
{
	struct stored_settings settings;

	if (load(session, subject, &settings) < 0)
		return -1;
	if (!with_default && *subject.name && !settings.level)
		return session_refuse(session, REFUSAL_LEVEL_NOT_SET,
				      "Subject '%s' does not have subject-level compatibility configured",
				      subject_format(&session->arena, subject));
	*ret_level = effective_level(&settings);
	return 0;
}

static int save(struct session *session, struct subject subject, enum setting setting, const char *value)
{
	struct error err;

	if (store_set(session->pg, subject, setting, value, &err) < 0)
		return session_failed(session, &err);
	return session_commit(session, true);
}

int registry_set_level(struct session *session, struct subject subject, const char *level, enum compat_level *ret_level)
{
	enum compat_level parsed;
	enum registry_mode mode;

	if (!level_parse(level, &parsed))
		return session_refuse(
			session, REFUSAL_INVALID_LEVEL,
			"Invalid compatibility level '%s'. Valid values are none, backward, forward, full, "
			"backward_transitive, forward_transitive, full_transitive, wire, wire_json and strict",
			level ? level : "");
	if (session_begin(session, subject) < 0 || registry_check_writable(session, subject, &mode) < 0 ||
	    save(session, subject, SETTING_LEVEL, compat_level_name(parsed)) < 0)
		return -1;
	*ret_level = parsed;
	return 0;
}

static int refuse_unset(struct session *session, struct subject subject)
{
	return session_refuse(session, REFUSAL_SUBJECT_NOT_FOUND, "Subject '%s' not found.",
			      subject_format(&session->arena, subject));
}

int registry_unset_level(struct session *session, struct subject subject, enum compat_level *ret_old)
{
	struct stored_settings settings;
	enum registry_mode mode;

	if (session_begin(session, subject) < 0 || registry_check_writable(session, subject, &mode) < 0 ||
	    load(session, subject, &settings) < 0)
		return -1;
	if (!settings.level && *subject.name)
		return refuse_unset(session, subject);
	*ret_old = effective_level(&settings);
	return save(session, subject, SETTING_LEVEL, NULL);
}

/* ---- mode ---- */

int registry_mode(struct session *session, struct subject subject, bool with_default, enum registry_mode *ret_mode)
{
	struct stored_settings settings;

	if (load(session, subject, &settings) < 0)
		return -1;
	if (!with_default && *subject.name && !settings.mode)
		return session_refuse(session, REFUSAL_MODE_NOT_SET,
				      "Subject '%s' does not have subject-level mode configured",
				      subject_format(&session->arena, subject));
	*ret_mode = effective_mode(&settings);
	return 0;
}

/* Ids that come from elsewhere could mean something else in the schemas that are here already. */
static int check_empty(struct session *session, struct subject subject)
{
	struct subject_filter filter = {.context = subject.context, .prefix = "", .limit = 1};
	struct subject *subjects;
	struct stored_version *versions;
	size_t count;
	size_t live_count = 0;
	struct error err;

	if (*subject.name) {
		if (store_list_versions(session->pg, subject, &session->arena, &versions, &count, &err) < 0)
			return session_failed(session, &err);
		for (size_t i = 0; i < count; i++)
			live_count += !versions[i].is_deleted;
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
	struct stored_settings settings;
	enum registry_mode parsed;

	if (!mode_parse(mode, &parsed))
		return session_refuse(
			session, REFUSAL_INVALID_MODE,
			"Invalid mode '%s'. Valid values are READWRITE, READONLY, READONLY_OVERRIDE and IMPORT",
			mode ? mode : "");
	if (session_begin(session, subject) < 0 || load(session, subject, &settings) < 0)
		return -1;
	if (parsed == MODE_IMPORT && effective_mode(&settings) != MODE_IMPORT && !is_forced &&
	    check_empty(session, subject) < 0)
		return -1;
	if (save(session, subject, SETTING_MODE, mode_names[parsed]) < 0)
		return -1;
	*ret_mode = parsed;
	return 0;
}

int registry_unset_mode(struct session *session, struct subject subject, enum registry_mode *ret_old)
{
	struct stored_settings settings;

	if (session_begin(session, subject) < 0 || load(session, subject, &settings) < 0)
		return -1;
	if (!settings.mode && *subject.name)
		return refuse_unset(session, subject);
	*ret_old = effective_mode(&settings);
	return save(session, subject, SETTING_MODE, NULL);
}
