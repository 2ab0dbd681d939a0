/*
 * dead_letter_gauge.h - how many dead letters of certain topics wait for a person, as a metric.
 *
 * Why:        somebody should be woken by letters that are open, and no longer once they are replayed or dropped; that takes
 *             reading the dead-letter topics (open_letters.h), each record once.
 * Guarantees: reads without a group, so nobody's offsets move and no rebalancing happens. Follows topics that are made later
 *             or named later within ten seconds, and what retention deletes. While the brokers are away the gauge
 *             stays as it was.
 * Threads:    one of its own; `topics` is called there.
 */
#ifndef LIB_KAFKA_DEAD_LETTER_GAUGE_H
#define LIB_KAFKA_DEAD_LETTER_GAUGE_H

#include "lib/base/arena.h"
#include "lib/kafka/kafka.h"
#include "lib/metrics/metrics.h"

struct dead_letter_gauge;

struct dead_letter_gauge_options {
	const struct kafka_options *kafka; /* for the call alone */
	/* The topics whose dead letters are counted, without the suffix; the array is the arena's. */
	size_t (*topics)(void *ctx, struct arena *arena, const char ***ret_topics);
	void *ctx;
	struct metric *gauge;
};

NODISCARD int dead_letter_gauge_start(const struct dead_letter_gauge_options *options,
				      struct dead_letter_gauge **ret_gauge, struct error *err);
void dead_letter_gauge_free(struct dead_letter_gauge *gauge); /* ends the thread, within about two seconds */
DEFINE_CLEANUP(struct dead_letter_gauge *, dead_letter_gauge_free)

#endif
