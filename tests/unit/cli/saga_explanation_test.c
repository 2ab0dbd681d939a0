/* saga_explanation_test.c - why a saga waits, what is next, what can be typed: sagas made by the core, shown as the API does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "cli/saga_explanation.h"
#include "lib/base/memory.h"
#include "lib/rpc/json_struct.h"
#include "lib/base/problems.h"

#define ID "01900000-0000-7000-8000-000000000001"

static const char SOURCE[] =
	"saga: checkout\n"
	"key: order_id\n"
	"timeout: 1h\n"
	"steps:\n"
	"  - id: pay\n"
	"    command: pay.command\n"
	"    attempts: 3\n"
	"    replies: {succeeded: paid}\n"
	"    compensation: {command: refund.command, replies: {succeeded: refunded}, attempts: 2}\n"
	"  - id: approve\n"
	"    wait: {signal: approved, timeout: 10m}\n"
	"  - id: confirm\n"
	"    kind: pivot\n"
	"    command: confirm.command\n"
	"    replies: {succeeded: confirmed}\n"
	"  - id: ship\n"
	"    kind: retriable\n"
	"    attempts: 1\n"
	"    command: ship.command\n"
	"    replies: {succeeded: shipped}\n";
enum { PAY, APPROVE, CONFIRM, SHIP, STEPS, EVENTS_MAX = 32 };
static const int64_t T0 = INT64_C(1700000000000000);
static const int64_t SECOND = 1000000;

/* ---- a saga, by the core, and as messages ---- */

struct world {
	struct arena arena;
	const char *text; /* the definition's, as the next */
	struct definition definition;
	struct saga *saga;
	Saga__V1__SagaEvent *events[EVENTS_MAX];
	size_t event_count;
	Saga__V1__Saga message;
};

static void use(struct world *world, const char *text)
{
	struct step_definition *steps = arena_alloc(&world->arena, STEPS * sizeof(*steps));
	struct problems problems;
	struct source *source;

	problems_init(&problems);
	source = source_parse("x", bytes_of_text(text), &world->arena, &problems);
	if (problems.count > 0)
		print_error("%s\n", problems.items[0].text);
	assert_int_equal(problems.count, 0);
	problems_release(&problems);
	assert_int_equal(source->step_count, STEPS);
	for (size_t i = 0; i < STEPS; i++)
		steps[i] = source->steps[i].definition;
	world->definition = (struct definition){"checkout", 1, steps, STEPS, source->timeout_ms};
	world->text = text;
}

/* The first step can be asked about. */
static void use_inquiry(struct world *world)
{
	const char *at = strstr(SOURCE, "    compensation:");

	use(world, arena_format(&world->arena, "%.*s    inquiry: {command: ask.command, timeout: 20s, attempts: 2}\n%s",
				(int)(at - SOURCE), SOURCE, at));
}

static int set_up(void **state)
{
	struct world *world = test_calloc(1, sizeof(*world));

	use(world, SOURCE);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	arena_release(&world->arena);
	test_free(world);
	return 0;
}

static char *text(const char *of)
{
	return (char *)(of ? of : "");
}

static Google__Protobuf__Timestamp *time_of(struct world *world, int64_t us)
{
	Google__Protobuf__Timestamp *time = arena_alloc(&world->arena, sizeof(*time));

	google__protobuf__timestamp__init(time);
	time->seconds = us / 1000000;
	time->nanos = (int32_t)(us % 1000000) * 1000;
	return us ? time : NULL;
}

/* Of a JSON text, in place of a signal's value in wire format. */
static Google__Protobuf__Struct *struct_of(struct world *world, struct bytes json)
{
	struct json_node *root;
	struct error err;

	assert_int_equal(json_tree_parse(&world->arena, json, &root, &err), 0);
	return json_struct_of_tree(&world->arena, root);
}

/* The wait is for a signal that brings a value. */
static void use_value(struct world *world)
{
	const char *at = strstr(SOURCE, ", timeout: 10m");

	use(world, arena_format(&world->arena, "%.*s, value: approval%s", (int)(at - SOURCE), SOURCE, at));
}

static void note(struct world *world, const struct saga_event *event)
{
	Saga__V1__SagaEvent *message = arena_alloc(&world->arena, sizeof(*message));

	assert_true(world->event_count < EVENTS_MAX);
	saga__v1__saga_event__init(message);
	message->sequence = (int64_t)world->event_count + 1;
	message->time = time_of(world, event->time_us);
	message->event = (char *)saga_event_name(event->type);
	message->milestone = text(event->milestone);
	message->reason = text(event->reason);
	message->detail = text(event->detail);
	message->actor = text(event->actor);
	if (event->step >= 0) {
		message->step_id = (char *)world->definition.steps[event->step].id;
		message->phase = (Saga__V1__StepPhase)(event->phase + 1);
		message->attempt = event->attempt;
	}
	if (event->reply.len > 0)
		message->value = struct_of(world, event->reply);
	world->events[world->event_count++] = message;
}

