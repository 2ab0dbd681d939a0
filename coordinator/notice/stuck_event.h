/*
 * stuck_event.h - the fact saga.stuck on Kafka (docs/wire-contract.md, 10): a target of notices.
 *
 * Guarantees: at least once; the same fact has the same ce_id each time.
 * Threads:    of its notice_sender.
 * Ownership:  copies the Kafka options, borrows their texts and the rest.
 */
#ifndef COORDINATOR_NOTICE_STUCK_EVENT_H
#define COORDINATOR_NOTICE_STUCK_EVENT_H

#include "coordinator/notice/notice_sender.h"
#include "lib/kafka/kafka.h"
#include "schema-registry/client/registry_client.h"

struct stuck_event;

struct stuck_event_options {
	const struct kafka_options *kafka;
	const char *topic;
	struct registry_client *registry;
	const char *registry_url; /* as consumers see it, for ce_dataschema */
};

NODISCARD int stuck_event_new(const struct stuck_event_options *options, struct stuck_event **ret_event,
			      struct error *err);
void stuck_event_free(struct stuck_event *event);

/* For notice_sender: registers the schema, and then sends. */
int stuck_event_prepare(void *event, struct error *err);
notice_deliver_fn stuck_event_deliver;

#endif
