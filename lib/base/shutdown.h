/*
 * shutdown.h - being asked to stop: SIGTERM and SIGINT as a descriptor that becomes readable, once and for good.
 *
 * Why:        a signal handler may do next to nothing, and a signal that lands on a library's thread would end the
 *             process in the middle of its work. Blocked everywhere and taken by one thread, it is an event like any
 *             other.
 * Guarantees: a second signal ends the process at once with 128 + its number; so does, with 1, a drain that takes more
 *             than 30 s. Whoever stops us needs no kill -9.
 * Threads:    shutdown_init() in main() before any thread starts; the others from any thread.
 * Not here:   what stopping means: intake, drain, flush, close, join are each program's own.
 */
#ifndef LIB_BASE_SHUTDOWN_H
#define LIB_BASE_SHUTDOWN_H

#include <stdbool.h>

void shutdown_init(void);      /* blocks SIGTERM, SIGINT and SIGHUP (see lib/options/reload.h) in this
				* thread and all it starts; ignores SIGPIPE */
int shutdown_fd(void);         /* readable once asked to stop, and from then on; not to be read or closed */
bool shutdown_requested(void); /* does not block */
void shutdown_wait(void);      /* blocks until asked to stop */
void shutdown_request(void);   /* as if a first SIGTERM had come; again and again, too */

#endif
