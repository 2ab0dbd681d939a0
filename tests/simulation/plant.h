/*
 * plant.h - bugs on purpose, which the simulation has to find: a check that finds none of them would find none of ours.
 *
 * How:        some are in the simulated store, bus and participants; those of the core are around its functions, which the
 *             linker's --wrap puts before the engine's calls (plant.c). So the product has no hooks, and check.c, which
 *             calls the core itself, replays with the real one.
 */
#ifndef TESTS_SIMULATION_PLANT_H
#define TESTS_SIMULATION_PLANT_H

#include "coordinator/saga/saga.h"

/* PLANT(name, as --plant has it, what is wrong) */
#define PLANTS                                                                                                         \
	PLANT(NO_INBOX, "no-inbox", "a participant does a command again each time that it comes")                      \
	PLANT(NO_BARRIER, "no-barrier", "a compensation leaves no tombstone for a late command")                       \
	PLANT(COMPENSATE_TWICE, "compensate-twice", "a participant undoes a step for each copy of the command")        \
	PLANT(TRANSIENT_COMMITS, "transient-commits", "what is replied as retriable was not rolled back")              \
	PLANT(REFUSAL_ACTS, "refusal-acts", "a refused step has its effect all the same")                              \
	PLANT(REPLY_CHANGES, "reply-changes", "a repeated command gets another final reply")                           \
	PLANT(REPLY_NOT_REPEATED, "reply-not-repeated", "a repeated command gets no reply")                            \
	PLANT(NO_FENCING, "no-fencing", "the store does not compare versions")                                         \
	PLANT(ACKNOWLEDGE_EARLY, "acknowledge-early", "a start is acknowledged whose commit failed")                   \
	PLANT(PRODUCE_EARLY, "produce-early", "commands are sent of a change whose commit failed")                     \
	PLANT(LOG_GAP, "log-gap", "an entry of the log is not stored")                                                 \
	PLANT(ROW_NOT_WRITTEN, "row-not-written", "the log goes on, the row's state stays")                            \
	PLANT(STALE_READ, "stale-read", "reads come from a replica that lags")                                         \
	PLANT(KEY_IGNORED, "key-ignored", "an idempotency key is not unique")                                          \
	PLANT(OFFSETS_EARLY, "offsets-early", "offsets are stored before the commit")                                  \
	PLANT(TIMER_NOT_ARMED, "timer-not-armed", "a change forgets when the saga is due")                             \
	PLANT(LOOK_KEPT, "look-kept", "the row of an open saga does not follow the time at which the saga is due")     \
	PLANT(TIMER_EARLY, "timer-early", "a time-out comes before its time")                                          \
	PLANT(ATTEMPT_IGNORED, "attempt-ignored", "a reply counts whatever attempt it is about")                       \
	PLANT(WRONG_ORDER, "wrong-order", "compensations do not wait for those after them")                            \
	PLANT(FORGOTTEN, "forgotten", "a step that ran is not compensated")                                            \
	PLANT(PIVOT_UNDONE, "pivot-undone", "the saga goes back although its pivot may have happened")                 \
	PLANT(PAUSED_SENDS, "paused-sends", "a paused saga sends")                                                     \
	PLANT(PAUSE_IGNORED, "pause-ignored", "what is paused as a whole is sent all the same")                        \
	PLANT(PAUSE_KEPT, "pause-kept", "an engine goes on as if something were paused that is not any more")          \
	PLANT(ROOM_IGNORED, "room-ignored", "a command is sent although its participant has no room")                  \
	PLANT(ROOM_KEPT, "room-kept", "what waits for room is never released")                                         \
	PLANT(REOPENED, "reopened", "a saga that has ended goes on")                                                   \
	PLANT(INQUIRY_NO_BARRIER, "inquiry-no-barrier", "what is said never to have been done is done all the same")   \
	PLANT(INQUIRY_IGNORED, "inquiry-ignored", "a step is undone although it was said never to have been done")     \
	PLANT(INQUIRY_MISREAD, "inquiry-misread", "the saga goes on although it was said that the step was not done")  \
	PLANT(SIGNAL_VALUE, "signal-value", "a signal's value is cut before it is kept")                               \
	PLANT(SIGNAL_VALUE_LOST, "signal-value-lost", "a signal is kept, its value is not")

enum plant {
	PLANT_NONE,
#define PLANT(name, word, text) PLANT_##name,
	PLANTS
#undef PLANT
		PLANT_COUNT
};

void plant_set(enum plant plant);
bool is_planted(enum plant plant);
const char *plant_word(enum plant plant);
const char *plant_text(enum plant plant);

/* saga_apply() for checks: with what is planted in the rules themselves, which the effects have to betray, and without what
 * is planted around them, which the replay has to. */
enum saga_verdict plant_replay(const struct definition *definition, const struct saga *saga,
			       const struct saga_event *event, struct arena *arena, struct saga **ret_saga,
			       struct saga_effects *ret_effects, const char **ret_why);
int64_t plant_real_due_us(const struct saga *saga);

#endif
