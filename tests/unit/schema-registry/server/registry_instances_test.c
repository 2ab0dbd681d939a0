/* registry_instances_test.c - several servers on one database, and changes that meet. */
#include <pthread.h>
#include <stdatomic.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instances_at_once_agree_on_ids_and_versions),
		cmocka_unit_test(a_change_by_another_instance_is_seen_by_the_next_request),
		cmocka_unit_test(no_reader_is_behind_what_was_acknowledged),
	};

	return cmocka_run_group_tests_name("registry_instances", tests, set_up, tear_down);
}
