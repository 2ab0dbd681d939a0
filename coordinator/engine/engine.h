/*
 * engine.h - the turn: takes all that waits, applies the core to each, commits once, then answers and sends.
 *
 * Why:        one transaction for many sagas is what makes durability cheap; one thread that owns all of it is what
 *             makes it simple.
 * Guarantees: a request's `done` runs exactly once, after the commit that it reports; commands are produced and offsets
 *             stored only after the commit of what caused them (docs/wire-contract.md, ARCHITECTURE.md: crash points).
 * Threads:    engine_start/_get/_request may be called from any thread and never block; `done` runs on the engine thread and must
 *             only copy, enqueue and return.
 *             Refused at once (queue full, or draining), it runs on the caller's thread before the call returns.
 * Limits:     the queue is bounded, and starts by what is got through in a second (pace.h); beyond it is ERR_LIMIT, an engine that
 *             drains answers ERR_UNAVAILABLE.
 */
#ifndef COORDINATOR_ENGINE_ENGINE_H
#define COORDINATOR_ENGINE_ENGINE_H

#include "coordinator/definition/catalog.h"
#include "coordinator/engine/limits.h"
#include "coordinator/saga/saga.h"
#include "lib/metrics/metrics.h"

struct engine;
struct span_exporter;
struct engine_ports; /* ports.h: store, bus, clock */

struct engine_label {
	const char *name;
	const char *value;
};

/* A saga as it is shown. Everything lives until `done` returns. */
struct saga_view {
	const struct plan *plan;
	const struct saga *saga;
	const char *key;
	const char *idempotency_key;
	struct bytes input;
	const struct engine_label *labels;
	size_t label_count;
	const struct saga_log_entry *log; /* only where asked for; without the replies' values (event.reply) */
	size_t log_count;
};

struct saga_log_entry {
	int64_t sequence; /* the version that the event made */
	struct saga_event event;
	enum saga_state state; /* after it */
	const char *milestone; /* what the event says, else what was newly reached by it; NULL: none */
};

struct start_request {
	const struct plan *plan;
	bool has_saga_id;
	struct uuid saga_id;
	const char *idempotency_key; /* "" : the saga id serves */
	const char *key;
	struct bytes input; /* canonical */
	const struct engine_label *labels;
	size_t label_count;
	const char *actor; /* who asks, for the saga's log; NULL: not told */
	int64_t start_us;  /* by the database's clock; 0, or what is past when the start is applied: at once */
	int64_t delay_us;  /* where start_us is 0: so long after that */
};

/* `view` is NULL exactly when `err` is not. already_existed: an earlier start with the same key and content.
 * ERR_CONFLICT: the same idempotency key or saga id with other content. ERR_UNAVAILABLE: the store is away. */
typedef void start_done_fn(void *ctx, const struct saga_view *view, bool already_existed, const struct error *err);
/* False: more is offered than this coordinator gets through, and a start of that plan would be refused now, with `err`; said
 * before any work is done for it, and counted as refused. Any thread. */
NODISCARD bool engine_has_room(struct engine *engine, const struct plan *plan, struct error *err);
/* Copies the request before it returns. */
void engine_start_saga(struct engine *engine, const struct start_request *request, start_done_fn *done, void *ctx);
/* The same for several, which are queued at once: one turn takes them all, unless it is full. `done` runs for each, with
 * ctxs[i]. */
void engine_start_sagas(struct engine *engine, const struct start_request *requests, size_t count, start_done_fn *done,
			void *const *ctxs);

/* Answers at once, or when the saga is no longer open, or after wait_ms, whichever is first. The answer has the log.
 * ERR_NOT_FOUND, ERR_UNAVAILABLE. */
typedef void get_done_fn(void *ctx, const struct saga_view *view, const struct error *err);
void engine_get_saga(struct engine *engine, struct uuid saga_id, int64_t wait_ms, get_done_fn *done, void *ctx);

/* What is asked of a saga, and whose will it is, for its log; copied by the call. */
struct saga_request {
	enum saga_event_type type; /* SIGNALLED, or one that saga_request_event() takes */
	const char *step_id;       /* SKIP_REQUESTED: which step; else NULL */
	const char *signal;        /* SIGNALLED: its name; else NULL */
	struct bytes value;        /* SIGNALLED: what it brings, as JSON; empty: nothing */
	const char *actor;         /* NULL: not told */
	const char *reason;
};

/* What became of it; everything lives until `done` returns. */
struct request_answer {
	const struct saga_view *view;    /* NULL exactly when `err` is not; without the log */
	enum saga_verdict verdict;       /* IGNORED: it was so before; REFUSED: it cannot be done, now or ever */
	const char *why;                 /* unless APPLIED */
	const struct problems *problems; /* ERR_INVALID: what is wrong with a signal's value; else NULL */
	const struct error
		*err; /* ERR_NOT_FOUND, ERR_UNAVAILABLE, ERR_LIMIT; of a signal ERR_INVALID; and ERR_CONFLICT: it
				  * came before, with another value */
};
typedef void request_done_fn(void *ctx, const struct request_answer *answer);
/* Answers after the commit. */
void engine_request(struct engine *engine, struct uuid saga_id, const struct saga_request *request,
		    request_done_fn *done, void *ctx);

struct feed_commit; /* read_port.h */

struct engine_options {
	const char *instance; /* stable name of this coordinator */
	struct catalog *catalog;
	const struct engine_ports *ports;
	struct metrics *metrics;
	struct span_exporter *spans; /* NULL: no traces */
	size_t queue_max;            /* 0: 100,000 */
	size_t cache_max;            /* open sagas kept in memory; 0: 100,000 */
	size_t slice_changes;        /* that a commit has at least where several are under way (slice.c); 0: 1,000 */
	int64_t sweep_ms;            /* 0: 1,000 */
	const char *registry;  /* the registry's address as participants see it, for ce_dataschema; NULL: left out */
	int64_t resends_per_s; /* of one topic; 0: 2,000 */
	struct limit_rules
		in_flight; /* commands without a reply, by participant; lives as long as the engine, as the next */
	struct limit_rules open; /* sagas that have not ended, by definition */
	/* After a commit, before its answers and its commands. On the engine's thread, which waits meanwhile; what it points
	 * to is gone afterwards. NULL: nobody wants to know. */
	void (*on_commit)(void *ctx, const struct feed_commit *commit);
	void *on_commit_ctx;
};

struct engine *engine_new(const struct engine_options *options);
NODISCARD int engine_run(struct engine *engine, struct error *err); /* starts the thread */
void engine_drain(struct engine *engine, int64_t timeout_ms);       /* stop intake, finish what waits, join */
void engine_free(struct engine *engine);

/* A definition is startable when the bus listens to all of its reply topics; any thread. */
bool engine_is_ready(struct engine *engine, const struct plan *plan);

struct engine_health {
	bool is_store_up;
	bool is_bus_up;
	char store_error[160];
	char bus_error[160];
};
void engine_health(struct engine *engine, struct engine_health *ret_health); /* any thread */
/* What operators have paused as a whole, a text for each, in the arena; any thread. */
size_t engine_pauses(struct engine *engine, struct arena *arena, const char ***ret_texts);
/* False: a turn has been running for so long that nothing known explains it; only a new process helps. Any thread. */
bool engine_is_alive(const struct engine *engine);

#endif
