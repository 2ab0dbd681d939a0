/*
 * screen.h - looks at each reply before the engine gets it: can it be read at all, and is it what its topic carries?
 *
 * Why:        the engine decodes only the replies that later commands need, and never waits for the registry. What nobody
 *             can read shall still end in the dead letters and not as a success.
 * Guarantees: while the registry is away nothing is refused for that: a reply in a schema that was never seen goes on
 *             unread, and the engine looks at it when it needs it.
 * Threads:    the bus's; may block for the registry at the first sight of a schema or topic.
 * Ownership:  borrows the registry client; NULL: only headers are looked at.
 */
#ifndef COORDINATOR_BUS_SCREEN_H
#define COORDINATOR_BUS_SCREEN_H

#include "lib/kafka/side_topic.h"
#include "schema-registry/client/registry_client.h"

struct screen;

struct screen *screen_new(struct registry_client *registry);
void screen_free(struct screen *screen);
DEFINE_CLEANUP(struct screen *, screen_free)

/* An event that somebody tells by himself on a topic that carries replies, too: no `saga-` header, but a `ce_id`. */
bool screen_is_fact(const struct kafka_record *record);

/* -1: a dead letter, for that reason. */
NODISCARD int screen_check(struct screen *screen, const struct kafka_record *record, enum dead_reason *ret_reason,
			   struct error *err);

#endif
