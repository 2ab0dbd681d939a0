/*
 * shifted_clock.c - preloaded into a program under test: its calendar is as many microseconds ahead as the file SHIFTED_CLOCK
 * says, eight bytes that may change while it runs.
 *
 * Monotonic time is true, and so is timespec_get(), by which glibc's waits with a deadline go that librdkafka uses: what a
 * clock's step does to waits inside of glibc and the kernel, they do not let be imitated from outside.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead_us;

__attribute__((constructor)) static void open_file(void)
{
	const char *path = getenv("SHIFTED_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *page = fd >= 0 ? mmap(NULL, sizeof(*ahead_us), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (page == MAP_FAILED)
		abort(); /* a test with the true time would show nothing */
	(void)close(fd);
	ahead_us = page;
}

static int64_t shifted_us(void)
{
	struct timespec now;

	(void)syscall(SYS_clock_gettime, CLOCK_REALTIME, &now); /* cannot fail */
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 + (ahead_us ? *ahead_us : 0);
}

int clock_gettime(clockid_t id, struct timespec *ret_now)
{
	int64_t us;

	if (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)
		return (int)syscall(SYS_clock_gettime, id, ret_now);
	us = shifted_us();
	*ret_now = (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
	return 0;
}

int gettimeofday(struct timeval *restrict ret_now, void *restrict zone)
{
	int64_t us = shifted_us();

	(void)zone; /* obsolete */
	*ret_now = (struct timeval){.tv_sec = us / 1000000, .tv_usec = us % 1000000};
	return 0;
}

time_t time(time_t *ret_now)
{
	time_t now = (time_t)(shifted_us() / 1000000);

	if (ret_now)
		*ret_now = now;
	return now;
}
