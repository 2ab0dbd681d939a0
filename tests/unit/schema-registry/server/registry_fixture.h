/*
 * registry_fixture.h - the registry's rules asked as requests, against a real database: AMENDS_TEST_POSTGRES is the conninfo
 * or URI of one that may be written to; everything happens in a schema of its own there. Without it every test is skipped,
 * and says so.
 */
#ifndef TESTS_UNIT_SCHEMA_REGISTRY_SERVER_REGISTRY_FIXTURE_H
#define TESTS_UNIT_SCHEMA_REGISTRY_SERVER_REGISTRY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "schema-registry/server/registry.h"

enum { CONNECTIONS = 4 };

static const char thing[] =
	"{\"type\":\"record\",\"name\":\"Thing\",\"fields\":[{\"name\":\"id\",\"type\":\"string\"}]}";
static const char thing_spaced[] =
	"{ \"name\": \"Thing\", \"type\": \"record\", \"fields\": [ {\"type\": \"string\", \"name\": \"id\"} ] }";
static const char thing_with_default[] =
	"{\"type\":\"record\",\"name\":\"Thing\",\"fields\":[{\"name\":\"id\",\"type\":\"string\"},"
	"{\"name\":\"n\",\"type\":\"int\",\"default\":0}]}";
static const char thing_without_default[] =
	"{\"type\":\"record\",\"name\":\"Thing\",\"fields\":[{\"name\":\"id\",\"type\":\"string\"},"
	"{\"name\":\"n\",\"type\":\"int\"}]}";
static const char holder[] =
	"{\"type\":\"record\",\"name\":\"Holder\",\"fields\":[{\"name\":\"thing\",\"type\":\"Thing\"}]}";

static const char *conninfo;      /* as given; NULL: skip */
static char own_conninfo[1000];   /* the same, in the schema of this run, and known by its pid */
static struct sessions *instance; /* one server */

/* One request to the registry: what is asked, and what came of it. */
struct request {
	enum { REGISTER, LOOK_UP, BY_ID, VERSIONS, DELETE_SUBJECT, DELETE_VERSION, SET_LEVEL, SET_MODE } what;
	const char *context; /* NULL: the default */
	const char *subject;
	const char *text;
	int32_t id;
	int32_t version;
	const char *setting;
	struct stored_reference reference; /* used where it has a name */
	bool is_permanent;
	/* result */
	int result;
	enum refusal_code refusal;
	char message[500];
	int32_t ret_id;
	int32_t ret_version;
	int32_t ret_versions[10]; /* the first ones */
	size_t ret_count;
};

static inline void note_registered(struct request *request, const struct registered *registered)
{
	request->ret_id = registered->schema->id;
	request->ret_version = registered->version;
	if (registered->schema->reference_count)
		request->ret_versions[0] = registered->schema->references[0].version;
}

static inline int ask_rules(struct session *session, void *ctx)
{
	struct request *request = ctx;
	struct subject subject = {request->context ? request->context : CONTEXT_DEFAULT, request->subject};
	struct schema_input input = {.has_text = request->text != NULL,
				     .text = bytes_of_text(request->text),
				     .id = request->id,
				     .version = request->version,
				     .references = &request->reference,
				     .reference_count = request->reference.name != NULL};
	const struct stored_schema *schema;
	struct registered registered;
	enum registry_mode mode;
	struct config_view config;
	const int32_t *versions;
	json_t *changes;
	int result = 0;

	switch (request->what) {
	case REGISTER:
	case LOOK_UP:
		result = request->what == REGISTER ? registry_register(session, subject, &input, &registered)
						   : registry_look_up(session, subject, &input, false, &registered);
		if (result == 0)
			note_registered(request, &registered);
		return result;
	case BY_ID:
		return registry_by_id(session, subject.context, request->id, &schema);
	case VERSIONS:
	case DELETE_SUBJECT:
		result = request->what == VERSIONS ? registry_versions(session, subject, (struct version_filter){0},
								       &versions, &request->ret_count)
						   : registry_delete_subject(session, subject, request->is_permanent,
									     &versions, &request->ret_count);
		for (size_t i = 0; result == 0 && i < request->ret_count && i < ARRAY_LEN(request->ret_versions); i++)
			request->ret_versions[i] = versions[i];
		return result;
	case DELETE_VERSION:
		return registry_delete_version(session, subject, request->version, request->is_permanent,
					       &request->ret_version);
	case SET_LEVEL:
		changes = json_pack("{s:s}", "compatibility", request->setting);
		result = registry_set_config(session, subject, changes, &config);
		json_decref(changes);
		return result;
	case SET_MODE:
		return registry_set_mode(session, subject, request->setting, false, &mode);
	}
	return -1;
}

