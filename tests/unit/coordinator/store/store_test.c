/*
 * store_test.c - the store's statements against a real database: AMENDS_TEST_POSTGRES is the conninfo or URI of one that
 * may be written to; everything happens in a schema of its own there. Without it every test is skipped, and says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>

#include "coordinator/store/store.h"
#include "lib/pg/pg.h"

enum { BOOT = 7, SECOND_US = 1000000, DAY_MS = 24 * 3600 * 1000 };
#define TIME_US INT64_C(1767322984000001)

static const char *conninfo;    /* as given; NULL: skip */
static char own_conninfo[1000]; /* the same, in the schema of this run */
static struct store *store;
static struct store_port port;

static void ok(int status, const struct error *err)
{
	if (status < 0)
		fail_msg("%s", err->msg);
}

static int64_t query_int(const char *sql)
{
	_cleanup_(pg_freep)
	struct pg *pg = pg_new(own_conninfo, "store_test");
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct error err;

	ok(pg_exec(pg, sql, NULL, 0, &result, &err), &err);
	return pg_get_int(result, 0, 0);
}

static void run(const char *sql)
{
	_cleanup_(pg_freep)
	struct pg *pg = pg_new(own_conninfo, "store_test");
	struct error err;

	ok(pg_exec_script(pg, sql, &err), &err);
}

/* Each test has a store of its own, which has not learned from the conflicts of those before. */
static void open_store(void)
{
	store = store_new(own_conninfo);
	store_tell(store, "kafka");
	store_tell(store, "webhook people");
	port = store_saga_port(store);
}

static int begin(void **state)
{
	(void)state;
	if (!conninfo)
		return 0;
	store_free(store);
	open_store();
	run("TRUNCATE saga, saga_open, saga_log, saga_feed, saga_notice, saga_pause, definition; UPDATE "
	    "saga_feed_floor "
	    "SET xid = 0;"
	    "UPDATE saga_departed SET last_id = '00000000-0000-0000-0000-000000000000';"
	    "INSERT INTO definition (id, name, version, source, pins) VALUES (1, 'checkout', 1, '', '[]')");
	return 0;
}

static struct uuid id_of(uint8_t number)
{
	return (struct uuid){{1, 0x90, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, number}};
}

/* ---- changes ---- */

struct change {
	struct store_start start;
	struct store_log_row log;
	char key[32];
};

static struct store_change make_start(struct change *c, uint8_t number, const char *idempotency_key)
{
	(void)snprintf(c->key, sizeof(c->key), "order-%d", number);
	c->start = (struct store_start){
		.definition_id = 1,
		.definition_name = "checkout",
		.key = c->key,
		.idempotency_key = idempotency_key,
		.input = bytes_of_text("input"),
		.created_us = TIME_US,
	};
	c->log = (struct store_log_row){
		.saga_id = id_of(number),
		.step_id = "",
		.entry = {.sequence = 1,
			  .event = {.type = SAGA_EVENT_STARTED, .time_us = TIME_US, .step = -1, .actor = "ann"},
			  .state = SAGA_STATE_RUNNING,
			  .milestone = "STARTED"},
	};
	return (struct store_change){
		.saga_id = id_of(number),
		.start = &c->start,
		.version = 1,
		.state = SAGA_STATE_RUNNING,
		.milestone = "STARTED",
		.data = bytes_of_text("first"),
		.due_us = TIME_US + 3 * (int64_t)SECOND_US,
		.open_row = {.look_us = TIME_US + 2 * (int64_t)SECOND_US,
			     .definition_id = 1,
			     .state = SAGA_STATE_RUNNING},
		.is_open_row_new = true,
		.updated_us = TIME_US,
		.log = &c->log,
		.log_count = 1,
	};
}

static struct store_change make_end(struct change *c, uint8_t number, int64_t expected_version)
{
	c->log = (struct store_log_row){
		.saga_id = id_of(number),
		.step_id = "charge-payment",
		.entry = {.sequence = expected_version + 1,
			  .event = {.type = SAGA_EVENT_REJECTED,
				    .time_us = TIME_US + SECOND_US,
				    .phase = STEP_PHASE_FORWARD,
				    .attempt = 2,
				    .reason = "declined",
				    .detail = "the card is \"old\"",
				    .has_no_effect = true,
				    .reply = bytes_of_text("reply")},
			  .state = SAGA_STATE_COMPENSATED,
			  .milestone = "PAYMENT_FAILED"},
	};
	return (struct store_change){
		.saga_id = id_of(number),
		.expected_version = expected_version,
		.version = expected_version + 1,
		.state = SAGA_STATE_COMPENSATED,
		.milestone = "PAYMENT_FAILED",
		.data = bytes_of_text("second"),
		.updated_us = TIME_US + SECOND_US,
		.ended_us = TIME_US + SECOND_US,
		.log = &c->log,
		.log_count = 1,
	};
}

static enum store_result commit(struct store_change *changes, size_t count, struct error *err)
{
	struct store_commit batch = {.instance = "one", .boot = BOOT, .changes = changes, .count = count};

	port.commit_begin(port.ctx, 0, &batch);
	return port.commit_end(port.ctx, 0, err);
}

static void commit_ok(struct store_change *changes, size_t count)
{
	struct error err = {0};

	if (commit(changes, count, &err) != STORE_COMMITTED)
		fail_msg("%s", err.msg);
}

static void start_ok(uint8_t number, const char *idempotency_key)
{
	struct change c;
	struct store_change change = make_start(&c, number, idempotency_key);

	commit_ok(&change, 1);
	assert_int_equal(change.outcome, STORE_OUTCOME_DONE);
}

/* 1 … count, under the idempotency keys k1 …; at most 9. */
static void start_some(uint8_t count)
{
	for (uint8_t i = 1; i <= count; i++)
		start_ok(i, (char[]){'k', (char)('0' + i), 0});
}

#define SKIP_WITHOUT_DATABASE                                                                                          \
	do {                                                                                                           \
		(void)state;                                                                                           \
		if (!conninfo)                                                                                         \
			skip();                                                                                        \
	} while (0)

static void a_saga_comes_back_as_it_was_stored(void **state)
{
	const struct engine_label labels[] = {{"shop", "a\"b"}, {"empty", ""}};
	struct change c;
	struct store_change change;
	struct store_row *rows;
	struct arena arena;
	struct uuid ids[] = {id_of(9), id_of(1)};
	struct error err;
	size_t count;

	SKIP_WITHOUT_DATABASE;
	change = make_start(&c, 1, "k");
	c.start.labels = labels;
	c.start.label_count = 2;
	commit_ok(&change, 1);
	arena_init(&arena, 0);
	ok(port.load(port.ctx, ids, 2, &arena, &rows, &count, &err), &err);
	assert_int_equal(count, 1);
	assert_true(uuid_equal(rows[0].saga_id, id_of(1)));
	assert_int_equal(rows[0].definition_id, 1);
	assert_int_equal(rows[0].version, 1);
	assert_int_equal(rows[0].state, SAGA_STATE_RUNNING);
	assert_true(bytes_equal_text(rows[0].data, "first"));
	assert_true(bytes_equal_text(rows[0].input, "input"));
	assert_string_equal(rows[0].definition_name, "checkout");
	assert_string_equal(rows[0].key, "order-1");
	assert_string_equal(rows[0].idempotency_key, "k");
	assert_int_equal(rows[0].label_count, 2);
	for (size_t i = 0; i < 2; i++) /* jsonb orders them its own way */
		assert_string_equal(rows[0].labels[i].value, strcmp(rows[0].labels[i].name, "shop") == 0 ? "a\"b" : "");
	ok(port.find(port.ctx, (struct store_key[]){{"checkout", "k"}, {"checkout", "l"}}, 2, &arena, &rows, &count,
		     &err),
	   &err);
	assert_int_equal(count, 1);
	assert_true(uuid_equal(rows[0].saga_id, id_of(1)));
	arena_release(&arena);
}

static void finds_the_open_sagas_that_may_wait_for_an_event(void **state)
{
	const struct store_waiting waiting[] = {
		{"checkout", "order-9"}, {"checkout", "order-1"}, {"other", "order-1"}, {"checkout", "order-2"}};
	struct store_match *matches;
	struct store_change change;
	struct change c;
	struct arena arena;
	struct error err;
	size_t count;

	SKIP_WITHOUT_DATABASE;
	arena_init(&arena, 0);
	start_ok(1, "k");
	start_ok(2, "l");
	change = make_end(&c, 2, 1);
	commit_ok(&change, 1);
	ok(port.find_waiting(port.ctx, waiting, ARRAY_LEN(waiting), &arena, &matches, &count, &err), &err);
	assert_int_equal(count, 1);
	assert_int_equal(matches[0].index, 1);
	assert_true(uuid_equal(matches[0].saga_id, id_of(1)));
	assert_int_equal(matches[0].definition_id, 1);
	arena_release(&arena);
}

static void a_start_that_meets_a_row_changes_nothing_and_logs_nothing(void **state)
{
	struct change c[3];
	struct store_change changes[3];

	SKIP_WITHOUT_DATABASE;
	start_ok(1, "k");
	changes[0] = make_start(&c[0], 1, "other key"); /* the id */
	changes[1] = make_start(&c[1], 2, "k");         /* the key */
	changes[2] = make_start(&c[2], 3, "l");
	commit_ok(changes, 3);
	assert_int_equal(changes[0].outcome, STORE_OUTCOME_CONFLICT);
	assert_int_equal(changes[1].outcome, STORE_OUTCOME_CONFLICT);
	assert_int_equal(changes[2].outcome, STORE_OUTCOME_DONE);
	assert_int_equal(query_int("SELECT count(*) FROM saga"), 2);
	assert_int_equal(query_int("SELECT count(*) FROM saga_log"), 2);
}

static void a_change_of_another_version_changes_nothing_and_logs_nothing(void **state)
{
	struct change c[3];
	struct store_change changes[3];

	SKIP_WITHOUT_DATABASE;
	start_ok(1, "k");
	start_ok(2, "l");
	changes[0] = make_end(&c[0], 1, 1);
	changes[1] = make_end(&c[1], 2, 4);
	changes[2] = make_end(&c[2], 3, 1); /* no such row */
	commit_ok(changes, 3);
	assert_int_equal(changes[0].outcome, STORE_OUTCOME_DONE);
	assert_int_equal(changes[1].outcome, STORE_OUTCOME_CONFLICT);
	assert_int_equal(changes[2].outcome, STORE_OUTCOME_CONFLICT);
	assert_int_equal(
		query_int("SELECT count(*) FROM saga WHERE version = 2 AND ended_at IS NOT NULL AND due_at IS NULL"),
		1);
	assert_int_equal(query_int("SELECT count(*) FROM saga_log WHERE sequence > 1"), 1);
}

