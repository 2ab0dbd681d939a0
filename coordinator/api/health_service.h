/*
 * health_service.h - grpc.health.v1: Check answers at once, Watch again whenever the answer changes.
 *
 * Meaning:    "" is the process: SERVING until it stops. "saga.v1.SagaService" is whether calls would succeed now.
 *             Both are NOT_SERVING from the beginning of a shutdown; watchers hear of it before their stream ends.
 * Threads:    the server's queue thread; `is_serving` runs there and must not block.
 * Limits:     a change reaches watchers within a quarter of a second.
 */
#ifndef COORDINATOR_API_HEALTH_SERVICE_H
#define COORDINATOR_API_HEALTH_SERVICE_H

#include "coordinator/api/rpc_server.h"

struct health_service;

struct health_service *health_service_new(struct rpc_server *server, bool (*is_serving)(void *ctx), void *ctx);
void health_service_stop(struct health_service *service); /* NOT_SERVING from now on; any thread */
void health_service_free(struct health_service *service);

#endif
