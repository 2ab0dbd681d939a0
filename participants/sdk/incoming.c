/* incoming.c - see incoming.h. */
#include "participants/sdk/incoming.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/kafka/side_topic.h"
#include "schema-registry/client/message.h"
#include "schema-registry/codec/wire_format.h"

enum { STEP_BYTES_MAX = 255, KEY_BYTES_MAX = 1024, REASON_BYTES_MAX = 255, DETAIL_BYTES_MAX = 1000 };

/* What says whose command it is. */
static const char *const single[] = {"saga-id", "saga-step", "saga-phase", "saga-attempt", "saga-command-id", NULL};

/* ---- reading ---- */

static int required_text(const struct kafka_record *record, const char *name, size_t max, struct arena *arena,
			 const char **ret_text, struct error *err)
{
	const struct bytes *value = kafka_record_header(record, name);

	if (!value || value->len == 0)
		return error_set(err, ERR_INVALID, "header '%s' is missing", name);
	if (value->len > max || memchr(value->data, 0, value->len) || !utf8_is_valid(value->data, value->len))
		return error_set(err, ERR_INVALID, "header '%s' is no text of at most %zu bytes", name, max);
	*ret_text = arena_strndup(arena, (const char *)value->data, value->len);
	return 0;
}

static int read_attempt(const struct kafka_record *record, struct arena *arena, int32_t *ret_attempt, struct error *err)
{
	const struct bytes *header = kafka_record_header(record, "saga-attempt");
	const char *text = NULL;
	char *end = NULL;
	long number;

	if (!header) {
		*ret_attempt = 1;
		return 0;
	}
	if (required_text(record, "saga-attempt", 10, arena, &text, err) < 0)
		return -1;
	number = strtol(text, &end, 10);
	if (*end || number < 1 || number > INT32_MAX)
		return error_set(err, ERR_INVALID, "header 'saga-attempt' is no number from 1: '%s'", text);
	*ret_attempt = (int32_t)number;
	return 0;
}

/* When the command's step began: what the coordinator says, which it does where it was long after the saga, else the saga's id.
 * Of no other use than to be late, so what cannot be read is as if it was not said. */
static int64_t read_begun(const struct kafka_record *record, struct uuid saga_id)
{
	const struct bytes *header = kafka_record_header(record, "saga-step-time");
	char text[CLOCK_TEXT_LEN + 1] = "";
	struct tm parts = {0};

	if (header && header->len <= CLOCK_TEXT_LEN) {
		memcpy(text, header->data, header->len);
		if (strptime(text, "%Y-%m-%dT%H:%M:%S", &parts))
			return (int64_t)timegm(&parts) * 1000000;
	}
	return uuid_version(saga_id) == 7 ? (int64_t)uuid_v7_unix_ms(saga_id) * 1000 : 0;
}

int incoming_read_headers(const struct kafka_record *record, struct arena *arena, struct incoming *ret_incoming,
			  struct error *err)
{
	struct incoming item = {.record = record};
	const char *saga = NULL;
	const char *step = NULL;
	const char *phase = NULL;

	if (kafka_record_check_headers(record, single, err) < 0)
		return -1;
	if (required_text(record, "saga-id", UUID_TEXT_LEN, arena, &saga, err) < 0 ||
	    required_text(record, "saga-step", STEP_BYTES_MAX, arena, &step, err) < 0 ||
	    required_text(record, "saga-phase", 16, arena, &phase, err) < 0 ||
	    read_attempt(record, arena, &item.command.attempt, err) < 0)
		return -1;
	if (!uuid_parse(saga, strlen(saga), &item.command.saga_id))
		return error_set(err, ERR_INVALID, "header 'saga-id' is no UUID: '%s'", saga);
	item.command.is_compensation = strcmp(phase, "compensation") == 0;
	item.is_inquiry = strcmp(phase, "inquiry") == 0;
	if (!item.command.is_compensation && !item.is_inquiry && strcmp(phase, "forward") != 0)
		return error_set(err, ERR_INVALID,
				 "header 'saga-phase' is none of forward, compensation and inquiry: '%s'", phase);
	if (record->key.len == 0 || record->key.len > KEY_BYTES_MAX || memchr(record->key.data, 0, record->key.len) ||
	    !utf8_is_valid(record->key.data, record->key.len))
		return error_set(err, ERR_INVALID, "the key is no text of 1 to %d bytes", KEY_BYTES_MAX);
	item.command.step = step;
	item.command.key = arena_strndup(arena, (const char *)record->key.data, record->key.len);
	item.command.has_forward_effect = true;
	item.tries = side_topic_tries(record);
	item.begun_us = read_begun(record, item.command.saga_id);
	item.command_id = arena_format(arena, "%s/%s/%s", saga, step, phase);
	item.entry = (struct inbox_entry){
		.saga_id = item.command.saga_id,
		.step = step,
		.is_compensation = item.command.is_compensation,
	};
	*ret_incoming = item;
	return 0;
}

int incoming_read_body(struct incoming *item, const char *expected, struct registry_client *registry,
		       struct arena *arena, struct error *err)
{
	struct value *body = arena_zalloc(arena, sizeof(*body));

	if (message_decode(registry, item->record->value, expected, arena, body, err) < 0)
		return -1;
	if (body->kind != VALUE_RECORD)
		return error_set(err, ERR_CORRUPT, "the message is no record");
	item->command.body = body;
	return 0;
}

/* ---- relations within a batch ---- */

