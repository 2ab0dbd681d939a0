/* start_command.c - sagactl start: one saga from --input; many are start_batch.h's. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/json_argument.h"
#include "cli/saga_filter.h"
#include "cli/saga_timeline.h"
#include "cli/saga_watch.h"
#include "cli/start_batch.h"
#include "cli/table.h"
#include "cli/time_text.h"
#include "lib/base/clock.h"
#include "lib/rpc/json_struct.h"

static const char *input_text;
static const char *batch_path;
static const char *key;
static const char *key_field;
static const char *saga_id;
static int64_t version;
static struct option_list labels;
static const char *start_at;
static int64_t delay_ms;
static bool has_wait;
static int64_t wait_timeout_ms;
static bool is_quiet;

static const struct option start_options[] = {
	{.flag = "input",
	 .letter = 'i',
	 .value_name = "JSON|@FILE",
	 .help = "The saga's input as JSON, or @FILE to read it from there; - is standard input. Integers of any size "
		 "stay "
		 "exact.",
	 .place = &input_text},
	{.flag = "batch",
	 .value_name = "FILE",
	 .help = "Instead of --input: a saga for each line of the file, each line an input; - is standard input.",
	 .place = &batch_path},
	{.flag = "key",
	 .letter = 'k',
	 .value_name = "KEY",
	 .help = "Idempotency key: the same key with the same input is the same saga.",
	 .place = &key},
	{.flag = "key-from",
	 .value_name = "FIELD",
	 .help = "The idempotency key is what this field of each input holds; with --batch, so that it can be "
		 "repeated.",
	 .place = &key_field},
	{.flag = "label",
	 .letter = 'l',
	 .type = OPTION_LIST,
	 .value_name = "NAME=VALUE",
	 .help = "A label to find the saga by.",
	 .place = &labels},
	{.flag = "saga-id", .value_name = "UUID", .help = "The id that the saga shall have.", .place = &saga_id},
	{.flag = "definition-version",
	 .type = OPTION_INT,
	 .max = INT32_MAX,
	 .value_name = "N",
	 .help = "Version of the definition; 0 takes the newest that is ready.",
	 .place = &version},
	{.flag = "delay",
	 .type = OPTION_DURATION_MS,
	 .help = "Start it so long after now; until then it is SCHEDULED.",
	 .place = &delay_ms},
	{.flag = "at",
	 .value_name = "TIME",
	 .help = "Start it at this time, such as 2026-01-31T10:00Z.",
	 .place = &start_at},
	{.flag = "wait",
	 .letter = 'w',
	 .type = OPTION_BOOL,
	 .help = "Follow it until it ends or is stuck, as `sagactl watch` does.",
	 .place = &has_wait},
	{.flag = "timeout",
	 .letter = 't',
	 .type = OPTION_DURATION_MS,
	 .help = "Of --wait: for so long at most; 0 waits as long as it takes.",
	 .place = &wait_timeout_ms},
	{.flag = "quiet", .letter = 'q', .type = OPTION_BOOL, .help = "Print the id alone.", .place = &is_quiet},
};

/* ---- what is asked for ---- */

static Google__Protobuf__Struct *read_input(struct arena *arena, struct problems *problems)
{
	struct json_node *root = json_argument_read("--input", input_text, arena, problems);

	if (!root)
		return NULL;
	if (key_field && !start_key_of(arena, root, key_field))
		problems_add(problems, "--key-from", "the input has no text or number '%s'", key_field);
	else if (key_field)
		key = start_key_of(arena, root, key_field);
	return json_struct_of_tree(arena, root);
}

static void set_labels(struct arena *arena, Saga__V1__StartSagaRequest *request, struct problems *problems)
{
	struct text_pair *pairs = saga_labels_read(arena, &labels, problems);
	Saga__V1__StartSagaRequest__LabelsEntry *entries = arena_alloc(arena, (labels.count + 1) * sizeof(*entries));

	request->labels = arena_alloc(arena, (labels.count + 1) * sizeof(*request->labels));
	for (size_t i = 0; i < labels.count; i++) {
		saga__v1__start_saga_request__labels_entry__init(&entries[i]);
		entries[i].key = (char *)pairs[i].name;
		entries[i].value = (char *)pairs[i].value;
		request->labels[request->n_labels++] = &entries[i];
	}
}

