/*
 * c11_threads.c - C11's threads by POSIX's, for ThreadSanitizer's builds alone.
 *
 * Why: librdkafka uses C11's threads and locks, which gcc 12's ThreadSanitizer does not know: its threads crash in their
 *      first malloc(), and what they hand over under a lock looks like a race. It knows POSIX's, which are the same thing in
 *      glibc (the types have one layout). Only what librdkafka calls is here.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <threads.h>

#include "lib/base/memory.h"

static_assert(sizeof(thrd_t) == sizeof(pthread_t), "a thread is a thread");
static_assert(sizeof(mtx_t) <= sizeof(pthread_mutex_t) && _Alignof(mtx_t) <= _Alignof(pthread_mutex_t), "so is a lock");
static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "so is a condition");

struct thread_start {
	thrd_start_t run;
	void *arg;
};

static void *run_thread(void *arg)
{
	struct thread_start start = *(struct thread_start *)arg;

	free(arg);
	return (void *)(intptr_t)start.run(start.arg);
}

static int answer(int rc)
{
	switch (rc) {
	case 0:
		return thrd_success;
	case ETIMEDOUT:
		return thrd_timedout;
	case EBUSY:
		return thrd_busy;
	case ENOMEM:
		return thrd_nomem;
	default:
		return thrd_error;
	}
}

int thrd_create(thrd_t *thread, thrd_start_t run, void *arg)
{
	struct thread_start *start = xmalloc(sizeof(*start));
	int rc;

	*start = (struct thread_start){run, arg};
	rc = pthread_create((pthread_t *)thread, NULL, run_thread, start);
	if (rc)
		free(start);
	return answer(rc);
}

int thrd_join(thrd_t thread, int *ret_result)
{
	void *result = NULL;
	int rc = pthread_join((pthread_t)thread, &result);

	if (ret_result)
		*ret_result = (int)(intptr_t)result;
	return answer(rc);
}

int mtx_init(mtx_t *lock, int type)
{
	pthread_mutexattr_t attributes;
	int rc;

	(void)pthread_mutexattr_init(&attributes); /* cannot fail on Linux; nor can the next */
	(void)pthread_mutexattr_settype(&attributes,
					type & mtx_recursive ? PTHREAD_MUTEX_RECURSIVE : PTHREAD_MUTEX_NORMAL);
	rc = pthread_mutex_init((pthread_mutex_t *)lock, &attributes);
	(void)pthread_mutexattr_destroy(&attributes);
	return answer(rc);
}

void mtx_destroy(mtx_t *lock)
{
	(void)pthread_mutex_destroy((pthread_mutex_t *)lock); /* nobody is told in C11 */
}

int mtx_lock(mtx_t *lock)
{
	return answer(pthread_mutex_lock((pthread_mutex_t *)lock));
}

int mtx_unlock(mtx_t *lock)
{
	return answer(pthread_mutex_unlock((pthread_mutex_t *)lock));
}

int cnd_init(cnd_t *condition)
{
	return answer(pthread_cond_init((pthread_cond_t *)condition, NULL));
}

void cnd_destroy(cnd_t *condition)
{
	(void)pthread_cond_destroy((pthread_cond_t *)condition); /* nobody is told in C11 */
}

int cnd_signal(cnd_t *condition)
{
	return answer(pthread_cond_signal((pthread_cond_t *)condition));
}

int cnd_broadcast(cnd_t *condition)
{
	return answer(pthread_cond_broadcast((pthread_cond_t *)condition));
}

int cnd_wait(cnd_t *condition, mtx_t *lock)
{
	return answer(pthread_cond_wait((pthread_cond_t *)condition, (pthread_mutex_t *)lock));
}

int cnd_timedwait(cnd_t *condition, mtx_t *lock, const struct timespec *until)
{
	return answer(pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)lock, until));
}
