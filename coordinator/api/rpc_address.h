/*
 * rpc_address.h - where the gRPC server may listen: loopback and UNIX sockets, unless the user insists.
 *
 * Why:        without TLS everybody on the network could start sagas, and the C core of Debian 12 has known holes.
 */
#ifndef COORDINATOR_API_RPC_ADDRESS_H
#define COORDINATOR_API_RPC_ADDRESS_H

#include "lib/base/error.h"

/* HOST:PORT, [V6]:PORT or unix:PATH; otherwise ERR_INVALID with what to do. */
NODISCARD int rpc_address_check(const char *address, bool is_insecure_allowed, struct error *err);

#endif
