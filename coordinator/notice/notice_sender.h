/*
 * notice_sender.h - brings one target its notices, for as long as it takes: a thread that claims, delivers and settles.
 *
 * Why:        whoever is told is away now and then, slow, or refuses; none of that may hold up sagas or other targets.
 * Guarantees: at least once: a notice goes when the target has it, or when it is a day old. Two coordinators do not send
 *             the same notice at the same time; one that dies leaves its notices to the other after LEASE_MS.
 * Threads:    its own; notice_sender_problem() from any.
 * Ownership:  borrows the port, the target's name, `ctx` and the metrics until notice_sender_free().
 */
#ifndef COORDINATOR_NOTICE_NOTICE_SENDER_H
#define COORDINATOR_NOTICE_NOTICE_SENDER_H

#include <stdatomic.h>

#include "coordinator/notice/notice_port.h"
#include "lib/metrics/metrics.h"

struct notice_sender;

struct notice_delivery {
	const struct notice *notices;
	size_t count;
	enum notice_outcome *outcomes; /* NOTICE_UNTRIED at first */
	struct arena *arena;
	const atomic_bool *is_stopping; /* true: be quick, what is untried waits */
};
/* Sets the outcomes. 0: all went well. -1: `err` is the first failure; retriable where the target is away as a whole, so
 * that it is left alone for a while. */
typedef int notice_deliver_fn(void *ctx, struct notice_delivery *delivery, struct error *err);

/* Shared by all senders of one kind of target. */
struct notice_metrics {
	struct metric *sent;
	struct metric *failed;
	struct metric *given_up;
};
/* `kind`: kafka or webhook. */
struct notice_metrics notice_metrics_new(struct metrics *metrics, const char *kind);

struct notice_sender_options {
	const struct notice_port *port;
	int (*prepare)(void *ctx, struct error *err); /* tried until it answers 0, before all else; NULL: nothing */
	const char *target;
	size_t batch_max;
	notice_deliver_fn *deliver;
	void *ctx;
	const struct notice_metrics *metrics;
	int64_t alarm_ms; /* what fails for so long is a problem; 0: a minute */
	int64_t look_ms;  /* between two looks for notices; 0: half a second */
};

NODISCARD int notice_sender_start(const struct notice_sender_options *options, struct notice_sender **ret_sender,
				  struct error *err);
void notice_sender_free(struct notice_sender *sender); /* lets a delivery in hand end */

/* True where it has failed for long; then what is wrong is in the text. */
bool notice_sender_problem(struct notice_sender *sender, char *ret_text, size_t text_len);

#endif
