/*
 * trace.h - one trace a saga: a root span from start to end, and under it a span for each attempt of a step.
 *
 * Why:        a saga lives longer than a process and moves between coordinators, so nothing about its spans may be kept in memory:
 *             their ids are made from the saga's id, step, phase and attempt, and the caller's context is kept as the saga's
 *             labels `traceparent` and `tracestate`. Each span is sent by whoever commits its end.
 * Off:        without an exporter the caller's context is handed on as it came, and nothing else happens.
 * Threads:    the engine's.
 */
#ifndef COORDINATOR_ENGINE_TRACE_H
#define COORDINATOR_ENGINE_TRACE_H

#include "coordinator/engine/record.h"
#include "coordinator/engine/report.h"

struct cached_saga;
struct saga_facts;

/* What the command's record says of its trace, in the turn's arena. */
void trace_command(struct engine *engine, const struct saga_facts *facts, const struct saga *saga,
		   const struct saga_effect *effect, struct record_command *command);
void trace_attempt(struct engine *engine, const struct cached_saga *cached, const struct attempt_end *end);
void trace_saga(struct engine *engine, const struct cached_saga *cached, const struct saga *saga); /* it has ended */

#endif
