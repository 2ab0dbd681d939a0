/*
 * watch_service.h - WatchSaga and WatchSagas: checks requests and opens watches at the hub.
 *
 * Threads:    everything of gRPC on the server's queue thread, what is sent is made on the hub's.
 * Shutdown:   the hub is stopped before the server is drained.
 */
#ifndef COORDINATOR_API_WATCH_SERVICE_H
#define COORDINATOR_API_WATCH_SERVICE_H

#include "coordinator/api/rpc_server.h"
#include "coordinator/watch/watch_hub.h"

struct watch_service;

struct watch_service *watch_service_new(struct rpc_server *server, struct watch_hub *hub);
void watch_service_free(struct watch_service *service);

#endif
