/* machine.c - see machine.h. */
#include "coordinator/saga/machine.h"

#include <assert.h>

#define BIT(value) (1u << (value))

/* ---- states ---- */
enum saga_flags { OPEN, TERMINAL, WAITING };

static const struct {
	const char *name;
	enum saga_flags flags;
	const char *gate; /* why nothing of its steps is heard; NULL: all is */
} saga_table[SAGA_STATE_COUNT] = {
#define SAGA_STATE(state, its_flags, meaning)                                                                          \
	[SAGA_STATE_##state].name = #state, [SAGA_STATE_##state].flags = its_flags,
#include "coordinator/saga/saga_states.def"
#define GATE_ALL(why) NULL
#define GATE_NOTHING(why) why
#define SAGA_GATE(state, its_gate, why) [SAGA_STATE_##state].gate = GATE_##its_gate(why),
#include "coordinator/saga/saga_states.def"
};

enum {
	GATE_ROWS = 0
#define SAGA_GATE(state, gate, why) +1
#include "coordinator/saga/saga_states.def"
};
static_assert((int)GATE_ROWS == (int)SAGA_STATE_COUNT, "every state of the saga has a gate");

bool saga_move_is_legal(enum saga_state from, enum saga_state to)
{
	static const unsigned char legal[SAGA_STATE_COUNT][SAGA_STATE_COUNT] = {
#define SAGA_MOVE(from_state, to_state, when) [SAGA_STATE_##from_state][SAGA_STATE_##to_state] = 1,
#include "coordinator/saga/saga_states.def"
	};

	return legal[from][to];
}

const char *saga_state_name(enum saga_state state)
{
	return (unsigned)state < SAGA_STATE_COUNT ? saga_table[state].name : "UNKNOWN";
}

bool saga_state_is_terminal(enum saga_state state)
{
	assert((int)state >= 0 && state < SAGA_STATE_COUNT);
	return saga_table[state].flags == TERMINAL;
}

bool saga_state_is_open(enum saga_state state)
{
	assert((int)state >= 0 && state < SAGA_STATE_COUNT);
	return saga_table[state].flags == OPEN;
}

const char *machine_gate(enum saga_state state)
{
	return saga_table[state].gate;
}

/* ---- steps ---- */
static const struct {
	const char *name;
	int pursued; /* the phase, or -1 */
	int stands;  /* likewise */
} step_table[STEP_STATE_COUNT] = {
#define FLAG_IDLE -1, -1
#define FLAG_FORWARD STEP_PHASE_FORWARD, -1
#define FLAG_COMPENSATION STEP_PHASE_COMPENSATION, -1
#define FLAG_INQUIRY STEP_PHASE_INQUIRY, -1
#define FLAG_STANDS_FORWARD -1, STEP_PHASE_FORWARD
#define FLAG_STANDS_COMPENSATION -1, STEP_PHASE_COMPENSATION
#define STEP_STATE(state, flags, meaning) [STEP_STATE_##state] = {#state, FLAG_##flags},
#include "coordinator/saga/saga_states.def"
};

const char *step_state_name(enum step_state state)
{
	assert((int)state >= 0 && state < STEP_STATE_COUNT);
	return step_table[state].name;
}

bool step_state_is_pursued(enum step_state state, enum step_phase *ret_phase)
{
	if (step_table[state].pursued < 0)
		return false;
	*ret_phase = (enum step_phase)step_table[state].pursued;
	return true;
}

bool step_state_stands(enum step_state state, enum step_phase *ret_phase)
{
	if (step_table[state].stands < 0)
		return false;
	*ret_phase = (enum step_phase)step_table[state].stands;
	return true;
}

bool step_state_is_held(enum step_state state)
{
	return state == STEP_STATE_HELD || state == STEP_STATE_COMPENSATION_HELD;
}

bool step_state_is_stuck(enum step_state state)
{
	return step_table[state].stands >= 0;
}

bool step_move_is_legal(enum step_state from, enum step_state to)
{
	static const struct {
		enum step_state from;
		unsigned to;
	} rows[] = {
#define TO(state) | BIT(STEP_STATE_##state)
#define TRANSITION(state, phase, event, its_to, action) {STEP_STATE_##state, 0 its_to},
#define CONSEQUENCE(its_from, its_to, when) {STEP_STATE_##its_from, BIT(STEP_STATE_##its_to)},
#include "coordinator/saga/saga_states.def"
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].from == from && (rows[i].to & BIT(to)))
			return true;
	return false;
}

/* ---- events ---- */
enum event_attempts { ANY, IN_FLIGHT, OF_SAGA };

static const struct {
	const char *name;
	enum event_attempts attempts;
} event_table[SAGA_EVENT_COUNT] = {
#define SAGA_EVENT(event, text, attempts) [SAGA_EVENT_##event] = {text, attempts},
#include "coordinator/saga/saga_states.def"
};

const char *saga_event_name(enum saga_event_type type)
{
	return (unsigned)type < SAGA_EVENT_COUNT ? event_table[type].name : "unknown";
}

