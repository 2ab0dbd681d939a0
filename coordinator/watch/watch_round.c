/*
 * watch_round.c - watchers of many sagas: where each is, what it gets.
 *
 * Order:   the horizon is asked for first, then the feed is read below it, by another statement (engine/read_port.h).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/watch/watch_state.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

enum {
	READ_MAX = 1000,        /* entries of one read */
	XIDS_MAX = 200,         /* transactions of one look at what is remembered of ours */
	READS_MAX = 20,         /* of one round, so that no watcher keeps the others waiting for long */
	CURRENT_PART = 500,     /* sagas of the beginning in one message */
	CURRENT_US = 20 * 1000, /* of a round for a beginning */
	TELL_US = 10 * 1000 * 1000,
};

/* ---- beginning ---- */

static bool is_same_position(struct feed_position a, struct feed_position b)
{
	return a.xid == b.xid && a.index == b.index;
}

static void tell(struct watcher *watcher, const struct watch_change *changes, size_t count, bool has_position)
{
	watcher->told_us = clock_monotonic_us();
	watcher->has_told_position |= has_position;
	watcher->sink->on_changes(watcher->ctx, changes, count, has_position ? &watcher->watch.position : NULL);
}

static void keep_part(struct watcher *watcher, const struct feed_snapshot *snapshot)
{
	struct shown_part *part = arena_zalloc(&watcher->arena, sizeof(*part));

	if (!watcher->shown) /* what it shows beyond that is passed over later */
		watcher->watch.position = (struct feed_position){snapshot->xmin - 1, INT64_MAX};
	part->xmax = snapshot->xmax;
	part->running =
		arena_copy(&watcher->arena, snapshot->running, snapshot->running_count * sizeof(*snapshot->running));
	part->running_count = snapshot->running_count;
	part->ids = arena_alloc(&watcher->arena, (snapshot->count + 1) * sizeof(*part->ids));
	for (size_t i = 0; i < snapshot->count; i++)
		part->ids[part->count++] = snapshot->items[i].saga.id;
	part->last = snapshot->last;
	if (!snapshot->has_more)
		memset(part->last.data, 0xff, sizeof(part->last.data));
	*(watcher->shown ? &watcher->last_shown->next : &watcher->shown) = part;
	watcher->last_shown = part;
	watcher->shown_count += snapshot->count;
	if (snapshot->xmax > watcher->shown_xmax)
		watcher->shown_xmax = snapshot->xmax;
}

static int show_part(struct watch_hub *hub, struct watcher *watcher, bool *ret_is_over, struct error *err)
{
	const struct uuid *after = watcher->last_shown ? &watcher->last_shown->last : NULL;
	struct feed_snapshot snapshot = {0};
	struct watch_change *changes;

	if (hub->port.snapshot(hub->port.ctx, &watcher->watch.filter, after, CURRENT_PART, &hub->arena, &snapshot,
			       err) < 0)
		return -1;
	keep_part(watcher, &snapshot);
	*ret_is_over = !snapshot.has_more;
	if (watcher->shown_count > WATCH_CURRENT_MAX) {
		watcher_end(watcher, WATCH_END_TOO_MANY, NULL);
		return 0;
	}
	changes = arena_zalloc(&hub->arena, (snapshot.count + 1) * sizeof(*changes));
	for (size_t i = 0; i < snapshot.count; i++)
		changes[i].head = &snapshot.items[i];
	if (snapshot.count > 0)
		tell(watcher, changes, snapshot.count, false);
	return 0;
}

/* As much as there is time for in a round: a million may have to be looked at for the few that fit. */
static int show_current(struct watch_hub *hub, struct watcher *watcher, bool *ret_is_over, struct error *err)
{
	const int64_t begun_us = clock_monotonic_us();
	bool is_over = false;

	while (!is_over && !watcher->is_over && watcher->sink->room(watcher->ctx) == WATCH_ROOM &&
	       clock_monotonic_us() - begun_us < CURRENT_US)
		if (show_part(hub, watcher, &is_over, err) < 0)
			return -1;
	*ret_is_over = is_over;
	return 0;
}

