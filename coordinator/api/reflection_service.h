/*
 * reflection_service.h - grpc.reflection.v1 and v1alpha: tools list, describe and call the API without .proto files.
 *
 * Why:        both versions are the same bytes on the wire, so one implementation answers both.
 * Threads:    the server's queue thread. Ownership: lives until the server is drained.
 */
#ifndef COORDINATOR_API_REFLECTION_SERVICE_H
#define COORDINATOR_API_REFLECTION_SERVICE_H

#include "coordinator/api/rpc_server.h"

struct reflection_service;

struct reflection_service *reflection_service_new(struct rpc_server *server); /* adds its methods */
void reflection_service_free(struct reflection_service *service);

#endif
