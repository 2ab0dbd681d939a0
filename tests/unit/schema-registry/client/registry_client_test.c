/* registry_client_test.c - the client against a small registry in this process that counts what it is asked. */
#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/http/http_server.h"
#include "schema-registry/client/registry_client.h"

static const char order_text[] = "{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"shop\",\"fields\":"
				 "[{\"name\":\"total\",\"type\":\"shop.Money\"}]}";
static const char money_text[] = "{\"type\":\"record\",\"name\":\"Money\",\"namespace\":\"shop\",\"fields\":"
				 "[{\"name\":\"cents\",\"type\":\"long\"}]}";

struct answer {
	const char *method;
	const char *path;
	int status;
	const char *body;
};

static const struct answer answers[] = {
	{"GET", "/schemas/types", 200, "[\"AVRO\",\"PROTOBUF\"]"},
	{"GET", "/schemas/ids/1", 200, "{\"schema\":\"\\\"long\\\"\"}"},
	{"GET", "/schemas/ids/2", 200,
	 "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"Money\\\",\\\"namespace\\\":\\\"shop\\\","
	 "\\\"fields\\\":[{\\\"name\\\":\\\"cents\\\",\\\"type\\\":\\\"long\\\"}]}\"}"},
	{"GET", "/schemas/ids/3", 200,
	 "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"Order\\\",\\\"namespace\\\":\\\"shop\\\","
	 "\\\"fields\\\":[{\\\"name\\\":\\\"total\\\",\\\"type\\\":\\\"shop.Money\\\"}]}\",\"references\":"
	 "[{\"name\":\"shop.Money\",\"subject\":\"shop/money\",\"version\":4}]}"},
	{"GET", "/schemas/ids/4", 200,
	 "{\"schemaType\":\"PROTOBUF\",\"schema\":\"syntax = \\\"proto3\\\"; message Ping { string id = 1; }\"}"},
	{"GET", "/schemas/ids/5", 200, "{\"schemaType\":\"JSON\",\"schema\":\"{}\"}"},
	{"GET", "/schemas/ids/6", 200, "{\"schema\":\"{\"}"},
	{"GET", "/schemas/ids/7", 200,
	 "{\"schema\":\"\\\"int\\\"\",\"references\":[{\"name\":\"a\",\"subject\":\"circle\",\"version\":1}]}"},
	{"GET", "/schemas/ids/8", 200, "<html>"},
	{"GET", "/subjects/circle/versions/1", 200, "{\"id\":7,\"version\":1,\"schema\":\"\\\"int\\\"\"}"},
	{"GET", "/subjects/shop%2Fmoney/versions/4", 200, "{\"id\":2,\"version\":4,\"schema\":\"…\"}"},
	{"GET", "/subjects", 200, "[\":.c:b\",\"orders\",\"order\"]"},
	{"GET", "/subjects/other/versions/latest", 200,
	 "{\"id\":5,\"version\":2,\"schemaType\":\"JSON\",\"schema\":\"{}\",\"references\":"
	 "[{\"name\":\"a.json\",\"subject\":\"a\",\"version\":7}]}"},
	{"GET", "/subjects/%3A.c%3Aorders/versions/latest", 200,
	 "{\"id\":5,\"version\":2,\"schema\":\"…\",\"references\":"
	 "[{\"name\":\"a\",\"subject\":\"a\",\"version\":1},{\"name\":\"b\",\"subject\":\":.:b\",\"version\":1},"
	 "{\"name\":\"d\",\"subject\":\":.d:d\",\"version\":1}]}"},
	{"GET", "/subjects/lost/versions/latest", 200,
	 "{\"id\":20,\"version\":1,\"schema\":\"\\\"int\\\"\",\"references\":"
	 "[{\"name\":\"a\",\"subject\":\"none\",\"version\":1}]}"},
	{"GET", "/schemas/ids/61", 200,
	 "{\"schema\":\"…\",\"references\":[{\"name\":\"d\",\"subject\":\":.d:d\",\"version\":1}]}"},
	{"GET", "/subjects/%3A.d%3Ad/versions/1?deleted=true", 200,
	 "{\"id\":1,\"version\":1,\"schema\":\"\\\"int\\\"\"}"},
	{"GET", "/subjects/orders/versions/latest", 200, "{\"id\":9,\"version\":3,\"schema\":\"\\\"int\\\"\"}"},
	{"POST", "/subjects/orders/versions", 200, "{\"id\":12}"},
	{"POST", "/subjects/orders", 200, "{\"subject\":\"orders\",\"id\":12,\"version\":3}"},
	{"POST", "/compatibility/subjects/orders/versions", 200, "{\"is_compatible\":true}"},
	{"POST", "/compatibility/subjects/strict/versions", 200,
	 "{\"is_compatible\":false,\"messages\":[\"field 'total' was removed\",\"field 'at' was added\"]}"},
	{"POST", "/compatibility/subjects/elsewhere/versions/latest", 200, "{\"is_compatible\":false}"},
	{"POST", "/subjects/broken/versions", 422, "{\"error_code\":42201,\"message\":\"Invalid schema\"}"},
	{"POST", "/subjects/strict/versions", 409, "{\"error_code\":409,\"message\":\"field 'total' was removed\"}"},
};

