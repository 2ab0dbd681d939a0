/* dead_letters.c - see dead_letters.h. */
#include "cli/dead_letters.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/kafka/topic_reader.h"
#include "schema-registry/client/message.h"

enum { FLUSH_MS = 40000, BODY_MEMORY_MAX = 64 * 1024 * 1024 };

static const char ACTION[] = "dlq-action";

/* ---- reading ---- */

/* "replayed" or "dropped" */
struct mark {
	const char *id; /* of the letter */
	const char *action;
};

struct reading {
	const struct dead_letter_filter *filter;
	struct dead_letters *letters;
	struct mark *marks;
	size_t mark_count;
};

static const char *text_of(const struct kafka_record *record, const char *name, struct arena *arena)
{
	const struct bytes *value = kafka_record_header(record, name);

	return value ? arena_strndup(arena, (const char *)value->data, value->len) : "";
}

const char *dead_letter_header(const struct dead_letter *letter, const char *name, struct arena *arena)
{
	return text_of(&letter->record, name, arena);
}

static bool has_header(const struct kafka_record *record, const char *name, const char *value)
{
	const struct bytes *found = kafka_record_header(record, name);

	return !value || (found && bytes_equal_text(*found, value));
}

static bool is_listed(const struct dead_letter_filter *filter, const char *id)
{
	for (size_t i = 0; i < filter->id_count; i++)
		if (strcmp(filter->ids[i], id) == 0)
			return true;
	return filter->id_count == 0;
}

static bool matches(const struct dead_letter_filter *filter, const struct kafka_record *record, const char *id)
{
	return is_listed(filter, id) && has_header(record, "dlq-topic", filter->topic) &&
	       has_header(record, "dlq-reason", filter->reason) && has_header(record, "saga-id", filter->saga) &&
	       (!filter->key || bytes_equal_text(record->key, filter->key));
}

static struct kafka_record copy_record(const struct kafka_record *record, struct arena *arena)
{
	struct kafka_record copy = *record;

	copy.topic = arena_strdup(arena, record->topic);
	copy.key = arena_bytes(arena, record->key);
	copy.value = record->value.data ? arena_bytes(arena, record->value) : record->value;
	for (size_t i = 0; i < record->header_count; i++) {
		copy.headers[i].name = arena_strdup(arena, record->headers[i].name);
		copy.headers[i].value = arena_bytes(arena, record->headers[i].value);
	}
	return copy;
}

static void add_mark(struct reading *reading, const struct kafka_record *record)
{
	struct arena *arena = &reading->letters->arena;

	reading->marks = xrealloc_array(reading->marks, reading->mark_count + 1, sizeof(*reading->marks));
	reading->marks[reading->mark_count++] =
		(struct mark){arena_format(arena, "%s/%s", record->topic, text_of(record, SIDE_TOPIC_SETTLED, arena)),
			      text_of(record, ACTION, arena)};
}

static int compare_marks(const void *left, const void *right)
{
	return strcmp(((const struct mark *)left)->id, ((const struct mark *)right)->id);
}

static void on_mark(void *ctx, const struct kafka_record *record)
{
	struct reading *reading = ctx;

	if (kafka_record_header(record, SIDE_TOPIC_SETTLED))
		add_mark(reading, record);
}

static const char *find_mark(const struct reading *reading, const char *id)
{
	const struct mark wanted = {.id = id};
	const struct mark *mark;

	if (reading->mark_count == 0)
		return NULL;
	mark = bsearch(&wanted, reading->marks, reading->mark_count, sizeof(*reading->marks), compare_marks);
	return mark ? mark->action : NULL;
}

