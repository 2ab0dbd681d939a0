/* check_command.c - sagactl check: do the coordinator's database, the participants' and the topics keep the invariants? */
#include <stdio.h>
#include <string.h>

#include "cli/check_findings.h"
#include "cli/command.h"
#include "cli/file.h"
#include "cli/interrupt.h"
#include "cli/time_text.h"
#include "coordinator/check/topic_check.h"
#include "coordinator/definition/yaml.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

static const char *postgres;
static struct option_properties participants;
static const char *assertions_path;
static const char *since;
static bool with_topics;
static const char *coordinator_group;
static int64_t at_once;
static int64_t idle_ms;
static bool must_be_over;
static const char *format;

static const struct option check_options[] = {
	{.flag = "postgres",
	 .environment = "SAGACTL_POSTGRES SAGA_POSTGRES PG_SAGA_DSN",
	 .default_text = "",
	 .value_name = "CONNINFO",
	 .help = "The coordinator's database, as libpq takes it; what it leaves out comes from PGHOST, PGUSER, ….",
	 .place = &postgres},
	{.flag = "participant",
	 .type = OPTION_PROPERTIES,
	 .environment = "SAGACTL_PARTICIPANT_",
	 .value_name = "NAME=CONNINFO",
	 .help = "The database of the participant that takes the commands of the topics NAME and NAME.…: "
		 "payment=host=db dbname=payment_db takes payment.charge.command. Its inbox is compared with the "
		 "sagas.",
	 .place = &participants},
	{.flag = "assertions",
	 .value_name = "FILE",
	 .help = "What must be true of the participants' own tables, as queries: deploy/shop/assertions.yaml is the "
		 "shop's.",
	 .place = &assertions_path},
	{.flag = "topics",
	 .type = OPTION_BOOL,
	 .default_text = "false",
	 .help = "Read the topics of all definitions, too, and compare them with sagas and inboxes.",
	 .place = &with_topics},
	{.flag = "coordinator-group",
	 .default_text = "saga-coordinator",
	 .value_name = "GROUP",
	 .help = "The consumer group of the coordinators: how far they have read the replies.",
	 .place = &coordinator_group},
	{.flag = "at-once",
	 .type = OPTION_INT,
	 .default_text = "10000000",
	 .min = 1,
	 .max = INT64_C(1) << 36,
	 .value_name = "COMMANDS",
	 .help = "How many commands of the topics are kept in memory, in up to 22 bytes each. Where there are more, "
		 "the "
		 "topics are read again for the others.",
	 .place = &at_once},
	{.flag = "since",
	 .value_name = "TIME",
	 .help = "Only sagas whose ids were made since then: 24h, 7d, 2026-01-31. Without it: all.",
	 .place = &since},
	{.flag = "idle",
	 .type = OPTION_DURATION_MS,
	 .default_text = "10m",
	 .help = "Nothing may happen to a saga that is neither ended, stuck nor paused, for longer than this; 0: any "
		 "time.",
	 .place = &idle_ms},
	{.flag = "all-ended",
	 .type = OPTION_BOOL,
	 .default_text = "false",
	 .help = "No saga may be unfinished any more, unless it is stuck: for the end of a test.",
	 .place = &must_be_over},
	{.flag = "format",
	 .default_text = "text",
	 .choices = "text json junit",
	 .value_name = "FORMAT",
	 .help = "How to tell what was found; junit has a test for each invariant. -o json and jsonl count, too.",
	 .place = &format},
};

/* All that a run needs, made from the options. */
struct checking {
	struct check_findings findings;
	struct check_listener listener;
	struct definition_book book;
	struct participant_check participants;
	struct arena arena; /* of the assertions */
	struct assertion_list assertion_list;
	struct assertion_check assertions;
	struct topic_check topics;
	struct database_check_sums sums;
	struct check_extent extent;
	struct pg *pg;
	struct uuid after;
};

