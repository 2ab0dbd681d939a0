/* admin.c - see admin.h. */
#include "coordinator/admin/admin.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/http/http_server.h"

enum { BODY_BYTES_MAX = 4096, PING_INTERVAL_MS = 2000, PROBLEM_LEN = 240, DEPENDENCIES = 3 };

struct admin {
	struct admin_options options;
	struct http_server *http;
	pthread_mutex_t mu;
	bool is_pinging;                    /* guarded by mu, as the next two */
	int64_t pinged_us;                  /* 0: never */
	char registry_problem[PROBLEM_LEN]; /* "": it answered */
};

struct dependency {
	const char *name;
	char problem[PROBLEM_LEN]; /* "": fine */
};

static void set_problem(char problem[PROBLEM_LEN], bool is_up, const char *text)
{
	problem[0] = 0;
	if (!is_up)
		(void)snprintf(problem, PROBLEM_LEN, "%s", *text ? text : "no answer yet"); /* may be cut */
}

/* The last answer, asked anew when it is old; whoever comes while another asks gets the old one. */
static void ask_registry(struct admin *admin, char ret_problem[PROBLEM_LEN])
{
	int64_t now_us = clock_monotonic_us();
	struct error err = {0};
	bool is_mine;

	pthread_mutex_lock(&admin->mu);
	is_mine = !admin->is_pinging &&
		  (admin->pinged_us == 0 || now_us - admin->pinged_us > PING_INTERVAL_MS * INT64_C(1000));
	admin->is_pinging |= is_mine;
	pthread_mutex_unlock(&admin->mu);
	if (is_mine) {
		bool is_up = registry_client_ping(admin->options.registry, &err) == 0;

		pthread_mutex_lock(&admin->mu);
		set_problem(admin->registry_problem, is_up, err.msg);
		admin->pinged_us = clock_monotonic_us();
		admin->is_pinging = false;
		pthread_mutex_unlock(&admin->mu);
	}
	pthread_mutex_lock(&admin->mu);
	memcpy(ret_problem, admin->registry_problem, PROBLEM_LEN);
	pthread_mutex_unlock(&admin->mu);
}

static void ask_all(struct admin *admin, struct dependency dependencies[DEPENDENCIES])
{
	struct engine_health health;

	engine_health(admin->options.engine, &health);
	dependencies[0].name = "database";
	set_problem(dependencies[0].problem, health.is_store_up, health.store_error);
	dependencies[1].name = "kafka";
	set_problem(dependencies[1].problem, health.is_bus_up, health.bus_error);
	dependencies[2].name = "registry";
	ask_registry(admin, dependencies[2].problem);
}

/* ---- definitions ---- */

/* The first definition that cannot be started now, in the arena; NULL: all can. */
static const char *find_unready(const struct admin *admin, struct arena *arena)
{
	const struct plan **plans;
	size_t count = catalog_list(admin->options.catalog, arena, &plans);

	for (size_t i = 0; i < count; i++) {
		if (!engine_is_ready(admin->options.engine, plans[i]))
			return arena_format(arena,
					    "'%s' version %d is not ready: not all of its reply topics are "
					    "received yet",
					    plans[i]->definition.name, plans[i]->definition.version);
	}
	return NULL;
}

/* ---- answers ---- */
static void print_reason(struct buffer *out, const char *comma, const char *about, const char *text)
{
	struct buffer line = {0};

	buffer_append_format(&line, "%s: %s", about, text);
	buffer_append_text(out, comma);
	buffer_append_json_string(out, buffer_text(&line), line.len);
	buffer_release(&line);
}

/* What is away, and what else keeps it from being healthy: NULL where that is fine. */
struct condition {
	struct dependency dependencies[DEPENDENCIES];
	const char *unready;
	const char *untold; /* who does not get notices */
};

static bool is_healthy(const struct condition *condition)
{
	for (size_t i = 0; i < DEPENDENCIES; i++)
		if (*condition->dependencies[i].problem)
			return false;
	return !condition->unready && !condition->untold;
}

static void print_reasons(const struct condition *condition, struct buffer *out)
{
	const struct dependency *dependencies = condition->dependencies;
	const char *comma = "";

	buffer_append_text(out, "\"reasons\":[");
	for (size_t i = 0; i < DEPENDENCIES; i++) {
		if (!*dependencies[i].problem)
			continue;
		print_reason(out, comma, dependencies[i].name, dependencies[i].problem);
		comma = ",";
	}
	if (condition->unready) {
		print_reason(out, comma, "definitions", condition->unready);
		comma = ",";
	}
	if (condition->untold)
		print_reason(out, comma, "notices", condition->untold);
	buffer_append_text(out, "]");
}

static void print_kafka(const struct admin *admin, struct buffer *out)
{
	int controller = admin->options.controller(admin->options.kafka_ctx);

	buffer_append_format(out, ",\"brokers\":%d", admin->options.brokers(admin->options.kafka_ctx));
	if (controller >= 0)
		buffer_append_format(out, ",\"controller\":%d", controller);
}

