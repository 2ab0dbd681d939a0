/*
 * watchdog.h - calls the coordinator's own health service as a stranger would, and ends the process when nobody answers.
 *
 * Why:        this gRPC stops accepting for ever once descriptors ran out (CVE-2023-4785), while all else goes on: the
 *             process looks well from inside. A call over a fresh connection sees what clients see, and a new process
 *             is the cure; whatever supervises us starts it.
 * Guarantees: three calls in a row without an answer, `interval_ms` apart, end the process with status 1. NOT_SERVING is an
 *             answer.
 * Threads:    one of its own, until watchdog_free().
 */
#ifndef COORDINATOR_WATCHDOG_H
#define COORDINATOR_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

struct watchdog;

/* `address` as --grpc-listen has it, `port` as it was bound. With TLS a handshake is the call, see tls_probe.h. */
NODISCARD int watchdog_start(const char *address, int port, bool has_tls, int64_t interval_ms,
			     struct watchdog **ret_watchdog, struct error *err);
void watchdog_free(struct watchdog *watchdog); /* before the server stops */

#endif
