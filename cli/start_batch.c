/* start_batch.c - see start_batch.h. */
#include "cli/start_batch.h"

#include <stdio.h>

#include "cli/file.h"
#include "cli/saga_timeline.h"
#include "cli/saga_watch.h"
#include "cli/table.h"
#include "lib/base/memory.h"
#include "lib/rpc/json_struct.h"

enum { FILE_BYTES_MAX = 256 << 20, CALL_SAGAS_MAX = 500, CALL_BYTES_MAX = 1 << 20 };

struct batch {
	struct session *session;
	const char *path;
	const struct start_batch_options *options;
	struct arena arena; /* of what is sent with the next call, and of its ids */
	Saga__V1__StartSagaRequest *requests[CALL_SAGAS_MAX];
	int lines[CALL_SAGAS_MAX]; /* where each stands */
	size_t count;
	size_t bytes;
	char **ids; /* started, for --wait; owned */
	size_t id_count;
	struct session_list json;
	enum exit_code first_failure;
};

const char *start_key_of(struct arena *arena, const struct json_node *input, const char *field)
{
	const struct json_node *node = json_member(input, field);

	if (!node || (node->kind != JSON_STRING && node->kind != JSON_NUMBER))
		return NULL;
	return arena_strdup(arena, node->text);
}

/* ---- lines ---- */

/* The next line that is not blank; false: there is none. */
static bool next_line(const char **at, struct bytes *ret_line, int *number)
{
	while (**at) {
		size_t len = strcspn(*at, "\n");

		*ret_line = (struct bytes){(const uint8_t *)*at, len};
		*at += len + ((*at)[len] == '\n');
		++*number;
		if (strspn((const char *)ret_line->data, " \t\r") < len)
			return true;
	}
	return false;
}

/* NULL, and the problem said, when the line is no input. */
static const struct json_node *parse_line(struct arena *arena, const struct batch *batch, struct bytes line, int number,
					  struct problems *problems)
{
	struct json_node *root;
	struct error err;

	if (json_tree_parse(arena, line, &root, &err) <
	    0) /* the message begins with the line of this text, which is 1 */
		problems_add(problems, "", "%s:%d%s", batch->path, number, err.msg + strcspn(err.msg, ":"));
	else if (root->kind != JSON_OBJECT)
		problems_add(problems, "", "%s:%d:1: must be an object, not %s", batch->path, number,
			     json_kind_name(root->kind));
	else if (batch->options->key_field && !start_key_of(arena, root, batch->options->key_field))
		problems_add(problems, "", "%s:%d:1: has no text or number '%s' for the key", batch->path, number,
			     batch->options->key_field);
	else
		return root;
	return NULL;
}

static bool check_lines(const struct batch *batch, const char *text)
{
	struct problems problems;
	struct bytes line;
	size_t lines = 0;
	int number = 0;
	bool is_good;

	problems_init(&problems);
	while (next_line(&text, &line, &number)) {
		struct arena arena = {0};

		(void)parse_line(&arena, batch, line, number, &problems); /* what is wrong is in `problems` */
		arena_release(&arena);
		lines++;
	}
	if (lines == 0)
		problems_add(&problems, batch->path, "has no input");
	session_say_problems(&problems);
	is_good = problems.count == 0;
	problems_release(&problems);
	return is_good;
}

/* ---- calls ---- */

static void note_failure(struct batch *batch, enum exit_code code)
{
	if (batch->first_failure == EXIT_DONE)
		batch->first_failure = code;
}

/* Shown as a refusal of StartSaga would be. */
static void say_refusal(struct batch *batch, int line, const Google__Rpc__Status *status)
{
	struct rpc_failure failure = {.status = status->code};
	struct error err;

	buffer_reserve(&failure.details, google__rpc__status__get_packed_size(status) + 1);
	failure.details.len = google__rpc__status__pack(status, failure.details.data);
	(void)error_set(&err, rpc_code_of_status(status->code), "%s", status->message);
	(void)fprintf(stderr, "%s:%d: refused:\n", batch->path, line);
	note_failure(batch, session_fail_call(batch->session, &err, &failure));
	buffer_release(&failure.details);
}

