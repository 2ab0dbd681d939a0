/*
 * definition_service.h - PutDefinition, GetDefinition, ListDefinitions.
 *
 * Threads:    the calls block on registry and store, so they run on the server's worker thread.
 * Ownership:  borrows catalog and engine until the server is drained.
 */
#ifndef COORDINATOR_API_DEFINITION_SERVICE_H
#define COORDINATOR_API_DEFINITION_SERVICE_H

#include "coordinator/api/rpc_server.h"
#include "coordinator/definition/catalog.h"
#include "coordinator/engine/engine.h"

struct definition_service;

struct definition_service *definition_service_new(struct rpc_server *server, struct catalog *catalog,
						  struct engine *engine);
void definition_service_free(struct definition_service *service);

/* NOT_FOUND, with the nearest names, or the versions that there are. */
struct status definition_unknown_status(struct catalog *catalog, const char *name, int32_t version,
					struct arena *arena);

#endif