static void start(struct world *world, int64_t delay_us)
{
	struct saga_effects effects;
	struct saga_event event;
	struct uuid id;

	assert_true(uuid_parse(ID, strlen(ID), &id));
	world->saga = delay_us ? saga_schedule(&world->definition, id, T0, T0 + delay_us, &world->arena, &event)
			       : saga_start(&world->definition, id, T0, &world->arena, &event, &effects);
	note(world, &event);
}

static void apply(struct world *world, struct saga_event event)
{
	struct saga_effects effects;
	const char *why = NULL;
	enum saga_verdict verdict =
		saga_apply(&world->definition, world->saga, &event, &world->arena, &world->saga, &effects, &why);

	if (verdict != SAGA_VERDICT_APPLIED)
		fail_msg("%s is not applied: %s", saga_event_name(event.type), why);
	note(world, &event);
}

static void reply(struct world *world, enum saga_event_type type, int32_t step, enum step_phase phase, int64_t after_us)
{
	apply(world, (struct saga_event){.type = type,
					 .time_us = T0 + after_us,
					 .step = step,
					 .phase = phase,
					 .attempt = world->saga->steps[step].attempts[phase],
					 .reason = type == SAGA_EVENT_SUCCEEDED ? NULL : "bank_away",
					 .detail = type == SAGA_EVENT_SUCCEEDED ? NULL : "no answer\033[1m"});
}

static void request(struct world *world, enum saga_event_type type, int32_t step, const char *why, int64_t after_us)
{
	struct saga_event event = saga_request_event(type, step, T0 + after_us, why);

	event.actor = "ann";
	apply(world, event);
}

/* Whatever the clock brings until then. */
static void wait(struct world *world, int64_t after_us)
{
	while (saga_due_us(world->saga) && saga_due_us(world->saga) <= T0 + after_us) {
		struct saga_event event;
		int32_t step = 0;

		assert_true(saga_due_event(&world->definition, world->saga, saga_due_us(world->saga), &step, &event));
		apply(world, event);
	}
}

static const Saga__V1__Saga *shown(struct world *world)
{
	const struct saga *saga = world->saga;
	Saga__V1__Saga *message = &world->message;

	saga__v1__saga__init(message);
	message->saga_id = (char *)ID;
	message->definition = (char *)"checkout";
	message->definition_version = 1;
	message->key = (char *)"o-1";
	message->state = (Saga__V1__SagaState)(saga->state + 1);
	message->step = text(saga->milestone);
	message->version = saga->version;
	message->create_time = time_of(world, saga->created_us);
	message->end_time = time_of(world, saga->ended_us);
	message->start_time = time_of(world, saga->start_us);
	message->pause_time = time_of(world, saga->paused_us);
	message->stuck_reason = text(saga->stuck_reason);
	message->steps = arena_alloc(&world->arena, STEPS * sizeof(*message->steps));
	for (size_t i = 0; i < STEPS; i++) {
		const struct step *step = &saga->steps[i];
		Saga__V1__Step *one = arena_alloc(&world->arena, sizeof(*one));

		saga__v1__step__init(one);
		one->step_id = (char *)world->definition.steps[i].id;
		one->state = (Saga__V1__StepState)(step->state + 1);
		one->attempts = step->attempts[STEP_PHASE_FORWARD];
		one->compensation_attempts = step->attempts[STEP_PHASE_COMPENSATION];
		one->inquiry_attempts = step->attempts[STEP_PHASE_INQUIRY];
		one->resends = step->resends_total;
		one->reason = text(step->reason);
		one->detail = text(step->detail);
		one->update_time = time_of(world, step->updated_us);
		if (step->reply.len > 0)
			one->value = struct_of(world, step->reply);
		message->steps[message->n_steps++] = one;
	}
	message->events = world->events;
	message->n_events = world->event_count;
	return message;
}

static void assert_explained(struct world *world, int64_t now_after_us, const char *expected)
{
	struct saga_explanation explanation;
	struct saga_replay replay;
	struct buffer out = {0};
	struct error err;

	if (!saga_replay(shown(world), world->text, &world->arena, &replay, &err))
		fail_msg("%s", err.msg);
	saga_explanation_make(&world->message, &replay, "", &world->arena, &explanation);
	saga_explanation_append(&out, &explanation, T0 + now_after_us, false);
	assert_string_equal(buffer_text(&out), expected);
	buffer_release(&out);
}

