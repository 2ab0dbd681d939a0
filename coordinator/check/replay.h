/*
 * replay.h - does a saga's log lead to its row? Every entry is applied by the core that runs sagas, from the first on.
 *
 * Guarantees: what holds afterwards: the log is gapless (I9), each entry was legal where it stands (I5), no timer fired before
 *             its time (I12), an ended saga ended once (I1), and the stored row is what the log says, byte for byte (I5).
 * Not here:   reading; database_check.h. Whether participants did what the log says (I2, I4, I6), and what is on the topics (I7).
 */
#ifndef COORDINATOR_CHECK_REPLAY_H
#define COORDINATOR_CHECK_REPLAY_H

#include "coordinator/saga/saga.h"

struct replay_entry {
	int64_t sequence;
	const char *step_id;     /* NULL: of the saga as a whole */
	struct saga_event event; /* but for `step`, which is found by step_id */
	enum saga_state state;   /* after it */
};

enum replay_result {
	REPLAY_GOOD,
	REPLAY_BAD,
	REPLAY_OLD, /* stored by a program whose core went other ways: nothing can be said */
};

/* `data` and `state`: the row's, as saga_encode() made the one. REPLAY_BAD: *ret_why begins with the invariant, "I5: …"; in the arena. */
enum replay_result replay_check(const struct definition *definition, struct bytes data, enum saga_state state,
				const struct replay_entry *entries, size_t count, struct arena *arena,
				const char **ret_why);

#endif
