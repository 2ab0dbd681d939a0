/*
 * rpc_guard.h - lets a call in, or not: who calls, by certificate or bearer token, and whether the method may be called
 * by them. Also the server's credentials of TLS, which follow the certificates when these are reloaded.
 */
#ifndef COORDINATOR_API_RPC_GUARD_H
#define COORDINATOR_API_RPC_GUARD_H

#include <grpc/grpc_security.h>

#include "coordinator/api/rpc_internal.h"

/* 0: go on. ERR_LIMIT: too much metadata; ERR_UNAUTHENTICATED, ERR_DENIED. `*ret_reason` is the ErrorInfo's. */
NODISCARD int rpc_guard_admit(const struct rpc_registered *method, const struct rpc_arrival *arrival,
			      struct identity *ret_caller, const char **ret_reason, struct error *err);

/* Plain without certificates. Each new connection gets the newest ones. */
grpc_server_credentials *rpc_guard_credentials(struct rpc_server *server);

#endif
