/* lane.c - see lane.h. */
#include "tests/bench/floor/lane.h"

#include <pthread.h>
#include <stdatomic.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "tests/bench/floor/table.h"

enum { WAIT_MS = 100 };

struct slot {
	struct uuid id;
	int64_t started_us;
};

struct lane {
	const struct floor_settings *settings;
	struct round *round;
	struct channel *commands;
	struct channel *replies;
	atomic_bool is_stopping;
	pthread_t coordinator;
	pthread_t participant;
	bool has_coordinator;
	bool has_participant;
	size_t gather; /* records that are waited for, as long as others come */

	/* the coordinator's */
	struct table *sagas;
	struct slot *slots;
	size_t slot_count;
	uint32_t *idle; /* slots whose saga has ended: the next ones are started by the next commit */
	size_t idle_count;
	struct floor_record *received;
	struct floor_record *sent;
	int64_t *latencies_us;

	/* the participants' */
	struct table *inbox; /* NULL: none */
	struct floor_record *asked;
};

/* ---- the coordinator ---- */

/* A saga has log rows in proportion to its changes: change 0 is the start, change `replies` the end. */
static void add_log(struct lane *lane, struct uuid id, int64_t change)
{
	int64_t changes = lane->settings->replies + 1;
	int64_t from = lane->settings->log_rows * change / changes;
	int64_t to = lane->settings->log_rows * (change + 1) / changes;

	for (int64_t sequence = from; sequence < to; sequence++)
		table_add_log(lane->sagas, id, (int32_t)sequence);
}

static size_t start_idle(struct lane *lane, size_t sent)
{
	for (size_t i = 0; i < lane->idle_count; i++) {
		struct slot *slot = &lane->slots[lane->idle[i]];

		slot->id = uuid_v7_new();
		table_add_saga(lane->sagas, slot->id);
		add_log(lane, slot->id, 0);
		lane->sent[sent++] = (struct floor_record){lane->idle[i], 0, slot->id};
	}
	lane->idle_count = 0;
	return sent;
}

/* The slots whose last reply this is become idle. */
static size_t take_replies(struct lane *lane, size_t count, size_t sent)
{
	for (size_t i = 0; i < count; i++) {
		struct floor_record reply = lane->received[i];
		struct slot *slot = &lane->slots[reply.slot];

		table_add_change(lane->sagas, slot->id, (int32_t)reply.reply + 2);
		add_log(lane, slot->id, reply.reply + 1);
		if (reply.reply + 1 < lane->settings->replies)
			lane->sent[sent++] = (struct floor_record){reply.slot, reply.reply + 1, slot->id};
		else
			lane->idle[lane->idle_count++] = reply.slot;
	}
	return sent;
}

static void note_ends(struct lane *lane)
{
	int64_t now_us = clock_monotonic_us();

	for (size_t i = 0; i < lane->idle_count; i++) {
		struct slot *slot = &lane->slots[lane->idle[i]];

		lane->latencies_us[i] = now_us - slot->started_us;
		slot->started_us = now_us;
	}
	round_add(lane->round, lane->latencies_us, lane->idle_count);
}

static int coordinate(struct lane *lane, struct error *err)
{
	int wait_ms = lane->idle_count > 0 ? 0 : WAIT_MS;
	size_t sent = start_idle(lane, 0);
	size_t count = channel_receive(lane->replies, lane->received, lane->slot_count, lane->gather, wait_ms);

	sent = take_replies(lane, count, sent);
	if (table_commit(lane->sagas, err) < 0 || channel_send(lane->commands, lane->sent, sent, err) < 0)
		return -1;
	note_ends(lane);
	return 0;
}

/* ---- the participants ---- */

static int participate(struct lane *lane, struct error *err)
{
	size_t count = channel_receive(lane->commands, lane->asked, lane->slot_count, lane->gather, WAIT_MS);

	for (size_t i = 0; lane->inbox && i < count; i++)
		table_add_inbox(lane->inbox, lane->asked[i].id, (int32_t)lane->asked[i].reply);
	if (lane->inbox && table_commit(lane->inbox, err) < 0)
		return -1;
	return channel_send(lane->replies, lane->asked, count, err); /* a reply has the same head */
}

