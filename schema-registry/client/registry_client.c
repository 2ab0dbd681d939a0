/* registry_client.c - see registry_client.h. */
#include "schema-registry/client/registry_client.h"

#include <assert.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/http/http_client.h"
#include "schema-registry/client/registry_rest.h"
#include "schema-registry/client/schema_file.h"

enum {
	TIMEOUT_DEFAULT_MS = 5000,
	BUCKET_COUNT = 1024,
	AWAY_US = 1000000, /* after no answer the disk is asked first, so that each id does not cost a time-out */
};

struct cached_schema {
	int32_t id;
	struct schema *schema;
	struct cached_schema *next;
};

/* A fetch that runs, on the stack of the thread that does it; others who want the same id wait for its end. */
struct flight {
	int32_t id;
	int waiter_count; /* guarded by mu, as the rest is */
	bool is_done;
	const struct schema *schema; /* NULL: failed */
	struct error err;
	struct flight *next;
};

/* Where a schema that was asked for by its id came from. */
enum lookup { LOOKUP_MEMORY, LOOKUP_DISK, LOOKUP_REGISTRY, LOOKUP_FAILED, LOOKUP_COUNT };

/* Ids are counted in each context, and references say subjects of their own one: a client for each keeps them apart. */
struct context_client {
	char *name; /* ".staging" */
	struct registry_client *client;
	struct context_client *next;
};

struct registry_client {
	struct registry_rest *rest;
	char *url; /* with credentials, for the clients of contexts, as the next two are */
	int64_t timeout_ms;
	struct client_security security;
	const char *context;                  /* whose ids it reads, such as ".staging"; "." is the default one */
	struct context_client *contexts;      /* guarded by mu; they stay until the end */
	struct metric *lookups[LOOKUP_COUNT]; /* NULL: not counted */
	char *cache_path;
	_Atomic int64_t away_until_us;
	pthread_mutex_t mu;
	pthread_cond_t changed;
	struct cached_schema *buckets[BUCKET_COUNT]; /* guarded by mu; entries stay until the end */
	struct flight *flights;                      /* guarded by mu */
};

static void register_metrics(struct registry_client *client, struct metrics *metrics)
{
	static const char *const labels[LOOKUP_COUNT] = {"source=\"memory\"", "source=\"disk\"", "source=\"registry\"",
							 "source=\"none\""};

	for (int i = 0; i < LOOKUP_COUNT; i++)
		client->lookups[i] =
			metrics_counter(metrics, "registry_client_lookups_total", labels[i],
					"Schemas looked up by id, by where they were found; none: the look-up failed.");
}

static void count(const struct registry_client *client, enum lookup lookup)
{
	if (client->lookups[lookup])
		metric_add(client->lookups[lookup], 1);
}

struct registry_client *registry_client_new(const struct registry_client_options *options)
{
	struct registry_client *client = xcalloc(1, sizeof(*client));

	assert(options->url);
	client->url = xstrdup(options->url);
	client->context = ".";
	client->timeout_ms = options->timeout_ms;
	client->security = options->security;
	client->rest = registry_rest_new(options->url, options->timeout_ms ? options->timeout_ms : TIMEOUT_DEFAULT_MS,
					 &options->security);
	client->cache_path = options->cache_path ? xstrdup(options->cache_path) : NULL;
	pthread_mutex_init(&client->mu, NULL);
	pthread_cond_init(&client->changed, NULL);
	if (options->metrics)
		register_metrics(client, options->metrics);
	return client;
}

void registry_client_free(struct registry_client *client)
{
	if (!client)
		return;
	assert(!client->flights);
	for (size_t i = 0; i < BUCKET_COUNT; i++) {
		while (client->buckets[i]) {
			struct cached_schema *cached = client->buckets[i];

			client->buckets[i] = cached->next;
			schema_unref(cached->schema);
			free(cached);
		}
	}
	while (client->contexts) {
		struct context_client *context = client->contexts;

		client->contexts = context->next;
		registry_client_free(context->client);
		free(context->name);
		free(context);
	}
	registry_rest_free(client->rest);
	free(client->url);
	pthread_cond_destroy(&client->changed);
	pthread_mutex_destroy(&client->mu);
	free(client->cache_path);
	free(client);
}

/* ---- the cache in memory ---- */

