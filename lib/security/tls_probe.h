/*
 * tls_probe.h - does anybody answer a TLS handshake there? For a server that watches itself.
 *
 * Why:        a server that asks for clients' certificates refuses its own health call, and its name need not be the
 *             address's; but only a server that still accepts connections answers a handshake, even by refusing it.
 */
#ifndef LIB_SECURITY_TLS_PROBE_H
#define LIB_SECURITY_TLS_PROBE_H

#include <stdint.h>

#include "lib/base/error.h"

/* Blocks up to timeout_ms for each step. ERR_UNAVAILABLE, ERR_TIMEOUT: nobody answered. `host` is an IP address or localhost. */
NODISCARD int tls_probe(const char *host, int port, int64_t timeout_ms, struct error *err);

#endif
