/* sagactl_run.c - see sagactl_run.h. */
#include "tests/unit/cli/sagactl_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/saga_choice.h"
#include "lib/base/memory.h"
#include "tests/unit/lib/base/captured_stream.h"

void sagactl_run(struct sagactl_run *run, const char *const *words)
{
	char *argv[32] = {(char *)"sagactl"};
	size_t argc = 1;
	struct captured_stream out;
	struct captured_stream err;

	free(saga_filter_flags.states.items); /* a process runs one command, so nobody else does */
	free(saga_filter_flags.labels.items);
	memset(&saga_filter_flags, 0, sizeof(saga_filter_flags));
	memset(&saga_choice_flags, 0, sizeof(saga_choice_flags));
	while (*words) {
		assert_true(argc < ARRAY_LEN(argv) - 1);
		argv[argc++] = (char *)*words++;
	}
	out = captured_stream_begin(stdout);
	err = captured_stream_begin(stderr);
	run->exit_code = command_main((int)argc, argv);
	captured_stream_end(&err, run->err, sizeof(run->err));
	captured_stream_end(&out, run->out, sizeof(run->out));
}

void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in: %s", part, text);
}
