/* saga_words.c - see saga_words.h. */
#include "cli/saga_words.h"

#include <inttypes.h>

#include "lib/base/memory.h"

/* The name of an enum's value without the enum's own prefix: SAGA_STATE_RUNNING -> RUNNING. */
static const char *short_name(const ProtobufCEnumDescriptor *type, int value, const char *prefix)
{
	const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);

	if (!known)
		return "?";
	return strncmp(known->name, prefix, strlen(prefix)) == 0 ? known->name + strlen(prefix) : known->name;
}

/* ---- sagas ---- */

const char *saga_state_word(Saga__V1__SagaState state)
{
	return short_name(&saga__v1__saga_state__descriptor, (int)state, "SAGA_STATE_");
}

enum table_colour saga_state_colour(Saga__V1__SagaState state)
{
	switch (state) {
	case SAGA__V1__SAGA_STATE__SAGA_STATE_COMPLETED:
		return TABLE_GREEN;
	case SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK:
	case SAGA__V1__SAGA_STATE__SAGA_STATE_FAILED:
		return TABLE_RED;
	case SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATING:
	case SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED:
		return TABLE_YELLOW;
	default:
		return TABLE_BOLD;
	}
}

bool saga_state_is_final(Saga__V1__SagaState state)
{
	return state == SAGA__V1__SAGA_STATE__SAGA_STATE_COMPLETED ||
	       state == SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED ||
	       state == SAGA__V1__SAGA_STATE__SAGA_STATE_FAILED;
}

enum exit_code saga_state_exit(Saga__V1__SagaState state)
{
	switch (state) {
	case SAGA__V1__SAGA_STATE__SAGA_STATE_COMPLETED:
		return EXIT_DONE;
	case SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED:
	case SAGA__V1__SAGA_STATE__SAGA_STATE_FAILED:
		return EXIT_COMPENSATED;
	case SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK:
		return EXIT_STUCK;
	default:
		return EXIT_UNFINISHED;
	}
}

/* ---- steps ---- */

static const struct {
	const char *symbol;
	const char *ascii;
	enum table_colour colour;
	bool is_busy;
} step_looks[] = {
	[SAGA__V1__STEP_STATE__STEP_STATE_UNSPECIFIED] = {"?", "?", TABLE_PLAIN, false},
	[SAGA__V1__STEP_STATE__STEP_STATE_PENDING] = {"·", ".", TABLE_DIM, false},
	[SAGA__V1__STEP_STATE__STEP_STATE_DISPATCHED] = {"▸", ">", TABLE_BOLD, true},
	[SAGA__V1__STEP_STATE__STEP_STATE_ACCEPTED] = {"▸", ">", TABLE_BOLD, true},
	[SAGA__V1__STEP_STATE__STEP_STATE_RETRY_WAIT] = {"↻", "~", TABLE_YELLOW, true},
	[SAGA__V1__STEP_STATE__STEP_STATE_SUCCEEDED] = {"✓", "+", TABLE_GREEN, false},
	[SAGA__V1__STEP_STATE__STEP_STATE_REJECTED] = {"✗", "x", TABLE_RED, false},
	[SAGA__V1__STEP_STATE__STEP_STATE_UNKNOWN] = {"?", "?", TABLE_RED, false},
	[SAGA__V1__STEP_STATE__STEP_STATE_SKIPPED] = {"–", "-", TABLE_DIM, false},
	[SAGA__V1__STEP_STATE__STEP_STATE_COMPENSATING] = {"◂", "<", TABLE_YELLOW, true},
	[SAGA__V1__STEP_STATE__STEP_STATE_COMPENSATION_RETRY_WAIT] = {"↻", "~", TABLE_YELLOW, true},
	[SAGA__V1__STEP_STATE__STEP_STATE_COMPENSATED] = {"↶", "<", TABLE_YELLOW, false},
	[SAGA__V1__STEP_STATE__STEP_STATE_NOT_NEEDED] = {"–", "-", TABLE_DIM, false},
	[SAGA__V1__STEP_STATE__STEP_STATE_WAITING] = {"…", "~", TABLE_BOLD, true},
	[SAGA__V1__STEP_STATE__STEP_STATE_STUCK] = {"!", "!", TABLE_RED, false},
	[SAGA__V1__STEP_STATE__STEP_STATE_COMPENSATION_STUCK] = {"!", "!", TABLE_RED, false},
	[SAGA__V1__STEP_STATE__STEP_STATE_VIOLATED] = {"!", "!", TABLE_RED, false},
	[SAGA__V1__STEP_STATE__STEP_STATE_INQUIRING] = {"?", "?", TABLE_YELLOW, true},
	[SAGA__V1__STEP_STATE__STEP_STATE_INQUIRY_RETRY_WAIT] = {"↻", "~", TABLE_YELLOW, true},
	[SAGA__V1__STEP_STATE__STEP_STATE_HELD] = {"…", "~", TABLE_BOLD, true},
	[SAGA__V1__STEP_STATE__STEP_STATE_COMPENSATION_HELD] = {"…", "~", TABLE_YELLOW, true},
};

/* A newer coordinator may know more states. */
static size_t look_of(Saga__V1__StepState state)
{
	return (size_t)state < ARRAY_LEN(step_looks) ? (size_t)state : 0;
}

const char *step_state_word(Saga__V1__StepState state)
{
	return short_name(&saga__v1__step_state__descriptor, (int)state, "STEP_STATE_");
}

enum table_colour step_state_colour(Saga__V1__StepState state)
{
	return step_looks[look_of(state)].colour;
}

bool step_state_is_busy(Saga__V1__StepState state)
{
	return step_looks[look_of(state)].is_busy;
}

const char *step_state_symbol(Saga__V1__StepState state, bool has_symbols)
{
	return has_symbols ? step_looks[look_of(state)].symbol : step_looks[look_of(state)].ascii;
}

const char *step_phase_suffix(Saga__V1__StepPhase phase)
{
	return phase == SAGA__V1__STEP_PHASE__STEP_PHASE_COMPENSATION ? " (compensation)"
	       : phase == SAGA__V1__STEP_PHASE__STEP_PHASE_INQUIRY    ? " (inquiry)"
								      : "";
}

/* ---- times ---- */

int64_t time_us(const Google__Protobuf__Timestamp *time)
{
	return time ? time->seconds * 1000000 + time->nanos / 1000 : 0;
}

void duration_append(struct buffer *out, int64_t duration_us)
{
	const int64_t us = duration_us < 0 ? 0 : duration_us;
	const int64_t seconds = us / 1000000;

	if (seconds == 0)
		buffer_append_format(out, "%.1f ms", (double)us / 1000.0);
	else if (seconds < 60)
		buffer_append_format(out, "%" PRId64 ".%03" PRId64 " s", seconds, us % 1000000 / 1000);
	else if (seconds < 3600)
		buffer_append_format(out, "%" PRId64 " min %02" PRId64 " s", seconds / 60, seconds % 60);
	else if (seconds < 86400)
		buffer_append_format(out, "%" PRId64 " h %02" PRId64 " min", seconds / 3600, seconds % 3600 / 60);
	else
		buffer_append_format(out, "%" PRId64 " d %02" PRId64 " h", seconds / 86400, seconds % 86400 / 3600);
}
