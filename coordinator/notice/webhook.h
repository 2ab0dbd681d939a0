/*
 * webhook.h - notices as signed HTTP requests to whatever wakes people (docs/webhooks.md): a target of notices.
 *
 * Guarantees: at least once; webhook-id is the same each time. Only an answer 2xx counts as received.
 * Threads:    of its notice_sender.
 * Ownership:  borrows all of its options.
 */
#ifndef COORDINATOR_NOTICE_WEBHOOK_H
#define COORDINATOR_NOTICE_WEBHOOK_H

#include "coordinator/definition/catalog.h"
#include "coordinator/notice/notice_sender.h"
#include "coordinator/notice/webhook_secret.h"

struct webhook;

struct webhook_options {
	const char *name; /* for people */
	const char *url;
	const struct webhook_secrets *secrets;
	struct catalog *catalog; /* for runbooks */
};

/* ERR_INVALID: it is not http:// or https:// with a host. */
NODISCARD int webhook_url_check(const char *url, struct error *err);

struct webhook *webhook_new(const struct webhook_options *options);
void webhook_free(struct webhook *webhook);

/* For notice_sender. */
notice_deliver_fn webhook_deliver;

/* The request's body, as JSON; `runbook` may be NULL. */
void webhook_append_body(const struct notice *notice, const char *runbook, struct buffer *out);

#endif
