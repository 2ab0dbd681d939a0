/* registry.c - registering, finding and checking schemas. See registry.h. */
#include "schema-registry/server/registry.h"

#include <assert.h>
#include <jansson.h>
#include <string.h>

#include "lib/base/crash_point.h"
#include "lib/base/memory.h"
#include "schema-registry/server/prepared_schema.h"
#include "schema-registry/server/subject_config.h"

enum { VERSION_IMPORTED_MAX = 2000000000 }; /* a subject must be able to go on */

/* The newest that is equal, or NULL. */
static const struct stored_version *find_equal(const struct stored_subject *known, const struct stored_schema *schema,
					       bool with_deleted)
{
	for (size_t i = known->version_count; i-- > 0;) {
		const struct stored_version *version = &known->versions[i];

		if ((with_deleted || !version->is_deleted) &&
		    memcmp(version->identity, schema->identity, SCHEMA_IDENTITY_LEN) == 0)
			return version;
	}
	return NULL;
}

static const struct stored_version *find_version(const struct stored_subject *known, int32_t number, bool with_deleted)
{
	for (size_t i = known->version_count; i-- > 0;) {
		const struct stored_version *version = &known->versions[i];

		if ((with_deleted || !version->is_deleted) && (number == VERSION_LATEST || version->version == number))
			return version;
	}
	return NULL;
}

static int refuse_no_subject(struct session *session, struct subject subject)
{
	return session_refuse(session, REFUSAL_SUBJECT_NOT_FOUND, "Subject '%s' not found.",
			      subject_format(&session->arena, subject));
}

/* ---- reading ---- */

int registry_by_id(struct session *session, const char *context, int32_t id, const struct stored_schema **ret_schema)
{
	struct schema_entry *entry;

	if (prepare_load(session, context, id, NULL, &entry) < 0)
		return -1;
	if (!entry)
		return session_refuse(session, REFUSAL_SCHEMA_NOT_FOUND, "Schema %d not found", id);
	*ret_schema = schema_entry_stored(entry);
	return 0;
}

int registry_format(struct session *session, const char *context, const struct stored_schema *schema,
		    enum text_form form, const char **ret_text)
{
	struct buffer text = {0};
	int result = 0;
	const struct schema *parsed;
	struct schema_entry *entry;

	if (prepare_load(session, context, schema->id, schema->identity, &entry) < 0)
		return -1;
	if (!entry)
		return session_refuse(session, REFUSAL_SCHEMA_NOT_FOUND, "Schema %d not found", schema->id);
	if (prepare_parsed(session, entry, &parsed) < 0)
		return -1;
	if (form == FORM_SERIALIZED)
		schema_append_serialized(parsed, &text);
	else if (!schema_append_resolved(parsed, &text))
		result = session_refuse(session, REFUSAL_INVALID_SCHEMA,
					"Invalid schema: its references are too deep in each other for one text");
	*ret_text = arena_strdup(&session->arena, buffer_text(&text));
	buffer_release(&text);
	return result;
}

static int load_registered(struct session *session, struct subject subject, const struct stored_version *version,
			   struct registered *ret_registered)
{
	struct schema_entry *entry;

	if (prepare_load(session, subject.context, version->schema_id, version->identity, &entry) < 0)
		return -1;
	if (!entry) /* deleted for good since the version was read */
		return session_refuse(session, REFUSAL_VERSION_NOT_FOUND, "Version %d not found.", version->version);
	*ret_registered = (struct registered){subject, version->version, schema_entry_stored(entry)};
	return 0;
}

int registry_by_version(struct session *session, struct subject subject, int32_t version, bool with_deleted,
			struct registered *ret_registered)
{
	const struct stored_version *found;
	const struct stored_subject *known;

	if (session_read_subject(session, subject, &known) < 0)
		return -1;
	if (!find_version(known, VERSION_LATEST, with_deleted))
		return refuse_no_subject(session, subject);
	found = find_version(known, version, with_deleted);
	if (!found)
		return session_refuse(session, REFUSAL_VERSION_NOT_FOUND, "Version %d not found.", version);
	return load_registered(session, subject, found, ret_registered);
}

static bool has_properties(const struct stored_schema *schema, const struct property *properties, size_t count)
{
	json_t *metadata = schema->metadata ? json_loads(schema->metadata, 0, NULL) : NULL;
	const json_t *held = json_object_get(metadata, "properties");
	bool has_all = true;

	for (size_t i = 0; i < count && has_all; i++) {
		const char *value = json_string_value(json_object_get(held, properties[i].key));

		has_all = value && strcmp(value, properties[i].value) == 0;
	}
	json_decref(metadata);
	return has_all;
}

