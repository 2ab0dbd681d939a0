/* request_commands.c - sagactl cancel, signal, pause, resume, retry, skip and resolve: what people ask of sagas. */
#include <limits.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/json_argument.h"
#include "cli/saga_choice.h"
#include "cli/saga_requests.h"
#include "lib/base/memory.h"
#include "lib/base/uuid.h"
#include "lib/rpc/json_struct.h"
#include "proto/saga/v1/saga_service.pb-c.h"

#define BIT(name) (1u << SAGA__V1__SAGA_STATE__SAGA_STATE_##name)

static const char *reason;
static const char *outcome;
static const char *skipped_step;
static const char *signal_name;
static const char *value_text;
static Google__Protobuf__Struct *value; /* NULL: none */

/* clang-format off */
#define REASON_OPTION                                                                                                  \
	{.flag = "reason", .letter = 'r', .is_required = true, .value_name = "TEXT",                                   \
	 .help = "Why: it stands in the saga's log from then on.", .place = &reason}
#define OUTCOME_OPTION                                                                                                 \
	{.flag = "as", .is_required = true, .choices = "completed compensated failed", .value_name = "OUTCOME",        \
	 .help = "completed: all is done; compensated: all is undone; failed: given up, with effects that may stand.", \
	 .place = &outcome}
/* clang-format on */

static const struct option signal_options[] = {
	{.flag = "reason",
	 .letter = 'r',
	 .value_name = "TEXT",
	 .help = "Who says so, and why: it stands in the saga's log from then on.",
	 .place = &reason},
	{.flag = "value",
	 .letter = 'v',
	 .value_name = "JSON|@FILE",
	 .help = "What it brings, as JSON, where the definition names a schema for it; @FILE reads it from there, - "
		 "from "
		 "standard input.",
	 .place = &value_text},
	SAGA_FILTER_OPTIONS,
	SAGA_CHOICE_OPTIONS,
};
static const struct option open_options[] = {REASON_OPTION, SAGA_FILTER_OPTIONS, SAGA_CHOICE_OPTIONS};
static const struct option retry_options[] = {REASON_OPTION, SAGA_FILTER_OTHER_OPTIONS, SAGA_CHOICE_STEP_OPTION,
					      SAGA_CHOICE_REASON_OPTION, SAGA_CHOICE_OPTIONS};
static const struct option skip_options[] = {REASON_OPTION, SAGA_FILTER_OTHER_OPTIONS, SAGA_CHOICE_REASON_OPTION,
					     SAGA_CHOICE_OPTIONS};
static const struct option resolve_options[] = {OUTCOME_OPTION,
						REASON_OPTION,
						SAGA_FILTER_OTHER_OPTIONS,
						SAGA_CHOICE_STEP_OPTION,
						SAGA_CHOICE_REASON_OPTION,
						SAGA_CHOICE_OPTIONS};

static enum exit_code run(struct session *session_, const struct saga_choice_rule *rule,
			  const struct saga_requests *requests, char **arguments, int count)
{
	struct saga_choice choice;
	enum exit_code code;

	if (!saga_choice_read(session_, rule, arguments, count, &choice, &code))
		return code;
	if (saga_choice_confirm(session_, rule, &choice, &code))
		code = saga_requests_send(session_, requests, &choice);
	saga_choice_release(&choice);
	return code;
}

/* ---- cancel ---- */

static void fill_cancel(ProtobufCMessage *request)
{
	((Saga__V1__CancelSagaRequest *)request)->reason = (char *)reason;
}

static enum exit_code run_cancel(struct session *session_, char **arguments, int count)
{
	static const struct saga_choice_rule rule = {.command = "cancel", .states = BIT(SCHEDULED) | BIT(RUNNING)};
	static const struct saga_requests requests = {"cancel",
						      "turned back",
						      "CancelSaga",
						      &saga__v1__cancel_saga_request__descriptor,
						      &saga__v1__cancel_saga_response__descriptor,
						      "it had turned back before",
						      fill_cancel};

	return run(session_, &rule, &requests, arguments, count);
}

