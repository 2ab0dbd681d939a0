/*
 * rpc_address.h - the forms of addresses that the gRPC server can listen on.
 */
#ifndef COORDINATOR_API_RPC_ADDRESS_H
#define COORDINATOR_API_RPC_ADDRESS_H

#include <stdbool.h>

#include "lib/base/error.h"

/* HOST:PORT, [V6]:PORT or unix:PATH; otherwise ERR_INVALID with what to do. */
NODISCARD int rpc_address_check(const char *address, struct error *err);

/* ERR_CONFLICT: another process listens on this UNIX socket. gRPC would take the path from it without a word, and whichever
 * ends first would delete it. Of an address that was checked. */
NODISCARD int rpc_address_check_free(const char *address, struct error *err);

/* Only this machine reaches it: loopback, or a UNIX socket. Of an address that was checked. */
bool rpc_address_is_local(const char *address);

#endif
