/*
 * engine_state.h - what the parts of the engine share: each section below names its file.
 *
 * Why:        one struct with one owner; the parts are files by subject, not modules with secrets from each other.
 * Threads:    everything is the engine thread's, but for `queue` (any thread) and `health` (guarded by its lock).
 */
#ifndef COORDINATOR_ENGINE_ENGINE_STATE_H
#define COORDINATOR_ENGINE_ENGINE_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "coordinator/engine/cache.h"
#include "coordinator/engine/engine_metrics.h"
#include "coordinator/engine/limits.h"
#include "coordinator/engine/pace.h"
#include "coordinator/engine/pauses.h"
#include "coordinator/engine/queue.h"
#include "coordinator/engine/record.h"
#include "coordinator/engine/report.h"
#include "coordinator/engine/resend_limit.h"
#include "coordinator/engine/room.h"
#include "coordinator/engine/trace.h"

enum {
	TURN_ROUNDS_MAX = 8,
	PAGE_SIZE = 2000,
	WAITER_POLL_US = 200 * 1000,
	WAITER_POLL_IDS_MAX = 2000,
	PROBE_FIRST_US = 50 * 1000, /* between two tries of a store that is away; doubles up to the next */
	PROBE_MAX_US = 1000 * 1000,
	START_WAIT_US = 5 * 1000 * 1000,  /* a start whose commit failed is tried again for so long */
	COUNT_US = 10 * 1000 * 1000,      /* between two countings of the open sagas */
	SLOW_TURN_US = 4 * 1000 * 1000,   /* a turn that takes longer waits for the store, which says nothing */
	HUNG_TURN_US = 120 * 1000 * 1000, /* no wait of ours is that long */
	ENDED_CACHE_MAX = 4096,
	COMMIT_LIMIT_MAX = 65536, /* more than a turn has */
};

/* ---- events that wait for a turn ---- */

/* A bus_batch until each of its records is settled. */
struct delivery {
	struct delivery *older; /* all that are not done yet */
	struct delivery *newer;
	struct bus_batch *batch;
	size_t unsettled;
	struct arena arena; /* the works, and texts read from headers */
};

enum work_kind {
	WORK_REPLY,
	WORK_DUE,     /* what the clock wants */
	WORK_RESEND,  /* sent by an earlier boot: again, at once */
	WORK_RELEASE, /* a command that waited has room now */
	WORK_REQUEST, /* somebody asks something of the saga; part of a request_item */
	WORK_TOLD,    /* an event that it may wait for */
};

struct work_list {
	struct work *first;
	struct work **end;
};

/* An event of others until the sagas are found that it is for. */
struct told {
	struct told *next;
	struct delivery *delivery;
	const struct bus_record *record;
	struct record_told event;
	const char **definitions; /* that wait for events on its topic */
	size_t definition_count;
	bool is_put_off;
	struct work_list works; /* one for each saga that it is for */
};

struct work {
	struct work *next;
	enum work_kind kind;
	struct uuid saga_id;
	struct delivery *delivery; /* WORK_REPLY and WORK_TOLD only, as the next */
	const struct bus_record *record;
	const struct record_told *told; /* WORK_TOLD only */
	struct record_reply reply;      /* WORK_REPLY only, but for its ce_id */
	int32_t resend_step;            /* of the clock: the steps before it have been looked at, for the one … */
	int32_t due_step;               /* … and for the other */
	int32_t release_step;           /* WORK_RELEASE only, as the next two */
	enum step_phase release_phase;
	bool is_released;
};

/* ---- one round of a turn ---- */

/* A command that waits for the commit; its headers, four times as large as what they are made of, are written when it is sent. */
struct outgoing {
	struct outgoing *next;
	struct record_command command; /* its texts live as long as the plan or the turn's arena */
	struct bytes value;
};

/* All events of one saga that are folded into one change. */
struct group {
	struct id_node node;
	struct group *next;
	struct work_list works;
	bool is_fresh;      /* its entry was read in this turn: what the core ignores is ignored for good */
	bool must_be_alone; /* a change with several events was refused: one at a time, to find the bad one */
	struct cached_saga *cached;
	/* what the round made */
	struct saga *saga;           /* after all events; of a change in the arena, and without its steps */
	struct work *rest;           /* the first event that is not in this change; NULL: all are */
	struct store_change *change; /* the engine's, until the item has a copy; then NULL */
	struct outgoing *outgoing;
	struct outgoing **outgoing_end;
	struct store_log_row *log;
	size_t log_max;
	uint64_t resends;
	struct store_notice *notices; /* the steps that it left waiting for a person */
	size_t notice_max;
	struct attempt_end *ends; /* the newest first */
};