/* ---- what is said ---- */

static void waiting_for_a_reply_tells_when_it_is_sent_again_and_given_up(void **state)
{
	struct world *world = *state;

	start(world, 0);
	wait(world, 4 * SECOND);
	assert_explained(world, 5 * SECOND,
			 "why, and since when\n"
			 "  step 'pay' waits for a reply to its command, attempt 1 of 3, re-sent 1 time\n"
			 "    2023-11-14T22:13:20.000000Z, 5.000 s ago\n"
			 "next\n"
			 "  pay: without a reply, its command is sent again\n"
			 "    2023-11-14T22:13:29.223270Z, in 4.223 s\n"
			 "  pay: no final reply by then counts as unknown, and the saga turns back\n"
			 "    2023-11-14T22:13:50.000000Z, in 25.000 s\n"
			 "  the time of the whole saga is over, and it turns back\n"
			 "    2023-11-14T23:13:20.000000Z, in 59 min 55 s\n"
			 "what can be done\n"
			 "  turn it back: what it did is undone:\n"
			 "    sagactl cancel " ID " --reason '…'\n"
			 "  hold it where it is:\n"
			 "    sagactl pause " ID " --reason '…'\n");
}

static void waiting_before_another_attempt_tells_when_and_why(void **state)
{
	struct world *world = *state;

	start(world, 0);
	reply(world, SAGA_EVENT_RETRIABLE, PAY, STEP_PHASE_FORWARD, SECOND);
	assert_explained(
		world, SECOND,
		"why, and since when\n"
		"  step 'pay' failed for now, attempt 1 of 3, and waits before the next: bank_away: no answer [1m\n"
		"    2023-11-14T22:13:21.000000Z, 0.0 ms ago\n"
		"next\n"
		"  pay: its next attempt\n"
		"    2023-11-14T22:13:21.274525Z, in 274.5 ms\n"
		"  pay: no final reply by then counts as unknown, and the saga turns back\n"
		"    2023-11-14T22:13:50.000000Z, in 29.000 s\n"
		"  the time of the whole saga is over, and it turns back\n"
		"    2023-11-14T23:13:20.000000Z, in 59 min 59 s\n"
		"what can be done\n"
		"  turn it back: what it did is undone:\n"
		"    sagactl cancel " ID " --reason '…'\n"
		"  hold it where it is:\n"
		"    sagactl pause " ID " --reason '…'\n");
}

static void a_step_with_an_inquiry_is_asked_about_before_the_saga_turns_back(void **state)
{
	struct world *world = *state;

	use_inquiry(world);
	start(world, 0);
	assert_explained(world, SECOND,
			 "why, and since when\n"
			 "  step 'pay' waits for a reply to its command, attempt 1 of 3\n"
			 "    2023-11-14T22:13:20.000000Z, 1.000 s ago\n"
			 "next\n"
			 "  pay: without a reply, its command is sent again\n"
			 "    2023-11-14T22:13:22.876837Z, in 1.876 s\n"
			 "  pay: no final reply by then counts as unknown, and its participant is asked\n"
			 "    2023-11-14T22:13:50.000000Z, in 29.000 s\n"
			 "  the time of the whole saga is over, and it turns back\n"
			 "    2023-11-14T23:13:20.000000Z, in 59 min 59 s\n"
			 "what can be done\n"
			 "  turn it back: what it did is undone:\n"
			 "    sagactl cancel " ID " --reason '…'\n"
			 "  hold it where it is:\n"
			 "    sagactl pause " ID " --reason '…'\n");
}

static void an_inquiry_tells_what_its_answer_decides(void **state)
{
	struct world *world = *state;

	use_inquiry(world);
	start(world, 0);
	wait(world, 30 * SECOND);
	assert_explained(world, 31 * SECOND,
			 "why, and since when\n"
			 "  the outcome of step 'pay' is unknown, and its participant is asked what became of it, "
			 "attempt 1 of 2\n"
			 "    2023-11-14T22:13:50.000000Z, 1.000 s ago\n"
			 "next\n"
			 "  pay: without a reply, its inquiry is sent again\n"
			 "    2023-11-14T22:13:52.742517Z, in 1.742 s\n"
			 "  pay: no answer by then leaves its outcome unknown, and it is undone with the rest\n"
			 "    2023-11-14T22:14:10.000000Z, in 19.000 s\n"
			 "  the time of the whole saga is over, and it turns back\n"
			 "    2023-11-14T23:13:20.000000Z, in 59 min 29 s\n"
			 "what can be done\n"
			 "  turn it back: what it did is undone:\n"
			 "    sagactl cancel " ID " --reason '…'\n"
			 "  hold it where it is:\n"
			 "    sagactl pause " ID " --reason '…'\n");
}

