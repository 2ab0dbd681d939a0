/* told_test.c - events of others: whose they are, when they come, and what becomes of those that nobody waits for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/unit/coordinator/engine/fake_world.h"

static const uint8_t VALUE[] = {0, 0, 0, 0, 9, 1, 2, 3};

static struct uuid begin(struct fake_saga *f, const char *key, const char *idempotency_key)
{
	const struct start_request request = {.plan = &FAKE_EVENT_PLAN,
					      .idempotency_key = idempotency_key,
					      .key = key,
					      .input = bytes_of_text("input")};
	struct fake_answer started = {0};

	engine_start_saga(f->engine, &request, fake_start_done, &started);
	fake_turns(f->engine);
	assert_true(started.has_view);
	return started.saga_id;
}

static void reply(struct fake_saga *f, struct uuid id)
{
	fake_reply(f->world, f->engine, fake_last_sent(f->world, id), "succeeded", NULL);
	fake_turns(f->engine);
}

/* An event with that key; `saga_id` names a saga, or is NULL. */
static void tell(struct fake_saga *f, const char *key, const char *ce_id, const char *saga_id)
{
	const struct bus_header headers[] = {{"ce_id", bytes_of_text(ce_id)},
					     {"saga-id", bytes_of_text(saga_id ? saga_id : "")}};
	const struct bus_record record = {.topic = "invoice.paid",
					  .partition = 2,
					  .offset = 41,
					  .key = bytes_of_text(key),
					  .value = {VALUE, sizeof(VALUE)},
					  .headers = headers,
					  .header_count = saga_id ? 2 : 1};

	fake_deliver(f->world, f->engine, &record, 1);
	fake_turns(f->engine);
}

static struct saga *saga_of(struct fake_saga *f, struct uuid id)
{
	struct saga *saga = NULL;
	struct error err;

	assert_int_equal(saga_decode(&FAKE_EVENT_PLAN.definition, fake_find_row(f->world, id)->row.data,
				     &f->world->arena, &saga, &err),
			 0);
	return saga;
}

static void an_event_reaches_the_saga_of_its_key_that_waits(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	const struct uuid id = begin(&f, "o-1", "1");
	const struct store_log_row *row;

	(void)unused;
	reply(&f, id);
	assert_int_equal(saga_of(&f, id)->steps[1].state, STEP_STATE_WAITING);
	tell(&f, "o-2", "e-1", NULL);
	assert_int_equal(saga_of(&f, id)->steps[1].state, STEP_STATE_WAITING);
	assert_int_equal(fake_metric(f.world, "saga_events_ignored_total{why=\"unmatched\"}"), 1);
	tell(&f, "o-1", "e-2", NULL);
	assert_int_equal(saga_of(&f, id)->steps[1].state, STEP_STATE_SUCCEEDED);
	assert_int_equal(saga_of(&f, id)->steps[1].reply.len, sizeof(VALUE));
	row = &f.world->log[f.world->log_count - 1];
	assert_int_equal(row->entry.event.type, SAGA_EVENT_SIGNALLED);
	assert_string_equal(row->entry.event.detail, "invoice.paid/e-2");
	assert_string_equal(fake_last_sent(f.world, id)->step, "confirm");
	assert_int_equal(f.world->batches_done, 3); /* that of the reply, too */
	fake_saga_end(&f);
}

static void an_event_that_comes_before_its_step_is_kept_and_counts_once(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	const struct uuid id = begin(&f, "o-1", "1");
	int signals = 0;

	(void)unused;
	tell(&f, "o-1", "e-1", NULL);
	assert_true(saga_of(&f, id)->steps[1].is_signalled);
	tell(&f, "o-1", "e-1", NULL); /* read again */
	assert_int_equal(fake_metric(f.world, "saga_events_ignored_total{why=\"no_effect\"}"), 1);
	engine_free(f.engine);
	f.engine = fake_engine_new(f.world, "one");
	tell(&f, "o-1", "e-1", NULL); /* and after a restart */
	reply(&f, id);
	assert_string_equal(fake_last_sent(f.world, id)->step, "confirm");
	for (size_t i = 0; i < f.world->log_count; i++)
		signals += f.world->log[i].entry.event.type == SAGA_EVENT_SIGNALLED;
	assert_int_equal(signals, 1);
	fake_saga_end(&f);
}

