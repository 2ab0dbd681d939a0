/*
 * saga_watch.h - follows one saga before a person's or a program's eyes until it ends, is stuck, or time is over.
 */
#ifndef CLI_SAGA_WATCH_H
#define CLI_SAGA_WATCH_H

#include "cli/session.h"

enum saga_watch_show {
	SAGA_WATCH_TIMELINE, /* drawn again and again on a terminal, else a line for each event; JSON: each message */
	SAGA_WATCH_OUTCOME,  /* one line at the end; JSON: the saga with its events */
	SAGA_WATCH_NOTHING,  /* the exit code alone */
};

/* timeout_ms 0: as long as it takes. Answers the exit code of the outcome. */
enum exit_code saga_watch(struct session *session, const char *saga_id, enum saga_watch_show show, int64_t timeout_ms);

#endif
