/*
 * registry_test.c - the registry's rules against a real database: AMENDS_TEST_POSTGRES is the conninfo or URI of one that
 * may be written to; everything happens in a schema of its own there. Without it every test is skipped, and says so.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
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
static char own_conninfo[1000];   /* the same, in the schema of this run */
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
	int32_t ret_versions[10];
	size_t ret_count;
};

static void note_registered(struct request *request, const struct registered *registered)
{
	request->ret_id = registered->schema->id;
	request->ret_version = registered->version;
	if (registered->schema->reference_count)
		request->ret_versions[0] = registered->schema->references[0].version;
}

static int ask_rules(struct session *session, void *ctx)
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
		if (result == 0)
			memcpy(request->ret_versions, versions, request->ret_count * sizeof(*versions));
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

static void ask(struct sessions *sessions, struct request *request)
{
	struct session session;

	request->result = sessions_run(sessions, ask_rules, request, &session);
	if (request->result < 0) {
		request->refusal = session.refusal.code;
		(void)snprintf(request->message, sizeof(request->message), "%s", session.refusal.message);
	}
	session_release(&session);
}

static struct request must(struct request request)
{
	ask(instance, &request);
	if (request.result < 0)
		fail_msg("refused: %s", request.message);
	return request;
}

static void must_refuse(struct request request, enum refusal_code code)
{
	ask(instance, &request);
	assert_int_equal(request.result, -1);
	if (request.refusal != code)
		fail_msg("refused with %d: %s", refusal_error_code(request.refusal), request.message);
}

static int32_t registered_id(const char *subject, const char *text)
{
	return must((struct request){REGISTER, .subject = subject, .text = text}).ret_id;
}

static void expect_versions(const char *subject, size_t count, const int32_t *versions)
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

static void equal_schemas_share_an_id(void **state)
{
	struct request again;
	int32_t id;

	SKIP_WITHOUT_DATABASE();
	id = registered_id("equal-a", thing);
	assert_int_equal(registered_id("equal-a", thing_spaced), id);
	assert_int_equal(registered_id("equal-b", thing_spaced), id);
	expect_versions("equal-a", 1, (int32_t[]){1});
	again = must((struct request){LOOK_UP, .subject = "equal-b", .text = thing});
	assert_int_equal(again.ret_id, id);
	assert_int_not_equal(registered_id("equal-a", thing_with_default), id);
	expect_versions("equal-a", 2, (int32_t[]){1, 2});
}

static void each_context_counts_its_own_ids(void **state)
{
	struct request request;

	SKIP_WITHOUT_DATABASE();
	(void)registered_id("contexts", thing);
	(void)registered_id("contexts", thing_with_default);
	request = must((struct request){REGISTER, .context = ".other", .subject = "contexts", .text = thing});
	assert_int_equal(request.ret_id, 1);
	assert_int_equal(request.ret_version, 1);
	must_refuse((struct request){BY_ID, .context = ".third", .id = 1}, REFUSAL_SCHEMA_NOT_FOUND);
}

static void an_incompatible_schema_is_refused_with_the_reason(void **state)
{
	struct request request = {REGISTER, .subject = "strict", .text = thing_without_default};

	SKIP_WITHOUT_DATABASE();
	(void)registered_id("strict", thing);
	ask(instance, &request);
	assert_int_equal(request.result, -1);
	assert_int_equal(request.refusal, REFUSAL_INCOMPATIBLE);
	assert_non_null(strstr(request.message, "READER_FIELD_MISSING_DEFAULT_VALUE"));
	expect_versions("strict", 1, (int32_t[]){1});
	(void)must((struct request){SET_LEVEL, .subject = "strict", .setting = "none"});
	(void)must(request);
	expect_versions("strict", 2, (int32_t[]){1, 2});
}

static void a_hidden_schema_comes_back_with_its_id_and_a_new_version(void **state)
{
	int32_t id;

	SKIP_WITHOUT_DATABASE();
	id = registered_id("hidden", thing);
	(void)registered_id("hidden", thing_with_default);
	(void)must((struct request){DELETE_VERSION, .subject = "hidden", .version = 1});
	must_refuse((struct request){DELETE_VERSION, .subject = "hidden", .version = 1},
		    REFUSAL_VERSION_DELETED_ALREADY);
	must_refuse((struct request){LOOK_UP, .subject = "hidden", .text = thing}, REFUSAL_SCHEMA_NOT_FOUND);
	(void)must((struct request){BY_ID, .id = id});
	assert_int_equal(registered_id("hidden", thing), id);
	expect_versions("hidden", 2, (int32_t[]){2, 3});
}

