/* prepared_schema.c - see prepared_schema.h. */
#include "schema-registry/server/prepared_schema.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/memory.h"
#include "schema-registry/model/name_index.h"

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

/* ---- parsing ---- */

struct resolved { /* what a schema refers to, parsed, with everything below it */
	struct schema_reference *items;
	const uint8_t **identities;
	size_t count;
};

/* All that is wrong, since the sender mends it in one go. */
static void refuse_invalid(struct session *session, enum schema_format format, const struct problems *problems)
{
	struct buffer text = {0};

	for (size_t i = 0; i < problems_kept(problems); i++) {
		const struct problem *problem = &problems->items[i];

		buffer_append_format(&text, "%s%s%s%s", i ? "; " : "", problem->place, *problem->place ? ": " : "",
				     problem->text);
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

/* ---- references: a list of its own instead of recursion, since how deep they are has no limit ---- */

struct open_schema {                /* one whose references are being resolved */
	struct schema_entry *entry; /* NULL: what was sent */
	struct stored_reference *references;
	struct resolved resolved; /* `count` of them so far */
	size_t wanted_count;
	struct open_schema *up; /* what refers to it */
	size_t depth;
};

/* What one request has resolved so far: the cache may forget it meanwhile, and many may refer to it. */
struct resolution {
	struct session *session;
	struct name_index known; /* identities */
	struct known_schema {
		const struct schema_entry *entry;
		const struct schema *parsed;
	} * items;
	size_t count;
	size_t capacity;
};

static void remember(struct resolution *resolution, const struct schema_entry *entry, const struct schema *parsed)
{
	const struct bytes identity = {schema_entry_stored(entry)->identity, SCHEMA_IDENTITY_LEN};

	if (resolution->count == resolution->capacity) {
		resolution->capacity = resolution->capacity ? resolution->capacity * 2 : 16;
		resolution->items = xrealloc_array(resolution->items, resolution->capacity, sizeof(*resolution->items));
	}
	if (name_index_add_bytes(&resolution->known, &resolution->session->arena, identity, resolution->count))
		resolution->items[resolution->count++] = (struct known_schema){entry, parsed};
}

static const struct known_schema *recall(const struct resolution *resolution, const uint8_t *identity)
{
	int64_t at = name_index_find(&resolution->known, (struct bytes){identity, SCHEMA_IDENTITY_LEN});

	return at < 0 ? NULL : &resolution->items[at];
}

static struct open_schema *open_schema(struct session *session, struct schema_entry *entry,
				       struct stored_reference *references, size_t count, struct open_schema *up)
{
	struct open_schema *open = arena_zalloc(&session->arena, sizeof(*open));

	open->entry = entry;
	open->references = references;
	open->wanted_count = count;
	open->resolved.items = arena_zalloc(&session->arena, (count + 1) * sizeof(*open->resolved.items));
	open->resolved.identities = arena_zalloc(&session->arena, (count + 1) * sizeof(*open->resolved.identities));
	open->up = up;
	open->depth = up ? up->depth + 1 : 0;
	return open;
}

static struct open_schema *open_entry(struct session *session, struct schema_entry *entry, struct open_schema *up)
{
	const struct stored_schema *stored = schema_entry_stored(entry);

	return open_schema(session, entry, stored->references, stored->reference_count, up);
}

/* The version that a reference means; a soft deleted one is still good to read with. */
static int find_target(struct session *session, struct stored_reference *reference,
		       const struct stored_version **ret_version)
{
	const struct stored_subject *known;

	if (session_read_subject(session, reference->subject, &known) < 0)
		return -1;
	for (size_t i = known->version_count; i-- > 0;) {
		const struct stored_version *version = &known->versions[i];

		if (reference->version == VERSION_LATEST && !version->is_deleted)
			reference->version = version->version;
		if (version->version == reference->version) {
			*ret_version = version;
			return 0;
		}
	}
	return session_refuse(session, REFUSAL_INVALID_SCHEMA,
			      "Invalid schema: no schema reference found for subject \"%s\" and version %d",
			      subject_format(&session->arena, reference->subject), reference->version);
}

static int load_target(struct session *session, const struct stored_reference *reference,
		       const struct stored_version *version, struct schema_entry **ret_entry)
{
	if (prepare_load(session, reference->subject.context, version->schema_id, version->identity, ret_entry) < 0)
		return -1;
	if (!*ret_entry)
		return session_refuse(session, REFUSAL_INVALID_SCHEMA,
				      "Invalid schema: the schema of reference \"%s\" was just deleted",
				      reference->name);
	return 0;
}

static void add_resolved(struct open_schema *open, const struct schema_entry *entry, const struct schema *parsed)
{
	size_t at = open->resolved.count++;

	open->resolved.items[at] = (struct schema_reference){open->references[at].name, parsed};
	open->resolved.identities[at] = schema_entry_stored(entry)->identity;
}

/* The next reference is resolved at once where it is parsed already, and else opened and on top then. */
static int resolve_next(struct resolution *resolution, struct open_schema **top)
{
	struct session *session = resolution->session;
	struct open_schema *open = *top;
	struct stored_reference *reference = &open->references[open->resolved.count];
	const struct stored_version *version = NULL;
	const struct known_schema *known;
	struct schema_entry *entry = NULL;
	struct schema *parsed;

	if (find_target(session, reference, &version) < 0)
		return -1;
	known = recall(resolution, version->identity);
	if (known) {
		add_resolved(open, known->entry, known->parsed);
		return 0;
	}
	if (load_target(session, reference, version, &entry) < 0)
		return -1;
	parsed = schema_entry_parsed(session->cache, entry);
	if (parsed) {
		session_keep(session, release_schema, parsed);
		remember(resolution, entry, parsed);
		add_resolved(open, entry, parsed);
		return 0;
	}
	if (open->depth == SCHEMA_REFERENCES_MAX) /* they run in a circle, or were not registered by us */
		return session_refuse(session, REFUSAL_INVALID_SCHEMA,
				      "Invalid schema: it refers to more than %d schemas, directly and indirectly",
				      SCHEMA_REFERENCES_MAX);
	*top = open_entry(session, entry, open);
	return 0;
}

static int parse_open(struct session *session, struct open_schema *open, const struct schema **ret_schema)
{
	const struct stored_schema *stored = schema_entry_stored(open->entry);
	struct schema *parsed = NULL;

	if (parse(session, stored->format, bytes_of_text(stored->text), &open->resolved, &parsed) < 0)
		return -1;
	schema_entry_set_parsed(session->cache, open->entry, parsed);
	session_keep(session, release_schema, parsed);
	*ret_schema = parsed;
	return 0;
}

/* Parses everything below `root`, which is left with all its references resolved. */
static int resolve_all(struct resolution *resolution, struct open_schema *root)
{
	struct open_schema *top = root;

	while (top != root || root->resolved.count < root->wanted_count) {
		const struct schema *parsed = NULL;

		if (top->resolved.count < top->wanted_count) {
			if (resolve_next(resolution, &top) < 0)
				return -1;
			continue;
		}
		if (parse_open(resolution->session, top, &parsed) < 0)
			return -1;
		remember(resolution, top->entry, parsed);
		add_resolved(top->up, top->entry, parsed);
		top = top->up;
	}
	return 0;
}

static int resolve(struct session *session, struct open_schema *root)
{
	struct resolution resolution = {.session = session};
	int result = resolve_all(&resolution, root);

	free(resolution.items);
	return result;
}

int prepare_parsed(struct session *session, struct schema_entry *entry, const struct schema **ret_schema)
{
	struct schema *parsed = schema_entry_parsed(session->cache, entry);
	struct open_schema *open;

	if (parsed) {
		session_keep(session, release_schema, parsed);
		*ret_schema = parsed;
		return 0;
	}
	open = open_entry(session, entry, NULL);
	return resolve(session, open) < 0 ? -1 : parse_open(session, open, ret_schema);
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
	struct open_schema *open;
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
	open = open_schema(session, NULL, stored->references, stored->reference_count, NULL);
	if (resolve(session, open) < 0 || parse_input(session, input, stored->format, &open->resolved, &parsed) < 0)
		return -1;
	session_keep(session, release_schema, parsed);
	stored->text = schema_text(parsed);
	make_identity(stored, parsed, &open->resolved);
	prepared.parsed = parsed;
	*ret_prepared = prepared;
	return 0;
}
