/*
 * shutdown.c - see shutdown.h.
 *
 * The signals stay pending: nobody reads the signalfd, so it goes on being readable and needs no state of its own.
 */
#include "lib/base/shutdown.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

static int stop_fd = -1;

void shutdown_init(void)
{
	sigset_t stop_signals;

	assert(stop_fd < 0);
	(void)sigemptyset(&stop_signals);
	(void)sigaddset(&stop_signals, SIGTERM);
	(void)sigaddset(&stop_signals, SIGINT);
	if (pthread_sigmask(SIG_BLOCK, &stop_signals, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		abort(); /* only wrong arguments fail */
	stop_fd = signalfd(-1, &stop_signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (stop_fd < 0)
		abort(); /* not even the first descriptor of the process could be had */
}

int shutdown_fd(void)
{
	assert(stop_fd >= 0);
	return stop_fd;
}

static bool is_readable(int timeout_ms)
{
	struct pollfd wait = {.fd = shutdown_fd(), .events = POLLIN};
	int count = poll(&wait, 1, timeout_ms);

	assert(count >= 0 || errno == EINTR);
	return count > 0;
}

bool shutdown_requested(void)
{
	return is_readable(0);
}

void shutdown_wait(void)
{
	while (!is_readable(-1)) {
		/* another signal interrupted the wait */
	}
}

void shutdown_request(void)
{
	assert(stop_fd >= 0);
	if (kill(getpid(), SIGTERM) != 0)
		abort(); /* a process may always signal itself */
}
