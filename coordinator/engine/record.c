/* record.c - see record.h. */
#include "coordinator/engine/record.h"

#include <assert.h>

#include "lib/base/clock.h"

static const char SAGA_ID[] = "saga-id";
static const char SAGA_STEP[] = "saga-step";
static const char SAGA_PHASE[] = "saga-phase";
static const char SAGA_COMMAND_ID[] = "saga-command-id";
static const char SAGA_ATTEMPT[] = "saga-attempt";
static const char SAGA_DEADLINE[] = "saga-deadline";
static const char SAGA_STEP_TIME[] = "saga-step-time";
static const char SAGA_OUTCOME[] = "saga-outcome";
static const char SAGA_REASON[] = "saga-reason";
static const char SAGA_DETAIL[] = "saga-detail";
static const char SAGA_EFFECT[] = "saga-effect";
static const char CE_ID[] = "ce_id";

/* ---- commands ---- */

/* A step that began so long after its saga says so; the others' commands have one header less. */
enum { COMMAND_HEADERS_MAX = 20, STEP_TIME_TOLD_S = 3600, NUMBER_LEN_MAX = 11 };
static const char SCHEMA_PATH[] = "/schemas/ids/";

/* A record as it is written: `at` is where the next text goes, in one piece that has room for all of them. */
struct writer {
	struct bus_header *headers;
	size_t count;
	char *at;
};

static void add(struct writer *writer, const char *name, struct bytes value)
{
	assert(writer->count < COMMAND_HEADERS_MAX);
	writer->headers[writer->count++] = (struct bus_header){name, value};
}

static void add_text(struct writer *writer, const char *name, const char *text)
{
	add(writer, name, bytes_of_text(text));
}

/* What was put at `begin` is a value. */
static struct bytes written(const struct writer *writer, const char *begin)
{
	return (struct bytes){(const uint8_t *)begin, (size_t)(writer->at - begin)};
}

static void put_bytes(struct writer *writer, const char *text, size_t len)
{
	memcpy(writer->at, text, len);
	writer->at += len;
}

static void put_text(struct writer *writer, const char *text)
{
	put_bytes(writer, text, strlen(text));
}

/* As printf makes of "%d", without what printf costs each command. */
static void put_number(struct writer *writer, int32_t number)
{
	char digits[NUMBER_LEN_MAX];
	char *end = digits + sizeof(digits);
	char *first = end;
	uint32_t rest = number < 0 ? 0u - (uint32_t)number : (uint32_t)number;

	do
		*--first = (char)('0' + rest % 10);
	while (rest /= 10);
	if (number < 0)
		*--first = '-';
	put_bytes(writer, first, (size_t)(end - first));
}

static void add_number(struct writer *writer, const char *name, int32_t number)
{
	const char *begin = writer->at;

	put_number(writer, number);
	add(writer, name, written(writer, begin));
}

static void add_time(struct writer *writer, const char *name, int64_t real_us)
{
	clock_format(real_us, writer->at);
	add(writer, name, (struct bytes){(const uint8_t *)writer->at, CLOCK_TEXT_LEN});
	writer->at += CLOCK_TEXT_LEN;
}

/* saga-command-id; the saga's id is its beginning. */
static struct bytes put_command_id(struct writer *writer, const struct record_command *command, const char *phase)
{
	const char *begin = writer->at;

	uuid_format(command->saga_id, writer->at);
	writer->at += UUID_TEXT_LEN;
	put_bytes(writer, "/", 1);
	put_text(writer, command->step_id);
	put_bytes(writer, "/", 1);
	put_text(writer, phase);
	return written(writer, begin);
}

static void add_record_id(struct writer *writer, struct uuid id)
{
	uuid_format(id, writer->at);
	add(writer, CE_ID, (struct bytes){(const uint8_t *)writer->at, UUID_TEXT_LEN});
	writer->at += UUID_TEXT_LEN;
}

static void add_schema(struct writer *writer, const struct record_command *command)
{
	const char *begin = writer->at;

	put_text(writer, command->registry);
	put_text(writer, SCHEMA_PATH);
	put_number(writer, command->schema->schema_id);
	add(writer, "ce_dataschema", written(writer, begin));
}

static bool is_long_after_saga(const struct record_command *command)
{
	const int64_t saga_us = (int64_t)uuid_v7_unix_ms(command->saga_id) * 1000;

	return command->step_begun_us - saga_us > STEP_TIME_TOLD_S * INT64_C(1000000);
}

static void add_cloud_event(struct writer *writer, const struct record_command *command, struct bytes saga_id)
{
	add_text(writer, "ce_specversion", "1.0");
	add_record_id(writer, command->record_id);
	add_text(writer, "ce_source", "saga-coordinator");
	add_text(writer, "ce_type", command->schema->message_type);
	add(writer, "ce_subject", command->key);
	add_time(writer, "ce_time", command->written_us);
	add_schema(writer, command);
	add_text(writer, "content-type", command->schema->content_type);
	add(writer, "correlationid", saga_id);
	if (command->causation_id.len > 0)
		add(writer, "causationid", command->causation_id);
}

