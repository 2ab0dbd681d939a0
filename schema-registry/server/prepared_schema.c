/* prepared_schema.c - see prepared_schema.h. */
#include "schema-registry/server/prepared_schema.h"

#include <openssl/evp.h>
#include <string.h>

#include "lib/base/memory.h"

enum { REFERENCE_DEPTH_MAX = 32 };

static void release_entry(void *entry)
{
	schema_entry_unref(entry);
}

static void release_schema(void *schema)
{
	schema_unref(schema);
}

static struct schema_entry *keep_entry(struct session *session, struct schema_entry *entry)
{
	session_keep(session, release_entry, entry);
	return entry;
}

/* An old reading is as good as a new one where the identity says that it is the same. */
static struct schema_entry *cached(struct session *session, const char *context, int32_t id, const uint8_t *identity)
{
	struct schema_entry *entry = schema_cache_get(session->cache, context, id, identity != NULL);

	if (entry && identity && memcmp(schema_entry_stored(entry)->identity, identity, SCHEMA_IDENTITY_LEN) != 0) {
		schema_entry_unref(entry);
		return NULL;
	}
	return entry;
}

int prepare_load(struct session *session, const char *context, int32_t id, const uint8_t *identity,
		 struct schema_entry **ret_entry)
{
	struct schema_entry *entry = cached(session, context, id, identity);
	struct stored_schema *stored = NULL;
	struct error err;

	if (entry) {
		*ret_entry = keep_entry(session, entry);
		return 0;
	}
	if (store_load_schema(session->pg, context, id, &session->arena, &stored, &err) < 0) {
		/* What an id meant a while ago is a better answer than none while the database is away. */
		entry = identity || !err.is_retriable ? NULL : schema_cache_get(session->cache, context, id, true);
		if (!entry)
			return session_failed(session, &err);
		*ret_entry = keep_entry(session, entry);
		return 0;
	}
	if (!stored) {
		schema_cache_drop(session->cache, context, id);
		*ret_entry = NULL;
		return 0;
	}
	*ret_entry = keep_entry(session, schema_cache_put(session->cache, context, stored));
	return 0;
}

/* ---- references ---- */

struct resolved { /* what a schema refers to, parsed, with everything below it */
	struct schema_reference *items;
	const uint8_t **identities;
	size_t count;
};

static int parse_entry(struct session *session, struct schema_entry *entry, int depth,
		       const struct schema **ret_schema);

/* The version that a reference means; a soft deleted one is still good to read with. */
static int find_target(struct session *session, struct stored_reference *reference,
		       const struct stored_version **ret_version)
{
	const struct stored_subject *known;

	if (session_read_subject(session, reference->subject, &known) < 0)
		return -1;
	for (size_t i = known->version_count; i-- > 0;) {
		const struct stored_version *version = &known->versions[i];

		if (version->version == reference->version ||
		    (reference->version == VERSION_LATEST && !version->is_deleted)) {
			reference->version = version->version;
			*ret_version = version;
			return 0;
		}
	}
	return session_refuse(session, REFUSAL_INVALID_SCHEMA,
			      "Invalid schema: no schema reference found for subject \"%s\" and version %d",
			      subject_format(&session->arena, reference->subject), reference->version);
}

static int resolve(struct session *session, struct stored_reference *references, size_t count, int depth,
		   struct resolved *ret_resolved)
{
	struct resolved resolved = {.count = count};

	if (depth > REFERENCE_DEPTH_MAX)
		return session_refuse(session, REFUSAL_INVALID_SCHEMA,
				      "Invalid schema: references are more than %d levels deep", REFERENCE_DEPTH_MAX);
	resolved.items = arena_zalloc(&session->arena, (count + 1) * sizeof(*resolved.items));
	resolved.identities = arena_zalloc(&session->arena, (count + 1) * sizeof(*resolved.identities));
	for (size_t i = 0; i < count; i++) {
		const struct stored_version *version = NULL;
		struct schema_entry *entry;

		if (find_target(session, &references[i], &version) < 0 ||
		    prepare_load(session, references[i].subject.context, version->schema_id, version->identity,
				 &entry) < 0)
			return -1;
		if (!entry)
			return session_refuse(session, REFUSAL_INVALID_SCHEMA,
					      "Invalid schema: the schema of reference \"%s\" was just deleted",
					      references[i].name);
		resolved.items[i].name = references[i].name;
		resolved.identities[i] = schema_entry_stored(entry)->identity;
		if (parse_entry(session, entry, depth + 1, &resolved.items[i].schema) < 0)
			return -1;
	}
	*ret_resolved = resolved;
	return 0;
}

/* ---- parsing ---- */

/* All that is wrong, since the sender mends it in one go. */
static void refuse_invalid(struct session *session, enum schema_format format, const struct problems *problems)
{
	struct buffer text = {0};

	for (size_t i = 0; i < problems_kept(problems); i++) {
		const struct problem *problem = &problems->items[i];

		buffer_append_format(&text, "%s%s: %s", i ? "; " : "", problem->place, problem->text);
	}
	if (problems->count > problems_kept(problems))
		buffer_append_format(&text, "; and %zu more", problems->count - problems_kept(problems));
	session_refuse(session, REFUSAL_INVALID_SCHEMA, "Invalid schema of type %s: %s", schema_format_name(format),
		       buffer_text(&text));
	buffer_release(&text);
}

static int parse(struct session *session, enum schema_format format, struct bytes text, const struct resolved *resolved,
		 struct schema **ret_schema)
{
	struct problems problems;
	int result;

	problems_init(&problems);
	result = schema_parse(format, text, resolved->items, resolved->count, ret_schema, &problems);
	if (result < 0)
		refuse_invalid(session, format, &problems);
	problems_release(&problems);
	return result;
}

