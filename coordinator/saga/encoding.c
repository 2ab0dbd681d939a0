/*
 * encoding.c - the stored form of a saga; saga.h declares it.
 *
 * Form:       byte 1 (the version of the form), the id's 16 bytes, then varints: version, state, times, current step;
 *             texts and bytes as length and data; each step as its state, a mask of the fields that are not zero, and
 *             those fields. Times but the first are relative to the start, so they are short. A pending step is 2 bytes.
 * Decoding:   every read is checked against the end; what was read must hold the invariant, so that bytes that were not
 *             written by this core are refused (ERR_CORRUPT) before anything acts on them.
 */
#include <assert.h>
#include <inttypes.h>

#include "coordinator/saga/saga.h"

enum { FORM_VERSION = 1 };

/* Which of the times that a saga may lack it has. */
enum { HAS_ENDED = 1, HAS_START = 2 };

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
	FIELD_COUNT
};

/* ---- writing ---- */
static void put_number(struct buffer *out, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		buffer_append_byte(out, (uint8_t)(number | 0x80));
	buffer_append_byte(out, (uint8_t)number);
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

static unsigned step_mask(const struct step *step)
{
	const bool present[FIELD_COUNT] = {
		[FIELD_ATTEMPTS_FORWARD] = step->attempts[STEP_PHASE_FORWARD] != 0,
		[FIELD_ATTEMPTS_COMPENSATION] = step->attempts[STEP_PHASE_COMPENSATION] != 0,
		[FIELD_RESENDS] = step->resends != 0,
		[FIELD_RESENDS_TOTAL] = step->resends_total != 0,
		[FIELD_STARTED] = step->started_us != 0,
		[FIELD_UPDATED] = step->updated_us != 0,
		[FIELD_DEADLINE] = step->deadline_us != 0,
		[FIELD_DUE] = step->due_us != 0,
		[FIELD_HAS_NO_EFFECT] = step->has_no_effect,
		[FIELD_REASON] = step->reason != NULL,
		[FIELD_DETAIL] = step->detail != NULL,
		[FIELD_REPLY] = step->reply.len != 0,
	};
	unsigned mask = 0;

	for (unsigned i = 0; i < FIELD_COUNT; i++)
		mask |= (unsigned)present[i] << i;
	return mask;
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
	case FIELD_HAS_NO_EFFECT: /* the mask says it */
	case FIELD_COUNT:
		return;
	}
}

static void put_step(struct buffer *out, const struct saga *saga, const struct step *step)
{
	const unsigned mask = step_mask(step);

	put_number(out, (uint64_t)step->state);
	put_number(out, mask);
	for (unsigned field = 0; field < FIELD_COUNT; field++)
		if (mask & (1u << field))
			put_step_field(out, saga, step, (enum step_field)field);
}

void saga_encode(const struct saga *saga, struct buffer *out)
{
	buffer_append_byte(out, FORM_VERSION);
	buffer_append(out, saga->id.data, sizeof(saga->id.data));
	put_number(out, (uint64_t)saga->version);
	put_number(out, (uint64_t)saga->state);
	put_time(out, saga->created_us, 0);
	put_time(out, saga->updated_us, saga->created_us);
	buffer_append_byte(out, (uint8_t)((saga->ended_us ? HAS_ENDED : 0) | (saga->start_us ? HAS_START : 0)));
	if (saga->ended_us)
		put_time(out, saga->ended_us, saga->created_us);
	if (saga->start_us)
		put_time(out, saga->start_us, saga->created_us);
	put_number(out, (uint64_t)(saga->current_step + 1));
	put_optional_text(out, saga->milestone);
	put_optional_text(out, saga->failure_milestone);
	put_optional_text(out, saga->stuck_reason);
	put_number(out, saga->step_count);
	for (size_t i = 0; i < saga->step_count; i++)
		put_step(out, saga, &saga->steps[i]);
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
	uint64_t number = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		const uint8_t byte = get_byte(cursor);

		number |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return number;
	}
	cursor->is_bad = true;
	return 0;
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
	for (unsigned field = 0; field < FIELD_COUNT && !cursor->is_bad; field++)
		if (mask & (1u << field))
			get_step_field(cursor, saga, step, (enum step_field)field);
}

static void get_head(struct cursor *cursor, struct saga *saga)
{
	uint64_t number;
	uint8_t times;

	for (size_t i = 0; i < sizeof(saga->id.data); i++)
		saga->id.data[i] = get_byte(cursor);
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
	times = get_byte(cursor);
	if (times > (HAS_ENDED | HAS_START))
		cursor->is_bad = true;
	if (times & HAS_ENDED)
		saga->ended_us = get_time(cursor, saga->created_us);
	if (times & HAS_START)
		saga->start_us = get_time(cursor, saga->created_us);
	saga->current_step = get_int32(cursor) - 1;
	saga->milestone = get_optional_text(cursor);
	saga->failure_milestone = get_optional_text(cursor);
	saga->stuck_reason = get_optional_text(cursor);
}

int saga_decode_head(struct bytes data, struct arena *arena, struct saga *ret_saga, struct error *err)
{
	struct cursor cursor = {data, arena, false};
	struct saga saga = {0};
	const uint8_t form = get_byte(&cursor);

	if (form == FORM_VERSION)
		get_head(&cursor, &saga);
	if (form != FORM_VERSION || cursor.is_bad)
		return error_set(err, ERR_CORRUPT, "stored saga of form %u cannot be read (%zu bytes)", form, data.len);
	*ret_saga = saga;
	return 0;
}

int saga_decode(const struct definition *definition, struct bytes data, struct arena *arena, struct saga **ret_saga,
		struct error *err)
{
	struct cursor cursor = {data, arena, false};
	struct saga *saga = arena_zalloc(arena, sizeof(*saga));
	const uint8_t form = get_byte(&cursor);
	const char *violation;
	uint64_t step_count;

	if (form != FORM_VERSION)
		return error_set(err, ERR_CORRUPT,
				 "stored saga has form %u, this program reads form %d: was it written by a later one?",
				 form, FORM_VERSION);
	get_head(&cursor, saga);
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
	violation = saga_violation(definition, saga);
	if (violation)
		return error_set(err, ERR_CORRUPT, "stored saga violates the invariant '%s'", violation);
	*ret_saga = saga;
	return 0;
}
