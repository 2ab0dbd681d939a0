/* saga_commands.c - sagactl start and get. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/file.h"
#include "cli/saga_timeline.h"
#include "cli/table.h"
#include "lib/rpc/json_struct.h"
#include "proto/saga/v1/saga_service.pb-c.h"

enum { WAIT_MARGIN_MS = 5000, INPUT_BYTES_MAX = 1 << 20 };

/* ---- start ---- */

static const char *start_input;
static const char *start_key;
static int64_t start_version;

static const struct option start_options[] = {
	{.flag = "input",
	 .is_required = true,
	 .value_name = "JSON|@FILE",
	 .help = "The saga's input as JSON, or @FILE to read it from there; - is standard input. Integers of any size "
		 "stay "
		 "exact.",
	 .place = &start_input},
	{.flag = "key",
	 .value_name = "KEY",
	 .help = "Idempotency key: the same key with the same input is the same saga.",
	 .place = &start_key},
	{.flag = "definition-version",
	 .type = OPTION_INT,
	 .max = INT32_MAX,
	 .value_name = "N",
	 .help = "Version of the definition; 0 takes the newest that is ready.",
	 .place = &start_version},
};

static int read_input(struct arena *arena, Google__Protobuf__Struct **ret_input, struct error *err)
{
	_cleanup_(buffer_release)
	struct buffer file = {0};
	struct bytes text = bytes_of_text(start_input);
	const char *place = "--input";
	struct json_node *root;

	if (start_input[0] == '@' || strcmp(start_input, "-") == 0) {
		place = start_input + (start_input[0] == '@');
		if (file_read(place, INPUT_BYTES_MAX, &file, err) < 0)
			return -1;
		text = buffer_bytes(&file);
	}
	if (json_tree_parse(arena, text, &root, err) < 0) /* the message begins with line:col */
		return error_set(err, ERR_INVALID, "%s:%s", place, arena_strdup(arena, err->msg));
	if (root->kind != JSON_OBJECT)
		return error_set(err, ERR_INVALID, "%s: must be an object, not %s", place, json_kind_name(root->kind));
	*ret_input = json_struct_of_tree(arena, root);
	return 0;
}

static void show_started(struct session *session_, const Saga__V1__StartSagaResponse *answer)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};

	if (session_wants_json(session_)) {
		session_print_json(session_, &answer->base);
	} else if (answer->saga) {
		saga_header_append(&out, answer->saga, table_colours_wanted());
		(void)printf("%s%s", buffer_text(&out),
			     answer->already_existed ? "  an earlier call had started it\n" : "");
	}
}

static enum exit_code start_with(struct session *session_, const char *definition, Google__Protobuf__Struct *input)
{
	Saga__V1__StartSagaRequest request = SAGA__V1__START_SAGA_REQUEST__INIT;
	ProtobufCMessage *answer;
	enum exit_code code;

	request.definition = (char *)definition;
	request.definition_version = (int32_t)start_version;
	request.idempotency_key = (char *)(start_key ? start_key : "");
	request.input_case = SAGA__V1__START_SAGA_REQUEST__INPUT_JSON;
	request.json = input;
	if (session_call(session_, "StartSaga", &request.base, &saga__v1__start_saga_response__descriptor, 0, &answer,
			 &code) < 0)
		return code;
	show_started(session_, (Saga__V1__StartSagaResponse *)answer);
	protobuf_c_message_free_unpacked(answer, NULL);
	return EXIT_DONE;
}

static enum exit_code run_start(struct session *session_, char **arguments, int count)
{
	_cleanup_(arena_release)
	struct arena arena = {0};
	Google__Protobuf__Struct *input = NULL;
	struct error err;

	(void)count;
	if (read_input(&arena, &input, &err) < 0)
		return session_fail(&err);
	return start_with(session_, arguments[0], input);
}

const struct command start_command = {
	.name = "start",
	.arguments = "DEFINITION",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "start a saga",
	.examples = "sagactl start checkout --input @order.json --key order-17\n"
		    "make-order | sagactl start checkout --input -\n",
	.options = start_options,
	.option_count = ARRAY_LEN(start_options),
	.run = run_start,
};

/* ---- get ---- */

static int64_t get_wait_ms;

static const struct option get_options[] = {
	{.flag = "wait",
	 .type = OPTION_DURATION_MS,
	 .help = "Wait up to this long for the saga to end or to need a person, such as 10s.",
	 .place = &get_wait_ms},
};

static enum exit_code run_get(struct session *session_, char **arguments, int count)
{
	Google__Protobuf__Duration wait = GOOGLE__PROTOBUF__DURATION__INIT;
	Saga__V1__GetSagaRequest request = SAGA__V1__GET_SAGA_REQUEST__INIT;
	_cleanup_(buffer_release)
	struct buffer out = {0};
	const Saga__V1__Saga *saga;
	ProtobufCMessage *answer;
	enum exit_code code;

	(void)count;
	wait.seconds = get_wait_ms / 1000;
	wait.nanos = (int32_t)(get_wait_ms % 1000) * 1000000;
	request.saga_id = arguments[0];
	request.wait = &wait;
	if (session_call(session_, "GetSaga", &request.base, &saga__v1__get_saga_response__descriptor,
			 get_wait_ms + WAIT_MARGIN_MS, &answer, &code) < 0)
		return code;
	saga = ((Saga__V1__GetSagaResponse *)answer)->saga;
	if (saga && session_wants_json(session_)) {
		session_print_json(session_, &saga->base);
	} else if (saga) {
		saga_timeline_append(&out, saga, table_colours_wanted());
		(void)printf("%s", buffer_text(&out));
	}
	protobuf_c_message_free_unpacked(answer, NULL);
	return EXIT_DONE;
}

const struct command get_command = {
	.name = "get",
	.arguments = "SAGA_ID",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "show a saga with its steps and timeline",
	.notes = "Times are since the start. The exit code is 0 whatever state the saga is in.\n",
	.examples = "sagactl get 01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10\n"
		    "sagactl get 01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10 --wait 10s -o json | jq .state\n",
	.options = get_options,
	.option_count = ARRAY_LEN(get_options),
	.run = run_get,
};
