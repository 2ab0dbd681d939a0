/* request_commands_test.c - sagactl pause, resume, retry, skip and resolve: one, a few, many, and those that a filter fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/memory.h"
#include "proto/saga/v1/saga_service.pb-c.h"
#include "tests/unit/cli/sagactl_run.h"
#include "tests/unit/lib/rpc/fake_rpc_server.h"

#define SAGA_ID "01900000-0000-7000-8000-000000000001"
#define OTHER_ID "01900000-0000-7000-8000-000000000002"

/* ---- the coordinator: what it was asked for is noted in words ---- */

enum { SAGAS_MAX = 100 };

static struct {
	size_t stuck;     /* sagas that ListStuck knows, on two pages */
	int refuse_every; /* each so-many-th request; 0: none */
	int fail_after;   /* requests, from which on it is UNAVAILABLE; 0: never */
	int requests;
	char seen[16384];
} coordinator;

static void PRINTF_LIKE(1, 2) note(const char *format, ...)
{
	size_t len = strlen(coordinator.seen);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(coordinator.seen + len, sizeof(coordinator.seen) - len, format, args);
	va_end(args);
}

static char ids[SAGAS_MAX][40];

static const char *id_of(size_t i)
{
	(void)snprintf(ids[i], sizeof(ids[i]), "01900000-0000-7000-8000-%012zu", i + 1);
	return ids[i];
}

static void list_stuck(struct bytes packed, struct fake_rpc_answer *answer)
{
	Saga__V1__ListStuckRequest *request = saga__v1__list_stuck_request__unpack(NULL, packed.len, packed.data);
	Saga__V1__ListStuckResponse response = SAGA__V1__LIST_STUCK_RESPONSE__INIT;
	const bool is_second = strcmp(request->page_token, "second") == 0;
	const size_t half = coordinator.stuck / 2;
	Saga__V1__StuckGroup group = SAGA__V1__STUCK_GROUP__INIT;
	Saga__V1__StuckGroup twice = SAGA__V1__STUCK_GROUP__INIT; /* the first saga is stuck at another step, too */
	Saga__V1__StuckGroup *groups[] = {&group, &twice};
	char *listed[SAGAS_MAX];

	note("stuck definition=%s step=%s reason=%s ids=%d states=%zu\n",
	     request->filter ? request->filter->definition : "", request->step_id, request->reason,
	     request->include_saga_ids, request->filter ? request->filter->n_states : 0);
	group.definition = twice.definition = (char *)"checkout";
	group.definition_version = twice.definition_version = 2;
	group.step_id = (char *)"ship";
	twice.step_id = (char *)"pack";
	twice.phase = SAGA__V1__STEP_PHASE__STEP_PHASE_COMPENSATION;
	group.reason = twice.reason = (char *)"timed_out";
	for (size_t i = is_second ? half : 0; i < (is_second ? coordinator.stuck : half); i++)
		listed[group.n_saga_ids++] = (char *)id_of(i);
	group.saga_ids = twice.saga_ids = listed;
	twice.n_saga_ids = group.n_saga_ids > 0 ? 1 : 0;
	response.groups = groups;
	response.n_groups = coordinator.stuck > 0 ? ARRAY_LEN(groups) : 0;
	response.next_page_token = (char *)(is_second ? "" : "second");
	fake_rpc_append(&answer->message, &response.base);
	saga__v1__list_stuck_request__free_unpacked(request, NULL);
}

/* One that is paused, and one that is not. */
static void list_sagas(struct bytes packed, struct fake_rpc_answer *answer)
{
	Saga__V1__ListSagasRequest *request = saga__v1__list_sagas_request__unpack(NULL, packed.len, packed.data);
	Saga__V1__ListSagasResponse page = SAGA__V1__LIST_SAGAS_RESPONSE__INIT;
	Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Saga__V1__Saga one = SAGA__V1__SAGA__INIT;
	Saga__V1__Saga other;
	Saga__V1__Saga *sagas[] = {&one, &other};

	note("list");
	for (size_t i = 0; i < request->filter->n_states; i++)
		note(" %d", (int)request->filter->states[i]);
	note(" definition=%s order=%d\n", request->filter->definition, (int)request->order);
	one.definition = (char *)"checkout";
	one.definition_version = 1;
	one.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
	other = one;
	one.saga_id = (char *)SAGA_ID;
	other.saga_id = (char *)OTHER_ID;
	other.pause_time = &time;
	page.sagas = request->filter->paused ? &sagas[1] : sagas;
	page.n_sagas = request->filter->paused ? 1 : ARRAY_LEN(sagas);
	fake_rpc_append(&answer->message, &page.base);
	saga__v1__list_sagas_request__free_unpacked(request, NULL);
}

