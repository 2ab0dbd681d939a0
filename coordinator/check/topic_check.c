/* topic_check.c - see topic_check.h. */
#include "coordinator/check/topic_check.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/check/departed.h"
#include "coordinator/check/passed_over.h"
#include "coordinator/check/sent_commands.h"
#include "coordinator/check/topic_list.h"
#include "coordinator/check/topic_record.h"
#include "lib/base/memory.h"
#include "lib/kafka/side_topic.h"

enum { BATCH_RECORDS = 1000, BATCH_BYTES = 8 * 1024 * 1024, PROGRESS_EVERY = 1024, CLOCKS_APART_MS = 60 * 1000 };

/* A record that waits for its batch to be judged. */
struct item {
	struct topic_record record;
	const struct checked_topic *topic;
	int64_t timestamp_ms;
	const struct page_saga *saga;
	int participant; /* in whose inbox the command is; -1: nobody's that can be asked */
	const struct inbox_reply *reply;
};

struct scanning {
	struct topic_check *check;
	struct topic_reader *reader;
	struct sent_commands sent;
	struct passed_over passed;
	struct item *items;
	size_t count;
	size_t bytes;
	struct uuid departed; /* sagas up to this id may have left */
	struct arena arena;   /* a batch's */
};

/* ---- a batch ---- */

/* The row that answers: an inquiry has none of its own. */
static int row_phase(enum step_phase phase)
{
	return phase == STEP_PHASE_COMPENSATION ? STEP_PHASE_COMPENSATION : STEP_PHASE_FORWARD;
}

static int participant_of(const struct topic_check *check, const struct item *item)
{
	const char *topic = NULL;
	int participant = item->topic->participant;

	if (item->topic->kind == CHECKED_REPLIES) {
		const int32_t step = item->saga && item->saga->saga
					     ? definition_find_step(item->saga->known->definition, item->record.step_id)
					     : -1;

		if (step >= 0)
			topic = definition_command_topic(item->saga->known, step, item->record.phase);
		participant = topic ? participant_check_find(check->participants, topic) : -1;
	}
	return participant < 0 || check->participants->inboxes[participant].is_away ? -1 : participant;
}

static int find_sagas(struct scanning *scanning, struct saga_page *page, struct error *err)
{
	struct uuid *ids = arena_alloc(&scanning->arena, (scanning->count + 1) * sizeof(*ids));
	const struct topic_check *check = scanning->check;

	for (size_t i = 0; i < scanning->count; i++)
		ids[i] = scanning->items[i].record.saga_id;
	if (definition_book_load(check->book, check->pg, err) < 0 ||
	    saga_page_find(check->pg, check->book, ids, scanning->count, &scanning->arena, page, err) < 0 ||
	    departed_read(check->pg, &scanning->departed, err) < 0)
		return -1;
	for (size_t i = 0; i < scanning->count; i++) {
		scanning->items[i].saga = saga_page_get(page, ids[i]);
		scanning->items[i].participant = participant_of(check, &scanning->items[i]);
	}
	return 0;
}

/* An inbox that fails is left out from then on. */
static void find_replies(struct scanning *scanning, int participant)
{
	struct participant_inbox *inbox = &scanning->check->participants->inboxes[participant];
	struct inbox_key *keys = arena_alloc(&scanning->arena, (scanning->count + 1) * sizeof(*keys));
	const struct inbox_reply **replies;
	struct error err;
	size_t count = 0;
	bool is_away;

	for (size_t i = 0; i < scanning->count; i++)
		if (scanning->items[i].participant == participant)
			keys[count++] = (struct inbox_key){scanning->items[i].record.saga_id,
							   scanning->items[i].record.step_id,
							   row_phase(scanning->items[i].record.phase)};
	is_away = participant_inbox_find(inbox, keys, count, &scanning->arena, &replies, &err) < 0;
	if (is_away)
		participant_check_go_without(scanning->check->participants, inbox, &err);
	count = 0;
	for (size_t i = 0; i < scanning->count; i++) {
		if (scanning->items[i].participant != participant)
			continue;
		if (!is_away)
			scanning->items[i].reply = replies[count++];
		if (is_away ||
		    (!scanning->items[i].reply && participant_inbox_is_cut(inbox, scanning->items[i].record.saga_id)))
			scanning->items[i].participant = -1;
	}
}

static bool is_wanted(const struct scanning *scanning, const struct item *item)
{
	return uuid_compare(item->record.saga_id, scanning->check->after) > 0;
}

static void report(const struct scanning *scanning, const struct item *item, const char *why)
{
	if (why && is_wanted(scanning, item))
		check_report(scanning->check->listener, &item->record.saga_id, item->record.step_id, why);
}

