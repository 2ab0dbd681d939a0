/*
 * queue.h - what waits for the engine's next turn.
 *
 * Why:        callers on other threads only copy, enqueue and return; the engine takes all of it at once, so a batch
 *             gathers by itself while the previous commit runs.
 * Fairness:   starts are taken in turns by definition, and a definition gets its share of a queue that others have filled.
 * Limits:     starts, gets and requests are bounded together (twice that, with all shares); starts also by what the engine
 *             gets through in time, as it says after each turn, and by the bytes of their inputs; deliveries by the bus, which
 *             waits for their `done`.
 * Threads:    any thread pushes, the engine's takes. `mu` guards all fields.
 */
#ifndef COORDINATOR_ENGINE_QUEUE_H
#define COORDINATOR_ENGINE_QUEUE_H

#include <pthread.h>

#include "coordinator/engine/id_table.h"
#include "coordinator/engine/ports.h"

/* Of all starts that wait: a few thousand of the largest ones would be gigabytes. */
enum { QUEUE_INPUT_BYTES_MAX = 64 * 1024 * 1024 };

struct start_item {
	struct start_item *next;
	struct start_item *twins;     /* equal starts of the same turn, answered with this one */
	struct id_node by_id;         /* while its round runs */
	struct id_node by_key;        /* likewise; the id is a digest of definition name and idempotency key */
	struct start_request request; /* its texts are in this item's own block */
	bool has_id;                  /* request.saga_id is the client's, or was made by the first try */
	char id_text[UUID_TEXT_LEN + 1];
	int tries;
	start_done_fn *done;
	void *ctx;
	int64_t queued_us;     /* monotonic */
	bool is_conflicting;   /* the last try met a row: look it up */
	bool may_be_committed; /* an earlier try may have made the row */
	int64_t limit; /* its definition has so many open sagas, so there must not be another one; 0: there may */
};

struct get_item {
	struct get_item *next;
	struct uuid saga_id;
	int64_t deadline_us; /* monotonic; 0: no wait */
	get_done_fn *done;
	void *ctx;
};

struct request_item; /* engine_state.h; its first member is the list's link */
struct request_link {
	struct request_link *next;
};

struct delivery_item {
	struct delivery_item *next;
	struct bus_batch *batch;
};

/* The starts of one definition. */
struct queue_line {
	const char *definition; /* the first one's */
	struct start_item *first;
	struct start_item *last;
	size_t count;
};

/* Lists in the order of arrival; starts take turns by definition. */
struct queue_load {
	struct start_item *starts;
	struct get_item *gets;
	struct request_link *requests;
	struct delivery_item *deliveries;
	size_t start_count;
	size_t get_count;
	size_t request_count;
	size_t delivery_count;
	size_t record_count; /* of the deliveries together */
};

struct queue {
	pthread_mutex_t mu;
	pthread_cond_t changed;
	struct queue_load load; /* all guarded by mu; its starts stand in `lines` until they are taken */
	struct queue_line *lines;
	size_t line_count;
	size_t line_max;
	size_t line_next; /* whose turn it is */
	struct get_item **gets_end;
	struct request_link **requests_end;
	struct delivery_item **deliveries_end;
	size_t max;
	size_t starts_max;  /* that may wait */
	size_t input_bytes; /* of those that wait */
	bool is_closed;
	bool is_over;
};

void queue_init(struct queue *queue, size_t max);
void queue_release(struct queue *queue); /* must be empty */

enum queue_answer { QUEUE_TAKEN, QUEUE_FULL, QUEUE_CLOSED };
/* Whether a start of that definition would be refused now: to say so before any work is done for it. */
enum queue_answer queue_look(struct queue *queue, const char *definition);
/* All of a list of so many starts, or none; taken: the queue owns them. */
enum queue_answer queue_push_starts(struct queue *queue, struct start_item *items, size_t count);
enum queue_answer queue_push_get(struct queue *queue, struct get_item *item);
enum queue_answer queue_push_request(struct queue *queue, struct request_link *item);
enum queue_answer queue_push_delivery(struct queue *queue, struct delivery_item *item); /* CLOSED: it is over */

size_t queue_records(struct queue *queue);                /* that wait in deliveries */
size_t queue_starts(struct queue *queue);                 /* that wait */
void queue_limit_starts(struct queue *queue, size_t max); /* SIZE_MAX: by the queue's own bound alone */
/* At most so many starts, and all else; does not block. */
void queue_take(struct queue *queue, size_t starts_max, struct queue_load *ret_load);
void queue_wait(struct queue *queue, int64_t until_us); /* for anything, a nudge, or that monotonic time */
void queue_nudge(struct queue *queue);
void queue_close(struct queue *queue);                            /* refuses all but deliveries from now on */
void queue_end(struct queue *queue, struct queue_load *ret_load); /* takes all; refuses deliveries, too, from now on */
size_t queue_length(struct queue *queue);

#endif
