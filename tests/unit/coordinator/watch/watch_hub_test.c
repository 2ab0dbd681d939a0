/*
 * watch_hub_test.c - watchers over a feed in memory: commits that become visible late, readers without room, positions.
 *
 * The feed: each commit has one entry, whose transaction number and visibility the test chooses; the horizon is what the
 * real store would say: below the lowest number that is not visible yet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "coordinator/watch/watch_hub.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

enum { ENTRIES_MAX = 4000, SEEN_MAX = 8000, KEEP_MS = 24 * 3600 * 1000, SECOND_US = 1000000 };

/* For the one test with the hub's thread. */
static pthread_mutex_t feed_mu = PTHREAD_MUTEX_INITIALIZER;

static struct {
	struct feed_entry entries[ENTRIES_MAX];
	bool is_visible[ENTRIES_MAX];
	size_t count;
	int64_t floor;
	int64_t next_xid;
	bool is_away;
	size_t reads;
	struct feed_snapshot pages[3]; /* of the beginning */
	size_t page;                   /* the next one */
	size_t trims;
	size_t trims_wanted; /* until nothing old is left */
} feed;

static struct uuid id_of(size_t number)
{
	struct uuid id = {{0}};

	memcpy(id.data, &number, sizeof(number));
	return id;
}

static size_t add(int64_t xid, size_t saga, int64_t sequence, enum saga_state state, bool is_visible)
{
	assert_true(feed.count < ENTRIES_MAX);
	feed.entries[feed.count] = (struct feed_entry){
		.position = {xid, 1}, .saga_id = id_of(saga), .first = sequence, .last = sequence, .state = state};
	feed.is_visible[feed.count] = is_visible;
	if (xid >= feed.next_xid)
		feed.next_xid = xid + 1;
	return feed.count++;
}

static int away(struct error *err)
{
	return feed.is_away ? error_set(err, ERR_UNAVAILABLE, "the fake database is away") : 0;
}

static int port_bounds(void *ctx, struct feed_bounds *ret_bounds, struct error *err)
{
	(void)ctx;
	(void)pthread_mutex_lock(&feed_mu);
	*ret_bounds = (struct feed_bounds){feed.floor, feed.next_xid, feed.next_xid};
	for (size_t i = 0; i < feed.count; i++)
		if (!feed.is_visible[i] && feed.entries[i].position.xid < ret_bounds->horizon)
			ret_bounds->horizon = feed.entries[i].position.xid;
	(void)pthread_mutex_unlock(&feed_mu);
	return away(err);
}

static bool is_before(struct feed_position a, struct feed_position b)
{
	return a.xid < b.xid || (a.xid == b.xid && a.index < b.index);
}

static int compare_entries(const void *a, const void *b)
{
	const struct feed_entry *left = a;
	const struct feed_entry *right = b;

	return is_before(left->position, right->position) ? -1 : is_before(right->position, left->position);
}

static int port_feed(void *ctx, const struct feed_query *query, struct arena *arena, struct feed_entry **ret_entries,
		     size_t *ret_count, struct error *err)
{
	struct feed_entry *found;
	size_t count = 0;

	(void)ctx;
	(void)pthread_mutex_lock(&feed_mu);
	found = arena_alloc(arena, (feed.count + 1) * sizeof(*found));
	feed.reads++;
	for (size_t i = 0; i < feed.count; i++)
		if (feed.is_visible[i] && is_before(query->after, feed.entries[i].position) &&
		    feed.entries[i].position.xid < query->horizon &&
		    !(query->outcomes_only && saga_state_is_open(feed.entries[i].state)))
			found[count++] = feed.entries[i];
	(void)pthread_mutex_unlock(&feed_mu);
	qsort(found, count, sizeof(*found), compare_entries);
	*ret_entries = found;
	*ret_count = count < query->limit ? count : query->limit;
	return away(err);
}

