/* saga_watch.c - see saga_watch.h. */
#include "cli/saga_watch.h"

#include <stdio.h>

#include "cli/interrupt.h"
#include "cli/saga_follow.h"
#include "cli/saga_timeline.h"
#include "cli/saga_words.h"
#include "cli/screen.h"
#include "cli/table.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

enum { TICK_MS = 100 };

struct watch {
	struct session *session;
	struct saga_follow follow;
	enum saga_watch_show show;
	struct terminal terminal;
	struct screen screen;
	bool is_drawn;       /* again and again, on a terminal */
	size_t events_shown; /* as lines */
	int frame;
};

static struct saga_view view_of(const struct watch *watch, bool is_last)
{
	return (struct saga_view){.saga = watch->follow.saga,
				  .events = watch->follow.events,
				  .event_count = watch->follow.event_count,
				  .now_us = is_last ? 0 : clock_real_us(),
				  .frame = watch->frame};
}

/* ---- on a terminal ---- */

static void draw(struct watch *watch)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};
	struct saga_view view = view_of(watch, false);
	bool is_lost = watch->follow.reconnect.is_lost;

	watch->terminal = terminal_of_output(); /* the window may have another size by now */
	watch->frame++;
	saga_timeline_append(&text, &view, &watch->terminal, watch->terminal.rows - 1 - (is_lost ? 1 : 0));
	if (is_lost)
		table_append_text(&text, "the connection is lost, trying again …", TABLE_YELLOW,
				  watch->terminal.has_colours);
	buffer_append_text(&text, is_lost ? "\n" : "");
	screen_draw(&watch->screen, buffer_text(&text), &watch->terminal);
}

static void draw_last(struct watch *watch)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};
	struct saga_view view = view_of(watch, true);

	if (watch->follow.saga)
		saga_timeline_append(&text, &view, &watch->terminal, 0);
	screen_end(&watch->screen, buffer_text(&text));
}

/* ---- line by line ---- */

static void show_new_lines(struct watch *watch)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};
	struct saga_view view = view_of(watch, true);

	if (watch->events_shown == 0)
		saga_header_append(&text, watch->follow.saga, watch->terminal.has_colours);
	saga_event_lines_append(&text, &view, watch->events_shown, &watch->terminal);
	watch->events_shown = watch->follow.event_count;
	(void)printf("%s", buffer_text(&text));
	(void)fflush(stdout); /* who reads a pipe sees each event when it happens */
}

static void show_outcome(struct watch *watch)
{
	const Saga__V1__Saga *saga = watch->follow.saga;
	_cleanup_(buffer_release)
	struct buffer text = {0};
	Saga__V1__Saga whole;

	if (session_wants_json(watch->session)) {
		whole = *saga;
		whole.n_events = watch->follow.event_count;
		whole.events = watch->follow.events;
		session_print_json(watch->session, &whole.base);
		return;
	}
	saga_header_append(&text, saga, watch->terminal.has_colours);
	(void)printf("%s", buffer_text(&text));
}

/* ---- together ---- */

static void show_change(struct watch *watch)
{
	if (watch->show != SAGA_WATCH_TIMELINE)
		return;
	if (session_wants_json(watch->session)) {
		session_print_json(watch->session, &watch->follow.message->base);
		(void)fflush(stdout);
	} else if (!watch->is_drawn) {
		show_new_lines(watch);
	}
}

static void show_end(struct watch *watch)
{
	bool is_over = watch->follow.saga && saga_state_exit(watch->follow.saga->state) != EXIT_UNFINISHED;

	if (watch->is_drawn)
		draw_last(watch);
	else if (is_over && watch->show == SAGA_WATCH_OUTCOME)
		show_outcome(watch);
	else if (is_over && watch->show == SAGA_WATCH_TIMELINE && !session_wants_json(watch->session))
		show_outcome(watch);
}

/* Behind everything else that is shown. */
static enum exit_code explain(const struct watch *watch, enum exit_code code)
{
	const struct saga_follow *follow = &watch->follow;

	if (code == EXIT_UNFINISHED && follow->reconnect.is_lost)
		(void)fprintf(
			stderr,
			"sagactl: saga %s was %s when the connection was lost, and nobody answers since; `sagactl "
			"watch %s` follows it again\n",
			follow->saga_id, follow->saga ? saga_state_word(follow->saga->state) : "not seen yet",
			follow->saga_id);
	else if (code == EXIT_UNFINISHED || code == EXIT_INTERRUPTED)
		(void)fprintf(stderr, "sagactl: saga %s is %s and goes on; `sagactl watch %s` follows it again\n",
			      follow->saga_id, follow->saga ? saga_state_word(follow->saga->state) : "not seen yet",
			      follow->saga_id);
	return code;
}

/* The first message always gets its time: who waits for nothing still sees what has ended already. While there is no connection,
 * the reconnection ends by itself where there is no time-out. */
static enum exit_code check_time(struct watch *watch, int64_t begin_us, int64_t timeout_ms)
{
	int64_t waited_ms = (clock_monotonic_us() - begin_us) / 1000;

	if (watch->follow.saga || watch->follow.reconnect.is_lost)
		return timeout_ms > 0 && waited_ms >= timeout_ms ? EXIT_UNFINISHED : EXIT_DONE;
	if (waited_ms < watch->session->call_timeout_ms)
		return EXIT_DONE;
	(void)error_set(&watch->follow.err, ERR_TIMEOUT, SESSION_NO_ANSWER);
	return EXIT_FAILED;
}

static enum exit_code run(struct watch *watch, int64_t timeout_ms)
{
	int64_t begin_us = clock_monotonic_us();

	for (;;) {
		enum saga_follow_result result = saga_follow_next(&watch->follow, TICK_MS);
		enum exit_code code;

		if (result == SAGA_FOLLOW_FAILED)
			return EXIT_FAILED;
		if (result == SAGA_FOLLOW_CHANGED)
			show_change(watch);
		code = watch->follow.saga ? saga_state_exit(watch->follow.saga->state) : EXIT_UNFINISHED;
		if (code != EXIT_UNFINISHED)
			return code;
		if (interrupt_caught())
			return EXIT_INTERRUPTED;
		code = check_time(watch, begin_us, timeout_ms);
		if (code != EXIT_DONE)
			return code;
		if (watch->is_drawn && watch->follow.saga)
			draw(watch);
		else if (result == SAGA_FOLLOW_LOST)
			(void)fprintf(stderr, "sagactl: the connection is lost, trying again\n");
	}
}

enum exit_code saga_watch(struct session *session_, const char *saga_id, enum saga_watch_show show, int64_t timeout_ms)
{
	struct watch watch = {.session = session_, .show = show, .terminal = terminal_of_output()};
	enum exit_code code;

	watch.is_drawn = show == SAGA_WATCH_TIMELINE && watch.terminal.is_live && !session_wants_json(session_);
	interrupt_catch();
	saga_follow_begin(&watch.follow, session_, saga_id,
			  timeout_ms > 0 ? clock_monotonic_us() + timeout_ms * 1000 : 0);
	code = run(&watch, timeout_ms);
	show_end(&watch);
	if (code == EXIT_FAILED)
		code = session_fail_call(session_, &watch.follow.err, &watch.follow.failure);
	code = explain(&watch, code);
	saga_follow_release(&watch.follow);
	return code;
}