static void print_dependencies(const struct admin *admin, const struct dependency dependencies[DEPENDENCIES],
			       struct buffer *out)
{
	buffer_append_text(out, "\"dependencies\":{");
	for (size_t i = 0; i < DEPENDENCIES; i++) {
		const char *problem = dependencies[i].problem;

		buffer_append_format(out, "%s\"%s\":{\"status\":\"%s\"", i ? "," : "", dependencies[i].name,
				     *problem ? "unavailable" : "healthy");
		if (strcmp(dependencies[i].name, "kafka") == 0)
			print_kafka(admin, out);
		if (*problem)
			buffer_append_json_member(out, "error", problem);
		buffer_append_text(out, "}");
	}
	buffer_append_text(out, "}");
}

/* For people who wonder why nothing happens; it is no reason to be degraded. */
static void print_pauses(const struct admin *admin, struct arena *arena, struct buffer *out)
{
	const char **texts;
	const size_t count = engine_pauses(admin->options.engine, arena, &texts);

	buffer_append_text(out, "\"paused\":[");
	for (size_t i = 0; i < count; i++) {
		buffer_append_text(out, i ? "," : "");
		buffer_append_json_string(out, texts[i], strlen(texts[i]));
	}
	buffer_append_text(out, "],");
}

static void answer_health(struct admin *admin, struct arena *arena, struct buffer *out)
{
	struct condition condition = {.unready = find_unready(admin, arena)};
	char untold[PROBLEM_LEN];
	char now[CLOCK_TEXT_LEN + 1];

	ask_all(admin, condition.dependencies);
	if (notices_problem(admin->options.notices, untold, sizeof(untold)))
		condition.untold = untold;
	clock_format(clock_real_us(), now);
	buffer_append_format(out, "{\"status\":\"%s\",", is_healthy(&condition) ? "healthy" : "degraded");
	print_reasons(&condition, out);
	buffer_append_format(out, ",\"service\":\"saga-coordinator\",\"version\":\"%s\",\"port\":%d", AMENDS_VERSION,
			     admin_port(admin));
	buffer_append_json_member(out, "environment", admin->options.environment);
	buffer_append_format(out, ",\"timestamp\":\"%s\",", now);
	print_pauses(admin, arena, out);
	print_dependencies(admin, condition.dependencies, out);
	buffer_append_text(out, "}");
}

static void answer_ready(struct admin *admin, struct arena *arena, struct http_response *response)
{
	const char *unready = find_unready(admin, arena);
	struct engine_health health;

	engine_health(admin->options.engine, &health);
	if (!health.is_store_up)
		http_response_error(response, 503, "unavailable", "database: %s",
				    *health.store_error ? health.store_error : "no answer yet");
	else if (unready)
		http_response_error(response, 503, "unavailable", "%s", unready);
	else
		buffer_append_text(&response->body, "{\"status\":\"ready\"}");
}

static void answer_live(const struct admin *admin, struct http_response *response)
{
	if (engine_is_alive(admin->options.engine))
		buffer_append_text(&response->body, "{\"status\":\"alive\"}");
	else
		http_response_error(response, 503, "unavailable", "the engine hangs in one turn: restart this process");
}

static void answer(struct admin *admin, const char *what, struct arena *arena, struct http_response *response)
{
	if (strcmp(what, "health") == 0) {
		answer_health(admin, arena, &response->body);
	} else if (strcmp(what, "livez") == 0) {
		answer_live(admin, response);
	} else if (strcmp(what, "readyz") == 0) {
		answer_ready(admin, arena, response);
	} else if (strcmp(what, "metrics") == 0) {
		response->content_type = "text/plain; version=0.0.4; charset=utf-8";
		metrics_print(admin->options.metrics, &response->body);
	} else {
		http_response_error(response, 404, "not_found", "there are /health, /livez, /readyz and /metrics");
	}
}

static void handle(void *ctx, const struct http_request *request, struct http_response *response)
{
	const char *what = http_request_part_count(request) == 1 ? http_request_part(request, 0) : "";
	struct arena arena;

	if (strcmp(http_request_method(request), "GET") != 0) {
		http_response_not_allowed(response, request, "GET");
		return;
	}
	arena_init(&arena, 0);
	answer(ctx, what, &arena, response);
	arena_release(&arena);
}

int admin_start(const struct admin_options *options, struct admin **ret_admin, struct error *err)
{
	_cleanup_(admin_freep)
	struct admin *admin = xcalloc(1, sizeof(*admin));

	admin->options = *options;
	pthread_mutex_init(&admin->mu, NULL);
	if (http_server_start(&(struct http_server_options){.address = options->address,
							    .port = options->port,
							    .certificates = options->certificates,
							    .is_insecure_allowed = options->is_insecure_allowed,
							    .body_bytes_max = BODY_BYTES_MAX,
							    .handle = handle,
							    .ctx = admin},
			      &admin->http, err))
		return -1;
	*ret_admin = take_ptr(admin);
	return 0;
}

int admin_reload(struct admin *admin, struct error *err)
{
	return http_server_reload(admin->http, err);
}

uint16_t admin_port(const struct admin *admin)
{
	return http_server_port(admin->http);
}

void admin_free(struct admin *admin)
{
	if (!admin)
		return;
	http_server_free(admin->http);
	pthread_mutex_destroy(&admin->mu);
	free(admin);
}