static const struct schema *find_locked(const struct registry_client *client, int32_t id)
{
	const struct cached_schema *cached = client->buckets[(uint32_t)id % BUCKET_COUNT];

	while (cached && cached->id != id)
		cached = cached->next;
	return cached ? cached->schema : NULL;
}

const struct schema *registry_client_cached(struct registry_client *client, int32_t id)
{
	const struct schema *schema;

	pthread_mutex_lock(&client->mu);
	schema = find_locked(client, id);
	pthread_mutex_unlock(&client->mu);
	return schema;
}

/* Takes the schema over. Who comes second gets what the first one kept: borrowed schemas never change. */
static const struct schema *keep(struct registry_client *client, int32_t id, struct schema *schema)
{
	struct cached_schema **bucket = &client->buckets[(uint32_t)id % BUCKET_COUNT];
	const struct schema *kept;
	struct cached_schema *cached;

	pthread_mutex_lock(&client->mu);
	kept = find_locked(client, id);
	if (!kept) {
		cached = xmalloc(sizeof(*cached));
		*cached = (struct cached_schema){id, schema, *bucket};
		*bucket = cached;
		kept = schema;
		schema = NULL;
	}
	pthread_mutex_unlock(&client->mu);
	schema_unref(schema);
	return kept;
}

/* ---- answers of the registry ---- */

static int malformed(const char *what, struct error *err)
{
	return error_set(err, ERR_CORRUPT, "the schema registry's answer has no usable %s", what);
}

/* Ids are counted in each context, so what another one has under an id is not what is meant. */
static bool is_of_other_context(const struct registry_client *client, const char *subject)
{
	size_t len = strncmp(subject, ":.", 2) == 0 ? strcspn(subject + 1, ":") : 0;

	return len > 0 && (strlen(client->context) != len || memcmp(client->context, subject + 1, len) != 0);
}

/* A reference names subject and version; its id is what the caches know it by. */
static int resolve_reference(struct registry_client *client, const json_t *item,
			     struct schema_file_reference *ret_reference, struct error *err)
{
	const char *name = json_string_value(json_object_get(item, "name"));
	const char *subject = json_string_value(json_object_get(item, "subject"));
	char after[48];
	json_t *answer = NULL;
	int32_t version = 0;
	int result;

	if (!name || !subject)
		return malformed("references", err);
	if (is_of_other_context(client, subject))
		return error_set(err, ERR_CORRUPT,
				 "it refers to subject '%s' of another context, which this program does not follow",
				 subject);
	if (registry_rest_number(item, "version", &version, err) < 0)
		return -1;
	(void)snprintf(after, sizeof(after), "/versions/%d?deleted=true", version); /* fits */
	result = registry_rest_get(client->rest, "/subjects/", subject, after, &answer, err);
	if (result == 0)
		result = registry_rest_number(answer, "id", &ret_reference->id, err);
	ret_reference->name = name;
	json_decref(answer);
	return result;
}

static int resolve_references(struct registry_client *client, const json_t *array, struct schema_file *file,
			      struct error *err)
{
	if (json_array_size(array) > SCHEMA_REFERENCES_MAX)
		return error_set(err, ERR_LIMIT, "the schema has more than %d references", SCHEMA_REFERENCES_MAX);
	file->reference_count = json_array_size(array);
	file->references = xcalloc(file->reference_count + 1, sizeof(*file->references));
	for (size_t i = 0; i < file->reference_count; i++) {
		if (resolve_reference(client, json_array_get(array, i), &file->references[i], err) < 0)
			return -1;
	}
	return 0;
}

/* ---- by id: a list of its own instead of recursion, since how deep references are has no limit ---- */

struct open_schema { /* one that is made as soon as all is there that it refers to */
	int32_t id;
	struct schema_file file;
	json_t *answer;         /* what the file's texts are in; NULL: from disk */
	size_t next;            /* the first of its references that may not be there */
	bool is_counted;        /* it was asked for by its id */
	struct open_schema *up; /* what refers to it */
	size_t depth;
	size_t bytes; /* of its text and those above */
};

static void close_schema(struct open_schema *open)
{
	if (!open)
		return;
	schema_file_release(&open->file);
	json_decref(open->answer);
	free(open);
}
DEFINE_CLEANUP(struct open_schema *, close_schema)

static bool open_from_disk(struct registry_client *client, struct open_schema *open)
{
	return client->cache_path &&
	       schema_file_load(client->cache_path, registry_rest_name(client->rest), open->id, &open->file);
}