static void on_letter(void *ctx, const struct kafka_record *record)
{
	struct reading *reading = ctx;
	struct dead_letters *letters = reading->letters;
	const char *settled;
	char id[512];

	(void)snprintf(id, sizeof(id), "%s/%d/%lld", record->topic, (int)record->partition,
		       (long long)record->offset); /* a topic has at most 249 characters */
	if (!kafka_record_header(record, "dlq-topic") || !matches(reading->filter, record, id))
		return;
	settled = find_mark(reading, id);
	if (settled && !reading->filter->with_settled)
		return;
	if (letters->count == DEAD_LETTERS_MAX) {
		letters->is_cut = true;
		return;
	}
	letters->items = xrealloc_array(letters->items, letters->count + 1, sizeof(*letters->items));
	letters->items[letters->count++] = (struct dead_letter){
		.id = arena_strdup(&letters->arena, id),
		.record = copy_record(record, &letters->arena),
		.settled = settled,
	};
}

/* Twice: what became of a letter stands behind it, and only those that are wanted shall be kept in memory. */
static int read_topics(struct topic_reader *reader, const char *const *topics, size_t count, struct reading *reading,
		       struct error *err)
{
	if (topic_reader_read(reader, topics, count, on_mark, reading, err) < 0)
		return -1;
	if (reading->mark_count > 0)
		qsort(reading->marks, reading->mark_count, sizeof(*reading->marks), compare_marks);
	return topic_reader_read(reader, topics, count, on_letter, reading, err);
}

static int compare_letters(const void *left, const void *right)
{
	const struct kafka_record *a = &((const struct dead_letter *)left)->record;
	const struct kafka_record *b = &((const struct dead_letter *)right)->record;
	int order = strcmp(a->topic, b->topic);

	if (order == 0)
		order = (a->partition > b->partition) - (a->partition < b->partition);
	return order != 0 ? order : (a->offset > b->offset) - (a->offset < b->offset);
}

static bool is_dead_topic(const char *topic, const char *wanted)
{
	const char *suffix = side_topic_suffix(SIDE_TOPIC_DEAD);
	size_t len = strlen(topic);
	size_t suffix_len = strlen(suffix);

	if (len <= suffix_len || strcmp(topic + len - suffix_len, suffix) != 0)
		return false;
	return !wanted || (strlen(wanted) == len - suffix_len && memcmp(topic, wanted, len - suffix_len) == 0);
}

int dead_letters_read(const struct kafka_options *kafka, const struct dead_letter_filter *filter,
		      struct dead_letters *ret_letters, struct error *err)
{
	struct reading reading = {.filter = filter, .letters = ret_letters};
	_cleanup_(topic_reader_freep)
	struct topic_reader *reader = NULL;
	const char **topics = NULL;
	size_t dead_count = 0;
	size_t count = 0;
	int rc;

