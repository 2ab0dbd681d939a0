/*
 * resend_limit.h - how many commands a second may be sent again to one topic.
 *
 * Why:        a participant that comes back must not be met by a storm of all that waited for it.
 * Guarantees: first sendings are never limited; a limited re-send stays due and is tried by a later sweep.
 */
#ifndef COORDINATOR_ENGINE_RESEND_LIMIT_H
#define COORDINATOR_ENGINE_RESEND_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct resend_topic;

struct resend_limit {
	int64_t per_s;
	struct resend_topic *topics; /* as many as definitions name */
	size_t count;
};

void resend_limit_init(struct resend_limit *limit, int64_t per_s);
void resend_limit_release(struct resend_limit *limit);
bool resend_limit_take(struct resend_limit *limit, const char *topic, int64_t now_us); /* `now_us` is monotonic */

#endif
