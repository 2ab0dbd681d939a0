/* service_health.c - see service_health.h. */
#include "participants/sdk/service_health.h"

#include <stdio.h>

#include "lib/base/clock.h"

enum { PROBLEM_LEN = 240, PING_MS = 1500 };

/* "" or what is wrong. */
static void ask_database(struct pg *pg, char problem[PROBLEM_LEN])
{
	int64_t answer_ms;
	struct error err;

	problem[0] = 0;
	answer_ms = pg_set_answer_ms(pg, PING_MS);
	if (pg_exec(pg, "SELECT 1", NULL, 0, NULL, &err) < 0)
		(void)snprintf(problem, PROBLEM_LEN, "%s", err.msg); /* cut where it is too long */
	(void)pg_set_answer_ms(pg, answer_ms);
}

/* Leaves the object open. */
static void print_dependency(struct buffer *out, const char *name, const char *problem)
{
	buffer_append_format(out, "\"%s\":{\"status\":\"%s\"", name, *problem ? "unavailable" : "healthy");
	if (*problem)
		buffer_append_json_member(out, "error", problem);
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

/* One line for each thing that is wrong. */
static void add_reason(struct buffer *out, const char *about, const char *problem)
{
	struct buffer line = {0};

	if (!*problem)
		return;
	buffer_append_format(&line, "%s: %s", about, problem);
	buffer_append_text(out, out->len > 0 ? "," : "");
	buffer_append_json_string(out, buffer_text(&line), line.len);
	buffer_release(&line);
}

void service_health_print(const struct service_health *health, struct buffer *out)
{
	char database[PROBLEM_LEN];
	char seen[PROBLEM_LEN];
	char kafka[PROBLEM_LEN];
	char registry[PROBLEM_LEN];
	char waiting_for[PROBLEM_LEN];
	char now[CLOCK_TEXT_LEN + 1];
	struct buffer reasons = {0};
	bool is_ready;

	participant_health(health->participant, &is_ready, seen, sizeof(seen), kafka, sizeof(kafka), registry,
			   sizeof(registry));
	ask_database(health->pg, database);
	add_reason(&reasons, "participant", participant_is_alive(health->participant) ? "" : "hangs in one batch");
	add_reason(&reasons, "commands", is_ready ? "" : "not read yet");
	add_reason(&reasons, "database", *database ? database : seen);
	add_reason(&reasons, "kafka", kafka);
	add_reason(&reasons, "registry", registry);
	participant_waiting_for(health->participant, waiting_for, sizeof(waiting_for));
	if (reasons.len == 0) /* else it says the same again */
		add_reason(&reasons, "commands", waiting_for);
	clock_format(clock_real_us(), now);
	buffer_append_format(out, "{\"status\":\"%s\",\"reasons\":[%s]", reasons.len > 0 ? "degraded" : "healthy",
			     buffer_text(&reasons));
	buffer_release(&reasons);
	buffer_append_json_member(out, "service", health->service);
	buffer_append_format(out, ",\"version\":\"%s\",\"port\":%d", AMENDS_VERSION, health->port);
	buffer_append_json_member(out, "environment", health->environment);
	if (*waiting_for)
		buffer_append_json_member(out, "waitingFor", waiting_for);
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