static inline void ask(struct sessions *sessions, struct request *request)
{
	struct session session;

	request->result = sessions_run(sessions, ask_rules, request, &session);
	if (request->result < 0) {
		request->refusal = session.refusal.code;
		(void)snprintf(request->message, sizeof(request->message), "%s", session.refusal.message);
	}
	session_release(&session);
}

static inline struct request must(struct request request)
{
	ask(instance, &request);
	if (request.result < 0)
		fail_msg("refused: %s", request.message);
	return request;
}

static inline void must_refuse(struct request request, enum refusal_code code)
{
	ask(instance, &request);
	assert_int_equal(request.result, -1);
	if (request.refusal != code)
		fail_msg("refused with %d: %s", refusal_error_code(request.refusal), request.message);
}

static inline int32_t registered_id(const char *subject, const char *text)
{
	return must((struct request){REGISTER, .subject = subject, .text = text}).ret_id;
}

static inline void expect_versions(const char *subject, size_t count, const int32_t *versions)
{
	struct request request = must((struct request){VERSIONS, .subject = subject});

	assert_int_equal(request.ret_count, count);
	assert_memory_equal(request.ret_versions, versions, count * sizeof(*versions));
}

#define SKIP_WITHOUT_DATABASE()                                                                                        \
	do {                                                                                                           \
		(void)state;                                                                                           \
		if (!conninfo)                                                                                         \
			skip();                                                                                        \
	} while (0)

static inline int run_script(const char *format)
{
	struct pg *pg = pg_new(conninfo, "registry_test");
	char script[300];
	struct error err;
	int result;

	(void)snprintf(script, sizeof(script), format, (int)getpid());
	result = pg_exec_script(pg, script, &err);
	if (result < 0)
		print_error("%s\n", err.msg);
	pg_free(pg);
	return result;
}

static inline int set_up(void **state)
{
	struct error err;

	(void)state;
	conninfo = getenv("AMENDS_TEST_POSTGRES");
	if (!conninfo)
		return 0;
	if (strstr(conninfo, "://"))
		(void)snprintf(own_conninfo, sizeof(own_conninfo),
			       "%s%soptions=-csearch_path%%3Dregistry_test_%d&application_name=registry_test_%d",
			       conninfo, strchr(conninfo, '?') ? "&" : "?", (int)getpid(), (int)getpid());
	else
		(void)snprintf(own_conninfo, sizeof(own_conninfo),
			       "%s options='-csearch_path=registry_test_%d' application_name=registry_test_%d",
			       conninfo, (int)getpid(), (int)getpid());
	if (run_script("CREATE SCHEMA registry_test_%d") < 0)
		return -1;
	instance = sessions_new(own_conninfo, CONNECTIONS, NULL);
	return sessions_migrate(instance, 5000, &err);
}

static inline int tear_down(void **state)
{
	(void)state;
	sessions_free(instance);
	return conninfo ? run_script("SET client_min_messages = warning; DROP SCHEMA registry_test_%d CASCADE") : 0;
}

#endif
