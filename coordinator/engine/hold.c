/*
 * hold.c - limits and pauses in the turn: which of the commands just decided are sent, which wait, and whose turn comes next.
 *
 * Why:     that a command waits must survive a restart, and its time must not run out meanwhile: so it is an event of its saga
 *          (HELD), in the same commit as the one that decided the command, and so is that it is sent (RELEASED). Where
 *          there is room neither happens, and nothing is written that is not written without limits.
 * Restart: what earlier boots have in flight is counted as the boot's sweep finds it; before it is through, nothing new is
 *          let in.
 * Others:  limits are of each instance. What this one sent may be replied to at another one; only while that keeps
 *          somebody waiting, the rows are looked at.
 */
#include "coordinator/engine/engine_state.h"
#include "lib/base/memory.h"

enum { POLL_US = 200 * 1000, POLL_IDS_MAX = 2000, PAUSED_LOOK_US = 50 * 1000 };

/* A question about what became of a command does not wait for others to be answered, nor keep them waiting. */
static bool waits_for_room(const struct saga_effect *effect)
{
	return effect->type == SAGA_EFFECT_SEND_COMMAND && effect->phase != STEP_PHASE_INQUIRY;
}

static struct room_command command_of(const struct plan *plan, struct uuid saga_id, const struct saga_effect *effect)
{
	return (struct room_command){saga_id, effect->step, effect->phase,
				     plan->steps[effect->step].commands[effect->phase].topic};
}

/* The saga after its command was held back; NULL: it must be sent. */
static struct saga *hold(struct engine *engine, const struct plan *plan, const struct saga *saga,
			 const struct room_command *command, const struct pause *pause, struct saga_event *ret_event)
{
	struct saga_event event =
		saga_room_event(SAGA_EVENT_HELD, saga, command->step, command->phase, saga->updated_us);
	struct saga_effects effects = {0};
	struct saga *held = NULL;
	char name[64];
	const char *why;

	room_participant_name(command->topic, name, sizeof(name));
	event.detail = pause ? pause_describe(pause, &engine->arena)
			     : arena_format(&engine->arena, "participant '%s' has as many commands as it may", name);
	if (saga_apply(&plan->definition, saga, &event, &engine->arena, &held, &effects, &why) != SAGA_VERDICT_APPLIED)
		return NULL;
	*ret_event = event;
	return held;
}

static const struct pause *pause_of(const struct engine *engine, const struct plan *plan,
				    const struct saga_effect *effect)
{
	if (effect->type != SAGA_EFFECT_SEND_COMMAND || engine->pauses.count == 0)
		return NULL;
	return pauses_find(&engine->pauses, plan->definition.name,
			   plan->steps[effect->step].commands[effect->phase].topic);
}

/* Whether it is to be sent. What a pause keeps back and was sent before, or is but a question, waits without an event: the
 * sweep finds it, and its time runs. */
static bool may_be_sent(struct engine *engine, const struct saga_event *cause, const struct saga_effect *effect,
			const struct room_command *command, const struct pause *pause, bool *ret_is_held)
{
	const bool was_sent = cause->type == SAGA_EVENT_RESEND;

	*ret_is_held = false;
	if (pause) {
		*ret_is_held = waits_for_room(effect) && !was_sent;
		return false;
	}
	if (!waits_for_room(effect) || was_sent || !engine->room.is_limited)
		return true;
	*ret_is_held = !room_take(&engine->room, command);
	return !*ret_is_held;
}

size_t hold_commands(struct engine *engine, const struct plan *plan, const struct saga_event *cause, struct saga *saga,
		     struct saga_effects *effects, struct held **ret_held)
{
	struct held *held = NULL;
	size_t held_count = 0;
	size_t kept = 0;

	if (!engine->room.is_limited && engine->pauses.count == 0)
		return 0;
	for (size_t i = 0; i < effects->count; i++) {
		const struct saga_effect effect = effects->items[i];
		const bool is_command = effect.type == SAGA_EFFECT_SEND_COMMAND;
		const struct pause *pause = pause_of(engine, plan, &effect);
		const struct room_command command = is_command ? command_of(plan, saga->id, &effect)
							       : (struct room_command){0};
		bool is_held = false;

		if (is_command && !may_be_sent(engine, cause, &effect, &command, pause, &is_held)) {
			if (!held)
				held = arena_alloc(&engine->arena, effects->count * sizeof(*held));
			held[held_count].saga =
				is_held ? hold(engine, plan, saga, &command, pause, &held[held_count].event) : NULL;
			if (held[held_count].saga) {
				saga = held[held_count++].saga;
				continue;
			}
			if (pause)
				continue;
		}
		if (waits_for_room(&effect) && engine->room.is_limited)
			room_count(&engine->room, &command);
		effects->items[kept++] = effect;
	}
	effects->count = kept;
	*ret_held = held;
	return held_count;
}