static void an_inquiry_without_an_answer_for_now_is_made_again(void **state)
{
	struct world *world = *state;

	use_inquiry(world);
	start(world, 0);
	wait(world, 30 * SECOND);
	reply(world, SAGA_EVENT_RETRIABLE, PAY, STEP_PHASE_INQUIRY, 31 * SECOND);
	assert_explained(world, 31 * SECOND,
			 "why, and since when\n"
			 "  the outcome of step 'pay' is unknown, and its participant cannot say for now: attempt 1 of "
			 "2, and a wait before the next: bank_away: no answer [1m\n"
			 "    2023-11-14T22:13:51.000000Z, 0.0 ms ago\n"
			 "next\n"
			 "  pay: its next attempt\n"
			 "    2023-11-14T22:13:51.280237Z, in 280.2 ms\n"
			 "  pay: no answer by then leaves its outcome unknown, and it is undone with the rest\n"
			 "    2023-11-14T22:14:10.000000Z, in 19.000 s\n"
			 "  the time of the whole saga is over, and it turns back\n"
			 "    2023-11-14T23:13:20.000000Z, in 59 min 29 s\n"
			 "what can be done\n"
			 "  turn it back: what it did is undone:\n"
			 "    sagactl cancel " ID " --reason '…'\n"
			 "  hold it where it is:\n"
			 "    sagactl pause " ID " --reason '…'\n");
}

static void an_accepted_command_is_its_participants(void **state)
{
	struct world *world = *state;

	start(world, 0);
	reply(world, SAGA_EVENT_ACCEPTED, PAY, STEP_PHASE_FORWARD, SECOND);
	assert_explained(world, 2 * SECOND,
			 "why, and since when\n"
			 "  step 'pay' was accepted: its participant works on it, and nothing is sent again\n"
			 "    2023-11-14T22:13:21.000000Z, 1.000 s ago\n"
			 "next\n"
			 "  pay: no final reply by then counts as unknown, and the saga turns back\n"
			 "    2023-11-14T22:13:50.000000Z, in 28.000 s\n"
			 "  the time of the whole saga is over, and it turns back\n"
			 "    2023-11-14T23:13:20.000000Z, in 59 min 58 s\n"
			 "what can be done\n"
			 "  turn it back: what it did is undone:\n"
			 "    sagactl cancel " ID " --reason '…'\n"
			 "  hold it where it is:\n"
			 "    sagactl pause " ID " --reason '…'\n");
}

static void a_wait_for_a_signal_names_it(void **state)
{
	struct world *world = *state;

	start(world, 0);
	reply(world, SAGA_EVENT_SUCCEEDED, PAY, STEP_PHASE_FORWARD, SECOND);
	assert_explained(world, 2 * SECOND,
			 "why, and since when\n"
			 "  step 'approve' waits for the signal 'approved'\n"
			 "    2023-11-14T22:13:21.000000Z, 1.000 s ago\n"
			 "next\n"
			 "  approve: without the signal by then, the saga turns back\n"
			 "    2023-11-14T22:23:21.000000Z, in 9 min 59 s\n"
			 "  the time of the whole saga is over, and it turns back\n"
			 "    2023-11-14T23:13:20.000000Z, in 59 min 58 s\n"
			 "what can be done\n"
			 "  bring it the signal:\n"
			 "    sagactl signal " ID " approved\n"
			 "  turn it back: what it did is undone:\n"
			 "    sagactl cancel " ID " --reason '…'\n"
			 "  hold it where it is:\n"
			 "    sagactl pause " ID " --reason '…'\n");
}

