/*
 * pause_service.h - PauseDefinition, ResumeDefinition, PauseParticipant, ResumeParticipant and ListPauses.
 *
 * Why:        a pause is a row, not an event of a saga: the engines of all coordinators read it and hold back what it names
 *             (engine/pauses.h).
 * Threads:    the server's workers: `changes` on that of blocking calls, `reads` on that of reading ones.
 * Ownership:  borrows the catalog, copies the ports.
 */
#ifndef COORDINATOR_API_PAUSE_SERVICE_H
#define COORDINATOR_API_PAUSE_SERVICE_H

#include "coordinator/api/rpc_server.h"
#include "coordinator/definition/catalog.h"
#include "coordinator/engine/pause_port.h"

struct pause_service;

struct pause_service *pause_service_new(struct rpc_server *server, const struct pause_port *changes,
					const struct pause_port *reads, struct catalog *catalog);
void pause_service_free(struct pause_service *service);

#endif