int registry_by_properties(struct session *session, struct subject subject, const struct property *properties,
			   size_t count, bool with_deleted, struct registered *ret_registered)
{
	const struct stored_subject *known;

	if (session_read_subject(session, subject, &known) < 0)
		return -1;
	if (!find_version(known, VERSION_LATEST, with_deleted))
		return refuse_no_subject(session, subject);
	for (size_t i = known->version_count; i-- > 0;) {
		struct registered registered;

		if (known->versions[i].is_deleted && !with_deleted)
			continue;
		if (load_registered(session, subject, &known->versions[i], &registered) < 0)
			return -1;
		if (has_properties(registered.schema, properties, count)) {
			*ret_registered = registered;
			return 0;
		}
	}
	return session_refuse(session, REFUSAL_SCHEMA_NOT_FOUND, "Schema not found");
}

/* The latest live version's schema, or NULL. */
static int load_latest(struct session *session, struct subject subject, const struct stored_subject *known,
		       const struct stored_schema **ret_schema)
{
	const struct stored_version *latest = find_version(known, VERSION_LATEST, false);
	struct registered registered = {0};

	*ret_schema = NULL;
	if (!latest)
		return 0;
	if (load_registered(session, subject, latest, &registered) < 0)
		return -1;
	*ret_schema = registered.schema;
	return 0;
}

/* As registering would take it: with what the client may leave out. */
static int complete(struct session *session, struct subject subject, const struct stored_subject *known,
		    const struct subject_config *config, struct schema_input *input, bool *ret_is_changed)
{
	const struct stored_schema *previous;

	if (load_latest(session, subject, known, &previous) < 0)
		return -1;
	subject_config_complete(session, config, previous, input, ret_is_changed);
	return 0;
}

/* As it was sent, and else with the metadata and rules that it would be registered with: a producer's own schema has none. */
static int find_look_up(struct session *session, struct subject subject, const struct stored_subject *known,
			const struct schema_input *input, bool with_deleted, const struct stored_version **ret_found)
{
	struct schema_input wanted = *input;
	struct subject_config config = subject_config_of(session, &known->settings);
	struct prepared_schema prepared;
	bool is_changed;

	wanted.is_normalized |= config.is_normalizing;
	if (prepare_input(session, &wanted, &prepared) < 0)
		return -1;
	*ret_found = find_equal(known, &prepared.stored, with_deleted);
	if (*ret_found)
		return 0;
	if (complete(session, subject, known, &config, &wanted, &is_changed) < 0)
		return -1;
	if (!is_changed)
		return 0;
	if (prepare_input(session, &wanted, &prepared) < 0)
		return -1;
	*ret_found = find_equal(known, &prepared.stored, with_deleted);
	return 0;
}

int registry_look_up(struct session *session, struct subject subject, const struct schema_input *input,
		     bool with_deleted, struct registered *ret_registered)
{
	const struct stored_version *found;
	const struct stored_subject *known;

	if (session_read_subject(session, subject, &known) < 0)
		return -1;
	if (!find_version(known, VERSION_LATEST, with_deleted))
		return refuse_no_subject(session, subject);
	if (find_look_up(session, subject, known, input, with_deleted, &found) < 0)
		return -1;
	if (!found)
		return session_refuse(session, REFUSAL_SCHEMA_NOT_FOUND, "Schema not found");
	return load_registered(session, subject, found, ret_registered);
}

/* ---- compatibility ---- */

static void release_report(void *report)
{
	compat_report_release(report);
}

struct comparison {
	enum compat_level level;
	const char *group;                 /* only versions with the same value of this property; NULL: all */
	const struct stored_version *only; /* NULL: the versions that the level names */
};

/* Compares with all live versions, newest first, or with one. */
static int compare(struct session *session, struct subject subject, const struct stored_subject *known,
		   struct comparison comparison, const struct prepared_schema *schema,
		   struct compat_report **ret_report, const int32_t **ret_versions)
{
	enum compat_level level = comparison.level;
	const struct stored_version *only = comparison.only;
	struct compat_report *report = arena_alloc(&session->arena, sizeof(*report));
	const struct schema **old = arena_alloc(&session->arena, (known->version_count + 1) * sizeof(struct schema *));
	int32_t *numbers = arena_alloc(&session->arena, (known->version_count + 1) * sizeof(*numbers));
	bool is_transitive = compat_level_is_transitive(level);
	size_t count = 0;

