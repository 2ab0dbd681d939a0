/*
 * stuck_service.h - ListStuck: what waits for a person, in groups, straight from the database.
 *
 * Cost:       a call looks at a bounded number of sagas, found by the walk over open ones that lists use; more are the next
 *             page. What a step is stuck for is in the saga's bytes alone, so no step pays for this with an index.
 * Threads:    on the server's reading worker, the only user of the port.
 * Ownership:  borrows the port's store and the catalog until the server is drained.
 */
#ifndef COORDINATOR_API_STUCK_SERVICE_H
#define COORDINATOR_API_STUCK_SERVICE_H

#include "coordinator/api/rpc_server.h"
#include "coordinator/definition/catalog.h"
#include "coordinator/engine/read_port.h"

struct stuck_service;

struct stuck_service *stuck_service_new(struct rpc_server *server, const struct read_port *port,
					struct catalog *catalog);
void stuck_service_free(struct stuck_service *service);

#endif
