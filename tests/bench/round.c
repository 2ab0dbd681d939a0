/* round.c - see round.h. */
#include "tests/bench/round.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"

struct round {
	pthread_mutex_t mu;
	bool is_measuring; /* guarded by mu, as all below */
	int64_t *latencies_us;
	size_t count;
	size_t capacity;
	size_t failures;
	char last_failure[240];
};

struct round *round_new(void)
{
	struct round *round = xcalloc(1, sizeof(*round));

	(void)pthread_mutex_init(&round->mu, NULL); /* default attributes cannot fail on Linux */
	return round;
}

void round_free(struct round *round)
{
	if (!round)
		return;
	(void)pthread_mutex_destroy(&round->mu);
	free(round->latencies_us);
	free(round);
}

void round_add(struct round *round, const int64_t *latencies_us, size_t count)
{
	(void)pthread_mutex_lock(&round->mu);
	if (round->is_measuring) {
		while (round->count + count > round->capacity) {
			round->capacity = round->capacity ? round->capacity * 2 : 65536;
			round->latencies_us =
				xrealloc_array(round->latencies_us, round->capacity, sizeof(*round->latencies_us));
		}
		for (size_t i = 0; i < count; i++)
			round->latencies_us[round->count++] = latencies_us[i];
	}
	(void)pthread_mutex_unlock(&round->mu);
}

void round_add_failure(struct round *round, const char *why)
{
	(void)pthread_mutex_lock(&round->mu);
	if (round->is_measuring)
		round->failures++;
	(void)snprintf(round->last_failure, sizeof(round->last_failure), "%s", why); /* may be cut */
	(void)pthread_mutex_unlock(&round->mu);
}

static int compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a;
	int64_t right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

int64_t round_quantile(const int64_t *sorted, size_t count, double quantile)
{
	size_t at = (size_t)((double)count * quantile);

	return count ? sorted[at < count ? at : count - 1] : 0;
}

static void wait_until(int64_t until_us)
{
	struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

static void say_result(struct round *round)
{
	const struct {
		const char *name;
		double quantile;
	} quantiles[] = {{"p50_ms", 0.5}, {"p99_ms", 0.99}, {"p999_ms", 0.999}, {"max_ms", 1}};

	qsort(round->latencies_us, round->count, sizeof(*round->latencies_us), compare);
	printf("{\"event\":\"result\"");
	for (size_t i = 0; i < ARRAY_LEN(quantiles); i++)
		printf(",\"%s\":%.3f", quantiles[i].name,
		       (double)round_quantile(round->latencies_us, round->count, quantiles[i].quantile) / 1000);
	printf("}\n");
	(void)fflush(stdout); /* whoever listened is gone, then nobody minds */
}

void round_measure(struct round *round, int64_t warmup_s, int64_t seconds, size_t (*overdue)(void *ctx), void *ctx)
{
	int64_t began_us;
	double elapsed_s;

	wait_until(clock_monotonic_us() + warmup_s * 1000000);
	printf("{\"event\":\"begin\"}\n");
	(void)fflush(stdout);
	(void)pthread_mutex_lock(&round->mu);
	round->count = 0;
	round->failures = 0;
	round->is_measuring = true;
	began_us = clock_monotonic_us();
	(void)pthread_mutex_unlock(&round->mu);
	wait_until(began_us + seconds * 1000000);
	(void)pthread_mutex_lock(&round->mu);
	round->is_measuring = false;
	elapsed_s = (double)(clock_monotonic_us() - began_us) / 1e6;
	(void)pthread_mutex_unlock(&round->mu); /* nobody adds from here on */
	printf("{\"event\":\"end\",\"seconds\":%.3f,\"sagas\":%zu,\"failures\":%zu,\"overdue\":%zu}\n", elapsed_s,
	       round->count, round->failures, overdue ? overdue(ctx) : 0);
	(void)fflush(stdout);
	if (round->failures)
		log_error("failures", "count=%zu last=%s", round->failures, LOG_TEXT(round->last_failure));
	say_result(round);
}
