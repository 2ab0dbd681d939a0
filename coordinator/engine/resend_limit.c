/* resend_limit.c - see resend_limit.h. A token bucket a topic, full at first, holding one second's worth. */
#include "coordinator/engine/resend_limit.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/memory.h"

struct resend_topic {
	char *name;
	int64_t tokens_us; /* time saved up: a token costs 1,000,000 / per_s of it */
	int64_t filled_us;
};

void resend_limit_init(struct resend_limit *limit, int64_t per_s)
{
	*limit = (struct resend_limit){.per_s = per_s};
}

void resend_limit_release(struct resend_limit *limit)
{
	for (size_t i = 0; i < limit->count; i++)
		free(limit->topics[i].name);
	free(limit->topics);
	*limit = (struct resend_limit){0};
}

static struct resend_topic *topic_of(struct resend_limit *limit, const char *name, int64_t now_us)
{
	for (size_t i = 0; i < limit->count; i++)
		if (strcmp(limit->topics[i].name, name) == 0)
			return &limit->topics[i];
	limit->topics = xrealloc_array(limit->topics, limit->count + 1, sizeof(*limit->topics));
	limit->topics[limit->count] =
		(struct resend_topic){.name = xstrdup(name), .tokens_us = 1000000, .filled_us = now_us};
	return &limit->topics[limit->count++];
}

bool resend_limit_take(struct resend_limit *limit, const char *topic_name, int64_t now_us)
{
	struct resend_topic *topic = topic_of(limit, topic_name, now_us);
	int64_t cost_us = 1000000 / limit->per_s;

	topic->tokens_us += now_us - topic->filled_us;
	topic->filled_us = now_us;
	if (topic->tokens_us > 1000000)
		topic->tokens_us = 1000000;
	if (topic->tokens_us < cost_us)
		return false;
	topic->tokens_us -= cost_us;
	return true;
}