static bool is_expired(struct feed_position position, const struct feed_bounds *bounds)
{
	return position.xid < bounds->floor || (position.xid == bounds->floor && position.index != INT64_MAX);
}

static int begin(struct watch_hub *hub, struct watcher *watcher, const struct feed_bounds *bounds, struct error *err)
{
	struct watch_sagas *watch = &watcher->watch;
	bool is_begun = true;

	if (watch->has_position && (is_expired(watch->position, bounds) || watch->position.xid >= bounds->ceiling)) {
		watcher_end(watcher, WATCH_END_EXPIRED, NULL);
		return 0;
	}
	if (!watch->has_position && !watch->include_current)
		watch->position = (struct feed_position){bounds->horizon - 1, INT64_MAX};
	if (watch->include_current && show_current(hub, watcher, &is_begun, err) < 0)
		return -1;
	if (watcher->is_over || !is_begun)
		return 0;
	watcher->is_begun = true;
	/* A position of the snapshots would not say what they have shown beyond their xmin: the first one comes later. */
	tell(watcher, NULL, 0, !watch->include_current);
	return 0;
}

/* ---- what fits ---- */

static bool is_outcome(enum saga_state state)
{
	return !saga_state_is_open(state);
}

static bool has_label(const struct saga_head *head, const struct engine_label *wanted)
{
	for (size_t i = 0; i < head->label_count; i++)
		if (strcmp(head->labels[i].name, wanted->name) == 0)
			return strcmp(head->labels[i].value, wanted->value) == 0;
	return false;
}

static bool fits(const struct saga_filter *filter, const struct saga_head *head)
{
	if (filter->definition && strcmp(filter->definition, head->definition) != 0)
		return false;
	if (filter->definition_version && filter->definition_version != head->definition_version)
		return false;
	if (filter->key && strcmp(filter->key, head->key) != 0)
		return false;
	if (filter->is_paused && !head->saga.paused_us)
		return false;
	for (size_t i = 0; i < filter->label_count; i++)
		if (!has_label(head, &filter->labels[i]))
			return false;
	return true;
}

static bool is_seen_by(const struct shown_part *part, int64_t xid)
{
	if (xid >= part->xmax)
		return false;
	for (size_t i = 0; i < part->running_count; i++)
		if (part->running[i] == xid)
			return false;
	return true;
}

static bool has_shown(const struct shown_part *part, struct uuid id)
{
	for (size_t i = 0; i < part->count; i++)
		if (uuid_equal(part->ids[i], id))
			return true;
	return false;
}

/* What the first page saw was before the watch began. Later on each page has shown its sagas as they were then; of a saga that has
 * ended before its page came, or began after the first one and is in none, all is in the feed alone. */
static bool was_shown(const struct watcher *watcher, const struct feed_entry *entry)
{
	const int64_t xid = entry->position.xid;
	const struct shown_part *part = watcher->shown;

	if (xid >= watcher->shown_xmax)
		return false;
	if (is_seen_by(part, xid))
		return true;
	while (uuid_compare(entry->saga_id, part->last) > 0)
		part = part->next; /* the last one has all that are greater */
	return is_seen_by(part, xid) && has_shown(part, entry->saga_id);
}

/* ---- one read of the feed, for all watchers at that position ---- */

struct batch {
	struct feed_entry *entries;
	size_t count;
	bool is_last; /* the feed has no more below the horizon */
	struct feed_position end;
	const struct saga_head **heads; /* of each entry; NULL: the saga is gone, or not wanted */
	struct store_log_row **rows;    /* of each entry, in order … */
	size_t *row_counts;             /* … so many */
};

static int compare_ids(const void *a, const void *b)
{
	return uuid_compare(*(const struct uuid *)a, *(const struct uuid *)b);
}

static const struct saga_head *find_head(const struct saga_head *heads, size_t count, struct uuid id)
{
	size_t low = 0;
	size_t high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = uuid_compare(heads[middle].saga.id, id);

		if (order == 0)
			return &heads[middle];
		*(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
	}
	return NULL;
}

