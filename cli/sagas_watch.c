/* sagas_watch.c - see sagas_watch.h. */
#include "cli/sagas_watch.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/interrupt.h"
#include "cli/reconnect.h"
#include "cli/saga_words.h"
#include "cli/safe_text.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/rpc/rpc_stream.h"

enum { TICK_MS = 100, TIME_AT = 11, TIME_LEN = 12, STATE_WIDTH = 12 };

struct watch {
	struct session *session;
	const struct sagas_watch_options *options;
	struct rpc_stream *stream; /* NULL: lost */
	struct reconnect reconnect;
	char *position; /* NULL: none was received yet */
	bool has_begun; /* a message came */
};

static void open_stream(struct watch *watch)
{
	Saga__V1__WatchSagasRequest request = SAGA__V1__WATCH_SAGAS_REQUEST__INIT;
	struct rpc_call call = {.method = "/saga.v1.SagaService/WatchSagas",
				.request = &request.base,
				.answer_type = &saga__v1__watch_sagas_response__descriptor};

	request.filter = watch->options->filter;
	request.outcomes_only = watch->options->outcomes_only;
	request.include_current = watch->options->include_current && !watch->position;
	if (watch->position)
		request.position = watch->position;
	watch->stream = rpc_stream_new(session_client(watch->session), &call);
}

/* ---- lines ---- */

static void append_padded(struct buffer *out, const char *text, size_t width, enum table_colour colour,
			  bool has_colours)
{
	size_t used = safe_text_width(text);

	buffer_append_text(out, "  ");
	table_append_text(out, text, colour, has_colours);
	buffer_append_format(out, "%*s", used < width ? (int)(width - used) : 0, "");
}

/* The event's own state, since the saga may have gone on. */
static void append_change(struct buffer *out, const Saga__V1__SagaChange *change, bool has_colours)
{
	const Saga__V1__SagaEvent *event = change->event;
	const Saga__V1__Saga *saga = change->saga;
	Saga__V1__SagaState state = event ? event->state : saga->state;
	char time[CLOCK_TEXT_LEN + 1];

	clock_format(time_us(event ? event->time : saga->update_time), time);
	time[TIME_AT + TIME_LEN] = 0;
	table_append_text(out, time + TIME_AT, TABLE_DIM, has_colours);
	append_padded(out, saga->saga_id, 0, TABLE_PLAIN, has_colours);
	append_padded(out, saga->definition, 0, TABLE_PLAIN, has_colours);
	append_padded(out, saga_state_word(state), STATE_WIDTH, saga_state_colour(state), has_colours);
	if (event && event->step_id[0])
		append_padded(out, event->step_id, 0, TABLE_PLAIN, has_colours);
	if (event)
		buffer_append_text(out, step_phase_suffix(event->phase));
	append_padded(out, event ? event->event : saga->step, 0, TABLE_PLAIN, has_colours);
	if (event && event->milestone[0])
		append_padded(out, event->milestone, 0, TABLE_BOLD, has_colours);
	if (event && (event->reason[0] || event->detail[0])) {
		append_padded(out, event->reason, 0, TABLE_RED, has_colours);
		buffer_append_text(out, event->reason[0] && event->detail[0] ? ": " : "");
		table_append_text(out, event->detail, TABLE_RED, has_colours);
	}
	if (event && event->actor[0]) {
		append_padded(out, "by", 0, TABLE_DIM, has_colours);
		buffer_append_text(out, " ");
		table_append_text(out, event->actor, TABLE_PLAIN, has_colours);
	}
	append_padded(out, "key", 0, TABLE_DIM, has_colours);
	buffer_append_text(out, " ");
	table_append_text(out, saga->key, TABLE_PLAIN, has_colours);
	buffer_append_text(out, "\n");
}

static void show(const struct watch *watch, const Saga__V1__WatchSagasResponse *message)
{
	struct terminal terminal = terminal_of_output();

	for (size_t i = 0; i < message->n_changes; i++) {
		_cleanup_(buffer_release)
		struct buffer line = {0};

		if (session_wants_json(watch->session)) {
			session_print_json(watch->session, &message->changes[i]->base);
		} else if (message->changes[i]->saga) {
			append_change(&line, message->changes[i], terminal.has_colours);
			(void)printf("%s", buffer_text(&line));
		}
	}
	(void)fflush(stdout); /* who reads a pipe sees each when it happens */
}

/* ---- the stream ---- */

static void take_message(struct watch *watch, ProtobufCMessage *answer)
{
	const Saga__V1__WatchSagasResponse *message = (Saga__V1__WatchSagasResponse *)answer;

	show(watch, message);
	if (message->position[0]) {
		free(watch->position);
		watch->position = xstrdup(message->position);
	}
	watch->has_begun = true;
	reconnect_succeed(&watch->reconnect);
	protobuf_c_message_free_unpacked(answer, NULL);
}

static void lose(struct watch *watch)
{
	rpc_stream_free(watch->stream);
	watch->stream = NULL;
	if (reconnect_lose(&watch->reconnect))
		(void)fprintf(stderr, "sagactl: the connection is lost, trying again\n");
}

/* One turn; false: it is over, with *ret_exit. */
static bool turn(struct watch *watch, enum exit_code *ret_exit)
{
	struct rpc_failure failure = {0};
	ProtobufCMessage *answer;
	struct error err;

	if (!watch->stream && !reconnect_wait(&watch->reconnect, TICK_MS))
		return true;
	if (!watch->stream)
		open_stream(watch);
	switch (rpc_stream_next(watch->stream, TICK_MS, &answer, &failure, &err)) {
	case RPC_STREAM_MESSAGE:
		take_message(watch, answer);
		return true;
	case RPC_STREAM_WAITING:
		return true;
	case RPC_STREAM_ENDED:
		lose(watch);
		return true;
	case RPC_STREAM_FAILED:
		break;
	}
	if (watch->has_begun && reconnect_may_help(&watch->reconnect, &err)) {
		lose(watch);
		buffer_release(&failure.details);
		return true;
	}
	*ret_exit = session_fail_call(watch->session, &err, &failure);
	buffer_release(&failure.details);
	return false;
}

enum exit_code sagas_watch(struct session *session_, const struct sagas_watch_options *options)
{
	struct watch watch = {.session = session_, .options = options};
	int64_t begin_us = clock_monotonic_us();
	enum exit_code code = EXIT_DONE;

	interrupt_catch();
	open_stream(&watch);
	while (turn(&watch, &code)) {
		if (interrupt_caught())
			code = EXIT_INTERRUPTED;
		if (code != EXIT_DONE || ferror(stdout))
			break;
		if (options->timeout_ms > 0 && clock_monotonic_us() - begin_us >= options->timeout_ms * 1000)
			break;
	}
	rpc_stream_free(watch.stream);
	free(watch.position);
	return code;
}
