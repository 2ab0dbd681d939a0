/* saga_commands.c - sagactl get and log. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/saga_ids.h"
#include "cli/saga_timeline.h"
#include "cli/saga_words.h"
#include "cli/table.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "proto/saga/v1/saga_service.pb-c.h"

enum { WAIT_MARGIN_MS = 5000 };

/* ---- get ---- */

static int64_t get_wait_ms;

static const struct option get_options[] = {
	{.flag = "wait",
	 .letter = 'w',
	 .type = OPTION_DURATION_MS,
	 .help = "Wait up to this long for the saga to end or to need a person, such as 10s.",
	 .place = &get_wait_ms},
};

static void show_saga(const Saga__V1__Saga *saga)
{
	struct terminal terminal = terminal_of_output();
	struct saga_view view = {.saga = saga, .events = saga->events, .event_count = saga->n_events};
	_cleanup_(buffer_release)
	struct buffer out = {0};

	saga_timeline_append(&out, &view, &terminal, 0);
	(void)printf("%s", buffer_text(&out));
}

static enum exit_code get_one(struct session *session_, const char *saga_id)
{
	Google__Protobuf__Duration wait = GOOGLE__PROTOBUF__DURATION__INIT;
	Saga__V1__GetSagaRequest request = SAGA__V1__GET_SAGA_REQUEST__INIT;
	const Saga__V1__Saga *saga;
	ProtobufCMessage *answer;
	enum exit_code code;

	wait.seconds = get_wait_ms / 1000;
	wait.nanos = (int32_t)(get_wait_ms % 1000) * 1000000;
	request.saga_id = (char *)saga_id;
	request.wait = get_wait_ms > 0 ? &wait : NULL;
	if (session_call(session_, "GetSaga", &request.base, &saga__v1__get_saga_response__descriptor,
			 get_wait_ms > 0 ? get_wait_ms + WAIT_MARGIN_MS : 0, &answer, &code) < 0)
		return code;
	saga = ((Saga__V1__GetSagaResponse *)answer)->saga;
	if (saga && session_wants_json(session_))
		session_print_json(session_, &saga->base);
	else if (saga)
		show_saga(saga);
	protobuf_c_message_free_unpacked(answer, NULL);
	return EXIT_DONE;
}

static enum exit_code run_get(struct session *session_, char **arguments, int count)
{
	return saga_ids_each(session_, arguments, count, get_one);
}

const struct command get_command = {
	.name = "get",
	.arguments = "SAGA_ID…",
	.arguments_min = 1,
	.arguments_max = INT_MAX,
	.summary = "show a saga with its steps and timeline",
	.notes =
		"SAGA_ID may be - for ids from standard input. Times are since the start. The exit code is 0 whatever\n"
		"state the saga is in.\n",
	.examples = "sagactl get 01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10\n"
		    "sagactl get 01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10 --wait 10s -o json | jq .state\n"
		    "sagactl list --state stuck --quiet | sagactl get -\n",
	.options = get_options,
	.option_count = ARRAY_LEN(get_options),
	.run = run_get,
};

/* ---- log ---- */

enum { LOG_COLUMNS = 8 };

static void add_log_entry(struct table *table, const Saga__V1__SagaEvent *event)
{
	char time[CLOCK_TEXT_LEN + 1];

	clock_format(time_us(event->time), time);
	table_add(table, TABLE_DIM, "%" PRId64, event->sequence);
	table_add(table, TABLE_DIM, "%s", time);
	table_add(table, saga_state_colour(event->state), "%s", saga_state_word(event->state));
	table_add(table, TABLE_PLAIN, "%s%s", event->step_id, step_phase_suffix(event->phase));
	if (event->attempt > 1)
		table_add(table, TABLE_PLAIN, "%s, attempt %" PRId32, event->event, event->attempt);
	else
		table_add(table, TABLE_PLAIN, "%s", event->event);
	table_add(table, TABLE_PLAIN, "%s", event->milestone);
	table_add(table, TABLE_PLAIN, "%s", event->actor);
	table_add(table, TABLE_PLAIN, "%s%s%s", event->reason, event->reason[0] && event->detail[0] ? ": " : "",
		  event->detail);
}

static enum exit_code read_log(struct session *session_, const char *saga_id, struct table *table,
			       struct session_list *list)
{
	_cleanup_(freep)
	char *page_token = xstrdup("");
	enum exit_code code = EXIT_DONE;

	do {
		Saga__V1__GetSagaLogRequest request = SAGA__V1__GET_SAGA_LOG_REQUEST__INIT;
		const Saga__V1__GetSagaLogResponse *page;
		ProtobufCMessage *answer;

		request.saga_id = (char *)saga_id;
		request.page_token = page_token;
		request.page_size = 1000;
		if (session_call(session_, "GetSagaLog", &request.base, &saga__v1__get_saga_log_response__descriptor, 0,
				 &answer, &code) < 0)
			return code;
		page = (Saga__V1__GetSagaLogResponse *)answer;
		for (size_t i = 0; i < page->n_events; i++) {
			if (session_wants_json(session_))
				session_list_add(list, &page->events[i]->base);
			else
				add_log_entry(table, page->events[i]);
		}
		free(page_token);
		page_token = xstrdup(page->next_page_token);
		protobuf_c_message_free_unpacked(answer, NULL);
	} while (page_token[0]);
	return EXIT_DONE;
}

static enum exit_code log_one(struct session *session_, const char *saga_id)
{
	struct terminal terminal = terminal_of_output();
	struct session_list list = {.session = session_};
	_cleanup_(buffer_release)
	struct buffer out = {0};
	struct table table;
	enum exit_code code;

	table_init(&table, LOG_COLUMNS, terminal.has_colours);
	table.width_max = terminal.columns;
	table.flexible = 1u << (LOG_COLUMNS - 1);
	table_add_head(&table,
		       (const char *const[]){"SEQ", "TIME", "STATE", "STEP", "EVENT", "MILESTONE", "BY", "REASON"});
	code = read_log(session_, saga_id, &table, &list);
	if (session_wants_json(session_) && code == EXIT_DONE)
		session_list_end(&list);
	else if (code == EXIT_DONE)
		table_print(&table, &out);
	table_release(&table);
	(void)printf("%s", buffer_text(&out));
	return code;
}

static enum exit_code run_log(struct session *session_, char **arguments, int count)
{
	return saga_ids_each(session_, arguments, count, log_one);
}

const struct command log_command = {
	.name = "log",
	.arguments = "SAGA_ID",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "show everything that happened to a saga, with dates, and by whose call",
	.examples = "sagactl log 01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10\n"
		    "sagactl log 01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10 -o jsonl | jq -r .event\n",
	.run = run_log,
};
