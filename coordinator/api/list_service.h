/*
 * list_service.h - ListSagas and GetSagaLog, a page at a time, straight from the database.
 *
 * Threads:    on the server's reading worker, the only user of the port.
 * Ownership:  borrows the port's store until the server is drained.
 */
#ifndef COORDINATOR_API_LIST_SERVICE_H
#define COORDINATOR_API_LIST_SERVICE_H

#include "coordinator/api/rpc_server.h"
#include "coordinator/engine/read_port.h"

enum { LIST_PAGE_MAX = 1000, LIST_PAGE_DEFAULT = 50, LOG_PAGE_DEFAULT = 100 };

struct list_service;

struct list_service *list_service_new(struct rpc_server *server, const struct read_port *port);
void list_service_free(struct list_service *service);

#endif