static void a_wait_for_a_value_names_its_subject(void **state)
{
	struct world *world = *state;

	use_value(world);
	start(world, 0);
	reply(world, SAGA_EVENT_SUCCEEDED, PAY, STEP_PHASE_FORWARD, SECOND);
	assert_explained(world, 2 * SECOND,
			 "why, and since when\n"
			 "  step 'approve' waits for the signal 'approved', which brings a value (subject 'approval')\n"
			 "    2023-11-14T22:13:21.000000Z, 1.000 s ago\n"
			 "next\n"
			 "  approve: without the signal by then, the saga turns back\n"
			 "    2023-11-14T22:23:21.000000Z, in 9 min 59 s\n"
			 "  the time of the whole saga is over, and it turns back\n"
			 "    2023-11-14T23:13:20.000000Z, in 59 min 58 s\n"
			 "what can be done\n"
			 "  bring it the signal:\n"
			 "    sagactl signal " ID " approved --value '{…}'\n"
			 "  turn it back: what it did is undone:\n"
			 "    sagactl cancel " ID " --reason '…'\n"
			 "  hold it where it is:\n"
			 "    sagactl pause " ID " --reason '…'\n");
}

static void a_signal_that_came_early_says_what_it_brought(void **state)
{
	struct world *world = *state;

	use_value(world);
	start(world, 0);
	apply(world, (struct saga_event){.type = SAGA_EVENT_SIGNALLED,
					 .time_us = T0 + SECOND,
					 .step = APPROVE,
					 .reply = bytes_of_text("{\"by\":\"ann\"}")});
	request(world, SAGA_EVENT_PAUSED, -1, "lunch", 2 * SECOND);
	assert_explained(world, 2 * SECOND,
			 "why, and since when\n"
			 "  it is paused by ann: lunch\n"
			 "    2023-11-14T22:13:22.000000Z, 0.0 ms ago\n"
			 "  step 'pay' waits for a reply to its command, attempt 1 of 3\n"
			 "    2023-11-14T22:13:20.000000Z, 2.000 s ago\n"
			 "next\n"
			 "  approve: does not wait: its signal 'approved' has come; it brought {\"by\":\"ann\"}\n"
			 "  nothing is sent and no time runs out until it is resumed; replies count\n"
			 "what can be done\n"
			 "  let it go on:\n"
			 "    sagactl resume " ID " --reason '…'\n"
			 "  turn it back: what it did is undone:\n"
			 "    sagactl cancel " ID " --reason '…'\n");
}

static void a_wait_for_an_event_names_its_topic_and_key(void **state)
{
	struct world *world = *state;
	const char *at = strstr(SOURCE, "signal: approved");

	use(world, arena_format(&world->arena, "%.*sevent: invoice.paid%s", (int)(at - SOURCE), SOURCE,
				at + strlen("signal: approved")));
	start(world, 0);
	reply(world, SAGA_EVENT_SUCCEEDED, PAY, STEP_PHASE_FORWARD, SECOND);
	assert_explained(world, 2 * SECOND,
			 "why, and since when\n"
			 "  step 'approve' waits for an event on 'invoice.paid' with the saga's key 'o-1'\n"
			 "    2023-11-14T22:13:21.000000Z, 1.000 s ago\n"
			 "next\n"
			 "  approve: without the event by then, the saga turns back\n"
			 "    2023-11-14T22:23:21.000000Z, in 9 min 59 s\n"
			 "  the time of the whole saga is over, and it turns back\n"
			 "    2023-11-14T23:13:20.000000Z, in 59 min 58 s\n"
			 "what can be done\n"
			 "  turn it back: what it did is undone:\n"
			 "    sagactl cancel " ID " --reason '…'\n"
			 "  hold it where it is:\n"
			 "    sagactl pause " ID " --reason '…'\n");
}

static void a_paused_saga_says_by_whom_and_that_nothing_runs_out(void **state)
{
	struct world *world = *state;

	start(world, 0);
	request(world, SAGA_EVENT_PAUSED, -1, "the bank asks", SECOND);
	assert_explained(world, 61 * SECOND,
			 "why, and since when\n"
			 "  it is paused by ann: the bank asks\n"
			 "    2023-11-14T22:13:21.000000Z, 1 min 00 s ago\n"
			 "  step 'pay' waits for a reply to its command, attempt 1 of 3\n"
			 "    2023-11-14T22:13:20.000000Z, 1 min 01 s ago\n"
			 "next\n"
			 "  nothing is sent and no time runs out until it is resumed; replies count\n"
			 "what can be done\n"
			 "  let it go on:\n"
			 "    sagactl resume " ID " --reason '…'\n"
			 "  turn it back: what it did is undone:\n"
			 "    sagactl cancel " ID " --reason '…'\n");
}

