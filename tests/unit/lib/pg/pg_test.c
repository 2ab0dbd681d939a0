/*
 * pg_test.c - lib/pg against a real server: AMENDS_TEST_POSTGRES is a conninfo of a database that may be written to.
 * Without it every test is skipped, and says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/pg/pg.h"

static const char *conninfo;

static struct pg *connect_or_skip(void)
{
	if (!conninfo)
		skip();
	return pg_new(conninfo, "lib_pg_test");
}

static void ok(int status, const struct error *err)
{
	if (status < 0)
		fail_msg("%s", err->msg);
}

static int64_t query_int(struct pg *pg, const char *sql)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct error err;

	ok(pg_exec(pg, sql, NULL, 0, &result, &err), &err);
	return pg_get_int(result, 0, 0);
}

static void run(struct pg *pg, const char *script)
{
	struct error err;

	ok(pg_exec_script(pg, script, &err), &err);
}

static void values_of_every_type_come_back_as_they_went(void **state)
{
	_cleanup_(pg_freep)
	struct pg *pg = connect_or_skip();
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	_cleanup_(arena_release)
	struct arena arena;
	static const uint8_t raw[] = {0, 0xff, 0, 7};
	struct uuid id = uuid_v7_new();
	struct uuid got;
	struct error err;
	struct pg_param params[] = {
		pg_bool(true),
		pg_int4(INT32_MIN),
		pg_int8(INT64_MAX),
		pg_text("grün"),
		pg_bytea((struct bytes){raw, sizeof(raw)}),
		pg_jsonb(bytes_of_text("{\"a\": 1}")),
		pg_uuid(&id),
		pg_timestamptz(1700000000123456),
		pg_text(NULL),
		pg_text_bytes((struct bytes){0}),
		pg_jsonb(bytes_of_text("[2]")),
	};

	(void)state;
	arena_init(&arena, 0);
	ok(pg_exec(pg,
		   "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $8 = '2023-11-14 22:13:20.123456Z'::timestamptz, "
		   "$11",
		   params, ARRAY_LEN(params), &result, &err),
	   &err);
	assert_int_equal(pg_rows(result), 1);
	assert_true(pg_get_bool(result, 0, 0));
	assert_int_equal(pg_get_int(result, 0, 1), INT32_MIN);
	assert_int_equal(pg_get_int(result, 0, 2), INT64_MAX);
	assert_string_equal(pg_get_text(result, 0, 3, &arena), "grün");
	assert_true(bytes_equal(pg_get_bytes(result, 0, 4), (struct bytes){raw, sizeof(raw)}));
	assert_true(bytes_equal_text(pg_get_bytes(result, 0, 5), "{\"a\": 1}"));
	got = pg_get_uuid(result, 0, 6);
	assert_true(uuid_equal(got, id));
	assert_int_equal(pg_get_int(result, 0, 7), 1700000000123456);
	assert_true(pg_is_null(result, 0, 8));
	assert_null(pg_get_text(result, 0, 8, &arena));
	assert_false(pg_is_null(result, 0, 9));
	assert_int_equal(pg_get_bytes(result, 0, 9).len, 0);
	assert_true(pg_get_bool(result, 0, 10));
	assert_true(bytes_equal_text(pg_get_bytes(result, 0, 11), "[2]"));
}

static void the_greatest_time_is_infinity(void **state)
{
	_cleanup_(pg_freep)
	struct pg *pg = connect_or_skip();
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	_cleanup_(pg_array_release)
	struct pg_array array;
	struct pg_param params[2];
	struct error err;

	(void)state;
	pg_array_init(&array, PG_ARRAY_TIMESTAMPTZ);
	pg_array_add_int(&array, INT64_MAX);
	params[0] = pg_timestamptz(INT64_MAX);
	params[1] = pg_array_param(&array);
	ok(pg_exec(pg, "SELECT $1, $1 = 'infinity'::timestamptz AND $2 = ARRAY['infinity'::timestamptz]", params, 2,
		   &result, &err),
	   &err);
	assert_int_equal(pg_get_int(result, 0, 0), INT64_MAX);
	assert_true(pg_get_bool(result, 0, 1));
}

static void a_conninfo_that_libpq_cannot_read_is_told_without_connecting(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(pg_conninfo_check("", &err), 0);
	assert_int_equal(pg_conninfo_check("host=a,b sslmode=verify-full sslrootcert=/x", &err), 0);
	assert_int_equal(pg_conninfo_check("postgresql://me@host/db?sslmode=require", &err), 0);
	assert_int_equal(pg_conninfo_check("hst=a", &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_string_equal(err.msg, "invalid connection option \"hst\"");
}

static void show(struct pg *pg, const char *sql, const char *expected)
{
	_cleanup_(arena_release)
	struct arena arena = {0};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct error err;

	assert_int_equal(pg_exec(pg, sql, NULL, 0, &result, &err), 0);
	assert_string_equal(pg_get_text(result, 0, 0, &arena), expected);
}

static void settings_of_the_session_give_way_to_the_users_own(void **state)
{
	_cleanup_(freep)
	char *first = pg_conninfo_complete(conninfo, "-c enable_seqscan=on"); /* as a user's own */
	_cleanup_(freep)
	char *complete = pg_conninfo_complete(first, "-c statement_timeout=7s " PG_FIXED_PLANS);
	_cleanup_(pg_freep)
	struct pg *pg = pg_new(complete, "lib_pg_test");

	(void)state;
	show(pg, "SELECT current_setting('enable_seqscan')", "on");
	show(pg, "SELECT current_setting('plan_cache_mode')", "force_generic_plan");
	show(pg, "SELECT current_setting('statement_timeout')", "7s");
}

