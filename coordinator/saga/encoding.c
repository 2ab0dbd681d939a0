/*
 * encoding.c - the stored form of a saga; saga.h declares it.
 *
 * Form:       byte 2 (the version of the form), the id's 16 bytes, then varints: version, state, times; a mask of the
 *             marks, and of the times that are not zero, with those; texts and bytes as length and data; each step as its
 *             state, a mask of the fields that are not zero, and those fields. Times but the first are relative to the
 *             start, so they are short. A pending step is 2 bytes.
 * Form 1:     had one step at most in hand, by its index, and no states for steps that are stuck; it is read still.
 * Decoding:   every read is checked against the end; what was read must hold the invariant, so that bytes that were not
 *             written by this core are refused (ERR_CORRUPT) before anything acts on them.
 */
#include <assert.h>
#include <inttypes.h>

#include "coordinator/saga/machine.h"

enum { FORM_1 = 1, FORM_VERSION = 2, NUMBER_BYTES_MAX = 10 };

/* The marks of a saga, and which of the times that it may lack it has. Form 1 knew the first two. */
enum { HAS_ENDED = 1, HAS_START = 2, HAS_DEADLINE = 4, HAS_PAUSED = 8, IS_DECIDED = 16, IS_RESOLVED = 32, MARKS = 63 };

enum step_field {
	FIELD_ATTEMPTS_FORWARD,
	FIELD_ATTEMPTS_COMPENSATION,
	FIELD_RESENDS,
	FIELD_RESENDS_TOTAL,
	FIELD_STARTED,
	FIELD_UPDATED,
	FIELD_DEADLINE,
	FIELD_DUE,
	FIELD_HAS_NO_EFFECT,
	FIELD_REASON,
	FIELD_DETAIL,
	FIELD_REPLY,
	FIELD_FORGIVEN_FORWARD,
	FIELD_FORGIVEN_COMPENSATION,
	FIELD_IS_REFUSED,
	FIELD_IS_SIGNALLED,
	FIELD_CAME_LATE,
	FIELD_STUCK_WHY,
	FIELD_ATTEMPTS_INQUIRY,
	FIELD_COUNT
};
static_assert((int)FIELD_COUNT <= 32, "a step's fields have their bits in one mask");

/* ---- writing ---- */
/* Without the NUL behind it that a buffer has: saga_encode() puts it there at the end. */
static void put_number(struct buffer *out, uint64_t number)
{
	uint8_t *at;

	if (out->capacity - out->len <= NUMBER_BYTES_MAX)
		buffer_reserve(out, NUMBER_BYTES_MAX);
	at = out->data + out->len;
	for (; number >= 0x80; number >>= 7)
		*at++ = (uint8_t)(number | 0x80);
	*at++ = (uint8_t)number;
	out->len = (size_t)(at - out->data);
}

static uint64_t zigzag(int64_t number)
{
	return ((uint64_t)number << 1) ^ (uint64_t)(number >> 63);
}

/* 0 means "never" and stays 0; wraps around rather than overflows, as get_time() does. */
static void put_time(struct buffer *out, int64_t time_us, int64_t base_us)
{
	put_number(out, zigzag((int64_t)((uint64_t)time_us - (uint64_t)base_us)));
}

static void put_bytes(struct buffer *out, struct bytes bytes)
{
	put_number(out, bytes.len);
	buffer_append(out, bytes.data, bytes.len);
}

static void put_optional_text(struct buffer *out, const char *text)
{
	buffer_append_byte(out, text != NULL);
	if (text)
		put_bytes(out, bytes_of_text(text));
}

static uint32_t bit_if(bool is_present, enum step_field field)
{
	return (uint32_t)is_present << field;
}

static uint32_t step_mask(const struct step *step)
{
	return bit_if(step->attempts[STEP_PHASE_FORWARD] != 0, FIELD_ATTEMPTS_FORWARD) |
	       bit_if(step->attempts[STEP_PHASE_COMPENSATION] != 0, FIELD_ATTEMPTS_COMPENSATION) |
	       bit_if(step->resends != 0, FIELD_RESENDS) | bit_if(step->resends_total != 0, FIELD_RESENDS_TOTAL) |
	       bit_if(step->started_us != 0, FIELD_STARTED) | bit_if(step->updated_us != 0, FIELD_UPDATED) |
	       bit_if(step->deadline_us != 0, FIELD_DEADLINE) | bit_if(step->due_us != 0, FIELD_DUE) |
	       bit_if(step->has_no_effect, FIELD_HAS_NO_EFFECT) | bit_if(step->reason != NULL, FIELD_REASON) |
	       bit_if(step->detail != NULL, FIELD_DETAIL) | bit_if(step->reply.len != 0, FIELD_REPLY) |
	       bit_if(step->forgiven[STEP_PHASE_FORWARD] != 0, FIELD_FORGIVEN_FORWARD) |
	       bit_if(step->forgiven[STEP_PHASE_COMPENSATION] != 0, FIELD_FORGIVEN_COMPENSATION) |
	       bit_if(step->is_refused, FIELD_IS_REFUSED) | bit_if(step->is_signalled, FIELD_IS_SIGNALLED) |
	       bit_if(step->came_late, FIELD_CAME_LATE) | bit_if(step->stuck_why != NULL, FIELD_STUCK_WHY) |
	       bit_if(step->attempts[STEP_PHASE_INQUIRY] != 0, FIELD_ATTEMPTS_INQUIRY);
}

