/*
 * report.h - what a committed change tells those who watch: how long attempts took, and what became of them.
 *
 * Why:        it is noted while the change is made, when the step as it was is at hand, and told only after the commit:
 *             a change that another instance made first never happened here.
 * Threads:    the engine's.
 */
#ifndef COORDINATOR_ENGINE_REPORT_H
#define COORDINATOR_ENGINE_REPORT_H

#include "coordinator/saga/saga.h"

struct engine;
struct group;

/* An attempt that is over. */
struct attempt_end {
	struct attempt_end *next;
	int32_t step;
	enum step_phase phase;
	int32_t attempt;
	enum saga_event_type how; /* SUCCEEDED REJECTED RETRIABLE TIMED_OUT, UNKNOWN of an inquiry */
	int64_t begun_us;         /* by the database's clock, as the next */
	int64_t ended_us;
	const char *reason; /* NULL: none */
};

/* Notes on the group which attempt the event has ended, if it has. `before`: the saga without it. */
void report_note(struct engine *engine, struct group *group, const struct saga *before, const struct saga_event *event);
void report_committed(struct engine *engine, const struct group *group);

#endif
