/* session.c - see session.h. */
#include "cli/session.h"

#include <ctype.h>
#include <stdio.h>

#include "cli/terminal.h"
#include "lib/base/memory.h"
#include "lib/rpc/message_json.h"
#include "lib/rpc/rpc_details.h"
#include "lib/security/security_options.h"
#include "schema-registry/client/registry_settings.h"

struct session session;

const struct option session_options[] = {
	{.flag = "address",
	 .letter = 'a',
	 .environment = "SAGACTL_ADDRESS SAGA_GRPC",
	 .default_text = "127.0.0.1:7233",
	 .value_name = "HOST:PORT",
	 .help = "The coordinator's gRPC address, or unix:PATH.",
	 .place = &session.address},
	CLIENT_SECURITY_OPTIONS("saga-", "SAGA_", "the coordinator", session.saga_security),
	{.flag = "registry-url",
	 .environment = "SAGACTL_REGISTRY_URL REGISTRY_URL",
	 .default_text = "http://127.0.0.1:8081",
	 .value_name = "URL",
	 .help = "The schema registry.",
	 .place = &session.registry_url},
	CLIENT_SECURITY_OPTIONS("registry-", "REGISTRY_", "the schema registry", session.registry_security),
	REGISTRY_USER_INFO_OPTION(session.registry_security),
	{.flag = "kafka-brokers",
	 .environment = "SAGACTL_KAFKA_BROKERS KAFKA_BOOTSTRAP KAFKA_BROKERS",
	 .default_text = "127.0.0.1:9092",
	 .value_name = "HOST:PORT",
	 .help = "The Kafka brokers, separated by commas.",
	 .place = &session.kafka.brokers},
	KAFKA_PROPERTY_OPTION(session.kafka.properties,
			      "Any property of librdkafka, such as security.protocol=SASL_SSL."),
	{.flag = "output",
	 .letter = 'o',
	 .environment = "SAGACTL_OUTPUT",
	 .default_text = "text",
	 .choices = "text json jsonl",
	 .value_name = "FORMAT",
	 .help = "For people, or for programs: json is indented, and lists are arrays; jsonl is one object a line.",
	 .place = &session.output},
	{.flag = "color",
	 .environment = "SAGACTL_COLOR",
	 .default_text = "auto",
	 .choices = "auto always never",
	 .value_name = "WHEN",
	 .help = "Colours; auto: on a terminal, unless NO_COLOR is set.",
	 .place = &session.colour},
	{.flag = "call-timeout",
	 .environment = "SAGACTL_CALL_TIMEOUT",
	 .type = OPTION_DURATION_MS,
	 .default_text = "15s",
	 .help = "How long a server may take to answer.",
	 .place = &session.call_timeout_ms},
};
const size_t session_option_count = ARRAY_LEN(session_options);

const struct exit_meaning exit_meanings[] = {
	{EXIT_DONE, "done, or shown; of commands that wait for a saga's end: it COMPLETED"},
	{EXIT_FAILED, "refused or failed"},
	{EXIT_USAGE, "what was given is wrong: flags, files, input"},
	{EXIT_NOT_FOUND, "no such saga, definition or subject"},
	{EXIT_UNAVAILABLE, "a server is away or too slow; try again later"},
	{EXIT_COMPENSATED, "wait, watch, start --wait: the saga ended COMPENSATED or FAILED"},
	{EXIT_STUCK, "wait, watch, start --wait: the saga is STUCK and needs a person"},
	{EXIT_UNFINISHED, "wait, watch, start --wait: the time is over, the saga goes on"},
	{EXIT_ENVIRONMENT, "an environment variable has a wrong value"},
	{EXIT_INTERRUPTED, "ended by Ctrl-C; sagas go on without sagactl"},
};
const size_t exit_meaning_count = ARRAY_LEN(exit_meanings);

static const enum exit_code exit_codes[ERR_CODE_COUNT] = {
	[ERR_NONE] = EXIT_DONE,           [ERR_INVALID] = EXIT_USAGE,       [ERR_NOT_FOUND] = EXIT_NOT_FOUND,
	[ERR_CONFLICT] = EXIT_FAILED,     [ERR_PRECONDITION] = EXIT_FAILED, [ERR_UNAVAILABLE] = EXIT_UNAVAILABLE,
	[ERR_TIMEOUT] = EXIT_UNAVAILABLE, [ERR_INCOMPATIBLE] = EXIT_FAILED, [ERR_LIMIT] = EXIT_FAILED,
	[ERR_CORRUPT] = EXIT_FAILED,      [ERR_INTERNAL] = EXIT_FAILED,     [ERR_UNAUTHENTICATED] = EXIT_FAILED,
	[ERR_DENIED] = EXIT_FAILED,       [ERR_QUOTA] = EXIT_UNAVAILABLE,
};

/* Without TLS or a token the client is made at the first call, since not every command calls. */
static int secure(struct session *session_)
{
	struct problems problems;
	struct error err;
	int result = 0;

	problems_init(&problems);
	client_security_check(&session_->saga_security, "saga-", &problems);
	client_security_check(&session_->registry_security, "registry-", &problems);
	for (size_t i = 0; i < problems_kept(&problems); i++)
		(void)fprintf(stderr, "sagactl: %s: %s\n", problems.items[i].place, problems.items[i].text);
	if (problems.count > 0)
		result = -1;
	problems_release(&problems);
	if (result == 0 && (session_->saga_security.ca || session_->saga_security.token) &&
	    rpc_client_new_secure(session_->address, &session_->saga_security, &session_->client, &err) < 0) {
		(void)fprintf(stderr, "sagactl: %s\n", err.msg);
		result = -1;
	}
	return result;
}

