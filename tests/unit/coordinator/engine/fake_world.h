/*
 * fake_world.h - the engine's surroundings in memory, on one thread: a store with faults, a bus that keeps what is sent,
 * a clock that stands until it is moved; and three plans, without registry.
 *
 * The plan: `create` and `charge` (with compensations), `confirm` (the pivot). A command's value is "<step>/<phase>".
 */
#ifndef TESTS_UNIT_COORDINATOR_ENGINE_FAKE_WORLD_H
#define TESTS_UNIT_COORDINATOR_ENGINE_FAKE_WORLD_H

#include "coordinator/engine/ports.h"

extern const struct plan FAKE_PLAN;
extern const struct plan FAKE_WAITING_PLAN; /* `create`, `approval` (the signal `approved`, with a value), `confirm` */

extern const struct plan FAKE_EVENT_PLAN; /* `create`, `paid` (an event on `invoice.paid`), `confirm` */

enum { FAKE_ENGINES_MAX = 4, FAKE_ROWS_MAX = 256, FAKE_SENT_MAX = 4096, FAKE_LOG_MAX = 2048 };

struct fake_row {
	struct store_row row;
	int64_t due_us;
	char instance[32];
	int64_t boot;
};

/* What the next commits do, once each; then STORE works again. */
enum fake_fault { FAULT_NONE, FAULT_LOST_APPLIED, FAULT_LOST_NOT_APPLIED, FAULT_ROLLED_BACK };

struct fake_sent {
	struct bus_record record;
	const char *step;
	bool is_compensation;
	const char *saga_id;
	const char *attempt;
};

struct fake_world {
	struct arena arena; /* all that lives as long as the world */
	int64_t now_us;     /* both clocks; the database's is a million seconds ahead */
	bool is_store_away;
	enum fake_fault fault;
	const char *refused_detail; /* a change whose log holds it is refused; NULL: none */
	const char *refused_key;    /* likewise a start */
	size_t slow_count;          /* a commit of more changes is rolled back, as one that takes too long; 0: none */
	size_t commits;
	struct store_commit *under_way[STORE_LANES];
	bool were_two_under_way; /* at some time */
	size_t loads;
	size_t rows_loaded; /* one for each id that was asked for, the same one again, too */
	size_t log_loads;
	struct fake_row rows[FAKE_ROWS_MAX];
	size_t row_count;
	struct store_log_row log[FAKE_LOG_MAX];
	size_t log_count;
	struct pause pause;              /* what is paused; its name is NULL: nothing */
	struct store_notice last_notice; /* of what was committed */
	size_t notice_count;
	size_t last_value_bytes; /* of the log's last entry, which is not given back */
	struct fake_sent sent[FAKE_SENT_MAX];
	size_t sent_count;
	bool is_assigned;
	bool is_definition_away;
	size_t looked_max;     /* at most so many sagas a look, whatever it asks for; 0: as it asks */
	int64_t due_from_us;   /* where the last look for what is due began */
	size_t vain_asks;      /* for definitions meanwhile */
	int64_t in_flight_max; /* of engines made from now on, as the next; 0: no limit */
	int64_t open_max;
	size_t slice_changes;
	size_t batches_done;
	int rejected[BUS_REJECT_VALUE + 1]; /* replies, by reason */
	size_t batches_abandoned;
	struct metrics *metrics[FAKE_ENGINES_MAX]; /* one set an engine */
	size_t engine_count;
	struct engine_ports ports;
};

struct fake_world *fake_world_new(void);
void fake_world_free(struct fake_world *world);
struct engine *fake_engine_new(struct fake_world *world, const char *instance);

void fake_turns(struct engine *engine);                                      /* until nothing is queued, at most 20 */
void fake_pass(struct fake_world *world, struct engine *engine, int64_t ms); /* in steps of 50 ms, with turns */

/* The database's row; NULL: none. */
const struct fake_row *fake_find_row(struct fake_world *world, struct uuid id);
size_t fake_log_count(struct fake_world *world, struct uuid id);
int64_t fake_log_gaps(struct fake_world *world); /* sequences that are missing or repeated, over all sagas */

/* The last command that was sent for that saga. */
const struct fake_sent *fake_last_sent(struct fake_world *world, struct uuid id);
size_t fake_sent_of(struct fake_world *world, struct uuid id, const char *step, bool is_compensation);

/* A reply to a command: copies its headers. `detail` may be NULL. */
void fake_reply(struct fake_world *world, struct engine *engine, const struct fake_sent *sent, const char *outcome,
		const char *detail);
void fake_deliver(struct fake_world *world, struct engine *engine, const struct bus_record *records, size_t count);

/* Answers of the engine, kept. */
struct fake_answer {
	int calls;
	bool has_view;
	struct uuid saga_id;
	int64_t version;
	enum saga_state state;
	size_t log_count;
	char actors[100]; /* of the log's entries, such as "ann - bob"; "-": nobody's call */
	bool already_existed;
	struct error err;
};
void fake_start_done(void *ctx, const struct saga_view *view, bool already_existed, const struct error *err);
void fake_get_done(void *ctx, const struct saga_view *view, const struct error *err);
/* Starts a saga whose key and idempotency key are `key` and whose input is `input`, on behalf of "ann". */
void fake_start(struct engine *engine, const char *key, const char *input, struct fake_answer *ret_answer);

/* What most tests begin with: a world, one engine, and a saga of the key `k` that was started. */
struct fake_saga {
	struct fake_world *world;
	struct engine *engine;
	struct fake_answer started;
	struct fake_answer got; /* for the test */
	struct uuid id;
};
struct fake_saga fake_saga_begin(void);
void fake_saga_end(struct fake_saga *saga); /* asserts that no log has gaps */

uint64_t fake_metric(struct fake_world *world, const char *line_start); /* as printed; the sum of all engines */

#endif