static void put_step_field(struct buffer *out, const struct saga *saga, const struct step *step, enum step_field field)
{
	switch (field) {
	case FIELD_ATTEMPTS_FORWARD:
		return put_number(out, (uint32_t)step->attempts[STEP_PHASE_FORWARD]);
	case FIELD_ATTEMPTS_COMPENSATION:
		return put_number(out, (uint32_t)step->attempts[STEP_PHASE_COMPENSATION]);
	case FIELD_RESENDS:
		return put_number(out, (uint32_t)step->resends);
	case FIELD_RESENDS_TOTAL:
		return put_number(out, (uint32_t)step->resends_total);
	case FIELD_STARTED:
		return put_time(out, step->started_us, saga->created_us);
	case FIELD_UPDATED:
		return put_time(out, step->updated_us, saga->created_us);
	case FIELD_DEADLINE:
		return put_time(out, step->deadline_us, saga->created_us);
	case FIELD_DUE:
		return put_time(out, step->due_us, saga->created_us);
	case FIELD_REASON:
		return put_bytes(out, bytes_of_text(step->reason));
	case FIELD_DETAIL:
		return put_bytes(out, bytes_of_text(step->detail));
	case FIELD_REPLY:
		return put_bytes(out, step->reply);
	case FIELD_FORGIVEN_FORWARD:
		return put_number(out, (uint32_t)step->forgiven[STEP_PHASE_FORWARD]);
	case FIELD_FORGIVEN_COMPENSATION:
		return put_number(out, (uint32_t)step->forgiven[STEP_PHASE_COMPENSATION]);
	case FIELD_STUCK_WHY:
		return put_bytes(out, bytes_of_text(step->stuck_why));
	case FIELD_ATTEMPTS_INQUIRY:
		return put_number(out, (uint32_t)step->attempts[STEP_PHASE_INQUIRY]);
	case FIELD_HAS_NO_EFFECT: /* the mask says it, as of the next */
	case FIELD_IS_REFUSED:
	case FIELD_IS_SIGNALLED:
	case FIELD_CAME_LATE:
	case FIELD_COUNT:
		return;
	}
}

static void put_step(struct buffer *out, const struct saga *saga, const struct step *step)
{
	const uint32_t mask = step_mask(step);

	put_number(out, (uint64_t)step->state);
	put_number(out, mask);
	for (uint32_t left = mask; left; left &= left - 1)
		put_step_field(out, saga, step, (enum step_field)__builtin_ctz(left));
}

static unsigned saga_marks(const struct saga *saga)
{
	return (saga->ended_us ? HAS_ENDED : 0u) | (saga->start_us ? HAS_START : 0u) |
	       (saga->deadline_us ? HAS_DEADLINE : 0u) | (saga->paused_us ? HAS_PAUSED : 0u) |
	       (saga->is_decided ? IS_DECIDED : 0u) | (saga->is_resolved ? IS_RESOLVED : 0u);
}

void saga_encode(const struct saga *saga, struct buffer *out)
{
	buffer_append_byte(out, FORM_VERSION);
	buffer_append(out, saga->id.data, sizeof(saga->id.data));
	put_number(out, (uint64_t)saga->version);
	put_number(out, (uint64_t)saga->state);
	put_time(out, saga->created_us, 0);
	put_time(out, saga->updated_us, saga->created_us);
	buffer_append_byte(out, (uint8_t)saga_marks(saga));
	if (saga->ended_us)
		put_time(out, saga->ended_us, saga->created_us);
	if (saga->start_us)
		put_time(out, saga->start_us, saga->created_us);
	if (saga->deadline_us)
		put_time(out, saga->deadline_us, saga->created_us);
	if (saga->paused_us)
		put_time(out, saga->paused_us, saga->created_us);
	put_optional_text(out, saga->milestone);
	put_optional_text(out, saga->failure_milestone);
	put_optional_text(out, saga->stuck_reason);
	put_number(out, saga->step_count);
	for (size_t i = 0; i < saga->step_count; i++)
		put_step(out, saga, &saga->steps[i]);
	out->data[out->len] = 0;
}