static int parse_entry(struct session *session, struct schema_entry *entry, int depth, const struct schema **ret_schema)
{
	const struct stored_schema *stored = schema_entry_stored(entry);
	struct schema *parsed = schema_entry_parsed(session->cache, entry);
	struct resolved resolved;

	if (!parsed) {
		if (resolve(session, stored->references, stored->reference_count, depth, &resolved) < 0 ||
		    parse(session, stored->format, bytes_of_text(stored->text), &resolved, &parsed) < 0)
			return -1;
		schema_entry_set_parsed(session->cache, entry, parsed);
	}
	session_keep(session, release_schema, parsed);
	*ret_schema = parsed;
	return 0;
}

int prepare_parsed(struct session *session, struct schema_entry *entry, const struct schema **ret_schema)
{
	return parse_entry(session, entry, 0, ret_schema);
}

/* ---- identity ---- */

static void digest_text(EVP_MD_CTX *digest, const char *text)
{
	uint64_t len = text ? strlen(text) : UINT64_MAX; /* absent is not the same as empty */

	EVP_DigestUpdate(digest, &len, sizeof(len));
	if (text)
		EVP_DigestUpdate(digest, text, len);
}

static void make_identity(struct stored_schema *stored, const struct schema *parsed, const struct resolved *resolved)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	uint8_t fingerprint[32];

	if (!digest || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
		abort(); /* only out of memory */
	schema_fingerprint(parsed, fingerprint);
	EVP_DigestUpdate(digest, fingerprint, sizeof(fingerprint));
	digest_text(digest, stored->metadata);
	digest_text(digest, stored->rule_set);
	for (size_t i = 0; i < stored->reference_count; i++) {
		const struct stored_reference *reference = &stored->references[i];

		digest_text(digest, reference->name);
		digest_text(digest, reference->subject.context);
		digest_text(digest, reference->subject.name);
		EVP_DigestUpdate(digest, &reference->version, sizeof(reference->version));
		EVP_DigestUpdate(digest, resolved->identities[i], SCHEMA_IDENTITY_LEN);
	}
	EVP_DigestFinal_ex(digest, stored->identity, NULL);
	EVP_MD_CTX_free(digest);
}

static struct stored_reference *copy_references(struct session *session, const struct schema_input *input)
{
	struct stored_reference *copy =
		arena_alloc(&session->arena, (input->reference_count + 1) * sizeof(*input->references));

	/* A copy, since a reference to the latest version becomes one to its number, anew in each turn. */
	if (input->reference_count)
		memcpy(copy, input->references, input->reference_count * sizeof(*copy));
	return copy;
}

/* The schema whose text is in order: what has no meaning makes no difference any more. */
static int normalize(struct session *session, const struct resolved *resolved, struct schema **schema)
{
	struct bytes text = bytes_of_text(schema_normalized_text(*schema));
	struct schema *normalized = NULL;
	int result = parse(session, schema_format(*schema), text, resolved, &normalized);

	schema_unref(*schema);
	*schema = normalized;
	return result;
}

static int parse_fresh(struct session *session, const struct schema_input *input, enum schema_format format,
		       const struct resolved *resolved, struct schema **ret_schema)
{
	if (parse(session, format, input->text, resolved, ret_schema) < 0)
		return -1;
	return input->is_normalized ? normalize(session, resolved, ret_schema) : 0;
}

/* What was sent before is parsed already. */
static int parse_input(struct session *session, const struct schema_input *input, enum schema_format format,
		       const struct resolved *resolved, struct schema **ret_schema)
{
	struct text_key key;

	if (resolved->count > 0 || input->text.len > TEXT_CACHE_TEXT_BYTES_MAX)
		return parse_fresh(session, input, format, resolved, ret_schema);
	key = text_key_of(format, input->is_normalized, input->text);
	*ret_schema = text_cache_get(session->texts, &key);
	if (*ret_schema)
		return 0;
	if (parse_fresh(session, input, format, resolved, ret_schema) < 0)
		return -1;
	text_cache_put(session->texts, &key, *ret_schema);
	return 0;
}

int prepare_input(struct session *session, const struct schema_input *input, struct prepared_schema *ret_prepared)
{
	struct prepared_schema prepared = {0};
	struct stored_schema *stored = &prepared.stored;
	struct resolved resolved;
	struct schema *parsed = NULL;

	if (!schema_format_parse(input->format, &stored->format))
		return session_refuse(session, REFUSAL_INVALID_SCHEMA,
				      "Invalid schema type %s: this registry has AVRO and PROTOBUF", input->format);
	if (!input->has_text || input->text.len == 0)
		return session_refuse(session, REFUSAL_INVALID_SCHEMA, "Invalid schema: the schema is empty");
	if (input->text.len > SCHEMA_TEXT_BYTES_MAX)
		return session_refuse(session, REFUSAL_SCHEMA_TOO_LARGE,
				      "The schema has %zu bytes: more than %d are too large", input->text.len,
				      SCHEMA_TEXT_BYTES_MAX);
	stored->id = input->id;
	stored->metadata = input->metadata;
	stored->rule_set = input->rule_set;
	stored->references = copy_references(session, input);
	stored->reference_count = input->reference_count;
	if (resolve(session, stored->references, stored->reference_count, 0, &resolved) < 0 ||
	    parse_input(session, input, stored->format, &resolved, &parsed) < 0)
		return -1;
	session_keep(session, release_schema, parsed);
	stored->text = schema_text(parsed);
	make_identity(stored, parsed, &resolved);
	prepared.parsed = parsed;
	*ret_prepared = prepared;
	return 0;
}
