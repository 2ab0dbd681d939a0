/* saga_timeline_test.c - how a saga looks on a terminal: colours, symbols, and as much as fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <locale.h>
#include <stdio.h>

#include "cli/saga_timeline.h"
#include "cli/saga_words.h"
#include "cli/screen.h"
#include "lib/base/memory.h"
#include "lib/rpc/json_struct.h"
#include "tests/unit/lib/base/captured_stream.h"

enum { START_S = 1700000000, EVENTS = 6 };

static struct {
	Google__Protobuf__Timestamp times[EVENTS];
	Saga__V1__Step steps[3];
	Saga__V1__Step *step_list[3];
	Saga__V1__SagaEvent events[EVENTS];
	Saga__V1__SagaEvent *event_list[EVENTS];
	Saga__V1__Saga saga;
	struct saga_view view;
} fixture;

/* A checkout that runs: one step done, one under way since 20 ms, one to come. */
static int set_up(void **state)
{
	static const char *const step_ids[] = {"create-order", "charge-payment", "ship"};
	static const Saga__V1__StepState states[] = {SAGA__V1__STEP_STATE__STEP_STATE_SUCCEEDED,
						     SAGA__V1__STEP_STATE__STEP_STATE_DISPATCHED,
						     SAGA__V1__STEP_STATE__STEP_STATE_PENDING};

	(void)state;
	for (int i = 0; i < EVENTS; i++) {
		google__protobuf__timestamp__init(&fixture.times[i]);
		fixture.times[i].seconds = START_S;
		fixture.times[i].nanos = i * 20000000;
		saga__v1__saga_event__init(&fixture.events[i]);
		fixture.events[i].time = &fixture.times[i];
		fixture.events[i].event = (char *)(i == 0 ? "started" : "resent");
		fixture.event_list[i] = &fixture.events[i];
	}
	for (int i = 0; i < 3; i++) {
		saga__v1__step__init(&fixture.steps[i]);
		fixture.steps[i].step_id = (char *)step_ids[i];
		fixture.steps[i].state = states[i];
		fixture.steps[i].attempts = i < 2;
		fixture.steps[i].start_time = i < 2 ? &fixture.times[i] : NULL;
		fixture.steps[i].update_time = i < 2 ? &fixture.times[i + 1] : NULL;
		fixture.step_list[i] = &fixture.steps[i];
	}
	saga__v1__saga__init(&fixture.saga);
	fixture.saga.saga_id = (char *)"0190";
	fixture.saga.definition = (char *)"checkout";
	fixture.saga.definition_version = 1;
	fixture.saga.key = (char *)"o-1";
	fixture.saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
	fixture.saga.step = (char *)"ORDER_CREATED";
	fixture.saga.create_time = &fixture.times[0];
	fixture.saga.n_steps = 3;
	fixture.saga.steps = fixture.step_list;
	fixture.view = (struct saga_view){.saga = &fixture.saga,
					  .events = fixture.event_list,
					  .event_count = EVENTS,
					  .now_us = START_S * INT64_C(1000000) + 1520000};
	return 0;
}

static void assert_shown(const struct terminal *terminal, int line_max, const char *expected)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};

	saga_timeline_append(&out, &fixture.view, terminal, line_max);
	assert_string_equal(buffer_text(&out), expected);
}

static void a_live_terminal_gets_symbols_and_running_times(void **state)
{
	const struct terminal terminal = {.is_live = true, .has_symbols = true, .columns = 80, .rows = 24};

	(void)state;
	fixture.view.event_count = 1;
	assert_shown(&terminal, 0,
		     "saga 0190  checkout v1  RUNNING  ORDER_CREATED\n"
		     "  started 2023-11-14T22:13:20.000000Z, runs for 1.520 s, key o-1\n"
		     "steps\n"
		     "  ✓  create-order    SUCCEEDED   20.0 ms  1 attempt\n"
		     "  ⠋  charge-payment  DISPATCHED  1.500 s  1 attempt\n"
		     "  ·  ship            PENDING\n"
		     "timeline\n"
		     "  +0.0 ms    started\n");
}

static void a_terminal_without_unicode_gets_ascii(void **state)
{
	const struct terminal terminal = {.is_live = true, .columns = 80, .rows = 24};

	(void)state;
	fixture.view.event_count = 0;
	fixture.view.frame = 1;
	assert_shown(&terminal, 0,
		     "saga 0190  checkout v1  RUNNING  ORDER_CREATED\n"
		     "  started 2023-11-14T22:13:20.000000Z, runs for 1.520 s, key o-1\n"
		     "steps\n"
		     "  +  create-order    SUCCEEDED   20.0 ms  1 attempt\n"
		     "  /  charge-payment  DISPATCHED  1.500 s  1 attempt\n"
		     "  .  ship            PENDING\n");
}

static void the_newest_events_stay_when_not_all_fit(void **state)
{
	const struct terminal terminal = {.is_live = true, .columns = 80, .rows = 10};

	(void)state;
	assert_shown(&terminal, 10,
		     "saga 0190  checkout v1  RUNNING  ORDER_CREATED\n"
		     "  started 2023-11-14T22:13:20.000000Z, runs for 1.520 s, key o-1\n"
		     "steps\n"
		     "  +  create-order    SUCCEEDED   20.0 ms  1 attempt\n"
		     "  |  charge-payment  DISPATCHED  1.500 s  1 attempt\n"
		     "  .  ship            PENDING\n"
		     "timeline\n"
		     "  … 4 earlier\n"
		     "  +80.0 ms     resent\n"
		     "  +100.0 ms    resent\n");
}

