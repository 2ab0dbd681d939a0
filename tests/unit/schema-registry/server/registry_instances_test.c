/* registry_instances_test.c - several servers on one database, and changes that meet. */
#include <pthread.h>
#include <stdatomic.h>

#include "lib/base/clock.h"
#include "tests/unit/schema-registry/server/registry_fixture.h"

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

enum { CHAIN_LEN = 60 };

/* Each refers to the one before; the text is the caller's. */
static struct request link_of_chain(int i, char *text, size_t size, char *name, size_t name_size)
{
	struct request request = {REGISTER, .text = text};

	(void)snprintf(name, name_size, "Chain%d", i - 1);
	if (i == 0)
		(void)snprintf(text, size, "{\"type\":\"record\",\"name\":\"Chain0\",\"fields\":[]}");
	else
		(void)snprintf(
			text, size,
			"{\"type\":\"record\",\"name\":\"Chain%d\",\"fields\":[{\"name\":\"up\",\"type\":\"%s\"}]}", i,
			name);
	if (i > 0)
		request.reference =
			(struct stored_reference){.name = name, .subject = {CONTEXT_DEFAULT, name}, .version = 1};
	return request;
}

/* A cache must not decide what is too deep: what was registered step by step is there for a server that has seen none of it. */
static void a_chain_of_references_can_be_read_after_a_restart(void **state)
{
	struct sessions *fresh;
	struct request request;
	char subject[20];
	char name[20];
	char text[200];

	SKIP_WITHOUT_DATABASE();
	for (int i = 0; i < CHAIN_LEN; i++) {
		request = link_of_chain(i, text, sizeof(text), name, sizeof(name));
		(void)snprintf(subject, sizeof(subject), "Chain%d", i);
		request.subject = subject;
		(void)must(request);
	}
	fresh = sessions_new(own_conninfo, CONNECTIONS, NULL);
	request.what = LOOK_UP;
	ask(fresh, &request);
	if (request.result < 0)
		fail_msg("refused: %s", request.message);
	sessions_free(fresh);
}

enum { IMPORTS = 40, IMPORT_STEP = 5 };

static void *import_or_register(void *ctx)
{
	struct racer *racer = ctx;
	bool is_import = strncmp(racer->subject, "import", 6) == 0;
	static atomic_int step;

	for (int i = 0; i < IMPORTS; i++) {
		char text[80];
		int mark = step++;
		struct request request = {REGISTER, .subject = racer->subject, .text = text};

		(void)snprintf(text, sizeof(text), "{\"type\":\"fixed\",\"name\":\"Step%d\",\"size\":9}", mark);
		/* Ahead of what is drawn meanwhile, which comes after it at once. */
		request.id = is_import ? 100000 + mark * IMPORT_STEP : 0;
		ask(racer->sessions, &request);
		if (request.result < 0 && request.refusal != REFUSAL_NOT_PERMITTED)
			racer->requests[0] = request;
	}
	return NULL;
}

