/*
 * record_headers_fuzz.c - any headers of a record, as a reply by the coordinator, as a command by a participant, and on
 * their way through retry topics. Each input is a list of names and values, "name\nvalue\n…".
 */
#include "coordinator/engine/record.h"
#include "lib/kafka/side_topic.h"
#include "lib/trace/trace_context.h"
#include "participants/sdk/incoming.h"
#include "tests/fuzz/fuzz.h"

static struct bytes next_line(struct bytes *rest)
{
	const uint8_t *end = rest->len > 0 ? memchr(rest->data, '\n', rest->len) : NULL;
	size_t len = end ? (size_t)(end - rest->data) : rest->len;
	struct bytes line = {rest->data, len};

	rest->data += len + (end ? 1 : 0);
	rest->len -= len + (end ? 1 : 0);
	return line;
}

static struct kafka_record make_record(struct bytes rest, struct arena *arena)
{
	struct kafka_record record = {.topic = "payment.charge.command", .key = bytes_of_text("o-1"), .value = rest};

	record.has_value = true;
	while (rest.len > 0) {
		struct bytes name = next_line(&rest);

		if (record.header_count == KAFKA_HEADERS_READ_MAX) {
			record.has_more_headers = true;
			break;
		}
		record.headers[record.header_count++] = (struct kafka_header){
			arena_strndup(arena, (const char *)name.data, name.len), next_line(&rest)};
	}
	return record;
}

static void check_text(const char *text, size_t bytes_max)
{
	size_t len = text ? strlen(text) : 0;

	CLAIM(len <= bytes_max, "a text of %zu bytes is kept", len);
	CLAIM(!text || utf8_is_valid((const uint8_t *)text, len), "a text that is no UTF-8 is kept");
}

static void read_as_reply(const struct kafka_record *kafka, struct arena *arena)
{
	struct bus_header headers[KAFKA_HEADERS_MAX];
	struct bus_record record = {.topic = kafka->topic, .headers = headers, .header_count = kafka->header_count};
	struct record_reply reply = {0};
	struct error err;

	for (size_t i = 0; i < kafka->header_count; i++)
		headers[i] = (struct bus_header){kafka->headers[i].name, kafka->headers[i].value};
	if (record_read_reply(&record, arena, &reply, &err) < 0)
		return;
	CLAIM(reply.attempt > 0 && reply.phase < STEP_PHASE_COUNT, "attempt %d, phase %d", reply.attempt, reply.phase);
	check_text(reply.reason, RECORD_REASON_BYTES_MAX);
	check_text(reply.detail, RECORD_DETAIL_BYTES_MAX);
}

static void read_as_command(const struct kafka_record *record, struct arena *arena)
{
	struct incoming item = {0};
	struct kafka_record reply;
	struct error err;

	if (incoming_read_headers(record, arena, &item, &err) < 0)
		return;
	CLAIM(item.tries >= 0, "%d tries", item.tries);
	item.outcome = "succeeded";
	item.entry.reply.topic = "payment.charged";
	reply = incoming_reply(&item, "payment-service", NULL, arena);
	CLAIM(reply.header_count <= KAFKA_HEADERS_MAX, "%zu headers", reply.header_count);
}

static void send_aside(const struct kafka_record *record, struct arena *arena)
{
	const struct side_note note = {.service = "s", .reason = DEAD_REASON_FAILED, .detail = "d", .tries = 2};
	struct kafka_record later = side_topic_record(SIDE_TOPIC_RETRY_1S, record, &note, arena);
	struct kafka_record dead = side_topic_record(SIDE_TOPIC_DEAD, record, &note, arena);
	struct kafka_record again = side_topic_original(&later, record->topic, true);
	struct kafka_record replayed = side_topic_original(&dead, record->topic, false);

	CLAIM(later.header_count <= KAFKA_HEADERS_MAX && dead.header_count <= KAFKA_HEADERS_MAX, "too many headers");
	CLAIM(side_topic_tries(&again) == note.tries, "%d tries", side_topic_tries(&again));
	CLAIM(side_topic_tries(&replayed) == 0, "%d tries after a replay", side_topic_tries(&replayed));
	CLAIM(bytes_equal(again.value, record->value), "another value");
	(void)side_topic_tries(record);
}

static void read_trace(const struct kafka_record *record)
{
	char text[TRACEPARENT_LEN + 1];
	struct trace_context context;
	struct trace_context again;

	for (size_t i = 0; i < record->header_count; i++) {
		(void)trace_context_from_trace_id(record->headers[i].value, &context);
		if (!trace_context_parse(record->headers[i].value, &context))
			continue;
		trace_context_format(&context, text);
		CLAIM(trace_context_parse(bytes_of_text(text), &again), "written, but not read: %s", text);
		CLAIM(memcmp(again.trace_id, context.trace_id, TRACE_ID_LEN) == 0 &&
			      memcmp(again.span_id, context.span_id, SPAN_ID_LEN) == 0 &&
			      again.is_sampled == context.is_sampled,
		      "another context: %s", text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_(arena_release)
	struct arena arena = {0};
	struct kafka_record record = make_record((struct bytes){data, len}, &arena);

	read_as_reply(&record, &arena);
	read_as_command(&record, &arena);
	send_aside(&record, &arena);
	read_trace(&record);
	return 0;
}
