/* topic_record.c - see topic_record.h. */
#include "coordinator/check/topic_record.h"

#include <inttypes.h>
#include <string.h>

#include "coordinator/check/effect_rules.h"

/* ---- headers ---- */

static const char *read_header(const struct kafka_record *record, const char *name, struct arena *arena)
{
	const struct bytes *value = kafka_record_header(record, name);

	return value && value->len > 0 ? arena_strndup(arena, (const char *)value->data, value->len) : NULL;
}

static bool read_phase(const char *text, enum step_phase *ret_phase)
{
	for (int phase = 0; text && phase < STEP_PHASE_COUNT; phase++)
		if (strcmp(text, step_phase_name((enum step_phase)phase)) == 0) {
			*ret_phase = (enum step_phase)phase;
			return true;
		}
	return false;
}

static bool read_attempt(const char *text, int32_t *ret_attempt)
{
	int32_t number = 0;

	if (!text || strlen(text) > 9)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		number = number * 10 + (*text - '0');
	}
	*ret_attempt = number;
	return number > 0;
}

enum topic_record_kind topic_record_read(const struct kafka_record *record, bool with_value, struct arena *arena,
					 struct topic_record *ret_record)
{
	const char *id = read_header(record, "saga-id", arena);

	*ret_record = (struct topic_record){
		.step_id = read_header(record, "saga-step", arena),
		.topic = record->topic,
		.partition = record->partition,
		.offset = record->offset,
		.key = arena_bytes(arena, record->key),
		.outcome = read_header(record, "saga-outcome", arena),
		.reason = read_header(record, "saga-reason", arena),
	};
	if (with_value)
		ret_record->value = arena_bytes(arena, record->value);
	if (!id && !ret_record->step_id)
		return TOPIC_RECORD_FOREIGN;
	if (!id || !uuid_parse(id, strlen(id), &ret_record->saga_id) || !ret_record->step_id ||
	    strlen(ret_record->step_id) > STEP_ID_BYTES_MAX ||
	    !utf8_is_valid(ret_record->step_id, strlen(ret_record->step_id)) ||
	    !read_phase(read_header(record, "saga-phase", arena), &ret_record->phase) ||
	    !read_attempt(read_header(record, "saga-attempt", arena), &ret_record->attempt))
		return TOPIC_RECORD_ILLEGIBLE;
	return TOPIC_RECORD_LEGIBLE;
}

/* ---- commands ---- */

static const char *place_of(const struct topic_record *record, struct arena *arena)
{
	return arena_format(arena, "%s, partition %" PRId32 ", offset %" PRId64, record->topic, record->partition,
			    record->offset);
}

#define WRONG(...)                                                                                                     \
	arena_format(arena, "I7: the command on %s %s", place_of(record, arena), arena_format(arena, __VA_ARGS__))

const char *topic_command_violation(const struct topic_record *record, const struct page_saga *saga,
				    struct arena *arena)
{
	const char *topic;
	int32_t step;

	if (!saga)
		return WRONG("is of a saga that the coordinator does not know");
	if (!saga->saga)
		return NULL; /* that it cannot be read is said elsewhere */
	step = definition_find_step(saga->known->definition, record->step_id);
	topic = step < 0 ? NULL : definition_command_topic(saga->known, step, record->phase);
	if (!topic)
		return WRONG("is of a step or phase that the saga's definition does not have");
	if (strcmp(topic, record->topic) != 0)
		return WRONG("belongs on %s", topic);
	if (record->attempt > saga->saga->steps[step].attempts[record->phase])
		return WRONG("is attempt %d, and the saga has decided %d", record->attempt,
			     saga->saga->steps[step].attempts[record->phase]);
	if (!bytes_equal_text(record->key, saga->key))
		return WRONG("has another key than the saga, so it is in no order with the others");
	return NULL;
}

/* ---- replies ---- */

static enum saga_event_type outcome_of_topic(const struct topic_record *record, const struct page_saga *saga,
					     int32_t step)
{
	const struct source_command *command = &saga->known->source->steps[step].commands[record->phase];

	for (size_t i = 0; i < command->reply_count; i++)
		if (command->replies[i].topic && strcmp(command->replies[i].topic, record->topic) == 0)
			return command->replies[i].outcome;
	return SAGA_EVENT_COUNT;
}

enum saga_event_type topic_reply_outcome(const struct topic_record *record, const struct page_saga *saga)
{
	static const enum saga_event_type outcomes[] = {SAGA_EVENT_SUCCEEDED, SAGA_EVENT_REJECTED, SAGA_EVENT_RETRIABLE,
							SAGA_EVENT_ACCEPTED, SAGA_EVENT_UNKNOWN};
	const int32_t step = definition_find_step(saga->known->definition, record->step_id);

	if (step < 0)
		return SAGA_EVENT_COUNT;
	if (!record->outcome)
		return outcome_of_topic(record, saga, step);
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++)
		if (strcmp(record->outcome, saga_event_name(outcomes[i])) == 0)
			return outcomes[i];
	return SAGA_EVENT_COUNT;
}

static bool is_same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

#define DIFFERS(...)                                                                                                   \
	arena_format(arena, "I6: the reply on %s %s", place_of(record, arena), arena_format(arena, __VA_ARGS__))

const char *topic_reply_violation(const struct topic_record *record, const struct page_saga *saga,
				  const struct inbox_reply *reply, bool has_replies, struct arena *arena)
{
	const bool is_success = topic_reply_outcome(record, saga) == SAGA_EVENT_SUCCEEDED;
	const char *said = is_success ? "succeeded" : "rejected";

	if (!bytes_equal_text(record->key, saga->key))
		return DIFFERS("has another key than the saga");
	if (!reply)
		return DIFFERS("says %s, and the participant's inbox knows nothing of the command", said);
	if (reply->outcome == EFFECT_TOMBSTONE)
		return is_success ? DIFFERS("says succeeded, and the inbox has a tombstone") : NULL;
	if (reply->outcome != (is_success ? EFFECT_SUCCEEDED : EFFECT_REJECTED))
		return DIFFERS("says %s, and the inbox does not", said);
	if (!has_replies)
		return NULL;
	if (!is_same_text(reply->topic, record->topic))
		return DIFFERS("belongs on %s, as the inbox has it", reply->topic ? reply->topic : "no topic");
	if (!bytes_equal(reply->value, record->value))
		return DIFFERS("has another value than the inbox");
	if (!is_same_text(reply->reason, record->reason))
		return DIFFERS("gives the reason '%s', the inbox '%s'", record->reason ? record->reason : "",
			       reply->reason ? reply->reason : "");
	return NULL;
}
