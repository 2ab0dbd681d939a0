/* check_findings.c - see check_findings.h. */
#include "cli/check_findings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "cli/junit.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

enum { DRAW_EVERY_US = 200000 };

/* No database and no topic shows it. */
static bool is_beyond(int invariant)
{
	return invariant == 8 || invariant == 10 || invariant == 14;
}

void check_findings_init(struct check_findings *findings, enum findings_format format)
{
	*findings = (struct check_findings){.format = format};
	arena_init(&findings->arena, 0);
	for (int i = 0; i < INVARIANT_COUNT; i++)
		if (is_beyond(i))
			findings->unseen[i] = invariants[i].advice;
}

void check_findings_release(struct check_findings *findings)
{
	free(findings->items);
	free(findings->undecided);
	arena_release(&findings->arena);
}

/* ---- while it runs ---- */

static void erase_progress(void)
{
	if (isatty(STDERR_FILENO))
		(void)fprintf(stderr, "\r\033[K");
}

static void append_text(const struct finding *finding, bool with_advice, struct buffer *out)
{
	if (*finding->saga_id)
		buffer_append_format(out, "saga %s%s%s: ", finding->saga_id, *finding->step_id ? ", step " : "",
				     finding->step_id);
	buffer_append_format(out, "%s\n", finding->text);
	if (with_advice)
		buffer_append_format(out, "    what to do: %s\n", finding->advice);
}

static void append_json(const struct finding *finding, struct buffer *out)
{
	buffer_append_format(out, "{\"invariant\":\"I%d\"", finding->invariant);
	if (*finding->saga_id)
		buffer_append_json_member(out, "saga_id", finding->saga_id);
	if (*finding->step_id)
		buffer_append_json_member(out, "step", finding->step_id);
	buffer_append_json_member(out, "text", finding->text);
	buffer_append_json_member(out, "advice", finding->advice);
	buffer_append_byte(out, '}');
}

/* At once: a check of millions need not end before the first is seen. */
static void say(const struct check_findings *findings, const struct finding *finding)
{
	_cleanup_(buffer_release)
	struct buffer line = {0};

	if (findings->format == FINDINGS_JSON_LINES) {
		append_json(finding, &line);
		buffer_append_byte(&line, '\n');
	} else if (findings->format == FINDINGS_TEXT) {
		append_text(finding, findings->counts[finding->invariant] == 1, &line);
	}
	if (line.len > 0) {
		erase_progress();
		(void)fputs(buffer_text(&line), stdout);
	}
}

static void on_violation(void *ctx, const struct violation *violation)
{
	struct check_findings *findings = ctx;
	char id[UUID_TEXT_LEN + 1] = "";
	struct finding finding = {.invariant = violation_invariant(violation),
				  .saga_id = id,
				  .step_id = violation->step_id ? violation->step_id : "",
				  .text = violation->text,
				  .advice = violation_advice(violation)};

	if (violation->saga_id)
		uuid_format(*violation->saga_id, id);
	findings->count++;
	findings->counts[finding.invariant]++;
	say(findings, &finding);
	if (findings->kept == FINDINGS_KEPT_MAX)
		return;
	findings->items = xrealloc_array(findings->items, findings->kept + 1, sizeof(*findings->items));
	finding.saga_id = arena_strdup(&findings->arena, finding.saga_id);
	finding.step_id = arena_strdup(&findings->arena, finding.step_id);
	finding.text = arena_strdup(&findings->arena, finding.text);
	finding.advice = arena_strdup(&findings->arena, finding.advice);
	findings->items[findings->kept++] = finding;
}

static void on_undecided(void *ctx, const char *what)
{
	struct check_findings *findings = ctx;

	findings->undecided =
		xrealloc_array(findings->undecided, findings->undecided_count + 1, sizeof(*findings->undecided));
	findings->undecided[findings->undecided_count++] = arena_strdup(&findings->arena, what);
	erase_progress();
	(void)fprintf(stderr, "sagactl: cannot decide: %s\n", what);
}