const struct command cancel_command = {
	.name = "cancel",
	.arguments = "[SAGA_ID…]",
	.arguments_max = INT_MAX,
	.summary = "turn sagas back: what they did is compensated",
	.notes = "Possible until the pivot's command is decided; later it is refused (exit code 1) and says why. The "
		 "answer\n"
		 "does not wait for the compensations: `sagactl wait` does. SAGA_ID may be - for ids from standard "
		 "input;\n"
		 "without ids the filter's flags say which sagas, of those that are scheduled or running.\n",
	.examples = "sagactl cancel 01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10 --reason 'the customer called'\n"
		    "sagactl list --label batch=17 --state running --quiet | sagactl cancel - --reason 'wrong prices'\n"
		    "sagactl cancel --label batch=17 --reason 'wrong prices' --dry-run\n",
	.options = open_options,
	.option_count = ARRAY_LEN(open_options),
	.run = run_cancel,
};

/* ---- signal ---- */

static void fill_signal(ProtobufCMessage *request)
{
	((Saga__V1__SignalSagaRequest *)request)->reason = (char *)(reason ? reason : "");
	((Saga__V1__SignalSagaRequest *)request)->signal = (char *)signal_name;
	((Saga__V1__SignalSagaRequest *)request)->value = value;
}

/* False: it is no JSON object. */
static bool read_value(struct arena *arena)
{
	struct problems problems;
	struct json_node *root = NULL;

	value = NULL;
	if (!value_text)
		return true;
	problems_init(&problems);
	root = json_argument_read("--value", value_text, arena, &problems);
	if (root)
		value = json_struct_of_tree(arena, root);
	else
		session_say_problems(&problems);
	problems_release(&problems);
	return root != NULL;
}

static enum exit_code run_signal(struct session *session_, char **arguments, int count)
{
	static const struct saga_choice_rule rule = {
		.command = "signal", .states = BIT(SCHEDULED) | BIT(RUNNING) | BIT(COMPLETING) | BIT(STUCK)};
	static const struct saga_requests requests = {"signal",
						      "signalled",
						      "SignalSaga",
						      &saga__v1__signal_saga_request__descriptor,
						      &saga__v1__signal_saga_response__descriptor,
						      "the signal had come before",
						      fill_signal};

	_cleanup_(arena_release)
	struct arena arena = {0};

	signal_name = arguments[count - 1];
	if (strlen(signal_name) == UUID_TEXT_LEN && signal_name[8] == '-') {
		(void)fprintf(stderr, "sagactl signal: '%s' is a saga: name the signal behind it\n", signal_name);
		return EXIT_USAGE;
	}
	if (!read_value(&arena))
		return EXIT_USAGE;
	return run(session_, &rule, &requests, arguments, count - 1);
}

const struct command signal_command = {
	.name = "signal",
	.arguments = "[SAGA_ID…] SIGNAL",
	.arguments_min = 1,
	.arguments_max = INT_MAX,
	.summary = "bring sagas the signal that one of their steps waits for",
	.notes =
		"It may come before the step begins, and is kept until then. Refused (exit code 1) where no step waits "
		"for it, or\n"
		"the saga has turned back. SAGA_ID may be - for ids from standard input; without ids the filter's "
		"flags "
		"say which\n"
		"sagas.\n",
	.examples = "sagactl signal 01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10 approved --reason 'Ann, by phone'\n"
		    "sagactl signal 01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10 approved --value '{\"approved_by\":\"ann\"}'\n"
		    "sagactl signal approved --definition checkout --label batch=17 --dry-run\n",
	.options = signal_options,
	.option_count = ARRAY_LEN(signal_options),
	.run = run_signal,
};

/* ---- pause and resume ---- */

static void fill_pause(ProtobufCMessage *request)
{
	((Saga__V1__PauseSagaRequest *)request)->reason = (char *)reason;
}