static void a_resumed_saga_has_its_time_moved_on(void **state)
{
	struct world *world = *state;

	start(world, 0);
	request(world, SAGA_EVENT_PAUSED, -1, "the bank asks", SECOND);
	request(world, SAGA_EVENT_RESUMED, -1, "it agreed", 101 * SECOND);
	assert_explained(world, 101 * SECOND,
			 "why, and since when\n"
			 "  step 'pay' waits for a reply to its command, attempt 1 of 3\n"
			 "    2023-11-14T22:13:20.000000Z, 1 min 41 s ago\n"
			 "next\n"
			 "  pay: without a reply, its command is sent again\n"
			 "    2023-11-14T22:15:01.000000Z, now\n"
			 "  pay: no final reply by then counts as unknown, and the saga turns back\n"
			 "    2023-11-14T22:15:30.000000Z, in 29.000 s\n"
			 "  the time of the whole saga is over, and it turns back\n"
			 "    2023-11-14T23:15:00.000000Z, in 59 min 59 s\n"
			 "what can be done\n"
			 "  turn it back: what it did is undone:\n"
			 "    sagactl cancel " ID " --reason '…'\n"
			 "  hold it where it is:\n"
			 "    sagactl pause " ID " --reason '…'\n");
}

static void a_scheduled_saga_says_when_it_starts(void **state)
{
	struct world *world = *state;

	start(world, 3600 * SECOND);
	assert_explained(world, 600 * SECOND,
			 "why, and since when\n"
			 "  it is to start later\n"
			 "    2023-11-14T22:13:20.000000Z, 10 min 00 s ago\n"
			 "next\n"
			 "  it starts\n"
			 "    2023-11-14T23:13:20.000000Z, in 50 min 00 s\n"
			 "what can be done\n"
			 "  turn it back: what it did is undone:\n"
			 "    sagactl cancel " ID " --reason '…'\n"
			 "  hold it where it is:\n"
			 "    sagactl pause " ID " --reason '…'\n");
}

static void reach_ship(struct world *world)
{
	start(world, 0);
	reply(world, SAGA_EVENT_SUCCEEDED, PAY, STEP_PHASE_FORWARD, SECOND);
	apply(world, (struct saga_event){.type = SAGA_EVENT_SIGNALLED, .time_us = T0 + SECOND, .step = APPROVE});
	reply(world, SAGA_EVENT_SUCCEEDED, CONFIRM, STEP_PHASE_FORWARD, 2 * SECOND);
}

static void stuck_on_the_way_forward_it_can_be_tried_again_skipped_or_resolved(void **state)
{
	struct world *world = *state;

	reach_ship(world);
	reply(world, SAGA_EVENT_RETRIABLE, SHIP, STEP_PHASE_FORWARD, 3 * SECOND);
	assert_explained(world, 63 * SECOND,
			 "why, and since when\n"
			 "  step 'ship' is stuck on the way forward: attempts_exhausted: attempts exhausted (1): "
			 "bank_away: no answer [1m\n"
			 "    2023-11-14T22:13:23.000000Z, 1 min 00 s ago\n"
			 "next\n"
			 "  nothing by itself for what is stuck, but a late success of its command sets it free\n"
			 "what can be done\n"
			 "  the cause is mended: try it again:\n"
			 "    sagactl retry " ID " --reason '…'\n"
			 "  somebody did by hand what it should have: go on without it:\n"
			 "    sagactl skip " ID " ship --reason '…'\n"
			 "  somebody has seen to all of it: end it:\n"
			 "    sagactl resolve " ID " --as completed|compensated|failed --reason '…'\n"
			 "  hold it where it is:\n"
			 "    sagactl pause " ID " --reason '…'\n");
}

static void go_back(struct world *world)
{
	start(world, 0);
	reply(world, SAGA_EVENT_SUCCEEDED, PAY, STEP_PHASE_FORWARD, SECOND);
	request(world, SAGA_EVENT_CANCELLED, -1, "changed my mind", 2 * SECOND);
}

static void going_back_it_cannot_be_cancelled_again(void **state)
{
	struct world *world = *state;

	go_back(world);
	assert_explained(world, 2 * SECOND,
			 "why, and since when\n"
			 "  step 'pay' waits for a reply to its compensation, attempt 1 of 2\n"
			 "    2023-11-14T22:13:22.000000Z, 0.0 ms ago\n"
			 "next\n"
			 "  pay: without a reply, its compensation is sent again\n"
			 "    2023-11-14T22:13:24.908665Z, in 2.908 s\n"
			 "  pay: not confirmed by then, its compensation is stuck\n"
			 "    2023-11-15T22:13:22.000000Z, in 1 d 00 h\n"
			 "what can be done\n"
			 "  hold it where it is:\n"
			 "    sagactl pause " ID " --reason '…'\n");
}