/* An import raises the ids while others draw: whoever meets a taken one gets another, and no one is refused for it. */
static void imports_and_registrations_do_not_meet_at_ids(void **state)
{
	struct sessions *second;
	struct racer racers[8] = {0};

	SKIP_WITHOUT_DATABASE();
	second = sessions_new(own_conninfo, CONNECTIONS, NULL);
	(void)must((struct request){SET_LEVEL, .subject = "", .setting = "NONE"});
	for (size_t i = 0; i < ARRAY_LEN(racers); i++) {
		racers[i].sessions = i % 2 ? instance : second;
		(void)snprintf(racers[i].subject, sizeof(racers[i].subject), i < 4 ? "import-%zu" : "draw-%zu", i);
		if (i < 4)
			(void)must((struct request){SET_MODE, .subject = racers[i].subject, .setting = "IMPORT"});
	}
	for (size_t i = 0; i < ARRAY_LEN(racers); i++)
		assert_int_equal(pthread_create(&racers[i].thread, NULL, import_or_register, &racers[i]), 0);
	for (size_t i = 0; i < ARRAY_LEN(racers); i++)
		pthread_join(racers[i].thread, NULL);
	for (size_t i = 0; i < ARRAY_LEN(racers); i++) {
		if (racers[i].requests[0].result < 0)
			fail_msg("%s: %s", racers[i].subject, racers[i].requests[0].message);
	}
	for (size_t i = 4; i < ARRAY_LEN(racers); i++)
		assert_int_equal(must((struct request){VERSIONS, .subject = racers[i].subject}).ret_count, IMPORTS);
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

/* ---- changes that meet ---- */

enum { WAIT_MS = 20000 };

static void run_sql(struct pg *pg, const char *sql)
{
	struct error err;

	if (pg_exec_script(pg, sql, &err) < 0)
		fail_msg("%s", err.msg);
}

/* Somebody who has the lock of a subject, and changes nothing. */
static struct pg *hold_subject(const char *subject)
{
	struct pg *pg = pg_new(own_conninfo, "registry_test");
	struct error err;
	char sql[100];

	(void)snprintf(sql, sizeof(sql), "SELECT FROM change_count WHERE shard = %d FOR UPDATE",
		       store_shard((struct subject){CONTEXT_DEFAULT, subject}));
	if (pg_begin(pg, &err) < 0)
		fail_msg("%s", err.msg);
	run_sql(pg, sql);
	return pg;
}

static void let_go(struct pg *pg)
{
	pg_rollback(pg);
	pg_free(pg);
}

struct caller { /* asks in a thread of its own, and looks then how many versions the subject `observed` has */
	struct sessions *sessions;
	struct request request;
	const char *observed;
	pthread_t thread;
	atomic_bool is_done;
	size_t seen;
};

static void *call(void *ctx)
{
	struct caller *caller = ctx;
	struct request versions = {VERSIONS, .subject = caller->observed};

	ask(caller->sessions, &caller->request);
	ask(caller->sessions, &versions);
	caller->seen = versions.result == 0 ? versions.ret_count : 0;
	caller->is_done = true;
	return NULL;
}

static int64_t count_waiting(struct pg *pg)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct error err;
	char sql[200];

	(void)snprintf(sql, sizeof(sql),
		       "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'registry_test_%d'"
		       " AND wait_event_type = 'Lock'",
		       (int)getpid());
	if (pg_exec(pg, sql, NULL, 0, &result, &err) < 0)
		fail_msg("%s", err.msg);
	return pg_get_int(result, 0, 0);
}

/* Has it begin, and waits until it has ended or is one of so many who wait for a lock. */
static void start(struct caller *caller, int64_t waiting)
{
	int64_t until_us = clock_monotonic_us() + WAIT_MS * 1000;
	struct pg *pg = pg_new(conninfo, "registry_test");

	assert_int_equal(pthread_create(&caller->thread, NULL, call, caller), 0);
	while (!caller->is_done && count_waiting(pg) < waiting && clock_monotonic_us() < until_us)
		usleep(1000);
	assert_true(clock_monotonic_us() < until_us);
	pg_free(pg);
}

/* Who closes the registry to copy it must not miss what was on its way. */
static void nothing_is_registered_after_read_only_was_answered(void **state)
{
	struct caller writer = {.request = {REGISTER, .subject = "closing", .text = thing_with_default},
				.observed = "closing"};
	struct caller closer = {.request = {SET_MODE, .subject = "", .setting = "READONLY"}, .observed = "closing"};
	struct pg *pg;

	SKIP_WITHOUT_DATABASE();
	writer.sessions = closer.sessions = instance;
	(void)registered_id("closing", thing);
	pg = hold_subject("closing");
	start(&writer, 1);
	start(&closer, 2);
	let_go(pg);
	pthread_join(writer.thread, NULL);
	pthread_join(closer.thread, NULL);
	assert_int_equal(closer.request.result, 0);
	(void)must((struct request){SET_MODE, .subject = "", .setting = "READWRITE"});
	assert_int_equal(must((struct request){VERSIONS, .subject = "closing"}).ret_count, closer.seen);
}

/* Another instance that has registered `own`, which refers to the first version of `target`, and has not committed it. */
static struct pg *hold_referrer(const char *own, const char *target)
{
	struct stored_reference reference = {"Thing", {CONTEXT_DEFAULT, target}, 1};
	struct stored_schema schema = {.format = SCHEMA_FORMAT_AVRO,
				       .text = holder,
				       .references = &reference,
				       .reference_count = 1,
				       .identity = {7}};
	struct registration registration = {.subject = {CONTEXT_DEFAULT, own}, .version = 1, .schema = &schema};
	struct pg *pg = pg_new(own_conninfo, "registry_test");
	enum registration_outcome outcome;
	struct stored_subject known;
	struct arena arena;
	struct error err;
	int32_t id;

