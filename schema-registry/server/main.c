/*
 * main.c - the schema registry: options, wiring, and stopping in order.
 *
 * Threads: main waits for a signal; the HTTP server's threads do the work, each with a database connection at hand.
 */
#include <malloc.h>

#include "lib/base/log.h"
#include "lib/base/shutdown.h"
#include "lib/http/http_server.h"
#include "lib/metrics/metrics.h"
#include "lib/options/log_options.h"
#include "lib/options/reload.h"
#include "lib/pg/pg.h"
#include "lib/security/access.h"
#include "lib/security/listen_rule.h"
#include "lib/security/security_options.h"
#include "schema-registry/server/rest.h"
#include "schema-registry/server/session.h"

enum {
	HANDLERS = 8,                      /* and connections, so that no handler waits for one */
	BODY_BYTES_MAX = 64 * 1024 * 1024, /* a parsed schema takes several times its text */
	RATE_MAX = 1000000,
	MALLOC_ARENAS = 2,
	DATABASE_WAIT_MS = 60 * 1000,
	DATABASE_STEP_MS = 500, /* after which a signal is noticed */
};

static struct {
	int64_t listen_port;
	const char *listen_address;
	struct certificate_paths tls;
	const char *access_file; /* NULL: whoever reaches the address may do all */
	bool is_insecure_allowed;
	const char *postgres;
	int64_t body_bytes_max;
	int64_t rate_limit;
	int64_t connections_per_client_max;
	struct log_options log;
	const char *environment;
} settings;

static const struct option options[] = {
	{.flag = "listen-port",
	 .environment = "REGISTRY_PORT",
	 .type = OPTION_INT,
	 .default_text = "8081",
	 .value_name = "PORT",
	 .help = "port of the REST API; 0 takes any free one",
	 .place = &settings.listen_port,
	 .max = UINT16_MAX},
	{.flag = "listen-address",
	 .environment = "REGISTRY_ADDRESS",
	 .type = OPTION_TEXT,
	 .default_text = "127.0.0.1",
	 .value_name = "ADDRESS",
	 .help = "IP address to listen on; 0.0.0.0 for all",
	 .place = &settings.listen_address},
	SERVER_TLS_OPTIONS("REGISTRY_", settings.tls),
	ACCESS_FILE_OPTION("REGISTRY_", settings.access_file),
	{.flag = "insecure-listen",
	 .type = OPTION_BOOL,
	 .help = "listen beyond loopback without TLS or without credentials, too",
	 .place = &settings.is_insecure_allowed},
	{.flag = "postgres",
	 .environment = "REGISTRY_POSTGRES",
	 .type = OPTION_TEXT,
	 .is_required = true,
	 .value_name = "CONNINFO",
	 .help = "the registry's own database, as libpq writes it: \"host=… dbname=…\"",
	 .place = &settings.postgres},
	{.flag = "body-bytes-max",
	 .environment = "REGISTRY_BODY_BYTES_MAX",
	 .type = OPTION_INT,
	 .default_text = "16777216",
	 .value_name = "BYTES",
	 .help = "larger requests are answered 413",
	 .place = &settings.body_bytes_max,
	 .min = 1024,
	 .max = BODY_BYTES_MAX},
	{.flag = "rate-limit",
	 .environment = "REGISTRY_RATE_LIMIT",
	 .type = OPTION_INT,
	 .default_text = "0",
	 .value_name = "REQUESTS",
	 .help = "requests a second from one client address, IPv6: network; what is more is answered 429. 0: no limit",
	 .place = &settings.rate_limit,
	 .max = RATE_MAX},
	{.flag = "connections-per-client-max",
	 .environment = "REGISTRY_CONNECTIONS_PER_CLIENT_MAX",
	 .type = OPTION_INT,
	 .default_text = "256",
	 .value_name = "CONNECTIONS",
	 .help = "connections from one client address, IPv6: network, of 512 in all; who opens more loses the one that "
		 "was "
		 "idle for the longest time",
	 .place = &settings.connections_per_client_max,
	 .min = 1,
	 .max = HTTP_CONNECTIONS_MAX},
	LOG_OPTIONS(settings.log),
	{.flag = "environment",
	 .environment = "ENVIRONMENT",
	 .type = OPTION_TEXT,
	 .default_text = "development",
	 .value_name = "NAME",
	 .help = "what /health shows as the environment",
	 .place = &settings.environment},
};

/* What libpq would refuse, before anything is opened; files of TLS and access; who could connect. */
static void check(void *ctx, struct problems *problems)
{
	struct access_file *file = NULL;
	struct error err;

	(void)ctx;
	if (pg_conninfo_check(settings.postgres, &err) < 0)
		problems_add(problems, "postgres", "%s", err.msg);
	certificates_check(&settings.tls, problems);
	if (settings.access_file && access_file_read(settings.access_file, &file, problems) == 0)
		access_file_free(file);
	if (!settings.tls.certificate && !settings.is_insecure_allowed && !listen_is_loopback(settings.listen_address))
		problems_add(problems, "listen-address", LISTEN_PLAIN_TEXT);
	else if (!settings.access_file && !settings.tls.client_ca && !settings.is_insecure_allowed &&
		 !listen_is_loopback(settings.listen_address))
		problems_add(problems, "listen-address",
			     "can be reached from other machines, and whoever does may change every schema: set "
			     "access-file or tls-client-ca, or listen on 127.0.0.1, or accept the risk by "
			     "insecure-listen");
}