static void add_saga(struct writer *writer, const struct record_command *command, struct bytes command_id,
		     struct bytes saga_id, const char *phase)
{
	add(writer, SAGA_ID, saga_id);
	add_text(writer, SAGA_STEP, command->step_id);
	add_text(writer, SAGA_PHASE, phase);
	add(writer, SAGA_COMMAND_ID, command_id);
	add_number(writer, SAGA_ATTEMPT, command->attempt);
	add_time(writer, SAGA_DEADLINE, command->deadline_us);
	if (is_long_after_saga(command))
		add_time(writer, SAGA_STEP_TIME, command->step_begun_us);
}

/* Of all texts that are not there already, and the NUL that those who format put behind. */
static size_t texts_max(const struct record_command *command, const char *phase)
{
	return 2 * UUID_TEXT_LEN + 3 * CLOCK_TEXT_LEN + 2 * NUMBER_LEN_MAX + sizeof(SCHEMA_PATH) + 2 +
	       strlen(command->step_id) + strlen(phase) + strlen(command->registry);
}

void record_write_command(const struct record_command *command, struct arena *arena, struct bus_record *ret_record)
{
	const char *phase = step_phase_name(command->phase);
	struct writer writer = {
		.headers = arena_alloc(arena, COMMAND_HEADERS_MAX * sizeof(*writer.headers)),
		.at = arena_alloc(arena, texts_max(command, phase)),
	};
	const struct bytes command_id = put_command_id(&writer, command, phase);
	const struct bytes saga_id = {command_id.data, UUID_TEXT_LEN};

	add_saga(&writer, command, command_id, saga_id, phase);
	add_cloud_event(&writer, command, saga_id);
	if (command->traceparent)
		add_text(&writer, "traceparent", command->traceparent);
	if (command->tracestate)
		add_text(&writer, "tracestate", command->tracestate);
	*ret_record = (struct bus_record){
		.topic = command->topic,
		.partition = -1,
		.offset = -1,
		.key = command->key,
		.headers = writer.headers,
		.header_count = writer.count,
	};
}

void record_keep_command(struct record_command *command, struct arena *arena)
{
	command->key = arena_bytes(arena, command->key);
	command->causation_id = arena_bytes(arena, command->causation_id);
	if (command->traceparent)
		command->traceparent = arena_strdup(arena, command->traceparent);
	if (command->tracestate)
		command->tracestate = arena_strdup(arena, command->tracestate);
}

/* ---- replies ---- */

/* What is read of a reply's headers. */
enum reply_header {
	REPLY_ID,
	REPLY_STEP,
	REPLY_PHASE,
	REPLY_ATTEMPT,
	REPLY_OUTCOME,
	REPLY_REASON,
	REPLY_DETAIL,
	REPLY_EFFECT,
	REPLY_CE_ID,
	REPLY_HEADER_COUNT
};

static const char *const reply_names[REPLY_HEADER_COUNT] = {
	[REPLY_ID] = SAGA_ID,           [REPLY_STEP] = SAGA_STEP,       [REPLY_PHASE] = SAGA_PHASE,
	[REPLY_ATTEMPT] = SAGA_ATTEMPT, [REPLY_OUTCOME] = SAGA_OUTCOME, [REPLY_REASON] = SAGA_REASON,
	[REPLY_DETAIL] = SAGA_DETAIL,   [REPLY_EFFECT] = SAGA_EFFECT,   [REPLY_CE_ID] = CE_ID,
};

/* What it can be at most, by the letter in which those that begin alike differ: each header of each reply is asked for. */
static enum reply_header candidate(const char *name)
{
	if (strncmp(name, "saga-", 5) != 0)
		return REPLY_CE_ID;
	switch (name[5]) {
	case 'i':
		return REPLY_ID;
	case 's':
		return REPLY_STEP;
	case 'p':
		return REPLY_PHASE;
	case 'a':
		return REPLY_ATTEMPT;
	case 'o':
		return REPLY_OUTCOME;
	case 'r':
		return REPLY_REASON;
	case 'd':
		return REPLY_DETAIL;
	default:
		return REPLY_EFFECT;
	}
}

/* REPLY_HEADER_COUNT: none that is read. */
static enum reply_header header_of_name(const char *name)
{
	const enum reply_header header = candidate(name);

	return name == reply_names[header] || strcmp(name, reply_names[header]) == 0 ? header : REPLY_HEADER_COUNT;
}

const char *record_header_name(const char *name)
{
	const enum reply_header header = header_of_name(name);

	return header == REPLY_HEADER_COUNT ? NULL : reply_names[header];
}

/* Of several of one name the last one counts. */
static void find_all(const struct bus_record *record, struct bytes ret_values[REPLY_HEADER_COUNT])
{
	for (size_t i = 0; i < REPLY_HEADER_COUNT; i++)
		ret_values[i] = (struct bytes){0};
	for (size_t i = 0; i < record->header_count; i++) {
		const enum reply_header header = header_of_name(record->headers[i].name);

		if (header != REPLY_HEADER_COUNT)
			ret_values[header] = record->headers[i].value;
	}
}

