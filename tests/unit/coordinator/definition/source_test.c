/* source_test.c - what can be wrong with a definition's text, each with its place, all of it at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "coordinator/definition/source.h"
#include "lib/base/spelling.h"
#include "lib/base/memory.h"

struct fixture {
	struct arena arena;
	struct problems problems;
};

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	arena_init(&f->arena, 0);
	problems_init(&f->problems);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	arena_release(&f->arena);
	problems_release(&f->problems);
	free(f);
	return 0;
}

static struct source *parse(struct fixture *f, const char *text)
{
	return source_parse("t.yaml", bytes_of_text(text), &f->arena, &f->problems);
}

static struct source *must_parse(struct fixture *f, const char *text)
{
	struct source *source = parse(f, text);

	for (size_t i = 0; i < problems_kept(&f->problems); i++)
		print_error("%s: %s\n", f->problems.items[i].place, f->problems.items[i].text);
	assert_non_null(source);
	return source;
}

/* The text has exactly this one problem. */
static void assert_refused(struct fixture *f, const char *text, const char *place, const char *problem)
{
	(void)parse(f, text);
	assert_int_equal(f->problems.count, 1);
	assert_string_equal(f->problems.items[0].place, place);
	assert_string_equal(f->problems.items[0].text, problem);
}

#define HEAD "saga: s\nkey: id\nsteps:\n"

static void reads_all_that_a_definition_can_say(void **state)
{
	struct fixture *f = *state;
	const struct source *source = must_parse(f,
						 "saga: shop-2\n"
						 "description: sells\n"
						 "runbook: |\n"
						 "  call\n"
						 "  the shop\n"
						 "input: other-input\n"
						 "key: order_id\n"
						 "defaults:\n"
						 "  timeout: 5s\n"
						 "  attempts: 4\n"
						 "  compensation: {timeout: 7d}\n"
						 "steps:\n"
						 "  - id: a\n"
						 "    command: c.a\n"
						 "    replies:\n"
						 "      succeeded: {topic: r.a, as: A_IS_DONE}\n"
						 "      rejected: [r.x, {topic: r.y}]\n"
						 "      retriable: r.x\n"
						 "      accepted: r.z\n"
						 "    resend: {first: 2s, max: 8s}\n"
						 "    backoff: 500ms\n"
						 "    fields: {x: input.p.q, y: {value: [1]}}\n"
						 "    compensation:\n"
						 "      command: c.undo\n"
						 "      replies: {succeeded: r.undone}\n"
						 "      attempts: 9\n"
						 "      fields: {ref: a.ref}\n"
						 "  - {id: b, kind: pivot, command: c.b, replies: {succeeded: r.b}}\n");
	const struct source_step *a = &source->steps[0];
	const struct command_policy *policy = a->definition.policy;

	assert_string_equal(source->name, "shop-2");
	assert_string_equal(source->runbook, "call\nthe shop\n");
	assert_string_equal(source->input, "other-input");
	assert_int_equal(source->step_count, 2);
	assert_int_equal(a->commands[0].reply_count, 5);
	assert_string_equal(a->commands[0].replies[0].milestone, "A_IS_DONE");
	assert_int_equal(a->commands[0].replies[2].outcome, SAGA_EVENT_REJECTED);
	assert_string_equal(a->commands[0].replies[2].topic, "r.y");
	assert_int_equal(policy[STEP_PHASE_FORWARD].timeout_ms, 5000);
	assert_int_equal(policy[STEP_PHASE_FORWARD].attempts_max, 4);
	assert_int_equal(policy[STEP_PHASE_FORWARD].resend_ms, 2000);
	assert_int_equal(policy[STEP_PHASE_FORWARD].resend_max_ms, 8000);
	assert_int_equal(policy[STEP_PHASE_FORWARD].retry_backoff_ms, 500);
	assert_int_equal(policy[STEP_PHASE_COMPENSATION].timeout_ms, INT64_C(7) * 24 * 3600 * 1000);
	assert_int_equal(policy[STEP_PHASE_COMPENSATION].attempts_max, 9);
	assert_int_equal(a->commands[0].fields[0].path_len, 2);
	assert_int_equal(a->commands[1].fields[0].step, 0);
	assert_true(a->definition.has_compensation);
	assert_int_equal(source->steps[1].definition.kind, STEP_KIND_PIVOT);
}

