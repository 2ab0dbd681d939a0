/*
 * rate_limit.h - how many requests a second one client may send.
 *
 * Why:        one client in a loop must not take the server from all others.
 * Guarantees: a client gets `per_s` a second over time, and as many at once after a second of silence. Memory is fixed,
 *             whoever asks: where more clients than BUCKETS are busy at once, some get more than their share.
 * Threads:    any.
 */
#ifndef LIB_HTTP_RATE_LIMIT_H
#define LIB_HTTP_RATE_LIMIT_H

#include <stdint.h>

#include "lib/base/bytes.h"
#include "lib/base/memory.h"

struct rate_limit;

struct rate_limit *rate_limit_new(int64_t per_s); /* 1 to 1,000,000 */
void rate_limit_free(struct rate_limit *limit);
DEFINE_CLEANUP(struct rate_limit *, rate_limit_free)

int64_t rate_limit_per_s(const struct rate_limit *limit);

/* 0: go on. Else nothing is taken, and it is the number of microseconds after which there is a turn for this client.
 * `client` is up to 16 bytes long, such as http_request_peer(); `now_us` is monotonic. */
int64_t rate_limit_take(struct rate_limit *limit, struct bytes client, int64_t now_us);

#endif
