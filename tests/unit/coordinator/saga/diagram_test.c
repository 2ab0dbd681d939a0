/* diagram_test.c - the state diagrams in ARCHITECTURE.md are the list's, line by line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/saga/machine.h"

enum { TERMINAL, OPEN, WAITING };

enum { DOCUMENT_MAX = 128 * 1024, DIAGRAM_MAX = 8192 };

static const char DIAGRAM[] = "```mermaid\nstateDiagram-v2\n"
#define SAGA_MOVE(from, to, when) "    " #from " --> " #to "\n"
#include "coordinator/saga/saga_states.def"
	;

static const struct {
	const char *name;
	int flags;
} STATES[] = {
#define SAGA_STATE(name, flags, meaning) {#name, flags},
#include "coordinator/saga/saga_states.def"
};

static void assert_has(const char *expected)
{
	static char document[DOCUMENT_MAX];
	FILE *file = fopen(SOURCE_ROOT "/ARCHITECTURE.md", "rb");

	assert_non_null(file);
	document[fread(document, 1, sizeof(document) - 1, file)] = 0;
	(void)fclose(file);
	if (strstr(document, expected))
		return;
	(void)fputs(expected, stderr); /* cmocka cuts what is so long */
	fail_msg("ARCHITECTURE.md should have this diagram");
}

static void the_diagram_of_the_saga_is_the_lists(void **state)
{
	char expected[DIAGRAM_MAX];
	size_t len;

	(void)state;
	len = (size_t)snprintf(expected, sizeof(expected), "%s", DIAGRAM);
	for (size_t i = 0; i < sizeof(STATES) / sizeof(STATES[0]); i++)
		if (STATES[i].flags == TERMINAL)
			len += (size_t)snprintf(expected + len, sizeof(expected) - len, "    %s --> [*]\n",
						STATES[i].name);
	(void)snprintf(expected + len, sizeof(expected) - len, "```\n");
	assert_has(expected);
}

static void the_diagram_of_the_step_is_the_lists(void **state)
{
	char expected[DIAGRAM_MAX];
	size_t len = (size_t)snprintf(expected, sizeof(expected), "```mermaid\nstateDiagram-v2\n");

	(void)state;
	for (int from = 0; from < STEP_STATE_COUNT; from++)
		for (int to = 0; to < STEP_STATE_COUNT; to++)
			if (from != to && step_move_is_legal((enum step_state)from, (enum step_state)to))
				len += (size_t)snprintf(expected + len, sizeof(expected) - len, "    %s --> %s\n",
							step_state_name((enum step_state)from),
							step_state_name((enum step_state)to));
	(void)snprintf(expected + len, sizeof(expected) - len, "```\n");
	assert_has(expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_diagram_of_the_saga_is_the_lists),
					   cmocka_unit_test(the_diagram_of_the_step_is_the_lists)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