	*ret_letters = (struct dead_letters){0};
	arena_init(&ret_letters->arena, 0);
	if (topic_reader_new(kafka, &reader, err) < 0 ||
	    topic_reader_list(reader, &ret_letters->arena, &topics, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (is_dead_topic(topics[i], filter->topic))
			topics[dead_count++] = topics[i];
	rc = read_topics(reader, topics, dead_count, &reading, err);
	free(reading.marks);
	if (ret_letters->count > 0)
		qsort(ret_letters->items, ret_letters->count, sizeof(*ret_letters->items), compare_letters);
	return rc < 0 ? error_prefix(err, "read dead letters") : 0;
}

void dead_letters_release(struct dead_letters *letters)
{
	free(letters->items);
	arena_release(&letters->arena);
	*letters = (struct dead_letters){0};
}

/* ---- looking ---- */

int dead_letter_decode(const struct dead_letter *letter, struct registry_client *registry, struct buffer *out,
		       struct error *err)
{
	_cleanup_(arena_release)
	struct arena arena;
	struct value value = {0};

	arena_init(&arena, BODY_MEMORY_MAX);
	if (kafka_record_header(&letter->record, "dlq-value-bytes"))
		return error_set(err, ERR_LIMIT, "the value was too large to be kept here; it is where it was");
	if (message_decode(registry, letter->record.value, NULL, &arena, &value, err) < 0)
		return -1;
	value_print_json(&value, out);
	return 0;
}

/* ---- settling ---- */

struct sending {
	atomic_size_t confirmed;
	bool *is_safe; /* by letter */
};

struct token {
	struct sending *sending;
	size_t index;
};

static void on_delivered(void *ctx, void *token, const struct error *err)
{
	struct token *sent = token;

	(void)ctx;
	if (err)
		return;
	sent->sending->is_safe[sent->index] = true; /* read after the flush */
	atomic_fetch_add(&sent->sending->confirmed, 1);
}

static struct kafka_record mark_record(const struct dead_letter *letter, bool is_replay, struct arena *arena)
{
	struct kafka_record mark = {.topic = letter->record.topic, .key = letter->record.key};
	char *now = arena_alloc(arena, CLOCK_TEXT_LEN + 1);
	const char *place =
		arena_format(arena, "%d/%lld", (int)letter->record.partition, (long long)letter->record.offset);

	clock_format(clock_real_us(), now);
	mark.headers[mark.header_count++] = (struct kafka_header){SIDE_TOPIC_SETTLED, bytes_of_text(place)};
	mark.headers[mark.header_count++] =
		(struct kafka_header){ACTION, bytes_of_text(is_replay ? "replayed" : "dropped")};
	mark.headers[mark.header_count++] = (struct kafka_header){"dlq-time", bytes_of_text(now)};
	return mark;
}

/* Sends a record for each letter whose `is_wanted` is set; `is_safe` says afterwards which arrived. */
static int send_all(struct kafka_producer *producer, struct dead_letters *letters, bool is_mark, bool is_replay,
		    const bool *is_wanted, bool *is_safe, struct error *err)
{
	struct sending sending = {.is_safe = is_safe};
	struct token *tokens = arena_alloc(&letters->arena, (letters->count + 1) * sizeof(*tokens));
	size_t sent = 0;
	int rc = 0;

	for (size_t i = 0; i < letters->count && rc == 0; i++) {
		const struct dead_letter *letter = &letters->items[i];
		struct kafka_record record;

		if (!is_wanted[i])
			continue;
		record = is_mark ? mark_record(letter, is_replay, &letters->arena)
				 : side_topic_original(&letter->record,
						       dead_letter_header(letter, "dlq-topic", &letters->arena), false);
		tokens[i] = (struct token){&sending, i};
		rc = kafka_produce(producer, &record, &tokens[i], err);
		sent += rc == 0;
	}
	if (kafka_flush(producer, FLUSH_MS, rc < 0 ? &(struct error){0} : err) < 0 || rc < 0)
		return -1;
	if (atomic_load(&sending.confirmed) < sent)
		return error_set(err, ERR_UNAVAILABLE, "%zu of %zu records did not reach their topic (kafka)",
				 sent - atomic_load(&sending.confirmed), sent);
	return 0;
}

int dead_letters_settle(const struct kafka_options *kafka, struct dead_letters *letters, bool is_replay,
			size_t *ret_done, struct error *err)
{
	struct kafka_producer *producer = NULL;
	struct arena *arena = &letters->arena;
	bool *all = arena_alloc(arena, letters->count + 1);
	bool *replayed = arena_zalloc(arena, letters->count + 1);
	bool *marked = arena_zalloc(arena, letters->count + 1);
	struct error ignored;
	int rc = 0;

	*ret_done = 0;
	memset(all, true, letters->count + 1);
	if (kafka_producer_new(kafka, on_delivered, NULL, &producer, err) < 0)
		return -1;
	if (is_replay)
		rc = send_all(producer, letters, false, true, all, replayed, err);
	/* What was replayed is noted even where others failed, so that the next try does not replay it again. */
	if (send_all(producer, letters, true, is_replay, is_replay ? replayed : all, marked, rc < 0 ? &ignored : err) <
	    0)
		rc = -1;
	kafka_producer_free(producer); /* before the tokens go */
	for (size_t i = 0; i < letters->count; i++)
		*ret_done += marked[i];
	return rc;
}