static enum findings_format chosen_format(const struct session *session_)
{
	if (strcmp(format, "junit") == 0)
		return FINDINGS_JUNIT;
	if (strcmp(session_->output, "jsonl") == 0)
		return FINDINGS_JSON_LINES;
	return session_wants_json(session_) || strcmp(format, "json") == 0 ? FINDINGS_JSON : FINDINGS_TEXT;
}

/* The greatest id of the millisecond before. */
static struct uuid id_before(int64_t since_us)
{
	uint64_t ms = (uint64_t)(since_us / 1000);
	struct uuid id = {{0}};

	if (ms == 0)
		return id;
	ms--;
	memset(&id, 0xff, sizeof(id));
	for (int i = 0; i < 6; i++)
		id.data[i] = (uint8_t)(ms >> (8 * (5 - i)));
	return id;
}

static int take_options(struct checking *checking, struct error *err)
{
	int64_t since_us = 0;

	if (since && time_text_parse(since, TIME_AGO, clock_real_us(), &since_us, err) < 0)
		return error_prefix(err, "--since '%s'", since);
	checking->after = id_before(since_us);
	checking->topics.since_ms = since_us / 1000;
	checking->participants.since_us = since_us;
	for (size_t i = 0; i < participants.count; i++)
		if (participant_check_add(&checking->participants, participants.items[i].name,
					  participants.items[i].value, err) < 0)
			return -1;
	checking->extent.participants = checking->participants.count;
	return 0;
}

/* -1: something is wrong with them, which has been said. */
static int load_assertions(struct checking *checking)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};
	struct problems problems;
	struct error err;
	int result = 0;

	if (!assertions_path)
		return 0;
	if (file_read(assertions_path, YAML_BYTES_MAX, &text, &err) < 0) {
		(void)fprintf(stderr, "sagactl: %s\n", err.msg);
		return -1;
	}
	problems_init(&problems);
	assertion_parse(assertions_path, buffer_bytes(&text), &checking->arena, &checking->assertion_list, &problems);
	for (size_t i = 0; i < problems_kept(&problems); i++)
		(void)fprintf(stderr, "%s: error: %s\n", problems.items[i].place, problems.items[i].text);
	if (problems.count > 0)
		result = -1;
	problems_release(&problems);
	checking->extent.assertions = (int64_t)checking->assertion_list.count;
	return result;
}

/* What these options leave out. */
static void note_unseen(struct checking *checking)
{
	const char **unseen = checking->findings.unseen;

	if (!assertions_path)
		unseen[2] = "no --assertions";
	if (!with_topics)
		unseen[13] = "no --topics";
	else if (checking->participants.count == 0)
		unseen[13] = "no --participant";
	if (checking->participants.count == 0)
		unseen[4] = unseen[6] = "no --participant";
	if (checking->participants.count == 0 && !with_topics)
		unseen[7] = "no --participant";
	if (idle_ms == 0)
		unseen[11] = "--idle 0";
}

/* The offsets of groups are read before everything else, and the topics after it. */
static bool begin_topics(struct checking *checking, const struct session *session_)
{
	struct topic_check *topics = &checking->topics;
	struct error err;

	if (!with_topics)
		return false;
	topics->listener = &checking->listener;
	topics->kafka = session_kafka(session_);
	topics->pg = checking->pg;
	topics->book = &checking->book;
	topics->participants = &checking->participants;
	topics->after = checking->after;
	topics->coordinator_group = coordinator_group;
	topics->commands_max = (size_t)at_once;
	if (topic_check_begin(topics, &err) == 0)
		return true;
	check_undecided(&checking->listener, "topics: %s", err.msg);
	return false;
}

static void run_topics(struct checking *checking)
{
	struct error err;

	if (topic_check_run(&checking->topics, &err) < 0 && !checking->findings.is_interrupted)
		check_undecided(&checking->listener, "topics: %s", err.msg);
	checking->extent.records = checking->topics.records;
	checking->extent.topics = checking->topics.topic_count;
}

