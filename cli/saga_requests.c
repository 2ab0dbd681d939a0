/*
 * saga_requests.c - see saga_requests.h.
 *
 * Threads: answers come on the client's thread, which only appends them to a list; everything else is done on the main one.
 */
#include "cli/saga_requests.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "cli/interrupt.h"
#include "cli/saga_timeline.h"
#include "cli/saga_words.h"
#include "cli/screen.h"
#include "cli/table.h"
#include "lib/base/clock.h"
#include "lib/base/condition.h"
#include "lib/base/memory.h"

/* The coordinator takes 64 calls of a kind at once; two of us need not wait for each other. */
enum { FEW = 10, IN_FLIGHT_MAX = 32, DRAW_EVERY_US = 100000, REFUSALS_MAX = 50 };

struct answered {
	struct answered *next;
	struct sending *sending;
	const char *saga_id;
	ProtobufCMessage *answer; /* NULL: refused */
	struct error err;
};

/* What was said alike about several sagas. */
struct refusal {
	char text[240];
	const char *saga_id; /* the first of them */
	size_t count;
};

struct sending {
	struct session *session;
	const struct saga_requests *requests;
	const struct saga_choice *choice;
	pthread_mutex_t mu;
	pthread_cond_t has_answer;
	struct answered *answered; /* guarded by mu: newest first */
	size_t next;               /* of the choice, not asked yet */
	size_t in_flight;
	size_t done;
	size_t refused;
	size_t unanswered;
	struct refusal refusals[REFUSALS_MAX];
	size_t refusal_count;
	struct error unavailable; /* the first; code ERR_NONE: there was none */
	enum exit_code first_failure;
	struct screen screen;
	int64_t begin_us;
	int64_t drawn_us;
};

/* ---- requests and answers ---- */

static const ProtobufCMessage *make_request(struct arena *arena, const struct saga_requests *requests,
					    const char *saga_id)
{
	const ProtobufCMessageDescriptor *type = requests->request_type;
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(type, "saga_id");
	ProtobufCMessage *request = arena_zalloc(arena, type->sizeof_message);

	assert(field && field->type == PROTOBUF_C_TYPE_STRING);
	protobuf_c_message_init(type, request);
	requests->fill(request);
	memcpy((char *)request + field->offset, &saga_id, sizeof(saga_id));
	return request;
}

static const Saga__V1__Saga *saga_of(const ProtobufCMessage *answer)
{
	const Saga__V1__Saga *saga;

	assert(answer->descriptor->fields[0].descriptor == &saga__v1__saga__descriptor);
	memcpy(&saga, (const char *)answer + answer->descriptor->fields[0].offset, sizeof(saga));
	return saga;
}

static bool was_so_before(const struct saga_requests *requests, const ProtobufCMessage *answer)
{
	assert(!requests->was_before || answer->descriptor->fields[1].type == PROTOBUF_C_TYPE_BOOL);
	return requests->was_before &&
	       *(const protobuf_c_boolean *)((const char *)answer + answer->descriptor->fields[1].offset);
}

static void show_saga(const struct saga_requests *requests, const ProtobufCMessage *answer)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};

	if (!saga_of(answer))
		return;
	saga_header_append(&out, saga_of(answer), table_colours_wanted());
	if (was_so_before(requests, answer))
		buffer_append_format(&out, "  %s\n", requests->was_before);
	(void)printf("%s", buffer_text(&out));
}

/* ---- a few ---- */

static enum exit_code send_one(struct session *session_, const struct saga_requests *requests, const char *saga_id)
{
	_cleanup_(arena_release)
	struct arena arena = {0};
	ProtobufCMessage *answer;
	enum exit_code code;

	if (session_call(session_, requests->method, make_request(&arena, requests, saga_id), requests->answer_type, 0,
			 &answer, &code) < 0)
		return code;
	if (session_wants_json(session_))
		session_print_json(session_, answer);
	else
		show_saga(requests, answer);
	protobuf_c_message_free_unpacked(answer, NULL);
	return EXIT_DONE;
}