/* What the registry says of an id. */
static int open_from_answer(struct registry_client *client, struct open_schema *open, json_t *answer, struct error *err)
{
	const char *format = json_string_value(json_object_get(answer, "schemaType"));

	open->answer = json_incref(answer);
	open->file.text = json_string_value(json_object_get(answer, "schema"));
	if (!open->file.text)
		return malformed("schema", err);
	if (!schema_format_parse(format, &open->file.format))
		return error_set(err, ERR_INVALID, "schema %d is of type %s; known are AVRO and PROTOBUF", open->id,
				 format);
	return resolve_references(client, json_object_get(answer, "references"), &open->file, err);
}

static int fetch(struct registry_client *client, struct open_schema *open, struct error *err)
{
	json_t *answer = NULL;
	char path[40];
	int result;

	(void)snprintf(path, sizeof(path), "/schemas/ids/%d", open->id);
	if (registry_rest_get(client->rest, path, "", "", &answer, err) < 0) {
		if (err->code == ERR_NOT_FOUND && client->cache_path)
			schema_file_deny(client->cache_path, registry_rest_name(client->rest), open->id);
		return error_prefix(err, "schema %d", open->id);
	}
	result = open_from_answer(client, open, answer, err);
	json_decref(answer);
	return result;
}

/* From the registry; from the disk where that is away. */
static int find_text(struct registry_client *client, struct open_schema *open, struct error *err)
{
	if (clock_monotonic_us() < atomic_load(&client->away_until_us) && open_from_disk(client, open))
		return 0;
	if (fetch(client, open, err) == 0)
		return 0;
	if (err->is_retriable) {
		atomic_store(&client->away_until_us, clock_monotonic_us() + AWAY_US);
		schema_file_release(&open->file);
		json_decref(open->answer);
		open->answer = NULL;
		if (open_from_disk(client, open))
			return 0;
	}
	return -1;
}

static bool is_open(const struct open_schema *top, int32_t id)
{
	while (top && top->id != id)
		top = top->up;
	return top != NULL;
}

/* Opens what `up` refers to; the bounds are for registries that have none. */
static int open_reference(struct registry_client *client, struct open_schema *up, int32_t id,
			  struct open_schema **ret_open, struct error *err)
{
	_cleanup_(close_schemap)
	struct open_schema *open = xcalloc(1, sizeof(*open));

	if (is_open(up, id))
		return error_set(err, ERR_LIMIT, "its references run in a circle");
	if (up->depth == SCHEMA_REFERENCES_MAX)
		return error_set(err, ERR_LIMIT, "it refers to more than %d schemas, directly and indirectly",
				 SCHEMA_REFERENCES_MAX);
	open->id = id;
	open->is_counted = true;
	open->depth = up->depth + 1;
	if (find_text(client, open, err) < 0)
		return -1;
	open->bytes = up->bytes + strlen(open->file.text);
	if (open->bytes > SCHEMA_REFERENCES_BYTES_MAX)
		return error_set(err, ERR_LIMIT,
				 "the schemas that it refers to, directly and indirectly, have more than %d bytes",
				 SCHEMA_REFERENCES_BYTES_MAX);
	open->up = up;
	*ret_open = take_ptr(open);
	return 0;
}

/* All that it refers to is there. */
static int make(struct registry_client *client, const struct open_schema *open, const struct schema **ret_schema,
		struct error *err)
{
	size_t count = open->file.reference_count;
	_cleanup_(freep)
	struct schema_reference *references = xcalloc(count + 1, sizeof(*references));
	struct schema *schema = NULL;
	struct problems problems;
	int result;

	for (size_t i = 0; i < count; i++)
		references[i] = (struct schema_reference){open->file.references[i].name,
							  registry_client_cached(client, open->file.references[i].id)};
	problems_init(&problems);
	result = schema_parse(open->file.format, bytes_of_text(open->file.text), references, count, &schema, &problems);
	if (result < 0) {
		problems_to_error(&problems, ERR_CORRUPT, err);
		error_prefix(err, "schema %d of the registry cannot be used", open->id);
	}
	problems_release(&problems);
	if (result < 0)
		return -1;
	*ret_schema = keep(client, open->id, schema);
	if (open->answer && client->cache_path)
		schema_file_keep(client->cache_path, registry_rest_name(client->rest), open->id, &open->file);
	return 0;
}