static void a_permanent_deletion_takes_the_id_when_nobody_holds_it(void **state)
{
	static const char text[] = "{\"type\":\"fixed\",\"name\":\"Gone\",\"size\":3}";
	int32_t id;

	SKIP_WITHOUT_DATABASE();
	id = registered_id("gone-a", text);
	(void)registered_id("gone-b", text);
	for (int i = 0; i < 2; i++) {
		const char *subject = i == 0 ? "gone-a" : "gone-b";

		(void)must((struct request){BY_ID, .id = id});
		must_refuse((struct request){DELETE_SUBJECT, .subject = subject, .is_permanent = true},
			    REFUSAL_SUBJECT_NOT_DELETED);
		(void)must((struct request){DELETE_SUBJECT, .subject = subject});
		must_refuse((struct request){DELETE_SUBJECT, .subject = subject}, REFUSAL_SUBJECT_DELETED_ALREADY);
		(void)must((struct request){DELETE_SUBJECT, .subject = subject, .is_permanent = true});
	}
	must_refuse((struct request){BY_ID, .id = id}, REFUSAL_SCHEMA_NOT_FOUND);
	assert_int_not_equal(registered_id("gone-a", text), id);
	expect_versions("gone-a", 1, (int32_t[]){1});
}

static void what_is_referred_to_stays(void **state)
{
	struct stored_reference latest = {"Thing", {CONTEXT_DEFAULT, "base"}, VERSION_LATEST};
	struct request request;

	SKIP_WITHOUT_DATABASE();
	must_refuse((struct request){REGISTER, .subject = "user", .text = holder, .reference = latest},
		    REFUSAL_INVALID_SCHEMA);
	(void)registered_id("base", thing);
	(void)registered_id("base", thing_with_default);
	request = must((struct request){REGISTER, .subject = "user", .text = holder, .reference = latest});
	assert_int_equal(request.ret_versions[0], 2);
	must_refuse((struct request){DELETE_VERSION, .subject = "base", .version = 2}, REFUSAL_REFERENCE_EXISTS);
	must_refuse((struct request){DELETE_SUBJECT, .subject = "base"}, REFUSAL_REFERENCE_EXISTS);
	expect_versions("base", 2, (int32_t[]){1, 2});
	(void)must((struct request){DELETE_VERSION, .subject = "base", .version = 1});
	(void)must((struct request){DELETE_SUBJECT, .subject = "user"});
	(void)must((struct request){DELETE_SUBJECT, .subject = "base"});
}

static void modes_guard_a_subject(void **state)
{
	int32_t id;

	SKIP_WITHOUT_DATABASE();
	id = registered_id("guarded", thing);
	(void)must((struct request){SET_MODE, .subject = "guarded", .setting = "READONLY"});
	assert_int_equal(registered_id("guarded", thing), id); /* nothing changes */
	must_refuse((struct request){REGISTER, .subject = "guarded", .text = thing_with_default},
		    REFUSAL_NOT_PERMITTED);
	must_refuse((struct request){DELETE_SUBJECT, .subject = "guarded"}, REFUSAL_NOT_PERMITTED);
	must_refuse((struct request){SET_MODE, .subject = "guarded", .setting = "IMPORT"}, REFUSAL_NOT_PERMITTED);
	must_refuse((struct request){SET_MODE, .subject = "guarded", .setting = "MAYBE"}, REFUSAL_INVALID_MODE);
	must_refuse((struct request){SET_LEVEL, .subject = "free", .setting = "backwards"}, REFUSAL_INVALID_LEVEL);
}

static void an_import_keeps_id_and_version_and_later_ids_avoid_it(void **state)
{
	static const char text[] = "{\"type\":\"fixed\",\"name\":\"Imported\",\"size\":4}";
	static const char next[] = "{\"type\":\"fixed\",\"name\":\"Next\",\"size\":4}";
	int32_t base;

	SKIP_WITHOUT_DATABASE();
	base = registered_id("import-before", "{\"type\":\"fixed\",\"name\":\"Before\",\"size\":4}");
	must_refuse((struct request){REGISTER, .subject = "import", .text = text, .id = base + 1},
		    REFUSAL_NOT_PERMITTED);
	(void)must((struct request){SET_MODE, .subject = "import", .setting = "IMPORT"});
	must_refuse((struct request){REGISTER, .subject = "import", .text = text, .id = base}, REFUSAL_NOT_PERMITTED);
	(void)must((struct request){REGISTER, .subject = "import", .text = text, .id = base + 1, .version = 7});
	must_refuse((struct request){REGISTER, .subject = "import-before", .text = text, .id = base + 3},
		    REFUSAL_NOT_PERMITTED);
	expect_versions("import", 1, (int32_t[]){7});
	assert_true(registered_id("import-after", next) > base + 1);
}

struct racer {
	struct sessions *sessions;
	pthread_t thread;
	char subject[20];
	struct request requests[10];
};