static enum exit_code send_few(struct session *session_, const struct saga_requests *requests,
			       const struct saga_choice *choice)
{
	enum exit_code first_failure = EXIT_DONE;

	for (size_t i = 0; i < choice->count; i++) {
		enum exit_code code = send_one(session_, requests, choice->ids[i]);

		if (first_failure == EXIT_DONE)
			first_failure = code;
		if (code == EXIT_UNAVAILABLE)
			break;
	}
	return first_failure;
}

/* ---- many ---- */

static void on_answer(void *ctx, ProtobufCMessage *answer, const struct error *err)
{
	struct answered *answered = ctx;
	struct sending *sending = answered->sending;

	answered->answer = answer;
	if (err)
		answered->err = *err;
	(void)pthread_mutex_lock(&sending->mu);
	answered->next = sending->answered;
	sending->answered = answered;
	(void)pthread_cond_signal(&sending->has_answer);
	(void)pthread_mutex_unlock(&sending->mu);
}

static void send_next(struct sending *sending)
{
	struct answered *answered = xcalloc(1, sizeof(*answered));
	_cleanup_(arena_release)
	struct arena arena = {0};
	char path[96];

	answered->sending = sending;
	answered->saga_id = sending->choice->ids[sending->next++];
	sending->in_flight++;
	(void)snprintf(path, sizeof(path), "/saga.v1.SagaService/%s", sending->requests->method); /* all short */
	rpc_client_start(session_client(sending->session), path,
			 make_request(&arena, sending->requests, answered->saga_id), sending->requests->answer_type,
			 sending->session->call_timeout_ms, on_answer, answered);
}

/* "saga '0199…' is RUNNING and …" is said of each saga alike but for its id. */
static void without_id(const char *text, const char *saga_id, char ret_text[240])
{
	const char *at = strstr(text, saga_id);
	size_t before;

	if (at && at - text >= 6 && strncmp(at - 6, "saga '", 6) == 0) {
		before = (size_t)(at - 6 - text);
		at += strlen(saga_id) + 1;
		at += at[0] == ' ' && (before == 0 || text[before - 1] == ' ');
		(void)snprintf(ret_text, 240, "%.*s%s", (int)before, text, at);
	} else {
		(void)snprintf(ret_text, 240, "%s", text);
	}
}

static void note_refusal(struct sending *sending, const struct answered *answered)
{
	struct refusal refusal = {.saga_id = answered->saga_id, .count = 1};
	size_t at = 0;

	without_id(answered->err.msg, answered->saga_id, refusal.text);
	while (at < sending->refusal_count && strcmp(sending->refusals[at].text, refusal.text) != 0)
		at++;
	if (at < sending->refusal_count)
		sending->refusals[at].count++;
	else if (at < REFUSALS_MAX)
		sending->refusals[sending->refusal_count++] = refusal;
	sending->refused++;
	if (sending->first_failure == EXIT_DONE)
		sending->first_failure = exit_code_of(answered->err.code);
}

static void take(struct sending *sending, struct answered *answered)
{
	sending->in_flight--;
	if (answered->answer) {
		sending->done++;
		if (session_wants_json(sending->session))
			session_print_json(sending->session, answered->answer);
		protobuf_c_message_free_unpacked(answered->answer, NULL);
	} else if (answered->err.code == ERR_UNAVAILABLE || answered->err.code == ERR_TIMEOUT) {
		sending->unanswered++;
		if (sending->unavailable.code == ERR_NONE)
			sending->unavailable = answered->err;
	} else {
		note_refusal(sending, answered);
	}
	free(answered);
}

static bool is_over(const struct sending *sending)
{
	return sending->next == sending->choice->count || sending->unavailable.code != ERR_NONE || interrupt_caught();
}