/* The log's rows come entry by entry; an entry without rows (a log that was removed) has none. */
static void share_out_rows(struct batch *batch, const struct feed_entry *wanted, const size_t *places,
			   size_t wanted_count, struct store_log_row *rows, size_t row_count)
{
	size_t at = 0;

	for (size_t i = 0; i < wanted_count; i++) {
		size_t place = places[i];

		batch->rows[place] = &rows[at];
		while (at < row_count && uuid_equal(rows[at].saga_id, wanted[i].saga_id) &&
		       rows[at].entry.sequence >= wanted[i].first && rows[at].entry.sequence <= wanted[i].last) {
			at++;
			batch->row_counts[place]++;
		}
	}
	assert(at == row_count);
}

/* Heads and logs of what is wanted: with `outcomes_only` just the outcomes. */
static int fill_batch(struct watch_hub *hub, struct batch *batch, bool outcomes_only, struct error *err)
{
	size_t max = batch->count + 1;
	struct feed_entry *wanted = arena_alloc(&hub->arena, max * sizeof(*wanted));
	size_t *places = arena_alloc(&hub->arena, max * sizeof(*places));
	struct uuid *ids = arena_alloc(&hub->arena, max * sizeof(*ids));
	struct saga_head *heads = NULL;
	struct store_log_row *rows = NULL;
	size_t wanted_count = 0;
	size_t id_count = 0;
	size_t head_count = 0;
	size_t row_count = 0;

	batch->heads = arena_zalloc(&hub->arena, max * sizeof(*batch->heads));
	batch->rows = arena_zalloc(&hub->arena, max * sizeof(*batch->rows));
	batch->row_counts = arena_zalloc(&hub->arena, max * sizeof(*batch->row_counts));
	for (size_t i = 0; i < batch->count; i++) {
		if (outcomes_only && !is_outcome(batch->entries[i].state))
			continue;
		places[wanted_count] = i;
		ids[wanted_count] = batch->entries[i].saga_id;
		wanted[wanted_count] = batch->entries[i];
		if (outcomes_only)
			wanted[wanted_count].first = wanted[wanted_count].last;
		wanted_count++;
	}
	if (wanted_count == 0)
		return 0;
	qsort(ids, wanted_count, sizeof(*ids), compare_ids);
	for (size_t i = 0; i < wanted_count; i++)
		if (id_count == 0 || !uuid_equal(ids[id_count - 1], ids[i]))
			ids[id_count++] = ids[i];
	if (hub->port.heads(hub->port.ctx, ids, id_count, &hub->arena, &heads, &head_count, err) < 0 ||
	    hub->port.feed_log(hub->port.ctx, wanted, wanted_count, &hub->arena, &rows, &row_count, err) < 0)
		return -1;
	share_out_rows(batch, wanted, places, wanted_count, rows, row_count);
	for (size_t i = 0; i < wanted_count; i++)
		batch->heads[places[i]] = find_head(heads, head_count, wanted[i].saga_id);
	return 0;
}

/* Up to `until`, which is the horizon, or a transaction before it whose outcomes are remembered. */
static int read_feed(struct watch_hub *hub, struct feed_position after, int64_t until, int64_t horizon,
		     bool outcomes_only, struct batch *ret_batch, struct error *err)
{
	const struct feed_query query = {
		.after = after, .horizon = until, .limit = READ_MAX, .outcomes_only = outcomes_only};
	struct batch batch = {0};
	bool is_all;

	if (hub->port.feed(hub->port.ctx, &query, &hub->arena, &batch.entries, &batch.count, err) < 0)
		return -1;
	is_all = batch.count < READ_MAX;
	batch.is_last = is_all && until == horizon;
	batch.end = is_all ? (struct feed_position){until - 1, INT64_MAX} : batch.entries[batch.count - 1].position;
	if (batch.count == 0 && batch.end.xid < after.xid)
		batch.end = after; /* the horizon may step back for a while; what was sent stays sent */
	if (fill_batch(hub, &batch, outcomes_only, err) < 0)
		return -1;
	*ret_batch = batch;
	return 0;
}

/* ---- the same from memory ---- */

/* Whether it has room for another one. */
static bool add_remembered(struct batch *batch, const struct recent_commit *commit, size_t at)
{
	if (batch->count == READ_MAX)
		return false;
	batch->entries[batch->count] = commit->entries[at];
	batch->heads[batch->count] = &commit->heads[at];
	batch->rows[batch->count] = &commit->rows[at];
	batch->row_counts[batch->count] = 1;
	batch->count++;
	return true;
}

