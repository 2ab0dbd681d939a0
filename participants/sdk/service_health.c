/* service_health.c - see service_health.h. */
#include "participants/sdk/service_health.h"

#include <stdio.h>

#include "lib/base/clock.h"

enum { PROBLEM_LEN = 240 };

/* "" or what is wrong. */
static void ask_database(struct pg *pg, char problem[PROBLEM_LEN])
{
	struct error err;

	problem[0] = 0;
	if (pg_exec(pg, "SELECT 1", NULL, 0, NULL, &err) == 0)
		return;
	(void)snprintf(problem, PROBLEM_LEN, "%s", err.msg); /* cut where it is too long */
}

static void print_text(struct buffer *out, const char *name, const char *text)
{
	buffer_append_format(out, "\"%s\":", name);
	buffer_append_json_string(out, text, strlen(text));
}

/* Leaves the object open. */
static void print_dependency(struct buffer *out, const char *name, const char *problem)
{
	buffer_append_format(out, "\"%s\":{\"status\":\"%s\"", name, *problem ? "unavailable" : "healthy");
	if (*problem) {
		buffer_append_text(out, ",");
		print_text(out, "error", problem);
	}
}

static void print_kafka(const struct service_health *health, const char *problem, struct buffer *out)
{
	int brokers = 0;
	int controller = -1;

	participant_brokers(health->participant, &brokers, &controller);
	print_dependency(out, "kafka", problem);
	buffer_append_format(out, ",\"brokers\":%d", brokers);
	if (controller >= 0 && !*problem)
		buffer_append_format(out, ",\"controller\":%d", controller);
	buffer_append_text(out, "}");
}

static void print_waiting(struct participant *participant, struct buffer *out)
{
	char waiting_for[PROBLEM_LEN];

	participant_waiting_for(participant, waiting_for, sizeof(waiting_for));
	if (!*waiting_for)
		return;
	buffer_append_text(out, ",");
	print_text(out, "waitingFor", waiting_for);
}

void service_health_print(const struct service_health *health, struct buffer *out)
{
	char database[PROBLEM_LEN];
	char seen[PROBLEM_LEN];
	char kafka[PROBLEM_LEN];
	char registry[PROBLEM_LEN];
	char now[CLOCK_TEXT_LEN + 1];
	bool is_ready;
	bool is_healthy;

	participant_health(health->participant, &is_ready, seen, sizeof(seen), kafka, sizeof(kafka), registry,
			   sizeof(registry));
	ask_database(health->pg, database);
	is_healthy = is_ready && !*database && !*kafka && !*registry;
	clock_format(clock_real_us(), now);
	buffer_append_format(out, "{\"status\":\"%s\",", is_healthy ? "healthy" : "degraded");
	print_text(out, "service", health->service);
	buffer_append_format(out, ",\"version\":\"%s\",\"port\":%d,", AMENDS_VERSION, health->port);
	print_text(out, "environment", health->environment);
	print_waiting(health->participant, out);
	buffer_append_format(out, ",\"timestamp\":\"%s\",\"dependencies\":{", now);
	print_dependency(out, "database", *database ? database : seen);
	buffer_append_text(out, "},");
	print_kafka(health, kafka, out);
	buffer_append_text(out, ",");
	print_dependency(out, "registry", registry);
	buffer_append_text(out, "}}}");
}

void service_ready_print(const struct service_health *health, struct http_response *response)
{
	char database[PROBLEM_LEN];

	ask_database(health->pg, database);
	if (!participant_is_ready(health->participant))
		http_response_error(response, 503, "unavailable", "starting: not yet reading commands");
	else if (*database)
		http_response_error(response, 503, "unavailable", "%s", database);
	else
		buffer_append_text(&response->body, "{\"status\":\"ready\"}");
}
