/*
 * ports.h - what the engine needs of the world: a store, a bus, a clock; and how replies get in.
 *
 * Why:        the engine includes no edge, so the same object code runs over Postgres and Kafka, over the fakes of the
 *             unit tests, and single-threaded in a simulator with virtual time.
 * Threads:    store and clock are called on the engine's thread only, one call at a time. The bus port says for each
 *             function. A simulator may run everything on one thread: engine_new(), then engine_turn() as it likes.
 * Ownership:  what a port returns lives in the arena that it was given; what it is given is borrowed for the call.
 */
#ifndef COORDINATOR_ENGINE_PORTS_H
#define COORDINATOR_ENGINE_PORTS_H

#include "coordinator/engine/engine.h"
#include "coordinator/saga/open_row.h"
#include "coordinator/engine/pause_port.h"

/* ---- store ---- */

/* What is written once, when the saga is made. */
struct store_start {
	int32_t definition_id;
	const char *definition_name;
	const char *key;
	const char *idempotency_key; /* never "": the saga's id in text where the client gave none */
	struct bytes input;
	const struct engine_label *labels;
	size_t label_count;
	int64_t created_us;
};

struct store_log_row {
	struct uuid saga_id;
	const char *step_id;         /* "" for the saga as a whole */
	struct saga_log_entry entry; /* entry.event.step is not stored: the reader finds it by step_id */
};

/* A step began to wait for a person, who is told so (notice/): stored with the change, so that it is not lost. */
struct store_notice {
	int64_t sequence; /* of the saga's log: the entry that made it wait */
	int64_t time_us;
	const char *step_id;
	enum step_phase phase;
	const char *reason; /* a code; NULL: none */
	const char *detail; /* why, in words */
};

enum store_outcome {
	STORE_OUTCOME_DONE,
	STORE_OUTCOME_CONFLICT, /* start: the id or the idempotency key exists; change: the row has another version */
};

/* One saga's part of a transaction; several events may be folded into it. */
struct store_change {
	struct uuid saga_id;
	const struct store_start *start; /* NULL: the row exists */
	int64_t expected_version;        /* of an existing row */
	int64_t version;
	enum saga_state state;
	const char *milestone; /* NULL: none yet */
	struct bytes data;     /* saga_encode() */
	int64_t due_us;        /* 0: never */
	int64_t updated_us;
	int64_t ended_us; /* 0: not ended */
	bool is_paused;
	struct open_row open_row;        /* empty: it has ended */
	bool is_open_row_new;            /* it is not what is stored */
	const struct store_log_row *log; /* versions expected_version + 1 … version */
	size_t log_count;
	const struct store_notice *notices;
	size_t notice_count;
	enum store_outcome outcome; /* set where commit answers STORE_COMMITTED, as the next two */
	int64_t feed_xid;           /* its place in the feed (read_port.h), if it is done; 0: this store has none */
	int64_t feed_index;
};

enum { STORE_LANES = 2 };

struct store_commit {
	const char *instance;         /* who has the command in flight: this coordinator … */
	int64_t boot;                 /* … and its run */
	struct store_change *changes; /* sorted by saga id, each id at most once */
	size_t count;
};

enum store_result {
	STORE_COMMITTED, /* each change says its outcome */
	STORE_FAILED,    /* rolled back; the same may succeed later */
	STORE_UNKNOWN,   /* the store is away; if it went meanwhile, it may have happened */
	STORE_REFUSED,   /* rolled back; the content of some change is illegal: halve */
};

struct store_row {
	struct uuid saga_id;
	int32_t definition_id;
	int64_t version;
	enum saga_state state;
	struct bytes data;
	const char *definition_name;
	const char *key;
	const char *idempotency_key;
	struct bytes input;
	const struct engine_label *labels;
	size_t label_count;
	struct open_row open_row; /* as it is stored; empty: it has ended */
};

struct store_key {
	const char *definition_name;
	const char *idempotency_key;
};

/* Who may wait for an event: the open sagas of a definition whose key it has. */
struct store_waiting {
	const char *definition_name;
	const char *key;
};

struct store_match {
	size_t index; /* of what was asked for */
	struct uuid saga_id;
	int32_t definition_id;
};

/* An open saga and the version at which it was seen. */
struct store_glance {
	struct uuid saga_id;
	int64_t version;
	enum saga_state state;
};

/* A walk over the open sagas in the order of their look_us is made of these, each of bounded length however many there are. */
struct store_look {
	int64_t from_us;   /* of look_us; 0: all */
	size_t looked_max; /* it ends after so many open sagas, whatever it found, */
	size_t found_max;  /* or with so many found */
};

struct store_page {
	struct store_glance *items; /* in the order of the look */
	size_t count;
	int64_t now_us;   /* the database's clock */
	bool has_more;    /* it ended before the last one: */
	int64_t next_us;  /* the next look goes on from here; some of this one may come again */
	int64_t first_us; /* the first look_us that it looked at; 0: it looked at none */
};

/* What another boot of this instance changed last and may have a command in flight: those whose look_us is below `near_us`, and
 * the patient ones below `before_us`. What is never due has nothing in flight. */
struct store_left {
	const char *instance;
	int64_t boot;
	int64_t near_us;   /* 0: patient ones alone */
	int64_t before_us; /* at least near_us */
};

struct store_count {
	const char *definition_name;
	enum saga_state state;
	int64_t sagas;
	int64_t paused; /* of them, each by itself */
};

