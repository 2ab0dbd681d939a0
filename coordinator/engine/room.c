/* room.c - see room.h. */
#include "coordinator/engine/room.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/memory.h"

enum { WAITING_MAX = 200000, NAME_BYTES_MAX = 255 };

enum entry_state {
	ENTRY_WAITING,   /* in its line */
	ENTRY_LEAVING,   /* from its line, undecided */
	ENTRY_COMING,    /* new, undecided */
	ENTRY_IN_FLIGHT, /* in its participant's list of those */
};

/* A command that waits or is in flight; all but those that wait are counted. */
struct room_entry {
	struct id_node node;
	struct room_entry *before; /* in the one list that it is in */
	struct room_entry *next;
	struct room_participant *participant;
	struct room_line *line; /* of those that wait, or did */
	int32_t step;
	enum step_phase phase;
	enum entry_state state;
	int64_t version;       /* of the saga as it was seen last */
	int64_t others_due_us; /* when something else of it is due; 0: never */
};

/* Those of one definition that wait for one participant. */
struct room_line {
	char *definition;
	struct room_list waiting;
};

struct room_participant {
	char *name;
	int64_t max; /* 0: none */
	int64_t in_flight;
	struct room_list flying; /* who was looked at last is last */
	struct room_line **lines;
	size_t line_count;
	size_t line_next; /* whose turn it is */
	size_t waiting;
};

/* ---- lists ---- */
static void append(struct room_list *list, struct room_entry *entry)
{
	entry->next = NULL;
	entry->before = list->last;
	*(list->last ? &list->last->next : &list->first) = entry;
	list->last = entry;
}

static void prepend(struct room_list *list, struct room_entry *entry)
{
	entry->before = NULL;
	entry->next = list->first;
	*(list->first ? &list->first->before : &list->last) = entry;
	list->first = entry;
}

static void unlink_entry(struct room_list *list, struct room_entry *entry)
{
	*(entry->before ? &entry->before->next : &list->first) = entry->next;
	*(entry->next ? &entry->next->before : &list->last) = entry->before;
}

/* ---- participants and lines ---- */
void room_participant_name(const char *topic, char *ret_name, size_t size)
{
	size_t len = strcspn(topic, ".");

	assert(size > 0);
	if (len >= size)
		len = size - 1;
	memcpy(ret_name, topic, len);
	ret_name[len] = 0;
}

/* NULL: no limit. */
static struct room_participant *participant_of(struct room *room, const char *topic)
{
	struct room_participant *participant;
	char name[NAME_BYTES_MAX + 1];

	if (!room->is_limited)
		return NULL;
	room_participant_name(topic, name, sizeof(name));
	for (size_t i = 0; i < room->participant_count; i++)
		if (strcmp(room->participants[i]->name, name) == 0)
			return room->participants[i]->max > 0 ? room->participants[i] : NULL;
	participant = xcalloc(1, sizeof(*participant));
	participant->name = xstrdup(name);
	participant->max = limit_rules_max(&room->rules, name);
	room->participants =
		xrealloc_array(room->participants, room->participant_count + 1, sizeof(struct room_participant *));
	room->participants[room->participant_count++] = participant;
	return participant->max > 0 ? participant : NULL;
}

static struct room_line *line_of(struct room_participant *participant, const char *definition)
{
	struct room_line *line;

	for (size_t i = 0; i < participant->line_count; i++)
		if (strcmp(participant->lines[i]->definition, definition) == 0)
			return participant->lines[i];
	line = xcalloc(1, sizeof(*line));
	line->definition = xstrdup(definition);
	participant->lines =
		xrealloc_array(participant->lines, participant->line_count + 1, sizeof(struct room_line *));
	participant->lines[participant->line_count++] = line;
	return line;
}

/* ---- entries ---- */
static struct room_list *list_of(struct room *room, struct room_entry *entry)
{
	switch (entry->state) {
	case ENTRY_WAITING:
		return &entry->line->waiting;
	case ENTRY_IN_FLIGHT:
		return &entry->participant->flying;
	case ENTRY_LEAVING:
	case ENTRY_COMING:
		break;
	}
	return &room->undecided;
}

/* Out of its list and its count; it is then in neither. */
static void take_out(struct room *room, struct room_entry *entry)
{
	unlink_entry(list_of(room, entry), entry);
	if (entry->state == ENTRY_WAITING) {
		entry->participant->waiting--;
		room->waiting--;
	} else {
		entry->participant->in_flight--;
	}
}

static void put_in(struct room *room, struct room_entry *entry, enum entry_state state, bool is_first)
{
	entry->state = state;
	if (state == ENTRY_WAITING) {
		entry->participant->waiting++;
		room->waiting++;
	} else {
		entry->participant->in_flight++;
	}
	(is_first ? prepend : append)(list_of(room, entry), entry);
}