struct fixture {
	struct http_server *server;
	struct registry_client *client;
	struct error err;
	char url[60];
	char folder[60];
	pthread_mutex_t mu;
	pthread_cond_t changed;
	int request_count;            /* guarded by mu */
	bool is_held;                 /* guarded by mu: answers wait */
	bool is_failing;              /* guarded by mu: 503 */
	char last_body[500];          /* guarded by mu */
	char last_authorization[100]; /* guarded by mu */
};

enum { CHAIN_FIRST = 1000, CHAIN_LAST = 1060 };

/* Schemas of which each refers to the one before, and the subjects by which they do. */
static bool answer_of_chain(const char *path, struct buffer *out)
{
	int id;

	if (sscanf(path, "/schemas/ids/%d", &id) == 1 && id >= CHAIN_FIRST && id <= CHAIN_LAST) {
		buffer_append_format(out, "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"R%d\\\",", id);
		buffer_append_text(out, "\\\"fields\\\":[");
		if (id > CHAIN_FIRST)
			buffer_append_format(out, "{\\\"name\\\":\\\"f\\\",\\\"type\\\":\\\"R%d\\\"}", id - 1);
		buffer_append_text(out, "]}\",\"references\":[");
		if (id > CHAIN_FIRST)
			buffer_append_format(out, "{\"name\":\"R%d\",\"subject\":\"chain-%d\",\"version\":1}", id - 1,
					     id - 1);
		buffer_append_text(out, "]}");
		return true;
	}
	if (sscanf(path, "/subjects/chain-%d/versions/1", &id) != 1)
		return false;
	buffer_append_format(out, "{\"id\":%d,\"version\":1,\"schema\":\"…\"}", id);
	return true;
}

static void handle(void *ctx, const struct http_request *request, struct http_response *response)
{
	struct fixture *fixture = ctx;
	bool is_failing;

	pthread_mutex_lock(&fixture->mu);
	fixture->request_count++;
	pthread_cond_broadcast(&fixture->changed);
	while (fixture->is_held)
		pthread_cond_wait(&fixture->changed, &fixture->mu);
	is_failing = fixture->is_failing;
	(void)snprintf(fixture->last_authorization, sizeof(fixture->last_authorization), "%s",
		       http_request_header(request, "Authorization") ? http_request_header(request, "Authorization")
								     : "");
	(void)snprintf(fixture->last_body, sizeof(fixture->last_body), "%.*s", (int)http_request_body(request).len,
		       (const char *)http_request_body(request).data);
	pthread_mutex_unlock(&fixture->mu);
	response->status = is_failing ? 503 : 404;
	for (size_t i = 0; i < ARRAY_LEN(answers) && !is_failing; i++) {
		if (strcmp(answers[i].path, http_request_path(request)) == 0 &&
		    strcmp(answers[i].method, http_request_method(request)) == 0) {
			response->status = answers[i].status;
			buffer_append_text(&response->body, answers[i].body);
		}
	}
	if (response->status == 404 && answer_of_chain(http_request_path(request), &response->body))
		response->status = 200;
	if (response->status == 404)
		buffer_append_text(&response->body, "{\"error_code\":40403,\"message\":\"Schema not found\"}");
}

