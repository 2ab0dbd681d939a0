/*
 * request_service.h - what people ask of a saga that exists: CancelSaga, PauseSaga, ResumeSaga, and what an operator decides
 * about a stuck one: RetrySaga, SkipStep, ResolveSaga; and SignalSaga, which brings what a step waits for.
 *
 * Guarantees: every field that is wrong is named at once; answers after the commit. What the saga's state forbids is
 *             ERR_PRECONDITION with the state and the reason.
 * Threads:    requests on the server's queue thread, answers on the engine's; nothing blocks.
 * Ownership:  borrows the engine until the server is drained.
 */
#ifndef COORDINATOR_API_REQUEST_SERVICE_H
#define COORDINATOR_API_REQUEST_SERVICE_H

#include "coordinator/api/rpc_server.h"
#include "coordinator/engine/engine.h"

enum { REQUEST_REASON_BYTES_MAX = 1000 };

struct request_service;

struct request_service *request_service_new(struct rpc_server *server, struct engine *engine);
void request_service_free(struct request_service *service);

#endif
