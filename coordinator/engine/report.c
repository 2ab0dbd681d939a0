/* report.c - see report.h. */
#include "coordinator/engine/report.h"

#include "coordinator/engine/engine_state.h"

/* When the attempt in flight was sent first; 0: none is in flight. An accepted one has moved since, but not begun anew. */
static int64_t begin_of(const struct step *step, enum step_phase phase)
{
	switch (step->state) {
	case STEP_STATE_DISPATCHED:
		return phase == STEP_PHASE_FORWARD ? step->updated_us : 0;
	case STEP_STATE_ACCEPTED:
		return phase == STEP_PHASE_FORWARD ? step->started_us : 0;
	case STEP_STATE_COMPENSATING:
		return phase == STEP_PHASE_COMPENSATION ? step->updated_us : 0;
	case STEP_STATE_INQUIRING:
		return phase == STEP_PHASE_INQUIRY ? step->updated_us : 0;
	default:
		return 0;
	}
}

static bool is_end(enum saga_event_type type)
{
	return type == SAGA_EVENT_SUCCEEDED || type == SAGA_EVENT_REJECTED || type == SAGA_EVENT_RETRIABLE ||
	       type == SAGA_EVENT_TIMED_OUT || type == SAGA_EVENT_UNKNOWN;
}

void report_note(struct engine *engine, struct group *group, const struct saga *before, const struct saga_event *event)
{
	struct attempt_end *end;
	int64_t begun_us;

	if (event->step < 0 || !is_end(event->type))
		return;
	begun_us = begin_of(&before->steps[event->step], event->phase);
	if (begun_us == 0)
		return;
	end = arena_alloc(&engine->arena, sizeof(*end));
	*end = (struct attempt_end){
		.next = group->ends,
		.step = event->step,
		.phase = event->phase,
		.attempt = event->attempt,
		.how = event->type,
		.begun_us = begun_us,
		.ended_us = event->time_us,
		.reason = event->reason,
	};
	group->ends = end;
}

void report_committed(struct engine *engine, const struct group *group)
{
	for (const struct attempt_end *end = group->ends; end; end = end->next) {
		metric_observe(engine->metrics.step_seconds[end->phase][end->how],
			       (double)(end->ended_us - end->begun_us) / 1e6);
		trace_attempt(engine, group->cached, end);
	}
}