static int request_count(struct fixture *fixture)
{
	int count;

	pthread_mutex_lock(&fixture->mu);
	count = fixture->request_count;
	pthread_mutex_unlock(&fixture->mu);
	return count;
}

static void open_client(struct fixture *fixture, const char *cache_path)
{
	struct registry_client_options options = {.url = fixture->url, .cache_path = cache_path};

	registry_client_free(fixture->client);
	fixture->client = registry_client_new(&options);
}

static int set_up(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));
	struct http_server_options options = {.body_bytes_max = 100000, .threads = 8, .handle = handle, .ctx = fixture};

	pthread_mutex_init(&fixture->mu, NULL);
	pthread_cond_init(&fixture->changed, NULL);
	assert_int_equal(http_server_start(&options, &fixture->server, &fixture->err), 0);
	(void)snprintf(fixture->url, sizeof(fixture->url), "http://127.0.0.1:%u/",
		       (unsigned)http_server_port(fixture->server));
	(void)snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/registry-client-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	open_client(fixture, NULL);
	*state = fixture;
	return 0;
}

static void remove_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *item;

	while (dir && (item = readdir(dir))) {
		if (item->d_name[0] != '.')
			assert_int_equal(unlinkat(dirfd(dir), item->d_name, 0), 0);
	}
	closedir(dir);
	assert_int_equal(rmdir(folder), 0); /* also shows that nothing half-written was left aside */
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	registry_client_free(fixture->client);
	http_server_free(fixture->server);
	remove_folder(fixture->folder);
	pthread_cond_destroy(&fixture->changed);
	pthread_mutex_destroy(&fixture->mu);
	free(fixture);
	return 0;
}

static const struct schema *must_load(struct fixture *fixture, int32_t id)
{
	const struct schema *schema = NULL;

	if (registry_client_by_id(fixture->client, id, &schema, &fixture->err) < 0)
		fail_msg("%s", fixture->err.msg);
	return schema;
}

static void expect_failure(struct fixture *fixture, int32_t id, enum err_code code, const char *words)
{
	const struct schema *schema = NULL;

	assert_int_equal(registry_client_by_id(fixture->client, id, &schema, &fixture->err), -1);
	assert_int_equal(fixture->err.code, code);
	if (!strstr(fixture->err.msg, words))
		fail_msg("'%s' lacks '%s'", fixture->err.msg, words);
}

static void fetches_an_id_once(void **state)
{
	struct fixture *fixture = *state;
	const struct schema *schema;

	assert_null(registry_client_cached(fixture->client, 1));
	schema = must_load(fixture, 1);
	assert_int_equal(schema_format(schema), SCHEMA_FORMAT_AVRO);
	assert_string_equal(schema_text(schema), "\"long\"");
	assert_ptr_equal(must_load(fixture, 1), schema);
	assert_ptr_equal(registry_client_cached(fixture->client, 1), schema);
	assert_int_equal(request_count(fixture), 1);
	assert_int_equal(schema_format(must_load(fixture, 4)), SCHEMA_FORMAT_PROTOBUF);
}

static void resolves_references(void **state)
{
	struct fixture *fixture = *state;
	const struct schema *schema = must_load(fixture, 3);

	assert_string_equal(schema_type_name(schema_root(schema)), "shop.Order");
	assert_string_equal(schema_type_name(schema_type_field(schema_root(schema), 0).record), "shop.Money");
	assert_int_equal(request_count(fixture), 3); /* the schema, its reference's id, that id */
	(void)must_load(fixture, 2);
	assert_int_equal(request_count(fixture), 3);
}

