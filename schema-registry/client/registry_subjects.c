/* registry_subjects.c - what a registry says of its subjects, besides the schemas themselves. See registry_client.h. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "schema-registry/client/registry_client.h"
#include "schema-registry/client/registry_rest.h"

size_t registry_subject_context_len(const char *subject)
{
	const char *end = subject[0] == ':' && subject[1] == '.' ? strchr(subject + 1, ':') : NULL;

	return end && end > subject + 2 ? (size_t)(end + 1 - subject) : 0;
}

static const char *text_in(struct arena *arena, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? arena_strdup(arena, text) : "";
}

static int read_entry(const json_t *answer, const char *subject, struct arena *arena, struct registry_entry *entry,
		      struct error *err)
{
	const json_t *array = json_object_get(answer, "references");
	struct registry_reference *references;

	if (registry_rest_number(answer, "id", &entry->id, err) < 0 ||
	    registry_rest_number(answer, "version", &entry->version, err) < 0)
		return -1;
	entry->reference_count = json_array_size(array);
	if (entry->reference_count > SCHEMA_REFERENCES_MAX)
		return error_set(err, ERR_LIMIT, "the schema has more than %d references", SCHEMA_REFERENCES_MAX);
	references = arena_alloc(arena, (entry->reference_count + 1) * sizeof(*references));
	for (size_t i = 0; i < entry->reference_count; i++) {
		const json_t *item = json_array_get(array, i);

		references[i] = (struct registry_reference){.name = text_in(arena, item, "name"),
							    .subject = text_in(arena, item, "subject")};
		if (registry_rest_number(item, "version", &references[i].version, err) < 0)
			return -1;
		if (strncmp(references[i].subject, ":.", 2) != 0) /* it is of the same context */
			references[i].subject = arena_format(arena, "%.*s%s",
							     (int)registry_subject_context_len(subject), subject,
							     references[i].subject);
	}
	entry->references = references;
	entry->format = text_in(arena, answer, "schemaType");
	if (!*entry->format)
		entry->format = schema_format_name(SCHEMA_FORMAT_AVRO); /* which is left out */
	return 0;
}

int registry_client_entry(struct registry_client *client, const char *subject, int32_t version, struct arena *arena,
			  struct registry_entry *ret_entry, struct error *err)
{
	struct registry_entry entry = {0};
	char after[40] = "/versions/latest";
	json_t *answer = NULL;
	int result;

	if (version > 0)
		(void)snprintf(after, sizeof(after), "/versions/%d", version); /* fits */
	result = registry_rest_get(registry_client_rest(client), "/subjects/", subject, after, &answer, err);
	if (result == 0)
		result = read_entry(answer, subject, arena, &entry, err);
	json_decref(answer);
	if (result < 0)
		return error_prefix(err, "subject '%s'", subject);
	*ret_entry = entry;
	return 0;
}

static int compare_numbers(const void *a, const void *b)
{
	const int32_t *first = a;
	const int32_t *second = b;

	return (*first > *second) - (*first < *second);
}

int registry_client_versions(struct registry_client *client, const char *subject, int32_t **ret_versions,
			     size_t *ret_count, struct error *err)
{
	json_t *answer = NULL;
	int32_t *versions;
	size_t count;

	if (registry_rest_get(registry_client_rest(client), "/subjects/", subject, "/versions", &answer, err) < 0)
		return error_prefix(err, "versions of subject '%s'", subject);
	count = json_array_size(answer);
	versions = xcalloc(count + 1, sizeof(*versions));
	for (size_t i = 0; i < count; i++)
		versions[i] = (int32_t)json_integer_value(json_array_get(answer, i));
	json_decref(answer);
	qsort(versions, count, sizeof(*versions), compare_numbers);
	*ret_versions = versions;
	*ret_count = count;
	return 0;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A registry that does not know subjectPrefix answers with all subjects. */
static bool is_wanted(const char *subject, const char *prefix)
{
	return subject && (strncmp(prefix, ":*:", 3) == 0 || strncmp(subject, prefix, strlen(prefix)) == 0);
}

int registry_client_subjects(struct registry_client *client, const char *prefix, char ***ret_subjects,
			     size_t *ret_count, struct error *err)
{
	json_t *answer = NULL;
	size_t kept = 0;
	size_t count;
	size_t bytes = 0;
	char **subjects;
	char *at;

	if (registry_rest_get(registry_client_rest(client), *prefix ? "/subjects?subjectPrefix=" : "/subjects", prefix,
			      "", &answer, err) < 0)
		return error_prefix(err, "list of subjects");
	count = json_array_size(answer);
	for (size_t i = 0; i < count; i++)
		bytes += json_string_length(json_array_get(answer, i)) + 1;
	subjects = xmalloc((count + 1) * sizeof(*subjects) + bytes);
	at = (char *)(subjects + count + 1);
	for (size_t i = 0; i < count; i++) {
		const char *subject = json_string_value(json_array_get(answer, i));

		if (!is_wanted(subject, prefix))
			continue;
		subjects[kept++] = at;
		at = stpcpy(at, subject) + 1;
	}
	json_decref(answer);
	qsort(subjects, kept, sizeof(*subjects), compare_texts);
	*ret_subjects = subjects;
	*ret_count = kept;
	return 0;
}

int registry_client_level(struct registry_client *client, const char *subject, char **ret_level, struct error *err)
{
	json_t *answer = NULL;
	const char *level;
	int result;

	/* Not every registry knows defaultToGlobal, so a missing level is asked for again, of everything. */
	result = registry_rest_get(registry_client_rest(client), "/config/", subject, "?defaultToGlobal=true", &answer,
				   err);
	if (result < 0 && err->code == ERR_NOT_FOUND)
		result = registry_rest_get(registry_client_rest(client), "/config", "", "", &answer, err);
	if (result < 0)
		return error_prefix(err, "compatibility level of subject '%s'", subject);
	level = json_string_value(json_object_get(answer, "compatibilityLevel"));
	if (level)
		*ret_level = xstrdup(level);
	else
		result = error_set(err, ERR_CORRUPT, "the schema registry's answer has no usable compatibilityLevel");
	json_decref(answer);
	return result;
}
