/*
 * main.c - the coordinator: makes every part, wires them, and ends them in order. It alone sees everything.
 *
 * Start:  everything that listens comes first, so that a probe gets an answer while Postgres, Kafka or the registry are
 *         away; then the tables, the engine, the bus; then calls are let through. Nothing that is away ends the process.
 * End:    health says NOT_SERVING, so that clients leave -> no new calls, no new replies -> the engine finishes what
 *         waits and answers it ->
 *         calls end -> the bus flushes and leaves its group -> all is freed.
 */
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>

#include "coordinator/admin/admin.h"
#include "coordinator/api/definition_service.h"
#include "coordinator/api/health_service.h"
#include "coordinator/api/list_service.h"
#include "coordinator/api/pause_service.h"
#include "coordinator/api/reflection_service.h"
#include "coordinator/api/rpc_server.h"
#include "coordinator/api/request_service.h"
#include "coordinator/api/saga_document.h"
#include "coordinator/api/saga_service.h"
#include "coordinator/api/start_service.h"
#include "coordinator/api/stuck_service.h"
#include "coordinator/api/watch_service.h"
#include "coordinator/bus/bus.h"
#include "coordinator/definition_folder.h"
#include "coordinator/retention/retention.h"
#include "coordinator/settings.h"
#include "coordinator/store/store.h"
#include "coordinator/watchdog.h"
#include "lib/base/log.h"
#include "lib/base/shutdown.h"
#include "lib/kafka/dead_letter_gauge.h"
#include "lib/options/reload.h"
#include "lib/security/access.h"
#include "lib/trace/span_exporter.h"

enum {
	FILES_MIN = 4096,
	RETRY_MS = 1000,
	REGISTRY_PING_MS = 1000,
	CLIENTS_LEAVE_MS = 3000,
	ENGINE_DRAIN_MS = 10000,
	CALLS_DRAIN_MS = 5000,
	EXIT_FAILED = 1,
	EXIT_CONFIG = 78,
};

struct coordinator {
	struct settings settings;
	struct metrics *metrics;
	struct span_exporter *spans; /* NULL: off */
	struct registry_client *registry;
	struct registry_client *registry_probe; /* a short time-out, for /health alone */
	struct store *store;
	struct definition_port definition_port;
	struct catalog *catalog;
	struct bus *bus;
	struct metric *open_letters;
	struct dead_letter_gauge *letter_gauge;
	struct engine_ports ports;
	struct engine *engine;
	struct limit_rules in_flight; /* the engine's until it ends, as the next */
	struct limit_rules open;
	struct rpc_server *server;
	struct store *list_store; /* a connection of its own for each thread that reads beside the turn */
	struct store *watch_store;
	struct store *pause_store;
	struct read_port list_port;
	struct read_port watch_port;
	struct watch_hub *watch_hub;
	struct notices *notices;
	struct store *notice_stores[NOTICE_TARGETS_MAX]; /* each sender has a connection of its own, too */
	struct notice_port notice_ports[NOTICE_TARGETS_MAX];
	struct store *retention_store;
	struct store_port retention_sagas;
	struct retention_port retention_port;
	struct archive *archive;     /* NULL: nobody wants what leaves */
	struct retention *retention; /* NULL: nothing leaves */
	struct start_service *starts;
	struct list_service *lists;
	struct stuck_service *stuck;
	struct pause_service *pauses;
	struct watch_service *watches;
	struct saga_service *sagas;
	struct request_service *requests;
	struct definition_service *definitions;
	struct reflection_service *reflection;
	struct health_service *health;
	struct admin *admin;
	struct certificates *certificates; /* NULL: plain */
	struct access *access;
	struct watchdog *watchdog;
};

/* Every call and connection is a descriptor, and this gRPC stops accepting for ever once they ran out. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur < FILES_MIN)
		log_warn("few_files", "limit=%llu wanted=%d, raise LimitNOFILE or ulimit -n",
			 (unsigned long long)limit.rlim_cur, FILES_MIN);
}

/* ---- making ---- */
static void make_registry_clients(struct coordinator *self)
{
	struct registry_client_options options = {.url = self->settings.registry.url,
						  .security = self->settings.registry.security,
						  .cache_path = self->settings.registry.cache,
						  .metrics = self->metrics};

	self->registry = registry_client_new(&options);
	options.cache_path = NULL;
	options.metrics = NULL;
	options.timeout_ms = REGISTRY_PING_MS;
	self->registry_probe = registry_client_new(&options);
}

