/* pauses.c - see pauses.h. */
#include "coordinator/engine/pauses.h"

#include <string.h>

#include "lib/base/memory.h"

const char *pause_kind_name(enum pause_kind kind)
{
	static const char *const names[] = {[PAUSE_DEFINITION] = "definition", [PAUSE_PARTICIPANT] = "participant"};

	return names[kind];
}

void pauses_init(struct pauses *pauses)
{
	*pauses = (struct pauses){0};
	(void)pthread_mutex_init(&pauses->mu, NULL); /* default attributes cannot fail on Linux */
	arena_init(&pauses->arena, 0);
}

void pauses_release(struct pauses *pauses)
{
	arena_release(&pauses->arena);
	(void)pthread_mutex_destroy(&pauses->mu);
}

void pauses_set(struct pauses *pauses, const struct pause *items, size_t count)
{
	if (count == 0 && pauses->count == 0)
		return;
	(void)pthread_mutex_lock(&pauses->mu);
	arena_clear(&pauses->arena);
	pauses->items = arena_alloc(&pauses->arena, (count + 1) * sizeof(*items));
	for (size_t i = 0; i < count; i++) {
		pauses->items[i] = items[i];
		pauses->items[i].name = arena_strdup(&pauses->arena, items[i].name);
		pauses->items[i].reason = arena_strdup(&pauses->arena, items[i].reason);
		pauses->items[i].actor = arena_strdup(&pauses->arena, items[i].actor);
	}
	pauses->count = count;
	(void)pthread_mutex_unlock(&pauses->mu);
}

bool pause_names_topic(const struct pause *pause, const char *topic)
{
	const size_t len = strlen(pause->name);

	return pause->kind == PAUSE_PARTICIPANT && strncmp(topic, pause->name, len) == 0 &&
	       (topic[len] == '.' || !topic[len]);
}

const struct pause *pauses_find(const struct pauses *pauses, const char *definition, const char *topic)
{
	for (size_t i = 0; i < pauses->count; i++) {
		const struct pause *pause = &pauses->items[i];

		if (pause->kind == PAUSE_DEFINITION ? strcmp(pause->name, definition) == 0
						    : pause_names_topic(pause, topic))
			return pause;
	}
	return NULL;
}

size_t pauses_count(const struct pauses *pauses, enum pause_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < pauses->count; i++)
		count += pauses->items[i].kind == kind;
	return count;
}

const char *pause_describe(const struct pause *pause, struct arena *arena)
{
	return arena_format(arena, "%s '%s' is paused by %s: %s", pause_kind_name(pause->kind), pause->name,
			    pause->actor, pause->reason);
}

size_t pauses_describe(struct pauses *pauses, struct arena *arena, const char ***ret_texts)
{
	const char **texts;
	size_t count;

	(void)pthread_mutex_lock(&pauses->mu);
	count = pauses->count;
	texts = arena_alloc(arena, (count + 1) * sizeof(*texts));
	for (size_t i = 0; i < count; i++)
		texts[i] = pause_describe(&pauses->items[i], arena);
	(void)pthread_mutex_unlock(&pauses->mu);
	*ret_texts = texts;
	return count;
}
