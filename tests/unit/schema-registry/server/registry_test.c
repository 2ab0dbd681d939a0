/* registry_test.c - what may be registered, found and deleted, asked of one server. */
#include "tests/unit/schema-registry/server/registry_fixture.h"

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

/* It answers by its id, and what reads messages of it needs what it refers to. */
static void what_a_hidden_schema_refers_to_is_not_taken_from_under_it(void **state)
{
	struct stored_reference first = {"Thing", {CONTEXT_DEFAULT, "lower"}, 1};

	SKIP_WITHOUT_DATABASE();
	(void)registered_id("lower", thing);
	(void)must((struct request){REGISTER, .subject = "upper", .text = holder, .reference = first});
	(void)must((struct request){DELETE_SUBJECT, .subject = "upper"});
	(void)must((struct request){DELETE_SUBJECT, .subject = "lower"});
	must_refuse((struct request){DELETE_SUBJECT, .subject = "lower", .is_permanent = true},
		    REFUSAL_REFERENCE_EXISTS);
	must_refuse((struct request){DELETE_VERSION, .subject = "lower", .version = 1, .is_permanent = true},
		    REFUSAL_REFERENCE_EXISTS);
	(void)must((struct request){DELETE_SUBJECT, .subject = "upper", .is_permanent = true});
	(void)must((struct request){DELETE_SUBJECT, .subject = "lower", .is_permanent = true});
}