static void judge_command(struct scanning *scanning, const struct item *item)
{
	if (!item->saga && uuid_compare(item->record.saga_id, scanning->departed) <= 0)
		return; /* nobody knows any more whether it was decided, nor what became of it */
	report(scanning, item, topic_command_violation(&item->record, item->saga, &scanning->arena));
	if (is_wanted(scanning, item) && item->record.is_passed && item->participant >= 0 && !item->reply &&
	    item->record.phase != STEP_PHASE_INQUIRY)
		passed_over_suspect(&scanning->passed, &item->record, true, item->timestamp_ms);
}

static void judge_reply(struct scanning *scanning, const struct item *item)
{
	enum saga_event_type outcome;

	if (!item->saga || !item->saga->saga)
		return; /* of no saga: it changes nothing */
	outcome = topic_reply_outcome(&item->record, item->saga);
	if (outcome == SAGA_EVENT_RETRIABLE || outcome == SAGA_EVENT_ACCEPTED)
		passed_over_trace_command(&scanning->passed, &item->record);
	if ((outcome == SAGA_EVENT_SUCCEEDED || outcome == SAGA_EVENT_REJECTED) && item->participant >= 0)
		report(scanning, item,
		       topic_reply_violation(&item->record, item->saga, item->reply,
					     scanning->check->participants->inboxes[item->participant].has_replies,
					     &scanning->arena));
}

static int judge_batch(struct scanning *scanning, struct error *err)
{
	struct saga_page page;

	if (scanning->count > 0 && find_sagas(scanning, &page, err) < 0)
		return -1;
	for (size_t i = 0; i < scanning->check->participants->count && scanning->count > 0; i++)
		if (!scanning->check->participants->inboxes[i].is_away)
			find_replies(scanning, (int)i);
	for (size_t i = 0; i < scanning->count; i++) {
		if (scanning->items[i].topic->kind == CHECKED_COMMANDS)
			judge_command(scanning, &scanning->items[i]);
		else
			judge_reply(scanning, &scanning->items[i]);
	}
	scanning->count = 0;
	scanning->bytes = 0;
	arena_clear(&scanning->arena);
	return 0;
}

/* ---- records ---- */

static bool read_number(const struct kafka_record *record, const char *name, int64_t *ret_number)
{
	const struct bytes *value = kafka_record_header(record, name);
	int64_t number = 0;

	if (!value || value->len == 0 || value->len > 18)
		return false;
	for (size_t i = 0; i < value->len; i++) {
		if (value->data[i] < '0' || value->data[i] > '9')
			return false;
		number = number * 10 + (value->data[i] - '0');
	}
	*ret_number = number;
	return true;
}

/* What is in a side topic was not passed over. */
static void take_side_record(struct scanning *scanning, const struct kafka_record *record)
{
	const struct bytes *topic = kafka_record_header(record, "dlq-topic");
	struct topic_record legible;
	int64_t partition;
	int64_t offset;

	if (topic_record_read(record, false, &scanning->arena, &legible) == TOPIC_RECORD_LEGIBLE)
		passed_over_trace_command(&scanning->passed, &legible);
	if (topic && read_number(record, "dlq-partition", &partition) && read_number(record, "dlq-offset", &offset))
		passed_over_trace_place(&scanning->passed,
					arena_strndup(&scanning->arena, (const char *)topic->data, topic->len),
					(int32_t)partition, offset);
}

static void take_record(struct scanning *scanning, const struct checked_topic *topic, const struct kafka_record *record)
{
	struct item item = {.topic = topic, .timestamp_ms = record->timestamp_ms};
	const bool is_command = topic->kind == CHECKED_COMMANDS;
	const enum topic_record_kind kind = topic_record_read(record, !is_command, &scanning->arena, &item.record);

	item.record.topic = topic->name;
	item.record.is_passed = checked_topic_is_passed(topic, record->partition, record->offset);
	if (kind == TOPIC_RECORD_LEGIBLE) {
		if (is_command)
			sent_commands_add(&scanning->sent, hash_of_command(item.record.saga_id, item.record.step_id,
									   (int)item.record.phase));
		scanning->items[scanning->count++] = item;
	} else if (item.record.is_passed && record->timestamp_ms >= scanning->check->since_ms &&
		   (is_command || kind == TOPIC_RECORD_ILLEGIBLE)) {
		passed_over_suspect(&scanning->passed, &item.record, false, record->timestamp_ms);
	}
}

static int note_progress(struct scanning *scanning, struct error *err)
{
	const struct check_listener *listener = scanning->check->listener;

	if (++scanning->check->records % PROGRESS_EVERY == 0 &&
	    !listener->progress(listener->ctx, "records", scanning->check->records, 0))
		return error_set(err, ERR_UNAVAILABLE, "interrupted");
	return 0;
}