static void show_result(struct batch *batch, int line, const Saga__V1__StartSagaResult *result)
{
	bool is_started = result->result_case == SAGA__V1__START_SAGA_RESULT__RESULT_RESPONSE && result->response->saga;
	_cleanup_(buffer_release)
	struct buffer out = {0};

	if (session_wants_json(batch->session) && !batch->options->is_quiet)
		session_list_add(&batch->json, &result->base);
	if (result->result_case == SAGA__V1__START_SAGA_RESULT__RESULT_ERROR)
		say_refusal(batch, line, result->error);
	if (!is_started)
		return;
	if (batch->options->is_quiet) {
		(void)printf("%s\n", result->response->saga->saga_id);
	} else if (!session_wants_json(batch->session)) {
		saga_header_append(&out, result->response->saga, table_colours_wanted());
		(void)printf("%s", buffer_text(&out));
	}
	batch->ids = xrealloc_array(batch->ids, batch->id_count + 1, sizeof(*batch->ids));
	batch->ids[batch->id_count++] = xstrdup(result->response->saga->saga_id);
}

static void send_call(struct batch *batch)
{
	Saga__V1__BatchStartSagasRequest request = SAGA__V1__BATCH_START_SAGAS_REQUEST__INIT;
	const Saga__V1__BatchStartSagasResponse *results;
	ProtobufCMessage *answer;
	enum exit_code code;

	request.n_requests = batch->count;
	request.requests = batch->requests;
	if (session_call(batch->session, "BatchStartSagas", &request.base,
			 &saga__v1__batch_start_sagas_response__descriptor, 0, &answer, &code) == 0) {
		results = (Saga__V1__BatchStartSagasResponse *)answer;
		for (size_t i = 0; i < results->n_results && i < batch->count; i++)
			show_result(batch, batch->lines[i], results->results[i]);
		protobuf_c_message_free_unpacked(answer, NULL);
		(void)fflush(stdout);
	} else {
		(void)fprintf(stderr, "sagactl: the sagas of %s:%d to %d may or may not have been started%s\n",
			      batch->path, batch->lines[0], batch->lines[batch->count - 1],
			      batch->options->key_field ? "; repeating the call is harmless" : "");
		note_failure(batch, code);
	}
	batch->count = 0;
	batch->bytes = 0;
	arena_clear(&batch->arena);
}

static void add_request(struct batch *batch, const Saga__V1__StartSagaRequest *pattern, struct bytes line, int number)
{
	Saga__V1__StartSagaRequest *request = arena_copy(&batch->arena, pattern, sizeof(*pattern));
	struct problems none; /* check_lines() has seen that there are none */
	const struct json_node *input;

	problems_init(&none);
	input = parse_line(&batch->arena, batch, line, number, &none);
	problems_release(&none);
	request->json = json_struct_of_tree(&batch->arena, input);
	if (batch->options->key_field)
		request->idempotency_key = (char *)start_key_of(&batch->arena, input, batch->options->key_field);
	batch->lines[batch->count] = number;
	batch->requests[batch->count++] = request;
	batch->bytes += line.len;
}

static void send_all(struct batch *batch, const Saga__V1__StartSagaRequest *pattern, const char *text)
{
	struct bytes line;
	int number = 0;

	while (batch->first_failure != EXIT_UNAVAILABLE && next_line(&text, &line, &number)) {
		if (batch->count == CALL_SAGAS_MAX || (batch->count > 0 && batch->bytes + line.len > CALL_BYTES_MAX))
			send_call(batch);
		add_request(batch, pattern, line, number);
	}
	if (batch->count > 0 && batch->first_failure != EXIT_UNAVAILABLE)
		send_call(batch);
}

static void wait_for_all(struct batch *batch)
{
	for (size_t i = 0; i < batch->id_count && batch->first_failure != EXIT_INTERRUPTED; i++) {
		enum exit_code code = saga_watch(batch->session, batch->ids[i],
						 batch->options->is_quiet ? SAGA_WATCH_NOTHING : SAGA_WATCH_OUTCOME,
						 batch->options->wait_timeout_ms);

		if (code == EXIT_INTERRUPTED)
			batch->first_failure = code;
		note_failure(batch, code);
	}
}

enum exit_code start_batch(struct session *session_, const char *path, const Saga__V1__StartSagaRequest *pattern,
			   const struct start_batch_options *options)
{
	struct batch batch = {.session = session_, .path = path, .options = options, .json = {.session = session_}};
	_cleanup_(buffer_release)
	struct buffer file = {0};
	struct error err;

	if (file_read(path, FILE_BYTES_MAX, &file, &err) < 0)
		return session_fail(&err);
	if (!check_lines(&batch, buffer_text(&file)))
		return EXIT_USAGE;
	send_all(&batch, pattern, buffer_text(&file));
	if (session_wants_json(session_) && !options->is_quiet)
		session_list_end(&batch.json);
	if (options->has_wait)
		wait_for_all(&batch);
	for (size_t i = 0; i < batch.id_count; i++)
		free(batch.ids[i]);
	free(batch.ids);
	arena_release(&batch.arena);
	return batch.first_failure;
}
