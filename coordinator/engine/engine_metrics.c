/* engine_metrics.c - see engine_metrics.h. */
#include "coordinator/engine/engine_metrics.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/memory.h"

static const double EVENT_BOUNDS[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000};

static const char *const IGNORED_LABELS[IGNORED_WHY_COUNT] = {
	[IGNORED_NO_EFFECT] = "why=\"no_effect\"",
	[IGNORED_UNKNOWN_SAGA] = "why=\"unknown_saga\"",
	[IGNORED_UNKNOWN_STEP] = "why=\"unknown_step\"",
};

static const char *const STATE_LABELS[SAGA_STATE_COUNT] = {
	[SAGA_STATE_SCHEDULED] = "state=\"scheduled\"",
	[SAGA_STATE_RUNNING] = "state=\"running\"",
	[SAGA_STATE_COMPLETING] = "state=\"completing\"",
	[SAGA_STATE_COMPLETED] = "outcome=\"completed\"",
	[SAGA_STATE_COMPENSATING] = "state=\"compensating\"",
	[SAGA_STATE_COMPENSATED] = "outcome=\"compensated\"",
	[SAGA_STATE_STUCK] = "state=\"stuck\"",
	[SAGA_STATE_FAILED] = "outcome=\"failed\"",
};

static const char PAUSED_HELP[] = "Definitions, participants and single sagas that an operator has paused.";
static const char STUCK_HELP[] = "Sagas of all instances that wait for a person, counted every 10 s.";

static const char TOLD_HELP[] = "Events that changed nothing of a saga, or that no saga waited for.";

static void register_sagas(struct engine_metrics *metrics, struct metrics *set)
{
	metrics->started = metrics_counter(set, "saga_started_total", NULL, "Sagas that were started here.");
	for (int i = 0; i < SAGA_STATE_COUNT; i++)
		if (saga_state_is_terminal((enum saga_state)i))
			metrics->finished[i] = metrics_counter(set, "saga_finished_total", STATE_LABELS[i],
							       "Sagas that reached a terminal state here.");
	metrics->stuck =
		metrics_counter(set, "saga_stuck_total", NULL, "Steps of sagas that began to wait for a person here.");
	for (int i = 0; i < SAGA_STATE_COUNT; i++)
		if (!saga_state_is_terminal((enum saga_state)i))
			metrics->open[i] = metrics_gauge(set, "saga_open", STATE_LABELS[i],
							 "Sagas of all instances by state, counted every 10 s.");
}

