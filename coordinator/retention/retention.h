/*
 * retention.h - finished sagas leave with their logs, some time after their end, archived first where somebody wants that.
 *
 * Why:        tables that only grow make every backup, vacuum and index larger than the work in hand is.
 * Guarantees: open and stuck sagas never leave. What is archived is with the broker before its row goes; a saga that cannot be
 *             archived stays. Of several coordinators one does it at a time.
 * Cost:       small transactions on a connection of their own, with rests: a fifth of one connection's time, and half of it
 *             where it is late.
 * Threads:    its own.
 * Ownership:  borrows ports, archive and metrics until retention_free().
 */
#ifndef COORDINATOR_RETENTION_RETENTION_H
#define COORDINATOR_RETENTION_RETENTION_H

#include "coordinator/retention/archive.h"
#include "coordinator/retention/retention_port.h"
#include "lib/metrics/metrics.h"

struct retention;

struct retention_options {
	const struct retention_port *port;
	struct archive *archive; /* NULL: nobody wants them */
	struct metrics *metrics;
	int64_t keep_ms; /* after the end; more than 0 */
};

struct retention *retention_new(const struct retention_options *options);
NODISCARD int retention_run(struct retention *retention, struct error *err); /* starts the thread */
void retention_free(struct retention *retention);

#endif
