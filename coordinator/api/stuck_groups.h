/*
 * stuck_groups.h - stuck steps, counted by what they have in common.
 *
 * Why:        ten thousand sagas that are stuck for one cause are one thing to do, so people are shown causes.
 * Ownership:  the groups live in the arena that was given; what is added is copied.
 */
#ifndef COORDINATOR_API_STUCK_GROUPS_H
#define COORDINATOR_API_STUCK_GROUPS_H

#include "coordinator/definition/plan.h"
#include "lib/base/arena.h"
#include "saga/v1/saga_service.pb-c.h"

struct stuck_groups {
	struct arena *arena;
	/* What a step must be like to be counted; NULL, or UNSPECIFIED: anything. */
	const char *step_id;
	const char *reason;
	Saga__V1__StepPhase phase;
	bool has_saga_ids;
	Saga__V1__StuckGroup **items;
	size_t count;
	size_t max; /* room */
};

enum { STUCK_SAMPLES_MAX = 3 };

/* Each of its steps that is stuck; a step may make a new group. */
void stuck_groups_add(struct stuck_groups *groups, const struct plan *plan, const struct saga *saga);
/* One whose steps cannot be read; `why` is its sample. */
void stuck_groups_add_unreadable(struct stuck_groups *groups, const char *definition, struct uuid id, const char *why);
/* The largest first, then the oldest. */
void stuck_groups_sort(struct stuck_groups *groups);

#endif
