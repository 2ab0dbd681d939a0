/* metrics_test.c - the text that lib/metrics shows, and that no update is lost between threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/memory.h"
#include "lib/metrics/metrics.h"

DEFINE_CLEANUP(struct metrics *, metrics_free)

static void series_of_one_name_form_one_block(void **state)
{
	_cleanup_(metrics_freep)
	struct metrics *metrics = metrics_new();
	_cleanup_(buffer_release)
	struct buffer out = {0};
	struct metric *completed =
		metrics_counter(metrics, "sagas_total", "outcome=\"completed\"", "Finished \\ all.\n2");
	struct metric *open = metrics_gauge(metrics, "sagas_open", NULL, "Now.");
	struct metric *failed = metrics_counter(metrics, "sagas_total", "outcome=\"failed\"", "Finished.");

	(void)state;
	metric_add(completed, 2);
	metric_add(completed, 3);
	metric_add(failed, 1);
	metric_set(open, -4);
	assert_int_equal(metric_value(completed), 5);
	metrics_print(metrics, &out);
	assert_ptr_equal(strstr(buffer_text(&out), "# HELP sagas_total Finished \\\\ all.\\n2\n"
						   "# TYPE sagas_total counter\n"
						   "sagas_total{outcome=\"completed\"} 5\n"
						   "sagas_total{outcome=\"failed\"} 1\n"
						   "# HELP sagas_open Now.\n"
						   "# TYPE sagas_open gauge\n"
						   "sagas_open -4\n"),
			 buffer_text(&out));
}

static void labels_are_copied(void **state)
{
	struct metrics *metrics = metrics_new();
	_cleanup_(buffer_release)
	struct buffer out = {0};
	char labels[] = "method=\"Get\"";

	(void)state;
	metric_add(metrics_counter(metrics, "calls_total", labels, "Calls."), 1);
	memset(labels, 'x', sizeof(labels) - 1);
	metrics_print(metrics, &out);
	assert_non_null(strstr(buffer_text(&out), "calls_total{method=\"Get\"} 1\n"));
	metrics_free(metrics);
}

static void histogram_buckets_are_cumulated_and_bounds_inclusive(void **state)
{
	static const double bounds[] = {0.5, 1};
	_cleanup_(metrics_freep)
	struct metrics *metrics = metrics_new();
	_cleanup_(buffer_release)
	struct buffer out = {0};
	struct metric *plain = metrics_histogram(metrics, "turn_seconds", "a=\"b\"", "Turn.", bounds, 2);

	(void)state;
	metric_observe(plain, 0.25);
	metric_observe(plain, 0.5);
	metric_observe(plain, 0.75);
	metric_observe(plain, 4);
	metrics_print(metrics, &out);
	assert_non_null(strstr(buffer_text(&out), "# TYPE turn_seconds histogram\n"
						  "turn_seconds_bucket{a=\"b\",le=\"0.5\"} 2\n"
						  "turn_seconds_bucket{a=\"b\",le=\"1\"} 3\n"
						  "turn_seconds_bucket{a=\"b\",le=\"+Inf\"} 4\n"
						  "turn_seconds_sum{a=\"b\"} 5.5\n"
						  "turn_seconds_count{a=\"b\"} 4\n"));
}

static void the_process_shows_its_own_use_of_the_machine(void **state)
{
	static const char *const names[] = {
		"process_cpu_seconds_total",
		"process_resident_memory_bytes",
		"process_virtual_memory_bytes",
		"process_open_fds",
		"process_max_fds",
		"process_start_time_seconds",
		"process_threads",
	};
	_cleanup_(metrics_freep)
	struct metrics *metrics = metrics_new();
	_cleanup_(buffer_release)
	struct buffer out = {0};

	(void)state;
	metrics_print(metrics, &out);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_(buffer_release)
		struct buffer start = {0};
		const char *at;

		buffer_append_format(&start, "\n%s ", names[i]);
		at = strstr(buffer_text(&out), buffer_text(&start));
		assert_non_null(at);
		assert_true(strtod(at + start.len, NULL) >= (strcmp(names[i], "process_cpu_seconds_total") ? 1 : 0));
	}
}

enum { THREADS = 4, ROUNDS = 20000 };

static void *update(void *ctx)
{
	struct metric **metrics = ctx;

	for (int i = 0; i < ROUNDS; i++) {
		metric_add(metrics[0], 1);
		metric_observe(metrics[1], 1);
	}
	return NULL;
}

static void no_update_is_lost_between_threads(void **state)
{
	_cleanup_(metrics_freep)
	struct metrics *set = metrics_new();
	_cleanup_(buffer_release)
	struct buffer out = {0};
	struct metric *metrics[] = {
		metrics_counter(set, "a_total", NULL, "A."),
		metrics_histogram(set, "b_seconds", NULL, "B.", METRIC_SECONDS_BOUNDS, METRIC_SECONDS_BOUND_COUNT),
	};
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, update, metrics), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(metric_value(metrics[0]), THREADS * ROUNDS);
	metrics_print(set, &out);
	assert_non_null(strstr(buffer_text(&out), "b_seconds_sum 80000\nb_seconds_count 80000\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(series_of_one_name_form_one_block),
		cmocka_unit_test(labels_are_copied),
		cmocka_unit_test(histogram_buckets_are_cumulated_and_bounds_inclusive),
		cmocka_unit_test(the_process_shows_its_own_use_of_the_machine),
		cmocka_unit_test(no_update_is_lost_between_threads),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
