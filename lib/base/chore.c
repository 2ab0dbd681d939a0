/* chore.c - see chore.h. */
#include "lib/base/chore.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/condition.h"
#include "lib/base/memory.h"

enum { THREAD_NAME_MAX = 15 };

struct chore {
	struct chore_options options;
	pthread_t thread;
	atomic_bool is_stopping;
	pthread_mutex_t mu;
	pthread_cond_t stopped; /* is_stopping becomes true under mu, so that nobody misses it */
};

bool chore_rest(struct chore *chore, int64_t ms)
{
	const int64_t deadline_us = clock_monotonic_us() + ms * 1000;
	bool is_over = ms <= 0;

	(void)pthread_mutex_lock(&chore->mu);
	while (!atomic_load(&chore->is_stopping) && !is_over)
		is_over = !condition_wait_until(&chore->stopped, &chore->mu, deadline_us);
	(void)pthread_mutex_unlock(&chore->mu);
	return atomic_load(&chore->is_stopping);
}

const atomic_bool *chore_is_stopping(const struct chore *chore)
{
	return &chore->is_stopping;
}

static void *run(void *arg)
{
	struct chore *chore = arg;
	int64_t next_ms = 0;

	while (!chore_rest(chore, next_ms))
		next_ms = chore->options.round(chore->options.ctx, chore);
	return NULL;
}

static void release(struct chore *chore)
{
	(void)pthread_cond_destroy(&chore->stopped);
	(void)pthread_mutex_destroy(&chore->mu);
	free(chore);
}

int chore_start(const struct chore_options *options, struct chore **ret_chore, struct error *err)
{
	struct chore *chore = xcalloc(1, sizeof(*chore));

	assert(options->round && strlen(options->name) <= THREAD_NAME_MAX);
	chore->options = *options;
	(void)pthread_mutex_init(&chore->mu, NULL); /* default attributes cannot fail on Linux */
	condition_init(&chore->stopped);
	if (pthread_create(&chore->thread, NULL, run, chore) != 0) {
		release(chore);
		return error_set(err, ERR_LIMIT, "cannot start the thread '%s': too many threads", options->name);
	}
	(void)pthread_setname_np(chore->thread, options->name); /* a name for people only */
	*ret_chore = chore;
	return 0;
}

void chore_free(struct chore *chore)
{
	if (!chore)
		return;
	(void)pthread_mutex_lock(&chore->mu);
	atomic_store(&chore->is_stopping, true);
	(void)pthread_cond_broadcast(&chore->stopped);
	(void)pthread_mutex_unlock(&chore->mu);
	(void)pthread_join(chore->thread, NULL); /* joined once */
	release(chore);
}