static void a_narrow_terminal_cuts_reasons_but_no_ids(void **state)
{
	const struct terminal terminal = {.is_live = true, .columns = 62, .rows = 24};

	(void)state;
	fixture.view.event_count = 0;
	fixture.steps[0].state = SAGA__V1__STEP_STATE__STEP_STATE_REJECTED;
	fixture.steps[0].reason = (char *)"card_declined";
	fixture.steps[0].detail = (char *)"the bank says no \033[2J";
	assert_shown(&terminal, 0,
		     "saga 0190  checkout v1  RUNNING  ORDER_CREATED\n"
		     "  started 2023-11-14T22:13:20.000000Z, runs for 1.520 s, key o-1\n"
		     "steps\n"
		     "  x  create-order    REJECTED    20.0 ms  1 attempt  card_dec…\n"
		     "  |  charge-payment  DISPATCHED  1.500 s  1 attempt\n"
		     "  .  ship            PENDING\n");
}

static void an_event_shows_who_said_what_and_what_a_signal_brought(void **state)
{
	struct terminal terminal = {.columns = 120};
	struct arena arena = {0};
	struct buffer out = {0};

	(void)state;
	fixture.events[2].event = (char *)"signalled";
	fixture.events[2].actor = (char *)"ann";
	fixture.events[2].detail = (char *)"looks fine";
	fixture.events[2].value = json_struct_new(&arena);
	json_struct_add(&arena, fixture.events[2].value, "limit", json_value_int(&arena, 5));
	saga_timeline_append(&out, &fixture.view, &terminal, 0);
	assert_non_null(strstr(buffer_text(&out), "by ann: looks fine {\"limit\":5}\n"));
	buffer_release(&out);
	arena_release(&arena);
}

static void states_have_colours(void **state)
{
	const struct terminal terminal = {.is_live = true, .has_colours = true};
	_cleanup_(buffer_release)
	struct buffer out = {0};

	(void)state;
	fixture.saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK;
	fixture.saga.stuck_reason = (char *)"refund refused";
	saga_timeline_append(&out, &fixture.view, &terminal, 0);
	assert_non_null(strstr(buffer_text(&out), "  \033[31mSTUCK\033[0m  ORDER_CREATED\n"));
	assert_non_null(strstr(buffer_text(&out), "  stuck: \033[31mrefund refused\033[0m\n"));
	assert_non_null(strstr(buffer_text(&out), "\033[32mSUCCEEDED\033[0m"));
}

static void durations_have_the_unit_that_suits_them(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {{-5, "0.0 ms"},
		     {12340, "12.3 ms"},
		     {4567000, "4.567 s"},
		     {125 * INT64_C(1000000), "2 min 05 s"},
		     {11220 * INT64_C(1000000), "3 h 07 min"},
		     {183600 * INT64_C(1000000), "2 d 03 h"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(buffer_release)
		struct buffer out = {0};

		duration_append(&out, cases[i].us);
		assert_string_equal(buffer_text(&out), cases[i].text);
	}
}

/* ---- the screen ---- */

static void drawing_again_goes_back_to_the_first_line_and_clears_what_is_left(void **state)
{
	const struct terminal terminal = {.is_live = true, .columns = 80, .rows = 4};
	struct screen screen = {0};
	struct captured_stream capture = captured_stream_begin(stdout);
	char said[1024];

	(void)state;
	screen_draw(&screen, "a\nb\nc\nd\n", &terminal); /* three lines fit */
	screen_draw(&screen, "e\n", &terminal);
	screen_end(&screen, "all\nof\nit\nto\nthe\nend\n");
	captured_stream_end(&capture, said, sizeof(said));
	assert_string_equal(said, "\033[?25l\033[?7l\rb\033[K\nc\033[K\nd\033[K\n\033[J\033[?7h"
				  "\033[?7l\r\033[3Ae\033[K\n\033[J\033[?7h"
				  "\r\033[1A\033[J\033[?25hall\nof\nit\nto\nthe\nend\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_live_terminal_gets_symbols_and_running_times, set_up),
		cmocka_unit_test_setup(a_terminal_without_unicode_gets_ascii, set_up),
		cmocka_unit_test_setup(the_newest_events_stay_when_not_all_fit, set_up),
		cmocka_unit_test_setup(a_narrow_terminal_cuts_reasons_but_no_ids, set_up),
		cmocka_unit_test_setup(an_event_shows_who_said_what_and_what_a_signal_brought, set_up),
		cmocka_unit_test_setup(states_have_colours, set_up),
		cmocka_unit_test(durations_have_the_unit_that_suits_them),
		cmocka_unit_test(drawing_again_goes_back_to_the_first_line_and_clears_what_is_left),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1; /* every glibc has it since 2.35 */
	return cmocka_run_group_tests_name("saga_timeline", tests, NULL, NULL);
}