/* Does connecting look for a Kerberos ticket? Then its library opens what KRB5_CONFIG names. */
static bool is_ticket_looked_for(const char *user_conninfo)
{
	_cleanup_(pg_freep)
	struct pg *pg = pg_new(user_conninfo, "lib_pg_test");
	char path[] = "/tmp/pg_test_XXXXXX";
	int fd = mkstemp(path);
	int watch = inotify_init1(IN_NONBLOCK);
	char events[4096];
	struct error err;
	bool is_opened;

	assert_true(fd >= 0 && watch >= 0 && inotify_add_watch(watch, path, IN_OPEN) >= 0);
	assert_int_equal(setenv("KRB5_CONFIG", path, 1), 0);
	ok(pg_connect(pg, &err), &err);
	assert_int_equal(unsetenv("KRB5_CONFIG"), 0);
	is_opened = read(watch, events, sizeof(events)) > 0;
	assert_int_equal(unlink(path), 0);
	assert_true(close(fd) == 0 && close(watch) == 0);
	return is_opened;
}

static void kerberos_is_tried_only_where_the_user_asks_for_it(void **state)
{
	_cleanup_(freep)
	char *plain = conninfo ? pg_conninfo_complete(conninfo, "") : NULL;
	_cleanup_(buffer_release)
	struct buffer asking = {0};

	(void)state;
	if (!plain)
		skip();
	buffer_append_format(&asking, "%s gssencmode=prefer", plain);
	assert_false(is_ticket_looked_for(plain));
	assert_true(is_ticket_looked_for(buffer_text(&asking)));
	assert_int_equal(setenv("PGGSSENCMODE", "prefer", 1), 0);
	assert_true(is_ticket_looked_for(plain));
	assert_int_equal(unsetenv("PGGSSENCMODE"), 0);
}

