/*
 * saga_service.h - GetSaga: checks requests, hands them to the engine, answers from its views.
 *
 * Guarantees: every field that is wrong is named at once; a GetSaga that waits is answered before the call's deadline with
 *             the state of that moment.
 * Threads:    requests on the server's queue thread, answers on the engine's; nothing blocks.
 * Ownership:  borrows the engine until the server is drained.
 */
#ifndef COORDINATOR_API_SAGA_SERVICE_H
#define COORDINATOR_API_SAGA_SERVICE_H

#include "coordinator/api/rpc_server.h"
#include "coordinator/engine/engine.h"

enum {
	SAGA_WAIT_MS_MAX = 10 * 60 * 1000,
	SAGA_WAITS_MAX = 100 * 1000,
};

struct saga_service;

struct saga_service *saga_service_new(struct rpc_server *server, struct engine *engine);
void saga_service_free(struct saga_service *service);

#endif
