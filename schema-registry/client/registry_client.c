/* registry_client.c - see registry_client.h. */
#include "schema-registry/client/registry_client.h"

#include <assert.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "schema-registry/client/registry_rest.h"
#include "schema-registry/client/schema_file.h"

enum {
	TIMEOUT_DEFAULT_MS = 5000,
	BUCKET_COUNT = 1024,
	REFERENCE_DEPTH_MAX = 32,
	REFERENCES_MAX = 1000,
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

struct registry_client {
	struct registry_rest *rest;
	struct metric *lookups[LOOKUP_COUNT]; /* NULL: not counted */
	char *cache_path;
	_Atomic int64_t away_until_us;
	pthread_mutex_t mu;
	pthread_cond_t changed;
	struct cached_schema *buckets[BUCKET_COUNT]; /* guarded by mu; entries stay until the end */
	struct flight *flights;                      /* guarded by mu */
};

static int load(struct registry_client *client, int32_t id, int depth, const struct schema **ret_schema,
		struct error *err);

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
	registry_rest_free(client->rest);
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

/* ---- making a schema from its text ---- */

/* Parses the text with what it refers to, and keeps it. */
static int adopt(struct registry_client *client, int32_t id, const struct schema_file *file, int depth,
		 const struct schema **ret_schema, struct error *err)
{
	struct schema_reference *references = xcalloc(file->reference_count + 1, sizeof(*references));
	struct schema *schema = NULL;
	struct problems problems;
	int result = 0;

	for (size_t i = 0; i < file->reference_count && result == 0; i++) {
		references[i].name = file->references[i].name;
		result = load(client, file->references[i].id, depth + 1, &references[i].schema, err);
		if (result < 0 && depth == 0) /* a deep chain would push the cause out of the message */
			error_prefix(err, "reference '%s' of schema %d", references[i].name, id);
	}
	if (result == 0) {
		problems_init(&problems);
		result = schema_parse(file->format, bytes_of_text(file->text), references, file->reference_count,
				      &schema, &problems);
		if (result < 0) {
			problems_to_error(&problems, ERR_CORRUPT, err);
			error_prefix(err, "schema %d of the registry cannot be used", id);
		}
		problems_release(&problems);
	}
	free(references);
	if (result == 0)
		*ret_schema = keep(client, id, schema);
	return result;
}

/* ---- answers of the registry ---- */

static int malformed(const char *what, struct error *err)
{
	return error_set(err, ERR_CORRUPT, "the schema registry's answer has no usable %s", what);
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
	if (json_array_size(array) > REFERENCES_MAX)
		return error_set(err, ERR_LIMIT, "the schema has more than %d references", REFERENCES_MAX);
	file->reference_count = json_array_size(array);
	file->references = xcalloc(file->reference_count + 1, sizeof(*file->references));
	for (size_t i = 0; i < file->reference_count; i++) {
		if (resolve_reference(client, json_array_get(array, i), &file->references[i], err) < 0)
			return -1;
	}
	return 0;
}

/* What the registry says of an id becomes a schema, and a file. */
static int adopt_answer(struct registry_client *client, int32_t id, const json_t *answer, int depth,
			const struct schema **ret_schema, struct error *err)
{
	const char *format = json_string_value(json_object_get(answer, "schemaType"));
	struct schema_file file = {.text = json_string_value(json_object_get(answer, "schema"))};
	int result;

	if (!file.text)
		return malformed("schema", err);
	if (!schema_format_parse(format, &file.format))
		return error_set(err, ERR_INVALID, "schema %d is of type %s; known are AVRO and PROTOBUF", id, format);
	result = resolve_references(client, json_object_get(answer, "references"), &file, err);
	if (result == 0)
		result = adopt(client, id, &file, depth, ret_schema, err);
	if (result == 0 && client->cache_path)
		schema_file_keep(client->cache_path, registry_rest_name(client->rest), id, &file);
	schema_file_release(&file);
	return result;
}

/* ---- by id ---- */

static bool load_from_disk(struct registry_client *client, int32_t id, int depth, const struct schema **ret_schema)
{
	struct schema_file file;
	struct error err;
	bool is_loaded;

	if (!client->cache_path || !schema_file_load(client->cache_path, registry_rest_name(client->rest), id, &file))
		return false;
	is_loaded = adopt(client, id, &file, depth, ret_schema, &err) == 0; /* else it is as if it were not there */
	schema_file_release(&file);
	if (is_loaded)
		count(client, LOOKUP_DISK);
	return is_loaded;
}

static int fetch(struct registry_client *client, int32_t id, int depth, const struct schema **ret_schema,
		 struct error *err)
{
	json_t *answer = NULL;
	char path[40];
	int result;

	(void)snprintf(path, sizeof(path), "/schemas/ids/%d", id);
	if (registry_rest_get(client->rest, path, "", "", &answer, err) < 0) {
		if (err->code == ERR_NOT_FOUND && client->cache_path)
			schema_file_deny(client->cache_path, registry_rest_name(client->rest), id);
		return error_prefix(err, "schema %d", id);
	}
	result = adopt_answer(client, id, answer, depth, ret_schema, err);
	json_decref(answer);
	return result;
}

/* The depth bounds references that run in a circle, which no registry should have. */
static int load(struct registry_client *client, int32_t id, int depth, const struct schema **ret_schema,
		struct error *err)
{
	*ret_schema = registry_client_cached(client, id);
	if (*ret_schema)
		return 0;
	if (depth > REFERENCE_DEPTH_MAX)
		return error_set(err, ERR_LIMIT, "references are more than %d levels deep", REFERENCE_DEPTH_MAX);
	if (clock_monotonic_us() < atomic_load(&client->away_until_us) && load_from_disk(client, id, depth, ret_schema))
		return 0;
	if (fetch(client, id, depth, ret_schema, err) == 0) {
		count(client, LOOKUP_REGISTRY);
		return 0;
	}
	if (err->is_retriable) {
		atomic_store(&client->away_until_us, clock_monotonic_us() + AWAY_US);
		if (load_from_disk(client, id, depth, ret_schema))
			return 0;
	}
	count(client, LOOKUP_FAILED);
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
	if (load(client, flight->id, 0, &schema, &flight->err) < 0)
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

int registry_client_version(struct registry_client *client, const char *subject, int32_t version, int32_t *ret_id,
			    int32_t *ret_version, const struct schema **ret_schema, struct error *err)
{
	const struct schema *schema = NULL;
	char after[40] = "/versions/latest";
	json_t *answer = NULL;
	int32_t number = 0;
	int32_t id = 0;
	int result;

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
			result = adopt_answer(client, id, answer, 0, &schema, err);
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