static void a_statement_without_an_answer_costs_the_connection_not_the_caller(void **state)
{
	_cleanup_(pg_freep)
	struct pg *pg = connect_or_skip();
	int64_t begin_us = clock_monotonic_us();
	struct error err;

	(void)state;
	assert_int_equal(pg_set_answer_ms(pg, 200), 30000);
	assert_int_equal(pg_exec(pg, "SELECT pg_sleep(30)", NULL, 0, NULL, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, "did not answer within 200 ms"));
	assert_true(clock_monotonic_us() - begin_us < 10 * 1000 * 1000);
	assert_false(pg_is_connected(pg));
	assert_int_equal(query_int(pg, "SELECT 7"), 7); /* over a new one */
}

/* What was sent is whole with the server, so it runs while nobody waits for it. */
static void a_statement_that_was_sent_runs_while_others_are_answered(void **state)
{
	_cleanup_(pg_freep)
	struct pg *pg = connect_or_skip();
	_cleanup_(pg_freep)
	struct pg *other = connect_or_skip();
	_cleanup_(buffer_release)
	struct buffer large = {0};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct pg_param param;
	struct error err;

	(void)state;
	for (int i = 0; i < 1000 * 1000; i++)
		buffer_append(&large, "12345678", 8); /* more than sockets hold */
	run(other, "DROP TABLE IF EXISTS pg_test; CREATE TABLE pg_test (text text)");
	param = pg_text_bytes(buffer_bytes(&large));
	ok(pg_send(pg, "INSERT INTO pg_test VALUES ($1) RETURNING length(text)", &param, 1, &err), &err);
	buffer_clear(&large); /* the server has it */
	while (query_int(other, "SELECT count(*) FROM pg_test WHERE length(text) = 8000000") == 0)
		(void)usleep(1000); /* the test's time-out ends this */
	ok(pg_receive(pg, &result, &err), &err);
	assert_int_equal(pg_get_int(result, 0, 0), 8000000);
	assert_int_equal(query_int(pg, "SELECT 7"), 7);
}

