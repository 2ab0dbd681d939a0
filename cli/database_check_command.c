/* database_check_command.c - sagactl check: is everything in a coordinator's database as its logs say? */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "coordinator/check/database_check.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

enum { DRAW_EVERY_US = 200000 };

static const char *postgres;
static int64_t idle_ms;

static const struct option check_options[] = {
	{.flag = "postgres",
	 .environment = "SAGACTL_POSTGRES SAGA_POSTGRES PG_SAGA_DSN",
	 .default_text = "",
	 .value_name = "CONNINFO",
	 .help = "The coordinator's database, as libpq takes it; what it leaves out comes from PGHOST, PGUSER, ….",
	 .place = &postgres},
	{.flag = "idle",
	 .type = OPTION_DURATION_MS,
	 .default_text = "10m",
	 .help = "Nothing may happen to a saga that is neither ended, stuck nor paused, for longer than this; 0: any "
		 "time.",
	 .place = &idle_ms},
};

struct checking {
	const struct session *session;
	struct buffer violations; /* JSON, but for -o text */
	bool is_interrupted;
	int64_t drawn_us;
};

static bool is_json(const struct session *session_)
{
	return strcmp(session_->output, "json") == 0;
}

static void on_violation(void *ctx, struct uuid saga_id, const char *why)
{
	struct checking *checking = ctx;
	char id[UUID_TEXT_LEN + 1];

	uuid_format(saga_id, id);
	if (!session_wants_json(checking->session)) {
		(void)printf("saga %s: %s\n", id, why);
		return;
	}
	buffer_append_format(&checking->violations, "%s{\"saga_id\":\"%s\",\"invariant\":\"%.*s\"",
			     checking->violations.len && is_json(checking->session) ? ",\n    " : "", id,
			     (int)strcspn(why, ":"), why);
	buffer_append_json_member(&checking->violations, "text", why);
	buffer_append_format(&checking->violations, "}%s", is_json(checking->session) ? "" : "\n");
}

static bool on_progress(void *ctx, const struct database_check_sums *sums)
{
	struct checking *checking = ctx;
	const int64_t now_us = clock_monotonic_us();

	checking->is_interrupted = interrupt_caught();
	if (isatty(STDERR_FILENO) && now_us - checking->drawn_us >= DRAW_EVERY_US) {
		checking->drawn_us = now_us;
		(void)fprintf(stderr, "\r\033[K%" PRId64 " of %" PRId64 " sagas, %" PRId64 " violations", sums->sagas,
			      sums->total, sums->violations);
	}
	return !checking->is_interrupted;
}

static int64_t count_open(const struct database_check_sums *sums)
{
	int64_t count = 0;

	for (int state = 0; state < SAGA_STATE_COUNT; state++)
		if (saga_state_is_open((enum saga_state)state))
			count += sums->states[state];
	return count;
}

static void append_states(struct buffer *out, const struct database_check_sums *sums)
{
	for (int state = 0; state < SAGA_STATE_COUNT; state++)
		buffer_append_format(out, "%s\"%s\":%" PRId64, state ? "," : "",
				     saga_state_name((enum saga_state)state), sums->states[state]);
}

static void print_json(struct checking *checking, const struct database_check_sums *sums)
{
	struct buffer out = {0};
	const bool is_pretty = is_json(checking->session);

	if (is_pretty)
		buffer_append_format(&out, "{\n  \"violations\": [%s],\n  \"sums\": ",
				     checking->violations.len ? buffer_text(&checking->violations) : "");
	else if (checking->violations.len)
		buffer_append_format(&out, "%s", buffer_text(&checking->violations));
	buffer_append_format(&out,
			     "{\"sagas\":%" PRId64 ",\"entries\":%" PRId64 ",\"violations\":%" PRId64
			     ",\"not_replayed\":%" PRId64 ",\"is_complete\":%s,\"states\":{",
			     sums->sagas, sums->entries, sums->violations, sums->old,
			     checking->is_interrupted ? "false" : "true");
	append_states(&out, sums);
	buffer_append_format(&out, "}}%s\n", is_pretty ? "\n}" : "");
	(void)fputs(buffer_text(&out), stdout);
	buffer_release(&out);
}

static void print_text(const struct checking *checking, const struct database_check_sums *sums)
{
	(void)printf("%s%" PRId64 " sagas with %" PRId64 " entries: %" PRId64 " violation%s; %" PRId64 " open, %" PRId64
		     " stuck",
		     checking->is_interrupted ? "interrupted after " : "", sums->sagas, sums->entries, sums->violations,
		     sums->violations == 1 ? "" : "s", count_open(sums), sums->states[SAGA_STATE_STUCK]);
	if (sums->old)
		(void)printf("; %" PRId64 " of an earlier version, not replayed", sums->old);
	(void)printf("\n");
}

static enum exit_code run_check(struct session *session_, char **arguments, int count)
{
	struct checking checking = {.session = session_};
	struct database_check_sums sums;
	_cleanup_(pg_freep)
	struct pg *pg = pg_new(postgres, "sagactl check");
	const struct database_check check = {
		.pg = pg, .idle_max_ms = idle_ms, .violation = on_violation, .progress = on_progress, .ctx = &checking};
	struct error err;
	int result;

	(void)arguments;
	(void)count;
	interrupt_catch();
	result = database_check_run(&check, &sums, &err);
	if (isatty(STDERR_FILENO))
		(void)fprintf(stderr, "\r\033[K");
	if (result < 0)
		(void)fprintf(stderr, "sagactl: %s\n  --postgres or SAGA_POSTGRES names the coordinator's database.\n",
			      err.msg);
	else if (session_wants_json(session_))
		print_json(&checking, &sums);
	else
		print_text(&checking, &sums);
	buffer_release(&checking.violations);
	if (result < 0)
		return err.code == ERR_INVALID ? EXIT_USAGE : EXIT_UNAVAILABLE;
	if (checking.is_interrupted)
		return EXIT_INTERRUPTED;
	return sums.violations ? EXIT_FAILED : EXIT_DONE;
}

const struct command check_command = {
	.name = "check",
	.summary = "verify a coordinator's database: each saga's log leads to its row",
	.notes = "Replays every log through the program part that runs sagas, and names each violated invariant: I5 a "
		 "log that\n"
		 "cannot have happened or does not lead to the stored row, I9 gaps, I11 sagas that stand still. Reads "
		 "the\n"
		 "database only, changes nothing, and may run beside the coordinators. Exit code 1: something is "
		 "violated.\n",
	.examples = "sagactl check --postgres 'host=db dbname=saga user=auditor'\n"
		    "sagactl check --idle 5m -o json | jq '.violations[]'\n",
	.options = check_options,
	.option_count = ARRAY_LEN(check_options),
	.run = run_check,
};
