/*
 * rate_limit.c - see rate_limit.h.
 *
 * A token bucket a client, kept as the moment when it will be full again. A bucket that is full says the same as none,
 * so its place is free for another client, and nothing has to be swept.
 */
#include "lib/http/rate_limit.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	BUCKETS = 1024,
	PROBES = 8,
	CLIENT_BYTES_MAX = 16,
	SECOND_US = 1000000,
};

struct bucket {
	uint8_t client[CLIENT_BYTES_MAX];
	size_t client_len;
	int64_t full_at_us;
};

struct rate_limit {
	int64_t per_s;
	pthread_mutex_t mu;
	struct bucket buckets[BUCKETS]; /* guarded by mu */
};

struct rate_limit *rate_limit_new(int64_t per_s)
{
	struct rate_limit *limit = xcalloc(1, sizeof(*limit));

	assert(per_s >= 1 && per_s <= SECOND_US);
	limit->per_s = per_s;
	pthread_mutex_init(&limit->mu, NULL);
	for (size_t i = 0; i < BUCKETS; i++)
		limit->buckets[i].full_at_us = INT64_MIN;
	return limit;
}

void rate_limit_free(struct rate_limit *limit)
{
	if (!limit)
		return;
	pthread_mutex_destroy(&limit->mu);
	free(limit);
}

int64_t rate_limit_per_s(const struct rate_limit *limit)
{
	return limit->per_s;
}

static size_t first_place(struct bytes client)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < client.len; i++)
		hash = (hash ^ client.data[i]) * 16777619u;
	return hash % BUCKETS;
}

static bool is_of(const struct bucket *bucket, struct bytes client)
{
	return bucket->client_len == client.len && memcmp(bucket->client, client.data, client.len) == 0;
}

/* The client's own; else one that is full, or as near to it as can be. */
static struct bucket *find_bucket(struct rate_limit *limit, struct bytes client)
{
	size_t first = first_place(client);
	struct bucket *fullest = &limit->buckets[first];

	for (size_t i = 0; i < PROBES; i++) {
		struct bucket *bucket = &limit->buckets[(first + i) % BUCKETS];

		if (is_of(bucket, client))
			return bucket;
		if (bucket->full_at_us < fullest->full_at_us)
			fullest = bucket;
	}
	*fullest = (struct bucket){.client_len = client.len, .full_at_us = INT64_MIN};
	memcpy(fullest->client, client.data, client.len);
	return fullest;
}

int64_t rate_limit_take(struct rate_limit *limit, struct bytes client, int64_t now_us)
{
	int64_t cost_us = SECOND_US / limit->per_s;
	struct bucket *bucket;
	int64_t full_at_us;
	int64_t wait_us;

	assert(client.len > 0 && client.len <= CLIENT_BYTES_MAX);
	pthread_mutex_lock(&limit->mu);
	bucket = find_bucket(limit, client);
	full_at_us = (bucket->full_at_us > now_us ? bucket->full_at_us : now_us) + cost_us;
	wait_us = full_at_us - now_us - SECOND_US;
	if (wait_us <= 0)
		bucket->full_at_us = full_at_us;
	pthread_mutex_unlock(&limit->mu);
	return wait_us > 0 ? wait_us : 0;
}
