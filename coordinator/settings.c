/* settings.c - see settings.h. */
#include "coordinator/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/api/rpc_address.h"
#include "lib/base/bytes.h"
#include "lib/base/memory.h"
#include "lib/kafka/topic_name.h"
#include "lib/pg/pg.h"
#include "lib/security/access_file.h"
#include "lib/security/listen_rule.h"
#include "lib/security/security_options.h"
#include "lib/trace/trace_options.h"

/* Clients and participants repeat what they have sent for a while, and streams are at most so far behind. */
enum { LIMIT_MAX = 1000000000, KEEP_SAGAS_MIN_MS = 10000, KEEP_FEED_MIN_MS = 60000 };

#define LOWER_CASE "abcdefghijklmnopqrstuvwxyz"

static size_t list_options(struct settings *settings, struct option ret_options[SETTINGS_OPTIONS_MAX])
{
	const struct option options[] = {
		{.flag = "grpc-listen",
		 .environment = "SAGA_GRPC_LISTEN",
		 .default_text = "127.0.0.1:7233",
		 .value_name = "ADDRESS",
		 .help = "where to serve gRPC: HOST:PORT, port 0 takes any free one, or unix:PATH",
		 .place = &settings->grpc_listen},
		{.flag = "insecure-listen",
		 .type = OPTION_BOOL,
		 .help = "serve other machines without TLS, clients' certificates or access-file, too",
		 .place = &settings->is_insecure_allowed},
		{.flag = "http-port",
		 .environment = "SAGA_HTTP_PORT",
		 .type = OPTION_INT,
		 .default_text = "7280",
		 .value_name = "PORT",
		 .help = "port of /health, /livez, /readyz, /metrics; 0 takes any free one",
		 .place = &settings->http_port,
		 .max = 65535},
		{.flag = "listen-address",
		 .environment = "SAGA_LISTEN_ADDRESS",
		 .default_text = "127.0.0.1",
		 .value_name = "ADDRESS",
		 .help = "address that HTTP listens on",
		 .place = &settings->listen_address},
		{.flag = "postgres",
		 .environment = "SAGA_POSTGRES",
		 .default_text = "",
		 .value_name = "CONNINFO",
		 .help = "database, as libpq takes it; what it leaves out comes from PGHOST, PGPORT, PGUSER, "
			 "PGPASSWORD, "
			 "PGDATABASE",
		 .place = &settings->postgres},
		KAFKA_SETTINGS_OPTIONS(settings->kafka),
		REGISTRY_SETTINGS_OPTIONS(settings->registry),
		SERVER_TLS_OPTIONS("SAGA_", settings->tls),
		ACCESS_FILE_OPTION("SAGA_", settings->access_file),
		{.flag = "instance",
		 .environment = "SAGA_INSTANCE",
		 .value_name = "NAME",
		 .help = "name of this coordinator, the same after each restart and unlike any other's; "
			 "coordinator-HOST "
			 "without one",
		 .place = &settings->instance},
		{.flag = "definitions",
		 .environment = "SAGA_DEFINITIONS",
		 .value_name = "FOLDER",
		 .help = "register every *.yaml in it at start",
		 .place = &settings->definitions},
		{.flag = "environment",
		 .environment = "ENVIRONMENT",
		 .default_text = "development",
		 .value_name = "NAME",
		 .help = "shown by /health",
		 .place = &settings->environment},
		{.flag = "stuck-topic",
		 .environment = "SAGA_STUCK_TOPIC",
		 .default_text = "saga.stuck",
		 .value_name = "TOPIC",
		 .help = "where Kafka is told that a saga is stuck; none: nowhere",
		 .check_text = topic_name_check,
		 .place = &settings->stuck_topic},
		{.flag = "webhook",
		 .environment = "SAGA_WEBHOOK_URL_",
		 .type = OPTION_PROPERTIES,
		 .prefix = "webhook.",
		 .value_name = "NAME=URL",
		 .help = "who is told by HTTP that a saga is stuck",
		 .place = &settings->webhooks},
		{.flag = "webhook-secret",
		 .environment = "SAGA_WEBHOOK_SECRET",
		 .is_secret = true,
		 .help = "what webhooks are signed with: whsec_ and base64; several, separated by blanks, while one "
			 "takes the place of another",
		 .place = &settings->webhook_secret},
		{.flag = "sweep-ms",
		 .environment = "SAGA_SWEEP_MS",
		 .type = OPTION_INT,
		 .default_text = "1000",
		 .value_name = "MS",
		 .help = "how often to look for commands that are due to be sent again",
		 .place = &settings->sweep_ms,
		 .min = 10,
		 .max = 60000},
		{.flag = "max-in-flight",
		 .environment = "SAGA_MAX_IN_FLIGHT",
		 .type = OPTION_INT,
		 .default_text = "0",
		 .value_name = "NUMBER",
		 .help = "commands without a reply that each participant may have from this coordinator; more wait "
			 "here, and their "
			 "time begins when they are sent. 0: no limit",
		 .place = &settings->max_in_flight,
		 .max = LIMIT_MAX},
		{.flag = "max-in-flight-of",
		 .environment = "SAGA_MAX_IN_FLIGHT_OF_",
		 .type = OPTION_PROPERTIES,
		 .value_name = "PARTICIPANT=NUMBER",
		 .help = "another such limit for one participant, which is the first word of its commands' topics",
		 .place = &settings->max_in_flight_of,
		 .prefix = "max-in-flight."},
		{.flag = "max-open-sagas",
		 .environment = "SAGA_MAX_OPEN_SAGAS",
		 .type = OPTION_INT,
		 .default_text = "0",
		 .value_name = "NUMBER",
		 .help = "sagas of each definition that may be open, at all coordinators together; more are refused "
			 "with "
			 "RESOURCE_EXHAUSTED. 0: no limit",
		 .place = &settings->max_open_sagas,
		 .max = LIMIT_MAX},
		{.flag = "max-open-sagas-of",
		 .environment = "SAGA_MAX_OPEN_SAGAS_OF_",
		 .type = OPTION_PROPERTIES,
		 .value_name = "DEFINITION=NUMBER",
		 .help = "another such limit for one definition",
		 .place = &settings->max_open_sagas_of,
		 .prefix = "max-open-sagas."},
		{.flag = "watchdog-ms",
		 .environment = "SAGA_WATCHDOG_MS",
		 .type = OPTION_INT,
		 .default_text = "10000",
		 .value_name = "MS",
		 .help = "how often to call the own gRPC address; three calls without an answer end the process. 0: "
			 "never",
		 .place = &settings->watchdog_ms,
		 .max = 60000},
		{.flag = "keep-sagas",
		 .environment = "SAGA_KEEP_SAGAS",
		 .type = OPTION_DURATION_MS,
		 .default_text = "90d",
		 .value_name = "DURATION",
		 .help = "how long a saga is kept after its end, with its log; then a start with its idempotency key "
			 "makes a new saga. 0: for ever",
		 .min = KEEP_SAGAS_MIN_MS,
		 .place = &settings->keep_sagas_ms},
		{.flag = "keep-feed",
		 .environment = "SAGA_KEEP_FEED",
		 .type = OPTION_DURATION_MS,
		 .default_text = "24h",
		 .value_name = "DURATION",
		 .help = "for how long a WatchSagas that broke off can go on from its position; it takes 140 bytes and "
			 "more a saga. 0: for ever",
		 .min = KEEP_FEED_MIN_MS,
		 .place = &settings->keep_feed_ms},
		{.flag = "archive-topic",
		 .environment = "SAGA_ARCHIVE_TOPIC",
		 .value_name = "TOPIC",
		 .help = "where sagas go before they leave, each as a JSON document with its log; without one, or "
			 "none: they are deleted",
		 .check_text = topic_name_check,
		 .place = &settings->archive_topic},
		OTLP_ENDPOINT_OPTION(settings->otlp_endpoint),
		LOG_OPTIONS(settings->log),
	};

	_Static_assert(sizeof(options) / sizeof(options[0]) <= SETTINGS_OPTIONS_MAX,
		       "SETTINGS_OPTIONS_MAX is too small");
	memcpy(ret_options, options, sizeof(options));
	return sizeof(options) / sizeof(options[0]);
}

