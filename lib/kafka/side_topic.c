/* side_topic.c - see side_topic.h. */
#include "lib/kafka/side_topic.h"

#include <assert.h>

#include "lib/base/clock.h"

/* Below librdkafka's and the broker's limits of about 1 MB, with room for what is added. */
enum { RECORD_BYTES_MAX = 950000, KEY_BYTES_MAX = 64 * 1024, TRIES_DIGITS_MAX = 6 };
enum { PARTITION_DIGITS_MAX = 9, OFFSET_DIGITS_MAX = 18 };

static const char TRIES[] = "retry-tries";
const char SIDE_TOPIC_SETTLED[] = "dlq-settled";

static const struct {
	const char *suffix;
	int64_t delay_ms;
} sides[] = {
	[SIDE_TOPIC_RETRY_1S] = {".retry.1s", 1000},
	[SIDE_TOPIC_RETRY_30S] = {".retry.30s", 30000},
	[SIDE_TOPIC_DEAD] = {".dlq", 0},
};
static_assert(ARRAY_LEN(sides) == SIDE_TOPIC_COUNT, "every side topic has a suffix");

static const char *const reasons[] = {
	[DEAD_REASON_BAD_HEADERS] = "bad_headers",
	[DEAD_REASON_UNDECODABLE] = "undecodable",
	[DEAD_REASON_UNKNOWN_SCHEMA] = "unknown_schema",
	[DEAD_REASON_WRONG_TYPE] = "wrong_type",
	[DEAD_REASON_NO_OUTCOME] = "no_outcome",
	[DEAD_REASON_FAILED] = "failed",
	[DEAD_REASON_EXHAUSTED] = "exhausted",
	[DEAD_REASON_TOO_LARGE] = "too_large",
	[DEAD_REASON_TOO_OLD] = "too_old",
};
static_assert(ARRAY_LEN(reasons) == DEAD_REASON_COUNT, "every reason has a name");

const char *side_topic_suffix(enum side_topic side)
{
	return sides[side].suffix;
}

int64_t side_topic_delay_ms(enum side_topic side)
{
	return sides[side].delay_ms;
}

const char *side_topic_name(enum side_topic side, const char *topic, struct arena *arena)
{
	return arena_format(arena, "%s%s", topic, sides[side].suffix);
}

const char *dead_reason_name(enum dead_reason reason)
{
	return reasons[reason];
}

enum dead_reason dead_reason_of_value(enum err_code code)
{
	switch (code) {
	case ERR_NOT_FOUND:
		return DEAD_REASON_UNKNOWN_SCHEMA;
	case ERR_INCOMPATIBLE:
		return DEAD_REASON_WRONG_TYPE;
	default:
		return DEAD_REASON_UNDECODABLE;
	}
}

bool side_topic_is_too_large(const struct kafka_record *record)
{
	size_t bytes = record->key.len + record->value.len;

	for (size_t i = 0; i < record->header_count; i++)
		bytes += strlen(record->headers[i].name) + record->headers[i].value.len;
	return bytes > RECORD_BYTES_MAX;
}

bool side_topic_is_added(const char *header)
{
	/* Asked of every header of every record, of which nearly none is: the first letter tells. */
	return (header[0] == 'd' && strncmp(header, "dlq-", 4) == 0) ||
	       (header[0] == 'r' && strncmp(header, "retry-", 6) == 0);
}

static void add(struct kafka_record *record, const char *name, const char *value)
{
	assert(record->header_count < KAFKA_HEADERS_MAX);
	record->headers[record->header_count++] = (struct kafka_header){name, bytes_of_text(value)};
}

static void add_dead(struct kafka_record *made, const struct kafka_record *record, const struct side_note *note,
		     struct arena *arena)
{
	char *now = arena_alloc(arena, CLOCK_TEXT_LEN + 1);

	clock_format(clock_real_us(), now);
	add(made, "dlq-reason", dead_reason_name(note->reason));
	add(made, "dlq-detail", note->detail);
	add(made, "dlq-topic", record->topic);
	add(made, "dlq-partition", arena_format(arena, "%d", (int)record->partition));
	add(made, "dlq-offset", arena_format(arena, "%lld", (long long)record->offset));
	add(made, "dlq-time", now);
	add(made, "dlq-tries", arena_format(arena, "%d", note->tries));
	add(made, "dlq-service", note->service);
	if (side_topic_is_too_large(record)) {
		add(made, "dlq-value-bytes", arena_format(arena, "%zu", record->value.len));
		made->value = (struct bytes){0};
		made->has_value = false;
		if (record->key.len > KEY_BYTES_MAX)
			made->key = (struct bytes){0};
	}
}

/* Headers beyond all limits go first: they may be what is wrong with it. */
static void drop_large_headers(struct kafka_record *record)
{
	size_t kept = 0;

	for (size_t i = 0; i < record->header_count; i++)
		if (record->headers[i].value.len <= KAFKA_HEADER_BYTES_MAX)
			record->headers[kept++] = record->headers[i];
	record->header_count = kept;
}

struct kafka_record side_topic_record(enum side_topic side, const struct kafka_record *record,
				      const struct side_note *note, struct arena *arena)
{
	struct kafka_record made = side_topic_original(record, side_topic_name(side, record->topic, arena), false);

	if (side != SIDE_TOPIC_DEAD) {
		add(&made, TRIES, arena_format(arena, "%d", note->tries));
		return made;
	}
	if (side_topic_is_too_large(record))
		drop_large_headers(&made);
	add_dead(&made, record, note, arena);
	return made;
}

struct kafka_record side_topic_original(const struct kafka_record *record, const char *topic, bool with_tries)
{
	struct kafka_record made = {
		.topic = topic,
		.key = record->key,
		.value = record->value,
		.has_value = record->has_value,
	};
	const size_t max = KAFKA_HEADERS_READ_MAX + (with_tries ? 1 : 0);

	for (size_t i = 0; i < record->header_count && made.header_count < max; i++)
		if (!side_topic_is_added(record->headers[i].name) ||
		    (with_tries && strcmp(record->headers[i].name, TRIES) == 0))
			made.headers[made.header_count++] = record->headers[i];
	return made;
}

/* -1: no decimal number, or one with too many digits. */
static int64_t number_of(struct bytes text, size_t digits_max)
{
	int64_t number = 0;

	if (text.len == 0 || text.len > digits_max)
		return -1;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return -1;
		number = number * 10 + (text.data[i] - '0');
	}
	return number;
}

int side_topic_tries(const struct kafka_record *record)
{
	const struct bytes *value = kafka_record_header(record, TRIES);
	int64_t tries = value ? number_of(*value, TRIES_DIGITS_MAX) : 0;

	return tries > 0 ? (int)tries : 0;
}

bool side_topic_settled(const struct kafka_record *record, int32_t *ret_partition, int64_t *ret_offset)
{
	const struct bytes *place = kafka_record_header(record, SIDE_TOPIC_SETTLED);
	const uint8_t *slash = place && place->len > 0 ? memchr(place->data, '/', place->len) : NULL;
	int64_t partition;
	int64_t offset;

	if (!slash)
		return false;
	partition = number_of((struct bytes){place->data, (size_t)(slash - place->data)}, PARTITION_DIGITS_MAX);
	offset =
		number_of((struct bytes){slash + 1, place->len - (size_t)(slash + 1 - place->data)}, OFFSET_DIGITS_MAX);
	if (partition < 0 || offset < 0)
		return false;
	*ret_partition = (int32_t)partition;
	*ret_offset = offset;
	return true;
}