/* ---- reading: after the first misfit every read answers zero, and `is_bad` is looked at once ---- */
struct cursor {
	struct bytes rest;
	struct arena *arena;
	bool is_bad;
};

static uint8_t get_byte(struct cursor *cursor)
{
	if (cursor->is_bad || cursor->rest.len == 0) {
		cursor->is_bad = true;
		return 0;
	}
	cursor->rest.len--;
	return *cursor->rest.data++;
}

static uint64_t get_number(struct cursor *cursor)
{
	const uint8_t *at = cursor->rest.data;
	const uint8_t *end = at + (cursor->is_bad ? 0 : cursor->rest.len);
	uint64_t number = 0;

	for (unsigned shift = 0; shift < 64 && at < end; shift += 7) {
		const uint8_t byte = *at++;

		number |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			cursor->rest = (struct bytes){at, (size_t)(end - at)};
			return number;
		}
	}
	cursor->is_bad = true;
	return 0;
}

static struct uuid get_id(struct cursor *cursor)
{
	struct uuid id = {0};

	if (cursor->is_bad || cursor->rest.len < sizeof(id.data)) {
		cursor->is_bad = true;
		return id;
	}
	memcpy(id.data, cursor->rest.data, sizeof(id.data));
	cursor->rest.data += sizeof(id.data);
	cursor->rest.len -= sizeof(id.data);
	return id;
}

static int32_t get_int32(struct cursor *cursor)
{
	const uint64_t number = get_number(cursor);

	if (number <= INT32_MAX)
		return (int32_t)number;
	cursor->is_bad = true;
	return 0;
}

static int64_t get_time(struct cursor *cursor, int64_t base_us)
{
	const uint64_t number = get_number(cursor);
	const uint64_t difference = (number >> 1) ^ (~(number & 1) + 1);

	return (int64_t)(difference + (uint64_t)base_us);
}

static struct bytes get_bytes(struct cursor *cursor)
{
	const uint64_t len = get_number(cursor);
	struct bytes bytes;

	if (cursor->is_bad || len > cursor->rest.len) {
		cursor->is_bad = true;
		return (struct bytes){NULL, 0};
	}
	bytes = (struct bytes){cursor->rest.data, (size_t)len};
	cursor->rest.data += len;
	cursor->rest.len -= (size_t)len;
	return bytes;
}

static const char *get_text(struct cursor *cursor)
{
	const struct bytes bytes = get_bytes(cursor);

	if (memchr(bytes.data ? (const void *)bytes.data : "", 0, bytes.len)) {
		cursor->is_bad = true;
		return NULL;
	}
	return arena_strndup(cursor->arena, (const char *)bytes.data, bytes.len);
}

static const char *get_optional_text(struct cursor *cursor)
{
	const uint8_t is_present = get_byte(cursor);

	if (is_present > 1)
		cursor->is_bad = true;
	return is_present == 1 ? get_text(cursor) : NULL;
}

static void get_step_field(struct cursor *cursor, const struct saga *saga, struct step *step, enum step_field field)
{
	switch (field) {
	case FIELD_ATTEMPTS_FORWARD:
		step->attempts[STEP_PHASE_FORWARD] = get_int32(cursor);
		return;
	case FIELD_ATTEMPTS_COMPENSATION:
		step->attempts[STEP_PHASE_COMPENSATION] = get_int32(cursor);
		return;
	case FIELD_RESENDS:
		step->resends = get_int32(cursor);
		return;
	case FIELD_RESENDS_TOTAL:
		step->resends_total = get_int32(cursor);
		return;
	case FIELD_STARTED:
		step->started_us = get_time(cursor, saga->created_us);
		return;
	case FIELD_UPDATED:
		step->updated_us = get_time(cursor, saga->created_us);
		return;
	case FIELD_DEADLINE:
		step->deadline_us = get_time(cursor, saga->created_us);
		return;
	case FIELD_DUE:
		step->due_us = get_time(cursor, saga->created_us);
		return;
	case FIELD_HAS_NO_EFFECT:
		step->has_no_effect = true;
		return;
	case FIELD_REASON:
		step->reason = get_text(cursor);
		return;
	case FIELD_DETAIL:
		step->detail = get_text(cursor);
		return;
	case FIELD_REPLY:
		step->reply = arena_bytes(cursor->arena, get_bytes(cursor));
		return;
	case FIELD_FORGIVEN_FORWARD:
		step->forgiven[STEP_PHASE_FORWARD] = get_int32(cursor);
		return;
	case FIELD_FORGIVEN_COMPENSATION:
		step->forgiven[STEP_PHASE_COMPENSATION] = get_int32(cursor);
		return;
	case FIELD_IS_REFUSED:
		step->is_refused = true;
		return;
	case FIELD_IS_SIGNALLED:
		step->is_signalled = true;
		return;
	case FIELD_CAME_LATE:
		step->came_late = true;
		return;
	case FIELD_STUCK_WHY:
		step->stuck_why = get_text(cursor);
		return;
	case FIELD_ATTEMPTS_INQUIRY:
		step->attempts[STEP_PHASE_INQUIRY] = get_int32(cursor);
		return;
	case FIELD_COUNT:
		return;
	}
}