static void a_subject_that_refers_to_itself_can_be_deleted(void **state)
{
	struct stored_reference first = {"Thing", {CONTEXT_DEFAULT, "own-past"}, 1};

	SKIP_WITHOUT_DATABASE();
	(void)must((struct request){SET_LEVEL, .subject = "own-past", .setting = "NONE"});
	(void)registered_id("own-past", thing);
	(void)must((struct request){REGISTER, .subject = "own-past", .text = holder, .reference = first});
	must_refuse((struct request){DELETE_VERSION, .subject = "own-past", .version = 1}, REFUSAL_REFERENCE_EXISTS);
	(void)must((struct request){DELETE_SUBJECT, .subject = "own-past"});
	(void)must((struct request){DELETE_SUBJECT, .subject = "own-past", .is_permanent = true});
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

static void a_refused_import_costs_no_ids(void **state)
{
	static const char text[] = "{\"type\":\"fixed\",\"name\":\"Known\",\"size\":5}";
	int32_t id;

	SKIP_WITHOUT_DATABASE();
	id = registered_id("known", text);
	(void)must((struct request){SET_MODE, .subject = "unknown", .setting = "IMPORT"});
	must_refuse((struct request){REGISTER, .subject = "unknown", .text = text, .id = INT32_MAX},
		    REFUSAL_ID_DOES_NOT_MATCH);
	assert_true(registered_id("known-next", "{\"type\":\"fixed\",\"name\":\"Next\",\"size\":5}") < id + 100);
}

static void import(const char *subject, int32_t id, int size)
{
	char text[80];

	(void)snprintf(text, sizeof(text), "{\"type\":\"fixed\",\"name\":\"Imported%d\",\"size\":%d}", id, size);
	(void)must((struct request){REGISTER, .subject = subject, .text = text, .id = id});
}

#define OWN_SEQUENCE(last)                                                                                             \
	"SELECT setval('registry_test_%1$d.schema_id_' || number, " last ")"                                           \
	" FROM registry_test_%1$d.context WHERE name = '.ids'"

static int32_t id_in(const char *context, int size)
{
	char text[80];

	(void)snprintf(text, sizeof(text), "{\"type\":\"fixed\",\"name\":\"Own\",\"size\":%d}", size);
	return must((struct request){REGISTER, .context = context, .subject = "own", .text = text}).ret_id;
}

static void an_import_of_the_highest_id_does_not_end_the_ids(void **state)
{
	int32_t id;

	SKIP_WITHOUT_DATABASE();
	id = registered_id("ids-before", "{\"type\":\"fixed\",\"name\":\"Before\",\"size\":61}");
	(void)must((struct request){SET_MODE, .subject = "ids", .setting = "IMPORT"});
	import("ids", INT32_MAX, 61);
	import("ids", INT32_MAX - 1, 61);
	assert_int_equal(registered_id("ids-after", "{\"type\":\"fixed\",\"name\":\"After\",\"size\":61}"), id + 1);
}

static void ids_that_are_taken_are_passed_over(void **state)
{
	const char *context = ".ids";

	SKIP_WITHOUT_DATABASE();
	(void)must((struct request){SET_LEVEL, .context = context, .subject = "", .setting = "NONE"});
	for (int i = 1; i <= 20; i++)
		assert_int_equal(id_in(context, i), i);
	/* As a restored copy may have it, and as an import may leave it that meets others who draw. */
	assert_int_equal(run_script(OWN_SEQUENCE("3")), 0);
	assert_int_equal(id_in(context, 21), 21);
	/* As an earlier release left it after an import of the highest. */
	assert_int_equal(run_script(OWN_SEQUENCE("2147483647")), 0);
	assert_int_equal(id_in(context, 22), 22);
	assert_int_equal(id_in(context, 23), 23);
}

static void after_the_last_version_number_nothing_is_registered(void **state)
{
	static const char text[] = "{\"type\":\"fixed\",\"name\":\"Last\",\"size\":6}";

	SKIP_WITHOUT_DATABASE();
	(void)must((struct request){SET_MODE, .subject = "full", .setting = "IMPORT"});
	must_refuse((struct request){REGISTER, .subject = "full", .text = text, .id = 1000000, .version = INT32_MAX},
		    REFUSAL_INVALID_VERSION);
	(void)must((struct request){REGISTER, .subject = "full", .text = text, .id = 1000000, .version = 2000000000});
	/* As an earlier release let it be imported. */
	assert_int_equal(
		run_script("UPDATE registry_test_%d.subject_version SET version = 2147483647 WHERE subject = 'full'"),
		0);
	(void)must((struct request){SET_MODE, .subject = "full", .setting = "READWRITE"});
	(void)must((struct request){SET_LEVEL, .subject = "full", .setting = "NONE"});
	must_refuse((struct request){REGISTER, .subject = "full", .text = thing}, REFUSAL_INVALID_SCHEMA);
	(void)must((struct request){REGISTER, .subject = "full", .text = text});
}

static void lost_connections_are_replaced_unnoticed(void **state)
{
	SKIP_WITHOUT_DATABASE();
	(void)registered_id("lost", thing);
	assert_int_equal(run_script("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
				    " WHERE application_name = 'registry_test_%d'"),
			 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_schemas_share_an_id),
		cmocka_unit_test(each_context_counts_its_own_ids),
		cmocka_unit_test(an_incompatible_schema_is_refused_with_the_reason),
		cmocka_unit_test(a_hidden_schema_comes_back_with_its_id_and_a_new_version),
		cmocka_unit_test(a_permanent_deletion_takes_the_id_when_nobody_holds_it),
		cmocka_unit_test(what_is_referred_to_stays),
		cmocka_unit_test(what_a_hidden_schema_refers_to_is_not_taken_from_under_it),
		cmocka_unit_test(a_subject_that_refers_to_itself_can_be_deleted),
		cmocka_unit_test(modes_guard_a_subject),
		cmocka_unit_test(an_import_keeps_id_and_version_and_later_ids_avoid_it),
		cmocka_unit_test(a_refused_import_costs_no_ids),
		cmocka_unit_test(an_import_of_the_highest_id_does_not_end_the_ids),
		cmocka_unit_test(ids_that_are_taken_are_passed_over),
		cmocka_unit_test(after_the_last_version_number_nothing_is_registered),
		cmocka_unit_test(lost_connections_are_replaced_unnoticed),
		cmocka_unit_test(a_database_that_is_away_is_told),
	};

	return cmocka_run_group_tests_name("registry", tests, set_up, tear_down);
}
