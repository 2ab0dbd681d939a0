/* turn_test.c - one batch through a turn without a database: who is answered, put aside or dead, and who is held up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "participants/sdk/inbox_cut.h"
#include "participants/sdk/turn.h"
#include "schema-registry/client/message.h"

enum { RECORDS_MAX = 8 };

/* ---- fakes ---- */
struct kafka_batch {
	size_t count;
	struct kafka_record records[RECORDS_MAX];
};

size_t kafka_batch_count(const struct kafka_batch *batch)
{
	return batch->count;
}

const struct kafka_record *kafka_batch_record(const struct kafka_batch *batch, size_t index)
{
	return &batch->records[index];
}

/* Every message has the field `order_id`, a text; the value "illegible" is none. */
int message_decode(struct registry_client *registry, struct bytes value, const char *expected, struct arena *arena,
		   struct value *ret_value, struct error *err)
{
	(void)registry;
	(void)expected;
	if (bytes_equal_text(value, "illegible"))
		return error_set(err, ERR_CORRUPT, "illegible");
	*ret_value = value_record();
	value_set(arena, ret_value, "order_id", value_text(value));
	return 0;
}

/* ---- the fixture ---- */
static const char roomy[] = "{\"type\":\"record\",\"name\":\"Done\",\"fields\":["
			    "{\"name\":\"order_id\",\"type\":\"string\"}]}";
/* Nothing that the SDK knows can stand for the fixed field. */
static const char cramped[] = "{\"type\":\"record\",\"name\":\"Failed\",\"fields\":["
			      "{\"name\":\"order_id\",\"type\":\"string\"},"
			      "{\"name\":\"hash\",\"type\":{\"type\":\"fixed\",\"name\":\"Hash\",\"size\":4}}]}";

struct fixture {
	struct arena arena;
	struct metrics *metrics;
	struct schema *schemas[2];
	struct reply_schema reply_schemas[2];
	struct command_handler handlers[2];
	struct kafka_batch batch;
	struct turn turn;
	struct turn_result result;
	int waits;
};

static const char *const reply_topics[] = {"done", "failed", NULL};
static const char *const command_types[] = {"Command", "Question"};

static bool wait_not(void *ctx, int64_t ms)
{
	struct fixture *f = ctx;

	(void)ms;
	f->waits++;
	return false;
}

/* Keys that begin with "away" fail transiently, those with "broken" for good, and take their batch with them. */
static int handle(void *ctx, struct command_batch *batch, struct error *err)
{
	(void)ctx;
	for (size_t i = 0; i < batch->count; i++) {
		struct command *command = batch->commands[i];

		if (strncmp(command->key, "away", 4) == 0)
			return error_set(err, ERR_UNAVAILABLE, "away; secret");
		if (strncmp(command->key, "broken", 6) == 0)
			return error_set(err, ERR_INVALID, "broken; secret");
		command->outcome = COMMAND_OUTCOME_SUCCEEDED;
		command->reply_topic = "done";
		value_set(batch->arena, &command->reply, "order_id", value_text_of(command->key));
	}
	return 0;
}

static void add_schema(struct fixture *f, size_t at, const char *text)
{
	struct problems problems;

	problems_init(&problems);
	assert_int_equal(schema_parse(SCHEMA_FORMAT_AVRO, bytes_of_text(text), NULL, 0, &f->schemas[at], &problems), 0);
	problems_release(&problems);
	f->reply_schemas[at] = (struct reply_schema){.topic = reply_topics[at],
						     .id = 1,
						     .format = SCHEMA_FORMAT_AVRO,
						     .type = schema_root(f->schemas[at]),
						     .message = "M"};
}

static void add_metrics(struct fixture *f)
{
	struct metric **const all[] = {
		&f->turn.metrics.succeeded,           &f->turn.metrics.rejected,  &f->turn.metrics.duplicate,
		&f->turn.metrics.cancelled,           &f->turn.metrics.no_effect, &f->turn.metrics.inquiry,
		&f->turn.metrics.retriable,           &f->turn.metrics.later,     &f->turn.metrics.dead,
		&f->turn.metrics.transactions_failed,
	};

	f->metrics = metrics_new();
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		*all[i] = metrics_counter(f->metrics, arena_format(&f->arena, "m%zu_total", i), NULL, "-");
}