/* False: it did not fit whole. */
static bool take_commit(struct batch *batch, const struct recent_commit *commit, struct feed_position after)
{
	for (size_t i = 0; i < commit->count; i++) {
		const struct feed_position position = commit->entries[i].position;

		if (position.xid == after.xid && position.index <= after.index)
			continue;
		if (!add_remembered(batch, commit, i))
			return false;
		batch->end = position;
	}
	batch->end = (struct feed_position){commit->xid, INT64_MAX};
	return true;
}

/* A database that was restored may have a number twice. */
static bool is_twice(const int64_t *xids, size_t count, size_t at)
{
	return (at > 0 && xids[at - 1] == xids[at]) || (at + 1 < count && xids[at + 1] == xids[at]);
}

/* The outcomes of the first of the feed's transactions, as far as they are remembered. `ret_until`: the first that is, if
 * the very first is not. */
static int read_recent(struct watch_hub *hub, struct feed_position after, int64_t horizon, struct batch *ret_batch,
		       int64_t *ret_until, struct error *err)
{
	const int64_t from = after.index == INT64_MAX ? after.xid + 1 : after.xid;
	struct batch batch = {.end = after};
	int64_t *xids = NULL;
	size_t count = 0;
	size_t at = 0;

	*ret_until = horizon;
	if (hub->port.feed_xids(hub->port.ctx, from, horizon, XIDS_MAX, &hub->arena, &xids, &count, err) < 0)
		return -1;
	batch.entries = arena_alloc(&hub->arena, READ_MAX * sizeof(*batch.entries));
	batch.heads = arena_alloc(&hub->arena, READ_MAX * sizeof(*batch.heads));
	batch.rows = arena_alloc(&hub->arena, READ_MAX * sizeof(*batch.rows));
	batch.row_counts = arena_alloc(&hub->arena, READ_MAX * sizeof(*batch.row_counts));
	for (; at < count; at++) {
		const struct recent_commit *commit = recent_find(&hub->recent, xids[at]);

		if (!commit || is_twice(xids, count, at) || !take_commit(&batch, commit, after))
			break;
	}
	batch.is_last = at == count && count < XIDS_MAX;
	if (batch.is_last && horizon > from)
		batch.end = (struct feed_position){horizon - 1, INT64_MAX};
	for (size_t i = at; i < count && *ret_until == horizon; i++)
		if (recent_find(&hub->recent, xids[i]) && !is_twice(xids, count, i))
			*ret_until = xids[i];
	*ret_batch = batch;
	return 0;
}

static int read_batch(struct watch_hub *hub, struct feed_position after, int64_t horizon, bool outcomes_only,
		      struct batch *ret_batch, struct error *err)
{
	int64_t until = horizon;

	if (outcomes_only && hub->recent.first) {
		if (read_recent(hub, after, horizon, ret_batch, &until, err) < 0)
			return -1;
		if (ret_batch->is_last || !is_same_position(ret_batch->end, after))
			return 0;
	}
	return read_feed(hub, after, until, horizon, outcomes_only, ret_batch, err);
}

static void serve(struct watch_hub *hub, struct watcher *watcher, const struct batch *batch)
{
	const struct watch_sagas *watch = &watcher->watch;
	unsigned states = watch->filter.states ? watch->filter.states : ~0u;
	struct watch_change *changes;
	bool has_position;
	size_t max = 0;
	size_t count = 0;

	for (size_t i = 0; i < batch->count; i++)
		max += batch->row_counts[i];
	changes = arena_zalloc(&hub->arena, (max + 1) * sizeof(*changes));
	for (size_t i = 0; i < batch->count; i++) {
		const struct feed_entry *entry = &batch->entries[i];

		if (!batch->heads[i] || (watch->outcomes_only && !is_outcome(entry->state)) ||
		    was_shown(watcher, entry) || !fits(&watch->filter, batch->heads[i]))
			continue;
		for (size_t j = 0; j < batch->row_counts[i]; j++) {
			const struct store_log_row *row = &batch->rows[i][j];

			if (!(states & 1u << row->entry.state) ||
			    (watch->outcomes_only && row->entry.sequence != entry->last))
				continue;
			changes[count++] = (struct watch_change){batch->heads[i], row};
		}
	}
	watcher->watch.position = batch->end;
	watcher->is_served = batch->is_last;
	has_position = batch->end.xid + 1 >= watcher->shown_xmax;
	if (count > 0 || has_position > watcher->has_told_position ||
	    clock_monotonic_us() - watcher->told_us >= TELL_US)
		tell(watcher, changes, count, has_position);
}