static void content_that_postgres_refuses_is_told_from_other_failures(void **state)
{
	struct change c[2];
	struct store_change changes[2];
	struct error err;

	SKIP_WITHOUT_DATABASE;
	changes[0] = make_start(&c[0], 1, "k");
	changes[1] = make_start(&c[1], 2, "not utf-8: \xff");
	assert_int_equal(commit(changes, 2, &err), STORE_REFUSED);
	assert_int_equal(query_int("SELECT count(*) FROM saga"), 0);
	assert_int_equal(query_int("SELECT count(*) FROM saga_log"), 0);
	changes[1] = make_start(&c[1], 2, "l");
	c[1].start.definition_name = NULL; /* a constraint */
	assert_int_equal(commit(changes, 2, &err), STORE_REFUSED);
	commit_ok(changes, 1);
}

static void the_log_comes_back_in_order(void **state)
{
	struct uuid ids[] = {id_of(2), id_of(1), id_of(3)};
	struct store_log_row *rows;
	struct store_change change;
	struct change c;
	struct arena arena;
	struct error err;
	size_t count;

	SKIP_WITHOUT_DATABASE;
	start_ok(1, "k");
	start_ok(2, "l");
	change = make_end(&c, 1, 1);
	commit_ok(&change, 1);
	arena_init(&arena, 0);
	ok(port.load_log(port.ctx, ids, 3, &arena, &rows, &count, &err), &err);
	assert_int_equal(count, 3);
	assert_true(uuid_equal(rows[0].saga_id, id_of(1)) && uuid_equal(rows[1].saga_id, id_of(1)));
	assert_int_equal(rows[0].entry.event.type, SAGA_EVENT_STARTED);
	assert_string_equal(rows[0].step_id, "");
	assert_string_equal(rows[0].entry.event.actor, "ann");
	assert_null(rows[1].entry.event.actor);
	assert_int_equal(rows[1].entry.sequence, 2);
	assert_int_equal(rows[1].entry.event.type, SAGA_EVENT_REJECTED);
	assert_int_equal(rows[1].entry.event.time_us, TIME_US + SECOND_US);
	assert_int_equal(rows[1].entry.event.attempt, 2);
	assert_int_equal(rows[1].entry.state, SAGA_STATE_COMPENSATED);
	assert_string_equal(rows[1].step_id, "charge-payment");
	assert_string_equal(rows[1].entry.milestone, "PAYMENT_FAILED");
	assert_string_equal(rows[1].entry.event.reason, "declined");
	assert_string_equal(rows[1].entry.event.detail, "the card is \"old\"");
	assert_true(rows[1].entry.event.has_no_effect);
	assert_int_equal(query_int("SELECT count(*) FROM saga_log WHERE reply = 'reply'"), 1);
	arena_release(&arena);
}

/* ---- notices ---- */

static const struct store_notice NOTICE = {.sequence = 2,
					   .time_us = TIME_US + SECOND_US,
					   .step_id = "ship",
					   .phase = STEP_PHASE_FORWARD,
					   .reason = "timed_out",
					   .detail = "no reply in time"};

static struct notice *claimed(const char *target, size_t limit, int64_t lease_ms, struct arena *arena,
			      size_t *ret_count)
{
	const struct notice_port notices = store_notice_port(store);
	struct notice *found;
	struct error err;

	ok(notices.claim(notices.ctx, target, limit, lease_ms, arena, &found, ret_count, &err), &err);
	return found;
}

static void settle(const char *target, const struct notice *notice, enum notice_outcome outcome)
{
	const struct notice_port notices = store_notice_port(store);
	struct error err;

	ok(notices.settle(notices.ctx, target, notice, &outcome, 1, &err), &err);
}

static void a_notice_is_stored_for_each_target_with_the_change_alone(void **state)
{
	struct store_change changes[2];
	struct change c[2];
	struct notice *found;
	struct arena arena;
	size_t count;

	SKIP_WITHOUT_DATABASE;
	start_ok(1, "k");
	start_ok(2, "l");
	for (uint8_t i = 0; i < 2; i++) {
		changes[i] =
			make_end(&c[i], (uint8_t)(i + 1), i == 0 ? 1 : 7); /* the second one meets another version */
		changes[i].notices = &NOTICE;
		changes[i].notice_count = 1;
	}
	commit_ok(changes, 2);
	assert_int_equal(query_int("SELECT count(*) FROM saga_notice"), 2);
	arena_init(&arena, 0);
	found = claimed("webhook people", 10, 60000, &arena, &count);
	assert_int_equal(count, 1);
	assert_true(uuid_equal(found->saga_id, id_of(1)));
	assert_int_equal(found->sequence, 2);
	assert_int_equal(found->time_us, TIME_US + SECOND_US);
	assert_string_equal(found->step_id, "ship");
	assert_int_equal(found->phase, STEP_PHASE_FORWARD);
	assert_string_equal(found->reason, "timed_out");
	assert_string_equal(found->detail, "no reply in time");
	assert_string_equal(found->definition, "checkout");
	assert_int_equal(found->definition_version, 1);
	assert_int_equal(found->definition_id, 1);
	assert_string_equal(found->key, "order-1");
	(void)claimed("webhook people", 10, 60000, &arena, &count);
	assert_int_equal(count, 0); /* the first one has the lease */
	(void)claimed("nobody", 10, 60000, &arena, &count);
	assert_int_equal(count, 0);
	(void)claimed("kafka", 10, 60000, &arena, &count);
	assert_int_equal(count, 1);
	arena_release(&arena);
}

static void a_notice_goes_when_it_is_sent_and_waits_when_it_failed(void **state)
{
	const struct notice_port notices = store_notice_port(store);
	struct store_change change;
	struct change c;
	struct notice *found;
	struct arena arena;
	struct error err;
	int64_t left;
	size_t count;

	SKIP_WITHOUT_DATABASE;
	start_ok(1, "k");
	change = make_end(&c, 1, 1);
	change.notices = &NOTICE;
	change.notice_count = 1;
	commit_ok(&change, 1);
	arena_init(&arena, 0);
	found = claimed("kafka", 1, 60000, &arena, &count);
	settle("kafka", found, NOTICE_UNTRIED);
	found = claimed("kafka", 1, 60000, &arena, &count);
	assert_int_equal(count, 1);
	assert_int_equal(found->tries, 0);
	run("UPDATE saga_notice SET due_at = '2001-01-01'");
	settle("kafka", found, NOTICE_FAILED);
	assert_int_equal(query_int("SELECT tries FROM saga_notice WHERE target = 'kafka' AND due_at > '2002-01-01'"),
			 1); /* it waits from now on; how long, nothing here depends on */
	run("UPDATE saga_notice SET due_at = now() + interval '1 h' WHERE target = 'kafka'");
	(void)claimed("kafka", 1, 60000, &arena, &count);
	assert_int_equal(count, 0);
	settle("kafka", found, NOTICE_SENT);
	ok(notices.count(notices.ctx, "kafka", &left, &err), &err);
	assert_int_equal(left, 0);
	ok(notices.count(notices.ctx, "webhook people", &left, &err), &err);
	assert_int_equal(left, 1);
	ok(notices.forget(notices.ctx, 1000, &left, &err), &err); /* TIME_US is long ago */
	assert_int_equal(left, 1);
	arena_release(&arena);
}

static void a_pause_lasts_until_it_is_ended_and_stays_to_be_read(void **state)
{
	const struct pause_port pauses = store_pause_port(store);
	const struct pause ann = {PAUSE_PARTICIPANT, "payment", "it moves", "ann", 0};
	const struct pause bob = {PAUSE_PARTICIPANT, "payment", "it has moved", "bob", 0};
	const struct pause other = {PAUSE_DEFINITION, "payment", "prices", "bob", 0};
	struct pause found;
	struct pause *list;
	struct arena arena;
	struct error err;
	size_t count;
	bool is_new;
	bool was_paused;

	SKIP_WITHOUT_DATABASE;
	arena_init(&arena, 0);
	ok(pauses.begin(pauses.ctx, &ann, &arena, &found, &is_new, &err), &err);
	assert_true(is_new && found.time_us > 0);
	ok(pauses.begin(pauses.ctx, &bob, &arena, &found, &is_new, &err), &err);
	assert_false(is_new);
	assert_string_equal(found.actor, "ann"); /* it is hers */
	assert_string_equal(found.reason, "it moves");
	ok(pauses.begin(pauses.ctx, &other, &arena, &found, &is_new, &err), &err);
	assert_true(is_new);
	ok(port.pauses(port.ctx, &arena, &list, &count, &err), &err);
	assert_int_equal(count, 2);
	assert_int_equal(list[0].kind, PAUSE_PARTICIPANT);
	assert_int_equal(list[1].kind, PAUSE_DEFINITION);
	ok(pauses.end(pauses.ctx, &bob, &was_paused, &err), &err);
	assert_true(was_paused);
	ok(pauses.end(pauses.ctx, &bob, &was_paused, &err), &err);
	assert_false(was_paused);
	ok(pauses.list(pauses.ctx, &arena, &list, &count, &err), &err);
	assert_int_equal(count, 1);
	assert_int_equal(query_int("SELECT count(*) FROM saga_pause WHERE actor = 'ann' AND ended_by = 'bob'"
				   " AND end_reason = 'it has moved' AND ended_at >= at"),
			 1);
	ok(pauses.begin(pauses.ctx, &ann, &arena, &found, &is_new, &err), &err);
	assert_true(is_new); /* once more */
	arena_release(&arena);
}

static void entries_of_before_callers_were_recorded_come_back_without_one(void **state)
{
	struct uuid ids[] = {id_of(1), id_of(2)};
	struct store_log_row *rows;
	struct arena arena;
	struct error err;
	size_t count;

	SKIP_WITHOUT_DATABASE;
	start_ok(1, "k");
	run("DROP VIEW saga_events; ALTER TABLE saga_log DROP COLUMN actor;"
	    "DELETE FROM schema_migration WHERE name = '0005_events_actor'");
	ok(store_migrate(store, 5000, &err), &err);
	start_ok(2, "l");
	arena_init(&arena, 0);
	ok(port.load_log(port.ctx, ids, 2, &arena, &rows, &count, &err), &err);
	assert_int_equal(count, 2);
	assert_null(rows[0].entry.event.actor);
	assert_string_equal(rows[1].entry.event.actor, "ann");
	assert_int_equal(query_int("SELECT count(*) FROM saga_events WHERE actor = 'ann'"), 1);
	assert_int_equal(query_int("SELECT count(*) FROM saga_events WHERE actor IS NULL"), 1);
	arena_release(&arena);
}