	for (size_t i = known->version_count; i-- > 0 && level != COMPAT_NONE && (count == 0 || is_transitive);) {
		const struct stored_version *version = &known->versions[i];
		struct schema_entry *entry;

		if (only ? version != only : version->is_deleted)
			continue;
		if (prepare_load(session, subject.context, version->schema_id, version->identity, &entry) < 0)
			return -1;
		if (!entry || /* deleted for good by now, so that nobody reads it */
		    (comparison.group &&
		     !schemas_share_group(comparison.group, &schema->stored, schema_entry_stored(entry))))
			continue;
		if (prepare_parsed(session, entry, &old[count]) < 0)
			return -1;
		numbers[count++] = version->version;
	}
	compat_report_init(report);
	session_keep(session, release_report, report);
	(void)compat_check(level, schema->parsed, old, count, report); /* the report tells it, too */
	*ret_report = report;
	*ret_versions = numbers;
	return 0;
}

int registry_check(struct session *session, struct subject subject, int32_t version, const struct schema_input *input,
		   struct compat_report **ret_report, const int32_t **ret_versions)
{
	struct comparison comparison = {0};
	struct schema_input wanted = *input;
	struct prepared_schema prepared;
	struct subject_config config;
	enum registry_mode mode;
	const struct stored_subject *known;
	bool is_changed;

	if (session_read_subject(session, subject, &known) < 0)
		return -1;
	if (version != 0) {
		comparison.only = find_version(known, version, false);
		/* An unknown subject has no latest version that could be broken; a number was meant to be there. */
		if (!comparison.only && version != VERSION_LATEST)
			return find_version(known, VERSION_LATEST, false)
				       ? session_refuse(session, REFUSAL_VERSION_NOT_FOUND, "Version %d not found.",
							version)
				       : refuse_no_subject(session, subject);
	}
	registry_effective(&known->settings, &comparison.level, &mode);
	config = subject_config_of(session, &known->settings);
	wanted.is_normalized |= config.is_normalizing;
	comparison.group = config.group;
	if (config.group && complete(session, subject, known, &config, &wanted, &is_changed) < 0)
		return -1;
	if (prepare_input(session, &wanted, &prepared) < 0)
		return -1;
	return compare(session, subject, known, comparison, &prepared, ret_report, ret_versions);
}

static int refuse_incompatible(struct session *session, struct subject subject, struct compat_report *report,
			       const int32_t *numbers)
{
	struct buffer text = {0};
	size_t count;
	const char *const *messages = compat_messages(report, numbers, &count);

	for (size_t i = 0; i < count; i++)
		buffer_append_format(&text, "%s%s", i ? ", " : "", messages[i]);
	session_refuse(
		session, REFUSAL_INCOMPATIBLE,
		"Schema being registered is incompatible with an earlier schema for subject \"%s\", details: [%s]",
		subject_format(&session->arena, subject), buffer_text(&text));
	buffer_release(&text);
	return -1;
}

static int check_compatible(struct session *session, struct subject subject, const struct stored_subject *known,
			    struct comparison comparison, const struct prepared_schema *schema)
{
	struct compat_report *report;
	const int32_t *numbers;

	if (compare(session, subject, known, comparison, schema, &report, &numbers) < 0)
		return -1;
	return report->old ? refuse_incompatible(session, subject, report, numbers) : 0;
}

/* ---- registering ---- */

/* 0: there is none. */
static int32_t next_version(const struct stored_subject *known)
{
	int32_t last = known->version_count ? known->versions[known->version_count - 1].version : 0;

	return last < INT32_MAX ? last + 1 : 0;
}

/* May this be registered here, in the mode that is in force? */
static int check_admission(struct session *session, struct subject subject, const struct stored_subject *known,
			   const struct schema_input *input, enum registry_mode mode, struct comparison comparison,
			   const struct prepared_schema *prepared)
{
	const char *name = subject_format(&session->arena, subject);

	if (registry_check_writable(session, subject, &known->settings) < 0)
		return -1;
	if (input->version <= 0 && next_version(known) == 0)
		return session_refuse(session, REFUSAL_INVALID_SCHEMA,
				      "Invalid schema: subject %s has version %d, and there is no higher number", name,
				      INT32_MAX);
	if (mode == MODE_IMPORT) {
		if (!input->id)
			return session_refuse(session, REFUSAL_NOT_PERMITTED,
					      "Subject %s is in import mode: give the schema's id", name);
		if (input->version > VERSION_IMPORTED_MAX)
			return session_refuse(
				session, REFUSAL_INVALID_VERSION,
				"The version %d cannot be imported: numbers above %d are kept for the versions "
				"that follow",
				input->version, VERSION_IMPORTED_MAX);
		if (input->version > 0 && find_version(known, input->version, true))
			return session_refuse(session, REFUSAL_NOT_PERMITTED,
					      "Subject %s has another schema as version %d already", name,
					      input->version);
		return 0;
	}
	if (input->id)
		return session_refuse(session, REFUSAL_NOT_PERMITTED, "Subject %s is not in import mode", name);
	if (input->version > 0 && input->version != next_version(known))
		return session_refuse(session, REFUSAL_INVALID_SCHEMA,
				      "Invalid schema: version %d is not one more than the previous version",
				      input->version);
	return check_compatible(session, subject, known, comparison, prepared);
}