static void move(struct room *room, struct room_entry *entry, enum entry_state state, bool is_first)
{
	take_out(room, entry);
	put_in(room, entry, state, is_first);
}

static struct room_entry *add(struct room *room, struct room_participant *participant,
			      const struct room_command *command)
{
	struct room_entry *entry = xcalloc(1, sizeof(*entry));

	entry->node.id = command->saga_id;
	entry->participant = participant;
	entry->step = command->step;
	entry->phase = command->phase;
	id_table_insert(&room->entries, &entry->node);
	return entry;
}

static void drop(struct room *room, struct room_entry *entry)
{
	take_out(room, entry);
	id_table_remove(&room->entries, &entry->node);
	free(entry);
}

static struct room_entry *entry_of(struct id_node *node)
{
	return ID_TABLE_ENTRY(node, struct room_entry, node);
}

static struct room_entry *find(const struct room *room, struct uuid saga_id, int32_t step, enum step_phase phase)
{
	for (struct id_node *node = id_table_find(&room->entries, saga_id); node; node = id_table_next(node))
		if (entry_of(node)->step == step && entry_of(node)->phase == phase)
			return entry_of(node);
	return NULL;
}

/* ---- life ---- */
void room_init(struct room *room, const struct limit_rules *rules)
{
	*room = (struct room){.rules = *rules, .is_limited = limit_rules_limit(rules)};
}

static void free_list(struct room_list *list)
{
	for (struct room_entry *entry = list->first, *next; entry; entry = next) {
		next = entry->next;
		free(entry);
	}
}

static void free_participant(struct room_participant *participant)
{
	free_list(&participant->flying);
	for (size_t i = 0; i < participant->line_count; i++) {
		free_list(&participant->lines[i]->waiting);
		free(participant->lines[i]->definition);
		free(participant->lines[i]);
	}
	free(participant->lines);
	free(participant->name);
	free(participant);
}

void room_release(struct room *room)
{
	free_list(&room->undecided);
	for (size_t i = 0; i < room->participant_count; i++)
		free_participant(room->participants[i]);
	free(room->participants);
	id_table_release(&room->entries);
	*room = (struct room){0};
}

/* ---- in and out ---- */
bool room_is_limited(struct room *room, const char *topic)
{
	return participant_of(room, topic) != NULL;
}

bool room_take(struct room *room, const struct room_command *command)
{
	struct room_participant *participant = participant_of(room, command->topic);
	struct room_entry *entry;

	if (!participant)
		return true;
	entry = find(room, command->saga_id, command->step, command->phase);
	if (entry && entry->state != ENTRY_WAITING) /* an attempt before it, which ended elsewhere, or was taken over */
		return entry->state != ENTRY_IN_FLIGHT || participant->in_flight <= participant->max;
	if (entry || room->is_closed || participant->waiting > 0 || participant->in_flight >= participant->max)
		return false;
	put_in(room, add(room, participant, command), ENTRY_COMING, false);
	return true;
}

void room_count(struct room *room, const struct room_command *command)
{
	struct room_participant *participant = participant_of(room, command->topic);
	struct room_entry *entry;

	if (!participant)
		return;
	entry = find(room, command->saga_id, command->step, command->phase);
	if (!entry)
		put_in(room, add(room, participant, command), ENTRY_COMING, false);
	else if (entry->state == ENTRY_WAITING)
		move(room, entry, ENTRY_LEAVING, false);
}

/* Whether the saga, as it is now, has this command in flight or waiting; what neither is, is dropped. */
static void settle(struct room *room, struct room_entry *entry, const struct saga *saga)
{
	const struct step *step = &saga->steps[entry->step];
	const bool is_over = saga->paused_us || saga_state_is_terminal(saga->state);
	enum step_phase phase;

	if (!is_over && step_is_in_flight(step, &phase) && phase == entry->phase && entry->state != ENTRY_WAITING)
		move(room, entry, ENTRY_IN_FLIGHT, false);
	else if (is_over || !step_held_phase(step, &phase) || phase != entry->phase || !entry->line)
		drop(room, entry);
	else if (entry->state != ENTRY_WAITING)
		move(room, entry, ENTRY_WAITING, entry->state == ENTRY_LEAVING);
}

