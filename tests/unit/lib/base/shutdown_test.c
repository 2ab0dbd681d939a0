/* shutdown_test.c - being asked to stop is one lasting event for every thread. The state is the process's, so the order
 * of the tests counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/shutdown.h"

enum { PAUSES = 20 };

static bool is_fd_readable(void)
{
	struct pollfd wait = {.fd = shutdown_fd(), .events = POLLIN};

	return poll(&wait, 1, 0) == 1;
}

static void nothing_is_asked_at_first_and_a_broken_pipe_is_survived(void **state)
{
	int ends[2];

	(void)state;
	assert_false(shutdown_requested());
	assert_false(is_fd_readable());
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(close(ends[0]), 0);
	assert_int_equal(write(ends[1], "x", 1), -1);
	assert_int_equal(close(ends[1]), 0);
}

static void *wait_for_it(void *ctx)
{
	(void)ctx;
	shutdown_wait();
	return NULL;
}

static void a_signal_wakes_every_waiting_thread_and_stays(void **state)
{
	pthread_t threads[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, wait_for_it, NULL), 0);
	assert_int_equal(kill(getpid(), SIGINT), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_true(shutdown_requested());
	assert_true(shutdown_requested());
	assert_true(is_fd_readable());
	shutdown_request(); /* once more changes nothing, nor does it end the process */
	shutdown_wait();
	assert_true(is_fd_readable());
}

/* In a child: what ends the process cannot be looked at from inside. `role` says what it does once asked to stop. */
static pid_t start_child(const char *role)
{
	pid_t child = fork();

	if (child == 0) {
		(void)execl("/proc/self/exe", "shutdown_test", role, NULL);
		_exit(99);
	}
	assert_true(child > 0);
	return child;
}

static void a_second_signal_ends_the_process_at_once(void **state)
{
	pid_t child = start_child("hang");
	int status = 0;

	(void)state;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 128 + SIGTERM);
}

/* The child stops itself again and again, and ends when it has been let go on for the last time. */
static void a_pause_while_it_drains_does_not_end_the_process(void **state)
{
	pid_t child = start_child("pause");
	int pauses = 0;
	int status = 0;

	(void)state;
	while (waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status)) {
		pauses++;
		assert_int_equal(kill(child, SIGCONT), 0);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(pauses, PAUSES);
}

static int pause_and_end(void)
{
	for (int i = 0; i < PAUSES; i++) {
		(void)sched_yield(); /* the thread that waits for signals shall be waiting */
		if (kill(getpid(), SIGSTOP) != 0)
			return 95;
	}
	return 0;
}

/* A program that is asked to stop. */
static int be_child(const char *role)
{
	shutdown_init();
	if (kill(getpid(), SIGTERM) != 0)
		return 98;
	shutdown_wait();
	if (strcmp(role, "pause") == 0)
		return pause_and_end();
	if (kill(getpid(), SIGTERM) != 0)
		return 97;
	(void)poll(NULL, 0, 20000);
	return 96;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_asked_at_first_and_a_broken_pipe_is_survived),
		cmocka_unit_test(a_signal_wakes_every_waiting_thread_and_stays),
		cmocka_unit_test(a_second_signal_ends_the_process_at_once),
		cmocka_unit_test(a_pause_while_it_drains_does_not_end_the_process),
	};

	if (argc > 1)
		return be_child(argv[1]);
	shutdown_init();
	return cmocka_run_group_tests_name("shutdown", tests, NULL, NULL);
}