/* Whom the engine's commits leave notices for, and who brings them. */
static int make_notices(struct coordinator *self, struct error *err)
{
	const struct kafka_options kafka = settings_kafka(&self->settings);
	struct notices_options options = settings_notices(&self->settings);

	options.kafka = &kafka;
	options.registry = self->registry;
	options.registry_url = self->settings.registry.url;
	options.catalog = self->catalog;
	options.metrics = self->metrics;
	if (notices_new(&options, &self->notices, err))
		return -1;
	for (size_t i = 0; i < notices_target_count(self->notices); i++) {
		store_tell(self->store, notices_target(self->notices, i));
		self->notice_stores[i] = store_new(self->settings.postgres);
		self->notice_ports[i] = store_notice_port(self->notice_stores[i]);
	}
	return 0;
}

/* On a connection of its own: what it reads and deletes is much at a time. */
static int make_retention(struct coordinator *self, struct error *err)
{
	const struct settings *settings = &self->settings;
	const struct kafka_options kafka = settings_kafka(settings);

	if (settings->keep_sagas_ms == 0)
		return 0;
	self->retention_store = store_new(settings->postgres);
	self->retention_sagas = store_saga_port(self->retention_store);
	self->retention_port = store_retention_port(self->retention_store);
	if (settings->archive_topic && archive_new(&(struct archive_options){.kafka = &kafka,
									     .topic = settings->archive_topic,
									     .sagas = &self->retention_sagas,
									     .catalog = self->catalog,
									     .describe = saga_document_append},
						   &self->archive, err) < 0)
		return -1;
	self->retention = retention_new(&(struct retention_options){.port = &self->retention_port,
								    .archive = self->archive,
								    .metrics = self->metrics,
								    .keep_ms = settings->keep_sagas_ms});
	return 0;
}

static void note_commit(void *ctx, const struct feed_commit *commit)
{
	watch_hub_note_commit(ctx, commit);
}

static int make_engine(struct coordinator *self, struct error *err)
{
	const struct settings *settings = &self->settings;

	self->store = store_new(settings->postgres);
	self->list_store = store_new(settings->postgres);
	self->watch_store = store_new(settings->postgres);
	self->pause_store = store_new(settings->postgres);
	self->list_port = store_read_port(self->list_store);
	self->watch_port = store_read_port(self->watch_store);
	self->definition_port = store_definition_port(self->store);
	self->catalog = catalog_new(&self->definition_port, self->registry);
	self->watch_hub = watch_hub_new(&self->watch_port, self->catalog, settings->keep_feed_ms);
	if (bus_new(&(struct bus_options){.kafka = settings_kafka(settings),
					  .instance = settings->instance,
					  .catalog = self->catalog,
					  .registry = self->registry,
					  .metrics = self->metrics},
		    &self->bus, err))
		return -1;
	if (make_notices(self, err) || make_retention(self, err))
		return -1;
	self->open_letters =
		metrics_gauge(self->metrics, "saga_dead_letters_open", NULL,
			      "Dead letters of all definitions' reply topics that are neither replayed nor "
			      "dropped; every instance counts all of them.");
	self->ports = (struct engine_ports){
		.store = store_saga_port(self->store), .bus = bus_engine_port(self->bus), .clock = CLOCK_PORT_SYSTEM};
	self->in_flight = settings_limits(settings->max_in_flight, &settings->max_in_flight_of);
	self->open = settings_limits(settings->max_open_sagas, &settings->max_open_sagas_of);
	self->engine = engine_new(&(struct engine_options){.instance = settings->instance,
							   .catalog = self->catalog,
							   .ports = &self->ports,
							   .metrics = self->metrics,
							   .spans = self->spans,
							   .sweep_ms = settings->sweep_ms,
							   .in_flight = self->in_flight,
							   .open = self->open,
							   .on_commit = note_commit,
							   .on_commit_ctx = self->watch_hub,
							   .registry = settings->registry.url});
	return 0;
}

static bool is_serving(void *ctx)
{
	struct coordinator *self = ctx;
	struct engine_health health;

	engine_health(self->engine, &health);
	return health.is_store_up;
}

static int count_brokers(void *ctx)
{
	return bus_brokers(ctx);
}

static int find_controller(void *ctx)
{
	return bus_controller(ctx);
}

static int make_security(struct coordinator *self, struct error *err)
{
	const struct settings *settings = &self->settings;

	if (settings->tls.certificate && certificates_new(&settings->tls, &self->certificates, err))
		return -1;
	return access_new(settings->access_file, &self->access, err);
}