static void get_step(struct cursor *cursor, const struct saga *saga, struct step *step)
{
	const uint64_t state = get_number(cursor);
	const uint64_t mask = get_number(cursor);

	if (state >= STEP_STATE_COUNT || mask >> FIELD_COUNT) {
		cursor->is_bad = true;
		return;
	}
	step->state = (enum step_state)state;
	for (uint32_t left = (uint32_t)mask; left && !cursor->is_bad; left &= left - 1)
		get_step_field(cursor, saga, step, (enum step_field)__builtin_ctz(left));
}

/* Form 1: `*ret_current` is the step in hand, or -1. */
static void get_head(struct cursor *cursor, uint8_t form, struct saga *saga, int32_t *ret_current)
{
	uint64_t number;
	uint8_t marks;

	saga->id = get_id(cursor);
	number = get_number(cursor);
	if (number > INT64_MAX / 2)
		cursor->is_bad = true;
	saga->version = (int64_t)number;
	number = get_number(cursor);
	if (number >= SAGA_STATE_COUNT)
		cursor->is_bad = true;
	saga->state = (enum saga_state)number;
	saga->created_us = get_time(cursor, 0);
	saga->updated_us = get_time(cursor, saga->created_us);
	marks = get_byte(cursor);
	if (marks > (form == FORM_1 ? HAS_ENDED | HAS_START : MARKS))
		cursor->is_bad = true;
	if (marks & HAS_ENDED)
		saga->ended_us = get_time(cursor, saga->created_us);
	if (marks & HAS_START)
		saga->start_us = get_time(cursor, saga->created_us);
	if (marks & HAS_DEADLINE)
		saga->deadline_us = get_time(cursor, saga->created_us);
	if (marks & HAS_PAUSED)
		saga->paused_us = get_time(cursor, saga->created_us);
	saga->is_decided = marks & IS_DECIDED;
	saga->is_resolved = marks & IS_RESOLVED;
	*ret_current = form == FORM_1 ? get_int32(cursor) - 1 : -1;
	saga->milestone = get_optional_text(cursor);
	saga->failure_milestone = get_optional_text(cursor);
	saga->stuck_reason = get_optional_text(cursor);
}

bool saga_is_of_earlier_form(struct bytes data)
{
	return data.len > 0 && data.data[0] == FORM_1;
}

int saga_decode_head(struct bytes data, struct arena *arena, struct saga *ret_saga, struct error *err)
{
	struct cursor cursor = {data, arena, false};
	struct saga saga = {0};
	const uint8_t form = get_byte(&cursor);
	const bool is_known = form == FORM_1 || form == FORM_VERSION;
	int32_t current;

	if (is_known)
		get_head(&cursor, form, &saga, &current);
	if (!is_known || cursor.is_bad)
		return error_set(err, ERR_CORRUPT, "stored saga of form %u cannot be read (%zu bytes)", form, data.len);
	*ret_saga = saga;
	return 0;
}

static bool are_times_possible(const struct saga *saga)
{
	const int64_t times_us[] = {saga->created_us, saga->updated_us, saga->ended_us,
				    saga->start_us,   saga->paused_us,  saga->deadline_us};
	bool are_possible = true;

	for (size_t i = 0; i < sizeof(times_us) / sizeof(times_us[0]); i++)
		are_possible &= times_us[i] >= 0 && times_us[i] <= ERA_END_US / 2;
	for (size_t i = 0; i < saga->step_count; i++)
		are_possible &= saga->steps[i].due_us <= ERA_END_US / 2 && saga->steps[i].deadline_us <= ERA_END_US / 2;
	return are_possible;
}

/* A step that form 1 had stopped pursuing because of another one, and one that came late, which it undid after the step in
 * hand. */