static void note_asked(const char *method, struct bytes packed, char ret_id[40])
{
	Saga__V1__SkipStepRequest *skip = NULL;
	Saga__V1__ResolveSagaRequest *resolve = NULL;
	Saga__V1__RetrySagaRequest *retry = NULL; /* the others look like it */

	method = strrchr(method, '/') + 1;
	if (strcmp(method, "SkipStep") == 0) {
		skip = saga__v1__skip_step_request__unpack(NULL, packed.len, packed.data);
		note("%s %s %s: %s\n", method, skip->saga_id, skip->step_id, skip->reason);
		(void)snprintf(ret_id, 40, "%s", skip->saga_id);
		saga__v1__skip_step_request__free_unpacked(skip, NULL);
	} else if (strcmp(method, "ResolveSaga") == 0) {
		resolve = saga__v1__resolve_saga_request__unpack(NULL, packed.len, packed.data);
		note("%s %s %d: %s\n", method, resolve->saga_id, (int)resolve->outcome, resolve->reason);
		(void)snprintf(ret_id, 40, "%s", resolve->saga_id);
		saga__v1__resolve_saga_request__free_unpacked(resolve, NULL);
	} else {
		retry = saga__v1__retry_saga_request__unpack(NULL, packed.len, packed.data);
		note("%s %s: %s\n", method, retry->saga_id, retry->reason);
		(void)snprintf(ret_id, 40, "%s", retry->saga_id);
		saga__v1__retry_saga_request__free_unpacked(retry, NULL);
	}
}

/* All answers are alike on the wire: the saga, and for two of them whether it was so before. */
static void answer_request(const char *method, struct bytes packed, struct fake_rpc_answer *answer)
{
	static char text[160];
	Saga__V1__PauseSagaResponse response = SAGA__V1__PAUSE_SAGA_RESPONSE__INIT;
	Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
	char id[40];

	note_asked(method, packed, id);
	coordinator.requests++;
	saga.saga_id = id;
	saga.definition = (char *)"checkout";
	saga.definition_version = 1;
	saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
	response.saga = &saga;
	response.already_paused = strstr(method, "PauseSaga") && strcmp(id, OTHER_ID) == 0;
	if (coordinator.fail_after > 0 && coordinator.requests > coordinator.fail_after) {
		answer->status = 14;
		answer->status_text = "the coordinator's database is away";
	} else if (coordinator.refuse_every > 0 && coordinator.requests % coordinator.refuse_every == 0) {
		(void)snprintf(text, sizeof(text), "saga '%s' is RUNNING and cannot be tried again", id);
		answer->status = 9;
		answer->status_text = text;
	}
	fake_rpc_append(&answer->message, &response.base);
}

static void handle(void *ctx, const char *method, struct bytes request, struct fake_rpc_answer *answer)
{
	(void)ctx;
	if (strstr(method, "ListStuck"))
		list_stuck(request, answer);
	else if (strstr(method, "ListSagas"))
		list_sagas(request, answer);
	else
		answer_request(method, request, answer);
}

static struct fake_rpc_server *server;

static int set_up(void **state)
{
	(void)state;
	memset(&coordinator, 0, sizeof(coordinator));
	server = fake_rpc_server_new(handle, NULL);
	return setenv("SAGACTL_ADDRESS", fake_rpc_server_target(server), 1);
}

static int tear_down(void **state)
{
	(void)state;
	fake_rpc_server_free(server);
	return 0;
}

/* ---- one and a few ---- */

static void each_command_asks_what_it_says_with_the_reason(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "retry", SAGA_ID, "--reason", "mended");
	assert_int_equal(run.exit_code, 0);
	assert_string_equal(run.out, "saga " SAGA_ID "  checkout v1  RUNNING\n");
	SAGACTL(&run, "skip", SAGA_ID, OTHER_ID, "ship", "--reason", "by hand");
	assert_int_equal(run.exit_code, 0);
	SAGACTL(&run, "resolve", SAGA_ID, "--as", "failed", "--reason", "gone");
	SAGACTL(&run, "resolve", SAGA_ID, "--as", "completed", "--reason", "gone");
	SAGACTL(&run, "resolve", SAGA_ID, "--as", "compensated", "--reason", "gone");
	SAGACTL(&run, "pause", SAGA_ID, OTHER_ID, "--reason", "hold");
	assert_string_equal(run.out, "saga " SAGA_ID "  checkout v1  RUNNING\n"
				     "saga " OTHER_ID "  checkout v1  RUNNING\n"
				     "  it was paused before\n");
	SAGACTL(&run, "resume", SAGA_ID, "--reason", "go");
	assert_string_equal(coordinator.seen, "RetrySaga " SAGA_ID ": mended\n"
					      "SkipStep " SAGA_ID " ship: by hand\n"
					      "SkipStep " OTHER_ID " ship: by hand\n"
					      "ResolveSaga " SAGA_ID " 3: gone\n"
					      "ResolveSaga " SAGA_ID " 1: gone\n"
					      "ResolveSaga " SAGA_ID " 2: gone\n"
					      "PauseSaga " SAGA_ID ": hold\n"
					      "PauseSaga " OTHER_ID ": hold\n"
					      "ResumeSaga " SAGA_ID ": go\n");
}

