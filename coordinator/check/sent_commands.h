/*
 * sent_commands.h - is each command that was answered on its topic? (I7)
 *
 * Why:        the other way round, each command on a topic against its saga, can be judged record by record; this one needs all
 *             records at hand, as hashes.
 * Guarantees: only sagas that have not changed since before the topics were read are judged, and of their commands those
 *             that were answered: one that was decided and not yet sent is the sweep's to send.
 */
#ifndef COORDINATOR_CHECK_SENT_COMMANDS_H
#define COORDINATOR_CHECK_SENT_COMMANDS_H

#include "coordinator/check/hash_set.h"
#include "coordinator/check/saga_page.h"
#include "coordinator/check/violation.h"

struct sent_commands {
	struct hash_set seen;
	struct pg *pg;
	struct definition_book *book;
	struct uuid after;
	int64_t before_us; /* the database's clock before the topics were read */
	/* From when on a topic's records are all there; INT64_MAX: nothing is known of it. */
	int64_t (*whole_since_ms)(void *ctx, const char *topic);
	void *ctx;
	const struct check_listener *listener;
};

/* Makes room where there is none: then the range of the set is narrower, and has to be gone on with. */
void sent_commands_add(struct sent_commands *sent, uint64_t hash);
/* Those of the sagas' commands that are in the set's range. */
NODISCARD int sent_commands_check(struct sent_commands *sent, struct error *err);

#endif