enum item_result { ITEM_DONE, ITEM_CONFLICT, ITEM_REFUSED, ITEM_LOST };

/* A change on its way through the commit. */
struct turn_item {
	struct store_change change;
	struct group *group;      /* this … */
	struct start_item *start; /* … or that */
	struct store_start start_row;
	struct saga *saga;
	struct outgoing *outgoing;
	enum item_result result;
	const struct error *refusal; /* ITEM_REFUSED: why */
};

/* Some of a round's changes, with a commit of their own; slice.c. */
struct slice {
	struct turn_item *items;
	size_t count; /* 0: it is free; else its commit is under way once it is filled */
	size_t max;
	struct store_change *changes; /* the items', sorted; in the turn's arena */
	struct store_commit commit;
	int64_t begun_us;
};

struct turn {
	struct slice slices[STORE_LANES];
	struct slice *filling;
	struct group *groups;          /* to be applied in this round */
	struct group *again;           /* in the next one */
	struct start_item *starts;     /* of this round, which may be inserted */
	bool are_starts_taken;         /* they have been looked through */
	const struct outgoing **sends; /* committed, in order */
	size_t send_count;
	size_t send_max;
	int failures;        /* commits that were rolled back */
	size_t commit_limit; /* changes in one commit, over turns: halved when one took too long, doubled when one did not */
};

/* What earlier boots of this instance left: first what is due soon, which has what they had in flight; then the rest, slowly. */
enum boot_stage { BOOT_NEAR, BOOT_FAR, BOOT_SWEPT };

/* A counting of the open sagas, as far as it has come. */
struct open_count {
	struct store_count *items; /* own their definitions' names */
	size_t count;
	struct uuid after;
	bool is_any_done; /* one has been through */
};

/* The walks over what may be due, in the order of look_us: a long one over all of it, and a short one over what has become due
 * meanwhile. Times with `at` are monotonic, the others the database's. */
struct due_walk {
	bool is_under_way;
	bool is_whole;         /* from the very first */
	int64_t from_us;       /* where it goes on */
	int64_t at_us;         /* its next page, or the next walk */
	int64_t begun_us;      /* what is due by then is for it to find */
	int64_t took_us;       /* so far */
	int64_t lowest_us;     /* where the first was that it looked at */
	int64_t floor_us;      /* a walk that is not whole begins here */
	int64_t whole_at_us;   /* the first walk after that is whole */
	int64_t seen_us;       /* what was due by then has been found, or is for the long walk */
	int64_t short_from_us; /* where the short walk goes on; 0: none is under way */
	int64_t short_begun_us;
	int64_t short_at_us;
};

struct waiter {
	struct id_node node; /* the saga waited for */
	struct waiter *older;
	struct waiter *newer;
	struct get_item *get;
};

struct engine {
	struct engine_ports ports;
	struct catalog *catalog;
	char *instance;
	char *registry;
	void (*on_commit)(void *ctx, const struct feed_commit *commit); /* NULL: nobody */
	void *on_commit_ctx;
	int64_t boot;
	int64_t sweep_us;
	struct engine_metrics metrics;
	struct span_exporter *spans; /* NULL: no traces */
	struct queue queue;
	struct pace pace;
	size_t slice_changes;       /* at least, of a slice beside others; 0: the usual number */
	struct pace_turn pace_turn; /* this one */
	struct cache cache;
	struct resend_limit resend_limit;
	struct room room;
	int64_t room_poll_us; /* monotonic */
	struct open_limit open_limit;
	struct pauses pauses;
	struct arena arena;         /* a turn's */
	struct arena builds;        /* a command's: what its value is made of, then headers */
	struct store_change change; /* of the group in hand, until its item has a copy */
	struct arena fold;          /* a group's: its saga before and after each event */
	struct buffer scratch;      /* for what is built and then copied to the arena */

	/* the store, as seen by the last call */
	bool is_store_up;
	int64_t probe_us; /* monotonic: the next try while it is away */
	int64_t probe_wait_us;
	int64_t database_ahead_us; /* the database's clock minus the monotonic one */

	/* what waits */
	struct start_item *starts;
	struct start_item **starts_end;
	size_t start_count;
	struct get_item *gets;
	struct work_list works;
	struct delivery *newest_delivery;
	struct told *told;
	struct told **told_end;
	int64_t told_at_us; /* monotonic: not before, for those whose saga's definition could not be loaded */
	struct waiter *oldest_waiter;
	struct waiter *newest_waiter;
	struct id_table waiters;
	int64_t waiter_deadline_us; /* no waiter's is earlier */
	int64_t waiter_poll_us;
	struct waiter *waiter_poll_next;

