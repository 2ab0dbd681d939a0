/*
 * saga.h - one run of a definition, and the pure function that moves it.
 *
 * Why:        everything that must never go wrong is here, without I/O, clock, randomness, globals, logs or locks; so it
 *             can be simulated, replayed from the log, and tested for every state and event.
 * Guarantees: same definition, saga and event -> same new saga and effects, byte for byte (saga_encode()).
 *             Every change adds exactly one to `version`, and is one entry of the saga's log.
 * Not here:   inputs and payloads (definition/plan.h builds commands), idempotency of starts (engine/).
 * Time:       microseconds since 1970 by the database's clock, carried by events. Jitter is derived from the saga's id,
 *             step and counters, so that replay needs nothing else.
 * Ownership:  a saga lives in the arena that was given. saga_apply() leaves its input as it was; the new saga shares texts and
 *             replies with the old one, which has to live as long; of the event it copies what it keeps.
 */
#ifndef COORDINATOR_SAGA_SAGA_H
#define COORDINATOR_SAGA_SAGA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/saga/definition.h"
#include "lib/base/arena.h"
#include "lib/base/bytes.h"
#include "lib/base/error.h"
#include "lib/base/uuid.h"

/* The states and events come from saga_states.def, the one table of the machine; so do their names. */
enum saga_state {
#define SAGA_STATE(name, flags, meaning) SAGA_STATE_##name,
#include "coordinator/saga/saga_states.def"
	SAGA_STATE_COUNT /* SCHEDULED RUNNING COMPLETING COMPLETED COMPENSATING COMPENSATED STUCK FAILED */
};

enum step_state {
#define STEP_STATE(name, flags, meaning) STEP_STATE_##name,
#include "coordinator/saga/saga_states.def"
	STEP_STATE_COUNT /* PENDING DISPATCHED ACCEPTED RETRY_WAIT SUCCEEDED REJECTED UNKNOWN SKIPPED
			    COMPENSATING COMPENSATION_RETRY_WAIT COMPENSATED NOT_NEEDED WAITING
			    STUCK COMPENSATION_STUCK VIOLATED INQUIRING INQUIRY_RETRY_WAIT
			    HELD COMPENSATION_HELD */
};

/*
 * STARTED    of the saga, not of a step, as SCHEDULED and CANCELLED: the first entry of its log, or when its time has come
 * SUCCEEDED REJECTED RETRIABLE ACCEPTED    replies
 * RESEND     no reply for the re-send interval, or the instance that sent has restarted
 * RETRY      the backoff after a retriable reply is over
 * TIMED_OUT  the pursuit's deadline is over
 * ELAPSED    the time that the step waits for is over, as planned
 * UNKNOWN    an answer to an inquiry: the participant cannot tell, and will not be able to
 * SCHEDULED  the first entry of the log of a saga that starts later; its detail is the time, as clock_format() writes it
 * CANCELLED  somebody asks the saga to turn back
 * SIGNALLED  what a step waits for; its reply is the signal's value, where the definition has one
 * OVERDUE    the time that the definition gives the whole saga is over
 * PAUSED RESUMED    nothing is sent in between, and no time runs out
 * RETRY_REQUESTED SKIP_REQUESTED RESOLVED_…    what an operator decides about a stuck saga; a skip names the step
 * HELD       the attempt just decided is not sent: its participant has no room for it; the detail says which
 * RELEASED   there is room now
 */
enum saga_event_type {
#define SAGA_EVENT(name, text, attempts) SAGA_EVENT_##name,
#include "coordinator/saga/saga_states.def"
	SAGA_EVENT_COUNT
};

/* For numbers beyond the table, which a later program may have stored: UNKNOWN and unknown. */
const char *saga_state_name(enum saga_state state);     /* RUNNING */
const char *step_state_name(enum step_state state);     /* DISPATCHED */
const char *saga_event_name(enum saga_event_type type); /* timed_out */
bool saga_state_is_terminal(enum saga_state state);
bool step_state_is_stuck(enum step_state state);
bool step_state_is_held(enum step_state state); /* its command waits for room, and only RELEASED is to come */
bool saga_state_is_open(enum saga_state state); /* neither terminal nor stuck: nobody need do anything */

