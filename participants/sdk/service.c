/* service.c - see service.h. */
#include "participants/sdk/service.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "lib/base/log.h"
#include "lib/base/shutdown.h"
#include "lib/kafka/kafka_settings.h"
#include "lib/options/log_options.h"
#include "lib/options/reload.h"
#include "lib/security/listen_rule.h"
#include "lib/security/security_options.h"
#include "lib/trace/span_exporter.h"
#include "lib/trace/trace_options.h"
#include "participants/sdk/service_health.h"
#include "schema-registry/client/registry_settings.h"

enum { HTTP_BODY_BYTES_MAX = 1024 * 1024, INBOX_KEEP_MIN_MS = 3600 * 1000, COMMON_OPTIONS = 24, OPTIONS_MAX = 40 };

struct settings {
	int64_t http_port;
	const char *listen_address;
	struct certificate_paths tls;
	bool is_insecure_allowed;
	const char *postgres;
	struct kafka_settings kafka;
	struct registry_settings registry;
	const char *instance;
	const char *environment;
	struct log_options log;
	int64_t tries;
	int64_t inbox_keep_ms; /* 0: for ever */
	const char *otlp_endpoint;
};

/* One connection for each HTTP thread that needs one at a time; they are kept. */
struct pool_entry {
	struct pool_entry *next;
	struct pg *pg;
};

struct running {
	const struct service *service;
	struct settings settings;
	struct option options[OPTIONS_MAX];
	struct program program; /* as it was parsed, for reload.h */
	struct metrics *metrics;
	struct span_exporter *spans; /* NULL: off */
	struct registry_client *registry;
	struct participant *participant;
	struct http_server *http;
	struct certificates *certificates; /* NULL: plain */
	pthread_t participant_thread;
	atomic_int participant_rc;

	pthread_mutex_t mu;
	struct pool_entry *idle; /* guarded by mu */
};

/* ---- options ---- */

static size_t list_options(const struct service *service, struct settings *settings, struct option *ret_options)
{
	const struct option common[] = {
		{.flag = "http-port",
		 .type = OPTION_INT,
		 .default_text = service->default_port,
		 .value_name = "PORT",
		 .help = "port for HTTP; 0 takes any free one",
		 .place = &settings->http_port,
		 .max = 65535},
		SERVER_TLS_OPTIONS("", settings->tls),
		{.flag = "insecure-listen",
		 .type = OPTION_BOOL,
		 .help = "listen beyond loopback without TLS, too",
		 .place = &settings->is_insecure_allowed},
		{.flag = "listen-address",
		 .default_text = "127.0.0.1",
		 .value_name = "ADDRESS",
		 .help = "address to listen on",
		 .place = &settings->listen_address},
		{.flag = "postgres",
		 .environment = "POSTGRES",
		 .default_text = "",
		 .value_name = "CONNINFO",
		 .help = "database, as libpq takes it; what it leaves out comes from PGHOST, PGPORT, PGUSER, "
			 "PGPASSWORD, "
			 "PGDATABASE",
		 .place = &settings->postgres},
		KAFKA_SETTINGS_OPTIONS(settings->kafka),
		REGISTRY_SETTINGS_OPTIONS(settings->registry),
		{.flag = "instance",
		 .environment = "INSTANCE",
		 .value_name = "NAME",
		 .help = "name of this process in its consumer group, the same after each restart; without one the "
			 "group is rebalanced at every start and end",
		 .place = &settings->instance},
		{.flag = "command-tries",
		 .environment = "COMMAND_TRIES",
		 .type = OPTION_INT,
		 .default_text = "10",
		 .min = 1,
		 .max = 1000,
		 .value_name = "N",
		 .help = "how often a command that fails transiently is tried, first at once, then through the retry "
			 "topics, before it is a dead letter",
		 .place = &settings->tries},
		{.flag = "inbox-keep",
		 .environment = "INBOX_KEEP",
		 .type = OPTION_DURATION_MS,
		 .default_text = "45d",
		 .value_name = "DURATION",
		 .help = "how long a command that was done is known; commands of steps that began earlier are refused. "
			 "More than the longest saga and the topics' retention. 0: for ever",
		 .min = INBOX_KEEP_MIN_MS,
		 .place = &settings->inbox_keep_ms},
		{.flag = "environment",
		 .environment = "ENVIRONMENT",
		 .default_text = "development",
		 .value_name = "NAME",
		 .help = "shown by GET /health",
		 .place = &settings->environment},
		OTLP_ENDPOINT_OPTION(settings->otlp_endpoint),
		LOG_OPTIONS(settings->log),
	};
	size_t count = 0;

	static_assert(ARRAY_LEN(common) <= COMMON_OPTIONS, "COMMON_OPTIONS is too small");
	assert(service->option_count + ARRAY_LEN(common) <= OPTIONS_MAX);
	for (size_t i = 0; i < ARRAY_LEN(common); i++)
		ret_options[count++] = common[i];
	for (size_t i = 0; i < service->option_count; i++)
		ret_options[count++] = service->options[i];
	return count;
}