	/* the sweep */
	int64_t sweep_at_us;
	struct due_walk due_walk;
	enum boot_stage boot_stage;
	bool is_boot_pass_over;
	int64_t boot_from_us; /* of look_us: where the walk over what earlier boots left is */
	int64_t boot_near_us; /* the database's clock: what is due before it is near */
	int64_t boot_at_us;
	bool was_boot_limited;
	struct open_count open_count;
	int64_t count_at_us;
	int64_t recount_at_us; /* not before, however much it is wanted */
	struct work_list due;  /* of this turn; in its arena */

	struct turn turn;
	struct id_table groups;    /* of this turn */
	struct id_table start_ids; /* of this round, as the next */
	struct id_table start_keys;
	int64_t definition_warned_us;

	/* threads; engine.c */
	pthread_t thread;
	pthread_t catalog_thread;
	bool is_running;
	atomic_bool must_stop;
	atomic_bool is_draining;
	_Atomic int64_t turn_begun_us; /* monotonic; 0: none runs */

	pthread_mutex_t health_mu;
	pthread_cond_t drain_begins; /* wakes the catalog's thread; with health_mu */
	pthread_cond_t turns_end;    /* wakes who drains; with health_mu */
	bool are_turns_over;         /* guarded by health_mu, as the next */
	bool is_healthy;
	char store_error[160];
};

/* ---- engine.c ---- */
int64_t engine_now_us(const struct engine *engine);      /* monotonic */
int64_t engine_database_us(const struct engine *engine); /* the database's clock, now */
void engine_set_database_us(struct engine *engine, int64_t database_us);
void engine_lost_store(struct engine *engine, const struct error *err);
void engine_found_store(struct engine *engine);

/* ---- slice.c ---- */
size_t slice_length(const struct engine *engine,
		    size_t changes);                          /* the most changes of a slice, in a round of so many */
struct turn_item *slice_add(struct slice *slice);             /* valid until the next one */
void slice_begin(struct engine *engine, struct slice *slice); /* begins its commit */
void slice_end(struct engine *engine, struct slice *slice);   /* waits for it: each item has its result */

/* ---- outcomes.c ---- */
void outcomes_tell(struct engine *engine, const struct slice *slice); /* whose commit is done */

/* ---- event.c: from works to changes ---- */
void work_list_init(struct work_list *list);
void work_list_add(struct work_list *list, struct work *work);
void work_list_join(struct work_list *list,
		    const struct work_list *other); /* `other`, which is not empty, at the end */
void event_take_delivery(struct engine *engine, struct delivery_item *item);
/* Can a value be read that later commands take fields from? */
NODISCARD int event_check_kept(struct engine *engine, const struct plan *plan, const struct bus_record *record,
			       struct error *err);
bool event_is_kept(const struct work *work);                 /* not found again by the sweep: must be applied */
void event_settle(struct engine *engine, struct work *work); /* its record or request needs nothing any more */
void event_settle_record(struct engine *engine, struct delivery *delivery); /* nothing waits for one of its records */
void event_reject(struct engine *engine, struct bus_batch *batch, const struct bus_record *record,
		  enum bus_reject reject, const char *why); /* to the dead letters */
void event_abandon_all(struct engine *engine);              /* the engine ends: what is unsettled is read again */

enum event_verdict {
	EVENT_CHANGED,   /* group->change is complete */
	EVENT_UNCHANGED, /* all of them are settled */
	EVENT_STALE,     /* something was ignored on a view that may be old: read again */
};
enum event_verdict event_apply_group(struct engine *engine, struct group *group);
/* What commands are made from, beside the saga's state. */
struct saga_facts {
	const struct plan *plan;
	const char *key;
	struct bytes input;
	const struct engine_label *labels;
	size_t label_count;
};
/* Appends the commands that the effects ask for, at *outgoing_end. */
void event_build_commands(struct engine *engine, const struct saga_facts *facts, const struct saga *saga,
			  const struct saga_effects *effects, struct bytes causation_id,
			  struct outgoing ***outgoing_end);
/* Counts what it came to, if it did. */
void event_note_end(struct engine *engine, const struct plan *plan, const struct saga *saga);
void event_note_stuck(struct engine *engine, const struct group *group, const struct store_change *change);