static bool on_progress(void *ctx, const char *what, int64_t done, int64_t total)
{
	struct check_findings *findings = ctx;
	const int64_t now_us = clock_monotonic_us();

	findings->is_interrupted = findings->is_interrupted || interrupt_caught();
	if (isatty(STDERR_FILENO) && now_us - findings->drawn_us >= DRAW_EVERY_US) {
		findings->drawn_us = now_us;
		(void)fprintf(stderr, "\r\033[K%" PRId64, done);
		if (total)
			(void)fprintf(stderr, " of %" PRId64, total);
		(void)fprintf(stderr, " %s, %" PRId64 " violations", what, findings->count);
	}
	return !findings->is_interrupted;
}

struct check_listener check_findings_listener(struct check_findings *findings)
{
	return (struct check_listener){on_violation, on_undecided, on_progress, findings};
}

/* ---- the sums ---- */

static int64_t count_open(const struct database_check_sums *sums)
{
	int64_t count = 0;

	for (int state = 0; state < SAGA_STATE_COUNT; state++)
		if (saga_state_is_open((enum saga_state)state))
			count += sums->states[state];
	return count;
}

static bool is_said_before(const struct check_findings *findings, int invariant)
{
	for (int i = 1; i < invariant; i++)
		if (findings->unseen[i] && strcmp(findings->unseen[i], findings->unseen[invariant]) == 0)
			return true;
	return false;
}

/* "not looked at: I2 (no --assertions); I6, I13 (no --topics)": what another call could look at. */
static void append_unseen_text(const struct check_findings *findings, struct buffer *out)
{
	const char *separator = "not looked at: ";

	for (int i = 1; i < INVARIANT_COUNT; i++) {
		if (!findings->unseen[i] || is_beyond(i) || is_said_before(findings, i))
			continue;
		for (int k = i; k < INVARIANT_COUNT; k++) {
			if (!findings->unseen[k] || strcmp(findings->unseen[i], findings->unseen[k]) != 0)
				continue;
			buffer_append_format(out, "%sI%d", separator, k);
			separator = ", ";
		}
		buffer_append_format(out, " (%s)", findings->unseen[i]);
		separator = "; ";
	}
	if (strcmp(separator, "; ") == 0)
		buffer_append_byte(out, '\n');
}

static void print_text(const struct check_findings *findings, const struct database_check_sums *sums,
		       const struct check_extent *extent, struct buffer *out)
{
	buffer_append_format(out,
			     "%s%" PRId64 " sagas with %" PRId64 " entries: %" PRId64 " violation%s; %" PRId64
			     " open, %" PRId64 " stuck",
			     sums->is_complete ? "" : "incomplete, after ", sums->sagas, sums->entries, findings->count,
			     findings->count == 1 ? "" : "s", count_open(sums), sums->states[SAGA_STATE_STUCK]);
	if (extent->participants)
		buffer_append_format(out, "; %" PRId64 " inbox rows of %zu participants", extent->inbox_rows,
				     extent->participants);
	if (extent->topics)
		buffer_append_format(out, "; %" PRId64 " records of %zu topics", extent->records, extent->topics);
	if (extent->assertions)
		buffer_append_format(out, "; %" PRId64 " assertions", extent->assertions);
	if (sums->old)
		buffer_append_format(out, "; %" PRId64 " of an earlier version, not replayed", sums->old);
	if (findings->undecided_count)
		buffer_append_format(out, "; %zu undecided", findings->undecided_count);
	buffer_append_byte(out, '\n');
	append_unseen_text(findings, out);
}

static void append_sums(const struct check_findings *findings, const struct database_check_sums *sums,
			const struct check_extent *extent, struct buffer *out)
{
	buffer_append_format(out,
			     "{\"sagas\":%" PRId64 ",\"entries\":%" PRId64 ",\"violations\":%" PRId64
			     ",\"undecided\":%zu,\"not_replayed\":%" PRId64 ",\"inbox_rows\":%" PRId64
			     ",\"records\":%" PRId64 ",\"assertions\":%" PRId64 ",\"is_complete\":%s,\"states\":{",
			     sums->sagas, sums->entries, findings->count, findings->undecided_count, sums->old,
			     extent->inbox_rows, extent->records, extent->assertions,
			     sums->is_complete ? "true" : "false");
	for (int state = 0; state < SAGA_STATE_COUNT; state++)
		buffer_append_format(out, "%s\"%s\":%" PRId64, state ? "," : "",
				     saga_state_name((enum saga_state)state), sums->states[state]);
	buffer_append_text(out, "}}");
}