static void what_is_missing_is_said_before_anything_is_asked(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "resolve", SAGA_ID, "--reason", "x", "--as", "done");
	assert_int_equal(run.exit_code, 2);
	SAGACTL(&run, "retry", "--reason", "x");
	assert_int_equal(run.exit_code, 2);
	assert_has(run.err, "which sagas? Give ids, - for ids from standard input, or a filter");
	SAGACTL(&run, "retry", SAGA_ID, "--definition", "checkout", "--reason", "x");
	assert_int_equal(run.exit_code, 2);
	assert_has(run.err, "either ids or a filter");
	SAGACTL(&run, "skip", SAGA_ID, "--reason", "x");
	assert_int_equal(run.exit_code, 2);
	assert_has(run.err, "name the step behind it");
	SAGACTL(&run, "pause", "x", "--reason", "x");
	assert_int_equal(run.exit_code, 2);
	assert_string_equal(coordinator.seen, "");
}

static void a_refusal_is_said_and_the_others_are_asked_all_the_same(void **state)
{
	struct sagactl_run run;

	(void)state;
	coordinator.refuse_every = 2;
	SAGACTL(&run, "retry", SAGA_ID, OTHER_ID, SAGA_ID, "--reason", "x");
	assert_int_equal(run.exit_code, 1);
	assert_string_equal(run.err, "sagactl: saga '" OTHER_ID "' is RUNNING and cannot be tried again\n");
	assert_int_equal(coordinator.requests, 3);
}

/* ---- by a filter ---- */

static void a_dry_run_shows_which_and_changes_nothing(void **state)
{
	struct sagactl_run run;

	(void)state;
	coordinator.stuck = 4;
	SAGACTL(&run, "retry", "--definition", "checkout", "--step", "ship", "--stuck-reason", "timed_out", "--reason",
		"x", "--dry-run");
	assert_int_equal(run.exit_code, 0);
	assert_string_equal(run.out, "  01900000-0000-7000-8000-000000000001  checkout v2 ship: timed_out\n"
				     "  01900000-0000-7000-8000-000000000002  checkout v2 ship: timed_out\n"
				     "  01900000-0000-7000-8000-000000000003  checkout v2 ship: timed_out\n"
				     "  01900000-0000-7000-8000-000000000004  checkout v2 ship: timed_out\n");
	assert_string_equal(run.err, "sagactl retry: 4 sagas fit; nothing was changed (--dry-run)\n");
	assert_string_equal(coordinator.seen, "stuck definition=checkout step=ship reason=timed_out ids=1 states=0\n"
					      "stuck definition=checkout step=ship reason=timed_out ids=1 states=0\n");
	SAGACTL(&run, "retry", "--definition", "checkout", "--reason", "x", "--dry-run", "--limit", "1", "-o", "jsonl");
	assert_string_equal(run.out, "{\"sagaId\":\"" SAGA_ID "\",\"kind\":\"checkout v2 ship: timed_out\"}\n");
	assert_has(run.err, "1 saga fits within --limit, and there are more");
	assert_int_equal(coordinator.requests, 0);
}

static void without_a_terminal_yes_must_be_said(void **state)
{
	struct sagactl_run run;

	(void)state;
	coordinator.stuck = 4;
	SAGACTL(&run, "skip", "ship", "--definition", "checkout", "--reason", "x");
	assert_int_equal(run.exit_code, 2);
	assert_string_equal(run.err, "sagactl skip: 4 sagas fit:\n"
				     "        4  checkout v2 ship: timed_out\n"
				     "sagactl skip: --yes does it without asking, --dry-run shows them\n");
	assert_int_equal(coordinator.requests, 0);
	SAGACTL(&run, "skip", "ship", "--definition", "checkout", "--reason", "x", "--yes");
	assert_int_equal(run.exit_code, 0);
	assert_int_equal(coordinator.requests, 4);
	assert_has(coordinator.seen, "stuck definition=checkout step=ship reason= ids=1");
	assert_has(coordinator.seen, "SkipStep " SAGA_ID " ship: x\n");
}