struct step {
	enum step_state state;
	int32_t attempts[STEP_PHASE_COUNT];
	int32_t forgiven[STEP_PHASE_COUNT]; /* attempts before an operator's last retry: they count no more */
	int32_t resends;                    /* of the attempt in flight */
	int32_t resends_total;              /* of all attempts, both phases */
	int64_t started_us;                 /* 0: not begun */
	int64_t updated_us;                 /* when `state` was reached */
	int64_t deadline_us;                /* of the pursuit in hand */
	int64_t due_us;                     /* when the command in flight is to be sent again; 0: nothing is due */
	bool has_no_effect;                 /* the compensation was replied to with `saga-effect: none` */
	bool is_refused;                    /* STUCK: the participant said no, so there is no effect */
	bool is_signalled;                  /* PENDING: the signal that it will wait for has come */
	bool came_late;                     /* it succeeded after it had been settled as not done */
	const char *reason;                 /* of the last failure; NULL: none */
	const char *detail;
	const char *stuck_why; /* in words; NULL: not stuck */
	struct bytes reply; /* wire-format value of the forward success, kept for later commands, or of the signal, kept
				* always; empty: not kept */
};

struct saga {
	struct uuid id;
	int64_t version;
	enum saga_state state;
	int64_t created_us;
	int64_t updated_us;
	int64_t ended_us;
	int64_t start_us;      /* of a delayed start; 0: it started at once */
	const char *milestone; /* the last thing that happened, in words; at the end of a compensation what led to it */
	const char *failure_milestone; /* what began the compensation; NULL: nothing did */
	const char *stuck_reason;      /* of the first step that is stuck; NULL unless STUCK */
	int64_t deadline_us;           /* when it turns back by itself; 0: never, or no longer */
	int64_t paused_us;             /* since when it is paused; 0: it is not */
	bool is_decided;               /* the pivot succeeded, or may have: only forward from here */
	bool is_resolved;              /* an operator said how it ended, whatever its steps say */
	size_t step_count;
	struct step *steps;
};

/* An event, complete: the log stores all of it. */
struct saga_event {
	enum saga_event_type type;
	int64_t time_us;
	int32_t step; /* index; -1 for the saga as a whole */
	enum step_phase phase;
	int32_t attempt;       /* replies: what the participant says it answers; others: the attempt in flight */
	const char *milestone; /* replies: PAYMENT_CHARGED; NULL: none */
	const char *reason;
	const char *detail;
	const char *actor; /* who asked for it; NULL: nobody did. The core has no use for it, the log shows it */
	bool has_no_effect;
	struct bytes
		reply; /* SUCCEEDED of a forward command, or of its inquiry, whose reply later commands need; SIGNALLED:
			     * what the signal brings; else empty */
};

enum saga_effect_type {
	SAGA_EFFECT_SEND_COMMAND, /* step, phase, attempt */
	SAGA_EFFECT_FINISHED,     /* the saga reached a terminal state */
	SAGA_EFFECT_STUCK,        /* the step waits for a person; phase */
};

struct saga_effect {
	enum saga_effect_type type;
	int32_t step;
	enum step_phase phase;
	int32_t attempt;
	int64_t deadline_us; /* SEND_COMMAND: of the pursuit */
};

struct saga_effects {
	struct saga_effect *items; /* in the arena; in the order in which they are to be done */
	size_t count;
};

enum saga_verdict {
	SAGA_VERDICT_APPLIED, /* a new version */
	SAGA_VERDICT_IGNORED, /* duplicate, stale or late: nothing changes, nothing is sent; `ret_why` says which */
	SAGA_VERDICT_REFUSED, /* what was asked for is not possible now: as IGNORED, and `ret_why` is for who asked */
};

