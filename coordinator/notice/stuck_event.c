/* stuck_event.c - see stuck_event.h. */
#include "coordinator/notice/stuck_event.h"

#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/kafka/flight.h"
#include "lib/kafka/topic_state.h"
#include "proto/event_texts.h"
#include "proto/saga/events/v1/saga_stuck.pb-c.h"
#include "schema-registry/codec/wire_format.h"

struct stuck_event {
	struct kafka_options kafka; /* the caller's texts */
	char *topic;
	char *subject;
	char *registry_url;
	struct registry_client *registry;
	struct kafka_producer *producer;
	int32_t schema_id;
};

static void on_delivered(void *ctx, void *token, const struct error *err)
{
	(void)ctx;
	flight_confirm(token, err);
}

int stuck_event_new(const struct stuck_event_options *options, struct stuck_event **ret_event, struct error *err)
{
	struct stuck_event *event = xcalloc(1, sizeof(*event));
	struct buffer subject = {0};

	if (kafka_producer_new(options->kafka, on_delivered, NULL, &event->producer, err) < 0) {
		free(event);
		return -1;
	}
	buffer_append_format(&subject, "%s-value", options->topic);
	event->kafka = *options->kafka;
	event->topic = xstrdup(options->topic);
	event->subject = xstrdup(buffer_text(&subject));
	event->registry_url = xstrdup(options->registry_url ? options->registry_url : "");
	event->registry = options->registry;
	buffer_release(&subject);
	*ret_event = event;
	return 0;
}

void stuck_event_free(struct stuck_event *event)
{
	if (!event)
		return;
	kafka_producer_free(event->producer);
	free(event->topic);
	free(event->subject);
	free(event->registry_url);
	free(event);
}

/* Looked up first: a coordinator may have the right to read the registry alone, where somebody else registers. */
int stuck_event_prepare(void *ctx, struct error *err)
{
	struct stuck_event *event = ctx;
	const struct schema_submission submission = {.subject = event->subject,
						     .format = SCHEMA_FORMAT_PROTOBUF,
						     .text = {PROTO_SAGA_STUCK_TEXT, PROTO_SAGA_STUCK_TEXT_LEN}};
	int32_t version;

	if (registry_client_look_up(event->registry, &submission, &event->schema_id, &version, err) == 0)
		return 0;
	if (err->code != ERR_NOT_FOUND ||
	    registry_client_register(event->registry, &submission, &event->schema_id, err) < 0) {
		err->is_retriable = true; /* there is nothing else to do than to try again */
		return error_prefix(err, "register the schema of subject '%s'", event->subject);
	}
	return 0;
}

/* ---- a record ---- */
static struct bytes make_value(const struct stuck_event *event, const struct notice *notice, const char *saga_id,
			       const char *time, struct arena *arena)
{
	static const int32_t first_message[] = {0};
	Saga__Events__V1__SagaStuck message = SAGA__EVENTS__V1__SAGA_STUCK__INIT;
	struct buffer value = {0};
	struct bytes result;

	message.saga_id = (char *)saga_id; /* packing only reads it, as all that follow */
	message.sequence = notice->sequence;
	message.stuck_time = (char *)time;
	message.definition = (char *)notice->definition;
	message.definition_version = notice->definition_version;
	message.key = (char *)notice->key;
	message.step_id = (char *)notice->step_id;
	message.phase = (char *)step_phase_name(notice->phase);
	message.reason = (char *)notice->reason;
	message.detail = (char *)notice->detail;
	wire_format_append_id(&value, event->schema_id);
	wire_format_append_indexes(&value, first_message, 1);
	buffer_reserve(&value, saga__events__v1__saga_stuck__get_packed_size(&message));
	value.len += saga__events__v1__saga_stuck__pack(&message, value.data + value.len);
	result = arena_bytes(arena, buffer_bytes(&value));
	buffer_release(&value);
	return result;
}

static void add(struct kafka_record *record, const char *name, const char *value)
{
	record->headers[record->header_count++] = (struct kafka_header){name, bytes_of_text(value)};
}

static struct kafka_record *make_record(const struct stuck_event *event, const struct notice *notice,
					struct arena *arena)
{
	struct kafka_record *record = arena_zalloc(arena, sizeof(*record));
	char *saga_id = arena_alloc(arena, UUID_TEXT_LEN + 1);
	char *time = arena_alloc(arena, CLOCK_TEXT_LEN + 1);

	uuid_format(notice->saga_id, saga_id);
	clock_format(notice->time_us, time);
	record->topic = event->topic;
	record->key = bytes_of_text(notice->key);
	record->has_value = true;
	record->value = make_value(event, notice, saga_id, time, arena);
	add(record, "ce_specversion", "1.0");
	add(record, "ce_id", arena_format(arena, "%s/%lld", saga_id, (long long)notice->sequence));
	add(record, "ce_source", "saga-coordinator");
	add(record, "ce_type", "SagaStuck");
	add(record, "ce_subject", notice->key);
	add(record, "ce_time", time);
	add(record, "ce_dataschema", arena_format(arena, "%s/schemas/ids/%d", event->registry_url, event->schema_id));
	add(record, "content-type", "application/protobuf");
	add(record, "correlationid", saga_id);
	return record;
}

/* ---- sending ---- */
static int send_all(struct stuck_event *event, struct notice_delivery *delivery, struct flight *flight,
		    struct error *err)
{
	for (size_t i = 0; i < delivery->count; i++) {
		const struct kafka_record *record = make_record(event, &delivery->notices[i], delivery->arena);

		flight_add(flight);
		if (kafka_produce(event->producer, record, flight, err) < 0) {
			flight_confirm(flight, err);
			return -1;
		}
	}
	return flight_land(flight, delivery->is_stopping, err);
}

/* After a failure nobody knows which of them arrived: the first stands for the failed try, and all are sent again. */
int stuck_event_deliver(void *ctx, struct notice_delivery *delivery, struct error *err)
{
	struct stuck_event *event = ctx;
	_cleanup_(flight_releasep)
	struct flight *flight = flight_new(true);

	if (send_all(event, delivery, flight, err) < 0) {
		if (!atomic_load(delivery->is_stopping))
			topic_state_explain(&event->kafka, event->producer, event->topic, delivery->arena, err);
		delivery->outcomes[0] = NOTICE_FAILED;
		err->is_retriable = true; /* a topic that is not there, too: somebody will make it */
		return -1;
	}
	for (size_t i = 0; i < delivery->count; i++)
		delivery->outcomes[i] = NOTICE_SENT;
	return 0;
}