static void append_unseen_json(const struct check_findings *findings, struct buffer *out)
{
	bool is_first = true;

	for (int i = 1; i < INVARIANT_COUNT; i++) {
		if (!findings->unseen[i])
			continue;
		buffer_append_format(out, "%s\"I%d\":", is_first ? "" : ",", i);
		buffer_append_json_string(out, findings->unseen[i], strlen(findings->unseen[i]));
		is_first = false;
	}
}

static void print_json(const struct check_findings *findings, const struct database_check_sums *sums,
		       const struct check_extent *extent, struct buffer *out)
{
	buffer_append_text(out, "{\n  \"violations\": [");
	for (size_t i = 0; i < findings->kept; i++) {
		buffer_append_text(out, i ? ",\n    " : "");
		append_json(&findings->items[i], out);
	}
	buffer_append_text(out, "],\n  \"undecided\": [");
	for (size_t i = 0; i < findings->undecided_count; i++) {
		buffer_append_text(out, i ? ",\n    " : "");
		buffer_append_json_string(out, findings->undecided[i], strlen(findings->undecided[i]));
	}
	buffer_append_text(out, "],\n  \"not_looked_at\": {");
	append_unseen_json(findings, out);
	buffer_append_text(out, "},\n  \"sums\": ");
	append_sums(findings, sums, extent, out);
	buffer_append_text(out, "\n}\n");
}

/* ---- JUnit: a test for each invariant, and one for whether all could be looked at ---- */

static void append_failures(const struct check_findings *findings, int invariant, struct buffer *out)
{
	int64_t shown = 0;

	for (size_t i = 0; i < findings->kept; i++) {
		const struct finding *finding = &findings->items[i];
		_cleanup_(buffer_release)
		struct buffer text = {0};

		if (finding->invariant != invariant)
			continue;
		append_text(finding, true, &text);
		junit_add(out, "failure", "violation", finding->text, buffer_text(&text));
		shown++;
	}
	if (shown < findings->counts[invariant]) {
		_cleanup_(buffer_release)
		struct buffer text = {0};

		buffer_append_format(&text, "and %" PRId64 " more: -o jsonl shows all",
				     findings->counts[invariant] - shown);
		junit_add(out, "failure", "violation", buffer_text(&text), buffer_text(&text));
	}
}

static void append_case(const struct check_findings *findings, int invariant, struct buffer *out)
{
	_cleanup_(buffer_release)
	struct buffer name = {0};

	buffer_append_format(&name, "I%d: %s", invariant, invariants[invariant].meaning);
	junit_begin_case(out, "invariants", buffer_text(&name));
	append_failures(findings, invariant, out);
	if (findings->unseen[invariant] && findings->counts[invariant] == 0)
		junit_skip(out, findings->unseen[invariant]);
	junit_end_case(out);
}

static void print_junit(const struct check_findings *findings, const struct database_check_sums *sums,
			struct buffer *out)
{
	struct junit_counts counts = {.tests = INVARIANT_COUNT,
				      .errors = findings->undecided_count + !sums->is_complete};

	for (int i = 1; i < INVARIANT_COUNT; i++) {
		counts.failures += findings->counts[i] > 0;
		counts.skipped += findings->unseen[i] && findings->counts[i] == 0;
	}
	junit_begin(out, "sagactl check", &counts);
	for (int i = 1; i < INVARIANT_COUNT; i++)
		append_case(findings, i, out);
	junit_begin_case(out, "invariants", "all could be looked at");
	for (size_t i = 0; i < findings->undecided_count; i++)
		junit_add(out, "error", "undecided", findings->undecided[i], findings->undecided[i]);
	if (!sums->is_complete)
		junit_add(out, "error", "incomplete", "the check was ended before it was through", "");
	junit_end_case(out);
	junit_end(out);
}

void check_findings_print(const struct check_findings *findings, const struct database_check_sums *sums,
			  const struct check_extent *extent, struct buffer *out)
{
	switch (findings->format) {
	case FINDINGS_TEXT:
		print_text(findings, sums, extent, out);
		break;
	case FINDINGS_JSON:
		print_json(findings, sums, extent, out);
		break;
	case FINDINGS_JSON_LINES:
		append_sums(findings, sums, extent, out);
		buffer_append_byte(out, '\n');
		break;
	case FINDINGS_JUNIT:
		print_junit(findings, sums, out);
		break;
	}
}
