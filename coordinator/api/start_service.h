/*
 * start_service.h - StartSaga and BatchStartSagas: checks requests, hands them to the engine, answers after the commit.
 *
 * Guarantees: every field that is wrong is named at once; each item of a batch has exactly the result that a call of its own
 *             would have had.
 * Threads:    requests on the server's queue thread, answers on the engine's; nothing blocks.
 * Ownership:  borrows catalog and engine until the server is drained.
 */
#ifndef COORDINATOR_API_START_SERVICE_H
#define COORDINATOR_API_START_SERVICE_H

#include "coordinator/api/rpc_server.h"
#include "coordinator/definition/catalog.h"
#include "coordinator/engine/engine.h"

enum {
	START_ID_BYTES_MAX = 255,
	START_INPUT_BYTES_MAX = PLAN_INPUT_BYTES_MAX,
	START_LABELS_MAX = 32,
	START_BATCH_MAX = 1000,
	START_CALLS_MAX = 10000, /* StartSaga calls without an answer; each takes some 15 KB */
};

struct start_service;

struct start_service *start_service_new(struct rpc_server *server, struct catalog *catalog, struct engine *engine);
void start_service_free(struct start_service *service);

#endif
