/*
 * pending_retries.h - which commands wait in a retry topic now, as far as this process knows.
 *
 * Why:        the coordinator sends a command again while it gets no reply. Where the first one waits in a retry topic,
 *             another journey of the same command would only multiply tries and dead letters.
 * Guarantees: says "yes" only for what was confirmed there a while ago. It may forget (after a restart, or when two
 *             commands share a slot): that costs one more journey, nothing else.
 * Threads:    the participant's.
 */
#ifndef PARTICIPANTS_SDK_PENDING_RETRIES_H
#define PARTICIPANTS_SDK_PENDING_RETRIES_H

#include <stdbool.h>
#include <stdint.h>

enum { PENDING_RETRIES_SLOTS = 4096 };

struct pending_retries {
	struct {
		uint64_t hash;
		int64_t until_us; /* monotonic */
	} slots[PENDING_RETRIES_SLOTS];
};

void pending_retries_add(struct pending_retries *pending, const char *command_id, int64_t until_us);
bool pending_retries_has(const struct pending_retries *pending, const char *command_id, int64_t now_us);

#endif