/* `failed_schema` is that of the topic on which the SDK answers. */
static void begin(struct fixture *f, const char *failed_schema)
{
	*f = (struct fixture){0};
	arena_init(&f->arena, 0);
	add_schema(f, 0, roomy);
	add_schema(f, 1, failed_schema);
	f->handlers[0] = (struct command_handler){"command", reply_topics, "failed", handle, false};
	f->handlers[1] = (struct command_handler){"question", reply_topics, "failed", NULL, true};
	f->turn = (struct turn){
		.service = "service",
		.tries_max = 10,
		.command_types = command_types,
		.handlers = f->handlers,
		.handler_count = 2,
		.reply_schemas = f->reply_schemas,
		.reply_schema_count = 2,
		.wait = wait_not,
		.wait_ctx = f,
	};
	add_metrics(f);
}

static void end(struct fixture *f)
{
	schema_unref(f->schemas[0]);
	schema_unref(f->schemas[1]);
	metrics_free(f->metrics);
	arena_release(&f->arena);
}

static struct kafka_record *add_command(struct fixture *f, const char *key, const char *value)
{
	struct kafka_record *record = &f->batch.records[f->batch.count];
	const char *id = arena_format(&f->arena, "01890a5d-ac96-774b-bcce-b302099a805%zu", f->batch.count++);

	*record = (struct kafka_record){
		.topic = "command",
		.key = bytes_of_text(key),
		.value = bytes_of_text(value),
		.has_value = true,
		.headers = {{"saga-id", bytes_of_text(id)},
			    {"saga-step", bytes_of_text("step")},
			    {"saga-phase", bytes_of_text("forward")},
			    {"saga-attempt", bytes_of_text("1")}},
		.header_count = 4,
	};
	return record;
}

static struct kafka_record *add_question(struct fixture *f, const char *key)
{
	struct kafka_record *record = add_command(f, key, "x");

	record->topic = "question";
	record->headers[2].value = bytes_of_text("inquiry");
	return record;
}

/* Whoever did the work cannot tell of keys that begin with "lost"; all else was done. */
static int ask(void *ctx, struct command_batch *batch, struct error *err)
{
	(void)ctx;
	(void)err;
	for (size_t i = 0; i < batch->count; i++) {
		struct command *command = batch->commands[i];
		const bool is_lost = strncmp(command->key, "lost", 4) == 0;

		command->outcome = is_lost ? COMMAND_OUTCOME_UNKNOWN : COMMAND_OUTCOME_SUCCEEDED;
		command->reply_topic = "done";
		value_set(batch->arena, &command->reply, "order_id", value_text_of(command->key));
	}
	return 0;
}

static void run(struct fixture *f)
{
	struct error err = {0};

	assert_int_equal(turn_run(&f->turn, &f->batch, &f->arena, &f->result, &err), 0);
}

static const char *outcome_of(const struct fixture *f, const char *key)
{
	for (size_t i = 0; i < f->result.count; i++)
		if (strcmp(f->result.items[i].command.key, key) == 0)
			return f->result.items[i].outcome ? f->result.items[i].outcome : "none";
	return "not there";
}

/* ---- tests ---- */
static void a_command_that_fails_for_good_is_dead_and_the_others_go_through(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, roomy);
	add_command(&f, "a", "x");
	add_command(&f, "broken", "x");
	add_command(&f, "b", "x");
	run(&f);
	assert_string_equal(outcome_of(&f, "a"), "succeeded");
	assert_string_equal(outcome_of(&f, "b"), "succeeded");
	assert_string_equal(outcome_of(&f, "broken"), "retriable");
	assert_int_equal(f.result.letter_count, 1);
	assert_int_equal(f.result.letters[0].side, SIDE_TOPIC_DEAD);
	assert_string_equal(f.result.letters[0].note.detail, "broken"); /* what follows the semicolon is not shown */
	assert_int_equal(f.waits, 0);
	end(&f);
}