int session_begin(struct session *session_)
{
	enum terminal_colouring colouring = strcmp(session_->colour, "always") == 0  ? TERMINAL_COLOUR_ALWAYS
					    : strcmp(session_->colour, "never") == 0 ? TERMINAL_COLOUR_NEVER
										     : TERMINAL_COLOUR_AUTO;

	terminal_set_colouring(colouring);
	if (strchr(session_->address, ':'))
		return secure(session_);
	(void)fprintf(stderr, "sagactl: --address '%s': must be HOST:PORT, such as %s:7233, or unix:PATH\n",
		      session_->address, session_->address);
	return -1;
}

void session_release(struct session *session_)
{
	rpc_client_free(session_->client);
	session_->client = NULL;
	session_->has_answered = false;
}

struct kafka_options session_kafka(const struct session *session_)
{
	return kafka_settings_options(&session_->kafka, "sagactl");
}

struct registry_client_options session_registry(const struct session *session_)
{
	return (struct registry_client_options){.url = session_->registry_url,
						.timeout_ms = session_->call_timeout_ms,
						.security = session_->registry_security};
}

bool session_wants_json(const struct session *session_)
{
	return strcmp(session_->output, "text") != 0;
}

static bool wants_lines(const struct session *session_)
{
	return strcmp(session_->output, "jsonl") == 0;
}

void session_print_json(const struct session *session_, const ProtobufCMessage *message)
{
	message_json_print(message, wants_lines(session_) ? MESSAGE_JSON_LINE : MESSAGE_JSON_INDENTED);
}

void session_list_add(struct session_list *list, const ProtobufCMessage *message)
{
	if (!wants_lines(list->session))
		(void)printf("%s", list->count == 0 ? "[\n" : ",\n");
	list->count++;
	session_print_json(list->session, message);
}

void session_list_end(struct session_list *list)
{
	if (!wants_lines(list->session))
		(void)printf("%s]\n", list->count == 0 ? "[" : "");
}

struct rpc_client *session_client(struct session *session_)
{
	if (!session_->client)
		session_->client = rpc_client_new(session_->address);
	return session_->client;
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

void session_say_problems(const struct problems *problems)
{
	size_t kept = problems_kept(problems);

	for (size_t i = 0; i < kept; i++)
		say_problem(&problems->items[i]);
	if (problems->count > kept)
		(void)fprintf(stderr, "sagactl: and %zu more\n", problems->count - kept);
}

/* What gRPC says when nobody is there is long and begins with what is the same every time. */
static const char *reason_of_silence(const char *text)
{
	static const char MARK[] = "last error: ";
	const char *last = strstr(text, MARK);

	if (!last)
		return text;
	last += strlen(MARK);
	last += strncmp(last, "UNKNOWN: ", 9) == 0 ? 9 : 0;
	return last + (strncmp(last, "ipv4:", 5) == 0 || strncmp(last, "ipv6:", 5) == 0 ? 5 : 0);
}

static enum exit_code say_unavailable(const struct session *session_, const struct error *err,
				      const struct rpc_failure *failure)
{
	int64_t retry_after_ms = rpc_details_retry_after_ms(buffer_bytes(&failure->details));

	if (failure->details.len > 0) { /* the coordinator itself says so */
		(void)fprintf(stderr, "sagactl: %s\n", err->msg);
		if (retry_after_ms >= 0)
			(void)fprintf(stderr, "  Try again in %.1f s.\n", (double)retry_after_ms / 1000.0);
	} else if (err->code == ERR_TIMEOUT && strstr(err->msg, SESSION_NO_ANSWER)) {
		(void)fprintf(stderr, "sagactl: no answer in time from %s (--call-timeout)\n", session_->address);
	} else {
		(void)fprintf(
			stderr,
			"sagactl: cannot reach the coordinator: %s\n"
			"  Does it run there? --address or SAGACTL_ADDRESS name another place, `sagactl health` looks "
			"at all servers.\n%s",
			reason_of_silence(err->msg),
			strstr(err->msg, "Socket closed") ? "  Something listens there and hung up: it may want TLS "
							    "(--saga-ca), or a certificate of "
							    "yours (--saga-cert, --saga-key).\n"
							  : "");
	}
	return EXIT_UNAVAILABLE;
}

enum exit_code session_fail_call(const struct session *session_, const struct error *err,
				 const struct rpc_failure *failure)
{
	struct problems problems;
	size_t count;

	if (err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT)
		return say_unavailable(session_, err, failure);
	problems_init(&problems);
	rpc_details_add_problems(buffer_bytes(&failure->details), &problems);
	count = problems_kept(&problems);
	session_say_problems(&problems);
	problems_release(&problems);
	return count > 0 ? exit_code_of(err->code) : session_fail(err);
}

int session_call(struct session *session_, const char *method, const ProtobufCMessage *request,
		 const ProtobufCMessageDescriptor *answer_type, int64_t timeout_ms, ProtobufCMessage **ret_answer,
		 enum exit_code *ret_exit)
{
	char path[96];
	struct rpc_call call = {.method = path,
				.request = request,
				.answer_type = answer_type,
				.timeout_ms = timeout_ms > 0 ? timeout_ms : session_->call_timeout_ms};
	struct rpc_failure failure;
	struct error err;

	(void)snprintf(path, sizeof(path), "/saga.v1.SagaService/%s", method); /* our own names, all short */
	if (rpc_client_call_explained(session_client(session_), &call, ret_answer, &failure, &err) == 0) {
		session_->has_answered = true;
		return 0;
	}
	*ret_exit = session_fail_call(session_, &err, &failure);
	buffer_release(&failure.details);
	return -1;
}