static int compare_places(const void *left, const void *right)
{
	const struct incoming *a = *(struct incoming *const *)left;
	const struct incoming *b = *(struct incoming *const *)right;
	int order = uuid_compare(a->entry.saga_id, b->entry.saga_id);

	if (order == 0)
		order = strcmp(a->entry.step, b->entry.step);
	return order != 0 ? order : (a > b) - (a < b); /* then as they came */
}

void incoming_relate(struct incoming *items, size_t count)
{
	_cleanup_(freep)
	struct incoming **sorted = xcalloc(count + 1, sizeof(struct incoming *));
	enum { FORWARD, COMPENSATION, INQUIRY, PHASES };
	struct incoming *first[PHASES] = {NULL}; /* of the present (saga, step) */

	for (size_t i = 0; i < count; i++)
		sorted[i] = &items[i];
	qsort(sorted, count, sizeof(struct incoming *), compare_places);
	for (size_t i = 0; i < count; i++) {
		struct incoming *item = sorted[i];
		int phase = item->is_inquiry ? INQUIRY : item->entry.is_compensation ? COMPENSATION : FORWARD;

		if (i == 0 || !uuid_equal(item->entry.saga_id, sorted[i - 1]->entry.saga_id) ||
		    strcmp(item->entry.step, sorted[i - 1]->entry.step) != 0)
			first[FORWARD] = first[COMPENSATION] = first[INQUIRY] = NULL;
		item->same = first[phase];
		if (item->same && item->tries > item->same->tries)
			item->same->tries = item->tries; /* for both of them: the one that came back is on its way on */
		item->round = phase == INQUIRY || first[phase == FORWARD ? COMPENSATION : FORWARD] ? 1 : 0;
		if (!first[phase])
			first[phase] = item;
	}
}

/* ---- answering ---- */

static void add(struct kafka_record *record, const char *name, const char *value)
{
	assert(record->header_count < KAFKA_HEADERS_MAX);
	if (value)
		record->headers[record->header_count++] = (struct kafka_header){name, bytes_of_text(value)};
}

/* Handlers make their texts of what commands say, which may be long; a reply with large headers would be illegible. */
static void add_cut(struct kafka_record *record, const char *name, const char *value, size_t bytes_max,
		    struct arena *arena)
{
	add(record, name, value ? arena_strndup(arena, value, utf8_whole_len(value, strnlen(value, bytes_max))) : NULL);
}

static void copy(struct kafka_record *record, const char *name, const struct kafka_record *command)
{
	const struct bytes *value = kafka_record_header(command, name);

	assert(record->header_count < KAFKA_HEADERS_MAX);
	if (value)
		record->headers[record->header_count++] = (struct kafka_header){name, *value};
}

static void add_saga_headers(struct kafka_record *record, const struct incoming *item, struct arena *arena)
{
	const struct inbox_reply *reply = &item->entry.reply;

	copy(record, "saga-id", item->record);
	copy(record, "saga-step", item->record);
	copy(record, "saga-phase", item->record);
	if (kafka_record_header(item->record, "saga-command-id"))
		copy(record, "saga-command-id", item->record);
	else
		add(record, "saga-command-id", item->command_id);
	if (kafka_record_header(item->record, "saga-attempt"))
		copy(record, "saga-attempt", item->record);
	else
		add(record, "saga-attempt", "1");
	add(record, "saga-outcome", item->outcome);
	add_cut(record, "saga-reason", reply->reason, REASON_BYTES_MAX, arena);
	add_cut(record, "saga-detail", reply->detail, DETAIL_BYTES_MAX, arena);
	if (reply->has_no_effect)
		add(record, "saga-effect", "none");
}

static void add_event_headers(struct kafka_record *record, const struct incoming *item, const char *service,
			      const char *registry_url, struct arena *arena)
{
	const struct inbox_reply *reply = &item->entry.reply;
	const struct bytes *cause = kafka_record_header(item->record, "ce_id");
	char *id = arena_alloc(arena, UUID_TEXT_LEN + 1);
	char *now = arena_alloc(arena, CLOCK_TEXT_LEN + 1);
	struct bytes rest;
	struct error ignored;
	int32_t schema_id = 0;

	uuid_format(uuid_v7_new(), id);
	clock_format(clock_real_us(), now);
	add(record, "ce_specversion", "1.0");
	add(record, "ce_id", id);
	add(record, "ce_source", service);
	add(record, "ce_type", reply->type);
	add(record, "ce_subject", item->command.key);
	add(record, "ce_time", now);
	/* Always readable: it is our own encoding. */
	if (wire_format_read_id(reply->value, &schema_id, &rest, &ignored) == 0)
		add(record, "ce_dataschema",
		    arena_format(arena, "%s/schemas/ids/%d", registry_url ? registry_url : "", (int)schema_id));
	add(record, "content-type",
	    reply->format == SCHEMA_FORMAT_PROTOBUF ? "application/protobuf" : "application/avro");
	if (cause)
		record->headers[record->header_count++] = (struct kafka_header){"causationid", *cause};
	copy(record, "correlationid", item->record);
	copy(record, "userid", item->record);
	if (item->traceparent)
		add(record, "traceparent", item->traceparent);
	else
		copy(record, "traceparent", item->record);
	copy(record, "tracestate", item->record);
}

struct kafka_record incoming_reply(const struct incoming *item, const char *service, const char *registry_url,
				   struct arena *arena)
{
	struct kafka_record record = {
		.topic = item->entry.reply.topic,
		.key = item->record->key,
		.value = item->entry.reply.value,
		.has_value = true,
	};

	assert(item->outcome);
	add_saga_headers(&record, item, arena);
	add_event_headers(&record, item, service, registry_url, arena);
	return record;
}