static const struct program program = {
	.name = "schema-registry",
	.summary = "A Confluent-compatible schema registry for Avro and Protobuf, on Postgres.",
	.examples = "  schema-registry --postgres \"host=127.0.0.1 dbname=registry\" --listen-port 8081\n"
		    "  curl http://127.0.0.1:8081/subjects\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.check = check,
};

static int fail(const char *event, const struct error *err)
{
	log_error(event, "err=%s", LOG_TEXT(err->msg));
	return EXIT_FAILURE;
}

/* What SIGHUP replaces. */
struct security {
	struct certificates *certificates; /* NULL: plain */
	struct access *access;             /* NULL: whoever reaches the address may do all */
	struct http_server *server;
};

static int make_security(struct security *security, struct error *err)
{
	if (settings.tls.certificate && certificates_new(&settings.tls, &security->certificates, err) < 0)
		return -1;
	return settings.access_file ? access_new(settings.access_file, &security->access, err) : 0;
}

/* The certificates first; a wrong one does not keep the access file from coming into force. */
static int reload_security(void *ctx, struct error *err)
{
	struct security *security = ctx;
	bool is_whole = true;
	struct error other;

	if (security->certificates &&
	    (certificates_reload(security->certificates, err) < 0 || http_server_reload(security->server, err) < 0))
		is_whole = false;
	if (security->access && access_reload(security->access, &other) < 0) {
		*err = other;
		is_whole = false;
	}
	return is_whole ? 0 : -1;
}

static int serve(struct rest *rest, struct security *security, int argc, char **argv)
{
	struct http_server_options server_options = {
		.address = settings.listen_address,
		.port = (uint16_t)settings.listen_port,
		.certificates = security->certificates,
		.is_insecure_allowed = settings.is_insecure_allowed,
		.body_bytes_max = (size_t)settings.body_bytes_max,
		.threads = HANDLERS,
		.connections_per_client_max = (int)settings.connections_per_client_max,
		.metrics = rest->connections,
		.handle = rest_handle,
		.refuse = rest_refuse,
		.ctx = rest};
	_cleanup_(http_server_freep)
	struct http_server *server = NULL;
	struct error err;

	if (shutdown_requested())
		return EXIT_SUCCESS;
	if (http_server_start(&server_options, &server, &err) < 0)
		return fail("listen_failed", &err);
	security->server = server;
	rest->port = http_server_port(server);
	reload_start(&(struct reload){&program, argc, argv, reload_security, security});
	log_info("started", "address=%s port=%u version=%s", settings.listen_address, (unsigned)rest->port,
		 AMENDS_VERSION);
	shutdown_wait();
	reload_stop();
	log_info("stopping", "reason=signal");
	return EXIT_SUCCESS;
}

/* Asked to stop meanwhile: 0, and shutdown_requested(). */
static int wait_for_database(struct sessions *sessions, struct error *err)
{
	for (int waited_ms = 0;; waited_ms += DATABASE_STEP_MS) {
		if (sessions_migrate(sessions, DATABASE_STEP_MS, err) == 0 || shutdown_requested())
			return 0;
		if (!err->is_retriable || waited_ms >= DATABASE_WAIT_MS)
			return -1;
		if (waited_ms == 0)
			log_warn("database_away", "err=%s instead=\"waiting up to %d s\"", LOG_TEXT(err->msg),
				 DATABASE_WAIT_MS / 1000);
	}
}

static int run(int argc, char **argv)
{
	struct metrics *metrics = metrics_new();
	struct sessions *sessions = sessions_new(settings.postgres, HANDLERS, metrics);
	struct security security = {0};
	struct rest rest;
	struct error err;
	int status;

	rest_init(&rest, sessions, metrics, settings.environment);
	if (make_security(&security, &err) < 0) {
		status = fail("security_failed", &err);
	} else if (wait_for_database(sessions, &err) < 0) {
		status = fail("database_failed", &err);
	} else {
		rest.access = security.access;
		rest.limit = settings.rate_limit ? rate_limit_new(settings.rate_limit) : NULL;
		status = serve(&rest, &security, argc, argv);
	}
	rate_limit_free(rest.limit);
	access_free(security.access);
	certificates_free(security.certificates);
	sessions_free(sessions);
	metrics_free(metrics);
	if (status == EXIT_SUCCESS)
		log_info("stopped", "exit=0");
	return status;
}

int main(int argc, char **argv)
{
	int status = options_exit_status(options_parse(&program, argc, argv, NULL));

	if (status >= 0)
		return status;
	log_options_apply(&settings.log, program.name);
	/* Each connection has a thread, and each thread would keep freed memory in an arena of its own. */
	(void)mallopt(M_ARENA_MAX, MALLOC_ARENAS); /* else it only takes more */
	shutdown_init();
	return run(argc, argv);
}