static void register_steps(struct engine_metrics *metrics, struct metrics *set)
{
	static const struct {
		enum step_phase phase;
		enum saga_event_type how;
		const char *labels;
	} series[] = {
		{STEP_PHASE_FORWARD, SAGA_EVENT_SUCCEEDED, "phase=\"forward\",outcome=\"succeeded\""},
		{STEP_PHASE_FORWARD, SAGA_EVENT_REJECTED, "phase=\"forward\",outcome=\"rejected\""},
		{STEP_PHASE_FORWARD, SAGA_EVENT_RETRIABLE, "phase=\"forward\",outcome=\"retriable\""},
		{STEP_PHASE_FORWARD, SAGA_EVENT_TIMED_OUT, "phase=\"forward\",outcome=\"timed_out\""},
		{STEP_PHASE_COMPENSATION, SAGA_EVENT_SUCCEEDED, "phase=\"compensation\",outcome=\"succeeded\""},
		{STEP_PHASE_COMPENSATION, SAGA_EVENT_REJECTED, "phase=\"compensation\",outcome=\"rejected\""},
		{STEP_PHASE_COMPENSATION, SAGA_EVENT_RETRIABLE, "phase=\"compensation\",outcome=\"retriable\""},
		{STEP_PHASE_COMPENSATION, SAGA_EVENT_TIMED_OUT, "phase=\"compensation\",outcome=\"timed_out\""},
		{STEP_PHASE_INQUIRY, SAGA_EVENT_SUCCEEDED, "phase=\"inquiry\",outcome=\"succeeded\""},
		{STEP_PHASE_INQUIRY, SAGA_EVENT_REJECTED, "phase=\"inquiry\",outcome=\"rejected\""},
		{STEP_PHASE_INQUIRY, SAGA_EVENT_RETRIABLE, "phase=\"inquiry\",outcome=\"retriable\""},
		{STEP_PHASE_INQUIRY, SAGA_EVENT_TIMED_OUT, "phase=\"inquiry\",outcome=\"timed_out\""},
		{STEP_PHASE_INQUIRY, SAGA_EVENT_UNKNOWN, "phase=\"inquiry\",outcome=\"unknown\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(series); i++)
		metrics->step_seconds[series[i].phase][series[i].how] =
			metrics_histogram(set, "saga_step_seconds", series[i].labels,
					  "From the first sending of a command's attempt to the event that ended it.",
					  METRIC_SECONDS_BOUNDS, METRIC_SECONDS_BOUND_COUNT);
}

void engine_metrics_register(struct engine_metrics *metrics, struct metrics *set)
{
	register_sagas(metrics, set);
	register_steps(metrics, set);
	metrics->turn_events = metrics_histogram(set, "saga_turn_events", NULL, "Changes that one transaction carried.",
						 EVENT_BOUNDS, ARRAY_LEN(EVENT_BOUNDS));
	metrics->commit_seconds = metrics_histogram(set, "saga_commit_seconds", NULL,
						    "From sending a transaction to taking its answer.",
						    METRIC_SECONDS_BOUNDS, METRIC_SECONDS_BOUND_COUNT);
	metrics->start_seconds = metrics_histogram(set, "saga_start_seconds", NULL,
						   "From a start's arrival to its answer.", METRIC_SECONDS_BOUNDS,
						   METRIC_SECONDS_BOUND_COUNT);
	metrics->resends = metrics_counter(set, "saga_resends_total", NULL, "Commands that were sent again.");
	for (int i = 0; i < IGNORED_WHY_COUNT; i++)
		metrics->ignored[i] = metrics_counter(set, "saga_replies_ignored_total", IGNORED_LABELS[i],
						      "Replies that changed nothing.");
	metrics->bad = metrics_counter(set, "saga_replies_bad_total", NULL,
				       "Replies that cannot be understood; the log says which.");
	metrics->told = metrics_counter(set, "saga_events_received_total", NULL,
					"Records on topics of events that definitions wait for.");
	metrics->told_no_effect = metrics_counter(set, "saga_events_ignored_total", "why=\"no_effect\"", TOLD_HELP);
	metrics->told_unmatched = metrics_counter(set, "saga_events_ignored_total", "why=\"unmatched\"", TOLD_HELP);
	metrics->conflicts = metrics_counter(set, "saga_conflicts_total", NULL,
					     "Changes made again because another instance was first.");
	metrics->refused = metrics_counter(set, "saga_refused_total", NULL, "Changes that the database refused.");
	metrics->waiting = metrics_gauge(set, "saga_commands_waiting", NULL,
					 "Commands that wait here until their participant has room.");
	metrics->starts_refused =
		metrics_counter(set, "saga_starts_refused_total", NULL,
				"Starts that were refused because their definition has as many open sagas as it may.");
	metrics->starts_shed =
		metrics_counter(set, "saga_starts_shed_total", NULL,
				"Starts that were refused because more came than this coordinator gets through.");
	metrics->queue_length = metrics_gauge(set, "saga_queue_length", NULL, "What waits for the next turn.");
	metrics->paused[PAUSE_DEFINITION] = metrics_gauge(set, "saga_paused", "what=\"definition\"", PAUSED_HELP);
	metrics->paused[PAUSE_PARTICIPANT] = metrics_gauge(set, "saga_paused", "what=\"participant\"", PAUSED_HELP);
	metrics->sagas_paused = metrics_gauge(set, "saga_paused", "what=\"saga\"", PAUSED_HELP);
	metrics->stuck_others = metrics_gauge(set, "saga_stuck", "definition=\"(others)\"", STUCK_HELP);
	metrics->set = set;
}

void engine_metrics_release(struct engine_metrics *metrics)
{
	for (size_t i = 0; i < metrics->stuck_count; i++)
		free(metrics->stuck_of[i].definition);
	metrics->stuck_count = 0;
}

/* ---- the open sagas ---- */

/* NULL: there are as many series as there may be. */
static struct stuck_series *series_of(struct engine_metrics *metrics, const char *definition)
{
	_cleanup_(buffer_release)
	struct buffer labels = {0};
	struct stuck_series *series;

	for (size_t i = 0; i < metrics->stuck_count; i++)
		if (strcmp(metrics->stuck_of[i].definition, definition) == 0)
			return &metrics->stuck_of[i];
	if (metrics->stuck_count == STUCK_SERIES_MAX)
		return NULL;
	buffer_append_format(&labels, "definition=\"%s\"", definition); /* a name has nothing to be escaped */
	series = &metrics->stuck_of[metrics->stuck_count++];
	series->definition = xstrdup(definition);
	series->gauge = metrics_gauge(metrics->set, "saga_stuck", buffer_text(&labels), STUCK_HELP);
	return series;
}

static void count_stuck(struct engine_metrics *metrics, const struct store_count *counts, size_t count)
{
	int64_t others = 0;

	for (size_t i = 0; i < metrics->stuck_count; i++)
		metrics->stuck_of[i].sagas = 0;
	for (size_t i = 0; i < count; i++) {
		struct stuck_series *series;

		if (counts[i].state != SAGA_STATE_STUCK)
			continue;
		series = series_of(metrics, counts[i].definition_name);
		*(series ? &series->sagas : &others) += counts[i].sagas;
	}
	for (size_t i = 0; i < metrics->stuck_count; i++)
		metric_set(metrics->stuck_of[i].gauge, metrics->stuck_of[i].sagas);
	metric_set(metrics->stuck_others, others);
}

void engine_metrics_count(struct engine_metrics *metrics, const struct store_count *counts, size_t count)
{
	int64_t by_state[SAGA_STATE_COUNT] = {0};
	int64_t paused = 0;

	for (size_t i = 0; i < count; i++) {
		by_state[counts[i].state] += counts[i].sagas;
		paused += counts[i].paused;
	}
	for (int i = 0; i < SAGA_STATE_COUNT; i++)
		if (metrics->open[i])
			metric_set(metrics->open[i], by_state[i]);
	metric_set(metrics->sagas_paused, paused);
	count_stuck(metrics, counts, count);
}