static int port_feed_xids(void *ctx, int64_t from, int64_t horizon, size_t limit, struct arena *arena,
			  int64_t **ret_xids, size_t *ret_count, struct error *err)
{
	struct feed_entry *found;
	size_t count = 0;

	(void)ctx;
	(void)pthread_mutex_lock(&feed_mu);
	found = arena_alloc(arena, (feed.count + 1) * sizeof(*found));
	*ret_xids = arena_alloc(arena, (feed.count + 1) * sizeof(**ret_xids));
	for (size_t i = 0; i < feed.count; i++)
		if (feed.is_visible[i] && feed.entries[i].position.xid >= from &&
		    feed.entries[i].position.xid < horizon && feed.entries[i].position.index == 1)
			found[count++] = feed.entries[i];
	(void)pthread_mutex_unlock(&feed_mu);
	qsort(found, count, sizeof(*found), compare_entries);
	*ret_count = count < limit ? count : limit;
	for (size_t i = 0; i < *ret_count; i++)
		(*ret_xids)[i] = found[i].position.xid;
	return away(err);
}

/* Odd sagas are of the definition `odd`. */
static struct saga_head head_of(struct uuid id)
{
	return (struct saga_head){
		.saga = {.id = id}, .definition = id.data[0] % 2 ? "odd" : "even", .definition_version = 1, .key = "k"};
}

static int port_heads(void *ctx, const struct uuid *ids, size_t count, struct arena *arena,
		      struct saga_head **ret_heads, size_t *ret_count, struct error *err)
{
	(void)ctx;
	*ret_heads = arena_alloc(arena, (count + 1) * sizeof(**ret_heads));
	for (size_t i = 0; i < count; i++) {
		assert_true(i == 0 || uuid_compare(ids[i - 1], ids[i]) < 0);
		(*ret_heads)[i] = head_of(ids[i]);
	}
	*ret_count = count;
	return away(err);
}

static int port_feed_log(void *ctx, const struct feed_entry *entries, size_t count, struct arena *arena,
			 struct store_log_row **ret_rows, size_t *ret_count, struct error *err)
{
	(void)ctx;
	*ret_rows = arena_zalloc(arena, (count + 1) * sizeof(**ret_rows));
	for (size_t i = 0; i < count; i++) {
		(*ret_rows)[i].saga_id = entries[i].saga_id;
		(*ret_rows)[i].step_id = "";
		(*ret_rows)[i].entry.sequence = entries[i].last;
		(*ret_rows)[i].entry.state = entries[i].state;
	}
	*ret_count = count;
	return away(err);
}

static int port_snapshot(void *ctx, const struct saga_filter *filter, const struct uuid *after, size_t limit,
			 struct arena *arena, struct feed_snapshot *ret_snapshot, struct error *err)
{
	(void)ctx;
	(void)filter;
	(void)limit;
	(void)arena;
	assert_true((feed.page == 0) == !after);
	assert_true(!after || uuid_equal(*after, feed.pages[feed.page - 1].last));
	*ret_snapshot = feed.pages[feed.page++];
	return away(err);
}

static int port_trim(void *ctx, int64_t keep_ms, bool *ret_has_more, struct error *err)
{
	(void)ctx;
	assert_int_equal(keep_ms, KEEP_MS);
	*ret_has_more = ++feed.trims < feed.trims_wanted;
	return away(err);
}

static const struct read_port PORT = {
	.bounds = port_bounds,
	.feed = port_feed,
	.feed_xids = port_feed_xids,
	.heads = port_heads,
	.feed_log = port_feed_log,
	.snapshot = port_snapshot,
	.trim = port_trim,
};

/* ---- a reader ---- */
struct reader {
	enum watch_room room;
	struct uuid ids[SEEN_MAX];
	int64_t sequences[SEEN_MAX];
	size_t count;
	size_t current; /* of them without an event */
	size_t messages;
	bool has_position;
	struct feed_position position;
	bool has_ended;
	enum watch_end end;
	bool is_released;
	atomic_size_t shown; /* as count */
};

static enum watch_room sink_room(void *ctx)
{
	return ((struct reader *)ctx)->room;
}

static void sink_changes(void *ctx, const struct watch_change *changes, size_t count,
			 const struct feed_position *position)
{
	struct reader *reader = ctx;

	reader->messages++;
	for (size_t i = 0; i < count; i++) {
		assert_true(reader->count < SEEN_MAX);
		reader->current += !changes[i].row;
		reader->ids[reader->count] = changes[i].head->saga.id;
		reader->sequences[reader->count++] = changes[i].row ? changes[i].row->entry.sequence : 0;
	}
	atomic_store(&reader->shown, reader->count);
	if (!position)
		return;
	assert_false(reader->has_position && is_before(*position, reader->position)); /* never back */
	reader->has_position = true;
	reader->position = *position;
}

