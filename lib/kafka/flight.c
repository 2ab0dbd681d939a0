/* flight.c - see flight.h. */
#include "lib/kafka/flight.h"

#include <assert.h>
#include <pthread.h>

#include "lib/base/clock.h"
#include "lib/base/condition.h"
#include "lib/base/log.h"

enum {
	LAND_MS = 60000, /* longer than the producer tries to deliver */
	LAND_STOPPING_MS = 5000,
	LOOK_MS = 200, /* between two looks whether it is to stop */
};

struct flight {
	pthread_mutex_t mu;
	pthread_cond_t landed;
	size_t under_way; /* guarded by mu */
	bool must_arrive;
	bool has_owner;       /* guarded by mu */
	bool has_failed;      /* guarded by mu */
	struct error failure; /* guarded by mu */
};

struct flight *flight_new(bool must_arrive)
{
	struct flight *flight = xcalloc(1, sizeof(*flight));

	(void)pthread_mutex_init(&flight->mu, NULL); /* default attributes cannot fail on Linux */
	condition_init(&flight->landed);
	flight->has_owner = true;
	flight->must_arrive = must_arrive;
	return flight;
}

/* Unlocks; frees where nobody is left. */
static void unlock(struct flight *flight)
{
	bool is_last = !flight->has_owner && flight->under_way == 0;

	(void)pthread_mutex_unlock(&flight->mu);
	if (!is_last)
		return;
	(void)pthread_cond_destroy(&flight->landed);
	(void)pthread_mutex_destroy(&flight->mu);
	free(flight);
}

void flight_release(struct flight *flight)
{
	if (!flight)
		return;
	(void)pthread_mutex_lock(&flight->mu);
	flight->has_owner = false;
	unlock(flight);
}

void flight_add(struct flight *flight)
{
	(void)pthread_mutex_lock(&flight->mu);
	flight->under_way++;
	(void)pthread_mutex_unlock(&flight->mu);
}

void flight_confirm(struct flight *flight, const struct error *err)
{
	if (err && !err->is_retriable && !flight->must_arrive)
		log_error("reply_lost", "err=%s", LOG_TEXT(err->msg));
	(void)pthread_mutex_lock(&flight->mu);
	assert(flight->under_way > 0);
	flight->under_way--;
	if (err && (err->is_retriable || flight->must_arrive) && !flight->has_failed) {
		flight->has_failed = true;
		flight->failure = *err;
	}
	if (flight->under_way == 0)
		(void)pthread_cond_broadcast(&flight->landed);
	unlock(flight);
}

bool flight_wait(struct flight *flight, int64_t timeout_ms)
{
	int64_t deadline_us = clock_monotonic_us() + timeout_ms * 1000;
	bool has_landed;
	bool is_over = false;

	(void)pthread_mutex_lock(&flight->mu);
	while (flight->under_way > 0 && !is_over)
		is_over = !condition_wait_until(&flight->landed, &flight->mu, deadline_us);
	has_landed = flight->under_way == 0;
	(void)pthread_mutex_unlock(&flight->mu);
	return has_landed;
}

int flight_land(struct flight *flight, const atomic_bool *is_stopping, struct error *err)
{
	int64_t left_ms = LAND_MS;

	while (!flight_wait(flight, LOOK_MS)) {
		left_ms -= LOOK_MS;
		if (atomic_load(is_stopping) && left_ms > LAND_STOPPING_MS)
			left_ms = LAND_STOPPING_MS;
		if (left_ms <= 0)
			return error_set(err, ERR_TIMEOUT, "records are not confirmed (kafka)");
	}
	return flight_result(flight, err);
}

int flight_result(struct flight *flight, struct error *err)
{
	bool has_failed;

	(void)pthread_mutex_lock(&flight->mu);
	has_failed = flight->has_failed;
	if (has_failed)
		*err = flight->failure;
	(void)pthread_mutex_unlock(&flight->mu);
	return has_failed ? -1 : 0;
}