/* A peer's text as it may be stored and shown: cut between characters, control characters and bytes that are not UTF-8
 * become '?'. */
static const char *clean_text(struct bytes value, size_t bytes_max, struct arena *arena)
{
	size_t len = value.len < bytes_max ? value.len : bytes_max;
	bool is_valid;
	char *text;

	if (value.len == 0)
		return NULL;
	while (len > 0 && len < value.len && (value.data[len] & 0xC0) == 0x80)
		len--;
	is_valid = utf8_is_valid(value.data, len);
	text = arena_strndup(arena, (const char *)value.data, len);
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = (uint8_t)text[i];

		if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !is_valid))
			text[i] = '?';
	}
	return text;
}

static int parse_attempt(struct bytes value, int32_t *ret_attempt)
{
	int64_t number = 0;

	if (value.len == 0 || value.len > 9)
		return -1;
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] < '0' || value.data[i] > '9')
			return -1;
		number = number * 10 + (value.data[i] - '0');
	}
	*ret_attempt = (int32_t)number;
	return number > 0 ? 0 : -1;
}

static int parse_phase(struct bytes value, enum step_phase *ret_phase)
{
	for (int phase = 0; phase < STEP_PHASE_COUNT; phase++) {
		if (bytes_equal_text(value, step_phase_name((enum step_phase)phase))) {
			*ret_phase = (enum step_phase)phase;
			return 0;
		}
	}
	return -1;
}

/* Empty where it is none that can be handed on. */
static struct bytes legal_id(struct bytes ce_id)
{
	const bool is_legal = ce_id.len <= RECORD_CE_ID_BYTES_MAX && utf8_is_valid(ce_id.data, ce_id.len);

	return is_legal ? ce_id : (struct bytes){0};
}

int record_read_reply(const struct bus_record *record, struct arena *arena, struct record_reply *ret_reply,
		      struct error *err)
{
	struct bytes values[REPLY_HEADER_COUNT];
	struct record_reply reply;
	const char *wrong = NULL;

	find_all(record, values);
	reply = (struct record_reply){
		.step_id = values[REPLY_STEP],
		.outcome = values[REPLY_OUTCOME],
		.has_no_effect = bytes_equal_text(values[REPLY_EFFECT], "none"),
		.ce_id = values[REPLY_CE_ID],
	};
	if (!uuid_parse((const char *)values[REPLY_ID].data, values[REPLY_ID].len, &reply.saga_id))
		wrong = SAGA_ID;
	else if (reply.step_id.len == 0 || reply.step_id.len > STEP_ID_BYTES_MAX)
		wrong = SAGA_STEP;
	else if (parse_phase(values[REPLY_PHASE], &reply.phase) < 0)
		wrong = SAGA_PHASE;
	else if (parse_attempt(values[REPLY_ATTEMPT], &reply.attempt) < 0)
		wrong = SAGA_ATTEMPT;
	if (wrong)
		return error_set(err, ERR_CORRUPT, "header '%s' is missing or illegal: copy it from the command",
				 wrong);
	reply.ce_id = legal_id(reply.ce_id);
	reply.reason = clean_text(values[REPLY_REASON], RECORD_REASON_BYTES_MAX, arena);
	reply.detail = clean_text(values[REPLY_DETAIL], RECORD_DETAIL_BYTES_MAX, arena);
	*ret_reply = reply;
	return 0;
}

/* ---- events ---- */

/* The last of that name counts. */
static struct bytes find(const struct bus_record *record, const char *name)
{
	for (size_t i = record->header_count; i-- > 0;)
		if (strcmp(record->headers[i].name, name) == 0)
			return record->headers[i].value;
	return (struct bytes){0};
}

bool record_is_told(const struct bus_record *record)
{
	return find(record, SAGA_STEP).len == 0;
}

int record_read_told(const struct bus_record *record, struct arena *arena, struct record_told *ret_told,
		     struct error *err)
{
	const struct bytes id = find(record, SAGA_ID);
	const struct bytes key = record->key;
	struct record_told told = {.has_saga_id = id.len > 0, .ce_id = legal_id(find(record, CE_ID))};
	const char *name = clean_text(told.ce_id, RECORD_CE_ID_BYTES_MAX, arena);

	if (told.has_saga_id && !uuid_parse((const char *)id.data, id.len, &told.saga_id))
		return error_set(err, ERR_CORRUPT, "header '%s' is no UUID: an event names a saga so, or has its key",
				 SAGA_ID);
	if (!told.has_saga_id && (key.len == 0 || key.len > RECORD_KEY_BYTES_MAX || memchr(key.data, 0, key.len) ||
				  !utf8_is_valid(key.data, key.len)))
		return error_set(err, ERR_CORRUPT, "the key is no saga's: it must be a text of 1 to %d bytes",
				 RECORD_KEY_BYTES_MAX);
	told.key = arena_strndup(arena, (const char *)key.data, told.has_saga_id ? 0 : key.len);
	told.text = name ? arena_format(arena, "%s/%s", record->topic, name)
			 : arena_format(arena, "%s/%d/%lld", record->topic, (int)record->partition,
					(long long)record->offset);
	*ret_told = told;
	return 0;
}