/* With the bound that goes with it; NULL: never. */
static void set_due(const char *sql_time, const char *which)
{
	char sql[400];

	(void)snprintf(sql, sizeof(sql),
		       "UPDATE saga SET due_at = %s WHERE %s;"
		       "UPDATE saga_open o SET look_at = coalesce(s.due_at, 'infinity') FROM saga s WHERE s.saga_id = "
		       "o.saga_id",
		       sql_time, which);
	run(sql);
}

static struct store_page due_page(int64_t from_us, size_t looked_max, size_t found_max, struct arena *arena)
{
	const struct store_look look = {from_us, looked_max, found_max};
	struct store_page page = {0};
	struct error err;

	ok(port.due(port.ctx, &look, arena, &page, &err), &err);
	return page;
}

static struct store_page left_page(int64_t from_us, size_t looked_max, const struct store_left *left,
				   struct arena *arena)
{
	const struct store_look look = {from_us, looked_max, 10};
	struct store_page page = {0};
	struct error err;

	ok(port.left_behind(port.ctx, &look, left, arena, &page, &err), &err);
	return page;
}

static void pages_have_what_is_due_and_what_an_earlier_boot_left(void **state)
{
	struct store_page page;
	struct store_change change;
	struct change c;
	struct arena arena;
	struct error err;
	int64_t now_us;

	SKIP_WITHOUT_DATABASE;
	start_some(4);
	change = make_end(&c, 4, 1); /* ended: never due */
	commit_ok(&change, 1);
	set_due("now() + interval '1 hour'", "key = 'order-2'");
	set_due("now() - interval '1 hour'", "key = 'order-1'");
	set_due("now() - interval '1 minute'", "key = 'order-3'");
	arena_init(&arena, 0);
	ok(port.now(port.ctx, &now_us, &err), &err);
	page = due_page(0, 10, 10, &arena);
	assert_int_equal(page.count, 2);
	assert_true(uuid_equal(page.items[0].saga_id, id_of(1)) && uuid_equal(page.items[1].saga_id, id_of(3)));
	assert_true(page.now_us >= now_us && !page.has_more);
	assert_in_range(now_us - page.first_us, INT64_C(3590) * SECOND_US, INT64_C(3610) * SECOND_US);
	page = due_page(0, 10, 1, &arena);
	assert_int_equal(page.count, 1);
	assert_true(uuid_equal(page.items[0].saga_id, id_of(1)) && page.has_more);
	page = due_page(page.next_us + 1, 10, 10, &arena);
	assert_int_equal(page.count, 1);
	assert_true(uuid_equal(page.items[0].saga_id, id_of(3)) && !page.has_more);
	page = due_page(now_us, 10, 10, &arena);
	assert_int_equal(page.count, 0);
	assert_true(page.now_us >= now_us && !page.has_more && page.first_us == 0); /* also without a row */
	assert_int_equal(left_page(0, 10, &(struct store_left){"one", BOOT, INT64_MAX, INT64_MAX}, &arena).count, 0);
	assert_int_equal(left_page(0, 10, &(struct store_left){"one", BOOT + 1, INT64_MAX, INT64_MAX}, &arena).count,
			 3);
	assert_int_equal(left_page(0, 10, &(struct store_left){"two", BOOT + 1, INT64_MAX, INT64_MAX}, &arena).count,
			 0);
	ok(port.glance(port.ctx, (struct uuid[]){id_of(4), id_of(8)}, 2, &arena, &page, &err), &err);
	assert_int_equal(page.count, 1);
	assert_int_equal(page.items[0].version, 2);
	assert_int_equal(page.items[0].state, SAGA_STATE_COMPENSATED);
	arena_release(&arena);
}

static void stuck_sagas_are_counted_with_the_open_ones(void **state)
{
	struct store_counts counts;
	struct arena arena;
	struct error err;

	SKIP_WITHOUT_DATABASE;
	arena_init(&arena, 0);
	start_ok(1, "k");
	start_ok(2, "l");
	start_ok(3, "m");
	run("UPDATE saga_open SET state = 6 WHERE saga_id = (SELECT saga_id FROM saga WHERE key = 'order-2')");
	run("UPDATE saga_open SET is_paused = true WHERE saga_id = (SELECT saga_id FROM saga WHERE key = 'order-1')");
	assert_int_equal(SAGA_STATE_STUCK, 6);
	ok(port.count_open(port.ctx, (struct uuid){0}, 10, &arena, &counts, &err), &err);
	assert_int_equal(counts.count, 2);
	assert_false(counts.has_more);
	for (size_t i = 0; i < counts.count; i++) {
		const struct store_count *one = &counts.items[i];

		assert_string_equal(one->definition_name, "checkout");
		assert_int_equal(one->sagas, one->state == SAGA_STATE_STUCK ? 1 : 2);
		assert_int_equal(one->paused, one->state == SAGA_STATE_STUCK ? 0 : 1);
	}
	ok(port.count_open(port.ctx, (struct uuid){0}, 2, &arena, &counts, &err), &err);
	assert_true(counts.has_more && uuid_equal(counts.last, id_of(2)));
	ok(port.count_open(port.ctx, counts.last, 2, &arena, &counts, &err), &err);
	assert_int_equal(counts.count, 1);
	assert_int_equal(counts.items[0].sagas, 1);
	assert_false(counts.has_more);
	arena_release(&arena);
}

/* However few are wanted, a statement ends after as many as may be looked at, and says where the next one goes on. */
static void a_look_is_bounded_by_what_it_looks_at(void **state)
{
	struct store_page page;
	struct arena arena;

	SKIP_WITHOUT_DATABASE;
	arena_init(&arena, 0);
	start_some(5);
	run("UPDATE saga SET due_at = '2200-01-01' WHERE key IN ('order-1', 'order-2')"); /* the bounds stay */
	set_due("now() + interval '1 hour'", "key = 'order-3'");
	set_due("now() - interval '1 minute'", "key = 'order-4'");
	set_due("NULL", "key = 'order-5'");
	run("UPDATE saga_open SET look_at = now() - interval '2 hours' WHERE saga_id IN"
	    " (SELECT saga_id FROM saga WHERE key IN ('order-1', 'order-2'))");
	page = due_page(0, 1, 10, &arena);
	assert_int_equal(page.count, 0);
	assert_true(page.has_more && page.now_us > 0);
	assert_int_equal(due_page(page.next_us, 2, 10, &arena).count, 0);
	page = due_page(page.next_us + 1, 2, 10, &arena);
	assert_int_equal(page.count, 1);
	assert_true(uuid_equal(page.items[0].saga_id, id_of(4)) && !page.has_more);
	arena_release(&arena);
}

/* All are at one moment: the walk goes on all the same. */
static void a_look_that_does_not_get_on_leaves_a_moment_behind(void **state)
{
	struct store_page page;
	struct arena arena;

	SKIP_WITHOUT_DATABASE;
	arena_init(&arena, 0);
	start_some(3);
	page = due_page(0, 2, 10, &arena);
	assert_true(page.count == 2 && page.has_more);
	page = due_page(page.next_us, 2, 10, &arena);
	assert_true(page.count == 2 && page.has_more);
	page = due_page(page.next_us, 2, 10, &arena);
	assert_true(page.count == 0 && !page.has_more);
	arena_release(&arena);
}

static void what_an_earlier_boot_left_is_near_or_patient(void **state)
{
	const int64_t far_us = INT64_C(4102444800000000);
	const struct store_left near = {"one", BOOT + 1, far_us, far_us};
	const struct store_left far = {"one", BOOT + 1, 0, INT64_MAX};
	const struct store_left both = {"one", BOOT + 1, far_us, INT64_MAX};
	struct store_page page;
	struct arena arena;

	SKIP_WITHOUT_DATABASE;
	arena_init(&arena, 0);
	start_some(5);
	set_due("'2200-01-01'", "key IN ('order-1', 'order-2')");
	set_due("NULL", "key = 'order-5'");
	run("UPDATE saga_open SET is_patient = true WHERE saga_id IN"
	    " (SELECT saga_id FROM saga WHERE key IN ('order-2', 'order-5'))");
	page = left_page(0, 10, &near, &arena);
	assert_true(page.count == 2 && !page.has_more);
	page = left_page(0, 10, &far, &arena);
	assert_true(page.count == 1 && !page.has_more); /* what is never due has nothing in flight */
	assert_true(uuid_equal(page.items[0].saga_id, id_of(2)));
	page = left_page(0, 10, &both, &arena);
	assert_true(page.count == 3 && !page.has_more);
	assert_int_equal(
		query_int("SELECT count(*) FROM pg_indexes WHERE indexname = 'saga_open_patient' AND schemaname ="
			  " current_schema()"),
		1);
	page = left_page(0, 1, &far, &arena);
	assert_true(page.count == 1 && page.has_more);
	page = left_page(page.next_us, 1, &far, &arena);
	assert_true(page.count == 1 && page.has_more);
	arena_release(&arena);
}

/* ---- the table of open sagas ---- */

static void undo_migration_of_open_rows(void)
{
	run("DROP TABLE saga_open; ALTER TABLE saga ADD is_open boolean; UPDATE saga SET is_open = ended_at IS NULL;"
	    "CREATE INDEX saga_open ON saga (saga_id) WHERE is_open;"
	    "DELETE FROM schema_migration WHERE name IN ('0016_open', '0017_open_patient')");
}

static void an_open_row_is_written_where_it_is_new_and_goes_at_the_end(void **state)
{
	struct change c;
	struct store_change change;

	SKIP_WITHOUT_DATABASE;
	start_ok(1, "k");
	assert_int_equal(query_int("SELECT count(*) FROM saga_open o JOIN saga s USING (saga_id) WHERE o.look_at ="
				   " s.due_at - interval '1 second' AND o.definition_id = 1 AND o.state = 1"
				   " AND NOT o.is_paused AND NOT o.is_patient"),
			 1);
	change = make_end(&c, 1, 1);
	change.state = SAGA_STATE_COMPENSATING;
	change.ended_us = 0;
	change.open_row = (struct open_row){INT64_MAX, 1, SAGA_STATE_COMPENSATING, true, true};
	commit_ok(&change, 1);
	assert_int_equal(query_int("SELECT count(*) FROM saga_open WHERE state = 1"),
			 1); /* it was not said to be new */
	change.expected_version = 2;
	change.version = 3;
	c.log.entry.sequence = 3;
	change.is_open_row_new = true;
	commit_ok(&change, 1);
	assert_int_equal(
		query_int("SELECT count(*) FROM saga_open WHERE look_at = 'infinity' AND is_paused AND is_patient"), 1);
	change = make_end(&c, 1, 3);
	commit_ok(&change, 1);
	assert_int_equal(query_int("SELECT count(*) FROM saga_open"), 0);
}