static void takes_the_defaults_where_nothing_is_said(void **state)
{
	struct fixture *f = *state;
	const struct source *source =
		must_parse(f, HEAD "- {id: a, command: c, replies: {succeeded: r}, compensation: none}");

	assert_string_equal(source->input, "s-input");
	assert_memory_equal(source->steps[0].definition.policy, COMMAND_POLICY_DEFAULTS,
			    sizeof(COMMAND_POLICY_DEFAULTS));
	assert_int_equal(source->steps[0].definition.kind, STEP_KIND_COMPENSATABLE);
	assert_false(source->steps[0].definition.has_compensation);
	assert_string_equal(source->steps[0].definition.timed_out_milestone[STEP_PHASE_COMPENSATION],
			    "A_COMPENSATION_TIMED_OUT");
}

static void reads_json(void **state)
{
	struct fixture *f = *state;
	const struct source *source =
		must_parse(f, "{\"saga\": \"s\", \"key\": \"id\", \"steps\": [{\"id\": \"a\", \"kind\": \"pivot\","
			      " \"command\": \"c\", \"replies\": {\"succeeded\": \"r\"}}]}");

	assert_string_equal(source->steps[0].commands[0].topic, "c");
}

static void reports_all_problems_at_once(void **state)
{
	struct fixture *f = *state;

	(void)parse(f, "saga: Shop\n"
		       "stepss: []\n"
		       "steps:\n"
		       "- id: a\n"
		       "  comand: c\n"
		       "  replies: {rejected: r}\n"
		       "  timeout: soon\n"
		       "- id: a\n"
		       "  kind: retriable\n"
		       "  command: c d\n"
		       "  replies: {succeeded: r}\n"
		       "- id: z\n"
		       "  command: c\n"
		       "  replies: {succeeded: r}\n");
	assert_int_equal(f->problems.count, 12);
}

static void suggests_the_key_that_was_meant(void **state)
{
	assert_refused(*state, HEAD "- {id: a, kind: pivot, command: c, replies: {succeeded: r}, timeuot: 3s}",
		       "t.yaml:4:61", "unknown key 'timeuot' of a step; did you mean 'timeout'?");
}

static void needs_a_compensation_before_the_pivot(void **state)
{
	assert_refused(*state, HEAD "- {id: a, command: c, replies: {succeeded: r}}", "t.yaml:4:8",
		       "step 'a' needs a compensation: {command: …, replies: …}, or 'compensation: none' if there is "
		       "nothing to undo");
}

static void refuses_a_compensation_from_the_pivot_on(void **state)
{
	assert_refused(*state,
		       HEAD "- id: a\n  kind: pivot\n  command: c\n  replies: {succeeded: r}\n"
			    "  compensation: {command: u, replies: {succeeded: v}}",
		       "t.yaml:8:17", "a pivot step is never compensated: remove its compensation");
}

static void keeps_the_order_of_kinds(void **state)
{
	assert_refused(*state,
		       HEAD "- {id: a, kind: retriable, command: c, replies: {succeeded: r}}\n"
			    "- {id: b, kind: pivot, command: c, replies: {succeeded: r}}",
		       "t.yaml:5:8",
		       "a pivot step cannot follow a retriable step: the order is compensatable steps, at most one "
		       "pivot, retriable steps");
}

static void takes_one_pivot_only(void **state)
{
	assert_refused(*state,
		       HEAD "- {id: a, kind: pivot, command: c, replies: {succeeded: r}}\n"
			    "- {id: b, kind: pivot, command: c, replies: {succeeded: r}}",
		       "t.yaml:5:8", "there can be one pivot only; steps after it are 'kind: retriable'");
}

static void suggests_the_step_that_was_meant(void **state)
{
	assert_refused(
		*state,
		HEAD "- {id: charge, kind: compensatable, command: c, replies: {succeeded: r}, compensation: none}\n"
		     "- {id: b, kind: pivot, command: c, replies: {succeeded: r}, fields: {x: chrage.y}}",
		"t.yaml:5:73", "source 'chrage.y': there is no step 'chrage' before this one; did you mean 'charge'?");
}