static void stuck_on_the_way_back_says_why(void **state)
{
	struct world *world = *state;

	go_back(world);
	reply(world, SAGA_EVENT_REJECTED, PAY, STEP_PHASE_COMPENSATION, 3 * SECOND);
	assert_explained(world, 4 * SECOND,
			 "why, and since when\n"
			 "  step 'pay' could not be undone: compensation_rejected: no answer [1m\n"
			 "    2023-11-14T22:13:23.000000Z, 1.000 s ago\n"
			 "next\n"
			 "  nothing by itself for what is stuck, but a late success of its command sets it free\n"
			 "what can be done\n"
			 "  the cause is mended: try it again:\n"
			 "    sagactl retry " ID " --reason '…'\n"
			 "  somebody did by hand what it should have: go on without it:\n"
			 "    sagactl skip " ID " pay --reason '…'\n"
			 "  somebody has seen to all of it: end it:\n"
			 "    sagactl resolve " ID " --as completed|compensated|failed --reason '…'\n"
			 "  hold it where it is:\n"
			 "    sagactl pause " ID " --reason '…'\n");
}

static void a_broken_contract_cannot_be_tried_again(void **state)
{
	struct world *world = *state;

	start(world, 0);
	reply(world, SAGA_EVENT_SUCCEEDED, PAY, STEP_PHASE_FORWARD, SECOND);
	apply(world, (struct saga_event){.type = SAGA_EVENT_SIGNALLED, .time_us = T0 + SECOND, .step = APPROVE});
	reply(world, SAGA_EVENT_REJECTED, CONFIRM, STEP_PHASE_FORWARD, 2 * SECOND);
	reply(world, SAGA_EVENT_SUCCEEDED, CONFIRM, STEP_PHASE_FORWARD, 3 * SECOND);
	assert_explained(world, 4 * SECOND,
			 "why, and since when\n"
			 "  step 'pay' waits for a reply to its compensation, attempt 1 of 2\n"
			 "    2023-11-14T22:13:22.000000Z, 2.000 s ago\n"
			 "  step 'confirm' succeeded after it was settled as not done: its participant broke the "
			 "contract, and its effect stands\n"
			 "    2023-11-14T22:13:23.000000Z, 1.000 s ago\n"
			 "next\n"
			 "  pay: without a reply, its compensation is sent again\n"
			 "    2023-11-14T22:13:24.908665Z, in 908.7 ms\n"
			 "  pay: not confirmed by then, its compensation is stuck\n"
			 "    2023-11-15T22:13:22.000000Z, in 23 h 59 min\n"
			 "  nothing by itself for what is stuck\n"
			 "what can be done\n"
			 "  somebody did by hand what it should have: go on without it:\n"
			 "    sagactl skip " ID " confirm --reason '…'\n"
			 "  somebody has seen to all of it: end it:\n"
			 "    sagactl resolve " ID " --as completed|compensated|failed --reason '…'\n"
			 "  hold it where it is:\n"
			 "    sagactl pause " ID " --reason '…'\n");
}

static void ended_sagas_say_what_made_them_end(void **state)
{
	struct world *world = *state;

	go_back(world);
	reply(world, SAGA_EVENT_SUCCEEDED, PAY, STEP_PHASE_COMPENSATION, 3 * SECOND);
	assert_explained(world, 63 * SECOND,
			 "why, and since when\n"
			 "  it has ended, and what it did is undone, cancelled by ann: changed my mind\n"
			 "    2023-11-14T22:13:23.000000Z, 1 min 00 s ago\n"
			 "next\n"
			 "  nothing: it is over\n");
}

static void resolved_sagas_say_by_whom(void **state)
{
	struct world *world = *state;

	reach_ship(world);
	reply(world, SAGA_EVENT_RETRIABLE, SHIP, STEP_PHASE_FORWARD, 3 * SECOND);
	request(world, SAGA_EVENT_RESOLVED_FAILED, -1, "written off", 4 * SECOND);
	assert_explained(world, 64 * SECOND,
			 "why, and since when\n"
			 "  it has ended, resolved by ann: written off\n"
			 "    2023-11-14T22:13:24.000000Z, 1 min 00 s ago\n"
			 "next\n"
			 "  nothing: it is over\n");
}

static void refused_sagas_say_which_step_it_was(void **state)
{
	struct world *world = *state;

	start(world, 0);
	apply(world, (struct saga_event){.type = SAGA_EVENT_REJECTED,
					 .time_us = T0 + SECOND,
					 .step = PAY,
					 .attempt = 1,
					 .milestone = "PAYMENT_DECLINED",
					 .reason = "card_expired"});
	assert_explained(world, 61 * SECOND,
			 "why, and since when\n"
			 "  it has ended, and what it did is undone, because step 'pay' failed: card_expired\n"
			 "    2023-11-14T22:13:21.000000Z, 1 min 00 s ago\n"
			 "next\n"
			 "  nothing: it is over\n");
}