void hold_unsent(struct engine *engine, const struct plan *plan, struct uuid saga_id, struct saga_effects *effects)
{
	size_t kept = 0;

	if (!engine->room.is_limited && engine->pauses.count == 0)
		return;
	for (size_t i = 0; i < effects->count; i++) {
		const struct saga_effect effect = effects->items[i];
		struct room_command command;

		if (waits_for_room(&effect)) {
			command = command_of(plan, saga_id, &effect);
			if (pause_of(engine, plan, &effect) ||
			    (engine->room.is_limited && !room_take(&engine->room, &command)))
				continue;
		}
		effects->items[kept++] = effect;
	}
	effects->count = kept;
}

void hold_see(struct engine *engine, const struct plan *plan, const struct saga *saga)
{
	if (engine->room.is_limited)
		room_sync(&engine->room, plan, saga);
}

void hold_see_row(struct engine *engine, struct cached_saga *cached)
{
	const struct saga *saga;

	if (!engine->room.is_limited)
		return;
	arena_clear(&engine->fold);
	saga = turn_decode(cached, &engine->fold);
	if (saga)
		room_sync(&engine->room, cached->plan, saga);
}

/* ---- the turn ---- */

/* Forgets the sagas that are not there any more, and finds those that others have changed. */
static size_t find_changed(struct engine *engine, struct uuid *ids, size_t count, const struct store_page *page)
{
	struct id_node *nodes = arena_zalloc(&engine->arena, (page->count + 1) * sizeof(*nodes));
	_cleanup_(id_table_release)
	struct id_table there = {0};
	size_t changed = 0;

	for (size_t i = 0; i < page->count; i++) {
		nodes[i].id = page->items[i].saga_id;
		id_table_insert(&there, &nodes[i]);
	}
	for (size_t i = 0; i < count; i++)
		if (!id_table_find(&there, ids[i]))
			room_forget(&engine->room, ids[i]);
	for (size_t i = 0; i < page->count; i++) {
		const struct cached_saga *cached = cache_find(&engine->cache, page->items[i].saga_id);

		if (cached && cached->version >= page->items[i].version)
			continue;
		cache_drop(&engine->cache, page->items[i].saga_id);
		ids[changed++] = page->items[i].saga_id;
	}
	return changed;
}

/* Looks whether what keeps others waiting has been replied to elsewhere. */
static void poll(struct engine *engine)
{
	struct uuid *ids = arena_alloc(&engine->arena, POLL_IDS_MAX * sizeof(*ids));
	const size_t count = room_poll(&engine->room, ids, POLL_IDS_MAX);
	struct store_page page = {0};
	struct cached_saga *cached;
	struct error err;

	engine->room_poll_us = engine_now_us(engine) + POLL_US;
	if (count == 0)
		return;
	if (engine->ports.store.glance(engine->ports.store.ctx, ids, count, &engine->arena, &page, &err) < 0 ||
	    turn_load(engine, ids, find_changed(engine, ids, count, &page), &err) < 0) {
		engine_lost_store(engine, &err);
		return;
	}
	for (size_t i = 0; i < page.count; i++)
		if ((cached = cache_find(&engine->cache, page.items[i].saga_id)))
			hold_see_row(engine, cached);
}

void hold_begin_turn(struct engine *engine)
{
	struct room_command command;

	if (!engine->room.is_limited)
		return;
	engine->room.is_closed = engine->boot_stage == BOOT_NEAR;
	if (engine->room.waiting > 0 && engine_now_us(engine) >= engine->room_poll_us)
		poll(engine);
	while (engine->is_store_up && room_next(&engine->room, &command)) {
		struct work *work = arena_zalloc(&engine->arena, sizeof(*work));

		work->kind = WORK_RELEASE;
		work->saga_id = command.saga_id;
		work->release_step = command.step;
		work->release_phase = command.phase;
		work_list_add(&engine->due, work);
	}
}

/* What has room and is paused goes back to its place at the turn's end. */
static bool is_paused(const struct engine *engine, const struct plan *plan, const struct work *work)
{
	return engine->pauses.count > 0 &&
	       pauses_find(&engine->pauses, plan->definition.name,
			   plan->steps[work->release_step].commands[work->release_phase].topic);
}

bool hold_release_event(const struct engine *engine, const struct plan *plan, const struct saga *saga,
			struct work *work, struct saga_event *ret_event)
{
	enum step_phase phase;

	if (work->is_released || (size_t)work->release_step >= saga->step_count ||
	    !step_held_phase(&saga->steps[work->release_step], &phase) || phase != work->release_phase ||
	    is_paused(engine, plan, work))
		return false;
	work->is_released = true;
	*ret_event = saga_room_event(SAGA_EVENT_RELEASED, saga, work->release_step, phase, engine_database_us(engine));
	return true;
}

void hold_end_turn(struct engine *engine)
{
	if (!engine->room.is_limited)
		return;
	room_end_turn(&engine->room);
	metric_set(engine->metrics.waiting, (int64_t)engine->room.waiting);
}

int64_t hold_next_turn_us(const struct engine *engine)
{
	if (engine->room.waiting == 0)
		return INT64_MAX;
	if (room_has_next(&engine->room)) /* perhaps for what is paused alone, which must not keep the engine busy */
		return engine->pauses.count > 0 ? engine_now_us(engine) + PAUSED_LOOK_US : 0;
	return engine->room_poll_us;
}
