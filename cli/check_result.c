/* check_result.c - gathering what a check found. See check_result.h. */
#include "cli/check_result.h"

#include <assert.h>
#include <string.h>

#include "lib/base/memory.h"

void check_result_init(struct check_result *result, const char *against)
{
	*result = (struct check_result){0};
	arena_init(&result->arena, 0);
	result->against = arena_strdup(&result->arena, against);
}

void check_result_release(struct check_result *result)
{
	free(result->items);
	free(result->files);
	free(result->comparisons);
	arena_release(&result->arena);
}

void check_result_add_file(struct check_result *result, const char *name)
{
	if (result->file_count == result->file_capacity) {
		result->file_capacity = result->file_capacity ? result->file_capacity * 2 : 64;
		result->files = xrealloc_array(result->files, result->file_capacity, sizeof(*result->files));
	}
	result->files[result->file_count++] = arena_strdup(&result->arena, name);
}

/* Without its path: what is imported twice is found on two paths. */
static bool is_same_text(const char *a, const char *b)
{
	const char *a_end = strstr(a, " at path '");
	const char *b_end = strstr(b, " at path '");

	if (!a_end || !b_end)
		return strcmp(a, b) == 0;
	return a_end - a == b_end - b && strncmp(a, b, (size_t)(a_end - a)) == 0;
}

static bool is_there(const struct check_result *result, const struct check_finding *finding)
{
	for (size_t i = 0; i < result->count; i++) {
		const struct check_finding *other = &result->items[i];

		if (other->kind == finding->kind && other->line == finding->line && other->column == finding->column &&
		    is_same_text(other->message, finding->message) && strcmp(other->file, finding->file) == 0 &&
		    strcmp(other->rule, finding->rule) == 0)
			return true;
	}
	return false;
}

static const char *copy(struct check_result *result, const char *text)
{
	return arena_strdup(&result->arena, text ? text : "");
}

void check_result_add(struct check_result *result, const struct check_finding *finding)
{
	assert(finding->file && finding->rule && finding->message);
	if (is_there(result, finding))
		return;
	if (result->count == result->capacity) {
		result->capacity = result->capacity ? result->capacity * 2 : 16;
		result->items = xrealloc_array(result->items, result->capacity, sizeof(*result->items));
	}
	result->items[result->count++] = (struct check_finding){
		.kind = finding->kind,
		.file = copy(result, finding->file),
		.line = finding->line,
		.column = finding->column,
		.rule = copy(result, finding->rule),
		.path = copy(result, finding->path),
		.direction = copy(result, finding->direction),
		.subject = copy(result, finding->subject),
		.against = copy(result, finding->against),
		.message = copy(result, finding->message),
		.hint = copy(result, finding->hint),
	};
	result->kind_counts[finding->kind]++;
}

struct ranked {
	struct check_finding finding;
	size_t file; /* where something was first found in it */
	size_t index;
};

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *left = a;
	const struct ranked *right = b;
	const size_t keys[][2] = {{left->file, right->file},
				  {left->finding.line, right->finding.line},
				  {left->finding.column, right->finding.column},
				  {left->index, right->index}};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (keys[i][0] != keys[i][1])
			return keys[i][0] > keys[i][1] ? 1 : -1;
	}
	return 0;
}

void check_result_sort(struct check_result *result)
{
	struct ranked *ranked = xcalloc(result->count + 1, sizeof(*ranked));

	for (size_t i = 0; i < result->count; i++) {
		size_t first = 0;

		while (strcmp(result->items[first].file, result->items[i].file) != 0)
			first++;
		ranked[i] = (struct ranked){result->items[i], first, i};
	}
	qsort(ranked, result->count, sizeof(*ranked), compare_ranked);
	for (size_t i = 0; i < result->count; i++)
		result->items[i] = ranked[i].finding;
	free(ranked);
}

static void add_comparison(struct check_result *result, const struct check_comparison *comparison)
{
	if (result->comparison_count == result->comparison_capacity) {
		result->comparison_capacity = result->comparison_capacity ? result->comparison_capacity * 2 : 64;
		result->comparisons =
			xrealloc_array(result->comparisons, result->comparison_capacity, sizeof(*result->comparisons));
	}
	result->comparisons[result->comparison_count++] =
		(struct check_comparison){.file = copy(result, comparison->file),
					  .subject = copy(result, comparison->subject),
					  .outcome = comparison->outcome,
					  .why = copy(result, comparison->why)};
	result->outcome_counts[comparison->outcome]++;
}

void check_result_compared(struct check_result *result, const char *file, const char *subject)
{
	add_comparison(result, &(struct check_comparison){file, subject, CHECK_COMPARED, NULL});
}

void check_result_passed_over(struct check_result *result, const char *file, const char *subject,
			      enum check_outcome outcome, const char *why)
{
	assert(outcome != CHECK_COMPARED);
	add_comparison(result, &(struct check_comparison){file, subject, outcome, why});
}

const char *check_kind_name(enum check_kind kind)
{
	static const char *const names[] = {"breaking", "invalid", "new", "undecided", "note"};

	static_assert(ARRAY_LEN(names) == CHECK_KIND_COUNT, "one name for each kind");
	return names[kind];
}

const char *check_outcome_name(enum check_outcome outcome)
{
	static const char *const names[] = {"compared", "new", "skipped"};

	static_assert(ARRAY_LEN(names) == CHECK_OUTCOME_COUNT, "one name for each outcome");
	return names[outcome];
}