static void set_start(struct arena *arena, Saga__V1__StartSagaRequest *request, struct problems *problems)
{
	Google__Protobuf__Timestamp *time = arena_alloc(arena, sizeof(*time));
	Google__Protobuf__Duration *delay = arena_alloc(arena, sizeof(*delay));
	struct error err;
	int64_t us;

	google__protobuf__timestamp__init(time);
	google__protobuf__duration__init(delay);
	if (delay_ms > 0 && start_at) {
		problems_add(problems, "--delay", "cannot be given together with --at");
	} else if (delay_ms > 0) {
		delay->seconds = delay_ms / 1000;
		delay->nanos = (int32_t)(delay_ms % 1000) * 1000000;
		request->start_case = SAGA__V1__START_SAGA_REQUEST__START_DELAY;
		request->delay = delay;
	} else if (start_at && time_text_parse(start_at, TIME_AHEAD, clock_real_us(), &us, &err) < 0) {
		problems_add(problems, "--at", "%s", err.msg);
	} else if (start_at) {
		time->seconds = us / 1000000;
		time->nanos = (int32_t)(us % 1000000) * 1000;
		request->start_case = SAGA__V1__START_SAGA_REQUEST__START_START_TIME;
		request->start_time = time;
	}
}

/* All that every saga of the call has in common. */
static void fill_request(struct arena *arena, const char *definition, Saga__V1__StartSagaRequest *request,
			 struct problems *problems)
{
	request->definition = (char *)definition;
	request->definition_version = (int32_t)version;
	set_labels(arena, request, problems);
	set_start(arena, request, problems);
	if (!input_text == !batch_path)
		problems_add(problems, "--input", "%s",
			     input_text ? "cannot be given together with --batch" : "is required, or --batch");
	if (key && key_field)
		problems_add(problems, "--key", "cannot be given together with --key-from");
	if (batch_path && (key || saga_id))
		problems_add(problems, key ? "--key" : "--saga-id", "is for one saga: --batch takes --key-from");
}

/* ---- one saga ---- */

static void show_started(struct session *session_, const Saga__V1__StartSagaResponse *answer)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};

	if (is_quiet) {
		(void)printf("%s\n", answer->saga->saga_id);
	} else if (session_wants_json(session_)) {
		session_print_json(session_, &answer->base);
	} else {
		saga_header_append(&out, answer->saga, table_colours_wanted());
		(void)printf("%s%s", buffer_text(&out),
			     answer->already_existed ? "  an earlier call had started it\n" : "");
	}
	(void)fflush(stdout);
}

static enum exit_code start_one(struct session *session_, const Saga__V1__StartSagaRequest *request)
{
	const Saga__V1__StartSagaResponse *started;
	enum exit_code code = EXIT_DONE;
	ProtobufCMessage *answer;
	bool shows_timeline = !is_quiet && !session_wants_json(session_);

	if (session_call(session_, "StartSaga", &request->base, &saga__v1__start_saga_response__descriptor, 0, &answer,
			 &code) < 0)
		return code;
	started = (Saga__V1__StartSagaResponse *)answer;
	if (started->saga && (!has_wait || is_quiet))
		show_started(session_, started);
	if (started->saga && has_wait)
		code = saga_watch(session_, started->saga->saga_id,
				  shows_timeline ? SAGA_WATCH_TIMELINE
				  : is_quiet     ? SAGA_WATCH_NOTHING
						 : SAGA_WATCH_OUTCOME,
				  wait_timeout_ms);
	protobuf_c_message_free_unpacked(answer, NULL);
	return code;
}

static enum exit_code run_start(struct session *session_, char **arguments, int count)
{
	Saga__V1__StartSagaRequest request = SAGA__V1__START_SAGA_REQUEST__INIT;
	struct start_batch_options batch = {
		.is_quiet = is_quiet, .has_wait = has_wait, .wait_timeout_ms = wait_timeout_ms, .key_field = key_field};
	_cleanup_(arena_release)
	struct arena arena = {0};
	struct problems problems;
	enum exit_code code = EXIT_USAGE;

	(void)count;
	problems_init(&problems);
	fill_request(&arena, arguments[0], &request, &problems);
	request.input_case = SAGA__V1__START_SAGA_REQUEST__INPUT_JSON;
	if (input_text)
		request.json = read_input(&arena, &problems);
	request.idempotency_key = (char *)(key ? key : "");
	request.saga_id = (char *)(saga_id ? saga_id : "");
	if (problems.count > 0)
		session_say_problems(&problems);
	else
		code = batch_path ? start_batch(session_, batch_path, &request, &batch) : start_one(session_, &request);
	problems_release(&problems);
	return code;
}

const struct command start_command = {
	.name = "start",
	.arguments = "DEFINITION",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "start a saga, or many",
	.notes = "The answer comes when the saga is durable. Repeating a call is harmless where each saga has an "
		 "idempotency\n"
		 "key. --batch starts what it can; the exit code is that of the first refusal.\n",
	.examples = "sagactl start checkout --input @order.json --key order-17 --wait\n"
		    "make-order | sagactl start checkout --input - --label source=shell\n"
		    "sagactl start checkout --input @order.json --delay 2h\n"
		    "# a thousand orders, one a line\n"
		    "sagactl start checkout --batch orders.jsonl --key-from order_id --quiet > ids\n",
	.options = start_options,
	.option_count = ARRAY_LEN(start_options),
	.run = run_start,
};