static void references_may_be_as_deep_as_they_are_many(void **state)
{
	struct fixture *fixture = *state;
	const struct schema *schema = NULL;

	open_client(fixture, fixture->folder);
	assert_int_equal(registry_client_by_id(fixture->client, CHAIN_LAST, &schema, &fixture->err), 0);
	assert_string_equal(schema_type_name(schema_root(schema)), "R1060");
	assert_non_null(registry_client_cached(fixture->client, CHAIN_FIRST));
	pthread_mutex_lock(&fixture->mu);
	fixture->is_failing = true;
	pthread_mutex_unlock(&fixture->mu);
	open_client(fixture, fixture->folder); /* from the disk alone */
	assert_int_equal(registry_client_by_id(fixture->client, CHAIN_LAST, &schema, &fixture->err), 0);
	assert_non_null(registry_client_cached(fixture->client, CHAIN_FIRST));
}

static void survives_a_restart_while_the_registry_is_away(void **state)
{
	struct fixture *fixture = *state;
	struct schema_reference money = {.name = "shop.Money"};
	struct problems problems;
	struct schema *own_money = NULL;
	struct schema *own_order = NULL;

	open_client(fixture, fixture->folder);
	(void)must_load(fixture, 3);
	open_client(fixture, fixture->folder);
	fixture->is_failing = true;
	problems_init(&problems);
	assert_int_equal(schema_parse(SCHEMA_FORMAT_AVRO, bytes_of_text(money_text), NULL, 0, &own_money, &problems),
			 0);
	money.schema = own_money;
	assert_int_equal(schema_parse(SCHEMA_FORMAT_AVRO, bytes_of_text(order_text), &money, 1, &own_order, &problems),
			 0);
	assert_true(schema_equal(must_load(fixture, 3), own_order));
	assert_true(schema_equal(must_load(fixture, 2), own_money));
	expect_failure(fixture, 1, ERR_UNAVAILABLE, "503");
	schema_unref(own_order);
	schema_unref(own_money);
	problems_release(&problems);
}

static void write_file(const struct fixture *fixture, const char *name, const char *text)
{
	char path[100];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", fixture->folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void asks_again_where_the_file_is_damaged_or_of_another_registry(void **state)
{
	struct fixture *fixture = *state;

	write_file(fixture, "1.json", "{\"id\":1,\"form");
	write_file(fixture, "4.json",
		   "{\"registry\":\"http://other\",\"id\":4,\"format\":\"AVRO\",\"schema\":\"\\\"int\\\"\"}");
	open_client(fixture, fixture->folder);
	assert_string_equal(schema_text(must_load(fixture, 1)), "\"long\"");
	assert_int_equal(schema_format(must_load(fixture, 4)), SCHEMA_FORMAT_PROTOBUF);
	assert_int_equal(request_count(fixture), 2);
	open_client(fixture, fixture->folder);
	fixture->is_failing = true; /* both were mended */
	assert_string_equal(schema_text(must_load(fixture, 1)), "\"long\"");
	assert_int_equal(schema_format(must_load(fixture, 4)), SCHEMA_FORMAT_PROTOBUF);
	assert_int_equal(request_count(fixture), 3); /* one was enough to see that the registry is away */
}

/* What a registry of that address, whose data is gone now, once said of 1, 2 and 20. */
static void write_files_of_a_lost_registry(const struct fixture *fixture)
{
	static const int ids[] = {1, 2, 20};
	char name[20];
	char text[200];

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		(void)snprintf(name, sizeof(name), "%d.json", ids[i]);
		(void)snprintf(text, sizeof(text),
			       "{\"registry\":\"%.*s\",\"id\":%d,\"format\":\"AVRO\",\"schema\":\"\\\"int\\\"\","
			       "\"references\":[]}",
			       (int)strlen(fixture->url) - 1, fixture->url, ids[i]);
		write_file(fixture, name, text);
	}
}

static void believes_the_registry_before_the_disk(void **state)
{
	struct fixture *fixture = *state;

	write_files_of_a_lost_registry(fixture);
	open_client(fixture, fixture->folder);
	assert_string_equal(schema_text(must_load(fixture, 1)), "\"long\"");
	open_client(fixture, fixture->folder);
	fixture->is_failing = true;
	assert_string_equal(schema_text(must_load(fixture, 1)), "\"long\"");
	expect_failure(fixture, 2, ERR_UNAVAILABLE, "503"); /* the other two went with the lie about 1 */
	expect_failure(fixture, 20, ERR_UNAVAILABLE, "503");
}