static void check_access_file(const char *path, struct problems *problems)
{
	struct access_file *file = NULL;

	if (path && access_file_read(path, &file, problems) == 0)
		access_file_free(file);
}

/* Beyond this machine gRPC is for those alone whom the clients' authority has vouched for. */
static void check_listening(const struct settings *settings, struct problems *problems)
{
	bool has_all = settings->tls.certificate && settings->tls.client_ca && settings->access_file;
	struct error err;

	if (rpc_address_check(settings->grpc_listen, &err) < 0)
		problems_add(problems, "grpc-listen", "%s", err.msg);
	else if (!settings->is_insecure_allowed && !has_all && !rpc_address_is_local(settings->grpc_listen))
		problems_add(
			problems, "grpc-listen",
			"can be reached from other machines: set tls-cert, tls-key, tls-client-ca and access-file, "
			"or listen on 127.0.0.1 or unix:PATH, or accept the risk by insecure-listen");
	if (!settings->is_insecure_allowed && !settings->tls.certificate &&
	    !listen_is_loopback(settings->listen_address))
		problems_add(problems, "listen-address", LISTEN_PLAIN_TEXT);
}

static bool read_limit(const char *text, int64_t *ret_max)
{
	char *end;
	long long number;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || end == text || *end || number < 0 || number > LIMIT_MAX)
		return false;
	*ret_max = number;
	return true;
}

