/* settings.c - see settings.h. */
#include "coordinator/settings.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/api/rpc_address.h"
#include "lib/pg/pg.h"
#include "lib/security/access_file.h"
#include "lib/security/listen_rule.h"
#include "lib/security/security_options.h"
#include "lib/trace/trace_options.h"

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
		{.flag = "watchdog-ms",
		 .environment = "SAGA_WATCHDOG_MS",
		 .type = OPTION_INT,
		 .default_text = "10000",
		 .value_name = "MS",
		 .help = "how often to call the own gRPC address; three calls without an answer end the process. 0: "
			 "never",
		 .place = &settings->watchdog_ms,
		 .max = 60000},
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
	certificates_check(&settings->tls, problems);
	check_access_file(settings->access_file, problems);
	check_listening(settings, problems);
	notices_check(&notices, problems);
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
	return status;
}

struct kafka_options settings_kafka(const struct settings *settings)
{
	return kafka_settings_options(&settings->kafka, "saga-coordinator");
}

struct notices_options settings_notices(const struct settings *settings)
{
	return (struct notices_options){
		.topic = strcmp(settings->stuck_topic, "none") == 0 ? NULL : settings->stuck_topic,
		.webhooks = settings->webhooks.items,
		.webhook_count = settings->webhooks.count,
		.secret = settings->webhook_secret,
	};
}