static void forgets_the_disk_when_the_registry_does_not_know_an_id(void **state)
{
	struct fixture *fixture = *state;

	write_files_of_a_lost_registry(fixture);
	open_client(fixture, fixture->folder);
	expect_failure(fixture, 20, ERR_NOT_FOUND, "Schema not found");
	fixture->is_failing = true;
	expect_failure(fixture, 1, ERR_UNAVAILABLE, "503");
	expect_failure(fixture, 20, ERR_UNAVAILABLE, "503");
}

struct getter {
	struct fixture *fixture;
	pthread_t thread;
	const struct schema *schema;
	int result;
	struct error err;
};

static void *get_one(void *ctx)
{
	struct getter *getter = ctx;

	getter->result = registry_client_by_id(getter->fixture->client, 1, &getter->schema, &getter->err);
	return NULL;
}

/* Starts the threads while the registry holds its answer, lets go once one request is in, and joins. */
static void get_at_once(struct fixture *fixture, struct getter *getters, size_t count, bool is_failing)
{
	fixture->is_held = true;
	fixture->is_failing = is_failing;
	for (size_t i = 0; i < count; i++) {
		getters[i].fixture = fixture;
		assert_int_equal(pthread_create(&getters[i].thread, NULL, get_one, &getters[i]), 0);
	}
	pthread_mutex_lock(&fixture->mu);
	while (fixture->request_count == 0)
		pthread_cond_wait(&fixture->changed, &fixture->mu);
	fixture->is_held = false;
	pthread_cond_broadcast(&fixture->changed);
	pthread_mutex_unlock(&fixture->mu);
	for (size_t i = 0; i < count; i++)
		pthread_join(getters[i].thread, NULL);
}

static void concurrent_misses_fetch_once(void **state)
{
	struct fixture *fixture = *state;
	struct getter getters[8] = {0};

	get_at_once(fixture, getters, ARRAY_LEN(getters), false);
	assert_int_equal(request_count(fixture), 1);
	for (size_t i = 0; i < ARRAY_LEN(getters); i++) {
		assert_int_equal(getters[i].result, 0);
		assert_ptr_equal(getters[i].schema, getters[0].schema);
	}
}

static void concurrent_misses_share_a_failure_and_recover(void **state)
{
	struct fixture *fixture = *state;
	struct getter getters[8] = {0};

	get_at_once(fixture, getters, ARRAY_LEN(getters), true);
	for (size_t i = 0; i < ARRAY_LEN(getters); i++) {
		assert_int_equal(getters[i].result, -1);
		assert_int_equal(getters[i].err.code, ERR_UNAVAILABLE);
		assert_true(getters[i].err.is_retriable);
	}
	fixture->is_failing = false;
	(void)must_load(fixture, 1);
}

static void tells_failures_apart(void **state)
{
	struct fixture *fixture = *state;

	expect_failure(fixture, 404, ERR_NOT_FOUND, "Schema not found");
	expect_failure(fixture, 5, ERR_INVALID, "JSON");
	expect_failure(fixture, 6, ERR_CORRUPT, "cannot be used");
	expect_failure(fixture, 7, ERR_LIMIT, "in a circle");
	expect_failure(fixture, 8, ERR_UNAVAILABLE, "is the URL right");
	(void)snprintf(fixture->url, sizeof(fixture->url), "http://127.0.0.1:1");
	open_client(fixture, NULL);
	expect_failure(fixture, 1, ERR_UNAVAILABLE, "127.0.0.1");
	assert_int_equal(registry_client_ping(fixture->client, &fixture->err), -1);
}

static void asks_for_the_latest_each_time(void **state)
{
	struct fixture *fixture = *state;
	const struct schema *schema = NULL;
	int32_t version = 0;
	int32_t id = 0;

	for (int i = 1; i <= 2; i++) {
		assert_int_equal(
			registry_client_latest(fixture->client, "orders", &id, &version, &schema, &fixture->err), 0);
		assert_int_equal(id, 9);
		assert_int_equal(version, 3);
		assert_ptr_equal(schema, registry_client_cached(fixture->client, 9));
		assert_int_equal(request_count(fixture), i);
	}
	assert_int_equal(registry_client_latest(fixture->client, "none", &id, &version, &schema, &fixture->err), -1);
	assert_int_equal(fixture->err.code, ERR_NOT_FOUND);
}

