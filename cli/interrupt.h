/*
 * interrupt.h - Ctrl-C, SIGTERM and SIGHUP while something is being watched: asked for, not jumped into.
 *
 * Why:        a command that has drawn on the screen must tidy it and say where things stand. Commands that did nothing
 *             of the kind are simply ended by the signal, as everybody expects.
 */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdbool.h>

void interrupt_catch(void);  /* from now on; the second signal ends the process at once */
bool interrupt_caught(void); /* since then */

#endif