static enum exit_code run_pause(struct session *session_, char **arguments, int count)
{
	static const struct saga_choice_rule rule = {.command = "pause",
						     .states = BIT(SCHEDULED) | BIT(RUNNING) | BIT(COMPLETING) |
							       BIT(COMPENSATING) | BIT(STUCK)};
	static const struct saga_requests requests = {"pause",
						      "paused",
						      "PauseSaga",
						      &saga__v1__pause_saga_request__descriptor,
						      &saga__v1__pause_saga_response__descriptor,
						      "it was paused before",
						      fill_pause};

	return run(session_, &rule, &requests, arguments, count);
}

const struct command pause_command = {
	.name = "pause",
	.arguments = "[SAGA_ID…]",
	.arguments_max = INT_MAX,
	.summary = "hold sagas where they are: nothing is sent, no time runs out",
	.notes = "Replies still count, so a paused saga may end by the reply to its last command. SAGA_ID may be - for "
		 "ids from\n"
		 "standard input; without ids the filter's flags say which sagas, of those that have not ended.\n",
	.examples = "sagactl pause 01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10 --reason 'the bank asks'\n"
		    "# before a migration of the payment service\n"
		    "sagactl pause --definition checkout --reason 'payment moves' --yes\n",
	.options = open_options,
	.option_count = ARRAY_LEN(open_options),
	.run = run_pause,
};

static void fill_resume(ProtobufCMessage *request)
{
	((Saga__V1__ResumeSagaRequest *)request)->reason = (char *)reason;
}

static enum exit_code run_resume(struct session *session_, char **arguments, int count)
{
	static const struct saga_choice_rule rule = {.command = "resume",
						     .states = BIT(SCHEDULED) | BIT(RUNNING) | BIT(COMPLETING) |
							       BIT(COMPENSATING) | BIT(STUCK),
						     .is_paused_only = true};
	static const struct saga_requests requests = {"resume",
						      "resumed",
						      "ResumeSaga",
						      &saga__v1__resume_saga_request__descriptor,
						      &saga__v1__resume_saga_response__descriptor,
						      "it was not paused",
						      fill_resume};

	return run(session_, &rule, &requests, arguments, count);
}

const struct command resume_command = {
	.name = "resume",
	.arguments = "[SAGA_ID…]",
	.arguments_max = INT_MAX,
	.summary = "let paused sagas go on; what was on its way is sent again",
	.notes = "SAGA_ID may be - for ids from standard input; without ids the filter's flags say which sagas, of "
		 "those that are\n"
		 "paused.\n",
	.examples = "sagactl resume 01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10 --reason 'the bank agreed'\n"
		    "sagactl resume --definition checkout --reason 'payment has moved' --dry-run\n",
	.options = open_options,
	.option_count = ARRAY_LEN(open_options),
	.run = run_resume,
};

/* ---- retry ---- */

static void fill_retry(ProtobufCMessage *request)
{
	((Saga__V1__RetrySagaRequest *)request)->reason = (char *)reason;
}

static enum exit_code run_retry(struct session *session_, char **arguments, int count)
{
	static const struct saga_choice_rule rule = {.command = "retry", .is_of_stuck = true};
	static const struct saga_requests requests = {"retry",
						      "tried again",
						      "RetrySaga",
						      &saga__v1__retry_saga_request__descriptor,
						      &saga__v1__retry_saga_response__descriptor,
						      NULL,
						      fill_retry};

	return run(session_, &rule, &requests, arguments, count);
}

const struct command retry_command = {
	.name = "retry",
	.arguments = "[SAGA_ID…]",
	.arguments_max = INT_MAX,
	.summary = "try the stuck steps of sagas again, after the cause was mended",
	.notes = "The steps get all their attempts and time anew. A participant that has stored a refusal answers it "
		 "again: "
		 "mend\n"
		 "it there, or skip the step. SAGA_ID may be - for ids from standard input; without ids the filter's "
		 "flags say\n"
		 "which stuck sagas. Sagas that are not stuck are refused (exit code 1).\n",
	.examples = "sagactl retry 01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10 --reason 'the terminal is back'\n"
		    "sagactl retry --definition checkout --step ship --reason 'carrier is back' --dry-run\n"
		    "sagactl retry --stuck-reason attempts_exhausted --limit 10 --reason 'a few, to see' --yes\n",
	.options = retry_options,
	.option_count = ARRAY_LEN(retry_options),
	.run = run_retry,
};