/* Makes it, and tells where it came from. A file of no use is as if it were not there, if the registry answers. */
static int finish(struct registry_client *client, struct open_schema *open, bool *ret_is_again,
		  const struct schema **ret_schema, struct error *err)
{
	*ret_is_again = false;
	if (make(client, open, ret_schema, err) < 0) {
		if (open->answer)
			return -1;
		schema_file_release(&open->file);
		open->next = 0;
		*ret_is_again = true;
		return fetch(client, open, err);
	}
	if (open->is_counted)
		count(client, open->answer ? LOOKUP_REGISTRY : LOOKUP_DISK);
	return 0;
}

/* One step: opens what the top one still needs, or makes it and takes it off. */
static int step(struct registry_client *client, struct open_schema **top, const struct schema **ret_schema,
		struct error *err)
{
	struct open_schema *open = *top;
	bool is_again;

	while (open->next < open->file.reference_count &&
	       registry_client_cached(client, open->file.references[open->next].id))
		open->next++;
	if (open->next < open->file.reference_count)
		return open_reference(client, open, open->file.references[open->next].id, top, err);
	if (finish(client, open, &is_again, ret_schema, err) < 0)
		return -1;
	if (!is_again) {
		*top = open->up;
		close_schema(open);
	}
	return 0;
}

/* Makes `root`, whose text is there, with all that it refers to, and ends it. */
static int make_with_references(struct registry_client *client, struct open_schema *root,
				const struct schema **ret_schema, struct error *err)
{
	struct open_schema *top = root;
	int result = 0;

	while (top && result == 0)
		result = step(client, &top, ret_schema, err);
	while (top) {
		struct open_schema *up = top->up;

		if (result < 0 && top == root && root->next < root->file.reference_count)
			error_prefix(err, "reference '%s' of schema %d", root->file.references[root->next].name,
				     root->id);
		close_schema(top);
		top = up;
	}
	return result;
}

static int load(struct registry_client *client, int32_t id, const struct schema **ret_schema, struct error *err)
{
	struct open_schema *open;

	*ret_schema = registry_client_cached(client, id);
	if (*ret_schema)
		return 0;
	open = xcalloc(1, sizeof(*open));
	open->id = id;
	open->is_counted = true;
	if (find_text(client, open, err) == 0) {
		if (make_with_references(client, open, ret_schema, err) == 0)
			return 0;
	} else {
		close_schema(open);
	}
	count(client, LOOKUP_FAILED);
	return -1;
}

/* The same for an id that the registry has told of by the way. */
static int adopt_answer(struct registry_client *client, int32_t id, json_t *answer, const struct schema **ret_schema,
			struct error *err)
{
	struct open_schema *open = xcalloc(1, sizeof(*open));

	open->id = id;
	if (open_from_answer(client, open, answer, err) < 0)
		close_schema(open);
	else if (make_with_references(client, open, ret_schema, err) == 0)
		return 0;
	if (err->code == ERR_NOT_FOUND) /* what it refers to; the version itself is there */
		err->code = ERR_CORRUPT;
	return -1;
}

/* Waits for another thread's fetch and shares its outcome, also its failure: a registry that is away is asked once. */
static int join_flight(struct registry_client *client, struct flight *flight, const struct schema **ret_schema,
		       struct error *err)
{
	const struct schema *schema;

	flight->waiter_count++;
	while (!flight->is_done)
		pthread_cond_wait(&client->changed, &client->mu);
	schema = flight->schema;
	if (!schema)
		*err = flight->err;
	flight->waiter_count--;
	pthread_cond_broadcast(&client->changed); /* the flight's owner waits for the last of us */
	if (!schema)
		return -1;
	*ret_schema = schema;
	return 0;
}

static void fly(struct registry_client *client, struct flight *flight)
{
	const struct schema *schema = NULL;
	struct flight **place = &client->flights;

	flight->next = client->flights;
	client->flights = flight;
	pthread_mutex_unlock(&client->mu);
	if (load(client, flight->id, &schema, &flight->err) < 0)
		schema = NULL;
	pthread_mutex_lock(&client->mu);
	flight->schema = schema;
	flight->is_done = true;
	while (*place != flight)
		place = &(*place)->next;
	*place = flight->next;
	pthread_cond_broadcast(&client->changed);
	while (flight->waiter_count > 0)
		pthread_cond_wait(&client->changed, &client->mu);
}