static void a_connection_lost_after_sending_is_told_when_receiving(void **state)
{
	_cleanup_(pg_freep)
	struct pg *pg = connect_or_skip();
	struct error err;

	(void)state;
	ok(pg_send(pg, "SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(10)", NULL, 0, &err), &err);
	assert_int_equal(pg_receive(pg, NULL, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_false(pg_is_connected(pg));
	ok(pg_send(pg, "SELECT 1", NULL, 0, &err), &err); /* over a new one */
	ok(pg_receive(pg, NULL, &err), &err);
}

static void arrays_unnest_row_by_row(void **state)
{
	_cleanup_(pg_freep)
	struct pg *pg = connect_or_skip();
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	enum { TYPES = PG_ARRAY_TID + 1 };
	struct pg_array arrays[TYPES];
	struct pg_param params[TYPES];
	struct uuid id = uuid_v7_new();
	const struct pg_tid tid = {{0, 0, 1, 2, 0, 7}}; /* block 258, row 7 */
	struct pg_tid got_tid;
	struct uuid got;
	struct error err;

	(void)state;
	for (int i = 0; i < TYPES; i++)
		pg_array_init(&arrays[i], (enum pg_array_type)i);
	pg_array_add_int(&arrays[PG_ARRAY_BOOL], 1);
	pg_array_add_int(&arrays[PG_ARRAY_INT2], -2);
	pg_array_add_int(&arrays[PG_ARRAY_INT4], -3);
	pg_array_add_int(&arrays[PG_ARRAY_INT8], INT64_MIN);
	pg_array_add_bytes(&arrays[PG_ARRAY_TEXT], bytes_of_text("x"));
	pg_array_add_bytes(&arrays[PG_ARRAY_BYTEA], (struct bytes){0});
	pg_array_add_uuid(&arrays[PG_ARRAY_UUID], &id);
	pg_array_add_int(&arrays[PG_ARRAY_TIMESTAMPTZ], -5);
	pg_array_add_tid(&arrays[PG_ARRAY_TID], tid);
	for (int i = 0; i < TYPES; i++) {
		pg_array_add_null(&arrays[i]);
		params[i] = pg_array_param(&arrays[i]);
	}
	ok(pg_exec(pg,
		   "SELECT *, tid::text FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9) AS t(a, b, c, d, e, f, g, h, "
		   "tid)",
		   params, TYPES, &result, &err),
	   &err);
	assert_int_equal(pg_rows(result), 2);
	assert_true(pg_get_bool(result, 0, 0));
	assert_int_equal(pg_get_int(result, 0, 1), -2);
	assert_int_equal(pg_get_int(result, 0, 2), -3);
	assert_int_equal(pg_get_int(result, 0, 3), INT64_MIN);
	assert_true(bytes_equal_text(pg_get_bytes(result, 0, 4), "x"));
	assert_int_equal(pg_get_bytes(result, 0, 5).len, 0);
	got = pg_get_uuid(result, 0, 6);
	assert_true(uuid_equal(got, id));
	assert_int_equal(pg_get_int(result, 0, 7), -5);
	got_tid = pg_get_tid(result, 0, 8);
	assert_memory_equal(&got_tid, &tid, sizeof(tid));
	assert_true(bytes_equal_text(pg_get_bytes(result, 0, 9), "(258,7)"));
	for (int i = 0; i < TYPES; i++) {
		assert_false(pg_is_null(result, 0, i));
		assert_true(pg_is_null(result, 1, i));
		pg_array_release(&arrays[i]);
	}
}

static void a_short_array_is_filled_up_beside_a_longer_one(void **state)
{
	_cleanup_(pg_freep)
	struct pg *pg = connect_or_skip();
	_cleanup_(pg_array_release)
	struct pg_array whole;
	_cleanup_(pg_array_release)
	struct pg_array sparse;
	struct pg_param params[2];
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct error err;

	(void)state;
	pg_array_init(&whole, PG_ARRAY_INT4);
	pg_array_init(&sparse, PG_ARRAY_TEXT);
	for (int i = 0; i < 4; i++) {
		pg_array_add_int(&whole, i);
		if (i == 1)
			pg_array_add_bytes(&sparse, bytes_of_text("one"));
		else
			pg_array_add_null(&sparse);
	}
	params[0] = pg_array_short_param(&whole);
	params[1] = pg_array_short_param(&sparse);
	ok(pg_exec(pg, "SELECT unnest($1), unnest($2), cardinality($2)::bigint", params, 2, &result, &err), &err);
	assert_int_equal(pg_rows(result), 4);
	assert_int_equal(pg_get_int(result, 0, 2), 2);
	for (size_t row = 0; row < 4; row++) {
		assert_int_equal(pg_get_int(result, row, 0), row);
		assert_int_equal(pg_is_null(result, row, 1), row != 1);
	}
	params[1] = pg_array_param(&sparse);
	pg_result_free(take_ptr(result));
	ok(pg_exec(pg, "SELECT cardinality($2)::bigint, $1", params, 2, &result, &err), &err);
	assert_int_equal(pg_get_int(result, 0, 0), 4);
}

static void an_empty_array_unnests_to_no_row_and_a_cleared_one_is_used_again(void **state)
{
	_cleanup_(pg_freep)
	struct pg *pg = connect_or_skip();
	struct pg_array array;
	struct error err;

	(void)state;
	pg_array_init(&array, PG_ARRAY_INT8);
	for (int filled = 0; filled < 3; filled++) {
		_cleanup_(pg_result_freep)
		struct pg_result *result = NULL;
		struct pg_param param;

		pg_array_clear(&array);
		for (int i = 0; i < filled; i++)
			pg_array_add_int(&array, i);
		param = pg_array_param(&array);
		ok(pg_exec(pg, "SELECT unnest($1)", &param, 1, &result, &err), &err);
		assert_int_equal(pg_rows(result), filled);
	}
	pg_array_release(&array);
}

static void a_statement_is_prepared_once_for_its_text_and_types(void **state)
{
	_cleanup_(pg_freep)
	struct pg *pg = connect_or_skip();
	struct pg_param typed = pg_int8(1);
	struct pg_param untyped = pg_null();
	struct error err;
	char copy[] = "SELECT $1::int8";

	(void)state;
	ok(pg_exec(pg, "SELECT $1::int8", &typed, 1, NULL, &err), &err);
	ok(pg_exec(pg, copy, &typed, 1, NULL, &err), &err);
	ok(pg_exec(pg, copy, &untyped, 1, NULL, &err), &err);
	assert_int_equal(query_int(pg, "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT $1%'"),
			 1);
}

static void refusals_are_classified_by_their_sqlstate(void **state)
{
	static const struct {
		const char *sql;
		const char *sqlstate;
		enum err_code code;
		bool is_retriable;
	} cases[] = {
		{"INSERT INTO pg_test VALUES (1)", "23505", ERR_CONFLICT, false},
		{"SELECT 'x'::int4", "22P02", ERR_INVALID, false},
		{"SELECT 1 / (SELECT 0)", "22012", ERR_INVALID, false},
		{"SELECT no_such_column", "42703", ERR_INTERNAL, false},
		{"DO $$BEGIN RAISE SQLSTATE '40P01'; END$$", "40P01", ERR_UNAVAILABLE, true},
		{"DO $$BEGIN RAISE SQLSTATE '53100'; END$$", "53100", ERR_UNAVAILABLE, true},
	};
	_cleanup_(pg_freep)
	struct pg *pg = connect_or_skip();
	struct error err;

	(void)state;
	run(pg,
	    "DROP TABLE IF EXISTS pg_test; CREATE TABLE pg_test (id int4 PRIMARY KEY); INSERT INTO pg_test VALUES (1)");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(pg_exec(pg, cases[i].sql, NULL, 0, NULL, &err), -1);
		assert_int_equal(err.code, cases[i].code);
		assert_int_equal(err.is_retriable, cases[i].is_retriable);
		assert_string_equal(pg_sqlstate(pg), cases[i].sqlstate);
		assert_non_null(strstr(err.msg, cases[i].sqlstate));
	}
}

/* Ends the other connection's backend and waits until it is gone. */
static void kill_backend(struct pg *killer, int64_t pid)
{
	int64_t deadline_us = clock_monotonic_us() + 5000000;
	struct pg_param param = pg_int4((int32_t)pid);
	struct error err;
	bool is_gone = false;

	ok(pg_exec(killer, "SELECT pg_terminate_backend($1)", &param, 1, NULL, &err), &err);
	while (!is_gone && clock_monotonic_us() < deadline_us) {
		_cleanup_(pg_result_freep)
		struct pg_result *result = NULL;

		ok(pg_exec(killer, "SELECT 1 FROM pg_stat_activity WHERE pid = $1", &param, 1, &result, &err), &err);
		is_gone = pg_rows(result) == 0;
	}
	assert_true(is_gone);
}

static void a_connection_closed_while_idle_is_replaced_unnoticed(void **state)
{
	_cleanup_(pg_freep)
	struct pg *pg = connect_or_skip();
	_cleanup_(pg_freep)
	struct pg *killer = connect_or_skip();
	int64_t pid = query_int(pg, "SELECT pg_backend_pid()");

	(void)state;
	kill_backend(killer, pid);
	assert_int_not_equal(query_int(pg, "SELECT pg_backend_pid()"), pid);
}

static void nothing_comes_before_the_first_statement_of_a_transaction(void **state)
{
	_cleanup_(pg_freep)
	struct pg *pg = connect_or_skip();
	struct error err;

	(void)state;
	for (int i = 0; i < 9; i++) { /* plans are made anew in between */
		ok(pg_begin(pg, &err), &err);
		ok(pg_exec(pg, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", NULL, 0, NULL, &err), &err);
		pg_rollback(pg);
	}
}

static void a_connection_lost_in_a_transaction_is_not_replaced_before_rollback(void **state)
{
	_cleanup_(pg_freep)
	struct pg *pg = connect_or_skip();
	_cleanup_(pg_freep)
	struct pg *killer = connect_or_skip();
	struct error err;
	bool is_unknown = true;

	(void)state;
	run(pg, "DROP TABLE IF EXISTS pg_test; CREATE TABLE pg_test (id int4)");
	ok(pg_begin(pg, &err), &err);
	kill_backend(killer, query_int(pg, "SELECT pg_backend_pid()"));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pg_exec(pg, "INSERT INTO pg_test VALUES (1)", NULL, 0, NULL, &err), -1);
		assert_int_equal(err.code, ERR_UNAVAILABLE);
		assert_string_equal(pg_sqlstate(pg), "");
		assert_false(pg_is_connected(pg));
	}
	assert_int_equal(pg_commit(pg, &is_unknown, &err), -1);
	assert_false(is_unknown); /* COMMIT was never sent */
	assert_int_equal(query_int(pg, "SELECT count(*) FROM pg_test"), 0);

	ok(pg_begin(pg, &err), &err);
	kill_backend(killer, query_int(pg, "SELECT pg_backend_pid()"));
	pg_rollback(pg);
	ok(pg_begin(pg, &err), &err);
	ok(pg_commit(pg, NULL, &err), &err);
}

static void a_connection_lost_during_commit_leaves_the_outcome_unknown(void **state)
{
	_cleanup_(pg_freep)
	struct pg *pg = connect_or_skip();
	struct error err;
	bool is_unknown = false;

	(void)state;
	run(pg, "DROP TABLE IF EXISTS pg_test; CREATE TABLE pg_test (id int4);"
		"CREATE OR REPLACE FUNCTION pg_test_die() RETURNS trigger LANGUAGE plpgsql AS"
		" $$BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); RETURN NULL; END$$;"
		"CREATE CONSTRAINT TRIGGER die AFTER INSERT ON pg_test DEFERRABLE INITIALLY DEFERRED"
		" FOR EACH ROW EXECUTE FUNCTION pg_test_die()");
	ok(pg_begin(pg, &err), &err);
	ok(pg_exec(pg, "INSERT INTO pg_test VALUES (1)", NULL, 0, NULL, &err), &err);
	assert_int_equal(pg_commit(pg, &is_unknown, &err), -1);
	assert_true(is_unknown);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_int_equal(query_int(pg, "SELECT count(*) FROM pg_test"), 0);
}

static void commit_after_a_failed_statement_is_a_failure(void **state)
{
	_cleanup_(pg_freep)
	struct pg *pg = connect_or_skip();
	struct error err;
	bool is_unknown = true;

	(void)state;
	ok(pg_begin(pg, &err), &err);
	assert_int_equal(pg_exec(pg, "SELECT 'x'::int4", NULL, 0, NULL, &err), -1);
	assert_int_equal(pg_commit(pg, &is_unknown, &err), -1);
	assert_false(is_unknown);
	assert_int_equal(err.code, ERR_PRECONDITION);
}

static const struct pg_migration migrations[] = {
	{"0001_table", "CREATE TABLE pg_test_migrated (id int4); INSERT INTO pg_test_migrated VALUES (1)"},
	{"0002_row", "INSERT INTO pg_test_migrated VALUES (2)"},
};

static void *migrate_thread(void *ctx)
{
	_cleanup_(pg_freep)
	struct pg *pg = pg_new(conninfo, "lib_pg_test");
	struct error err;

	(void)ctx;
	return pg_migrate(pg, migrations, ARRAY_LEN(migrations), 1000, &err) < 0 ? xstrdup(err.msg) : NULL;
}

static void processes_that_migrate_at_once_apply_each_migration_once(void **state)
{
	_cleanup_(pg_freep)
	struct pg *pg = connect_or_skip();
	pthread_t threads[4];

	(void)state;
	run(pg, "DROP TABLE IF EXISTS pg_test_migrated, schema_migration");
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, migrate_thread, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *message = NULL;

		assert_int_equal(pthread_join(threads[i], &message), 0);
		if (message)
			fail_msg("%s", (char *)message);
	}
	assert_int_equal(query_int(pg, "SELECT count(*) FROM pg_test_migrated"), 2);
	assert_int_equal(query_int(pg, "SELECT count(*) FROM schema_migration"), 2);
}

