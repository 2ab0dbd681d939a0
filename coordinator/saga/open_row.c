/* open_row.c - see open_row.h. */
#include "coordinator/saga/open_row.h"

enum {
	SPREAD_US = 1000000,
	SPREAD_PARTS = 10, /* of a short wait */
};

/*
 * How long before it is due. A step's command waits for as long as the one before it, by and large, but the jitter of re-sends
 * (retry.h) makes it up to a third less: a bound without room for that would be written again at every other step.
 *
 * Whoever walks them in the order of `look_us` goes on from the last one: so those that are due at the same moment, perhaps a
 * million, must not have the same.
 */
static int64_t ahead_us(const struct saga *saga, int64_t due_us)
{
	const int64_t random = (int64_t)saga->id.data[13] << 16 | (int64_t)saga->id.data[14] << 8 | saga->id.data[15];
	const int64_t wait_us = due_us - saga->updated_us;
	const bool is_short = wait_us > 0 && wait_us < OPEN_ROW_SLACK_US;

	if (!is_short)
		return random % SPREAD_US;
	return wait_us / 3 + random % (wait_us / SPREAD_PARTS + 1);
}

static int64_t look_us(const struct saga *saga, int64_t due_us, int64_t stored_us)
{
	if (!due_us)
		return INT64_MAX;
	if (stored_us <= due_us && due_us - stored_us < OPEN_ROW_SLACK_US)
		return stored_us;
	return due_us - ahead_us(saga, due_us);
}

static bool has_command_in_flight(const struct saga *saga)
{
	enum step_phase phase;

	for (size_t i = 0; i < saga->step_count; i++)
		if (step_is_in_flight(&saga->steps[i], &phase))
			return true;
	return false;
}

struct open_row open_row_of(const struct saga *saga, int32_t definition_id, int64_t stored_look_us)
{
	const int64_t due_us = saga_due_us(saga);

	if (saga_state_is_terminal(saga->state))
		return (struct open_row){0};
	return (struct open_row){
		.look_us = look_us(saga, due_us, stored_look_us),
		.definition_id = definition_id,
		.state = saga->state,
		.is_paused = saga->paused_us != 0,
		.is_patient = due_us >= saga->updated_us + OPEN_ROW_PATIENT_US && has_command_in_flight(saga),
	};
}

bool open_row_equals(const struct open_row *a, const struct open_row *b)
{
	return a->look_us == b->look_us && a->definition_id == b->definition_id && a->state == b->state &&
	       a->is_paused == b->is_paused && a->is_patient == b->is_patient;
}