int registry_client_by_id(struct registry_client *client, int32_t id, const struct schema **ret_schema,
			  struct error *err)
{
	struct flight own = {.id = id};
	const struct schema *schema;
	struct flight *other;
	int result = 0;

	pthread_mutex_lock(&client->mu);
	schema = find_locked(client, id);
	if (schema)
		count(client, LOOKUP_MEMORY);
	if (!schema) {
		other = client->flights;
		while (other && other->id != id)
			other = other->next;
		if (other) {
			result = join_flight(client, other, &schema, err);
		} else {
			fly(client, &own);
			schema = own.schema;
			result = schema ? 0 : -1;
			if (result < 0)
				*err = own.err;
		}
	}
	pthread_mutex_unlock(&client->mu);
	if (result == 0)
		*ret_schema = schema;
	return result;
}

/* ---- by subject ---- */

/* The same addresses with /contexts/NAME behind each. */
static struct registry_client *new_context_client(const struct registry_client *client, const char *name)
{
	_cleanup_(buffer_release)
	struct buffer urls = {0};
	struct registry_client_options options = {.timeout_ms = client->timeout_ms, .security = client->security};

	for (const char *at = client->url; *at;) {
		size_t len = strcspn(at, ", ");
		size_t bare_len = len;

		while (bare_len > 0 && at[bare_len - 1] == '/')
			bare_len--;
		if (len > 0) {
			buffer_append_format(&urls, "%s%.*s/contexts/", urls.len > 0 ? "," : "", (int)bare_len, at);
			http_append_path_part(&urls, name);
		}
		at += len;
		at += strspn(at, ", ");
	}
	options.url = buffer_text(&urls);
	return registry_client_new(&options);
}

static struct registry_client *context_client(struct registry_client *client, const char *name, size_t name_len)
{
	struct context_client *context;

	pthread_mutex_lock(&client->mu);
	context = client->contexts;
	while (context && (strlen(context->name) != name_len || memcmp(context->name, name, name_len) != 0))
		context = context->next;
	if (!context) {
		context = xmalloc(sizeof(*context));
		*context = (struct context_client){.name = xstrndup(name, name_len), .next = client->contexts};
		context->client = new_context_client(client, context->name);
		context->client->context = context->name;
		client->contexts = context;
	}
	pthread_mutex_unlock(&client->mu);
	return context->client;
}

int registry_client_version(struct registry_client *client, const char *subject, int32_t version, int32_t *ret_id,
			    int32_t *ret_version, const struct schema **ret_schema, struct error *err)
{
	const struct schema *schema = NULL;
	const size_t context_len = registry_subject_context_len(subject);
	char after[40] = "/versions/latest";
	json_t *answer = NULL;
	int32_t number = 0;
	int32_t id = 0;
	int result;

	if (context_len > 0)
		return registry_client_version(context_client(client, subject + 1, context_len - 2),
					       subject + context_len, version, ret_id, ret_version, ret_schema, err);
	if (version > 0)
		(void)snprintf(after, sizeof(after), "/versions/%d", version); /* fits */
	result = registry_rest_get(client->rest, "/subjects/", subject, after, &answer, err);
	if (result == 0)
		result = registry_rest_number(answer, "id", &id, err);
	if (result == 0)
		result = registry_rest_number(answer, "version", &number, err);
	if (result == 0) {
		schema = registry_client_cached(client, id);
		if (!schema)
			result = adopt_answer(client, id, answer, &schema, err);
	}
	json_decref(answer);
	if (result < 0 && version > 0)
		return error_prefix(err, "version %d of subject '%s'", version, subject);
	if (result < 0)
		return error_prefix(err, "latest schema of subject '%s'", subject);
	*ret_id = id;
	*ret_version = number;
	*ret_schema = schema;
	return 0;
}

int registry_client_latest(struct registry_client *client, const char *subject, int32_t *ret_id, int32_t *ret_version,
			   const struct schema **ret_schema, struct error *err)
{
	return registry_client_version(client, subject, 0, ret_id, ret_version, ret_schema, err);
}

const char *registry_client_name(const struct registry_client *client)
{
	return registry_rest_name(client->rest);
}

struct registry_rest *registry_client_rest(struct registry_client *client)
{
	return client->rest;
}

int registry_client_ping(struct registry_client *client, struct error *err)
{
	json_t *answer = NULL;
	int result = registry_rest_get(client->rest, "/schemas/types", "", "", &answer, err);

	json_decref(answer);
	return result;
}