static void sink_end(void *ctx, enum watch_end end, const struct error *err)
{
	struct reader *reader = ctx;

	(void)err;
	reader->has_ended = true;
	reader->end = end;
}

static void sink_released(void *ctx)
{
	((struct reader *)ctx)->is_released = true;
}

static const struct watch_sink SINK = {
	.room = sink_room, .on_changes = sink_changes, .on_end = sink_end, .on_released = sink_released};

static struct watch_hub *hub;

static int begin(void **state)
{
	(void)state;
	memset(&feed, 0, sizeof(feed));
	feed.next_xid = 100;
	hub = watch_hub_new(&PORT, NULL, KEEP_MS);
	return 0;
}

static int end(void **state)
{
	(void)state;
	watch_hub_free(hub);
	return 0;
}

static struct reader *watch(const struct watch_sagas *sagas)
{
	struct reader *reader = test_calloc(1, sizeof(*reader));
	struct error err;

	assert_int_equal(watch_hub_add_sagas(hub, sagas, &SINK, reader, &err), 0);
	watch_hub_round(hub);
	return reader;
}

static void let_go(struct reader *reader)
{
	reader->room = WATCH_GONE;
	watch_hub_round(hub);
	assert_true(reader->is_released);
	test_free(reader);
}

static void a_watch_begins_with_a_position_and_then_shows_what_is_committed(void **state)
{
	struct reader *reader = watch(&(struct watch_sagas){0});

	(void)state;
	assert_int_equal(reader->messages, 1);
	assert_true(reader->has_position);
	add(100, 1, 1, SAGA_STATE_RUNNING, true);
	add(101, 1, 2, SAGA_STATE_RUNNING, true);
	watch_hub_round(hub);
	watch_hub_round(hub);
	assert_int_equal(reader->count, 2);
	assert_int_equal(reader->sequences[1], 2);
	let_go(reader);
}

static void a_commit_that_becomes_visible_late_is_not_passed_over(void **state)
{
	struct reader *reader = watch(&(struct watch_sagas){0});
	size_t late;

	(void)state;
	late = add(100, 1, 1, SAGA_STATE_RUNNING, false); /* its number is drawn, its commit is not done */
	add(101, 2, 1, SAGA_STATE_RUNNING, true);
	watch_hub_round(hub);
	assert_int_equal(reader->count, 0);
	feed.is_visible[late] = true;
	watch_hub_round(hub);
	assert_int_equal(reader->count, 2);
	assert_true(uuid_equal(reader->ids[0], id_of(1)));
	let_go(reader);
}

static void watchers_at_the_end_share_one_read_and_one_that_fell_behind_catches_up(void **state)
{
	struct reader *eager[3];
	struct reader *lazy = watch(&(struct watch_sagas){0});
	size_t reads;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		eager[i] = watch(&(struct watch_sagas){0});
	lazy->room = WATCH_NO_ROOM;
	for (size_t i = 0; i < 2500; i++)
		add(100 + (int64_t)i, i, 1, SAGA_STATE_RUNNING, true);
	reads = feed.reads;
	for (int i = 0; i < 5; i++)
		watch_hub_round(hub);
	assert_int_equal(feed.reads - reads, 3); /* 2,500 entries, a thousand a read, for all three */
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(eager[i]->count, 2500);
	assert_int_equal(lazy->count, 0);
	lazy->room = WATCH_ROOM;
	for (int i = 0; i < 5; i++)
		watch_hub_round(hub);
	assert_int_equal(lazy->count, 2500);
	for (size_t i = 0; i < 2500; i++)
		assert_true(uuid_equal(lazy->ids[i], eager[0]->ids[i]));
	for (size_t i = 0; i < 3; i++)
		let_go(eager[i]);
	let_go(lazy);
}

static void a_watch_goes_on_from_any_position_without_gap_or_repetition(void **state)
{
	(void)state;
	for (size_t i = 0; i < 50; i++)
		add(100 + (int64_t)i, i, 1, SAGA_STATE_RUNNING, true);
	for (int64_t at = 99; at < 150; at++) {
		struct reader *reader = watch(&(struct watch_sagas){.has_position = true, .position = {at, 1}});

		watch_hub_round(hub);
		assert_int_equal(reader->count, 149 - at);
		if (reader->count > 0)
			assert_true(uuid_equal(reader->ids[0], id_of((size_t)(at + 1 - 100))));
		let_go(reader);
	}
}

