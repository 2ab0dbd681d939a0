/*
 * pause_port.h - definitions and participants that an operator has paused, and where that is kept.
 *
 * Meaning:    nothing is sent for a paused definition, and nothing to a paused participant, compensations included; what
 *             was decided waits, and its time does not run out. Starts are accepted, and wait.
 * Participant: the first word of a command's topic, so `payment` reads payment.charge.command and payment.refund.command.
 * Threads:    one thread at a time.
 * Ownership:  what a port answers lives in the arena that it was given.
 */
#ifndef COORDINATOR_ENGINE_PAUSE_PORT_H
#define COORDINATOR_ENGINE_PAUSE_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"

enum pause_kind { PAUSE_DEFINITION, PAUSE_PARTICIPANT, PAUSE_KIND_COUNT };

struct pause {
	enum pause_kind kind;
	const char *name;
	const char *reason;
	const char *actor;
	int64_t time_us;
};

/* Functions answer 0, or -1 with `err`. */
struct pause_port {
	void *ctx;
	/* Unless it is paused already: then that pause is answered. */
	int (*begin)(void *ctx, const struct pause *pause, struct arena *arena, struct pause *ret_pause,
		     bool *ret_is_new, struct error *err);
	int (*end)(void *ctx, const struct pause *pause, bool *ret_was_paused, struct error *err);
	/* Those that have not ended, the oldest first. */
	int (*list)(void *ctx, struct arena *arena, struct pause **ret_pauses, size_t *ret_count, struct error *err);
};

const char *pause_kind_name(enum pause_kind kind); /* definition */

#endif
