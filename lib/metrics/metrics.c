/* metrics.c - see metrics.h. */
#include "lib/metrics/metrics.h"

#include <assert.h>
#include <ctype.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/metrics/process_metrics.h"

enum { BOUNDS_MAX = 20 };
enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

static const char *const type_names[] = {"counter", "gauge", "histogram"};

const double METRIC_SECONDS_BOUNDS[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
					0.1,    0.25,  0.5,    1,     2.5,  10,    60};
static_assert(ARRAY_LEN(METRIC_SECONDS_BOUNDS) == METRIC_SECONDS_BOUND_COUNT, "the count of the header");

struct metric {
	struct metric *_Atomic next; /* of the same family, in order of registration */
	enum metric_type type;
	char *labels; /* NULL: none */
	const double *bounds;
	int bound_count;
	_Atomic int64_t value;                      /* counter or gauge */
	_Atomic uint64_t in_bucket[BOUNDS_MAX + 1]; /* histogram: not cumulated; the last is beyond all bounds */
	_Atomic double sum;
};

/* All series of one name: help and type are printed once, and the format wants them in one block. */
struct family {
	struct family *next;
	const char *name;
	const char *help;
	enum metric_type type;
	struct metric *_Atomic metrics; /* whoever prints sees a series whole or not at all */
};

struct metrics {
	struct family *families;
	int64_t start_real_us;
};

struct metrics *metrics_new(void)
{
	struct metrics *metrics = xcalloc(1, sizeof(*metrics));

	metrics->start_real_us = clock_real_us();
	return metrics;
}

void metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	for (struct family *family; (family = metrics->families);) {
		metrics->families = family->next;
		for (struct metric *metric; (metric = family->metrics);) {
			family->metrics = metric->next;
			free(metric->labels);
			free(metric);
		}
		free(family);
	}
	free(metrics);
}

/* ---- registration ---- */

static bool is_metric_name(const char *name)
{
	if (!isalpha((unsigned char)name[0]) && name[0] != '_')
		return false;
	for (const char *at = name; *at; at++) {
		if (!isalnum((unsigned char)*at) && *at != '_' && *at != ':')
			return false;
	}
	return true;
}

static struct family *family_of(struct metrics *metrics, const char *name, const char *help, enum metric_type type)
{
	struct family **place = &metrics->families;

	while (*place && strcmp((*place)->name, name) != 0)
		place = &(*place)->next;
	if (!*place) {
		assert(is_metric_name(name));
		*place = xcalloc(1, sizeof(**place));
		(*place)->name = name;
		(*place)->help = help;
		(*place)->type = type;
	}
	assert((*place)->type == type);
	return *place;
}

static struct metric *register_series(struct metrics *metrics, const char *name, const char *labels, const char *help,
				      enum metric_type type)
{
	struct metric *_Atomic *place = &family_of(metrics, name, help, type)->metrics;
	struct metric *metric = xcalloc(1, sizeof(*metric));

	for (struct metric *other; (other = *place); place = &other->next)
		assert(labels && other->labels && strcmp(other->labels, labels) != 0); /* each series once */
	metric->type = type;
	metric->labels = labels ? xstrdup(labels) : NULL;
	*place = metric;
	return metric;
}

struct metric *metrics_counter(struct metrics *metrics, const char *name, const char *labels, const char *help)
{
	return register_series(metrics, name, labels, help, METRIC_COUNTER);
}

struct metric *metrics_gauge(struct metrics *metrics, const char *name, const char *labels, const char *help)
{
	return register_series(metrics, name, labels, help, METRIC_GAUGE);
}

struct metric *metrics_histogram(struct metrics *metrics, const char *name, const char *labels, const char *help,
				 const double *bounds, int bound_count)
{
	struct metric *metric = register_series(metrics, name, labels, help, METRIC_HISTOGRAM);

	assert(bound_count > 0 && bound_count <= BOUNDS_MAX);
	for (int i = 1; i < bound_count; i++)
		assert(bounds[i - 1] < bounds[i]);
	metric->bounds = bounds;
	metric->bound_count = bound_count;
	return metric;
}