static void a_migration_that_fails_leaves_no_trace(void **state)
{
	static const struct pg_migration bad = {"0003_bad", "INSERT INTO pg_test_migrated VALUES (3); SELECT nonsense"};
	_cleanup_(pg_freep)
	struct pg *pg = connect_or_skip();
	struct error err;

	(void)state;
	run(pg, "DROP TABLE IF EXISTS pg_test_migrated, schema_migration");
	ok(pg_migrate(pg, migrations, ARRAY_LEN(migrations), 1000, &err), &err);
	assert_int_equal(pg_migrate(pg, &bad, 1, 1000, &err), -1);
	assert_non_null(strstr(err.msg, "0003_bad"));
	assert_int_equal(query_int(pg, "SELECT count(*) FROM pg_test_migrated"), 2);
	assert_int_equal(query_int(pg, "SELECT count(*) FROM schema_migration"), 2);
}

static void migrating_waits_for_the_database_no_longer_than_told(void **state)
{
	_cleanup_(pg_freep)
	struct pg *pg = pg_new("host=127.0.0.1 port=1", "lib_pg_test");
	int64_t start_us = clock_monotonic_us();
	struct error err;

	(void)state;
	assert_int_equal(pg_migrate(pg, migrations, ARRAY_LEN(migrations), 300, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_true(err.is_retriable);
	assert_true(clock_monotonic_us() - start_us >= 300000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_every_type_come_back_as_they_went),
		cmocka_unit_test(the_greatest_time_is_infinity),
		cmocka_unit_test(a_conninfo_that_libpq_cannot_read_is_told_without_connecting),
		cmocka_unit_test(settings_of_the_session_give_way_to_the_users_own),
		cmocka_unit_test(kerberos_is_tried_only_where_the_user_asks_for_it),
		cmocka_unit_test(a_statement_without_an_answer_costs_the_connection_not_the_caller),
		cmocka_unit_test(a_statement_that_was_sent_runs_while_others_are_answered),
		cmocka_unit_test(a_connection_lost_after_sending_is_told_when_receiving),
		cmocka_unit_test(arrays_unnest_row_by_row),
		cmocka_unit_test(a_short_array_is_filled_up_beside_a_longer_one),
		cmocka_unit_test(an_empty_array_unnests_to_no_row_and_a_cleared_one_is_used_again),
		cmocka_unit_test(a_statement_is_prepared_once_for_its_text_and_types),
		cmocka_unit_test(refusals_are_classified_by_their_sqlstate),
		cmocka_unit_test(a_connection_closed_while_idle_is_replaced_unnoticed),
		cmocka_unit_test(nothing_comes_before_the_first_statement_of_a_transaction),
		cmocka_unit_test(a_connection_lost_in_a_transaction_is_not_replaced_before_rollback),
		cmocka_unit_test(a_connection_lost_during_commit_leaves_the_outcome_unknown),
		cmocka_unit_test(commit_after_a_failed_statement_is_a_failure),
		cmocka_unit_test(processes_that_migrate_at_once_apply_each_migration_once),
		cmocka_unit_test(a_migration_that_fails_leaves_no_trace),
		cmocka_unit_test(migrating_waits_for_the_database_no_longer_than_told),
	};

	conninfo = getenv("AMENDS_TEST_POSTGRES");
	return cmocka_run_group_tests_name("pg", tests, NULL, NULL);
}