/* When something else of the saga is due than its steps that wait for room. */
static int64_t others_due_us(const struct saga *saga)
{
	int64_t due_us = saga->deadline_us;
	enum step_phase phase;

	for (size_t i = 0; i < saga->step_count; i++) {
		const struct step *step = &saga->steps[i];
		int64_t its_us = step->due_us && step->due_us < step->deadline_us ? step->due_us : step->deadline_us;

		if (its_us && !step_held_phase(step, &phase) && (!due_us || its_us < due_us))
			due_us = its_us;
	}
	return due_us;
}

static void note_waiting(struct room *room, const struct plan *plan, const struct saga *saga, int32_t step,
			 enum step_phase phase, int64_t due_us)
{
	const struct room_command command = {saga->id, step, phase, plan->steps[step].commands[phase].topic};
	struct room_participant *participant = participant_of(room, command.topic);
	struct room_entry *entry = find(room, saga->id, step, phase);

	if (!participant || (!entry && room->waiting >= WAITING_MAX))
		return;
	if (!entry) {
		entry = add(room, participant, &command);
		entry->line = line_of(participant, plan->definition.name);
		put_in(room, entry, ENTRY_WAITING, false);
	}
	entry->version = saga->version;
	entry->others_due_us = due_us;
}

void room_sync(struct room *room, const struct plan *plan, const struct saga *saga)
{
	enum step_phase phase;

	for (struct id_node *node = id_table_find(&room->entries, saga->id), *next; node; node = next) {
		next = id_table_next(node);
		settle(room, entry_of(node), saga);
	}
	if (saga->paused_us || saga_state_is_terminal(saga->state))
		return;
	for (int32_t i = 0; i < (int32_t)saga->step_count; i++)
		if (step_held_phase(&saga->steps[i], &phase))
			note_waiting(room, plan, saga, i, phase, others_due_us(saga));
}

void room_forget(struct room *room, struct uuid saga_id)
{
	for (struct id_node *node = id_table_find(&room->entries, saga_id), *next; node; node = next) {
		next = id_table_next(node);
		drop(room, entry_of(node));
	}
}

void room_put_off(struct room *room, struct uuid saga_id)
{
	for (struct id_node *node = id_table_find(&room->entries, saga_id), *next; node; node = next) {
		next = id_table_next(node);
		if (entry_of(node)->state == ENTRY_LEAVING || entry_of(node)->state == ENTRY_COMING)
			drop(room, entry_of(node));
	}
}

bool room_has(const struct room *room, struct uuid saga_id, int64_t version, int64_t now_us)
{
	struct id_node *node = id_table_find(&room->entries, saga_id);
	const struct room_entry *entry = node ? entry_of(node) : NULL;

	return entry && entry->state == ENTRY_WAITING && entry->version == version &&
	       (!entry->others_due_us || now_us < entry->others_due_us);
}

/* ---- whose turn it is ---- */
static bool has_next(const struct room_participant *participant)
{
	return participant->waiting > 0 && participant->in_flight < participant->max;
}

bool room_has_next(const struct room *room)
{
	for (size_t i = 0; i < room->participant_count && !room->is_closed; i++)
		if (has_next(room->participants[i]))
			return true;
	return false;
}

/* The first of the line whose turn it is, lines without anybody being passed over. */
static struct room_entry *first_in_turn(struct room_participant *participant)
{
	for (;;) {
		struct room_line *line = participant->lines[participant->line_next];

		participant->line_next = (participant->line_next + 1) % participant->line_count;
		if (line->waiting.first)
			return line->waiting.first;
	}
}

bool room_next(struct room *room, struct room_command *ret_command)
{
	for (size_t i = 0; i < room->participant_count && !room->is_closed; i++) {
		struct room_entry *entry;

		if (!has_next(room->participants[i]))
			continue;
		entry = first_in_turn(room->participants[i]);
		move(room, entry, ENTRY_LEAVING, false);
		*ret_command = (struct room_command){entry->node.id, entry->step, entry->phase, NULL};
		return true;
	}
	return false;
}

void room_end_turn(struct room *room)
{
	/* From the last on, so that those that go back to the head of their line keep their order. */
	for (struct room_entry *entry = room->undecided.last, *before; entry; entry = before) {
		before = entry->before;
		if (entry->state == ENTRY_LEAVING)
			move(room, entry, ENTRY_WAITING, true);
		else
			drop(room, entry);
	}
}

size_t room_poll(struct room *room, struct uuid *ret_ids, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < room->participant_count; i++) {
		struct room_participant *participant = room->participants[i];
		const struct room_entry *last = participant->flying.last;
		bool is_over = participant->waiting == 0 || !last;

		while (!is_over && count < max) {
			struct room_entry *entry = participant->flying.first;

			is_over = entry == last;
			ret_ids[count++] = entry->node.id;
			move(room, entry, ENTRY_IN_FLIGHT, false);
		}
	}
	return count;
}