/* Names that can never be anybody's limit nothing, though who wrote them thinks so. */
struct limit_names {
	const char *accepted;
	const char *rule;
};

static const struct limit_names participant_names = {
	LOWER_CASE "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-",
	"a participant is the first word of a topic: letters, digits, '_' and '-'",
};
static const struct limit_names definition_names = {
	LOWER_CASE "0123456789-",
	"a definition's name is a-z, 0-9 and -",
};

static void check_limits(const struct option_properties *limits, const char *prefix, const struct limit_names *names,
			 struct problems *problems)
{
	int64_t ignored;

	for (size_t i = 0; i < limits->count; i++) {
		const char *name = limits->items[i].name;
		_cleanup_(buffer_release)
		struct buffer place = {0};

		buffer_append_format(&place, "%s%s", prefix, name);
		if (!*name || name[strspn(name, names->accepted)])
			problems_add(problems, buffer_text(&place), "limits nobody: %s", names->rule);
		if (!read_limit(limits->items[i].value, &ignored))
			problems_add(problems, buffer_text(&place), "must be from 0 to %lld", (long long)LIMIT_MAX);
	}
}

/* NULL where it is none, or not given. */
static const char *topic_or_null(const char *text)
{
	return text && strcmp(text, "none") != 0 ? text : NULL;
}

static void check_retention(const struct settings *settings, struct problems *problems)
{
	if (settings->keep_sagas_ms == 0 && topic_or_null(settings->archive_topic))
		problems_add(problems, "archive-topic", "nothing leaves: set keep-sagas, too");
}

/* What librdkafka and libpq would refuse, before anything is opened; files of TLS and access; who could connect. */
static void check(void *ctx, struct problems *problems)
{
	const struct settings *settings = ctx;
	const struct notices_options notices = settings_notices(settings);
	struct kafka_options kafka = settings_kafka(settings);
	struct error err;

	kafka_options_check(&kafka, "kafka.", problems);
	if (pg_conninfo_check(settings->postgres, &err) < 0)
		problems_add(problems, "postgres", "%s", err.msg);
	client_security_check(&settings->registry.security, "registry-", problems);
	check_limits(&settings->max_in_flight_of, "max-in-flight.", &participant_names, problems);
	check_limits(&settings->max_open_sagas_of, "max-open-sagas.", &definition_names, problems);
	certificates_check(&settings->tls, problems);
	check_access_file(settings->access_file, problems);
	check_listening(settings, problems);
	notices_check(&notices, problems);
	check_retention(settings, problems);
}

static void name_instance(struct settings *settings)
{
	char host[HOST_BYTES_MAX + 1] = "unknown";

	if (settings->instance && *settings->instance)
		return;
	(void)gethostname(host, HOST_BYTES_MAX); /* a long name is cut, which serves as well */
	host[HOST_BYTES_MAX] = 0;
	(void)snprintf(settings->instance_text, sizeof(settings->instance_text), "coordinator-%s", host);
	settings->instance = settings->instance_text;
}

int settings_read(struct settings *settings, int argc, char **argv)
{
	int status;

	settings->program = (struct program){
		.name = "saga-coordinator",
		.summary = "Runs sagas: sends their commands, follows their replies, undoes what has to be undone.",
		.options = settings->options,
		.option_count = list_options(settings, settings->options),
		.check = check,
		.check_ctx = settings,
	};

	status = options_exit_status(options_parse(&settings->program, argc, argv, NULL));
	if (status < 0)
		name_instance(settings);
	settings->archive_topic = topic_or_null(settings->archive_topic);
	return status;
}

struct limit_rules settings_limits(int64_t max, const struct option_properties *of)
{
	struct limit_rule *items = xcalloc(of->count + 1, sizeof(*items));

	for (size_t i = 0; i < of->count; i++) {
		items[i].name = of->items[i].name;
		if (!read_limit(of->items[i].value, &items[i].max))
			items[i].max = max; /* not to be had: check() has looked at it */
	}
	return (struct limit_rules){max, items, of->count};
}

void settings_limits_release(struct limit_rules *rules)
{
	free((struct limit_rule *)rules->items);
	*rules = (struct limit_rules){0};
}

struct kafka_options settings_kafka(const struct settings *settings)
{
	return kafka_settings_options(&settings->kafka, "saga-coordinator");
}

struct notices_options settings_notices(const struct settings *settings)
{
	return (struct notices_options){
		.topic = topic_or_null(settings->stuck_topic),
		.webhooks = settings->webhooks.items,
		.webhook_count = settings->webhooks.count,
		.secret = settings->webhook_secret,
	};
}
