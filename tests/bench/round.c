/* round.c - see round.h. */
#include "tests/bench/round.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"

struct series {
	const char *name;
	int64_t *latencies_us;
	size_t count;
	size_t capacity;
};

struct round {
	pthread_mutex_t mu;
	bool is_measuring; /* guarded by mu, as all below */
	struct series series[ROUND_SERIES_MAX];
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
	for (size_t i = 0; i < ROUND_SERIES_MAX; i++)
		free(round->series[i].latencies_us);
	free(round);
}

void round_name_series(struct round *round, size_t series, const char *name)
{
	assert(series > ROUND_MAIN && series < ROUND_SERIES_MAX);
	round->series[series].name = name;
}

/* With the lock held. */
static void append(struct series *series, const int64_t *latencies_us, size_t count)
{
	while (series->count + count > series->capacity) {
		series->capacity = series->capacity ? series->capacity * 2 : 65536;
		series->latencies_us =
			xrealloc_array(series->latencies_us, series->capacity, sizeof(*series->latencies_us));
	}
	for (size_t i = 0; i < count; i++)
		series->latencies_us[series->count++] = latencies_us[i];
}

void round_add_to(struct round *round, size_t series, const int64_t *latencies_us, size_t count)
{
	assert(series < ROUND_SERIES_MAX);
	(void)pthread_mutex_lock(&round->mu);
	if (round->is_measuring)
		append(&round->series[series], latencies_us, count);
	(void)pthread_mutex_unlock(&round->mu);
}

void round_add(struct round *round, const int64_t *latencies_us, size_t count)
{
	round_add_to(round, ROUND_MAIN, latencies_us, count);
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

static void say_quantiles(struct series *series, const char *separator)
{
	const struct {
		const char *name;
		double quantile;
	} quantiles[] = {{"p50_ms", 0.5}, {"p99_ms", 0.99}, {"p999_ms", 0.999}, {"max_ms", 1}};

	if (series->count > 0)
		qsort(series->latencies_us, series->count, sizeof(*series->latencies_us), compare);
	for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
		printf("%s\"%s\":%.3f", separator, quantiles[i].name,
		       (double)round_quantile(series->latencies_us, series->count, quantiles[i].quantile) / 1000);
		separator = ",";
	}
}

static void say_result(struct round *round)
{
	printf("{\"event\":\"result\"");
	say_quantiles(&round->series[ROUND_MAIN], ",");
	for (size_t i = ROUND_MAIN + 1; i < ROUND_SERIES_MAX; i++) {
		if (!round->series[i].name)
			continue;
		printf(",\"%s\":{\"count\":%zu,", round->series[i].name, round->series[i].count);
		say_quantiles(&round->series[i], "");
		printf("}");
	}
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
	for (size_t i = 0; i < ROUND_SERIES_MAX; i++)
		round->series[i].count = 0;
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
	       round->series[ROUND_MAIN].count, round->failures, overdue ? overdue(ctx) : 0);
	(void)fflush(stdout);
	if (round->failures)
		log_error("failures", "count=%zu last=%s", round->failures, LOG_TEXT(round->last_failure));
	say_result(round);
}
