/*
 * race.h - tells ThreadSanitizer of a hand-over between threads that it cannot see.
 *
 * Why:        a library that is not instrumented, such as gRPC, agrees with its threads by atomics of its own, and what we
 *             pass through it looks like a race. These two say the order where it is made; a suppression would hide all
 *             that happens on the thread. In builds without ThreadSanitizer they are nothing.
 */
#ifndef LIB_BASE_RACE_H
#define LIB_BASE_RACE_H

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

/* All that this thread wrote until now belongs to whoever gets `token` from the library. */
static inline void race_hand_over(void *token)
{
#ifdef __SANITIZE_THREAD__
	__tsan_release(token);
#else
	(void)token;
#endif
}

static inline void race_take_over(void *token)
{
#ifdef __SANITIZE_THREAD__
	__tsan_acquire(token);
#else
	(void)token;
#endif
}

#endif
