/* stuck_command_test.c - sagactl stuck: pages become one table, and what to type stands below it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "proto/saga/v1/saga_service.pb-c.h"
#include "tests/unit/cli/sagactl_run.h"
#include "tests/unit/lib/rpc/fake_rpc_server.h"

#define SAGA_ID "01900000-0000-7000-8000-000000000001"
#define OTHER_ID "01900000-0000-7000-8000-000000000002"

static struct {
	bool is_empty;
	int64_t now_s;
	char seen[1024];
} coordinator;

/* The second page has more of the first group, the oldest of them, and another group. */
static void handle(void *ctx, const char *method, struct bytes packed, struct fake_rpc_answer *answer)
{
	Saga__V1__ListStuckRequest *request = saga__v1__list_stuck_request__unpack(NULL, packed.len, packed.data);
	Saga__V1__ListStuckResponse page = SAGA__V1__LIST_STUCK_RESPONSE__INIT;
	Google__Protobuf__Timestamp since = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Saga__V1__StuckGroup ship = SAGA__V1__STUCK_GROUP__INIT;
	Saga__V1__StuckGroup pay = SAGA__V1__STUCK_GROUP__INIT;
	Saga__V1__StuckGroup *groups[] = {&ship, &pay};
	bool is_second = strcmp(request->page_token, "second") == 0;
	char *sample = (char *)"all 10 attempts failed: no\x1b[1m paper";
	size_t len = strlen(coordinator.seen);

	(void)ctx;
	assert_non_null(strstr(method, "ListStuck"));
	(void)snprintf(coordinator.seen + len, sizeof(coordinator.seen) - len,
		       "definition=%s step=%s reason=%s ids=%d %s\n", request->filter->definition, request->step_id,
		       request->reason, request->include_saga_ids, request->page_token);
	since.seconds = coordinator.now_s - (is_second ? 7200 : 3600);
	ship.definition = pay.definition = (char *)"checkout";
	ship.definition_version = pay.definition_version = 2;
	ship.step_id = (char *)"ship";
	ship.phase = SAGA__V1__STEP_PHASE__STEP_PHASE_FORWARD;
	ship.state = SAGA__V1__STEP_STATE__STEP_STATE_STUCK;
	ship.reason = (char *)"attempts_exhausted";
	ship.count = is_second ? 2 : 5;
	ship.oldest_time = pay.oldest_time = &since;
	ship.oldest_saga_id = (char *)(is_second ? OTHER_ID : SAGA_ID);
	ship.samples = &sample;
	ship.n_samples = 1;
	ship.saga_ids = &ship.oldest_saga_id;
	ship.n_saga_ids = request->include_saga_ids ? 1 : 0;
	pay.step_id = (char *)"pay";
	pay.phase = SAGA__V1__STEP_PHASE__STEP_PHASE_COMPENSATION;
	pay.state = SAGA__V1__STEP_STATE__STEP_STATE_VIOLATED;
	pay.reason = (char *)"it's late";
	pay.count = 1;
	pay.oldest_saga_id = (char *)SAGA_ID;
	page.groups = groups;
	page.n_groups = coordinator.is_empty ? 0 : is_second ? 2 : 1;
	page.next_page_token = (char *)(is_second || coordinator.is_empty ? "" : "second");
	fake_rpc_append(&answer->message, &page.base);
	saga__v1__list_stuck_request__free_unpacked(request, NULL);
}

static struct fake_rpc_server *server;

static int set_up(void **state)
{
	(void)state;
	memset(&coordinator, 0, sizeof(coordinator));
	coordinator.now_s = clock_real_us() / 1000000;
	server = fake_rpc_server_new(handle, NULL);
	return setenv("SAGACTL_ADDRESS", fake_rpc_server_target(server), 1);
}

static int tear_down(void **state)
{
	(void)state;
	fake_rpc_server_free(server);
	return 0;
}

static void causes_of_all_pages_are_one_table_with_what_to_type(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "stuck");
	assert_int_equal(run.exit_code, 0);
	assert_string_equal(
		run.out,
		"  SAGAS  DEFINITION   STEP                REASON              OLDEST      ITS SAGA                    "
		"      "
		"    WHY\n"
		"  7      checkout v2  ship                attempts_exhausted  2 h 00 min  " OTHER_ID
		"  all 10 attempts "
		"failed: no [1m paper\n"
		"  1      checkout v2  pay (compensation)  it's late           2 h 00 min  " SAGA_ID "\n"
		"once the cause is mended, for all of a line:\n"
		"  sagactl retry --definition checkout --definition-version 2 --step ship --stuck-reason "
		"attempts_exhausted "
		"--reason '…' --dry-run\n"
		"  sagactl resolve --as failed --definition checkout --definition-version 2 --step pay --stuck-reason "
		"'it'\\''s late' --reason '…' --dry-run\n"
		"one of them: sagactl explain SAGA_ID\n");
}

static void the_filter_is_sent_and_ids_are_for_pipes(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "stuck", "--definition", "checkout", "--step", "ship", "--stuck-reason", "x", "--quiet");
	assert_string_equal(run.out, SAGA_ID "\n" OTHER_ID "\n");
	assert_string_equal(coordinator.seen, "definition=checkout step=ship reason=x ids=1 \n"
					      "definition=checkout step=ship reason=x ids=1 second\n");
}

static void for_programs_it_is_an_array_and_nothing_is_no_failure(void **state)
{
	struct sagactl_run run;

	(void)state;
	SAGACTL(&run, "stuck", "--quiet=false", "-o", "jsonl");
	assert_int_equal(strncmp(run.out, "{\"definition\":\"checkout\"", 24), 0);
	assert_has(run.out, "\"count\":\"7\"");
	assert_has(run.out, "\"oldestSagaId\":\"" OTHER_ID "\"");
	coordinator.is_empty = true;
	SAGACTL(&run, "stuck", "--quiet=false");
	assert_int_equal(run.exit_code, 0);
	assert_string_equal(run.out, "");
	assert_string_equal(run.err, "sagactl: nothing that fits is stuck\n");
	SAGACTL(&run, "stuck", "--quiet=false", "-o", "json");
	assert_string_equal(run.out, "[]\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(causes_of_all_pages_are_one_table_with_what_to_type),
		TEST(the_filter_is_sent_and_ids_are_for_pipes),
		TEST(for_programs_it_is_an_array_and_nothing_is_no_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
