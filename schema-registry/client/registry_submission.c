/* registry_submission.c - what sends a schema to the registry. See registry_client.h. */
#include <jansson.h>

#include "lib/base/bytes.h"
#include "lib/http/http_client.h"
#include "schema-registry/client/registry_client.h"
#include "schema-registry/client/registry_rest.h"

static json_t *references_json(const struct schema_submission *submission)
{
	json_t *references = json_array();

	for (size_t i = 0; i < submission->reference_count; i++) {
		const struct submitted_reference *reference = &submission->references[i];

		json_array_append_new(references, json_pack("{s:s, s:s, s:i}", "name", reference->name, "subject",
							    reference->subject, "version", (int)reference->version));
	}
	return references;
}

static int send_submission(struct registry_client *client, const char *before,
			   const struct schema_submission *submission, const char *after, json_t **ret_answer,
			   struct error *err)
{
	json_t *body = json_pack("{s:s, s:s%}", "schemaType", schema_format_name(submission->format), "schema",
				 (const char *)submission->text.data, submission->text.len);
	struct buffer path = {0};
	int result;

	if (!body)
		return error_set(err, ERR_INVALID, "it is no UTF-8 text");
	if (submission->reference_count > 0)
		json_object_set_new(body, "references", references_json(submission));
	buffer_append_text(&path, before);
	http_append_path_part(&path, submission->subject);
	buffer_append_text(&path, after);
	if (submission->is_normalized)
		buffer_append_text(&path, strchr(after, '?') ? "&normalize=true" : "?normalize=true");
	result = registry_rest_post(registry_client_rest(client), buffer_text(&path), body, submission->refusal,
				    ret_answer, err);
	buffer_release(&path);
	json_decref(body);
	return result;
}

int registry_client_register(struct registry_client *client, const struct schema_submission *submission,
			     int32_t *ret_id, struct error *err)
{
	json_t *answer = NULL;
	int result = send_submission(client, "/subjects/", submission, "/versions", &answer, err);

	if (result == 0)
		result = registry_rest_number(answer, "id", ret_id, err);
	json_decref(answer);
	return result < 0 ? error_prefix(err, "register a schema for '%s'", submission->subject) : 0;
}

int registry_client_look_up(struct registry_client *client, const struct schema_submission *submission, int32_t *ret_id,
			    int32_t *ret_version, struct error *err)
{
	json_t *answer = NULL;
	int result = send_submission(client, "/subjects/", submission, "", &answer, err);

	if (result == 0)
		result = registry_rest_number(answer, "id", ret_id, err);
	if (result == 0)
		result = registry_rest_number(answer, "version", ret_version, err);
	json_decref(answer);
	return result < 0 ? error_prefix(err, "look up a schema of '%s'", submission->subject) : 0;
}

/* The words between the descriptions' marks would be nicer, but each registry has its own form. */
static int refuse(const struct schema_submission *submission, const json_t *answer, struct error *err)
{
	const json_t *messages = json_object_get(answer, "messages");
	_cleanup_(buffer_release)
	struct buffer text = {0};

	for (size_t i = 0; i < json_array_size(messages); i++) {
		const char *message = json_string_value(json_array_get(messages, i));

		if (message)
			buffer_append_format(&text, "%s%s", text.len ? ", " : "", message);
	}
	if (submission->refusal)
		buffer_append(submission->refusal, text.data, text.len);
	return error_set(err, ERR_INCOMPATIBLE, "%s", text.len ? buffer_text(&text) : "the registry gives no reason");
}

int registry_client_check(struct registry_client *client, const struct schema_submission *submission, struct error *err)
{
	static const char subjects[] = "/compatibility/subjects/";
	json_t *answer = NULL;
	int result = send_submission(client, subjects, submission, "/versions?verbose=true", &answer, err);

	/* Karapace has no such path, but the next one. */
	if (result < 0 && err->code == ERR_NOT_FOUND)
		result = send_submission(client, subjects, submission, "/versions/latest?verbose=true", &answer, err);
	/* A registry without that subject may say so instead of "compatible"; nothing is there to be broken. */
	if (result < 0 && err->code == ERR_NOT_FOUND)
		return 0;
	if (result == 0 && !json_is_true(json_object_get(answer, "is_compatible")))
		result = refuse(submission, answer, err);
	json_decref(answer);
	return result < 0 ? error_prefix(err, "check a schema of '%s'", submission->subject) : 0;
}
