/*
 * saga_timeline.h - one saga for people: where it is, its steps, and what happened when.
 */
#ifndef CLI_SAGA_TIMELINE_H
#define CLI_SAGA_TIMELINE_H

#include "lib/base/bytes.h"
#include "proto/saga/v1/saga.pb-c.h"

/* Times of events are relative to the start, in milliseconds. */
void saga_timeline_append(struct buffer *out, const Saga__V1__Saga *saga, bool has_colours);
void saga_header_append(struct buffer *out, const Saga__V1__Saga *saga, bool has_colours); /* its first line alone */

#endif
