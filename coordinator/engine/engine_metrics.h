/*
 * engine_metrics.h - what the engine counts; docs/metrics.md is made from the same registrations.
 *
 * Threads:    registered at engine_new(); updated by the engine's thread.
 */
#ifndef COORDINATOR_ENGINE_ENGINE_METRICS_H
#define COORDINATOR_ENGINE_ENGINE_METRICS_H

#include "coordinator/engine/pause_port.h"
#include "coordinator/engine/ports.h"
#include "coordinator/saga/saga.h"
#include "lib/metrics/metrics.h"

enum ignored_why {
	IGNORED_NO_EFFECT,    /* duplicate, late, or of an attempt that is over */
	IGNORED_UNKNOWN_SAGA, /* no such row, or its definition cannot be loaded now */
	IGNORED_UNKNOWN_STEP, /* the saga's definition has no such step */
	IGNORED_WHY_COUNT
};

enum { STUCK_SERIES_MAX = 32 };

struct engine_metrics {
	struct metric *started;
	struct metric *finished[SAGA_STATE_COUNT]; /* terminal states only */
	struct metric *stuck;
	struct metric *open[SAGA_STATE_COUNT]; /* states that are not terminal */
	struct metric *turn_events;
	struct metric *commit_seconds;
	struct metric *start_seconds;
	struct metric *step_seconds[STEP_PHASE_COUNT][SAGA_EVENT_COUNT]; /* events that end an attempt only */
	struct metric *resends;
	struct metric *ignored[IGNORED_WHY_COUNT];
	struct metric *bad;
	struct metric *told;
	struct metric *told_no_effect;
	struct metric *told_unmatched;
	struct metric *conflicts;
	struct metric *refused;
	struct metric *queue_length;
	struct metric *waiting;
	struct metric *starts_refused;
	struct metric *starts_shed;
	struct metric *paused[PAUSE_KIND_COUNT];
	struct metric *sagas_paused;
	/* By definition, those that were the first to have any; all others are one series. */
	struct metrics *set;
	struct stuck_series {
		char *definition;
		struct metric *gauge;
		int64_t sagas;
	} stuck_of[STUCK_SERIES_MAX];
	size_t stuck_count;
	struct metric *stuck_others;
};

void engine_metrics_register(struct engine_metrics *metrics, struct metrics *set);
void engine_metrics_release(struct engine_metrics *metrics);
/* What a counting of all open sagas has found, in place of the one before. */
void engine_metrics_count(struct engine_metrics *metrics, const struct store_count *counts, size_t count);

#endif