static int reload_certificates(struct coordinator *self, struct error *err)
{
	if (!self->certificates)
		return 0;
	return certificates_reload(self->certificates, err) < 0 || admin_reload(self->admin, err) < 0 ? -1 : 0;
}

/* At SIGHUP. One that fails does not keep the other from coming into force. */
static int reload_security(void *ctx, struct error *err)
{
	struct coordinator *self = ctx;
	int result = reload_certificates(self, err);
	struct error other;

	if (access_reload(self->access, &other) == 0)
		return result;
	if (result == 0)
		*err = other;
	else
		log_warn("reload_failed", "part=access err=%s, going on with what was in force", LOG_TEXT(other.msg));
	return -1;
}

static struct pause_service *make_pause_service(struct coordinator *self)
{
	const struct pause_port changes = store_pause_port(self->pause_store);
	const struct pause_port reads = store_pause_port(self->list_store);

	return pause_service_new(self->server, &changes, &reads, self->catalog);
}

static int start_edges(struct coordinator *self, struct error *err)
{
	const struct settings *settings = &self->settings;

	if (make_security(self, err))
		return -1;
	self->server = rpc_server_new(self->metrics);
	rpc_server_secure(self->server, self->certificates, settings->access_file ? self->access : NULL);
	self->starts = start_service_new(self->server, self->catalog, self->engine);
	self->sagas = saga_service_new(self->server, self->engine);
	self->requests = request_service_new(self->server, self->engine);
	self->lists = list_service_new(self->server, &self->list_port);
	self->stuck = stuck_service_new(self->server, &self->list_port, self->catalog);
	self->pauses = make_pause_service(self);
	self->watches = watch_service_new(self->server, self->watch_hub);
	self->definitions = definition_service_new(self->server, self->catalog, self->engine);
	self->health = health_service_new(self->server, is_serving, self);
	self->reflection = reflection_service_new(self->server);
	if (rpc_server_start(self->server, settings->grpc_listen, settings->is_insecure_allowed, err))
		return -1;
	return admin_start(&(struct admin_options){.address = settings->listen_address,
						   .port = (uint16_t)settings->http_port,
						   .certificates = self->certificates,
						   .is_insecure_allowed = settings->is_insecure_allowed,
						   .environment = settings->environment,
						   .brokers = count_brokers,
						   .controller = find_controller,
						   .kafka_ctx = self->bus,
						   .engine = self->engine,
						   .catalog = self->catalog,
						   .registry = self->registry_probe,
						   .notices = self->notices,
						   .metrics = self->metrics},
			   &self->admin, err);
}

static int start_watchdog(struct coordinator *self, struct error *err)
{
	const struct settings *settings = &self->settings;

	if (settings->watchdog_ms == 0)
		return 0;
	return watchdog_start(settings->grpc_listen, rpc_server_port(self->server), self->certificates != NULL,
			      settings->watchdog_ms, &self->watchdog, err);
}

/* ---- starting ---- */
static void wait_or_stop(int64_t ms)
{
	struct pollfd stop = {.fd = shutdown_fd(), .events = POLLIN};

	(void)poll(&stop, 1, (int)ms); /* whatever woke it, the caller looks */
}

/* Until the tables are up to date; false: asked to stop before that. */
static bool migrate(struct coordinator *self)
{
	bool was_told = false;
	struct error err;

	while (!shutdown_requested()) {
		if (store_migrate(self->store, RETRY_MS, &err) == 0)
			return true;
		if (!was_told)
			log_warn("database_unavailable", "err=%s, trying every second", LOG_TEXT(err.msg));
		was_told = true;
		wait_or_stop(RETRY_MS);
	}
	return false;
}

/* The first time here, so that a definition that exists is not called unknown; afterwards the engine goes on with it. */
static void load_definitions(struct coordinator *self)
{
	struct error err;

	if (catalog_refresh(self->catalog, &err))
		log_warn("definitions_not_loaded", "err=%s, trying every second", LOG_TEXT(err.msg));
}

static size_t reply_topics(void *ctx, struct arena *arena, const char ***ret_topics)
{
	return catalog_reply_topics(ctx, arena, ret_topics);
}

static int start_letter_gauge(struct coordinator *self, struct error *err)
{
	const struct kafka_options kafka = settings_kafka(&self->settings);

	return dead_letter_gauge_start(
		&(struct dead_letter_gauge_options){
			.kafka = &kafka, .topics = reply_topics, .ctx = self->catalog, .gauge = self->open_letters},
		&self->letter_gauge, err);
}