static void refuses_the_reply_of_a_later_step(void **state)
{
	assert_refused(*state,
		       HEAD "- {id: a, kind: pivot, command: c, replies: {succeeded: r}, fields: {x: b.y}}\n"
			    "- {id: b, kind: retriable, command: c, replies: {succeeded: r}}",
		       "t.yaml:4:73", "source 'b.y': there is no step 'b' before this one");
}

static void refuses_the_steps_own_reply_in_its_forward_command(void **state)
{
	assert_refused(*state, HEAD "- {id: a, kind: pivot, command: c, replies: {succeeded: r}, fields: {x: a.y}}",
		       "t.yaml:4:73", "source 'a.y': the reply of step 'a' is not there yet");
}

static void explains_how_a_fixed_value_is_written(void **state)
{
	assert_refused(*state, HEAD "- {id: a, kind: pivot, command: c, replies: {succeeded: r}, fields: {x: EUR}}",
		       "t.yaml:4:73",
		       "source 'EUR' is neither input.<field> nor <step>.<field>; a fixed value is {value: EUR}");
}

static void refuses_aliases_anchors_and_tags(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, "saga: &a s\n", "t.yaml:1:7",
		       "anchors are not supported: write the value out where it is needed");
	problems_release(&f->problems);
	problems_init(&f->problems);
	assert_refused(f, "saga: *a\n", "t.yaml:1:7",
		       "aliases are not supported: write the value out where it is needed");
	problems_release(&f->problems);
	problems_init(&f->problems);
	assert_refused(f, "saga: !!str s\n", "t.yaml:1:7", "tags are not supported: leave it out");
}

static void refuses_what_is_no_yaml(void **state)
{
	struct fixture *f = *state;

	assert_null(parse(f, "saga: [\n"));
	assert_int_equal(f->problems.count, 1);
	assert_string_equal(f->problems.items[0].place, "t.yaml:2:1");
}

static void refuses_empty_doubled_and_second_documents(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, "", "t.yaml:1:1", "the file is empty: a definition begins with 'saga: <name>'");
	problems_release(&f->problems);
	problems_init(&f->problems);
	assert_refused(f, "saga: a\nsaga: b\n", "t.yaml:2:1", "key 'saga' was given before, at line 1");
	problems_release(&f->problems);
	problems_init(&f->problems);
	assert_refused(f, "saga: a\n---\nsaga: b\n", "t.yaml:2:1",
		       "a file holds one definition: put the next into its own file");
}

static void bounds_size_depth_and_steps(void **state)
{
	struct fixture *f = *state;
	char *big = xcalloc(1, YAML_BYTES_MAX + 2);
	struct buffer many = {0};

	memset(big, '#', YAML_BYTES_MAX + 1);
	assert_null(parse(f, big));
	memset(big, 0, YAML_BYTES_MAX);
	memset(big, '[', 100000);
	assert_null(parse(f, big));
	free(big);
	buffer_append_text(&many, HEAD);
	for (int i = 0; i < 257; i++)
		buffer_append_format(&many, "- {id: s%d, kind: retriable, command: c, replies: {succeeded: r}}\n", i);
	(void)parse(f, buffer_text(&many));
	assert_int_equal(f->problems.count, 3);
	assert_string_equal(f->problems.items[1].text, "is nested too deeply (at most 32 levels)");
	assert_string_equal(f->problems.items[2].text, "a saga has 1 to 256 steps, not 257");
	buffer_release(&many);
}

static void survives_every_prefix_of_a_definition(void **state)
{
	struct fixture *f = *state;
	static const char text[] = HEAD
		"- id: a\n  command: c\n  replies: {succeeded: {topic: r, as: X}, rejected: [q]}\n"
		"  fields: {x: input.a.b, y: {value: {z: 1}}}\n  timeout: 3s\n"
		"  compensation: {command: u, replies: {succeeded: v}, fields: {x: a.b}}\n";

	(void)must_parse(f, text);
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		char *cut = xstrndup(text, len); /* on the heap, so that a sanitizer sees a read beyond it */

		(void)source_parse("t.yaml", (struct bytes){(const uint8_t *)cut, len}, &f->arena, &f->problems);
		free(cut);
	}
}

