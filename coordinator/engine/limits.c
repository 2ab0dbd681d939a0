/* limits.c - see limits.h. */
#include "coordinator/engine/limits.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/memory.h"

bool limit_rules_limit(const struct limit_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		if (rules->items[i].max > 0)
			return true;
	return rules->max > 0;
}

int64_t limit_rules_max(const struct limit_rules *rules, const char *name)
{
	for (size_t i = 0; i < rules->count; i++)
		if (strcmp(rules->items[i].name, name) == 0)
			return rules->items[i].max;
	return rules->max;
}

/* ---- open sagas ---- */
struct open_definition {
	char *name;
	int64_t max;
	int64_t count;
};

void open_limit_init(struct open_limit *limit, const struct limit_rules *rules)
{
	*limit = (struct open_limit){.rules = *rules, .is_limited = limit_rules_limit(rules)};
}

void open_limit_release(struct open_limit *limit)
{
	for (size_t i = 0; i < limit->count; i++)
		free(limit->items[i].name);
	free(limit->items);
	*limit = (struct open_limit){0};
}

static struct open_definition *definition_of(struct open_limit *limit, const char *name)
{
	for (size_t i = 0; i < limit->count; i++)
		if (strcmp(limit->items[i].name, name) == 0)
			return &limit->items[i];
	limit->items = xrealloc_array(limit->items, limit->count + 1, sizeof(*limit->items));
	limit->items[limit->count] =
		(struct open_definition){.name = xstrdup(name), .max = limit_rules_max(&limit->rules, name)};
	return &limit->items[limit->count++];
}

int64_t open_limit_reached(struct open_limit *limit, const char *name)
{
	const struct open_definition *definition;

	if (!limit->is_limited)
		return 0;
	definition = definition_of(limit, name);
	return definition->max > 0 && definition->count >= definition->max ? definition->max : 0;
}

void open_limit_add(struct open_limit *limit, const char *name, int64_t change)
{
	if (limit->is_limited)
		definition_of(limit, name)->count += change;
}

void open_limit_reset(struct open_limit *limit)
{
	for (size_t i = 0; i < limit->count; i++)
		limit->items[i].count = 0;
}
