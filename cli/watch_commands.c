/* watch_commands.c - sagactl watch and wait. */
#include <limits.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/saga_filter.h"
#include "cli/saga_ids.h"
#include "cli/saga_watch.h"
#include "cli/sagas_watch.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

/* ---- watch ---- */

static int64_t watch_timeout_ms;
static bool is_outcomes_only;
static bool has_current;

static const struct option watch_options[] = {
	SAGA_FILTER_OPTIONS,
	{.flag = "outcomes",
	 .type = OPTION_BOOL,
	 .help = "Only what ends a saga or leaves it stuck.",
	 .place = &is_outcomes_only},
	{.flag = "current", .type = OPTION_BOOL, .help = "First the sagas that have not ended.", .place = &has_current},
	{.flag = "timeout",
	 .letter = 't',
	 .type = OPTION_DURATION_MS,
	 .help = "Stop watching after so long; 0 never does.",
	 .place = &watch_timeout_ms},
};

static bool is_any_filter_given(void)
{
	return saga_filter_flags.states.count > 0 || saga_filter_flags.definition || saga_filter_flags.key ||
	       saga_filter_flags.labels.count > 0 || is_outcomes_only || has_current;
}

static enum exit_code watch_one(struct session *session_, const char *saga_id)
{
	return saga_watch(session_, saga_id, SAGA_WATCH_TIMELINE, watch_timeout_ms);
}

static enum exit_code watch_all(struct session *session_)
{
	struct sagas_watch_options options = {
		.outcomes_only = is_outcomes_only, .include_current = has_current, .timeout_ms = watch_timeout_ms};
	Saga__V1__SagaFilter filter;
	_cleanup_(arena_release)
	struct arena arena = {0};
	struct problems problems;
	enum exit_code code = EXIT_USAGE;

	problems_init(&problems);
	if (saga_filter_make(&arena, &filter, &problems) == 0) {
		options.filter = &filter;
		code = sagas_watch(session_, &options);
	}
	session_say_problems(&problems);
	problems_release(&problems);
	return code;
}

static enum exit_code run_watch(struct session *session_, char **arguments, int count)
{
	if (count == 0)
		return watch_all(session_);
	if (is_any_filter_given()) {
		(void)fprintf(stderr, "sagactl watch: filters are for watching many sagas: give them or SAGA_ID\n");
		return EXIT_USAGE;
	}
	return saga_ids_each(session_, arguments, count, watch_one);
}

const struct command watch_command = {
	.name = "watch",
	.arguments = "[SAGA_ID]",
	.arguments_max = 1,
	.summary = "follow a saga, or all sagas that fit, as they happen",
	.notes = "With SAGA_ID: its timeline, drawn anew as it grows on a terminal, else a line for each event; until "
		 "the saga\n"
		 "ends or is stuck, which the exit code tells. Without: a line for each event of every saga that fits, "
		 "until\n"
		 "Ctrl-C. Lost connections are made again, and nothing is left out.\n",
	.examples = "sagactl watch 01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10\n"
		    "sagactl watch --definition checkout --outcomes\n"
		    "sagactl watch --state stuck,failed -o jsonl | while read -r change; do notify \"$change\"; done\n",
	.options = watch_options,
	.option_count = ARRAY_LEN(watch_options),
	.run = run_watch,
};

/* ---- wait ---- */

static int64_t wait_timeout_ms;
static int64_t wait_deadline_us;

static const struct option wait_options[] = {
	{.flag = "timeout",
	 .letter = 't',
	 .type = OPTION_DURATION_MS,
	 .default_text = "0",
	 .help = "For so long at most, for all of them together; 0 waits as long as it takes.",
	 .place = &wait_timeout_ms},
};

static enum exit_code wait_one(struct session *session_, const char *saga_id)
{
	int64_t left_ms = wait_timeout_ms > 0 ? (wait_deadline_us - clock_monotonic_us()) / 1000 : 0;

	if (wait_timeout_ms > 0 && left_ms < 1)
		left_ms = 1; /* one that has ended already is still seen */
	return saga_watch(session_, saga_id, SAGA_WATCH_OUTCOME, left_ms);
}

static enum exit_code run_wait(struct session *session_, char **arguments, int count)
{
	wait_deadline_us = clock_monotonic_us() + wait_timeout_ms * 1000;
	return saga_ids_each(session_, arguments, count, wait_one);
}

const struct command wait_command = {
	.name = "wait",
	.arguments = "SAGA_ID…",
	.arguments_min = 1,
	.arguments_max = INT_MAX,
	.summary = "wait until sagas have ended, or need a person",
	.notes =
		"Prints how each ended. The exit code is that of the first saga that did not end COMPLETED. SAGA_ID "
		"may be -\n"
		"for ids from standard input. A coordinator that goes away meanwhile is asked again until the time is\n"
		"over, without --timeout for a minute.\n",
	.examples = "sagactl wait 01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10 --timeout 1m\n"
		    "sagactl list --label batch=17 --quiet | sagactl wait - && echo 'all completed'\n",
	.options = wait_options,
	.option_count = ARRAY_LEN(wait_options),
	.run = run_wait,
};
