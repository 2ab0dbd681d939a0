/* registry_subjects.c - listing and deleting. See registry.h. */
#include <assert.h>
#include <string.h>

#include "lib/base/memory.h"
#include "schema-registry/server/prepared_schema.h"
#include "schema-registry/server/registry.h"

static int refuse_no_subject(struct session *session, struct subject subject)
{
	return session_refuse(session, REFUSAL_SUBJECT_NOT_FOUND, "Subject '%s' not found.",
			      subject_format(&session->arena, subject));
}

/* ---- listing ---- */

int registry_versions(struct session *session, struct subject subject, struct version_filter filter,
		      const int32_t **ret_versions, size_t *ret_count)
{
	const struct stored_subject *known;
	size_t kept = 0;
	int32_t *numbers;

	if (session_read_subject(session, subject, &known) < 0)
		return -1;
	numbers = arena_alloc(&session->arena, (known->version_count + 1) * sizeof(*numbers));
	for (size_t i = 0; i < known->version_count; i++) {
		bool is_deleted = known->versions[i].is_deleted;
		int32_t number = known->versions[i].version;

		if (filter.only_deleted ? is_deleted : filter.with_deleted || filter.is_deleted_negative || !is_deleted)
			numbers[kept++] = is_deleted && filter.is_deleted_negative ? -number : number;
	}
	if (kept == 0)
		return refuse_no_subject(session, subject);
	*ret_versions = numbers;
	*ret_count = kept;
	return 0;
}

int registry_subjects(struct session *session, const struct subject_filter *filter, struct subject **ret_subjects,
		      size_t *ret_count)
{
	struct error err;

	if (store_list_subjects(session->pg, filter, &session->arena, ret_subjects, ret_count, &err) < 0)
		return session_failed(session, &err);
	return 0;
}

int registry_search(struct session *session, const struct subject_filter *filter, struct registered **ret_registered,
		    size_t *ret_count)
{
	struct registered *found;
	struct stored_place *places;
	size_t place_count;
	size_t count = 0;
	struct error err;

	if (store_search_versions(session->pg, filter, &session->arena, &places, &place_count, &err) < 0)
		return session_failed(session, &err);
	found = arena_alloc(&session->arena, (place_count + 1) * sizeof(*found));
	for (size_t i = 0; i < place_count; i++) {
		const struct stored_version *version = &places[i].version;
		struct schema_entry *entry;

		if (prepare_load(session, places[i].subject.context, version->schema_id, version->identity, &entry) < 0)
			return -1;
		if (entry) /* else it was deleted for good since */
			found[count++] =
				(struct registered){places[i].subject, version->version, schema_entry_stored(entry)};
	}
	*ret_registered = found;
	*ret_count = count;
	return 0;
}

int registry_contexts(struct session *session, const char ***ret_contexts, size_t *ret_count)
{
	struct error err;

	if (store_list_contexts(session->pg, &session->arena, ret_contexts, ret_count, &err) < 0)
		return session_failed(session, &err);
	return 0;
}

int registry_holders(struct session *session, const char *context, int32_t id, bool with_deleted,
		     struct stored_holder **ret_holders, size_t *ret_count)
{
	const struct stored_schema *schema;
	struct error err;

	if (registry_by_id(session, context, id, &schema) < 0)
		return -1;
	if (store_list_holders(session->pg, context, id, with_deleted, &session->arena, ret_holders, ret_count, &err) <
	    0)
		return session_failed(session, &err);
	return 0;
}

int registry_referrers(struct session *session, struct subject subject, int32_t version, bool with_deleted,
		       int32_t **ret_ids, size_t *ret_count)
{
	struct registered registered;
	struct error err;

	if (registry_by_version(session, subject, version, true, &registered) < 0)
		return -1;
	if (store_list_referrers(session->pg, subject, registered.version, with_deleted, &session->arena, ret_ids,
				 ret_count, &err) < 0)
		return session_failed(session, &err);
	return 0;
}