/* ---- told.c: events of others ---- */
/* False: it is a reply, or at least no event that a definition waits for. */
bool told_take(struct engine *engine, struct delivery *delivery, const struct bus_record *record);
void told_run(struct engine *engine); /* finds the sagas: works for them */
void told_forget(struct engine *engine);
/* The signal that it is to its saga; false: it is none, and counted as such. */
bool told_event(struct engine *engine, const struct plan *plan, const struct work *work, struct saga_event *ret_event);
void told_note_ignored(struct engine *engine, const struct work *work, const char *why);
int64_t told_next_turn_us(const struct engine *engine); /* monotonic; INT64_MAX: none waits */

/* ---- start.c ---- */
void start_begin_round(struct engine *engine);
/* Adds this round's starts to the slice that is being filled, until it has `max` changes. The first call of a round looks them
 * all through. */
void start_prepare(struct engine *engine, size_t max);
void start_put_back(struct engine *engine); /* what start_prepare() has not come to waits for the next round */
void start_settle(struct engine *engine, struct turn_item *item);
NODISCARD int start_resolve_conflicts(struct engine *engine, struct error *err); /* looks up what exists */
void start_give_up(struct engine *engine, bool is_ending); /* store away: answers those that waited long enough */
struct start_item *start_item_new(const struct start_request *request, start_done_fn *done, void *ctx);
void start_answer(struct engine *engine, struct start_item *item, const struct saga_view *view, bool already_existed,
		  const struct error *err); /* and frees the item with its twins */

/* ---- request.c ---- */
struct request_link *request_item_new(struct uuid saga_id, const struct saga_request *request, request_done_fn *done,
				      void *ctx);
void request_item_free(struct request_link *link); /* never taken */
void request_take(struct engine *engine, struct request_link *link);
/* Without its time; false: it cannot be asked of a saga of that definition, and is answered so. */
bool request_event(struct engine *engine, const struct work *work, const struct plan *plan,
		   struct saga_event *ret_event);
void request_note(const struct work *work, enum saga_verdict verdict, const char *why);
void request_fail(const struct work *work, const struct error *err);
void request_settle(struct engine *engine, struct work *work); /* answers, with what the cache has; frees the work */
void request_give_up(struct engine *engine, bool is_ending);   /* answers all that wait */

/* ---- get.c ---- */
void get_run(struct engine *engine);                               /* answers what was asked; others become waiters */
void get_saga_settled(struct engine *engine, struct uuid saga_id); /* it is no longer open: its waiters are answered */
void get_poll(struct engine *engine);   /* waiters whose saga another instance may have changed */
void get_expire(struct engine *engine); /* waiters whose time is over */
void get_give_up(struct engine *engine, bool is_ending);

/* ---- sweep.c ---- */
void sweep_run(struct engine *engine);
int64_t sweep_next_turn_us(const struct engine *engine); /* monotonic */
void sweep_release(struct engine *engine);
void sweep_recount(struct engine *engine); /* a definition has as many open sagas as it may: are they still open? */

/* ---- hold.c: commands that wait for room ---- */
struct held {
	struct saga_event event; /* HELD */
	struct saga *saga;       /* after it */
};
/* Takes those commands out of the effects for which there is no room. How many, each one being an event of the saga. */
size_t hold_commands(struct engine *engine, const struct plan *plan, const struct saga_event *cause, struct saga *saga,
		     struct saga_effects *effects, struct held **ret_held);
/* Those that were decided by a commit whose answer was lost: what there is no room for is left to the sweep. */
void hold_unsent(struct engine *engine, const struct plan *plan, struct uuid saga_id, struct saga_effects *effects);
void hold_see(struct engine *engine, const struct plan *plan, const struct saga *saga); /* this is what is stored */
void hold_see_row(struct engine *engine, struct cached_saga *cached);                   /* likewise */
void hold_begin_turn(struct engine *engine); /* appends works for what there is room for now to `due` */
bool hold_release_event(const struct engine *engine, const struct plan *plan, const struct saga *saga,
			struct work *work, struct saga_event *ret_event);
void hold_end_turn(struct engine *engine);
int64_t hold_next_turn_us(const struct engine *engine); /* monotonic; INT64_MAX: nobody waits */

/* ---- turn.c ---- */
NODISCARD int turn_load(struct engine *engine, const struct uuid *ids, size_t count,
			struct error *err); /* into cache */
/* Starts, gets and requests become the engine's; not the deliveries. */
void turn_take_calls(struct engine *engine, const struct queue_load *load);
void turn_send(struct engine *engine, const struct outgoing *outgoing);
struct cached_saga *turn_put_row(struct engine *engine, const struct store_row *row); /* NULL: no definition; logged */
/* NULL: corrupt; logged. */
struct saga *turn_decode(struct cached_saga *cached, struct arena *arena);
struct saga_view turn_view(const struct cached_saga *cached, const struct saga *saga); /* without the log */

#endif