static void filters_and_outcomes_decide_what_is_shown_and_positions_go_on_anyway(void **state)
{
	struct reader *odd = watch(&(struct watch_sagas){.filter = {.definition = "odd"}});
	struct reader *ends = watch(&(struct watch_sagas){.outcomes_only = true});
	struct reader *stuck = watch(&(struct watch_sagas){.filter = {.states = 1u << SAGA_STATE_STUCK}});
	struct reader *nothing = watch(&(struct watch_sagas){.filter = {.key = "other"}});

	(void)state;
	add(100, 1, 1, SAGA_STATE_RUNNING, true);
	add(101, 2, 1, SAGA_STATE_RUNNING, true);
	add(102, 1, 2, SAGA_STATE_STUCK, true);
	add(103, 2, 2, SAGA_STATE_COMPLETED, true);
	watch_hub_round(hub);
	assert_int_equal(odd->count, 2);
	assert_int_equal(ends->count, 2);
	assert_int_equal(stuck->count, 1);
	assert_int_equal(nothing->count, 0);
	add(104, 1, 3, SAGA_STATE_COMPENSATED, true);
	watch_hub_round(hub);
	assert_int_equal(odd->count, 3);
	assert_int_equal(odd->position.xid, 104);
	let_go(odd);
	let_go(ends);
	let_go(stuck);
	let_go(nothing);
}

static void the_beginning_is_not_shown_again_by_the_feed(void **state)
{
	struct saga_head heads[] = {head_of(id_of(1)), head_of(id_of(3))};
	int64_t running[] = {101};
	struct reader *reader;
	size_t late;

	(void)state;
	add(100, 1, 1, SAGA_STATE_RUNNING, true);
	late = add(101, 2, 1, SAGA_STATE_RUNNING, false);
	add(102, 3, 1, SAGA_STATE_RUNNING, true); /* visible to the snapshot, but above the horizon */
	feed.pages[0] = (struct feed_snapshot){
		.items = heads, .count = 2, .xmin = 101, .xmax = 103, .running = running, .running_count = 1};
	reader = watch(&(struct watch_sagas){.include_current = true});
	assert_int_equal(reader->current, 2);
	assert_false(reader->has_position); /* it could not say that 102 was shown */
	feed.is_visible[late] = true;
	watch_hub_round(hub);
	assert_int_equal(reader->count, 3);
	assert_true(uuid_equal(reader->ids[2], id_of(2)));
	assert_true(reader->has_position);
	add(103, 3, 2, SAGA_STATE_COMPLETED, true);
	watch_hub_round(hub);
	assert_int_equal(reader->count, 4);
	let_go(reader);
}

static struct feed_snapshot page_of(struct saga_head *head, size_t last, int64_t xid)
{
	return (struct feed_snapshot){
		.items = head, .count = 1, .has_more = last > 0, .last = id_of(last), .xmin = xid, .xmax = xid};
}

/* The beginning is sagas 1 and 7, each on a page of its own: of ids up to 5 before 101, of all others before 103. */
static struct reader *watch_two_pages(void)
{
	static struct saga_head heads[2];

	heads[0] = head_of(id_of(1));
	heads[1] = head_of(id_of(7));
	feed.pages[0] = page_of(&heads[0], 5, 101);
	feed.pages[1] = page_of(&heads[1], 0, 103);
	feed.next_xid = 101;
	return watch(&(struct watch_sagas){.include_current = true});
}

/* What has happened between two pages is in the second, and comes by the feed for the sagas of the first. */
static void a_beginning_of_several_pages_shows_each_change_once(void **state)
{
	struct reader *reader = watch_two_pages();

	(void)state;
	assert_int_equal(reader->current, 2);
	assert_false(reader->has_position); /* it could not say that 101 and 102 were shown of the second */
	add(101, 7, 2, SAGA_STATE_RUNNING, true);
	add(102, 1, 2, SAGA_STATE_RUNNING, true);
	add(103, 7, 3, SAGA_STATE_COMPLETED, true);
	watch_hub_round(hub);
	assert_int_equal(reader->count, 4);
	assert_true(uuid_equal(reader->ids[2], id_of(1)) && uuid_equal(reader->ids[3], id_of(7)));
	assert_int_equal(reader->sequences[3], 3);
	assert_true(reader->has_position);
	let_go(reader);
}

