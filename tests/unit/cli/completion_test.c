/* completion_test.c - what sagactl offers for the next word, and that the page and every command's help are complete. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/completion.h"
#include "lib/base/memory.h"
#include "proto/saga/v1/saga_service.pb-c.h"
#include "tests/unit/cli/sagactl_run.h"
#include "tests/unit/lib/rpc/fake_rpc_server.h"

static struct sagactl_run run;

/* Both: the exit code; what was printed is in `run`. */
#define COMPLETE(...) (SAGACTL(&run, COMPLETE_WORD, __VA_ARGS__), run.exit_code)

static void assert_offers(const char *candidate)
{
	char line[128];

	(void)snprintf(line, sizeof(line), "\n%s\t", candidate);
	if (strncmp(run.out, line + 1, strlen(line + 1)) != 0 && !strstr(run.out, line))
		fail_msg("'%s' is not offered:\n%s", candidate, run.out);
}

static void commands_are_offered_and_then_their_second_words(void **state)
{
	(void)state;
	assert_int_equal(COMPLETE(""), 0);
	assert_offers("start");
	assert_offers("definitions");
	assert_null(strstr(run.out, "definitions\t\ndefinitions"));
	assert_int_equal(COMPLETE("defi"), 0);
	assert_string_equal(run.out, "definitions\t\n");
	assert_int_equal(COMPLETE("definitions", "p"), 0);
	assert_string_equal(run.out, "put\tregister saga definitions\n"
				     "pause\tsend nothing for a definition's sagas until it is resumed\n");
	assert_int_equal(COMPLETE("-o", "json", "--address", "h:1", "topi"), 0); /* flags may come first */
	assert_string_equal(run.out, "topics\t\n");
}

static void flags_of_the_command_and_global_ones_are_offered(void **state)
{
	(void)state;
	assert_int_equal(COMPLETE("topics", "create", "--"), 0);
	assert_offers("--partitions");
	assert_offers("--output");
	assert_offers("--help");
	assert_offers("--config");
	assert_int_equal(COMPLETE("topics", "create", "--part"), 0);
	assert_string_equal(run.out, "--partitions\tPartitions of a new topic.\n");
	assert_int_equal(COMPLETE("--"), 0);
	assert_offers("--address");
	assert_null(strstr(run.out, "--partitions"));
}

static void values_are_offered_where_they_are_known(void **state)
{
	(void)state;
	assert_int_equal(COMPLETE("get", "x", "-o", ""), 0);
	assert_string_equal(run.out, "text\t\njson\t\njsonl\t\n");
	assert_int_equal(COMPLETE("get", "--output=jsonl"), 0);
	assert_string_equal(run.out, "--output=jsonl\t\n");
	assert_int_equal(COMPLETE("completion", ""), 0);
	assert_string_equal(run.out, "bash\t\nzsh\t\nfish\t\n");
	assert_int_equal(COMPLETE("completion", "bash", ""), 0);
	assert_string_equal(run.out, "");
	assert_int_equal(COMPLETE("schema", "register", "--map", ""), 0);
	assert_string_equal(run.out, ":file\n");
	assert_int_equal(COMPLETE("definitions", "put", "a.yaml", ""), 0);
	assert_string_equal(run.out, ":file\n");
	assert_int_equal(COMPLETE("--config", ""), 0);
	assert_string_equal(run.out, ":file\n");
	assert_int_equal(COMPLETE("list", "--state", "com"), 0);
	assert_string_equal(run.out, "completing\t\ncompleted\t\ncompensating\t\ncompensated\t\n");
	assert_int_equal(COMPLETE("health", ""), 0);
	assert_string_equal(run.out, "");
}

/* ---- names from the coordinator ---- */

static void answer(void *ctx, const char *method, struct bytes request, struct fake_rpc_answer *ret_answer)
{
	Saga__V1__Definition definition = SAGA__V1__DEFINITION__INIT;
	Saga__V1__Definition *definitions[] = {&definition};
	Saga__V1__ListDefinitionsResponse list = SAGA__V1__LIST_DEFINITIONS_RESPONSE__INIT;

	(void)ctx;
	(void)method;
	(void)request;
	definition.name = (char *)"checkout";
	list.n_definitions = 1;
	list.definitions = definitions;
	buffer_reserve(&ret_answer->message, 64);
	ret_answer->message.len = saga__v1__list_definitions_response__pack(&list, ret_answer->message.data);
}

static void names_of_definitions_come_from_the_coordinator_or_not_at_all(void **state)
{
	struct fake_rpc_server *server = fake_rpc_server_new(answer, NULL);

	(void)state;
	assert_int_equal(COMPLETE("--address", fake_rpc_server_target(server), "start", "ch"), 0);
	assert_string_equal(run.out, "checkout\t\n");
	assert_int_equal(COMPLETE("--address", fake_rpc_server_target(server), "start", "x"), 0);
	assert_string_equal(run.out, "");
	fake_rpc_server_free(server);
	assert_int_equal(COMPLETE("--address", "127.0.0.1:1", "start", ""), 0);
	assert_string_equal(run.out, "");
}

/* ---- one table ---- */

static void every_command_has_examples_that_are_calls_of_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < command_count; i++) {
		char call[80];

		(void)snprintf(call, sizeof(call), "sagactl %s", command_table[i]->name);
		if (!command_table[i]->examples || !strstr(command_table[i]->examples, call))
			fail_msg("%s has no example", command_table[i]->name);
		assert_int_equal(command_table[i]->examples[strlen(command_table[i]->examples) - 1], '\n');
		if (command_table[i]->notes)
			assert_int_equal(command_table[i]->notes[strlen(command_table[i]->notes) - 1], '\n');
	}
}

static void the_page_has_every_command_flag_and_exit_code(void **state)
{
	(void)state;
	SAGACTL(&run, "man");
	assert_int_equal(run.exit_code, 0);
	assert_non_null(strstr(run.out, ".TH SAGACTL 1"));
	for (size_t i = 0; i < command_count; i++) {
		char title[80];

		(void)snprintf(title, sizeof(title), ".SS sagactl %s", command_table[i]->name);
		assert_non_null(strstr(run.out, title));
	}
	assert_non_null(strstr(run.out, ".B \\-o, \\-\\-output FORMAT\n"));
	assert_non_null(strstr(run.out, ".B \\-\\-partitions N\n"));
	assert_non_null(strstr(run.out, ".TP\n.B 4\na server is away"));
	assert_non_null(strstr(run.out, "SAGACTL_ADDRESS"));
}

static void each_shell_has_a_script_and_others_are_refused(void **state)
{
	static const char *const shells[] = {"bash", "zsh", "fish"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		SAGACTL(&run, "completion", shells[i]);
		assert_int_equal(run.exit_code, 0);
		assert_non_null(strstr(run.out, COMPLETE_WORD));
	}
	SAGACTL(&run, "completion", "csh");
	assert_int_equal(run.exit_code, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_offered_and_then_their_second_words),
		cmocka_unit_test(flags_of_the_command_and_global_ones_are_offered),
		cmocka_unit_test(values_are_offered_where_they_are_known),
		cmocka_unit_test(names_of_definitions_come_from_the_coordinator_or_not_at_all),
		cmocka_unit_test(every_command_has_examples_that_are_calls_of_it),
		cmocka_unit_test(the_page_has_every_command_flag_and_exit_code),
		cmocka_unit_test(each_shell_has_a_script_and_others_are_refused),
	};

	return cmocka_run_group_tests_name("completion", tests, NULL, NULL);
}