/* ---- updates ---- */

void metric_add(struct metric *metric, uint64_t by)
{
	assert(metric->type == METRIC_COUNTER);
	(void)atomic_fetch_add_explicit(&metric->value, (int64_t)by, memory_order_relaxed);
}

void metric_set(struct metric *metric, int64_t value)
{
	assert(metric->type == METRIC_GAUGE);
	atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void metric_observe(struct metric *metric, double value)
{
	double sum = atomic_load_explicit(&metric->sum, memory_order_relaxed);
	int bucket = 0;

	assert(metric->type == METRIC_HISTOGRAM);
	while (bucket < metric->bound_count && value > metric->bounds[bucket])
		bucket++;
	(void)atomic_fetch_add_explicit(&metric->in_bucket[bucket], 1, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&metric->sum, &sum, sum + value, memory_order_relaxed,
						      memory_order_relaxed)) {
		/* another thread was faster; `sum` has its result */
	}
}

uint64_t metric_value(const struct metric *metric)
{
	assert(metric->type != METRIC_HISTOGRAM);
	return (uint64_t)atomic_load_explicit(&metric->value, memory_order_relaxed);
}

/* ---- printing ---- */

/* `name{labels,extra} `, without the braces where neither is given. */
static void print_series(struct buffer *out, const char *name, const char *suffix, const char *labels,
			 const char *extra)
{
	bool has_labels = labels && labels[0];

	buffer_append_format(out, "%s%s", name, suffix);
	if (has_labels || extra)
		buffer_append_format(out, "{%s%s%s}", has_labels ? labels : "", has_labels && extra ? "," : "",
				     extra ? extra : "");
	buffer_append_byte(out, ' ');
}

static void print_histogram(struct buffer *out, const char *name, const struct metric *metric)
{
	uint64_t cumulated = 0;

	for (int i = 0; i <= metric->bound_count; i++) {
		char le[48] = "le=\"+Inf\"";

		if (i < metric->bound_count)
			(void)snprintf(le, sizeof(le), "le=\"%.15g\"", metric->bounds[i]);
		cumulated += atomic_load_explicit(&metric->in_bucket[i], memory_order_relaxed);
		print_series(out, name, "_bucket", metric->labels, le);
		buffer_append_format(out, "%llu\n", (unsigned long long)cumulated);
	}
	print_series(out, name, "_sum", metric->labels, NULL);
	buffer_append_format(out, "%.15g\n", atomic_load_explicit(&metric->sum, memory_order_relaxed));
	print_series(out, name, "_count", metric->labels, NULL);
	buffer_append_format(out, "%llu\n", (unsigned long long)cumulated);
}

static void print_help(struct buffer *out, const char *help)
{
	for (; *help; help++) {
		if (*help == '\\' || *help == '\n')
			buffer_append_text(out, *help == '\\' ? "\\\\" : "\\n");
		else
			buffer_append_byte(out, (uint8_t)*help);
	}
}

static void print_family(struct buffer *out, const struct family *family)
{
	buffer_append_format(out, "# HELP %s ", family->name);
	print_help(out, family->help);
	buffer_append_format(out, "\n# TYPE %s %s\n", family->name, type_names[family->type]);
	for (const struct metric *metric = family->metrics; metric; metric = metric->next) {
		if (metric->type == METRIC_HISTOGRAM) {
			print_histogram(out, family->name, metric);
			continue;
		}
		print_series(out, family->name, "", metric->labels, NULL);
		if (metric->type == METRIC_GAUGE)
			buffer_append_format(out, "%lld\n", (long long)metric_value(metric));
		else
			buffer_append_format(out, "%llu\n", (unsigned long long)metric_value(metric));
	}
}

void metrics_print(const struct metrics *metrics, struct buffer *out)
{
	for (const struct family *family = metrics->families; family; family = family->next)
		print_family(out, family);
	process_metrics_print(out);
	buffer_append_format(
		out,
		"# HELP process_start_time_seconds Start time of the process since unix epoch in seconds.\n"
		"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds %.15g\n",
		(double)metrics->start_real_us / 1e6);
}
