/*
 * saga_timeline.h - one saga for people: where it is, its steps, and what happened when.
 *
 * Times of events are relative to the saga's start.
 */
#ifndef CLI_SAGA_TIMELINE_H
#define CLI_SAGA_TIMELINE_H

#include "cli/terminal.h"
#include "lib/base/bytes.h"
#include "proto/saga/v1/saga.pb-c.h"

struct saga_view {
	const Saga__V1__Saga *saga;
	Saga__V1__SagaEvent *const *events; /* in place of the saga's own */
	size_t event_count;
	int64_t now_us; /* 0: the view will not be drawn again, so times that run are not shown */
	int frame;      /* counts drawings: what is busy moves */
};

/* Its first line alone. */
void saga_header_append(struct buffer *out, const Saga__V1__Saga *saga, bool has_colours);

/* As many lines as the terminal has at most, 0: all; the newest events stay. */
void saga_timeline_append(struct buffer *out, const struct saga_view *view, const struct terminal *terminal,
			  int line_max);

/* Events from index `first` on, a line each, in columns that do not depend on the events: for lines that are not drawn
 * again. */
void saga_event_lines_append(struct buffer *out, const struct saga_view *view, size_t first,
			     const struct terminal *terminal);

#endif