static void *race(void *ctx)
{
	struct racer *racer = ctx;

	for (size_t i = 0; i < ARRAY_LEN(racer->requests); i++) {
		char text[80];

		(void)snprintf(text, sizeof(text), "{\"type\":\"fixed\",\"name\":\"Race%zu\",\"size\":1}", i);
		racer->requests[i] = (struct request){REGISTER, .subject = racer->subject, .text = text};
		ask(racer->sessions, &racer->requests[i]);
	}
	return NULL;
}

/* Two servers on one database, eight threads; half of them share a subject. */
static void instances_at_once_agree_on_ids_and_versions(void **state)
{
	struct sessions *second;
	struct racer racers[8];

	SKIP_WITHOUT_DATABASE();
	second = sessions_new(own_conninfo, CONNECTIONS, NULL);
	(void)must((struct request){SET_LEVEL, .subject = "", .setting = "NONE"});
	for (size_t i = 0; i < ARRAY_LEN(racers); i++) {
		racers[i] = (struct racer){.sessions = i % 2 ? instance : second};
		(void)snprintf(racers[i].subject, sizeof(racers[i].subject), i < 4 ? "race" : "race-%zu", i);
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(racers); i++)
		pthread_join(racers[i].thread, NULL);
	for (size_t i = 0; i < ARRAY_LEN(racers); i++) {
		for (size_t k = 0; k < ARRAY_LEN(racers[i].requests); k++) {
			assert_int_equal(racers[i].requests[k].result, 0);
			assert_int_equal(racers[i].requests[k].ret_id, racers[0].requests[k].ret_id);
			assert_true(k == 0 || racers[i].requests[k].ret_id != racers[i].requests[k - 1].ret_id);
		}
	}
	expect_versions("race", 10, (int32_t[]){1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
	(void)must((struct request){SET_LEVEL, .subject = "", .setting = "BACKWARD"});
	sessions_free(second);
}

static void expect_seen(struct sessions *sessions, struct request request, bool is_found)
{
	ask(sessions, &request);
	if ((request.result == 0) != is_found)
		fail_msg("%s", is_found ? request.message : "not refused");
}

/* What the second server knows by heart is asked for after each change by the first. */
static void a_change_by_another_instance_is_seen_by_the_next_request(void **state)
{
	const struct request old = {LOOK_UP, .subject = "seen", .text = thing};
	const struct request new = {LOOK_UP, .subject = "seen", .text = thing_with_default};
	const struct request broken = {REGISTER, .subject = "seen",
				       .text = "{\"type\":\"record\",\"name\":\"Thing\",\"fields\":["
					       "{\"name\":\"id\",\"type\":\"int\"}]}"};
	struct sessions *second;

	SKIP_WITHOUT_DATABASE();
	second = sessions_new(own_conninfo, CONNECTIONS, NULL);
	(void)must((struct request){SET_LEVEL, .subject = "", .setting = "BACKWARD"});
	expect_seen(second, old, false);
	(void)registered_id("seen", thing);
	expect_seen(second, old, true);
	expect_seen(second, new, false);
	(void)registered_id("seen", thing_with_default);
	expect_seen(second, new, true);
	(void)must((struct request){DELETE_VERSION, .subject = "seen", .version = 1});
	expect_seen(second, old, false);
	expect_seen(second, broken, false);
	(void)must((struct request){SET_LEVEL, .subject = "", .setting = "NONE"});
	expect_seen(second, broken, true);
	(void)must((struct request){SET_MODE, .subject = "seen", .setting = "READONLY"});
	expect_seen(second, (struct request){DELETE_VERSION, .subject = "seen", .version = 2}, false);
	(void)must((struct request){SET_MODE, .subject = "seen", .setting = "READWRITE"});
	(void)must((struct request){DELETE_SUBJECT, .subject = "seen"});
	expect_seen(second, new, false);
	sessions_free(second);
}

enum { STEPS = 60, READERS = 3 };

struct follower { /* reads what a writer at another server has been told that it is there */
	struct sessions *sessions;
	atomic_int *acknowledged;
	pthread_t thread;
	int behind;
	int reads;
};

static int count_versions(struct session *session, void *ctx)
{
	struct request *request = ctx;
	const int32_t *versions;

	return registry_versions(session, (struct subject){CONTEXT_DEFAULT, request->subject},
				 (struct version_filter){0}, &versions, &request->ret_count);
}

static void *follow(void *ctx)
{
	struct follower *follower = ctx;
	int acknowledged;

	do {
		struct request request = {VERSIONS, .subject = "followed"};
		struct session session;

		acknowledged = *follower->acknowledged;
		if (sessions_run(follower->sessions, count_versions, &request, &session) < 0 ||
		    (int)request.ret_count < acknowledged)
			follower->behind++;
		session_release(&session);
		follower->reads++;
	} while (acknowledged < STEPS);
	return NULL;
}

/* Several readers at once, so that they share questions. */
static void no_reader_is_behind_what_was_acknowledged(void **state)
{
	struct follower followers[READERS];
	struct sessions *second;
	atomic_int acknowledged = 0;

	SKIP_WITHOUT_DATABASE();
	second = sessions_new(own_conninfo, CONNECTIONS, NULL);
	(void)must((struct request){SET_LEVEL, .subject = "", .setting = "NONE"});
	for (int step = 0; step < STEPS; step++) {
		char text[80];

		(void)snprintf(text, sizeof(text), "{\"type\":\"fixed\",\"name\":\"Step%d\",\"size\":1}", step);
		(void)registered_id("followed", text);
		acknowledged = step + 1;
		for (size_t i = 0; i < READERS && step == 0; i++) {
			followers[i] = (struct follower){.sessions = second, .acknowledged = &acknowledged};
			assert_int_equal(pthread_create(&followers[i].thread, NULL, follow, &followers[i]), 0);
		}
	}
	for (size_t i = 0; i < READERS; i++) {
		pthread_join(followers[i].thread, NULL);
		assert_true(followers[i].reads > 1);
		assert_int_equal(followers[i].behind, 0);
	}
	sessions_free(second);
}

static void lost_connections_are_replaced_unnoticed(void **state)
{
	struct pg *killer;
	struct error err;

	SKIP_WITHOUT_DATABASE();
	(void)registered_id("lost", thing);
	killer = pg_new(own_conninfo, "registry_test");
	assert_int_equal(pg_exec(killer,
				 "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
				 " WHERE application_name = 'schema-registry' AND datname = current_database()",
				 NULL, 0, NULL, &err),
			 0);
	pg_free(killer);
	(void)registered_id("lost", thing_with_default);
	expect_versions("lost", 2, (int32_t[]){1, 2});
}

static void a_database_that_is_away_is_told(void **state)
{
	struct sessions *away = sessions_new("host=127.0.0.1 port=1 connect_timeout=2", 1, NULL);
	struct request request = {REGISTER, .subject = "away", .text = thing};
	struct error err;

	(void)state;
	ask(away, &request);
	assert_int_equal(request.result, -1);
	assert_int_equal(refusal_error_code(request.refusal), 50001);
	assert_int_equal(sessions_ping(away, &err), -1);
	sessions_free(away);
}

static int run_script(const char *format)
{
	struct pg *pg = pg_new(conninfo, "registry_test");
	char script[100];
	struct error err;
	int result;

	(void)snprintf(script, sizeof(script), format, (int)getpid());
	result = pg_exec_script(pg, script, &err);
	if (result < 0)
		print_error("%s\n", err.msg);
	pg_free(pg);
	return result;
}

static int set_up(void **state)
{
	struct error err;

	(void)state;
	conninfo = getenv("AMENDS_TEST_POSTGRES");
	if (!conninfo)
		return 0;
	if (strstr(conninfo, "://"))
		(void)snprintf(own_conninfo, sizeof(own_conninfo), "%s%soptions=-csearch_path%%3Dregistry_test_%d",
			       conninfo, strchr(conninfo, '?') ? "&" : "?", (int)getpid());
	else
		(void)snprintf(own_conninfo, sizeof(own_conninfo), "%s options='-csearch_path=registry_test_%d'",
			       conninfo, (int)getpid());
	if (run_script("CREATE SCHEMA registry_test_%d") < 0)
		return -1;
	instance = sessions_new(own_conninfo, CONNECTIONS, NULL);
	return sessions_migrate(instance, 5000, &err);
}

static int tear_down(void **state)
{
	(void)state;
	sessions_free(instance);
	return conninfo ? run_script("SET client_min_messages = warning; DROP SCHEMA registry_test_%d CASCADE") : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_schemas_share_an_id),
		cmocka_unit_test(each_context_counts_its_own_ids),
		cmocka_unit_test(an_incompatible_schema_is_refused_with_the_reason),
		cmocka_unit_test(a_hidden_schema_comes_back_with_its_id_and_a_new_version),
		cmocka_unit_test(a_permanent_deletion_takes_the_id_when_nobody_holds_it),
		cmocka_unit_test(what_is_referred_to_stays),
		cmocka_unit_test(modes_guard_a_subject),
		cmocka_unit_test(an_import_keeps_id_and_version_and_later_ids_avoid_it),
		cmocka_unit_test(instances_at_once_agree_on_ids_and_versions),
		cmocka_unit_test(a_change_by_another_instance_is_seen_by_the_next_request),
		cmocka_unit_test(no_reader_is_behind_what_was_acknowledged),
		cmocka_unit_test(lost_connections_are_replaced_unnoticed),
		cmocka_unit_test(a_database_that_is_away_is_told),
	};

	return cmocka_run_group_tests_name("registry", tests, set_up, tear_down);
}