static void reads_durations(void **state)
{
	static const char *const bad[] = {"", "5", "s", "-1s", "0s", "5 s", "5x", "1.5s", "99999999999d", "3sm"};
	int64_t ms = 0;

	(void)state;
	assert_true(source_parse_duration("500ms", &ms) && ms == 500);
	assert_true(source_parse_duration("3s", &ms) && ms == 3000);
	assert_true(source_parse_duration("5m", &ms) && ms == 300000);
	assert_true(source_parse_duration("24h", &ms) && ms == 86400000);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(source_parse_duration(bad[i], &ms));
}

static void finds_the_nearest_name(void **state)
{
	static const char *const names[] = {"timeout", "resend", "fields"};

	(void)state;
	assert_string_equal(spelling_nearest("tiemout", names, 3), "timeout");
	assert_string_equal(spelling_nearest("field", names, 3), "fields");
	assert_string_equal(spelling_nearest("resend_max", names, 3), "resend");
	assert_null(spelling_nearest("kind", names, 3));
	assert_null(spelling_nearest("re", names, 3));
	assert_int_equal(spelling_distance("kitten", "sitting"), 3);
}

/* ---- order and waits ---- */
#define STEP(id, more) "  - {id: " id ", command: c, replies: {succeeded: r}, compensation: none" more "}\n"
#define PIVOT(id, more) "  - {id: " id ", kind: pivot, command: c, replies: {succeeded: r}" more "}\n"

static void reads_steps_that_run_in_parallel(void **state)
{
	const struct source *source = must_parse(*state,
						 HEAD STEP("a", "") STEP("b", "") STEP("c", ", after: [a]")
							 STEP("d", ", after: []") PIVOT("e", ", after: [d, b, c]"));
	const struct step_definition *c = &source->steps[2].definition;
	const struct step_definition *e = &source->steps[4].definition;

	assert_null(source->steps[1].definition.after); /* the step before it */
	assert_int_equal(c->after_count, 1);
	assert_int_equal(c->after[0], 0);
	assert_non_null(source->steps[3].definition.after);
	assert_int_equal(source->steps[3].definition.after_count, 0);
	assert_int_equal(e->after_count, 3);
	assert_int_equal(e->after[0], 1); /* in the steps' order */
	assert_int_equal(e->after[2], 3);
}

static void refuses_an_order_that_cannot_be(void **state)
{
	assert_refused(*state, HEAD STEP("a", ", after: [b]") STEP("b", ""), "t.yaml:4:78",
		       "after 'b': there is no step of that id above this one");
}

static void refuses_a_pivot_that_does_not_wait_for_all_that_can_fail(void **state)
{
	assert_refused(
		*state, HEAD STEP("a", "") STEP("b", ", after: []") PIVOT("p", ""), "t.yaml:6:10",
		"pivot step 'p' must come after compensatable step 'a', which could still fail: add it to 'after'");
}

static void refuses_the_reply_of_a_step_beside(void **state)
{
	assert_refused(*state, HEAD STEP("a", "") STEP("b", ", after: [], fields: {x: a.y}"), "t.yaml:5:93",
		       "source 'a.y': the reply of step 'a' is not there yet");
}

static void reads_waits_and_the_sagas_timeout(void **state)
{
	const struct source *source = must_parse(*state,
						 "saga: s\nkey: id\ntimeout: 2h\nsteps:\n"
						 "  - {id: a, wait: {signal: approved, timeout: 24h, optional: true}}\n"
						 "  - {id: b, kind: retriable, wait: {delay: 10m}}\n");

	assert_int_equal(source->timeout_ms, 2 * 3600 * 1000);
	assert_int_equal(source->steps[0].definition.action, STEP_ACTION_SIGNAL);
	assert_string_equal(source->steps[0].signal, "approved");
	assert_true(source->steps[0].definition.is_optional);
	assert_int_equal(source->steps[0].definition.policy[STEP_PHASE_FORWARD].timeout_ms, 24 * 3600 * 1000);
	assert_int_equal(source->steps[1].definition.action, STEP_ACTION_DELAY);
	assert_int_equal(source->steps[1].definition.policy[STEP_PHASE_FORWARD].timeout_ms, 600 * 1000);
}