/* The first version, with the first command as an effect. */
struct saga *saga_start(const struct definition *definition, struct uuid id, int64_t time_us, struct arena *arena,
			struct saga_event *ret_event, struct saga_effects *ret_effects);

/* The first version of a saga whose first command waits for `start_us`, which is later than `time_us`. No effects. */
struct saga *saga_schedule(const struct definition *definition, struct uuid id, int64_t time_us, int64_t start_us,
			   struct arena *arena, struct saga_event *ret_event);
/* The first version once more, from the first entry of its log; `start_us`: the saga's. NULL: no log begins like that. */
struct saga *saga_begin_again(const struct definition *definition, struct uuid id, const struct saga_event *first,
			      int64_t start_us, struct arena *arena);
/* What somebody asks of a saga as a whole: CANCELLED, PAUSED, RESUMED, RETRY_REQUESTED, SKIP_REQUESTED (of `step`; others: -1)
 * or RESOLVED_…; `text`: why, in their words. */
struct saga_event saga_request_event(enum saga_event_type type, int32_t step, int64_t time_us, const char *text);

enum saga_verdict saga_apply(const struct definition *definition, const struct saga *saga,
			     const struct saga_event *event, struct arena *arena, struct saga **ret_saga,
			     struct saga_effects *ret_effects, const char **ret_why);

/* When this saga next wants an event of the clock; 0: never. */
int64_t saga_due_us(const struct saga *saga);
/* An event that is due at `now_us`: STARTED or OVERDUE, else RESEND, RETRY, TIMED_OUT, ELAPSED or RELEASED of a step ≥ `*step`, and
 * the step after it in `*step`; false: nothing is due (any more). RELEASED is only due so that somebody looks at it: whether
 * there is room the core cannot know. */
bool saga_due_event(const struct definition *definition, const struct saga *saga, int64_t now_us, int32_t *step,
		    struct saga_event *ret_event);
/* The event that sends the command in flight of a step ≥ `*step` again at once, after a restart, and the step after it in
 * `*step`; false: no further one is in flight whose deadline is to come (what is over, saga_due_event() has). Commands that
 * their participant holds (ACCEPTED) are left alone. */
bool saga_resend_event(const struct saga *saga, int64_t now_us, int32_t *step, struct saga_event *ret_event);

/* The step has a command on its way that was not replied to; `ret_phase`: which. */
bool step_is_in_flight(const struct step *step, enum step_phase *ret_phase);
bool step_held_phase(const struct step *step, enum step_phase *ret_phase); /* false: it is not held */
/* A command of the step that was decided by the event before, and not sent, waits for room; RELEASED: there is some. */
struct saga_event saga_room_event(enum saga_event_type type, const struct saga *saga, int32_t step,
				  enum step_phase phase, int64_t time_us);

/* What must hold between any two events: NULL, or in words what does not. */
const char *saga_violation(const struct definition *definition, const struct saga *saga);
/* Asserts that nothing is violated. */
void saga_invariant(const struct definition *definition, const struct saga *saga);

/* The stored form, versioned; equal sagas have equal bytes. Decoding refuses what does not fit the definition. */
void saga_encode(const struct saga *saga, struct buffer *out);
NODISCARD int saga_decode(const struct definition *definition, struct bytes data, struct arena *arena,
			  struct saga **ret_saga, struct error *err);
/* Of bytes that saga_encode() made in this process, or that were decoded before: what is checked is that they are whole. */
struct saga *saga_decode_checked(const struct definition *definition, struct bytes data, struct arena *arena);
/* An earlier program stored it, whose core went other ways: its log need not lead to it by the rules of this one. */
bool saga_is_of_earlier_form(struct bytes data);
/* All but the steps, of which not even the bytes need be there: for lists, which have no use for a definition. */
NODISCARD int saga_decode_head(struct bytes data, struct arena *arena, struct saga *ret_saga, struct error *err);

#endif