static void draw(struct sending *sending, int64_t now_us)
{
	struct terminal terminal = terminal_of_output();
	_cleanup_(buffer_release)
	struct buffer out = {0};

	if (!terminal.is_live || session_wants_json(sending->session) || now_us < sending->drawn_us + DRAW_EVERY_US)
		return;
	sending->drawn_us = now_us;
	buffer_append_format(&out, "%s  %zu of %zu  %zu %%", sending->requests->command,
			     sending->done + sending->refused, sending->choice->count,
			     100 * (sending->done + sending->refused) / sending->choice->count);
	if (sending->refused > 0)
		buffer_append_format(&out, "  %zu refused", sending->refused);
	buffer_append_text(&out, "\n");
	screen_draw(&sending->screen, buffer_text(&out), &terminal);
}

/* Waits for at least one answer, or until the progress is to be drawn again. */
static void take_answers(struct sending *sending)
{
	struct answered *answered;
	struct answered *next;

	(void)pthread_mutex_lock(&sending->mu);
	if (!sending->answered)
		(void)condition_wait_until(&sending->has_answer, &sending->mu, clock_monotonic_us() + DRAW_EVERY_US);
	answered = sending->answered;
	sending->answered = NULL;
	(void)pthread_mutex_unlock(&sending->mu);
	for (; answered; answered = next) {
		next = answered->next;
		take(sending, answered);
	}
	draw(sending, clock_monotonic_us());
}

/* ---- the summary ---- */

static void append_refusals(struct buffer *out, const struct sending *sending, bool has_colours)
{
	size_t told = 0;

	for (size_t i = 0; i < sending->refusal_count; i++) {
		buffer_append_format(out, "  %7zu refused: ", sending->refusals[i].count);
		table_append_text(out, sending->refusals[i].text, TABLE_RED, has_colours);
		buffer_append_format(out, " (such as %s)\n", sending->refusals[i].saga_id);
		told += sending->refusals[i].count;
	}
	if (sending->refused > told)
		buffer_append_format(out, "  %7zu refused for other reasons\n", sending->refused - told);
}

/* Standard output is for the answers where programs read them. */
static void summarize(struct sending *sending)
{
	const bool is_json = session_wants_json(sending->session);
	const size_t not_asked = sending->choice->count - sending->next;
	_cleanup_(buffer_release)
	struct buffer out = {0};

	buffer_append_format(&out, "%zu of %zu sagas %s in ", sending->done, sending->choice->count,
			     sending->requests->done);
	duration_append(&out, clock_monotonic_us() - sending->begin_us);
	buffer_append_text(&out, "\n");
	append_refusals(&out, sending, table_colours_wanted() && !is_json);
	if (sending->unanswered > 0)
		buffer_append_format(&out, "  %7zu without an answer: it may have been done all the same\n",
				     sending->unanswered);
	if (not_asked > 0)
		buffer_append_format(&out, "  %7zu not asked\n", not_asked);
	screen_end(&sending->screen, is_json ? "" : buffer_text(&out));
	if (is_json)
		(void)fprintf(stderr, "%s", buffer_text(&out));
}

static enum exit_code send_many(struct sending *sending)
{
	while (sending->in_flight > 0 || !is_over(sending)) {
		while (sending->in_flight < IN_FLIGHT_MAX && !is_over(sending))
			send_next(sending);
		take_answers(sending);
	}
	summarize(sending);
	if (sending->unavailable.code != ERR_NONE)
		return session_fail(&sending->unavailable);
	if (interrupt_caught())
		return EXIT_INTERRUPTED;
	return sending->first_failure;
}

enum exit_code saga_requests_send(struct session *session_, const struct saga_requests *requests,
				  const struct saga_choice *choice)
{
	struct sending sending = {
		.session = session_, .requests = requests, .choice = choice, .begin_us = clock_monotonic_us()};
	enum exit_code code;

	if (choice->count <= FEW)
		return send_few(session_, requests, choice);
	interrupt_catch();
	(void)pthread_mutex_init(&sending.mu, NULL);
	condition_init(&sending.has_answer);
	code = send_many(&sending);
	(void)pthread_cond_destroy(&sending.has_answer);
	(void)pthread_mutex_destroy(&sending.mu);
	return code;
}
