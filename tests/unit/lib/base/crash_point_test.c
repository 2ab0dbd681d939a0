/* crash_point_test.c - a process dies at the pass that it was told, and at no other. Each case is a process of its own, since
 * the environment is read once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/crash_point.h"

enum { SURVIVED = 40 }; /* plus the passes, as an exit status */

/* Passes one point so often, and another one in between. */
static int run(const char *crash_at, int passes)
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		if (crash_at)
			(void)setenv("AMENDS_CRASH_AT", crash_at, 1); /* fails only without memory */
		for (int i = 0; i < passes; i++) {
			CRASH_POINT(TURN_BEFORE_COMMIT);
			CRASH_POINT(TURN_AFTER_COMMIT);
		}
		_exit(SURVIVED + passes);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void assert_survived(int status, int passes)
{
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), SURVIVED + passes);
}

static void assert_ended_by(int status, int signal_number)
{
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), signal_number);
}

static void nobody_dies_who_was_not_told(void **state)
{
	(void)state;
	assert_survived(run(NULL, 3), 3);
	assert_survived(run("", 3), 3);
	assert_survived(run("REPLIES_POLLED", 3), 3);
}

static void dies_at_the_pass_that_was_named(void **state)
{
	(void)state;
	assert_ended_by(run("TURN_AFTER_COMMIT", 1), SIGKILL);
	assert_survived(run("TURN_AFTER_COMMIT:3", 2), 2);
	assert_ended_by(run("TURN_AFTER_COMMIT:3", 3), SIGKILL);
}

static void what_is_no_crash_point_is_not_passed_over(void **state)
{
	(void)state;
	assert_ended_by(run("TURN_AFTER", 1), SIGABRT);
	assert_ended_by(run("TURN_AFTER_COMMIT:", 1), SIGABRT);
	assert_ended_by(run("TURN_AFTER_COMMIT:0", 1), SIGABRT);
	assert_ended_by(run("TURN_AFTER_COMMIT:2x", 1), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_dies_who_was_not_told),
		cmocka_unit_test(dies_at_the_pass_that_was_named),
		cmocka_unit_test(what_is_no_crash_point_is_not_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