int registry_by_guid(struct session *session, struct uuid guid, struct stored_id **ret_places, size_t *ret_count)
{
	char text[UUID_TEXT_LEN + 1];
	struct error err;

	if (store_find_guid(session->pg, guid, &session->arena, ret_places, ret_count, &err) < 0)
		return session_failed(session, &err);
	if (*ret_count > 0)
		return 0;
	uuid_format(guid, text);
	return session_refuse(session, REFUSAL_SCHEMA_NOT_FOUND, "Schema %s not found", text);
}

int registry_max_id(struct session *session, const char *context, int32_t *ret_id)
{
	struct error err;

	if (store_max_id(session->pg, context, ret_id, &err) < 0)
		return session_failed(session, &err);
	return 0;
}

/* ---- deleting ---- */

int registry_delete_context(struct session *session, const char *context)
{
	struct subject whole = {context, ""};
	bool is_there;
	bool is_empty;
	const struct stored_subject *known;
	struct error err;

	if (strcmp(context, CONTEXT_DEFAULT) == 0)
		return session_refuse(session, REFUSAL_NOT_PERMITTED, "The default context cannot be deleted");
	if (session_begin(session, whole) < 0 || session_read_subject(session, whole, &known) < 0 ||
	    registry_check_writable(session, whole, &known->settings) < 0)
		return -1;
	if (store_lock_context(session->pg, context, &is_there, &is_empty, &err) < 0)
		return session_failed(session, &err);
	if (!is_there)
		return session_refuse(session, REFUSAL_SUBJECT_NOT_FOUND, "Context '%s' not found.", context);
	if (!is_empty)
		return session_refuse(session, REFUSAL_CONTEXT_NOT_EMPTY,
				      "The context '%s' is not empty: delete its subjects for good first", context);
	if (store_remove_context(session->pg, context, &err) < 0)
		return session_failed(session, &err);
	return session_commit(session, false);
}

struct deletion {
	struct subject subject;
	const struct stored_version *versions; /* all of the subject */
	size_t count;
	size_t live_count;
};

static int begin_deletion(struct session *session, struct subject subject, struct deletion *ret_deletion)
{
	struct deletion deletion = {.subject = subject};
	const struct stored_subject *known;

	if (session_begin(session, subject) < 0 || session_read_subject(session, subject, &known) < 0 ||
	    registry_check_writable(session, subject, &known->settings) < 0)
		return -1;
	deletion.versions = known->versions;
	deletion.count = known->version_count;
	for (size_t i = 0; i < deletion.count; i++)
		deletion.live_count += !deletion.versions[i].is_deleted;
	if (deletion.count == 0)
		return refuse_no_subject(session, subject);
	*ret_deletion = deletion;
	return 0;
}

/*
 * What is still referred to must stay. Looked for after the change, when no new referrer can come any more. A soft deleted
 * referrer still answers by its id: it lets its target be hidden, but not be taken from under it.
 */
static int check_unreferenced(struct session *session, struct subject subject, int32_t version, bool by_deleted_too)
{
	int32_t *ids;
	size_t count;
	struct error err;

	if (store_list_referrers(session->pg, subject, version, by_deleted_too, &session->arena, &ids, &count, &err) <
	    0)
		return session_failed(session, &err);
	if (count > 0)
		return session_refuse(
			session, REFUSAL_REFERENCE_EXISTS,
			"One or more references exist to the schema {subject=%s,version=%d}: schema id %d",
			subject_format(&session->arena, subject), version, ids[0]);
	return 0;
}

/* version 0: all. */
static int hide(struct session *session, const struct deletion *deletion, int32_t version)
{
	struct error err;

	if (store_hide_versions(session->pg, deletion->subject, version, &err) < 0)
		return session_failed(session, &err);
	if (check_unreferenced(session, deletion->subject, version, false) < 0)
		return -1;
	/* A subject without a live version keeps no settings: who uses its name next starts from the defaults. */
	if ((version == 0 || deletion->live_count == 1) &&
	    store_forget_settings(session->pg, deletion->subject, &err) < 0)
		return session_failed(session, &err);
	return session_commit(session, false);
}

