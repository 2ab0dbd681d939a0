/*
 * topic_plan.h - which topics there should be, how large, and for whom; and what is wrong with those that there are.
 *
 * Why:       `topics create` and `topics list` must agree about side topics and sizes.
 * Ownership: names are copied; everything lives in the plan's arena.
 */
#ifndef CLI_TOPIC_PLAN_H
#define CLI_TOPIC_PLAN_H

#include "lib/kafka/topic_state.h"

struct topic_sizes {
	int64_t partitions;
	int64_t replication;
	int64_t retention_ms;
	int64_t dead_retention_ms; /* of dead letters */
};

struct topic_want {
	struct kafka_topic topic;
	const char **needed_by; /* names of definitions; of side topics, too */
	size_t needed_count;
};

struct topic_plan {
	struct arena arena;
	struct topic_sizes sizes;
	struct topic_want *items;
	size_t count;
};

void topic_plan_init(struct topic_plan *plan, const struct topic_sizes *sizes);
void topic_plan_release(struct topic_plan *plan);
/* The topic, its dead letters, and where commands are read its retry topics. `needed_by` may be NULL. */
void topic_plan_add(struct topic_plan *plan, const char *topic, const char *needed_by);
void topic_plan_sort(struct topic_plan *plan); /* by name */

enum { TOPIC_PROBLEMS_MAX = 6 };
/* What the topic has less of than it should, or loses records by; answers how many texts, which are the arena's. */
size_t topic_want_check(const struct topic_want *want, const struct topic_state *state, struct arena *arena,
			const char *ret_problems[TOPIC_PROBLEMS_MAX]);

void retention_append(struct buffer *out, int64_t ms); /* "7d", "90m", "for ever" for -1 */

#endif
