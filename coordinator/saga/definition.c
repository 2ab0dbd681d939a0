/* definition.c - see definition.h. */
#include "coordinator/saga/definition.h"

#include <assert.h>
#include <inttypes.h>
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
	[STEP_PHASE_INQUIRY] = {.timeout_ms = 30 * SECOND_MS,
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
	static const char *const names[] = {"forward", "compensation", "inquiry"};

	static_assert(sizeof(names) / sizeof(names[0]) == STEP_PHASE_COUNT, "a name for every phase");
	assert((int)phase >= 0 && phase < STEP_PHASE_COUNT);
	return names[phase];
}

int32_t definition_pivot(const struct definition *definition)
{
	for (size_t i = 0; i < definition->step_count; i++)
		if (definition->steps[i].kind == STEP_KIND_PIVOT)
			return (int32_t)i;
	return -1;
}

int32_t definition_find_step(const struct definition *definition, const char *id)
{
	for (size_t i = 0; i < definition->step_count; i++)
		if (strcmp(definition->steps[i].id, id) == 0)
			return (int32_t)i;
	return -1;
}

size_t definition_after_count(const struct definition *definition, int32_t step)
{
	return definition->steps[step].after ? definition->steps[step].after_count : step > 0;
}

int32_t definition_after(const struct definition *definition, int32_t step, size_t i)
{
	return definition->steps[step].after ? definition->steps[step].after[i] : step - 1;
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

	if (!step->id || !step->id[0] || strlen(step->id) > STEP_ID_BYTES_MAX)
		return error_set(err, ERR_INVALID, "step %zu needs an id of 1 to %d bytes", index, STEP_ID_BYTES_MAX);
	if (step->kind >= STEP_KIND_COUNT)
		return error_set(err, ERR_INVALID, "step '%s' is of no known kind", step->id);
	if (step->action >= STEP_ACTION_COUNT)
		return error_set(err, ERR_INVALID, "step '%s' does nothing that is known", step->id);
	if (step->action != STEP_ACTION_COMMAND && (step->has_compensation || step->kind == STEP_KIND_PIVOT))
		return error_set(err, ERR_INVALID, "step '%s' only waits: it is no pivot and has nothing to undo",
				 step->id);
	if (step->has_inquiry && (step->action != STEP_ACTION_COMMAND || step->kind != STEP_KIND_COMPENSATABLE))
		return error_set(err, ERR_INVALID, "step '%s' is never given up as unknown: it needs no inquiry",
				 step->id);
	for (int phase = 0; phase < STEP_PHASE_COUNT; phase++)
		if ((phase != STEP_PHASE_INQUIRY || step->has_inquiry) && !is_policy_usable(&step->policy[phase]))
			return error_set(err, ERR_INVALID, "step '%s' has an unusable %s policy", step->id,
					 step_phase_name((enum step_phase)phase));
	for (size_t i = 0; i < index; i++)
		if (strcmp(definition->steps[i].id, step->id) == 0)
			return error_set(err, ERR_INVALID, "step '%s' exists twice", step->id);
	return 0;
}

/* The steps that are done before a step begins, directly or not. */
struct ancestors {
	uint64_t words[DEFINITION_STEPS_MAX / 64];
};

static bool has_ancestor(const struct ancestors *ancestors, size_t step)
{
	return ancestors->words[step / 64] >> (step % 64) & 1;
}

static int find_ancestors(const struct definition *definition, int32_t index, struct ancestors *all, struct error *err)
{
	struct ancestors *own = &all[index];

	for (size_t i = 0; i < definition_after_count(definition, index); i++) {
		const int32_t before = definition_after(definition, index, i);

		if (before < 0 || before >= index || (i > 0 && before <= definition_after(definition, index, i - 1)))
			return error_set(err, ERR_INVALID, "step '%s' must come after steps before it, in their order",
					 definition->steps[index].id);
		own->words[before / 64] |= UINT64_C(1) << (before % 64);
		for (size_t word = 0; word < sizeof(own->words) / sizeof(own->words[0]); word++)
			own->words[word] |= all[before].words[word];
	}
	return 0;
}

/* Where the saga can only go forward nothing may be left that can still turn it back: the pivot waits for all that is
 * compensatable, what is retriable for both. */
static int check_order(const struct definition *definition, struct error *err)
{
	struct ancestors all[DEFINITION_STEPS_MAX] = {0};

	for (int32_t i = 0; i < (int32_t)definition->step_count; i++) {
		const struct step_definition *step = &definition->steps[i];

		if (find_ancestors(definition, i, all, err) < 0)
			return -1;
		for (int32_t j = 0; j < i; j++) {
			const struct step_definition *before = &definition->steps[j];

			if (step->kind < before->kind ||
			    (step->kind == STEP_KIND_PIVOT && before->kind == STEP_KIND_PIVOT))
				return error_set(err, ERR_INVALID, "%s step '%s' cannot follow %s step '%s'",
						 step_kind_name(step->kind), step->id, step_kind_name(before->kind),
						 before->id);
			if (step->kind != before->kind && !has_ancestor(&all[i], (size_t)j))
				return error_set(err, ERR_INVALID, "%s step '%s' must come after %s step '%s'",
						 step_kind_name(step->kind), step->id, step_kind_name(before->kind),
						 before->id);
		}
	}
	return 0;
}

int definition_check(const struct definition *definition, struct error *err)
{
	if (definition->step_count == 0 || definition->step_count > DEFINITION_STEPS_MAX)
		return error_set(err, ERR_INVALID, "a definition has 1 to %d steps, not %zu", DEFINITION_STEPS_MAX,
				 definition->step_count);
	if (definition->timeout_ms < 0 || definition->timeout_ms > COMMAND_DURATION_MS_MAX)
		return error_set(err, ERR_INVALID, "a saga's timeout is at most %" PRId64 " ms",
				 COMMAND_DURATION_MS_MAX);
	for (size_t i = 0; i < definition->step_count; i++)
		if (check_step(definition, i, err) < 0)
			return -1;
	return check_order(definition, err);
}