	arena_init(&arena, 0);
	if (pg_begin(pg, &err) < 0 || store_load_subject(pg, registration.subject, &arena, &known, &err) < 0)
		fail_msg("%s", err.msg);
	registration.changes = known.changes;
	if (store_register(pg, &registration, &outcome, &id, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(outcome, REGISTRATION_DONE);
	arena_release(&arena);
	return pg;
}

static void a_deletion_waits_for_who_is_about_to_refer_to_it(void **state)
{
	struct caller caller = {.request = {DELETE_SUBJECT, .subject = "wanted"}, .observed = "wanted"};
	struct error err;
	struct pg *pg;

	SKIP_WITHOUT_DATABASE();
	caller.sessions = instance;
	(void)registered_id("wanted", thing);
	pg = hold_referrer("wants", "wanted");
	start(&caller, 1);
	assert_false(caller.is_done);
	assert_int_equal(pg_commit(pg, NULL, &err), 0);
	pthread_join(caller.thread, NULL);
	pg_free(pg);
	assert_int_equal(caller.request.refusal, REFUSAL_REFERENCE_EXISTS);
	assert_int_equal(caller.seen, 1);

	(void)must((struct request){DELETE_SUBJECT, .subject = "wants"});
	pg = hold_referrer("wants-not", "wanted");
	caller.is_done = false;
	start(&caller, 1);
	assert_false(caller.is_done);
	let_go(pg); /* it died */
	pthread_join(caller.thread, NULL);
	assert_int_equal(caller.request.result, 0);
	assert_int_equal(caller.seen, 0);
}

static int read_settings(struct session *session, void *ctx)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct error err;

	if (pg_exec(session->pg,
		    "SELECT count(*) FROM pg_settings WHERE setting <> '0'"
		    " AND name IN ('lock_timeout', 'idle_in_transaction_session_timeout')",
		    NULL, 0, &result, &err) < 0)
		return session_failed(session, &err);
	*(int64_t *)ctx = pg_get_int(result, 0, 0);
	return 0;
}

/* Else nobody could change that subject until somebody ends it by hand. */
static void an_instance_that_stands_still_holds_no_lock_for_ever(void **state)
{
	struct session session;
	int64_t limited = 0;

	SKIP_WITHOUT_DATABASE();
	assert_int_equal(sessions_run(instance, read_settings, &limited, &session), 0);
	session_release(&session);
	assert_int_equal(limited, 2);
}

/* As after a failover to a copy that had not got the last change, and then took another one. */
static void another_history_with_as_many_changes_is_told_apart(void **state)
{
	static const char thing_with_other_default[] =
		"{\"type\":\"record\",\"name\":\"Thing\",\"fields\":[{\"name\":\"id\",\"type\":\"string\"},"
		"{\"name\":\"m\",\"type\":\"int\",\"default\":0}]}";
	const struct request lost = {LOOK_UP, .subject = "copied", .text = thing_with_default};
	struct sessions *second;
	struct pg *pg;

	SKIP_WITHOUT_DATABASE();
	pg = pg_new(own_conninfo, "registry_test");
	second = sessions_new(own_conninfo, CONNECTIONS, NULL);
	(void)registered_id("copied", thing);
	run_sql(pg, "CREATE TABLE copy AS SELECT * FROM change_count");
	(void)registered_id("copied", thing_with_default);
	expect_seen(second, lost, true);
	run_sql(pg, "DELETE FROM subject_version WHERE subject = 'copied' AND version = 2;"
		    "UPDATE change_count c SET changes = copy.changes FROM copy WHERE copy.shard = c.shard");
	(void)registered_id("copied", thing_with_other_default);
	expect_seen(second, lost, false);
	sessions_free(second);
	pg_free(pg);
}

/* ---- at random ---- */

enum { MESS_STEPS = 150, MESS_THREADS = 6, MESS_SUBJECTS = 3 };

struct messer { /* registers, refers to and deletes the same few subjects as the others */
	struct sessions *sessions[2];
	pthread_t thread;
	unsigned seed;
	int failures;
	char message[500];
};

static struct request choose(unsigned *seed, char *base, char *text, size_t text_size)
{
	char *user = base + 3;
	bool is_base = rand_r(seed) % 2;
	bool is_permanent = rand_r(seed) % 2;
	struct stored_reference latest = {"Thing", {CONTEXT_DEFAULT, base}, VERSION_LATEST};