static void nothing_that_fits_is_no_failure(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "retry", "--definition", "checkout", "--reason", "x");
	assert_int_equal(run.exit_code, 0);
	assert_string_equal(run.err, "sagactl retry: 0 sagas fit\n");
}

static void pause_is_for_what_is_open_and_resume_for_what_is_paused(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "pause", "--definition", "checkout", "--reason", "x", "--dry-run");
	assert_has(run.out, SAGA_ID "  checkout v1 RUNNING\n");
	assert_has(run.out, OTHER_ID "  checkout v1 RUNNING, paused\n");
	SAGACTL(&run, "resume", "--definition", "checkout", "--reason", "x", "--yes");
	assert_has(run.err, "1 saga fits:\n");
	SAGACTL(&run, "cancel", "--definition", "checkout", "--state", "running", "--reason", "x", "--dry-run");
	assert_string_equal(coordinator.seen, "list 1 2 3 5 7 definition=checkout order=2\n"
					      "list 1 2 3 5 7 definition=checkout order=2\n"
					      "ResumeSaga " OTHER_ID ": x\n"
					      "list 2 definition=checkout order=2\n");
}

/* ---- many ---- */

static void many_are_asked_once_each_and_refusals_are_grouped(void **state)
{
	struct sagactl_run run;

	(void)state;
	coordinator.stuck = SAGAS_MAX;
	coordinator.refuse_every = 10;
	SAGACTL(&run, "retry", "--definition", "checkout", "--reason", "x", "--yes");
	assert_int_equal(run.exit_code, 1);
	assert_int_equal(coordinator.requests, SAGAS_MAX);
	for (size_t i = 0; i < SAGAS_MAX; i++) {
		char line[80];

		(void)snprintf(line, sizeof(line), "RetrySaga %s: x\n", id_of(i));
		assert_has(coordinator.seen, line);
	}
	assert_has(run.out, "90 of 100 sagas tried again in ");
	assert_has(run.out, "\n       10 refused: is RUNNING and cannot be tried again (such as 01900000-");
}

static void nobody_is_asked_once_nobody_answers(void **state)
{
	struct sagactl_run run;

	(void)state;
	coordinator.stuck = SAGAS_MAX;
	coordinator.fail_after = 5;
	SAGACTL(&run, "retry", "--definition", "checkout", "--reason", "x", "--yes");
	assert_int_equal(run.exit_code, 4);
	assert_true(coordinator.requests < SAGAS_MAX);
	assert_has(run.out, "5 of 100 sagas tried again in ");
	assert_has(run.out, " without an answer: it may have been done all the same\n");
	assert_has(run.out, " not asked\n");
	assert_has(run.err, "the coordinator's database is away\n");
}

static void answers_for_programs_stand_alone_on_standard_output(void **state)
{
	struct sagactl_run run;
	size_t lines = 0;

	(void)state;
	coordinator.stuck = 20;
	SAGACTL(&run, "retry", "--definition", "checkout", "--reason", "x", "--yes", "-o", "jsonl");
	assert_int_equal(run.exit_code, 0);
	for (const char *at = run.out; *at; at = strchr(at, '\n') + 1, lines++)
		assert_int_equal(strncmp(at, "{\"saga\":{\"sagaId\":\"01900000-", 28), 0);
	assert_int_equal(lines, 20);
	assert_has(run.err, "20 of 20 sagas tried again in ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_command_asks_what_it_says_with_the_reason),
		TEST(what_is_missing_is_said_before_anything_is_asked),
		TEST(a_refusal_is_said_and_the_others_are_asked_all_the_same),
		TEST(a_dry_run_shows_which_and_changes_nothing),
		TEST(without_a_terminal_yes_must_be_said),
		TEST(nothing_that_fits_is_no_failure),
		TEST(pause_is_for_what_is_open_and_resume_for_what_is_paused),
		TEST(many_are_asked_once_each_and_refusals_are_grouped),
		TEST(nobody_is_asked_once_nobody_answers),
		TEST(answers_for_programs_stand_alone_on_standard_output),
	};

	if (!freopen("/dev/null", "r", stdin)) /* whoever runs this may sit at a terminal, which would be asked */
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
