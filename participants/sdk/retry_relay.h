/*
 * retry_relay.h - sends what waits in a retry topic back to its command topic when its time has come.
 *
 * Why:        Kafka has no delayed delivery. The delay of a retry topic is constant, so its oldest record is always the
 *             next one due, and a reader that waits for it holds up nobody.
 * Guarantees: a record leaves the retry topic (its offset is stored) after the broker has confirmed it on the command
 *             topic: it may come twice, which the inbox makes harmless, but is never lost.
 * Threads:    one of its own for each relay, with a consumer in a group of its own (`<service>.retry.1s`), so that waiting
 *             does not delay the service's own group.
 * Ownership:  borrows the options' contents, the producer among them, until retry_relay_free(). Its records' tokens are
 *             flights, as the participant's are.
 */
#ifndef PARTICIPANTS_SDK_RETRY_RELAY_H
#define PARTICIPANTS_SDK_RETRY_RELAY_H

#include "lib/kafka/side_topic.h"
#include "participants/sdk/participant.h"

struct retry_relay;

struct retry_relay_options {
	enum side_topic side;
	const char *service;
	const char *instance; /* NULL: dynamic membership */
	const struct kafka_options *kafka;
	const struct command_handler *handlers;
	size_t handler_count;
	struct kafka_producer *producer;
};

NODISCARD int retry_relay_start(const struct retry_relay_options *options, struct retry_relay **ret_relay,
				struct error *err);
void retry_relay_stop(struct retry_relay *relay); /* any thread; does not wait; NULL: nothing */
void retry_relay_free(struct retry_relay *relay); /* stops, waits for its thread */

#endif