static void a_change_that_was_not_done_leaves_the_open_row(void **state)
{
	struct change c[2];
	struct store_change changes[2];

	SKIP_WITHOUT_DATABASE;
	start_ok(1, "k");
	start_ok(2, "l");
	changes[0] = make_end(&c[0], 1, 7); /* of a version that it does not have */
	changes[1] = make_end(&c[1], 2, 7);
	changes[1].ended_us = 0;
	changes[1].open_row = (struct open_row){INT64_MAX, 1, SAGA_STATE_STUCK, false, false};
	changes[1].is_open_row_new = true;
	commit_ok(changes, 2);
	changes[0] = make_start(&c[0], 3, "k"); /* of a key that there is */
	commit_ok(changes, 1);
	assert_int_equal(query_int("SELECT count(*) FROM saga_open WHERE state = 1"), 2);
	assert_int_equal(query_int("SELECT count(*) FROM saga_open"), 2);
}

static void a_row_comes_with_what_is_stored_of_it_while_it_is_open(void **state)
{
	const struct uuid ids[] = {id_of(1), id_of(2), id_of(3)};
	struct store_change change;
	struct store_row *rows;
	struct arena arena;
	struct change c;
	struct error err;
	size_t count;

	SKIP_WITHOUT_DATABASE;
	arena_init(&arena, 0);
	start_ok(1, "k");
	start_ok(2, "l");
	change = make_end(&c, 2, 1);
	commit_ok(&change, 1);
	change = make_start(&c, 3, "m");
	change.open_row = (struct open_row){INT64_MAX, 1, SAGA_STATE_RUNNING, true, true};
	commit_ok(&change, 1);
	ok(port.load(port.ctx, ids, 3, &arena, &rows, &count, &err), &err);
	assert_int_equal(count, 3);
	for (size_t i = 0; i < count; i++) {
		const struct open_row expected[] = {
			{TIME_US + 2 * (int64_t)SECOND_US, 1, SAGA_STATE_RUNNING, false, false}, {0}, change.open_row};
		const size_t number = rows[i].saga_id.data[15];

		assert_true(open_row_equals(&rows[i].open_row, &expected[number - 1]));
	}
	arena_release(&arena);
}

/* By programs of before, which had an index of that name. */
static void open_sagas_of_before_get_their_rows_by_the_upgrade(void **state)
{
	struct store_change change;
	struct change c;
	struct error err;

	SKIP_WITHOUT_DATABASE;
	start_some(4);
	change = make_end(&c, 4, 1);
	commit_ok(&change, 1);
	run("UPDATE saga SET due_at = NULL WHERE key = 'order-2'");
	run("UPDATE saga SET state = 6, is_paused = true WHERE key = 'order-3'");
	undo_migration_of_open_rows();
	ok(store_migrate(store, 5000, &err), &err);
	assert_int_equal(
		query_int("SELECT count(*) FROM saga_open o JOIN saga s USING (saga_id) WHERE o.definition_id = 1"
			  " AND o.look_at = coalesce(s.due_at, 'infinity') AND o.state = s.state"
			  " AND o.is_paused = s.is_paused AND o.is_patient = (s.due_at IS NOT NULL)"),
		3);
	assert_int_equal(query_int("SELECT count(*) FROM saga_open"), 3);
	change = make_end(&c, 1, 1);
	commit_ok(&change, 1);
	assert_int_equal(query_int("SELECT count(*) FROM saga_open"), 2);
}

static void *migrate(void *ret_err)
{
	_cleanup_(store_freep)
	struct store *other = store_new(own_conninfo);

	return store_migrate(other, 5000, ret_err) < 0 ? ret_err : NULL;
}

static bool is_waiting_for_a_table(void)
{
	return query_int("SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
			 " WHERE c.relname = 'saga' AND NOT l.granted") > 0;
}

/* A program of before that still runs commits while this one upgrades. */
static void a_saga_that_starts_during_the_upgrade_gets_its_row(void **state)
{
	_cleanup_(pg_freep)
	struct pg *before = pg_new(own_conninfo, "store_test");
	pthread_t thread;
	struct error err;
	void *failed;

	SKIP_WITHOUT_DATABASE;
	start_ok(1, "k");
	undo_migration_of_open_rows();
	ok(pg_begin(before, &err), &err);
	ok(pg_exec_script(before,
			  "INSERT INTO saga (saga_id, version, created_at, updated_at, sent_boot, definition_id, "
			  "state, is_open,"
			  " definition_name, key, idempotency_key, sent_by, input, data) SELECT"
			  " '01900000-0000-7000-8000-000000000002', 1, created_at, updated_at, 1, 1, 1, true, "
			  "'checkout', 'k2',"
			  " 'k2', 'old', '', '' FROM saga",
			  &err),
	   &err);
	assert_int_equal(pthread_create(&thread, NULL, migrate, &err), 0);
	for (int tries = 0; !is_waiting_for_a_table(); tries++) {
		assert_true(tries < 3000);
		(void)poll(NULL, 0, 10);
	}
	ok(pg_commit(before, NULL, &err), &err);
	assert_int_equal(pthread_join(thread, &failed), 0);
	ok(failed ? -1 : 0, &err);
	assert_int_equal(query_int("SELECT count(*) FROM saga_open"), 2);
}

static void the_views_speak_in_words(void **state)
{
	static const char *const statuses[SAGA_STATE_COUNT] = {
		[SAGA_STATE_SCHEDULED] = "RUNNING",    [SAGA_STATE_RUNNING] = "RUNNING",
		[SAGA_STATE_COMPLETING] = "RUNNING",   [SAGA_STATE_COMPLETED] = "COMPLETED",
		[SAGA_STATE_COMPENSATING] = "RUNNING", [SAGA_STATE_COMPENSATED] = "FAILED",
		[SAGA_STATE_STUCK] = "RUNNING",        [SAGA_STATE_FAILED] = "FAILED",
	};
	struct store_change change;
	struct change c;
	char sql[400];

	SKIP_WITHOUT_DATABASE;
	start_ok(1, "k");
	for (int i = 0; i < SAGA_STATE_COUNT; i++) {
		(void)snprintf(sql, sizeof(sql), "UPDATE saga SET state = %d", i);
		run(sql);
		(void)snprintf(sql, sizeof(sql),
			       "SELECT count(*) FROM sagas WHERE order_id = 'order-1' AND status = '%s' AND step = "
			       "'STARTED' AND state = '%s' AND definition_version = 1",
			       statuses[i], saga_state_name((enum saga_state)i));
		assert_int_equal(query_int(sql), 1);
	}
	for (int i = 0; i < SAGA_EVENT_COUNT; i++) {
		(void)snprintf(sql, sizeof(sql), "UPDATE saga_log SET event = %d, step = 'x', phase = %d", i, i % 2);
		run(sql);
		(void)snprintf(sql, sizeof(sql),
			       "SELECT count(*) FROM saga_events WHERE event = '%s' AND step_id = 'x' AND phase = '%s'"
			       " AND state = 'RUNNING'",
			       saga_event_name((enum saga_event_type)i), step_phase_name((enum step_phase)(i % 2)));
		assert_int_equal(query_int(sql), 1);
	}
	change = make_end(&c, 1, 1);
	commit_ok(&change, 1);
	assert_int_equal(query_int("SELECT count(*) FROM sagas WHERE status = 'FAILED' AND step = 'PAYMENT_FAILED'"),
			 1);
}

static void updates_are_hot(void **state)
{
	SKIP_WITHOUT_DATABASE;
	start_ok(1, "k");
	/* No index may contain a column that steps or ends change, neither as a key nor in its predicate. */
	assert_int_equal(
		query_int(
			"SELECT count(*) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid"
			" AND a.attnum = ANY(i.indkey) WHERE i.indrelid = 'saga'::regclass AND a.attname IN"
			" ('version', 'updated_at', 'due_at', 'ended_at', 'state', 'milestone', 'data', 'sent_boot')"),
		0);
	assert_int_equal(
		query_int("SELECT count(*) FROM pg_indexes WHERE tablename = 'saga' AND schemaname ="
			  " current_schema() AND indexdef ~ 'WHERE.*(version|updated_at|due_at|ended_at|state)'"),
		0);
}

#define END_CONNECTIONS                                                                                                \
	"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'saga-coordinator'"

#define COUNT_OF_INDEXES(what)                                                                                         \
	"SELECT sum(" what                                                                                             \
	")::bigint FROM pg_stat_user_indexes WHERE relname IN ('saga', 'saga_open') AND schemaname = current_schema()"
#define ROWS_READ COUNT_OF_INDEXES("idx_tup_read")
#define OTHER_SCANS                                                                                                    \
	COUNT_OF_INDEXES("idx_scan")                                                                                   \
	" AND indexrelname IN ('saga_key', 'saga_open_look')" /* the first has the id as its second column */

/* The first plan of this session is made while the table says that it is empty. */
static void a_change_reads_its_own_saga_alone_whenever_the_plan_was_made(void **state)
{
	struct change c;
	struct store_change change;
	int64_t rows_before;
	int64_t scans_before;

	SKIP_WITHOUT_DATABASE;
	run("VACUUM saga");
	run("VACUUM saga_open");
	run(END_CONNECTIONS);
	start_ok(1, "k");
	start_ok(2, "l");
	change = make_end(&c, 2, 1);
	commit_ok(&change, 1);
	run("INSERT INTO saga (saga_id, definition_id, definition_name, key, idempotency_key, input, state, version, "
	    "data,"
	    " created_at, updated_at, sent_by, sent_boot)"
	    " SELECT gen_random_uuid(), 1, 'checkout', 'k', n, '', 0, 1, '', now(), now(), 'one', 1"
	    " FROM generate_series(1, 5000) n");
	run("INSERT INTO saga_open SELECT saga_id, now(), 1, 0, false, false FROM saga WHERE key = 'k'");
	rows_before = query_int(ROWS_READ);
	scans_before = query_int(OTHER_SCANS);
	change = make_end(&c, 1, 1);
	commit_ok(&change, 1);
	assert_int_equal(change.outcome, STORE_OUTCOME_DONE);
	run(END_CONNECTIONS); /* with what they have counted */
	assert_in_range(query_int(ROWS_READ) - rows_before, 1, 10);
	assert_int_equal(query_int(OTHER_SCANS), scans_before);
}

