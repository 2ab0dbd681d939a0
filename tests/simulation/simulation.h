/*
 * simulation.h - one simulated world: two coordinators (the real engine and core), a store, a bus, participants, clients
 * and operators, on one thread and in virtual time. All randomness comes from the seed.
 *
 * Why:        what crashes, zombies and lost answers do to each other shows in millions of histories, not in a few tests.
 * Guarantees: the same seed and options make the same history and hash, whatever compiler and machine.
 * Files:      simulation.c (time, chance), virtual_store.c, virtual_bus.c, coordinator.c, participant.c, caller.c (clients
 *             and operators), pauses.c, check.c (what must hold), plant.c (bugs to be found), core_world.c and exhaustive.c (the
 *             core alone), main.c (modes, minimising).
 * Ownership:  all of a world lives in its arena.
 */
#ifndef TESTS_SIMULATION_SIMULATION_H
#define TESTS_SIMULATION_SIMULATION_H

#include "coordinator/engine/ports.h"
#include "tests/unit/coordinator/saga/saga_fixture.h"

enum { INSTANCES = 2, PARTITIONS = 2, SHAPES = 18, STEPS_MAX = 8, LIVES_MAX = 64, DROPPED_MAX = 4096, CHOSEN_MAX = 4 };
#define DATABASE_AHEAD_US INT64_C(1000000000000)
#define SECOND_US INT64_C(1000000)

enum fault {
#define FAULT(name, stream, rate, text) FAULT_##name,
#include "tests/simulation/faults.def"
#undef FAULT
	FAULT_COUNT
};

enum stream {
	STREAM_WORLD,
	STREAM_ID,
	STREAM_STORE,
	STREAM_BUS,
	STREAM_CRASH,
	STREAM_PARTICIPANT,
	STREAM_CLIENT,
	STREAM_OPERATOR,
	STREAM_COUNT
};

enum mode { MODE_SAFETY, MODE_LIVENESS, MODE_SWARM, MODE_EXHAUSTIVE };

struct options {
	uint64_t seed;
	enum mode mode;
	bool is_traced;
	bool is_core; /* the core alone */
	/* Faults that do not happen, by their number in the run: how a failing history is made smaller. */
	bool is_dropped[DROPPED_MAX];
	/* MODE_EXHAUSTIVE: which definition, and at which places, of all where a fault may happen, one does; ascending. */
	size_t shape;
	size_t chosen[CHOSEN_MAX];
	size_t chosen_count;
};

struct simulation;
typedef void event_fn(struct simulation *sim, void *of, int64_t number);

/* ---- what is known of one saga, whoever knows it ---- */
struct inbox_row {
	bool is_known;
	bool is_held; /* accepted, not done yet */
	enum saga_event_type outcome;
	bool has_no_effect;
};

struct effect {
	int done;
	int undone;
};

struct life {
	struct uuid id;
	const struct plan *plan;
	/* The store's row. */
	bool exists;
	struct store_row row;
	int64_t due_us;
	const char *instance;
	int64_t boot;
	struct store_log_row *log; /* `row.version` of them */
	uint64_t *digests;         /* of the row's data at each version */
	size_t log_max;
	struct bytes old_data; /* before the last change, as the next */
	int64_t old_version;
	/* What check.c has worked out from it. */
	struct saga *saga;                            /* the newest version, as the log leads to it */
	int32_t decided[STEPS_MAX][STEP_PHASE_COUNT]; /* the newest attempt that the log decided */
	bool is_paused;
	bool is_cleared[STEPS_MAX]; /* an inquiry was answered, and applied: the step was never done */
	bool is_overruled;          /* an operator skipped a step or resolved the saga: effects are theirs to see to */
	bool was_held;              /* some command was accepted: nothing is sent while it is */
	/* Who sent the newest attempt first: an instance's run; 0: nobody yet, or another one has taken it over. */
	int64_t sender[STEPS_MAX][STEP_PHASE_COUNT];
	int32_t sent[STEPS_MAX][STEP_PHASE_COUNT];   /* that attempt */
	bool is_resend[STEPS_MAX][STEP_PHASE_COUNT]; /* what the log decided last was to send it again */
	bool is_in_flight[STEPS_MAX][STEP_PHASE_COUNT];
	bool is_poisoned;
	/* The participants'. */
	struct inbox_row inbox[STEPS_MAX][STEP_PHASE_COUNT];    /* inquiries have none */
	enum saga_event_type told[STEPS_MAX][STEP_PHASE_COUNT]; /* the first final reply; STARTED: none yet */
	struct effect effects[STEPS_MAX];
};

