/* plant.c - see plant.h. The functions of the core as the engine gets them: with --wrap, __real_ is the core's own. */
#include "tests/simulation/plant.h"

#include "coordinator/saga/open_row.h"
#include "coordinator/engine/pauses.h"
#include "coordinator/engine/room.h"
#include "tests/simulation/simulation.h"

static const char *const WORDS[PLANT_COUNT] = {"none",
#define PLANT(name, word, text) word,
					       PLANTS
#undef PLANT
};
static const char *const TEXTS[PLANT_COUNT] = {"nothing",
#define PLANT(name, word, text) text,
					       PLANTS
#undef PLANT
};

static enum plant planted;
static bool is_replaying;

void plant_set(enum plant plant)
{
	planted = plant;
}

bool is_planted(enum plant plant)
{
	return planted == plant;
}

const char *plant_word(enum plant plant)
{
	return WORDS[plant];
}

const char *plant_text(enum plant plant)
{
	return TEXTS[plant];
}

/* ---- the core's functions ---- */
enum saga_verdict __real_saga_apply(const struct definition *definition, const struct saga *saga,
				    const struct saga_event *event, struct arena *arena, struct saga **ret_saga,
				    struct saga_effects *ret_effects, const char **ret_why);
enum saga_verdict __wrap_saga_apply(const struct definition *definition, const struct saga *saga,
				    const struct saga_event *event, struct arena *arena, struct saga **ret_saga,
				    struct saga_effects *ret_effects, const char **ret_why);
int64_t __real_saga_due_us(const struct saga *saga);
int64_t __wrap_saga_due_us(const struct saga *saga);
bool __real_saga_due_event(const struct definition *definition, const struct saga *saga, int64_t now_us, int32_t *step,
			   struct saga_event *ret_event);
bool __wrap_saga_due_event(const struct definition *definition, const struct saga *saga, int64_t now_us, int32_t *step,
			   struct saga_event *ret_event);

bool __real_room_take(struct room *room, const struct room_command *command);
bool __wrap_room_take(struct room *room, const struct room_command *command);
const struct pause *__real_pauses_find(const struct pauses *pauses, const char *definition, const char *topic);
const struct pause *__wrap_pauses_find(const struct pauses *pauses, const char *definition, const char *topic);
void __real_pauses_set(struct pauses *pauses, const struct pause *items, size_t count);
void __wrap_pauses_set(struct pauses *pauses, const struct pause *items, size_t count);
bool __real_room_next(struct room *room, struct room_command *ret_command);
bool __wrap_room_next(struct room *room, struct room_command *ret_command);

/* A definition that says something else about its steps. */
static struct definition *changed_definition(const struct definition *definition, struct arena *arena)
{
	struct definition *copy = arena_copy(arena, definition, sizeof(*definition));
	struct step_definition *steps =
		arena_copy(arena, definition->steps, definition->step_count * sizeof(*definition->steps));
	static const int32_t nothing[1];

	copy->steps = steps;
	for (size_t i = 0; i < copy->step_count; i++) {
		if (is_planted(PLANT_WRONG_ORDER)) {
			steps[i].after = nothing;
			steps[i].after_count = 0;
		} else if (is_planted(PLANT_FORGOTTEN) && i == 0) {
			steps[i].has_compensation = false;
		} else if (is_planted(PLANT_PIVOT_UNDONE) && steps[i].kind == STEP_KIND_PIVOT) {
			steps[i].kind = STEP_KIND_COMPENSATABLE;
		}
	}
	return copy;
}

static bool is_about_the_definition(const struct saga *saga)
{
	if (is_planted(PLANT_WRONG_ORDER))
		return saga->failure_milestone != NULL;
	return is_planted(PLANT_FORGOTTEN) || is_planted(PLANT_PIVOT_UNDONE);
}

static void change_event(const struct saga *saga, struct saga_event *event)
{
	const bool is_of_step = event->step >= 0 && (size_t)event->step < saga->step_count;

	if (is_planted(PLANT_ATTEMPT_IGNORED) && is_of_step)
		event->attempt = saga->steps[event->step].attempts[event->phase];
	if (is_planted(PLANT_TIMER_EARLY) && event->type == SAGA_EVENT_TIMED_OUT &&
	    event->time_us < saga->steps[event->step].deadline_us)
		event->time_us = saga->steps[event->step].deadline_us;
}

/* Planted in the rules themselves, so what follows has to betray it. */
static void change_answer(struct saga_event *event)
{
	if (event->phase != STEP_PHASE_INQUIRY || event->type != SAGA_EVENT_REJECTED)
		return;
	if (is_planted(PLANT_INQUIRY_IGNORED))
		event->type = SAGA_EVENT_UNKNOWN;
	if (is_planted(PLANT_INQUIRY_MISREAD))
		event->type = SAGA_EVENT_SUCCEEDED;
}

static enum saga_verdict reopen(const struct saga *saga, struct arena *arena, struct saga **ret_saga)
{
	struct saga *copy = arena_copy(arena, saga, sizeof(*saga));