static int remove_for_good(struct session *session, const struct deletion *deletion, int32_t version)
{
	struct error err;

	if (store_remove_versions(session->pg, deletion->subject, version, &err) < 0)
		return session_failed(session, &err);
	if (check_unreferenced(session, deletion->subject, version, true) < 0)
		return -1;
	if (session_commit(session, false) < 0)
		return -1;
	for (size_t i = 0; i < deletion->count; i++) {
		if (version == 0 || deletion->versions[i].version == version)
			schema_cache_drop(session->cache, deletion->subject.context, deletion->versions[i].schema_id);
	}
	return 0;
}

int registry_delete_subject(struct session *session, struct subject subject, bool is_permanent,
			    const int32_t **ret_versions, size_t *ret_count)
{
	struct deletion deletion;
	const char *name = subject_format(&session->arena, subject);
	int32_t *numbers;
	size_t count = 0;

	if (begin_deletion(session, subject, &deletion) < 0)
		return -1;
	if (is_permanent && deletion.live_count > 0)
		return session_refuse(session, REFUSAL_SUBJECT_NOT_DELETED,
				      "Subject '%s' was not deleted first before being permanently deleted", name);
	if (!is_permanent && deletion.live_count == 0)
		return session_refuse(session, REFUSAL_SUBJECT_DELETED_ALREADY,
				      "Subject '%s' was soft deleted. Set permanent=true to delete permanently", name);
	numbers = arena_alloc(&session->arena, deletion.count * sizeof(*numbers));
	for (size_t i = 0; i < deletion.count; i++) {
		if (is_permanent || !deletion.versions[i].is_deleted)
			numbers[count++] = deletion.versions[i].version;
	}
	if (is_permanent ? remove_for_good(session, &deletion, 0) < 0 : hide(session, &deletion, 0) < 0)
		return -1;
	*ret_versions = numbers;
	*ret_count = count;
	return 0;
}

/* The latest is the newest live one, except for who deletes for good: that one must be hidden already. */
static const struct stored_version *find_version(const struct deletion *deletion, int32_t version, bool is_permanent)
{
	for (size_t i = deletion->count; i-- > 0;) {
		const struct stored_version *item = &deletion->versions[i];

		if (version == VERSION_LATEST ? is_permanent || !item->is_deleted : item->version == version)
			return item;
	}
	return NULL;
}

int registry_delete_version(struct session *session, struct subject subject, int32_t version, bool is_permanent,
			    int32_t *ret_version)
{
	const struct stored_version *found;
	struct deletion deletion;

	if (begin_deletion(session, subject, &deletion) < 0)
		return -1;
	if (!is_permanent && deletion.live_count == 0)
		return refuse_no_subject(session, subject);
	found = find_version(&deletion, version, is_permanent);
	if (!found)
		return session_refuse(session, REFUSAL_VERSION_NOT_FOUND, "Version %d not found.", version);
	if (is_permanent && !found->is_deleted)
		return session_refuse(session, REFUSAL_VERSION_NOT_DELETED,
				      "Subject '%s' Version %d was not deleted first before being permanently deleted",
				      subject_format(&session->arena, subject), found->version);
	if (!is_permanent && found->is_deleted)
		return session_refuse(
			session, REFUSAL_VERSION_DELETED_ALREADY,
			"Subject '%s' Version %d was soft deleted. Set permanent=true to delete permanently",
			subject_format(&session->arena, subject), found->version);
	if (is_permanent ? remove_for_good(session, &deletion, found->version) < 0
			 : hide(session, &deletion, found->version) < 0)
		return -1;
	*ret_version = found->version;
	return 0;
}
