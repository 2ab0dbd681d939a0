/*
 * crash_point.h - named moments at which tests kill a process (crash_points.def has them all).
 *
 * Why:        what a kill -9 between two writes leaves behind has to be mended by somebody; whether it is shows only when the
 *             process dies exactly there. A kill from outside hits such a moment by luck.
 * Guarantees: nothing of it is in a build without -DAMENDS_CRASH_POINTS=ON; there a name is checked, and that is all.
 * In one with it, the environment says AMENDS_CRASH_AT=NAME or NAME:N, and the process kills itself at its N-th pass (the
 * first without N): by SIGKILL, so that nothing is flushed, closed or left in order.
 * Threads:    any.
 */
#ifndef LIB_BASE_CRASH_POINT_H
#define LIB_BASE_CRASH_POINT_H

enum crash_point {
#define CRASH_POINT_ROW(name, who, between) CRASH_POINT_##name,
#include "lib/base/crash_points.def"
	CRASH_POINT_COUNT
};

#ifdef AMENDS_CRASH_POINTS
#define CRASH_POINT(name) crash_point_pass(CRASH_POINT_##name)
void crash_point_pass(enum crash_point point);
#else
#define CRASH_POINT(name) ((void)CRASH_POINT_##name)
#endif

#endif
