/* sent_commands.c - see sent_commands.h. */
#include "coordinator/check/sent_commands.h"

enum { PAGE_SAGAS = 1000, CLOCKS_APART_MS = 60 * 1000 };

void sent_commands_add(struct sent_commands *sent, uint64_t hash)
{
	while (!hash_set_add(&sent->seen, hash))
		hash_set_narrow(&sent->seen);
}

/* What came back shows that it went out. */
static bool was_answered(const struct step *step, enum step_phase phase)
{
	if (step->attempts[phase] == 0)
		return false;
	switch (phase) {
	case STEP_PHASE_FORWARD:
		return step->state == STEP_STATE_ACCEPTED || step->state == STEP_STATE_COMPENSATED ||
		       ((step->state == STEP_STATE_SUCCEEDED || step->state == STEP_STATE_REJECTED) &&
			step->attempts[STEP_PHASE_INQUIRY] == 0);
	case STEP_PHASE_COMPENSATION:
		return step->state == STEP_STATE_COMPENSATED || step->state == STEP_STATE_NOT_NEEDED;
	default:
		return false; /* the answer may have been the forward command's own */
	}
}

static void check_command(const struct sent_commands *sent, const struct page_saga *saga, int32_t step,
			  enum step_phase phase, struct arena *arena)
{
	const struct step_definition *its = &saga->known->definition->steps[step];
	const char *topic = definition_command_topic(saga->known, step, phase);
	const uint64_t hash = hash_of_command(saga->id, its->id, (int)phase);
	int64_t whole_since_ms;

	if (!topic || !was_answered(&saga->saga->steps[step], phase) || !hash_set_is_in_range(&sent->seen, hash) ||
	    hash_set_has(&sent->seen, hash))
		return;
	whole_since_ms = sent->whole_since_ms(sent->ctx, topic);
	if (whole_since_ms == INT64_MAX ||
	    (whole_since_ms > 0 && saga->saga->created_us / 1000 < whole_since_ms + CLOCKS_APART_MS))
		return; /* its retention may be over */
	check_report(sent->listener, &saga->id, its->id,
		     arena_format(arena, "I7: its %s command was answered, and is not on %s", step_phase_name(phase),
				  topic));
}

static void check_page(const struct sent_commands *sent, const struct saga_page *page, struct arena *arena)
{
	for (size_t i = 0; i < page->count; i++) {
		const struct page_saga *saga = &page->sagas[i];

		if (!saga->saga || saga->updated_us >= sent->before_us)
			continue;
		for (int32_t step = 0; step < (int32_t)saga->saga->step_count; step++)
			for (int phase = 0; phase < STEP_PHASE_COUNT; phase++)
				check_command(sent, saga, step, (enum step_phase)phase, arena);
	}
}

int sent_commands_check(struct sent_commands *sent, struct error *err)
{
	struct uuid after = sent->after;
	struct saga_page page;
	struct arena arena;
	int64_t done = 0;
	int result;

	arena_init(&arena, 0);
	do {
		arena_clear(&arena);
		result = definition_book_load(sent->book, sent->pg, err);
		if (result == 0)
			result = saga_page_load(sent->pg, sent->book, after, PAGE_SAGAS, &arena, &page, err);
		if (result < 0)
			break;
		check_page(sent, &page, &arena);
		done += (int64_t)page.count;
		if (page.count > 0)
			after = page.sagas[page.count - 1].id;
	} while (page.count == PAGE_SAGAS &&
		 sent->listener->progress(sent->listener->ctx, "sagas looked up on the topics", done, 0));
	arena_release(&arena);
	return result;
}
