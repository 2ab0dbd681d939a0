/* checkout_health.c - see checkout_health.h. */
#include "participants/checkout/checkout_health.h"

#include "lib/base/clock.h"
#include "proto/grpc/health/v1/health.pb-c.h"

enum { PROBE_TIMEOUT_MS = 1000 };

static int probe_coordinator(struct rpc_client *coordinator, struct error *err)
{
	Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
	ProtobufCMessage *answer = NULL;
	bool is_serving;

	if (rpc_client_call(coordinator, "/grpc.health.v1.Health/Check", &request.base,
			    &grpc__health__v1__health_check_response__descriptor, PROBE_TIMEOUT_MS, &answer, err) < 0)
		return -1;
	is_serving = ((Grpc__Health__V1__HealthCheckResponse *)answer)->status ==
		     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
	protobuf_c_message_free_unpacked(answer, NULL);
	return is_serving ? 0 : error_set(err, ERR_UNAVAILABLE, "the coordinator is up, but not serving");
}

void checkout_health_show(const struct checkout_front_options *options, struct http_response *response)
{
	struct buffer *body = &response->body;
	char now[CLOCK_TEXT_LEN + 1];
	struct error err;
	bool is_healthy = probe_coordinator(options->coordinator, &err) == 0;

	clock_format(clock_real_us(), now);
	buffer_append_format(body, "{\"status\":\"%s\",\"reasons\":[", is_healthy ? "healthy" : "degraded");
	if (!is_healthy)
		buffer_append_json_string(body, err.msg, strlen(err.msg));
	buffer_append_format(body, "],\"service\":\"checkout-service\",\"version\":\"%s\",\"port\":%d", AMENDS_VERSION,
			     options->port);
	buffer_append_json_member(body, "environment", options->environment);
	buffer_append_format(body, ",\"timestamp\":\"%s\",\"dependencies\":{\"coordinator\":{\"status\":\"%s\"", now,
			     is_healthy ? "healthy" : "unavailable");
	if (!is_healthy)
		buffer_append_json_member(body, "error", err.msg);
	buffer_append_text(body, "}}}");
}

void checkout_health_ready(const struct checkout_front_options *options, struct http_response *response)
{
	struct error err;

	if (probe_coordinator(options->coordinator, &err) == 0) {
		buffer_append_text(&response->body, "{\"status\":\"ready\"}");
		return;
	}
	http_response_error(response, 503, "unavailable", "%s", err.msg);
	response->retry_after_s = 1;
}