	copy->state = SAGA_STATE_RUNNING;
	copy->version++;
	*ret_saga = copy;
	return SAGA_VERDICT_APPLIED;
}

static enum saga_verdict lose_value(const struct definition *definition, const struct saga *saga,
				    const struct saga_event *event, struct arena *arena, struct saga **ret_saga,
				    struct saga_effects *ret_effects, const char **ret_why)
{
	const enum saga_verdict verdict =
		__real_saga_apply(definition, saga, event, arena, ret_saga, ret_effects, ret_why);

	if (verdict == SAGA_VERDICT_APPLIED)
		(*ret_saga)->steps[event->step].reply.len = 0;
	return verdict;
}

enum saga_verdict __wrap_saga_apply(const struct definition *definition, const struct saga *saga,
				    const struct saga_event *event, struct arena *arena, struct saga **ret_saga,
				    struct saga_effects *ret_effects, const char **ret_why)
{
	struct saga_event changed = *event;
	struct saga unpaused = *saga;

	if (planted == PLANT_NONE)
		return __real_saga_apply(definition, saga, event, arena, ret_saga, ret_effects, ret_why);
	if (is_about_the_definition(saga))
		definition = changed_definition(definition, arena);
	change_answer(&changed);
	if (is_replaying)
		return __real_saga_apply(definition, saga, &changed, arena, ret_saga, ret_effects, ret_why);
	if (is_planted(PLANT_REOPENED) && saga_state_is_terminal(saga->state) && event->type == SAGA_EVENT_SUCCEEDED)
		return reopen(saga, arena, ret_saga);
	change_event(saga, &changed);
	if (is_planted(PLANT_SIGNAL_VALUE_LOST) && event->type == SAGA_EVENT_SIGNALLED)
		return lose_value(definition, saga, event, arena, ret_saga, ret_effects, ret_why);
	if (is_planted(PLANT_PAUSED_SENDS) && event->type == SAGA_EVENT_RESEND)
		unpaused.paused_us = 0;
	return __real_saga_apply(definition, &unpaused, &changed, arena, ret_saga, ret_effects, ret_why);
}

int64_t __wrap_saga_due_us(const struct saga *saga)
{
	struct saga unpaused = *saga;

	if (is_planted(PLANT_TIMER_NOT_ARMED) && saga->version % 5 == 3)
		return 0;
	if (is_planted(PLANT_PAUSED_SENDS))
		unpaused.paused_us = 0;
	return __real_saga_due_us(&unpaused);
}

bool __wrap_saga_due_event(const struct definition *definition, const struct saga *saga, int64_t now_us, int32_t *step,
			   struct saga_event *ret_event)
{
	struct saga unpaused = *saga;

	if (is_planted(PLANT_PAUSED_SENDS))
		unpaused.paused_us = 0;
	return __real_saga_due_event(definition, &unpaused,
				     is_planted(PLANT_TIMER_EARLY) ? now_us + 9 * SECOND_US : now_us, step, ret_event);
}

bool __wrap_room_take(struct room *room, const struct room_command *command)
{
	return __real_room_take(room, command) || is_planted(PLANT_ROOM_IGNORED);
}

bool __wrap_room_next(struct room *room, struct room_command *ret_command)
{
	return !is_planted(PLANT_ROOM_KEPT) && __real_room_next(room, ret_command);
}

const struct pause *__wrap_pauses_find(const struct pauses *pauses, const char *definition, const char *topic)
{
	return is_planted(PLANT_PAUSE_IGNORED) ? NULL : __real_pauses_find(pauses, definition, topic);
}

void __wrap_pauses_set(struct pauses *pauses, const struct pause *items, size_t count)
{
	if (!is_planted(PLANT_PAUSE_KEPT) || count >= pauses->count)
		__real_pauses_set(pauses, items, count);
}

enum saga_verdict plant_replay(const struct definition *definition, const struct saga *saga,
			       const struct saga_event *event, struct arena *arena, struct saga **ret_saga,
			       struct saga_effects *ret_effects, const char **ret_why)
{
	enum saga_verdict verdict;

	is_replaying = true;
	verdict = __wrap_saga_apply(definition, saga, event, arena, ret_saga, ret_effects, ret_why);
	is_replaying = false;
	return verdict;
}

struct open_row __real_open_row_of(const struct saga *saga, int32_t definition_id, int64_t stored_look_us);
struct open_row __wrap_open_row_of(const struct saga *saga, int32_t definition_id, int64_t stored_look_us);

struct open_row __wrap_open_row_of(const struct saga *saga, int32_t definition_id, int64_t stored_look_us)
{
	struct open_row row = __real_open_row_of(saga, definition_id, stored_look_us);

	if (is_planted(PLANT_LOOK_KEPT) && row.look_us && stored_look_us)
		row.look_us = stored_look_us;
	return row;
}

int64_t plant_real_due_us(const struct saga *saga)
{
	return __real_saga_due_us(saga);
}
