/* main.c - checkout-service: options, wiring, and an orderly end. */

#include "lib/base/log.h"
#include "lib/base/shutdown.h"
#include "lib/http/http_server.h"
#include "lib/metrics/metrics.h"
#include "lib/options/log_options.h"
#include "lib/options/reload.h"
#include "lib/rpc/rpc_client.h"
#include "lib/security/listen_rule.h"
#include "lib/security/security_options.h"
#include "lib/trace/span_exporter.h"
#include "lib/trace/trace_options.h"
#include "participants/checkout/checkout_front.h"

enum { BODY_BYTES_MAX = 256 << 10, EXIT_CONFIG = 78 };

static const char *http_address;
static int64_t http_port;
static struct certificate_paths tls;
static bool is_insecure_allowed;
static const char *saga_target;
static struct client_security saga_security;
static int64_t wait_ms;
static int64_t threads;
static struct log_options log_options;
static const char *otlp_endpoint;
static const char *environment;

static const struct option options[] = {
	{.flag = "http-address",
	 .environment = "CHECKOUT_HTTP_ADDRESS",
	 .default_text = "127.0.0.1",
	 .value_name = "IP",
	 .help = "Address to listen on.",
	 .place = &http_address},
	{.flag = "http-port",
	 .environment = "CHECKOUT_HTTP_PORT",
	 .type = OPTION_INT,
	 .default_text = "4000",
	 .max = 65535,
	 .value_name = "PORT",
	 .help = "Port to listen on; 0 takes any free one.",
	 .place = &http_port},
	SERVER_TLS_OPTIONS("CHECKOUT_", tls),
	{.flag = "insecure-listen",
	 .type = OPTION_BOOL,
	 .help = "Listen beyond loopback without TLS, too.",
	 .place = &is_insecure_allowed},
	{.flag = "saga-target",
	 .environment = "SAGA_GRPC",
	 .default_text = "127.0.0.1:7233",
	 .value_name = "HOST:PORT",
	 .help = "The coordinator's gRPC address.",
	 .place = &saga_target},
	CLIENT_SECURITY_OPTIONS("saga-", "SAGA_", "the coordinator", saga_security),
	{.flag = "wait-ms",
	 .environment = "CHECKOUT_WAIT_MS",
	 .type = OPTION_INT,
	 .default_text = "10000",
	 .max = 600000,
	 .value_name = "MS",
	 .help = "How long to wait for a checkout's outcome before it is answered 202.",
	 .place = &wait_ms},
	{.flag = "threads",
	 .environment = "CHECKOUT_THREADS",
	 .type = OPTION_INT,
	 .default_text = "256",
	 .min = 1,
	 .max = 4096,
	 .value_name = "N",
	 .help = "Requests handled at the same time. All but four of them may be checkouts that wait; a further one is "
		 "started all the same and answered 202 at once.",
	 .place = &threads},
	{.flag = "environment",
	 .environment = "AMENDS_ENVIRONMENT",
	 .default_text = "development",
	 .value_name = "NAME",
	 .help = "The name that /health shows.",
	 .place = &environment},
	OTLP_ENDPOINT_OPTION(otlp_endpoint),
	LOG_OPTIONS(log_options),
};

static void check(void *ctx, struct problems *problems)
{
	(void)ctx;
	client_security_check(&saga_security, "saga-", problems);
	certificates_check(&tls, problems);
	if (!tls.certificate && !is_insecure_allowed && !listen_is_loopback(http_address))
		problems_add(problems, "http-address", LISTEN_PLAIN_TEXT);
}

static const struct program program = {
	.name = "checkout-service",
	.summary = "the shop's HTTP front: starts a checkout saga and answers its outcome",
	.examples = "Example:\n"
		    "  curl -X POST http://127.0.0.1:4000/checkout -d '{\"userId\":\"u1\",\"totalAmount\":10.01}'\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.check = check,
};

DEFINE_CLEANUP(struct metrics *, metrics_free)

/* What SIGHUP replaces. */
struct front_security {
	struct certificates *certificates; /* NULL: plain */
	struct http_server *server;
};

static int reload_security(void *ctx, struct error *err)
{
	struct front_security *security = ctx;

	if (!security->certificates)
		return 0;
	return certificates_reload(security->certificates, err) < 0 || http_server_reload(security->server, err) < 0
		       ? -1
		       : 0;
}

static int serve(struct rpc_client *coordinator, struct certificates *certificates, int argc, char **argv)
{
	_cleanup_(metrics_freep)
	struct metrics *metrics = metrics_new();
	_cleanup_(span_exporter_freep)
	struct span_exporter *spans = span_exporter_new(&(struct span_exporter_options){
		.endpoint = otlp_endpoint, .service = program.name, .metrics = metrics});
	struct checkout_front_options front_options = {
		.coordinator = coordinator,
		.metrics = metrics,
		.spans = spans,
		.wait_ms = wait_ms,
		.threads = (int)threads,
		.port = (uint16_t)http_port,
		.environment = environment,
	};
	_cleanup_(checkout_front_freep)
	struct checkout_front *front = checkout_front_new(&front_options);
	_cleanup_(http_server_freep)
	struct http_server *server = NULL;
	struct http_server_options server_options = {
		.address = http_address,
		.port = (uint16_t)http_port,
		.certificates = certificates,
		.is_insecure_allowed = is_insecure_allowed,
		.body_bytes_max = BODY_BYTES_MAX,
		.threads = (int)threads,
		.handle = checkout_front_handle,
		.ctx = front,
	};
	struct front_security security = {.certificates = certificates};
	struct error err;

	if (http_server_start(&server_options, &server, &err) < 0) {
		log_error("start_failed", "err=%s", LOG_TEXT(err.msg));
		return 1;
	}
	log_info("started", "http=%s:%d coordinator=%s", http_address, http_server_port(server), saga_target);
	security.server = server;
	reload_start(&(struct reload){&program, argc, argv, reload_security, &security});
	shutdown_wait();
	reload_stop();
	log_info("stopping", "waiting checkouts are answered 202");
	return 0; /* the server answers what runs, then all is released in reverse */
}

int main(int argc, char **argv)
{
	_cleanup_(rpc_client_freep)
	struct rpc_client *coordinator = NULL;
	_cleanup_(certificates_freep)
	struct certificates *certificates = NULL;
	int status = options_exit_status(options_parse(&program, argc, argv, NULL));
	struct error err;

	if (status >= 0)
		return status;
	log_options_apply(&log_options, program.name);
	shutdown_init();
	if ((tls.certificate && certificates_new(&tls, &certificates, &err) < 0) ||
	    rpc_client_new_secure(saga_target, &saga_security, &coordinator, &err) < 0) {
		log_error("start_failed", "err=%s", LOG_TEXT(err.msg));
		return EXIT_CONFIG;
	}
	status = serve(coordinator, certificates, argc, argv);
	log_info("stopped", "status=%d", status);
	return status;
}
