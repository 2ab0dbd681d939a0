/* topic_record_test.c - whose a record is, and what is wrong with it beside its saga and its inbox row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "coordinator/check/effect_rules.h"
#include "coordinator/check/topic_record.h"

static const char TEXT[] = "saga: sale\n"
			   "key: id\n"
			   "steps:\n"
			   "  - id: pay\n"
			   "    command: pay.command\n"
			   "    replies: {succeeded: paid, rejected: refused}\n"
			   "    compensation: {command: repay.command, replies: {succeeded: repaid}}\n";
static const char ID[] = "01890a5d-ac96-774b-bcce-b302099a8057";

/* A saga whose one step is done. */
struct fixture {
	struct arena arena;
	struct known_definition known;
	struct page_saga saga;
	struct kafka_record record;
	struct topic_record read;
};

static int set_up(void **state)
{
	static struct fixture fixture;
	struct fixture *f = &fixture;
	struct saga_effects effects;
	struct saga_event event;
	struct problems problems;
	struct uuid id;

	*f = (struct fixture){0};
	arena_init(&f->arena, 0);
	problems_init(&problems);
	f->known.source = source_parse("sale.yaml", bytes_of_text(TEXT), &f->arena, &problems);
	assert_int_equal(problems.count, 0);
	problems_release(&problems);
	f->known.definition = source_definition(f->known.source, 1, &f->arena);
	assert_true(uuid_parse(ID, strlen(ID), &id));
	f->saga = (struct page_saga){.id = id, .known = &f->known, .key = "k"};
	f->saga.saga = saga_start(f->known.definition, id, 1, &f->arena, &event, &effects);
	f->record = (struct kafka_record){
		.topic = "pay.command",
		.partition = 2,
		.offset = 41,
		.key = bytes_of_text("k"),
		.value = bytes_of_text("v"),
		.headers = {{"saga-id", bytes_of_text(ID)},
			    {"saga-step", bytes_of_text("pay")},
			    {"saga-phase", bytes_of_text("forward")},
			    {"saga-attempt", bytes_of_text("1")},
			    {"saga-outcome", bytes_of_text("succeeded")}},
		.header_count = 5,
	};
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	arena_release(&f->arena);
	return 0;
}

static enum topic_record_kind read(struct fixture *f)
{
	return topic_record_read(&f->record, true, &f->arena, &f->read);
}

static void a_record_says_whose_it_is(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read(f), TOPIC_RECORD_LEGIBLE);
	assert_true(uuid_equal(f->read.saga_id, f->saga.id));
	assert_string_equal(f->read.step_id, "pay");
	assert_int_equal(f->read.phase, STEP_PHASE_FORWARD);
	assert_int_equal(f->read.attempt, 1);
	assert_string_equal(f->read.outcome, "succeeded");
	assert_null(f->read.reason);
}

static void what_cannot_be_told_is_illegible(void **state)
{
	static const char *const wrong[] = {"nonsense", "\xff", "sideways", "0"};
	struct fixture *f = *state;

	for (size_t i = 0; i < 4; i++) {
		const struct bytes right = f->record.headers[i].value;

		f->record.headers[i].value = bytes_of_text(wrong[i]);
		assert_int_equal(read(f), TOPIC_RECORD_ILLEGIBLE);
		f->record.headers[i].value = bytes_of_text("");
		assert_int_equal(read(f), TOPIC_RECORD_ILLEGIBLE);
		f->record.headers[i].value = right;
	}
	f->record.header_count = 0;
	assert_int_equal(read(f), TOPIC_RECORD_FOREIGN);
}

static void assert_wrong(const char *found, const char *wanted)
{
	assert_non_null(found);
	assert_string_equal(found, wanted);
}

#define PLACE "I7: the command on pay.command, partition 2, offset 41 "

static void a_command_that_its_saga_decided_is_good(void **state)
{
	struct fixture *f = *state;

	(void)read(f);
	assert_null(topic_command_violation(&f->read, &f->saga, &f->arena));
}

