/*
 * reload.h - what SIGHUP does: the log level is read again, and what else the program can replace while it runs.
 *
 * Guarantees: what is wrong is logged, and what was in force before stays in force.
 * Threads:    one of its own takes the signal and runs `also`; shutdown_init() has blocked SIGHUP everywhere before.
 */
#ifndef LIB_OPTIONS_RELOAD_H
#define LIB_OPTIONS_RELOAD_H

#include "lib/options/options.h"

struct reload { /* borrowed until reload_stop(); the program has an option log-level */
	const struct program *program;
	int argc;
	char **argv;
	int (*also)(void *ctx, struct error *err); /* certificates and the like; NULL: nothing */
	void *ctx;
};

void reload_start(const struct reload *reload);
void reload_stop(void); /* waits for one that runs; nothing where none was started */

#endif
