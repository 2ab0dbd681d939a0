/* session.c - see session.h. */
#include "cli/session.h"

#include <ctype.h>
#include <stdio.h>

#include "lib/base/memory.h"
#include "lib/rpc/rpc_details.h"

struct session session;

const struct option session_options[] = {
	{.flag = "target",
	 .environment = "SAGA_GRPC",
	 .default_text = "127.0.0.1:7233",
	 .value_name = "HOST:PORT",
	 .help = "The coordinator's gRPC address.",
	 .place = &session.target},
	{.flag = "registry-url",
	 .environment = "REGISTRY_URL",
	 .default_text = "http://127.0.0.1:8081",
	 .value_name = "URL",
	 .help = "The schema registry.",
	 .place = &session.registry_url},
	{.flag = "kafka-brokers",
	 .environment = "KAFKA_BOOTSTRAP KAFKA_BROKERS",
	 .default_text = "127.0.0.1:9092",
	 .value_name = "HOST:PORT",
	 .help = "The Kafka brokers, separated by commas.",
	 .place = &session.kafka_brokers},
	{.flag = "output",
	 .letter = 'o',
	 .default_text = "text",
	 .choices = "text json",
	 .value_name = "FORMAT",
	 .help = "For people or for programs.",
	 .place = &session.output},
};
const size_t session_option_count = ARRAY_LEN(session_options);

static const enum exit_code exit_codes[ERR_CODE_COUNT] = {
	[ERR_NONE] = EXIT_DONE,           [ERR_INVALID] = EXIT_USAGE,       [ERR_NOT_FOUND] = EXIT_NOT_FOUND,
	[ERR_CONFLICT] = EXIT_FAILED,     [ERR_PRECONDITION] = EXIT_FAILED, [ERR_UNAVAILABLE] = EXIT_UNAVAILABLE,
	[ERR_TIMEOUT] = EXIT_UNAVAILABLE, [ERR_INCOMPATIBLE] = EXIT_FAILED, [ERR_LIMIT] = EXIT_FAILED,
	[ERR_CORRUPT] = EXIT_FAILED,      [ERR_INTERNAL] = EXIT_FAILED,
};

void session_release(struct session *session_)
{
	rpc_client_free(session_->client);
	session_->client = NULL;
}

bool session_wants_json(const struct session *session_)
{
	return strcmp(session_->output, "json") == 0;
}

enum exit_code exit_code_of(enum err_code code)
{
	return exit_codes[code];
}

enum exit_code session_fail(const struct error *err)
{
	(void)fprintf(stderr, "sagactl: %s\n", err->msg);
	return exit_code_of(err->code);
}

/* The length of `12:34` or `name:12:34` at the start of the text, when ": " follows; else 0. */
static size_t place_length(const char *text)
{
	const char *end = strstr(text, ": ");
	const char *at = end;

	for (int numbers = 0; end && numbers < 2; numbers++) {
		const char *last = at;

		while (at > text && isdigit((unsigned char)at[-1]))
			at--;
		if (at == last)
			return 0;
		if (numbers == 0 && (at == text || *--at != ':'))
			return 0;
	}
	return end ? (size_t)(end - text) : 0;
}

/* `checkout.yaml:3:5: unknown key` becomes `checkout.yaml:3:5: error: unknown key`, which editors understand. */
static void say_problem(const struct problem *problem)
{
	size_t len = place_length(problem->text);

	if (len > 0)
		(void)fprintf(stderr, "%.*s: error: %s\n", (int)len, problem->text, problem->text + len + 2);
	else
		(void)fprintf(stderr, "sagactl: %s%s%s\n", problem->place, problem->place[0] ? ": " : "",
			      problem->text);
}

static enum exit_code say_failure(const struct error *err, const struct rpc_failure *failure)
{
	struct problems problems;
	size_t count;

	problems_init(&problems);
	rpc_details_add_problems(buffer_bytes(&failure->details), &problems);
	count = problems_kept(&problems);
	for (size_t i = 0; i < count; i++)
		say_problem(&problems.items[i]);
	problems_release(&problems);
	return count > 0 ? exit_code_of(err->code) : session_fail(err);
}

int session_call(struct session *session_, const char *method, const ProtobufCMessage *request,
		 const ProtobufCMessageDescriptor *answer_type, int64_t timeout_ms, ProtobufCMessage **ret_answer,
		 enum exit_code *ret_exit)
{
	char path[96];
	struct rpc_call call = {path, request, answer_type, timeout_ms};
	struct rpc_failure failure;
	struct error err;

	(void)snprintf(path, sizeof(path), "/saga.v1.SagaService/%s", method); /* our own names, all short */
	if (!session_->client)
		session_->client = rpc_client_new(session_->target);
	if (rpc_client_call_explained(session_->client, &call, ret_answer, &failure, &err) == 0)
		return 0;
	*ret_exit = say_failure(&err, &failure);
	buffer_release(&failure.details);
	return -1;
}