/* Begun and ended after the first page was read and before its own: no page has it. */
static void what_ends_while_the_beginning_is_read_is_not_lost(void **state)
{
	struct reader *reader = watch_two_pages();

	(void)state;
	(void)add(101, 9, 1, SAGA_STATE_RUNNING, true);
	(void)add(102, 9, 2, SAGA_STATE_COMPLETED, true);
	watch_hub_round(hub);
	assert_int_equal(reader->current, 2);
	assert_int_equal(reader->count, 4);
	assert_int_equal(reader->sequences[2], 1);
	assert_int_equal(reader->sequences[3], 2);
	let_go(reader);
}

static void a_beginning_waits_for_a_reader_without_room_and_keeps_nobody_waiting(void **state)
{
	struct saga_head heads[] = {head_of(id_of(1)), head_of(id_of(7))};
	struct reader *reader = test_calloc(1, sizeof(*reader));
	struct reader *other = watch(&(struct watch_sagas){0});
	struct error err;

	(void)state;
	feed.pages[0] = page_of(&heads[0], 5, 101);
	feed.pages[1] = page_of(&heads[1], 0, 101);
	reader->room = WATCH_NO_ROOM;
	assert_int_equal(watch_hub_add_sagas(hub, &(struct watch_sagas){.include_current = true}, &SINK, reader, &err),
			 0);
	add(100, 3, 1, SAGA_STATE_RUNNING, true);
	watch_hub_round(hub);
	assert_int_equal(reader->current, 0);
	assert_int_equal(other->count, 1);
	reader->room = WATCH_ROOM;
	watch_hub_round(hub);
	assert_int_equal(reader->current, 2);
	let_go(reader);
	let_go(other);
}

static void positions_that_are_not_kept_or_not_of_this_database_are_refused(void **state)
{
	struct reader *reader;

	(void)state;
	feed.floor = 50;
	reader = watch(&(struct watch_sagas){.has_position = true, .position = {49, INT64_MAX}});
	assert_true(reader->has_ended && reader->end == WATCH_END_EXPIRED);
	let_go(reader);
	reader = watch(&(struct watch_sagas){.has_position = true, .position = {100, 1}});
	assert_true(reader->has_ended && reader->end == WATCH_END_EXPIRED);
	let_go(reader);
	reader = watch(&(struct watch_sagas){.has_position = true, .position = {50, INT64_MAX}});
	assert_false(reader->has_ended);
	feed.floor = 200; /* it reads nothing for a day */
	reader->room = WATCH_NO_ROOM;
	add(300, 1, 1, SAGA_STATE_RUNNING, true);
	watch_hub_round(hub);
	assert_true(reader->has_ended && reader->end == WATCH_END_EXPIRED);
	let_go(reader);
}

static void a_database_that_is_away_ends_new_watches_and_holds_up_old_ones(void **state)
{
	struct reader *old = watch(&(struct watch_sagas){0});
	struct reader *new;

	(void)state;
	feed.is_away = true;
	new = watch(&(struct watch_sagas){0});
	assert_true(new->has_ended &&new->end == WATCH_END_ERROR);
	assert_false(old->has_ended);
	add(100, 1, 1, SAGA_STATE_RUNNING, true);
	feed.is_away = false;
	watch_hub_round(hub);
	assert_int_equal(old->count, 1);
	let_go(old);
	let_go(new);
}

