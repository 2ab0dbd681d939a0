/* explain_command.c - sagactl explain. */
#include <limits.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/saga_explanation.h"
#include "cli/saga_ids.h"
#include "cli/saga_timeline.h"
#include "cli/table.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "proto/saga/v1/saga_service.pb-c.h"

/* The text of the saga's own version; NULL: it could not be had, which `err` says. Without it there is still a lot to say. */
static const char *read_source(struct session *session_, const Saga__V1__Saga *saga, struct arena *arena,
			       struct error *err)
{
	Saga__V1__GetDefinitionRequest request = SAGA__V1__GET_DEFINITION_REQUEST__INIT;
	const Saga__V1__GetDefinitionResponse *response;
	const char *source = NULL;
	ProtobufCMessage *answer;

	request.name = saga->definition;
	request.version = saga->definition_version;
	if (rpc_client_call(session_client(session_), "/saga.v1.SagaService/GetDefinition", &request.base,
			    &saga__v1__get_definition_response__descriptor, session_->call_timeout_ms, &answer,
			    err) < 0)
		return NULL;
	response = (Saga__V1__GetDefinitionResponse *)answer;
	if (response->definition)
		source = arena_strdup(arena, response->definition->source);
	else
		(void)error_set(err, ERR_NOT_FOUND, "its definition was not shown");
	protobuf_c_message_free_unpacked(answer, NULL);
	return source;
}

static void show(struct session *session_, const Saga__V1__Saga *saga)
{
	struct saga_explanation explanation;
	struct saga_replay replay;
	_cleanup_(arena_release)
	struct arena arena = {0};
	_cleanup_(buffer_release)
	struct buffer out = {0};
	const char *source;
	struct error err = {0};
	bool is_known;

	source = read_source(session_, saga, &arena, &err);
	is_known = source && saga_replay(saga, source, &arena, &replay, &err);
	saga_explanation_make(saga, is_known ? &replay : NULL, err.msg, &arena, &explanation);
	if (session_wants_json(session_)) {
		saga_explanation_append_json(&out, saga, &explanation);
		buffer_append_text(&out, "\n");
	} else {
		saga_header_append(&out, saga, table_colours_wanted());
		saga_explanation_append(&out, &explanation, clock_real_us(), table_colours_wanted());
	}
	(void)printf("%s", buffer_text(&out));
}

static enum exit_code explain_one(struct session *session_, const char *saga_id)
{
	Saga__V1__GetSagaRequest request = SAGA__V1__GET_SAGA_REQUEST__INIT;
	const Saga__V1__GetSagaResponse *response;
	ProtobufCMessage *answer;
	enum exit_code code;

	request.saga_id = (char *)saga_id;
	if (session_call(session_, "GetSaga", &request.base, &saga__v1__get_saga_response__descriptor, 0, &answer,
			 &code) < 0)
		return code;
	response = (Saga__V1__GetSagaResponse *)answer;
	if (response->saga)
		show(session_, response->saga);
	protobuf_c_message_free_unpacked(answer, NULL);
	return EXIT_DONE;
}

static enum exit_code run_explain(struct session *session_, char **arguments, int count)
{
	return saga_ids_each(session_, arguments, count, explain_one);
}

const struct command explain_command = {
	.name = "explain",
	.arguments = "SAGA_ID…",
	.arguments_min = 1,
	.arguments_max = INT_MAX,
	.summary = "say why a saga waits, what comes next and when, and what can be done",
	.notes =
		"Times are exact: they are derived from the saga's log by the coordinator's own rules. Only what would "
		"not be\n"
		"refused is offered. SAGA_ID may be - for ids from standard input.\n",
	.examples = "sagactl explain 01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10\n"
		    "sagactl stuck --stuck-reason violated --quiet | sagactl explain -\n"
		    "sagactl explain 01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10 -o json | jq -r '.next[0].time'\n",
	.run = run_explain,
};