static struct kafka_options kafka_of(const struct running *running)
{
	return kafka_settings_options(&running->settings.kafka, running->service->name);
}

/* What librdkafka and libpq would refuse, before anything is opened. */
static void check_settings(void *ctx, struct problems *problems)
{
	const struct running *running = ctx;
	struct kafka_options kafka = kafka_of(running);
	struct error err;

	kafka_options_check(&kafka, "kafka.", problems);
	if (pg_conninfo_check(running->settings.postgres, &err) < 0)
		problems_add(problems, "postgres", "%s", err.msg);
	client_security_check(&running->settings.registry.security, "registry-", problems);
	certificates_check(&running->settings.tls, problems);
	if (!running->settings.tls.certificate && !running->settings.is_insecure_allowed &&
	    !listen_is_loopback(running->settings.listen_address))
		problems_add(problems, "listen-address", LISTEN_PLAIN_TEXT);
}

/* The exit status; -1: run. */
static int read_options(struct running *running, int argc, char **argv)
{
	const struct service *service = running->service;
	int status;

	running->program = (struct program){
		.name = service->name,
		.summary = service->summary,
		.options = running->options,
		.option_count = list_options(service, &running->settings, running->options),
		.check = check_settings,
		.check_ctx = running,
	};
	status = options_exit_status(options_parse(&running->program, argc, argv, NULL));
	if (status < 0)
		log_options_apply(&running->settings.log, service->name);
	return status;
}

/* ---- HTTP ---- */

static struct pg *take_connection(struct running *running)
{
	struct pool_entry *entry;
	struct pg *pg;

	(void)pthread_mutex_lock(&running->mu);
	entry = running->idle;
	if (entry)
		running->idle = entry->next;
	(void)pthread_mutex_unlock(&running->mu);
	if (!entry)
		return pg_new(running->settings.postgres, running->service->name);
	pg = entry->pg;
	free(entry);
	return pg;
}

static void give_connection(struct running *running, struct pg *pg)
{
	struct pool_entry *entry = xcalloc(1, sizeof(*entry));

	entry->pg = pg;
	(void)pthread_mutex_lock(&running->mu);
	entry->next = running->idle;
	running->idle = entry;
	(void)pthread_mutex_unlock(&running->mu);
}

bool service_path_is(const struct http_request *request, const char *first, size_t count)
{
	return http_request_part_count(request) == count && strcmp(http_request_part(request, 0), first) == 0;
}

const struct value *service_json_body(const struct http_request *request, struct arena *arena,
				      struct http_response *response)
{
	struct value *body = arena_zalloc(arena, sizeof(*body));
	struct error err;

	if (!http_request_may_be_json(request)) {
		http_response_not_json(response, request);
		return NULL;
	}
	if (value_parse_json(http_request_body(request), arena, body, &err) < 0) {
		http_response_error(response, 400, "invalid", "the body is no JSON: %s", err.msg);
		return NULL;
	}
	if (body->kind != VALUE_RECORD) {
		http_response_error(response, 400, "invalid", "the body is no JSON object");
		return NULL;
	}
	return body;
}

static void answer_live(const struct running *running, struct http_response *response)
{
	if (participant_is_alive(running->participant))
		buffer_append_text(&response->body, "{\"status\":\"alive\"}");
	else
		http_response_error(response, 503, "unavailable", "commands hang: restart this process");
}

static bool handle_common(struct running *running, struct pg *pg, const struct http_request *request,
			  struct http_response *response)
{
	const struct service_health health = {
		.service = running->service->name,
		.environment = running->settings.environment,
		.port = http_server_port(running->http),
		.participant = running->participant,
		.pg = pg,
	};
	bool is_health = service_path_is(request, "health", 1);
	bool is_ready = service_path_is(request, "readyz", 1);
	bool is_live = service_path_is(request, "livez", 1);
	bool is_metrics = service_path_is(request, "metrics", 1);

	if (!is_health && !is_ready && !is_live && !is_metrics)
		return false;
	if (strcmp(http_request_method(request), "GET") != 0) {
		http_response_not_allowed(response, request, "GET");
	} else if (is_health) {
		service_health_print(&health, &response->body);
	} else if (is_ready) {
		service_ready_print(&health, response);
	} else if (is_live) {
		answer_live(running, response);
	} else {
		response->content_type = "text/plain; version=0.0.4; charset=utf-8";
		metrics_print(running->metrics, &response->body);
	}
	return true;
}

static void handle_request(void *ctx, const struct http_request *request, struct http_response *response)
{
	struct running *running = ctx;
	const struct service *service = running->service;
	struct pg *pg = take_connection(running);

	if (!handle_common(running, pg, request, response) &&
	    !(service->handle && service->handle(service->ctx, pg, request, response)))
		http_response_error(response, 404, "not_found", "there is nothing at %s", http_request_path(request));
	give_connection(running, pg);
}