/* ---- the round ---- */

/* False: nothing can be there; the read is spared. */
static bool may_have_more(const struct watcher *watcher, int64_t horizon)
{
	const struct feed_position *position = &watcher->watch.position;

	return position->xid < horizon - 1 || (position->xid == horizon - 1 && position->index != INT64_MAX);
}

static bool wants_position(const struct watcher *watcher)
{
	return !watcher->has_told_position || clock_monotonic_us() - watcher->told_us >= TELL_US;
}

static bool can_be_served(struct watcher *watcher, int64_t horizon)
{
	return !watcher->is_of_one && !watcher->is_over && watcher->is_begun && !watcher->is_served &&
	       (may_have_more(watcher, horizon) || wants_position(watcher)) &&
	       watcher->sink->room(watcher->ctx) == WATCH_ROOM;
}

/* One read serves everyone who is at the same place; at the end of the feed that is nearly everyone. */
static int serve_from(struct watch_hub *hub, struct watcher *first, int64_t horizon, struct error *err)
{
	struct feed_position position = first->watch.position;
	bool outcomes_only = true;
	struct batch batch;

	for (struct watcher *watcher = first; watcher; watcher = watcher->next)
		if (!watcher->is_of_one && is_same_position(watcher->watch.position, position))
			outcomes_only &= watcher->watch.outcomes_only;
	if (read_batch(hub, position, horizon, outcomes_only, &batch, err) < 0)
		return -1;
	for (struct watcher *watcher = first; watcher; watcher = watcher->next)
		if (can_be_served(watcher, horizon) && is_same_position(watcher->watch.position, position))
			serve(hub, watcher, &batch);
	return 0;
}

/* What everybody has seen of our own commits. */
static void forget_served(struct watch_hub *hub)
{
	int64_t before_xid = INT64_MAX;

	for (const struct watcher *watcher = hub->watchers; watcher; watcher = watcher->next)
		if (!watcher->is_of_one && !watcher->is_over && watcher->watch.outcomes_only &&
		    watcher->watch.position.xid < before_xid)
			before_xid = watcher->watch.position.xid;
	recent_forget(&hub->recent, before_xid);
}

int watch_round_many(struct watch_hub *hub, struct error *err)
{
	struct feed_bounds bounds = {0};
	bool is_any = false;
	int reads = 0;

	hub->is_unsettled = false;
	for (const struct watcher *watcher = hub->watchers; watcher; watcher = watcher->next)
		is_any |= !watcher->is_of_one && !watcher->is_over;
	if (!is_any) {
		forget_served(hub);
		return 0;
	}
	if (hub->port.bounds(hub->port.ctx, &bounds, err) < 0)
		return -1;
	hub->is_unsettled = bounds.horizon < bounds.ceiling;
	for (struct watcher *watcher = hub->watchers; watcher; watcher = watcher->next) {
		if (watcher->is_of_one || watcher->is_over)
			continue;
		if (!watcher->is_begun && begin(hub, watcher, &bounds, err) < 0)
			return -1;
		if (watcher->is_begun && is_expired(watcher->watch.position, &bounds))
			watcher_end(watcher, WATCH_END_EXPIRED, NULL); /* too slow for as long as the feed is kept */
	}
	for (struct watcher *watcher = hub->watchers; watcher && reads < READS_MAX; watcher = watcher->next) {
		while (reads < READS_MAX && can_be_served(watcher, bounds.horizon)) {
			if (serve_from(hub, watcher, bounds.horizon, err) < 0)
				return -1;
			reads++;
		}
	}
	forget_served(hub);
	return 0;
}