bool machine_needs_attempt_in_flight(enum saga_event_type event)
{
	return event_table[event].attempts == IN_FLIGHT;
}

bool machine_is_of_saga(enum saga_event_type event)
{
	return event_table[event].attempts == OF_SAGA;
}

/* ---- decisions: (state, phase, event) ---- */
/* Two rows for one triple are two initializers of one element, which is a warning and therefore an error. */
static const struct decision decisions[STEP_STATE_COUNT][STEP_PHASE_COUNT][SAGA_EVENT_COUNT] = {
#define AT(state, phase, event) [STEP_STATE_##state][STEP_PHASE_##phase][SAGA_EVENT_##event]
#define TRANSITION(state, phase, event, to, its_action) AT(state, phase, event) = {.action = its_action},
#define IGNORE(state, phase, event, its_why) AT(state, phase, event) = {.why = its_why},
#define IGNORE_PHASE(state, phase, its_why)                                                                            \
	AT(state, phase, SUCCEEDED) = {.why = its_why}, AT(state, phase, REJECTED) = {.why = its_why},                 \
			 AT(state, phase, RETRIABLE) = {.why = its_why},                                               \
			 AT(state, phase, ACCEPTED) = {.why = its_why}, AT(state, phase, RESEND) = {.why = its_why},   \
			 AT(state, phase, RETRY) = {.why = its_why}, AT(state, phase, TIMED_OUT) = {.why = its_why},   \
			 AT(state, phase, SIGNALLED) = {.why = its_why}, AT(state, phase, ELAPSED) = {.why = its_why}, \
			 AT(state, phase, UNKNOWN) = {.why = its_why}, AT(state, phase, HELD) = {.why = its_why},      \
			 AT(state, phase, RELEASED) = {.why = its_why},
#include "coordinator/saga/saga_states.def"
};

enum {
	STEP_EVENTS = 0
#define SAGA_EVENT(event, text, attempts) +(attempts != OF_SAGA)
#include "coordinator/saga/saga_states.def"
};
enum {
	DECIDED = 0
#define TRANSITION(state, phase, event, to, action) +1
#define IGNORE(state, phase, event, why) +1
#define IGNORE_PHASE(state, phase, why) +STEP_EVENTS
#include "coordinator/saga/saga_states.def"
};
static_assert((int)DECIDED == (int)STEP_STATE_COUNT * (int)STEP_PHASE_COUNT * (int)STEP_EVENTS,
	      "every (state, phase, event) of a step is decided, once");

const struct decision *machine_decide(enum step_state state, enum step_phase phase, enum saga_event_type event)
{
	const struct decision *decision;

	assert((int)state >= 0 && state < STEP_STATE_COUNT);
	assert((int)phase >= 0 && phase < STEP_PHASE_COUNT);
	assert((int)event >= 0 && event < SAGA_EVENT_COUNT && !machine_is_of_saga(event));
	decision = &decisions[state][phase][event];
	assert(!decision->action != !decision->why);
	return decision;
}

/* ---- decisions: (saga's state, event of the saga) ---- */
static const struct decision saga_decisions[SAGA_STATE_COUNT][SAGA_EVENT_COUNT] = {
#define SAGA_AT(state, event) [SAGA_STATE_##state][SAGA_EVENT_##event]
#define SAGA_TRANSITION(state, event, to, its_action) SAGA_AT(state, event) = {.action = its_action},
#define SAGA_IGNORE(state, event, its_why) SAGA_AT(state, event) = {.why = its_why},
#define SAGA_REFUSE(state, event, its_why) SAGA_AT(state, event) = {.why = its_why, .is_refusal = true},
#include "coordinator/saga/saga_states.def"
};

enum {
	SAGA_DECIDED = 0
#define SAGA_TRANSITION(state, event, to, action) +1
#define SAGA_IGNORE(state, event, why) +1
#define SAGA_REFUSE(state, event, why) +1
#include "coordinator/saga/saga_states.def"
};
static_assert((int)SAGA_DECIDED == (int)SAGA_STATE_COUNT * ((int)SAGA_EVENT_COUNT - (int)STEP_EVENTS),
	      "every (state, event) of the saga is decided, once");

const struct decision *machine_decide_saga(enum saga_state state, enum saga_event_type event)
{
	const struct decision *decision;

	assert((int)state >= 0 && state < SAGA_STATE_COUNT);
	assert((int)event >= 0 && event < SAGA_EVENT_COUNT && machine_is_of_saga(event));
	decision = &saga_decisions[state][event];
	assert(!decision->action != !decision->why);
	return decision;
}

/* ---- the two writers ---- */
void saga_move(struct turn *turn, enum saga_state to)
{
	assert(saga_move_is_legal(turn->saga->state, to)); /* I5: a log is a legal path */
	turn->saga->state = to;
}

void step_move(struct turn *turn, int32_t index, enum step_state to)
{
	struct step *step;

	assert(index >= 0 && (size_t)index < turn->saga->step_count);
	step = &turn->saga->steps[index];
	assert(step_move_is_legal(step->state, to)); /* I5 */
	step->state = to;
	step->updated_us = turn->event->time_us;
}