	(void)snprintf(base, 3, "b%d", rand_r(seed) % MESS_SUBJECTS);
	(void)snprintf(user, 3, "u%d", rand_r(seed) % MESS_SUBJECTS);
	(void)snprintf(text, text_size,
		       "{\"type\":\"record\",\"name\":\"Thing\",\"fields\":[{\"name\":\"f%d\",\"type\":\"int\"}]}",
		       rand_r(seed) % 3);
	switch (rand_r(seed) % 4) {
	case 0:
		return (struct request){REGISTER, .subject = base, .text = text};
	case 1:
		return (struct request){REGISTER, .subject = user, .text = holder, .reference = latest};
	case 2:
		return (struct request){DELETE_SUBJECT, .subject = is_base ? base : user, .is_permanent = is_permanent};
	default:
		return (struct request){DELETE_VERSION, .subject = is_base ? base : user, .version = VERSION_LATEST,
					.is_permanent = is_permanent};
	}
}

static void *make_a_mess(void *ctx)
{
	struct messer *messer = ctx;

	for (int step = 0; step < MESS_STEPS; step++) {
		char names[6]; /* two of them */
		char text[100];
		struct request request = choose(&messer->seed, names, text, sizeof(text));

		ask(messer->sessions[rand_r(&messer->seed) % 2], &request);
		if (request.result < 0 && refusal_status(request.refusal) >= 500) {
			messer->failures++;
			(void)snprintf(messer->message, sizeof(messer->message), "%s", request.message);
		}
	}
	return NULL;
}

static void expect_no_rows(struct pg *pg, const char *sql)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct error err;

	if (pg_exec(pg, sql, NULL, 0, &result, &err) < 0 || pg_rows(result) > 0)
		fail_msg("%zu rows: %s", result ? pg_rows(result) : 0, sql);
}

/* What is referred to is there, what nobody holds is gone, and nobody has to come again. */
static void whatever_meets_leaves_order_behind(void **state)
{
	struct messer messers[MESS_THREADS];
	struct sessions *second;
	struct pg *pg;

	SKIP_WITHOUT_DATABASE();
	second = sessions_new(own_conninfo, CONNECTIONS, NULL);
	(void)must((struct request){SET_LEVEL, .subject = "", .setting = "NONE"});
	for (unsigned i = 0; i < MESS_THREADS; i++) {
		messers[i] = (struct messer){.sessions = {instance, second}, .seed = i};
		assert_int_equal(pthread_create(&messers[i].thread, NULL, make_a_mess, &messers[i]), 0);
	}
	for (size_t i = 0; i < MESS_THREADS; i++)
		pthread_join(messers[i].thread, NULL);
	for (size_t i = 0; i < MESS_THREADS; i++) {
		if (messers[i].failures > 0)
			fail_msg("%d failures: %s", messers[i].failures, messers[i].message);
	}
	pg = pg_new(own_conninfo, "registry_test");
	expect_no_rows(pg, "SELECT FROM schema s WHERE NOT EXISTS (SELECT FROM subject_version v"
			   " WHERE v.context = s.context AND v.schema_id = s.id)");
	expect_no_rows(pg,
		       "SELECT FROM subject_version v"
		       " JOIN schema_reference r ON r.context = v.context AND r.schema_id = v.schema_id"
		       " WHERE NOT v.is_deleted AND NOT EXISTS (SELECT FROM subject_version t WHERE NOT t.is_deleted"
		       " AND (t.context, t.subject, t.version) = (target_context, target_subject, target_version))");
	expect_no_rows(pg, "SELECT FROM schema_reference WHERE NOT EXISTS (SELECT FROM subject_version t WHERE"
			   " (t.context, t.subject, t.version) = (target_context, target_subject, target_version))");
	expect_no_rows(pg, "SELECT FROM subject_version WHERE NOT is_deleted"
			   " GROUP BY context, subject, schema_id HAVING count(*) > 1");
	pg_free(pg);
	sessions_free(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instances_at_once_agree_on_ids_and_versions),
		cmocka_unit_test(a_chain_of_references_can_be_read_after_a_restart),
		cmocka_unit_test(imports_and_registrations_do_not_meet_at_ids),
		cmocka_unit_test(a_change_by_another_instance_is_seen_by_the_next_request),
		cmocka_unit_test(no_reader_is_behind_what_was_acknowledged),
		cmocka_unit_test(nothing_is_registered_after_read_only_was_answered),
		cmocka_unit_test(a_deletion_waits_for_who_is_about_to_refer_to_it),
		cmocka_unit_test(an_instance_that_stands_still_holds_no_lock_for_ever),
		cmocka_unit_test(another_history_with_as_many_changes_is_told_apart),
		cmocka_unit_test(whatever_meets_leaves_order_behind),
	};

	return cmocka_run_group_tests_name("registry_instances", tests, set_up, tear_down);
}
