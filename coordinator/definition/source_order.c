/* source_order.c - see source_order.h. */
#include "coordinator/definition/source_order.h"

#include "lib/base/memory.h"
#include "lib/base/spelling.h"

int32_t source_find_step(const struct source *source, const char *id, size_t len)
{
	for (size_t i = 0; i < source->step_count; i++) {
		const char *other = source->steps[i].definition.id;

		if (other && strlen(other) == len && memcmp(other, id, len) == 0)
			return (int32_t)i;
	}
	return -1;
}

const char *source_nearest_step(const struct source *source, const char *id, size_t len)
{
	const char *ids[DEFINITION_STEPS_MAX];
	char asked[SPELLING_BYTES_MAX + 1];
	size_t count = 0;

	if (len > SPELLING_BYTES_MAX)
		return NULL;
	memcpy(asked, id, len);
	asked[len] = 0;
	for (size_t i = 0; i < source->step_count; i++)
		if (source->steps[i].definition.id)
			ids[count++] = source->steps[i].definition.id;
	return spelling_nearest(asked, ids, count);
}

bool source_is_before(const struct source *source, int32_t before, int32_t index)
{
	return source->steps[index].before[before / 64] >> (before % 64) & 1;
}

static void add_before(struct source *source, int32_t index, int32_t before)
{
	uint64_t *own = source->steps[index].before;

	own[before / 64] |= UINT64_C(1) << (before % 64);
	for (size_t i = 0; i < ARRAY_LEN(source->steps[index].before); i++)
		own[i] |= source->steps[before].before[i];
}

static int compare_indexes(const void *a, const void *b)
{
	const int32_t left = *(const int32_t *)a;
	const int32_t right = *(const int32_t *)b;

	return (left > right) - (left < right);
}

static void read_one(struct source_reader *reader, const struct yaml_node *node, struct source *source, int32_t index,
		     int32_t *after, size_t *count)
{
	const char *id = reader_text(reader, node, "a step in 'after'");
	int32_t before;

	if (!id)
		return;
	before = source_find_step(source, id, strlen(id));
	if (before < 0 || before >= index) {
		const char *near = source_nearest_step(source, id, strlen(id));

		PROBLEM(reader, node->mark, "after '%.80s': there is no step of that id above this one%s%s%s", id,
			near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
		return;
	}
	for (size_t i = 0; i < *count; i++) {
		if (after[i] == before) {
			PROBLEM(reader, node->mark, "step '%s' is listed twice in 'after'", id);
			return;
		}
	}
	after[(*count)++] = before;
}

void source_read_after(struct source_reader *reader, const struct yaml_node *node, struct source *source, int32_t index)
{
	struct step_definition *step = &source->steps[index].definition;
	int32_t *after;

	if (!node || !reader_is_kind(reader, node, YAML_LIST, "after (ids of steps: [reserve, charge])")) {
		if (index > 0)
			add_before(source, index, index - 1);
		return;
	}
	after = arena_alloc(reader->arena, (node->count + 1) * sizeof(*after));
	for (const struct yaml_node *item = node->first; item; item = item->next)
		read_one(reader, item, source, index, after, &step->after_count);
	qsort(after, step->after_count, sizeof(*after), compare_indexes);
	for (size_t i = 0; i < step->after_count; i++)
		add_before(source, index, after[i]);
	step->after = after;
}

static const char *id_of(const struct source_step *step)
{
	return step->definition.id ? step->definition.id : "?";
}

void source_check_order(struct source_reader *reader, const struct source *source, int32_t index)
{
	const struct source_step *step = &source->steps[index];
	const enum step_kind kind = step->definition.kind;

	for (int32_t i = index - 1; i >= 0; i--) {
		const struct source_step *before = &source->steps[i];

		if (kind < before->definition.kind) {
			PROBLEM(reader, step->mark,
				"a %s step cannot follow a %s step: the order is compensatable steps, at most one "
				"pivot, retriable steps",
				step_kind_name(kind), step_kind_name(before->definition.kind));
			return;
		}
		if (kind == STEP_KIND_PIVOT && before->definition.kind == STEP_KIND_PIVOT) {
			PROBLEM(reader, step->mark,
				"there can be one pivot only; steps after it are 'kind: retriable'");
			return;
		}
		if (kind != before->definition.kind && !source_is_before(source, i, index)) {
			PROBLEM(reader, step->mark,
				"%s step '%s' must come after %s step '%s', which could still fail: add it to 'after'",
				step_kind_name(kind), id_of(step), step_kind_name(before->definition.kind),
				id_of(before));
			return;
		}
	}
}