/* ---- life ---- */

static void *run(struct lane *lane, int (*turn)(struct lane *, struct error *))
{
	struct error err;

	while (!atomic_load(&lane->is_stopping))
		if (turn(lane, &err) < 0) {
			log_error("lane_ended", "err=%s", LOG_TEXT(err.msg));
			round_add_failure(lane->round, err.msg);
			return NULL;
		}
	return NULL;
}

static void *run_coordinator(void *ctx)
{
	return run(ctx, coordinate);
}

static void *run_participant(void *ctx)
{
	return run(ctx, participate);
}

static int open_tables(struct lane *lane, struct error *err)
{
	const struct floor_settings *settings = lane->settings;
	const struct table_sizes sizes = {.row_bytes = (size_t)settings->row_bytes,
					  .log_bytes = (size_t)settings->log_bytes,
					  .inbox_bytes = (size_t)settings->inbox_bytes};

	if (table_new(settings->postgres, &sizes, &lane->sagas, err) < 0)
		return -1;
	return settings->has_inbox ? table_new(settings->postgres, &sizes, &lane->inbox, err) : 0;
}

static int open_channels(struct lane *lane, int number, struct channel_clients *clients, struct error *err)
{
	const struct floor_settings *settings = lane->settings;

	if (channel_new(clients, FLOOR_COMMANDS, number, (size_t)settings->command_bytes, &lane->commands, err) < 0)
		return -1;
	return channel_new(clients, FLOOR_REPLIES, number, (size_t)settings->reply_bytes, &lane->replies, err);
}

static void make_slots(struct lane *lane, size_t count)
{
	lane->slot_count = count;
	lane->gather = count * (size_t)lane->settings->gather / 100;
	lane->slots = xcalloc(count, sizeof(*lane->slots));
	lane->idle = xcalloc(count, sizeof(*lane->idle));
	lane->received = xcalloc(count, sizeof(*lane->received));
	lane->sent = xcalloc(count, sizeof(*lane->sent));
	lane->asked = xcalloc(count, sizeof(*lane->asked));
	lane->latencies_us = xcalloc(count, sizeof(*lane->latencies_us));
	lane->idle_count = count;
	for (size_t i = 0; i < count; i++) {
		lane->idle[i] = (uint32_t)i;
		lane->slots[i].started_us = clock_monotonic_us();
	}
}

int lane_new(const struct floor_settings *settings, int number, size_t slots, struct channel_clients *clients,
	     struct round *round, struct lane **ret_lane, struct error *err)
{
	_cleanup_(lane_freep)
	struct lane *lane = xcalloc(1, sizeof(*lane));

	lane->settings = settings;
	lane->round = round;
	make_slots(lane, slots);
	if (open_tables(lane, err) < 0 || open_channels(lane, number, clients, err) < 0)
		return -1;
	lane->has_participant = pthread_create(&lane->participant, NULL, run_participant, lane) == 0;
	lane->has_coordinator = pthread_create(&lane->coordinator, NULL, run_coordinator, lane) == 0;
	if (!lane->has_participant || !lane->has_coordinator)
		return error_set(err, ERR_LIMIT, "cannot start a lane's threads: too many threads");
	*ret_lane = take_ptr(lane);
	return 0;
}

void lane_free(struct lane *lane)
{
	if (!lane)
		return;
	atomic_store(&lane->is_stopping, true);
	if (lane->has_coordinator)
		(void)pthread_join(lane->coordinator, NULL); /* joined once, as the next */
	if (lane->has_participant)
		(void)pthread_join(lane->participant, NULL);
	channel_free(lane->commands);
	channel_free(lane->replies);
	table_free(lane->sagas);
	table_free(lane->inbox);
	free(lane->slots);
	free(lane->idle);
	free(lane->received);
	free(lane->sent);
	free(lane->asked);
	free(lane->latencies_us);
	free(lane);
}