static int take(void *ctx, const struct kafka_record *record, struct error *err)
{
	struct scanning *scanning = ctx;
	const struct checked_topic *topic = topic_list_find(scanning->check->topics, record->topic);

	if (!topic)
		return 0;
	if (topic->kind == CHECKED_COMMANDS || topic->kind == CHECKED_REPLIES)
		take_record(scanning, topic, record);
	else
		take_side_record(scanning, record);
	scanning->bytes += record->value.len + record->key.len + KAFKA_HEADER_BYTES_MAX / 16;
	if ((scanning->count == BATCH_RECORDS || scanning->bytes > BATCH_BYTES) && judge_batch(scanning, err) < 0)
		return -1;
	return note_progress(scanning, err);
}

/* Once more, for the hashes alone. */
static int take_again(void *ctx, const struct kafka_record *record, struct error *err)
{
	struct scanning *scanning = ctx;
	const struct checked_topic *topic = topic_list_find(scanning->check->topics, record->topic);
	struct topic_record legible;

	if (topic && topic->kind == CHECKED_COMMANDS &&
	    topic_record_read(record, false, &scanning->arena, &legible) == TOPIC_RECORD_LEGIBLE)
		sent_commands_add(&scanning->sent,
				  hash_of_command(legible.saga_id, legible.step_id, (int)legible.phase));
	arena_clear(&scanning->arena);
	return note_progress(scanning, err);
}

/* ---- all of it ---- */

static int64_t extent_of(void *ctx, const char *name)
{
	const struct topic_list *list = ctx;
	const struct checked_topic *topic = topic_list_find(list, name);
	const struct topic_extent *extent = topic ? &list->extents[topic - list->items] : NULL;

	return extent && extent->exists ? extent->whole_since_ms : INT64_MAX;
}

/* Without a topic for dead letters nothing can be there that has gone. */
static int64_t dead_since(void *ctx, const char *name)
{
	struct arena arena;
	int64_t since_ms;

	arena_init(&arena, 0);
	since_ms = extent_of(ctx, side_topic_name(SIDE_TOPIC_DEAD, name, &arena));
	arena_release(&arena);
	return since_ms == INT64_MAX ? 0 : since_ms;
}

static int read_database_clock(struct pg *pg, int64_t *ret_us, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	if (pg_exec(pg, "SELECT now()", NULL, 0, &result, err) < 0)
		return -1;
	*ret_us = pg_get_int(result, 0, 0);
	return 0;
}

static int scan(struct scanning *scanning, topic_reader_take_fn *taking, struct error *err)
{
	const struct topic_check *check = scanning->check;
	const struct topic_scan all = {
		.topics = check->topics->names,
		.count = check->topics->count,
		.since_ms = check->since_ms > CLOCKS_APART_MS ? check->since_ms - CLOCKS_APART_MS : 0,
		.extents = check->topics->extents,
	};

	return topic_reader_scan(scanning->reader, &all, taking, scanning, err);
}

static int scan_all(struct scanning *scanning, struct error *err)
{
	const struct topic_check *check = scanning->check;

	if (topic_reader_new(&check->kafka, &scanning->reader, err) < 0 ||
	    read_database_clock(check->pg, &scanning->sent.before_us, err) < 0 || scan(scanning, take, err) < 0 ||
	    judge_batch(scanning, err) < 0)
		return -1;
	passed_over_report(&scanning->passed, dead_since, check->topics, check->listener);
	if (sent_commands_check(&scanning->sent, err) < 0)
		return -1;
	while (hash_set_next_range(&scanning->sent.seen))
		if (scan(scanning, take_again, err) < 0 || sent_commands_check(&scanning->sent, err) < 0)
			return -1;
	return 0;
}

int topic_check_begin(struct topic_check *check, struct error *err)
{
	check->topics = topic_list_new(check->book, check->participants);
	check->topic_count = check->topics->count;
	return topic_list_note_offsets(check->topics, &check->kafka, check->participants, check->coordinator_group,
				       err);
}

int topic_check_run(struct topic_check *check, struct error *err)
{
	struct scanning scanning = {.check = check};
	int result;

	scanning.items = xcalloc(BATCH_RECORDS + 1, sizeof(*scanning.items));
	scanning.sent = (struct sent_commands){.pg = check->pg,
					       .book = check->book,
					       .after = check->after,
					       .whole_since_ms = extent_of,
					       .ctx = check->topics,
					       .listener = check->listener};
	hash_set_init(&scanning.sent.seen, check->commands_max);
	passed_over_init(&scanning.passed, check->commands_max);
	arena_init(&scanning.arena, 0);
	result = scan_all(&scanning, err);
	topic_reader_free(scanning.reader);
	hash_set_release(&scanning.sent.seen);
	passed_over_release(&scanning.passed);
	arena_release(&scanning.arena);
	free(scanning.items);
	return result;
}

void topic_check_release(struct topic_check *check)
{
	topic_list_free(check->topics);
	check->topics = NULL;
}