static void each_saga_of_the_key_gets_an_event_or_the_one_that_it_names(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	const struct uuid ids[] = {begin(&f, "o-1", "1"), begin(&f, "o-1", "2"), begin(&f, "o-1", "3")};
	char text[UUID_TEXT_LEN + 1];

	(void)unused;
	uuid_format(ids[1], text);
	tell(&f, "whatever", "e-1", text);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(saga_of(&f, ids[i])->steps[1].is_signalled, i == 1);
	tell(&f, "o-1", "e-2", NULL);
	for (size_t i = 0; i < 3; i++)
		assert_true(saga_of(&f, ids[i])->steps[1].is_signalled);
	uuid_format(f.id, text); /* of another definition */
	tell(&f, "o-1", "e-3", text);
	assert_int_equal(fake_metric(f.world, "saga_events_ignored_total{why=\"unmatched\"}"), 1);
	fake_saga_end(&f);
}

/* By key, by name, by key: whatever is looked for together, a saga takes the first one. */
static void of_events_that_come_together_the_first_one_counts(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	const struct uuid ids[] = {begin(&f, "o-1", "1"), begin(&f, "o-2", "2")};
	char text[UUID_TEXT_LEN + 1];
	const struct bus_header headers[][2] = {
		{{"ce_id", bytes_of_text("e-1")}, {"saga-id", {0}}},
		{{"ce_id", bytes_of_text("e-2")}, {"saga-id", {(const uint8_t *)text, UUID_TEXT_LEN}}},
		{{"ce_id", bytes_of_text("e-3")}, {"saga-id", {0}}},
		{{"ce_id", bytes_of_text("e-4")}, {"saga-id", {0}}}};
	static const char *const keys[] = {"o-1", "", "o-2", "o-1"};
	struct bus_record records[4];
	size_t signals = 0;

	(void)unused;
	uuid_format(ids[1], text);
	for (size_t i = 0; i < 4; i++)
		records[i] = (struct bus_record){.topic = "invoice.paid",
						 .key = bytes_of_text(keys[i]),
						 .value = {VALUE, sizeof(VALUE)},
						 .headers = headers[i],
						 .header_count = 2};
	fake_deliver(f.world, f.engine, records, 4);
	fake_turns(f.engine);
	for (size_t i = 0; i < f.world->log_count; i++) {
		const struct store_log_row *row = &f.world->log[i];

		if (row->entry.event.type != SAGA_EVENT_SIGNALLED)
			continue;
		signals++;
		assert_string_equal(row->entry.event.detail,
				    uuid_equal(row->saga_id, ids[0]) ? "invoice.paid/e-1" : "invoice.paid/e-2");
	}
	assert_int_equal(signals, 2);
	fake_saga_end(&f);
}

static long peak_kib(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_maxrss;
}

/* In one delivery: those of unknown sagas, and several of one, among them. */
static void events_that_name_their_sagas_are_told_apart(void **unused)
{
	enum { TOLD = 2000, MEMORY_KIB_MAX = 50000 }; /* each with each would take twice that */
	struct fake_saga f = fake_saga_begin();
	const struct uuid ids[] = {begin(&f, "o-1", "1"), begin(&f, "o-2", "2"), begin(&f, "o-3", "3")};
	struct bus_header(*headers)[2] = arena_alloc(&f.world->arena, TOLD * sizeof(*headers));
	struct bus_record *records = arena_zalloc(&f.world->arena, TOLD * sizeof(*records));
	const long peak_before_kib = peak_kib();

	(void)unused;
	for (size_t i = 0; i < TOLD; i++) {
		struct uuid id = ids[i % 3];
		char text[UUID_TEXT_LEN + 1];

		id.data[15] ^= i % 3 == 2; /* nobody's */
		uuid_format(id, text);
		headers[i][0] = (struct bus_header){"saga-id", bytes_of_text(arena_strdup(&f.world->arena, text))};
		headers[i][1] = (struct bus_header){"ce_id", bytes_of_text(arena_format(&f.world->arena, "e-%zu", i))};
		records[i] = (struct bus_record){.topic = "invoice.paid",
						 .value = {VALUE, sizeof(VALUE)},
						 .headers = headers[i],
						 .header_count = 2};
	}
	f.world->rows_loaded = 0;
	fake_deliver(f.world, f.engine, records, TOLD);
	fake_turns(f.engine);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(saga_of(&f, ids[i])->steps[1].is_signalled, i != 2);
	assert_int_equal(fake_metric(f.world, "saga_events_ignored_total{why=\"unmatched\"}"), TOLD / 3);
	assert_int_equal(fake_metric(f.world, "saga_events_ignored_total{why=\"no_effect\"}"), TOLD - TOLD / 3 - 2);
	assert_int_equal(f.world->batches_done, 1);
	assert_in_range(f.world->rows_loaded, 1, 10);
	assert_in_range(peak_kib() - peak_before_kib, 0, MEMORY_KIB_MAX);
	fake_saga_end(&f);
}