static int refuse_missing_reference(struct session *session, const struct stored_reference *reference)
{
	return session_refuse(session, REFUSAL_INVALID_SCHEMA,
			      "Invalid schema: no schema reference found for subject \"%s\" and version %d",
			      subject_format(&session->arena, reference->subject), reference->version);
}

/* The context first: it may be new, which takes a transaction. The lock of its ids before the id, so that all have one order. */
static int add_row(struct session *session, const struct registration *registration,
		   enum registration_outcome *ret_outcome, int32_t *ret_id)
{
	const char *context = registration->subject.context;
	struct error err;

	CRASH_POINT(REGISTRATION_CHECKED);
	if ((session->is_in_transaction && store_add_context(session->pg, context, &err) < 0) ||
	    (registration->schema->id && store_lock_ids(session->pg, context, &err) < 0) ||
	    store_register(session->pg, registration, ret_outcome, ret_id, &err) < 0)
		return session_failed(session, &err);
	return 0;
}

/* Only for an import that is not refused any more: a rollback does not bring ids back. */
static int end_import(struct session *session, const struct registration *registration, int32_t id)
{
	int32_t wanted = registration->schema->id;
	struct error err;

	if (id != wanted)
		return session_refuse(session, REFUSAL_ID_DOES_NOT_MATCH,
				      "Schema already registered with id %d instead of input id %d", id, wanted);
	if (store_raise_ids(session->pg, registration->subject.context, id, &err) < 0)
		return session_failed(session, &err);
	return 0;
}

static int add(struct session *session, const struct registration *registration, struct stored_schema *stored)
{
	enum registration_outcome outcome;
	int32_t id;

	if (add_row(session, registration, &outcome, &id) < 0)
		return -1;
	switch (outcome) {
	case REGISTRATION_OVERTAKEN:
		return session_overtaken(session);
	case REGISTRATION_UNREFERENCED:
		return refuse_missing_reference(session, &stored->references[id]);
	case REGISTRATION_ID_TAKEN:
		return session_refuse(session, REFUSAL_NOT_PERMITTED,
				      "Overwriting the schema with id %d is not permitted.", stored->id);
	case REGISTRATION_DONE:
		break;
	}
	if (stored->id && end_import(session, registration, id) < 0)
		return -1;
	stored->id = id;
	if (session->is_in_transaction && session_commit(session, true) < 0)
		return -1;
	CRASH_POINT(REGISTRATION_COMMITTED);
	return 0;
}

/* Nothing to do where the subject has the schema: what every producer asks at its start needs no lock. */
static int find_registered(struct session *session, struct subject subject, const struct schema_input *input,
			   const struct prepared_schema *prepared, const struct stored_subject *known,
			   bool *ret_is_found, struct registered *ret_registered)
{
	const struct stored_version *found = find_equal(known, &prepared->stored, false);
	struct stored_schema *copy;

	*ret_is_found = false;
	if (!found || (input->version > 0 && input->version != found->version))
		return 0;
	if (input->id && input->id != found->schema_id)
		return session_refuse(session, REFUSAL_ID_DOES_NOT_MATCH,
				      "Schema already registered with id %d instead of input id %d", found->schema_id,
				      input->id);
	copy = arena_copy(&session->arena, &prepared->stored, sizeof(*copy));
	copy->id = found->schema_id;
	*ret_registered = (struct registered){subject, found->version, copy};
	*ret_is_found = true;
	return 0;
}

/* Without a text it is the latest one that is meant. */
static int take_latest_text(struct session *session, struct subject subject, const struct stored_subject *known,
			    struct schema_input *input)
{
	const struct stored_schema *latest;