static void a_command_that_cannot_even_be_answered_does_not_hold_up_the_others(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, cramped);
	add_command(&f, "a", "x");
	add_command(&f, "broken", "x");
	add_command(&f, "c", "illegible");
	add_command(&f, "b", "x");
	run(&f);
	assert_string_equal(outcome_of(&f, "a"), "succeeded");
	assert_string_equal(outcome_of(&f, "b"), "succeeded");
	assert_string_equal(outcome_of(&f, "broken"), "none");
	assert_string_equal(outcome_of(&f, "c"), "not there");
	assert_int_equal(f.result.letter_count, 2);
	assert_int_equal(f.result.letters[0].side, SIDE_TOPIC_DEAD);
	assert_int_equal(f.result.letters[1].side, SIDE_TOPIC_DEAD);
	end(&f);
}

static void a_transient_failure_is_tried_in_place_and_then_put_aside_unanswered(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, roomy);
	add_command(&f, "away", "x");
	add_command(&f, "a", "x");
	run(&f);
	assert_string_equal(outcome_of(&f, "a"), "succeeded");
	assert_string_equal(outcome_of(&f, "away"), "none");
	assert_int_equal(f.result.letter_count, 1);
	assert_int_equal(f.result.letters[0].side, SIDE_TOPIC_RETRY_1S);
	assert_true(f.waits > 0);
	assert_int_equal(f.result.letters[0].note.tries, f.waits + 1);
	end(&f);
}

static void the_last_try_of_a_transient_failure_makes_it_a_dead_letter(void **state)
{
	struct fixture f;
	struct kafka_record *record;

	(void)state;
	begin(&f, roomy);
	record = add_command(&f, "away", "x");
	record->headers[record->header_count++] = (struct kafka_header){"retry-tries", bytes_of_text("9")};
	run(&f);
	assert_string_equal(outcome_of(&f, "away"), "retriable");
	assert_int_equal(f.result.letters[0].side, SIDE_TOPIC_DEAD);
	assert_int_equal(f.result.letters[0].note.tries, 10);
	assert_int_equal(f.waits, 0);
	end(&f);
}

/* Sent again by the coordinator just when the first one came back from its retry topic. */
static void a_command_that_came_back_goes_on_with_its_journey_beside_one_sent_again(void **state)
{
	struct fixture f;
	struct kafka_record *again;

	(void)state;
	begin(&f, roomy);
	again = add_command(&f, "away", "x");
	f.batch.records[f.batch.count] = *again;
	again = &f.batch.records[f.batch.count++];
	again->headers[again->header_count++] = (struct kafka_header){"retry-tries", bytes_of_text("3")};
	pending_retries_add(&f.turn.pending, "01890a5d-ac96-774b-bcce-b302099a8050/step/forward", INT64_MAX);
	run(&f);
	assert_int_equal(f.result.letter_count, 1);
	assert_int_equal(f.result.letters[0].note.tries, 4);
	end(&f);
}

static const struct incoming *item_of(const struct fixture *f, const char *key)
{
	for (size_t i = 0; i < f->result.count; i++)
		if (strcmp(f->result.items[i].command.key, key) == 0)
			return &f->result.items[i];
	fail_msg("%s is not there", key);
	return NULL;
}

static void a_command_that_never_came_is_refused_when_it_is_asked_about(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, roomy);
	add_question(&f, "a");
	run(&f);
	assert_string_equal(outcome_of(&f, "a"), "rejected");
	assert_string_equal(item_of(&f, "a")->entry.reply.reason, "not-known-here");
	assert_int_equal(item_of(&f, "a")->entry.reply.outcome,
			 INBOX_OUTCOME_REJECTED); /* as the command is from now */
	assert_false(item_of(&f, "a")->entry.is_compensation);
	end(&f);
}