static void watchers_are_limited_and_released_when_the_hub_stops(void **state)
{
	struct reader *readers = test_calloc(WATCH_SAGAS_MAX, sizeof(*readers));
	struct error err;

	(void)state;
	for (size_t i = 0; i < WATCH_SAGAS_MAX; i++)
		assert_int_equal(watch_hub_add_sagas(hub, &(struct watch_sagas){0}, &SINK, &readers[i], &err), 0);
	assert_int_equal(watch_hub_add_sagas(hub, &(struct watch_sagas){0}, &SINK, NULL, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	readers[7].room = WATCH_GONE;
	watch_hub_round(hub);
	assert_int_equal(watch_hub_add_sagas(hub, &(struct watch_sagas){0}, &SINK, &readers[7], &err), 0);
	watch_hub_stop(hub);
	for (size_t i = 0; i < WATCH_SAGAS_MAX; i++)
		assert_true(readers[i].is_released);
	assert_int_equal(watch_hub_add_sagas(hub, &(struct watch_sagas){0}, &SINK, NULL, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	test_free(readers);
}

/* ---- what is remembered of this coordinator's own commits ---- */

/* A commit in the feed, with so many sagas from `saga` on, of which every other one ends; one of ours is noted, too. */
static size_t commit(int64_t xid, size_t saga, size_t count, bool is_ours, bool is_visible)
{
	struct feed_outcome *outcomes = test_calloc(count + 1, sizeof(*outcomes));
	struct store_log_row *rows = test_calloc(count + 1, sizeof(*rows));
	struct feed_commit note = {.xid = xid, .outcomes = outcomes, .is_complete = true};
	const size_t first = feed.count;

	for (size_t i = 0; i < count; i++) {
		const enum saga_state state = i % 2 ? SAGA_STATE_COMPLETED : SAGA_STATE_RUNNING;
		const size_t at = add(xid, saga + i, 4, state, is_visible);
		struct feed_outcome *outcome = &outcomes[note.count];

		feed.entries[at].position.index = (int64_t)i + 1;
		if (state == SAGA_STATE_RUNNING)
			continue;
		rows[i] = (struct store_log_row){.saga_id = id_of(saga + i), .step_id = "", .entry = {.sequence = 4}};
		rows[i].entry.state = state;
		*outcome = (struct feed_outcome){(int64_t)i + 1, head_of(id_of(saga + i)), &rows[i]};
		outcome->head.saga.state = state;
		outcome->head.idempotency_key = "i";
		note.count++;
	}
	if (is_ours)
		watch_hub_note_commit(hub, &note);
	memset(rows, 0xee, count * sizeof(*rows)); /* it was copied */
	test_free(rows);
	test_free(outcomes);
	return first;
}

static void expect_each_outcome_once_in_order(const struct reader *reader)
{
	struct feed_entry *expected = test_calloc(feed.count + 1, sizeof(*expected));
	size_t count = 0;

	for (size_t i = 0; i < feed.count; i++)
		if (feed.entries[i].state == SAGA_STATE_COMPLETED)
			expected[count++] = feed.entries[i];
	qsort(expected, count, sizeof(*expected), compare_entries);
	assert_int_equal(reader->count, count);
	for (size_t i = 0; i < count; i++) {
		assert_true(uuid_equal(reader->ids[i], expected[i].saga_id));
		assert_int_equal(reader->sequences[i], 4);
	}
	test_free(expected);
}

static void outcomes_of_our_own_commits_are_shown_without_reading_them(void **state)
{
	struct reader *reader = watch(&(struct watch_sagas){.outcomes_only = true});
	const size_t reads = feed.reads;

	(void)state;
	for (size_t i = 0; i < 20; i++)
		(void)commit(100 + (int64_t)i, i * 10, i % 4, true, true); /* of some nothing ends */
	(void)commit(200, 1000, 2500, true, true);                         /* more than fits into one message */
	watch_hub_round(hub);
	assert_int_equal(feed.reads, reads);
	expect_each_outcome_once_in_order(reader);
	let_go(reader);
}

static void reveal(int64_t xid)
{
	for (size_t i = 0; i < feed.count; i++)
		feed.is_visible[i] |= feed.entries[i].position.xid == xid;
}

static uint64_t next_random(uint64_t *random, uint64_t below)
{
	*random = *random * 6364136223846793005u + 1442695040888963407u;
	return (*random >> 33) % below;
}

static void own_commits_and_those_of_others_are_shown_in_the_order_of_the_feed(void **state)
{
	uint64_t random = 7;

	(void)state;
	for (int run = 0; run < 300; run++) {
		struct reader *reader;
		int64_t hidden_xid = 0;

		memset(&feed, 0, sizeof(feed));
		feed.next_xid = 100;
		reader = watch(&(struct watch_sagas){.outcomes_only = true});
		for (int64_t i = 0; i < 16; i++) {
			const size_t count = 1 + next_random(&random, 5);
			const bool is_hidden = !hidden_xid && next_random(&random, 3) == 0;
			const bool is_ours = !is_hidden && next_random(&random, 4) != 0;

			(void)commit(100 + i, (size_t)i * 10, count, is_ours, !is_hidden);
			if (is_hidden) {
				hidden_xid = 100 + i;
			} else if (next_random(&random, 3) == 0) {
				reveal(hidden_xid);
				hidden_xid = 0;
			}
			if (next_random(&random, 3) == 0)
				watch_hub_round(hub);
		}
		reveal(hidden_xid);
		watch_hub_round(hub);
		expect_each_outcome_once_in_order(reader);
		let_go(reader);
	}
}

/* The thread looks every 50 ms by itself, so so many commits one after another would take 10 s without the notes. */
static void a_commit_of_this_coordinator_is_shown_at_once(void **state)
{
	struct reader *reader = watch(&(struct watch_sagas){.outcomes_only = true});
	int64_t until_us = clock_monotonic_us() + 5 * 1000 * 1000;
	struct error err;

	(void)state;
	assert_int_equal(watch_hub_run(hub, &err), 0);
	for (size_t i = 0; i < 200; i++) {
		(void)pthread_mutex_lock(&feed_mu);
		(void)add(100 + (int64_t)i, i, 1, SAGA_STATE_COMPLETED, true);
		(void)pthread_mutex_unlock(&feed_mu);
		watch_hub_note_commit(hub, &(struct feed_commit){.xid = 100 + (int64_t)i}); /* incomplete: to be read */
		while (atomic_load(&reader->shown) < i + 1 && clock_monotonic_us() < until_us)
			(void)sched_yield();
		assert_int_equal(atomic_load(&reader->shown), i + 1);
	}
	watch_hub_stop(hub);
	assert_true(reader->is_released);
	test_free(reader);
}

/* A coordinator with many small commits makes more rows in a minute than go at a time. */
static void what_is_old_goes_every_minute_and_sooner_while_there_is_more(void **state)
{
	int64_t begun_us = clock_monotonic_us();

	(void)state;
	feed.trims_wanted = 2;
	assert_in_range(watch_hub_trim(hub) - begun_us, SECOND_US, 10 * SECOND_US);
	assert_in_range(watch_hub_trim(hub) - begun_us, SECOND_US, 10 * SECOND_US);
	assert_int_equal(feed.trims, 1); /* not before its time */
	watch_hub_free(hub);
	hub = watch_hub_new(&PORT, NULL, KEEP_MS);
	assert_in_range(watch_hub_trim(hub) - begun_us, 60 * SECOND_US, 90 * SECOND_US);
	assert_int_equal(feed.trims, 2);
	watch_hub_free(hub);
	hub = watch_hub_new(&PORT, NULL, 0);
	assert_true(watch_hub_trim(hub) == INT64_MAX);
	assert_int_equal(feed.trims, 2);
}

int main(void)
{
#define WITH_HUB(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		WITH_HUB(a_watch_begins_with_a_position_and_then_shows_what_is_committed),
		WITH_HUB(a_commit_that_becomes_visible_late_is_not_passed_over),
		WITH_HUB(watchers_at_the_end_share_one_read_and_one_that_fell_behind_catches_up),
		WITH_HUB(a_watch_goes_on_from_any_position_without_gap_or_repetition),
		WITH_HUB(filters_and_outcomes_decide_what_is_shown_and_positions_go_on_anyway),
		WITH_HUB(the_beginning_is_not_shown_again_by_the_feed),
		WITH_HUB(a_beginning_of_several_pages_shows_each_change_once),
		WITH_HUB(what_ends_while_the_beginning_is_read_is_not_lost),
		WITH_HUB(a_beginning_waits_for_a_reader_without_room_and_keeps_nobody_waiting),
		WITH_HUB(positions_that_are_not_kept_or_not_of_this_database_are_refused),
		WITH_HUB(a_database_that_is_away_ends_new_watches_and_holds_up_old_ones),
		WITH_HUB(outcomes_of_our_own_commits_are_shown_without_reading_them),
		WITH_HUB(own_commits_and_those_of_others_are_shown_in_the_order_of_the_feed),
		WITH_HUB(a_commit_of_this_coordinator_is_shown_at_once),
		WITH_HUB(what_is_old_goes_every_minute_and_sooner_while_there_is_more),
		WITH_HUB(watchers_are_limited_and_released_when_the_hub_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