static void convert_others(struct saga *saga)
{
	enum step_phase phase;

	for (size_t i = 0; i < saga->step_count; i++) {
		struct step *step = &saga->steps[i];

		if (saga->failure_milestone && step->state == STEP_STATE_SUCCEEDED && step->reason)
			step->came_late = true;
		if (!step_state_is_pursued(step->state, &phase) || step->deadline_us)
			continue;
		step->state = phase == STEP_PHASE_FORWARD ? STEP_STATE_STUCK : STEP_STATE_COMPENSATION_STUCK;
		step->stuck_why = "left alone because of another step";
	}
}

/* What form 1 said by the saga's state alone: which step is stuck, and whether the pivot has decided. */
static void convert_form_1(const struct definition *definition, struct saga *saga, int32_t current)
{
	const int32_t pivot = definition_pivot(definition);
	const bool is_back = saga->failure_milestone != NULL;
	struct step *step;
	const char *why;

	saga->is_decided = !is_back && pivot >= 0 && saga->steps[pivot].state != STEP_STATE_PENDING &&
			   (saga->state == SAGA_STATE_COMPLETING || saga->state == SAGA_STATE_COMPLETED ||
			    (saga->state == SAGA_STATE_STUCK && current >= pivot));
	if (saga->state != SAGA_STATE_STUCK || current < 0 || current >= (int32_t)saga->step_count) {
		convert_others(saga);
		return;
	}
	step = &saga->steps[current];
	why = saga->stuck_reason ? strstr(saga->stuck_reason, ": ") : NULL;
	step->stuck_why = why ? why + 2 : "stuck";
	step->is_refused = !is_back && step->state == STEP_STATE_REJECTED;
	if (!is_back)
		step->state = STEP_STATE_STUCK;
	else if (step->state == STEP_STATE_COMPENSATING || step->state == STEP_STATE_COMPENSATION_RETRY_WAIT)
		step->state = STEP_STATE_COMPENSATION_STUCK;
	else
		step->state = STEP_STATE_VIOLATED;
	convert_others(saga);
}

static int decode(const struct definition *definition, struct bytes data, struct arena *arena, struct saga **ret_saga,
		  struct error *err)
{
	struct cursor cursor = {data, arena, false};
	struct saga *saga = arena_zalloc(arena, sizeof(*saga));
	const uint8_t form = get_byte(&cursor);
	uint64_t step_count;
	int32_t current = -1;

	if (form != FORM_1 && form != FORM_VERSION)
		return error_set(
			err, ERR_CORRUPT,
			"stored saga has form %u, this program reads forms %d to %d: was it written by a later one?",
			form, FORM_1, FORM_VERSION);
	get_head(&cursor, form, saga, &current);
	step_count = get_number(&cursor);
	if (cursor.is_bad)
		return error_set(err, ERR_CORRUPT, "stored saga ends or errs in its head (%zu bytes)", data.len);
	if (step_count != definition->step_count)
		return error_set(err, ERR_CORRUPT, "stored saga has %" PRIu64 " steps, definition '%s' version %d %zu",
				 step_count, definition->name, definition->version, definition->step_count);
	saga->step_count = definition->step_count;
	saga->steps = arena_zalloc(arena, saga->step_count * sizeof(*saga->steps));
	for (size_t i = 0; i < saga->step_count && !cursor.is_bad; i++)
		get_step(&cursor, saga, &saga->steps[i]);
	if (cursor.is_bad || cursor.rest.len > 0)
		return error_set(err, ERR_CORRUPT, "stored saga ends or errs in its steps (%zu bytes)", data.len);
	if (form == FORM_1)
		convert_form_1(definition, saga, current);
	*ret_saga = saga;
	return 0;
}

int saga_decode(const struct definition *definition, struct bytes data, struct arena *arena, struct saga **ret_saga,
		struct error *err)
{
	const char *violation;
	struct saga *saga;

	if (decode(definition, data, arena, &saga, err) < 0)
		return -1;
	if (!are_times_possible(saga))
		return error_set(err, ERR_CORRUPT, "stored saga has a time that no clock shows");
	violation = saga_violation(definition, saga);
	if (violation)
		return error_set(err, ERR_CORRUPT, "stored saga violates the invariant '%s'", violation);
	*ret_saga = saga;
	return 0;
}

struct saga *saga_decode_checked(const struct definition *definition, struct bytes data, struct arena *arena)
{
	struct saga *saga = NULL;
	struct error err;
	int rc = decode(definition, data, arena, &saga, &err);

	assert(rc == 0);
	(void)rc;
	return saga;
}
