/* rest_service.c - what the server says of itself: root, version, health, metrics. See rest.h. */
#include "lib/base/clock.h"
#include "schema-registry/server/rest.h"

int rest_get_root(struct rest_call *call)
{
	return rest_answer(call, json_object());
}

int rest_get_server_id(struct rest_call *call)
{
	return rest_answer(call, json_pack("{s:{s:[], s:{s:s}}}", "scope", "path", "clusters",
					   "schema-registry-cluster", "schema-registry"));
}

int rest_get_server_version(struct rest_call *call)
{
	return rest_answer(call, json_pack("{s:s, s:s}", "version", AMENDS_VERSION, "commitId", ""));
}

/* One of the two words that clients of the API know here; the other is that of a cloud. */
int rest_get_deployment(struct rest_call *call)
{
	return rest_answer(call, json_pack("{s:[s]}", "attributes", "opensource"));
}

/* Degraded is still an answer: whoever wants a status to act upon asks /readyz. */
int rest_get_health(struct rest_call *call)
{
	char now[CLOCK_TEXT_LEN + 1];
	struct error err;
	bool is_healthy = sessions_ping(call->rest->sessions, &err) == 0;
	json_t *database = is_healthy ? json_pack("{s:s}", "status", "healthy")
				      : json_pack("{s:s, s:s}", "status", "unavailable", "error", err.msg);
	json_t *reasons = is_healthy ? json_array() : json_pack("[s+]", "database: ", err.msg);

	clock_format(clock_real_us(), now);
	return rest_answer(call, json_pack("{s:s, s:o, s:s, s:s, s:i, s:s, s:s, s:{s:o}}", "status",
					   is_healthy ? "healthy" : "degraded", "reasons", reasons, "service",
					   "schema-registry", "version", AMENDS_VERSION, "port", (int)call->rest->port,
					   "environment", call->rest->environment, "timestamp", now, "dependencies",
					   "database", database));
}

int rest_get_live(struct rest_call *call)
{
	return rest_answer(call, json_pack("{s:s}", "status", "alive"));
}

int rest_get_ready(struct rest_call *call)
{
	struct error err;

	if (sessions_ping(call->rest->sessions, &err) == 0)
		return rest_answer(call, json_pack("{s:s}", "status", "ready"));
	call->response->status = 503;
	return rest_answer(call, json_pack("{s:s, s:s}", "error", "unavailable", "message", err.msg));
}

int rest_get_metrics(struct rest_call *call)
{
	call->response->content_type = "text/plain; version=0.0.4; charset=utf-8";
	metrics_print(call->rest->metrics, &call->response->body);
	return 0;
}
