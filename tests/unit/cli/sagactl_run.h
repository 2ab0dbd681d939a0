/*
 * sagactl_run.h - sagactl as it is called, inside a test: its words, what it printed, and its exit code.
 */
#ifndef TESTS_UNIT_CLI_SAGACTL_RUN_H
#define TESTS_UNIT_CLI_SAGACTL_RUN_H

#include <stddef.h>

struct sagactl_run {
	int exit_code;
	char out[65536];
	char err[4096];
};

/* At most 30 words, NULL behind them. Which sagas an earlier run was about is forgotten first. */
void sagactl_run(struct sagactl_run *run, const char *const *words);
#define SAGACTL(run, ...) sagactl_run(run, (const char *const[]){__VA_ARGS__, NULL})

void assert_has(const char *text, const char *part);

#endif