static void an_event_waits_for_a_store_that_is_away_and_for_a_definition(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	const struct uuid id = begin(&f, "o-1", "1");

	(void)unused;
	f.world->is_store_away = true;
	tell(&f, "o-1", "e-1", NULL);
	assert_int_equal(f.world->batches_done, 0);
	f.world->is_store_away = false;
	f.world->is_definition_away = true;
	fake_pass(f.world, f.engine, 3000);
	assert_int_equal(f.world->batches_done, 0);
	f.world->is_definition_away = false;
	fake_pass(f.world, f.engine, 3000);
	assert_int_equal(f.world->batches_done, 1);
	assert_true(saga_of(&f, id)->steps[1].is_signalled);
	fake_saga_end(&f);
}

/* To ask for it may mean to wait for the registry, and all sagas wait meanwhile. */
static void a_definition_that_is_away_is_asked_for_once_a_turn(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	const struct bus_header header = {"ce_id", bytes_of_text("e-1")};
	struct bus_record records[20];

	(void)unused;
	(void)begin(&f, "o-1", "1");
	(void)begin(&f, "o-1", "2");
	for (size_t i = 0; i < 20; i++)
		records[i] = (struct bus_record){.topic = "invoice.paid",
						 .key = bytes_of_text("o-1"),
						 .value = {VALUE, sizeof(VALUE)},
						 .headers = &header,
						 .header_count = 1};
	f.world->is_definition_away = true;
	fake_deliver(f.world, f.engine, records, 20);
	(void)engine_turn(f.engine);
	assert_int_equal(f.world->vain_asks, 1);
	assert_int_equal(f.world->batches_done, 0);
	assert_true(engine_is_idle(f.engine)); /* who stops does not wait for it */
	f.world->is_definition_away = false;
	fake_pass(f.world, f.engine, 3000);
	assert_int_equal(f.world->batches_done, 1);
	fake_saga_end(&f);
}

static void an_event_is_read_again_when_the_engine_ends_before_its_commit(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	const struct uuid id = begin(&f, "o-1", "1");

	(void)unused;
	f.world->is_store_away = true;
	tell(&f, "o-1", "e-1", NULL);
	engine_free(f.engine);
	assert_int_equal(f.world->batches_abandoned, 1);
	f.world->is_store_away = false;
	f.engine = fake_engine_new(f.world, "one");
	tell(&f, "o-1", "e-1", NULL);
	assert_true(saga_of(&f, id)->steps[1].is_signalled);
	fake_saga_end(&f);
}

static void an_event_that_names_no_saga_or_is_illegible_is_a_dead_letter(void **unused)
{
	static const uint8_t not_wire[] = {7, 1, 2};
	struct fake_saga f = fake_saga_begin();
	const struct uuid id = begin(&f, "o-1", "1");
	struct bus_record record = {.topic = "invoice.paid", .key = bytes_of_text("o-1"), .value = {not_wire, 3}};

	(void)unused;
	tell(&f, "", "e-1", NULL);
	tell(&f, "o-1", "e-2", "no-uuid");
	assert_int_equal(f.world->rejected[BUS_REJECT_HEADERS], 2);
	fake_deliver(f.world, f.engine, &record, 1);
	fake_turns(f.engine);
	assert_int_equal(f.world->rejected[BUS_REJECT_VALUE], 1);
	assert_int_equal(f.world->batches_done, 3);
	assert_false(saga_of(&f, id)->steps[1].is_signalled);
	fake_saga_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_reaches_the_saga_of_its_key_that_waits),
		cmocka_unit_test(an_event_that_comes_before_its_step_is_kept_and_counts_once),
		cmocka_unit_test(each_saga_of_the_key_gets_an_event_or_the_one_that_it_names),
		cmocka_unit_test(of_events_that_come_together_the_first_one_counts),
		cmocka_unit_test(events_that_name_their_sagas_are_told_apart),
		cmocka_unit_test(an_event_waits_for_a_store_that_is_away_and_for_a_definition),
		cmocka_unit_test(a_definition_that_is_away_is_asked_for_once_a_turn),
		cmocka_unit_test(an_event_is_read_again_when_the_engine_ends_before_its_commit),
		cmocka_unit_test(an_event_that_names_no_saga_or_is_illegible_is_a_dead_letter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
