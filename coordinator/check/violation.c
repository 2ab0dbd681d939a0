/* violation.c - see violation.h. */
#include "coordinator/check/violation.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

#include "lib/base/bytes.h"
#include "lib/base/memory.h"

const struct invariant invariants[INVARIANT_COUNT] = {
	[1] = {"each saga ends exactly once, and a stuck one is listed",
	       "sagactl explain SAGA says what it waits for; whether its row was changed by hand, the database's log "
	       "knows"},
	[2] = {"business sums agree: nothing is taken, given or charged that no completed saga stands for",
	       "compare the rows of this key in the services' databases with sagactl get SAGA, then correct what is "
	       "wrong"},
	[3] = {"only what ran, or may have, is undone, in the reverse order",
	       "look at the step's rows in its service's database: the effect may stand although the saga went back"},
	[4] = {"no effect twice, and none missing: for each command its effect is there once or not at all",
	       "look at the step's rows in its service's database; was its inbox restored from a backup, or cut too "
	       "early?"},
	[5] = {"a saga's log is a legal path that leads to its row",
	       "sagactl log SAGA shows the log; rows that were changed by hand have to be put back"},
	[6] = {"a participant gives the same final reply to the same command",
	       "the participant must answer a duplicate with what is stored in its inbox (docs/wire-contract.md, "
	       "section 4)"},
	[7] = {"every command on a topic was decided by a saga, and every decided one is there",
	       "find out who writes to the topic, or what deleted from it; sagactl get SAGA shows what the saga did"},
	[9] = {"a saga's versions have no gaps: every change names the version that it read",
	       "rows that were deleted by hand have to be put back"},
	[8] = {"nothing that was acknowledged to a client is lost", "only a client's own journal can tell"},
	[10] = {"queues and memory stay bounded while a dependency is away", "only the metrics can tell"},
	[11] = {"with faults over, no unfinished saga stands still",
		"sagactl explain SAGA says what it waits for; is every coordinator and participant up?"},
	[12] = {"a timer fires at or after its time, once",
		"look at the clock of the database's machine; rows that were changed by hand have to be put back"},
	[13] = {"each message ends as processed, as a duplicate, or as a dead letter",
		"the participant stored its offset before it had answered (docs/wire-contract.md, section 4, rule 6)"},
	[14] = {"what was started is found, and no client sees a state go back",
		"only a client's own journal can tell"},
};

int violation_invariant(const struct violation *violation)
{
	const long number = violation->text[0] == 'I' ? strtol(violation->text + 1, NULL, 10) : 0;

	assert(number > 0 && number < INVARIANT_COUNT);
	return (int)number;
}

const char *violation_advice(const struct violation *violation)
{
	return violation->advice ? violation->advice : invariants[violation_invariant(violation)].advice;
}

void check_report(const struct check_listener *listener, const struct uuid *saga_id, const char *step_id,
		  const char *text)
{
	const struct violation violation = {.saga_id = saga_id, .step_id = step_id, .text = text};

	listener->violation(listener->ctx, &violation);
}

void check_undecided(const struct check_listener *listener, const char *format, ...)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};
	va_list args;

	va_start(args, format);
	buffer_append_va(&text, format, args);
	va_end(args);
	listener->undecided(listener->ctx, buffer_text(&text));
}
