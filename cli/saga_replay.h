/*
 * saga_replay.h - a saga's log, gone through once more by the coordinator's own core.
 *
 * Why:        when something happens next is not in the API; the core derives it from the definition and the log, jitter
 *             included, so nothing need be guessed, nor told apart from what the coordinator does.
 * Ownership:  all of it lives in the arena that was given.
 */
#ifndef CLI_SAGA_REPLAY_H
#define CLI_SAGA_REPLAY_H

#include "coordinator/definition/source.h"
#include "coordinator/saga/saga.h"
#include "proto/saga/v1/saga.pb-c.h"

struct saga_replay {
	struct definition definition;
	const struct source *source;
	struct saga *saga;
};

/* `saga` with its steps and all of its events; `source`: the text of its definition's version. False: `err` says why the log
 * does not lead to the saga as it was shown; a coordinator of another version can be the cause. */
bool saga_replay(const Saga__V1__Saga *saga, const char *source, struct arena *arena, struct saga_replay *ret_replay,
		 struct error *err);

#endif
