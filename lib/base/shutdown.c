/*
 * shutdown.c - see shutdown.h.
 *
 * The signals are blocked everywhere and taken by one thread that does nothing else, so that the second one, or the end of
 * the time, is acted upon whatever the others are doing. The event is a descriptor that stays readable: nobody reads it.
 */
#include "lib/base/shutdown.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"

enum { DRAIN_MAX_S = 30, EXIT_SIGNALLED = 128 };

static int stop_fd = -1;

static void fill_stop_signals(sigset_t *ret_signals)
{
	(void)sigemptyset(ret_signals);
	(void)sigaddset(ret_signals, SIGTERM);
	(void)sigaddset(ret_signals, SIGINT);
}

void shutdown_request(void)
{
	static const uint64_t one = 1;

	assert(stop_fd >= 0);
	if (write(stop_fd, &one, sizeof(one)) != sizeof(one) && errno != EAGAIN)
		abort(); /* a full counter is as good as any */
}

/* Its number, or -1 when the time is over. A process that was stopped and goes on has its wait interrupted. */
static int wait_for_second(const sigset_t *signals)
{
	int64_t until_us = clock_monotonic_us() + DRAIN_MAX_S * INT64_C(1000000);
	int number;

	do {
		int64_t left_us = until_us - clock_monotonic_us();
		struct timespec left = {.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};

		if (left_us <= 0)
			return -1;
		number = sigtimedwait(signals, NULL, &left);
	} while (number < 0 && errno == EINTR);
	return number;
}

/* The first signal asks to stop; after it there is time to drain, until a second one says that there is none. */
static void *take_signals(void *arg)
{
	sigset_t signals;
	int number = 0;

	(void)arg;
	fill_stop_signals(&signals);
	while (sigwait(&signals, &number) != 0) {
		/* interrupted: the wait goes on */
	}
	shutdown_request();
	number = wait_for_second(&signals);
	if (number > 0)
		log_warn("stopping_at_once", "signal=%d, not waiting for what is still in hand", number);
	else
		log_error("drain_timeout", "seconds=%d, ending without what is still in hand", DRAIN_MAX_S);
	_exit(number > 0 ? EXIT_SIGNALLED + number : EXIT_FAILURE);
}

void shutdown_init(void)
{
	pthread_t thread;
	sigset_t signals;

	assert(stop_fd < 0);
	fill_stop_signals(&signals);
	(void)sigaddset(&signals, SIGHUP);
	if (pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		abort(); /* only wrong arguments fail */
	stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stop_fd < 0 || pthread_create(&thread, NULL, take_signals, NULL) != 0)
		abort(); /* not even the first descriptor or thread of the process could be had */
	(void)pthread_setname_np(thread, "signals"); /* a name for people only */
	(void)pthread_detach(thread);                /* it ends with the process */
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
