/*
 * archive.h - sagas that are to leave, one JSON document each on a Kafka topic.
 *
 * Why:        who has to show years later what became of an order needs the saga, not its row; a document can be read without this
 *             program, its definition or a schema registry.
 * Guarantees: at least once: archive_write() answers when the broker has all that it says it has. A document tells all that
 *             GetSaga tells, with the whole log; its key is the saga's id.
 * Threads:    one at a time.
 * Ownership:  borrows its options until archive_free().
 */
#ifndef COORDINATOR_RETENTION_ARCHIVE_H
#define COORDINATOR_RETENTION_ARCHIVE_H

#include <stdatomic.h>

#include "coordinator/engine/ports.h"
#include "coordinator/retention/retention_port.h"
#include "lib/kafka/kafka.h"

struct archive;

struct archive_options {
	const struct kafka_options *kafka; /* copied, its texts borrowed */
	const char *topic;
	const struct store_port *sagas; /* load and load_log, on a connection of its own */
	struct catalog *catalog;
	/* Appends the saga with its log as JSON. */
	int (*describe)(const struct saga_view *view, struct arena *arena, struct buffer *out, struct error *err);
};

NODISCARD int archive_new(const struct archive_options *options, struct archive **ret_archive, struct error *err);
void archive_free(struct archive *archive);

/* What cannot be archived, now or ever; it stays where it is. */
struct archive_leftover {
	size_t count;
	struct error first;
};

/* Puts those first that are archived now, and says how many they are; the others are added to `leftover`. -1: the store or the
 * broker is away, and nobody knows what was written. */
NODISCARD int archive_write(struct archive *archive, struct leaving_saga *sagas, size_t count, struct arena *arena,
			    const atomic_bool *is_stopping, size_t *ret_archived, struct archive_leftover *leftover,
			    struct error *err);

#endif