/* ---- skip ---- */

static void fill_skip(ProtobufCMessage *request)
{
	((Saga__V1__SkipStepRequest *)request)->reason = (char *)reason;
	((Saga__V1__SkipStepRequest *)request)->step_id = (char *)skipped_step;
}

static enum exit_code run_skip(struct session *session_, char **arguments, int count)
{
	static const struct saga_choice_rule rule = {.command = "skip", .is_of_stuck = true};
	static const struct saga_requests requests = {"skip",
						      "gone on without the step",
						      "SkipStep",
						      &saga__v1__skip_step_request__descriptor,
						      &saga__v1__skip_step_response__descriptor,
						      NULL,
						      fill_skip};

	skipped_step = arguments[count - 1];
	if (strlen(skipped_step) == UUID_TEXT_LEN && skipped_step[8] == '-') {
		(void)fprintf(stderr, "sagactl skip: '%s' is a saga: name the step behind it\n", skipped_step);
		return EXIT_USAGE;
	}
	saga_choice_flags.step = count == 1 ? skipped_step : NULL;
	return run(session_, &rule, &requests, arguments, count - 1);
}

const struct command skip_command = {
	.name = "skip",
	.arguments = "[SAGA_ID…] STEP",
	.arguments_min = 1,
	.arguments_max = INT_MAX,
	.summary = "go on without a stuck step: somebody has done, or undone, by hand what it should have",
	.notes = "Refused where later commands take fields from the step's reply. SAGA_ID may be - for ids from "
		 "standard input;\n"
		 "without ids it is all sagas that are stuck at STEP, and the filter's flags say which of them.\n",
	.examples = "sagactl skip 01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10 ship --reason 'sent by courier'\n"
		    "sagactl skip ship --definition checkout --reason 'all sent by courier' --dry-run\n",
	.options = skip_options,
	.option_count = ARRAY_LEN(skip_options),
	.run = run_skip,
};

/* ---- resolve ---- */

static void fill_resolve(ProtobufCMessage *request)
{
	Saga__V1__ResolveSagaRequest *resolve = (Saga__V1__ResolveSagaRequest *)request;

	resolve->reason = (char *)reason;
	resolve->outcome = strcmp(outcome, "completed") == 0 ? SAGA__V1__RESOLVED_OUTCOME__RESOLVED_OUTCOME_COMPLETED
			   : strcmp(outcome, "compensated") == 0
				   ? SAGA__V1__RESOLVED_OUTCOME__RESOLVED_OUTCOME_COMPENSATED
				   : SAGA__V1__RESOLVED_OUTCOME__RESOLVED_OUTCOME_FAILED;
}

static enum exit_code run_resolve(struct session *session_, char **arguments, int count)
{
	static const struct saga_choice_rule rule = {.command = "resolve", .is_of_stuck = true};
	static const struct saga_requests requests = {"resolve",
						      "resolved",
						      "ResolveSaga",
						      &saga__v1__resolve_saga_request__descriptor,
						      &saga__v1__resolve_saga_response__descriptor,
						      NULL,
						      fill_resolve};

	return run(session_, &rule, &requests, arguments, count);
}

const struct command resolve_command = {
	.name = "resolve",
	.arguments = "[SAGA_ID…]",
	.arguments_max = INT_MAX,
	.summary = "end stuck sagas as somebody has seen to them; nothing more is sent",
	.notes = "SAGA_ID may be - for ids from standard input; without ids the filter's flags say which stuck sagas. "
		 "Sagas that\n"
		 "are not stuck are refused (exit code 1).\n",
	.examples =
		"sagactl resolve 01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10 --as compensated --reason 'refunded by hand'\n"
		"sagactl resolve --definition checkout --step charge-payment --as failed --reason 'written off' "
		"--dry-run\n",
	.options = resolve_options,
	.option_count = ARRAY_LEN(resolve_options),
	.run = run_resolve,
};
