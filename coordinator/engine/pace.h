/*
 * pace.h - how many starts a turn takes, and how many may wait for one.
 *
 * Why:        whoever offers more than can be done must not slow down what has begun, and should hear so at once rather than
 *             after seconds in a line. Sagas that run come first: a turn has room for what is done in PACE_TURN_US, and starts
 *             get what replies leave of it, so the work at hand stays as large as a turn or two, whatever is offered. And the
 *             line is as long as what is taken within PACE_WAIT_US.
 * Speed:      as the last turns were. That of starts is unknown until a turn has left some behind; until then nothing is refused
 *             but by the queue's own bound, so a burst at rest is taken. Turns that take all may only show that more is possible.
 * Not here:   the queue (queue.h), and what participants can do (room.h, limits.h).
 */
#ifndef COORDINATOR_ENGINE_PACE_H
#define COORDINATOR_ENGINE_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PACE_TURN_US = 500 * 1000,
	PACE_EVENTS_FIRST = 2000, /* of one turn, replies and starts, before its speed is known */
	PACE_EVENTS_MIN = 500,
	PACE_EVENTS_MAX = 20000,
	PACE_EVENTS_TELLING = 200, /* a turn of fewer says little about the speed of large ones */
	PACE_STARTS_MAX = 5000,
	PACE_STARTS_MIN = 50, /* however many replies there are, so that starts wait, but not for ever */
	PACE_WAIT_US = 1000 * 1000,
	PACE_WAITING_MIN = 5000, /* so many may wait in any case */
};

struct pace {
	double events_per_s; /* 0: not known, as the next */
	double starts_per_s;
};

struct pace_turn {
	size_t replies;
	size_t starts;
	bool were_left; /* other starts waited when it began */
	int64_t us;     /* how long it took */
};

size_t pace_starts(const struct pace *pace, size_t replies); /* that a turn with so many replies may take */
void pace_note(struct pace *pace, const struct pace_turn *turn);
size_t pace_waiting_max(const struct pace *pace); /* SIZE_MAX: as many as the queue holds */

#endif