struct command {
	struct life *life;
	int32_t step;
	enum step_phase phase;
	int32_t attempt;
};

struct reply {
	struct bus_record record;
	bool is_settled; /* some coordinator is done with it */
};

struct consumer {
	bool is_assigned;
	int64_t generation;
	size_t position;
	bool is_in_flight;
};

struct partition {
	struct reply **replies;
	size_t count;
	size_t max;
	size_t committed;
	int owner; /* -1: nobody; only its offsets count */
	struct consumer consumers[INSTANCES];
};

/* What is paused as a whole: a bit for each shape, and for each step. */
struct paused {
	uint32_t definitions;
	uint32_t participants;
};

struct begun_commit {
	bool is_under_way;
	enum store_result result;
	struct error err;
};

struct instance {
	struct simulation *sim;
	int index;
	struct engine *engine; /* NULL: it is down */
	bool is_dead;          /* it died inside of a turn: nothing that it still does counts */
	bool is_stopped;       /* stands still inside of a turn */
	bool is_in_turn;
	struct paused paused; /* as its engine has read it last */
	int64_t run;
	int64_t turn_at_us; /* when its next turn is; 0: none is planned */
	int64_t poll_at_us;
	struct batch *done; /* offsets to be stored when the turn is over */
	struct begun_commit begun[STORE_LANES];
};

struct client {
	struct simulation *sim;
	int index;
	char key[16];
	const struct plan *plan;
	int64_t delay_us;
	int64_t call; /* the one whose answer counts */
	int calls;
	bool is_served;
	bool is_refused; /* its saga cannot be stored */
	bool is_over;
	struct uuid saga_id;
	int64_t version; /* the highest that it was shown */
	enum saga_state state;
};

struct timed;

struct core; /* core_world.c */

struct simulation {
	const struct options *options;
	uint64_t random[STREAM_COUNT];
	int32_t rates[FAULT_COUNT];
	bool has_faults;
	int64_t faults_end_us;
	size_t places; /* where a fault might have happened */
	size_t fault_count;
	size_t fault_counts[FAULT_COUNT];
	/* time */
	int64_t now_us;
	size_t queue_count;
	uint64_t queued;
	size_t messages;  /* of those in the queue */
	int64_t sweep_ms; /* of both coordinators */
	int64_t room_max; /* of each participant's commands in flight at one instance; 0: no limit */
	/* parts */
	struct engine_ports ports[INSTANCES];
	struct instance instances[INSTANCES];
	int64_t store_away_us;
	struct paused paused;
	struct partition partitions[PARTITIONS];
	int64_t participant_away_us[STEPS_MAX];
	size_t life_count;
	size_t client_count;
	struct core *core; /* NULL: coordinators are engines */
	bool is_nested;    /* some instance stands still, the others go on */
	bool is_over;
	/* results */
	uint64_t hash;
	size_t ends[SAGA_STATE_COUNT];
	size_t events;
	bool is_failed;
	char failure[400];
	/* What stays from world to world: memory, and places that are set when they are taken. */
	struct arena arena;
	struct buffer encoded; /* of one check */
	struct metrics *metrics;
	struct timed *queue;
	size_t queue_max;
	struct life lives[LIVES_MAX];
	struct client clients[LIVES_MAX];
};

