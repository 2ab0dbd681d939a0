/*
 * condition.h - condition variables with deadlines by the monotonic clock (clock_monotonic_us()), which never steps.
 *
 * Errors: none; on Linux what is done here cannot fail. Destroy with pthread_cond_destroy().
 */
#ifndef LIB_BASE_CONDITION_H
#define LIB_BASE_CONDITION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

void condition_init(pthread_cond_t *condition);
/* False: the deadline is over. True: woken, perhaps by nobody; look at what is waited for, and wait again. */
bool condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *mu, int64_t deadline_us);

#endif
