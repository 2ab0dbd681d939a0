/* health_command.c - sagactl health: is everything there that sagas need? */
#include <stdio.h>

#include "cli/command.h"
#include "cli/table.h"
#include "lib/kafka/kafka.h"
#include "proto/grpc/health/v1/health.pb-c.h"
#include "schema-registry/client/registry_client.h"

enum { PROBE_TIMEOUT_MS = 3000 };

static int probe_coordinator(struct session *session_, struct error *err)
{
	Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
	struct rpc_client *client = session_client(session_);
	ProtobufCMessage *answer;
	bool is_serving;

	if (rpc_client_call(client, "/grpc.health.v1.Health/Check", &request.base,
			    &grpc__health__v1__health_check_response__descriptor, PROBE_TIMEOUT_MS, &answer, err) < 0)
		return -1;
	is_serving = ((Grpc__Health__V1__HealthCheckResponse *)answer)->status ==
		     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
	protobuf_c_message_free_unpacked(answer, NULL);
	return is_serving ? 0 : error_set(err, ERR_UNAVAILABLE, "%s: is up, but not serving", session_->address);
}

static int probe_registry(struct session *session_, struct error *err)
{
	struct registry_client_options options = {
		.url = session_->registry_url, .security = session_->registry_security, .timeout_ms = PROBE_TIMEOUT_MS};
	_cleanup_(registry_client_freep)
	struct registry_client *client = registry_client_new(&options);

	return registry_client_ping(client, err);
}

static int probe_kafka(struct session *session_, struct error *err)
{
	struct kafka_options options = session_kafka(session_);
	_cleanup_(kafka_producer_freep)
	struct kafka_producer *producer = NULL;
	int brokers = 0;

	if (kafka_producer_new(&options, NULL, NULL, &producer, err) < 0)
		return -1;
	return kafka_producer_ping(producer, PROBE_TIMEOUT_MS, &brokers, err);
}

static const struct {
	const char *name;
	int (*probe)(struct session *session, struct error *err);
} probes[] = {{"coordinator", probe_coordinator}, {"registry", probe_registry}, {"kafka", probe_kafka}};

static void append_json(struct buffer *out, const char *name, const struct error *err)
{
	buffer_append_format(out, "%s\"%s\":{\"status\":\"%s\"", out->len > 1 ? "," : "", name,
			     err ? "unavailable" : "healthy");
	if (err)
		buffer_append_json_member(out, "error", err->msg);
	buffer_append_text(out, "}");
}

static enum exit_code run_health(struct session *session_, char **arguments, int count)
{
	_cleanup_(buffer_release)
	struct buffer json = {0};
	_cleanup_(buffer_release)
	struct buffer text = {0};
	enum exit_code code = EXIT_DONE;
	struct table table;

	(void)arguments;
	(void)count;
	buffer_append_text(&json, "{");
	table_init(&table, 3, table_colours_wanted());
	for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
		struct error err;
		bool is_healthy = probes[i].probe(session_, &err) == 0;

		table_add(&table, TABLE_PLAIN, "%s", probes[i].name);
		table_add(&table, is_healthy ? TABLE_GREEN : TABLE_RED, "%s", is_healthy ? "healthy" : "unavailable");
		table_add(&table, TABLE_PLAIN, "%s", is_healthy ? "" : err.msg);
		append_json(&json, probes[i].name, is_healthy ? NULL : &err);
		code = is_healthy ? code : EXIT_UNAVAILABLE;
	}
	table_print(&table, &text);
	table_release(&table);
	buffer_append_text(&json, "}\n");
	(void)printf("%s", buffer_text(session_wants_json(session_) ? &json : &text));
	return code;
}

const struct command health_command = {
	.name = "health",
	.summary = "ask coordinator, registry and Kafka whether they are well",
	.notes = "The exit code is 4 when one of them is not.\n",
	.examples = "sagactl health\n"
		    "sagactl health -o json --address coordinator.internal:7233\n",
	.run = run_health,
};