/* ---- without the core's help ---- */

static void a_log_that_is_not_understood_is_said_and_not_guessed_at(void **state)
{
	struct world *world = *state;
	struct saga_explanation explanation;
	struct saga_replay replay;
	struct buffer out = {0};
	struct error err;

	start(world, 0);
	world->events[0]->event = (char *)"teleported";
	assert_false(saga_replay(shown(world), SOURCE, &world->arena, &replay, &err));
	assert_string_equal(err.msg, "entry 1 of its log is not understood by this sagactl");
	saga_explanation_make(&world->message, NULL, err.msg, &world->arena, &explanation);
	saga_explanation_append(&out, &explanation, T0 + SECOND, false);
	assert_string_equal(buffer_text(&out),
			    "why, and since when\n"
			    "  step 'pay' waits for a reply to its command, attempt 1\n"
			    "    2023-11-14T22:13:20.000000Z, 1.000 s ago\n"
			    "next\n"
			    "  cannot be told: entry 1 of its log is not understood by this sagactl\n"
			    "what can be done\n"
			    "  turn it back: what it did is undone:\n"
			    "    sagactl cancel " ID " --reason '…'\n"
			    "  hold it where it is:\n"
			    "    sagactl pause " ID " --reason '…'\n");
	buffer_release(&out);
	assert_false(saga_replay(&world->message, "saga: [", &world->arena, &replay, &err));
	world->events[0]->event = (char *)"started";
	world->message.version = 7;
	assert_false(saga_replay(&world->message, SOURCE, &world->arena, &replay, &err));
	assert_string_equal(err.msg, "its log leads elsewhere by this sagactl's rules");
}

static void programs_get_times_and_commands_apart(void **state)
{
	struct world *world = *state;
	struct saga_explanation explanation;
	struct saga_replay replay;
	struct buffer out = {0};
	struct error err;

	start(world, 3600 * SECOND);
	assert_true(saga_replay(shown(world), SOURCE, &world->arena, &replay, &err));
	saga_explanation_make(&world->message, &replay, "", &world->arena, &explanation);
	saga_explanation_append_json(&out, &world->message, &explanation);
	assert_string_equal(buffer_text(&out),
			    "{\"sagaId\":\"" ID "\",\"state\":\"SCHEDULED\",\"why\":[{\"text\":\"it is to start "
			    "later\",\"time\":\"2023-11-14T22:13:20.000000Z\"}],\"next\":[{\"text\":\"it "
			    "starts\",\"time\":\"2023-11-14T23:13:20.000000Z\"}],\"commands\":[{\"text\":\"turn it "
			    "back: what it did is undone\",\"command\":\"sagactl cancel " ID
			    " --reason '…'\"},{\"text\":\"hold it where it is\",\"command\":\"sagactl pause " ID
			    " --reason '…'\"}]}");
	buffer_release(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(waiting_for_a_reply_tells_when_it_is_sent_again_and_given_up),
		TEST(waiting_before_another_attempt_tells_when_and_why),
		TEST(a_step_with_an_inquiry_is_asked_about_before_the_saga_turns_back),
		TEST(an_inquiry_tells_what_its_answer_decides),
		TEST(an_inquiry_without_an_answer_for_now_is_made_again),
		TEST(an_accepted_command_is_its_participants),
		TEST(a_wait_for_a_signal_names_it),
		TEST(a_wait_for_a_value_names_its_subject),
		TEST(a_signal_that_came_early_says_what_it_brought),
		TEST(a_wait_for_an_event_names_its_topic_and_key),
		TEST(a_paused_saga_says_by_whom_and_that_nothing_runs_out),
		TEST(a_resumed_saga_has_its_time_moved_on),
		TEST(a_scheduled_saga_says_when_it_starts),
		TEST(stuck_on_the_way_forward_it_can_be_tried_again_skipped_or_resolved),
		TEST(going_back_it_cannot_be_cancelled_again),
		TEST(stuck_on_the_way_back_says_why),
		TEST(a_broken_contract_cannot_be_tried_again),
		TEST(ended_sagas_say_what_made_them_end),
		TEST(resolved_sagas_say_by_whom),
		TEST(refused_sagas_say_which_step_it_was),
		TEST(a_log_that_is_not_understood_is_said_and_not_guessed_at),
		TEST(programs_get_times_and_commands_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