static int run_checks(struct checking *checking, const struct session *session_, struct error *err)
{
	const struct database_check check = {
		.pg = checking->pg,
		.book = &checking->book,
		.after = checking->after,
		.idle_max_ms = idle_ms,
		.must_be_over = must_be_over,
		.participants = &checking->participants,
		.assertions = &checking->assertions,
		.listener = &checking->listener,
	};
	bool has_topics;

	if (definition_book_load(&checking->book, checking->pg, err) < 0)
		return -1;
	has_topics = begin_topics(checking, session_);
	participant_check_open(&checking->participants, &checking->book);
	assertion_check_init(&checking->assertions, &checking->listener, &checking->assertion_list,
			     &checking->participants, checking->pg);
	assertion_check_rows(&checking->assertions);
	if (database_check_run(&check, &checking->sums, err) < 0)
		return -1;
	if (has_topics && checking->sums.is_complete)
		run_topics(checking);
	return 0;
}

static enum exit_code code_of(const struct check_findings *findings)
{
	if (findings->is_interrupted)
		return EXIT_INTERRUPTED;
	if (findings->count > 0)
		return EXIT_FAILED;
	return findings->undecided_count > 0 ? EXIT_UNDECIDED : EXIT_DONE;
}

static enum exit_code run_all(struct checking *checking, const struct session *session_)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};
	struct error err;

	if (take_options(checking, &err) < 0) {
		(void)fprintf(stderr, "sagactl: %s\n", err.msg);
		return EXIT_USAGE;
	}
	if (load_assertions(checking) < 0)
		return EXIT_USAGE;
	note_unseen(checking);
	interrupt_catch();
	if (run_checks(checking, session_, &err) < 0) {
		check_undecided(&checking->listener,
				"%s\n  --postgres or SAGA_POSTGRES names the coordinator's database.", err.msg);
		if (err.code == ERR_INVALID)
			return EXIT_USAGE;
	}
	checking->extent.inbox_rows = checking->participants.rows;
	check_findings_print(&checking->findings, &checking->sums, &checking->extent, &out);
	(void)fputs(buffer_text(&out), stdout);
	return code_of(&checking->findings);
}

static enum exit_code run_check(struct session *session_, char **arguments, int count)
{
	struct checking checking = {.pg = pg_new(postgres, "sagactl check")};
	enum exit_code code;

	(void)arguments;
	(void)count;
	check_findings_init(&checking.findings, chosen_format(session_));
	checking.listener = check_findings_listener(&checking.findings);
	definition_book_init(&checking.book);
	participant_check_init(&checking.participants, &checking.listener);
	arena_init(&checking.arena, 0);
	code = run_all(&checking, session_);
	topic_check_release(&checking.topics);
	assertion_check_release(&checking.assertions);
	arena_release(&checking.arena);
	participant_check_release(&checking.participants);
	definition_book_release(&checking.book);
	check_findings_release(&checking.findings);
	pg_free(checking.pg);
	return code;
}

const struct command check_command = {
	.name = "check",
	.summary = "verify the invariants over the databases of coordinator and participants, and the topics",
	.notes = "Replays every log through the program part that runs sagas, compares it with its row and with the "
		 "inboxes of\n"
		 "the participants and with the topics, and names each violated invariant, saga, step and what to do. "
		 "Reads only, and may "
		 "run\n"
		 "beside everything else: docs/sagactl.md says what each invariant means here. Exit codes of this "
		 "command:\n"
		 "  0  nothing is violated\n"
		 "  1  something is\n"
		 "  2  usage\n"
		 "  3  nothing was found, but not all could be looked at: a database or the broker is away\n",
	.examples = "sagactl check --postgres 'host=db dbname=saga user=auditor'\n"
		    "sagactl check --participant payment='host=db dbname=payment_db' --since 24h --format junit\n"
		    "sagactl check --topics --assertions deploy/shop/assertions.yaml\n"
		    "sagactl check --idle 5m -o json | jq '.violations[]'\n",
	.options = check_options,
	.option_count = ARRAY_LEN(check_options),
	.run = run_check,
};