struct store_counts {
	struct store_count *items;
	size_t count;
	bool has_more;    /* there are open sagas with greater ids than … */
	struct uuid last; /* … this one, the last that was counted */
};

/* Functions that answer int: 0, or -1 with `err`; ERR_UNAVAILABLE: the store is away. */
struct store_port {
	void *ctx;
	/* All in one transaction. Begins it on a lane (0 … STORE_LANES - 1) that has none; the commit and all that it points to
	 * stay until the end, which waits for it. `err` is complete for every answer but STORE_COMMITTED. Transactions on
	 * two lanes run side by side. */
	void (*commit_begin)(void *ctx, int lane, struct store_commit *commit);
	enum store_result (*commit_end)(void *ctx, int lane, struct error *err);
	int (*now)(void *ctx, int64_t *ret_now_us, struct error *err);
	/* Those that exist, in any order. */
	int (*load)(void *ctx, const struct uuid *ids, size_t count, struct arena *arena, struct store_row **ret_rows,
		    size_t *ret_count, struct error *err);
	int (*find)(void *ctx, const struct store_key *keys, size_t count, struct arena *arena,
		    struct store_row **ret_rows, size_t *ret_count, struct error *err);
	/* Open sagas with due_us <= now: it looks at those with look_us <= now. */
	int (*due)(void *ctx, const struct store_look *look, struct arena *arena, struct store_page *ret_page,
		   struct error *err);
	int (*left_behind)(void *ctx, const struct store_look *look, const struct store_left *left, struct arena *arena,
			   struct store_page *ret_page, struct error *err);
	/* Version and state of those that exist. */
	int (*glance)(void *ctx, const struct uuid *ids, size_t count, struct arena *arena, struct store_page *ret_page,
		      struct error *err);
	/* The logs of these sagas, ordered by saga id and sequence. */
	int (*load_log)(void *ctx, const struct uuid *ids, size_t count, struct arena *arena,
			struct store_log_row **ret_rows, size_t *ret_count, struct error *err);
	/* How many sagas have not ended, by definition and state: of the next `looked_max` after this id. */
	int (*count_open)(void *ctx, struct uuid after, size_t looked_max, struct arena *arena,
			  struct store_counts *ret_counts, struct error *err);
	/* As pause_port.list: what is paused as a whole. */
	int (*pauses)(void *ctx, struct arena *arena, struct pause **ret_pauses, size_t *ret_count, struct error *err);
	/* The open sagas of these definitions and keys, in any order. */
	int (*find_waiting)(void *ctx, const struct store_waiting *waiting, size_t count, struct arena *arena,
			    struct store_match **ret_matches, size_t *ret_count, struct error *err);
};

/* ---- bus ---- */

struct bus_header {
	const char *name;
	struct bytes value;
};

struct bus_record {
	const char *topic;
	int32_t partition; /* replies only, as the next */
	int64_t offset;
	struct bytes key;
	struct bytes value;
	const struct bus_header *headers; /* of what was read: those of record_header_name() */
	size_t header_count;
};

struct bus_port {
	void *ctx;
	/* Engine thread; hands over, does not wait for the broker. What cannot be handed over is dropped and counted by
	 * the bus: the sweep sends it again. */
	void (*send)(void *ctx, const struct bus_record *records, size_t count);
	/* Any thread. */
	bool (*is_assigned)(void *ctx, const char *topic);
	/* Any thread; true: the brokers answer. Else what is wrong goes to `ret_text`. */
	bool (*health)(void *ctx, char *ret_text, size_t text_len);
};

/* What is wrong with a reply. */
enum bus_reject {
	BUS_REJECT_HEADERS,
	BUS_REJECT_OUTCOME, /* neither the definition nor a header says it */
	BUS_REJECT_VALUE,   /* cannot be decoded */
};

/* Replies that the bus has read. The bus keeps it and all it points to until `done`. */
struct bus_batch {
	const struct bus_record *records;
	size_t count;
	/* Before `done`, on the engine's thread, possibly again for the same record: nobody can make sense of it, so it
	 * goes to the dead letters, and its offset waits for that. Must only enqueue; copies the texts. */
	void (*reject)(struct bus_batch *batch, const struct bus_record *record, enum bus_reject reject,
		       const char *detail);
	/* Once, on the engine's thread, after the commit of all that the records caused: then their offsets may be
	 * stored. is_committed false: the engine ends before that; the records must be read again by whoever comes next.
	 * It comes from inside of engine_deliver() where the engine has ended. Must only enqueue and return. */
	void (*done)(struct bus_batch *batch, bool is_committed);
};

/* Any thread; does not block. The bus bounds what it has handed over and got no `done` for. */
void engine_deliver(struct engine *engine, struct bus_batch *batch);

/* ---- clock ---- */

struct clock_port {
	void *ctx;
	int64_t (*real_us)(void *ctx);      /* for ce_time alone */
	int64_t (*monotonic_us)(void *ctx); /* durations, and the database's clock between two readings of it */
	struct uuid (*new_id)(void *ctx);   /* version 7: sagas and records */
};
extern const struct clock_port CLOCK_PORT_SYSTEM;

struct engine_ports {
	struct store_port store;
	struct bus_port bus;
	struct clock_port clock;
};

/* ---- for whoever runs the engine without its thread ---- */

/* One turn over what is queued and due. Answers the monotonic time at which the next one is wanted at the latest. */
int64_t engine_turn(struct engine *engine);
/* Nothing is queued, nothing is pending; waiters do not count, nor events that wait for their definition. */
bool engine_is_idle(struct engine *engine);

#endif