static int start_turning(struct coordinator *self, struct error *err)
{
	if (!migrate(self))
		return 0;
	load_definitions(self);
	if (engine_run(self->engine, err) || bus_run(self->bus, self->engine, err) ||
	    watch_hub_run(self->watch_hub, err) || start_letter_gauge(self, err) ||
	    notices_run(self->notices, self->notice_ports, err) ||
	    (self->retention && retention_run(self->retention, err)))
		return -1;
	rpc_server_open(self->server);
	if (self->settings.definitions)
		definition_folder_register(self->settings.definitions, self->catalog);
	return 0;
}

static void log_started(const struct coordinator *self)
{
	log_info("listening", "grpc=%s grpc_port=%d http_port=%u instance=%s", LOG_TEXT(self->settings.grpc_listen),
		 rpc_server_port(self->server), admin_port(self->admin), LOG_TEXT(self->settings.instance));
}

/* ---- ending; every part accepts never having been started ---- */
static void stop(struct coordinator *self)
{
	log_info("stopping", "instance=%s", LOG_TEXT(self->settings.instance));
	watchdog_free(take_ptr(self->watchdog));
	if (self->health)
		health_service_stop(self->health);
	if (self->server) {
		rpc_server_await_quiet(self->server, CLIENTS_LEAVE_MS);
		rpc_server_stop_intake(self->server);
	}
	if (self->bus)
		bus_stop_intake(self->bus);
	if (self->engine)
		engine_drain(self->engine, ENGINE_DRAIN_MS);
	if (self->watch_hub)
		watch_hub_stop(self->watch_hub);
	if (self->server)
		rpc_server_drain(self->server, CALLS_DRAIN_MS);
	admin_free(self->admin);
	dead_letter_gauge_free(self->letter_gauge);
	notices_free(self->notices);
	retention_free(self->retention);
	archive_free(self->archive);
	bus_free(self->bus);
	engine_free(self->engine);
	settings_limits_release(&self->in_flight);
	settings_limits_release(&self->open);
	span_exporter_free(self->spans);
}

static void release(struct coordinator *self)
{
	rpc_server_free(self->server);
	start_service_free(self->starts);
	list_service_free(self->lists);
	stuck_service_free(self->stuck);
	pause_service_free(self->pauses);
	watch_service_free(self->watches);
	watch_hub_free(self->watch_hub);
	request_service_free(self->requests);
	saga_service_free(self->sagas);
	definition_service_free(self->definitions);
	reflection_service_free(self->reflection);
	health_service_free(self->health);
	catalog_free(self->catalog);
	store_free(self->store);
	store_free(self->list_store);
	store_free(self->watch_store);
	store_free(self->pause_store);
	store_free(self->retention_store);
	for (size_t i = 0; i < NOTICE_TARGETS_MAX; i++)
		store_free(self->notice_stores[i]);
	registry_client_free(self->registry);
	registry_client_free(self->registry_probe);
	metrics_free(self->metrics);
	access_free(self->access);
	certificates_free(self->certificates);
}

static int run(struct coordinator *self, int argc, char **argv)
{
	struct error err;
	int status = 0;

	self->metrics = metrics_new();
	self->spans = span_exporter_new(&(struct span_exporter_options){.endpoint = self->settings.otlp_endpoint,
									.service = "saga-coordinator",
									.instance = self->settings.instance,
									.metrics = self->metrics});
	make_registry_clients(self);
	if (make_engine(self, &err)) {
		log_error("bad_settings", "err=%s", LOG_TEXT(err.msg));
		status = EXIT_CONFIG;
	} else if (start_edges(self, &err) || start_watchdog(self, &err)) {
		log_error("cannot_listen", "err=%s", LOG_TEXT(err.msg));
		status = err.code == ERR_INVALID ? EXIT_CONFIG : EXIT_FAILED;
	} else {
		log_started(self);
		reload_start(&(struct reload){&self->settings.program, argc, argv, reload_security, self});
		if (start_turning(self, &err)) {
			log_error("cannot_start", "err=%s", LOG_TEXT(err.msg));
			status = EXIT_FAILED;
		} else {
			shutdown_wait();
		}
	}
	reload_stop();
	stop(self);
	release(self);
	return status;
}

int main(int argc, char **argv)
{
	struct coordinator self = {0};
	int status = settings_read(&self.settings, argc, argv);
	struct kafka_options kafka;

	if (status >= 0)
		return status;
	kafka = settings_kafka(&self.settings);
	kafka_options_spare_plugins(&kafka);
	log_options_apply(&self.settings.log, "saga-coordinator");
	shutdown_init();
	raise_file_limit();
	status = run(&self, argc, argv);
	log_info("stopped", "status=%d", status);
	return status;
}
