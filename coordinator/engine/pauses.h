/*
 * pauses.h - what is paused as a whole, as the engine last read it.
 *
 * Why:        whether a command may be sent is asked for each of them, so the answer is in memory; it is read anew at every
 *             sweep, which is how all coordinators learn of it.
 * Threads:    the engine's, but for pauses_describe().
 */
#ifndef COORDINATOR_ENGINE_PAUSES_H
#define COORDINATOR_ENGINE_PAUSES_H

#include <pthread.h>

#include "coordinator/engine/pause_port.h"

struct pauses {
	pthread_mutex_t mu;
	struct arena arena; /* guarded by mu for pauses_describe(), as the next two; written by the engine alone */
	struct pause *items;
	size_t count;
};

void pauses_init(struct pauses *pauses);
void pauses_release(struct pauses *pauses);
/* In place of what was there. */
void pauses_set(struct pauses *pauses, const struct pause *items, size_t count);

bool pause_names_topic(const struct pause *pause, const char *topic); /* of a participant: it takes commands there */
/* The pause that keeps a command on this topic of this definition back; NULL: none does. */
const struct pause *pauses_find(const struct pauses *pauses, const char *definition, const char *topic);
size_t pauses_count(const struct pauses *pauses, enum pause_kind kind);

/* Any thread: "definition 'checkout' is paused by ann: payment moves", a text for each, in the arena. */
size_t pauses_describe(struct pauses *pauses, struct arena *arena, const char ***ret_texts);
const char *pause_describe(const struct pause *pause, struct arena *arena);

#endif
