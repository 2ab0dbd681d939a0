/*
 * notices.h - all whom this coordinator tells that a saga is stuck: Kafka, and each webhook.
 *
 * Why:        each has a sender of its own, so that one that is away keeps nothing from the others.
 * Threads:    one a target; notices_problem() from any.
 * Ownership:  borrows all of its options, and the ports, until notices_free().
 */
#ifndef COORDINATOR_NOTICE_NOTICES_H
#define COORDINATOR_NOTICE_NOTICES_H

#include "coordinator/definition/catalog.h"
#include "coordinator/notice/notice_port.h"
#include "lib/kafka/kafka.h"

enum { WEBHOOKS_MAX = 8, NOTICE_TARGETS_MAX = WEBHOOKS_MAX + 1 };

struct notices;

struct notices_options {
	const struct kafka_options *kafka;
	const char *topic; /* NULL: Kafka is not told */
	struct registry_client *registry;
	const char *registry_url;
	const struct text_pair *webhooks; /* name and URL, at most WEBHOOKS_MAX */
	size_t webhook_count;
	const char *secret; /* as webhook_secrets_parse() takes it; NULL without webhooks */
	struct catalog *catalog;
	struct metrics *metrics;
};

/* Adds all that is wrong with webhooks and secret; for settings. */
void notices_check(const struct notices_options *options, struct problems *problems);

NODISCARD int notices_new(const struct notices_options *options, struct notices **ret_notices, struct error *err);
void notices_free(struct notices *notices); /* lets deliveries in hand end */

/* Whom each commit leaves a notice for: kafka, webhook NAME. */
size_t notices_target_count(const struct notices *notices);
const char *notices_target(const struct notices *notices, size_t index);
/* Starts telling them: `ports[i]` is of target i. */
NODISCARD int notices_run(struct notices *notices, const struct notice_port *ports, struct error *err);

/* True where some target has got nothing for long; the text says which and why. */
bool notices_problem(struct notices *notices, char *ret_text, size_t text_len);

#endif
