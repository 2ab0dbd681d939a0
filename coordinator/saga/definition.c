/* definition.c - see definition.h. */
#include "coordinator/saga/definition.h"

#include <assert.h>
#include <string.h>

enum { SECOND_MS = 1000, HOUR_MS = 3600 * SECOND_MS };

const struct command_policy COMMAND_POLICY_DEFAULTS[STEP_PHASE_COUNT] = {
	[STEP_PHASE_FORWARD] = {.timeout_ms = 30 * SECOND_MS,
				.resend_ms = 3 * SECOND_MS,
				.resend_max_ms = 60 * SECOND_MS,
				.retry_backoff_ms = 300,
				.retry_backoff_max_ms = 30 * SECOND_MS,
				.attempts_max = 10},
	[STEP_PHASE_COMPENSATION] = {.timeout_ms = 24 * HOUR_MS,
				     .resend_ms = 3 * SECOND_MS,
				     .resend_max_ms = 60 * SECOND_MS,
				     .retry_backoff_ms = 300,
				     .retry_backoff_max_ms = 30 * SECOND_MS,
				     .attempts_max = 10},
};

const char *step_kind_name(enum step_kind kind)
{
	static const char *const names[] = {"compensatable", "pivot", "retriable"};

	static_assert(sizeof(names) / sizeof(names[0]) == STEP_KIND_COUNT, "a name for every kind");
	assert((int)kind >= 0 && kind < STEP_KIND_COUNT);
	return names[kind];
}

const char *step_phase_name(enum step_phase phase)
{
	assert((int)phase >= 0 && phase < STEP_PHASE_COUNT);
	return phase == STEP_PHASE_FORWARD ? "forward" : "compensation";
}

int32_t definition_pivot(const struct definition *definition)
{
	for (size_t i = 0; i < definition->step_count; i++)
		if (definition->steps[i].kind == STEP_KIND_PIVOT)
			return (int32_t)i;
	return -1;
}

static bool is_policy_usable(const struct command_policy *policy)
{
	return policy->timeout_ms > 0 && policy->timeout_ms <= COMMAND_DURATION_MS_MAX && policy->resend_ms > 0 &&
	       policy->resend_max_ms >= policy->resend_ms && policy->resend_max_ms <= COMMAND_DURATION_MS_MAX &&
	       policy->retry_backoff_ms > 0 && policy->retry_backoff_max_ms >= policy->retry_backoff_ms &&
	       policy->retry_backoff_max_ms <= COMMAND_DURATION_MS_MAX && policy->attempts_max > 0;
}

static int check_step(const struct definition *definition, size_t index, struct error *err)
{
	const struct step_definition *step = &definition->steps[index];
	const struct step_definition *before = index ? step - 1 : NULL;

	if (!step->id || !step->id[0] || strlen(step->id) > STEP_ID_BYTES_MAX)
		return error_set(err, ERR_INVALID, "step %zu needs an id of 1 to %d bytes", index, STEP_ID_BYTES_MAX);
	if (step->kind >= STEP_KIND_COUNT)
		return error_set(err, ERR_INVALID, "step '%s' is of no known kind", step->id);
	if (before && (step->kind < before->kind || (step->kind == STEP_KIND_PIVOT && before->kind == step->kind)))
		return error_set(err, ERR_INVALID, "%s step '%s' cannot follow %s step '%s'",
				 step_kind_name(step->kind), step->id, step_kind_name(before->kind), before->id);
	for (int phase = 0; phase < STEP_PHASE_COUNT; phase++)
		if (!is_policy_usable(&step->policy[phase]))
			return error_set(err, ERR_INVALID, "step '%s' has an unusable %s policy", step->id,
					 step_phase_name((enum step_phase)phase));
	for (size_t i = 0; i < index; i++)
		if (strcmp(definition->steps[i].id, step->id) == 0)
			return error_set(err, ERR_INVALID, "step '%s' exists twice", step->id);
	return 0;
}

int definition_check(const struct definition *definition, struct error *err)
{
	if (definition->step_count == 0 || definition->step_count > DEFINITION_STEPS_MAX)
		return error_set(err, ERR_INVALID, "a definition has 1 to %d steps, not %zu", DEFINITION_STEPS_MAX,
				 definition->step_count);
	for (size_t i = 0; i < definition->step_count; i++)
		if (check_step(definition, i, err) < 0)
			return -1;
	return 0;
}