/* A key may have had many sagas, and many events may come at once. */
static void events_of_one_key_read_its_sagas_once(void **state)
{
	struct store_waiting waiting[20];
	struct store_match *matches;
	struct arena arena;
	struct error err;
	int64_t rows_before;
	unsigned indexes = 0;
	size_t count;

	SKIP_WITHOUT_DATABASE;
	arena_init(&arena, 0);
	start_ok(1, "k");
	run("INSERT INTO saga (saga_id, definition_id, definition_name, key, idempotency_key, input, state, version, "
	    "data,"
	    " created_at, updated_at, ended_at, sent_by, sent_boot)"
	    " SELECT gen_random_uuid(), 1, 'checkout', CASE WHEN n > 20000 THEN 'order-1' ELSE n::text END, n, '', 0, "
	    "1, '',"
	    " now(), now(), CASE WHEN n > 20000 THEN now() END, 'one', 1 FROM generate_series(1, 21000) n");
	run("ANALYZE saga");
	run(END_CONNECTIONS);
	rows_before = query_int(ROWS_READ);
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
		waiting[i] = (struct store_waiting){i % 2 ? "other" : "checkout", "order-1"};
	ok(port.find_waiting(port.ctx, waiting, ARRAY_LEN(waiting), &arena, &matches, &count, &err), &err);
	assert_int_equal(count, ARRAY_LEN(waiting) / 2);
	for (size_t i = 0; i < count; i++) {
		assert_true(uuid_equal(matches[i].saga_id, id_of(1)));
		assert_int_equal(matches[i].index % 2, 0);
		indexes |= 1u << matches[i].index;
	}
	assert_int_equal(indexes, 0x55555);                           /* each of them once */
	run(END_CONNECTIONS);                                         /* with what they have counted */
	assert_in_range(query_int(ROWS_READ) - rows_before, 0, 2100); /* for each name */
	arena_release(&arena);
}

static void a_connection_that_the_server_ended_costs_no_commit(void **state)
{
	SKIP_WITHOUT_DATABASE;
	start_ok(1, "k");
	run(END_CONNECTIONS);
	start_ok(2, "l");
}

