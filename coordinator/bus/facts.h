/*
 * facts.h - what somebody tells by himself on a topic that is read: is it an event that a definition waits for, or nobody's?
 *
 * Why:     the engine gets what it may need, and not all that happens on topics that carry replies, too.
 * Threads: the bus's. Ownership: borrows the catalog, and topics of its plans, which live as long.
 */
#ifndef COORDINATOR_BUS_FACTS_H
#define COORDINATOR_BUS_FACTS_H

#include "coordinator/definition/catalog.h"
#include "lib/kafka/kafka.h"

/* All zero but for `catalog` is the beginning. */
struct facts {
	struct catalog *catalog;
	struct arena arena;
	bool is_learnt;
	uint64_t generation; /* of the catalog, that the topics are from */
	const char **topics; /* of events */
	size_t topic_count;
};

void facts_release(struct facts *facts);
/* A fact (screen.h), and none that any definition waits for that is known by now. */
bool facts_is_ignored(struct facts *facts, const struct kafka_record *record);

#endif
