/* diagram_test.c - the state diagram in ARCHITECTURE.md is the list's, line by line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { TERMINAL, OPEN, WAITING };

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

static void the_diagram_in_the_document_is_the_lists(void **state)
{
	char document[64 * 1024];
	char expected[8192];
	size_t len;
	FILE *file = fopen(SOURCE_ROOT "/ARCHITECTURE.md", "rb");

	(void)state;
	assert_non_null(file);
	len = fread(document, 1, sizeof(document) - 1, file);
	(void)fclose(file);
	document[len] = 0;
	len = (size_t)snprintf(expected, sizeof(expected), "%s", DIAGRAM);
	for (size_t i = 0; i < sizeof(STATES) / sizeof(STATES[0]); i++)
		if (STATES[i].flags == TERMINAL)
			len += (size_t)snprintf(expected + len, sizeof(expected) - len, "    %s --> [*]\n",
						STATES[i].name);
	(void)snprintf(expected + len, sizeof(expected) - len, "```\n");
	if (!strstr(document, expected))
		fail_msg("ARCHITECTURE.md should have:\n%s", expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_diagram_in_the_document_is_the_lists)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