/* At SIGHUP. */
static int reload_security(void *ctx, struct error *err)
{
	struct running *running = ctx;

	if (!running->certificates)
		return 0;
	return certificates_reload(running->certificates, err) < 0 || http_server_reload(running->http, err) < 0 ? -1
														 : 0;
}

static int start_http(struct running *running, struct error *err)
{
	const struct settings *settings = &running->settings;
	struct http_server_options options = {
		.address = running->settings.listen_address,
		.port = (uint16_t)running->settings.http_port,
		.is_insecure_allowed = running->settings.is_insecure_allowed,
		.body_bytes_max = HTTP_BODY_BYTES_MAX,
		.handle = handle_request,
		.ctx = running,
	};

	if (settings->tls.certificate) {
		if (certificates_new(&settings->tls, &running->certificates, err) < 0)
			return -1;
		options.certificates = running->certificates;
	}
	return http_server_start(&options, &running->http, err);
}

/* ---- running ---- */

static void *run_participant(void *arg)
{
	struct running *running = arg;
	struct error err;

	if (participant_run(running->participant, &err) < 0) {
		log_error("participant_ended", "err=%s", LOG_TEXT(err.msg));
		atomic_store(&running->participant_rc, -1);
	}
	shutdown_request();
	return NULL;
}

static void make_participant(struct running *running)
{
	const struct service *service = running->service;
	const struct settings *settings = &running->settings;
	const struct participant_options options = {
		.service = service->name,
		.instance = settings->instance && *settings->instance ? settings->instance : NULL,
		.kafka = kafka_of(running),
		.postgres = settings->postgres,
		.registry = running->registry,
		.registry_url = settings->registry.url,
		.metrics = running->metrics,
		.spans = running->spans,
		.migrations = service->migrations,
		.migration_count = service->migration_count,
		.handlers = service->handlers,
		.handler_count = service->handler_count,
		.fact_topics = service->fact_topics,
		.ctx = service->ctx,
		.tries_max = (int)settings->tries,
		.inbox_keep_ms = settings->inbox_keep_ms,
	};

	running->participant = participant_new(&options);
}

static void release(struct running *running)
{
	http_server_free(running->http);
	certificates_free(running->certificates);
	participant_free(running->participant);
	span_exporter_free(running->spans);
	registry_client_free(running->registry);
	metrics_free(running->metrics);
	while (running->idle) {
		struct pool_entry *entry = running->idle;

		running->idle = entry->next;
		pg_free(entry->pg);
		free(entry);
	}
	(void)pthread_mutex_destroy(&running->mu);
}

static int run(struct running *running, int argc, char **argv, struct error *err)
{
	if (start_http(running, err) < 0)
		return -1;
	reload_start(&(struct reload){&running->program, argc, argv, reload_security, running});
	if (pthread_create(&running->participant_thread, NULL, run_participant, running) != 0)
		return error_set(err, ERR_LIMIT, "cannot start the participant's thread: too many threads");
	(void)pthread_setname_np(running->participant_thread, "participant"); /* a name for people only */
	log_info("service_started", "version=%s port=%d", AMENDS_VERSION, (int)http_server_port(running->http));
	shutdown_wait();
	log_info("service_stopping", "service=%s", running->service->name);
	participant_stop(running->participant);
	(void)pthread_join(running->participant_thread, NULL); /* joined once */
	if (atomic_load(&running->participant_rc) < 0)
		return error_set(err, ERR_UNAVAILABLE, "the participant ended");
	return 0;
}

int service_main(const struct service *service, int argc, char **argv)
{
	struct running running = {.service = service};
	struct registry_client_options registry = {0};
	struct error err;
	int status = read_options(&running, argc, argv);

	if (status >= 0)
		return status;
	shutdown_init();
	(void)pthread_mutex_init(&running.mu, NULL); /* default attributes cannot fail on Linux */
	registry.url = running.settings.registry.url;
	registry.cache_path = running.settings.registry.cache && *running.settings.registry.cache
				      ? running.settings.registry.cache
				      : NULL;
	running.metrics = metrics_new();
	running.spans = span_exporter_new(&(struct span_exporter_options){.endpoint = running.settings.otlp_endpoint,
									  .service = service->name,
									  .instance = running.settings.instance,
									  .metrics = running.metrics});
	registry.metrics = running.metrics;
	registry.security = running.settings.registry.security;
	running.registry = registry_client_new(&registry);
	make_participant(&running);
	status = run(&running, argc, argv, &err) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	if (status != EXIT_SUCCESS)
		log_error("service_failed", "err=%s", LOG_TEXT(err.msg));
	reload_stop();
	release(&running);
	log_info("service_stopped", "status=%d", status);
	return status;
}