static void registers_and_passes_the_registrys_words_on(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(buffer_release)
	struct buffer refusal = {0};
	struct schema_submission submission = {.subject = "orders",
					       .format = SCHEMA_FORMAT_AVRO,
					       .text = bytes_of_text("\"long\""),
					       .refusal = &refusal};
	int32_t id = 0;

	assert_int_equal(registry_client_register(fixture->client, &submission, &id, &fixture->err), 0);
	assert_int_equal(id, 12);
	assert_string_equal(fixture->last_body, "{\"schemaType\":\"AVRO\",\"schema\":\"\\\"long\\\"\"}");
	submission.subject = "strict";
	assert_int_equal(registry_client_register(fixture->client, &submission, &id, &fixture->err), -1);
	assert_int_equal(fixture->err.code, ERR_INCOMPATIBLE);
	assert_non_null(strstr(fixture->err.msg, "field 'total' was removed"));
	assert_string_equal(buffer_text(&refusal), "field 'total' was removed");
	submission.subject = "broken";
	assert_int_equal(registry_client_register(fixture->client, &submission, &id, &fixture->err), -1);
	assert_int_equal(fixture->err.code, ERR_INVALID);
	assert_string_equal(buffer_text(&refusal), "Invalid schema");
	assert_int_equal(registry_client_ping(fixture->client, &fixture->err), 0);
}

static void asks_before_it_registers(void **state)
{
	struct fixture *fixture = *state;
	struct submitted_reference reference = {"shop.Money", "shop.Money", 4};
	struct schema_submission submission = {.subject = "orders",
					       .format = SCHEMA_FORMAT_AVRO,
					       .text = bytes_of_text("\"long\""),
					       .references = &reference,
					       .reference_count = 1};
	int32_t version = 0;
	int32_t id = 0;

	assert_int_equal(registry_client_look_up(fixture->client, &submission, &id, &version, &fixture->err), 0);
	assert_int_equal(id, 12);
	assert_int_equal(version, 3);
	assert_string_equal(fixture->last_body,
			    "{\"schemaType\":\"AVRO\",\"schema\":\"\\\"long\\\"\",\"references\":[{\"name\":"
			    "\"shop.Money\",\"subject\":\"shop.Money\",\"version\":4}]}");
	assert_int_equal(registry_client_check(fixture->client, &submission, &fixture->err), 0);
	submission.subject = "strict";
	assert_int_equal(registry_client_look_up(fixture->client, &submission, &id, &version, &fixture->err), -1);
	assert_int_equal(fixture->err.code, ERR_NOT_FOUND);
	assert_int_equal(registry_client_check(fixture->client, &submission, &fixture->err), -1);
	assert_int_equal(fixture->err.code, ERR_INCOMPATIBLE);
	assert_non_null(strstr(fixture->err.msg, "field 'total' was removed, field 'at' was added"));
	submission.subject = "elsewhere"; /* a registry that compares with one version at a time */
	assert_int_equal(registry_client_check(fixture->client, &submission, &fixture->err), -1);
	assert_int_equal(fixture->err.code, ERR_INCOMPATIBLE);
	submission.subject = "new";
	assert_int_equal(registry_client_check(fixture->client, &submission, &fixture->err), 0);
}

/* A client of the fixture's server and of a port before it where nobody listens. */
static void open_client_of(struct fixture *fixture, const char *format)
{
	char urls[200];
	struct registry_client_options options = {.url = urls};

	(void)snprintf(urls, sizeof(urls), format, (unsigned)http_server_port(fixture->server));
	registry_client_free(fixture->client);
	fixture->client = registry_client_new(&options);
}

static void an_address_that_is_away_is_passed_over(void **state)
{
	struct fixture *fixture = *state;
	const struct schema *schema;

	open_client_of(fixture, "http://127.0.0.1:1, http://127.0.0.1:%u/");
	assert_int_equal(registry_client_by_id(fixture->client, 1, &schema, &fixture->err), 0);
	assert_int_equal(registry_client_by_id(fixture->client, 2, &schema, &fixture->err), 0);
	assert_int_equal(request_count(fixture), 2);
}