static void a_service_that_knows_more_than_its_inbox_is_asked(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, roomy);
	f.handlers[1].handle = ask;
	add_question(&f, "a");
	add_question(&f, "lost");
	run(&f);
	assert_string_equal(outcome_of(&f, "a"), "succeeded");
	assert_int_equal(item_of(&f, "a")->entry.reply.outcome, INBOX_OUTCOME_SUCCEEDED);
	assert_string_equal(outcome_of(&f, "lost"), "unknown");
	assert_int_equal(item_of(&f, "lost")->entry.reply.outcome, INBOX_OUTCOME_OPEN); /* nothing is stored */
	end(&f);
}

static void what_is_only_asked_about_is_not_done_whatever_topic_it_comes_on(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, roomy);
	add_question(&f, "a")->topic = "command";
	add_command(&f, "b", "x")->topic = "question";
	run(&f);
	assert_string_equal(outcome_of(&f, "a"), "retriable");
	assert_string_equal(outcome_of(&f, "b"), "retriable");
	assert_int_equal(f.result.letter_count, 2);
	assert_string_equal(f.result.letters[0].note.detail,
			    "header 'saga-phase': topic 'command' is not for inquiries");
	assert_string_equal(f.result.letters[1].note.detail,
			    "header 'saga-phase': topic 'question' is for inquiries alone");
	end(&f);
}

/* Its row may be gone, so nobody can say that it was not done before. */
static void a_command_of_a_step_that_is_older_than_the_inbox_is_dead_and_not_done(void **state)
{
	struct fixture f;
	struct kafka_record *recent;
	char now[CLOCK_TEXT_LEN + 1];

	(void)state;
	begin(&f, roomy);
	f.turn.keep_ms = INT64_C(45) * 24 * 3600 * 1000;
	add_command(&f, "old", "x"); /* as its saga's id says */
	recent = add_command(&f, "recent", "x");
	clock_format(clock_real_us(), now);
	recent->headers[recent->header_count++] = (struct kafka_header){"saga-step-time", bytes_of_text(now)};
	run(&f);
	assert_string_equal(outcome_of(&f, "recent"), "succeeded");
	assert_string_equal(outcome_of(&f, "old"), "retriable");
	assert_int_equal(f.result.letter_count, 1);
	assert_int_equal(f.result.letters[0].side, SIDE_TOPIC_DEAD);
	assert_int_equal(f.result.letters[0].note.reason, DEAD_REASON_TOO_OLD);
	end(&f);
}

static void nothing_is_too_old_where_rows_stay_or_the_time_is_not_known(void **state)
{
	(void)state;
	assert_false(inbox_is_too_old(1, 0, INT64_MAX));
	assert_false(inbox_is_too_old(0, 1000, INT64_MAX));
	assert_false(inbox_is_too_old(5000000, 1000, 6000000));
	assert_true(inbox_is_too_old(5000000, 1000, 6001000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_that_fails_for_good_is_dead_and_the_others_go_through),
		cmocka_unit_test(a_command_that_cannot_even_be_answered_does_not_hold_up_the_others),
		cmocka_unit_test(a_transient_failure_is_tried_in_place_and_then_put_aside_unanswered),
		cmocka_unit_test(the_last_try_of_a_transient_failure_makes_it_a_dead_letter),
		cmocka_unit_test(a_command_that_came_back_goes_on_with_its_journey_beside_one_sent_again),
		cmocka_unit_test(a_command_that_never_came_is_refused_when_it_is_asked_about),
		cmocka_unit_test(a_service_that_knows_more_than_its_inbox_is_asked),
		cmocka_unit_test(what_is_only_asked_about_is_not_done_whatever_topic_it_comes_on),
		cmocka_unit_test(a_command_of_a_step_that_is_older_than_the_inbox_is_dead_and_not_done),
		cmocka_unit_test(nothing_is_too_old_where_rows_stay_or_the_time_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