static void reads_what_a_signal_brings_and_who_takes_it(void **state)
{
	const struct source *source =
		must_parse(*state, HEAD "  - {id: a, wait: {signal: approved, value: approval, timeout: 24h}}\n" STEP(
					   "b", ", fields: {x: a.y}"));
	const struct definition *definition = source_definition(source, 1, &((struct fixture *)*state)->arena);

	assert_string_equal(source->steps[0].value, "approval");
	assert_true(definition->steps[0].has_value);
	assert_true(definition->steps[0].is_reply_needed);
	assert_false(definition->steps[1].has_value);
	assert_int_equal(source->steps[1].commands[STEP_PHASE_FORWARD].fields[0].step, 0);
}

static void reads_a_wait_for_an_event(void **state)
{
	const struct source *source =
		must_parse(*state, HEAD "  - {id: a, wait: {event: invoice.paid, timeout: 24h, optional: true}}\n" STEP(
					   "b", ", fields: {x: a.y}"));

	assert_string_equal(source->steps[0].event, "invoice.paid");
	assert_null(source->steps[0].signal);
	assert_int_equal(source->steps[0].definition.action, STEP_ACTION_SIGNAL);
	assert_true(source->steps[0].definition.has_value);
	assert_true(source->steps[0].definition.is_optional);
}

static void refuses_two_waits_for_events_on_one_topic(void **state)
{
	assert_refused(*state,
		       HEAD "  - {id: a, wait: {event: e, timeout: 1s}}\n"
			    "  - {id: b, wait: {event: e, timeout: 1s}}\n",
		       "t.yaml:5:27",
		       "two steps wait for events on 'e': one that is read again would count for the other");
}

static void refuses_an_event_without_end(void **state)
{
	assert_refused(*state, HEAD "  - {id: a, wait: {event: e}}\n", "t.yaml:4:19",
		       "a wait for an event needs a timeout, such as {event: invoice.paid, timeout: 24h}");
}

static void refuses_to_take_from_a_signal_that_brings_nothing(void **state)
{
	assert_refused(*state,
		       HEAD "  - {id: a, wait: {signal: approved, timeout: 24h}}\n" STEP("b", ", fields: {x: a.y}"),
		       "t.yaml:5:82",
		       "source 'a.y': step 'a' only waits, it has no reply; a signal brings one with "
		       "wait: {signal: …, value: SUBJECT}, and so does an event");
}

static void reads_an_inquiry_which_is_answered_as_its_command_is(void **state)
{
	struct fixture *f = *state;
	const struct source *source = must_parse(f, "saga: s\nkey: id\n"
						    "defaults: {inquiry: {timeout: 9s}}\nsteps:\n"
						    "  - id: a\n    command: c\n    compensation: none\n"
						    "    replies: {succeeded: r, rejected: x}\n"
						    "    inquiry: {command: ask, attempts: 4, fields: {x: input.p}}\n"
						    "  - id: b\n    command: c\n    compensation: none\n"
						    "    replies: {succeeded: r}\n"
						    "    inquiry:\n"
						    "      command: ask\n"
						    "      replies: {succeeded: told, unknown: shrugged}\n");
	const struct source_step *a = &source->steps[0];
	const struct source_step *b = &source->steps[1];

	assert_true(a->definition.has_inquiry);
	assert_int_equal(a->definition.policy[STEP_PHASE_INQUIRY].timeout_ms, 9000);
	assert_int_equal(a->definition.policy[STEP_PHASE_INQUIRY].attempts_max, 4);
	assert_string_equal(a->commands[STEP_PHASE_INQUIRY].topic, "ask");
	assert_int_equal(a->commands[STEP_PHASE_INQUIRY].field_count, 1);
	assert_int_equal(a->commands[STEP_PHASE_INQUIRY].reply_count, 2);
	assert_string_equal(a->commands[STEP_PHASE_INQUIRY].replies[1].topic, "x");
	assert_int_equal(b->commands[STEP_PHASE_INQUIRY].reply_count, 2);
	assert_int_equal(b->commands[STEP_PHASE_INQUIRY].replies[1].outcome, SAGA_EVENT_UNKNOWN);
	assert_string_equal(b->commands[STEP_PHASE_INQUIRY].replies[1].topic, "shrugged");
}

static void refuses_an_inquiry_where_the_command_is_sent_until_its_outcome_is_known(void **state)
{
	assert_refused(*state,
		       HEAD "  - {id: a, kind: pivot, command: c, replies: {succeeded: r}, inquiry: {command: q}}\n",
		       "t.yaml:4:72", "a pivot step is tried again until its outcome is known: remove its inquiry");
}

