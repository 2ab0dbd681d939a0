/*
 * room.h - how many commands each participant has in flight here, and which wait for room.
 *
 * Why:        a participant that is slower than what is asked of it must not be flooded: what it has no room for waits here, where
 *             its time does not run out, and is sent as replies come.
 * Guarantees: take() never lets in more than the limit; commands that were sent all the same (again after a restart, or
 *             because the instance that sent them is gone) are counted, so there may be more of those.
 *             Room that is free goes round by definition: one that has ten thousand waiting has no more of it than one that
 *             has two. Within a definition who came first goes first, and nobody overtakes those who wait.
 * Participant: the first word of a command's topic, so `payment` reads payment.charge.command and payment.refund.command.
 * Memory:     at most WAITING_MAX wait here; the others are found as due, as those are that another instance held back.
 * Threads:    the engine's.
 */
#ifndef COORDINATOR_ENGINE_ROOM_H
#define COORDINATOR_ENGINE_ROOM_H

#include "coordinator/definition/plan.h"
#include "coordinator/engine/id_table.h"
#include "coordinator/engine/limits.h"

struct room_participant;
struct room_entry;

struct room_list {
	struct room_entry *first;
	struct room_entry *last;
};

struct room {
	struct limit_rules rules;
	bool is_limited; /* some participant is, so the others of these functions are worth calling */
	bool is_closed;  /* nothing new is let in */
	struct room_participant **participants; /* as many as definitions name */
	size_t participant_count;
	struct id_table entries;    /* by saga */
	struct room_list undecided; /* let in by this turn, not committed yet */
	size_t waiting;
};

void room_init(struct room *room, const struct limit_rules *rules); /* borrows the rules' texts */
void room_release(struct room *room);

/* "payment" of payment.charge.command; writes at most `size` bytes with the NUL. */
void room_participant_name(const char *topic, char *ret_name, size_t size);

/* One command. */
struct room_command {
	struct uuid saga_id;
	int32_t step;
	enum step_phase phase;
	const char *topic;
};

bool room_is_limited(struct room *room, const char *topic);
/* May it be sent? True: it is counted, for this turn; room_sync() after the commit makes it last. */
bool room_take(struct room *room, const struct room_command *command);
/* It is sent, whether there is room or not. */
void room_count(struct room *room, const struct room_command *command);
/* What the saga, as it is stored now, has in flight and waiting. */
void room_sync(struct room *room, const struct plan *plan, const struct saga *saga);
/* There is no such saga. */
void room_forget(struct room *room, struct uuid saga_id);
/* What was let in cannot be stored: it waits until the sweep finds it, not for its turn. */
void room_put_off(struct room *room, struct uuid saga_id);
/* Nothing of this version of the saga is due but what waits here for its turn. */
bool room_has(const struct room *room, struct uuid saga_id, int64_t version, int64_t now_us);

/* The next one that waits and for which there is room; it is counted as by room_take(). */
bool room_next(struct room *room, struct room_command *ret_command);
bool room_has_next(const struct room *room);
/* What was let in and not committed goes back to where it was. */
void room_end_turn(struct room *room);

/* Sagas with commands that keep others waiting, those not looked at for longest; at most `max`. */
size_t room_poll(struct room *room, struct uuid *ret_ids, size_t max);

#endif
