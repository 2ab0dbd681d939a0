/* facts.c - see facts.h. */
#include "coordinator/bus/facts.h"

#include <string.h>

#include "coordinator/bus/screen.h"

/* After the poll, so that a definition of which a saga was started before the record was told is known. */
static void learn(struct facts *facts)
{
	const uint64_t generation = catalog_generation(facts->catalog);

	if (facts->is_learnt && generation == facts->generation)
		return;
	arena_clear(&facts->arena);
	facts->topic_count = catalog_event_topics(facts->catalog, &facts->arena, &facts->topics);
	facts->generation = generation;
	facts->is_learnt = true;
}

bool facts_is_ignored(struct facts *facts, const struct kafka_record *record)
{
	if (!screen_is_fact(record))
		return false;
	learn(facts);
	for (size_t i = 0; i < facts->topic_count; i++)
		if (strcmp(facts->topics[i], record->topic) == 0)
			return false;
	return true;
}

void facts_release(struct facts *facts)
{
	arena_release(&facts->arena);
}