static void refuses_unknown_as_an_outcome_of_commands(void **state)
{
	assert_refused(*state,
		       HEAD "  - {id: a, command: c, replies: {succeeded: r, unknown: u}, compensation: none}\n",
		       "t.yaml:4:49", "unknown key 'unknown' of replies");
}

static void refuses_the_steps_own_reply_in_its_inquiry(void **state)
{
	assert_refused(*state,
		       HEAD "  - {id: a, command: c, replies: {succeeded: r}, compensation: none,\n"
			    "     inquiry: {command: q, fields: {x: a.y}}}\n",
		       "t.yaml:5:40", "source 'a.y': the reply of step 'a' is not there yet");
}

static void refuses_a_wait_for_both_or_nothing(void **state)
{
	assert_refused(*state, HEAD "  - {id: a, wait: {optional: true}}\n", "t.yaml:4:19",
		       "a wait is one of {signal: approved, timeout: 24h}, {event: invoice.paid, timeout: 24h} and "
		       "{delay: 10m}");
}

static void refuses_a_signal_without_end(void **state)
{
	assert_refused(*state, HEAD "  - {id: a, wait: {signal: s}}\n", "t.yaml:4:19",
		       "a wait for a signal needs a timeout, such as {signal: approved, timeout: 24h}");
}

static void refuses_two_waits_for_one_signal(void **state)
{
	assert_refused(*state,
		       HEAD "  - {id: a, wait: {signal: s, timeout: 1s}}\n"
			    "  - {id: b, wait: {signal: s, timeout: 1s}}\n",
		       "t.yaml:5:28", "two steps wait for signal 's': give one another name");
}

static void refuses_a_command_beside_a_wait(void **state)
{
	assert_refused(*state, HEAD "  - {id: a, command: c, wait: {delay: 1s}}\n", "t.yaml:4:13",
		       "unknown key 'command' of a step that waits");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(reads_all_that_a_definition_can_say),
		TEST(takes_the_defaults_where_nothing_is_said),
		TEST(reads_json),
		TEST(reads_steps_that_run_in_parallel),
		TEST(refuses_an_order_that_cannot_be),
		TEST(refuses_a_pivot_that_does_not_wait_for_all_that_can_fail),
		TEST(refuses_the_reply_of_a_step_beside),
		TEST(reads_waits_and_the_sagas_timeout),
		TEST(reads_an_inquiry_which_is_answered_as_its_command_is),
		TEST(refuses_an_inquiry_where_the_command_is_sent_until_its_outcome_is_known),
		TEST(refuses_unknown_as_an_outcome_of_commands),
		TEST(refuses_the_steps_own_reply_in_its_inquiry),
		TEST(refuses_a_wait_for_both_or_nothing),
		TEST(reads_what_a_signal_brings_and_who_takes_it),
		TEST(reads_a_wait_for_an_event),
		TEST(refuses_two_waits_for_events_on_one_topic),
		TEST(refuses_an_event_without_end),
		TEST(refuses_to_take_from_a_signal_that_brings_nothing),
		TEST(refuses_a_signal_without_end),
		TEST(refuses_two_waits_for_one_signal),
		TEST(refuses_a_command_beside_a_wait),
		TEST(reports_all_problems_at_once),
		TEST(suggests_the_key_that_was_meant),
		TEST(needs_a_compensation_before_the_pivot),
		TEST(refuses_a_compensation_from_the_pivot_on),
		TEST(keeps_the_order_of_kinds),
		TEST(takes_one_pivot_only),
		TEST(suggests_the_step_that_was_meant),
		TEST(refuses_the_reply_of_a_later_step),
		TEST(refuses_the_steps_own_reply_in_its_forward_command),
		TEST(explains_how_a_fixed_value_is_written),
		TEST(refuses_aliases_anchors_and_tags),
		TEST(refuses_what_is_no_yaml),
		TEST(refuses_empty_doubled_and_second_documents),
		TEST(bounds_size_depth_and_steps),
		TEST(survives_every_prefix_of_a_definition),
		TEST(reads_durations),
		TEST(finds_the_nearest_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