	if (load_latest(session, subject, known, &latest) < 0)
		return -1;
	if (!latest)
		return session_refuse(session, REFUSAL_INVALID_SCHEMA, "Invalid schema: the schema is empty");
	input->has_text = true;
	input->text = bytes_of_text(latest->text);
	input->format = schema_format_name(latest->format);
	input->references = latest->references;
	input->reference_count = latest->reference_count;
	return 0;
}

struct view { /* of a subject, while a schema is registered under it */
	struct subject subject;
	const struct stored_subject *known;
	struct subject_config config;
};

/* Brings `wanted` to what is to be registered, and finds whether it is. */
static int find_or_complete(struct session *session, const struct view *view, struct schema_input *wanted,
			    struct prepared_schema *prepared, bool *ret_is_found, struct registered *ret_registered)
{
	const struct stored_subject *known = view->known;
	const struct subject_config *config = &view->config;
	struct subject subject = view->subject;
	/* What the client sent may be there as it is; else only what it becomes is looked for. */
	bool is_exact = wanted->has_text && !subject_config_adds(config);
	bool is_changed = false;
	enum registry_mode mode;
	enum compat_level level;

	*ret_is_found = false;
	if (!wanted->has_text && take_latest_text(session, subject, known, wanted) < 0)
		return -1;
	wanted->is_normalized |= config->is_normalizing;
	if (prepare_input(session, wanted, prepared) < 0 ||
	    (is_exact && find_registered(session, subject, wanted, prepared, known, ret_is_found, ret_registered) < 0))
		return -1;
	if (*ret_is_found)
		return 0;
	registry_effective(&known->settings, &level, &mode);
	/* An import keeps what it brings. */
	if (mode != MODE_IMPORT && complete(session, subject, known, config, wanted, &is_changed) < 0)
		return -1;
	if (is_changed && prepare_input(session, wanted, prepared) < 0)
		return -1;
	if (!is_changed && is_exact)
		return 0;
	return find_registered(session, subject, wanted, prepared, known, ret_is_found, ret_registered);
}

static int register_new(struct session *session, const struct view *view, const struct schema_input *wanted,
			struct prepared_schema *prepared, struct registered *ret_registered)
{
	const struct stored_subject *known = view->known;
	struct subject subject = view->subject;
	struct comparison comparison = {.group = view->config.group};
	enum registry_mode mode;
	struct registration registration = {
		.subject = subject,
		.version = wanted->version > 0 ? wanted->version : next_version(known),
		.schema = &prepared->stored,
		.changes = known->changes,
		.is_id_searched = session->turn > 0,
	};

	registry_effective(&known->settings, &comparison.level, &mode);
	if (check_admission(session, subject, known, wanted, mode, comparison, prepared) < 0 ||
	    add(session, &registration, &prepared->stored) < 0)
		return -1;
	*ret_registered = (struct registered){subject, registration.version,
					      arena_copy(&session->arena, &prepared->stored, sizeof(prepared->stored))};
	return 0;
}

/* `only_finds`: what is not there is not registered. */
static int find_or_register(struct session *session, struct subject subject, const struct schema_input *input,
			    bool only_finds, bool *ret_is_done, struct registered *ret_registered)
{
	struct schema_input wanted = *input;
	struct view view = {.subject = subject};
	struct prepared_schema prepared;

	if (session_read_subject(session, subject, &view.known) < 0)
		return -1;
	view.config = subject_config_of(session, &view.known->settings);
	if (find_or_complete(session, &view, &wanted, &prepared, ret_is_done, ret_registered) < 0)
		return -1;
	if (*ret_is_done || only_finds)
		return 0;
	*ret_is_done = true;
	return register_new(session, &view, &wanted, &prepared, ret_registered);
}

/*
 * One statement registers, if nothing changed since the subject was read. Who was overtaken, and what takes more than one
 * statement (an id that is given, a context that may be new), does it under the lock.
 */
static bool needs_lock(const struct session *session, struct subject subject, const struct schema_input *input)
{
	return session->turn > 0 || input->id || strcmp(subject.context, CONTEXT_DEFAULT) != 0;
}

int registry_register(struct session *session, struct subject subject, const struct schema_input *input,
		      struct registered *ret_registered)
{
	bool is_done;

	if (!subject_is_valid(subject))
		return session_refuse(session, REFUSAL_INVALID_SUBJECT,
				      "The specified subject '%s' is not a valid name",
				      subject_format(&session->arena, subject));
	if (find_or_register(session, subject, input, needs_lock(session, subject, input), &is_done, ret_registered) <
	    0)
		return -1;
	if (is_done)
		return 0;
	if (session_begin(session, subject) < 0)
		return -1;
	return find_or_register(session, subject, input, false, &is_done, ret_registered);
}
