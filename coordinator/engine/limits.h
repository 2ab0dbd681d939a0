/*
 * limits.h - limits by name, one for all and others for some; and the open sagas of each definition that has one.
 *
 * Open:       a saga is open until it has ended, also while it waits for its start or for a person: where nothing ends any more,
 *             nothing new begins.
 * Instances:  the count is of all instances' sagas, taken from the database now and then and moved on by what this instance
 *             starts and ends in between.
 * Threads:    the engine's.
 */
#ifndef COORDINATOR_ENGINE_LIMITS_H
#define COORDINATOR_ENGINE_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limit_rule {
	const char *name;
	int64_t max; /* 0: none */
};

struct limit_rules {
	int64_t max; /* of each name that no rule has; 0: none */
	const struct limit_rule *items;
	size_t count;
};

bool limit_rules_limit(const struct limit_rules *rules); /* anything at all */
int64_t limit_rules_max(const struct limit_rules *rules, const char *name);

struct open_definition;

struct open_limit {
	struct limit_rules rules;
	bool is_limited;
	struct open_definition *items; /* as many as there are definitions */
	size_t count;
};

void open_limit_init(struct open_limit *limit, const struct limit_rules *rules); /* borrows the rules' texts */
void open_limit_release(struct open_limit *limit);
/* The definition's limit if it has as many open sagas; 0: another one may start. */
int64_t open_limit_reached(struct open_limit *limit, const char *definition);
void open_limit_add(struct open_limit *limit, const char *definition, int64_t change);
void open_limit_reset(struct open_limit *limit); /* before a new count */

#endif