static void one_that_answers_503_is_passed_over(void **state)
{
	struct fixture *fixture = *state;
	struct fixture other = {.request_count = 0};
	struct http_server_options options = {.body_bytes_max = 1000, .threads = 1, .handle = handle, .ctx = &other};
	const struct schema *schema;
	char format[100];

	pthread_mutex_init(&other.mu, NULL);
	pthread_cond_init(&other.changed, NULL);
	other.is_failing = true;
	assert_int_equal(http_server_start(&options, &other.server, &fixture->err), 0);
	(void)snprintf(format, sizeof(format), "http://127.0.0.1:%u,http://127.0.0.1:%%u",
		       (unsigned)http_server_port(other.server));
	open_client_of(fixture, format);
	assert_int_equal(registry_client_by_id(fixture->client, 1, &schema, &fixture->err), 0);
	assert_int_equal(registry_client_by_id(fixture->client, 2, &schema, &fixture->err), 0);
	assert_int_equal(request_count(&other), 1); /* then the one that answered comes first */
	http_server_free(other.server);
	pthread_cond_destroy(&other.changed);
	pthread_mutex_destroy(&other.mu);
}

static void a_refusal_is_an_answer_and_asks_nobody_else(void **state)
{
	struct fixture *fixture = *state;
	const struct schema *schema;

	open_client_of(fixture, "http://127.0.0.1:%u,http://127.0.0.1:1");
	assert_int_equal(registry_client_by_id(fixture->client, 99, &schema, &fixture->err), -1);
	assert_int_equal(fixture->err.code, ERR_NOT_FOUND);
	assert_int_equal(request_count(fixture), 1);
}

static void credentials_are_sent_and_never_shown(void **state)
{
	struct fixture *fixture = *state;
	const struct schema *schema;

	open_client_of(fixture, "http://bert:s%%40cret@127.0.0.1:%u");
	assert_int_equal(registry_client_by_id(fixture->client, 1, &schema, &fixture->err), 0);
	assert_string_equal(fixture->last_authorization, "Basic YmVydDpzQGNyZXQ="); /* bert:s@cret */
	http_server_free(fixture->server);
	fixture->server = NULL;
	assert_int_equal(registry_client_by_id(fixture->client, 2, &schema, &fixture->err), -1);
	assert_null(strstr(fixture->err.msg, "cret"));
	assert_null(strstr(fixture->err.msg, "bert"));
}

static void user_info_is_sent_where_the_address_says_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct registry_client_options options = {.url = fixture->url, .security.user_info = "ann:pw"};
	const struct schema *schema;

	registry_client_free(fixture->client);
	fixture->client = registry_client_new(&options);
	assert_int_equal(registry_client_by_id(fixture->client, 1, &schema, &fixture->err), 0);
	assert_string_equal(fixture->last_authorization, "Basic YW5uOnB3"); /* ann:pw */
}

static void what_is_known_of_a_version_needs_no_schema(void **state)
{
	struct fixture *fixture = *state;
	struct registry_entry entry;
	struct arena arena;

	arena_init(&arena, 0);
	assert_int_equal(registry_client_entry(fixture->client, "other", 0, &arena, &entry, &fixture->err), 0);
	assert_int_equal(entry.id, 5);
	assert_int_equal(entry.version, 2);
	assert_string_equal(entry.format, "JSON");
	assert_int_equal(entry.reference_count, 1);
	assert_string_equal(entry.references[0].subject, "a");
	assert_int_equal(entry.references[0].version, 7);
	assert_int_equal(registry_client_entry(fixture->client, "orders", 0, &arena, &entry, &fixture->err), 0);
	assert_string_equal(entry.format, "AVRO");
	assert_int_equal(registry_client_entry(fixture->client, "none", 0, &arena, &entry, &fixture->err), -1);
	assert_int_equal(fixture->err.code, ERR_NOT_FOUND);
	arena_release(&arena);
}