static void a_server_that_is_away_is_unknown_and_unavailable(void **state)
{
	struct store *away = store_new("host=127.0.0.1 port=1 user=nobody");
	struct store_port away_port = store_saga_port(away);
	struct change c;
	struct store_change change = make_start(&c, 1, "k");
	struct store_commit batch = {.instance = "one", .changes = &change, .count = 1};
	struct error err;
	int64_t now_us;

	(void)state;
	away_port.commit_begin(away_port.ctx, 0, &batch);
	assert_int_equal(away_port.commit_end(away_port.ctx, 0, &err), STORE_UNKNOWN);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_int_equal(away_port.now(away_port.ctx, &now_us, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	store_free(away);
}

static void paused_sagas_are_listed_alone_and_found_again_by_an_upgrade(void **state)
{
	const struct list_request request = {.filter = {.is_paused = true}, .limit = 10};
	struct read_port reads = store_read_port(store);
	struct store_change change;
	struct list_page page;
	struct arena arena;
	struct change c;
	struct error err;

	SKIP_WITHOUT_DATABASE;
	arena_init(&arena, 0);
	start_ok(1, "k");
	start_ok(2, "l");
	change = make_end(&c, 2, 1);
	change.state = SAGA_STATE_RUNNING;
	change.ended_us = 0;
	change.is_paused = true;
	c.log.entry.event.type = SAGA_EVENT_PAUSED;
	commit_ok(&change, 1);
	assert_int_equal(query_int("SELECT count(*) FROM saga WHERE is_paused"), 1);
	undo_migration_of_open_rows();
	run("ALTER TABLE saga DROP COLUMN is_paused; DELETE FROM schema_migration WHERE name LIKE '%_saga_paused'");
	ok(store_migrate(store, 5000, &err), &err);
	assert_int_equal(query_int("SELECT count(*) FROM saga WHERE is_paused AND key = 'order-2'"), 1);
	assert_int_equal(query_int("SELECT count(*) FROM saga WHERE is_paused"), 1);
	assert_int_equal(query_int("SELECT count(*) FROM saga_open WHERE is_paused"), 1);
	run("UPDATE saga_open SET is_paused = false");
	ok(reads.list(reads.ctx, &request, &arena, &page, &err), &err);
	assert_int_equal(page.count, 0);
	arena_release(&arena);
}

static void definitions_get_gapless_versions_and_ids(void **state)
{
	struct plan_pin pins[] = {{"a-value", 2, 17}, {"b\"-value", 1, 18}};
	struct stored_definition definition = {.name = "other", .source = "one", .pins = pins, .pin_count = 2};
	struct definition_port definitions;
	struct stored_definition *loaded;
	struct arena arena;
	struct error err;
	int64_t created_us;
	int32_t id, version;
	size_t count;
	bool is_new;

	SKIP_WITHOUT_DATABASE;
	definitions = store_definition_port(store);
	ok(definitions.put(definitions.ctx, &definition, &id, &version, &created_us, &is_new, &err), &err);
	assert_true(is_new && id == 2 && version == 1);
	definition.creator = "ann";
	ok(definitions.put(definitions.ctx, &definition, &id, &version, &created_us, &is_new, &err), &err);
	assert_true(!is_new && id == 2 && version == 1);
	definition.source = "two";
	ok(definitions.put(definitions.ctx, &definition, &id, &version, &created_us, &is_new, &err), &err);
	assert_true(is_new && id == 3 && version == 2);
	definition.source = "one"; /* not the newest any more */
	definition.creator = NULL;
	ok(definitions.put(definitions.ctx, &definition, &id, &version, &created_us, &is_new, &err), &err);
	assert_true(is_new && id == 4 && version == 3);
	arena_init(&arena, 0);
	ok(definitions.load(definitions.ctx, 2, &arena, &loaded, &count, &err), &err);
	assert_int_equal(count, 2);
	assert_int_equal(loaded[0].id, 3);
	assert_string_equal(loaded[0].source, "two");
	assert_string_equal(loaded[0].creator, "ann");
	assert_null(loaded[1].creator);
	assert_int_equal(loaded[1].version, 3);
	assert_int_equal(loaded[1].pin_count, 2);
	assert_string_equal(loaded[1].pins[1].subject, "b\"-value");
	assert_int_equal(loaded[1].pins[0].version, 2);
	assert_int_equal(loaded[1].pins[0].schema_id, 17);
	assert_int_equal(loaded[1].created_us, created_us);
	arena_release(&arena);
}

/* ---- the feed, and lists ---- */

static struct feed_bounds bounds_of(const struct read_port *reads)
{
	struct feed_bounds bounds = {0};
	struct error err;

	ok(reads->bounds(reads->ctx, &bounds, &err), &err);
	return bounds;
}

static void the_feed_waits_for_transactions_that_are_still_under_way(void **state)
{
	struct read_port reads = store_read_port(store);
	_cleanup_(pg_freep)
	struct pg *other = pg_new(own_conninfo, "store_test");
	struct feed_bounds begun;
	struct feed_bounds bounds;
	struct feed_query query;
	struct feed_entry *entries;
	struct arena arena;
	struct error err;
	size_t count;

	SKIP_WITHOUT_DATABASE;
	arena_init(&arena, 0);
	begun = bounds_of(&reads);
	ok(pg_begin(other, &err), &err); /* another coordinator, whose number is drawn first and which commits last */
	ok(pg_exec(other,
		   "INSERT INTO saga_feed (xid, saga_ids, firsts, lasts, states) SELECT"
		   " pg_current_xact_id()::text::bigint, ARRAY['01900000-0000-7000-8000-0000000000ff'::uuid],"
		   " ARRAY[1::bigint], ARRAY[1::bigint], ARRAY[1::smallint]",
		   NULL, 0, NULL, &err),
	   &err);
	start_ok(1, "key-1");
	bounds = bounds_of(&reads);
	assert_true(bounds.horizon >= begun.horizon && bounds.horizon < bounds.ceiling);
	query = (struct feed_query){{begun.horizon - 1, INT64_MAX}, bounds.horizon, 10, false};
	ok(reads.feed(reads.ctx, &query, &arena, &entries, &count, &err), &err);
	assert_int_equal(count, 0); /* what is committed is above what is not */
	ok(pg_commit(other, NULL, &err), &err);
	bounds = bounds_of(&reads);
	query = (struct feed_query){{begun.horizon - 1, INT64_MAX}, bounds.horizon, 10, false};
	ok(reads.feed(reads.ctx, &query, &arena, &entries, &count, &err), &err);
	assert_int_equal(count, 2);
	assert_true(uuid_equal(entries[0].saga_id, id_of(255)));
	assert_true(uuid_equal(entries[1].saga_id, id_of(1)));
	assert_int_equal(entries[1].first, 1);
	assert_int_equal(entries[1].last, 1);
	assert_int_equal(entries[1].state, SAGA_STATE_RUNNING);
	query.after = entries[0].position;
	ok(reads.feed(reads.ctx, &query, &arena, &entries, &count, &err), &err);
	assert_int_equal(count, 1); /* a position may be anywhere */
	arena_release(&arena);
}

static void the_feed_leaves_out_what_is_no_outcome_on_request(void **state)
{
	struct read_port reads = store_read_port(store);
	struct change c;
	struct store_change change;
	struct feed_query query = {.limit = 10, .outcomes_only = true};
	struct feed_entry *entries;
	struct arena arena;
	struct error err;
	size_t count;

	SKIP_WITHOUT_DATABASE;
	arena_init(&arena, 0);
	query.after = (struct feed_position){bounds_of(&reads).horizon - 1, INT64_MAX};
	start_ok(1, "key-1");
	start_ok(2, "key-2");
	change = make_end(&c, 2, 1);
	commit_ok(&change, 1);
	query.horizon = bounds_of(&reads).horizon;
	ok(reads.feed(reads.ctx, &query, &arena, &entries, &count, &err), &err);
	assert_int_equal(count, 1);
	assert_true(uuid_equal(entries[0].saga_id, id_of(2)));
	assert_int_equal(entries[0].state, SAGA_STATE_COMPENSATED);
	query.outcomes_only = false;
	ok(reads.feed(reads.ctx, &query, &arena, &entries, &count, &err), &err);
	assert_int_equal(count, 3);
	arena_release(&arena);
}

/* Three sagas that are there, and what is wanted of the feed after them. */
static struct feed_query feed_after_three_starts(const struct read_port *reads)
{
	for (uint8_t i = 1; i <= 3; i++)
		start_ok(i, (const char *[]){"key-1", "key-2", "key-3"}[i - 1]);
	return (struct feed_query){.after = {bounds_of(reads).horizon - 1, INT64_MAX}, .limit = 10};
}

/* The feed has what is done of these, all of one transaction, each where it says. */
static void assert_places_in_feed(const struct read_port *reads, struct feed_query *query,
				  const struct store_change *changes, size_t change_count)
{
	struct feed_entry *entries;
	struct arena arena;
	struct error err;
	int64_t *xids;
	size_t count;
	size_t done = 0;

	arena_init(&arena, 0);
	query->horizon = bounds_of(reads).horizon;
	ok(reads->feed(reads->ctx, query, &arena, &entries, &count, &err), &err);
	for (size_t i = 0; i < change_count; i++) {
		const struct feed_entry *entry;

		if (changes[i].outcome != STORE_OUTCOME_DONE)
			continue;
		done++;
		assert_in_range(changes[i].feed_index, 1, count);
		entry = &entries[changes[i].feed_index - 1];
		assert_int_equal(changes[i].feed_xid, entry->position.xid);
		assert_int_equal(entry->position.index, changes[i].feed_index);
		assert_true(uuid_equal(entry->saga_id, changes[i].saga_id));
		assert_int_equal(entry->first, changes[i].start ? 1 : changes[i].expected_version + 1);
		assert_int_equal(entry->last, changes[i].version);
		assert_int_equal(entry->state, changes[i].state);
	}
	assert_int_equal(done, count);
	ok(reads->feed_xids(reads->ctx, query->after.xid + 1, query->horizon, 10, &arena, &xids, &count, &err), &err);
	assert_int_equal(count, 1);
	assert_int_equal(xids[0], entries[0].position.xid);
	arena_release(&arena);
}

static void a_commit_says_where_the_feed_has_its_changes(void **state)
{
	struct read_port reads = store_read_port(store);
	struct change c[4];
	struct store_change changes[4];
	struct feed_query query;

	SKIP_WITHOUT_DATABASE;
	query = feed_after_three_starts(&reads);
	changes[0] = make_end(&c[0], 1, 1);
	changes[1] = make_start(&c[1], 4, "key-4");
	changes[2] = make_end(&c[2], 3, 1);
	changes[3] = make_start(&c[3], 5, "key-5");
	commit_ok(changes, ARRAY_LEN(changes));
	assert_places_in_feed(&reads, &query, changes, ARRAY_LEN(changes));
	assert_int_equal(query_int("SELECT count(*) FROM saga_log"), 7);
	assert_int_equal(query_int("SELECT count(*) FROM saga_open"), 3);
}

static void a_commit_in_which_some_cannot_be_done_does_the_others(void **state)
{
	struct read_port reads = store_read_port(store);
	struct change c[6];
	struct store_change changes[6];
	struct feed_query query;

	SKIP_WITHOUT_DATABASE;
	query = feed_after_three_starts(&reads);
	changes[0] = make_end(&c[0], 1, 1);
	changes[1] = make_end(&c[1], 2, 7); /* of another version */
	changes[2] = make_end(&c[2], 3, 1);
	changes[3] = make_start(&c[3], 4, "key-4");
	changes[4] = make_start(&c[4], 5, "key-2"); /* is there */
	changes[5] = make_start(&c[5], 6, "key-6");
	commit_ok(changes, ARRAY_LEN(changes));
	assert_int_equal(changes[1].outcome, STORE_OUTCOME_CONFLICT);
	assert_int_equal(changes[4].outcome, STORE_OUTCOME_CONFLICT);
	assert_places_in_feed(&reads, &query, changes, ARRAY_LEN(changes));
	assert_int_equal(query_int("SELECT count(*) FROM saga_log"), 7);
	assert_int_equal(query_int("SELECT count(*) FROM saga_open"), 3);
}

/* Also what was undone. */
#define ROWS_INSERTED                                                                                                  \
	"SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'saga' AND schemaname = current_schema()"

/* Each try that the database undoes is work for nothing. */
static void repeated_starts_are_tried_in_hope_once(void **state)
{
	struct change c[2];
	struct store_change changes[2];
	int64_t before;

	SKIP_WITHOUT_DATABASE;
	start_ok(1, "k");
	run(END_CONNECTIONS);
	before = query_int(ROWS_INSERTED);
	for (uint8_t i = 2; i < 12; i++) {
		changes[0] = make_start(&c[0], 1, "k");
		changes[1] = make_start(&c[1], i, (char[]){'n', (char)('a' + i), 0});
		commit_ok(changes, ARRAY_LEN(changes));
		assert_int_equal(changes[0].outcome, STORE_OUTCOME_CONFLICT);
		assert_int_equal(changes[1].outcome, STORE_OUTCOME_DONE);
	}
	run(END_CONNECTIONS); /* with what they have counted */
	assert_int_equal(query_int(ROWS_INSERTED) - before, 10 + 1);
	assert_int_equal(query_int("SELECT count(*) FROM saga_log"), 11);
}

static void commits_on_two_lanes_know_nothing_of_each_other(void **state)
{
	struct change c[3];
	struct store_change first[2] = {make_start(&c[0], 1, "key-1"), make_start(&c[1], 3, "key-3")};
	struct store_change second[1] = {make_start(&c[2], 2, "key-2")};
	struct store_commit commits[] = {
		{.instance = "one", .boot = BOOT, .changes = first, .count = 2},
		{.instance = "one", .boot = BOOT, .changes = second, .count = 1},
	};
	struct error err;

	SKIP_WITHOUT_DATABASE;
	for (int lane = 0; lane < 2; lane++)
		port.commit_begin(port.ctx, lane, &commits[lane]);
	for (int lane = 1; lane >= 0; lane--)
		assert_int_equal(port.commit_end(port.ctx, lane, &err), STORE_COMMITTED);
	assert_int_equal(first[0].outcome, STORE_OUTCOME_DONE);
	assert_int_equal(first[1].outcome, STORE_OUTCOME_DONE);
	assert_int_equal(second[0].outcome, STORE_OUTCOME_DONE);
	assert_int_not_equal(first[0].feed_xid, second[0].feed_xid);
	assert_int_equal(query_int("SELECT count(*) FROM saga"), 3);
	/* A statement that is refused on one lane says so there. */
	second[0] = make_start(&c[2], 4, "key-4");
	second[0].start = &(struct store_start){.definition_name = "\xff", .key = "k", .idempotency_key = "k"};
	first[0] = make_start(&c[0], 5, "key-5");
	commits[0].count = 1;
	for (int lane = 0; lane < 2; lane++)
		port.commit_begin(port.ctx, lane, &commits[lane]);
	assert_int_equal(port.commit_end(port.ctx, 0, &err), STORE_COMMITTED);
	assert_int_equal(port.commit_end(port.ctx, 1, &err), STORE_REFUSED);
}

static void a_change_that_met_another_version_is_not_in_the_feed(void **state)
{
	struct change c;
	struct store_change change;

	SKIP_WITHOUT_DATABASE;
	start_ok(1, "key-1");
	change = make_end(&c, 1, 7);
	commit_ok(&change, 1);
	assert_int_equal(change.outcome, STORE_OUTCOME_CONFLICT);
	assert_int_equal(query_int("SELECT count(*) FROM saga_feed"), 1);
}

static void trimming_forgets_what_is_old_and_raises_the_floor(void **state)
{
	struct read_port reads = store_read_port(store);
	struct feed_bounds bounds;
	bool has_more = true;
	struct error err;

	SKIP_WITHOUT_DATABASE;
	start_ok(1, "key-1");
	run("UPDATE saga_feed SET at = now() - interval '2 days'");
	start_ok(2, "key-2");
	ok(reads.trim(reads.ctx, DAY_MS, &has_more, &err), &err);
	assert_false(has_more);
	assert_int_equal(query_int("SELECT count(*) FROM saga_feed"), 1);
	bounds = bounds_of(&reads);
	assert_true(bounds.floor > 0 && bounds.floor < query_int("SELECT xid FROM saga_feed"));
}

static void trimming_says_that_it_has_left_something_old(void **state)
{
	struct read_port reads = store_read_port(store);
	bool has_more = false;
	struct error err;

	SKIP_WITHOUT_DATABASE;
	run("INSERT INTO saga_feed (xid, saga_ids, firsts, lasts, states, at)"
	    " SELECT -i, '{}', '{}', '{}', '{}', now() - interval '2 days' FROM generate_series(1, 10001) i");
	ok(reads.trim(reads.ctx, DAY_MS, &has_more, &err), &err);
	assert_true(has_more);
	ok(reads.trim(reads.ctx, DAY_MS, &has_more, &err), &err);
	assert_false(has_more);
	assert_int_equal(query_int("SELECT count(*) FROM saga_feed"), 0);
}

/* Sagas whose bytes are the core's, as lists read them. */
static void start_real(uint8_t number, const char *idempotency_key, const struct engine_label *label)
{
	const struct step_definition steps[] = {{.id = "a", .policy = {COMMAND_POLICY_DEFAULTS[STEP_PHASE_FORWARD]}}};
	const struct definition definition = {.name = "checkout", .version = 1, .steps = steps, .step_count = 1};
	struct change c;
	struct store_change change = make_start(&c, number, idempotency_key);
	struct saga_effects effects = {0};
	struct saga_event event;
	struct buffer data = {0};
	struct arena arena;

	arena_init(&arena, 0);
	saga_encode(saga_start(&definition, id_of(number), TIME_US, &arena, &event, &effects), &data);
	change.data = buffer_bytes(&data);
	c.start.labels = label;
	c.start.label_count = label ? 1 : 0;
	commit_ok(&change, 1);
	buffer_release(&data);
	arena_release(&arena);
}

static struct list_page list_of(const struct list_request *request, struct arena *arena)
{
	struct read_port reads = store_read_port(store);
	struct list_page page = {0};
	struct error err;

	ok(reads.list(reads.ctx, request, arena, &page, &err), &err);
	return page;
}

/* Of the five that have just been started. */
static void open_sagas_are_listed_by_their_table(struct arena *arena)
{
	struct list_request request = {.limit = 2, .filter.states = 1u << SAGA_STATE_RUNNING};
	struct list_page page = list_of(&request, arena);

	assert_true(page.count == 2 && page.has_more && uuid_equal(page.items[0].saga.id, id_of(5)));
	request.has_after = true;
	request.after = page.last;
	request.limit = 3;
	page = list_of(&request, arena);
	assert_true(page.count == 3 && !page.has_more && uuid_equal(page.items[2].saga.id, id_of(1)));
	request =
		(struct list_request){.limit = 10, .is_oldest_first = true, .filter.states = 1u << SAGA_STATE_RUNNING};
	request.filter.definition = "checkout";
	request.filter.definition_version = 1;
	page = list_of(&request, arena);
	assert_true(page.count == 5 && !page.has_more && uuid_equal(page.items[0].saga.id, id_of(1)));
	request.filter.definition_version = 2;
	assert_int_equal(list_of(&request, arena).count, 0);
	request.filter.definition_version = 0;
	run("DELETE FROM saga_open WHERE saga_id = (SELECT saga_id FROM saga WHERE key = 'order-3')");
	assert_int_equal(list_of(&request, arena).count, 4);
}

static void lists_are_in_order_and_in_pages_and_as_the_filter_says(void **state)
{
	const struct engine_label label = {"shop", "north"};
	struct list_request request = {.limit = 2};
	struct list_page page;
	struct arena arena;
	char key[16];

	SKIP_WITHOUT_DATABASE;
	arena_init(&arena, 0);
	for (uint8_t number = 1; number <= 5; number++) {
		(void)snprintf(key, sizeof(key), "key-%d", number);
		start_real(number, key, number == 4 ? &label : NULL);
	}
	page = list_of(&request, &arena);
	assert_int_equal(page.count, 2);
	assert_true(page.has_more && uuid_equal(page.last, id_of(4)));
	assert_true(uuid_equal(page.items[0].saga.id, id_of(5)));
	request.has_after = true;
	request.after = page.last;
	request.limit = 10;
	page = list_of(&request, &arena);
	assert_int_equal(page.count, 3);
	assert_false(page.has_more);
	request = (struct list_request){.limit = 10, .is_oldest_first = true, .filter.key = "order-2"};
	page = list_of(&request, &arena);
	assert_int_equal(page.count, 1);
	assert_string_equal(page.items[0].definition, "checkout");
	assert_string_equal(page.items[0].saga.milestone, "STARTED");
	request = (struct list_request){.limit = 10, .filter = {.labels = &label, .label_count = 1}};
	page = list_of(&request, &arena);
	assert_int_equal(page.count, 1);
	assert_string_equal(page.items[0].labels[0].value, "north");
	request = (struct list_request){.limit = 10, .filter.states = 1u << SAGA_STATE_STUCK};
	assert_int_equal(list_of(&request, &arena).count, 0);
	open_sagas_are_listed_by_their_table(&arena);
	request = (struct list_request){.limit = 10, .created.before_us = TIME_US};
	assert_int_equal(list_of(&request, &arena).count, 0);
	request = (struct list_request){.limit = 10, .created.from_us = TIME_US, .filter.definition_version = 1};
	assert_int_equal(list_of(&request, &arena).count, 5);
	arena_release(&arena);
}

struct flicker {
	atomic_bool must_stop;
	pthread_t thread;
};

#define FLICKERING_ID "'01900000-0000-7000-7000-000000000001'"

/* An open saga ends, and is there again, over and over. */
static void *flicker(void *ctx)
{
	struct flicker *flickering = ctx;
	_cleanup_(pg_freep)
	struct pg *pg = pg_new(own_conninfo, "store_test");
	struct error err;

	ok(pg_exec_script(pg, "SET synchronous_commit = off", &err), &err);
	while (!atomic_load(&flickering->must_stop)) {
		ok(pg_exec_script(pg, "DELETE FROM saga_open WHERE saga_id = " FLICKERING_ID, &err), &err);
		ok(pg_exec_script(pg,
				  "INSERT INTO saga_open VALUES (" FLICKERING_ID ", 'infinity', 1, 1, false, false)",
				  &err),
		   &err);
	}
	return NULL;
}

/* In front of the one that is looked for are as many as one call looks at, or one less. */
static void a_list_passes_over_nothing_while_sagas_end(void **state)
{
	const struct list_request request = {
		.filter = {.states = 1u << SAGA_STATE_STUCK}, .is_oldest_first = true, .limit = 10};
	struct flicker flickering = {.must_stop = false};
	struct arena arena;

	SKIP_WITHOUT_DATABASE;
	arena_init(&arena, 0);
	start_real(255, "k", NULL);
	run("UPDATE saga SET state = 6; UPDATE saga_open SET state = 6;"
	    "INSERT INTO saga_open SELECT ('01900000-0000-7000-7000-' || lpad(to_hex(n), 12, '0'))::uuid, 'infinity', "
	    "1, 1,"
	    " false, false FROM generate_series(1, 10000) AS n");
	assert_int_equal(pthread_create(&flickering.thread, NULL, flicker, &flickering), 0);
	for (int i = 0; i < 100; i++) {
		struct list_page page = list_of(&request, &arena);

		assert_true(page.count == 1 || (page.has_more && uuid_compare(page.last, id_of(255)) < 0));
		arena_clear(&arena);
	}
	atomic_store(&flickering.must_stop, true);
	assert_int_equal(pthread_join(flickering.thread, NULL), 0);
	arena_release(&arena);
}

enum { COPIES = 7000 };

/* So many like it, with lesser ids; every third has the label shop: north, one of them shop: south. The last one is stuck. */
static void copy_saga(uint8_t number)
{
	char sql[1200];

	(void)snprintf(
		sql, sizeof(sql),
		"INSERT INTO saga (saga_id, version, created_at, updated_at, ended_at, sent_boot, definition_id, state,"
		" definition_name, key, idempotency_key, milestone, sent_by, labels, input, data)"
		" SELECT id, version, created_at, updated_at, now(), sent_boot, definition_id,"
		" CASE n WHEN 1 THEN 6 ELSE state END, definition_name, key, n::text, milestone, sent_by,"
		" CASE WHEN n = 100 THEN '{\"shop\":\"south\"}'::jsonb"
		" WHEN n %% 3 = 0 THEN '{\"shop\":\"north\"}'::jsonb END, input,"
		" overlay(data PLACING uuid_send(id) FROM position(uuid_send(saga_id) IN data))"
		" FROM saga, generate_series(1, %d) AS n,"
		" LATERAL (SELECT ('01900000-0000-7000-7000-' || lpad(to_hex(n), 12, '0'))::uuid AS id) AS made"
		" WHERE key = 'order-%d'",
		COPIES, number);
	run(sql);
}

/* All pages. */
static size_t count_listed(struct list_request request, size_t *ret_pages)
{
	struct list_page page = {.has_more = true};
	struct arena arena;
	size_t count = 0;

	arena_init(&arena, 0);
	for (*ret_pages = 0; page.has_more; ++*ret_pages) {
		struct uuid last = request.after;

		page = list_of(&request, &arena);
		for (size_t i = 0; i < page.count; i++) {
			const int order = uuid_compare(page.items[i].saga.id, last);

			assert_true((count == 0 && i == 0) || (request.is_oldest_first ? order > 0 : order < 0));
			last = page.items[i].saga.id;
		}
		count += page.count;
		request.has_after = true;
		request.after = page.last;
		arena_clear(&arena);
	}
	arena_release(&arena);
	return count;
}

static void a_page_under_a_key_is_bounded_by_what_it_looks_at(void **state)
{
	struct list_request request = {.limit = 10, .filter = {.key = "order-255", .states = 1u << SAGA_STATE_STUCK}};
	struct list_page page;
	struct arena arena;
	size_t pages;

	SKIP_WITHOUT_DATABASE;
	arena_init(&arena, 0);
	start_real(255, "k", NULL);
	copy_saga(255);
	page = list_of(&request, &arena);
	assert_true(page.count == 0 && page.has_more);
	assert_int_equal(count_listed(request, &pages), 1);
	assert_int_equal(pages, 2);
	request.filter.states = 0;
	request.limit = 3000;
	assert_int_equal(count_listed(request, &pages), COPIES + 1);
	assert_int_equal(pages, 3);
	request.is_oldest_first = true;
	assert_int_equal(count_listed(request, &pages), COPIES + 1);
	request.filter.key = "order-25";
	assert_int_equal(count_listed(request, &pages), 0);
	arena_release(&arena);
}

static void labels_of_many_and_of_few_are_listed_alike(void **state)
{
	struct engine_label label = {"shop", "north"};
	struct list_request request = {.limit = 1000, .filter = {.labels = &label, .label_count = 1}};
	size_t pages;

	SKIP_WITHOUT_DATABASE;
	start_real(255, "k", NULL);
	copy_saga(255);
	for (int i = 0; i < 2; i++) {
		request.is_oldest_first = i > 0;
		label.value = "north";
		assert_int_equal(count_listed(request, &pages), COPIES / 3);
		label.value = "south";
		assert_int_equal(count_listed(request, &pages), 1);
		assert_int_equal(pages, 1); /* by the label's index */
		label.value = "west";
		assert_int_equal(count_listed(request, &pages), 0);
	}
}

static struct feed_snapshot beginning(const struct saga_filter *filter, const struct uuid *after, size_t limit,
				      struct arena *arena)
{
	struct read_port reads = store_read_port(store);
	struct feed_snapshot snapshot = {0};
	struct error err;

	ok(reads.snapshot(reads.ctx, filter, after, limit, arena, &snapshot, &err), &err);
	assert_true(snapshot.xmin > 0 && snapshot.xmax >= snapshot.xmin);
	return snapshot;
}

static void the_open_sagas_of_a_stream_come_in_pages(void **state)
{
	const struct engine_label label = {"shop", "north"};
	struct feed_snapshot page;
	struct store_change change;
	struct change c;
	struct arena arena;
	char key[16];

	SKIP_WITHOUT_DATABASE;
	arena_init(&arena, 0);
	for (uint8_t number = 1; number <= 5; number++) {
		(void)snprintf(key, sizeof(key), "key-%d", number);
		start_real(number, key, number > 3 ? &label : NULL);
	}
	change = make_end(&c, 2, 1);
	commit_ok(&change, 1);
	page = beginning(&(struct saga_filter){0}, NULL, 3, &arena);
	assert_true(page.count == 3 && page.has_more && uuid_equal(page.items[2].saga.id, id_of(4)));
	page = beginning(&(struct saga_filter){0}, &page.last, 3, &arena);
	assert_true(page.count == 1 && !page.has_more && uuid_equal(page.items[0].saga.id, id_of(5)));
	page = beginning(&(struct saga_filter){.labels = &label, .label_count = 1}, NULL, 10, &arena);
	assert_true(page.count == 2 && !page.has_more && uuid_equal(page.items[0].saga.id, id_of(4)));
	page = beginning(&(struct saga_filter){.key = "order-2"}, NULL, 10, &arena);
	assert_true(page.count == 0 && !page.has_more);
	page = beginning(&(struct saga_filter){.states = 1u << SAGA_STATE_COMPENSATED}, NULL, 10, &arena);
	assert_true(page.count == 0 && !page.has_more);
	arena_release(&arena);
}

/* The one that fits is behind more than one statement looks at. */
static void a_page_of_open_sagas_is_bounded_by_what_it_looks_at(void **state)
{
	const struct saga_filter filter = {.definition = "checkout", .is_paused = true};
	struct feed_snapshot page;
	struct arena arena;
	int pages = 1;

	SKIP_WITHOUT_DATABASE;
	arena_init(&arena, 0);
	start_real(255, "k", NULL);
	run("UPDATE saga SET is_paused = true; UPDATE saga_open SET is_paused = true;"
	    "INSERT INTO saga_open SELECT ('01900000-0000-7000-7000-' || lpad(to_hex(n), 12, '0'))::uuid, 'infinity', "
	    "1, 1, false, false FROM generate_series(1, 25000) AS n");
	page = beginning(&filter, NULL, 500, &arena);
	assert_true(page.count == 0 && page.has_more);
	for (; page.has_more; pages++) {
		const struct uuid last = page.last;

		page = beginning(&filter, &last, 500, &arena);
		assert_true(!page.has_more || uuid_compare(page.last, last) > 0);
	}
	assert_int_equal(pages, 3);
	assert_int_equal(page.count, 1);
	arena_release(&arena);
}

/* ---- the schema of this run ---- */

/* ---- leaving ---- */

static int64_t keep_until(int64_t time_us)
{
	return (query_int("SELECT (extract(epoch FROM now()) * 1000000)::bigint") - time_us) / 1000;
}

static void finished_sagas_leave_with_their_logs_and_others_stay(void **state)
{
	const struct retention_port retention = store_retention_port(store);
	struct change c = {0};
	struct store_change end;
	struct leaving_page page;
	struct arena arena;
	int64_t removed;
	struct error err;

	(void)state;
	if (!conninfo)
		skip();
	start_ok(1, "one");
	start_ok(2, "two");
	start_ok(3, "three");
	end = make_end(&c, 2, 1);
	commit_ok(&end, 1);
	end = make_end(&c, 3, 1);
	commit_ok(&end, 1);
	run("UPDATE saga SET ended_at = now() WHERE key = 'order-3'");
	arena_init(&arena, 0);
	ok(retention.find(retention.ctx, (struct uuid){{0}}, keep_until(TIME_US) / 2, &arena, &page, &err), &err);
	assert_int_equal(page.count, 1);
	assert_true(uuid_equal(page.items[0].id, id_of(2)));
	assert_true(page.items[0].late_ms > 0);
	assert_false(page.has_more);

	page.items[0].version--; /* it is not as it was found */
	ok(retention.remove(retention.ctx, page.items, 1, &removed, &err), &err);
	assert_int_equal(removed, 0);
	assert_int_equal(query_int("SELECT count(*) FROM saga_log"), 5);
	page.items[0].version++;
	ok(retention.remove(retention.ctx, page.items, 1, &removed, &err), &err);
	assert_int_equal(removed, 1);
	assert_int_equal(query_int("SELECT count(*) FROM saga WHERE key IN ('order-1', 'order-3')"), 2);
	assert_int_equal(query_int("SELECT count(*) FROM saga"), 2);
	assert_int_equal(query_int("SELECT count(*) FROM saga_log"), 3);
	assert_int_equal(query_int("SELECT count(*) FROM saga_departed"
				   " WHERE last_id = '01900000-0000-7000-8000-000000000002'"),
			 1);
	arena_release(&arena);
}

static void one_coordinator_at_a_time_lets_sagas_go(void **state)
{
	struct store *stores[2];
	struct retention_port ports[2];
	bool is_ours = false;
	struct error err;

	(void)state;
	if (!conninfo)
		skip();
	for (int i = 0; i < 2; i++) {
		stores[i] = store_new(own_conninfo);
		ports[i] = store_retention_port(stores[i]);
		ok(ports[i].claim(ports[i].ctx, &is_ours, &err), &err);
		assert_int_equal(is_ours, i == 0);
	}
	ok(ports[0].claim(ports[0].ctx, &is_ours, &err), &err);
	assert_true(is_ours);
	store_free(stores[0]);
	do
		ok(ports[1].claim(ports[1].ctx, &is_ours, &err), &err);
	while (!is_ours); /* the other one's server process takes a moment to end */
	store_free(stores[1]);
}

static int run_script(const char *format)
{
	_cleanup_(pg_freep)
	struct pg *pg = pg_new(conninfo, "store_test");
	struct error err;
	char script[200];

	(void)snprintf(script, sizeof(script), format, (int)getpid());
	if (pg_exec_script(pg, script, &err) == 0)
		return 0;
	print_error("%s\n", err.msg);
	return -1;
}

static int set_up(void **state)
{
	struct error err;

	(void)state;
	conninfo = getenv("AMENDS_TEST_POSTGRES");
	if (!conninfo)
		return 0;
	if (strstr(conninfo, "://"))
		(void)snprintf(own_conninfo, sizeof(own_conninfo), "%s%soptions=-csearch_path%%3Dstore_test_%d",
			       conninfo, strchr(conninfo, '?') ? "&" : "?", (int)getpid());
	else
		(void)snprintf(own_conninfo, sizeof(own_conninfo), "%s options='-csearch_path=store_test_%d'", conninfo,
			       (int)getpid());
	if (run_script("CREATE SCHEMA store_test_%d") < 0)
		return -1;
	open_store();
	if (store_migrate(store, 5000, &err) == 0)
		return 0;
	print_error("%s\n", err.msg);
	return -1;
}

static int tear_down(void **state)
{
	(void)state;
	store_free(store);
	return conninfo ? run_script("SET client_min_messages = warning; DROP SCHEMA store_test_%d CASCADE") : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_saga_comes_back_as_it_was_stored, begin),
		cmocka_unit_test_setup(finds_the_open_sagas_that_may_wait_for_an_event, begin),
		cmocka_unit_test_setup(a_start_that_meets_a_row_changes_nothing_and_logs_nothing, begin),
		cmocka_unit_test_setup(a_change_of_another_version_changes_nothing_and_logs_nothing, begin),
		cmocka_unit_test_setup(content_that_postgres_refuses_is_told_from_other_failures, begin),
		cmocka_unit_test_setup(the_log_comes_back_in_order, begin),
		cmocka_unit_test_setup(a_notice_is_stored_for_each_target_with_the_change_alone, begin),
		cmocka_unit_test_setup(a_notice_goes_when_it_is_sent_and_waits_when_it_failed, begin),
		cmocka_unit_test_setup(a_pause_lasts_until_it_is_ended_and_stays_to_be_read, begin),
		cmocka_unit_test_setup(entries_of_before_callers_were_recorded_come_back_without_one, begin),
		cmocka_unit_test_setup(pages_have_what_is_due_and_what_an_earlier_boot_left, begin),
		cmocka_unit_test_setup(a_look_is_bounded_by_what_it_looks_at, begin),
		cmocka_unit_test_setup(a_look_that_does_not_get_on_leaves_a_moment_behind, begin),
		cmocka_unit_test_setup(what_an_earlier_boot_left_is_near_or_patient, begin),
		cmocka_unit_test_setup(an_open_row_is_written_where_it_is_new_and_goes_at_the_end, begin),
		cmocka_unit_test_setup(a_change_that_was_not_done_leaves_the_open_row, begin),
		cmocka_unit_test_setup(a_row_comes_with_what_is_stored_of_it_while_it_is_open, begin),
		cmocka_unit_test_setup(open_sagas_of_before_get_their_rows_by_the_upgrade, begin),
		cmocka_unit_test_setup(a_saga_that_starts_during_the_upgrade_gets_its_row, begin),
		cmocka_unit_test_setup(stuck_sagas_are_counted_with_the_open_ones, begin),
		cmocka_unit_test_setup(the_views_speak_in_words, begin),
		cmocka_unit_test_setup(updates_are_hot, begin),
		cmocka_unit_test_setup(a_change_reads_its_own_saga_alone_whenever_the_plan_was_made, begin),
		cmocka_unit_test_setup(events_of_one_key_read_its_sagas_once, begin),
		cmocka_unit_test_setup(a_connection_that_the_server_ended_costs_no_commit, begin),
		cmocka_unit_test_setup(the_feed_waits_for_transactions_that_are_still_under_way, begin),
		cmocka_unit_test_setup(the_feed_leaves_out_what_is_no_outcome_on_request, begin),
		cmocka_unit_test_setup(a_commit_says_where_the_feed_has_its_changes, begin),
		cmocka_unit_test_setup(a_commit_in_which_some_cannot_be_done_does_the_others, begin),
		cmocka_unit_test_setup(repeated_starts_are_tried_in_hope_once, begin),
		cmocka_unit_test_setup(commits_on_two_lanes_know_nothing_of_each_other, begin),
		cmocka_unit_test_setup(a_change_that_met_another_version_is_not_in_the_feed, begin),
		cmocka_unit_test_setup(trimming_forgets_what_is_old_and_raises_the_floor, begin),
		cmocka_unit_test_setup(trimming_says_that_it_has_left_something_old, begin),
		cmocka_unit_test_setup(lists_are_in_order_and_in_pages_and_as_the_filter_says, begin),
		cmocka_unit_test_setup(a_list_passes_over_nothing_while_sagas_end, begin),
		cmocka_unit_test_setup(a_page_under_a_key_is_bounded_by_what_it_looks_at, begin),
		cmocka_unit_test_setup(labels_of_many_and_of_few_are_listed_alike, begin),
		cmocka_unit_test_setup(the_open_sagas_of_a_stream_come_in_pages, begin),
		cmocka_unit_test_setup(a_page_of_open_sagas_is_bounded_by_what_it_looks_at, begin),
		cmocka_unit_test(a_server_that_is_away_is_unknown_and_unavailable),
		cmocka_unit_test_setup(paused_sagas_are_listed_alone_and_found_again_by_an_upgrade, begin),
		cmocka_unit_test_setup(finished_sagas_leave_with_their_logs_and_others_stay, begin),
		cmocka_unit_test_setup(one_coordinator_at_a_time_lets_sagas_go, begin),
		cmocka_unit_test_setup(definitions_get_gapless_versions_and_ids, begin),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