static void a_command_that_its_saga_did_not_decide_is_named(void **state)
{
	struct fixture *f = *state;

	(void)read(f);
	assert_wrong(topic_command_violation(&f->read, NULL, &f->arena),
		     PLACE "is of a saga that the coordinator does not know");
	f->read.attempt = 2;
	assert_wrong(topic_command_violation(&f->read, &f->saga, &f->arena),
		     PLACE "is attempt 2, and the saga has decided 1");
	f->read.phase = STEP_PHASE_COMPENSATION;
	assert_wrong(topic_command_violation(&f->read, &f->saga, &f->arena), PLACE "belongs on repay.command");
	f->read.phase = STEP_PHASE_INQUIRY;
	assert_wrong(topic_command_violation(&f->read, &f->saga, &f->arena),
		     PLACE "is of a step or phase that the saga's definition does not have");
	(void)read(f);
	f->read.key = bytes_of_text("another");
	assert_wrong(topic_command_violation(&f->read, &f->saga, &f->arena),
		     PLACE "has another key than the saga, so it is in no order with the others");
}

static void the_header_says_the_outcome_or_the_topic(void **state)
{
	struct fixture *f = *state;

	f->record.topic = "refused";
	(void)read(f);
	assert_int_equal(topic_reply_outcome(&f->read, &f->saga), SAGA_EVENT_SUCCEEDED);
	f->read.outcome = "nonsense";
	assert_int_equal(topic_reply_outcome(&f->read, &f->saga), SAGA_EVENT_COUNT);
	f->read.outcome = NULL;
	assert_int_equal(topic_reply_outcome(&f->read, &f->saga), SAGA_EVENT_REJECTED);
	f->read.topic = "elsewhere";
	assert_int_equal(topic_reply_outcome(&f->read, &f->saga), SAGA_EVENT_COUNT);
}

#undef PLACE
#define PLACE "I6: the reply on paid, partition 2, offset 41 "

static void a_reply_is_the_one_in_the_inbox(void **state)
{
	struct fixture *f = *state;
	struct inbox_reply reply = {.outcome = EFFECT_SUCCEEDED, .topic = "paid", .value = bytes_of_text("v")};

	f->record.topic = "paid";
	(void)read(f);
	assert_null(topic_reply_violation(&f->read, &f->saga, &reply, true, &f->arena));
	assert_wrong(topic_reply_violation(&f->read, &f->saga, NULL, true, &f->arena),
		     PLACE "says succeeded, and the participant's inbox knows nothing of the command");
	reply.value = bytes_of_text("w");
	assert_wrong(topic_reply_violation(&f->read, &f->saga, &reply, true, &f->arena),
		     PLACE "has another value than the inbox");
	assert_null(topic_reply_violation(&f->read, &f->saga, &reply, false, &f->arena));
	reply.outcome = EFFECT_REJECTED;
	assert_wrong(topic_reply_violation(&f->read, &f->saga, &reply, false, &f->arena),
		     PLACE "says succeeded, and the inbox does not");
}

static void a_tombstone_answers_only_refusals(void **state)
{
	struct fixture *f = *state;
	const struct inbox_reply reply = {.outcome = EFFECT_TOMBSTONE};

	f->record.topic = "paid";
	(void)read(f);
	assert_wrong(topic_reply_violation(&f->read, &f->saga, &reply, true, &f->arena),
		     PLACE "says succeeded, and the inbox has a tombstone");
	f->read.outcome = "rejected";
	assert_null(topic_reply_violation(&f->read, &f->saga, &reply, true, &f->arena));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_record_says_whose_it_is),
		TEST(what_cannot_be_told_is_illegible),
		TEST(a_command_that_its_saga_decided_is_good),
		TEST(a_command_that_its_saga_did_not_decide_is_named),
		TEST(the_header_says_the_outcome_or_the_topic),
		TEST(a_reply_is_the_one_in_the_inbox),
		TEST(a_tombstone_answers_only_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