static void references_are_told_with_their_context(void **state)
{
	static const char *const subjects[] = {":.c:a", ":.:b", ":.d:d"};
	struct fixture *fixture = *state;
	struct registry_entry entry;
	struct arena arena;

	arena_init(&arena, 0);
	assert_int_equal(registry_client_entry(fixture->client, ":.c:orders", 0, &arena, &entry, &fixture->err), 0);
	assert_int_equal(entry.reference_count, ARRAY_LEN(subjects));
	for (size_t i = 0; i < ARRAY_LEN(subjects); i++)
		assert_string_equal(entry.references[i].subject, subjects[i]);
	arena_release(&arena);
}

/* Else whoever compares with it would take its subject for a new one. */
static void a_version_whose_reference_is_gone_is_not_one_that_is_not_there(void **state)
{
	struct fixture *fixture = *state;
	const struct schema *schema;
	int32_t version;
	int32_t id;

	assert_int_equal(registry_client_latest(fixture->client, "lost", &id, &version, &schema, &fixture->err), -1);
	assert_int_equal(fixture->err.code, ERR_CORRUPT);
	assert_int_equal(registry_client_latest(fixture->client, "none", &id, &version, &schema, &fixture->err), -1);
	assert_int_equal(fixture->err.code, ERR_NOT_FOUND);
}

/* Its id is counted there: here another schema may have it. */
static void a_reference_into_another_context_is_not_taken_for_one_of_this(void **state)
{
	struct fixture *fixture = *state;
	const struct schema *schema;

	assert_int_equal(registry_client_by_id(fixture->client, 61, &schema, &fixture->err), -1);
	assert_non_null(strstr(fixture->err.msg, "':.d:d' of another context"));
}

/* The fixture's registry does not know subjectPrefix, and answers with all. */
static void subjects_are_those_of_the_prefix(void **state)
{
	static const struct {
		const char *prefix;
		size_t count;
		const char *first;
	} cases[] = {{"", 3, ":.c:b"},
		     {"order", 2, "order"},
		     {"orders", 1, "orders"},
		     {":.c:", 1, ":.c:b"},
		     {":*:", 3, ":.c:b"}};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char **subjects;
		size_t count;

		assert_int_equal(
			registry_client_subjects(fixture->client, cases[i].prefix, &subjects, &count, &fixture->err),
			0);
		assert_int_equal(count, cases[i].count);
		assert_string_equal(subjects[0], cases[i].first);
		free(subjects);
	}
}

#define CLIENT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLIENT_TEST(fetches_an_id_once),
		CLIENT_TEST(resolves_references),
		CLIENT_TEST(references_may_be_as_deep_as_they_are_many),
		CLIENT_TEST(survives_a_restart_while_the_registry_is_away),
		CLIENT_TEST(asks_again_where_the_file_is_damaged_or_of_another_registry),
		CLIENT_TEST(believes_the_registry_before_the_disk),
		CLIENT_TEST(forgets_the_disk_when_the_registry_does_not_know_an_id),
		CLIENT_TEST(concurrent_misses_fetch_once),
		CLIENT_TEST(concurrent_misses_share_a_failure_and_recover),
		CLIENT_TEST(tells_failures_apart),
		CLIENT_TEST(asks_for_the_latest_each_time),
		CLIENT_TEST(registers_and_passes_the_registrys_words_on),
		CLIENT_TEST(asks_before_it_registers),
		CLIENT_TEST(an_address_that_is_away_is_passed_over),
		CLIENT_TEST(one_that_answers_503_is_passed_over),
		CLIENT_TEST(a_refusal_is_an_answer_and_asks_nobody_else),
		CLIENT_TEST(credentials_are_sent_and_never_shown),
		CLIENT_TEST(user_info_is_sent_where_the_address_says_nothing),
		CLIENT_TEST(what_is_known_of_a_version_needs_no_schema),
		CLIENT_TEST(references_are_told_with_their_context),
		CLIENT_TEST(a_reference_into_another_context_is_not_taken_for_one_of_this),
		CLIENT_TEST(a_version_whose_reference_is_gone_is_not_one_that_is_not_there),
		CLIENT_TEST(subjects_are_those_of_the_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
