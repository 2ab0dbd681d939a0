/*
 * log_rules.h - what a log must show by itself, whatever the core says of it: one end (I1), undoing in the reverse order (I3),
 * time that goes forward (I12).
 *
 * Why: replay.h asks the core that wrote the log; a core that is wrong would agree with itself. These rules do not ask it.
 */
#ifndef COORDINATOR_CHECK_LOG_RULES_H
#define COORDINATOR_CHECK_LOG_RULES_H

#include "coordinator/check/replay.h"

/* NULL: all hold; else "I3: …", in the arena. Steps that the definition does not have are left to the replay. */
const char *log_rules_check(const struct definition *definition, const struct replay_entry *entries, size_t count,
			    struct arena *arena);

#endif
