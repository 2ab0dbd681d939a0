/* engine_metrics_test.c - what a counting of the open sagas shows: by state, by definition, and how many are paused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/engine/engine_metrics.h"
#include "lib/base/memory.h"

struct shown {
	struct metrics *set;
	struct engine_metrics metrics;
	struct buffer text;
};

static struct shown shown_begin(void)
{
	struct shown shown = {.set = metrics_new()};

	engine_metrics_register(&shown.metrics, shown.set);
	return shown;
}

static void shown_end(struct shown *shown)
{
	engine_metrics_release(&shown->metrics);
	metrics_free(shown->set);
	buffer_release(&shown->text);
}

static void count(struct shown *shown, const struct store_count *counts, size_t count)
{
	engine_metrics_count(&shown->metrics, counts, count);
	buffer_clear(&shown->text);
	metrics_print(shown->set, &shown->text);
}

static bool has_line(const struct shown *shown, const char *line)
{
	return strstr(buffer_text(&shown->text), line) != NULL;
}

static size_t count_lines(const struct shown *shown, const char *begin)
{
	size_t lines = 0;

	for (const char *at = buffer_text(&shown->text); (at = strstr(at, begin)); at++)
		lines++;
	return lines;
}

static void stuck_sagas_are_shown_by_definition_until_there_are_none(void **unused)
{
	static const struct store_count first[] = {{"checkout", SAGA_STATE_RUNNING, 7, 2},
						   {"checkout", SAGA_STATE_STUCK, 3, 1},
						   {"refund", SAGA_STATE_RUNNING, 1, 0}};
	static const struct store_count second[] = {{"refund", SAGA_STATE_STUCK, 2, 0}};
	struct shown shown = shown_begin();

	(void)unused;
	count(&shown, first, ARRAY_LEN(first));
	assert_true(has_line(&shown, "\nsaga_open{state=\"running\"} 8\n"));
	assert_true(has_line(&shown, "\nsaga_open{state=\"stuck\"} 3\n"));
	assert_true(has_line(&shown, "\nsaga_stuck{definition=\"checkout\"} 3\n"));
	assert_true(has_line(&shown, "\nsaga_paused{what=\"saga\"} 3\n"));
	assert_int_equal(count_lines(&shown, "saga_stuck{"), 2);
	count(&shown, second, ARRAY_LEN(second));
	assert_true(has_line(&shown, "\nsaga_stuck{definition=\"checkout\"} 0\n"));
	assert_true(has_line(&shown, "\nsaga_stuck{definition=\"refund\"} 2\n"));
	assert_true(has_line(&shown, "\nsaga_stuck{definition=\"(others)\"} 0\n"));
	assert_true(has_line(&shown, "\nsaga_open{state=\"stuck\"} 2\n"));
	assert_true(has_line(&shown, "\nsaga_paused{what=\"saga\"} 0\n"));
	shown_end(&shown);
}

static void definitions_beyond_the_limit_share_a_series(void **unused)
{
	struct store_count counts[STUCK_SERIES_MAX + 3];
	char names[ARRAY_LEN(counts)][16];
	struct shown shown = shown_begin();

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		(void)snprintf(names[i], sizeof(names[i]), "d%zu", i);
		counts[i] = (struct store_count){names[i], SAGA_STATE_STUCK, 5, 0};
	}
	count(&shown, counts, ARRAY_LEN(counts));
	assert_int_equal(count_lines(&shown, "saga_stuck{"), STUCK_SERIES_MAX + 1);
	assert_true(has_line(&shown, "\nsaga_stuck{definition=\"(others)\"} 15\n"));
	count(&shown, counts + ARRAY_LEN(counts) - 1, 1);
	assert_int_equal(count_lines(&shown, "saga_stuck{"), STUCK_SERIES_MAX + 1);
	assert_true(has_line(&shown, "\nsaga_stuck{definition=\"(others)\"} 5\n"));
	shown_end(&shown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stuck_sagas_are_shown_by_definition_until_there_are_none),
		cmocka_unit_test(definitions_beyond_the_limit_share_a_series),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