/* ---- simulation.c ---- */
void simulation_init(struct simulation *sim);
void simulation_release(struct simulation *sim);
void simulation_run(struct simulation *sim, const struct options *options, size_t sagas);
void simulation_run_until(struct simulation *sim, int64_t until_us);
uint64_t draw(struct simulation *sim, enum stream stream, uint64_t below);
bool happens(struct simulation *sim, enum fault fault);
void plan_event(struct simulation *sim, int64_t after_us, event_fn *fn, void *of, int64_t number);
/* The same for what is on its way between coordinators and participants: a world is not over before it has come. */
void plan_message(struct simulation *sim, int64_t after_us, event_fn *fn, void *of, int64_t number);
void note(struct simulation *sim, const char *format, ...) PRINTF_LIKE(2, 3); /* a line of the trace */
void fail(struct simulation *sim, const char *format, ...) PRINTF_LIKE(2, 3); /* the first one counts */
void mix(struct simulation *sim, const void *data, size_t len);
void mix_number(struct simulation *sim, int64_t number);
uint64_t digest(struct bytes data);
const char *keep(struct simulation *sim, const char *text);   /* as long as the world; NULL stays NULL */
struct life *life_of(struct simulation *sim, struct uuid id); /* made when it is new */
const char *fault_text(enum fault fault);

/* ---- shapes.c: definitions, in place of the catalog's ---- */
void shapes_init(void);
void shapes_release(void);
const struct plan *shape_plan(size_t index);

/* ---- the parts ---- */
struct store_port virtual_store(struct instance *instance);
struct bus_port virtual_bus(struct instance *instance);
void bus_append(struct simulation *sim, const struct command *command, enum saga_event_type outcome,
		bool has_no_effect);
void bus_produce(struct simulation *sim, struct command *command);
void bus_poll(struct simulation *sim, struct instance *instance);
void bus_store_offsets(struct instance *instance);
void bus_rebalance(struct simulation *sim, bool is_sudden);
bool bus_is_drained(const struct simulation *sim);
struct bytes bus_header_of(const struct bus_record *record, const char *name);

void instance_init(struct simulation *sim, int index);
void instance_release(struct instance *instance);
void instance_wake(struct instance *instance); /* it has something to do */
void instance_die(struct instance *instance);  /* from inside of its turn */
void instance_stall(struct instance *instance);
bool instance_is_up(const struct instance *instance);
struct instance *instance_any(struct simulation *sim, enum stream stream); /* NULL: none is up */

void participant_receive(struct simulation *sim, void *of, int64_t number);

void callers_init(struct simulation *sim, size_t sagas);
void callers_resume_all(struct simulation *sim, void *of, int64_t number);

/* ---- pauses.c ---- */
void pause_something(struct simulation *sim, const struct life *life); /* its definition, or a participant */
void pauses_list(const struct simulation *sim, struct arena *arena, struct pause **ret_pauses, size_t *ret_count);
void check_pauses(const struct instance *instance, const struct command *command); /* which it is about to send */

/* ---- core_world.c ---- */
void core_run(struct simulation *sim, int64_t heal_us);
void core_take_reply(struct simulation *sim, void *of, int64_t number); /* a saga_event */

/* ---- check.c ---- */
void check_change(struct simulation *sim, struct life *life, const struct store_change *change);
void check_command(struct simulation *sim, const struct command *command);
void check_cleared(struct simulation *sim, struct life *life, const struct saga_event *event,
		   const struct saga_effects *effects);
void check_room(const struct instance *instance, const struct command *command); /* which it is about to send */
void check_effect(struct simulation *sim, const struct command *command);
void check_reply(struct simulation *sim, const struct command *command, enum saga_event_type outcome);
void check_view(struct simulation *sim, const struct saga_view *view);
void check_net_effects(struct simulation *sim, const struct life *life);
void check_end(struct simulation *sim);
bool all_is_over(struct simulation *sim); /* but for what is stuck, which operators may yet decide about */
bool all_have_ended(const struct simulation *sim);

#endif
